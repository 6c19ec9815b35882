package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkAllPass: everybody may send.
func checkAllPass(t *Tree) []finding.Finding {
	var list []finding.Finding
	t.each(func(b *Branch) {
		for i := range b.Twigs {
			tw := &b.Twigs[i]
			whole := tw.Term.Name == "all" && tw.Term.Qualifier == '+'
			for _, p := range tw.Networks {
				whole = whole || p.Bits() == 0 && tw.Term.Qualifier == '+'
			}
			if !whole || tw.Term.Faulty {
				continue
			}
			f := finding.Finding{
				Outcome: finding.Found, Severity: finding.Critical, Subject: b.Domain, Source: "RFC 7208, section 5.1", Evidence: inRecord(b, tw.Term.Start, tw.Term.End),
				Fact:        fmt.Sprintf("%q in the record of %s lets every address in the world send for %s.", tw.Text, b.Domain, t.Domain),
				Consequence: "Anybody can send mail that passes SPF for the domain, and receivers hold that against it.",
				Fixes:       []finding.Fix{t.ask(b, "end the record in ~all or -all")},
			}
			if b == t.Root && tw.Term.Name == "all" {
				f.Fixes = t.rewrite(b.replaced(&tw.Term, "~all"), "End the record in ~all; when every server that sends is in it, in -all.")
			}
			list = append(list, f)
		}
	})
	return list
}
