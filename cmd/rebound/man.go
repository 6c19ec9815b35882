package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound/report"
)

func (a *app) manCommand() *cli.Command {
	return &cli.Command{
		Name: "man", Usage: "write the manual page", Description: "   rebound man > rebound.1\n   man ./rebound.1",
		Action: func(_ context.Context, c *cli.Command) error {
			_, err := io.WriteString(a.out, manual(c.Root()))
			return err
		},
	}
}

func (a *app) schemaCommand() *cli.Command {
	return &cli.Command{
		Name: "schema", Usage: "write the JSON Schema of diagnose -json, and of recheck and triage", Description: "Those of recheck and triage are $defs/rebound.Rechecked and $defs/rebound.Triaged in it.\n\n   rebound schema > rebound.schema.json",
		Action: func(context.Context, *cli.Command) error {
			_, err := a.out.Write(report.Schema())
			return err
		},
	}
}

// manual is the manual page, from what -h shows. The generator that belongs to the library
// leaves out descriptions, examples and exit statuses.
func manual(root *cli.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH REBOUND 1\n.SH NAME\nrebound \\- %s\n.SH SYNOPSIS\n", roff(root.Usage))
	commands := visible(root.Commands)
	for _, c := range commands {
		fmt.Fprintf(&b, ".B rebound %s\n[options] %s\n.br\n", c.Name, roff(c.ArgsUsage))
	}
	b.WriteString(".SH COMMANDS\n")
	for _, c := range commands {
		manualOf(&b, "rebound "+c.Name, c)
		for _, sub := range visible(c.Commands) {
			manualOf(&b, "rebound "+c.Name+" "+sub.Name, sub)
		}
	}
	b.WriteString(`.SH EXIT STATUS
.TP
0
The job was done.
.TP
1
Something was found; only with \-exit\-code.
.TP
2
Nothing at all could be said; one line on standard error says why.
.SH ENVIRONMENT
.TP
NO_COLOR
Any value keeps colour out of reports on a terminal.
.TP
COLUMNS
The width of reports, from 40 to 100; 100 where it is not set.
`)
	return b.String()
}

func visible(list []*cli.Command) []*cli.Command {
	return slices.DeleteFunc(slices.Clone(list), func(c *cli.Command) bool { return c.Hidden || c.Name == "help" || c.Name == "completion" })
}

func manualOf(b *strings.Builder, name string, c *cli.Command) {
	fmt.Fprintf(b, ".SS %s\n%s.\n", roff(name), roff(capital(c.Usage)))
	example := false
	for line := range strings.Lines(c.Description) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "   ")
		switch {
		case indented && !example:
			b.WriteString(".PP\n.EX\n")
		case !indented && example:
			b.WriteString(".EE\n")
		case line == "":
			b.WriteString(".PP\n")
		}
		if example = indented; line != "" {
			b.WriteString(roff(line) + "\n")
		}
	}
	if example {
		b.WriteString(".EE\n")
	}
	for _, f := range c.Flags {
		names := f.Names()
		if names[0] == "help" {
			continue
		}
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		usage, value := doc.GetUsage(), ""
		if _, rest, ok := strings.Cut(usage, "`"); ok {
			value, _, _ = strings.Cut(rest, "`")
			value = " " + value
		}
		fmt.Fprintf(b, ".TP\n.B %s%s\n%s\n", roff("-"+names[0]), roff(value), roff(capital(strings.ReplaceAll(usage, "`", ""))+"."))
	}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// roff writes text so that roff takes nothing of it for a request.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
