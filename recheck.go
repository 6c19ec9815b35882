package rebound

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/content"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// An Asked is what a diagnosis was made on, apart from DNS and the text of the mail: what
// [Diagnoser.Recheck] needs to ask again.
type Asked struct {
	At           time.Time      `json:"at"`
	Report       *bounce.Report `json:"report"`
	Header       string         `json:"header,omitempty"` // of the refused mail
	IP           netip.Addr     `json:"ip,omitzero"`
	HELO         string         `json:"helo,omitempty"`
	MailFrom     string         `json:"mail_from,omitempty"`
	Recipient    string         `json:"recipient,omitempty"`
	Bounced      time.Time      `json:"bounced,omitzero"`
	Control      Control        `json:"control,omitempty"`
	OwnDomains   []string       `json:"own_domains,omitempty"`
	OwnAddresses []netip.Prefix `json:"own_addresses,omitempty"`
	Bulk         bool           `json:"bulk,omitempty"`
	Volume       int            `json:"volume,omitempty"`
	History      []bounce.Event `json:"history,omitempty"`

	// Listed are the block lists that held the refused address or a domain of the sender,
	// each as a sentence; nil in a diagnosis of a version that did not keep them.
	Listed []string `json:"listed,omitzero"`

	// Message is the mail as it is now, where it was changed; it is not kept in JSON.
	Message []byte `json:"-"`
}

// remember keeps what a diagnosis was made on.
func (r *run) remember() *Asked {
	a := &Asked{
		At: r.now, Report: r.original, IP: r.IP, HELO: r.HELO, MailFrom: r.MailFrom, Recipient: r.Recipient, Bounced: r.facts.Bounced.Value,
		Control: r.Control, OwnDomains: r.OwnDomains, OwnAddresses: r.OwnAddresses, Bulk: r.Bulk, Volume: r.Volume,
		History: r.History,
	}
	a.Header = string(r.refusedHeader())
	a.Listed = r.out.listings()
	return a
}

// listings tells which block lists hold the refused address and the sender's domains.
func (d *Diagnosis) listings() []string {
	told := []string{}
	for _, res := range slices.Concat(d.Listings, d.DomainListings) {
		if res.Status == dnsbl.Listed && res.Action == dnsbl.Block {
			told = append(told, entry(res))
		}
	}
	return told
}

// entry tells of a listing, as [Asked.Listed] keeps it.
func entry(res dnsbl.Result) string { return fmt.Sprintf("%s is on %s", res.Target, res.List.Name) }

// ErrNotSaved is the error of [Diagnoser.Recheck] for a diagnosis that does not hold what
// it was made on.
var ErrNotSaved = errors.New("rebound: the diagnosis does not say what it was made on")

// A Progress says how far a step of a plan is.
type Progress string

// How far a step is.
const (
	Done    Progress = "done"
	NotYet  Progress = "not-yet"
	Due     Progress = "due"     // it is its turn: nothing stands in its way
	Untold  Progress = "unknown" // it could not be told; Why says what stood in the way
	Private Progress = "private" // only who does it knows
)

// A Resumption says whether the mail that was held may go again.
type Resumption string

// Whether mail may go.
const (
	Resume      Resumption = "yes"
	StayHeld    Resumption = "no"
	SendOneTest Resumption = "test" // nobody but the receiver knows: one test tells
	CannotTell  Resumption = "unknown"
)

// A Rechecked says what has become of a diagnosis.
type Rechecked struct {
	Resume  Resumption    `json:"resume"`
	Why     string        `json:"why"`
	Steps   []RecheckedAt `json:"steps"`   // those of the old plan
	Changed []string      `json:"changed"` // what is not as it was
	Now     *Diagnosis    `json:"now"`     // the same refusal, with what is true now
	Before  time.Time     `json:"before"`  // when the old diagnosis was made
	Schema  int           `json:"schema"`
}

// A RecheckedAt is a step of the old plan and how far it is.
type RecheckedAt struct {
	Step     Step     `json:"step"`
	Progress Progress `json:"progress"`
	Why      string   `json:"why"`
}

