package dnsbl

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

var target = IP(netip.MustParseAddr("198.51.100.25"))

// A clock stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A resolverFunc is a resolver.
type resolverFunc func(ctx context.Context, name string, t resolve.Type) resolve.Answer

func (f resolverFunc) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	return f(ctx, name, t)
}

// addressed is the answer that a name has an address.
func addressed(name, addr string) resolve.Answer {
	return resolve.Answer{
		Name: name, Type: resolve.A, Status: resolve.OK, TTL: time.Minute,
		Records: []resolve.Record{{Name: name, Type: resolve.A, Addr: netip.MustParseAddr(addr)}},
	}
}

func only(t *testing.T, c *Checker, targets ...Target) Result {
	t.Helper()
	results := slices.Collect(c.Check(t.Context(), targets...))
	if len(results) != 1 {
		t.Fatalf("%d results, want one", len(results))
	}
	return results[0]
}

func TestTestEntriesAreRemembered(t *testing.T) {
	now := newClock()
	zone := resolvetest.New(t, sick)
	c := &Checker{Resolver: zone, Catalogue: Own("hit.test", "well.test"), Now: now.Now}
	tests := func() string {
		zone.Forget()
		for range c.Check(t.Context(), target) {
		}
		var asked []string
		for _, q := range zone.Asked() {
			if strings.HasPrefix(q, "1.0.0.127") || strings.HasPrefix(q, "2.0.0.127") {
				asked = append(asked, q[:len("1.0.0.127.hit")])
			}
		}
		return strings.Join(asked, " ")
	}
	const positive, negative = "2.0.0.127.hit 2.0.0.127.wel", "1.0.0.127.hit"
	for _, step := range []struct {
		after time.Duration
		want  string
	}{
		{0, negative + " " + positive},
		{time.Hour, ""},
		{3*time.Hour + time.Minute, negative},
		{20 * time.Hour, negative + " " + positive},
	} {
		now.add(step.after)
		if got := tests(); got != step.want {
			t.Errorf("%v later: test entries asked %q, want %q", step.after, got, step.want)
		}
	}
}

func TestDeadListsAreToldApart(t *testing.T) {
	zone := resolvetest.New(t, sick+`
other.emptied.test. TXT "the zone is there"
`)
	want := map[string]HealthState{
		"well.test": Proven, "world.test": ListsWorld, "parked.test": Parked, "emptied.test": Emptied, "closed-zone.test": Closed,
		"closed.test": Refuses, "refuses.test": ListsWorld, "mute.test": Silent, "ill.test": Failing, "shut.test": Failing, "hit.test": Unseen,
	}
	var zones []string
	for z := range want {
		zones = append(zones, z)
	}
	for _, res := range checked(t, zone, Own(zones...), target) {
		if got := res.Health.State; got != want[res.List.Zone] {
			t.Errorf("%s: seen %q (%s, %s), want %q", res.List.Zone, got, res.Status, res.Why, want[res.List.Zone])
		}
	}
}

// mute answers only where loud says so; a question left without an answer was sent
// three times.
func mute(asked *[]string, mu *sync.Mutex, loud func(name string) bool) resolve.Resolver {
	return resolverFunc(func(_ context.Context, name string, t resolve.Type) resolve.Answer {
		mu.Lock()
		defer mu.Unlock()
		*asked = append(*asked, name)
		if loud(name) {
			if strings.HasPrefix(name, "2.0.0.127.") {
				return addressed(name, "127.0.0.2")
			}
			return resolve.Answer{Name: name, Type: t, Status: resolve.NXDomain, TTL: time.Minute}
		}
		return resolve.Answer{Name: name, Type: t, Status: resolve.Timeout, Tries: 3}
	})
}

func TestBreaker(t *testing.T) {
	var (
		asked []string
		mu    sync.Mutex
		well  bool
	)
	now := newClock()
	c := &Checker{Now: now.Now, Catalogue: Own("mute.test", "loud.test"), Resolver: mute(&asked, &mu, func(name string) bool {
		return strings.HasSuffix(name, "loud.test") || well
	})}
	ask := func() (Result, int) {
		t.Helper()
		asked = nil
		results := inOrder(slices.Collect(c.Check(t.Context(), target)))
		n := 0
		for _, name := range asked {
			if name == "25.100.51.198.mute.test" {
				n++
			}
		}
		return results[0], n
	}
	if res, n := ask(); res.Status != Unknown || n != 1 || res.Health.State != Silent || !res.Health.Until.Equal(now.Now().Add(time.Minute)) {
		t.Fatalf("first: %s, asked %d times, %+v; want silent for a minute", res.Status, n, res.Health)
	}
	if res, n := ask(); res.Status != Unknown || n != 0 || !strings.Contains(res.Why, "12:01:00 UTC") {
		t.Errorf("second: %s (%s), asked %d times; want Unknown at once", res.Status, res.Why, n)
	}
	// The pauses double, up to an hour; after each, one question tries.
	for _, pause := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
		now.add(c.own.zones["mute.test"].until.Sub(now.Now()))
		if res, n := ask(); n != 1 || res.Health.Until.Sub(now.Now()) != pause*time.Minute {
			t.Errorf("asked %d times, then a pause of %v, want %v", n, res.Health.Until.Sub(now.Now()), pause*time.Minute)
		}
	}
	well = true
	now.add(time.Hour)
	if res, n := ask(); n != 1 || res.Status != NotListed {
		t.Errorf("well again: %s (%s)", res.Status, res.Why)
	}
	well = false
	if res, n := ask(); n != 1 || res.Health.Until.Sub(now.Now()) != time.Minute {
		t.Errorf("ill again: asked %d times, %+v; want the first pause", n, res.Health)
	}
}

