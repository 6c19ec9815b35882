// Command preflight looks at a campaign before it is sent: is the sending address or the
// domain on a block list, are its records in order, would a filter dislike the mail? It
// exits with status 1 when something should be mended first.
//
//	preflight -ip 198.51.100.7 -domain shop.example newsletter.eml
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/rebound-mail/rebound/auth"
	"github.com/rebound-mail/rebound/content"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

func main() {
	ip := flag.String("ip", "", "the address that sends")
	domain := flag.String("domain", "", "the domain in From")
	flag.Parse()
	resolver, err := resolve.System()
	if err != nil {
		fmt.Fprintln(os.Stderr, "preflight:", err)
		os.Exit(2)
	}
	mail, err := os.ReadFile(flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "preflight:", err)
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	good, err := preflight(ctx, os.Stdout, resolve.NewCache(resolver), *ip, *domain, mail)
	if err != nil {
		fmt.Fprintln(os.Stderr, "preflight:", err)
		os.Exit(2)
	}
	if !good {
		os.Exit(1)
	}
}

// preflight writes what to mend, and reports whether there was nothing that stops a
// campaign. What DNS did not answer is written too, and stops nothing.
func preflight(ctx context.Context, w io.Writer, r resolve.Resolver, ip, domain string, mail []byte) (good bool, err error) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false, err
	}
	from, err := dnsbl.ParseTarget(domain)
	if err != nil {
		return false, err
	}
	var findings []finding.Finding
	checker := dnsbl.Checker{Resolver: r}
	findings = append(findings, checker.Report(ctx, dnsbl.IP(addr), from.As(dnsbl.From)).Findings()...)
	findings = append(findings, auth.Lint(ctx, r, domain).Findings()...)
	score := content.AnalyzeBytes(mail, &content.Options{Bulk: content.Yes})
	good = true
	for _, f := range findings {
		switch {
		case f.Outcome == finding.Found && f.Severity >= finding.Warning:
			good = false
			fmt.Fprintf(w, "mend    %s %s\n", f.Fact, f.Consequence)
			for _, fix := range f.Fixes {
				fmt.Fprintf(w, "        %s\n", fix.What)
			}
		case f.Outcome == finding.Unknown && f.Severity >= finding.Warning:
			fmt.Fprintf(w, "unknown %s\n", f.Fact)
		}
	}
	if score.Verdict >= content.LevelRisky {
		good = false
		fmt.Fprintf(w, "mend    The mail scores %.0f of 100 (%s).\n", score.Score, score.Verdict)
		for _, f := range score.Findings {
			if f.Gain >= 5 {
				fmt.Fprintf(w, "        %s %s\n", f.Text, f.Advice)
			}
		}
	}
	if good {
		fmt.Fprintln(w, "ready   Nothing stands in the way.")
	}
	return good, nil
}
