package spf

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

func ask(t *testing.T, zone resolve.Resolver, ip, from, helo string) *Result {
	t.Helper()
	return Check(t.Context(), zone, Query{IP: netip.MustParseAddr(ip), MailFrom: from, HELO: helo, Receiver: "mx.recipient.example", Now: time.Unix(1790000000, 0)})
}

func TestCheck(t *testing.T) {
	const zoneText = `
shop.example. TXT "v=spf1 a:mail.shop.example include:esp.example exists:%{l1r-}.%{ir}.%{v}.users.shop.example -all exp=why.shop.example"
why.shop.example. TXT "%{i} may not send for %{S}, %{c} %{r} %{t} %{p}%_%%"
mail.shop.example. A 192.0.2.10
esp.example. TXT "v=spf1 ip4:198.51.100.0/24 ?ip6:2001:db8:1::/48 -all exp=not.this.example"
joe.9.113.0.203.in-addr.users.shop.example. A 127.0.0.2
helo.example. TXT "v=spf1 a -all"
helo.example. A 192.0.2.10
to.shop.example. TXT "v=spf1 redirect=shop.example"
soft.example. TXT "v=spf1 ip4:192.0.2.0/24 ~all"
open.example. TXT "v=spf1 ip4:192.0.2.0/24"
two.example. TXT "v=spf1 -all"
two.example. TXT "v=spf1 +all"
slow.example. TXT "v=spf1 a:gone.slow.example -all"
;! gone.slow.example ANY TIMEOUT
dead.example. TXT "v=spf1 include:nothing.example -all"
bad.example. TXT "v=spf1 ip4:192.0.2.1 include: -all"
ptr.example. TXT "v=spf1 ptr -all exp=p.ptr.example"
p.ptr.example. TXT "you are %{p}"
77.100.51.198.in-addr.arpa. PTR h77.isp.example.
h77.isp.example. A 198.51.100.77
78.100.51.198.in-addr.arpa. PTR out.ptr.example.
out.ptr.example. A 198.51.100.78
xn--bcher-kva.example. TXT "v=spf1 ip4:192.0.2.1 -all"
`
	zone := resolvetest.New(t, zoneText)
	for _, tt := range []struct {
		ip, from, helo string
		want           Code
		because        string
		lookups, voids int
		explanation    string
	}{
		{"192.0.2.10", "news@shop.example", "", Pass, "a:mail.shop.example", 1, 0, ""},
		{"::ffff:192.0.2.10", "news@shop.example", "", Pass, "a:mail.shop.example", 1, 0, ""},
		{"198.51.100.7", "news@shop.example", "", Pass, "include:esp.example", 2, 0, ""},
		{"203.0.113.9", "joe@shop.example", "", Pass, "exists:%{l1r-}.%{ir}.%{v}.users.shop.example", 3, 0, ""},
		{"203.0.113.8", "joe@shop.example", "", Fail, "-all", 3, 1, "203.0.113.8 may not send for joe%40shop.example, 203.0.113.8 mx.recipient.example 1790000000 unknown %"},
		{"2001:db8:1::5", "joe@shop.example", "", Fail, "-all", 3, 2, "2.0.0.1.0.D.B.8.0.0.0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5 may not send for joe%40shop.example, 2001:db8:1::5 mx.recipient.example 1790000000 unknown %"},
		{"203.0.113.8", "joe@to.shop.example", "", Fail, "-all", 4, 1, "203.0.113.8 may not send for joe%40to.shop.example, 203.0.113.8 mx.recipient.example 1790000000 unknown %"},
		{"192.0.2.10", "", "helo.example", Pass, "a", 1, 0, ""},
		{"192.0.2.10", "<>", "HELO.example.", Pass, "a", 1, 0, ""},
		{"203.0.113.1", "a@soft.example", "", SoftFail, "~all", 0, 0, ""},
		{"203.0.113.1", "a@open.example", "", Neutral, "", 0, 0, ""},
		{"203.0.113.1", "a@two.example", "", PermError, "", 0, 0, ""},
		{"203.0.113.1", "a@slow.example", "", TempError, "a:gone.slow.example", 1, 0, ""},
		{"203.0.113.1", "a@dead.example", "", PermError, "include:nothing.example", 1, 0, ""},
		{"192.0.2.1", "a@bad.example", "", PermError, "include:", 0, 0, ""},
		{"198.51.100.77", "a@ptr.example", "", Fail, "-all", 1, 0, "you are h77.isp.example"},
		{"198.51.100.78", "a@ptr.example", "", Pass, "ptr", 1, 0, ""},
		{"192.0.2.1", "a@bücher.example", "", Pass, "ip4:192.0.2.1", 0, 0, ""},
		{"192.0.2.1", "a@none.example", "", None, "", 0, 0, ""},
		{"192.0.2.1", "a@[192.0.2.1]", "", None, "", 0, 0, ""},
		{"192.0.2.1", "a@localhost", "", None, "", 0, 0, ""},
		{"192.0.2.1", "", "", None, "", 0, 0, ""},
	} {
		res := ask(t, zone, tt.ip, tt.from, tt.helo)
		because := ""
		if res.Because != nil {
			because = res.Because.Term
		}
		if res.Result != tt.want || because != tt.because || res.Lookups != tt.lookups || res.Voids != tt.voids || res.Explanation != tt.explanation {
			t.Errorf("%s %q %q: %s by %q, %d lookups, %d void, %q; want %s by %q, %d, %d, %q", tt.ip, tt.from, tt.helo,
				res.Result, because, res.Lookups, res.Voids, res.Explanation, tt.want, tt.because, tt.lookups, tt.voids, tt.explanation)
		}
		if res.Why == "" {
			t.Errorf("%s %s: no reason", tt.ip, tt.from)
		}
		if f := res.Findings()[0]; f.Fact == "" || (f.Outcome == finding.Clean) != (tt.want == Pass) {
			t.Errorf("%s %s: finding %+v", tt.ip, tt.from, f)
		}
	}
	if res := Check(t.Context(), zone, Query{MailFrom: "a@shop.example"}); res.Result != None || res.Findings()[0].Outcome != finding.NotApplicable {
		t.Errorf("without an address: %+v", res)
	}
}

