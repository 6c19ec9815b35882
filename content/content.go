// Package content says what a spam filter would dislike in a mail, where it is, and
// what to write in its place.
//
//	report, err := content.Analyze(file, nil)
//	if err != nil {
//		return err // the file could not be read
//	}
//	fmt.Println(report.Score, report.Verdict)
//	for _, f := range report.Findings {
//		fmt.Println(f.Code, f.Weight, f.Advice, f.Places)
//	}
//
// [Analyze] takes a raw message, [AnalyzeParts] a template that is not one yet. The
// score goes from 0 to 100; higher is worse. It is a sum of weights, each of which was
// measured on labelled mail and stands in an embedded table with the rates that it rests
// on ([Basis]). What the measurements show to tell nothing, such as the word "free" or a
// tracking pixel, has no weight; findings without weight tell what a mail program would
// do with the mail. The score is not a probability: receivers judge the sender first,
// and its standing is not in the text.
//
// [Clean] makes the repairs that need no author, [Diff] compares two reports, and
// [Control] writes the copy of a mail with which one tells whether its text is at fault.
//
// What a receiver adds to a mail (Received, X-Spam-Status, the footer of a mailing list)
// never counts. The package is pure: it asks no network and no clock. Input is taken as
// hostile: time is linear in its size, parts, depth and text are bounded, and the finding
// content.size-unread says what lies beyond. A message that breaks the rules is no
// error; the breach is a finding.
package content

import (
	"errors"
	"io"
	"maps"
	"math"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/finding"
)

var errUnknownEncoding = errors.New("content: unknown transfer encoding")

// Options say what the mail does not. The zero value and nil are good.
type Options struct {
	// Bulk says whether the mail goes to many; Unstated takes it from the mail
	// (List-Unsubscribe, List-Id, Precedence, Feedback-ID).
	Bulk Tri
	// Now is the time against which the Date field is judged; the zero time leaves
	// that out.
	Now time.Time
	// Weights replace those that come with the package; see [ParseWeights].
	Weights *Weights
}

// A Tri is yes, no, or not stated.
type Tri uint8

const (
	Unstated Tri = iota
	Yes
	No
)

// A Level sums up a score.
type Level uint8

// The levels begin at the scores of [Thresholds], which states what share of good and
// bad mail reaches each.
const (
	LevelClean Level = iota
	LevelMinor
	LevelRisky
	LevelSevere
)

var levels = [...]string{"clean", "minor", "risky", "severe"}

