// Package report renders a diagnosis for people. JSON is the diagnosis itself:
// encoding/json on *rebound.Diagnosis.
//
// The wording of a report is not stable; programs read the JSON.
package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/warmup"
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

// Text writes a diagnosis as text: the five lines of the headline, the causes
// with their evidence, the plan, and notes. Nothing from mail or DNS is written
// raw: control characters are taken out.
func Text(w io.Writer, d *rebound.Diagnosis, o Options) error {
	t := newText(o)
	t.headline(d.Headline)
	t.causes(d.Causes)
	t.plan(d.Plan)
	t.recipients(d)
	t.checks(d.Checks)
	t.notes(d.Notes)
	_, err := io.WriteString(w, t.b.String())
	return err
}

func newText(o Options) *text {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	return &text{width: max(o.Width, minWidth), color: o.Color}
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

func (t *text) headline(h rebound.Headline) {
	for _, line := range labels(h) {
		fmt.Fprintf(&t.b, "%s%s\n", t.paint(bold, fmt.Sprintf("%-10s", line.Label)), line.Text)
	}
}

func (t *text) section(title string) {
	fmt.Fprintf(&t.b, "\n%s\n", t.paint(bold, title))
}

// states are the words for how a cause compares with what is seen now.
var states = map[rebound.State]string{
	rebound.Confirmed: "seen now", rebound.Contradicted: "not seen now", rebound.Cleared: "gone now", rebound.NotAsked: "could not be checked",
	rebound.NotCheckable: "nobody but the receiver can check it", rebound.Unstated: "not stated by the receiver, and seen now",
}

func (t *text) causes(causes []rebound.Cause) {
	t.section("Why")
	for i, c := range causes {
		t.wrap(fmt.Sprintf("%d. ", i+1), "   ", fmt.Sprintf("%s (%s).", c.Summary, standing(c)))
		if c.Detail != "" {
			t.wrap("   ", "   ", c.Detail)
		}
		for _, e := range c.Evidence {
			t.wrap("   - "+evidenceLabel(e)+": ", "     ", quote(e))
		}
	}
}

func certainty(c rebound.Cause) string {
	if c.Certainty == bounce.Unsure || c.Certainty == "" {
		return "not certain"
	}
	return string(c.Certainty)
}

func evidenceLabel(e finding.Evidence) string {
	switch e.Kind {
	case finding.KindReply:
		return "they say"
	case finding.KindDNS:
		return "DNS"
	case finding.KindRule:
		return "rule"
	case finding.KindTable:
		return "catalogue"
	}
	return rebound.Plain(e.Kind)
}

func quote(e finding.Evidence) string {
	text := rebound.Plain(e.Text)
	// A page or an RFC can be looked up; other sources are in the JSON.
	if e.Kind == finding.KindRule && (strings.HasPrefix(e.Source, "http") || strings.HasPrefix(e.Source, "RFC ")) {
		text += " [" + e.Source + "]"
	}
	return text
}

func (t *text) plan(plan []rebound.Step) {
	if len(plan) == 0 {
		return
	}
	t.section("What to do, in this order")
	for i, s := range plan {
		t.wrap(fmt.Sprintf("%d. ", i+1), "   ", fmt.Sprintf("[%s] %s: %s", s.Phase, s.Who, s.What))
		for _, line := range stepLines(s) {
			t.wrap("   "+line.Label+": ", "   ", line.Text)
		}
	}
}

// maxScheduled bounds the days that are shown of a schedule.
const maxScheduled = 10

// days tells the volumes of a schedule.
func days(s *warmup.Schedule) string {
	var list []string
	for n, d := range s.All() {
		if n > maxScheduled {
			last := s.Days[len(s.Days)-1]
			list = append(list, fmt.Sprintf("… %s %d", last.Date, last.Total))
			break
		}
		list = append(list, fmt.Sprintf("%s %d", d.Date, d.Total))
	}
	return strings.Join(list, ", ")
}

// recipients lists them where there are several.
func (t *text) recipients(d *rebound.Diagnosis) {
	if len(d.Recipients) < 2 {
		return
	}
	t.section("Recipients")
	for i, r := range d.Recipients {
		if i == maxRecipients {
			t.wrap("   ", "   ", fmt.Sprintf("and %d more", len(d.Recipients)-i))
			return
		}
		t.wrap("   ", "     ", fmt.Sprintf("%s: %s, %s (%s; %s)", r.Address, r.Action, r.Reason, r.Permanence, kept(r.Suppress)))
	}
}

// maxRecipients bounds the list for people; JSON holds all.
const maxRecipients = 50

func (t *text) checks(checks []rebound.Check) {
	if len(checks) == 0 {
		return
	}
	t.section("What was checked")
	for _, c := range checks {
		t.wrap(fmt.Sprintf("   %-12s ", c.Name), "                ", outcomeWord(c.Outcome)+": "+c.Why)
	}
}

func outcomeWord(o finding.Outcome) string {
	switch o {
	case finding.Unknown:
		return "could not tell"
	case finding.NotApplicable:
		return "not asked"
	case finding.Broke:
		return "broke"
	}
	return o.String()
}

func (t *text) notes(notes []string) {
	if len(notes) == 0 {
		return
	}
	t.section("Notes")
	for _, n := range notes {
		t.wrap("   - ", "     ", n)
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
