package report

import (
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/warmup"
)

// A Document is a report before it has a form: the same parts, in the same order, become
// text, Markdown or a page.
type Document struct {
	title    string // "" is the first line at the top
	top      []line
	sections []section
	styles   []string // of the charts, for the policy of the page
}

// A line is a label and a text.
type line struct {
	Label, Text string
	Literal     bool // to be copied as it is
}

// A section holds a numbered list, or rows, or a drawing.
type section struct {
	Title    string
	Items    []item
	Rows     []line
	Drawing  string
	PageOnly bool // of use on a page alone, where it can be passed over
}

// An item is one of a numbered list.
type item struct {
	Tag, Who, Text, Soft, Detail string
	Todo                         bool
	Evidence, Lines              []line
	Chart                        template.HTML
}

// Mask lets a function change every text of the report, to hide what is nobody's business
// before the report has a form.
func (doc *Document) Mask(mask func(string) string) {
	lines := func(list []line) {
		for i := range list {
			list[i].Text, list[i].Label = mask(list[i].Text), mask(list[i].Label)
		}
	}
	doc.title = mask(doc.title)
	lines(doc.top)
	for i := range doc.sections {
		s := &doc.sections[i]
		s.Title, s.Drawing = mask(s.Title), mask(s.Drawing)
		lines(s.Rows)
		for j := range s.Items {
			it := &s.Items[j]
			it.Who, it.Text, it.Detail = mask(it.Who), mask(it.Text), mask(it.Detail)
			lines(it.Evidence)
			lines(it.Lines)
		}
	}
}

// heading is the title of the report where it has one.
func (doc *Document) heading() string {
	if doc.title == "" && len(doc.top) > 0 {
		return rebound.Plain(doc.top[0].Text)
	}
	return rebound.Plain(doc.title)
}

// Diagnosis is the report of a diagnosis: the headline, the causes with their evidence,
// the plan, what was checked, and notes.
func Diagnosis(d *rebound.Diagnosis) *Document {
	doc := &Document{top: headline(d.Headline)}
	var made time.Time
	if d.Asked != nil {
		made = d.Asked.At
	}
	doc.add(section{Title: "Why", Items: causes(d.Causes, made)})
	doc.add(section{Title: "What to do, in this order", Items: doc.plan(d.Plan)})
	if len(d.Recipients) > 1 {
		doc.add(section{Title: "Recipients", Rows: recipients(d.Recipients)})
	}
	doc.add(section{Title: "Listings", Rows: listings(d), PageOnly: true})
	if a := d.Authentication; a != nil && a.SPF != nil && a.SPF.Tree != nil {
		doc.add(section{Title: "SPF, as it is published", Drawing: a.SPF.Tree.String(), PageOnly: true})
	}
	var checks []line
	for _, c := range d.Checks {
		checks = append(checks, line{Label: c.Name, Text: outcomeWord(c.Outcome) + ": " + c.Why})
	}
	doc.add(section{Title: "What was checked", Rows: checks})
	doc.notes(d.Notes)
	return doc
}

// add adds a section that holds something.
func (doc *Document) add(s section) {
	if len(s.Items)+len(s.Rows) > 0 || s.Drawing != "" {
		doc.sections = append(doc.sections, s)
	}
}

func (doc *Document) notes(notes []string) {
	var rows []line
	for _, n := range notes {
		rows = append(rows, line{Text: n})
	}
	doc.add(section{Title: "Notes", Rows: rows})
}

func headline(h rebound.Headline) []line {
	return []line{{"Refused", h.Who, false}, {"Cause", h.Why, false}, {"They say", h.They, false}, {"Do first", h.Do, false}, {"Address", h.Keep, false}}
}

func causes(causes []rebound.Cause, made time.Time) []item {
	var list []item
	for _, c := range causes {
		it := item{Text: c.Summary, Soft: standing(c), Detail: c.Detail}
		for _, e := range c.Evidence {
			it.Evidence = append(it.Evidence, line{Label: evidenceLabel(e, made), Text: quote(e), Literal: true})
		}
		list = append(list, it)
	}
	return list
}

// states are the words for how a cause compares with what is seen now.
var states = map[rebound.State]string{
	rebound.Confirmed: "seen now", rebound.Contradicted: "not seen now", rebound.Cleared: "gone now", rebound.NotAsked: "could not be checked",
	rebound.NotCheckable: "nobody but the receiver can check it", rebound.Unstated: "not stated by the receiver, and seen now",
}

// standing says how certain a cause is, and how it compares with what is seen now.
func standing(c rebound.Cause) string {
	certainty := string(c.Certainty)
	if c.Certainty == bounce.Unsure || c.Certainty == "" {
		certainty = "not certain"
	}
	if c.State == rebound.NotCheckable && senders(c.Kind) {
		return certainty
	}
	return certainty + "; " + states[c.State]
}

// senders reports whether a cause is one of which the sender's side knows as much as the
// receiver, or of which there is nothing to check.
func senders(kind rebound.CauseKind) bool {
	switch kind {
	case rebound.NotYours, rebound.NotABounce, bounce.Vacation, bounce.Receipted, bounce.Challenged, bounce.Complaint, bounce.Suppressed, bounce.SenderQuota,
		bounce.Expired, bounce.Loop, bounce.RecipientSyntax, bounce.AuthRequired, bounce.AuthFailed, bounce.AccountSuspended, bounce.EAI, bounce.Network:
		return true
	}
	return false
}

