package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkSubdomainWeaker: a subdomain is easier to forge than the domain.
func checkSubdomainWeaker(l *Lint) []finding.Finding {
	if l.Record == nil || l.PolicyDomain != l.Org {
		return nil
	}
	for _, name := range []string{"sp", "np"} {
		p := l.Record.Subdomain
		if name == "np" {
			p = l.Record.NonExistent
		}
		if p != "" && p.strength() < l.Record.Policy.strength() {
			return []finding.Finding{{
				Outcome: finding.Found, Severity: finding.Notice, Source: "RFC 9989, section 4.7", Evidence: l.evidence(),
				Fact:        fmt.Sprintf("The record of %s asks for less at subdomains (%s=%s) than at the domain (p=%s).", l.PolicyDomain, name, p, l.Record.Policy),
				Consequence: "Forgers use a subdomain.",
				Fixes:       l.rewrite(l.Record.without(*l.Record.tagNamed(name)), "Take "+name+" out, so that p applies; do so for sp once the subdomains' own mail passes."),
			}}
		}
	}
	return nil
}
