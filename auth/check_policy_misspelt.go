package auth

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkPolicyMisspelt: a record whose version is not the exact one is none.
func checkPolicyMisspelt(d *Domain) []finding.Finding {
	var list []finding.Finding
	for _, p := range d.Policies {
		if p == nil || len(p.Like) == 0 || len(p.Texts) > 0 {
			continue
		}
		k := kindOf(p.Kind)
		text := p.Like[0]
		_, rest, ok := strings.Cut(text, ";")
		better := k.version + ";"
		if ok {
			better = k.version + "; " + strings.TrimSpace(rest)
		}
		list = append(list, finding.Finding{
			Outcome: finding.Found, Severity: finding.Notice, Subject: p.Name, Source: k.source,
			Evidence:    []finding.Evidence{{Kind: finding.KindDNS, Source: p.Name + " TXT", Text: text}},
			Fact:        fmt.Sprintf("The TXT record of %s does not begin with exactly %s.", p.Name, k.version),
			Consequence: "Nobody reads it.",
			Fixes:       []finding.Fix{txt.Published(p.Name, text, better, "Correct the beginning of the record.")},
		})
	}
	return list
}
