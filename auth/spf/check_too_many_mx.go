package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkTooManyMX: RFC 7208, section 4.6.4: more than 10 names are a permerror.
func checkTooManyMX(t *Tree) []finding.Finding {
	var list []finding.Finding
	t.each(func(b *Branch) {
		for i := range b.Twigs {
			tw := &b.Twigs[i]
			if tw.Term.Name != "mx" || len(tw.Answers) == 0 || len(tw.Answers[0].Records) <= maxHosts {
				continue
			}
			list = append(list, finding.Finding{
				Outcome: finding.Found, Severity: finding.Critical, Subject: b.Domain, Source: "RFC 7208, section 4.6.4", Evidence: inRecord(b, tw.Term.Start, tw.Term.End),
				Fact:        fmt.Sprintf("%q of %s's record leads to %d MX names; %d are allowed.", tw.Text, b.Domain, len(tw.Answers[0].Records), maxHosts),
				Consequence: "A check that comes to it is a permerror.",
				Fixes:       []finding.Fix{{Action: finding.Edit, What: fmt.Sprintf("Name the sending servers' networks with ip4: and ip6: in place of %s.", tw.Text), Verify: "The check of the record finds it no longer."}},
			})
		}
	})
	return list
}
