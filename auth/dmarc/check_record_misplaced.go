package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkRecordMisplaced: a record at a name where nobody looks (RFC 9989, section
// 4.1).
func checkRecordMisplaced(l *Lint) []finding.Finding {
	var list []finding.Finding
	for _, s := range l.Misplaced {
		f := finding.Finding{
			Outcome: finding.Found, Severity: finding.Warning, Subject: s.Domain, Source: "RFC 9989, section 4.1", Evidence: txt.Evidence(s.Answer),
			Fact:        fmt.Sprintf("There is a DMARC record at %s, where no receiver looks.", s.Domain),
			Consequence: "It has no effect.",
			Fixes:       []finding.Fix{txt.Published(s.Domain, s.Text, "", "Take the record away from there.")},
		}
		if l.PolicyDomain != l.Domain {
			f.Severity = finding.Critical
			f.Fixes = append([]finding.Fix{txt.Published("_dmarc."+l.Domain, "", s.Text, "Publish it at the name where receivers look.")}, f.Fixes...)
		}
		list = append(list, f)
	}
	return list
}
