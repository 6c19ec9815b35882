package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkIncludeDead: RFC 7208, section 5.2: an include of a domain without a record
// is a permerror.
func checkIncludeDead(t *Tree) []finding.Finding {
	var list []finding.Finding
	t.each(func(b *Branch) {
		for i := range b.Twigs {
			tw := &b.Twigs[i]
			if tw.Child == nil || tw.Child.Code != None {
				continue
			}
			f := finding.Finding{
				Outcome: finding.Found, Severity: finding.Critical, Subject: b.Domain, Source: "RFC 7208, sections 5.2 and 6.1", Evidence: append(inRecord(b, tw.Term.Start, tw.Term.End), txt.Evidence(tw.Child.Answer)...),
				Fact:        fmt.Sprintf("%q of %s's record leads to nothing: %s", tw.Text, b.Domain, tw.Child.Problem),
				Consequence: "A check that comes to it is a permerror.",
				Fixes:       []finding.Fix{t.ask(b, "take "+tw.Text+" out of the record")},
			}
			if b == t.Root {
				f.Fixes = t.rewrite(b.without(&tw.Term), "Take "+tw.Text+" out, or correct its domain.")
			}
			list = append(list, f)
		}
	})
	return list
}
