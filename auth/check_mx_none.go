package auth

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// checkMXNone: neither MX nor address records (RFC 5321, section 5.1).
func checkMXNone(d *Domain) []finding.Finding {
	if d.MX == nil || d.MX.Answer.Status != resolve.NoData {
		return nil
	}
	f := finding.Finding{
		Outcome: finding.Found, Severity: finding.Critical, Source: "RFC 5321, section 5.1", Evidence: append(d.MX.evidence(), txt.Evidence(d.MX.Addresses...)...),
		Fact:        fmt.Sprintf("%s has neither MX nor address records.", d.Domain),
		Consequence: "Bounces and answers cannot be delivered, and receivers that check that refuse the mail.",
		Fixes:       []finding.Fix{{Action: finding.Publish, What: fmt.Sprintf("Give %s an MX record that names a server which takes its mail.", d.Domain), Verify: fmt.Sprintf("A look-up of %s MX gives a host.", d.Domain)}},
	}
	for _, a := range d.MX.Addresses {
		switch {
		case a.Status == resolve.OK:
			f.Severity, f.Fact = finding.Info, fmt.Sprintf("%s has no MX record; mail to it goes to its own address.", d.Domain)
			f.Consequence = "That is allowed. Some receivers mistrust it, and a web server there takes no bounces."
			return []finding.Finding{f}
		case !a.Status.Known():
			return nil
		}
	}
	return []finding.Finding{f}
}
