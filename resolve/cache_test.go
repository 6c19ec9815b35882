package resolve_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

func TestCacheKeepsByTTL(t *testing.T) {
	zone := resolvetest.New(t, `
example. SOA ns.example. h.example. 1 3600 600 86400 60
a.example. 120 A 192.0.2.1
;! ill.example ANY SERVFAIL
`)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	c := &resolve.Cache{Resolver: zone, Now: func() time.Time { return now }}
	asked := func(name string) int {
		zone.Forget()
		c.Resolve(t.Context(), name, resolve.A)
		return len(zone.Asked())
	}
	for _, step := range []struct {
		name  string
		after time.Duration
		asked int
	}{
		{"a.example", 0, 1},
		{"A.example.", 119 * time.Second, 0},
		{"a.example", time.Second, 1},
		{"absent.example", 0, 1},
		{"absent.example", 59 * time.Second, 0},
		{"absent.example", time.Second, 1},
		{"ill.example", 0, 1},
		{"ill.example", 0, 1},
	} {
		now = now.Add(step.after)
		if got := asked(step.name); got != step.asked {
			t.Errorf("%s after %v: asked %d times, want %d", step.name, step.after, got, step.asked)
		}
	}
}

func TestCacheTTLShrinks(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	c := &resolve.Cache{Resolver: resolvetest.New(t, "a.example. 120 A 192.0.2.1\n"), Now: func() time.Time { return now }}
	c.Resolve(t.Context(), "a.example", resolve.A)
	now = now.Add(50 * time.Second)
	if got, want := c.Resolve(t.Context(), "a.example", resolve.A).TTL, 70*time.Second; got != want {
		t.Errorf("TTL %v, want %v", got, want)
	}
}

func TestCacheIsBounded(t *testing.T) {
	zone := resolvetest.New(t, "*.example. A 192.0.2.1\n")
	c := &resolve.Cache{Resolver: zone, Size: 2}
	for _, name := range []string{"a.example", "b.example", "a.example", "c.example"} {
		c.Resolve(t.Context(), name, resolve.A)
	}
	zone.Forget()
	c.Resolve(t.Context(), "a.example", resolve.A)
	c.Resolve(t.Context(), "b.example", resolve.A)
	if got, want := fmt.Sprint(zone.Asked()), "[b.example A]"; got != want {
		t.Errorf("asked %s, want %s: the least recently used goes", got, want)
	}
}

// gate answers once the test opens it.
type gate struct {
	open  chan struct{}
	calls atomic.Int32
}

func (g *gate) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	g.calls.Add(1)
	select {
	case <-ctx.Done():
		return resolve.Answer{Name: name, Type: t, Status: resolve.Canceled, Err: ctx.Err()}
	case <-g.open:
		return resolve.Answer{Name: name, Type: t, Status: resolve.OK, TTL: time.Minute}
	}
}

func TestCacheSharesAFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		c := resolve.NewCache(g)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if a := c.Resolve(t.Context(), "a.example", resolve.A); a.Status != resolve.OK {
					t.Errorf("answer %v, want OK", a)
				}
			})
		}
		synctest.Wait() // all of them wait: one for the resolver, the others for it
		close(g.open)
		wg.Wait()
		if got := g.calls.Load(); got != 1 {
			t.Errorf("the resolver was asked %d times, want once", got)
		}
	})
}

func TestCacheFollowersOutliveTheLeader(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	c := resolve.NewCache(g)
	leader, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { c.Resolve(leader, "a.example", resolve.A) })
	for g.calls.Load() == 0 {
		runtime.Gosched()
	}
	follower := make(chan resolve.Answer)
	go func() { follower <- c.Resolve(t.Context(), "a.example", resolve.A) }()
	cancel()
	wg.Wait()
	close(g.open)
	if a := <-follower; a.Status != resolve.OK {
		t.Errorf("follower got %v, want its own answer", a)
	}
}
