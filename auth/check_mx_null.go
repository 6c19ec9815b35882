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
			Action: finding.Replace, What: "Name a server that takes the domain's mail, or send under a domain that has one.",
			Record: &finding.Record{Name: d.Domain, Type: "MX", Old: "0 .", New: "10 mail." + d.Domain + "."}, Verify: fmt.Sprintf("A look-up of %s MX gives a host that takes mail.", d.Domain),
		}},
	}}
}
