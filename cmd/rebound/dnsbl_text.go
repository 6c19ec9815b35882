package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
)

func writeResults(w io.Writer, report *dnsbl.Report) error {
	for _, res := range report.Results {
		if err := writeJSON(w, res); err != nil {
			return err
		}
	}
	return nil
}

// writeReport writes what the lists say of one target: what is wrong with the
// resolver, a table by weight, what is not listed in one line, and what to do.
func writeReport(w io.Writer, report *dnsbl.Report) error {
	var b strings.Builder
	target := report.Results[0].Target
	fmt.Fprintf(&b, "%s: %s\n", target, report.Tally())
	if target.Addr().IsLoopback() {
		fmt.Fprintf(&b, "  note: no mail comes from %s; lists hold such addresses for tests (RFC 5782, section 5)\n", target)
	}
	for _, f := range report.Findings() {
		if strings.HasPrefix(f.Code, "resolver.") {
			writeNote(&b, f)
		}
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	var clean, absent, untold []string
	for _, res := range report.Results {
		switch {
		case res.Health.State == dnsbl.Rewritten || res.Health.State == dnsbl.Filtered:
			untold = append(untold, res.List.Zone)
		case res.Status != dnsbl.NotListed:
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", res.List.Weight, word(&res), res.List.Zone, rebound.Plain(says(&res)))
		case res.List.Action == dnsbl.Block || res.List.Action == dnsbl.Mixed:
			clean = append(clean, res.List.Zone)
		default:
			absent = append(absent, res.List.Zone)
		}
	}
	_ = table.Flush()
	writeNames(&b, "not known, because of the resolver", untold)
	writeNames(&b, "not listed on", clean)
	writeNames(&b, "not on the allow and information lists", absent)
	if !target.Addr().IsLoopback() {
		writeRemovals(&b, report)
	}
	for _, f := range report.Findings() {
		if f.Code == "dnsbl.refused" {
			writeNote(&b, f)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeNote(b *strings.Builder, f finding.Finding) {
	fmt.Fprintf(b, "  note: %s %s\n", rebound.Plain(f.Fact), f.Consequence)
	for _, fix := range f.Fixes {
		fmt.Fprintf(b, "    - %s%s\n", rebound.Plain(fix.What), page(fix.URL))
	}
}

// word is the status of a result in a table: LISTED catches the eye.
func word(res *dnsbl.Result) string {
	switch {
	case res.Status != dnsbl.Listed:
		return res.Status.String()
	case res.Action == dnsbl.Block:
		return "LISTED"
	}
	return string(res.Action)
}

// says is what a list says, and why it says nothing.
func says(res *dnsbl.Result) string {
	var parts []string
	for _, c := range res.Codes {
		parts = append(parts, c.Addr.String()+" "+c.Meaning)
	}
	if res.Why != "" {
		parts = append(parts, res.Why)
	}
	if res.Reason != "" {
		parts = append(parts, "it says: "+res.Reason)
	}
	return strings.Join(parts, "; ")
}

func writeNames(b *strings.Builder, head string, names []string) {
	if len(names) == 0 {
		return
	}
	line := "  " + head + ":"
	for _, name := range names {
		if len(line)+len(name) > 98 {
			b.WriteString(line + "\n")
			line = "   "
		}
		line += " " + name
	}
	b.WriteString(line + "\n")
}

func page(url string) string {
	if url == "" {
		return ""
	}
	return " " + url
}

// writeRemovals writes what leads off the lists, the heaviest first.
func writeRemovals(b *strings.Builder, report *dnsbl.Report) {
	for i, removal := range report.Removals() {
		if i == 0 {
			b.WriteString("  what to do, in this order:\n")
		}
		fmt.Fprintf(b, "  %d. %s", i+1, removal.List.Name)
		if terms := removal.Terms(); len(terms) > 0 {
			fmt.Fprintf(b, " (%s)", strings.Join(terms, "; "))
		}
		b.WriteString("\n")
		for _, fix := range removal.Fixes() {
			fmt.Fprintf(b, "     - %s%s\n", rebound.Plain(fix.What), page(fix.URL))
			if fix.Verify != "" {
				fmt.Fprintf(b, "       to see that it is done: %s\n", fix.Verify)
			}
		}
	}
}

// writeSummary tells of many targets together.
func writeSummary(w io.Writer, targets int, report *dnsbl.Report) error {
	listed := map[string]bool{}
	type tally struct {
		list               *dnsbl.List
		listed, open, dead int
		why                string
	}
	var lists []*tally
	for _, res := range report.Results {
		at := slices.IndexFunc(lists, func(t *tally) bool { return t.list == res.List })
		if at < 0 {
			at = len(lists)
			lists = append(lists, &tally{list: res.List})
		}
		t := lists[at]
		switch {
		case res.Status == dnsbl.Listed && res.Action == dnsbl.Block:
			listed[res.Target.String()] = true
			t.listed++
		case res.Status == dnsbl.Listed:
		case res.Status == dnsbl.Dead:
			t.dead, t.why = t.dead+1, res.Why
		default:
			t.open, t.why = t.open+1, res.Why
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d targets, %d of them on block lists\n", targets, len(listed))
	for _, t := range lists {
		if t.listed > 0 {
			fmt.Fprintf(&b, "  %s lists %d of them\n", t.list.Zone, t.listed)
		}
		if t.open > 0 {
			fmt.Fprintf(&b, "  no usable answer about %d of them from %s: %s\n", t.open, t.list.Zone, rebound.Plain(t.why))
		}
		if t.dead > 0 {
			fmt.Fprintf(&b, "  %s is out of service: %s\n", t.list.Zone, rebound.Plain(t.why))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeChange(w io.Writer, asJSON bool, change dnsbl.Change) error {
	res := change.Result
	if asJSON {
		return writeJSON(w, struct {
			At     time.Time        `json:"at"`
			Change dnsbl.ChangeKind `json:"change"`
			Result json.Marshaler   `json:"result"`
		}{change.At, change.Kind, res})
	}
	at := change.At.Format(time.RFC3339)
	var err error
	switch change.Kind {
	case dnsbl.WentIll, dnsbl.GotWell:
		_, err = fmt.Fprintf(w, "%s %-8s %s %s\n", at, change.Kind, res.List.Zone, rebound.Plain(res.Why))
	default:
		_, err = fmt.Fprintf(w, "%s %-8s %s on %s (%s) %s\n", at, change.Kind, res.Target, res.List.Zone, res.List.Weight, rebound.Plain(says(&res)))
	}
	return err
}