func TestLimits(t *testing.T) {
	var wide strings.Builder
	for i := range 12 {
		fmt.Fprintf(&wide, "mx.example. MX %d h%d.example.\nh%d.example. A 192.0.2.%d\n", i, i, i, i)
		fmt.Fprintf(&wide, "1.2.0.192.in-addr.arpa. PTR h%d.example.\n", i)
		fmt.Fprintf(&wide, "deep%d.example. TXT \"v=spf1 include:deep%d.example -all\"\n", i, i+1)
	}
	zone := resolvetest.New(t, wide.String()+`
mx.example. TXT "v=spf1 mx -all"
loop.example. TXT "v=spf1 include:loop.example -all"
round.example. TXT "v=spf1 redirect=trip.example"
trip.example. TXT "v=spf1 redirect=round.example"
void.example. TXT "v=spf1 a:a.void.example a:b.void.example a:c.void.example +all"
ptr.example. TXT "v=spf1 ptr:h11.example -all"
many.example. TXT "v=spf1 a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example ip4:192.0.2.200 -all"
same.example. TXT "v=spf1 include:%{d} -all"
`)
	for _, tt := range []struct {
		domain, why string
		asked       int
	}{
		{"mx.example", "12 MX names", 2},
		{"loop.example", "more than 10 terms", 1}, // a name is asked once,
		{"round.example", "more than 10 terms", 2},
		{"deep0.example", "more than 10 terms", 11},
		{"void.example", "More than 2 questions", 4},
		{"many.example", "more than 10 terms", 11},
		{"same.example", "more than 10 terms", 1},
	} {
		zone.Forget()
		res := ask(t, zone, "203.0.113.1", "a@"+tt.domain, "")
		if res.Result != PermError || !strings.Contains(res.Why, tt.why) || len(zone.Asked()) != tt.asked {
			t.Errorf("%s: %s %q after %d questions, want permerror %q after %d", tt.domain, res.Result, res.Why, len(zone.Asked()), tt.why, tt.asked)
		}
		if s := res.Tree.String(); !strings.Contains(s, tt.domain) {
			t.Errorf("%s: tree %q", tt.domain, s)
		}
	}
	// RFC 7208, section 4.6.4: of more than ten PTR names, ten are looked at.
	zone.Forget()
	if res := ask(t, zone, "192.0.2.1", "a@ptr.example", ""); res.Result != Fail || len(zone.Asked()) != 2+maxHosts {
		t.Errorf("ptr: %s after %d questions", res.Result, len(zone.Asked()))
	}
}

