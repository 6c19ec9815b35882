package bounce

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Event is what once happened to mail to an address: it was delivered, or
// refused for a reason.
type Event struct {
	Time       time.Time     `json:"time"`
	Address    string        `json:"address"`
	Delivered  bool          `json:"delivered,omitempty"`
	Reason     Reason        `json:"reason,omitempty"`
	Permanence Permanence    `json:"permanence,omitempty"`
	Certainty  Certainty     `json:"certainty,omitempty"`
	Suppress   bool          `json:"suppress,omitempty"`    // Recipient.Suppress
	RetryAfter time.Duration `json:"retry_after,omitempty"` // in nanoseconds
	Stream     string        `json:"stream,omitempty"`      // the sender's own word for the kind of mail: "newsletter"
	Report     string        `json:"report,omitempty"`      // tells the reports apart
	Recipients int           `json:"recipients,omitempty"`  // of that report, if all were refused
}

// Events returns what a report tells of each of its recipients, for a [History].
// Stream is the sender's own word for the kind of mail; id tells the report from
// others, its own Message-ID for example. The time is the report's Date where it
// has one, else now.
func (rep *Report) Events(stream, id string, now time.Time) []Event {
	when := rep.Date
	if when.IsZero() || when.After(now) {
		when = now
	}
	refused := 0
	for _, r := range rep.Recipients {
		if r.Action == Failed {
			refused++
		}
	}
	var events []Event
	for _, r := range rep.Recipients {
		if r.Address == "" || rep.Kind == OtherKind || r.Action == Expanded {
			continue // it tells nothing of what became of the mail
		}
		e := Event{Time: when, Address: r.Address, Reason: r.Reason, Permanence: r.Permanence, Certainty: r.Certainty, Suppress: r.Suppress, RetryAfter: r.RetryAfter, Stream: stream, Report: id}
		if e.RetryAfter == 0 && r.RetryAt.After(when) {
			e.RetryAfter = min(r.RetryAt.Sub(when), maxRetryAfter)
		}
		switch {
		case rep.Kind == Success || rep.Kind != Feedback && r.Permanence == NoFailure:
			e.Delivered, e.Reason = true, ""
		case refused == len(rep.Recipients):
			e.Recipients = refused
		}
		events = append(events, e)
	}
	return events
}

// A Do is what a [Ruling] asks for.
type Do string

// The rulings. Their JSON form is stable.
const (
	DoKeep     Do = "keep"     // go on mailing
	DoPause    Do = "pause"    // no mail in the scope until Ruling.Until
	DoSuppress Do = "suppress" // no mail in the scope until Ruling.Until; for good where that is zero
)

// A RulingScope says what a ruling holds for.
type RulingScope string

// The scopes of rulings. Their JSON form is stable.
const (
	OfAddress RulingScope = "address" // all mail to the address
	OfStream  RulingScope = "stream"  // mail of the event's stream to the address
	OfDomain  RulingScope = "domain"  // all mail to the address's domain
)

// A Ruling is what to do about an address now.
type Ruling struct {
	Do     Do          `json:"do"`
	Scope  RulingScope `json:"scope,omitempty"`
	Stream string      `json:"stream,omitempty"`
	Until  time.Time   `json:"until,omitzero"`
	Why    string      `json:"why"`
	Events []Event     `json:"events,omitempty"` // those behind it, the oldest first
	Also   []Ruling    `json:"also,omitempty"`   // what holds beside it: a complaint about another stream, a pause
}

// A Policy says how many refusals of which kind end the mailing to an address. Its
// zero value is what postmasters do: an unknown user twice, a full mailbox three
// times in 14 days, a complaint once; a delivery in between makes good all that was
// before. A burst is nobody's fault but the receiver's or the sender's: many
// addresses of one domain that had taken mail before, or all recipients of one
// report, refused at once.
type Policy struct {
	Unknown     int           // refusals of an address that does not exist; 0 is 2
	Full        int           // refusals for a full mailbox; 0 is 3
	FullWithin  time.Duration // … within this time; 0 is 14 days
	FullPause   time.Duration // a suppression for a full mailbox ends; 0 is 30 days
	Burst       int           // good addresses of one domain, up to 100; 0 is 5
	BurstWithin time.Duration // … refused within this time; 0 is an hour
	BurstReport int           // recipients of one report, all refused; 0 is 3
}

func (p Policy) orDefaults() Policy {
	set := func(n *int, value int) {
		if *n <= 0 {
			*n = value
		}
	}
	last := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	set(&p.Unknown, 2)
	set(&p.Full, 3)
	set(&p.Burst, 5)
	set(&p.BurstReport, 3)
	last(&p.FullWithin, 14*24*time.Hour)
	last(&p.FullPause, 30*24*time.Hour)
	last(&p.BurstWithin, time.Hour)
	return p
}

