package auth

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkTLSRPTMissing: MTA-STS without reports fails unseen (RFC 8460, section 1).
func checkTLSRPTMissing(d *Domain) []finding.Finding {
	sts, reports := d.policy("mtasts"), d.policy("tlsrpt")
	if len(sts.Texts) != 1 || len(reports.Texts) > 0 || !reports.Answer.Status.Known() {
		return nil
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Info, Subject: d.Domain, Source: "RFC 8460, section 3", Evidence: txt.Evidence(sts.Answer, reports.Answer),
		Fact:        fmt.Sprintf("%s has MTA-STS and asks for no reports on TLS.", d.Domain),
		Consequence: "Mail that cannot be delivered for it is not told to you.",
		Fixes:       []finding.Fix{txt.Published("_smtp._tls."+d.Domain, "", "v=TLSRPTv1; rua=mailto:tls-reports@"+d.Domain, "Ask for reports at an address that takes mail.")},
	}}
}
