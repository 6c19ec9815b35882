package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// The shortest prefixes that a sender's own record holds for a good reason: whole
// /16 and /32 are allotted to large operators.
const (
	wide4 = 16
	wide6 = 32
)

// checkNetworkWide: a prefix that is probably a slip.
func checkNetworkWide(t *Tree) []finding.Finding {
	var list []finding.Finding
	b := t.Root
	for i := range b.Twigs {
		tw := &b.Twigs[i]
		if tw.Term.Qualifier != '+' || tw.Child != nil {
			continue
		}
		for _, p := range tw.Networks {
			if limit := map[bool]int{true: wide4, false: wide6}[p.Addr().Is4()]; p.Bits() >= limit || p.Bits() == 0 {
				continue
			}
			list = append(list, finding.Finding{
				Outcome: finding.Found, Severity: finding.Warning, Source: "RFC 7208, section 11.4", Evidence: inRecord(b, tw.Term.Start, tw.Term.End),
				Fact:        fmt.Sprintf("%q of %s's record lets the whole of %s send.", tw.Text, t.Domain, p),
				Consequence: "Everybody who has an address in it can send mail that passes SPF for the domain.",
				Fixes:       []finding.Fix{{Action: finding.Edit, What: "Narrow " + tw.Text + " to the addresses that send.", Verify: "The check of the record finds it no longer."}},
			})
			break
		}
	}
	return list
}
