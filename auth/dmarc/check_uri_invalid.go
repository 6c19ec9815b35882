package dmarc

import (
	"strings"

	"github.com/rebound-mail/rebound/finding"
)

// checkURIInvalid: destinations that are none (RFC 9989, section 4.7).
func checkURIInvalid(l *Lint) []finding.Finding {
	return l.faults("dmarc.uri-invalid", finding.Warning, func(f Fault) []finding.Fix {
		text := l.Text[f.Start:f.End]
		if strings.Contains(text, "@") && !strings.Contains(text, ":") {
			return l.rewrite(l.Text[:f.Start]+"mailto:"+text+l.Text[f.End:], "Put mailto: before the address.")
		}
		return l.cut(f)
	})
}
