package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/report"
	"github.com/rebound-mail/rebound/resolve"
)

// The demonstration: a bounce and the DNS of its day, so that the command shows
// what it does on a machine without a network.
var (
	//go:embed demo/bounce.eml
	demoBounce []byte
	//go:embed demo/zone.txt
	demoZone string

	demoNow = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
)

const demoHELO = "mail.shop.example"

func (a *app) diagnoseCommand() *cli.Command {
	return &cli.Command{
		Name: "diagnose", Usage: "say why a mail was refused and what to do, with DNS looked up", ArgsUsage: "[FILE…]",
		Description: "FILE is a bounce message, an mbox, a Maildir, or - for standard input. Without any,\nthe demonstration is diagnosed, on DNS of its own.\n\n   rebound diagnose bounce.eml\n   rebound diagnose -reply '554 5.7.1 blocked using zen.spamhaus.org' -ip 198.51.100.7",
		Flags: append(slices.Concat(outputFlags(), reportFlags(), dnsFlags(), tableFlags()),
			&cli.StringFlag{Name: "reply", Usage: "diagnose `TEXT`, an SMTP reply, in place of a file"},
			&cli.StringFlag{Name: "ip", Usage: "the `ADDRESS` that the mail was sent from"},
			&cli.StringFlag{Name: "helo", Usage: "the `NAME` given in HELO or EHLO"},
			&cli.StringFlag{Name: "mail-from", Usage: "the envelope sender `ADDRESS`"},
			&cli.StringFlag{Name: "recipient", Usage: "the envelope recipient `ADDRESS`"},
			&cli.StringFlag{Name: "message", Usage: "the mail that was refused, from `FILE`"},
			&cli.StringFlag{Name: "control", Usage: "who runs the sending server: `WHO` is own, shared (a sending service) or relay"},
			&cli.StringSliceFlag{Name: "own-domain", Usage: "a `DOMAIN` that you send under; tells bounces of forged mail"},
			&cli.StringSliceFlag{Name: "own-address", Usage: "an address or `PREFIX` that you send from; likewise"},
			&cli.BoolFlag{Name: "bulk", Usage: "the mail goes to many, though no field of it says so"},
			&cli.StringFlag{Name: "history", Usage: "what was known of the recipients before, from `FILE`: events as JSON, {\"time\":…,\"address\":…,\"reason\":\"mailbox-full\"} or \"delivered\":true, one a line or in an array; or a History of package bounce"},
			&cli.IntFlag{Name: "volume", Usage: "`MAILS` a day went to this receiver before it refused"},
			&cli.StringFlag{Name: "bounced", Usage: "the `TIME` of the refusal, where the bounce does not say"},
			&cli.StringFlag{Name: "now", Usage: "take `TIME` for the present"},
		),
		Action: a.diagnose,
	}
}

func (a *app) diagnose(ctx context.Context, c *cli.Command) error {
	base, err := readCase(c)
	if err != nil {
		return err
	}
	demo := c.NArg() == 0 && base.Reply == ""
	if demo {
		if c.IsSet("reply") {
			return errors.New("diagnose: -reply is given, and is empty")
		}
		if flag := firstSet(c, caseFlags); flag != "" {
			return fmt.Errorf("diagnose: -%s is given, and neither a file nor a -reply to diagnose; - reads standard input", flag)
		}
	}
	resolver := a.resolver
	if demo {
		resolver = a.demoSource
	}
	d, source, err := a.diagnoser(c, resolver)
	if err != nil {
		return err
	}
	d.Progress, a.rules = a.progress(), d.Rules
	one := func(name string, cs rebound.Case) error { return a.one(ctx, c, d, name, cs) }
	switch {
	case demo:
		fmt.Fprintln(a.err, "rebound: no input is given: this is the demonstration, on DNS of its own")
		base.Bounce, base.HELO = demoBounce, demoHELO
		d.Now = func() time.Time { return demoNow }
		err = one("", base)
	case base.Reply != "":
		if rep := d.Rules.ParseReply(base.Reply); rep.Recipients[0].Reply.Code == 0 && rep.Recipients[0].Reason == bounce.ReasonUnknown {
			return fmt.Errorf("-reply: %.60q is no reply of a mail server, and nothing in it is known", base.Reply)
		}
		err = one("", base)
	default:
		several := c.NArg() > 1
		err = a.messages(c.Args().Slice(), func(m message) error {
			if m.err != nil {
				a.complain(fmt.Errorf("%s: %w", m.name, m.err))
				if c.Bool("json") {
					return writeJSON(a.writer(c), failedLine{m.name, m.err.Error()})
				}
				return nil
			}
			if reports, err := a.services(m); err != nil {
				a.complain(fmt.Errorf("%s: %w", m.name, err))
				return nil
			} else if reports != nil {
				for i, report := range reports {
					cs := base
					cs.Report = report
					if err := one(numbered(m.name, i+1), cs); err != nil {
						return err
					}
				}
				return nil
			}
			cs := base
			cs.Bounce = m.raw
			name := m.name
			if !c.Bool("json") && !several && !strings.Contains(name, "#") {
				name = "" // one report needs no title
			}
			return one(name, cs)
		})
	}
	if err != nil {
		return err
	}
	if err := source.close(); err != nil {
		return err
	}
	return a.finish(c)
}

