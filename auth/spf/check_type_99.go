package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// checkType99: RFC 7208, section 3.1: the type SPF is obsolete.
func checkType99(t *Tree) []finding.Finding {
	if t.Type99.Status != resolve.OK || len(t.Type99.Records) == 0 {
		return nil
	}
	text := txt.Join(t.Type99.Records[0].Strings)
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Info, Source: "RFC 7208, section 3.1", Evidence: txt.Evidence(t.Type99),
		Fact:        fmt.Sprintf("%s has a record of the obsolete type SPF (99).", t.Domain),
		Consequence: "Receivers do not read it; it goes out of step with the TXT record unseen.",
		Fixes:       []finding.Fix{{Action: finding.Remove, What: "Take the record of type SPF away.", Record: &finding.Record{Name: t.Domain, Type: "SPF", Old: txt.Quote(text)}, Verify: fmt.Sprintf("A look-up of %s SPF gives nothing.", t.Domain)}},
	}}
}
