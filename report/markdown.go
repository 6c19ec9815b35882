package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/rebound-mail/rebound"
)

// Markdown writes the report for a ticket, in the Markdown of GitHub and its like, with
// records and replies as code. Nothing from mail or DNS is taken for markup.
func (doc *Document) Markdown(w io.Writer) error {
	var b strings.Builder
	for i, l := range doc.top {
		if i == 0 {
			fmt.Fprintf(&b, "# %s\n\n", escape(doc.heading()))
			continue
		}
		fmt.Fprintf(&b, "- **%s:** %s\n", l.Label, escape(l.Text))
	}
	for _, s := range doc.sections {
		if !s.PageOnly {
			s.markdown(&b)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s section) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n", s.Title)
	for i, it := range s.Items {
		it.markdown(b, i+1)
	}
	table := false
	for _, r := range s.Rows {
		switch {
		case r.Label == "":
			if table {
				b.WriteByte('\n')
			}
			fmt.Fprintf(b, "- %s\n", escape(r.Text))
		case !table:
			table = true
			fmt.Fprint(b, "| | |\n|---|---|\n")
			fallthrough
		default:
			fmt.Fprintf(b, "| %s | %s |\n", escape(r.Label), escape(r.Text))
		}
	}
}

func (it item) markdown(b *strings.Builder, n int) {
	fmt.Fprintf(b, "%d. ", n)
	switch {
	case it.Todo:
		fmt.Fprintf(b, "[ ] **%s**, %s: %s\n", it.Tag, escape(it.Who), escape(it.Text))
	case it.Tag != "":
		fmt.Fprintf(b, "**%s**: %s\n", it.Tag, escape(it.Text))
	default:
		fmt.Fprintf(b, "**%s**", escape(it.Text))
		if it.Soft != "" {
			fmt.Fprintf(b, " (%s)", it.Soft)
		}
		b.WriteByte('\n')
	}
	if it.Detail != "" {
		fmt.Fprintf(b, "\n   %s\n", escape(it.Detail))
		if len(it.Evidence)+len(it.Lines) > 0 {
			b.WriteByte('\n')
		}
	}
	for _, list := range [][]line{it.Evidence, it.Lines} {
		for _, l := range list {
			text := escape(l.Text)
			if l.Literal {
				text = code(l.Text)
			}
			fmt.Fprintf(b, "   - %s: %s\n", escape(l.Label), text)
		}
	}
}

var markup = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
	"#", `\#`, "|", `\|`, "!", `\!`, "~", `\~`, "@", "&#64;", "://", ":\\//", "www.", `www\.`, "mailto:", "mailto:<!-- -->", "xmpp:", "xmpp:<!-- -->",
)

// escape keeps text from being markup, a link or a mention; an address alone may become a
// link to write to it.
func escape(s string) string {
	s = markup.Replace(rebound.Plain(s))
	if s != "" && strings.ContainsRune("-+=", rune(s[0])) { // a list or a heading
		s = `\` + s
	}
	return s
}

// code is text as code, within as many backquotes as it needs.
func code(s string) string {
	s = rebound.Plain(s)
	if s == "" {
		return ""
	}
	longest, run := 0, 0
	for _, c := range s {
		if c != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if longest > 0 {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}
