// Package report renders for people what package rebound finds out: a diagnosis, what has
// become of one, and what many bounces come to, each as text for a terminal, as Markdown
// for a ticket, and as one page that needs nothing else.
//
//	report.Text(os.Stdout, d, report.Options{Width: 100})
//	report.Triage(t).HTML(file)
//
// JSON is the value itself: encoding/json on *rebound.Diagnosis; [Schema] describes it.
// The wording of a report is not stable; programs read the JSON.
package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/rebound-mail/rebound"
)

// Options say how a text report looks. The zero value is plain text of 80
// columns.
type Options struct {
	Width int  // columns; 0 is 80, and less than 40 is 40
	Color bool // emphasis by ANSI escapes
}

const (
	defaultWidth = 80
	minWidth     = 40
)

// Text writes the report as text. Nothing from mail or DNS is written raw: control
// characters are taken out. The lines at the top are not wrapped; a word that is longer
// than a line stays whole.
func (doc *Document) Text(w io.Writer, o Options) error {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	t := &text{width: max(o.Width, minWidth), color: o.Color}
	label := 0
	for _, l := range doc.top {
		label = max(label, len(l.Label)+2)
	}
	for _, l := range doc.top {
		fmt.Fprintf(&t.b, "%s%s\n", t.paint(bold, fmt.Sprintf("%-*s", label, l.Label)), rebound.Plain(l.Text))
	}
	for _, s := range doc.sections {
		if !s.PageOnly {
			t.section(s)
		}
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

type text struct {
	b     strings.Builder
	width int
	color bool
}

const (
	bold  = "\x1b[1m"
	reset = "\x1b[0m"
)

func (t *text) paint(style, s string) string {
	if !t.color {
		return s
	}
	return style + s + reset
}

// labelWidth is that of the labels of rows, as far as they fit.
const labelWidth = 12

func (t *text) section(s section) {
	fmt.Fprintf(&t.b, "\n%s\n", t.paint(bold, s.Title))
	for i, it := range s.Items {
		t.item(i+1, it)
	}
	columns := true
	for _, r := range s.Rows {
		columns = columns && r.Label != "" && len(r.Label) <= labelWidth
	}
	for _, r := range s.Rows {
		switch {
		case columns:
			t.wrap(fmt.Sprintf("   %-*s ", labelWidth, rebound.Plain(r.Label)), strings.Repeat(" ", labelWidth+4), r.Text)
		case r.Label != "":
			t.wrap("   ", "     ", r.Label+": "+r.Text)
		default:
			t.wrap("   - ", "     ", r.Text)
		}
	}
}

func (t *text) item(n int, it item) {
	line := it.Text
	if it.Who != "" {
		line = it.Who + ": " + line
	}
	if it.Tag != "" {
		line = "[" + it.Tag + "] " + line
	}
	if it.Soft != "" {
		line += " (" + it.Soft + ")."
	}
	t.wrap(fmt.Sprintf("%d. ", n), "   ", line)
	if it.Detail != "" {
		t.wrap("   ", "   ", it.Detail)
	}
	for _, e := range it.Evidence {
		t.wrap("   - "+e.Label+": ", "     ", e.Text)
	}
	for _, l := range it.Lines {
		t.wrap("   "+l.Label+": ", "   ", l.Text)
	}
}

// wrap writes a paragraph: first stands before its first line, rest before the
// others. A word longer than a line stands alone: URLs and records stay whole.
func (t *text) wrap(first, rest, s string) {
	column := utf8.RuneCountInString(first)
	t.b.WriteString(first)
	empty := true
	for word := range strings.FieldsSeq(rebound.Plain(s)) {
		n := utf8.RuneCountInString(word)
		if !empty && column+1+n > t.width {
			t.b.WriteString("\n" + rest)
			column, empty = utf8.RuneCountInString(rest), true
		}
		if !empty {
			t.b.WriteByte(' ')
			column++
		}
		t.b.WriteString(word)
		column, empty = column+n, false
	}
	t.b.WriteByte('\n')
}
