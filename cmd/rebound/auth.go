package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/auth"
	"github.com/rebound-mail/rebound/auth/dkim"
	"github.com/rebound-mail/rebound/auth/dmarc"
	"github.com/rebound-mail/rebound/auth/spf"
	"github.com/rebound-mail/rebound/finding"
)

func (a *app) authCommand() *cli.Command {
	return &cli.Command{
		Name: "auth", Usage: "check SPF, DKIM, DMARC and reverse DNS of a mail, or the records of a domain", ArgsUsage: "FILE|DOMAIN…",
		Description: "A domain is looked at without a mail: its SPF record as a tree, its keys, its DMARC policy, its mail exchangers.\n\n" +
			"   rebound auth shop.example\n" +
			"   rebound auth -selector s2026 shop.example\n" +
			"   rebound auth -ip 198.51.100.7 -helo mail.shop.example -mail-from bounces@shop.example message.eml\n" +
			"   rebound auth -ip 198.51.100.7 shop.example\n\n" +
			"What is the name of a file, or \"-\", is a mail; anything else a domain. With -ip, SPF of a domain is checked for the address. Without -mail-from the Return-Path of the mail is taken.",
		Flags: append(append(outputFlags(), dnsFlags()...),
			&cli.StringFlag{Name: "ip", Usage: "the `ADDRESS` of the server that sent"},
			&cli.StringFlag{Name: "helo", Usage: "the `NAME` that it gave in HELO or EHLO"},
			&cli.StringFlag{Name: "mail-from", Usage: "the envelope sender, an `ADDRESS`"},
			&cli.StringFlag{Name: "receiver", Usage: "the receiving `HOST`"},
			&cli.BoolFlag{Name: "own", Usage: "the address is yours: offer it for the SPF record"},
			&cli.StringSliceFlag{Name: "selector", Usage: "look for the key of the selector `NAME` too"},
			&cli.StringFlag{Name: "now", Usage: "check as of `TIME`, such as 2026-11-24T12:00:00Z"}),
		Action: a.auth,
	}
}

func (a *app) auth(ctx context.Context, c *cli.Command) error {
	in := auth.Input{HELO: c.String("helo"), MailFrom: c.String("mail-from"), Receiver: c.String("receiver"), Own: c.Bool("own")}
	if s := c.String("ip"); s != "" {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return fmt.Errorf("auth: -ip: %q is no address", s)
		}
		in.IP = addr
	}
	now, err := clock(c)
	if err != nil {
		return err
	}
	in.Now = now()
	if c.NArg() == 0 {
		return errors.New("auth: no file and no domain given")
	}
	if c.Duration("timeout") <= 0 {
		return errors.New("auth: -timeout is a time such as 10s")
	}
	source, err := a.resolver(c)
	if err != nil {
		return err
	}
	for _, name := range c.Args().Slice() {
		if err := a.authOne(ctx, c, source, name, in); err != nil {
			return errors.Join(err, source.close())
		}
	}
	if err := source.close(); err != nil {
		return err
	}
	return a.finish(c)
}

// authOne checks one mail or one domain, within the time that is given for it.
func (a *app) authOne(ctx context.Context, c *cli.Command, source dnsSource, name string, in auth.Input) error {
	ctx, cancel := context.WithTimeout(ctx, c.Duration("timeout"))
	defer cancel()
	w := a.writer(c)
	info, err := os.Stat(name)
	switch {
	case name == "-" || err == nil && !info.IsDir():
		return a.messages([]string{name}, func(m message) error {
			if m.err != nil {
				a.complain(fmt.Errorf("%s: %w", m.name, m.err))
				return nil
			}
			in.Message = m.raw
			return a.authMail(w, c, m.name, auth.Verify(ctx, source, in))
		})
	case strings.ContainsAny(name, "/\\ @") || !strings.Contains(strings.Trim(name, "."), "."):
		a.complain(fmt.Errorf("%s: neither a file nor a domain", name))
		return nil
	case in.IP.IsValid():
		in.From = name
		if in.MailFrom == "" {
			in.MailFrom = "postmaster@" + name
		}
		return a.authMail(w, c, name, auth.Verify(ctx, source, in))
	}
	return a.authDomain(w, c, auth.Lint(ctx, source, name, c.StringSlice("selector")...))
}

// tell remembers that something was said, and whether anything was found.
func (a *app) tell(findings []finding.Finding) {
	a.done++
	for _, f := range findings {
		a.found = a.found || f.Outcome == finding.Found && f.Severity >= finding.Warning
	}
}

