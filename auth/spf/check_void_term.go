package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkVoidTerm: a or mx of the domain's own record that finds nothing, while the
// limit is kept.
func checkVoidTerm(t *Tree) []finding.Finding {
	var list []finding.Finding
	b := t.Root
	for i := range b.Twigs {
		tw := &b.Twigs[i]
		if tw.Term.Name != "a" && tw.Term.Name != "mx" || len(tw.Networks) > 0 || tw.Note != "" || tw.Term.Faulty {
			continue
		}
		list = append(list, finding.Finding{
			Outcome: finding.Found, Severity: finding.Notice, Source: "RFC 7208, section 4.6.4", Evidence: append(inRecord(b, tw.Term.Start, tw.Term.End), txt.Evidence(tw.Answers...)...),
			Fact:        fmt.Sprintf("%q of %s's record finds no address.", tw.Text, t.Domain),
			Consequence: "It lets nobody send and uses up a lookup and a void lookup.",
			Fixes:       t.rewrite(b.without(&tw.Term), "Take "+tw.Text+" out, or give "+tw.Target+" the record."),
		})
	}
	return list
}
