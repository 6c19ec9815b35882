package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkSubdomainUnused: sp and np count in the record of an organizational domain
// alone (RFC 9989, section 4.7).
func checkSubdomainUnused(l *Lint) []finding.Finding {
	if l.Record == nil || l.PolicyDomain == l.Org || l.Record.PSD == "y" {
		return nil
	}
	for _, name := range []string{"sp", "np"} {
		if t := l.Record.tagNamed(name); t != nil {
			return []finding.Finding{{
				Outcome: finding.Found, Severity: finding.Info, Source: "RFC 9989, section 4.7", Evidence: l.at(t.Start, t.End),
				Fact:        fmt.Sprintf("The record of %s states %s, and %s is not an organizational domain: that is %s.", l.PolicyDomain, name, l.PolicyDomain, l.Org),
				Consequence: "The tag has no effect there.",
				Fixes:       l.rewrite(l.Record.without(*t), "Take "+name+" out."),
			}}
		}
	}
	return nil
}
