package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkReportsMissing: without rua, nobody tells the domain what fails.
func checkReportsMissing(l *Lint) []finding.Finding {
	if l.Record == nil || len(l.Record.RUA) > 0 {
		return nil
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Notice, Source: "RFC 9989, section 4.7", Evidence: l.evidence(),
		Fact:        fmt.Sprintf("The record of %s asks for no reports (rua).", l.PolicyDomain),
		Consequence: "Nobody tells you which of your mail fails, or who forges it.",
		Fixes:       l.rewrite(l.Record.with("rua", "mailto:dmarc-reports@"+l.PolicyDomain), "Ask for reports at an address that takes mail."),
	}}
}
