package spf

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkSyntax: RFC 7208, section 4.6: a fault anywhere is a permerror.
func checkSyntax(t *Tree) []finding.Finding {
	var list []finding.Finding
	t.each(func(b *Branch) {
		if b.Record == nil || b.Code != PermError {
			return
		}
		for _, fault := range b.Record.Faults {
			f := finding.Finding{
				Outcome: finding.Found, Severity: finding.Critical, Subject: b.Domain, Source: "RFC 7208, section " + fault.Section, Evidence: inRecord(b, fault.Start, fault.End),
				Fact:        fmt.Sprintf("The SPF record of %s cannot be read at column %d: %s.", b.Domain, fault.Start+1, fault.What),
				Consequence: "Every check that reads the record is a permerror: the whole record counts for nothing.",
				Fixes:       []finding.Fix{t.ask(b, "repair the record")},
			}
			if b == t.Root {
				f.Fixes = []finding.Fix{{Action: finding.Edit, What: fmt.Sprintf("Correct %q in the record of %s, or take it out.", txt.Printable(b.Text[fault.Start:min(fault.End, len(b.Text))]), b.Domain), Verify: "The check of the record finds no fault."}}
				if text := repaired(b.Text, fault); text != "" {
					f.Fixes = t.rewrite(text, "Publish the record with the fault put right.")
				}
			}
			list = append(list, f)
		}
	})
	return list
}

// repairs are spellings that have one meaning.
var repairs = []struct{ wrong, right string }{
	{"ipv4:", "ip4:"},
	{"ipv6:", "ip6:"},
	{"ip4=", "ip4:"},
	{"ip6=", "ip6:"},
	{"include=", "include:"},
	{"includes:", "include:"},
	{"redirect:", "redirect="},
	{"ip4::", "ip4:"},
	{"include::", "include:"},
	{"a=", "a:"},
	{"mx=", "mx:"},
}

// repaired returns the record with the term at a fault put right, where one
// spelling of it has no fault; else "".
func repaired(text string, fault Fault) string {
	start := strings.LastIndexByte(text[:fault.Start], ' ') + 1
	end := start + strings.IndexByte(text[start:]+" ", ' ')
	term := text[start:end]
	candidates := []string{strings.Trim(term, ",;\"'")}
	for _, r := range repairs {
		if len(term) > len(r.wrong) && strings.EqualFold(term[:len(r.wrong)], r.wrong) {
			candidates = append(candidates, r.right+term[len(r.wrong):])
		}
	}
	for _, scheme := range []string{"ip4:", "ip6:"} {
		candidates = append(candidates, scheme+term)
		if len(term) > 4 {
			candidates = append(candidates, scheme+term[4:])
		}
	}
	for _, c := range candidates {
		fixed := text[:start] + c + text[end:]
		if c != term && c != "" && len(Parse(version+" "+c).Faults) == 0 && len(Parse(fixed).Faults) < len(Parse(text).Faults) {
			return fixed
		}
	}
	return ""
}
