package iprev

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

const zoneText = `
23.100.51.198.in-addr.arpa. PTR mail.shop.example.
mail.shop.example. A 198.51.100.23
24.100.51.198.in-addr.arpa. PTR other.shop.example.
other.shop.example. A 198.51.100.99
25.100.51.198.in-addr.arpa. PTR gone.shop.example.
26.100.51.198.in-addr.arpa. PTR bad.shop.example.
26.100.51.198.in-addr.arpa. PTR good.shop.example.
good.shop.example. A 198.51.100.26
27.100.51.198.in-addr.arpa. PTR slow.shop.example.
;! slow.shop.example ANY TIMEOUT
;! 28.100.51.198.in-addr.arpa ANY SERVFAIL
201.100.51.198.in-addr.arpa. PTR 198-51-100-201.dsl.isp.example.
198-51-100-201.dsl.isp.example. A 198.51.100.201
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5.2.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR mail6.shop.example.
mail6.shop.example. AAAA 2001:db8:25::1
helo.shop.example. A 198.51.100.23
`

func TestCheck(t *testing.T) {
	zone := resolvetest.New(t, zoneText)
	for _, tt := range []struct {
		addr, helo string
		status     Status
		codes      string
	}{
		{"198.51.100.23", "mail.shop.example", Pass, "iprev.pass helo.pass"},
		{"::ffff:198.51.100.23", "MAIL.shop.example.", Pass, "iprev.pass helo.pass"},
		{"198.51.100.23", "helo.shop.example", Pass, "iprev.pass helo.not-ptr"},
		{"198.51.100.23", "other.shop.example", Pass, "iprev.pass helo.not-forward"},
		{"198.51.100.23", "server01.shop.local", Pass, "iprev.pass helo.private"},
		{"198.51.100.23", "localhost", Pass, "iprev.pass helo.invalid"},
		{"198.51.100.23", "a b.example", Pass, "iprev.pass helo.invalid"},
		{"198.51.100.23", "[198.51.100.23]", Pass, "iprev.pass helo.pass"},
		{"198.51.100.23", "[192.0.2.1]", Pass, "iprev.pass helo.other-address"},
		{"198.51.100.23", "slow.shop.example", Pass, "iprev.pass helo.temperror"},
		{"198.51.100.24", "", Fail, "iprev.ptr-unconfirmed"},
		{"198.51.100.25", "", Fail, "iprev.ptr-unconfirmed"},
		{"198.51.100.26", "", Pass, "iprev.pass"},
		{"198.51.100.27", "", TempError, "iprev.temperror"},
		{"198.51.100.28", "", TempError, "iprev.temperror"},
		{"198.51.100.29", "mail.shop.example", Missing, "iprev.ptr-missing helo.not-forward"},
		{"198.51.100.201", "", Pass, "iprev.pass iprev.ptr-generic"},
		{"2001:db8:25::1", "", Pass, "iprev.pass"},
		{"2001:db8:25::2", "", Missing, "iprev.ptr-missing"},
	} {
		res := Check(t.Context(), zone, netip.MustParseAddr(tt.addr), tt.helo)
		var codes []string
		for _, f := range res.Findings() {
			codes = append(codes, f.Code)
			if f.Outcome == finding.Found && f.Severity >= finding.Warning && (f.Consequence == "" || len(f.Fixes) == 0 || f.Fixes[0].Verify == "") {
				t.Errorf("%s %s: %s lacks a consequence or a fix: %+v", tt.addr, tt.helo, f.Code, f)
			}
		}
		if got := strings.Join(codes, " "); res.Status != tt.status || got != tt.codes {
			t.Errorf("%s %q: %s with %s, want %s with %s", tt.addr, tt.helo, res.Status, got, tt.status, tt.codes)
		}
	}
}

func TestCheckWithoutAddress(t *testing.T) {
	zone := resolvetest.New(t, zoneText)
	res := Check(t.Context(), zone, netip.Addr{}, "mail.shop.example")
	if res.Status != NoAddress || res.Findings()[0].Outcome != finding.NotApplicable || len(zone.Asked()) != 0 {
		t.Errorf("%+v, asked %v", res, zone.Asked())
	}
}

func TestCheckBoundsNames(t *testing.T) {
	var text strings.Builder
	for i := range 50 {
		fmt.Fprintf(&text, "1.2.0.192.in-addr.arpa. PTR h%d.example.\n", i)
	}
	zone := resolvetest.New(t, text.String())
	Check(t.Context(), zone, netip.MustParseAddr("192.0.2.1"), "")
	if got := len(zone.Asked()); got != 1+maxNames {
		t.Errorf("asked %d questions, want %d", got, 1+maxNames)
	}
}

func TestAskForTheRecord(t *testing.T) {
	zone := resolvetest.New(t, zoneText)
	f := Check(t.Context(), zone, netip.MustParseAddr("198.51.100.29"), "mail.shop.example").Findings()[0].Fixes[0]
	if got, want := f.Record.String(), "29.100.51.198.in-addr.arpa. PTR mail.shop.example."; got != want {
		t.Errorf("record %q, want %q", got, want)
	}
	if f := Check(t.Context(), zone, netip.MustParseAddr("198.51.100.29"), "mx.lan").Findings()[0].Fixes[0]; f.Record != nil {
		t.Errorf("a private name is asked for: %v", f.Record)
	}
}

func TestGeneric(t *testing.T) {
	for host, want := range map[string]bool{
		"198-51-100-201.dsl.isp.example":     true,
		"201.100.51.198.isp.example":         true,
		"201.100.51.198.rev.isp.example":     true,
		"host201-100-51-198.dyn.isp.example": true,
		"c63364c9.cable.isp.example":         true,
		"dsl17.isp.example":                  true,
		"mail.shop.example":                  false,
		"mx1.shop.example":                   false,
		"pool.shop.example":                  false,
		"o140.pool7.esp.example":             false,
	} {
		if got := generic(host, netip.MustParseAddr("198.51.100.201")) != ""; got != want {
			t.Errorf("%s: generic %v, want %v", host, got, want)
		}
	}
}

func ExampleCheck() {
	zone := resolvetest.New(&testing.T{}, "23.100.51.198.in-addr.arpa. PTR host23.isp.example.\n")
	res := Check(context.Background(), zone, netip.MustParseAddr("198.51.100.23"), "mail.shop.example")
	fmt.Println(res.Status)
	fmt.Println(res.Findings()[0].Fact)
	// Output:
	// fail
	// The PTR record of 198.51.100.23 names host23.isp.example, which does not lead back to it (host23.isp.example A: NXDOMAIN).
}
