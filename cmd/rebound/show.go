package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/report"
)

// reportFlags choose the form of a report for people.
func reportFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "markdown", Usage: "write Markdown, for a ticket"},
		&cli.StringFlag{Name: "html", Usage: "write a page to `FILE`, - for standard output, beside the text; the second report of x.html goes to x-2.html"},
	}
}

// show writes a report in the form that the flags choose, and v where that is JSON. The
// title stands before a text, where it is not ""; mask is for -redact.
func (a *app) show(c *cli.Command, title string, doc *report.Document, v any, mask func(string) string) error {
	if c.Bool("json") && c.Bool("markdown") {
		return errors.New("-json and -markdown exclude each other")
	}
	w := io.Writer(a.out)
	if c.Bool("redact") {
		doc.Mask(mask)
		title, w = mask(title), redactor{a.out, mask}
	}
	if file := c.String("html"); file != "" {
		if err := a.writePage(file, doc); err != nil || file == "-" {
			return err
		}
	}
	if c.Bool("json") {
		return writeJSON(w, v)
	}
	var b strings.Builder
	if c.Bool("markdown") {
		if err := doc.Markdown(&b); err != nil {
			return err
		}
	} else {
		if title != "" {
			fmt.Fprintf(&b, "== %s\n", rebound.Plain(title))
		}
		o := report.Options{Width: width(), Color: isTerminal(a.out) && os.Getenv("NO_COLOR") == ""}
		if err := doc.Text(&b, o); err != nil {
			return err
		}
	}
	if a.shown++; a.shown > 1 {
		if _, err := io.WriteString(a.out, "\n"); err != nil {
			return err
		}
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

// writePage writes the report as a page: the first to file, the second to file-2.
func (a *app) writePage(file string, doc *report.Document) error {
	var b bytes.Buffer
	if err := doc.HTML(&b); err != nil {
		return err
	}
	if file == "-" {
		_, err := a.out.Write(b.Bytes())
		return err
	}
	if a.pages++; a.pages > 1 {
		ext := filepath.Ext(file)
		file = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(file, ext), a.pages, ext)
	}
	return plainError(os.WriteFile(file, b.Bytes(), 0o600))
}

// width is what the shell says of the terminal, at most 100 columns.
func width() int {
	n, err := strconv.Atoi(os.Getenv("COLUMNS"))
	if err != nil || n < 40 || n > 100 {
		return 100
	}
	return n
}
