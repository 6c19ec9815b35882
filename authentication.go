package rebound

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rebound-mail/rebound/auth"
	"github.com/rebound-mail/rebound/auth/dkim"
	"github.com/rebound-mail/rebound/auth/dmarc"
	"github.com/rebound-mail/rebound/auth/spf"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// authenticate puts the mail through SPF, DKIM and DMARC, once for all the checks that
// speak of them. The time is that of the refusal, where it is known: a signature that
// has expired since had not then.
func (r *run) authenticate(ctx context.Context) {
	r.authenticated.once(func() {
		in := auth.Input{IP: r.facts.IP.Value, HELO: r.facts.HELO.Value, MailFrom: r.facts.MailFrom.Value, From: domainOf(r.facts.From.Value), Receiver: r.facts.Refuser.Value, Own: r.vouchesFor(), Now: r.now}
		if at := r.facts.Bounced.Value; !at.IsZero() {
			in.Now = at
		}
		if mail := r.refusedMail(); !mail.excerpt {
			in.Message, in.HeaderOnly = mail.raw, mail.headerOnly
		}
		r.findings.auth = auth.Verify(ctx, r.resolver, in)
		r.findings.authFindings = r.findings.auth.Findings()
	})
}

// A flight is made by the first who asks for it, and waited for by the others. It is a
// sync.Once of which waiting is a channel's, as in every look-up here: so a test can tell
// how many go one behind another.
type flight struct {
	mu   sync.Mutex
	done chan struct{}
}

func (f *flight) once(fly func()) {
	f.mu.Lock()
	if done := f.done; done != nil {
		f.mu.Unlock()
		<-done
		return
	}
	f.done = make(chan struct{})
	f.mu.Unlock()
	defer close(f.done)
	fly()
}

// A refusedMail is what is known of the mail that was refused.
type refusedMail struct {
	raw        []byte
	headerOnly bool
	excerpt    bool // no more than some fields of it
}

// findMail returns the caller's copy of the mail; or what the bounce returned, where a
// signature shows that nothing was cut from it; or the header that it returned.
func (r *run) findMail() refusedMail {
	if len(r.Message) > 0 {
		_, body, _ := bytes.Cut(bytes.ReplaceAll(r.Message[:min(len(r.Message), 1<<20)], []byte("\r\n"), []byte("\n")), []byte("\n\n"))
		if len(bytes.TrimSpace(body)) > 0 {
			return refusedMail{raw: r.Message}
		}
		return refusedMail{raw: r.Message, headerOnly: true, excerpt: excerpt(r.Message)}
	}
	if o := r.report.Original; o != nil && len(r.header) == 0 {
		if whole := o.Message(); dkim.Whole(whole) {
			return refusedMail{raw: whole}
		}
	}
	header := r.refusedHeader()
	return refusedMail{raw: header, headerOnly: true, excerpt: excerpt(header)}
}

// refusedHeader is the header of the refused mail: of the caller's copy, or as the bounce
// returned it, now or when it was first read.
func (r *run) refusedHeader() []byte {
	if raw := r.Message[:min(len(r.Message), maxHeader)]; len(raw) > 0 {
		for _, end := range []string{"\r\n\r\n", "\n\n"} {
			if header, _, ok := bytes.Cut(raw, []byte(end)); ok {
				return append(bytes.Clone(header), "\r\n"...)
			}
		}
		return raw
	}
	if o := r.report.Original; o != nil {
		if h := o.Header(); len(h) > 0 {
			return h
		}
	}
	return r.header
}

// vouchesFor reports whether the caller says that the refused address is theirs: it is
// where they sent from, and no service's.
func (r *run) vouchesFor() bool {
	ip := r.facts.IP.Value
	if r.own().ownsAddr(ip) {
		return true
	}
	return r.IP.IsValid() && r.IP.Unmap() == ip && (r.Control == "" || r.Control == Own)
}

