package dnsbl

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// sick holds one list in every state; the target is 198.51.100.25.
const sick = `
2.0.0.127.well.test. A 127.0.0.2
2.0.0.127.hit.test. A 127.0.0.2
25.100.51.198.hit.test. A 127.0.0.4
25.100.51.198.hit.test. TXT "see https://hit.test/" "?ip=198.51.100.25"
;! *.mute.test ANY TIMEOUT
;! *.ill.test ANY SERVFAIL
;! *.shut.test ANY REFUSED
;! *.garbled.test ANY MALFORMED
*.world.test. A 127.0.0.2
*.parked.test. A 203.0.113.80
*.closed.test. A 127.255.255.254
*.refuses.test. A 127.0.0.1
other.empty.test. TXT "nothing"
`

// checked asks, and returns the results in the order of the lists.
func checked(t *testing.T, r resolve.Resolver, lists *Catalogue, target Target) []Result {
	t.Helper()
	return inOrder(slices.Collect((&Checker{Resolver: r, Catalogue: lists}).Check(t.Context(), target)))
}

func inOrder(results []Result) []Result {
	slices.SortFunc(results, func(a, b Result) int { return a.order.compare(b.order) })
	return results
}

func TestCheckTellsSickListsApart(t *testing.T) {
	zone := resolvetest.New(t, sick)
	target := IP(netip.MustParseAddr("198.51.100.25"))
	want := []struct {
		zone   string
		status Status
	}{
		{"well.test", NotListed},
		{"hit.test", Listed},
		{"mute.test", Unknown},
		{"ill.test", Unknown},
		{"shut.test", Unknown},
		{"garbled.test", Unknown},
		{"world.test", Dead},
		{"parked.test", Dead},
		{"closed.test", Refused},
		{"refuses.test", Dead},
		{"empty.test", Dead},
	}
	var zones []string
	for _, w := range want {
		zones = append(zones, w.zone)
	}
	results := checked(t, zone, Own(zones...), target)
	if len(results) != len(want) {
		t.Fatalf("%d results, want %d", len(results), len(want))
	}
	for i, res := range results {
		if res.List.Zone != want[i].zone || res.Status != want[i].status {
			t.Errorf("%s is %s (%s), want %s", res.List.Zone, res.Status, res.Why, want[i].status)
		}
		if res.Status != Listed && res.Status != NotListed && res.Why == "" {
			t.Errorf("%s is %s without a reason", res.List.Zone, res.Status)
		}
		if res.List.Zone == "hit.test" && res.Reason != "see https://hit.test/?ip=198.51.100.25" {
			t.Errorf("reason %q", res.Reason)
		}
	}
}

func TestCheckKnowsSpamhaus(t *testing.T) {
	lists := Default().Select(func(l *List) bool { return l.ID == "spamhaus-zen" })
	for _, tt := range []struct {
		answer string
		status Status
		nature Nature
	}{
		{"127.0.0.2", Listed, Spam},
		{"127.0.0.4", Listed, Exploit},
		{"127.0.0.11", Listed, Policy},
		{"127.255.255.254", Refused, ""},
		{"127.255.255.252", Refused, ""},
		{"127.0.0.77", Unknown, ""},
		{"192.0.2.55", Dead, ""},
	} {
		zone := resolvetest.New(t, "2.0.0.127.zen.spamhaus.org. A 127.0.0.2\n23.100.51.198.zen.spamhaus.org. A "+tt.answer+"\n")
		res := checked(t, zone, lists, IP(netip.MustParseAddr("198.51.100.23")))[0]
		if res.Status != tt.status || tt.nature != "" && !res.Has(tt.nature) {
			t.Errorf("%s: %s %v (%s), want %s %s", tt.answer, res.Status, res.Codes, res.Why, tt.status, tt.nature)
		}
	}
}

