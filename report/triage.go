package report

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
)

// Triage is the report of what many bounces come to: each group with its cause and the
// first thing to do, and how many addresses to suppress. On a page, each group's plan is
// there as well.
func Triage(t *rebound.Triaged) *Document {
	doc := &Document{top: []line{{Label: "Bounces", Text: fmt.Sprintf(
		"%d %s in %d %s; %d %s to suppress, %d to keep.", t.Total, noun(t.Total, "bounce"), len(t.Groups), noun(len(t.Groups), "group"), len(t.Suppress), noun(len(t.Suppress), "address"), t.Keep)}}}
	var groups []item
	for _, g := range t.Groups {
		groups = append(groups, group(g))
	}
	doc.add(section{Title: "What hurts most first", Items: groups})
	doc.notes(t.Notes)
	for i, g := range t.Groups {
		if g.Diagnosis != nil {
			doc.add(section{Title: fmt.Sprintf("The plan for group %d", i+1), Items: doc.plan(g.Diagnosis.Plan), PageOnly: true})
		}
	}
	return doc
}

func group(g rebound.Group) item {
	what := "refusal"
	switch g.Kind {
	case bounce.Complaint:
		what = "report"
	case bounce.Vacation, bounce.Receipted, bounce.Challenged, rebound.NotABounce, rebound.NotYours:
		what = "message"
	}
	it := item{Text: fmt.Sprintf("%d %s: %s", g.Count, noun(g.Count, what), groupTitle(g))}
	if d := g.Diagnosis; d != nil {
		it.Lines = append(it.Lines, line{"why", d.Headline.Why, false}, line{"first", d.Headline.Do, false})
	}
	if g.Suppress > 0 {
		it.Lines = append(it.Lines, line{"to suppress", fmt.Sprintf("%d %s", g.Suppress, noun(g.Suppress, "address")), false})
	}
	if len(g.Examples) > 0 {
		it.Lines = append(it.Lines, line{"as in", strings.Join(g.Examples, ", "), false})
	}
	return it
}

// groupTitle names what the refusals of a group have in common.
func groupTitle(g rebound.Group) string {
	parts := []string{string(g.Kind)}
	if g.List != "" {
		parts = append(parts, "by "+g.List)
	}
	if g.Provider != "" {
		parts = append(parts, "at "+g.Provider)
	}
	if g.IP.IsValid() {
		parts = append(parts, "of "+g.IP.String())
	}
	if g.Domain != "" {
		parts = append(parts, "("+g.Domain+")")
	}
	return strings.Join(parts, " ")
}

func noun(n int, s string) string {
	switch {
	case n == 1:
		return s
	case strings.HasSuffix(s, "s"):
		return s + "es"
	}
	return s + "s"
}
