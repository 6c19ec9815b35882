// Package auth puts one mail through SPF, DKIM, DMARC and reverse DNS, or looks at one
// domain without a mail, and says what is wrong and how to mend it.
//
//	report := auth.Verify(ctx, resolver, auth.Input{
//		Message:  raw,
//		IP:       netip.MustParseAddr("192.0.2.1"),
//		HELO:     "mail.shop.example",
//		MailFrom: "bounces@shop.example",
//	})
//	fmt.Println(report.SPF.Result, report.DMARC.Result)
//	for _, f := range report.Findings() {
//		fmt.Println(f.Fact, f.Fixes)
//	}
//
//	domain := auth.Lint(ctx, resolver, "shop.example", "s2026")
//	fmt.Print(domain.SPF)
//
// Each part is a package of its own: auth/spf, auth/dkim, auth/dmarc, auth/iprev and
// auth/arc. This one feeds the results of one to the next, adds the mail exchangers of
// the sender's domain, MTA-STS, TLS-RPT and BIMI, and holds the mail against what
// Google, Yahoo and Microsoft ask of bulk senders.
//
// What leaves the machine is DNS alone: names of the sender's domains and of those that
// their records name, and the reverse name of the address. Nothing fetches a URL.
package auth

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/rebound-mail/rebound/auth/arc"
	"github.com/rebound-mail/rebound/auth/dkim"
	"github.com/rebound-mail/rebound/auth/dmarc"
	"github.com/rebound-mail/rebound/auth/internal/header"
	"github.com/rebound-mail/rebound/auth/iprev"
	"github.com/rebound-mail/rebound/auth/spf"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// An Input is what is known of a mail. Everything is optional; what cannot be checked
// for want of it says so.
type Input struct {
	Message    []byte     // as received
	HeaderOnly bool       // Message has no body, as in a bounce that returns the header alone
	IP         netip.Addr // of the server that sent
	HELO       string     // the name that it gave
	MailFrom   string     // the envelope sender; "" takes the Return-Path of the mail
	From       string     // the author's domain, for want of a Message
	Receiver   string     // the receiving host, for SPF's %{r}
	Own        bool       // the caller vouches that IP is the sender's own
	Now        time.Time  // the time of the check; zero is time.Now
}

// A Report is what [Verify] found.
type Report struct {
	SPF     *spf.Result   `json:"spf"`
	SPFHELO *spf.Result   `json:"spf_helo,omitempty"` // of the HELO name, where the envelope sender was checked too
	DKIM    []dkim.Result `json:"dkim"`               // nil where there is no message
	DMARC   *dmarc.Result `json:"dmarc"`              // nil where the From domain is not known
	IPRev   *iprev.Result `json:"iprev"`
	ARC     *arc.Chain    `json:"arc,omitempty"`
	From    Author        `json:"from"`
	Sender  *MX           `json:"sender,omitempty"` // the mail exchangers of the envelope sender's domain
	Bulk    []Requirement `json:"bulk"`             // what the large receivers ask of bulk senders
	Record  *spf.Tree     `json:"record,omitempty"` // the whole SPF record, where it is a permerror

	input  Input
	header *header.Header
	dkim   *dkim.Report
	broke  []finding.Finding
}

