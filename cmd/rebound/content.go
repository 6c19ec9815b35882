package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/content"
	"github.com/rebound-mail/rebound/finding"
)

func (a *app) contentCommand() *cli.Command {
	return &cli.Command{
		Name: "content", Usage: "say what a spam filter would dislike in a mail, and where; asks no network", ArgsUsage: "FILE…",
		Description: "FILE is a raw message, an mbox, a Maildir, - for standard input, or a template whose name ends in .html. The score goes from 0 to 100; higher is worse.\n\n" +
			"   rebound content newsletter.eml\n" +
			"   rebound content -clean better.eml newsletter.eml\n" +
			"   rebound content -diff newsletter.eml better.eml\n" +
			"   rebound content -control control.eml newsletter.eml",
		Flags: append(outputFlags(),
			&cli.StringFlag{Name: "clean", Usage: "write the mail with the repairs that need no author to `FILE`, - for standard output"},
			&cli.StringFlag{Name: "control", Usage: "write a copy with a neutral text to `FILE`, - for standard output: it tells whether the text or the sender is refused"},
			&cli.StringFlag{Name: "diff", Usage: "compare with `OLD`, an earlier state of the mail or its report from -json"},
			&cli.BoolFlag{Name: "bulk", Usage: "the mail goes to many, though no field says so"},
			&cli.BoolFlag{Name: "all", Usage: "show what has no weight too"},
			&cli.StringFlag{Name: "weights", Usage: "use the table of weights in `FILE`"}),
		Action: a.content,
	}
}

// contentLine is a line of "rebound content -json".
type contentLine struct {
	File string `json:"file"`
	*content.Report
	Changes []content.Change `json:"changes,omitempty"`
	Diff    *content.Delta   `json:"diff,omitempty"`
}

// unreadLine stands for what could not be read: it has no score.
type unreadLine struct {
	File     string            `json:"file"`
	Score    *float64          `json:"score"`
	Verdict  string            `json:"verdict"`
	Findings []content.Finding `json:"findings"`
	Error    string            `json:"error"`
}

func (a *app) content(_ context.Context, c *cli.Command) error {
	if c.NArg() == 0 {
		return errors.New("content: no file given; - reads standard input")
	}
	out := c.String("clean")
	if out == "" {
		out = c.String("control")
	}
	if out != "" && isTemplate(c.Args().First()) {
		return errors.New("content: -clean and -control take a message, not a template")
	}
	if out != "" && (c.NArg() > 1 || c.String("clean") != "" && c.String("control") != "") {
		return errors.New("content: -clean and -control take one file, and exclude each other")
	}
	o, err := contentOptions(c)
	if err != nil {
		return err
	}
	var old *content.Report
	if file := c.String("diff"); file != "" {
		if old, err = readOld(file, o); err != nil {
			return err
		}
	}
	w := a.writer(c)
	err = a.mails(c.Args().Slice(), func(m message) error {
		if m.err != nil {
			a.complain(fmt.Errorf("%s: %w", m.name, m.err))
			if c.Bool("json") {
				return writeJSON(w, unreadLine{File: m.name, Verdict: "unknown", Findings: []content.Finding{}, Error: m.err.Error()})
			}
			return nil
		}
		return a.contentOne(w, c, m, o, old)
	})
	if err != nil {
		return err
	}
	return a.finish(c)
}

func contentOptions(c *cli.Command) (*content.Options, error) {
	o := &content.Options{}
	if c.Bool("bulk") {
		o.Bulk = content.Yes
	}
	if file := c.String("weights"); file != "" {
		var err error
		if o.Weights, err = fromFile(file, content.ParseWeights); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// readOld reads the first state of a mail: the mail, or its report.
func readOld(file string, o *content.Options) (*content.Report, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, plainError(err)
	}
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		var line contentLine
		if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&line); err != nil || line.Report == nil {
			return nil, fmt.Errorf("%s: no report of rebound content -json", file)
		}
		return line.Report, nil
	}
	return analyze(file, raw, o), nil
}

// mails is [app.messages] for what may be templates too, each a file of its own.
func (a *app) mails(names []string, yield func(message) error) error {
	for _, name := range names {
		if !isTemplate(name) {
			if err := a.messages([]string{name}, yield); err != nil {
				return err
			}
			continue
		}
		m := message{name: name}
		if m.raw, m.err = os.ReadFile(name); m.err != nil {
			m.err = errors.Unwrap(m.err)
		}
		if err := yield(m); err != nil {
			return err
		}
	}
	return nil
}

func isTemplate(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".html" || ext == ".htm"
}

// analyze reads a message, or a template by its name.
func analyze(name string, raw []byte, o *content.Options) *content.Report {
	if isTemplate(name) {
		return content.AnalyzeParts(nil, "", string(raw), o)
	}
	return content.AnalyzeBytes(raw, o)
}

