package dmarc

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkRecordMisspelt: a TXT record at a _dmarc name that is no record (RFC 9989,
// section 4.7).
func checkRecordMisspelt(l *Lint) []finding.Finding {
	var list []finding.Finding
	for i := range l.Steps {
		s := &l.Steps[i]
		for _, rec := range s.Answer.Records {
			text := txt.Join(rec.Strings)
			squeezed := strings.ToLower(strings.Join(strings.Fields(strings.Trim(text, "\"'")), ""))
			if IsRecord(text) || !strings.Contains(squeezed[:min(len(squeezed), 40)], "dmarc") && !strings.HasPrefix(squeezed, "p=") {
				continue
			}
			f := finding.Finding{
				Outcome: finding.Found, Severity: finding.Critical, Subject: "_dmarc." + s.Domain, Source: "RFC 9989, sections 4.7 and 4.8",
				Evidence:    []finding.Evidence{{Kind: finding.KindDNS, Source: "_dmarc." + s.Domain + " TXT", Text: text}},
				Fact:        fmt.Sprintf("The TXT record of _dmarc.%s is no DMARC record: it does not begin with exactly v=DMARC1.", s.Domain),
				Consequence: "Receivers ignore it.",
			}
			_, rest, _ := strings.Cut(text, ";")
			if !strings.Contains(strings.ToLower(text[:min(len(text), 20)]), "dmarc") {
				rest = text
			}
			better := "v=" + version + "; " + strings.TrimSpace(rest)
			f.Fixes = []finding.Fix{{Action: finding.Edit, What: "Begin the record with v=DMARC1; and nothing before it.", Verify: "The check finds the record."}}
			if _, ok := Parse(better).Acts(); ok {
				f.Fixes = []finding.Fix{txt.Published("_dmarc."+s.Domain, text, better, "Correct the beginning of the record.")}
			}
			list = append(list, f)
		}
	}
	return list
}