// aboutAuthentication: a refusal for a list entry has nothing to do with it.
func aboutAuthentication(r *run) string {
	if why := aboutSender(r); why != "" {
		return why
	}
	for _, s := range r.statements {
		if s.reason == bounce.PTR && r.facts.OtherIP.Value.IsValid() {
			return "" // an address that the sender did not know of: SPF may lack it too
		}
		if s.reason.Category() != bounce.Listed && s.reason != bounce.PTR && s.reason != bounce.HELO && s.reason != bounce.RateLimited {
			return ""
		}
	}
	return "authentication has no bearing on this refusal"
}

func needEnvelope(r *run) string {
	if why := needIP(r); why != "" {
		return why
	}
	if r.facts.MailFrom.Value == "" && r.facts.HELO.Value == "" {
		return "neither the envelope sender nor the HELO name is known"
	}
	return ""
}

func needHeader(r *run) string {
	if len(r.Message) == 0 && len(r.refusedHeader()) == 0 {
		return "the header of the mail is not known"
	}
	if r.refusedMail().excerpt {
		return "no more than some fields of the mail are known"
	}
	return ""
}

// excerpt reports whether a header is no more than some fields of a mail's: each mail has a
// date, and each that went anywhere a trace. What an excerpt lacks the mail may have.
func excerpt(header []byte) bool {
	h := fieldsOf(header)
	return h.Get("Date") == "" && h.Get("Message-Id") == "" && h.Get("Received") == "" && h.Get("Dkim-Signature") == ""
}

func needFrom(r *run) string {
	if r.facts.From.Value == "" {
		return "the From address is not known"
	}
	return ""
}

func needSender(r *run) string {
	if !strings.Contains(domainOf(r.facts.MailFrom.Value), ".") {
		return "the domain of the envelope sender is not known"
	}
	return ""
}

// checkAuth runs the parts together and tells of those whose codes begin so.
func checkAuth(prefixes ...string) func(context.Context, *run) (finding.Outcome, string, []finding.Finding) {
	return func(ctx context.Context, r *run) (finding.Outcome, string, []finding.Finding) {
		var list []finding.Finding
		r.authenticate(ctx)
		for _, f := range r.findings.authFindings {
			for _, p := range prefixes {
				if strings.HasPrefix(f.Code, p) {
					list = append(list, f)
				}
			}
		}
		if broke := r.broken(); len(list) == 0 && broke != "" {
			return finding.Broke, broke, nil
		}
		if why := r.half(list); why != "" {
			return finding.Unknown, why, nil
		}
		if len(list) == 0 {
			return finding.Clean, "nothing is wrong", nil
		}
		return worst(list)
	}
}

// broken says what failed in the parts that were put through together, or "".
func (r *run) broken() string {
	if r.findings.auth == nil {
		return "a part of the authentication failed"
	}
	for _, f := range r.findings.authFindings {
		if f.Outcome == finding.Broke {
			return f.Fact
		}
	}
	return ""
}

// half says why a failure of DMARC is not certain: what one of the two methods would give
// is not known, and it may pass.
func (r *run) half(list []finding.Finding) string {
	if len(list) == 0 || list[0].Code != "dmarc.fail" || r.spfLeg().state != NotAsked && r.dkimLeg().state != NotAsked {
		return ""
	}
	return fmt.Sprintf("whether DMARC of %s passes is not known: SPF or DKIM could not be checked", r.findings.auth.DMARC.Domain)
}

// findingsOf are the findings of the authentication whose codes begin so, and that
// something is wrong, of this severity at least.
func (r *run) findingsOf(prefix string, least finding.Severity) []finding.Finding {
	var list []finding.Finding
	for _, f := range r.findings.authFindings {
		if strings.HasPrefix(f.Code, prefix) && f.Outcome == finding.Found && f.Severity >= least {
			list = append(list, f)
		}
	}
	return list
}

// A leg is what the checks found of one method.
type leg struct {
	method string
	state  State // Confirmed: it fails; Contradicted: it passes; NotAsked
	says   string
	ttl    time.Duration
	stated bool // the receiver said that it fails
}

// least is the severity from which findings count for a leg: of what the receiver itself
// said to fail, lesser ones explain it too.
func (l leg) least() finding.Severity {
	if l.stated && l.state == Confirmed {
		return finding.Notice
	}
	return finding.Warning
}