// Decide says what to do about an address at a time, by what the history holds of
// it and of its domain. A ruling of scope domain is given for each address of the
// domain.
func (p Policy) Decide(h *History, address string, now time.Time) Ruling {
	p = p.orDefaults()
	key := keyOf(address)
	rulings := p.domainRulings(h.domains[domainOf(key)], now)
	a := h.addresses[key]
	if a == nil {
		a = &addressHistory{}
	}
	for _, e := range a.Complaints {
		if e.Suppress && !e.Time.After(now) {
			rulings = append(rulings, Ruling{Do: DoSuppress, Scope: OfStream, Stream: e.Stream, Why: "The recipient reported the mail as unwanted.", Events: []Event{e}})
		}
	}
	var (
		unknown, full []Event
		own           []Ruling
		burst         string
	)
	for _, e := range a.Events {
		switch {
		case e.Time.After(now) || ofDomain(e):
			continue
		case e.Delivered:
			unknown, full, own, burst = nil, nil, nil, ""
			continue
		}
		if why := p.burst(h, e); why != "" {
			burst = why
			continue
		}
		switch {
		case e.Reason == MailboxFull:
			if now.Sub(e.Time) <= p.FullWithin {
				full = append(full, e)
			}
		case e.Suppress && (e.Reason == RecipientSyntax || e.Reason == Suppressed):
			own = append(own, Ruling{Do: DoSuppress, Scope: OfAddress, Why: "The address cannot work, or the sending service holds it back: " + string(e.Reason) + ".", Events: []Event{e}})
		case e.Suppress:
			unknown = append(unknown, e)
		case e.Reason == Greylisted:
			if until := e.Time.Add(waitFor(e)); until.After(now) {
				own = append(own, Ruling{Do: DoPause, Scope: OfAddress, Until: until, Why: "The receiver asks for patience: " + string(e.Reason) + ".", Events: []Event{e}})
			}
		}
	}
	if len(unknown) >= p.Unknown {
		last := unknown[len(unknown)-1]
		own = append(own, Ruling{Do: DoSuppress, Scope: OfAddress, Why: "The address was refused for good more than once, with no delivery between: " + string(last.Reason) + ".", Events: unknown})
	}
	rulings = append(append(rulings, own...), p.fullMailbox(full, now)...)
	if len(rulings) > 0 {
		slices.SortStableFunc(rulings, weigh)
		first := rulings[0]
		first.Also = rulings[1:]
		return first
	}
	switch {
	case burst != "":
		return Ruling{Do: DoKeep, Why: burst}
	case len(unknown) > 0:
		return Ruling{Do: DoKeep, Why: fmt.Sprintf("It was refused for good %d of %d times; a delivery between makes that good.", len(unknown), p.Unknown), Events: unknown}
	}
	return Ruling{Do: DoKeep, Why: "Nothing is known against the address."}
}

// domainRulings rules on a whole domain. That it does not exist must have been said
// at times apart: many addresses are mailed at once.
func (p Policy) domainRulings(d *domainHistory, now time.Time) []Ruling {
	if d == nil {
		return nil
	}
	var (
		rulings []Ruling
		gone    []Event
		pause   Ruling
	)
	for _, e := range d.Events {
		switch {
		case e.Time.After(now):
		case e.Reason == UnknownDomain:
			if e.Time.After(d.Good) && (len(gone) == 0 || e.Time.Sub(gone[len(gone)-1].Time) > p.BurstWithin) {
				gone = append(gone, e)
			}
		default:
			if until := e.Time.Add(waitFor(e)); until.After(now) && until.After(pause.Until) {
				pause = Ruling{Do: DoPause, Scope: OfDomain, Until: until, Why: "The receiver asks for patience: " + string(e.Reason) + ".", Events: []Event{e}}
			}
		}
	}
	if len(gone) >= p.Unknown {
		rulings = append(rulings, Ruling{Do: DoSuppress, Scope: OfDomain, Why: "The domain does not exist or takes no mail: it was refused for that more than once, with no delivery between.", Events: gone})
	}
	if pause.Do != "" {
		rulings = append(rulings, pause)
	}
	return rulings
}

