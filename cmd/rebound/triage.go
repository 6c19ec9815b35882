package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/bounce/webhook"
	"github.com/rebound-mail/rebound/report"
)

func (a *app) triageCommand() *cli.Command {
	return &cli.Command{
		Name: "triage", Usage: "put many bounces with one root together, and diagnose each root once", ArgsUsage: "FILE…",
		Description: "FILE is an mbox, a Maildir, a folder of messages and of folders, what \"rebound bounce -json\" wrote, what a sending service posted, a log of Postfix, or - for standard input.\n\n" +
			"   rebound triage bounces.mbox\n" +
			"   rebound triage -suppress gone.txt /var/log/mail.log",
		Flags: append(slices.Concat(outputFlags(), reportFlags(), dnsFlags(), tableFlags()),
			&cli.IntFlag{Name: "groups", Usage: "diagnose the `N` worst groups", Value: 50},
			&cli.StringFlag{Name: "suppress", Usage: "write the addresses not to mail again to `FILE`, one a line"},
			&cli.StringFlag{Name: "now", Usage: "take `TIME` for the present"}),
		Action: a.triage,
	}
}

func (a *app) triage(ctx context.Context, c *cli.Command) error {
	if c.NArg() == 0 {
		return errors.New("triage: no file given; - reads standard input")
	}
	d, source, err := a.diagnoser(c, a.resolver)
	if err != nil {
		return err
	}
	o := rebound.TriageOptions{Diagnose: c.Int("groups"), Progress: a.triageProgress()}
	if o.Diagnose <= 0 {
		o.Diagnose = -1
	}
	a.rules = d.Rules
	var failed error
	out := d.Triage(ctx, func(yield func(rebound.Item) bool) {
		failed = a.items(c.Args().Slice(), yield)
	}, o)
	if failed != nil && !errors.Is(failed, errStop) {
		return failed
	}
	if more := a.unread - maxUnread; more > 0 {
		a.complain(fmt.Errorf("%d more could not be read", more))
	}
	a.done, a.found = out.Total, len(out.Groups) > 0
	if file := c.String("suppress"); file != "" {
		text := strings.Join(out.Suppress, "\n")
		if text != "" {
			text += "\n"
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return plainError(err)
		}
	}
	if err := errors.Join(a.show(c, "", report.Triage(out), out, redactPeople(diagnoses(out)...)), source.close()); err != nil {
		return err
	}
	return a.finish(c)
}

// triageProgress tells of progress on a terminal.
func (a *app) triageProgress() func(read, diagnosed, of int) {
	if !isTerminal(a.err) {
		return nil
	}
	return func(read, diagnosed, of int) {
		fmt.Fprintf(a.err, "\r\033[K%d read", read)
		if of > 0 {
			fmt.Fprintf(a.err, ", %d of %d groups diagnosed", diagnosed, of)
		}
		if of > 0 && diagnosed == of {
			fmt.Fprint(a.err, "\r\033[K")
		}
	}
}

// maxUnread is how many inputs that cannot be read are told one by one.
const maxUnread = 10

func (a *app) cannotRead(name string, err error) {
	if a.unread++; a.unread <= maxUnread {
		a.complain(fmt.Errorf("%s: %w", name, err))
	}
}

// errStop ends the reading when nobody takes any more.
var errStop = errors.New("stopped")

// items yields the bounces of the named inputs; what cannot be read is told and passed over.
func (a *app) items(names []string, yield func(rebound.Item) bool) error {
	for _, name := range names {
		if err := a.itemsOf(name, yield); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) itemsOf(name string, yield func(rebound.Item) bool) error {
	if info, err := os.Stat(name); err == nil && info.IsDir() && !isMaildir(name) {
		entries, err := os.ReadDir(name)
		if err != nil {
			a.cannotRead(name, errors.Unwrap(err))
			return nil
		}
		for _, e := range entries {
			if (e.Type().IsRegular() || e.IsDir()) && !strings.HasPrefix(e.Name(), ".") {
				if err := a.itemsOf(filepath.Join(name, e.Name()), yield); err != nil {
					return err
				}
			}
		}
		return nil
	} else if err == nil && info.IsDir() {
		return a.mailItems(name, yield)
	}
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			a.cannotRead(name, errors.Unwrap(err))
			return nil
		}
		defer f.Close()
		in = f
	}
	r := bufio.NewReaderSize(in, 64<<10)
	head, _ := r.Peek(4 << 10)
	switch {
	case bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) && bytes.Contains(head, []byte(`"recipients":`)) && bytes.Contains(head, []byte(`"kind":`)):
		return a.reportItems(name, r, yield)
	case bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")), bytes.HasPrefix(bytes.TrimSpace(head), []byte("[")):
		return a.serviceItems(name, r, yield)
	case postfixLine.Match(head):
		return a.logItems(name, r, yield)
	}
	return readStream(name, r, func(m message) error { return a.mailItem(m, yield) })
}