func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	zone := resolvetest.New(t, `shop.example. TXT "v=spf1 -all"`)
	if res := Check(ctx, zone, Query{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: "a@shop.example"}); res.Result != TempError {
		t.Errorf("%s %s", res.Result, res.Why)
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text  string
		terms int
		fault string // "column what"; "" for none
	}{
		{"v=spf1", 0, ""},
		{"v=spf1  a  -all ", 2, ""},
		{"V=SPF1 MX:Shop.Example/24//64 ?ALL", 2, ""},
		{"v=spf1 ip6:2001:db8::/32 ip6:::ffff:192.0.2.1 -all", 3, ""},
		{"v=spf1 a:%{d2}.x.example/0 exists:%{ir}.%{v}._spf.%{d2} all", 3, ""},
		{"v=spf1 other.x-y_z=%{s}abc=:/ all", 2, ""},
		{"v=spf2 all", 1, `1 the record does not begin with "v=spf1" and a space`},
		{"v=spf1 foo", 1, `8 "foo" is no mechanism and no modifier`},
		{"v=spf1 -192.0.2.1", 1, `8 "-192.0.2.1" is no mechanism and no modifier: an address stands behind ip4: or ip6:`},
		{"v=spf1 all:x.example", 1, `8 "all:x.example": all takes no value`},
		{"v=spf1 all/8", 1, `8 "all/8": all takes no value`},
		{"v=spf1 ip4", 1, `8 "ip4": ip4 needs an address`},
		{"v=spf1 ip4:192.0.2", 1, `12 "192.0.2" is no IPv4 address`},
		{"v=spf1 ip4:2001:db8::1", 1, `12 "2001:db8::1" is no IPv4 address; ip6 takes it`},
		{"v=spf1 ip6:fe80::1%eth0", 1, `12 "fe80::1%eth0" is no IPv6 address`},
		{"v=spf1 ip4:192.0.2.0/024", 1, `21 "/024" is no prefix length from 0 to 32`},
		{"v=spf1 a/33", 1, `9 "/33" is no prefix length from 0 to 32`},
		{"v=spf1 a//129", 1, `9 "//129" is no prefix length from 0 to 128`},
		{"v=spf1 a:", 1, `8 "a:": a domain is missing`},
		{"v=spf1 a:x", 1, `10 "a:x": "x" does not end in a top-level domain or a macro`},
		{"v=spf1 a:x.example.123", 1, `10 "a:x.example.123": "x.example.123" does not end in a top-level domain or a macro`},
		{"v=spf1 exists:%{d}.", 1, `15 "exists:%{d}.": "%{d}." does not end in a top-level domain or a macro`},
		{"v=spf1 exists:%{x}.example", 1, `15 "exists:%{x}.example": the macro letter "x" does not exist`},
		{"v=spf1 exists:%{t}.example", 1, `15 "exists:%{t}.example": the macro letter "t" is for the text of an explanation alone`},
		{"v=spf1 exists:%{d0}.example", 1, `15 "exists:%{d0}.example": a macro that keeps 0 parts`},
		{"v=spf1 exists:%{d", 1, `15 "exists:%{d": "%{" without "}"`},
		{"v=spf1 exists:a%", 1, `16 "exists:a%": "%" at the end`},
		{"v=spf1 exists:%x.example", 1, `15 "exists:%x.example": "%" before anything but "{", "%", "_" and "-"`},
		{"v=spf1 redirect=a.example redirect=b.example", 2, `27 redirect= stands twice`},
		{"v=spf1 a\tmx", 1, `9 the octet 0x09 in "a\tmx": a record holds printable ASCII alone`},
		{"v=spf1 \x00", 1, `8 the octet 0x00 in "\x00": a record holds printable ASCII alone`},
		{"", 0, `1 the record does not begin with "v=spf1" and a space`},
	} {
		r := Parse(tt.text)
		got := ""
		if len(r.Faults) > 0 {
			got = fmt.Sprintf("%d %s", r.Faults[0].Start+1, r.Faults[0].What)
		}
		if len(r.Terms) != tt.terms || got != tt.fault {
			t.Errorf("Parse(%q): %d terms, fault %q; want %d, %q", tt.text, len(r.Terms), got, tt.terms, tt.fault)
		}
	}
}

