package rebound_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// far is a resolver some way off. In a bubble of synctest its time is exact.
type far struct {
	resolve.Resolver
	away time.Duration
}

func (f far) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	select {
	case <-time.After(f.away):
		return f.Resolver.Resolve(ctx, name, t)
	case <-ctx.Done():
		return resolve.Answer{Name: name, Type: t, Status: resolve.Canceled, Err: context.Cause(ctx)}
	}
}

// The questions of a diagnosis go side by side: whatever was refused, at most six go one
// behind another. Only an SPF record that nests includes, or is broken, needs more.
func TestRoundTrips(t *testing.T) {
	const away, most = 20 * time.Millisecond, 6
	worst := 0
	for _, s := range stories(t) {
		zone := resolvetest.New(t, s.zone)
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			d := s.diagnose(t, resolve.NewCache(far{zone, away}))
			rounds := int(time.Since(begun) / away)
			worst = max(worst, rounds)
			if rounds > most {
				t.Errorf("%s: %d round trips, at most %d are wanted", filepath.Base(s.dir), rounds, most)
			}
			if rounds == 0 && len(d.DNS) > 0 {
				t.Errorf("%s: %d answers without a round trip", filepath.Base(s.dir), len(d.DNS))
			}
		})
	}
	t.Logf("at most %d round trips", worst)
}

// silent is a resolver of which one zone never answers.
type silent struct {
	resolve.Resolver
	zone string
}

func (s silent) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	if strings.HasSuffix(name, s.zone) {
		<-ctx.Done()
		return resolve.Answer{Name: name, Type: t, Status: resolve.Timeout, Err: context.Cause(ctx)}
	}
	return s.Resolver.Resolve(ctx, name, t)
}

// One ill server costs its own answer, and no more time than the limit.
func TestIllServer(t *testing.T) {
	for _, ill := range []string{"bl.spamcop.net", "in-addr.arpa", "shop.example", "recipient.example"} {
		zone := resolvetest.New(t, healthy)
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			diagnoser := &rebound.Diagnoser{Resolver: silent{far{zone, 20 * time.Millisecond}, ill}}
			d, err := diagnoser.Diagnose(t.Context(), everything)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("%s is silent: the diagnosis took %s", ill, took)
			}
			lost := 0
			for _, a := range d.DNS {
				if !a.Status.Known() {
					lost++
					if !strings.HasSuffix(a.Name, ill) {
						t.Errorf("%s is silent: %s %s has no answer", ill, a.Name, a.Type)
					}
				}
			}
			if lost == 0 {
				t.Errorf("%s is silent, and nothing is missed", ill)
			}
			for _, c := range d.Checks {
				if c.Outcome == finding.Broke || c.Why == "" {
					t.Errorf("%s is silent: %+v", ill, c)
				}
			}
		})
	}
}

// everything is a refusal for which all checks matter.
var everything = rebound.Case{
	Reply: "550 5.7.1 Message refused", IP: netip.MustParseAddr("198.51.100.23"), HELO: "mail.shop.example", MailFrom: "news@shop.example", Recipient: "anna@recipient.example",
	Message: []byte("From: Shop <news@shop.example>\r\nTo: anna@recipient.example\r\nSubject: News\r\nDate: Tue, 24 Nov 2026 09:59:00 +0000\r\nMessage-ID: <1@shop.example>\r\n" +
		"DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=s1; h=from:subject:date; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n\r\nThe boots are back: https://shop.example/boots\r\n"),
}

// healthy is DNS in which all is well, and every list answers for its test entry.
const healthy = `$TTL 300
shop.example. MX 10 mail.shop.example.
shop.example. TXT "v=spf1 include:spf.shop.example -all"
spf.shop.example. TXT "v=spf1 ip4:198.51.100.0/24 -all"
s1._domainkey.shop.example. TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
_dmarc.shop.example. TXT "v=DMARC1; p=reject; rua=mailto:d@shop.example"
mail.shop.example. A 198.51.100.23
23.100.51.198.in-addr.arpa. PTR mail.shop.example.
recipient.example. MX 10 mx1.recipient.example.
mx1.recipient.example. A 192.0.2.25
2.0.0.127.zen.spamhaus.org. A 127.0.0.2
dbltest.com.dbl.spamhaus.org. A 127.0.1.2
2.0.0.127.b.barracudacentral.org. A 127.0.0.2
2.0.0.127.bl.spamcop.net. A 127.0.0.2
2.0.0.127.psbl.surriel.com. A 127.0.0.2
2.0.0.127.bl.mailspike.net. A 127.0.0.2
2.0.0.127.all.spamrats.com. A 127.0.0.36
2.0.0.127.bl.spameatingmonkey.net. A 127.0.0.2
2.0.0.127.bl.blocklist.de. A 127.0.0.2
2.0.0.127.list.dnswl.org. A 127.0.10.0
test.surbl.org.multi.surbl.org. A 127.0.0.254
test.uribl.com.multi.uribl.com. A 127.0.0.14
_dnsbl_.test.uribl.spameatingmonkey.net. A 127.0.0.2
_dnsbl_.test.fresh15.spameatingmonkey.net. A 127.0.0.2
`

// A diagnosis with all checks on DNS in memory.
func BenchmarkDiagnose(b *testing.B) {
	zone := resolvetest.New(b, healthy)
	diagnoser := &rebound.Diagnoser{Resolver: zone}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := diagnoser.Diagnose(context.Background(), everything); err != nil {
			b.Fatal(err)
		}
	}
}
