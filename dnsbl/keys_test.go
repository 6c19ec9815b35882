package dnsbl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// The key stands in what goes to the resolver and in nothing that comes out: every
// output of the package is searched for it.
func TestKeysAreNeverShown(t *testing.T) {
	const key = "s3cr3tkeyofacustomer"
	const zen, dbl, abusix = ".zen.dq.spamhaus.net", ".dbl.dq.spamhaus.net", ".combined.mail.abusix.zone"
	zone := resolvetest.New(t, `
2.0.0.127.`+key+zen+`. A 127.0.0.2
25.100.51.198.`+key+zen+`. A 127.0.0.2
25.100.51.198.`+key+zen+`. TXT "see https://list.example/`+strings.ToUpper(key)+`?ip=198.51.100.25"
2.0.0.127.`+key+`.sbl.dq.spamhaus.net. A 127.0.0.2
25.100.51.198.`+key+abusix+`. CNAME here.`+key+`.abusix.example.
here.`+key+`.abusix.example. A 127.255.255.254
`)
	failing := resolverFunc(func(ctx context.Context, name string, typ resolve.Type) resolve.Answer {
		a := zone.Resolve(ctx, name, typ)
		if strings.HasSuffix(name, key+dbl) {
			a = resolve.Answer{Name: name, Type: typ, Status: resolve.Other, Err: errors.New("resolve: no connection for " + name)}
		}
		return a
	})
	rec := &resolve.Recorder{Resolver: failing}
	keys := Keys{"spamhaus-dqs": Secret(strings.ToUpper(key)), "abusix": Secret(key)}
	c := &Checker{Resolver: rec, Keys: keys, Catalogue: Default().Select(WithID("spamhaus-zen", "spamhaus-zen-dqs", "spamhaus-dbl-dqs", "spamhaus-zrd-dqs", "abusix-combined", "dnswl"))}
	domain, _ := Domain("shop.example")
	long, _ := Domain(strings.Repeat("abcdefg.", 29) + "example")

	var out bytes.Buffer
	report := c.Report(t.Context(), target, domain, long)
	asked := strings.Join(zone.Asked(), "\n")
	if !strings.Contains(asked, "25.100.51.198."+key+zen+" A") || strings.Contains(asked, "25.100.51.198.zen.spamhaus.org") {
		t.Fatalf("asked\n%s\nwant the customer's zone in place of the public one", asked)
	}
	states := map[string]Status{}
	for i := range report.Results {
		res := &report.Results[i]
		states[res.List.ID+" "+string(res.Target.String()[0])] = res.Status
		b, err := json.Marshal(res)
		if err != nil {
			t.Fatal(err)
		}
		name, err := res.List.QueryName(res.Target)
		fmt.Fprintln(&out, string(b), name, err, res.Answer, res.Answer.Err, res.Probe, res.Finding(), res.Removal())
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			fmt.Fprintf(&out, verb, *res)
		}
	}
	if states["spamhaus-zen-dqs 1"] != Listed || states["abusix-combined 1"] != Refused || states["spamhaus-dbl-dqs s"] != Unknown {
		t.Fatalf("states %v", states)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb, keys)
		fmt.Fprintf(&out, verb, keys["abusix"])
		fmt.Fprintf(&out, verb, struct{ keys Keys }{keys})
		fmt.Fprintf(&out, verb, struct{ c *Checker }{c})
		fmt.Fprintf(&out, verb, &c.Keys)
	}
	for _, v := range []any{keys, c.Keys["abusix"], struct{ Keys Keys }{keys}, report.Findings(), report.Removals(), c.Catalogue} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("all", "keys", keys, "result", report.Results[0], "answer", report.Results[0].Answer)
	}
	ticks := make(chan time.Time)
	close(ticks)
	for change := range c.Watch(t.Context(), ticks, target, domain) {
		fmt.Fprintf(&out, "%+v", change)
	}
	bad := &Checker{Resolver: rec, Keys: Keys{"spamhaus-dqs": Secret(key + " " + key)}, Catalogue: c.Catalogue}
	for res := range bad.Check(t.Context(), target) {
		fmt.Fprintf(&out, "%+v %s", res, res.Why)
	}
	if _, err := rec.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	lower := strings.ToLower(out.String())
	if at := strings.Index(lower, key); at >= 0 {
		t.Errorf("the key is shown: …%s…", out.String()[max(0, at-200):min(out.Len(), at+100)])
	}
	// Verb %x would show it in hexadecimal.
	if strings.Contains(lower, fmt.Sprintf("%x", key)) {
		t.Error("the key is shown in hexadecimal")
	}
	if !strings.Contains(lower, keyMark) {
		t.Error("nothing shows that a key was used")
	}
}

func TestKeyForms(t *testing.T) {
	c := &Checker{Resolver: resolvetest.New(t, "other.test. A 192.0.2.1\n"), Catalogue: Default().Select(WithID("spamhaus-zen-dqs"))}
	for _, tt := range []struct {
		keys Keys
		why  string
	}{
		{nil, "the list needs a key"},
		{Keys{"spamhaus-dqs": {}}, "the list needs a key"},
		{Keys{"spamhaus-dqs": Secret("")}, "the list needs a key"},
		{Keys{"spamhaus-dqs": Secret("two.labels")}, "not of the form"},
		{Keys{"spamhaus-dqs": Secret(strings.Repeat("x", 64))}, "not of the form"},
	} {
		c.Keys = tt.keys
		if res := only(t, c, target); res.Status != Unknown || !strings.Contains(res.Why, tt.why) {
			t.Errorf("%v: %s (%s), want %q", tt.keys, res.Status, res.Why, tt.why)
		}
	}
}

// A list that takes a key, and needs none, is asked with it if there is one.
func TestOptionalKey(t *testing.T) {
	zone := resolvetest.New(t, "other.test. A 192.0.2.1\n")
	c := &Checker{Resolver: zone, Catalogue: Default().Select(WithID("spamrats-spam"))}
	for keys, want := range map[*Keys]string{
		{}:                             "25.100.51.198.spam.spamrats.com A",
		{"spamrats": Secret("abc123")}: "25.100.51.198.abc123.spam.spamrats.com A",
	} {
		c.Keys = *keys
		zone.Forget()
		only(t, c, IP(netip.MustParseAddr("198.51.100.25")))
		if !slices.Contains(zone.Asked(), want) {
			t.Errorf("asked %v, want %s", zone.Asked(), want)
		}
	}
}
