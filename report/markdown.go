package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/finding"
)

// Markdown writes a diagnosis for a ticket, in the Markdown of GitHub and its like:
// the parts of [Text], with records and replies as code. Nothing from mail or DNS is
// taken for markup.
func Markdown(w io.Writer, d *rebound.Diagnosis) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", escape(d.Headline.Who))
	for _, line := range labels(d.Headline)[1:] {
		fmt.Fprintf(&b, "- **%s:** %s\n", line.Label, escape(line.Text))
	}
	b.WriteString("\n## Why\n")
	for i, c := range d.Causes {
		fmt.Fprintf(&b, "\n%d. **%s** (%s)\n", i+1, escape(c.Summary), standing(c))
		if c.Detail != "" {
			fmt.Fprintf(&b, "\n   %s\n", escape(c.Detail))
		}
		if len(c.Evidence) > 0 {
			b.WriteByte('\n')
		}
		for _, e := range c.Evidence {
			fmt.Fprintf(&b, "   - %s: %s\n", escape(evidenceLabel(e)), code(quote(e)))
		}
	}
	if len(d.Plan) > 0 {
		b.WriteString("\n## What to do, in this order\n\n")
	}
	for i, s := range d.Plan {
		fmt.Fprintf(&b, "%d. [ ] **%s**, %s: %s\n", i+1, s.Phase, escape(s.Who), escape(s.What))
		for _, line := range stepLines(s) {
			text := escape(line.Text)
			if line.Literal {
				text = code(line.Text)
			}
			fmt.Fprintf(&b, "   - %s: %s\n", line.Label, text)
		}
	}
	if len(d.Recipients) > 1 {
		b.WriteString("\n## Recipients\n\n| address | what happened | why | address is |\n|---|---|---|---|\n")
		for i, r := range d.Recipients {
			if i == maxRecipients {
				fmt.Fprintf(&b, "\nand %d more\n", len(d.Recipients)-i)
				break
			}
			fmt.Fprintf(&b, "| %s | %s, %s | %s | %s |\n", escape(r.Address), r.Action, r.Permanence, r.Reason, kept(r.Suppress))
		}
	}
	if len(d.Checks) > 0 {
		b.WriteString("\n## What was checked\n\n| check | outcome | why |\n|---|---|---|\n")
		for _, c := range d.Checks {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", c.Name, outcomeWord(c.Outcome), escape(c.Why))
		}
	}
	if len(d.Notes) > 0 {
		b.WriteString("\n## Notes\n\n")
		for _, n := range d.Notes {
			fmt.Fprintf(&b, "- %s\n", escape(n))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// A labelled line of a report.
type line struct {
	Label, Text string
	Literal     bool // to be copied as it is
}

func labels(h rebound.Headline) []line {
	return []line{{"Refused", h.Who, false}, {"Cause", h.Why, false}, {"They say", h.They, false}, {"Do first", h.Do, false}, {"Address", h.Keep, false}}
}

// standing says how certain a cause is, and how it compares with what is seen now.
func standing(c rebound.Cause) string { return certainty(c) + "; " + states[c.State] }

// stepLines are what stands beneath a step.
func stepLines(s rebound.Step) []line {
	var list []line
	if s.Record != nil {
		list = append(list, line{"record", recordText(s.Record), true})
	}
	if s.Schedule != nil {
		list = append(list, line{"days", days(s.Schedule), false})
	}
	if s.URL != "" {
		list = append(list, line{"page", s.URL, true})
	}
	if s.Verify != "" {
		list = append(list, line{"to see that it is done", s.Verify, false})
	}
	return list
}

func recordText(r *finding.Record) string {
	name := strings.TrimSuffix(r.Name, ".") + ". " + r.Type
	switch {
	case r.Old != "" && r.New != "":
		return fmt.Sprintf("%s %s (now: %s)", name, r.New, r.Old)
	case r.New != "":
		return name + " " + r.New
	case r.Old != "":
		return name + " (now: " + r.Old + ")"
	}
	return name
}

func kept(suppress bool) string {
	if suppress {
		return "suppress"
	}
	return "keep"
}

var markup = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
	"#", `\#`, "|", `\|`, "!", `\!`, "~", `\~`, "@", "&#64;", "://", ":\\//", "www.", `www\.`,
)

// escape keeps text from being markup, a link or a mention.
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