// caseFlags speak of a mail of the caller's: with one of them, the demonstration
// is not what was asked for.
var caseFlags = []string{"ip", "bulk", "volume", "helo", "mail-from", "recipient", "message", "control", "own-domain", "own-address", "bounced", "history", "now", "zone", "server", "offline"}

// firstSet returns the first of the flags that is given, or "".
func firstSet(c *cli.Command, flags []string) string {
	for _, f := range flags {
		if c.IsSet(f) {
			return f
		}
	}
	return ""
}

// demoSource answers from the embedded zone, through -record if that is given.
func (a *app) demoSource(c *cli.Command) (dnsSource, error) {
	zone, err := resolve.Replay(strings.NewReader(demoZone))
	if err != nil {
		return dnsSource{}, err
	}
	return recorded(zone, c.String("record"))
}

// diagnosisLine is a line of "rebound diagnose -json"; failedLine one about an
// input that could not be read.
type diagnosisLine struct {
	File string `json:"file,omitempty"`
	*rebound.Diagnosis
}

type failedLine struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

// one diagnoses one case and writes the report.
func (a *app) one(ctx context.Context, c *cli.Command, d *rebound.Diagnoser, name string, cs rebound.Case) error {
	diagnosis, err := d.Diagnose(ctx, cs)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		a.complain(fmt.Errorf("%s: %w", or(name, "input"), err))
		return nil
	}
	a.done++
	a.found = a.found || diagnosis.Response != bounce.Ignore
	return a.show(c, name, report.Diagnosis(diagnosis), diagnosisLine{name, diagnosis}, redactPeople(diagnosis))
}

// progress tells of checks on a terminal.
func (a *app) progress() func(rebound.Event) {
	if !isTerminal(a.err) {
		return nil
	}
	return func(e rebound.Event) {
		if e.Done != nil && e.Done.Outcome != finding.NotApplicable {
			fmt.Fprintf(a.err, "checked %s\n", e.Check)
		}
	}
}

// readCase reads the flags about the mail.
func readCase(c *cli.Command) (rebound.Case, error) {
	cs := rebound.Case{Reply: c.String("reply"), HELO: c.String("helo"), MailFrom: c.String("mail-from"), Recipient: c.String("recipient"), OwnDomains: c.StringSlice("own-domain"), Bulk: c.Bool("bulk"), Volume: c.Int("volume")}
	if cs.Volume < 0 {
		return cs, errors.New("-volume: it cannot be less than none")
	}
	if cs.Reply != "" && c.NArg() > 0 {
		return cs, errors.New("-reply and files exclude each other")
	}
	if s := c.String("ip"); s != "" {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return cs, fmt.Errorf("-ip: %q is no address", s)
		}
		cs.IP = addr
	}
	switch control := rebound.Control(c.String("control")); control {
	case "", rebound.Own, rebound.Shared, rebound.Relay:
		cs.Control = control
	default:
		return cs, fmt.Errorf("-control: %q is none of own, shared and relay", control)
	}
	for _, s := range c.StringSlice("own-address") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			addr, err := netip.ParseAddr(s)
			if err != nil {
				return cs, fmt.Errorf("-own-address: %q is neither an address nor a prefix", s)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		cs.OwnAddresses = append(cs.OwnAddresses, p)
	}
	if s := c.String("bounced"); s != "" {
		t, err := readTime("bounced", s)
		if err != nil {
			return cs, err
		}
		cs.Bounced = t
	}
	if file := c.String("message"); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return cs, plainError(err)
		}
		cs.Message = b
	}
	if file := c.String("history"); file != "" {
		events, err := fromFile(file, readHistory)
		if err != nil {
			return cs, err
		}
		cs.History = events
	}
	return cs, nil
}

// readHistory reads events, one a line or in an array, or a bounce.History.
func readHistory(r io.Reader) ([]bounce.Event, error) {
	var list []bounce.Event
	d := json.NewDecoder(r)
	for {
		var raw json.RawMessage
		if err := d.Decode(&raw); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, errors.New("is no JSON of events")
		}
		several, one, kept := []bounce.Event{}, bounce.Event{}, bounce.NewHistory()
		if json.Unmarshal(raw, kept) == nil {
			list = slices.AppendSeq(list, kept.All())
			continue
		}
		if json.Unmarshal(raw, &several) == nil {
			list = append(list, several...)
			continue
		}
		if json.Unmarshal(raw, &one) != nil || one.Address == "" || one.Time.IsZero() {
			return nil, errors.New("is no JSON of events: each has a time and an address")
		}
		list = append(list, one)
	}
}
