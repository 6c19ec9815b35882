package warmup_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/warmup"
)

const ip = "192.0.2.1"

func controller(t testing.TB, target int) *warmup.Controller {
	t.Helper()
	c, err := warmup.New(warmup.Config{Goal: warmup.Goal{Target: target, Mix: warmup.Mix{"google": 0.6, "yahoo": 0.4, "none": 0}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func observe(t testing.TB, c *warmup.Controller, p warmup.Provider, k warmup.Kind, n int, at time.Time) {
	t.Helper()
	if n == 0 {
		return
	}
	if err := c.Observe(ip, warmup.Outcome{Provider: p, Kind: k, N: n}, at); err != nil {
		t.Fatal(err)
	}
}

func TestAllow(t *testing.T) {
	c := controller(t, 100_000)
	at := monday.Add(30 * time.Minute)
	g := c.Allow(ip, "google", 5, at)
	if g.OK != 5 || g.Overflow != 0 || !g.RetryAt.IsZero() || g.Reason.Code != "" {
		t.Errorf("5 of 13: %+v", g)
	}
	// 300 a day are 13 an hour; two callers cannot spend the same.
	g = c.Allow(ip, "google", 100, at)
	if g.OK != 8 || g.Overflow != 92 || g.RetryAt != monday.Add(time.Hour) || g.Reason.Code != warmup.HourSpent {
		t.Errorf("the rest of the hour: %+v", g)
	}
	if g := c.Allow(ip, "google", 1, at); g.OK != 0 || g.Overflow != 1 || !strings.Contains(g.Reason.String(), "(13)") {
		t.Errorf("nothing left: %+v, %s", g, g.Reason)
	}
	c.Release(ip, "google", 3, at)
	if g := c.Allow(ip, "google", 10, at); g.OK != 3 {
		t.Errorf("what was given back: %+v", g)
	}
	sent := 13
	for h := 1; h < 24; h++ {
		sent += c.Allow(ip, "google", 1000, monday.Add(time.Duration(h)*time.Hour)).OK
	}
	if sent != 300 {
		t.Errorf("%d in a day, want 300", sent)
	}
	g = c.Allow(ip, "google", 1, monday.Add(23*time.Hour+59*time.Minute))
	if g.OK != 0 || g.Reason.Code != warmup.DaySpent || g.RetryAt != monday.AddDate(0, 0, 1) {
		t.Errorf("the day is spent: %+v", g)
	}
	if g := c.Allow(ip, "none", 1, at); g.OK != 0 || g.Reason.Code != warmup.NoShare || !g.RetryAt.IsZero() {
		t.Errorf("a provider without a share: %+v", g)
	}
	if g := c.Allow(ip, "unknown", 1, at); g.OK != 0 || g.Reason.Code != warmup.NoShare {
		t.Errorf("a provider that the mix lacks, without Other: %+v", g)
	}
	if g := c.Allow("192.0.2.2", "google", 1000, at); g.OK != 13 {
		t.Errorf("another identity: %+v", g)
	}
	if g := c.Allow(ip, "google", -5, at); g.OK != 0 || g.Overflow != 0 {
		t.Errorf("less than nothing: %+v", g)
	}
	c.Allow(ip, "google", 1, monday.AddDate(0, 0, 2))
	if g := c.Allow(ip, "google", 1, at); g.OK != 0 || g.Reason.Code != warmup.ClockBack {
		t.Errorf("a clock that goes back: %+v", g)
	}
}

// A day of a line, and what is decided.
func TestDecisions(t *testing.T) {
	type counts struct{ delivered, deferred, blocked, bounced, complaints int }
	for _, tt := range []struct {
		name   string
		spent  bool
		got    counts
		action warmup.Action
		code   warmup.Code
		to     int // from 300
	}{
		{"all is well", true, counts{delivered: 300}, warmup.Advance, warmup.AllWell, 750},
		{"usual bounces", true, counts{delivered: 297, bounced: 3}, warmup.Advance, warmup.AllWell, 742},
		{"nothing came back", true, counts{}, warmup.Hold, warmup.TooFew, 300},
		{"too few to know", false, counts{delivered: 100}, warmup.Hold, warmup.TooFew, 300},
		{"one deferral of few proves nothing", true, counts{delivered: 296, deferred: 4}, warmup.Advance, warmup.AllWell, 740},
		{"some deferrals", true, counts{delivered: 280, deferred: 20}, warmup.Hold, warmup.DeferralRate, 300},
		{"many complaints", true, counts{delivered: 300, complaints: 4}, warmup.BackOff, warmup.ComplaintRate, 300},
		{"two complaints prove nothing", true, counts{delivered: 300, complaints: 2}, warmup.Advance, warmup.AllWell, 750},
		{"a bad list", true, counts{delivered: 260, bounced: 40}, warmup.BackOff, warmup.BounceRate, 300},
		{"some bounces", true, counts{delivered: 285, bounced: 15}, warmup.Hold, warmup.BounceRate, 300},
		{"blocked", true, counts{delivered: 100, blocked: 200}, warmup.Pause, warmup.BlockedNow, 300},
		{"lost on the way", true, counts{delivered: 200}, warmup.Hold, warmup.NotThrough, 300},
	} {
		c := controller(t, 100_000)
		noon := monday.Add(12 * time.Hour)
		if tt.spent {
			for h := range 24 {
				c.Allow(ip, "google", 100, monday.Add(time.Duration(h)*time.Hour))
			}
			noon = monday.Add(23*time.Hour + 30*time.Minute)
		}
		observe(t, c, "google", warmup.Delivered, tt.got.delivered, noon)
		observe(t, c, "google", warmup.HardBounce, tt.got.bounced, noon)
		observe(t, c, "google", warmup.Deferred, tt.got.deferred, noon)
		observe(t, c, "google", warmup.Blocked, tt.got.blocked, noon)
		observe(t, c, "google", warmup.Complaint, tt.got.complaints, noon)
		c.Allow(ip, "google", 0, noon)
		day := warmup.DateOf(monday)
		list := c.Close(day)
		if len(list) != 1 {
			t.Fatalf("%s: %d decisions", tt.name, len(list))
		}
		d := list[0]
		if d.Action != tt.action || d.Reason.Code != tt.code || d.From != 300 || d.To != tt.to {
			t.Errorf("%s: got %s %s, %d to %d; want %s %s, to %d", tt.name, d.Action, d.Reason.Code, d.From, d.To, tt.action, tt.code, tt.to)
		}
		if again := c.Close(day); !reflect.DeepEqual(again, list) {
			t.Errorf("%s: closed twice: %+v, then %+v", tt.name, list, again)
		}
		if s := d.String(); len(s) < 30 || strings.Contains(s, "NaN") || strings.Contains(s, "%!") {
			t.Errorf("%s: %s", tt.name, s)
		}
	}
}

func TestBreaker(t *testing.T) {
	c := controller(t, 100_000)
	at := monday.Add(8 * time.Hour)
	c.Allow(ip, "google", 13, at)
	observe(t, c, "google", warmup.Delivered, 6, at)
	observe(t, c, "google", warmup.Deferred, 7, at)
	g := c.Allow(ip, "google", 1, at.Add(time.Minute))
	if g.OK != 0 || g.Reason.Code != warmup.Breaker || g.RetryAt != at.Add(2*time.Hour) {
		t.Fatalf("after the first trip: %+v", g)
	}
	later := at.Add(2 * time.Hour)
	if g := c.Allow(ip, "google", 100, later); g.OK != 7 { // half of 12.5
		t.Errorf("half an hour's mail after it: %+v", g)
	}
	observe(t, c, "google", warmup.Deferred, 7, later)
	if g := c.Allow(ip, "google", 1, later); g.RetryAt != later.Add(4*time.Hour) {
		t.Errorf("after the second trip: %+v", g)
	}
	if d := c.Close(warmup.DateOf(monday))[0]; d.To > d.From || d.Action == warmup.Advance {
		t.Errorf("a day of deferrals: %+v", d)
	}
	if g := c.Allow(ip, "yahoo", 1, at); g.OK != 1 {
		t.Errorf("another provider: %+v", g)
	}
}

func TestPauses(t *testing.T) {
	c := controller(t, 100_000)
	c.Begin(ip, map[warmup.Provider]warmup.Evidence{"google": {Volume: 8000}}, monday)
	at := monday.Add(6 * time.Hour)
	observe(t, c, "google", warmup.Delivered, 2000, monday)
	observe(t, c, "google", warmup.Blocked, 50, at)
	g := c.Allow(ip, "google", 1, at)
	if g.OK != 0 || g.Reason.Code != warmup.BlockedNow || g.RetryAt != at.Add(24*time.Hour) {
		t.Fatalf("blocked: %+v", g)
	}
	observe(t, c, "google", warmup.Blocked, 50, at.Add(time.Hour)) // on its way when it began
	if g := c.Allow(ip, "google", 1, at.Add(time.Hour)); g.RetryAt != at.Add(24*time.Hour) {
		t.Errorf("a block twice: %+v", g)
	}
	d := c.Close(warmup.DateOf(monday))[0]
	if d.Provider != "google" || d.Action != warmup.Pause || d.To != 1960 { // a quarter of 8,000 less two per cent
		t.Errorf("decided: %+v", d)
	}
	// a second block pauses for two days
	again := at.Add(25 * time.Hour)
	observe(t, c, "google", warmup.Blocked, 50, again)
	if g := c.Allow(ip, "google", 1, again); g.RetryAt != again.Add(48*time.Hour) {
		t.Errorf("the second block: %+v", g)
	}
	if err := c.Observe(ip, warmup.Outcome{Provider: "yahoo", Kind: warmup.Listed}, again); err != nil {
		t.Fatal(err)
	}
	if g := c.Allow(ip, "yahoo", 1, again); g.OK != 0 || g.Reason.Code != warmup.OnList {
		t.Errorf("listed: %+v", g)
	}
}

func TestHints(t *testing.T) {
	c := controller(t, 100_000)
	err := c.Observe(ip, warmup.Outcome{Provider: "google", Kind: warmup.Deferred, Hint: warmup.Hint{Wait: 10 * time.Minute, Connections: 1}}, monday)
	if err != nil {
		t.Fatal(err)
	}
	if g := c.Allow(ip, "google", 1, monday.Add(9*time.Minute)); g.OK != 0 || g.Reason.Code != warmup.Asked || g.RetryAt != monday.Add(10*time.Minute) || g.Connections != 1 {
		t.Errorf("within the wait: %+v", g)
	}
	if g := c.Allow(ip, "google", 1, monday.Add(10*time.Minute)); g.OK != 1 || g.Connections != 1 {
		t.Errorf("after the wait: %+v", g)
	}
	for h := range 4 {
		at := monday.Add(time.Duration(h+4) * time.Hour)
		observe(t, c, "google", warmup.Delivered, 5, at)
	}
	if g := c.Allow(ip, "google", 1, monday.Add(9*time.Hour)); g.Connections < 3 || g.Connections > 5 {
		t.Errorf("connections are added one an hour: %+v", g)
	}
}

func TestInactivity(t *testing.T) {
	c := controller(t, 100_000)
	c.Begin(ip, map[warmup.Provider]warmup.Evidence{"google": {Volume: 20_000}}, monday)
	observe(t, c, "google", warmup.Delivered, 15_000, monday)
	c.Close(warmup.DateOf(monday))
	before := c.Status(monday.AddDate(0, 0, 1))[0].Allowance
	if s := c.Status(monday.AddDate(0, 0, 20))[0]; s.Allowance != before {
		t.Errorf("after 19 days: %+v, was %d", s, before)
	}
	s := c.Status(monday.AddDate(0, 0, 32))[0]
	if s.Allowance != 300 || !strings.Contains(s.Why, "re-warm") {
		t.Errorf("after a month: %+v", s)
	}
	weekend := controller(t, 100_000)
	observe(t, weekend, "google", warmup.Delivered, 300, monday)
	d := weekend.Close(warmup.DateOf(monday))[0]
	quiet := weekend.Close(warmup.DateOf(monday) + 1)[0]
	if quiet.Action != warmup.Hold || quiet.To != d.To || quiet.Reason.Code != warmup.NoMail {
		t.Errorf("a day off: %+v", quiet)
	}
}

func TestDone(t *testing.T) {
	c := controller(t, 1000)
	for day := range 12 {
		at := monday.AddDate(0, 0, day)
		for h := range 24 {
			n := c.Allow(ip, "google", 1000, at.Add(time.Duration(h)*time.Hour)).OK
			observe(t, c, "google", warmup.Delivered, n, at.Add(time.Duration(h)*time.Hour))
		}
	}
	if s := c.Status(monday.AddDate(0, 0, 12))[0]; !s.Done || s.Allowance != 600 || s.Share != 600 {
		t.Errorf("got %+v", s)
	}
}

func TestBadOutcomes(t *testing.T) {
	c := controller(t, 1000)
	c.Allow(ip, "google", 1, monday.AddDate(0, 0, 3))
	before := c.State()
	for _, tt := range []struct {
		o    warmup.Outcome
		at   time.Time
		want error
	}{
		{warmup.Outcome{Provider: "google", Kind: warmup.Delivered}, monday, warmup.ErrClosed},
		{warmup.Outcome{Provider: "google", N: 1}, monday.AddDate(0, 0, 3), warmup.ErrOutcome},
		{warmup.Outcome{Provider: "google", Kind: 99}, monday.AddDate(0, 0, 3), warmup.ErrOutcome},
		{warmup.Outcome{Provider: "google", Kind: warmup.Delivered, N: -1}, monday.AddDate(0, 0, 3), warmup.ErrOutcome},
		{warmup.Outcome{Provider: "google", Kind: warmup.Delivered, N: warmup.MaxTarget + 1}, monday.AddDate(0, 0, 3), warmup.ErrOutcome},
		{warmup.Outcome{Provider: "google", Kind: warmup.Deferred, Hint: warmup.Hint{Wait: -1}}, monday.AddDate(0, 0, 3), warmup.ErrOutcome},
	} {
		if err := c.Observe(ip, tt.o, tt.at); !errors.Is(err, tt.want) {
			t.Errorf("%+v: got %v, want %v", tt.o, err, tt.want)
		}
	}
	if after := c.State(); !reflect.DeepEqual(before, after) {
		t.Errorf("the state is %+v, was %+v", after, before)
	}
}

func TestRecord(t *testing.T) {
	c := controller(t, 100_000)
	day := warmup.DateOf(monday)
	record := func(now time.Time, list ...warmup.Stats) error { return c.Record(list, now) }
	google := func(d warmup.Date, delivered, deferred int) warmup.Stats {
		return warmup.Stats{Identity: ip, Provider: "google", Day: d, Delivered: delivered, Deferred: deferred}
	}
	if err := record(monday.Add(time.Hour), google(day, 100, 0)); err != nil {
		t.Fatal(err)
	}
	once := c.State()
	if err := record(monday.Add(time.Hour), google(day, 100, 0)); err != nil || !reflect.DeepEqual(c.State(), once) {
		t.Errorf("the same figures twice: %v\n%+v\n%+v", err, once, c.State())
	}
	for _, tt := range []struct {
		name string
		list []warmup.Stats
		want error
	}{
		{"fewer", []warmup.Stats{google(day, 200, 0), google(day, 99, 0)}, warmup.ErrFewer},
		{"ahead", []warmup.Stats{google(day, 200, 0), google(day+1, 5, 0)}, warmup.ErrOutcome},
		{"below zero", []warmup.Stats{google(day, 200, -1)}, warmup.ErrOutcome},
	} {
		if err := record(monday.Add(2*time.Hour), tt.list...); !errors.Is(err, tt.want) || !reflect.DeepEqual(c.State(), once) {
			t.Errorf("%s: got %v, want %v and the state as it was", tt.name, err, tt.want)
		}
	}
	// the rest of the day, and two days at once, in any order
	later := monday.AddDate(0, 0, 2)
	if err := record(later, google(day+1, 745, 3), google(day, 300, 0)); err != nil {
		t.Fatal(err)
	}
	if s := c.Status(later)[0]; s.Allowance != 1862 {
		t.Errorf("after two good days: %+v", s)
	}
	if err := record(later, google(day, 300, 1)); !errors.Is(err, warmup.ErrClosed) {
		t.Errorf("a closed day: %v", err)
	}
}

// A history of an identity with one provider, drawn at random.
type history struct {
	rng *rand.Rand
	c   *warmup.Controller
	day int
}

// pass lets a day pass in which the provider treats mail as drawn, and returns the
// decision.
func (h *history) pass(t testing.TB) (d warmup.Decision, delivered int, signals bool) {
	t.Helper()
	at := monday.AddDate(0, 0, h.day)
	h.day++
	deferring, blocking := 0.0, 0.0
	switch h.rng.IntN(6) {
	case 0:
		deferring = h.rng.Float64()
	case 1:
		blocking = h.rng.Float64() * 0.5
	case 2:
		deferring = 0.02
	}
	for hour := range 24 {
		when := at.Add(time.Duration(hour) * time.Hour)
		g := h.c.Allow(ip, "google", 1<<30, when)
		if g.OK < 0 || g.Overflow < 0 || g.OK > 0 && !g.RetryAt.IsZero() && !g.RetryAt.After(when) {
			t.Fatalf("%+v at %v", g, when)
		}
		var n [3]int
		n[1] = int(float64(g.OK) * deferring)
		n[2] = int(float64(g.OK-n[1]) * blocking)
		n[0] = g.OK - n[1] - n[2]
		delivered += n[0]
		for i, k := range []warmup.Kind{warmup.Delivered, warmup.Deferred, warmup.Blocked} {
			observe(t, h.c, "google", k, n[i], when)
		}
		if g.Reason.Code == warmup.Breaker || g.Reason.Code == warmup.BlockedNow || g.Reason.Code == warmup.Asked {
			signals = true
		}
	}
	if h.rng.IntN(5) == 0 {
		observe(t, h.c, "google", warmup.Complaint, 1+int(float64(delivered)*0.01*h.rng.Float64()), at.Add(23*time.Hour))
	}
	return h.c.Close(warmup.DateOf(at))[0], delivered, signals
}

func TestProperties(t *testing.T) {
	for seed := range uint64(200) {
		h := &history{rng: rand.New(rand.NewPCG(seed, 7)), c: controller(t, 1+int(seed*seed*400))}
		for range 40 {
			d, delivered, signals := h.pass(t)
			bad := signals || d.Action == warmup.BackOff || d.Action == warmup.Pause || d.Action == warmup.Hold
			switch {
			case d.To < 0 || d.From < 0:
				t.Fatalf("seed %d: %+v", seed, d)
			case bad && d.To > d.From:
				t.Fatalf("seed %d: the allowance rose on a bad day: %+v", seed, d)
			case d.To > d.From && float64(d.To) > 2.5*float64(delivered):
				t.Fatalf("seed %d: %d were delivered, and %+v", seed, delivered, d)
			}
			// the state written and read gives the same
			var b bytes.Buffer
			if err := h.c.State().Write(&b); err != nil {
				t.Fatal(err)
			}
			s, err := warmup.ReadState(&b)
			if err != nil {
				t.Fatal(err)
			}
			twin := controller(t, 1+int(seed*seed*400))
			if err := twin.Restore(s); err != nil {
				t.Fatal(err)
			}
			if got, want := twin.State(), h.c.State(); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: the state reads back as\n%+v, was\n%+v", seed, got, want)
			}
			next := monday.AddDate(0, 0, h.day)
			if got, want := twin.Allow(ip, "google", 1<<30, next), h.c.Allow(ip, "google", 1<<30, next); got != want {
				t.Fatalf("seed %d: got %+v, want %+v", seed, got, want)
			}
			h.c.Release(ip, "google", 1<<30, next)
		}
	}
}

// More that is good and less that is bad never lowers what is allowed next.
func TestMonotone(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	next := func(delivered, deferred, blocked, bounced, complaints int) int {
		c := controller(t, 1_000_000)
		c.Begin(ip, map[warmup.Provider]warmup.Evidence{"google": {Volume: 1000}}, monday)
		if err := c.Record([]warmup.Stats{{Identity: ip, Provider: "google", Day: warmup.DateOf(monday), Delivered: delivered, Deferred: deferred, Blocked: blocked, HardBounce: bounced, Complaint: complaints}}, monday.Add(23*time.Hour)); err != nil {
			t.Fatal(err)
		}
		return c.Close(warmup.DateOf(monday))[0].To
	}
	for range 3000 {
		v := [5]int{rng.IntN(1200), 0, 0, 0, 0}
		for i := 1; i < 5; i++ {
			if rng.IntN(2) == 0 {
				v[i] = rng.IntN(1 + v[0]/(4*i))
			}
		}
		base := next(v[0], v[1], v[2], v[3], v[4])
		more := v
		more[0] += 1 + rng.IntN(50)
		if got := next(more[0], more[1], more[2], more[3], more[4]); got < base {
			t.Fatalf("%v gives %d, with more delivered %v %d", v, base, more, got)
		}
		for i := 1; i < 5; i++ {
			worse := v
			worse[i] += 1 + rng.IntN(20)
			if got := next(worse[0], worse[1], worse[2], worse[3], worse[4]); got > base {
				t.Fatalf("%v gives %d, the worse %v %d", v, base, worse, got)
			}
		}
	}
}

func TestLargeNumbers(t *testing.T) {
	c, err := warmup.New(warmup.Config{First: warmup.MaxTarget, Goal: warmup.Goal{Target: warmup.MaxTarget, Mix: warmup.Mix{"google": 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for day := range 3 {
		at := monday.AddDate(0, 0, day)
		for h := range 24 {
			g := c.Allow(ip, "google", warmup.MaxTarget, at.Add(time.Duration(h)*time.Hour))
			if g.OK <= 0 && h < 23 {
				t.Fatalf("hour %d: %+v", h, g)
			}
			observe(t, c, "google", warmup.Delivered, warmup.MaxTarget, at.Add(time.Duration(h)*time.Hour))
			observe(t, c, "google", warmup.HardBounce, warmup.MaxTarget/1000, at.Add(time.Duration(h)*time.Hour))
		}
		if d := c.Close(warmup.DateOf(at))[0]; d.To != warmup.MaxTarget {
			t.Errorf("day %d: %+v", day, d)
		}
	}
}

func TestConcurrentCallers(t *testing.T) {
	c := controller(t, 100_000)
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range 16 {
		wg.Go(func() {
			for range 100 {
				n := c.Allow(ip, "google", 1, monday).OK
				if err := c.Observe(ip, warmup.Outcome{Provider: "google", Kind: warmup.Delivered}, monday); err != nil {
					t.Error(err)
				}
				c.Status(monday)
				mu.Lock()
				total += n
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if total != 13 {
		t.Errorf("%d were granted in an hour, want 13", total)
	}
}

func TestZones(t *testing.T) {
	zone := time.FixedZone("", 5*3600+1800)
	c, err := warmup.New(warmup.Config{Goal: warmup.Goal{Target: 1000, Mix: warmup.Mix{"google": 1}}, Location: zone, Hours: 8})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 12, 1, 22, 30, 0, 0, zone)
	for range 2 {
		c.Allow(ip, "google", 1000, at)
		at = at.Add(45 * time.Minute) // still the same day, and the next hour
	}
	s := c.Status(time.Date(2026, 12, 1, 23, 59, 0, 0, zone))[0]
	if s.Day.String() != "2026-12-01" || s.Spent != 126 { // two hours of an eighth
		t.Errorf("got %+v", s)
	}
	if g := c.Allow(ip, "google", 1000, time.Date(2026, 12, 2, 0, 1, 0, 0, zone)); g.OK != 63 {
		t.Errorf("after midnight: %+v", g)
	}
}

func TestConfigErrors(t *testing.T) {
	good := warmup.Goal{Target: 1000, Mix: warmup.Mix{"google": 1}}
	for _, cfg := range []warmup.Config{
		{},
		{Goal: warmup.Goal{Target: 1000, Mix: warmup.Mix{"google": 2}}},
		{Goal: good, Goals: map[string]warmup.Goal{ip: {Target: -5}}},
		{Goal: good, Hours: 25},
		{Goal: good, First: -1},
		{Goal: good, Limits: &warmup.Limits{Growth: 0.5}},
	} {
		if c, err := warmup.New(cfg); err == nil || c != nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
	c, err := warmup.New(warmup.Config{Goal: good, Goals: map[string]warmup.Goal{ip: {Target: 100}}})
	if err != nil {
		t.Fatal(err)
	}
	if g := c.Allow(ip, "google", 1000, monday); g.OK != 5 {
		t.Errorf("an identity with its own target: %+v", g)
	}
}

func ExampleController() {
	c, err := warmup.New(warmup.Config{Goal: warmup.Goal{Target: 100_000, Mix: warmup.Mix{"google": 0.6, warmup.Other: 0.4}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	day := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for hour := range 24 {
		now := day.Add(time.Duration(hour) * time.Hour)
		grant := c.Allow("192.0.2.1", "google", 1000, now)
		// … send grant.OK mails …
		c.Observe("192.0.2.1", warmup.Outcome{Provider: "google", Kind: warmup.Delivered, N: grant.OK}, now)
	}
	for _, d := range c.Close(warmup.DateOf(day)) {
		fmt.Println(d.Provider, d)
	}
	grant := c.Allow("192.0.2.1", "google", 1000, day.AddDate(0, 0, 1))
	fmt.Println(grant.OK, grant.Reason)
	// Output:
	// google advance: 300 were delivered, and no rate is over its limit: up to 2.5 times as many; the allowance goes from 300 to 750 a day
	// 32 the allowance of the hour (32) is used up until 2026-12-02 01:00 UTC
}

func BenchmarkAllow(b *testing.B) {
	c := controller(b, warmup.MaxTarget)
	b.ReportAllocs()
	for b.Loop() {
		c.Allow(ip, "google", 1, monday)
	}
}