// spfLeg compares what SPF gives now.
func (r *run) spfLeg() leg {
	l := leg{method: "spf", state: NotAsked}
	a := r.findings.auth
	if a == nil || a.SPF == nil || a.SPF.Tree == nil || !a.SPF.IP.IsValid() || a.SPF.Domain == "" {
		l.says = "SPF could not be checked: the address or the envelope sender is not known."
		return l
	}
	l.says = fmt.Sprintf("SPF of %s for %s gives %s now. %s", a.SPF.Domain, a.SPF.IP, a.SPF.Result, a.SPF.Why)
	switch a.SPF.Result {
	case spf.Pass:
		l.state, l.ttl = Contradicted, longest(a.SPF.Tree)
	case spf.TempError:
	default:
		l.state = Confirmed
	}
	return l
}

// longest is the longest life of the answers that an evaluation rests on.
func longest(n *spf.Node) time.Duration {
	if n == nil {
		return 0
	}
	ttl := n.Answer.TTL
	for i := range n.Steps {
		for _, a := range n.Steps[i].Answers {
			ttl = max(ttl, a.TTL)
		}
		ttl = max(ttl, longest(n.Steps[i].Child))
	}
	return ttl
}

// dkimLeg compares what the signatures give now.
func (r *run) dkimLeg() leg {
	l := leg{method: "dkim", state: NotAsked, says: "DKIM could not be checked: the header of the mail is not known."}
	a := r.findings.auth
	if a == nil || a.DKIM == nil {
		return l
	}
	open := false // a signature that may pass yet
	for i := range a.DKIM {
		s := &a.DKIM[i]
		if open && s.Result != dkim.Pass {
			continue // what is open is told
		}
		l.says = s.Why
		if s.Domain != "" {
			l.says = fmt.Sprintf("DKIM of %s: %s", s.Domain, s.Why)
		}
		switch s.Result {
		case dkim.Pass:
			l.state, l.ttl = Contradicted, s.KeyAnswer.TTL
			return l
		case dkim.Untold:
			l.says += " Whether the body was changed could not be told."
			open = true
		case dkim.TempError:
			open = true
		}
	}
	if !open {
		l.state = Confirmed
	}
	return l
}

// dmarcLeg compares what DMARC gives now.
func (r *run) dmarcLeg() leg {
	l := leg{method: "dmarc", state: NotAsked, says: "DMARC could not be checked: the From domain is not known."}
	a := r.findings.auth
	if a == nil || a.DMARC == nil {
		return l
	}
	l.says = fmt.Sprintf("DMARC of %s gives %s now. %s", a.DMARC.Domain, a.DMARC.Result, a.DMARC.Why)
	switch a.DMARC.Result {
	case dmarc.Pass:
		l.state = Contradicted
		for i := range a.DMARC.Steps {
			l.ttl = max(l.ttl, a.DMARC.Steps[i].Answer.TTL)
		}
		if a.SPF != nil {
			l.ttl = max(l.ttl, longest(a.SPF.Tree))
		}
		for i := range a.DKIM {
			l.ttl = max(l.ttl, a.DKIM[i].KeyAnswer.TTL)
		}
	case dmarc.Fail, dmarc.PermError:
		// It fails for certain only when neither of the two could still pass.
		if r.spfLeg().state != NotAsked && r.dkimLeg().state != NotAsked {
			l.state = Confirmed
		} else {
			l.says += " One of the two could not be checked, so this is not certain."
		}
	case dmarc.None:
		l.state = Confirmed
	}
	return l
}