const deepZone = `
shop.example. TXT "v=spf1 include:a.example include:b.example mx exists:%{i}.l.example ~all"
shop.example. MX 10 mx.shop.example.
mx.shop.example. A 192.0.2.9
a.example. TXT "v=spf1 include:a1.example include:a2.example include:a3.example include:a4.example -all"
a1.example. TXT "v=spf1 ip4:198.51.100.0/26 -all"
a2.example. TXT "v=spf1 ip4:198.51.100.64/26 -all"
a3.example. TXT "v=spf1 ip4:198.51.100.128/26 include:a1.example -all"
a4.example. TXT "v=spf1 ip4:198.51.100.192/26 -all"
b.example. TXT "v=spf1 a:b1.example a:b2.example a:gone.example -all"
b1.example. A 203.0.113.1
b2.example. AAAA 2001:db8::1
b2.example. A 203.0.113.2
`

func TestWalk(t *testing.T) {
	tree := Walk(t.Context(), resolvetest.New(t, deepZone), "Shop.example.")
	const want = `shop.example: 12 of 10 lookups, 1 of 2 void
├─ include:a.example  [6 lookups]
│  ├─ include:a1.example  [1 lookup]
│  │  ├─ ip4:198.51.100.0/26
│  │  └─ -all
│  ├─ include:a2.example  [1 lookup]
│  │  ├─ ip4:198.51.100.64/26
│  │  └─ -all
│  ├─ include:a3.example  [2 lookups]
│  │  ├─ ip4:198.51.100.128/26
│  │  ├─ include:a1.example  [1 lookup] (as above)
│  │  └─ -all
│  ├─ include:a4.example  [1 lookup]
│  │  ├─ ip4:198.51.100.192/26
│  │  └─ -all
│  └─ -all
├─ include:b.example  [4 lookups]
│  ├─ a:b1.example  [1 lookup] 203.0.113.1
│  ├─ a:b2.example  [1 lookup] 203.0.113.2 2001:db8::1
│  ├─ a:gone.example  [1 lookup]
│  │  ! gone.example A: NXDOMAIN
│  │  ! gone.example AAAA: NXDOMAIN
│  └─ -all
├─ mx  [1 lookup] 192.0.2.9
├─ exists:%{i}.l.example  [1 lookup] - depends on the mail
└─ ~all
`
	if got := tree.String(); got != want {
		t.Errorf("tree:\n%s\nwant:\n%s", got, want)
	}
	if tree.Lookups != 12 || tree.Voids != 1 || tree.Voids6 != 3 || tree.Addresses != 259 || !tree.Partial {
		t.Errorf("%d lookups, %d and %d void, %d addresses, partial %v", tree.Lookups, tree.Voids, tree.Voids6, tree.Addresses, tree.Partial)
	}
	if got, want := fmt.Sprint(tree.Networks), "[192.0.2.9/32 198.51.100.0/24 203.0.113.1/32 203.0.113.2/32 2001:db8::1/128]"; got != want {
		t.Errorf("networks %s, want %s", got, want)
	}
}

