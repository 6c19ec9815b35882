package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkRUFAlone: fo without ruf does nothing (RFC 9989, section 4.7).
func checkRUFAlone(l *Lint) []finding.Finding {
	if l.Record == nil || len(l.Record.RUF) > 0 {
		return nil
	}
	t := l.Record.tagNamed("fo")
	if t == nil {
		return nil
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Info, Source: "RFC 9989, section 4.7", Evidence: l.at(t.Start, t.End),
		Fact:        fmt.Sprintf("The record of %s states fo without ruf.", l.PolicyDomain),
		Consequence: "It has no effect: fo says when to send failure reports, and no address asks for them.",
		Fixes:       l.rewrite(l.Record.without(*t), "Take fo out, or add ruf."),
	}}
}
