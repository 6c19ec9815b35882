package rebound

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/auth/dkim"
	"github.com/rebound-mail/rebound/auth/iprev"
	"github.com/rebound-mail/rebound/auth/spf"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
)

// roots are what may lie beneath a stated failure of authentication, the first that is
// seen: one fault is told once, its root before what follows from it.
var roots = []func(*run, Cause) (Cause, bool){
	(*run).brokenByForwarding,
	(*run).brokenRecord,
	(*run).brokenOnTheWay,
	(*run).brokenSignature,
}

// rootOf returns what lies beneath a cause that is seen now.
func (r *run) rootOf(c Cause) (Cause, bool) {
	if c.State != Confirmed || r.findings.auth == nil || c.Kind != bounce.DMARCFailed && c.Kind != bounce.Unauthenticated {
		return Cause{}, false
	}
	for _, root := range roots {
		if found, ok := root(r, c); ok {
			found.Certainty, found.State, found.rec, found.count, found.until = bounce.Likely, Confirmed, c.rec, c.count, rowOf(c.Kind).until
			for _, f := range r.findingsOf(method(found.Kind)+".", finding.Warning) {
				found.Evidence = append(found.Evidence, f.Evidence...)
			}
			return found, true
		}
	}
	return Cause{}, false
}

// method is how codes of findings begin that speak of a kind.
func method(kind CauseKind) string {
	if kind == bounce.SPFFailed {
		return "spf"
	}
	return "dkim"
}

// brokenByForwarding: SPF fails for the server that forwarded the mail.
func (r *run) brokenByForwarding(stated Cause) (Cause, bool) {
	name := r.forwarder()
	if name == "" || r.spfLeg().state != Confirmed {
		return Cause{}, false
	}
	c := Cause{Kind: bounce.SPFFailed, Fault: OfForwarder, Summary: fmt.Sprintf("SPF fails for %s, the server of a forwarder", r.facts.IP.Value), Source: "RFC 7208, appendix D", rec: stated.rec, count: stated.count}
	r.forwarded(&c)
	return c, true
}

// brokenSignature: the author's domain signed, and the signature does not verify.
func (r *run) brokenSignature(stated Cause) (Cause, bool) {
	if stated.Kind != bounce.DMARCFailed || r.dkimLeg().state != Confirmed {
		return Cause{}, false
	}
	for i := range r.findings.auth.DKIM {
		s := &r.findings.auth.DKIM[i]
		if s.Domain != "" && orgDomain(s.Domain) == orgDomain(r.facts.From.Value) {
			return Cause{
				Kind: bounce.DKIMFailed, Fault: OfSender, Summary: "the DKIM signature of " + s.Domain + " does not verify", Detail: s.Why, Source: "RFC 6376, section 6",
				steps: r.authSteps([]leg{{method: "dkim"}}),
			}, true
		}
	}
	return Cause{}, false
}

// brokenRecord: a record that is a permerror lets nobody send, whatever it says.
func (r *run) brokenRecord(Cause) (Cause, bool) {
	a := r.findings.auth
	if a.SPF == nil || a.SPF.Result != spf.PermError || orgDomain(a.SPF.Domain) != orgDomain(r.facts.From.Value) {
		return Cause{}, false
	}
	c := Cause{Kind: bounce.SPFFailed, Fault: OfSender, Summary: "the SPF record of " + a.SPF.Domain + " is broken", Detail: a.SPF.Why, Source: "RFC 7208, section 4.6"}
	c.steps = r.authSteps([]leg{{method: "spf"}})
	return c, true
}

// ofList reports whether the mail came through a mailing list, by its fields (RFC 2369, RFC
// 2919).
func (r *run) ofList() bool {
	h := fieldsOf(r.refusedHeader())
	return h.Get("List-Id") != "" || h.Get("List-Post") != "" || strings.EqualFold(h.Get("Precedence"), "list")
}