// Recheck asks again what an earlier diagnosis rests on: which steps of its plan are done,
// what has changed, and whether mail may go again. The diagnosis may be one that was read
// from JSON. The error is [ErrNotSaved], or that of [Diagnoser.Diagnose].
func (d *Diagnoser) Recheck(ctx context.Context, old *Diagnosis) (*Rechecked, error) {
	if old == nil || old.Asked == nil || old.Asked.Report == nil || len(old.Causes) == 0 {
		return nil, ErrNotSaved
	}
	a := old.Asked
	now, err := d.Diagnose(ctx, Case{
		Report: a.Report, header: []byte(a.Header), Message: a.Message, IP: a.IP, HELO: a.HELO, MailFrom: a.MailFrom, Recipient: a.Recipient,
		Bounced: a.Bounced, Control: a.Control, OwnDomains: a.OwnDomains, OwnAddresses: a.OwnAddresses, Bulk: a.Bulk, Volume: a.Volume,
		History: a.History,
	})
	if err != nil {
		return nil, err
	}
	out := &Rechecked{Now: now, Before: a.At, Schema: Schema, Steps: []RecheckedAt{}, Changed: []string{}}
	out.Resume, out.Why = now.resume(old)
	for _, s := range old.Plan {
		progress, why := now.progress(s)
		if s.Phase == PhaseRetest && len(now.Recipients) == 1 { // what is said of the mail holds for its test
			switch {
			case out.Resume == StayHeld && progress == Due:
				progress, why = NotYet, out.Why
			case out.Resume == SendOneTest && progress != Due:
				progress, why = Due, "One test tells what nobody outside the receiver knows."
			}
		}
		if s.Phase == PhaseStop && strings.HasPrefix(s.What, "Hold ") && progress == Done && out.Resume == StayHeld {
			progress, why = NotYet, out.Why
		}
		out.Steps = append(out.Steps, RecheckedAt{s, progress, why})
	}
	out.Changed = now.changed(old)
	return out, nil
}

// changed tells what is not as it was: causes, listings, and answers of DNS.
func (d *Diagnosis) changed(old *Diagnosis) []string {
	changed := []string{}
	listing := func(c Cause) bool { // it is told with the listings
		return old.Asked.Listed != nil && c.State == Unstated && c.Kind.Category() == bounce.Listed
	}
	for _, c := range d.Causes {
		if was := like(old.Causes, c); was == nil && !listing(c) {
			changed = append(changed, fmt.Sprintf("New: %s (%s).", c.Summary, stateWords[c.State]))
		} else if was != nil && was.State != c.State {
			changed = append(changed, fmt.Sprintf("%s: %s then, %s now.", was.Summary, stateWords[was.State], stateWords[c.State]))
		}
	}
	for _, c := range old.Causes {
		switch {
		case like(d.Causes, c) != nil || listing(c):
		case d.asked():
			changed = append(changed, fmt.Sprintf("Gone: %s.", c.Summary))
		default:
			changed = append(changed, fmt.Sprintf("%s: %s then, could not be told now.", c.Summary, stateWords[c.State]))
		}
	}
	if old.Asked.Listed != nil {
		now := d.listings()
		for _, text := range now {
			if !slices.Contains(old.Asked.Listed, text) {
				word := "New: "
				if !old.asked() {
					word = "Seen now, and perhaps not asked then: "
				}
				changed = append(changed, word+text+".")
			}
		}
		for _, text := range old.Asked.Listed {
			if !slices.Contains(now, text) && d.unlisted(text) {
				changed = append(changed, "Gone: "+text+".")
			}
		}
	}
	return append(changed, d.answers(old)...)
}

// unlisted reports whether a list that held something says now that it does not.
func (d *Diagnosis) unlisted(text string) bool {
	return slices.ContainsFunc(slices.Concat(d.Listings, d.DomainListings), func(res dnsbl.Result) bool {
		return res.Status == dnsbl.NotListed && text == entry(res)
	})
}

// maxAnswers bounds the changed answers that are told one by one.
const maxAnswers = 10

// answers tells which answers of DNS, of those that the old causes rest on, are others now;
// those of lists are told as listings.
func (d *Diagnosis) answers(old *Diagnosis) []string {
	now := map[string]string{}
	for _, a := range d.DNS {
		name, text, ok := strings.Cut(a.String(), ": ")
		if ok && a.Status.Known() {
			now[name] = text
		}
	}
	var changed []string
	told := map[string]bool{}
	for _, c := range old.Causes {
		for _, e := range c.Evidence {
			name, was, ok := strings.Cut(e.Text, ": ")
			is := now[name]
			if e.Kind != finding.KindDNS || !ok || is == "" || sameSet(is, was) || told[name] || c.Kind.Category() == bounce.Listed || len(changed) == maxAnswers {
				continue
			}
			told[name] = true
			changed = append(changed, fmt.Sprintf("%s was %s, and is %s.", name, strings.TrimSuffix(was, "."), strings.TrimSuffix(is, ".")))
		}
	}
	return changed
}

