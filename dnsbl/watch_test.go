package dnsbl

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

func TestWatch(t *testing.T) {
	const (
		tests  = "2.0.0.127.a.test. A 127.0.0.2\n2.0.0.127.b.test. A 127.0.0.2\n$TTL 1800\na.test. SOA ns.a.test. h.a.test. 1 3600 600 86400 1800\n"
		listed = "25.100.51.198.a.test. 60 A 127.0.0.2\n"
		other  = "25.100.51.198.a.test. 60 A 127.0.0.4\n"
		ill    = ";! *.b.test ANY SERVFAIL\n"
	)
	rounds := []struct{ zone, want string }{
		{listed, "listed 198.51.100.25 a.test 127.0.0.2"},
		{listed, ""},
		{other + ill, "ill b.test, codes 198.51.100.25 a.test 127.0.0.4"},
		{other + ill, ""},
		{"", "well b.test"}, // a first clean answer, good for half an hour
		{"", ""},            // 15 minutes later: the same one, perhaps from a cache
		{"", "delisted 198.51.100.25 a.test"},
		{"", ""},
		{listed, "listed 198.51.100.25 a.test 127.0.0.2"},
		{";! *.a.test ANY TIMEOUT\n", "ill a.test"},
		{listed, "well a.test"}, // listed all the while
	}
	synctest.Test(t, func(t *testing.T) {
		now := newClock()
		var round atomic.Int32
		c := &Checker{Now: now.Now, Catalogue: Own("a.test", "b.test"), Resolver: resolverFunc(func(ctx context.Context, name string, typ resolve.Type) resolve.Answer {
			a := resolvetest.New(t, tests+rounds[round.Load()].zone).Resolve(ctx, name, typ)
			if a.Status.Absent() {
				a.TTL = 30 * time.Minute
			}
			return a
		})}
		ticks := make(chan time.Time)
		got := make([][]string, len(rounds))
		go func() {
			for change := range c.Watch(t.Context(), ticks, target) {
				if !change.At.Equal(now.Now()) {
					t.Errorf("%s at %v, want %v", change.Kind, change.At, now.Now())
				}
				n := round.Load()
				got[n] = append(got[n], describe(change))
			}
		}()
		for n, r := range rounds {
			round.Store(int32(n))
			if n > 0 {
				now.add(15 * time.Minute)
				ticks <- now.Now()
			}
			synctest.Wait()
			if text := strings.Join(got[n], ", "); text != r.want {
				t.Errorf("round %d: %q, want %q", n+1, text, r.want)
			}
		}
		close(ticks)
	})
}

// A list that is emptied delists nobody, nor does a resolver that begins to withhold.
func TestWatchOfAnEmptiedList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := newClock()
		var emptied atomic.Bool
		full := resolvetest.New(t, "2.0.0.127.a.test. A 127.0.0.2\n25.100.51.198.a.test. 60 A 127.0.0.2\n26.100.51.198.b.test. A 127.0.0.2\n2.0.0.127.b.test. A 127.0.0.2\n")
		empty := resolvetest.New(t, "2.0.0.127.b.test. A 127.0.0.2\nother.a.test. TXT left\n")
		c := &Checker{Now: now.Now, Catalogue: Own("a.test", "b.test"), Resolver: resolverFunc(func(ctx context.Context, name string, typ resolve.Type) resolve.Answer {
			if emptied.Load() {
				return empty.Resolve(ctx, name, typ)
			}
			return full.Resolve(ctx, name, typ)
		})}
		other, _ := ParseTarget("198.51.100.27")
		for range c.Check(t.Context(), other) { // both lists are proven for a day
		}
		ticks := make(chan time.Time)
		var got []string
		go func() {
			for change := range c.Watch(t.Context(), ticks, target) {
				got = append(got, describe(change))
			}
		}()
		for n := range 5 {
			if n > 0 {
				emptied.Store(true)
				now.add(time.Hour)
				ticks <- now.Now()
			}
			synctest.Wait()
		}
		close(ticks)
		if text, want := strings.Join(got, ", "), "listed 198.51.100.25 a.test 127.0.0.2, ill a.test"; text != want {
			t.Errorf("%q, want %q", text, want)
		}
	})
}

// Nor does a list without a test entry, behind a resolver that begins to withhold.
func TestWatchBehindAFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := newClock()
		lists, err := Parse(strings.NewReader(strings.ReplaceAll(limited, "rate: 4/1s\n", "")))
		if err != nil {
			t.Fatal(err)
		}
		lists = lists.Select(WithID("slow")).With(Own("a.test", "b.test"))
		zone := resolvetest.New(t, "2.0.0.127.a.test. A 127.0.0.2\n2.0.0.127.b.test. A 127.0.0.2\n25.100.51.198.slow.test. 60 A 127.0.0.2\n")
		s := &switchable{r: zone}
		c := &Checker{Now: now.Now, Catalogue: lists, Resolver: s}
		ticks := make(chan time.Time)
		var got []string
		go func() {
			for change := range c.Watch(t.Context(), ticks, target) {
				got = append(got, describe(change))
			}
		}()
		for n := range 6 {
			if n > 0 {
				s.set(filter(zone))
				now.add(time.Hour)
				ticks <- now.Now()
			}
			synctest.Wait()
		}
		close(ticks)
		if text := strings.Join(got, ", "); !strings.HasPrefix(text, "listed 198.51.100.25 slow.test") || strings.Contains(text, "delisted") {
			t.Errorf("%q, want no delisting", text)
		}
	})
}

func describe(change Change) string {
	res := change.Result
	switch change.Kind {
	case WentIll, GotWell:
		return fmt.Sprintf("%s %s", change.Kind, res.List.Zone)
	case Delisted:
		return fmt.Sprintf("%s %s %s", change.Kind, res.Target, res.List.Zone)
	}
	return fmt.Sprintf("%s %s %s %s", change.Kind, res.Target, res.List.Zone, addrs(&res))
}

func TestWatchEnds(t *testing.T) {
	c := &Checker{Catalogue: Own("a.test"), Resolver: resolvetest.New(t, "2.0.0.127.a.test. A 127.0.0.2\n*.a.test. A 127.0.0.3\n1.0.0.127.a.test. TXT absent\n")}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for range c.Watch(ctx, nil, target) {
		n++
		cancel()
	}
	if n != 1 {
		t.Errorf("%d changes, want the listing", n)
	}
	// A round that the context cut short says nothing: no list went ill.
	for change := range c.Watch(ctx, nil, target) {
		t.Errorf("%s after the context ended", describe(change))
	}
	for range c.Watch(t.Context(), nil, target) {
		break // and nothing is left behind
	}
}
