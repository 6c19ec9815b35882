package dmarc

import (
	"github.com/rebound-mail/rebound/finding"
)

// checkSyntax: faults that cost one tag each (RFC 9989, section 4.8).
func checkSyntax(l *Lint) []finding.Finding {
	return l.faults("dmarc.syntax", finding.Warning, l.cut)
}
