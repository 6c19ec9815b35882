package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkPolicyNotSecond: receivers by RFC 7489, section 6.3, want p right behind v.
func checkPolicyNotSecond(l *Lint) []finding.Finding {
	if l.Record == nil || l.Record.Policy == "" || len(l.Record.Tags) < 2 || l.Record.Tags[1].Name == "p" {
		return nil
	}
	p := *l.Record.tagNamed("p")
	again := Parse(l.Record.without(p))
	v := again.tagNamed("v")
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Info, Source: "RFC 7489, section 6.3; RFC 9989, appendix C.5", Evidence: l.at(p.Start, p.End),
		Fact:        fmt.Sprintf("In the record of %s p does not stand right behind v.", l.PolicyDomain),
		Consequence: "RFC 9989 allows it; receivers that still follow RFC 7489 may ignore the record.",
		Fixes:       l.rewrite(again.Text[:v.End]+"; p="+p.Value+again.Text[v.End:], "Put p in the second place."),
	}}
}