// brokenOnTheWay: the author's domain signed, and somebody behind it changed the mail, as
// a mailing list does that adds a footer.
func (r *run) brokenOnTheWay(Cause) (Cause, bool) {
	from := orgDomain(r.facts.From.Value)
	for i := range r.findings.auth.DKIM {
		s := &r.findings.auth.DKIM[i]
		if s.Result == dkim.Pass {
			return Cause{}, false
		}
		if s.Body != dkim.Altered || orgDomain(s.Domain) != from || orgDomain(r.facts.MailFrom.Value) == from {
			continue
		}
		c := Cause{Kind: bounce.DKIMFailed, Fault: OfForwarder, Summary: "the body was changed after " + s.Domain + " had signed it", Detail: s.Why, Source: "RFC 6376, section 3.7"}
		if !r.ofList() {
			c.Fault = OfSender
			c.Detail += " A gateway behind the signing server does so."
			c.steps = []Step{{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: fmt.Sprintf("Sign last: have the gateway that changes the mail sign as %s with a key that is published there, or let it change nothing that was signed.", s.Domain), Verify: "A test mail shows dkim=pass with header.d=" + s.Domain + "."}}
			return c, true
		}
		c.Detail += " A mailing list that adds a footer, or a gateway, does so; the domain of the author cannot prevent it."
		c.response = bounce.FixSender
		who := r.fill("whoever runs the list or gateway of {esp}")
		if r.control() == Own {
			c.Fault, who = OfSender, you
		}
		c.steps = []Step{
			{Phase: PhaseRepair, Action: finding.Edit, Who: who, What: r.fill("Put the list's own address into From for authors whose domain asks for refusal (Mailman 3: DMARC mitigation action Munge From), or add neither a footer nor a prefix to the subject."), Verify: r.fill("A test mail through it shows dmarc=pass.")},
		}
		return c, true
	}
	return Cause{}, false
}

// forwarder returns the name of the server that sent the mail on, where the refused
// address is none of the sender's: its confirmed name is another domain's, SPF does not let
// it, and the bounce shows that it had taken the mail from a server of the sender's, or the
// recipient's own domain names it as a mail server.
func (r *run) forwarder() string {
	rev, ip := r.findings.reverse, r.facts.IP.Value
	if rev == nil || rev.Status != iprev.Pass || r.control() == Shared || r.vouchesFor() || r.IP.IsValid() && r.IP.Unmap() == ip {
		return ""
	}
	if a := r.findings.auth; a != nil && a.SPF != nil && a.SPF.Result == spf.Pass {
		return ""
	}
	name := ""
	for _, n := range rev.Names {
		if n.Confirmed {
			name = n.Host
			break
		}
	}
	org := orgDomain(name)
	if name == "" || slices.Contains([]string{orgDomain(r.facts.From.Value), orgDomain(r.facts.MailFrom.Value), orgDomain(r.HELO)}, org) {
		return ""
	}
	other := r.facts.OtherIP.Value.IsValid()
	if orgDomain(r.report.ReportingMTA) == org && r.facts.Refuser.Value != "" && (other || r.tookFromAServer(org)) {
		return name
	}
	if d := r.destination(r.main()); other && d != nil && d.Status == TakesMail {
		for _, mx := range d.MX {
			if orgDomain(mx.Host) == org {
				return name
			}
		}
	}
	return ""
}

// tookFromAServer reports whether the returned mail shows that a server of an organization
// took it from another on the internet, and not from a client that logged in.
func (r *run) tookFromAServer(org string) bool {
	o := r.report.Original
	if o == nil {
		return false
	}
	for _, field := range o.Received {
		if orgDomain(byHost(field)) != org {
			continue
		}
		from := firstAddr(field)
		return from.IsValid() && from != r.facts.IP.Value && !submitted(field)
	}
	return false
}

// submitted reports whether a Received field is of a client that logged in (RFC 3848).
func submitted(field string) bool {
	words := strings.Fields(strings.ToLower(field))
	for i, word := range words[:max(0, len(words)-1)] {
		if word != "with" {
			continue
		}
		switch strings.Trim(words[i+1], ";") {
		case "esmtpa", "esmtpsa", "utf8smtpa", "utf8smtpsa", "asmtp", "lmtpa", "lmtpsa":
			return true
		}
	}
	return false
}

// forwarded turns a cause that concerns the sending server, or its address, into one of
// the forwarder whose server it is.
func (r *run) forwarded(c *Cause) {
	if !ofServer(c.Kind) && c.Kind != bounce.SPFFailed || c.State == Cleared || c.Fault == OfReceiver {
		return
	}
	name := r.forwarder()
	if name == "" {
		return
	}
	c.Fault, c.response = OfForwarder, bounce.AskRecipient
	remedy := " It alone can act on the address."
	if !ofServer(c.Kind) {
		remedy = " It can rewrite the envelope sender (SRS), or deliver the mail itself."
		c.Summary = fmt.Sprintf("SPF fails for %s, the server of a forwarder", r.facts.IP.Value)
	}
	direct := "Ask the recipient another way for the address that the mail is forwarded to, and write there directly."
	if final := r.of(c).FinalAddress; final != "" && !strings.EqualFold(final, r.of(c).Address) {
		direct = "Ask the recipient another way whether you may write to " + final + " directly, where the mail is forwarded to."
	}
	c.Detail = strings.TrimSpace(fmt.Sprintf("%s %s is %s, which took the mail from you and sent it on.", c.Detail, r.facts.IP.Value, name))
	c.steps = []Step{
		{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: r.fillFor(*c, fmt.Sprintf("Tell the postmaster of %s, with this reply: its server {ip} forwards mail for {addr} and was refused.%s", orgDomain(name), remedy))},
		{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: direct, Verify: "No bounce follows."},
	}
	if ofServer(c.Kind) {
		c.steps[0].URL = r.page(c)
	} else if r.dkimLeg().state != Contradicted {
		sign := r.signing()
		if r.of(c).Reason == bounce.SPFFailed {
			sign.Phase = PhaseCleanUp // a receiver that refuses for SPF alone takes no heed of it
		}
		c.steps = append(c.steps, sign)
	}
}