// A silence of all lists is the resolver's: the lists are asked again as soon as any
// answers.
func TestBreakerAfterTheResolversSilence(t *testing.T) {
	var (
		asked []string
		mu    sync.Mutex
		up    bool
	)
	now := newClock()
	c := &Checker{Now: now.Now, Catalogue: Own("a.test"), Resolver: mute(&asked, &mu, func(string) bool { return up })}
	if res := only(t, c, target); res.Status != Unknown || res.Health.State != Silent {
		t.Fatalf("%s %+v", res.Status, res.Health)
	}
	up = true
	now.add(time.Second)
	c.Catalogue = Own("b.test")
	if res := only(t, c, target); res.Status != NotListed {
		t.Fatalf("another list: %s (%s)", res.Status, res.Why)
	}
	c.Catalogue = Own("a.test")
	if res := only(t, c, target); res.Status != NotListed {
		t.Errorf("%s (%s), want an answer: the resolver was silent, not the list", res.Status, res.Why)
	}
}

// A question that is lost while the list answers others is no silence.
func TestLossIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Checker{Catalogue: Own("a.test"), Resolver: resolverFunc(func(_ context.Context, name string, typ resolve.Type) resolve.Answer {
			if name == "25.100.51.198.a.test" {
				time.Sleep(1400 * time.Millisecond)
				return resolve.Answer{Name: name, Type: typ, Status: resolve.Timeout, Tries: 3}
			}
			time.Sleep(20 * time.Millisecond)
			if strings.HasPrefix(name, "2.0.0.127.") {
				return addressed(name, "127.0.0.2")
			}
			return resolve.Answer{Name: name, Type: typ, Status: resolve.NXDomain, TTL: time.Minute}
		})}
		for range c.Check(t.Context(), target, IP(netip.MustParseAddr("198.51.100.26"))) {
		}
		if res := only(t, c, IP(netip.MustParseAddr("198.51.100.27"))); res.Status != NotListed {
			t.Errorf("%s (%s), want an answer", res.Status, res.Why)
		}
	})
}

// Beside a list that answers, one question tries a silent list, and only one.
func TestOneTrialAtATime(t *testing.T) {
	var (
		asked []string
		mu    sync.Mutex
	)
	now := newClock()
	c := &Checker{Now: now.Now, Catalogue: Own("mute.test"), Concurrency: 1, Resolver: mute(&asked, &mu, func(string) bool { return false })}
	only(t, c, target)
	now.add(time.Minute)
	asked = nil
	for res := range c.CheckAll(t.Context(), Prefix(netip.MustParsePrefix("198.51.100.0/28"))) {
		if res.Status != Unknown {
			t.Errorf("%s: %s", res.Target, res.Status)
		}
	}
	if n := len(slices.DeleteFunc(asked, func(name string) bool { return strings.HasPrefix(name, "2.0.0.127") })); n != 1 {
		t.Errorf("%d questions after the pause, want one", n)
	}
}

func TestResolverThatRewrites(t *testing.T) {
	zone := resolvetest.New(t, "2.0.0.127.a.test. A 127.0.0.2\n2.0.0.127.b.test. A 127.0.0.2\n*.a.test. A 203.0.113.80\n*.b.test. A 203.0.113.80\n")
	r := resolverFunc(func(ctx context.Context, name string, t resolve.Type) resolve.Answer {
		a := zone.Resolve(ctx, name, t)
		a.Server = "192.0.2.53:53"
		return a
	})
	report := (&Checker{Resolver: r, Catalogue: Own("a.test", "b.test")}).Report(t.Context(), target)
	for _, res := range report.Results {
		if res.Status != Unknown || res.Health.State != Rewritten {
			t.Errorf("%s: %s, %s (%s), want unknown, rewritten", res.List.Zone, res.Status, res.Health.State, res.Why)
		}
	}
	var told []string
	for _, f := range report.Findings() {
		if f.Code == "resolver.invents-answers" {
			told = append(told, f.Fact)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], "192.0.2.53:53") || !strings.Contains(told[0], "203.0.113.80") {
		t.Errorf("findings about the resolver: %q, want one that names it and the address", told)
	}
}