// An absence counts only where the list's own test entry can be asked for.
func TestCheckBelievesNoAbsenceUnproven(t *testing.T) {
	lists := Default().Select(func(l *List) bool { return l.ID == "spamcop" })
	for entry, want := range map[string]Status{
		"2.0.0.127.bl.spamcop.net. A 127.0.0.2": NotListed,
		"":                                      Dead,
		";! 2.0.0.127.bl.spamcop.net ANY TIMEOUT":     Unknown,
		";! 2.0.0.127.bl.spamcop.net ANY REFUSED":     Unknown,
		"2.0.0.127.bl.spamcop.net. A 127.255.255.254": Refused,
		"2.0.0.127.bl.spamcop.net. A 203.0.113.80":    Dead,
	} {
		results := checked(t, resolvetest.New(t, entry+"\n"), lists, IP(netip.MustParseAddr("198.51.100.23")))
		if len(results) != 1 || results[0].Status != want || (results[0].Health.State == Proven) != (want == NotListed) {
			t.Errorf("%q: %+v, want %s", entry, results, want)
		}
	}
	zen := Default().Select(func(l *List) bool { return l.ID == "spamhaus-zen" })
	if res := checked(t, resolvetest.New(t, ""), zen, IP(netip.MustParseAddr("2001:db8::7")))[0]; res.Status != Dead {
		t.Errorf("an IPv6 address on an emptied list: %s, want dead", res.Status)
	}
}

func TestCheckAsksNoMoreThanItNeeds(t *testing.T) {
	zone := resolvetest.New(t, "2.0.0.127.zen.spamhaus.org. A 127.0.0.2\n23.100.51.198.zen.spamhaus.org. A 127.0.0.2\n")
	lists := Default().Select(func(l *List) bool { return l.ID == "spamhaus-zen" || l.ID == "sorbs" })
	results := checked(t, zone, lists, IP(netip.MustParseAddr("198.51.100.23")))
	if got, want := fmt.Sprint(zone.Asked()), "[1.0.0.127.zen.spamhaus.org A 2.0.0.127.zen.spamhaus.org A 23.100.51.198.zen.spamhaus.org A 23.100.51.198.zen.spamhaus.org TXT]"; got != want {
		t.Errorf("asked %s\nwant %s: a dead list is not asked", got, want)
	}
	if results[1].Status != Dead || !strings.Contains(results[1].Why, "emptied 2024-06-05") {
		t.Errorf("SORBS: %s, %s", results[1].Status, results[1].Why)
	}
}

func TestCheckBits(t *testing.T) {
	lists := Default().Select(func(l *List) bool { return l.ID == "surbl-multi" || l.ID == "uribl-multi" })
	target, _ := Domain("www.shop.example")
	zone := resolvetest.New(t, "www.shop.example.multi.surbl.org. A 127.0.0.72\nshop.example.multi.uribl.com. A 127.0.0.1\n")
	results := checked(t, zone, lists, target)
	if results[0].Status != Listed || len(results[0].Codes) != 1 || !strings.Contains(results[0].Meaning(), "phishing") {
		t.Errorf("SURBL: %s %q", results[0].Status, results[0].Meaning())
	}
	if results[1].Status != Refused {
		t.Errorf("URIBL, asked for the registered domain: %s (%s), want refused", results[1].Status, results[1].Why)
	}
}

func TestCheckAllowListIsNoAlarm(t *testing.T) {
	lists := Default().Select(func(l *List) bool { return l.ID == "dnswl" })
	zone := resolvetest.New(t, "2.0.0.127.list.dnswl.org. A 127.0.10.0\n23.100.51.198.list.dnswl.org. A 127.0.5.2\n")
	res := checked(t, zone, lists, IP(netip.MustParseAddr("198.51.100.23")))[0]
	f := res.Finding()
	if res.Status != Listed || res.Action != Allow || f.Severity != finding.Info || len(f.Fixes) != 0 {
		t.Errorf("%s %s, finding %+v", res.Status, res.Action, f)
	}
}

func TestCheckMixedList(t *testing.T) {
	lists := Default().Select(func(l *List) bool { return l.ID == "hostkarma-junkemailfilter-com" })
	for code, want := range map[string]Action{"127.0.0.1": Allow, "127.0.0.2": Block, "127.0.0.3": Info} {
		zone := resolvetest.New(t, "23.100.51.198.hostkarma.junkemailfilter.com. A "+code+"\n")
		if res := checked(t, zone, lists, IP(netip.MustParseAddr("198.51.100.23")))[0]; res.Status != Listed || res.Action != want {
			t.Errorf("%s: %s %s (%s), want %s", code, res.Status, res.Action, res.Why, want)
		}
	}
}

