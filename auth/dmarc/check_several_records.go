package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkSeveralRecords: RFC 9989, section 4.10: of several records at a name, none
// counts.
func checkSeveralRecords(l *Lint) []finding.Finding {
	var list []finding.Finding
	for i := range l.Steps {
		s := &l.Steps[i]
		var texts []string
		for _, rec := range s.Answer.Records {
			if text := txt.Join(rec.Strings); IsRecord(text) {
				texts = append(texts, text)
			}
		}
		if len(texts) < 2 {
			continue
		}
		f := finding.Finding{
			Outcome: finding.Found, Severity: finding.Critical, Subject: "_dmarc." + s.Domain, Source: "RFC 9989, section 4.10", Evidence: txt.Evidence(s.Answer),
			Fact:        fmt.Sprintf("_dmarc.%s has %d DMARC records.", s.Domain, len(texts)),
			Consequence: "Receivers count none of them.",
		}
		for _, other := range texts[1:] {
			f.Fixes = append(f.Fixes, txt.Published("_dmarc."+s.Domain, other, "", "Keep one record; take this one away if the first is right."))
		}
		list = append(list, f)
	}
	return list
}
