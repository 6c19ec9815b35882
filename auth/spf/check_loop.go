package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkLoop: a loop uses up every lookup (RFC 7208, section 4.6.4).
func checkLoop(t *Tree) []finding.Finding {
	if !t.Loop {
		return nil
	}
	var list []finding.Finding
	t.each(func(b *Branch) {
		for i := range b.Twigs {
			tw := &b.Twigs[i]
			if tw.Child == nil || !tw.Again || tw.Child.Problem != "A loop." {
				continue
			}
			f := finding.Finding{
				Outcome: finding.Found, Severity: finding.Critical, Subject: b.Domain, Source: "RFC 7208, section 4.6.4", Evidence: inRecord(b, tw.Term.Start, tw.Term.End),
				Fact:        fmt.Sprintf("%q of %s's record leads back to %s, from where it came.", tw.Text, b.Domain, tw.Target),
				Consequence: "A check that comes there is a permerror.",
				Fixes:       []finding.Fix{t.ask(b, "take "+tw.Text+" out of the record")},
			}
			if b == t.Root {
				f.Fixes = t.rewrite(b.without(&tw.Term), "Take "+tw.Text+" out.")
			}
			list = append(list, f)
		}
	})
	return list
}
