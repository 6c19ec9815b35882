package rebound

import (
	"fmt"
	"slices"
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
	d.Facts, d.RefusedIP = r.facts, r.facts.IP.Value
	d.Content = r.findings.content
	d.Listings, d.DomainListings, d.Reverse, d.Destinations = r.findings.ipLists, r.findings.domainLists, r.findings.reverse, r.findings.destinations
	d.Authentication = r.findings.auth
	r.date()
	top := d.Causes[0]
	d.Fault, d.Response = top.Fault, r.response(top)
	d.Hold, _ = r.held()
	d.RetryAfter = Duration(r.retryAfter(top))
	d.Suppress = r.suppress()
	d.Recipients = r.report.Recipients
	for _, o := range r.report.Omitted {
		r.note("Not read: " + o + ".")
	}
	if r.foreign == nil && r.control() == Shared && r.Control == "" {
		r.note(r.fill("The server is taken for one of {esp}: the envelope sender and the server's name are of {esp}, the author is of {from}."))
	}
	r.noteAddress()
	d.Headline = r.headline(top)
	d.Asked = r.remember()
	nonNil(d)
	return d
}

// held is what to hold, and for which cause.
func (r *run) held() (*Hold, Cause) {
	for i, c := range r.out.Causes {
		if i == 0 || c.rec != nil { // one that was stated
			if hold := r.holdOf(c); hold != nil {
				return hold, c
			}
		}
	}
	return nil, Cause{}
}

// noteAddress tells that the receiver saw another address than the caller's.
func (r *run) noteAddress() {
	ip, caller := r.facts.IP, r.facts.OtherIP
	if !caller.Value.IsValid() || r.foreign != nil {
		return
	}
	end := "If it is not yours, the mail was forwarded, or a second server sends for you."
	if name := r.forwarder(); name != "" {
		end = "It is that of " + name + ", which sent the mail on."
	}
	r.note(fmt.Sprintf("The receiver names %s (%s); you gave %s. The checks are about %s: it is the address that was refused. %s", ip.Value, ip.Source, caller.Value, ip.Value, end))
}

// suppress lists the addresses not to mail again: those that package bounce
// blames, but for a refusal that DNS contradicts now, for a mail of somebody else's, and
// for addresses that all failed at once. What is not in the list is not marked either.
func (r *run) suppress() []string {
	list := []string{}
	refuted, dead := map[string]bool{}, map[string]bool{}
	for _, c := range r.out.Causes {
		if c.Kind == bounce.UnknownDomain && (c.State == Contradicted || c.State == Cleared) && c.rec != nil {
			refuted[ascii(domainOf(r.address(c.rec)))] = true
		}
		if c.Kind == bounce.UnknownDomain && c.State == Confirmed && c.rec != nil {
			dead[ascii(domainOf(r.address(c.rec)))] = true
		}
	}
	for i := range r.report.Recipients {
		rec := &r.report.Recipients[i]
		address := r.address(rec)
		if r.foreign != nil || r.kept || rec.Reason == bounce.UnknownDomain && refuted[ascii(domainOf(address))] {
			rec.Suppress = false
		} else if rec.Action == bounce.Failed && dead[ascii(domainOf(address))] {
			rec.Suppress = true
		}
		if rec.Suppress && strings.Contains(address, "@") {
			list = append(list, address)
		}
	}
	return list
}

// nonNil makes JSON write [] where nothing is.
func nonNil(d *Diagnosis) {
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
func line(s string) string { return clip(Plain(s), maxHeadline-headlineLabel) }

// clip cuts a text at n characters, the last of them "…" where it was longer.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:max(n-1, 0)]), " ,;:") + "…"
}

// phrase fits words of ours into n characters: where they are longer, up to the last
// boundary between clauses, else with "…".
func phrase(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	head := string([]rune(s)[:n])
	best := -1
	for _, mark := range []string{"; ", ". ", " ("} {
		best = max(best, strings.LastIndex(head, mark))
	}
	if least := n / 3; best >= least {
		return head[:best]
	}
	return clip(s, n)
}

// fits reports whether a text fits into a line of the headline.
func fits(s string) bool { return utf8.RuneCountInString(s) <= maxHeadline-headlineLabel }

func (r *run) who() string {
	rec := r.main()
	switch r.report.Kind {
	case bounce.OtherKind, bounce.Success, bounce.AutoReply, bounce.ReadReceipt, bounce.Challenge:
		return "Nobody refused anything."
	case bounce.Feedback:
		if r.out.Causes[0].Kind != bounce.Complaint {
			return "Nobody refused anything: this is a feedback report about a mail" + from(r) + "."
		}
		return "A recipient complained about a mail" + from(r) + "."
	}
	host, verb := r.refuser(), " refused mail"
	if n := r.refused(); len(r.statements) > 1 {
		did := "refused or put off"
		if !slices.ContainsFunc(r.statements, func(s statement) bool { return s.rec.Permanence != bounce.Permanent }) {
			did = "refused"
		}
		return fmt.Sprintf("Mail%s to %d recipients was %s, in %d ways.", from(r), n, did, len(r.statements))
	}
	switch {
	case rec.Reason == bounce.Expired && rec.RemoteMTA == "" && r.report.ReportingMTA != "":
		host, verb = r.report.ReportingMTA, " gave up on mail"
	case rec.Reply.Code != 0 && (rec.Category == bounce.Transport || rec.Category == bounce.ExpiredInQueue):
		verb = " could not deliver mail"
	case rec.Reason == bounce.Suppressed:
		host, verb = "Your sending service", " did not send mail"
	case rec.Reply.Code == 0 && (rec.Category == bounce.Transport || rec.Category == bounce.BadDomain || rec.Category == bounce.ExpiredInQueue):
		host, verb = "No server", " took mail"
	}
	switch {
	case rec.Action == bounce.Delayed && host == "No server":
		verb = " has taken mail yet"
	case rec.Action == bounce.Delayed:
		verb = " has not yet taken mail"
	}
	to, final := "", ""
	if r.facts.Recipient.Value != "" {
		to = " to " + r.facts.Recipient.Value
	}
	if n := r.refused(); n > 1 {
		to += fmt.Sprintf(" and %d more", n-1)
	}
	switch rec.Permanence {
	case bounce.Permanent:
		final = ": final"
	case bounce.Temporary:
		final = ": for now"
		if r.gaveUp(rec) {
			final = ": given up"
		}
	}
	if text := host + verb + from(r) + to + final + "."; fits(text) {
		return text
	}
	if text := host + verb + to + final + "."; fits(text) {
		return text
	}
	return host + verb + from(r) + final + "."
}

