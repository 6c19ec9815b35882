package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound/dnsbl"
)

func (a *app) dnsblCommand() *cli.Command {
	return &cli.Command{
		Name: "dnsbl", Usage: "ask block lists about addresses, networks and domains", ArgsUsage: "ADDRESS|NETWORK|DOMAIN…",
		Description: "By default the live block lists of medium weight or more are asked, and the allow lists that receivers use.\n\n" +
			"   rebound dnsbl 198.51.100.7\n" +
			"   rebound dnsbl -all -json shop.example\n" +
			"   rebound dnsbl -watch 15m 198.51.100.0/28 shop.example\n" +
			"   rebound dnsbl -keys keys.txt 198.51.100.7\n\n" +
			"\"-\" reads targets from standard input, one a line. Lists of your own are a zone a line, with ipv4, ipv6 or domain behind it where they list these alone, or stanzas in the form of the catalogue.",
		Flags: append(append(outputFlags(), dnsFlags()...),
			&cli.BoolFlag{Name: "all", Usage: "ask every usable list of the catalogue"},
			&cli.StringFlag{Name: "lists", Usage: "ask the lists in `FILE` in place of the catalogue's"},
			&cli.DurationFlag{Name: "watch", Usage: "ask again every `DURATION` and write what changes, until interrupted"},
			&cli.BoolFlag{Name: "catalogue", Usage: "ask nothing; write the lists that would be asked as JSON"}),
		Action: a.dnsbl,
	}
}

// maxTargets bounds the targets of one run, networks spread out: a /16 of IPv4.
const maxTargets = 1 << 16

// batch is how many targets are asked about before their results are written: a
// /24 of IPv4.
const batch = 256

// manyTargets is from how many targets on only those are told that are listed.
const manyTargets = 9

func (a *app) dnsbl(ctx context.Context, c *cli.Command) error {
	lists, err := listsFile(c.String("lists"))
	if err != nil {
		return err
	}
	keys, err := keysFile(c.String("keys"))
	if err != nil {
		return err
	}
	role := dnsbl.Role(0)
	switch {
	case c.Duration("timeout") <= 0 || c.IsSet("watch") && c.Duration("watch") <= 0:
		return errors.New("dnsbl: -timeout and -watch are times such as 10s and 15m")
	case lists != nil && c.Bool("all"):
		return errors.New("dnsbl: -lists and -all exclude each other")
	case lists != nil:
	case c.Bool("all"):
		lists, role = dnsbl.Default().Askable(keys), dnsbl.Anywhere
	default:
		lists = dnsbl.Default().Asked(keys)
	}
	w := a.writer(c)
	if c.Bool("catalogue") {
		return writeJSON(w, lists)
	}
	checker := &dnsbl.Checker{Catalogue: lists, Keys: keys, Patience: c.Duration("timeout")}
	targets, err := a.targets(c.Args().Slice(), role)
	if err != nil {
		return err
	}
	source, err := a.resolver(c)
	if err != nil {
		return err
	}
	checker.Resolver = source
	if every := c.Duration("watch"); every > 0 {
		err = a.watch(ctx, w, c, checker, targets, every)
	} else {
		err = a.ask(ctx, w, c, checker, targets)
	}
	if err := errors.Join(err, source.close()); err != nil {
		return err
	}
	return a.finish(c)
}

// targets reads addresses, networks and domains. What is none of these is complained
// of, and the others are still asked about.
func (a *app) targets(args []string, role dnsbl.Role) ([]dnsbl.Target, error) {
	if len(args) == 0 {
		return nil, errors.New("dnsbl: no address, network or domain given")
	}
	var words []string
	for _, arg := range args {
		if arg != "-" {
			words = append(words, arg)
			continue
		}
		lines := bufio.NewScanner(a.in)
		for lines.Scan() {
			word, _, _ := strings.Cut(lines.Text(), "#")
			if word = strings.TrimSpace(word); word != "" {
				words = append(words, word)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
	}
	var targets []dnsbl.Target
	seen := map[dnsbl.Target]bool{}
	for _, word := range words {
		some, err := spread(word)
		if err != nil {
			a.complain(err)
		}
		for _, t := range some {
			if t = t.As(role); !seen[t] {
				seen[t] = true
				targets = append(targets, t)
			}
		}
		if len(targets) > maxTargets {
			return nil, fmt.Errorf("dnsbl: more than %d targets", maxTargets)
		}
	}
	return targets, nil
}

// spread reads one target, or the addresses of a network.
func spread(word string) ([]dnsbl.Target, error) {
	if p, err := netip.ParsePrefix(word); err == nil {
		switch {
		case p.Addr().BitLen()-p.Bits() > 16:
			return nil, fmt.Errorf("dnsbl: %s holds more than %d addresses", word, maxTargets)
		case !isPublic(p.Addr()):
			return nil, fmt.Errorf("dnsbl: %s is a private network, which no list holds", word)
		}
		return slices.Collect(dnsbl.Prefix(p)), nil
	}
	t, err := dnsbl.ParseTarget(word)
	if err == nil && t.Addr().IsValid() && !isPublic(t.Addr()) {
		err = fmt.Errorf("dnsbl: %s is a private address, which no list holds", t)
	}
	if err != nil {
		return nil, err
	}
	return []dnsbl.Target{t}, nil
}

// isPublic reports whether mail may come from an address. The loopback addresses are
// let through: some are the test entries of lists.
func isPublic(addr netip.Addr) bool {
	return !addr.IsPrivate() && !addr.IsLinkLocalUnicast() && !addr.IsUnspecified() && !addr.IsMulticast() && !sharedRange.Contains(addr)
}

// sharedRange is that of carriers' address translation (RFC 6598).
var sharedRange = netip.MustParsePrefix("100.64.0.0/10")

// kindWords are what may stand behind a zone.
var kindWords = regexp.MustCompile(`^((ipv4|ipv6|domain)( |$))*$`)

// listsFile reads lists of the caller's own: zones, one a line, or stanzas. It
// returns nil for no file.
func listsFile(file string) (*dnsbl.Catalogue, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, plainError(err)
	}
	var zones []string
	for n, line := range strings.Split(string(raw), "\n") {
		zone, _, _ := strings.Cut(line, "#")
		if zone = strings.TrimSpace(zone); zone == "" {
			continue
		}
		if strings.Contains(zone, ": ") {
			lists, err := dnsbl.Parse(bytes.NewReader(raw))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			return lists, nil
		}
		name, kinds, _ := strings.Cut(strings.Join(strings.Fields(zone), " "), " ")
		if _, err := dnsbl.Domain(name); err != nil || !kindWords.MatchString(kinds) {
			return nil, fmt.Errorf("%s: line %d: %q is no zone, with ipv4, ipv6 or domain behind it where it lists these alone", file, n+1, zone)
		}
		zones = append(zones, strings.TrimSpace(name+" "+kinds))
	}
	if len(zones) == 0 {
		return nil, fmt.Errorf("%s: holds no zone", file)
	}
	return dnsbl.Own(zones...), nil
}

// keysFile reads keys, "name key" a line. What is wrong is told without the key.
func keysFile(file string) (dnsbl.Keys, error) {
	keys := dnsbl.Keys{}
	if file == "" {
		return keys, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil { // what is given may be the key itself
		return nil, fmt.Errorf("-keys: %w", errors.Unwrap(err))
	}
	var known []string
	for l := range dnsbl.Default().All() {
		if l.Key != "" && !slices.Contains(known, l.Key) {
			known = append(known, l.Key)
		}
	}
	for n, line := range strings.Split(string(raw), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0][0] == '#':
		case len(words) != 2 || !slices.Contains(known, words[0]):
			return nil, fmt.Errorf("%s: line %d: want a name and a key; the names are %s", file, n+1, strings.Join(known, ", "))
		default:
			keys[words[0]] = dnsbl.Secret(words[1])
		}
	}
	return keys, nil
}

