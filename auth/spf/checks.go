package spf

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// A check looks at one thing in a tree and reports what is wrong with it.
type check struct {
	code string
	run  func(*Tree) []finding.Finding
}

// checks is the table of contents of what is said about a domain's record; each
// stands in the file that its code names.
var checks = []check{
	{"spf.record-missing", checkRecordMissing},
	{"spf.record-misspelt", checkRecordMisspelt},
	{"spf.several-records", checkSeveralRecords},
	{"spf.lookup-failed", checkLookupFailed},
	{"spf.syntax", checkSyntax},
	{"spf.loop", checkLoop},
	{"spf.include-dead", checkIncludeDead},
	{"spf.too-many-lookups", checkTooManyLookups},
	{"spf.too-many-voids", checkTooManyVoids},
	{"spf.too-many-mx", checkTooManyMX},
	{"spf.all-pass", checkAllPass},
	{"spf.all-neutral", checkAllNeutral},
	{"spf.all-missing", checkAllMissing},
	{"spf.behind-all", checkBehindAll},
	{"spf.ptr-used", checkPTRUsed},
	{"spf.repeated-include", checkRepeatedInclude},
	{"spf.repeated-network", checkRepeatedNetwork},
	{"spf.network-wide", checkNetworkWide},
	{"spf.network-private", checkNetworkPrivate},
	{"spf.void-term", checkVoidTerm},
	{"spf.record-long", checkRecordLong},
	{"spf.type-99", checkType99},
}

// Findings tells what is wrong with the record, and one finding "spf.record" where
// nothing is.
func (t *Tree) Findings() []finding.Finding {
	var list []finding.Finding
	wrong := false
	for _, c := range checks {
		for _, f := range c.run(t) {
			f.Code = c.code
			if f.Subject == "" {
				f.Subject = t.Domain
			}
			if c.code != "spf.lookup-failed" {
				f.Outcome = finding.Found
			}
			wrong = wrong || f.Severity >= finding.Notice || f.Outcome != finding.Found
			list = append(list, f)
		}
	}
	if !wrong {
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