// ofClient turns a listing of the address from which a client handed the mail to the sender's
// own server into what it is: the receiver looked it up in the Received fields.
func (r *run) ofClient(c *Cause) {
	ip, own := r.facts.IP.Value, r.facts.OtherIP.Value
	if c.Kind != bounce.IPListed && c.Kind != bounce.DynamicIP || c.Fault != OfSender || !own.IsValid() || r.vouchesFor() {
		return
	}
	h := fieldsOf(r.refusedHeader())
	if !slices.ContainsFunc(h["Received"], func(field string) bool {
		return firstAddr(field) == ip && submitted(field)
	}) {
		return
	}
	for _, res := range r.findings.ipLists {
		if res.Status == dnsbl.Listed && (res.Has(dnsbl.Exploit) || res.Has(dnsbl.Botnet)) {
			return // the client is to be cleaned, not hidden
		}
	}
	c.Fault, c.response = OfReceiver, bounce.FixSender
	c.Detail = strings.TrimSpace(fmt.Sprintf("%s %s is the address of a client that handed the mail to your server, by its Received field; your server is %s. Such lists are meant for the host that connects.", c.Detail, ip, own))
	c.steps = []Step{
		{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: "Leave the addresses of clients that log in out of the Received fields (Postfix: header_checks on the submission port), and send the mail again.", Verify: "The next mail's Received fields do not hold it."},
		{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: fmt.Sprintf("Tell the recipient's postmaster by another way, with this reply: it asks the list about %s, which is not the host that connects to it.", ip)},
	}
}

// asForwarder: the caller's own server sent on what somebody else wrote, by the domains that
// the caller says are theirs. What the author's domain publishes is not the caller's to change.
func (r *run) asForwarder(c *Cause) {
	from := domainOf(r.facts.From.Value)
	if from == "" || len(r.OwnDomains) == 0 || r.own().owns(from) || c.Kind.Category() != bounce.SenderAuth || c.State == Cleared {
		return
	}
	envelope := domainOf(r.facts.MailFrom.Value)
	if c.Kind == bounce.SPFFailed && r.own().owns(envelope) {
		return // it is about a record of the caller's
	}
	c.Fault, c.response = OfForwarder, bounce.FixSender
	c.Detail = strings.TrimSpace(fmt.Sprintf("%s The author is of %s, which is none of your domains: your server sent the mail on, and the receiver judges it by the author's.", c.Detail, from))
	c.steps = []Step{
		{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: "Forward mail with an envelope sender of your own (SRS), change neither its fields nor its text, and seal it with ARC; the author's signature then holds.", Verify: "A forwarded test mail shows dkim=pass for its author."},
		{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: "For mail that still cannot be forwarded, let the recipient fetch it from the mailbox at your server.", Verify: "No bounce follows."},
	}
}

// onward names where mail for an address goes, when it was refused there.
func (r *run) onward(c *Cause) {
	rec := r.of(c)
	if !c.Kind.OfAddress() || rec.FinalAddress == "" || rec.Address == "" || strings.EqualFold(rec.FinalAddress, rec.Address) || orgDomain(rec.FinalAddress) == orgDomain(rec.Address) {
		return
	}
	final := strings.NewReplacer("{", "", "}", "").Replace(rec.FinalAddress) // it is filled in once
	c.Summary = strings.Replace(c.Summary, "{addr}", final+", where mail for {addr} goes,", 1)
}

// gaveBack reports whether what came back is a message in which the sending server gives the
// mail back, and not a reply as it was given.
func (r *run) gaveBack() bool { return len(r.Bounce) > 0 || r.report.ReportingMTA != "" }

// signing is the repair that outlives forwarding.
func (r *run) signing() Step {
	return Step{Phase: PhaseRepair, Action: finding.Edit, Who: you, What: r.fill("Leave the SPF record as it is, and sign your mail with DKIM as {from}: a signature outlives forwarding, SPF does not."), Verify: "A test mail shows dkim=pass."}
}

