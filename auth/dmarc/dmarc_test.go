package dmarc

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

func TestEvaluate(t *testing.T) {
	zone := resolvetest.New(t, `
_dmarc.shop.example. TXT "v=DMARC1; p=reject; sp=quarantine; np=none; aspf=s"
news.shop.example. A 192.0.2.1
_dmarc.test.example. TXT "v=DMARC1; p=quarantine; t=y"
_dmarc.bank. TXT "v=DMARC1; p=reject; np=reject; sp=none; psd=y"
one.bank. A 192.0.2.2
_dmarc.free.example. TXT "v=DMARC1; p=reject; psd=n"
_dmarc.sub.free.example. TXT "v=DMARC1; p=none"
;! _dmarc.slow.example ANY TIMEOUT
;! _dmarc.slow.shop.example ANY SERVFAIL
;! np.shop.example A TIMEOUT
`)
	for _, tt := range []struct {
		from, spf, dkim string
		want            Code
		policy          Policy
		domain, org     string
		tag             string
	}{
		{"shop.example", "shop.example pass", "", Pass, Reject, "shop.example", "shop.example", "p"},
		{"SHOP.example.", "bounce.shop.example pass", "", Fail, Reject, "shop.example", "shop.example", "p"},
		{"shop.example", "esp.example pass", "esp.example pass", Fail, Reject, "shop.example", "shop.example", "p"},
		{"shop.example", "shop.example fail", "mail.shop.example pass", Pass, Reject, "shop.example", "shop.example", "p"},
		{"shop.example", "", "mail.shop.example fail", Fail, Reject, "shop.example", "shop.example", "p"},
		{"shop.example", "", "shop.example temperror", TempError, Reject, "shop.example", "shop.example", "p"},
		{"news.shop.example", "", "", Fail, Quarantine, "shop.example", "shop.example", "sp"},
		{"gone.shop.example", "", "", Fail, PolicyNone, "shop.example", "shop.example", "np"},
		{"np.shop.example", "", "", TempError, Quarantine, "shop.example", "shop.example", "sp"},
		{"slow.shop.example", "", "", TempError, "", "", "shop.example", ""},
		{"shop.example", "", "slow.shop.example pass", TempError, Reject, "shop.example", "shop.example", "p"},
		{"test.example", "", "", Fail, PolicyNone, "test.example", "test.example", "p"},
		{"one.bank", "", "x.one.bank pass", Pass, PolicyNone, "bank", "one.bank", "sp"},
		{"two.bank", "", "one.bank pass", Fail, Reject, "bank", "two.bank", "np"},
		{"sub.free.example", "", "free.example pass", Pass, PolicyNone, "sub.free.example", "free.example", "p"},
		{"none.test", "none.test pass", "", None, "", "", "none.test", ""},
		{"slow.example", "", "", TempError, "", "", "slow.example", ""},
		{"a..b", "", "", PermError, "", "", "", ""},
	} {
		in := Input{From: tt.from}
		in.SPF.Domain, in.SPF.Result, _ = strings.Cut(tt.spf, " ")
		if tt.dkim != "" {
			d, r, _ := strings.Cut(tt.dkim, " ")
			in.DKIM = []Identifier{{d, r}}
		}
		res := Evaluate(t.Context(), zone, in)
		if res.Result != tt.want || res.Policy != tt.policy || res.PolicyDomain != tt.domain || res.Org != tt.org || res.Tag != tt.tag || res.Why == "" {
			t.Errorf("%s %q %q: %s %s of %q by %q, org %q (%s); want %s %s of %q by %q, org %q", tt.from, tt.spf, tt.dkim,
				res.Result, res.Policy, res.PolicyDomain, res.Tag, res.Org, res.Why, tt.want, tt.policy, tt.domain, tt.tag, tt.org)
		}
		f := res.Findings()[0]
		if f.Outcome == finding.Found && (f.Consequence == "" || len(f.Fixes) == 0) || (f.Outcome == finding.Clean) != (tt.want == Pass) {
			t.Errorf("%s: %+v", tt.from, f)
		}
	}
}

// RFC 9989, section 4.10: eight questions at most, and which.
func TestWalkLimit(t *testing.T) {
	zone := resolvetest.New(t, "x.example. A 192.0.2.1\n")
	Lookup(t.Context(), zone, "a.b.c.d.e.f.g.h.i.j.mail.shop.example")
	const want = "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.shop.example TXT, _dmarc.example TXT, _dmarc.g.h.i.j.mail.shop.example TXT, _dmarc.h.i.j.mail.shop.example TXT, " +
		"_dmarc.i.j.mail.shop.example TXT, _dmarc.j.mail.shop.example TXT, _dmarc.mail.shop.example TXT, _dmarc.shop.example TXT"
	if got := strings.Join(zone.Asked(), ", "); got != want {
		t.Errorf("asked\n%s\nwant\n%s", got, want)
	}
	zone.Forget()
	Lookup(t.Context(), zone, strings.Repeat("a.", 100)+"example")
	if n := len(zone.Asked()); n > maxLabels {
		t.Errorf("%d questions", n)
	}
}