// A resolver may invent several addresses, or one within 127/8: where three operators'
// lists look sold or list everything, and no name is said not to exist, it is to blame.
func TestResolverThatInventsAnything(t *testing.T) {
	for name, text := range map[string]string{
		"several":  "*.a.test. A 203.0.113.80\n*.b.test. A 203.0.113.81\n*.c.test. A 203.0.113.82\n",
		"sinkhole": "*.a.test. A 127.0.0.1\n*.b.test. A 127.0.0.1\n*.c.test. A 127.0.0.1\n",
	} {
		for _, res := range checked(t, resolvetest.New(t, text), Own("a.test", "b.test", "c.test"), target) {
			if res.Status != Unknown || res.Health.State != Rewritten {
				t.Errorf("%s: %s: %s, %s (%s), want unknown, rewritten", name, res.List.Zone, res.Status, res.Health.State, res.Why)
			}
		}
		for _, res := range checked(t, resolvetest.New(t, text+"2.0.0.127.d.test. A 127.0.0.2\n"), Own("a.test", "b.test", "c.test", "d.test"), target) {
			if want := map[string]Status{"d.test": NotListed}[res.List.Zone]; want == 0 && res.Status != Dead || want != 0 && res.Status != want {
				t.Errorf("%s, beside a list that is well: %s: %s (%s)", name, res.List.Zone, res.Status, res.Why)
			}
		}
	}
}

// A resolver that guards against rebinding takes 127.0.0.x out of every answer: no
// list was emptied, and nothing is known.
func TestResolverThatFilters(t *testing.T) {
	r := resolverFunc(func(_ context.Context, name string, t resolve.Type) resolve.Answer {
		return resolve.Answer{Name: name, Type: t, Status: resolve.NoData, TTL: time.Minute, Server: "192.0.2.53:53"}
	})
	report := (&Checker{Resolver: r, Catalogue: Default().Select(WithID("spamhaus-zen", "spamcop", "psbl"))}).Report(t.Context(), target)
	for _, res := range report.Results {
		if res.Status != Unknown || res.Health.State != Filtered {
			t.Errorf("%s: %s (%s), want unknown because of the resolver", res.List.ID, res.Status, res.Why)
		}
	}
	if f := report.Findings(); len(f) != 1 || f[0].Code != "resolver.withholds-answers" || !strings.Contains(f[0].Fact, "192.0.2.53:53") {
		t.Errorf("findings %+v, want one about the resolver", f)
	}
	if got := report.Tally().String(); got != "listed on 0, clean on 0, 3 gave no answer (2 of high weight)" {
		t.Errorf("tally %q", got)
	}
}

// Through a public resolver Spamhaus may say NXDOMAIN to everything, its test entry
// too; that is a refusal and no emptied list. Barracuda's silence is one of its own.
func TestSilentRefusals(t *testing.T) {
	const proven = "2.0.0.127.psbl.surriel.com. A 127.0.0.2\n"
	for _, tt := range []struct {
		list, server, zone string
		want               Status
	}{
		{"spamhaus-zen", "8.8.8.8:53", "", Refused},
		{"spamhaus-zen", "192.0.2.53:53", "", Dead},
		{"spamhaus-zen", "[2606:4700:4700::1111]:53", "", Refused},
		{"barracuda", "192.0.2.53:53", "", Refused},
		{"barracuda", "192.0.2.53:53", "2.0.0.127.b.barracudacentral.org. A 127.0.0.2\n", NotListed},
		{"spamcop", "8.8.8.8:53", "", Dead},
	} {
		zone := resolvetest.New(t, proven+tt.zone)
		c := &Checker{Catalogue: Default().Select(WithID(tt.list, "psbl")), Resolver: resolverFunc(func(ctx context.Context, name string, t resolve.Type) resolve.Answer {
			a := zone.Resolve(ctx, name, t)
			a.Server = tt.server
			return a
		})}
		for res := range c.Check(t.Context(), target) {
			if res.List.ID == tt.list && res.Status != tt.want {
				t.Errorf("%s through %s: %s (%s), want %s", tt.list, tt.server, res.Status, res.Why, tt.want)
			}
		}
	}
}

// A list of the caller's that has the IPv4 test entry alone may not list other things
// at all.
func TestOwnListWithoutTheKindsTestEntry(t *testing.T) {
	zone := resolvetest.New(t, "2.0.0.127.v4.test. A 127.0.0.2\ntest.all.test. A 127.0.0.2\n2.0.0.127.all.test. A 127.0.0.2\n")
	domain, _ := Domain("shop.example")
	results := checked(t, zone, Own("v4.test", "all.test"), domain)
	if results[0].Status != Unknown || !strings.Contains(results[0].Why, "a test entry for ipv4 and none for domain") {
		t.Errorf("a list of addresses asked about a domain: %s (%s), want unknown", results[0].Status, results[0].Why)
	}
	if results[1].Status != NotListed {
		t.Errorf("a list of both: %s (%s), want not listed", results[1].Status, results[1].Why)
	}
}

