package spf

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/resolve"
)

// maxLines bounds a drawn tree.
const maxLines = 500

// drawing is a tree as lines of text.
type drawing struct {
	b     strings.Builder
	lines int
}

// line writes one line behind the rails of the branches above it.
func (d *drawing) line(rails, text string) {
	if d.lines++; d.lines == maxLines {
		d.b.WriteString("…\n")
	}
	if d.lines < maxLines {
		d.b.WriteString(strings.TrimRight(rails+txt.Printable(text), " ") + "\n")
	}
}

// fork returns the rails for the i-th of n items and for what stands below it.
func fork(rails string, last bool) (own, below string) {
	if last {
		return rails + "└─ ", rails + "   "
	}
	return rails + "├─ ", rails + "│  "
}

// String draws the check: each record, its terms in order with what they were
// expanded to, the questions and answers, and the result. The term that decided
// has an arrow.
func (n *Node) String() string {
	if n == nil {
		return ""
	}
	d := &drawing{}
	d.line("", n.Domain+": "+string(n.Result))
	d.node(n, "")
	return d.b.String()
}

func (d *drawing) node(n *Node, rails string) {
	if n.Record != "" {
		d.line(rails, `"`+n.Record+`"`)
	} else {
		d.line(rails, n.Why)
	}
	for i := range n.Steps {
		s := &n.Steps[i]
		own, below := fork(rails, i == len(n.Steps)-1 && n.Explained == nil)
		d.line(own, s.heading())
		d.answers(s, below)
		if s.Child != nil {
			d.node(s.Child, below)
		}
	}
	if n.Explained != nil {
		own, below := fork(rails, true)
		d.line(own, n.Explained.heading())
		d.answers(n.Explained, below)
	}
}

func (s *Step) heading() string {
	text := s.Term
	if s.Expanded != "" && !strings.HasSuffix(s.Term, ":"+s.Expanded) && !strings.HasSuffix(s.Term, "="+s.Expanded) {
		text += " (" + s.Expanded + ")"
	}
	switch {
	case s.Child != nil:
		text += ": " + string(s.Child.Result)
	case s.Matched:
		text += ": match"
	}
	if s.Note != "" {
		text += " - " + s.Note
	}
	return text
}

func (d *drawing) answers(s *Step, rails string) {
	for _, a := range s.Answers {
		d.line(rails, "? "+a.String())
	}
}

// String draws the tree: each record with its terms, how many lookups each costs,
// and what it leads to.
func (t *Tree) String() string {
	d := &drawing{}
	head := fmt.Sprintf("%s: %d of %d lookups, %d of %d void", t.Domain, t.Lookups, MaxLookups, t.Voids, MaxVoids)
	if t.Root.Record == nil {
		head = t.Domain + ": no record"
	}
	d.line("", head)
	d.branch(t.Root, "", 0)
	return d.b.String()
}

func (d *drawing) branch(b *Branch, rails string, depth int) {
	if b.Problem != "" {
		d.line(rails, "! "+b.Problem)
	}
	if depth > maxWalkDepth {
		return
	}
	for i := range b.Twigs {
		t := &b.Twigs[i]
		own, below := fork(rails, i == len(b.Twigs)-1)
		d.line(own, t.heading())
		for _, a := range t.Answers {
			if a.Status != resolve.OK && (a.Type != resolve.AAAA || len(t.Networks) == 0) {
				d.line(below, "! "+a.String())
			}
		}
		if t.Child != nil && !t.Again {
			d.branch(t.Child, below, depth+1)
		}
	}
}

func (t *Twig) heading() string {
	text := t.Text
	if t.Target != "" && !strings.HasSuffix(t.Text, ":"+t.Target) && !strings.HasSuffix(t.Text, "="+t.Target) && t.Term.Value != "" {
		text += " (" + t.Target + ")"
	}
	if t.Lookups > 0 {
		text += fmt.Sprintf("  [%s]", count(t.Lookups, "lookup"))
	}
	if t.Term.Name == "a" || t.Term.Name == "mx" {
		for i, p := range t.Networks {
			if i == 4 {
				text += fmt.Sprintf(" … %d more", len(t.Networks)-i)
				break
			}
			text += " " + strings.TrimPrefix(strings.TrimPrefix(networkTerm(p), "ip4:"), "ip6:")
		}
	}
	if t.Again {
		text += " (as above)"
	}
	if t.Note != "" {
		text += " - " + t.Note
	}
	return text
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
