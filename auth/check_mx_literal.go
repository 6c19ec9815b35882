package auth

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkMXLiteral: an MX record names a host, not an address (RFC 1035, section 3.3.9).
func checkMXLiteral(d *Domain) []finding.Finding {
	if d.MX == nil {
		return nil
	}
	var list []finding.Finding
	for _, h := range d.MX.Hosts {
		if h.Literal {
			list = append(list, finding.Finding{
				Outcome: finding.Found, Severity: finding.Critical, Source: "RFC 1035, section 3.3.9; RFC 5321, section 5.1", Evidence: d.MX.evidence(),
				Fact:        fmt.Sprintf("An MX record of %s names the address %s in place of a host.", d.Domain, h.Name),
				Consequence: "Servers take it for a host name that does not exist: no mail arrives by it.",
				Fixes: []finding.Fix{{
					Action: finding.Edit, What: "Name a host that has the address in the MX record.", Verify: fmt.Sprintf("A look-up of %s MX gives a host name.", d.Domain),
				}},
			})
		}
	}
	return list
}
