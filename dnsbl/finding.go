package dnsbl

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// Finding tells the result in the common words. A listing on an allow list is
// good news, and not listed is clean.
func (res *Result) Finding() finding.Finding {
	l := res.List
	f := finding.Finding{Subject: res.Target.String(), Evidence: res.evidence()}
	if len(l.Sources) > 0 {
		f.Source = l.Sources[0]
	}
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
		if res.Action == Block {
			f.Fixes = res.Removal().Fixes()
		}
	case Refused:
		f.Code, f.Severity = "dnsbl.refused", finding.Notice
		f.Fact = fmt.Sprintf("%s does not answer this resolver: %s.", name, res.Why)
		if res.Reason != "" {
			f.Fact += " It says: " + res.Reason
		}
		f.Consequence = "Whether " + res.Target.String() + " is listed there is not known."
		f.Fixes = res.waysIn()
	case Dead:
		f.Code, f.Outcome, f.Severity = "dnsbl.dead", finding.NotApplicable, finding.Info
		f.Fact = fmt.Sprintf("%s says nothing: %s.", name, res.Why)
		if l.Usable() && !l.own {
			f.Fact += fmt.Sprintf(" That is as seen now; the catalogue has it as %s.", l.Release())
		}
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

// waysIn returns the ways to an answer of a list that refuses us: a resolver of
// one's own, or a key.
func (res *Result) waysIn() []finding.Fix {
	l := res.List
	if l.NeedsKey {
		return []finding.Fix{{Action: finding.Edit, What: "Check the key for " + l.Name + ", and what it may be used for.", URL: l.RemovalURL}}
	}
	if l.Silent && l.Limit != "" {
		return []finding.Fix{{Action: finding.Request, What: "See that its operator serves your resolver: " + l.Limit + ".", URL: l.KeyURL}}
	}
	what := "Ask through a resolver of your own that resolves by itself and forwards to nobody, such as Unbound on this machine."
	if operator := publicResolver(res.Answer.Server); operator != "" {
		what = "The question went through " + operator + ", which anybody may use. " + what
	}
	fixes := []finding.Fix{{Action: finding.Edit, What: what, Verify: "The list's test entry is answered with an address in 127.0.0.0/8 that is no refusal."}}
	for twin := range Default().All() {
		if twin.Twin == l.ID || twin == l && l.Key != "" {
			fixes = append(fixes, finding.Fix{Action: finding.Request, What: "Or get a key for " + twin.Name + ": with one, any resolver will do.", URL: cmp.Or(twin.KeyURL, l.RemovalURL)})
		}
	}
	return fixes
}
