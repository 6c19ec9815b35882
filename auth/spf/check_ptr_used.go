package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkPTRUsed: RFC 7208, section 5.5: ptr should not be published.
func checkPTRUsed(t *Tree) []finding.Finding {
	var list []finding.Finding
	t.each(func(b *Branch) {
		for i := range b.Twigs {
			tw := &b.Twigs[i]
			if tw.Term.Name != "ptr" || tw.Term.Faulty {
				continue
			}
			f := finding.Finding{
				Outcome: finding.Found, Severity: finding.Notice, Subject: b.Domain, Source: "RFC 7208, section 5.5", Evidence: inRecord(b, tw.Term.Start, tw.Term.End),
				Fact:        fmt.Sprintf("The record of %s uses %q, which RFC 7208 advises against.", b.Domain, tw.Text),
				Consequence: "It is slow and depends on other people's DNS; some receivers skip it, and mail that needs it does not pass there.",
				Fixes:       []finding.Fix{t.ask(b, "name its networks with ip4: and ip6:")},
			}
			if b == t.Root {
				f.Fixes = t.rewrite(b.without(&tw.Term), "Take "+tw.Text+" out, and name the servers' networks with ip4: and ip6:.")
			}
			list = append(list, f)
		}
	})
	return list
}