// sameSet reports whether two answers hold the same records: servers give them in any order.
func sameSet(a, b string) bool {
	x, y := strings.Split(a, ", "), strings.Split(b, ", ")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// stateWords are the states as they stand in a sentence.
var stateWords = map[State]string{
	Confirmed: "seen", Contradicted: "not seen", Cleared: "gone", NotAsked: "could not be asked", NotCheckable: "the receiver alone knew", Unstated: "seen",
}

// like returns the cause of a list that is the same as c.
func like(list []Cause, c Cause) *Cause {
	for i := range list {
		if list[i].Kind == c.Kind && (list[i].Summary == c.Summary || c.State != Unstated && list[i].State != Unstated) {
			return &list[i]
		}
	}
	return nil
}

// A standing is what a new diagnosis says of a kind of cause.
type standing uint8

const (
	seen     standing = iota // it is there
	gone                     // it is not there now
	unsure                   // it could not be asked
	private                  // nobody outside can ask
	unspoken                 // the new diagnosis does not speak of it
)

// standing looks for causes of a kind: the worst decides. What nobody stated does not
// speak for what was stated.
func (d *Diagnosis) standing(kind CauseKind, stated bool) standing {
	worst := unspoken
	for _, c := range d.Causes {
		if c.Kind != kind || stated && c.State == Unstated {
			continue
		}
		at := seen
		switch c.State {
		case Cleared, Contradicted:
			at = gone
		case NotAsked:
			at = unsure
		case NotCheckable:
			at = private
		}
		worst = min(worst, at)
	}
	return worst
}

// progress says how far a step of an older plan is, by what is true now.
func (d *Diagnosis) progress(s Step) (Progress, string) {
	if s.List != "" {
		return d.listed(s.List, s.For)
	}
	last := s.Phase == PhaseRetest || s.Phase == PhaseRewarm
	again := !last && slices.ContainsFunc(d.Plan, func(n Step) bool { return n.What == s.What })
	at := unspoken
	for _, kind := range s.For {
		// What nobody stated does not stand in the way of a test.
		at = min(at, d.standing(kind, last && d.stated()))
	}
	cleared := at == gone || at == unspoken && !again && len(s.For) > 0 && d.asked()
	if progress, why, ok := d.inMail(s); ok && !cleared {
		return progress, why
	}
	switch {
	case sought(s) && (cleared || at == private):
		return Private, "Whether the cause was found and is gone, only who looked for it knows."
	case cleared && last:
		return Due, "Nothing stands in its way now."
	case cleared:
		return Done, "What called for it is not there now."
	case s.Record != nil && d.holds(s.Record):
		return Done, "DNS holds the record now."
	case at == unsure, at == unspoken && !d.asked():
		return Untold, "What called for it could not be asked."
	case s.Record != nil && at == seen:
		return NotYet, fmt.Sprintf("%s %s is not as it should be.", s.Record.Name, s.Record.Type)
	case at == private && last:
		return Untold, "Nobody but the receiver knows whether what called for it still holds."
	case last:
		return NotYet, "What comes before it is not done."
	}
	return Private, "Only who does it knows how far it is."
}

// stated reports whether the receiver said why it refused.
func (d *Diagnosis) stated() bool {
	return slices.ContainsFunc(d.Causes, func(c Cause) bool { return c.State != Unstated })
}

// holds reports whether DNS has a record as it was to be.
func (d *Diagnosis) holds(rec *finding.Record) bool {
	return rec.New != "" && slices.ContainsFunc(d.DNS, func(a resolve.Answer) bool {
		has := func(text string) bool {
			return text != "" && slices.ContainsFunc(a.Records, func(r resolve.Record) bool { return r.String() == text })
		}
		return a.Name == strings.TrimSuffix(rec.Name, ".") && a.Type.String() == rec.Type && has(rec.New) && !has(rec.Old)
	})
}

// inMail says how far a change of the mail is, where the mail is at hand as it is now.
func (d *Diagnosis) inMail(s Step) (Progress, string, bool) {
	if d.Content == nil {
		return "", "", false
	}
	there, ok := false, false
	if code, is := strings.CutPrefix(s.Verify, noLonger); is {
		ok, code = true, strings.TrimSuffix(code, ".")
		there = slices.ContainsFunc(d.Content.Findings, func(f content.Finding) bool { return f.Code == code })
	} else if name, is := strings.CutPrefix(s.What, linksTo); is {
		name, _, ok = strings.Cut(name, " ")
		there = slices.Contains(d.Content.LinkDomains, name)
	}
	switch {
	case !ok:
		return "", "", false
	case there:
		return NotYet, "The mail still has it.", true
	}
	return Done, "The mail has it no more.", true
}

// asked reports whether all checks that matter could be made.
func (d *Diagnosis) asked() bool {
	return !slices.ContainsFunc(d.Checks, func(c Check) bool {
		return c.Outcome == finding.Unknown || c.Outcome == finding.Broke
	})
}

// onlyRange reports whether a listing speaks of the address's range alone.
func onlyRange(res dnsbl.Result) bool {
	return len(res.Codes) > 0 && !slices.ContainsFunc(res.Codes, func(c dnsbl.Code) bool { return c.Nature != dnsbl.Policy })
}

// listed says whether what was refused is still on a list.
func (d *Diagnosis) listed(zone string, of []CauseKind) (Progress, string) {
	said := false
	for _, r := range slices.Concat(d.Listings, d.DomainListings) {
		if r.List.Zone != zone {
			continue
		}
		switch r.Status {
		case dnsbl.Listed:
			if onlyRange(r) && !slices.Contains(of, bounce.DynamicIP) {
				return Done, "Only the entry of its range is left."
			}
			return NotYet, fmt.Sprintf("%s is still on %s.", r.Target, r.List.Name)
		case dnsbl.NotListed:
			said = true
		default:
			return Untold, fmt.Sprintf("%s gave no answer.", r.List.Name)
		}
	}
	if said {
		return Done, "It is off the list."
	}
	return Untold, "The list was not asked."
}

// resume says whether the mail may go again: never to who is to be suppressed, and not
// while what stopped it is still seen.
func (d *Diagnosis) resume(old *Diagnosis) (Resumption, string) {
	top := old.Causes[0]
	switch {
	case top.Kind == NotYours || d.Causes[0].Kind == NotYours:
		return Resume, "Nothing was stopped."
	case len(d.Suppress) > 0 && len(d.Suppress) == len(d.Recipients):
		return StayHeld, fmt.Sprintf("%s: %s is not to be mailed again.", top.Summary, strings.Join(d.Suppress, ", "))
	case top.Kind == bounce.Complaint:
		return StayHeld, top.Summary + ": do not mail them again."
	}
	answer, why := d.released(old)
	if len(d.Suppress) == 0 {
		return answer, why
	}
	if why = fmt.Sprintf("Do not mail %s again. For the others: %s", shown(d.Suppress), why); answer == Resume {
		answer = StayHeld // not as it was
	}
	return answer, why
}

// shown are the first addresses of a list, and how many more there are.
func shown(list []string) string {
	const most = 3
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// released says whether the mail may go again to those who are not to be suppressed.
func (d *Diagnosis) released(old *Diagnosis) (Resumption, string) {
	top := old.Causes[0]
	switch {
	case d.Response == bounce.Ignore:
		return Resume, "Nothing was stopped."
	case d.Hold != nil && old.Hold == nil:
		return StayHeld, fmt.Sprintf("Hold %s until %s: %s.", d.Hold.What, d.Hold.Until, d.Causes[0].Summary)
	}
	if wait := d.wait(); wait != "" {
		return StayHeld, wait
	}
	at, worst := gone, top
	first := true
	for _, c := range old.Causes {
		if c.State == Unstated && (top.State != Unstated || c.Kind != top.Kind) || c.Kind == bounce.Expired || d.suppressed(c.Kind) {
			continue // not what stopped it, or of those alone who are not mailed again
		}
		now := d.now(c)
		if first || graver(now, at) {
			at, worst, first = now, c, false
		}
	}
	// What the whole answer is to wait for passes by itself, and nothing else does.
	passes := d.Response == bounce.Retry && worst.Kind == top.Kind && worst.State != Contradicted && !worst.Kind.OfAddress()
	switch at {
	case gone:
		if on := d.heavy(); on != "" {
			return SendOneTest, fmt.Sprintf("%s: that is not so now. But %s now, which many receivers ask; one test tells.", worst.Summary, on)
		}
		return Resume, fmt.Sprintf("%s: that is not so now.%s%s", worst.Summary, d.beside(), d.trying())
	case unsure:
		return CannotTell, fmt.Sprintf("%s: whether it still is could not be asked.", worst.Summary)
	case private:
		if passes {
			return Resume, fmt.Sprintf("%s: that passes by itself.%s", worst.Summary, d.trying())
		}
		return SendOneTest, fmt.Sprintf("%s: the receiver alone knows whether that still holds; one test tells.", worst.Summary)
	case unspoken:
		return CannotTell, "Some checks could not be made."
	}
	if same := d.instead(worst); same != nil {
		worst = *same
	}
	switch {
	case d.Hold != nil:
		return StayHeld, fmt.Sprintf("Hold %s until %s: %s.", d.Hold.What, d.Hold.Until, worst.Summary)
	case passes:
		return Resume, fmt.Sprintf("%s: that is still seen, and nothing that you could mend.%s", worst.Summary, d.trying())
	}
	return StayHeld, fmt.Sprintf("%s: that is still seen.", worst.Summary)
}

// wait says until when to wait before another try, while that time is not over; or is "".
func (d *Diagnosis) wait() string {
	if d.RetryAfter <= 0 || d.Asked == nil || d.Asked.Bounced.IsZero() {
		return ""
	}
	until := d.Asked.Bounced.Add(time.Duration(d.RetryAfter))
	if !d.Asked.At.Before(until) {
		return ""
	}
	return fmt.Sprintf("Wait until %s: %s.", until.UTC().Format("2 January 15:04 MST"), d.Causes[0].Summary)
}

// trying says of a mail that was put off who sends it again.
func (d *Diagnosis) trying() string {
	if len(d.Recipients) > 0 && !slices.ContainsFunc(d.Recipients, func(rec bounce.Recipient) bool { return rec.Action != bounce.Delayed }) {
		return " The sending server goes on trying by itself: do not send the mail a second time."
	}
	return ""
}

// heavy tells of a list of high weight that holds the refused address now, or is "".
func (d *Diagnosis) heavy() string {
	for _, res := range d.Listings {
		if res.Status == dnsbl.Listed && res.Action == dnsbl.Block && res.List.Weight >= dnsbl.High {
			return fmt.Sprintf("%s is on %s", res.Target, listTitle(listState{result: &res}))
		}
	}
	return ""
}

// instead is the cause that an older one has become: the first that the receiver stated,
// where there is one refusal and the old kind is not spoken of.
func (d *Diagnosis) instead(c Cause) *Cause {
	if same := like(d.Causes, c); same != nil {
		return same
	}
	if len(d.Recipients) == 1 && d.Causes[0].State != Unstated {
		return &d.Causes[0]
	}
	return nil
}

// now is the standing of a cause of an older diagnosis.
func (d *Diagnosis) now(c Cause) standing {
	now := d.standing(c.Kind, c.State != Unstated)
	switch same := like(d.Causes, c); {
	case now == gone && c.Kind == bounce.Compromised, now == unspoken && c.Kind == bounce.Compromised:
		return private // that an entry has gone does not show that anybody cleaned up
	case now == unspoken && c.State != Unstated && same == nil && d.instead(c) != nil:
		return d.standing(d.instead(c).Kind, true) // the same refusal, seen for what it is
	case now == unspoken && d.asked():
		return gone // looked for, and not there
	case now == private:
		return d.standing(c.Kind, false) // what is seen of its kind may be what was meant
	case now == gone && c.State == Contradicted && same != nil && same.State == Contradicted:
		return private // it was refused although DNS spoke against it, and nothing is new
	case now == seen && c.Kind == bounce.HELO && !strings.Contains(d.Facts.HELO.Value, "."):
		return private // what the server calls itself now, DNS does not tell
	}
	return now
}

// beside tells the first thing that is seen and was not stated, or is "".
func (d *Diagnosis) beside() string {
	for _, c := range d.Causes {
		if c.State == Unstated {
			return fmt.Sprintf(" Not stated, and seen now: %s.", c.Summary)
		}
	}
	return ""
}

// suppressed reports whether a kind of cause concerns none but addresses that are to be
// suppressed.
func (d *Diagnosis) suppressed(kind CauseKind) bool {
	return kind.OfAddress() && len(d.Suppress) > 0 && !slices.ContainsFunc(d.Recipients, func(rec bounce.Recipient) bool {
		return rec.Reason == kind && !rec.Suppress
	})
}

// graver orders what stands against sending: what is seen decides, then what could not be
// told.
func graver(a, b standing) bool {
	order := [...]int{seen: 4, unsure: 3, private: 2, unspoken: 1, gone: 0}
	return order[a] > order[b]
}
