package auth

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkMXAlias: an MX record names no alias (RFC 2181, section 10.3).
func checkMXAlias(d *Domain) []finding.Finding {
	if d.MX == nil {
		return nil
	}
	var list []finding.Finding
	for _, h := range d.MX.Hosts {
		if !h.Alias {
			continue
		}
		target := strings.Join(append(h.A.Chain, h.AAAA.Chain...), " ")
		target, _, _ = strings.Cut(target, " ")
		if chain := h.A.Chain; len(chain) > 0 {
			target = chain[len(chain)-1]
		}
		list = append(list, finding.Finding{
			Outcome: finding.Found, Severity: finding.Notice, Source: "RFC 2181, section 10.3; RFC 5321, section 5.1", Evidence: txt.Evidence(d.MX.Answer, h.A),
			Fact:        fmt.Sprintf("The mail exchanger %s of %s is an alias (CNAME).", h.Name, d.Domain),
			Consequence: "Most servers follow it; some do not deliver there.",
			Fixes: []finding.Fix{{
				Action: finding.Replace, What: "Name the host itself in the MX record.",
				Record: &finding.Record{Name: d.Domain, Type: "MX", Old: fmt.Sprintf("%d %s.", h.Pref, h.Name), New: fmt.Sprintf("%d %s.", h.Pref, target)}, Verify: fmt.Sprintf("A look-up of %s MX gives %s.", d.Domain, target),
			}},
		})
	}
	return list
}