// ask asks about the targets, some at a time, and writes what each list says.
func (a *app) ask(ctx context.Context, w io.Writer, c *cli.Command, checker *dnsbl.Checker, targets []dnsbl.Target) error {
	var all dnsbl.Report
	for some := range slices.Chunk(targets, batch) {
		within, cancel := context.WithTimeout(ctx, c.Duration("timeout"))
		report := a.collect(within, checker, some)
		cancel()
		for _, one := range report.Targets() {
			a.count(one)
			var err error
			switch {
			case c.Bool("json"):
				err = writeResults(w, one)
			case len(targets) < manyTargets || one.Tally().Listed > 0:
				err = writeReport(w, one)
			}
			if err != nil {
				return err
			}
		}
		if len(targets) >= manyTargets {
			all.Results = append(all.Results, trim(report)...)
		}
	}
	if err := ctx.Err(); err != nil {
		return errors.New("interrupted: what was still asked is not known")
	}
	if c.Bool("json") || len(targets) < manyTargets {
		return nil
	}
	return writeSummary(w, len(targets), &all)
}

// trim leaves out what a summary does not tell, for it may be of many targets.
func trim(report *dnsbl.Report) []dnsbl.Result {
	return slices.DeleteFunc(slices.Clone(report.Results), func(res dnsbl.Result) bool { return res.Status == dnsbl.NotListed })
}

// collect asks, with a line of progress on a terminal.
func (a *app) collect(ctx context.Context, checker *dnsbl.Checker, targets []dnsbl.Target) *dnsbl.Report {
	total := 0
	for _, t := range targets {
		n := len(checker.Lists(t))
		if n == 0 {
			a.complain(fmt.Errorf("%s: none of the lists lists things of this kind", t))
		}
		total += n
	}
	if !isTerminal(a.err) {
		return checker.Report(ctx, targets...)
	}
	done, listed := 0, 0
	report := dnsbl.Collect(func(yield func(dnsbl.Result) bool) {
		for res := range checker.Check(ctx, targets...) {
			done++
			if res.Status == dnsbl.Listed && res.Action == dnsbl.Block {
				listed++
			}
			if done%progressStep == 0 || total < 10*progressStep {
				fmt.Fprintf(a.err, "\rasked %d of %d, listed on %d\x1b[K", done, total, listed)
			}
			if !yield(res) {
				return
			}
		}
	})
	fmt.Fprint(a.err, "\r\x1b[K")
	return report
}

// progressStep is after how many results the line of progress is written again, where
// there are many.
const progressStep = 50

// count keeps what the exit status tells.
func (a *app) count(report *dnsbl.Report) {
	for _, res := range report.Results {
		if res.Status == dnsbl.Listed || res.Status == dnsbl.NotListed {
			a.done++
		}
		a.found = a.found || res.Status == dnsbl.Listed && res.Action == dnsbl.Block
	}
}

// watch writes what changes, until ctx ends.
func (a *app) watch(ctx context.Context, w io.Writer, c *cli.Command, checker *dnsbl.Checker, targets []dnsbl.Target, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	if !c.Bool("json") {
		fmt.Fprintf(a.err, "rebound: watching %d targets, every %s; what is listed now comes first\n", len(targets), every)
	}
	for change := range checker.Watch(ctx, ticker.C, targets...) {
		a.done++
		a.found = a.found || change.Kind == dnsbl.BecameListed && change.Result.Action == dnsbl.Block
		if err := writeChange(w, c.Bool("json"), change); err != nil {
			return err
		}
	}
	a.done++ // a watch in which nothing changed is done, too
	return nil
}
