package auth

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkMXHostMissing: a mail exchanger without an address.
func checkMXHostMissing(d *Domain) []finding.Finding {
	if d.MX == nil {
		return nil
	}
	lives := 0
	for i := range d.MX.Hosts {
		if !d.MX.Hosts[i].Dead() {
			lives++
		}
	}
	var list []finding.Finding
	for i := range d.MX.Hosts {
		h := &d.MX.Hosts[i]
		if !h.Dead() || h.Literal || h.Name == "." {
			continue
		}
		f := finding.Finding{
			Outcome: finding.Found, Severity: finding.Warning, Source: "RFC 5321, section 5.1", Evidence: txt.Evidence(d.MX.Answer, h.A, h.AAAA),
			Fact:        fmt.Sprintf("The mail exchanger %s of %s has no address.", h.Name, d.Domain),
			Consequence: "Mail goes to the others.",
			Fixes:       []finding.Fix{{Action: finding.Remove, What: "Take the MX record away, or give the host an address.", Record: &finding.Record{Name: d.Domain, Type: "MX", Old: fmt.Sprintf("%d %s.", h.Pref, h.Name)}, Verify: fmt.Sprintf("Each host of %s MX has an address.", d.Domain)}},
		}
		if lives == 0 {
			f.Severity, f.Consequence = finding.Critical, "No mail to the domain can be delivered, and receivers that check that refuse mail from it."
			f.Fixes = []finding.Fix{{Action: finding.Publish, What: fmt.Sprintf("Give %s an address, or name another host in the MX record.", h.Name), Verify: fmt.Sprintf("A look-up of %s A gives an address.", h.Name)}}
		}
		list = append(list, f)
	}
	return list
}