// compareAuth holds what the receiver said of SPF, DKIM or DMARC against what they give
// now. The receiver's own verdicts come first: it saw the mail.
func (r *run) compareAuth(s statement, c *Cause) {
	c.State = NotAsked
	var said []string
	for _, l := range s.rec.Legs {
		said = append(said, legText(l))
	}
	lead := ""
	if said != nil {
		lead = "The receiver's verdicts: " + strings.Join(said, "; ") + ". "
	}
	legs, all := r.legsFor(s, c.Kind)
	var words []string
	passes, fails, told := 0, 0, 0
	best := leg{}
	for _, l := range legs {
		words = append(words, l.says)
		if l.method == "spf" && l.state == Confirmed && r.findings.auth.Vouched() == "" && r.forwarder() == "" {
			words = append(words, "Nothing shows that the address is yours: it may be a forwarder's or a forger's.")
		}
		switch l.state {
		case Contradicted:
			if passes++; l.ttl >= best.ttl {
				best = l
			}
		case Confirmed:
			fails++
		default:
			if l.stated {
				told++ // the receiver saw it fail
			}
		}
		for _, f := range r.findingsOf(l.method+".", l.least()) {
			c.Evidence = append(c.Evidence, f.Evidence...)
		}
	}
	text := strings.Join(words, " ")
	switch {
	case passes > 0 && (!all || passes == len(legs)):
		until := r.until(best.ttl)
		r.gone(c, best.ttl, text+" It changed since, or the receiver saw another answer.", text+" It changed since, or the receiver saw another answer; old ones live until "+until+" at the latest.")
		if c.State == Contradicted {
			c.steps = []Step{{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: r.fillFor(*c, "Send one test to {addr} after "+until+"; the records are as they should be now, and old answers may live until then. If it is refused again, diagnose it with the mail itself at hand."), Verify: "The receiver accepts it."}}
		}
	case fails > 0 && (all || fails+told == len(legs)):
		c.State = Confirmed
		c.Detail = text
		if all && c.Kind == bounce.Unauthenticated {
			c.Summary = failing(legs) + " did not pass, which the receiver demands"
		}
		r.nameSender(c)
		r.nameSignature(c)
		c.steps = r.authSteps(legs)
		if told > 0 {
			c.steps = r.stepsOfEach(legs, c)
		}
		if c.Kind == bounce.SPFFailed && c.Fault == NotTold && r.dkimLeg().state != Contradicted {
			c.steps = append(c.steps, r.signing()) // for the case that it forwards
		}
	default:
		c.Detail = text
		c.steps = r.stepsBySaid(s, c)
		if c.steps == nil && fails > 0 && c.Kind == bounce.Unauthenticated {
			c.steps = r.stepsOfEach(legs, c)
		}
		if said == nil && r.findings.auth == nil {
			c.Detail = "The reply gives no verdict on SPF, DKIM and DMARC one by one."
		}
	}
	c.Detail = strings.TrimSpace(lead + c.Detail)
}

// legsFor are the methods that a reason speaks of, and whether each of them must pass, or
// one is enough. Where the receiver gives its verdicts, those count that it says to fail;
// a receiver that refuses although one passes wants them all.
func (r *run) legsFor(s statement, kind CauseKind) (legs []leg, all bool) {
	if r.findings.auth == nil {
		return nil, false
	}
	switch kind {
	case bounce.SPFFailed:
		return []leg{r.spfLeg()}, true
	case bounce.DKIMFailed:
		return []leg{r.dkimLeg()}, true
	case bounce.DMARCFailed:
		l := r.dmarcLeg()
		if d := r.findings.auth.DMARC; d != nil && d.Result == dmarc.None {
			l.state = NotAsked // the policy that the receiver speaks of is not there to be compared
		}
		return []leg{l}, true
	}
	three := []leg{r.spfLeg(), r.dkimLeg(), r.dmarcLeg()}
	wanted := three[:2]
	if s.rec.Because.Rule == levelRule {
		wanted, all = three, true
	}
	for _, l := range three {
		at := slices.IndexFunc(s.rec.Legs, func(said bounce.Leg) bool { return said.Method == l.method })
		switch {
		case at < 0:
		case strings.EqualFold(s.rec.Legs[at].Result, "pass"):
			all = true
		default:
			l.stated = true
			legs = append(legs, l)
		}
	}
	if legs == nil {
		legs = wanted
	}
	return legs, all
}

