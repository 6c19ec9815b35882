package rebound

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/finding"
)

// conclude fills in what follows from causes and plan.
func (r *run) conclude() *Diagnosis {
	d := r.out
	d.Schema = Schema
	d.Recipients, d.Facts, d.RefusedIP = r.report.Recipients, r.facts, r.facts.IP.Value
	d.Listings, d.DomainListings, d.Reverse, d.Destination = r.findings.ipLists, r.findings.domainLists, r.findings.reverse, r.findings.destination
	d.DNS = r.resolver.Answers()
	top := d.Causes[0]
	d.Fault, d.Response = top.Fault, r.response(top)
	d.Hold = r.holdOf(top)
	d.RetryAfter = Duration(r.retryAfter(top))
	d.Suppress = []string{}
	if top.Kind != NotYours {
		for _, rec := range d.Recipients {
			if rec.Suppress && rec.Address != "" {
				d.Suppress = append(d.Suppress, rec.Address)
			}
		}
		if r.main().Suppress && r.main().Address == "" && r.Recipient != "" {
			d.Suppress = append(d.Suppress, r.Recipient)
		}
	}
	for _, o := range r.report.Omitted {
		r.note("Not read: " + o + ".")
	}
	if r.foreign == nil && r.control() == Shared && r.Control == "" {
		r.note(r.fill("The server is taken for one of {esp}: the envelope sender and the server's name are of {esp}, the author is of {from}."))
	}
	d.Headline = r.headline(top)
	nonNil(d)
	return d
}

// nonNil makes JSON write [] where nothing is.
func nonNil(d *Diagnosis) {
	if d.Causes == nil {
		d.Causes = []Cause{}
	}
	for i := range d.Causes {
		if d.Causes[i].Fixes == nil {
			d.Causes[i].Fixes = []finding.Fix{}
		}
	}
	if d.Plan == nil {
		d.Plan = []Step{}
	}
	if d.Notes == nil {
		d.Notes = []string{}
	}
	if d.Recipients == nil {
		d.Recipients = []bounce.Recipient{}
	}
}

// maxHeadline is the width of a headline's line, its label included.
const (
	maxHeadline   = 100
	headlineLabel = 10
)

func (r *run) headline(top Cause) Headline {
	return Headline{Who: line(r.who()), Why: line(r.why(top)), They: line(r.they()), Do: line(r.do()), Keep: line(r.keep(top))}
}

// line fits a text into a line of the headline.
func line(s string) string {
	s = Plain(s)
	if utf8.RuneCountInString(s) <= maxHeadline-headlineLabel {
		return s
	}
	runes := []rune(s)
	return strings.TrimRight(string(runes[:maxHeadline-headlineLabel-1]), " ,;:") + "…"
}

func (r *run) who() string {
	rec := r.main()
	switch r.report.Kind {
	case bounce.OtherKind, bounce.Success, bounce.AutoReply:
		return "Nobody refused anything."
	case bounce.Feedback:
		return "A recipient complained about a mail" + from(r) + "."
	}
	host := r.facts.Refuser.Value
	if host == "" {
		host = bounce.ProviderName(r.facts.Provider)
	}
	if host == "" {
		host = "The receiving server"
	}
	verb := "refused"
	if rec.Action == bounce.Delayed {
		verb = "has not taken yet"
	}
	text := host + " " + verb + " mail" + from(r)
	if r.facts.Recipient.Value != "" {
		text += " to " + r.facts.Recipient.Value
	}
	if n := len(r.report.Recipients); n > 1 {
		text += fmt.Sprintf(" and %d more", n-1)
	}
	switch rec.Permanence {
	case bounce.Permanent:
		text += ": final"
	case bounce.Temporary:
		text += ": for now"
	}
	return text + "."
}

func from(r *run) string {
	if r.facts.IP.Value.IsValid() {
		return " from " + r.facts.IP.Value.String()
	}
	return ""
}

func (r *run) why(top Cause) string {
	fault := map[Fault]string{
		OfSender: "the sender's fault", OfRecipient: "on the recipient's side", OfReceiver: "the receiving system's fault", OfESP: "the sending service's to solve",
		OfForwarder: "a forwarder's fault", OfListOperator: "the list operator's fault", OfNobody: "nobody's fault",
	}[top.Fault]
	text := Capital(top.Summary)
	if fault != "" {
		text += "; " + fault
	}
	switch top.State {
	case Confirmed:
		text += "; " + string(top.Certainty) + ", and seen now"
	case Cleared:
		text += "; gone now"
	case Contradicted:
		text += "; not seen now"
	default:
		if top.Certainty != bounce.Unsure && top.Certainty != "" {
			text += "; " + string(top.Certainty)
		}
	}
	return text + "."
}

func (r *run) they() string {
	if text := r.main().Reply.Text; text != "" {
		return "\"" + text + "\""
	}
	return "No reply is quoted."
}

func (r *run) do() string {
	if len(r.out.Plan) == 0 {
		return "Nothing."
	}
	s := r.out.Plan[0]
	who := Capital(s.Who)
	text := who + ": " + strings.TrimSuffix(s.What, ".")
	if s.Record != nil && s.Record.New != "" {
		text = who + ": " + s.Action + " " + s.Record.String()
	} else if s.URL != "" {
		room := maxHeadline - headlineLabel - len(s.URL) - 1
		if room > 30 && utf8.RuneCountInString(text) > room {
			text = string([]rune(text)[:room-1]) + "…"
		}
		return text + " " + s.URL
	}
	return strings.TrimSuffix(text, ".") + "."
}

func (r *run) keep(top Cause) string {
	d := r.out
	var parts []string
	switch {
	case len(d.Suppress) == 1:
		parts = append(parts, "Suppress "+d.Suppress[0]+".")
	case len(d.Suppress) > 1:
		parts = append(parts, fmt.Sprintf("Suppress %d addresses.", len(d.Suppress)))
	case top.Kind == NotYours || top.Kind == NotABounce:
		parts = append(parts, "Suppress nobody.")
	case len(d.Recipients) > 1:
		parts = append(parts, "Keep the addresses.")
	default:
		parts = append(parts, "Keep the address.")
	}
	if d.Hold != nil {
		parts = append(parts, fmt.Sprintf("Hold %s until %s.", d.Hold.What, d.Hold.Until))
	}
	if d.RetryAfter > 0 {
		parts = append(parts, "Try again after "+waitText(time.Duration(d.RetryAfter))+".")
	}
	if until := r.main().RetryUntil; !until.IsZero() {
		parts = append(parts, "The server tries until "+until.UTC().Format("2 January 15:04 MST")+".")
	}
	if open := r.open(); open != "" {
		parts = append(parts, "Not told: "+open+".")
	}
	return strings.Join(parts, " ")
}

func waitText(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d h", int(d.Hours()))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", int(d.Hours()))
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d s", int(d.Seconds()))
}

// open names the checks that could not tell.
func (r *run) open() string {
	var names []string
	for _, c := range r.out.Checks {
		if c.Outcome == finding.Unknown || c.Outcome == finding.Broke {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// Plain makes a text fit to be shown: control characters and those that reorder
// writing (bidirectional overrides, RFC 9839 calls them problematic) become
// spaces or vanish, and white space is single.
func Plain(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t' || c == '\r':
			return ' '
		case c < ' ' || c >= 0x7f && c < 0xa0:
			return -1
		case c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 || c == 0x200e || c == 0x200f || c == 0x061c || c == 0xfeff || c == 0x200b:
			return -1
		}
		return c
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
