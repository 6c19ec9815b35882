package auth

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/dmarc"
	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkBIMIDMARCWeak: a logo needs DMARC that is enforced (draft-brand-indicators-for-
// message-identification, section 7.1).
func checkBIMIDMARCWeak(d *Domain) []finding.Finding {
	p := d.policy("bimi")
	if len(p.Texts) != 1 || p.declined() || d.DMARC == nil || d.DMARC.Failed {
		return nil
	}
	why := ""
	switch rec := d.DMARC.Record; {
	case rec == nil:
		why = "no DMARC record applies"
	case d.DMARC.Policy == dmarc.PolicyNone:
		why = "its DMARC policy is none"
	case rec.Subdomain == dmarc.PolicyNone:
		why = "its DMARC record asks for nothing at subdomains (sp=none)"
	default:
		return nil
	}
	f := finding.Finding{
		Outcome: finding.Found, Severity: finding.Notice, Source: "draft-brand-indicators-for-message-identification, section 7.1", Evidence: txt.Evidence(p.Answer),
		Fact:        fmt.Sprintf("%s has a BIMI record, and %s.", d.Domain, why),
		Consequence: "Mailboxes show no logo.",
		Fixes:       []finding.Fix{{Action: finding.Replace, What: "Ask for quarantine or reject, at the domain and below, once all of your mail passes DMARC.", Verify: fmt.Sprintf("A look-up of _dmarc.%s TXT gives p=quarantine or p=reject.", d.Domain)}},
	}
	return []finding.Finding{f}
}
