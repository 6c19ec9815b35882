package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/rebound-mail/rebound/auth/internal/fixture"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

func TestChecks(t *testing.T) {
	fixture.Test(t, "", checks, func(ctx context.Context, r resolve.Resolver, domain string) []finding.Finding {
		return Lint(ctx, r, domain).Findings()
	})
}

// now lies after any time at which the tests' mail is signed.
var now = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// key is a fixed key of tests.
var key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

var zoneText = `
shop.example. SOA ns.shop.example. h.shop.example. 1 2 3 4 5
shop.example. TXT "v=spf1 ip4:192.0.2.0/28 -all"
shop.example. MX 10 mail.shop.example.
mail.shop.example. A 192.0.2.1
mail.shop.example. TXT "v=spf1 a -all"
out.shop.example. A 198.51.100.9
1.2.0.192.in-addr.arpa. PTR mail.shop.example.
9.100.51.198.in-addr.arpa. PTR out.shop.example.
77.113.0.203.in-addr.arpa. PTR h77.isp.example.
h77.isp.example. A 203.0.113.77
_dmarc.shop.example. TXT "v=DMARC1; p=reject; rua=mailto:d@shop.example"
s._domainkey.shop.example. TXT "v=DKIM1; k=ed25519; p=` + base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)) + `"
`

const mailText = "Return-Path: <bounces@shop.example>\r\n" +
	"Received: from mail.shop.example by mx.recipient.example with ESMTPS id 1; Tue, 24 Nov 2026 11:00:00 +0000\r\n" +
	"From: Ann <ann@shop.example>\r\n" +
	"To: bob@recipient.example\r\n" +
	"Subject: News\r\n" +
	"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n" +
	"Message-ID: <1@shop.example>\r\n" +
	"List-Unsubscribe: <mailto:u@shop.example>, <https://shop.example/u?1>\r\n" +
	"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" +
	"\r\n" +
	"Dear Bob\r\n"

