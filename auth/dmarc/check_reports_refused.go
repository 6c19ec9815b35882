package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkReportsRefused: a destination outside the domain must agree (RFC 9990, section
// 4).
func checkReportsRefused(l *Lint) []finding.Finding {
	var list []finding.Finding
	seen := map[string]bool{}
	for _, d := range l.Destinations {
		if d.Agreed || seen[d.Name] {
			continue
		}
		seen[d.Name] = true
		f := finding.Finding{
			Outcome: finding.Found, Severity: finding.Warning, Subject: d.URI.Text, Source: "RFC 9990, section 4", Evidence: txt.Evidence(d.Answer),
			Fact:        fmt.Sprintf("%s has not said that it takes reports about %s (%s).", d.URI.Host, l.PolicyDomain, d.Answer),
			Consequence: "Receivers send no reports there.",
			Fixes:       []finding.Fix{txt.Published(d.Name, "", "v=DMARC1;", fmt.Sprintf("Ask the owner of %s to publish the record.", d.URI.Host))},
		}
		f.Fixes[0].Action = finding.Request
		if !d.Known {
			f.Outcome, f.Fixes = finding.Unknown, nil
			f.Fact = fmt.Sprintf("Whether %s takes reports about %s could not be looked up (%s).", d.URI.Host, l.PolicyDomain, d.Answer.Status)
			f.Consequence = "Receivers that meet the same send no reports there."
		}
		list = append(list, f)
	}
	return list
}
