package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/bounce/webhook"
)

func (a *app) bounceCommand() *cli.Command {
	return &cli.Command{
		Name: "bounce", Usage: "read bounces and say why each recipient was refused; asks no network", ArgsUsage: "FILE…",
		Description: "FILE is a message, several one behind the other, an mbox, a Maildir, or - for standard input. From the second message of a file on, its name is FILE#2 …\n\n   rebound bounce -json bounces.mbox\n   rebound bounce -reply '550 5.1.1 no such user'",
		Flags:       append(outputFlags(), &cli.StringFlag{Name: "reply", Usage: "read `TEXT`, an SMTP reply, in place of files"}, tableFlags()[0]),
		Action:      a.bounce,
	}
}

// bounceLine is a line of "rebound bounce -json": a report, or why there is none.
type bounceLine struct {
	File string `json:"file"`
	*bounce.Report
	Error string `json:"error,omitempty"`
}

func (a *app) bounce(_ context.Context, c *cli.Command) error {
	w := a.writer(c)
	wordings, err := rules(c)
	if err != nil {
		return err
	}
	a.rules = wordings
	if reply := c.String("reply"); reply != "" {
		if err := a.report(w, c, "", wordings.ParseReply(reply)); err != nil {
			return err
		}
		return a.finish(c)
	}
	if c.NArg() == 0 {
		return errors.New("bounce: no file given; - reads standard input")
	}
	err = a.messages(c.Args().Slice(), func(m message) error {
		if m.err != nil {
			a.complain(fmt.Errorf("%s: %w", m.name, m.err))
			if c.Bool("json") {
				return writeJSON(w, bounceLine{File: m.name, Report: &bounce.Report{Kind: bounce.OtherKind, Recipients: []bounce.Recipient{}}, Error: m.err.Error()})
			}
			return nil
		}
		reports, err := a.services(m)
		if err != nil {
			a.complain(fmt.Errorf("%s: %w", m.name, err))
			return nil
		}
		for i, report := range reports {
			if err := a.report(w, c, numbered(m.name, i+1), report); err != nil {
				return err
			}
		}
		if reports != nil {
			return nil
		}
		return a.report(w, c, m.name, wordings.ParseBytes(m.raw))
	})
	if err != nil {
		return err
	}
	return a.finish(c)
}

// services reads what a sending service posted, where that is what a file holds; nil where
// it is a mail.
func (a *app) services(m message) ([]*bounce.Report, error) {
	if head := bytes.TrimSpace(m.raw); len(head) == 0 || head[0] != '{' && head[0] != '[' {
		return nil, nil
	}
	reports, err := webhook.ParseWith(a.rules, m.raw)
	if err != nil {
		return nil, fmt.Errorf("it is JSON, and of no sending service that is known: %w", err)
	}
	if len(reports) == 0 {
		return nil, errors.New("it tells of no bounce, deferral, complaint or delivery")
	}
	return reports, nil
}

func (a *app) report(w io.Writer, c *cli.Command, name string, rep *bounce.Report) error {
	a.done++
	a.found = a.found || rep.Kind == bounce.Failure || rep.Kind == bounce.Delay || rep.Kind == bounce.Feedback
	if c.Bool("json") {
		if rep.Recipients == nil {
			rep.Recipients = []bounce.Recipient{}
		}
		return writeJSON(w, bounceLine{File: name, Report: rep})
	}
	var b strings.Builder
	title := string(rep.Kind)
	if name != "" {
		title = name + ": " + title
	}
	fmt.Fprintln(&b, rebound.Plain(title))
	for _, r := range rep.Recipients {
		describe(&b, r)
	}
	for _, o := range rep.Omitted {
		fmt.Fprintf(&b, "  not read: %s\n", o)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func describe(b *strings.Builder, r bounce.Recipient) {
	address := r.Address
	if address == "" {
		address = "(no address)"
	}
	fmt.Fprintf(b, "  %s: %s, %s, %s", rebound.Plain(address), r.Action, r.Reason, or(string(r.Permanence), "not told whether final"))
	if r.Suppress {
		b.WriteString("; suppress the address")
	}
	b.WriteByte('\n')
	if r.Reply.Text != "" {
		fmt.Fprintf(b, "    they say: %s\n", clip(rebound.Plain(r.Reply.Text)))
	}
	if r.Because.Says != "" {
		fmt.Fprintf(b, "    because:  %s [%s; %s]\n", rebound.Plain(r.Because.Says), r.Because.Rule, rebound.Plain(r.Because.Source))
	}
	for _, m := range r.Mentions {
		if m.Kind == bounce.MentionList {
			fmt.Fprintf(b, "    names:    %s %s\n", rebound.Plain(m.Value), rebound.Plain(m.Item))
		}
	}
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// maxClip bounds the quotation of a reply on a terminal; JSON holds it whole.
const maxClip = 300

func clip(s string) string {
	runes := []rune(s)
	if len(runes) <= maxClip {
		return s
	}
	return string(runes[:maxClip-1]) + "…"
}