// until is when an answer that was given before now has run out.
func (r *run) until(ttl time.Duration) string {
	at := r.now.Add(ttl).UTC()
	if ttl < 12*time.Hour {
		return at.Format("15:04 MST")
	}
	return at.Format("2 January 15:04 MST")
}

// methodKinds are the kinds of cause by method.
var methodKinds = map[string]CauseKind{"spf": bounce.SPFFailed, "dkim": bounce.DKIMFailed, "dmarc": bounce.DMARCFailed}

// stepsOfEach are what mends each method that does not pass: where it was seen to fail,
// the fixes of what was found; where it could not be told, the steps of the table.
func (r *run) stepsOfEach(legs []leg, c *Cause) []Step {
	var steps []Step
	for _, l := range legs {
		fixes := r.authSteps([]leg{l})
		if fixes == nil && l.state != Contradicted {
			fixes = r.table(methodKinds[l.method], c)
		}
		steps = append(steps, fixes...)
	}
	return steps
}

// stepsBySaid names what the receiver says to fail, where that could not be compared, and
// what to do about each.
func (r *run) stepsBySaid(s statement, c *Cause) []Step {
	if c.Kind != bounce.Unauthenticated {
		return nil
	}
	var names []string
	var steps []Step
	passes := false
	for _, l := range s.rec.Legs {
		if strings.EqualFold(l.Result, "pass") {
			passes = true
			continue
		}
		names = append(names, strings.ToUpper(l.Method))
		steps = append(steps, r.table(methodKinds[l.Method], c)...)
	}
	if !passes || len(steps) == 0 {
		return nil
	}
	c.Summary = strings.Join(names, " and ") + " did not pass, which the receiver demands"
	return steps
}

// failing names the methods that do not pass.
func failing(legs []leg) string {
	var names []string
	for _, l := range legs {
		if l.state == Confirmed {
			names = append(names, strings.ToUpper(l.method))
		}
	}
	return strings.Join(names, " and ")
}

// levelRule is the rule of Microsoft's refusal of domains that send much mail and do not
// pass SPF, DKIM and DMARC all three.
const levelRule = "outlook-authentication-level"

// nameSender says in the summary of an SPF failure what the record lacks, and whose
// address it may be.
func (r *run) nameSender(c *Cause) {
	a := r.findings.auth
	if c.Kind != bounce.SPFFailed || a.SPF == nil {
		return
	}
	switch a.SPF.Result {
	case spf.None:
		c.Summary = a.SPF.Domain + " has no SPF record"
	case spf.PermError:
		c.Summary = "the SPF record of " + a.SPF.Domain + " is broken"
	default:
		c.Summary = fmt.Sprintf("SPF of %s lacks %s", a.SPF.Domain, a.SPF.IP)
		if a.Vouched() == "" && r.facts.OtherIP.Value.IsValid() {
			c.Summary += "; it is not where you sent from"
			c.Fault = NotTold // a forwarder's or a forger's: nothing tells which
		}
	}
}

// nameSignature says in the summary of a DKIM failure whose key or signature is at fault.
func (r *run) nameSignature(c *Cause) {
	if c.Kind != bounce.DKIMFailed {
		return
	}
	for i := range r.findings.auth.DKIM {
		s := &r.findings.auth.DKIM[i]
		switch {
		case s.Domain == "":
		case s.KeyAnswer.Status.Absent():
			c.Summary = fmt.Sprintf("the key %s._domainkey.%s, with which the mail is signed, is not in DNS", s.Selector, s.Domain)
			return
		default:
			c.Summary = fmt.Sprintf("the DKIM signature of %s does not verify", s.Domain)
			return
		}
	}
}