const limited = `
id: slow
zone: slow.test
name: Slow
operator: Slow Lists
kinds: ipv4
action: block
status: alive
weight: low
rate: 4/1s
source: a test

id: slow-too
zone: slow-too.test
name: Slow too
operator: Slow Lists
kinds: ipv4
action: block
status: alive
weight: low
rate: 4/1s
source: a test
`

func TestOperatorsLimits(t *testing.T) {
	lists, err := Parse(strings.NewReader(limited))
	if err != nil {
		t.Fatal(err)
	}
	now := newClock()
	zone := resolvetest.New(t, "other.test. A 192.0.2.1\n")
	c := &Checker{Resolver: zone, Catalogue: lists, Now: now.Now}
	count := func() (clean, limits int) {
		for res := range c.CheckAll(t.Context(), Prefix(netip.MustParsePrefix("198.51.100.0/29"))) {
			switch {
			case res.Status == NotListed:
				clean++
			case res.Status == Unknown && strings.Contains(res.Why, "4 questions in 1s"):
				limits++
			default:
				t.Errorf("%s: %s (%s)", res.Target, res.Status, res.Why)
			}
		}
		return clean, limits
	}
	// The lists of one operator share its limit.
	if clean, limits := count(); clean != 4 || limits != 12 {
		t.Errorf("%d answers and %d over the limit, want 4 and 12", clean, limits)
	}
	now.add(500 * time.Millisecond)
	if clean, limits := count(); clean != 2 || limits != 14 {
		t.Errorf("after half a second %d answers and %d over the limit, want 2 and 14", clean, limits)
	}
}

func TestPatienceWaitsForALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lists, err := Parse(strings.NewReader(limited))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c := &Checker{Resolver: resolvetest.New(t, "other.test. A 192.0.2.1\n"), Catalogue: lists, Patience: time.Minute}
		for res := range c.CheckAll(t.Context(), Prefix(netip.MustParsePrefix("198.51.100.0/29"))) {
			if res.Status != NotListed {
				t.Errorf("%s: %s (%s)", res.Target, res.Status, res.Why)
			}
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("16 questions at 4 a second, 4 of them at once, took %v; want 3 s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		unknown := 0
		for res := range c.CheckAll(ctx, Prefix(netip.MustParsePrefix("198.51.100.0/28"))) {
			if res.Status == Unknown && strings.Contains(res.Why, "4 questions in 1s") {
				unknown++
			}
		}
		if unknown == 0 {
			t.Error("a question is not refused whose wait would outlive its context")
		}
	})
}

// Questions about a network go from list to list.
func TestNetworksAreInterleaved(t *testing.T) {
	var asked []string
	c := &Checker{Concurrency: 1, Catalogue: Own("a.test", "b.test", "c.test"), Resolver: resolverFunc(func(_ context.Context, name string, t resolve.Type) resolve.Answer {
		if !strings.HasPrefix(name, "2.0.0.127") {
			asked = append(asked, name)
		}
		return resolve.Answer{Name: name, Type: t, Status: resolve.ServFail}
	})}
	for range c.CheckAll(t.Context(), Prefix(netip.MustParsePrefix("198.51.100.6/31"))) {
	}
	want := "[6.100.51.198.a.test 6.100.51.198.b.test 6.100.51.198.c.test 7.100.51.198.a.test 7.100.51.198.b.test 7.100.51.198.c.test]"
	if got := fmt.Sprint(asked); got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}

// A caller who stops leaves no goroutine behind, and takes no target more.
func TestStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := 0
		endless := func(yield func(Target) bool) {
			for {
				if taken++; !yield(target) {
					return
				}
			}
		}
		c := &Checker{Catalogue: Own("a.test", "b.test"), Concurrency: 4, Resolver: resolverFunc(func(ctx context.Context, name string, t resolve.Type) resolve.Answer {
			select {
			case <-ctx.Done():
				return resolve.Answer{Name: name, Type: t, Status: resolve.Canceled}
			case <-time.After(time.Second):
				return resolve.Answer{Name: name, Type: t, Status: resolve.ServFail}
			}
		})}
		n := 0
		for range c.CheckAll(t.Context(), endless) {
			if n++; n == 10 {
				break
			}
		}
		if n != 10 || taken > 40 {
			t.Errorf("%d results and %d targets taken after 10 were wanted", n, taken)
		}
	})
}

// Targets are taken as they are needed: what is taken and not yet told is bounded by
// the questions in flight and the results that wait for the caller.
func TestTargetsAreTakenAsNeeded(t *testing.T) {
	const n = 5000
	var taken, most atomic.Int64
	told := int64(0)
	targets := func(yield func(Target) bool) {
		for range n {
			if taken.Add(1); !yield(target) {
				return
			}
		}
	}
	c := &Checker{Catalogue: Own("a.test", "b.test"), Concurrency: 8, Resolver: resolverFunc(func(_ context.Context, name string, t resolve.Type) resolve.Answer {
		return resolve.Answer{Name: name, Type: t, Status: resolve.ServFail}
	})}
	for range c.CheckAll(t.Context(), targets) {
		told++
		most.Store(max(most.Load(), taken.Load()-told/2))
	}
	if told != 2*n || most.Load() > 8+64 {
		t.Errorf("%d results of %d, up to %d targets taken and not told", told, 2*n, most.Load())
	}
}

