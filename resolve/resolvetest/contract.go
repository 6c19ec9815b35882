package resolvetest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/resolve"
)

// contractZone holds a name for each question of Contract.
const contractZone = `
$TTL 300
example. SOA ns.example. hostmaster.example. 1 3600 600 86400 120
v4.example. 60 A 192.0.2.1
v4.example. 60 A 192.0.2.2
v6.example. AAAA 2001:db8::1
shop.example. MX 10 mail.shop.example.
shop.example. MX 20 backup.shop.example.
null.example. MX 0 .
parts.example. TXT "v=spf1 " "-all" ""
octets.example. TXT "a\255\"\\b"
1.2.0.192.in-addr.arpa. PTR Mail.Shop.Example.
alias.example. 30 CNAME middle.example.
middle.example. 600 CNAME v4.example.
dangling.example. CNAME nowhere.example.
empty-alias.example. CNAME shop.example.
loop.example. CNAME pool.example.
pool.example. CNAME loop.example.
deep.below.example. A 192.0.2.3
*.wild.example. A 127.0.0.2
xn--mnchen-3ya.example. A 192.0.2.4
_dmarc.shop.example. TXT "v=DMARC1; p=none"
caa.example. TYPE257 \# 7 00056973737565
ill.example. A 192.0.2.9
;! ill.example A SERVFAIL
;! refused.example ANY REFUSED
;! mute.example ANY TIMEOUT
;! garbled.example ANY MALFORMED
;! *.down.example ANY SERVFAIL
big.example. TXT "over TCP alone"
;! big.example TXT TRUNCATE
slow.example. A 192.0.2.5
;! slow.example A SLOW 1ms
`

// Contract holds a resolver to what every [resolve.Resolver] promises. Make
// returns one that answers from the zone: by itself, over loopback ([Serve]),
// from a recording.
func Contract(t *testing.T, make func(t *testing.T, zone *Zone) resolve.Resolver) {
	t.Helper()
	r := make(t, New(t, contractZone))
	for _, tt := range []struct {
		name   string
		t      resolve.Type
		status resolve.Status
		want   string // records, comma-separated
		chain  string
	}{
		{"v4.example", resolve.A, resolve.OK, "192.0.2.1, 192.0.2.2", ""},
		{"V4.Example.", resolve.A, resolve.OK, "192.0.2.1, 192.0.2.2", ""},
		{"v6.example", resolve.AAAA, resolve.OK, "2001:db8::1", ""},
		{"shop.example", resolve.MX, resolve.OK, "10 mail.shop.example., 20 backup.shop.example.", ""},
		{"null.example", resolve.MX, resolve.OK, "0 .", ""},
		{"parts.example", resolve.TXT, resolve.OK, `"v=spf1 " "-all" ""`, ""},
		{"octets.example", resolve.TXT, resolve.OK, `"a\xff\"\\b"`, ""},
		{"_dmarc.shop.example", resolve.TXT, resolve.OK, `"v=DMARC1; p=none"`, ""},
		{"1.2.0.192.in-addr.arpa", resolve.PTR, resolve.OK, "mail.shop.example.", ""},
		{"münchen.example", resolve.A, resolve.OK, "192.0.2.4", ""},
		{"alias.example", resolve.A, resolve.OK, "192.0.2.1, 192.0.2.2", "middle.example v4.example"},
		{"alias.example", resolve.CNAME, resolve.OK, "middle.example.", ""},
		{"dangling.example", resolve.A, resolve.NXDomain, "", "nowhere.example"},
		{"empty-alias.example", resolve.A, resolve.NoData, "", "shop.example"},
		{"loop.example", resolve.A, resolve.ServFail, "", ""},
		{"v4.example", resolve.AAAA, resolve.NoData, "", ""},
		{"below.example", resolve.A, resolve.NoData, "", ""},
		{"absent.example", resolve.A, resolve.NXDomain, "", ""},
		{"any.wild.example", resolve.A, resolve.OK, "127.0.0.2", ""},
		{"any.wild.example", resolve.TXT, resolve.NoData, "", ""},
		{"ill.example", resolve.A, resolve.ServFail, "", ""},
		{"ill.example", resolve.TXT, resolve.NoData, "", ""},
		{"refused.example", resolve.A, resolve.Refused, "", ""},
		{"mute.example", resolve.A, resolve.Timeout, "", ""},
		{"garbled.example", resolve.A, resolve.Malformed, "", ""},
		{"host.down.example", resolve.A, resolve.ServFail, "", ""},
		{"big.example", resolve.TXT, resolve.OK, `"over TCP alone"`, ""},
		{"slow.example", resolve.A, resolve.OK, "192.0.2.5", ""},
		{"double..dot.example", resolve.A, resolve.Other, "", ""},
		{strings.Repeat("a", 64) + ".example", resolve.A, resolve.Other, "", ""},
		{strings.Repeat("abcdefgh.", 32) + "example", resolve.A, resolve.Other, "", ""},
	} {
		t.Run(fmt.Sprintf("%.40s %s", tt.name, tt.t), func(t *testing.T) {
			a := r.Resolve(t.Context(), tt.name, tt.t)
			if a.Status != tt.status {
				t.Fatalf("status %q (%v), want %q", a.Status, a.Err, tt.status)
			}
			texts := []string{}
			for _, rec := range a.Records {
				texts = append(texts, rec.String())
			}
			if got := strings.Join(texts, ", "); got != tt.want {
				t.Errorf("records %s, want %s", got, tt.want)
			}
			if got := strings.Join(a.Chain, " "); got != tt.chain {
				t.Errorf("chain %q, want %q", got, tt.chain)
			}
			if a.Status.Known() && a.TTL <= 0 {
				t.Errorf("TTL %v of a known answer, want more than zero", a.TTL)
			}
			if !a.Status.Known() && a.TTL != 0 {
				t.Errorf("TTL %v of a failure, want zero", a.TTL)
			}
			if want, err := resolve.Name(tt.name); err == nil && a.Name != want {
				t.Errorf("name %q, want %q", a.Name, want)
			}
			if a.Type != tt.t {
				t.Errorf("type %v, want %v", a.Type, tt.t)
			}
		})
	}
	t.Run("chain TTL", func(t *testing.T) {
		if got, limit := r.Resolve(t.Context(), "alias.example", resolve.A).TTL.Seconds(), 30.0; got > limit {
			t.Errorf("TTL %vs, want at most the %vs of the first alias", got, limit)
		}
	})
	t.Run("negative TTL", func(t *testing.T) {
		if got, limit := r.Resolve(t.Context(), "absent.example", resolve.A).TTL.Seconds(), 120.0; got > limit {
			t.Errorf("TTL %vs, want at most the SOA's %vs", got, limit)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if a := r.Resolve(ctx, "never-asked.example", resolve.A); a.Status != resolve.Canceled {
			t.Errorf("status %q, want canceled", a.Status)
		}
	})
}
