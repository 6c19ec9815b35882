package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkLookupFailed: what could not be looked up is not known.
func checkLookupFailed(l *Lint) []finding.Finding {
	var list []finding.Finding
	for i := range l.Steps {
		if s := &l.Steps[i]; !s.Answer.Status.Known() {
			list = append(list, finding.Finding{
				Severity: finding.Warning, Subject: "_dmarc." + s.Domain, Source: "RFC 9989, section 5.3.6", Evidence: txt.Evidence(s.Answer),
				Fact:        fmt.Sprintf("_dmarc.%s TXT could not be looked up (%s).", s.Domain, s.Answer.Status),
				Consequence: "A receiver that meets the same can neither pass nor fail the mail, and may put it off.",
			})
		}
	}
	return list
}