// passedOn returns the server of the recipient's that took the mail and sent it on to
// another organization, whose refusal it reports; or "".
func (r *run) passedOn(rec *bounce.Recipient) string {
	final, reporter := orgDomain(rec.FinalAddress), orgDomain(r.report.ReportingMTA)
	if rec.FinalAddress == "" || rec.RemoteMTA == "" || final == orgDomain(rec.Address) || reporter != orgDomain(rec.Address) || orgDomain(rec.RemoteMTA) == reporter {
		return ""
	}
	if slices.Contains([]string{orgDomain(r.facts.From.Value), orgDomain(r.facts.MailFrom.Value)}, reporter) {
		return ""
	}
	return r.report.ReportingMTA
}

// brokenFurther: what passes for the mail as it left, and failed behind a server that sent it
// on, was broken by that: SPF always is, DKIM where the mail is changed.
func (r *run) brokenFurther(c *Cause) {
	name := r.passedOn(r.of(c))
	if name == "" || c.Kind.Category() != bounce.SenderAuth || c.State != Contradicted && c.State != Cleared {
		return
	}
	c.State, c.Fault, c.response = NotCheckable, OfForwarder, bounce.AskRecipient
	c.Summary = rowOf(c.Kind).summary + " behind a forwarder"
	c.Detail = fmt.Sprintf("%s took the mail for %s and sent it on to %s, which refused it: forwarding breaks SPF, and DKIM where it changes the mail. The mail as it left you passes now.", name, r.of(c).Address, r.of(c).FinalAddress)
	c.steps = []Step{
		{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: r.fillFor(*c, fmt.Sprintf("Tell the postmaster of %s, with this reply: its forwarding of mail for {addr} breaks it. It is to change neither subject nor text, and to seal with ARC.", orgDomain(name)))},
		{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: "Ask the recipient another way whether you may write to " + r.of(c).FinalAddress + " directly. Change nothing of SPF, DKIM or DMARC.", Verify: "No bounce follows."},
	}
}

// doubts are signs that somebody else sent the mail, by what the caller says of their own
// mail alone, and the address that it came from; [run.doubt] looks whether DNS bears them
// out. What went through a server of the caller's, or was submitted with a login, is not
// doubted.
func (r *run) doubts() (signs []string, came netip.Addr) {
	o := r.report.Original
	if o == nil || len(o.Received) == 0 || len(r.OwnDomains)+len(r.OwnAddresses) > 0 || !r.IP.IsValid() || r.HELO == "" || !strings.Contains(r.MailFrom, "@") {
		return nil, came
	}
	ip := r.IP.Unmap()
	own := ownership{domains: []string{orgDomain(r.MailFrom), orgDomain(r.HELO)}, addresses: []netip.Prefix{netip.PrefixFrom(ip, ip.BitLen())}}
	if from := addressOf(r.messageHeader().Get("From")); from != "" {
		own.domains = append(own.domains, orgDomain(from))
	}
	if own.owns(domainOf(r.report.ReportingMTA)) || slices.ContainsFunc(o.Received, func(field string) bool { return own.owns(domainOf(byHost(field))) || submitted(field) }) {
		return nil, came
	}
	came = r.facts.IP.Value
	for i := 0; i < len(o.Received) && (came == ip || !came.IsValid()); i++ {
		came = firstAddr(o.Received[i]) // a server's own hand-overs name none
		if came == ip {
			return nil, came
		}
	}
	if !came.IsValid() || came == ip {
		return nil, came
	}
	return r.notYours(own, came), came
}

// doubt asks DNS about the address that a doubted mail came from. Only when SPF does not
// let it and its name is not under the sender's domain was the mail somebody else's.
func (r *run) doubt(ctx context.Context) {
	signs, came := r.doubts()
	if r.foreign != nil || signs == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout/2)
	defer cancel()
	defer func() { _ = recover() }() // a defect in it leaves the doubt open
	org := orgDomain(r.MailFrom)
	res := spf.Check(ctx, r.resolver, spf.Query{IP: came, MailFrom: r.MailFrom, Now: r.now})
	rev := iprev.Check(ctx, r.resolver, came, "")
	for _, n := range rev.Names {
		if n.Confirmed && orgDomain(n.Host) == org {
			return
		}
	}
	if res.Result != spf.Fail && res.Result != spf.SoftFail {
		return
	}
	r.foreign = signs
	if r.facts.IP.Value != came {
		r.facts.OtherIP = r.facts.IP
		r.facts.IP = Known[netip.Addr]{came, "the topmost Received field of the returned mail"}
	}
}

// byHost is the server that wrote a Received field.
func byHost(field string) string {
	_, after, ok := strings.Cut(strings.Join(strings.Fields(field), " "), " by ")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(after, " ")
	return host
}

// firstAddr is the first address of the internet in a Received field: that of the server
// that handed the mail over.
func firstAddr(field string) netip.Addr {
	for addr := range addrsIn(field) {
		if routable(addr) {
			return addr
		}
	}
	return netip.Addr{}
}