// String returns the level as it stands in JSON.
func (l Level) String() string {
	if int(l) < len(levels) {
		return levels[l]
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler].
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (l *Level) UnmarshalText(b []byte) error {
	i := slices.Index(levels[:], string(b))
	if i < 0 {
		return errors.New("content: unknown level " + string(b))
	}
	*l = Level(i)
	return nil
}

// A Report is what was found in one mail, the heaviest finding first.
type Report struct {
	Score    float64   `json:"score"` // 0 to 100, one decimal place
	Verdict  Level     `json:"verdict"`
	Findings []Finding `json:"findings"`
	Stats    Stats     `json:"stats"`
	// LinkDomains are the registrable domains that the mail leads to, in order: those
	// that a receiver looks up in domain lists. At most 20.
	LinkDomains []string `json:"link_domains,omitempty"`
	// Weights is the version of the table of weights.
	Weights string `json:"weights"`
}

// Stats are figures of the mail.
type Stats struct {
	Bytes  int `json:"bytes"`
	Parts  int `json:"parts"`
	HTML   int `json:"html"` // octets of HTML
	Words  int `json:"words"`
	Links  int `json:"links"`
	Images int `json:"images"`
}

// A Finding is one thing that is wrong, or worth knowing.
type Finding struct {
	Code     string           `json:"code"`
	Severity finding.Severity `json:"severity"`
	// Weight is in logits: 0.7 doubles the odds that a filter takes the mail for
	// spam. Zero is a matter of form or of display; what speaks for the mail is below
	// zero.
	Weight float64 `json:"weight"`
	// Gain is by how much the score falls once this alone is mended.
	Gain   float64 `json:"gain"`
	Text   string  `json:"text"`   // the fact, in one sentence
	Advice string  `json:"advice"` // what to do, in one sentence
	Places []Place `json:"places,omitempty"`
	// Count is how often the fault is in the mail; Places holds the first five.
	Count  int    `json:"count"`
	Basis  Basis  `json:"basis"`
	Source string `json:"source,omitempty"` // the RFC section or page, where a rule is broken
}

// A Place is where in the mail a fault is.
type Place struct {
	// Part is "header", or the number of the part and its type: "1.2 text/html".
	Part  string `json:"part"`
	Field string `json:"field,omitempty"`
	// Line and Column count from 1: lines of the message for a field, else of the part's
	// own text, as its author wrote it; columns in characters.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Excerpt is the text around the fault, at most 120 characters, with control
	// characters replaced; Start and End delimit the fault in it, in bytes.
	Excerpt string `json:"excerpt"`
	Start   int    `json:"start"`
	End     int    `json:"end"`
}

// maxPlaces bounds the places of a finding that are reported.
const maxPlaces = 5

// Analyze reads a raw message (RFC 5322) and reports on it. The error is that of r; a
// message that is broken, cut off or empty gives a report.
func Analyze(r io.Reader, o *Options) (*Report, error) {
	raw, err := readAll(r)
	if err != nil {
		return nil, err
	}
	return AnalyzeBytes(raw, o), nil
}

// AnalyzeBytes is [Analyze] of a message that is in memory; it keeps no part of raw.
func AnalyzeBytes(raw []byte, o *Options) *Report {
	if o == nil {
		o = &Options{}
	}
	return readTexts(raw, *o).report()
}

// readTexts reads a message, and all that the checks and the repairs ask of its texts.
func readTexts(raw []byte, o Options) *letter {
	m := readMessage(raw, o)
	for _, p := range m.parts {
		if p.isText() {
			p.decode(m.raw)
		}
	}
	m.survey()
	return m
}

// AnalyzeParts reports on a template: the fields that its author sets, its text and its
// HTML, either of which may be empty. What the sending program adds (Date, Message-ID,
// MIME-Version, the encoding) is not looked at.
func AnalyzeParts(h netmail.Header, text, html string, o *Options) *Report {
	if o == nil {
		o = &Options{}
	}
	m := &letter{opts: *o, badLine: -1, template: true}
	m.root = &part{id: "1", media: "text/plain"}
	var raw strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			raw.WriteString(name + ": " + lineBreaks.Replace(value) + "\r\n")
		}
	}
	m.raw = []byte(raw.String())
	m.header(m.root, 0, len(m.raw))
	m.root.headerAt, m.root.start, m.root.end = 0, len(m.raw), len(m.raw)
	m.parts = []*part{m.root}
	add := func(media, s string) {
		p := &part{id: "1", media: media, alone: true, parent: m.root}
		if len(s) > maxText {
			s, p.cut = s[:maxText], true
		}
		p.params = map[string]string{"charset": "utf-8"}
		p.octets = len(s)
		p.text = p.unicode([]byte(s))
		m.root.children = append(m.root.children, p)
		m.parts = append(m.parts, p)
	}
	if text != "" {
		add("text/plain", text)
	}
	if html != "" {
		add("text/html", html)
	}
	if len(m.root.children) > 0 {
		m.root.media = "multipart/alternative"
	}
	m.survey()
	return m.report()
}

// survey looks at each text once and gathers what the checks ask for.
func (m *letter) survey() {
	m.subject = m.decoded("subject")
	m.from, m.replyTo = m.address("from"), m.address("reply-to")
	m.title = readWords([]byte(m.subject.s[:min(len(m.subject.s), maxSubject)]), false, noPhrases, false)
	m.bulk = m.opts.Bulk == Yes || m.opts.Bulk == Unstated && m.looksBulk()
	t := defaultPhrases()
	for _, p := range m.parts {
		switch {
		case !p.isText() || p.text == nil:
			continue
		case p.media == "text/html":
			p.page = readPage(p)
			p.words = readWords(p.page.visible, false, t, p.inside("multipart/alternative"))
			for i := range p.page.links {
				l := &p.page.links[i]
				l.url = m.target(l.href)
			}
			if m.links == nil {
				m.links = p.page.links
			} else {
				m.links = append(m.links, p.page.links...)
			}
		default:
			p.words = readWords(p.text, true, t, p.inside("multipart/alternative"))
			m.textLinks(p, p.text[:min(len(p.text), maxVisible)])
		}
	}
}

// target is [parseTarget], which knows the host of the link before: most links of a mail
// lead to one.
func (m *letter) target(href string) target {
	t := parseTarget(href, m.lastHost, m.lastOrg)
	if t.org != "" {
		m.lastHost, m.lastOrg = t.host, t.org
	}
	return t
}