// An address that sends mail is asked of lists of addresses, and not of those of link
// hosts.
func TestListsAskedByDefault(t *testing.T) {
	lists := new(Checker).Lists(target)
	if len(lists) < 8 {
		t.Errorf("%d lists are asked by default about an address", len(lists))
	}
	for _, l := range lists {
		if l.Kinds&IPv4 == 0 || l.For != 0 || l.Weight < Medium || !l.Usable() {
			t.Errorf("%s is asked about an address that sends mail", l.ID)
		}
	}
}

func TestRoles(t *testing.T) {
	ids := func(target Target) []string {
		var list []string
		for _, l := range (&Checker{}).Lists(target) {
			list = append(list, l.ID)
		}
		return list
	}
	domain, _ := Domain("shop.example")
	for _, tt := range []struct {
		target Target
		list   string
		want   bool
	}{
		{domain, "uribl-multi", true},
		{domain.As(Link), "uribl-multi", true},
		{domain.As(Link), "spamhaus-dbl", true},
		{domain.As(HELO), "uribl-multi", false},
		{domain.As(HELO | Link), "uribl-multi", true},
		{domain.As(HELO), "spamhaus-dbl", true},
		{target, "surbl-multi", false}, // lists hosts of links, no servers
		{target.As(Link), "surbl-multi", true},
		{target, "spamhaus-zen", true},
	} {
		if got := slices.Contains(ids(tt.target), tt.list); got != tt.want {
			t.Errorf("%s as %q is asked of %s: %v, want %v", tt.target, tt.target.Role(), tt.list, got, tt.want)
		}
	}
}

// That a list is ill is believed for minutes, that it is well for a day.
func TestIllnessIsSoonForgotten(t *testing.T) {
	now := newClock()
	entry := ""
	c := &Checker{Now: now.Now, Catalogue: Own("a.test"), Resolver: resolverFunc(func(ctx context.Context, name string, typ resolve.Type) resolve.Answer {
		return resolvetest.New(t, "2.0.0.127.other.test. A 127.0.0.2\n"+entry).Resolve(ctx, name, typ)
	})}
	for _, step := range []struct {
		after time.Duration
		entry string
		want  Status
	}{
		{0, "", Dead},
		{time.Minute, "2.0.0.127.a.test. A 127.0.0.2\n", Dead},
		{10 * time.Minute, "2.0.0.127.a.test. A 127.0.0.2\n", NotListed},
		{23 * time.Hour, "", NotListed},
		{2 * time.Hour, "2.0.0.127.a.test. A 127.0.0.2\n2.0.0.127.a.test. A 203.0.113.4\n", Unknown},
		{time.Hour, "2.0.0.127.a.test. A 127.255.255.254\n", Refused},
		{time.Hour, "2.0.0.127.a.test. A 127.0.0.2\n", NotListed},
	} {
		now.add(step.after)
		entry = step.entry
		if res := only(t, c, target); res.Status != step.want || (res.Health.State == Proven) != (step.want == NotListed) {
			t.Errorf("%v later, with %q: %s, %s (%s); want %s", step.after, step.entry, res.Status, res.Health.State, res.Why, step.want)
		}
	}
}

// A list without a test entry seems clean behind a resolver that withholds answers; it
// is told with the others.
func TestUnprovenBehindAFilter(t *testing.T) {
	lists, err := Parse(strings.NewReader(strings.ReplaceAll(limited, "rate: 4/1s\n", "")))
	if err != nil {
		t.Fatal(err)
	}
	lists.lists = append(lists.lists, Own("a.test", "b.test").lists...)
	status := resolve.NoData
	c := &Checker{Catalogue: lists, Resolver: resolverFunc(func(_ context.Context, name string, t resolve.Type) resolve.Answer {
		if status == resolve.NXDomain && name == "2.0.0.127.a.test" {
			return addressed(name, "127.0.0.2")
		}
		return resolve.Answer{Name: name, Type: t, Status: status, TTL: time.Minute}
	})}
	for res := range c.Check(t.Context(), target) {
		if res.Status != Unknown || res.Health.State != Filtered {
			t.Errorf("%s: %s (%s), want unknown because of the resolver", res.List.ID, res.Status, res.Why)
		}
	}
	c.Memory, status = new(Memory), resolve.NXDomain
	for res := range c.Check(t.Context(), target) {
		if want := map[string]Status{"b.test": Dead}[res.List.ID]; want == 0 && res.Status != NotListed || want != 0 && res.Status != want {
			t.Errorf("%s: %s (%s)", res.List.ID, res.Status, res.Why)
		}
	}
}

