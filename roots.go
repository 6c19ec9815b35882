package rebound

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/auth/dkim"
	"github.com/rebound-mail/rebound/auth/iprev"
	"github.com/rebound-mail/rebound/auth/spf"
	"github.com/rebound-mail/rebound/bounce"
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
			found.Certainty, found.State, found.rec, found.count = bounce.Likely, Confirmed, c.rec, c.count
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

// brokenByForwarding: SPF fails for the server that forwarded the mail, and the mail has
// no signature that outlives it.
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
		c.Detail += " A mailing list that adds a footer, or a gateway, does so; the domain of the author cannot prevent it."
		c.response = bounce.FixSender
		c.steps = []Step{
			{Phase: PhaseRepair, Action: finding.Edit, Who: r.fill("whoever runs the list or gateway of {esp}"), What: r.fill("Put the list's own address into From for authors whose domain asks for refusal (Mailman 3: DMARC mitigation action Munge From), or add neither a footer nor a prefix to the subject."), Verify: r.fill("A test mail through it shows dmarc=pass.")},
		}
		return c, true
	}
	return Cause{}, false
}

// forwarder returns the name of the server that sent the mail on, where the refused
// address is no server of the sender's: its name is another domain's, and the bounce
// shows that it had taken the mail, or the recipient's own domain names it as a mail
// server.
func (r *run) forwarder() string {
	rev, rec := r.findings.reverse, r.main()
	if rev == nil || rev.Status != iprev.Pass || r.control() == Shared || r.own().ownsAddr(r.facts.IP.Value) {
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
	switch {
	case rec.FinalAddress != "" && rec.FinalAddress != rec.Address, orgDomain(r.report.ReportingMTA) == org && r.facts.Refuser.Value != "":
		return name
	case r.facts.OtherIP.Value.IsValid():
		if d := r.destination(rec); d != nil && d.Status == TakesMail {
			for _, mx := range d.MX {
				if orgDomain(mx.Host) == org {
					return name
				}
			}
		}
	}
	return ""
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
	c.Detail = strings.TrimSpace(fmt.Sprintf("%s %s is %s, which took the mail from you and sent it on: nothing of yours was refused.", c.Detail, r.facts.IP.Value, name))
	c.steps = []Step{
		{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: r.fillFor(*c, fmt.Sprintf("Tell the postmaster of %s, with this reply: its server {ip} forwards mail for {addr} and was refused. It alone can act on the address.", orgDomain(name)))},
		{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: r.fillFor(*c, "Ask the recipient another way for an address to which nothing is forwarded.")},
	}
	if ofServer(c.Kind) {
		c.steps[0].URL = r.page()
	} else {
		c.steps = append(c.steps, Step{Phase: PhaseCleanUp, Action: finding.Edit, Who: you, What: r.fill("Leave the SPF record as it is, and sign your mail with DKIM as {from}: a signature outlives forwarding, SPF does not."), Verify: "A test mail shows dkim=pass."})
	}
}

// doubts are signs that somebody else sent the mail, by what the caller says of their own
// mail alone; [run.refuted] looks whether DNS bears them out. What went through a server of
// the caller's is not doubted.
func (r *run) doubts() []string {
	o := r.report.Original
	if o == nil || len(o.Received) == 0 || len(r.OwnDomains)+len(r.OwnAddresses) > 0 || !r.IP.IsValid() || !strings.Contains(r.MailFrom, "@") {
		return nil
	}
	ip := r.IP.Unmap()
	own := ownership{domains: []string{orgDomain(r.MailFrom)}, addresses: []netip.Prefix{netip.PrefixFrom(ip, ip.BitLen())}}
	for _, name := range []string{r.HELO, addressOf(r.messageHeader().Get("From"))} {
		if name != "" {
			own.domains = append(own.domains, orgDomain(name))
		}
	}
	if own.owns(domainOf(r.report.ReportingMTA)) {
		return nil
	}
	for _, field := range o.Received {
		if own.owns(domainOf(byHost(field))) {
			return nil
		}
	}
	came := r.facts.IP
	if came.Value == ip {
		came = Known[netip.Addr]{firstAddr(o.Received[0]), "the topmost Received field of the returned mail"}
	}
	if !came.Value.IsValid() || came.Value == ip {
		return nil
	}
	before := r.facts.IP
	r.facts.IP = came
	signs := r.notYours(own)
	switch {
	case signs == nil:
		r.facts.IP = before
	case before.Value == ip:
		r.facts.OtherIP = before
	}
	return signs
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
	for word := range strings.FieldsFuncSeq(field, func(c rune) bool { return strings.ContainsRune("[]() \t;", c) }) {
		if addr, err := netip.ParseAddr(strings.TrimPrefix(word, "IPv6:")); err == nil && routable(addr) {
			return addr.Unmap()
		}
	}
	return netip.Addr{}
}

// refuted reports whether DNS says that the address which sent the mail is none of the
// sender's: SPF does not let it, and its name is not under the sender's domain.
func (r *run) refuted() bool {
	a, rev := r.findings.auth, r.findings.reverse
	if a == nil || a.SPF == nil || a.SPF.IP != r.facts.IP.Value || rev == nil {
		return false
	}
	return (a.SPF.Result == spf.Fail || a.SPF.Result == spf.SoftFail) && a.Vouched() == ""
}
