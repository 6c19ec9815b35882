package auth

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkPolicyInvalid: faults within a record of MTA-STS, TLS-RPT or BIMI.
func checkPolicyInvalid(d *Domain) []finding.Finding {
	var list []finding.Finding
	for _, p := range d.Policies {
		if p == nil {
			continue
		}
		for _, fault := range p.Faults {
			list = append(list, finding.Finding{
				Outcome: finding.Found, Severity: finding.Notice, Subject: p.Name, Source: kindOf(p.Kind).source,
				Evidence:    []finding.Evidence{{Kind: finding.KindDNS, Source: p.Name + " TXT", Text: p.Texts[0], Start: fault.Start, End: fault.End}},
				Fact:        fmt.Sprintf("The record %s has a fault at column %d: %s.", p.Name, fault.Start+1, fault.What),
				Consequence: policyEffect[p.Kind],
				Fixes:       []finding.Fix{{Action: finding.Edit, What: "Correct the record: " + policyForm[p.Kind] + ".", Verify: fmt.Sprintf("The check of %s finds no fault.", p.Name)}},
			})
		}
	}
	return list
}

var policyEffect = map[string]string{
	"mtasts": "Senders act as if the domain had no MTA-STS.",
	"tlsrpt": "Senders send no reports on TLS there.",
	"bimi":   "Mailboxes show no logo.",
}

var policyForm = map[string]string{
	"mtasts": "v=STSv1; id= and up to 32 letters and digits, new with each change of the policy",
	"tlsrpt": "v=TLSRPTv1; rua= and mailto: or https: addresses with commas between",
	"bimi":   "v=BIMI1; l= and the https: address of an SVG image; a= and that of its certificate",
}