// looksBulk reports whether fields of the mail say that it goes to many. RFC 2369, RFC
// 2919; Feedback-ID is Google's (https://support.google.com/mail/answer/6254652).
func (m *letter) looksBulk() bool {
	for _, name := range []string{"list-unsubscribe", "list-id", "feedback-id", "list-unsubscribe-post"} {
		if m.root.field(name) != nil {
			return true
		}
	}
	f := m.root.field("precedence")
	return f != nil && (strings.EqualFold(f.unfolded(), "bulk") || strings.EqualFold(f.unfolded(), "list"))
}

// texts returns the text parts that were read.
func (m *letter) texts(media string) []*part {
	var list []*part
	for _, p := range m.parts {
		if p.text != nil && p.isText() && p.media == media {
			list = append(list, p)
		}
	}
	return list
}

// report runs the checks over a letter that was surveyed.
func (m *letter) report() *Report {
	w := m.opts.Weights
	if w == nil {
		w = DefaultWeights()
	}
	out := &Report{Weights: w.Version, Findings: make([]Finding, 0, 16)}
	for i := range checks {
		c := &checks[i]
		m.untold = 0
		places := c.run(m)
		if len(places) == 0 {
			continue
		}
		if row := w.rows[c.code]; row.weight != 0 || !strings.HasPrefix(c.code, "content.phrases-") { // words that good mail has as well are not worth telling
			out.Findings = append(out.Findings, Finding{
				Code: c.code, Severity: c.severity, Text: c.text, Advice: c.advice, Source: c.source,
				Count: len(places) + m.untold, Places: places[:min(len(places), maxPlaces)],
				Weight: row.weight, Basis: row.basis,
			})
		}
	}
	m.markLanguages(out.Findings)
	sum := w.sum(out.Findings, -1)
	out.Score = scoreOf(sum)
	for i := range out.Findings {
		f := &out.Findings[i]
		f.Gain = round(out.Score - scoreOf(w.sum(out.Findings, i)))
	}
	slices.SortStableFunc(out.Findings, func(a, b Finding) int {
		if a.Weight != b.Weight {
			if a.Weight > b.Weight {
				return -1
			}
			return 1
		}
		return int(b.Severity) - int(a.Severity)
	})
	out.Verdict = levelOf(out.Score)
	out.Stats = m.stats()
	out.LinkDomains = m.linkDomains()
	return out
}

// markLanguages says of the families of phrases whether what was found is in a language
// to which no weight was fitted.
func (m *letter) markLanguages(list []Finding) {
	for i := range list {
		f := &list[i]
		name, ok := strings.CutPrefix(f.Code, "content.phrases-")
		if !ok {
			continue
		}
		languages := m.phrases()[name].languages
		if len(languages) == 1 && languages[0] == "en" {
			continue
		}
		others := slices.DeleteFunc(slices.Sorted(slices.Values(languages)), func(l string) bool { return l == "en" })
		if len(others) == 0 {
			continue
		}
		f.Basis.Note = strings.TrimSpace(f.Basis.Note + " The phrases in " + strings.Join(others, ", ") + " are not fitted.")
		if len(others) == len(languages) && f.Weight > 0 {
			f.Basis.How = "judgement"
		}
	}
}

func (m *letter) stats() Stats {
	s := Stats{Bytes: len(m.raw), Parts: len(m.parts), Links: len(m.links)}
	for _, p := range m.parts {
		if p.page != nil {
			s.HTML += len(p.text)
			s.Images += len(p.page.images)
		}
		if p.words != nil {
			s.Words = max(s.Words, p.words.count)
		}
	}
	return s
}

// maxDomains bounds Report.LinkDomains.
const maxDomains = 20

func (m *letter) linkDomains() []string {
	var list []string
	for _, l := range m.links {
		if org := l.url.org; strings.Contains(org, ".") && len(list) < maxDomains && !slices.Contains(list, org) {
			list = append(list, org)
		}
	}
	return list
}

// maxPhrases caps what all families of phrases weigh together, in logits: words alone
// never make a mail Severe.
const maxPhrases = 3

// sum adds the weights of findings but the one at index without.
func (w *Weights) sum(list []Finding, without int) float64 {
	sum, phrases := w.Bias, 0.0
	for i, f := range list {
		switch {
		case i == without:
		case strings.HasPrefix(f.Code, "content.phrases-"):
			phrases += f.Weight
		default:
			sum += f.Weight
		}
	}
	return sum + min(phrases, maxPhrases)
}

// The score is a logistic curve over the sum: 50 where mail begins to be Risky, and a
// slope that tells mails far from there from each other.
const (
	centre = 1.8
	slope  = 1.25
)

func scoreOf(sum float64) float64 {
	return round(100 / (1 + math.Exp((centre-sum)/slope)))
}

func round(x float64) float64 { return math.Round(x*10) / 10 }