// Two lists may be parked with one company: a resolver that says of other names that
// they do not exist invents nothing.
func TestTwoListsParkedTogether(t *testing.T) {
	zone := resolvetest.New(t, "*.a.test. A 203.0.113.80\n*.b.test. A 203.0.113.80\n2.0.0.127.c.test. A 127.0.0.2\n")
	for _, res := range checked(t, zone, Own("a.test", "b.test", "c.test"), target) {
		if want := map[string]Status{"c.test": NotListed}[res.List.ID]; want == 0 && (res.Status != Dead || res.Health.State != Parked) || want != 0 && res.Status != want {
			t.Errorf("%s: %s, %s (%s)", res.List.ID, res.Status, res.Health.State, res.Why)
		}
	}
}

// Zones of the caller's that do not exist are mistyped, or gone; nobody withholds them.
func TestTwoMistypedZones(t *testing.T) {
	for _, res := range checked(t, resolvetest.New(t, "other.test. A 192.0.2.1\n"), Own("bl.one.test", "bl.two.test"), target) {
		if res.Status != Dead || res.Health.State != Closed {
			t.Errorf("%s: %s, %s (%s), want a zone that is gone", res.List.Zone, res.Status, res.Health.State, res.Why)
		}
	}
}

// What refuses us, or answers outside 127/8, confirms no listing.
func TestWhatConfirmsAListing(t *testing.T) {
	lists, err := Parse(strings.NewReader(strings.ReplaceAll(limited, "rate: 4/1s\n", "code: 127.0.0.2 [spam] listed\n")))
	if err != nil {
		t.Fatal(err)
	}
	lists = lists.Select(WithID("slow"))
	for _, tt := range []struct {
		answer, negative string
		want             Status
		confirmed        bool
	}{
		{"127.0.0.2", "", Listed, true},
		{"127.0.0.2", "A 127.0.0.9", Listed, false}, // an entry of its own
		{"127.0.0.2", "A 127.0.0.2", Dead, false},
		{"127.0.0.2", "A 127.255.255.254", Listed, false},
		{"127.0.0.77", "A 127.255.255.254", Unknown, false},
		{"127.0.0.77", "A 203.0.113.9", Unknown, false},
		{"127.0.0.77", "", Listed, true},
	} {
		text := "25.100.51.198.slow.test. A " + tt.answer + "\n"
		if tt.negative != "" {
			text += "1.0.0.127.slow.test. " + tt.negative + "\n"
		}
		res := only(t, &Checker{Resolver: resolvetest.New(t, text), Catalogue: lists}, target)
		if res.Status != tt.want || res.Confirmed != tt.confirmed {
			t.Errorf("%s beside a negative entry %q: %s, confirmed %v (%s); want %s, %v", tt.answer, tt.negative, res.Status, res.Confirmed, res.Why, tt.want, tt.confirmed)
		}
	}
}

// When the context has ended nothing is spent and nothing is taken.
func TestEndedContext(t *testing.T) {
	lists, err := Parse(strings.NewReader(limited))
	if err != nil {
		t.Fatal(err)
	}
	now := newClock()
	zone := resolvetest.New(t, "other.test. A 192.0.2.1\n")
	c := &Checker{Resolver: zone, Catalogue: lists.Select(WithID("slow")), Now: now.Now}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		if res := slices.Collect(c.Check(ended, target)); len(res) != 1 || res[0].Status != Unknown || res[0].Why != "there was no time left" {
			t.Fatalf("%+v, want an unknown result", res)
		}
	}
	for res := range c.CheckAll(ended, func(yield func(Target) bool) {
		for yield(target) {
		}
	}) {
		t.Fatalf("a target was taken: %+v", res)
	}
	if res := only(t, c, target); res.Status != NotListed || len(zone.Asked()) != 1 {
		t.Errorf("%s (%s) after %v, want an answer to the first question sent", res.Status, res.Why, zone.Asked())
	}
}

// A question that ends while it waits for the operator's limit leaves the list to be
// asked again.
func TestTrialThatNeverTookPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lists, err := Parse(strings.NewReader(strings.ReplaceAll(limited, "4/1s", "1/2m")))
		if err != nil {
			t.Fatal(err)
		}
		silent := true
		c := &Checker{Catalogue: lists.Select(WithID("slow")), Patience: time.Hour, Resolver: resolverFunc(func(_ context.Context, name string, typ resolve.Type) resolve.Answer {
			if silent {
				return resolve.Answer{Name: name, Type: typ, Status: resolve.Timeout, Tries: 3}
			}
			return resolve.Answer{Name: name, Type: typ, Status: resolve.NXDomain, TTL: time.Minute}
		})}
		if res := only(t, c, target); res.Health.State != Silent {
			t.Fatalf("%s (%s)", res.Health.State, res.Why)
		}
		time.Sleep(61 * time.Second) // the pause is over, the limit is not
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		for res := range c.Check(ctx, target) {
			if res.Why != "there was no time left" {
				t.Fatalf("%s (%s)", res.Status, res.Why)
			}
		}
		silent = false
		time.Sleep(time.Hour)
		if res := only(t, c, target); res.Status != NotListed {
			t.Errorf("%s (%s), want an answer", res.Status, res.Why)
		}
	})
}

