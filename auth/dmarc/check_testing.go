package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkTesting: t=y lowers the policy by one level (RFC 9989, section 4.7).
func checkTesting(l *Lint) []finding.Finding {
	if l.Record == nil || !l.Record.Testing {
		return nil
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Notice, Source: "RFC 9989, section 4.7", Evidence: l.evidence(),
		Fact:        fmt.Sprintf("The record of %s is in test mode (t=y): it states %s, and receivers apply %s.", l.PolicyDomain, l.Stated, l.Policy),
		Consequence: "Receivers that still follow RFC 7489 do not know t=y and apply what is stated.",
		Fixes:       l.rewrite(l.Record.without(*l.Record.tagNamed("t")), "When the test is over, take t=y out."),
	}}
}
