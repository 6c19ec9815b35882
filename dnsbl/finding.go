package dnsbl

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// Finding tells the result in the common words. A listing on an allow list is
// good news, and not listed is clean.
func (res *Result) Finding() finding.Finding {
	l := res.List
	f := finding.Finding{Subject: res.Target.String(), Source: l.Sources[0], Evidence: res.evidence()}
	name := l.Name
	if l.Zone != "" && l.Zone != l.Name {
		name += " (" + l.Zone + ")"
	}
	switch res.Status {
	case NotListed:
		f.Code, f.Outcome = "dnsbl.not-listed", finding.Clean
		f.Fact = fmt.Sprintf("%s is not on %s.", res.Target, name)
	case Listed:
		f.Code, f.Outcome, f.Severity = "dnsbl.listed", finding.Found, severity(res)
		f.Fact = fmt.Sprintf("%s is on %s: %s (%s).", res.Target, name, res.Meaning(), addrs(res))
		f.Consequence = consequence(res)
		f.Fixes = res.Fixes()
	case Refused:
		f.Code, f.Severity = "dnsbl.refused", finding.Notice
		f.Fact = fmt.Sprintf("%s does not answer this resolver: %s.", name, res.Why)
		f.Consequence = "Whether " + res.Target.String() + " is listed there is not known."
		f.Fixes = []finding.Fix{{Action: finding.Edit, What: "Ask through a resolver of your own that does not forward to a public one.", URL: l.Removal}}
	case Dead:
		f.Code, f.Outcome, f.Severity = "dnsbl.dead", finding.NotApplicable, finding.Info
		f.Fact = fmt.Sprintf("%s says nothing: %s.", name, res.Why)
		f.Consequence = "Nobody can be on it or be removed from it."
	default:
		f.Code, f.Severity = "dnsbl.unknown", finding.Notice
		f.Fact = fmt.Sprintf("%s could not be asked: %s.", name, res.Why)
		f.Consequence = "Whether " + res.Target.String() + " is listed there is not known."
	}
	return f
}

func addrs(res *Result) string {
	var list []string
	for _, c := range res.Codes {
		list = append(list, c.Addr.String())
	}
	return strings.Join(list, ", ")
}

func (res *Result) evidence() []finding.Evidence {
	var list []finding.Evidence
	for _, a := range []resolve.Answer{res.Answer, res.Probe} {
		if a.Status != resolve.Unset {
			list = append(list, finding.Evidence{Kind: finding.KindDNS, Source: a.Server, Text: a.String()})
		}
	}
	if res.Reason != "" {
		list = append(list, finding.Evidence{Kind: finding.KindDNS, Source: "TXT", Text: res.Reason})
	}
	return list
}

func severity(res *Result) finding.Severity {
	switch {
	case res.Action != Block:
		return finding.Info
	case res.List.Weight == High:
		return finding.Critical
	case res.List.Weight == Medium:
		return finding.Warning
	}
	return finding.Notice
}

func consequence(res *Result) string {
	switch res.Action {
	case Allow:
		return "Receivers that ask it trust the mail more."
	case Info, Mixed:
		return "It is information, no verdict on the mail."
	}
	switch res.List.Weight {
	case High:
		return "Many receivers refuse mail for it."
	case Medium:
		return "Some receivers refuse mail for it, others score it."
	}
	return "Few receivers ask it."
}

// Fixes returns the steps that end a listing, in order: those that the catalogue
// holds, then the removal page. There is nothing to do about a list that blocks
// nothing.
func (res *Result) Fixes() []finding.Fix {
	l := res.List
	if res.Action != Block {
		return nil
	}
	verify := ""
	if res.Answer.Name != "" {
		verify = "DNS answers NXDOMAIN for " + res.Answer.Name
	}
	var fixes []finding.Fix
	for _, step := range l.StepsFor(res.Codes) {
		fixes = append(fixes, finding.Fix{Action: finding.Request, What: step.What})
	}
	switch {
	case len(fixes) > 0:
		last := &fixes[len(fixes)-1]
		last.URL, last.Verify = l.LookupURL(res.Target.String()), verify
	case l.Removal != "":
		fixes = append(fixes, finding.Fix{Action: finding.Request, What: "Ask " + l.Name + " to remove " + res.Target.String() + ".", URL: l.Removal, Verify: verify})
	default:
		fixes = append(fixes, finding.Fix{Action: finding.Ask, What: "How " + l.Name + " removes entries is not known: look at its operator's page.", Verify: verify})
	}
	return fixes
}