func signed(t testing.TB, text string, headers ...string) []byte {
	t.Helper()
	if headers == nil {
		headers = []string{"From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"}
	}
	var out bytes.Buffer
	err := msgauth.Sign(&out, strings.NewReader(text), &msgauth.SignOptions{Domain: "shop.example", Selector: "s", Signer: key, Hash: crypto.SHA256, HeaderKeys: headers, HeaderCanonicalization: "relaxed", BodyCanonicalization: "relaxed"})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unmet(r *Report) string {
	var list []string
	for _, q := range r.Bulk {
		if q.Outcome == finding.Found {
			list = append(list, q.ID)
		}
	}
	return strings.Join(list, " ")
}

func TestVerify(t *testing.T) {
	zone := resolvetest.New(t, zoneText)
	in := Input{Message: signed(t, mailText), IP: netip.MustParseAddr("192.0.2.1"), HELO: "mail.shop.example", Now: now}
	r := Verify(t.Context(), zone, in)
	if got := fmt.Sprint(r.SPF.Result, r.SPF.Identity, r.SPFHELO.Result, r.DKIM[0].Result, r.DMARC.Result, r.IPRev.Status); got != "passmailfrompasspasspasspass" {
		t.Errorf("%s", got)
	}
	if got := unmet(r); got != "" {
		t.Errorf("not met: %s", got)
	}
	for _, q := range r.Bulk {
		if q.Why == "" || q.Source == "" || q.Since == "" || q.Outcome == finding.Unknown {
			t.Errorf("%+v", q)
		}
	}
	for _, f := range r.Findings() {
		if f.Outcome == finding.Found && f.Severity > finding.Info {
			t.Errorf("%s: %s", f.Code, f.Fact)
		}
	}
	const want = "mx.recipient.example; spf=pass smtp.mailfrom=bounces@shop.example; dkim=pass header.a=ed25519-sha256 header.b="
	if got := r.AuthenticationResults("mx.recipient.example"); !strings.HasPrefix(got, want) || !strings.Contains(got, "dmarc=pass header.from=shop.example policy.dmarc=reject; iprev=pass policy.iprev=192.0.2.1") {
		t.Errorf("%s", got)
	}
	raw, err := json.Marshal(r)
	if err != nil || !bytes.Contains(raw, []byte(`"policy_domain":"shop.example"`)) {
		t.Errorf("%v %s", err, raw)
	}
}

// An address is offered for the record only where somebody vouches for it.
func TestGrantIsGated(t *testing.T) {
	zone := resolvetest.New(t, zoneText)
	for _, tt := range []struct {
		ip   string
		own  bool
		want string
	}{
		{"198.51.100.9", false, `"v=spf1 ip4:192.0.2.0/28 ip4:198.51.100.9 -all"`}, // its name lies under the domain
		{"203.0.113.77", false, ""},
		{"203.0.113.77", true, `"v=spf1 ip4:192.0.2.0/28 ip4:203.0.113.77 -all"`},
		{"203.0.113.78", false, ""},
	} {
		r := Verify(t.Context(), zone, Input{IP: netip.MustParseAddr(tt.ip), MailFrom: "a@shop.example", From: "shop.example", Own: tt.own, Now: now})
		got, asks := "", false
		for _, f := range r.Findings()[0].Fixes {
			if f.Record != nil {
				got = f.Record.New
			}
			asks = asks || f.Action == finding.Ask
		}
		if got != tt.want || asks != (tt.want == "") {
			t.Errorf("%s own %v: record %s, asks %v; want %s", tt.ip, tt.own, got, asks, tt.want)
		}
	}
}

func TestBulk(t *testing.T) {
	zone := resolvetest.New(t, zoneText)
	for _, tt := range []struct {
		name    string
		mail    []byte
		ip      string
		unmet   string
		finding string
	}{
		{"unsigned", []byte(mailText), "192.0.2.1", "google.spf-and-dkim google.one-click yahoo.spf-and-dkim microsoft.dkim", "dkim.unsigned"},
		{"SPF fails", signed(t, mailText), "203.0.113.77", "google.spf-and-dkim yahoo.spf-and-dkim microsoft.spf", "spf.fail"},
		{"neither", []byte(mailText), "203.0.113.77", "google.spf-or-dkim google.spf-and-dkim google.alignment google.one-click yahoo.spf-or-dkim yahoo.spf-and-dkim yahoo.dmarc microsoft.spf microsoft.dkim microsoft.dmarc", "dmarc.fail"},
		{"fields not signed", signed(t, mailText, "From", "To", "Subject"), "192.0.2.1", "google.one-click", "unsubscribe.one-click"},
		{"no post", signed(t, strings.Replace(mailText, "List-Unsubscribe-Post", "X-Post", 1)), "192.0.2.1", "google.one-click", "unsubscribe.one-click"},
		{"http", signed(t, strings.Replace(mailText, "https://shop", "http://shop", 1)), "192.0.2.1", "google.one-click", "unsubscribe.one-click"},
		{"two From", signed(t, strings.Replace(mailText, "From:", "From: x@bank.example\r\nFrom:", 1)), "192.0.2.1", "google.dmarc google.alignment google.format yahoo.dmarc yahoo.format microsoft.dmarc", "from.invalid"},
		{"no Message-ID", signed(t, strings.Replace(mailText, "Message-ID", "X-ID", 1)), "192.0.2.1", "google.format yahoo.format", ""},
		{"gmail", []byte(strings.ReplaceAll(mailText, "ann@shop.example", "ann@gmail.com")), "192.0.2.1", "google.spf-and-dkim google.dmarc google.alignment google.no-gmail-from google.one-click yahoo.spf-and-dkim yahoo.dmarc microsoft.dkim microsoft.dmarc", ""},
	} {
		r := Verify(t.Context(), zone, Input{Message: tt.mail, IP: netip.MustParseAddr(tt.ip), HELO: "mail.shop.example", Now: now})
		if got := unmet(r); got != tt.unmet {
			t.Errorf("%s: not met %q, want %q", tt.name, got, tt.unmet)
		}
		found := tt.finding == ""
		for _, f := range r.Findings() {
			found = found || f.Code == tt.finding
		}
		if !found {
			t.Errorf("%s: no finding %s", tt.name, tt.finding)
		}
	}
}

// Without facts nothing is guessed.
func TestVerifyNothing(t *testing.T) {
	zone := resolvetest.New(t, zoneText)
	r := Verify(t.Context(), zone, Input{Now: now})
	if len(zone.Asked()) != 0 || r.DMARC != nil || r.DKIM != nil || r.SPF.Result != "none" {
		t.Errorf("asked %v; %+v", zone.Asked(), r)
	}
	for _, q := range r.Bulk {
		if q.Outcome == finding.Found || q.Outcome == finding.Clean {
			t.Errorf("%s: %s %s", q.ID, q.Outcome, q.Why)
		}
	}
	r = Verify(t.Context(), zone, Input{Message: bytes.SplitAfter(signed(t, mailText), []byte("\r\n\r\n"))[0], HeaderOnly: true, Now: now})
	if r.DKIM[0].Result != "unknown" || r.DMARC.Result == "pass" {
		t.Errorf("header only: %s %s", r.DKIM[0].Result, r.DMARC.Result)
	}
}

func TestLint(t *testing.T) {
	zone := resolvetest.New(t, zoneText)
	codes := func(d *Domain) string {
		var list []string
		for _, f := range d.Findings() {
			list = append(list, f.Code)
		}
		return strings.Join(list, " ")
	}
	if got, want := codes(Lint(t.Context(), zone, "SHOP.example.", "s", "gone")), "spf.record dkim.key dkim.key-missing dmarc.record"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := codes(Lint(t.Context(), zone, "mail.shop.example")); !strings.Contains(got, "dkim.not-found") {
		t.Errorf("%s", got)
	}
	if got := codes(Lint(t.Context(), zone, "a..b")); got == "" {
		t.Error("nothing said of a name that does not fit DNS")
	}
}

// A defect in one part harms no other.
func TestPanic(t *testing.T) {
	zone := resolvetest.New(t, zoneText)
	r := Verify(t.Context(), breaking{zone}, Input{Message: signed(t, mailText), IP: netip.MustParseAddr("192.0.2.1"), Now: now})
	broke := false
	for _, f := range r.Findings() {
		broke = broke || f.Outcome == finding.Broke
	}
	if !broke || r.SPF.Result != "pass" {
		t.Errorf("broke %v, SPF %s", broke, r.SPF.Result)
	}
}

type breaking struct{ resolve.Resolver }

func (b breaking) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	if t == resolve.PTR {
		panic("a defect")
	}
	return b.Resolver.Resolve(ctx, name, t)
}