// old is the age from which a piece of evidence tells it; a table has more time.
const (
	old      = 2 * time.Minute
	oldTable = 183 * 24 * time.Hour
)

// evidenceLabel says where a piece of evidence is from, and how old it is where that
// matters.
func evidenceLabel(e finding.Evidence, made time.Time) string {
	label, limit := rebound.Plain(e.Kind), old
	switch e.Kind {
	case finding.KindReply:
		label = "they say"
	case finding.KindDNS:
		label = "DNS"
	case finding.KindRule:
		label, limit = "rule", oldTable
	case finding.KindTable:
		label, limit = "catalogue", oldTable
	}
	if age := made.Sub(e.At); !made.IsZero() && !e.At.IsZero() && age >= limit {
		label += ", " + rebound.Duration(age).Text() + " old"
	}
	return label
}

func quote(e finding.Evidence) string {
	text := rebound.Plain(e.Text)
	// A page or an RFC can be looked up; other sources are in the JSON.
	if e.Kind == finding.KindRule && (strings.HasPrefix(e.Source, "http") || strings.HasPrefix(e.Source, "RFC ")) {
		text += " [" + e.Source + "]"
	}
	return text
}

func (doc *Document) plan(plan []rebound.Step) []item {
	var list []item
	for _, s := range plan {
		it := item{Tag: string(s.Phase) + after(s.After), Who: s.Who, Text: s.What, Todo: true, Lines: stepLines(s, "now")}
		if s.Schedule != nil && len(s.Schedule.Days) > 1 {
			if chart, style, err := chartOf(s.Schedule); err == nil { // it writes to memory
				it.Chart = chart
				doc.styles = append(doc.styles, style)
			}
		}
		list = append(list, it)
	}
	return list
}

// after names the steps that come first: ", after 1, 2 and 3".
func after(steps []int) string {
	switch len(steps) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(", after %d", steps[0])
	}
	text := ", after "
	for i, n := range steps[:len(steps)-1] {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(n)
	}
	return fmt.Sprintf("%s and %d", text, steps[len(steps)-1])
}

// stepLines are what stands beneath a step; when is the time of the record that it changes.
func stepLines(s rebound.Step, when string) []line {
	var list []line
	if s.Record != nil {
		list = append(list, line{"record", recordText(s.Record, when), true})
	}
	if s.Schedule != nil {
		list = append(list, line{"days", days(s.Schedule), false})
	}
	if s.URL != "" {
		list = append(list, line{"page", s.URL, true})
	}
	if s.Takes != "" {
		list = append(list, line{"takes", s.Takes, false})
	}
	if s.Verify != "" {
		list = append(list, line{"to see that it is done", s.Verify, false})
	}
	return list
}

func recordText(r *finding.Record, when string) string {
	name := strings.TrimSuffix(r.Name, ".") + ". " + r.Type
	switch {
	case r.Old != "" && r.New != "":
		return fmt.Sprintf("%s %s (%s: %s)", name, r.New, when, r.Old)
	case r.New != "":
		return name + " " + r.New
	case r.Old != "":
		return fmt.Sprintf("%s (%s: %s)", name, when, r.Old)
	}
	return name
}

// maxScheduled bounds the days that are shown of a schedule.
const maxScheduled = 10

// days tells the volumes of a schedule, by the number of the day: when the first is hangs
// on the steps before it.
func days(s *warmup.Schedule) string {
	var list []string
	for n, d := range s.All() {
		if n > maxScheduled {
			list = append(list, fmt.Sprintf("… day %d: %d", len(s.Days), s.Days[len(s.Days)-1].Total))
			break
		}
		list = append(list, fmt.Sprintf("day %d: %d", n, d.Total))
	}
	return strings.Join(list, ", ")
}

// maxRecipients bounds the list for people; JSON holds all.
const maxRecipients = 50

func recipients(list []bounce.Recipient) []line {
	var rows []line
	for i, r := range list {
		if i == maxRecipients {
			rows = append(rows, line{Text: fmt.Sprintf("and %d more", len(list)-i)})
			break
		}
		kept := "keep"
		if r.Suppress {
			kept = "suppress"
		}
		text := fmt.Sprintf("%s, %s (%s; %s)", r.Action, r.Reason, r.Permanence, kept)
		if r.Action != bounce.Failed && r.Action != bounce.Delayed {
			text = string(r.Action) // nothing was refused
		}
		rows = append(rows, line{Label: r.Address, Text: text})
	}
	return rows
}

func listings(d *rebound.Diagnosis) []line {
	var rows []line
	for _, list := range [][]dnsbl.Result{d.Listings, d.DomainListings} {
		for _, r := range list {
			if r.Status == dnsbl.Listed {
				rows = append(rows, line{Label: r.List.Name, Text: fmt.Sprintf("%s is listed (%s) %s", r.Target, r.List.Zone, r.Reason)})
			}
		}
	}
	return rows
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

// Text writes a diagnosis as text: [Document.Text] of [Diagnosis].
func Text(w io.Writer, d *rebound.Diagnosis, o Options) error { return Diagnosis(d).Text(w, o) }

// Markdown writes a diagnosis for a ticket: [Document.Markdown] of [Diagnosis].
func Markdown(w io.Writer, d *rebound.Diagnosis) error { return Diagnosis(d).Markdown(w) }

// HTML writes a diagnosis as one page: [Document.HTML] of [Diagnosis].
func HTML(w io.Writer, d *rebound.Diagnosis) error { return Diagnosis(d).HTML(w) }