// refuser names who refused: the host, else the provider, else what the refusal shows.
func (r *run) refuser() string {
	host := r.facts.Refuser.Value
	if host == "" {
		host, _, _ = strings.Cut(bounce.ProviderName(r.facts.Provider), " (")
	}
	if host != "" {
		return host
	}
	switch r.main().Reason {
	case bounce.AuthRequired, bounce.AuthFailed, bounce.AccountSuspended, bounce.SenderQuota, bounce.SenderMismatch:
		return "The server that you send through"
	case bounce.EAI:
		return "A server on the way"
	}
	return "The receiving server"
}

// refused counts the recipients to whom the mail was not delivered.
func (r *run) refused() int {
	n := 0
	for _, s := range r.statements {
		n += s.count
	}
	return n
}

func from(r *run) string {
	if r.facts.IP.Value.IsValid() && r.foreign == nil { // what the forger used was refused elsewhere
		return " from " + r.facts.IP.Value.String()
	}
	return ""
}

func (r *run) why(top Cause) string {
	fault := map[Fault]string{
		OfSender: "the sender's fault", OfRecipient: "on the recipient's side", OfReceiver: "the receiving system's fault", OfESP: "the sending service's to solve",
		OfForwarder: "a forwarder's fault", OfListOperator: "the list operator's fault", OfNobody: "nobody's fault",
	}[top.Fault]
	if fault == "" {
		fault = "whose fault is not told"
	}
	end := "; " + fault
	switch top.State {
	case Confirmed:
		end += ", " + string(top.Certainty) + ", seen now"
	case Cleared:
		end += ", gone now"
	case Contradicted:
		end += ", not seen now"
	case Unstated:
		end += ", possible: not stated, seen now"
	default:
		if top.Certainty != bounce.Unsure && top.Certainty != "" {
			end += ", " + string(top.Certainty)
		}
	}
	end += "."
	return phrase(Plain(top.Summary), maxHeadline-headlineLabel-utf8.RuneCountInString(end)) + end
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
	at := 0
	if r.out.Plan[0].hold && len(r.out.Plan) > 1 {
		at = 1 // the last line tells what to hold
	}
	// What nobody stated is not the first thing to do while there is something for what was.
	// With several refusals, it is for the first of them.
	if top := r.out.Causes[0]; r.besides(r.out.Plan[at]) || len(r.statements) > 1 {
		of := func(other Step) bool {
			return slices.Contains(other.For, top.Kind) && slices.ContainsFunc(top.Fixes, func(f finding.Fix) bool { return f.What == other.What })
		}
		if i := slices.IndexFunc(r.out.Plan, of); i >= 0 {
			at = i
		}
	}
	s := r.out.Plan[at]
	who := capital(s.Who)
	text := who + ": " + strings.TrimSuffix(s.What, ".")
	if s.Record != nil && s.Record.New != "" && s.Action == finding.Publish {
		text = who + ": publish " + s.Record.String()
	} else if s.Record != nil && s.Record.New != "" && s.Action == finding.Replace {
		text = fmt.Sprintf("%s: replace the %s record of %s by %s", who, s.Record.Type, s.Record.Name, s.Record.New)
		if !fits(text + ".") { // a record that is cut would be copied
			text = fmt.Sprintf("%s: replace the %s record of %s as step %d says", who, s.Record.Type, s.Record.Name, at+1)
		}
	} else if s.URL != "" {
		if room := maxHeadline - headlineLabel - len(s.URL) - 1; room > 30 {
			if short := phrase(Plain(text), room); !strings.HasSuffix(short, "…") {
				return short + " " + s.URL
			}
			if deed := onPage[s.Action]; deed != "" {
				return who + ": " + deed + " " + s.URL
			}
		}
	}
	if text = phrase(Plain(strings.TrimSuffix(text, ".")), maxHeadline-headlineLabel-1); strings.HasSuffix(text, "…") {
		return text
	}
	return text + "."
}

// onPage is what to do on a page, where the step itself does not fit beside its address.
var onPage = map[string]string{finding.Request: "Ask at", finding.Ask: "Look it up at", finding.Wait: "Wait; see"}

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
	case r.facts.Recipient.Value == "":
		parts = append(parts, "No address is named.")
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
		parts = append(parts, "Could not tell: "+open+".")
	}
	return strings.Join(parts, " ")
}

func waitText(d time.Duration) string {
	switch {
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
// writing (bidirectional formatting, Unicode Technical Report 36, section 3) become
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