func isMaildir(dir string) bool {
	for _, sub := range []string{"new", "cur"} {
		if _, err := os.Stat(filepath.Join(dir, sub)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

func (a *app) mailItems(name string, yield func(rebound.Item) bool) error {
	return a.messages([]string{name}, func(m message) error { return a.mailItem(m, yield) })
}

func (a *app) mailItem(m message, yield func(rebound.Item) bool) error {
	if m.err != nil {
		a.cannotRead(m.name, m.err)
		return nil
	}
	if !yield(rebound.Item{Name: m.name, Case: rebound.Case{Bounce: m.raw}}) {
		return errStop
	}
	return nil
}

// serviceItems reads what a sending service posted.
func (a *app) serviceItems(name string, r io.Reader, yield func(rebound.Item) bool) error {
	raw, err := io.ReadAll(io.LimitReader(r, webhook.MaxSize+1))
	var reports []*bounce.Report
	if err == nil {
		reports, err = a.services(message{name: name, raw: raw})
	}
	if err != nil {
		a.cannotRead(name, err)
		return nil
	}
	for i, report := range reports {
		if !yield(rebound.Item{Name: numbered(name, i+1), Case: rebound.Case{Report: report}}) {
			return errStop
		}
	}
	return nil
}

// diagnoses are those of the groups.
func diagnoses(t *rebound.Triaged) []*rebound.Diagnosis {
	var list []*rebound.Diagnosis
	for i := range t.Groups {
		if d := t.Groups[i].Diagnosis; d != nil {
			list = append(list, d)
		}
	}
	return list
}

// reportItems reads what "rebound bounce -json" wrote.
func (a *app) reportItems(name string, r io.Reader, yield func(rebound.Item) bool) error {
	d := json.NewDecoder(r)
	for {
		var line struct {
			File string `json:"file"`
			*bounce.Report
		}
		switch err := d.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			a.cannotRead(name, err)
			return nil
		}
		if line.Report == nil || line.Kind == "" {
			a.cannotRead(name, errors.New("is JSON, and not what rebound bounce -json writes"))
			return nil
		}
		if !yield(rebound.Item{Name: or(line.File, name), Case: rebound.Case{Report: line.Report}}) {
			return errStop
		}
	}
}

// A line of Postfix about a delivery that failed:
//
//	… postfix/smtp[71]: 4F2: to=<a@b.example>, relay=mx.b.example[192.0.2.1]:25, …, dsn=5.1.1, status=bounced (host mx.b.example[192.0.2.1] said: 550 5.1.1 …)
var (
	postfixLine = regexp.MustCompile(`(?m)postfix[\w./-]*\[\d+\]: `)
	postfixFail = regexp.MustCompile(`postfix[\w./-]*\[\d+\]: ([0-9A-Za-z]+): to=<([^>]*)>,.* relay=([^,\[]*)(?:\[[^\]]*\])?[^,]*,.* status=(bounced|deferred|expired|sent) \((.*)\)\s*$`)
	postfixFrom = regexp.MustCompile(`postfix[\w./-]*\[\d+\]: ([0-9A-Za-z]+): (?:from=<([^>]*)>|(removed))`)
	postfixSaid = regexp.MustCompile(`^host \S+ (?:said|refused to talk to me): `)
	postfixEnd  = regexp.MustCompile(` \(in reply to [^)]*\)$`)
)

// maxLogLine bounds a line of a log.
const maxLogLine = 1 << 20

// logItems reads a log. A mail that was put off is told once, at the end, with the last
// reply, and not at all when it was sent or bounced in the end.
func (a *app) logItems(name string, r io.Reader, yield func(rebound.Item) bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLogLine)
	type delivery struct{ queue, to string }
	waiting := map[delivery]rebound.Item{}
	senders := map[string]string{} // by queue
	var order []delivery
	for n := 1; lines.Scan(); n++ {
		m := postfixFail.FindStringSubmatch(lines.Text())
		if m == nil {
			if from := postfixFrom.FindStringSubmatch(lines.Text()); from != nil && from[3] != "" {
				delete(senders, from[1])
			} else if from != nil && len(senders) < maxWaiting {
				senders[from[1]] = from[2]
			}
			continue
		}
		d := delivery{m[1], m[2]}
		_, before := waiting[d]
		if m[4] == "sent" {
			delete(waiting, d)
			continue
		}
		// Who reads the log runs the server that wrote it.
		item := rebound.Item{Name: fmt.Sprintf("%s:%d", name, n), Case: rebound.Case{Report: a.logReport(m[2], m[3], m[4], m[5]), Recipient: m[2], MailFrom: senders[m[1]], Control: rebound.Own}}
		switch {
		case m[4] == "deferred" && (before || len(waiting) < maxWaiting):
			if !before {
				d = delivery{strings.Clone(d.queue), strings.Clone(d.to)} // not the whole line
				order = append(order, d)
			}
			waiting[d] = item
			if len(order) > 2*len(waiting)+batchOrder {
				order = slices.DeleteFunc(order, func(d delivery) bool { _, ok := waiting[d]; return !ok })
			}
			continue
		case before:
			delete(waiting, d)
		}
		if !yield(item) {
			return errStop
		}
	}
	for _, d := range order {
		if item, ok := waiting[d]; ok {
			delete(waiting, d) // it may stand in the order twice
			if !yield(item) {
				return errStop
			}
		}
	}
	if err := lines.Err(); err != nil {
		a.cannotRead(name, err)
	}
	return nil
}

// batchOrder is how many mails that wait no more stand in the order of those that wait.
const batchOrder = 1000

// maxWaiting bounds the mails that are remembered as put off; those beyond are told each
// time.
const maxWaiting = 200_000

// logReport is what a line of the log says of one recipient.
func (a *app) logReport(to, relay, status, said string) *bounce.Report {
	rep := a.rules.ParseReply(postfixEnd.ReplaceAllString(postfixSaid.ReplaceAllString(said, ""), ""))
	for i := range rep.Recipients {
		rec := &rep.Recipients[i]
		rec.Address = to
		if relay != "none" {
			rec.RemoteMTA = relay
		}
		if status == "deferred" {
			rep.Kind, rec.Action, rec.Suppress = bounce.Delay, bounce.Delayed, false
		}
	}
	return rep
}
