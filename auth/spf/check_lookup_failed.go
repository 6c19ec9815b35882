package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// checkLookupFailed: what could not be looked up is not known to be right.
func checkLookupFailed(t *Tree) []finding.Finding {
	var list []finding.Finding
	t.each(func(b *Branch) {
		if b.Code == TempError {
			list = append(list, finding.Finding{
				Outcome: finding.Unknown, Severity: finding.Warning, Subject: b.Domain, Fact: b.Problem, Evidence: txt.Evidence(b.Answer), Source: "RFC 7208, section 2.6.6",
				Consequence: "A receiver that meets the same puts the mail off.",
			})
		}
		for i := range b.Twigs {
			for _, a := range b.Twigs[i].Answers {
				if !a.Status.Known() && a.Status != resolve.Unset {
					list = append(list, finding.Finding{
						Outcome: finding.Unknown, Severity: finding.Notice, Subject: b.Domain, Evidence: txt.Evidence(a), Source: "RFC 7208, section 2.6.6",
						Fact:        fmt.Sprintf("%q of %s's record could not be looked up (%s).", b.Twigs[i].Text, b.Domain, a),
						Consequence: "A receiver that meets the same puts the mail off.",
					})
					break
				}
			}
		}
	})
	return list
}
