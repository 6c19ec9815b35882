package spf

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/finding"
)

// checkAllMissing: without all or redirect=, the end is neutral (RFC 7208, section
// 4.7).
func checkAllMissing(t *Tree) []finding.Finding {
	b := t.Root
	if b.Record == nil || b.Code != "" || len(t.Texts) > 1 {
		return nil
	}
	for i := range b.Twigs {
		if name := b.Twigs[i].Term.Name; name == "all" || name == "redirect" {
			return nil
		}
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Notice, Source: "RFC 7208, sections 4.7 and 5.1", Evidence: inRecord(b, 0, len(b.Text)),
		Fact:        fmt.Sprintf("The record of %s has no all at its end: it says nothing about addresses that it does not name.", t.Domain),
		Consequence: "SPF does not protect the domain from forgers.",
		Fixes:       t.rewrite(strings.TrimRight(b.Text, " ")+" ~all", "Add ~all at the end."),
	}}
}
