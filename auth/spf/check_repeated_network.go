package spf

import (
	"fmt"
	"net/netip"

	"github.com/rebound-mail/rebound/finding"
)

// checkRepeatedNetwork: a network of the domain's own record that another of its
// terms holds already.
func checkRepeatedNetwork(t *Tree) []finding.Finding {
	var list []finding.Finding
	b := t.Root
	for i := range b.Twigs {
		own := &b.Twigs[i]
		if own.Term.Name != "ip4" && own.Term.Name != "ip6" || own.Term.Faulty || own.Term.Qualifier != '+' {
			continue
		}
		for j := range b.Twigs {
			other := &b.Twigs[j]
			if i == j || other.Term.Qualifier != '+' || !holds(other.Networks, own.Networks[0], j < i) {
				continue
			}
			list = append(list, finding.Finding{
				Outcome: finding.Found, Severity: finding.Info, Source: "RFC 7208, section 5.6", Evidence: inRecord(b, own.Term.Start, own.Term.End),
				Fact:        fmt.Sprintf("%q of %s's record lies within %q.", own.Text, t.Domain, other.Text),
				Consequence: "It makes the record longer and lets nobody new send.",
				Fixes:       t.rewrite(b.without(&own.Term), "Take "+own.Text+" out."),
			})
			break
		}
	}
	return list
}

// holds reports whether a network lies within one of a set: or is the same, where
// that counts.
func holds(set []netip.Prefix, p netip.Prefix, same bool) bool {
	for _, s := range set {
		if s.Bits() <= p.Bits() && s.Contains(p.Addr()) && (s != p || same) {
			return true
		}
	}
	return false
}