func TestAuthor(t *testing.T) {
	zone := resolvetest.New(t, zoneText)
	for from, want := range map[string]string{
		"From: Ann <ann@shop.example>":                  "shop.example ",
		"From: =?utf-8?q?Zo=C3=AB?= <ann@Shop.Example>": "shop.example ",
		"From: \"a@x.example\" <ann@shop.example>":      "shop.example ",
		"From: ann@shop.example, bob@b.example":         "shop.example From holds 2 addresses",
		"From: Ann [x] <ann@shop.example>":              "shop.example From cannot be read as an address: \"Ann [x] <ann@shop.example>\"",
		"From: <>":                                      " From cannot be read as an address: \"<>\"",
		"From: ann@localhost":                           "localhost the domain of From is no full domain name: \"ann@localhost\"",
		"To: x":                                         " the mail has no From field",
	} {
		a := Verify(t.Context(), zone, Input{Message: []byte(from + "\r\n\r\n"), Now: now}).From
		if got := a.Domain + " " + a.Problem; got != want {
			t.Errorf("%s: %q, want %q", from, got, want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(signed(f, mailText))
	f.Add([]byte("From: a@b, <c@d\r\nList-Unsubscribe: <https:\r\nReturn-Path: <@\r\n\r\n"))
	zone := resolvetest.New(f, zoneText)
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := Verify(t.Context(), zone, Input{Message: raw, IP: netip.MustParseAddr("192.0.2.1"), HELO: "mail.shop.example", Now: now})
		for _, found := range r.Findings() {
			if found.Outcome == finding.Broke || found.Fact == "" {
				t.Errorf("%+v", found)
			}
		}
		if s := r.AuthenticationResults("mx.example"); strings.ContainsAny(s, "\r\n\x00") {
			t.Errorf("%q", s)
		}
	})
}

func ExampleVerify() {
	zone := resolvetest.New(&testing.T{}, zoneText)
	report := Verify(context.Background(), zone, Input{
		IP: netip.MustParseAddr("198.51.100.9"), MailFrom: "news@shop.example", From: "shop.example",
	})
	f := report.Findings()[0]
	fmt.Println(f.Fact)
	fmt.Println(f.Fixes[0].What)
	fmt.Println(f.Fixes[0].Record)
	// Output:
	// SPF of shop.example for 198.51.100.9: fail. "-all" of shop.example's record decides: no term before it holds 198.51.100.9.
	// Add ip4:198.51.100.9 to the SPF record of shop.example. The address is taken for yours: its confirmed name out.shop.example lies under shop.example.
	// shop.example. TXT "v=spf1 ip4:192.0.2.0/28 ip4:198.51.100.9 -all"
}