// A suggestion lets the same addresses send, within the limits.
func TestSuggest(t *testing.T) {
	zone := resolvetest.New(t, deepZone)
	s := Walk(t.Context(), zone, "shop.example").Suggest()
	if s == nil {
		t.Fatal("no suggestion")
	}
	if got, want := s.Records[0].Text, "v=spf1 include:b.example mx exists:%{i}.l.example ip4:198.51.100.0/24 ~all"; got != want || len(s.Records) != 1 || s.Lookups != 6 || !slices.Equal(s.Flattened, []string{"include:a.example"}) {
		t.Errorf("suggestion %+v, want %q", s, want)
	}
	for _, ip := range []string{"198.51.100.200", "203.0.113.2", "192.0.2.9", "203.0.113.77", "2001:db8::1"} {
		before, after := ask(t, zone, ip, "a@shop.example", ""), ask(t, resolvetest.New(t, deepZoneWith(s)), ip, "a@shop.example", "")
		if before.Result != after.Result && before.Result != PermError {
			t.Errorf("%s: %s before, %s after", ip, before.Result, after.Result)
		}
	}
}

func deepZoneWith(s *Suggestion) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(deepZone, "\n"), "\n")
	for _, r := range s.Records {
		rest += fmt.Sprintf("%s. TXT %q\n", r.Name, r.Text)
	}
	return rest
}

// What does not fit one record goes into others.
func TestSuggestLong(t *testing.T) {
	var zone strings.Builder
	fmt.Fprint(&zone, "shop.example. TXT \"v=spf1")
	for i := range 12 {
		fmt.Fprintf(&zone, " include:e%d.example", i)
	}
	fmt.Fprint(&zone, " -all\"\n")
	for i := range 12 {
		fmt.Fprintf(&zone, "e%d.example. TXT \"v=spf1", i)
		for j := range 8 {
			fmt.Fprintf(&zone, " ip4:198.51.%d.%d", i, 2*j)
		}
		fmt.Fprint(&zone, " -all\"\n")
	}
	tree := Walk(t.Context(), resolvetest.New(t, zone.String()), "shop.example")
	s := tree.Suggest()
	if s == nil || s.Lookups > MaxLookups || len(s.Records) < 2 {
		t.Fatalf("suggestion %+v", s)
	}
	text := zone.String()[strings.IndexByte(zone.String(), '\n')+1:]
	for _, r := range s.Records {
		if len(r.Text) > goodLength {
			t.Errorf("%s has %d octets", r.Name, len(r.Text))
		}
		text += fmt.Sprintf("%s. TXT %q\n", r.Name, r.Text)
	}
	after := Walk(t.Context(), resolvetest.New(t, text), "shop.example")
	if !slices.Equal(after.Networks, tree.Networks) || after.Lookups != s.Lookups {
		t.Errorf("after: %d lookups, %v; want %d, %v", after.Lookups, after.Networks, s.Lookups, tree.Networks)
	}
}

func TestGrant(t *testing.T) {
	zone := resolvetest.New(t, `
a.example. 300 TXT "v=spf1 ip4:192.0.2.1 -all exp=x.a.example"
b.example. TXT "v=spf1 -ip4:203.0.113.0/24 ip4:192.0.2.1 ~all"
c.example. TXT "v=spf1 redirect=a.example"
e.example. TXT "v=spf1 ip4:192.0.2.1 foo"
f.example. TXT "v=spf1 ip4:192.0.2.1"
`)
	for domain, want := range map[string]string{
		"a.example": `"v=spf1 ip4:192.0.2.1 ip4:203.0.113.9 -all exp=x.a.example"`,
		"b.example": `"v=spf1 ip4:203.0.113.9 -ip4:203.0.113.0/24 ip4:192.0.2.1 ~all"`,
		"c.example": `"v=spf1 ip4:203.0.113.9 redirect=a.example"`,
		"d.example": `"v=spf1 ip4:203.0.113.9 ~all"`,
		"e.example": "",
		"f.example": `"v=spf1 ip4:192.0.2.1 ip4:203.0.113.9"`,
	} {
		fix, ok := ask(t, zone, "203.0.113.9", "x@"+domain, "").Grant()
		got := ""
		if ok {
			got = fix.Record.New
		}
		if got != want {
			t.Errorf("%s: %s, want %s", domain, got, want)
		}
	}
	if _, ok := ask(t, zone, "192.0.2.1", "x@a.example", "").Grant(); ok {
		t.Error("a grant for an address that passes")
	}
}

