package spf

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkRecordMisspelt: RFC 7208, section 4.5, wants the exact beginning.
func checkRecordMisspelt(t *Tree) []finding.Finding {
	var list []finding.Finding
	for _, text := range t.Like {
		f := finding.Finding{
			Outcome: finding.Found, Severity: finding.Critical, Source: "RFC 7208, section 4.5",
			Fact:        fmt.Sprintf("A TXT record of %s looks like SPF and is none: it begins with %q, not with \"v=spf1 \".", t.Domain, txt.Printable(text[:min(len(text), 12)])),
			Consequence: "Receivers do not see it.",
			Evidence:    []finding.Evidence{{Kind: finding.KindDNS, Source: t.Domain + " TXT", Text: text}},
		}
		if len(t.Texts) > 0 {
			f.Severity = finding.Notice
			f.Fixes = []finding.Fix{txt.Published(t.Domain, text, "", "Take the TXT record away.")}
		} else if better := version + " " + strings.TrimSpace(text[min(skipVersion(text), len(text)):]); len(Parse(better).Faults) == 0 {
			f.Fixes = []finding.Fix{txt.Published(t.Domain, text, better, "Correct the beginning of the record.")}
		} else {
			f.Fixes = []finding.Fix{{Action: finding.Edit, What: "Begin the record with \"v=spf1 \" and nothing before it.", Verify: "The check finds the record."}}
		}
		list = append(list, f)
	}
	return list
}
