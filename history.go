package rebound

import (
	"slices"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/finding"
)

// heedHistory lets what was known of an address decide with this refusal: a mailbox that is
// full for the third time in two weeks, or a second refusal of an address that one alone
// leaves in doubt, ends the mailing to it; one that took mail before is not given up for a
// single refusal, nor for one of many at once.
func (r *run) heedHistory() {
	if len(r.History) == 0 || r.foreign != nil {
		return
	}
	at := r.now
	if when := r.facts.Bounced.Value; !when.IsZero() {
		at = when
	}
	h := bounce.NewHistory()
	for _, e := range r.History {
		if !e.Time.Equal(at) { // this refusal, which the caller knows of already
			h.Add(e)
		}
	}
	named := *r.report
	named.Date = time.Time{}
	named.Recipients = make([]bounce.Recipient, len(r.report.Recipients))
	for i, rec := range r.report.Recipients {
		rec.Address = r.address(&rec)
		named.Recipients[i] = rec
	}
	for _, e := range named.Events("", "", at) {
		h.Add(e)
	}
	for i := range named.Recipients {
		address := named.Recipients[i].Address
		ruling := bounce.Policy{}.Decide(h, address, r.now)
		if reason := named.Recipients[i].Reason; !reason.OfAddress() && reason != bounce.MailboxFull {
			continue // never for a fault of the sender's
		}
		rec := &r.report.Recipients[i]
		switch gives := ruling.Do == bounce.DoSuppress && ruling.Scope != bounce.OfStream; {
		case gives == rec.Suppress, !gives && !r.delivered(address):
			continue
		case !gives:
			ruling.Why = "It took mail before. " + ruling.Why
		}
		if r.ruled == nil {
			r.ruled = map[string]string{}
		}
		rec.Suppress, r.ruled[address] = !rec.Suppress, ruling.Why
	}
}

// delivered reports whether the caller knows of a mail that an address took.
func (r *run) delivered(address string) bool {
	return slices.ContainsFunc(r.History, func(e bounce.Event) bool { return e.Delivered && strings.EqualFold(e.Address, address) })
}

// byHistory makes a cause of an address that is given up for what was known of it.
func (r *run) byHistory(c *Cause) {
	why := r.ruled[r.address(r.of(c))]
	if why == "" {
		return
	}
	if c.Detail = why; !r.of(c).Suppress {
		c.Certainty, c.response = bounce.Possible, bounce.Retry
		return
	}
	c.response = bounce.Suppress
	c.steps = []Step{{Phase: PhaseStop, Action: finding.Remove, Who: you, What: r.fillFor(*c, "Take {addr} off your lists, until its owner writes to you or asks for the mail; what matters goes another way."), Verify: "No further mail goes to it."}}
}
