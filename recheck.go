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
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
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
	return a
}

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
	for _, s := range old.Plan {
		progress, why := now.progress(s)
		out.Steps = append(out.Steps, RecheckedAt{s, progress, why})
	}
	for _, c := range now.Causes {
		if was := like(old.Causes, c); was == nil {
			out.Changed = append(out.Changed, fmt.Sprintf("New: %s (%s).", c.Summary, stateWords[c.State]))
		} else if was.State != c.State {
			out.Changed = append(out.Changed, fmt.Sprintf("%s: %s then, %s now.", c.Summary, stateWords[was.State], stateWords[c.State]))
		}
	}
	for _, c := range old.Causes {
		switch {
		case like(now.Causes, c) != nil:
		case now.asked():
			out.Changed = append(out.Changed, fmt.Sprintf("Gone: %s.", c.Summary))
		default:
			out.Changed = append(out.Changed, fmt.Sprintf("%s: %s then, could not be told now.", c.Summary, stateWords[c.State]))
		}
	}
	out.Resume, out.Why = now.resume(old)
	return out, nil
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
		return d.listed(s.List)
	}
	again := slices.ContainsFunc(d.Plan, func(n Step) bool { return n.What == s.What })
	at := unspoken
	for _, kind := range s.For {
		at = min(at, d.standing(kind, false))
	}
	cleared := at == gone || at == unspoken && !again && len(s.For) > 0 && d.asked()
	switch {
	case cleared && (s.Phase == PhaseRetest || s.Phase == PhaseRewarm):
		return Due, "Nothing stands in its way now."
	case cleared:
		return Done, "What called for it is not there now."
	case at == unsure, at == unspoken && !d.asked():
		return Untold, "What called for it could not be asked."
	case s.Record != nil && at == seen:
		return NotYet, fmt.Sprintf("%s %s is not as it should be.", s.Record.Name, s.Record.Type)
	case at == private:
		return Untold, "Nobody but the receiver knows whether what called for it still holds."
	case s.Phase == PhaseRetest || s.Phase == PhaseRewarm:
		return NotYet, "What comes before it is not done."
	}
	return Private, "What called for it is still seen; only who does it knows how far it is."
}

// asked reports whether all checks that matter could be made.
func (d *Diagnosis) asked() bool {
	return !slices.ContainsFunc(d.Checks, func(c Check) bool {
		return c.Outcome == finding.Unknown || c.Outcome == finding.Broke
	})
}

// listed says whether what was refused is still on a list.
func (d *Diagnosis) listed(zone string) (Progress, string) {
	said := false
	for _, list := range [][]dnsbl.Result{d.Listings, d.DomainListings} {
		for _, r := range list {
			if r.List.Zone != zone {
				continue
			}
			switch r.Status {
			case dnsbl.Listed:
				return NotYet, fmt.Sprintf("%s is still on %s.", r.Target, r.List.Name)
			case dnsbl.NotListed:
				said = true
			default:
				return Untold, fmt.Sprintf("%s gave no answer.", r.List.Name)
			}
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
		return Resume, fmt.Sprintf("%s: that is not so now.%s", worst.Summary, d.beside())
	case unsure:
		return CannotTell, fmt.Sprintf("%s: whether it still is could not be asked.", worst.Summary)
	case private:
		if passes {
			return Resume, fmt.Sprintf("%s: that passes by itself.", worst.Summary)
		}
		return SendOneTest, fmt.Sprintf("%s: the receiver alone knows whether that still holds; send one test.", worst.Summary)
	case unspoken:
		return CannotTell, "Some checks could not be made."
	}
	switch {
	case d.Hold != nil:
		return StayHeld, fmt.Sprintf("Hold %s until %s: %s.", d.Hold.What, d.Hold.Until, worst.Summary)
	case passes:
		return Resume, fmt.Sprintf("%s: that is still seen, and nothing that you could mend.", worst.Summary)
	}
	return StayHeld, fmt.Sprintf("%s: that is still seen.", worst.Summary)
}

// now is the standing of a cause of an older diagnosis.
func (d *Diagnosis) now(c Cause) standing {
	now := d.standing(c.Kind, c.State != Unstated)
	switch same := like(d.Causes, c); {
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