func TestMerge(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.0/25 192.0.2.128/25":                "[192.0.2.0/24]",
		"192.0.2.1/32 192.0.2.0/24 192.0.2.0/24":     "[192.0.2.0/24]",
		"192.0.2.1/32 192.0.2.2/32":                  "[192.0.2.1/32 192.0.2.2/32]",
		"0.0.0.0/1 128.0.0.0/1 2001:db8::/32":        "[0.0.0.0/0 2001:db8::/32]",
		"192.0.2.0/26 192.0.2.64/26 192.0.2.128/25 ": "[192.0.2.0/24]",
	} {
		var set []netip.Prefix
		for f := range strings.FieldsSeq(in) {
			set = append(set, netip.MustParsePrefix(f))
		}
		if got := fmt.Sprint(merge(set)); got != want {
			t.Errorf("merge(%s) = %s, want %s", in, got, want)
		}
	}
}

// Hostile records end soon and harm nobody.
func TestHostile(t *testing.T) {
	long := "v=spf1 " + strings.Repeat("ip4:192.0.2.1 ", 5000)
	r := Parse(long)
	if len(r.Faults) == 0 || len(r.Terms) > maxRecord/4 {
		t.Errorf("%d faults, %d terms", len(r.Faults), len(r.Terms))
	}
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "n%d.example. TXT \"v=spf1", i)
		for j := range 9 {
			fmt.Fprintf(&text, " include:n%d.example", (i+j+1)%60)
		}
		fmt.Fprint(&text, " ?all\"\n")
	}
	zone := resolvetest.New(t, text.String())
	tree := Walk(t.Context(), zone, "n0.example")
	if n := len(zone.Asked()); n > maxQuestions || tree.Lookups <= MaxLookups {
		t.Errorf("%d questions, %d lookups", n, tree.Lookups)
	}
	if n := strings.Count(tree.String(), "\n"); n > maxLines {
		t.Errorf("%d lines", n)
	}
	_ = tree.Findings()
	control := resolvetest.New(t, `shop.example. TXT "v=spf1 a:\027[2J.example -all"`)
	if s := Walk(t.Context(), control, "shop.example").String(); strings.ContainsRune(s, '\x1b') {
		t.Errorf("an escape in %q", s)
	}
	if s := ask(t, control, "192.0.2.1", "a@shop.example", "").Tree.String(); strings.ContainsRune(s, '\x1b') {
		t.Errorf("an escape in %q", s)
	}
	if res := ask(t, control, "192.0.2.1", "a@"+strings.Repeat("a.", 4000)+"example", ""); res.Result != None {
		t.Errorf("4,000 labels: %s", res.Result)
	}
	if res := ask(t, control, "192.0.2.1", "a@b\x00.example", "x\x00"); res.Result != None {
		t.Errorf("NUL: %s", res.Result)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"v=spf1 a mx/24//64 include:%{d}.example -all exp=x.example", "v=spf1 exists:%{ir4-}.%%%_%-.x.example redirect=_.example", "v=spf1 ip4:1.2.3.4/33 ip6:::1 \xff"} {
		f.Add(s)
	}
	zone := resolvetest.New(f, `x.example. TXT "v=spf1 -all"`)
	f.Fuzz(func(t *testing.T, text string) {
		r := Parse(text)
		for _, fault := range r.Faults {
			if fault.Start < 0 || fault.Start > fault.End || fault.End > len(text) || fault.What == "" {
				t.Errorf("%q: fault %+v", text, fault)
			}
		}
		for _, term := range r.Terms {
			if text[term.Start:term.End] != term.Text {
				t.Errorf("%q: term %+v", text, term)
			}
		}
		one := oneRecord{zone, text}
		res := Check(t.Context(), one, Query{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: "a@shop.example"})
		if len(r.Faults) > 0 && res.Result != PermError && res.Result != None {
			t.Errorf("%q: %s in spite of %v", text, res.Result, r.Faults[0])
		}
		tree := Walk(t.Context(), one, "shop.example")
		_ = tree.Findings()
		_, _ = tree.String(), res.Tree.String()
	})
}

