package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkRecordMissing: no record applies to the domain.
func checkRecordMissing(l *Lint) []finding.Finding {
	if l.Text != "" || l.Failed || l.Org == "" {
		return nil
	}
	for i := range l.Steps {
		if !l.Steps[i].Answer.Status.Known() {
			return nil
		}
	}
	org := l.Org
	if l.PSL.Org != "" {
		org = l.PSL.Org
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Critical, Source: "RFC 9989, section 4.10.1", Evidence: l.evidence(),
		Fact:        fmt.Sprintf("Neither %s nor a domain above it has a DMARC record.", l.Domain),
		Consequence: "Gmail, Yahoo and Outlook.com refuse or mark bulk mail of such a domain, and anybody can forge it.",
		Fixes:       []finding.Fix{firstRecord(org)},
	}}
}

// firstRecord is the record to begin with.
func firstRecord(org string) finding.Fix {
	return txt.Published("_dmarc."+org, "", "v=DMARC1; p=none; rua=mailto:dmarc-reports@"+org, "Publish a record that asks for reports and nothing more. When the reports show that all of your mail passes, go on to p=quarantine and p=reject. The address must take mail.")
}
