package spf

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkTooManyLookups: RFC 7208, section 4.6.4.
func checkTooManyLookups(t *Tree) []finding.Finding {
	if t.Lookups <= MaxLookups || t.Loop {
		return nil
	}
	f := finding.Finding{
		Outcome: finding.Found, Severity: finding.Critical, Source: "RFC 7208, section 4.6.4", Evidence: append(txt.Evidence(t.Root.Answer), finding.Evidence{Kind: finding.KindRule, Source: "the tree", Text: t.shares()}),
		Fact:        fmt.Sprintf("The SPF record of %s takes %d lookups; %d are allowed. They are: %s.", t.Domain, t.Lookups, MaxLookups, t.shares()),
		Consequence: "Mail from an address that stands behind the tenth is a permerror, and so is mail from any other address.",
	}
	f.Fixes = t.suggested()
	if f.Fixes == nil {
		f.Fixes = []finding.Fix{{Action: finding.Edit, What: "Take out the includes of services that no longer send for the domain, or let some send from a subdomain with a record of its own.", Verify: fmt.Sprintf("The tree of %s shows %d lookups or fewer.", t.Domain, MaxLookups)}}
	}
	return []finding.Finding{f}
}

// shares says what each term of the domain's own record costs.
func (t *Tree) shares() string {
	var parts []string
	for i := range t.Root.Twigs {
		if tw := &t.Root.Twigs[i]; tw.Lookups > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", tw.Text, tw.Lookups))
		}
	}
	return strings.Join(parts, ", ")
}

// suggested are the records of the suggestion, as fixes.
func (t *Tree) suggested() []finding.Fix {
	s := t.Suggest()
	if s == nil {
		return nil
	}
	what := fmt.Sprintf("Publish a record with %s.", count(s.Lookups, "lookup"))
	if len(s.Dropped) > 0 {
		what += " Left out, for it lets nobody new send: " + strings.Join(s.Dropped, ", ") + "."
	}
	if len(s.Flattened) > 0 {
		what += " Replaced by the networks that they hold today: " + strings.Join(s.Flattened, ", ") + ". When their owners change these, the record must follow, so have it made anew every day; better is to drop a service that no longer sends for the domain, or to let it send from a subdomain."
	}
	fixes := []finding.Fix{txt.Published(t.Domain, t.Root.Text, s.Records[0].Text, what)}
	for _, r := range s.Records[1:] {
		fixes = append(fixes, txt.Published(r.Name, "", r.Text, "Publish first the part that the record includes."))
	}
	return fixes
}
