package spf

import (
	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkRecordMissing: RFC 7208, section 4.5.
func checkRecordMissing(t *Tree) []finding.Finding {
	if t.Root.Code != None {
		return nil
	}
	f := finding.Finding{
		Outcome: finding.Found, Severity: finding.Critical, Fact: t.Root.Problem, Evidence: txt.Evidence(t.Root.Answer), Source: "RFC 7208, section 4.5",
		Consequence: "Gmail, Yahoo and Outlook.com refuse or mark bulk mail of a domain without SPF.",
	}
	if len(t.Like) == 0 && t.Root.Answer.Status.Known() {
		f.Fixes = []finding.Fix{txt.Published(t.Domain, "", "v=spf1 mx ~all", firstRecord(t.Domain))}
	}
	return []finding.Finding{f}
}
