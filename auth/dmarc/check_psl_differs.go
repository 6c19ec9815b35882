package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkPSLDiffers: RFC 9989, appendix C.3: receivers that still use the Public Suffix
// List may find another record or another organizational domain.
func checkPSLDiffers(l *Lint) []finding.Finding {
	if l.Record == nil || l.Failed || l.PSL.Policy == l.Stated && l.PSL.PolicyDomain == l.PolicyDomain && l.PSL.Org == l.Org {
		return nil
	}
	f := finding.Finding{
		Outcome: finding.Found, Severity: finding.Notice, Source: "RFC 9989, appendix C.3; RFC 7489, section 3.2", Evidence: l.evidence(),
		Fact: fmt.Sprintf("By the tree walk of RFC 9989 the organizational domain of %s is %s, and the policy %s of %s applies; by the Public Suffix List it is %s, and %s.",
			l.Domain, l.Org, l.Stated, l.PolicyDomain, l.PSL.Org, l.PSL.says()),
		Consequence: "Receivers of the two kinds align and judge the same mail differently.",
	}
	if l.PSL.PolicyDomain == l.PolicyDomain && l.PSL.Policy == l.Stated && l.PSL.Org == l.PolicyDomain {
		f.Fixes = l.rewrite(l.Record.with("psd", "n"), "State that "+l.PolicyDomain+" is an organizational domain.")
	} else {
		f.Fixes = []finding.Fix{{Action: finding.Publish, What: fmt.Sprintf("Publish a record of its own at _dmarc.%s, which both kinds find first.", l.Domain), Record: &finding.Record{Name: "_dmarc." + l.Domain, Type: "TXT", New: txt.Quote("v=DMARC1; p=" + string(l.Stated) + "; psd=n")}, Verify: "The check finds no difference."}}
	}
	return []finding.Finding{f}
}

func (p PSL) says() string {
	if p.PolicyDomain == "" {
		return "no record applies"
	}
	return fmt.Sprintf("the policy %s of %s applies", p.Policy, p.PolicyDomain)
}
