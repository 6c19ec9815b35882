package auth

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// checkMXDomainMissing: a sender's domain must exist (RFC 5321, section 2.3.5).
func checkMXDomainMissing(d *Domain) []finding.Finding {
	if d.MX == nil || d.MX.Answer.Status != resolve.NXDomain {
		return nil
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Critical, Source: "RFC 5321, section 2.3.5", Evidence: d.MX.evidence(),
		Fact:        d.Domain + " does not exist.",
		Consequence: "Receivers refuse mail whose sender's domain does not exist, for no bounce could go there.",
		Fixes:       []finding.Fix{{Action: finding.Publish, What: fmt.Sprintf("Give %s an MX record, or send under a domain that has one.", d.Domain), Verify: fmt.Sprintf("A look-up of %s MX gives a host.", d.Domain)}},
	}}
}