// Verify checks one mail. It never fails: what stood in the way is in the report. DNS
// is asked for the parts side by side, under ctx.
func Verify(ctx context.Context, r resolve.Resolver, in Input) *Report {
	if in.Now.IsZero() {
		in.Now = time.Now()
	}
	report := &Report{input: in, header: header.Split(in.Message)}
	if in.MailFrom == "" {
		report.input.MailFrom = report.returnPath()
	}
	report.From = author(report.header, in.From)
	var steps []step
	query := spf.Query{IP: in.IP, MailFrom: report.input.MailFrom, HELO: in.HELO, Receiver: in.Receiver, Now: in.Now}
	steps = append(steps, step{"spf", func() { report.SPF = spf.Check(ctx, r, query) }})
	if trim(query.MailFrom) != "" && in.HELO != "" {
		alone := query
		alone.MailFrom = ""
		steps = append(steps, step{"spf of the HELO name", func() { report.SPFHELO = spf.Check(ctx, r, alone) }})
	}
	if len(in.Message) > 0 {
		steps = append(steps, step{"dkim", func() {
			report.dkim = dkim.Verify(ctx, r, in.Message, dkim.Options{Now: in.Now, HeaderOnly: in.HeaderOnly})
			report.DKIM = report.dkim.Signatures
		}}, step{"arc", func() { report.ARC = arc.Read(in.Message) }})
	}
	steps = append(steps, step{"iprev", func() { report.IPRev = iprev.Check(ctx, r, in.IP, in.HELO) }})
	if domain := report.envelopeDomain(); domain != "" {
		steps = append(steps, step{"mx", func() { report.Sender = LookupMX(ctx, r, domain) }})
	}
	report.all(steps)
	steps = nil
	if report.From.Domain != "" {
		steps = append(steps, step{"dmarc", func() { report.DMARC = dmarc.Evaluate(ctx, r, report.identifiers()) }})
	}
	if s := report.SPF; s != nil && s.Result == spf.PermError && s.Domain != "" {
		steps = append(steps, step{"the SPF record", func() { report.Record = spf.Walk(ctx, r, s.Domain) }})
	}
	report.all(steps)
	report.Bulk = report.requirements()
	return report
}

// A step is one part of a check; its name is told if it breaks.
type step struct {
	name string
	run  func()
}

// all runs steps side by side. A defect in one harms no other.
func (r *Report) all(steps []step) {
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for _, s := range steps {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					mu.Lock()
					defer mu.Unlock()
					r.broke = append(r.broke, finding.Finding{Code: "auth.broke", Outcome: finding.Broke, Severity: finding.Warning, Subject: s.name, Fact: fmt.Sprintf("The check of %s failed: %v.", s.name, p), Consequence: "Its result is not known."})
				}
			}()
			s.run()
		})
	}
	wg.Wait()
}

// returnPath is the envelope sender that the receiving server wrote.
func (r *Report) returnPath() string { return trim(r.header.Get("return-path")) }

func trim(address string) string { return strings.Trim(strings.TrimSpace(address), "<>") }

// envelopeDomain is the domain of the envelope sender, or "".
func (r *Report) envelopeDomain() string {
	domain, err := resolve.Name(domainOf(trim(r.input.MailFrom)))
	if err != nil || domain == "." {
		return ""
	}
	return domain
}

func domainOf(address string) string {
	return address[strings.LastIndexByte(address, '@')+1:]
}

// identifiers are what DMARC compares (RFC 9989, section 4.4).
func (r *Report) identifiers() dmarc.Input {
	in := dmarc.Input{From: r.From.Domain}
	if r.SPF != nil && r.SPF.IP.IsValid() && r.SPF.Domain != "" {
		in.SPF = dmarc.Identifier{Domain: r.SPF.Domain, Result: string(r.SPF.Result)}
	}
	for i := range r.DKIM {
		if r.DKIM[i].Domain != "" {
			in.DKIM = append(in.DKIM, dmarc.Identifier{Domain: r.DKIM[i].Domain, Result: string(r.DKIM[i].Result)})
		}
	}
	return in
}

// organization returns the registered domain of a name, or the name itself.
func organization(name string) string {
	if org, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		return org
	}
	return name
}

// Vouched says why the address may be taken for the sender's own, or "" where it may
// not: then it may be a forwarder's or a forger's, and is not to be let send.
func (r *Report) Vouched() string {
	if r.input.Own {
		return "you name it as your sending address"
	}
	if r.IPRev == nil || r.SPF == nil || r.SPF.Domain == "" {
		return ""
	}
	org := organization(r.SPF.Domain)
	for _, n := range r.IPRev.Names {
		if n.Confirmed && organization(n.Host) == org {
			return fmt.Sprintf("its confirmed name %s lies under %s", n.Host, org)
		}
	}
	return ""
}
