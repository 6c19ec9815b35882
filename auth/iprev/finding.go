package iprev

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// Findings tells the result in the common words: one finding about reverse DNS,
// and one about the HELO name where one was given.
func (res *Result) Findings() []finding.Finding {
	list := []finding.Finding{res.reverseFinding()}
	if res.Status == Pass {
		if f, ok := res.genericFinding(); ok {
			list = append(list, f)
		}
	}
	if res.HELO != nil {
		list = append(list, res.heloFinding())
	}
	return list
}

const section = "RFC 8601, section 2.7.3"

func evidence(answers ...resolve.Answer) []finding.Evidence {
	var list []finding.Evidence
	for _, a := range answers {
		if a.Status != resolve.Unset {
			list = append(list, finding.Evidence{Kind: finding.KindDNS, Source: a.Server, Text: a.String()})
		}
	}
	return list
}

func (res *Result) reverseFinding() finding.Finding {
	f := finding.Finding{Subject: res.Addr.String(), Source: section, Evidence: evidence(res.PTR)}
	for _, n := range res.Names {
		f.Evidence = append(f.Evidence, evidence(n.Forward)...)
	}
	switch res.Status {
	case Pass:
		f.Code, f.Outcome = "iprev.pass", finding.Clean
		f.Fact = fmt.Sprintf("%s has the PTR record %s, which leads back to it.", res.Addr, res.confirmed())
	case Missing:
		f.Code, f.Outcome, f.Severity = "iprev.ptr-missing", finding.Found, finding.Critical
		f.Fact = res.Addr.String() + " has no PTR record."
		f.Consequence = "Gmail, Yahoo and many others refuse or delay mail from it."
		f.Fixes = []finding.Fix{res.askForPTR("")}
	case Fail:
		host := res.Names[0].Host
		f.Code, f.Outcome, f.Severity = "iprev.ptr-unconfirmed", finding.Found, finding.Critical
		f.Fact = fmt.Sprintf("The PTR record of %s names %s, which does not lead back to it (%s).", res.Addr, host, res.Names[0].Forward)
		f.Consequence = "Receivers that compare both directions refuse the mail."
		f.Fixes = []finding.Fix{res.askForPTR("")}
		if res.HELO == nil || !res.HELO.Forward {
			f.Fixes = []finding.Fix{{
				Action: finding.Publish, What: fmt.Sprintf("Add the %s record %s %s, or have the PTR record name a host that holds it.", res.family(), host, res.Addr),
				Record: &finding.Record{Name: host, Type: res.family().String(), New: res.Addr.String()},
				Verify: fmt.Sprintf("A look-up of %s gives %s.", host, res.Addr),
			}}
		}
	case TempError:
		f.Code, f.Severity = "iprev.temperror", finding.Notice
		f.Fact = "The reverse DNS of " + res.Addr.String() + " could not be looked up."
		f.Consequence = "Whether it is right is not known."
	default:
		f.Code, f.Outcome, f.Subject = "iprev.none", finding.NotApplicable, ""
		f.Fact = "No sending address is known."
	}
	return f
}

// askForPTR is the request to the owner of the address. Host is the name to ask
// for; "" takes the HELO name.
func (res *Result) askForPTR(host string) finding.Fix {
	if host == "" && res.HELO != nil && res.HELO.Valid && !res.HELO.Literal && !isPrivateName(res.HELO.Name) {
		host = strings.ToLower(strings.TrimSuffix(res.HELO.Name, "."))
	}
	old := ""
	if len(res.Names) > 0 {
		old = res.Names[0].Host + "."
	}
	if host == "" {
		return finding.Fix{
			Action: finding.Request, What: fmt.Sprintf("Ask the provider of %s to set a PTR record that names your mail server, and give that name the address.", res.Addr),
			Verify: fmt.Sprintf("A look-up of %s PTR gives the name, and the name gives %s.", resolve.Reverse(res.Addr), res.Addr),
		}
	}
	return finding.Fix{
		Action: finding.Request, What: fmt.Sprintf("Ask the provider of %s to set its PTR record to %s.", res.Addr, host),
		Record: &finding.Record{Name: resolve.Reverse(res.Addr), Type: "PTR", Old: old, New: host + "."},
		Verify: fmt.Sprintf("A look-up of %s PTR gives %s, and %s gives %s.", resolve.Reverse(res.Addr), host, host, res.Addr),
	}
}

func (res *Result) confirmed() string {
	for _, n := range res.Names {
		if n.Confirmed {
			return n.Host
		}
	}
	return ""
}