// oneRecord answers shop.example TXT with a text.
type oneRecord struct {
	resolve.Resolver
	text string
}

func (o oneRecord) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	if name == "shop.example" && t == resolve.TXT {
		return resolve.Answer{Name: name, Type: t, Status: resolve.OK, Records: []resolve.Record{{Name: name, Type: t, Strings: []string{o.text}}}}
	}
	return o.Resolver.Resolve(ctx, name, t)
}

func ExampleCheck() {
	zone := resolvetest.New(&testing.T{}, `
shop.example. TXT "v=spf1 ip4:192.0.2.0/24 include:esp.example ~all"
esp.example. TXT "v=spf1 ip4:198.51.100.0/24 -all"
`)
	res := Check(context.Background(), zone, Query{IP: netip.MustParseAddr("203.0.113.9"), MailFrom: "news@shop.example"})
	fmt.Println(res.Result)
	fmt.Println(res.Why)
	fmt.Print(res.Tree)
	// Output:
	// softfail
	// "~all" of shop.example's record decides: no term before it holds 203.0.113.9.
	// shop.example: softfail
	// "v=spf1 ip4:192.0.2.0/24 include:esp.example ~all"
	// ├─ ip4:192.0.2.0/24
	// ├─ include:esp.example: fail
	// │  "v=spf1 ip4:198.51.100.0/24 -all"
	// │  ├─ ip4:198.51.100.0/24
	// │  └─ -all: match
	// └─ ~all: match
}

// A term behind too many look-ups is put in front; one that is in front already, is not there,
// or lets nobody send, is not.
func TestAdvance(t *testing.T) {
	zone := "many.example. TXT \"v=spf1"
	for i := range 12 {
		zone += fmt.Sprintf(" a:h%d.example", i)
	}
	behind := strings.TrimPrefix(zone, "many.example. TXT \"") + " ip4:203.0.113.0/24 -all"
	zones := "gone.test.example. TXT \"x\"\nfault.example. TXT \"v=spf1 include:gone.example ip4:203.0.113.0/24 -all\"\n"
	zones += strings.Replace(zone, "many", "before", 1) + " ?ip4:203.0.113.8/30 ip4:203.0.113.0/24 -all\"\n" + strings.Replace(zone, "many", "odd", 1) + " foo:1 ip4:203.0.113.0/24 -all\"\n"
	zones += zone + " ip4:203.0.113.0/24 -all\"\n" + strings.Replace(zone, "many", "none", 1) + " -all\"\n" + strings.Replace(zone, "many", "not", 1) + " -ip4:203.0.113.9 -all\"\n"
	for i := range 12 {
		zones += fmt.Sprintf("h%d.example. A 192.0.2.%d\n", i, i+1)
	}
	for domain, want := range map[string]string{
		"many.example":   `"` + strings.Replace(strings.Replace(behind, " ip4:203.0.113.0/24", "", 1), "v=spf1", "v=spf1 ip4:203.0.113.0/24", 1) + `"`,
		"none.example":   "",
		"not.example":    "",
		"fault.example":  "", // it is another fault
		"before.example": "", // a term before it does not let the address pass
		"odd.example":    "", // the record cannot be read
	} {
		res := ask(t, resolvetest.New(t, zones), "203.0.113.9", "x@"+domain, "")
		fix, ok := res.Advance()
		got := ""
		if ok {
			got = fix.Record.New
		}
		if res.Result != PermError || got != want {
			t.Errorf("%s: %s, %s\nwant %s", domain, res.Result, got, want)
		}
		if ok {
			if again := ask(t, resolvetest.New(t, domain+". TXT "+got+"\n"), "203.0.113.9", "x@"+domain, ""); again.Result != Pass {
				t.Errorf("%s, mended: %s", domain, again.Result)
			}
		}
	}
}