// weigh orders rulings: suppression before a pause, the wider scope before the
// narrower, one for good before one that ends, the longer before the shorter.
func weigh(a, b Ruling) int {
	does, scopes := []Do{DoSuppress, DoPause}, []RulingScope{OfDomain, OfAddress, OfStream}
	if d := slices.Index(does, a.Do) - slices.Index(does, b.Do); d != 0 {
		return d
	}
	if d := slices.Index(scopes, a.Scope) - slices.Index(scopes, b.Scope); d != 0 {
		return d
	}
	switch {
	case a.Until.IsZero() && !b.Until.IsZero():
		return -1
	case b.Until.IsZero() && !a.Until.IsZero():
		return 1
	}
	return b.Until.Compare(a.Until)
}

// fullMailbox rules on the refusals for a full mailbox within the policy's time.
func (p Policy) fullMailbox(full []Event, now time.Time) []Ruling {
	if len(full) == 0 {
		return nil
	}
	last := full[len(full)-1]
	if len(full) >= p.Full {
		if until := last.Time.Add(p.FullPause); until.After(now) {
			return []Ruling{{Do: DoSuppress, Scope: OfAddress, Until: until, Why: "The mailbox was full again and again, with no delivery between: nobody reads it.", Events: full}}
		}
		return nil
	}
	if until := last.Time.Add(time.Duration(len(full)) * 24 * time.Hour); until.After(now) {
		return []Ruling{{Do: DoPause, Scope: OfAddress, Until: until, Why: "The mailbox is full.", Events: full}}
	}
	return nil
}

// waitFor is how long to wait after a deferral: what the receiver says, else what
// is usual.
func waitFor(e Event) time.Duration {
	switch {
	case e.RetryAfter > 0:
		return e.RetryAfter
	case e.Reason == Greylisted:
		return 15 * time.Minute
	}
	return time.Hour
}

// burst says why a refusal is not the address's fault, or returns "".
func (p Policy) burst(h *History, e Event) string {
	if !e.Suppress && e.Reason != MailboxFull {
		return ""
	}
	if e.Recipients >= p.BurstReport {
		return "All recipients of one report were refused: that is no fault of each address."
	}
	if !e.Suppress {
		return ""
	}
	good := map[string]bool{}
	if d := h.domains[domainOf(e.Address)]; d != nil {
		from, _ := slices.BinarySearchFunc(d.Failures, e.Time.Add(-p.BurstWithin), func(f domainFailure, t time.Time) int { return f.Time.Compare(t) })
		for _, f := range d.Failures[from:] {
			if f.Time.Sub(e.Time) > p.BurstWithin || len(good) >= p.Burst {
				break
			}
			if h.goodBefore(f.Address, f.Time) {
				good[f.Address] = true
			}
		}
	}
	if len(good) >= p.Burst {
		return "Many addresses of the domain that had taken mail before were refused within a short time: something is wrong at the receiver, not with each address."
	}
	return ""
}

// A Suppression is an address that is not mailed any more, and what is known of
// why: the text that came back, or the events.
type Suppression struct {
	Address string
	Reply   string // the reply, or the bounce's text about the address
	Events  []Event
}

// A Release is an address that was suppressed without a fault of its own.
type Release struct {
	Suppression
	Reason Reason // for which the mail was refused in truth
	Why    string
}

// Release finds the addresses that a cruder rule suppressed, "any 5xx is a hard
// bounce" for example, and that are to be mailed again: what came back speaks of
// the sender, the receiver or a passing trouble. An address of which too little is
// known stays where it is.
func (p Policy) Release(suppressed []Suppression, now time.Time) []Release {
	var out []Release
	for _, s := range suppressed {
		if r, ok := p.release(s, now); ok {
			out = append(out, r)
		}
	}
	return out
}

func (p Policy) release(s Suppression, now time.Time) (Release, bool) {
	if len(s.Events) > 0 {
		h := NewHistory()
		events := slices.SortedStableFunc(slices.Values(s.Events), func(a, b Event) int { return a.Time.Compare(b.Time) })
		var last Event
		suspect := false // refused for its own fault, and not delivered to since
		for _, e := range events {
			e.Address = s.Address
			h.Add(e)
			if !e.Delivered {
				last = e
			}
			suspect = !e.Delivered && (suspect || e.Suppress)
		}
		ruling := p.Decide(h, s.Address, now)
		if ruling.Do == DoSuppress || suspect || last.Reason == "" || last.Reason == ReasonUnknown {
			return Release{}, false
		}
		return Release{s, last.Reason, ruling.Why}, true
	}
	if strings.TrimSpace(s.Reply) == "" {
		return Release{}, false
	}
	rec := ParseReply(s.Reply).Recipients[0]
	if rec.Suppress || rec.Reason == ReasonUnknown || rec.Reason.OfAddress() {
		return Release{}, false
	}
	return Release{s, rec.Reason, rec.Because.Says}, true
}