// A caller's panic ends the check as stopping does.
func TestPanicInTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Checker{Catalogue: Own("a.test", "b.test"), Resolver: resolverFunc(func(ctx context.Context, name string, t resolve.Type) resolve.Answer {
			return resolve.Answer{Name: name, Type: t, Status: resolve.ServFail}
		})}
		defer func() {
			if recover() != "mine" {
				t.Error("the panic is lost")
			}
		}()
		for range c.CheckAll(t.Context(), Prefix(netip.MustParsePrefix("198.51.100.0/24"))) {
			panic("mine")
		}
	})
}

// Checkers may share what they remember.
func TestSharedMemory(t *testing.T) {
	zone := resolvetest.New(t, sick)
	memory := new(Memory)
	for i, want := range []int{2, 1} {
		zone.Forget()
		only(t, &Checker{Resolver: zone, Catalogue: Own("well.test"), Memory: memory}, target)
		if got := len(zone.Asked()); got != want {
			t.Errorf("checker %d asks %d questions, want %d", i+1, got, want)
		}
	}
}

// Those who give up take nothing from one who waits.
func TestPatienceAmongQuitters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Checker{Catalogue: Own("a.test"), Resolver: resolverFunc(func(ctx context.Context, name string, typ resolve.Type) resolve.Answer {
			wait := 5 * time.Millisecond
			if strings.HasPrefix(name, "2.0.0.127.") {
				wait = 20 * time.Millisecond
			}
			select {
			case <-ctx.Done():
				return resolve.Answer{Name: name, Type: typ, Status: resolve.Canceled}
			case <-time.After(wait):
			}
			if wait > 5*time.Millisecond {
				return addressed(name, "127.0.0.2")
			}
			return resolve.Answer{Name: name, Type: typ, Status: resolve.NXDomain, TTL: time.Minute}
		})}
		for i := range 4 {
			go func() {
				time.Sleep(time.Duration(i) * 7 * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				for range c.Check(ctx, target) {
				}
			}()
		}
		time.Sleep(time.Millisecond)
		if res := only(t, c, target); res.Status != NotListed {
			t.Errorf("%s (%s), want not listed", res.Status, res.Why)
		}
	})
}

// After an outage the lists are believed again within seconds, and while it lasts it
// is told once.
func TestOutage(t *testing.T) {
	now := newClock()
	down := true
	zone := resolvetest.New(t, "2.0.0.127.a.test. A 127.0.0.2\n2.0.0.127.b.test. A 127.0.0.2\n2.0.0.127.c.test. A 127.0.0.2\n")
	c := &Checker{Now: now.Now, Catalogue: Own("a.test", "b.test", "c.test"), Resolver: resolverFunc(func(ctx context.Context, name string, typ resolve.Type) resolve.Answer {
		if down {
			return resolve.Answer{Name: name, Type: typ, Status: resolve.ServFail, Server: "192.0.2.53:53"}
		}
		return zone.Resolve(ctx, name, typ)
	})}
	report := c.Report(t.Context(), target)
	if f := report.Findings(); len(f) != 1 || f[0].Code != "resolver.no-answers" || !strings.Contains(f[0].Fact, "192.0.2.53:53 answers for none of the lists, of 3 operators: the resolver answered SERVFAIL") {
		t.Errorf("findings %+v, want one about the resolver", f)
	}
	down = false
	now.add(5 * time.Second)
	if got := c.Report(t.Context(), target).Tally(); got.Clean != 3 {
		t.Errorf("5 seconds later %s, want clean on 3", got)
	}
}

// A switchable is a resolver that a test changes between rounds.
type switchable struct {
	mu sync.Mutex
	r  resolve.Resolver
}

func (s *switchable) set(r resolve.Resolver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = r
}

func (s *switchable) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	s.mu.Lock()
	r := s.r
	s.mu.Unlock()
	return r.Resolve(ctx, name, t)
}

// filter withholds answers within 127/8.
func filter(r resolve.Resolver) resolve.Resolver {
	return resolverFunc(func(ctx context.Context, name string, t resolve.Type) resolve.Answer {
		a := r.Resolve(ctx, name, t)
		if a.Status == resolve.OK && t == resolve.A {
			return resolve.Answer{Name: a.Name, Type: t, Status: resolve.NoData, TTL: time.Minute}
		}
		return a
	})
}

func verdicts(t *testing.T, c *Checker, targets ...Target) string {
	t.Helper()
	var list []string
	for _, res := range inOrder(slices.Collect(c.Check(t.Context(), targets...))) {
		list = append(list, strings.TrimSpace(res.List.ID[:1]+" "+res.Status.String()+" "+string(res.Health.State)))
	}
	return strings.Join(list, ", ")
}

