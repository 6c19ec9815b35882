package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/rebound-mail/rebound"
)

// Triage writes what many bounces come to as text: each group with its cause and the first
// thing to do, and how many addresses to suppress. Nothing from mail or DNS is written raw.
func Triage(w io.Writer, r *rebound.Triaged, o Options) error {
	t := newText(o)
	t.wrap("", "", fmt.Sprintf("%d %s in %d %s; %d %s to suppress, %d to keep.", r.Total, noun(r.Total, "bounce"), len(r.Groups), noun(len(r.Groups), "group"), len(r.Suppress), noun(len(r.Suppress), "address"), r.Keep))
	for i, g := range r.Groups {
		t.b.WriteByte('\n')
		t.wrap(fmt.Sprintf("%d. ", i+1), "   ", fmt.Sprintf("%d %s: %s", g.Count, noun(g.Count, "refusal"), groupTitle(g)))
		if d := g.Diagnosis; d != nil {
			t.wrap("   why: ", "   ", d.Headline.Why)
			t.wrap("   first: ", "   ", d.Headline.Do)
		}
		if g.Suppress > 0 {
			t.wrap("   ", "   ", fmt.Sprintf("%d %s to suppress", g.Suppress, noun(g.Suppress, "address")))
		}
		if len(g.Examples) > 0 {
			t.wrap("   as in: ", "   ", strings.Join(g.Examples, ", "))
		}
	}
	t.notes(r.Notes)
	_, err := io.WriteString(w, t.b.String())
	return err
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
