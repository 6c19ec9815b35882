package spf

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// checkTooManyVoids: RFC 7208, section 4.6.4, last paragraph.
func checkTooManyVoids(t *Tree) []finding.Finding {
	voids, who := t.Voids, ""
	if t.Voids <= MaxVoids && t.Voids6 > MaxVoids {
		voids, who = t.Voids6, " for mail from IPv6 addresses"
	}
	if voids <= MaxVoids || t.Loop {
		return nil
	}
	var names []string
	t.each(func(b *Branch) {
		for i := range b.Twigs {
			tw := &b.Twigs[i]
			for _, a := range tw.Answers {
				if a.Status.Absent() && (who != "" || a.Type != resolve.AAAA) && len(names) < 10 {
					names = append(names, fmt.Sprintf("%s in %s (%s)", tw.Text, b.Domain, a))
				}
			}
		}
	})
	f := finding.Finding{
		Outcome: finding.Found, Severity: finding.Critical, Source: "RFC 7208, section 4.6.4", Evidence: txt.Evidence(t.Root.Answer),
		Fact:        fmt.Sprintf("%d questions of the SPF record of %s find nothing%s; %d are allowed. They are: %s.", voids, t.Domain, who, MaxVoids, strings.Join(names, "; ")),
		Consequence: "Receivers that keep the limit give a permerror.",
		Fixes:       t.suggested(),
	}
	if who != "" {
		f.Severity = finding.Notice
		f.Fixes = []finding.Fix{{Action: finding.Edit, What: "Name hosts without an IPv6 address by their networks (ip4:) in place of a: and mx, or give them an AAAA record, if mail of the domain leaves over IPv6.", Verify: "The tree shows two void lookups or fewer for IPv6."}}
	}
	if f.Fixes == nil {
		f.Fixes = []finding.Fix{{Action: finding.Edit, What: "Take out the terms that find nothing.", Verify: "The tree shows two void lookups or fewer."}}
	}
	return []finding.Finding{f}
}
