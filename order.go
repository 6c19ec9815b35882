package rebound

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/finding"
)

// phases are the order of a plan, each with those that must be over before it begins: who
// asks a list before the cause is mended is listed again.
var phases = []struct {
	phase Phase
	after []Phase
}{
	{PhaseStop, nil},
	{PhaseRepair, nil},
	{PhaseDelist, []Phase{PhaseStop, PhaseRepair}},
	{PhaseAsk, nil},
	{PhaseRetest, []Phase{PhaseRepair, PhaseDelist, PhaseAsk}},
	{PhaseRewarm, []Phase{PhaseRepair, PhaseDelist, PhaseAsk, PhaseRetest}},
	{PhaseCleanUp, nil},
}

// order puts the plan in order, and says of each step what must come first and how long
// it takes.
func (r *run) order() {
	plan := r.out.Plan
	place := func(s Step) int {
		for i, p := range phases {
			if p.phase == s.Phase {
				return i
			}
		}
		return len(phases)
	}
	slices.SortStableFunc(plan, func(a, b Step) int { return place(a) - place(b) })
	for i := range plan {
		s := &plan[i]
		if at := place(*s); at < len(phases) {
			s.After = r.before(i, phases[at].after)
		}
		s.Takes = cmp.Or(s.Takes, r.takes(*s))
	}
}

// before are the numbers of the steps in these phases that the i-th waits for, without
// those that another of them waits for itself.
func (r *run) before(i int, wanted []Phase) []int {
	var list []int
	for j, s := range r.out.Plan[:i] {
		if slices.Contains(wanted, s.Phase) && !r.besides(s) && bound(s, r.out.Plan[i]) {
			list = append(list, j+1)
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(n int) bool {
		return slices.ContainsFunc(list, func(later int) bool { return slices.Contains(r.out.Plan[later-1].After, n) })
	})
}

// bound reports whether one step can matter to another: what concerns a recipient, one
// mail, or the way to one receiver has nothing to do with what concerns the sender, and
// the way through a relay nothing with the old one.
func bound(a, b Step) bool {
	if b.relay && !a.relay && (a.Phase == PhaseDelist || slices.Contains(a.For, bounce.DynamicIP)) {
		return false
	}
	if !slices.ContainsFunc(a.For, ofOne) && !slices.ContainsFunc(b.For, ofOne) {
		return true
	}
	return slices.ContainsFunc(a.For, func(k CauseKind) bool { return slices.Contains(b.For, k) })
}

// ofOne reports whether a cause concerns one recipient, one mail, or the way to one receiver.
func ofOne(kind CauseKind) bool {
	switch kind {
	case bounce.MailboxFull, bounce.MessageTooBig, bounce.Moved, bounce.RecipientPolicy, bounce.Greylisted, bounce.Network, bounce.DNSFailure, bounce.System:
		return true
	}
	return kind.OfAddress()
}

// besides reports whether a step mends only what the receiver did not speak of, beside
// what it did: then nothing waits for it.
func (r *run) besides(s Step) bool {
	if r.out.Causes[0].State == Unstated || len(s.For) == 0 {
		return false
	}
	for _, c := range r.out.Causes {
		if (c.State != Unstated || c.next) && slices.Contains(s.For, c.Kind) {
			return false
		}
	}
	return true
}

// The time that steps take where neither DNS nor the list's row tells it.
const (
	nextMail  = "from the next mail on"
	aSearch   = "until the cause is found and gone"
	aPerson   = "not known: a person answers"
	byDNS     = "until the old DNS answers have run out"
	oldAnswer = "up to %s, until old answers have run out (TTL)"
)

// takesFor are those of causes whose repair shows late.
var takesFor = map[CauseKind]string{
	bounce.DomainReputation: "weeks: the receiver's figures follow what is sent", // https://support.google.com/a/answer/81126
	bounce.Greylisted:       "5 to 60 minutes, as the server is set",
	bounce.MailboxFull:      "a day, or until somebody clears the mailbox",
}

// takes says how long a step takes to show; "" where the step itself is to wait.
func (r *run) takes(s Step) string {
	for _, kind := range s.For {
		if text := takesFor[kind]; text != "" && s.Phase != PhaseCleanUp {
			return text
		}
	}
	switch {
	case s.Schedule != nil, s.hold:
		return "" // its days are shown, or until when
	case s.Record != nil:
		text := byDNS
		if ttl := r.ttlOf(*s.Record); ttl > 0 {
			text = fmt.Sprintf(oldAnswer, Duration(ttl).Text())
		}
		if s.Action == finding.Request {
			text = "as long as the provider needs; then " + text
		}
		return text
	case s.Action == finding.Publish || s.Action == finding.Replace:
		return byDNS
	case s.Action == finding.Edit && s.Phase == PhaseRepair && sought(s):
		return aSearch
	case s.Action == finding.Edit || s.Action == finding.Remove:
		return nextMail
	case s.Action == finding.Request || s.Action == finding.Ask && s.Phase == PhaseAsk:
		return aPerson
	}
	return ""
}

// searches are how steps begin that look for a fault behind what is seen.
var searches = []string{"find ", "clean ", "correct the sending", "end that abuse", "end the "}

// sought reports whether the fault has to be looked for first.
func sought(s Step) bool {
	what := strings.ToLower(s.What)
	if _, after, ok := strings.Cut(what, ": "); ok && strings.HasPrefix(what, "if ") {
		what = after
	}
	return slices.ContainsFunc(searches, func(begin string) bool { return strings.HasPrefix(what, begin) })
}

// ttlOf is how long the answers about a record that is to change may live on.
func (r *run) ttlOf(rec finding.Record) time.Duration {
	for _, a := range r.out.DNS {
		if a.Name == strings.TrimSuffix(rec.Name, ".") && a.Type.String() == rec.Type && a.Status.Known() {
			return a.TTL
		}
	}
	return 0
}

// date says of each piece of evidence when it was so: what the receiver said, when it
// refused; an answer of DNS, when a server gave it, or now where a zone file did; a row of
// the library's own tables, when they were last looked over.
func (r *run) date() {
	at := map[string]time.Time{}
	for _, a := range r.out.DNS {
		given := a.At
		if given.IsZero() {
			given = r.now
		}
		at[a.String()], at[a.Name+" "+a.Type.String()] = given, given
	}
	stamp := func(list []finding.Evidence) {
		for i := range list {
			e := &list[i]
			switch e.Kind {
			case finding.KindReply, finding.KindMessage:
				e.At = r.facts.Bounced.Value
			case finding.KindRule:
				e.At = r.rulesAsOf
			case finding.KindTable:
				e.At = r.listsAsOf
			case finding.KindDNS:
				e.At = r.now
				for _, key := range []string{e.Text, e.Source} {
					if when, ok := at[key]; ok {
						e.At = when
						break
					}
				}
			}
		}
	}
	for i := range r.out.Causes {
		c := &r.out.Causes[i]
		stamp(c.Evidence)
		c.Evidence = once(c.Evidence)
	}
	for _, c := range r.out.Checks {
		for _, f := range c.Findings {
			stamp(f.Evidence)
		}
	}
}

// once leaves out evidence that says again what stands before it.
func once(list []finding.Evidence) []finding.Evidence {
	seen := map[finding.Evidence]bool{}
	return slices.DeleteFunc(slices.Clone(list), func(e finding.Evidence) bool {
		e.Source, e.Start, e.End = "", 0, 0
		if seen[e] {
			return true
		}
		seen[e] = true
		return false
	})
}