// noteFound tells what the checks of authentication found and no cause speaks of.
func (r *run) noteFound() {
	if r.findings.auth == nil || r.foreign != nil || r.forwarder() != "" || r.has(bounce.Unauthenticated) {
		return
	}
	for _, row := range []struct {
		prefix string
		kinds  []CauseKind
	}{
		{"spf.", []CauseKind{bounce.SPFFailed, bounce.DMARCFailed}},
		{"dkim.", []CauseKind{bounce.DKIMFailed, bounce.DMARCFailed}},
		{"dmarc.", []CauseKind{bounce.DMARCFailed}},
		{"mx.", []CauseKind{bounce.SenderUnknown, bounce.SenderMismatch}},
	} {
		if slices.ContainsFunc(row.kinds, r.has) || row.prefix == "dmarc." && r.dmarcLeg().state == NotAsked {
			continue
		}
		for _, f := range r.findingsOf(row.prefix, finding.Warning) {
			r.note(f.Fact + " " + f.Consequence)
			break // the gravest; the checks tell the rest
		}
	}
}

// maxAuthSteps bounds the steps that one cause takes from the findings.
const maxAuthSteps = 4

// authSteps are the fixes of what the checks found, the gravest first; nil leaves them to
// the table.
func (r *run) authSteps(legs []leg) []Step {
	var steps []Step
	for _, l := range legs {
		for _, f := range r.findingsOf(l.method+".", l.least()) {
			for _, fix := range r.exact(f.Fixes) {
				if len(steps) == maxAuthSteps {
					return steps
				}
				if fix.Record != nil && slices.ContainsFunc(steps, func(s Step) bool {
					return s.Record != nil && s.Record.Name == fix.Record.Name && s.Record.Type == fix.Record.Type
				}) {
					continue // one record is changed once: the graver finding says how
				}
				steps = append(steps, Step{Phase: PhaseRepair, Action: fix.Action, Who: you, What: fix.What, Record: fix.Record, URL: fix.URL, Verify: fix.Verify})
			}
		}
	}
	return steps
}

// exact puts the repair itself in place of the advice to make a method pass that aligns.
func (r *run) exact(fixes []finding.Fix) []finding.Fix {
	var list []finding.Fix
	for _, fix := range fixes {
		prefix := ""
		switch {
		case strings.HasPrefix(fix.What, "Make SPF of "):
			prefix = "spf."
		case strings.HasPrefix(fix.What, "Make the DKIM signature of "):
			prefix = "dkim."
		}
		found := []finding.Fix{}
		if prefix != "" {
			for _, f := range r.findingsOf(prefix, finding.Warning) {
				found = append(found, f.Fixes...)
			}
		}
		if len(found) == 0 {
			found = append(found, fix)
		}
		list = append(list, found...)
	}
	return list
}

// compareSender looks whether the envelope sender's domain takes mail.
func (r *run) compareSender(_ statement, c *Cause) {
	c.State = NotAsked
	a := r.findings.auth
	if a == nil || a.Sender == nil {
		c.Detail = "The domain of the envelope sender is not known."
		return
	}
	for _, f := range r.findingsOf("mx.", finding.Warning) {
		if f.Severity == finding.Critical {
			c.State, c.Detail, c.Summary, c.Evidence = Confirmed, f.Fact, "the envelope sender's domain takes no mail", append(c.Evidence, f.Evidence...)
			c.steps = r.authSteps([]leg{{method: "mx"}})
			return
		}
	}
	if !a.Sender.Answer.Status.Known() {
		c.Detail = "The domain of the envelope sender could not be looked up."
		if a.Sender.Answer.Status == resolve.ServFail {
			c.State, c.Certainty, c.Evidence = Confirmed, bounce.Likely, append(c.Evidence, dns(a.Sender.Answer)...)
			c.Summary = fmt.Sprintf("the name servers of %s, the sender's domain, fail", a.Sender.Domain)
			c.Detail = fmt.Sprintf("They give no answer for the MX records of %s (SERVFAIL), here too: a receiver cannot tell that the domain exists.", a.Sender.Domain)
			c.steps = []Step{{Phase: PhaseRepair, Action: finding.Edit, Who: you, What: fmt.Sprintf("Mend the DNS of %s: see that each of its name servers answers, and that its DNSSEC chain is whole.", a.Sender.Domain), Verify: fmt.Sprintf("A look-up of %s MX gives its mail servers, from elsewhere too.", a.Sender.Domain)}}
		}
		return
	}
	c.Detail = fmt.Sprintf("The domain %s exists and takes mail.", a.Sender.Domain)
	if says(r.of(c), "domain", "dns") {
		c.Summary = fmt.Sprintf("the receiver did not find the sender's domain, %s", a.Sender.Domain)
		r.gone(c, a.Sender.Answer.TTL, c.Detail+" It changed since, or the receiver's resolver failed then.", c.Detail+" It changed since, or the receiver's resolver failed.")
	} else {
		c.State, c.Summary = NotCheckable, "the receiver does not accept the envelope sender's address"
		c.Detail += " Receivers that doubt an address ask its own server whether it takes mail for it."
		c.steps = []Step{{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: fmt.Sprintf("See that the mail server of %s accepts RCPT TO:<%s> after MAIL FROM:<>, from any address.", a.Sender.Domain, r.facts.MailFrom.Value), Verify: "It answers 250."}}
	}
	c.Evidence = append(c.Evidence, dns(a.Sender.Answer)...)
}

