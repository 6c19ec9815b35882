package dmarc

import (
	"github.com/rebound-mail/rebound/finding"
)

// checkUnknownTag: RFC 9989, section 4.7: unknown tags are ignored.
func checkUnknownTag(l *Lint) []finding.Finding {
	return l.faults("dmarc.unknown-tag", finding.Info, l.cut)
}