func TestCheckFindsTheRewriter(t *testing.T) {
	zone := resolvetest.New(t, "*.test. A 203.0.113.80\n")
	for _, res := range checked(t, zone, Own("a.test", "b.test"), IP(netip.MustParseAddr("198.51.100.25"))) {
		if res.Status != Unknown || res.Health.State != Rewritten || !strings.Contains(res.Why, "203.0.113.80") {
			t.Errorf("%s: %s (%s), want unknown because of the resolver", res.List.Zone, res.Status, res.Why)
		}
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &Checker{Resolver: resolvetest.New(t, sick), Catalogue: Own("well.test", "hit.test")}
	for res := range c.Check(ctx, IP(netip.MustParseAddr("198.51.100.25"))) {
		if res.Status != Unknown {
			t.Errorf("%s is %s", res.List.Zone, res.Status)
		}
	}
}

func TestQueryNames(t *testing.T) {
	v4, v6 := Default().ByID("spamhaus-zen"), Default().ByID("spamhaus-zen")
	dbl, uribl := Default().ByID("spamhaus-dbl"), Default().ByID("uribl-multi")
	domain := func(s string) Target {
		d, err := Domain(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, tt := range []struct {
		list   *List
		target Target
		want   string
	}{
		{v4, IP(netip.MustParseAddr("192.0.2.99")), "99.2.0.192.zen.spamhaus.org"},
		{v4, IP(netip.MustParseAddr("::ffff:192.0.2.99")), "99.2.0.192.zen.spamhaus.org"},
		{v6, IP(netip.MustParseAddr("2001:db8::1")), "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.spamhaus.org"},
		{dbl, domain("Mail.Bücher.example."), "mail.xn--bcher-kva.example.dbl.spamhaus.org"},
		{uribl, domain("a.b.shop.co.uk"), "shop.co.uk.multi.uribl.com"},
		{Default().ByID("spamhaus-zen-dqs"), IP(netip.MustParseAddr("192.0.2.1")), "1.2.0.192.{key}.zen.dq.spamhaus.net"},
	} {
		if got, err := tt.list.QueryName(tt.target); err != nil || got != tt.want {
			t.Errorf("%s of %s: %q, %v, want %q", tt.target, tt.list.ID, got, err, tt.want)
		}
	}
	for _, tt := range []struct {
		list   *List
		target Target
	}{
		{dbl, IP(netip.MustParseAddr("192.0.2.1"))},
		{v4, domain("shop.example")},
		{dbl, domain(strings.Repeat("abcdefg.", 30) + "example")},
	} {
		if got, err := tt.list.QueryName(tt.target); err == nil {
			t.Errorf("%s of %s: %q, want an error", tt.target, tt.list.ID, got)
		}
	}
}

func TestParseTarget(t *testing.T) {
	for in, want := range map[string]string{"192.0.2.1": "192.0.2.1", "[2001:db8::1]": "2001:db8::1", " Shop.Example ": "shop.example", "[IPv6:2001:db8::2]": "2001:db8::2", "192.0.2.2.": "192.0.2.2", "::ffff:192.0.2.1": "192.0.2.1"} {
		if got, err := ParseTarget(in); err != nil || got.String() != want {
			t.Errorf("ParseTarget(%q) = %v, %v, want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "shop", "a b.example", "192.0.2.300", "http://shop.example", "a@shop.example", "a..example"} {
		if got, err := ParseTarget(bad); err == nil {
			t.Errorf("ParseTarget(%q) = %v, want an error", bad, got)
		}
	}
}

func TestResultJSON(t *testing.T) {
	zone := resolvetest.New(t, "2.0.0.127.bl.spamcop.net. A 127.0.0.2\n140.113.0.203.bl.spamcop.net. A 127.0.0.2\n")
	lists := Default().Select(func(l *List) bool { return l.ID == "spamcop" })
	b, err := json.Marshal(checked(t, zone, lists, IP(netip.MustParseAddr("203.0.113.140")))[0])
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	// The contract: these fields stay.
	for _, key := range []string{"action", "codes", "delist", "error", "list", "meaning", "reason", "status", "target", "weight", "zone"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no field %q: %s", key, b)
		}
	}
	if got["release"] != "alive" || got["asked"] != "140.113.0.203.bl.spamcop.net" || got["confirmed"] != true || got["status"] != "listed" || got["zone"] != "bl.spamcop.net" || got["weight"] != "high" {
		t.Errorf("got %s", b)
	}
}

// The steps are those for the code of the entry.
func TestStepsFor(t *testing.T) {
	sbl := Default().ByID("spamhaus-sbl")
	text := func(codes ...string) string {
		var list []Code
		for _, c := range codes {
			list = append(list, Code{Addr: netip.MustParseAddr(c)})
		}
		all := ""
		for _, s := range sbl.StepsFor(list) {
			all += s.What + " " + s.Who + "\n"
		}
		return all
	}
	if got := text("127.0.0.3"); strings.Contains(got, "provider") || !strings.Contains(got, "runs out by itself. self") {
		t.Errorf("CSS: %s", got)
	}
	if got := text("127.0.0.2", "127.0.0.9"); !strings.Contains(got, "provider that owns the range") || strings.Contains(got, "CSS") {
		t.Errorf("SBL: %s", got)
	}
	if got := text(); !strings.Contains(got, "If it is CSS: correct the sending") || !strings.Contains(got, "If it is SBL: ") {
		t.Errorf("not known: %s", got)
	}
}

// A listing on a whole is one of the part that explains all its codes, and of the whole
// where they are of several; when it ends is told of that part.
func TestPartOfSeveralCodes(t *testing.T) {
	zen := Default().ByID("spamhaus-zen")
	for codes, want := range map[string]string{"127.0.0.4": "spamhaus-xbl", "127.0.0.3": "spamhaus-sbl", "127.0.0.2 127.0.0.9": "spamhaus-sbl", "127.0.0.2 127.0.0.4": "spamhaus-sbl-xbl", "127.0.0.4 127.0.0.11": "spamhaus-zen"} {
		res := &Result{List: zen, Status: Listed}
		for code := range strings.FieldsSeq(codes) {
			addr := netip.MustParseAddr(code)
			_, c, _ := zen.Meaning(addr)
			res.Codes = append(res.Codes, c)
		}
		part := Default().Part(res)
		if part.ID != want {
			t.Errorf("%s: %s, want %s", codes, part.ID, want)
		}
		if rm := part.Removal(IP(netip.MustParseAddr("198.51.100.25")), res); codes == "127.0.0.3" && rm.Expires != "CSS entries run out by themselves" || strings.Contains(codes, " ") && part.ID != "spamhaus-sbl" && len(rm.First) < 3 {
			t.Errorf("%s: %q, %d steps first", codes, rm.Expires, len(rm.First))
		}
	}
}

func TestFindings(t *testing.T) {
	zone := resolvetest.New(t, sick)
	for _, res := range checked(t, zone, Own("well.test", "hit.test", "mute.test", "closed.test", "world.test"), IP(netip.MustParseAddr("198.51.100.25"))) {
		f := res.Finding()
		want := map[Status]finding.Outcome{NotListed: finding.Clean, Listed: finding.Found, Unknown: finding.Unknown, Refused: finding.Unknown, Dead: finding.NotApplicable}[res.Status]
		if f.Outcome != want || f.Fact == "" || len(f.Evidence) == 0 {
			t.Errorf("%s: %+v, want outcome %s with evidence", res.List.Zone, f, want)
		}
		if res.Status == Listed && (len(f.Fixes) == 0 || f.Fixes[len(f.Fixes)-1].Verify == "") {
			t.Errorf("%s: fixes %+v", res.List.Zone, f.Fixes)
		}
	}
}

func BenchmarkParseCatalogue(b *testing.B) {
	for b.Loop() {
		if _, err := Parse(strings.NewReader(embedded)); err != nil {
			b.Fatal(err)
		}
	}
}