// A list that an earlier round proved speaks for the resolver in a later one, too.
func TestEmptiedListsBesideAProvenOne(t *testing.T) {
	now := newClock()
	zone := resolvetest.New(t, "2.0.0.127.w.test. A 127.0.0.2\nother.e.test. TXT left\nother.f.test. TXT left\n")
	c := &Checker{Resolver: zone, Now: now.Now, Catalogue: Own("w.test ipv4", "e.test ipv4", "f.test ipv4")}
	for range 4 {
		if got, want := verdicts(t, c, target), "w not-listed proven, e dead emptied, f dead emptied"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		now.add(5 * time.Hour)
	}
	now.add(-4 * time.Hour)
	zone.Forget()
	verdicts(t, c, target)
	if got := len(zone.Asked()); got < 4 {
		t.Errorf("only %d questions: was the witness asked?", got)
	}
}

// What was the resolver's doing is not remembered as the lists' illness.
func TestMendedResolver(t *testing.T) {
	now := newClock()
	zone := resolvetest.New(t, "2.0.0.127.a.test. A 127.0.0.2\n2.0.0.127.b.test. A 127.0.0.2\n25.100.51.198.a.test. A 127.0.0.2\n")
	invents := resolverFunc(func(_ context.Context, name string, t resolve.Type) resolve.Answer {
		return addressed(name, "203.0.113.9")
	})
	for name, ill := range map[string]resolve.Resolver{"rewritten": invents, "filtered": filter(zone)} {
		s := &switchable{r: ill}
		c := &Checker{Resolver: s, Now: now.Now, Catalogue: Own("a.test", "b.test")}
		if got, want := verdicts(t, c, target), "a unknown "+name+", b unknown "+name; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		s.set(zone)
		now.add(time.Minute)
		if got := verdicts(t, c, target); !strings.HasPrefix(got, "a listed") || !strings.HasSuffix(got, "b not-listed proven") {
			t.Errorf("mended after %s: %s, want a listing and an absence", name, got)
		}
	}
}

// That a name does not exist speaks for the resolver in a probe, too.
func TestProbesSpeakForTheResolver(t *testing.T) {
	zone := resolvetest.New(t, "*.a.test. A 203.0.113.1\n*.b.test. A 203.0.113.2\n*.c.test. A 203.0.113.3\n25.100.51.198.w.test. A 127.0.0.2\n2.0.0.127.w.test. A 127.0.0.2\n")
	c := &Checker{Resolver: zone, Catalogue: Own("a.test", "b.test", "c.test", "w.test")}
	got := verdicts(t, c, target)
	if !strings.HasPrefix(got, "a dead parked, b dead parked, c dead parked, w listed") {
		t.Errorf("%s, want three parked lists", got)
	}
}

// Where it could not be asked what an own list lists, it is not said to be emptied.
func TestOwnListHalfAsked(t *testing.T) {
	zone := resolvetest.New(t, "test.d.test. A 127.0.0.2\n;! test.d.test A TIMEOUT\n2.0.0.127.w.test. A 127.0.0.2\n")
	c := &Checker{Resolver: zone, Catalogue: Own("d.test", "w.test")}
	if got, want := verdicts(t, c, target), "d unknown, w not-listed proven"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Who gives up waiting for a limit leaves its token to others.
func TestTokensAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lists, err := Parse(strings.NewReader(strings.ReplaceAll(limited, "4/1s", "1/1m")))
		if err != nil {
			t.Fatal(err)
		}
		c := &Checker{Resolver: resolvetest.New(t, "other.test. A 192.0.2.1\n"), Catalogue: lists.Select(WithID("slow")), Patience: time.Hour}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		for range c.Check(ctx, slices.Collect(Prefix(netip.MustParsePrefix("198.51.100.0/28")))...) {
		}
		c.Patience = 0
		time.Sleep(2 * time.Minute)
		if res := only(t, c, target); res.Status != NotListed {
			t.Errorf("%s (%s), want an answer", res.Status, res.Why)
		}
	})
}

// Patience covers the test entries of a list.
func TestPatienceOfTestEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lists, err := Parse(strings.NewReader(strings.ReplaceAll(limited, "4/1s", "1/300ms\npresent: 127.0.0.2")))
		if err != nil {
			t.Fatal(err)
		}
		c := &Checker{Resolver: resolvetest.New(t, "2.0.0.127.slow.test. A 127.0.0.2\n"), Catalogue: lists.Select(WithID("slow")), Patience: time.Hour}
		for res := range c.CheckAll(t.Context(), Prefix(netip.MustParsePrefix("198.51.100.0/29"))) {
			if res.Status != NotListed || res.Health.State != Proven {
				t.Errorf("%s: %s (%s)", res.Target, res.Status, res.Why)
			}
		}
	})
}
