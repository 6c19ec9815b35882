package dmarc

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/finding"
)

// checkNameDeep: the walk steps over names of eight labels and more (RFC 9989,
// section 4.10).
func checkNameDeep(l *Lint) []finding.Finding {
	labels := strings.Count(l.Domain, ".") + 1
	if labels <= maxLabels || l.PolicyDomain == l.Domain {
		return nil
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Info, Source: "RFC 9989, sections 4.10 and 5.1.8", Evidence: l.evidence(),
		Fact:        fmt.Sprintf("%s has %d labels: receivers ask for its own record, then for those of its last %d labels and fewer.", l.Domain, labels, cutTo),
		Consequence: "Records between are never seen.",
		Fixes:       []finding.Fix{{Action: finding.Publish, What: "Publish a record at the name itself, where another policy is wanted.", Verify: fmt.Sprintf("A look-up of _dmarc.%s TXT gives it.", l.Domain)}},
	}}
}