func (res *Result) genericFinding() (finding.Finding, bool) {
	for _, n := range res.Names {
		if n.Generic == "" {
			return finding.Finding{}, false
		}
	}
	n := res.Names[0]
	return finding.Finding{
		Code: "iprev.ptr-generic", Outcome: finding.Found, Severity: finding.Notice, Subject: res.Addr.String(),
		Fact:        fmt.Sprintf("The PTR record of %s, %s, looks like that of a line of the provider's: %s.", res.Addr, n.Host, n.Generic),
		Consequence: "Some receivers take it for a dial-up line and refuse or score the mail.",
		Evidence:    evidence(res.PTR), Fixes: []finding.Fix{res.askForPTR("")}, Source: "M3AAWG Sender Best Common Practices, reverse DNS",
	}, true
}

func (res *Result) heloFinding() finding.Finding {
	h := res.HELO
	f := finding.Finding{Subject: h.Name, Source: "RFC 5321, section 4.1.4", Evidence: evidence(h.Answer)}
	switch {
	case !h.Valid:
		f.Code, f.Outcome, f.Severity = "helo.invalid", finding.Found, finding.Warning
		f.Fact = fmt.Sprintf("The HELO name %q is no full host name.", h.Name)
		f.Consequence = "Many servers refuse it outright."
		f.Fixes = []finding.Fix{res.setHELO()}
	case isPrivateName(h.Name):
		f.Code, f.Outcome, f.Severity = "helo.private", finding.Found, finding.Warning
		f.Fact = fmt.Sprintf("The HELO name %s exists on the sender's own network alone.", h.Name)
		f.Consequence = "Servers that look it up refuse it."
		f.Fixes = []finding.Fix{res.setHELO()}
	case h.Forward:
		f.Code, f.Outcome = "helo.pass", finding.Clean
		f.Fact = fmt.Sprintf("The HELO name %s leads to %s.", h.Name, res.Addr)
		if !h.IsPTR && !h.Literal && res.Status == Pass {
			f.Code, f.Outcome, f.Severity = "helo.not-ptr", finding.Found, finding.Info
			f.Fact = fmt.Sprintf("The HELO name %s leads to %s, whose PTR record names %s.", h.Name, res.Addr, res.confirmed())
			f.Consequence = "That is allowed; some filters score it."
		}
	case !res.Addr.IsValid():
		f.Code, f.Outcome = "helo.unchecked", finding.NotApplicable
		f.Fact = fmt.Sprintf("No sending address is known to compare the HELO name %s with.", h.Name)
	case h.Literal:
		f.Code, f.Outcome, f.Severity = "helo.other-address", finding.Found, finding.Warning
		f.Fact = fmt.Sprintf("The HELO name %s is another address than %s.", h.Name, res.Addr)
		f.Consequence = "Servers that compare them refuse the mail."
		f.Fixes = []finding.Fix{res.setHELO()}
	case !h.Answer.Status.Known():
		f.Code, f.Severity = "helo.temperror", finding.Notice
		f.Fact = fmt.Sprintf("The HELO name %s could not be looked up.", h.Name)
	default:
		f.Code, f.Outcome, f.Severity = "helo.not-forward", finding.Found, finding.Warning
		f.Fact = fmt.Sprintf("The HELO name %s does not lead to %s (%s).", h.Name, res.Addr, h.Answer)
		f.Consequence = "Servers that compare them refuse or score the mail."
		f.Fixes = []finding.Fix{res.setHELO()}
		if h.Answer.Status == resolve.NoData {
			f.Fixes = []finding.Fix{res.addAddress(h.Name)}
		}
	}
	return f
}

// addAddress gives a name that exists an address of this family.
func (res *Result) addAddress(host string) finding.Fix {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return finding.Fix{
		Action: finding.Publish, What: fmt.Sprintf("Add the %s record of %s: %s.", res.family(), host, res.Addr),
		Record: &finding.Record{Name: host, Type: res.family().String(), New: res.Addr.String()},
		Verify: fmt.Sprintf("A look-up of %s %s gives %s.", host, res.family(), res.Addr),
	}
}

// ownName is a confirmed PTR name that is not one of the provider's.
func (res *Result) ownName() string {
	for _, n := range res.Names {
		if n.Confirmed && n.Generic == "" {
			return n.Host
		}
	}
	return ""
}

// setHELO names the host to greet with: the confirmed PTR name, where there is
// one of the sender's own.
func (res *Result) setHELO() finding.Fix {
	if host := res.ownName(); host != "" {
		return finding.Fix{Action: finding.Edit, What: fmt.Sprintf("Set the HELO name of the mail server to %s (Postfix: smtp_helo_name).", host), Verify: "The next bounce or a test mail's Received line shows it."}
	}
	return finding.Fix{Action: finding.Edit, What: fmt.Sprintf("Set the HELO name of the mail server to a host name that resolves to %s (Postfix: smtp_helo_name).", res.Addr), Verify: "The next bounce or a test mail's Received line shows it."}
}
