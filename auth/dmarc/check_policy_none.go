package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkPolicyNone: nothing is asked of receivers.
func checkPolicyNone(l *Lint) []finding.Finding {
	if l.Record == nil || l.Policy != PolicyNone || l.Record.Testing || l.Tag == "default" {
		return nil
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Info, Source: "RFC 9989, section 4.7", Evidence: l.evidence(),
		Fact:        fmt.Sprintf("The policy for %s is none (%s=none at %s).", l.Domain, l.Tag, l.PolicyDomain),
		Consequence: "That is enough for Gmail, Yahoo and Outlook.com; receivers do nothing about forged mail.",
		Fixes:       l.rewrite(l.Record.with(l.Tag, "quarantine"), "When the reports show that all of your mail passes, ask for quarantine."),
	}}
}
