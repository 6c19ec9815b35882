package auth

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkMXLookupFailed: what could not be looked up is not known.
func checkMXLookupFailed(d *Domain) []finding.Finding {
	if d.MX == nil || d.MX.Answer.Status.Known() {
		return nil
	}
	return []finding.Finding{{
		Outcome: finding.Unknown, Severity: finding.Warning, Source: "RFC 5321, section 5.1", Evidence: d.MX.evidence(),
		Fact:        fmt.Sprintf("The mail exchangers of %s could not be looked up (%s).", d.Domain, d.MX.Answer.Status),
		Consequence: "Receivers that check the sender's domain put the mail off.",
	}}
}
