package dnsbl

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// several lists hold 198.51.100.25 for several reasons.
const several = `
2.0.0.127.zen.spamhaus.org. A 127.0.0.2
25.100.51.198.zen.spamhaus.org. A 127.0.0.11
25.100.51.198.pbl.spamhaus.org. A 127.0.0.11
2.0.0.127.all.spamrats.com. A 127.0.0.36
25.100.51.198.all.spamrats.com. A 127.0.0.37
2.0.0.127.list.dnswl.org. A 127.0.10.0
25.100.51.198.list.dnswl.org. A 127.0.5.2
2.0.0.127.bl.spamcop.net. A 127.0.0.2
;! *.psbl.surriel.com ANY SERVFAIL
`

func TestReport(t *testing.T) {
	c := &Checker{Resolver: resolvetest.New(t, several), Catalogue: Default().Select(WithID("dnswl", "psbl", "spamcop", "spamrats-all", "spamhaus-zen", "spamhaus-pbl", "sorbs"))}
	other := IP(netip.MustParseAddr("198.51.100.26"))
	report := c.Report(t.Context(), other, target)
	var got []string
	for _, res := range report.Results {
		got = append(got, fmt.Sprintf("%s %s %s", res.List.ID, res.Target, res.Status))
	}
	want := []string{
		"spamhaus-zen 198.51.100.25 listed", "spamhaus-pbl 198.51.100.25 listed", "spamrats-all 198.51.100.25 listed",
		"dnswl 198.51.100.25 listed",
		"psbl 198.51.100.26 unknown", "psbl 198.51.100.25 unknown",
		"spamhaus-pbl 198.51.100.26 dead", "sorbs 198.51.100.26 dead", "sorbs 198.51.100.25 dead",
		"spamhaus-zen 198.51.100.26 not-listed", "spamcop 198.51.100.26 not-listed", "spamcop 198.51.100.25 not-listed",
		"spamrats-all 198.51.100.26 not-listed", "dnswl 198.51.100.26 not-listed",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("order\n%s\nwant\n%s", g, w)
	}
	parts := report.Targets()
	if len(parts) != 2 || parts[0].Results[0].Target != other || parts[1].Results[0].Target != target {
		t.Fatalf("split into %d", len(parts))
	}
	if got, want := parts[1].Tally().String(), "listed on 3, clean on 1, on 1 allow lists, 1 gave no answer, 1 out of service"; got != want {
		t.Errorf("tally %q, want %q", got, want)
	}
	for _, f := range parts[1].Findings() {
		if f.Code == "dnsbl.not-listed" || f.Code == "dnsbl.listed" && strings.Contains(f.Fact, "DNSWL") && (f.Severity != finding.Info || len(f.Fixes) > 0) {
			t.Errorf("finding %+v", f)
		}
	}
}

// The heaviest list comes first; a policy is no matter of warm-up, a list for missing
// PTR records one of reverse DNS; a part is not told beside its whole.
func TestRemovals(t *testing.T) {
	c := &Checker{Resolver: resolvetest.New(t, several+"2.0.0.127.pbl.spamhaus.org. A 127.0.0.10\n"), Catalogue: Default().Select(WithID("dnswl", "spamcop", "spamrats-all", "spamhaus-zen", "spamhaus-pbl"))}
	removals := c.Report(t.Context(), target).Removals()
	if len(removals) != 2 || removals[0].List.ID != "spamhaus-pbl" || removals[1].List.ID != "spamrats-noptr" {
		t.Fatalf("removals %+v, want those of PBL and of NoPtr", removals)
	}
	pbl, noPTR := removals[0], removals[1]
	text := fmt.Sprint(pbl.Fixes())
	if !strings.Contains(text, "smarthost") || !strings.Contains(text, "exclusion") || strings.Contains(text, "warm") || pbl.Who != "self" {
		t.Errorf("PBL: %s, asked by %s", text, pbl.Who)
	}
	if pbl.Ask.URL != "https://check.spamhaus.org/" || pbl.Ask.Verify != "DNS answers NXDOMAIN for 25.100.51.198.zen.spamhaus.org." || pbl.Ask.Action != finding.Request {
		t.Errorf("PBL: ask %+v", pbl.Ask)
	}
	if got := strings.Join(pbl.Terms(), "; "); got != "anyone who sends from there may ask; cost: free; entries: does not run out: it states a policy" {
		t.Errorf("PBL: terms %q", got)
	}
	if len(noPTR.First) == 0 || !strings.Contains(noPTR.First[0].What, "PTR record") {
		t.Errorf("NoPtr: %+v, want the PTR record first", noPTR)
	}
}

func TestRemovalOfEveryList(t *testing.T) {
	for l := range Default().All() {
		if l.Action == Allow || l.Action == Info {
			continue
		}
		rm := l.Removal(target, nil)
		if rm.Ask.What == "" || rm.Ask.Action == "" {
			t.Errorf("%s: %+v", l.ID, rm)
		}
		if (rm.Who == "automatic" || rm.Who == "nobody") != (rm.Ask.Action == finding.Wait) {
			t.Errorf("%s: asked by %q, and the last step is to %s", l.ID, rm.Who, rm.Ask.Action)
		}
		for _, fix := range rm.Fixes() {
			if strings.Contains(strings.ToLower(fix.What), "warm") && !strings.HasPrefix(l.ID, "fresh") {
				t.Errorf("%s: %q", l.ID, fix.What)
			}
		}
	}
}

// URIBL's refusal shows the address of the resolver that asked.
func TestRefusalShowsTheResolver(t *testing.T) {
	zone := resolvetest.New(t, "*.multi.uribl.com. A 127.0.0.1\n*.multi.uribl.com. TXT \"127.0.0.1 -> Query Refused. See http://uribl.com/refused.shtml [Your DNS IP: 192.0.2.53]\"\n")
	domain, _ := Domain("shop.example")
	res := only(t, &Checker{Resolver: zone, Catalogue: Default().Select(WithID("uribl-multi"))}, domain)
	f := res.Finding()
	if res.Status != Refused || !strings.Contains(f.Fact, "192.0.2.53") || len(f.Fixes) == 0 || !strings.Contains(f.Fixes[0].What, "Unbound") {
		t.Errorf("%s: %+v", res.Status, f)
	}
	zen := only(t, &Checker{Resolver: resolvetest.New(t, "*.zen.spamhaus.org. A 127.255.255.254\n"), Catalogue: Default().Select(WithID("spamhaus-zen"))}, target)
	f = zen.Finding()
	if zen.Status != Refused || len(f.Fixes) != 2 || !strings.Contains(f.Fixes[1].What, "key for Spamhaus DQS ZEN") || f.Fixes[1].URL == "" {
		t.Errorf("%s: fixes %+v, want a resolver or a key", zen.Status, f.Fixes)
	}
}

// A list that a bounce names and that is no more is explained.
func TestEveryDeadListIsExplained(t *testing.T) {
	c := &Checker{Resolver: resolvetest.New(t, "other.test. A 192.0.2.1\n"), Catalogue: Default().Select(func(l *List) bool { return !l.Usable() })}
	domain, _ := Domain("shop.example")
	n := 0
	for res := range c.Check(t.Context(), target, domain, IP(netip.MustParseAddr("2001:db8::25"))) {
		n++
		f := res.Finding()
		if res.Status != Dead || !strings.Contains(res.Why, res.List.Status) || f.Outcome != finding.NotApplicable || f.Source == "" {
			t.Errorf("%s: %s (%s), %+v", res.List.ID, res.Status, res.Why, f)
		}
	}
	if n < 110 {
		t.Errorf("%d results of dead lists", n)
	}
}
