package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkNetworkPrivate: no receiver sees a private address.
func checkNetworkPrivate(t *Tree) []finding.Finding {
	var list []finding.Finding
	b := t.Root
	for i := range b.Twigs {
		tw := &b.Twigs[i]
		if tw.Term.Name != "ip4" && tw.Term.Name != "ip6" || tw.Term.Faulty {
			continue
		}
		if a := tw.Networks[0].Addr(); !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			continue
		}
		list = append(list, finding.Finding{
			Outcome: finding.Found, Severity: finding.Info, Source: "RFC 1918; RFC 4193", Evidence: inRecord(b, tw.Term.Start, tw.Term.End),
			Fact:        fmt.Sprintf("%q of %s's record is a private network.", tw.Text, t.Domain),
			Consequence: "Receivers see the public address that the mail leaves from, never this one.",
			Fixes:       t.rewrite(b.without(&tw.Term), "Take "+tw.Text+" out; name the public address in its place."),
		})
	}
	return list
}
