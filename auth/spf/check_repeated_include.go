package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkRepeatedInclude: the same record twice costs lookups and adds nothing.
func checkRepeatedInclude(t *Tree) []finding.Finding {
	var list []finding.Finding
	t.each(func(b *Branch) {
		for i := range b.Twigs {
			tw := &b.Twigs[i]
			if tw.Child == nil || !tw.Again || tw.Child.Problem == "A loop." || tw.Child.Code != "" {
				continue
			}
			f := finding.Finding{
				Outcome: finding.Found, Severity: finding.Info, Subject: b.Domain, Source: "RFC 7208, section 4.6.4", Evidence: inRecord(b, tw.Term.Start, tw.Term.End),
				Fact:        fmt.Sprintf("%q of %s's record leads to a record that another term has led to already.", tw.Text, b.Domain),
				Consequence: fmt.Sprintf("It costs %s and lets nobody new send.", count(tw.Lookups, "lookup")),
				Fixes:       []finding.Fix{t.ask(b, "take "+tw.Text+" out of the record")},
			}
			if b == t.Root && tw.Term.Name == "include" {
				f.Severity = finding.Notice
				f.Fixes = t.rewrite(b.without(&tw.Term), "Take the second "+tw.Text+" out.")
			}
			list = append(list, f)
		}
	})
	return list
}
