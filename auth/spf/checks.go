package spf

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/lint"
	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checks is the table of contents of what is said about a domain's record; each
// stands in the file that its code names.
var checks = []lint.Check[*Tree]{
	{Code: "spf.record-missing", Run: checkRecordMissing},
	{Code: "spf.record-misspelt", Run: checkRecordMisspelt},
	{Code: "spf.several-records", Run: checkSeveralRecords},
	{Code: "spf.lookup-failed", Run: checkLookupFailed},
	{Code: "spf.syntax", Run: checkSyntax},
	{Code: "spf.loop", Run: checkLoop},
	{Code: "spf.include-dead", Run: checkIncludeDead},
	{Code: "spf.too-many-lookups", Run: checkTooManyLookups},
	{Code: "spf.too-many-voids", Run: checkTooManyVoids},
	{Code: "spf.too-many-mx", Run: checkTooManyMX},
	{Code: "spf.all-pass", Run: checkAllPass},
	{Code: "spf.all-neutral", Run: checkAllNeutral},
	{Code: "spf.all-missing", Run: checkAllMissing},
	{Code: "spf.behind-all", Run: checkBehindAll},
	{Code: "spf.ptr-used", Run: checkPTRUsed},
	{Code: "spf.repeated-include", Run: checkRepeatedInclude},
	{Code: "spf.repeated-network", Run: checkRepeatedNetwork},
	{Code: "spf.network-wide", Run: checkNetworkWide},
	{Code: "spf.network-private", Run: checkNetworkPrivate},
	{Code: "spf.void-term", Run: checkVoidTerm},
	{Code: "spf.record-long", Run: checkRecordLong},
	{Code: "spf.type-99", Run: checkType99},
}

// Findings tells what is wrong with the record, and one finding "spf.record" where
// nothing is.
func (t *Tree) Findings() []finding.Finding {
	list := lint.Run(checks, t.Domain, t)
	if !lint.Wrong(list) {
		list = append([]finding.Finding{{
			Code: "spf.record", Outcome: finding.Clean, Subject: t.Domain, Source: "RFC 7208, section 4.6.4",
			Fact:     fmt.Sprintf("%s has an SPF record with %d of %d lookups that lets %s send.", t.Domain, t.Lookups, MaxLookups, t.covers()),
			Evidence: txt.Evidence(t.Root.Answer),
		}}, list...)
	}
	return list
}

// covers says how many addresses the record lets send.
func (t *Tree) covers() string {
	six := 0
	for _, p := range t.Networks {
		if p.Addr().Is6() {
			six++
		}
	}
	text := count(int(t.Addresses), "IPv4 address")
	if t.Addresses != 1 {
		text = fmt.Sprintf("%d IPv4 addresses", t.Addresses)
	}
	if six > 0 {
		text += " and " + count(six, "IPv6 network")
	}
	if t.Partial {
		text = "at least " + text
	}
	return text
}

// inRecord is the evidence of a place in a record.
func inRecord(b *Branch, start, end int) []finding.Evidence {
	return []finding.Evidence{{Kind: finding.KindDNS, Source: b.Domain + " TXT", Text: b.Text, Start: start, End: end}}
}

// rewrite is the fix that changes the domain's own record.
func (t *Tree) rewrite(new, what string) []finding.Fix {
	return []finding.Fix{txt.Published(t.Domain, t.Root.Text, new, what)}
}

// without returns the record without one term.
func (b *Branch) without(t *Term) string {
	return strings.TrimRight(b.Text[:t.Start], " ") + b.Text[t.End:]
}

// replaced returns the record with one term changed.
func (b *Branch) replaced(t *Term, by string) string { return b.Text[:t.Start] + by + b.Text[t.End:] }

// each calls f for every branch once, the domain's own first.
func (t *Tree) each(f func(*Branch)) {
	seen := map[*Branch]bool{}
	var walk func(*Branch)
	walk = func(b *Branch) {
		if seen[b] || b.Record == nil && b.Code == "" {
			return
		}
		seen[b] = true
		f(b)
		for i := range b.Twigs {
			if c := b.Twigs[i].Child; c != nil {
				walk(c)
			}
		}
	}
	walk(t.Root)
}

// ask is the fix for a record that belongs to somebody else.
func (t *Tree) ask(b *Branch, what string) finding.Fix {
	return finding.Fix{Action: finding.Ask, What: fmt.Sprintf("Ask the owner of %s to %s, or take the term that leads there out of the record of %s.", b.Domain, what, t.Domain), Verify: fmt.Sprintf("The tree of %s shows it no longer.", t.Domain)}
}
