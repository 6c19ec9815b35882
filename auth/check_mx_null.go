package auth

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkMXNull: a domain that takes no mail should send none (RFC 7505, section 4.2).
func checkMXNull(d *Domain) []finding.Finding {
	if d.MX == nil || !d.MX.Null {
		return nil
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Critical, Source: "RFC 7505, section 4.2", Evidence: d.MX.evidence(),
		Fact:        fmt.Sprintf("%s says that it takes no mail (null MX).", d.Domain),
		Consequence: "Receivers may refuse mail from it (550 5.7.27), for no bounce could go there.",
		Fixes: []finding.Fix{{
			Action: finding.Edit, What: fmt.Sprintf("Send with an envelope sender whose domain takes mail; or, if %s is to take it, put a server of its own in place of the null MX record.", d.Domain),
			Verify: "A look-up of the sender's domain gives an MX record with a host that takes mail.",
		}},
	}}
}
