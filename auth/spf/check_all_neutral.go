package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkAllNeutral: ?all says nothing about other addresses.
func checkAllNeutral(t *Tree) []finding.Finding {
	b := t.Root
	for i := range b.Twigs {
		if tw := &b.Twigs[i]; tw.Term.Name == "all" && tw.Term.Qualifier == '?' {
			return []finding.Finding{{
				Outcome: finding.Found, Severity: finding.Notice, Source: "RFC 7208, section 8.2", Evidence: inRecord(b, tw.Term.Start, tw.Term.End),
				Fact:        fmt.Sprintf("The record of %s ends in %q: it says nothing about addresses that it does not name.", t.Domain, tw.Text),
				Consequence: "SPF does not protect the domain from forgers.",
				Fixes:       t.rewrite(b.replaced(&tw.Term, "~all"), "End the record in ~all."),
			}}
		}
	}
	return nil
}