func (a *app) contentOne(w io.Writer, c *cli.Command, m message, o *content.Options, old *content.Report) error {
	line := contentLine{File: m.name, Report: analyze(m.name, m.raw, o)}
	a.done++
	a.found = a.found || line.Verdict >= content.LevelRisky
	switch {
	case c.String("control") != "":
		raw, err := content.Control(bytes.NewReader(m.raw))
		if err != nil {
			return err
		}
		if done, err := a.writeMail(c.String("control"), raw); done || err != nil {
			return err
		}
	case c.String("clean") != "":
		cleaned, err := content.Clean(bytes.NewReader(m.raw), o)
		if err != nil {
			return err
		}
		if done, err := a.writeMail(c.String("clean"), cleaned.Message); done || err != nil {
			return err
		}
		delta := content.Diff(cleaned.Before, cleaned.After)
		line.Changes, line.Diff = cleaned.Changes, &delta
		line.Report = cleaned.After
	case old != nil:
		delta := content.Diff(old, line.Report)
		line.Diff = &delta
	}
	if c.Bool("json") {
		return writeJSON(w, line)
	}
	var b strings.Builder
	writeContent(&b, line, c.Bool("all"))
	_, err := io.WriteString(w, b.String())
	return err
}

// writeMail writes a mail to a file; on standard output nothing else is written.
func (a *app) writeMail(file string, raw []byte) (done bool, err error) {
	if file == "-" {
		_, err := a.out.Write(raw)
		return true, err
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return false, plainError(err)
	}
	return false, nil
}

// writeContent writes a report for people.
func writeContent(b *strings.Builder, line contentLine, all bool) {
	r := line.Report
	fmt.Fprintf(b, "%s: %.1f of 100, %s\n", rebound.Plain(line.File), r.Score, r.Verdict)
	for _, ch := range line.Changes {
		fmt.Fprintf(b, "  cleaned  %s: %s (%d)\n", rebound.Plain(ch.Part), rebound.Plain(ch.What), ch.Count)
	}
	if d := line.Diff; d != nil {
		fmt.Fprintf(b, "  score    %.1f before, %.1f now\n", d.Before, d.After)
		for _, part := range []struct {
			name string
			list []content.Finding
		}{{"fixed", d.Fixed}, {"left", d.Left}, {"new", d.New}} {
			for _, f := range part.list {
				if f.Weight > 0 || f.Severity > finding.Info || all {
					fmt.Fprintf(b, "  %-8s %s (%s)\n", part.name, rebound.Plain(f.Text), f.Code)
				}
			}
		}
	}
	quiet := 0
	for _, f := range r.Findings {
		if f.Weight <= 0 && f.Severity < finding.Warning && !all {
			quiet++
			continue
		}
		writeContentFinding(b, f)
	}
	if quiet > 0 {
		fmt.Fprintf(b, "\n  and %d without weight, of form and display; -all shows them\n", quiet)
	}
}

func writeContentFinding(b *strings.Builder, f content.Finding) {
	fmt.Fprintf(b, "\n  %s\n", rebound.Plain(f.Text))
	fmt.Fprintf(b, "    %s\n", basisText(f))
	for i, p := range f.Places {
		if i == 3 {
			fmt.Fprintf(b, "    and %d more\n", f.Count-i)
			break
		}
		writePlace(b, p)
	}
	fmt.Fprintf(b, "    -> %s\n", rebound.Plain(f.Advice))
	if f.Source != "" {
		fmt.Fprintf(b, "       %s\n", rebound.Plain(f.Source))
	}
}

// basisText says what a finding weighs, and on what that rests.
func basisText(f content.Finding) string {
	s := fmt.Sprintf("%s: no weight", f.Code)
	if f.Weight != 0 {
		s = fmt.Sprintf("%s: weight %.2f, %s", f.Code, f.Weight, f.Basis.How)
		if f.Gain > 0 {
			s += fmt.Sprintf("; mending it takes %.1f off the score", f.Gain)
		}
	}
	if f.Basis.N > 0 && f.Basis.Ham+f.Basis.Spam > 0 {
		s += fmt.Sprintf(" (in %.1f %% of good mail and %.1f %% of spam of 2002", 100*f.Basis.Ham, 100*f.Basis.Spam)
		if f.Basis.Phishing >= 0 {
			s += fmt.Sprintf(", %.1f %% of phishing and %.1f %% of newsletters of 2022-26", 100*f.Basis.Phishing, 100*f.Basis.Newsletters)
		}
		s += ")"
	}
	return s
}

// writePlace writes a line of the mail with a caret under the fault.
func writePlace(b *strings.Builder, p content.Place) {
	where := p.Part
	if p.Field != "" {
		where += ", " + p.Field
	}
	if p.Excerpt == "" {
		fmt.Fprintf(b, "    %s\n", rebound.Plain(where))
		return
	}
	fmt.Fprintf(b, "    %s, line %d, column %d\n", rebound.Plain(where), p.Line, p.Column)
	fmt.Fprintf(b, "      %s\n      %s%s\n", p.Excerpt, strings.Repeat(" ", utf8.RuneCountInString(p.Excerpt[:p.Start])),
		strings.Repeat("^", max(1, utf8.RuneCountInString(p.Excerpt[p.Start:p.End]))))
}
