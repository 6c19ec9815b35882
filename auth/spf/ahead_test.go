package spf

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

const away = 20 * time.Millisecond

// far answers after a while; names below silent. never do.
type far struct{ resolve.Resolver }

func (f far) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	wait := away
	if strings.HasSuffix(name, "silent.example") {
		wait = time.Hour
	}
	select {
	case <-time.After(wait):
		return f.Resolver.Resolve(ctx, name, t)
	case <-ctx.Done():
		return resolve.Answer{Name: name, Type: t, Status: resolve.Canceled, Err: context.Cause(ctx)}
	}
}

// Includes are looked up side by side, and what the check does not come to is not
// waited for.
func TestAhead(t *testing.T) {
	zone := resolvetest.New(t, `
wide.example. TXT "v=spf1 include:a.example include:b.example include:c.example include:d.example include:e.example include:f.example -all"
a.example. TXT "v=spf1 include:g.example -all"
b.example. TXT "v=spf1 ip4:203.0.113.1 -all"
c.example. TXT "v=spf1 ip4:203.0.113.2 -all"
d.example. TXT "v=spf1 include:h.example -all"
e.example. TXT "v=spf1 ip4:203.0.113.3 -all"
f.example. TXT "v=spf1 ip4:192.0.2.7 -all"
g.example. TXT "v=spf1 ip4:203.0.113.4 -all"
h.example. TXT "v=spf1 ip4:203.0.113.5 -all"
first.example. TXT "v=spf1 include:f.example include:x.silent.example -all"
own.example. TXT "v=spf1 ip4:192.0.2.7 include:x.silent.example include:f.example -all"
`)
	for _, tt := range []struct {
		domain string
		result Code
		rounds time.Duration
		asked  int
	}{
		{"wide.example", Pass, 3, 9},
		{"first.example", Pass, 2, 2},
		{"own.example", Pass, 1, 1}, // the address stands before the includes
	} {
		zone.Forget()
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			res := Check(t.Context(), far{zone}, Query{IP: netip.MustParseAddr("192.0.2.7"), MailFrom: "a@" + tt.domain})
			if took := time.Since(begun); res.Result != tt.result || took != tt.rounds*away || len(zone.Asked()) != tt.asked {
				t.Errorf("%s: %s after %d questions in %s, want %s after %d in %d round trips", tt.domain, res.Result, len(zone.Asked()), took, tt.result, tt.asked, tt.rounds)
			}
		})
	}
}

// A resolver that panics harms the caller who asked, who may recover, and nobody else.
func TestAheadPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the panic did not reach the caller")
		}
	}()
	Check(t.Context(), panics{}, Query{IP: netip.MustParseAddr("192.0.2.7"), MailFrom: "a@shop.example"})
}

type panics struct{}

func (panics) Resolve(context.Context, string, resolve.Type) resolve.Answer { panic("no") }