// mailJSON is the JSON contract of a mail.
type mailJSON struct {
	File string `json:"file"`
	*auth.Report
	Results  string            `json:"authentication_results"`
	Findings []finding.Finding `json:"findings"`
}

func (a *app) authMail(w io.Writer, c *cli.Command, name string, r *auth.Report) error {
	findings := r.Findings()
	a.tell(findings)
	server := c.String("receiver")
	if server == "" {
		server = "localhost"
	}
	if c.Bool("json") {
		if r.DKIM == nil {
			r.DKIM = []dkim.Result{}
		}
		return writeJSON(w, mailJSON{name, r, r.AuthenticationResults(server), findings})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", rebound.Plain(name))
	if s := r.SPF; s != nil {
		fmt.Fprintf(&b, "  spf    %s: %s\n", s.Result, rebound.Plain(s.Why))
	}
	for i := range r.DKIM {
		s := &r.DKIM[i]
		fmt.Fprintf(&b, "  dkim   %s%s: %s\n", s.Result, about(s.Domain), rebound.Plain(s.Why))
		if s.Body != "" || s.Header != "" {
			fmt.Fprintf(&b, "         body %s, header %s\n", verdict(s.Body), verdict(s.Header))
		}
		for _, e := range s.Causes[min(1, len(s.Causes)):] {
			fmt.Fprintf(&b, "         and %s: %s\n", e.Cause, rebound.Plain(e.Says))
		}
		if s.Other != "" {
			fmt.Fprintf(&b, "         %s\n", rebound.Plain(s.Other))
		}
	}
	if d := r.DMARC; d != nil {
		fmt.Fprintf(&b, "  dmarc  %s%s: %s\n", d.Result, policyOf(d), rebound.Plain(d.Why))
	}
	if p := r.IPRev; p != nil && p.Addr.IsValid() {
		fmt.Fprintf(&b, "  iprev  %s: %s\n", p.Status, rebound.Plain(p.Findings()[0].Fact))
	}
	if s := r.SPF; s != nil && s.Tree != nil && s.Result != spf.Pass {
		fmt.Fprintf(&b, "\n%s", indent(s.Tree.String()))
	}
	writeFindings(&b, findings)
	writeBulk(&b, r.Bulk)
	_, err := io.WriteString(w, b.String())
	return err
}

func about(domain string) string {
	if domain == "" {
		return ""
	}
	return " " + rebound.Plain(domain)
}

// unanswered reports whether a finding of that code says that DNS gave no answer.
func unanswered(findings []finding.Finding, code string) bool {
	return slices.ContainsFunc(findings, func(f finding.Finding) bool { return f.Code == code && f.Outcome == finding.Unknown })
}

func policyOf(d *dmarc.Result) string {
	if d.Record == nil {
		return ""
	}
	return fmt.Sprintf(" (policy %s of %s)", d.Policy, d.PolicyDomain)
}

func verdict(v dkim.Verdict) string {
	if v == "" {
		return "could not be told"
	}
	return string(v)
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}

// writeFindings writes what is wrong, with what to do, the gravest first.
func writeFindings(b *strings.Builder, findings []finding.Finding) {
	for s := finding.Critical; ; s-- {
		for _, f := range findings {
			if f.Severity != s || f.Outcome == finding.Clean || f.Outcome == finding.NotApplicable || s == finding.Info && f.Outcome == finding.Unknown {
				continue
			}
			fmt.Fprintf(b, "\n%s  %s\n  %s %s\n", f.Severity, f.Code, rebound.Plain(f.Fact), rebound.Plain(f.Consequence))
			for _, fix := range f.Fixes {
				fmt.Fprintf(b, "  → %s\n", rebound.Plain(fix.What))
				writeRecord(b, fix.Record)
				if fix.Verify != "" {
					fmt.Fprintf(b, "    done when: %s\n", rebound.Plain(fix.Verify))
				}
			}
			fmt.Fprintf(b, "  [%s]\n", f.Source)
		}
		if s == finding.Info {
			return
		}
	}
}

func writeRecord(b *strings.Builder, r *finding.Record) {
	if r == nil {
		return
	}
	if r.Old != "" {
		fmt.Fprintf(b, "    old: %s. %s %s\n", rebound.Plain(r.Name), r.Type, rebound.Plain(r.Old))
	}
	if r.New != "" {
		fmt.Fprintf(b, "    new: %s. %s %s\n", rebound.Plain(r.Name), r.Type, rebound.Plain(r.New))
	}
}

// writeBulk writes the checklist of the large receivers.
func writeBulk(b *strings.Builder, rows []auth.Requirement) {
	words := map[finding.Outcome]string{finding.Clean: "met", finding.Found: "NOT MET", finding.Unknown: "could not be told", finding.NotApplicable: "not checked", finding.Broke: "broke"}
	fmt.Fprint(b, "\nWhat large receivers ask\n")
	for _, q := range rows {
		fmt.Fprintf(b, "  %-9s  %s: %s (%s)\n", q.Receiver, q.What, words[q.Outcome], rebound.Plain(q.Why))
	}
}

// spfJSON is a domain's record as the JSON contract has it: result is what every check
// gives for a fault of the record, "" where it depends on the mail.
type spfJSON struct {
	Result      spf.Code `json:"result"`
	Explanation string   `json:"explanation"`
	*spf.Tree
}

type keyJSON struct {
	Result   string      `json:"result"`
	Domain   string      `json:"domain"`
	Selector string      `json:"selector"`
	Service  string      `json:"service,omitempty"`
	Cause    dkim.Cause  `json:"cause"`
	Risks    []dkim.Risk `json:"risks"`
	Bits     int         `json:"bits"`
}

type domainJSON struct {
	Domain   string            `json:"domain"`
	SPF      spfJSON           `json:"spf"`
	DKIM     []keyJSON         `json:"dkim"`
	DMARC    *dmarc.Lint       `json:"dmarc"`
	IPRev    any               `json:"iprev"` // of an address; null for a domain
	MX       *auth.MX          `json:"mx"`
	Policies []*auth.Policy    `json:"policies"`
	Findings []finding.Finding `json:"findings"`
}

func (a *app) authDomain(w io.Writer, c *cli.Command, d *auth.Domain) error {
	findings := d.Findings()
	a.tell(findings)
	keys := keysOf(d)
	if c.Bool("json") {
		out := domainJSON{Domain: d.Domain, SPF: spfJSON{Tree: d.SPF}, DKIM: keys, DMARC: d.DMARC, MX: d.MX, Policies: d.Policies, Findings: findings}
		out.SPF.Result = d.SPF.Root.Code
		if out.SPF.Result == "" && (d.SPF.Loop || d.SPF.Lookups > spf.MaxLookups) {
			out.SPF.Result = spf.PermError
		}
		return writeJSON(w, out)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SPF of %s", d.SPF)
	fmt.Fprint(&b, "\nDKIM\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "  %s: %s\n", rebound.Plain(k.Selector), keyText(k))
	}
	switch {
	case len(keys) > 0:
	case unanswered(findings, "dkim.not-found"):
		fmt.Fprint(&b, "  could not be looked up\n")
	default:
		fmt.Fprint(&b, "  no key found under the commonest selectors; that does not mean that there is none\n")
	}
	if l := d.DMARC; l.Record != nil {
		fmt.Fprintf(&b, "\nDMARC\n  policy %s (%s=%s at %s), organizational domain %s\n", l.Policy, l.Tag, l.Stated, l.PolicyDomain, l.Org)
	} else if unanswered(findings, "dmarc.lookup-failed") {
		fmt.Fprint(&b, "\nDMARC\n  could not be looked up\n")
	} else {
		fmt.Fprint(&b, "\nDMARC\n  no record applies\n")
	}
	writeFindings(&b, findings)
	_, err := io.WriteString(w, b.String())
	return err
}

func keyText(k keyJSON) string {
	text := k.Result
	if k.Bits > 0 {
		text += fmt.Sprintf(", %d bits", k.Bits)
	}
	if k.Cause != "" {
		text += ", " + string(k.Cause)
	}
	if k.Service != "" {
		text += " (a selector of " + k.Service + ")"
	}
	return text
}

// keysOf are the keys that were asked for, and those that were found.
func keysOf(d *auth.Domain) []keyJSON {
	list := []keyJSON{}
	if d.DKIM == nil {
		return list
	}
	for _, f := range append(slices.Clone(d.DKIM.Given), d.DKIM.Others()...) {
		k := keyJSON{Result: "key", Domain: d.Domain, Selector: f.Name, Service: f.Service, Risks: []dkim.Risk{}}
		if f.Key != nil {
			k.Bits = f.Key.Bits
		}
		if len(f.Faults) > 0 {
			k.Result, k.Cause = "no usable key", f.Faults[0].Cause
		}
		list = append(list, k)
	}
	return list
}
