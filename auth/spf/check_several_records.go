package spf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkSeveralRecords: RFC 7208, section 4.5: more than one is a permerror.
func checkSeveralRecords(t *Tree) []finding.Finding {
	if len(t.Texts) < 2 {
		return nil
	}
	f := finding.Finding{
		Outcome: finding.Found, Severity: finding.Critical, Source: "RFC 7208, sections 3.2 and 4.5", Evidence: txt.Evidence(t.Root.Answer),
		Fact:        fmt.Sprintf("%s has %d SPF records; one is allowed.", t.Domain, len(t.Texts)),
		Consequence: "Every check is a permerror: none of the records counts.",
		Fixes:       []finding.Fix{{Action: finding.Edit, What: "Keep one record that holds the terms of all of them.", Verify: fmt.Sprintf("A look-up of %s TXT gives one record that begins with v=spf1.", t.Domain)}},
	}
	if text := joined(t.Texts); text != "" {
		f.Fixes = []finding.Fix{txt.Published(t.Domain, t.Texts[0], text, "Put this record in the place of the first, and take the others away.")}
		for _, other := range t.Texts[1:] {
			f.Fixes = append(f.Fixes, txt.Published(t.Domain, other, "", "Take this record away."))
		}
	}
	return []finding.Finding{f}
}

// strictness orders what records end in, the mildest first: a merged record must
// not refuse what one of them let pass.
const strictness = "+?~-"

// joined puts the terms of several records into one; "" where one has faults or a
// modifier, whose meaning would change.
func joined(texts []string) string {
	var words []string
	all := -1
	for _, text := range texts {
		rec := Parse(text)
		if len(rec.Faults) > 0 {
			return ""
		}
		for _, term := range rec.Terms {
			switch {
			case term.IsModifier():
				return ""
			case term.Name == "all":
				if i := strings.IndexByte(strictness, term.Qualifier); all < 0 || i < all {
					all = i
				}
			case !slices.Contains(words, term.Text):
				words = append(words, term.Text)
			}
		}
	}
	if all >= 0 {
		words = append(words, strictness[all:all+1]+"all")
	}
	return record(words)
}
