//go:build interop

package dnsbl_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/internal/interop"
	"github.com/rebound-mail/rebound/resolve"
)

// Real servers: rbldnsd, which most operators of lists run, behind unbound, which
// receivers and the README advise. Both are Debian's; .ci/run installs them.

const soa = "$SOA 3600 ns.lists.example hostmaster.lists.example 1 3600 600 86400 1800\n$NS 3600 ns.lists.example\n"

// zoneFiles are rbldnsd's: kind of data set and text, by the zone's first label.
var zoneFiles = map[string]struct{ kind, text string }{
	"v4": {"ip4set", soa + ":127.0.0.2:Listed, see https://lists.example/?ip=$\n127.0.0.2\n198.51.100.25\n198.51.100.64/26 :127.0.0.10:A range of $\n"},
	"v6": {"ip6trie", soa + ":127.0.0.2:Listed, see https://lists.example/?ip=$\n::ffff:7f00:2\n2001:db8:25::/48\n"},
	"rh": {"dnset", soa + ":127.0.1.2:Listed domain $\ntest\n.shop.example\n"},
}

const catalogue = `
id: v4
zone: v4.lists.example
name: Addresses
kinds: ipv4
action: block
status: alive
weight: medium
code: 127.0.0.2 [spam] spam source
code: 127.0.0.10 [policy] range that sends no mail
present: 127.0.0.2
absent: 127.0.0.1
source: this test

id: v6
zone: v6.lists.example
name: IPv6 addresses
kinds: ipv6
action: block
status: alive
weight: medium
present: ::ffff:7f00:2
absent: ::ffff:7f00:1
source: this test

id: rh
zone: rh.lists.example
name: Domains
kinds: domain
action: block
status: alive
weight: medium
code: 127.0.1.2 [spam] spam domain
present: test
absent: invalid
source: this test

id: gone
zone: gone.lists.example
name: Nobody answers
kinds: ipv4 ipv6 domain
action: block
status: alive
weight: medium
source: this test
`

// servers starts both, and returns rbldnsd and the resolver behind unbound.
func servers(t *testing.T) (*interop.Server, *resolve.Client) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // rbldnsd gives up its rights
		t.Fatal(err)
	}
	lists, closed := interop.FreePort(t), interop.FreePort(t)
	args := []string{"-n", "-b", fmt.Sprintf("127.0.0.1/%d", lists), "-w", dir, "-c", "0"}
	if os.Getuid() == 0 {
		args = append(args, "-u", "nobody:nogroup")
	}
	stubs := ""
	for zone, f := range zoneFiles {
		if err := os.WriteFile(filepath.Join(dir, zone), []byte(f.text), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, fmt.Sprintf("%s.lists.example:%s:%s", zone, f.kind, zone))
		stubs += fmt.Sprintf("stub-zone:\n  name: %q\n  stub-addr: 127.0.0.1@%d\n", zone+".lists.example.", lists)
	}
	stubs += fmt.Sprintf("stub-zone:\n  name: \"gone.lists.example.\"\n  stub-addr: 127.0.0.1@%d\n", closed)
	operator := interop.Start(t, "rbldnsd", args...)
	// Both are up when a test entry comes through.
	return operator, interop.Unbound(t, stubs, "2.0.0.127.v4.lists.example")
}

