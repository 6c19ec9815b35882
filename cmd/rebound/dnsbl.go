package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/dnsbl"
)

func (a *app) dnsblCommand() *cli.Command {
	return &cli.Command{
		Name: "dnsbl", Usage: "ask block lists about addresses and domains", ArgsUsage: "ADDRESS|DOMAIN…",
		Description: "By default the live block lists of medium weight or more are asked, and the allow lists that receivers use.\n\n   rebound dnsbl 198.51.100.7\n   rebound dnsbl -all -json shop.example",
		Flags: append(append(outputFlags(), dnsFlags()...),
			&cli.BoolFlag{Name: "all", Usage: "ask every usable list of the catalogue"},
			&cli.StringFlag{Name: "lists", Usage: "ask the zones in `FILE`, one a line, in place of the catalogue's"}),
		Action: a.dnsbl,
	}
}

func (a *app) dnsbl(ctx context.Context, c *cli.Command) error {
	if c.NArg() == 0 {
		return errors.New("dnsbl: no address or domain given")
	}
	own, err := ownLists(c.String("lists"))
	if err != nil {
		return err
	}
	source, err := a.resolver(c)
	if err != nil {
		return err
	}
	w := a.writer(c)
	for _, arg := range c.Args().Slice() {
		target, err := dnsbl.ParseTarget(arg)
		if err == nil && (target.Addr().IsPrivate() || target.Addr().IsLinkLocalUnicast()) {
			err = fmt.Errorf("dnsbl: %s is a private address, which no list holds", target)
		}
		if err != nil {
			a.complain(err)
			continue
		}
		lists := own
		switch {
		case lists != nil:
		case c.Bool("all"):
			lists = dnsbl.Default().Askable(target)
		default:
			lists = dnsbl.Default().Asked(target)
		}
		within, cancel := context.WithTimeout(ctx, c.Duration("timeout"))
		results := dnsbl.Check(within, source, lists, target)
		cancel()
		if err := a.listings(w, c, target, results); err != nil {
			return err
		}
	}
	if err := source.close(); err != nil {
		return err
	}
	return a.finish(c)
}

// ownLists reads zones, one a line; "#" begins a comment. It returns nil for no
// file.
func ownLists(file string) (*dnsbl.Catalogue, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, plainError(err)
	}
	defer f.Close()
	var zones []string
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		zone, _, _ := strings.Cut(lines.Text(), "#")
		if zone = strings.TrimSpace(zone); zone == "" {
			continue
		}
		if _, err := dnsbl.Domain(zone); err != nil || strings.ContainsAny(zone, " \t") {
			return nil, fmt.Errorf("%s: line %d: %q is no zone", file, n, zone)
		}
		zones = append(zones, zone)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(zones) == 0 {
		return nil, fmt.Errorf("%s: holds no zone", file)
	}
	return dnsbl.Own(zones...), nil
}

// listings writes the results for one target.
func (a *app) listings(w io.Writer, c *cli.Command, target dnsbl.Target, results []dnsbl.Result) error {
	if len(results) == 0 {
		a.complain(fmt.Errorf("%s: none of the lists lists things of this kind", target))
		return nil
	}
	var b strings.Builder
	counts := map[dnsbl.Status]int{}
	for i := range results {
		res := &results[i]
		counts[res.Status]++
		if res.Status == dnsbl.Listed || res.Status == dnsbl.NotListed {
			a.done++
		}
		a.found = a.found || res.Status == dnsbl.Listed && res.Action == dnsbl.Block
		if c.Bool("json") {
			if err := writeJSON(w, res); err != nil {
				return err
			}
			continue
		}
		if res.Status != dnsbl.NotListed {
			describeListing(&b, res)
		}
	}
	if c.Bool("json") {
		return nil
	}
	head := fmt.Sprintf("%s: listed on %d, not listed on %d", target, counts[dnsbl.Listed], counts[dnsbl.NotListed])
	if open := len(results) - counts[dnsbl.Listed] - counts[dnsbl.NotListed]; open > 0 {
		head += fmt.Sprintf(", no usable answer from %d", open)
	}
	_, err := io.WriteString(w, head+fmt.Sprintf(" of %d lists\n", len(results))+b.String())
	return err
}

func describeListing(b *strings.Builder, res *dnsbl.Result) {
	f := res.Finding()
	word := res.Status.String()
	if res.Status == dnsbl.Listed && res.Action != dnsbl.Block {
		word = string(res.Action)
	}
	fmt.Fprintf(b, "  %-8s %s\n", word, rebound.Plain(f.Fact))
	if res.Reason != "" {
		fmt.Fprintf(b, "           it says: %s\n", rebound.Plain(res.Reason))
	}
	if res.Status == dnsbl.Listed && f.Consequence != "" {
		fmt.Fprintf(b, "           %s\n", f.Consequence)
	}
	for _, fix := range f.Fixes {
		fmt.Fprintf(b, "           - %s", rebound.Plain(fix.What))
		if fix.URL != "" {
			fmt.Fprintf(b, " %s", fix.URL)
		}
		b.WriteByte('\n')
	}
}
