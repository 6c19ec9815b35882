package auth

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkMXNullBeside: a null MX stands alone (RFC 7505, section 3).
func checkMXNullBeside(d *Domain) []finding.Finding {
	if d.MX == nil || d.MX.Null {
		return nil
	}
	for _, h := range d.MX.Hosts {
		if h.Name == "." {
			return []finding.Finding{{
				Outcome: finding.Found, Severity: finding.Warning, Source: "RFC 7505, section 3", Evidence: d.MX.evidence(),
				Fact:        fmt.Sprintf("%s has a null MX beside other MX records.", d.Domain),
				Consequence: "Senders may take either; some refuse mail from such a domain.",
				Fixes:       []finding.Fix{{Action: finding.Remove, What: "Take the null MX away.", Record: &finding.Record{Name: d.Domain, Type: "MX", Old: fmt.Sprintf("%d .", h.Pref)}, Verify: fmt.Sprintf("A look-up of %s MX gives it no longer.", d.Domain)}},
			}}
		}
	}
	return nil
}