func TestInterop(t *testing.T) {
	operator, client := servers(t)
	lists, err := dnsbl.Parse(strings.NewReader(catalogue))
	if err != nil {
		t.Fatal(err)
	}
	lists = lists.Select(dnsbl.WithoutID("gone"))
	check := func(c *dnsbl.Checker, name string) dnsbl.Result {
		t.Helper()
		target, err := dnsbl.ParseTarget(name)
		if err != nil {
			t.Fatal(err)
		}
		report := c.Report(t.Context(), target)
		if len(report.Results) != 1 {
			t.Fatalf("%s: %d results", name, len(report.Results))
		}
		return report.Results[0]
	}
	c := &dnsbl.Checker{Resolver: client, Catalogue: lists}
	for _, tt := range []struct {
		target string
		status dnsbl.Status
		code   string
		reason string
	}{
		{"198.51.100.25", dnsbl.Listed, "127.0.0.2", "Listed, see https://lists.example/?ip=198.51.100.25"},
		{"198.51.100.70", dnsbl.Listed, "127.0.0.10", "A range of 198.51.100.70"},
		{"198.51.100.26", dnsbl.NotListed, "", ""},
		{"127.0.0.2", dnsbl.Listed, "127.0.0.2", "Listed, see https://lists.example/?ip=127.0.0.2"},
		{"127.0.0.1", dnsbl.NotListed, "", ""},
		{"2001:db8:25::7", dnsbl.Listed, "127.0.0.2", "Listed, see https://lists.example/?ip=2001:db8:25::7"},
		{"2001:db8:26::7", dnsbl.NotListed, "", ""},
		{"mail.shop.example", dnsbl.Listed, "127.0.1.2", "Listed domain shop.example"},
		{"other.example", dnsbl.NotListed, "", ""},
	} {
		res := check(c, tt.target)
		code := ""
		if len(res.Codes) > 0 {
			code = res.Codes[0].Addr.String()
		}
		if res.Status != tt.status || code != tt.code || res.Status == dnsbl.Listed && !res.Confirmed {
			t.Errorf("%s: %s %s (%s), confirmed %v; want %s %s", tt.target, res.Status, code, res.Why, res.Confirmed, tt.status, tt.code)
		}
		if res.Status == dnsbl.Listed && !sameReason(res.Reason, tt.reason) {
			t.Errorf("%s: reason %q, want %q", tt.target, res.Reason, tt.reason)
		}
		if res.Status == dnsbl.NotListed && res.Health.State != dnsbl.Proven {
			t.Errorf("%s: the list is %q, want proven", tt.target, res.Health.State)
		}
	}
	// Negative caching: the absence lives as long as the SOA says, and not longer.
	if ttl := check(c, "198.51.100.26").Answer.TTL; ttl <= 0 || ttl > 30*time.Minute {
		t.Errorf("TTL %v of an absence, want at most the SOA's 30 minutes", ttl)
	}
	// The operator's server stops: what unbound remembers is still an answer, anything
	// else is not known.
	operator.Stop()
	if res := check(c, "198.51.100.26"); res.Status != dnsbl.NotListed {
		t.Errorf("remembered absence after the end of the server: %s (%s)", res.Status, res.Why)
	}
	if res := check(c, "198.51.100.25"); res.Status != dnsbl.Listed {
		t.Errorf("remembered listing after the end of the server: %s (%s)", res.Status, res.Why)
	}
	if res := check(c, "198.51.100.27"); res.Status != dnsbl.Unknown {
		t.Errorf("a new question after the end of the server: %s (%s), want unknown", res.Status, res.Why)
	}
}

func TestInteropDeadUpstream(t *testing.T) {
	_, client := servers(t)
	lists, err := dnsbl.Parse(strings.NewReader(catalogue))
	if err != nil {
		t.Fatal(err)
	}
	c := &dnsbl.Checker{Resolver: resolve.NewCache(client), Catalogue: lists}
	target, _ := dnsbl.ParseTarget("198.51.100.25")
	for range 3 {
		got := map[string]dnsbl.Status{}
		for res := range c.Check(t.Context(), target) {
			got[res.List.ID] = res.Status
		}
		if got["gone"] != dnsbl.Unknown || got["v4"] != dnsbl.Listed {
			t.Errorf("%v, want the dead upstream unknown, and the other list untouched", got)
		}
	}
}

// sameReason compares reasons, in which rbldnsd writes IPv6 addresses in a form of its
// own.
func sameReason(got, want string) bool {
	tail := func(s string) netip.Addr {
		addr, _ := netip.ParseAddr(s[strings.LastIndexAny(s, "=")+1:])
		return addr
	}
	return got == want || tail(got).IsValid() && tail(got) == tail(want)
}
