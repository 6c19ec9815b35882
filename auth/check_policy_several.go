package auth

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkPolicySeveral: of several records of a kind, none counts (RFC 8461, section 3.1;
// RFC 8460, section 3).
func checkPolicySeveral(d *Domain) []finding.Finding {
	var list []finding.Finding
	for _, p := range d.Policies {
		if p == nil || len(p.Texts) < 2 {
			continue
		}
		f := finding.Finding{
			Outcome: finding.Found, Severity: finding.Notice, Subject: p.Name, Source: kindOf(p.Kind).source, Evidence: txt.Evidence(p.Answer),
			Fact:        fmt.Sprintf("%s has %d records that begin with %s; one is allowed.", p.Name, len(p.Texts), kindOf(p.Kind).version),
			Consequence: "None of them counts.",
		}
		for _, other := range p.Texts[1:] {
			f.Fixes = append(f.Fixes, txt.Published(p.Name, other, "", "Keep one record; take this one away if the first is right."))
		}
		list = append(list, f)
	}
	return list
}