func TestPSL(t *testing.T) {
	zone := resolvetest.New(t, `
_dmarc.shop.co.uk. TXT "v=DMARC1; p=reject; sp=none"
_dmarc.example. TXT "v=DMARC1; p=none"
`)
	if d := Lookup(t.Context(), zone, "a.b.shop.co.uk"); fmt.Sprint(d.PSL) != "{shop.co.uk shop.co.uk none}" || d.Org != "shop.co.uk" || d.Stated != PolicyNone {
		t.Errorf("%+v", d)
	}
	if d := Lookup(t.Context(), zone, "x.other.example"); d.PSL.PolicyDomain != "" || d.PolicyDomain != "example" || d.Org != "example" {
		t.Errorf("%+v", d)
	}
}

func TestCheckReports(t *testing.T) {
	zone := resolvetest.New(t, `
_dmarc.shop.example. TXT "v=DMARC1; p=none; rua=mailto:a@in.shop.example,mailto:b@yes.test,mailto:c@no.test!5m,https://x.test/r; ruf=mailto:d@slow.test"
shop.example._report._dmarc.yes.test. TXT "other"
shop.example._report._dmarc.yes.test. TXT "v=DMARC1"
;! shop.example._report._dmarc.slow.test ANY TIMEOUT
`)
	var got []string
	for _, d := range CheckReports(t.Context(), zone, Lookup(t.Context(), zone, "shop.example")) {
		got = append(got, fmt.Sprintf("%s %s needed %v agreed %v known %v", d.Tag, d.URI.Host, d.Needed, d.Agreed, d.Known))
	}
	want := []string{
		"rua in.shop.example needed false agreed true known true",
		"rua yes.test needed true agreed true known true",
		"rua no.test needed true agreed false known true",
		"ruf slow.test needed true agreed false known false",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestHostile(t *testing.T) {
	long := "v=DMARC1; p=reject; rua=" + strings.Repeat("mailto:a@b.example,", 4000) + "; " + strings.Repeat("x=y;", 10_000)
	r := Parse(long)
	if len(r.Tags) > maxTags || len(r.RUA) > maxURIs || r.Policy != Reject {
		t.Errorf("%d tags, %d destinations, %s", len(r.Tags), len(r.RUA), r.Policy)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	zone := resolvetest.New(t, `_dmarc.shop.example. TXT "v=DMARC1; p=none"`)
	if res := Evaluate(ctx, zone, Input{From: "shop.example"}); res.Result != TempError {
		t.Errorf("ended: %s", res.Result)
	}
	many := Input{From: "shop.example"}
	for i := range 1000 {
		many.DKIM = append(many.DKIM, Identifier{fmt.Sprintf("d%d.shop.example", i), "pass"})
	}
	zone.Forget()
	Evaluate(t.Context(), zone, many)
	if n := len(zone.Asked()); n > 3*maxIdentifiers {
		t.Errorf("%d questions", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"v=DMARC1; p=reject; sp=none; np=quarantine; t=y; psd=n; adkim=s; aspf=r; rua=mailto:a@b.example!10m,x; fo=1:d:s; pct=5; rf=afrf; ri=1", " v = DMARC1 ;; p", "v=DMARC1;\x00=;é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := Parse(text)
		for _, fault := range r.Faults {
			if fault.Start < 0 || fault.Start > fault.End || fault.End > len(text) || fault.What == "" || fault.Effect == "" {
				t.Errorf("%q: %+v", text, fault)
			}
		}
		if again := Parse(text); again.Policy != r.Policy {
			t.Errorf("%q: %s, then %s", text, r.Policy, again.Policy)
		}
		d := &Discovery{Domain: "shop.example", Org: "shop.example", PolicyDomain: "shop.example", Text: text, Record: r, Steps: []Step{{Domain: "shop.example", Record: r, Text: text}}}
		if !IsRecord(text) {
			return
		}
		for _, found := range (&Lint{Discovery: d}).Findings() {
			for _, e := range found.Evidence {
				if e.Start < 0 || e.Start > e.End || e.End > len(e.Text) {
					t.Errorf("%q: %+v", text, e)
				}
			}
		}
	})
}

func ExampleEvaluate() {
	zone := resolvetest.New(&testing.T{}, `_dmarc.shop.example. TXT "v=DMARC1; p=reject"`)
	res := Evaluate(context.Background(), zone, Input{
		From: "news.shop.example",
		SPF:  Identifier{Domain: "esp.example", Result: "pass"},
		DKIM: []Identifier{{Domain: "shop.example", Result: "pass"}},
	})
	fmt.Println(res.Result, res.Policy)
	fmt.Println(res.Why)
	// Output:
	// pass reject
	// DKIM passed for shop.example, which aligns with news.shop.example.
}