// addNext adds what such an address will be refused for next: SPF does not know it.
func (r *run) addNext() {
	a := r.findings.auth
	if a == nil || a.SPF != nil && a.SPF.Result == spf.None || !r.has(bounce.PTR) || !r.facts.OtherIP.Value.IsValid() || r.has(bounce.SPFFailed) || r.spfLeg().state != Confirmed || r.forwarder() != "" {
		return
	}
	ip, term := r.facts.IP.Value, "ip4:"
	if ip.Is6() {
		term = "ip6:"
	}
	r.add(Cause{
		Kind: bounce.SPFFailed, Certainty: bounce.Possible, State: Unstated, Fault: OfSender, Summary: fmt.Sprintf("SPF of %s does not let %s send", a.SPF.Domain, ip),
		next: true, Detail: "It is what the next receiver may refuse. " + a.SPF.Why, Evidence: dns(a.SPF.Tree.Answer), Source: "RFC 7208, section 8.4",
		steps: []Step{{
			Phase: PhaseRepair, Action: finding.Replace, Who: you,
			What:   fmt.Sprintf("Once the PTR record of %s leads back to a name of yours, add %s%s to the SPF record of %s; until then nothing shows that the address is yours.", ip, term, ip, a.SPF.Domain),
			Verify: "A test mail from it shows spf=pass.",
		}},
	})
}

// addUnauthenticated adds a failure of authentication that the receiver did not state,
// where it was vague.
func (r *run) addUnauthenticated(left int) int {
	a := r.findings.auth
	if a == nil || left == 0 || r.has(bounce.SPFFailed) || r.has(bounce.DMARCFailed) || r.has(bounce.DKIMFailed) || r.has(bounce.Unauthenticated) {
		return left
	}
	kind, prefix := bounce.SPFFailed, "spf."
	switch {
	case r.dmarcLeg().state == Confirmed && a.DMARC.Result == dmarc.Fail && a.DMARC.Policy != dmarc.PolicyNone:
		kind, prefix = bounce.DMARCFailed, "dmarc."
	case r.spfLeg().state == Confirmed && (a.SPF.Result == spf.Fail || a.SPF.Result == spf.PermError):
	case r.spfLeg().state == Confirmed && a.SPF.Result == spf.None && r.dkimLeg().state == Confirmed:
		c := Cause{
			Kind: bounce.Unauthenticated, Certainty: bounce.Possible, State: Unstated, Fault: OfSender, Summary: a.SPF.Domain + " has no SPF record, and nothing that verifies signs the mail",
			Detail: "Gmail, Yahoo and Outlook.com refuse or mark such mail, and others like them.", Evidence: dns(a.SPF.Tree.Answer), Source: "https://support.google.com/a/answer/81126",
		}
		c.steps = r.stepsOfEach([]leg{r.spfLeg(), r.dkimLeg()}, &c)
		r.add(c)
		return left - 1
	default:
		return left
	}
	for _, f := range r.findingsOf(prefix, finding.Warning) {
		r.add(r.unstated(kind, f))
		return left - 1
	}
	return left
}
