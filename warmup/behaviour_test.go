package warmup_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/warmup"
)

// day lets a day pass on which all is delivered.
func goodDay(t testing.TB, c *warmup.Controller, p warmup.Provider, at time.Time) {
	t.Helper()
	for h := range 24 {
		when := at.Add(time.Duration(h) * time.Hour)
		observe(t, c, p, warmup.Delivered, c.Allow(ip, p, 1<<30, when).OK, when)
	}
}

// One late answer to mail of the day before decides nothing.
func TestStragglers(t *testing.T) {
	for _, k := range []warmup.Kind{warmup.Deferred, warmup.HardBounce, warmup.Blocked} {
		c := controller(t, 1_000_000)
		if err := c.Begin(ip, map[warmup.Provider]warmup.Evidence{"google": {Volume: 200_000}}, monday); err != nil {
			t.Fatal(err)
		}
		goodDay(t, c, "google", monday)
		want := c.Close(warmup.DateOf(monday))[0].To
		observe(t, c, "google", k, 1, monday.AddDate(0, 0, 1).Add(time.Hour))
		if d := c.Close(warmup.DateOf(monday) + 1)[0]; d.To != want {
			t.Errorf("one %s: %s", k, d)
		}
		// nor does one before the first delivery of a day
		at := monday.AddDate(0, 0, 2)
		observe(t, c, "google", k, 1, at)
		if g := c.Allow(ip, "google", 1, at); g.OK != 1 {
			t.Errorf("one %s first: %+v", k, g)
		}
	}
}

// A bad day costs at most three quarters, and a block never less than a deferral.
func TestWorseIsNeverBetter(t *testing.T) {
	next := func(blocked int) int {
		c := controller(t, 10_000_000)
		if err := c.Begin(ip, map[warmup.Provider]warmup.Evidence{"google": {Volume: 100_000}}, monday); err != nil {
			t.Fatal(err)
		}
		s := warmup.Stats{Identity: ip, Provider: "google", Day: warmup.DateOf(monday), Delivered: 1000, Deferred: 1000, Blocked: blocked}
		if err := c.Record([]warmup.Stats{s}, monday.Add(20*time.Hour)); err != nil {
			t.Fatal(err)
		}
		return c.Close(s.Day)[0].To
	}
	if deferred, blocked := next(0), next(500); deferred != 25_000 || blocked > deferred {
		t.Errorf("deferred to %d, blocked too to %d", deferred, blocked)
	}
}

func TestStatusChangesNothing(t *testing.T) {
	c := controller(t, 100_000)
	observe(t, c, "google", warmup.Delivered, 300, monday)
	before := c.State()
	if s := c.Status(monday.AddDate(0, 0, 5)); len(s) != 1 || s[0].Allowance != 750 {
		t.Errorf("got %+v", s)
	}
	if after := c.State(); !reflect.DeepEqual(before, after) {
		t.Errorf("the state is %+v, was %+v", after, before)
	}
	before.Goal.Mix["google"] = 0
	if c.State().Goal.Mix["google"] != 0.6 {
		t.Error("a copy of the state reaches into the controller")
	}
}

// A goal that was mistaken for a while leaves no trace.
func TestGoalForAWhile(t *testing.T) {
	state := func(c *warmup.Controller) warmup.State {
		var b bytes.Buffer
		if err := c.State().Write(&b); err != nil {
			t.Fatal(err)
		}
		s, err := warmup.ReadState(&b)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	c := controller(t, 100_000)
	goodDay(t, c, "google", monday)
	c.Close(warmup.DateOf(monday))
	for _, goal := range []warmup.Goal{{Target: 100, Mix: warmup.Mix{"google": 0.6, "yahoo": 0.4}}, {Target: 100_000, Mix: warmup.Mix{"yahoo": 1}}} {
		mistaken, err := warmup.New(warmup.Config{Goal: goal})
		if err != nil {
			t.Fatal(err)
		}
		if err := mistaken.Restore(state(c)); err != nil {
			t.Fatal(err)
		}
		if g := mistaken.Allow(ip, "google", 1<<30, monday.AddDate(0, 0, 1)); g.OK > 3 {
			t.Errorf("under %+v: %+v", goal, g)
		}
		again := controller(t, 100_000)
		if err := again.Restore(state(mistaken)); err != nil {
			t.Fatal(err)
		}
		if s := again.Status(monday.AddDate(0, 0, 1))[0]; s.Allowance != 750 {
			t.Errorf("after %+v: %+v", goal, s)
		}
	}
}

func TestUnknownProvider(t *testing.T) {
	c := controller(t, 100_000) // a mix without Other
	for _, p := range []warmup.Provider{"gogle", "Google", "", "a b", "x\xff"} {
		if err := c.Observe(ip, warmup.Outcome{Provider: p, Kind: warmup.Delivered}, monday); !errors.Is(err, warmup.ErrProvider) {
			t.Errorf("%q: %v", p, err)
		}
		if err := c.Record([]warmup.Stats{{Identity: ip, Provider: p, Day: warmup.DateOf(monday), Delivered: 1}}, monday); !errors.Is(err, warmup.ErrProvider) {
			t.Errorf("%q recorded: %v", p, err)
		}
	}
	open, err := warmup.New(warmup.Config{Goal: warmup.Goal{Target: 10_000, Mix: warmup.Mix{"google": 0.5, warmup.Other: 0.5}}})
	if err != nil {
		t.Fatal(err)
	}
	day := warmup.DateOf(monday)
	if err := open.Record([]warmup.Stats{{Identity: ip, Provider: "gmx", Day: day, Delivered: 100}, {Identity: ip, Provider: "comcast", Day: day, Delivered: 150}}, monday.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if d := open.Close(day)[0]; d.Provider != warmup.Other || d.Reason.N != 250 {
		t.Errorf("two providers that count together: %+v", d)
	}
}

func TestBadNames(t *testing.T) {
	c := controller(t, 1000)
	for _, id := range []string{"", "a\xff", string(bytes.Repeat([]byte("x"), 256))} {
		if g := c.Allow(id, "google", 5, monday); g.OK != 0 || g.Overflow != 5 || g.Reason.Code != warmup.BadName {
			t.Errorf("%q: %+v", id, g)
		}
		if err := c.Observe(id, warmup.Outcome{Provider: "google", Kind: warmup.Delivered}, monday); !errors.Is(err, warmup.ErrOutcome) {
			t.Errorf("%q: %v", id, err)
		}
		if c.Begin(id, nil, monday) == nil {
			t.Errorf("%q: begun", id)
		}
	}
	many := warmup.Outcome{Provider: "google", Kind: warmup.Deferred, Hint: warmup.Hint{Connections: 1001}}
	if err := c.Observe(ip, many, monday); !errors.Is(err, warmup.ErrOutcome) {
		t.Errorf("1,001 connections: %v", err)
	}
	if len(c.State().Lines) != 0 {
		t.Errorf("left: %+v", c.State().Lines)
	}
}

// What was refused once is not refused again by the same figures.
func TestHintTwice(t *testing.T) {
	c := controller(t, 100_000)
	s := warmup.Stats{Identity: ip, Provider: "google", Day: warmup.DateOf(monday), Delivered: 20, Deferred: 2, Hint: warmup.Hint{Wait: 10 * time.Minute}}
	for i := range 4 {
		if err := c.Record([]warmup.Stats{s}, monday.Add(time.Duration(i)*9*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if g := c.Allow(ip, "google", 1, monday.Add(27*time.Minute)); g.OK != 1 {
		t.Errorf("got %+v", g)
	}
	long := controller(t, 100_000)
	for range 2 {
		if err := long.Observe(ip, warmup.Outcome{Provider: "google", Kind: warmup.Blocked, N: 5, Hint: warmup.Hint{Wait: 7 * 24 * time.Hour}}, monday); err != nil {
			t.Fatal(err)
		}
	}
	if g := long.Allow(ip, "google", 1, monday.AddDate(0, 0, 6)); g.OK != 0 {
		t.Errorf("a pause shortened the provider's wait: %+v", g)
	}
}

// Evidence is for lines that are new: a start of the program forgets no block.
func TestBeginAgain(t *testing.T) {
	c := controller(t, 1_000_000)
	from := map[warmup.Provider]warmup.Evidence{"google": {Volume: 50_000}}
	if err := c.Begin(ip, from, monday); err != nil {
		t.Fatal(err)
	}
	observe(t, c, "google", warmup.Listed, 1, monday.Add(time.Hour))
	d := c.Close(warmup.DateOf(monday))[0]
	if err := c.Begin(ip, from, monday.AddDate(0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	if s := c.Status(monday.AddDate(0, 0, 3))[0]; d.To >= 50_000 || s.Allowance != d.To {
		t.Errorf("%+v, then %+v", d, s)
	}
}

// In Santiago the clocks go from 23:59 to 1:00 in September.
func TestMidnightLeftOut(t *testing.T) {
	zone, err := time.LoadLocation("America/Santiago")
	if err != nil {
		t.Skip("this machine has no time zones: ", err)
	}
	c, err := warmup.New(warmup.Config{Goal: warmup.Goal{Target: 1000, Mix: warmup.Mix{"google": 1}}, Location: zone})
	if err != nil {
		t.Fatal(err)
	}
	late := time.Date(2026, 9, 5, 23, 30, 0, 0, zone)
	g := c.Allow(ip, "google", 1<<20, late)
	if g.OK == 0 || !g.RetryAt.After(late) {
		t.Errorf("at half past eleven: %+v", g)
	}
	if d := c.Close(warmup.DateOf(late)); len(d) != 1 {
		t.Errorf("closed: %+v", d)
	}
}

func TestSmallTargets(t *testing.T) {
	mix := warmup.Mix{"a": 0.3, "b": 0.3, "c": 0.2, warmup.Other: 0.2}
	for target := 1; target < 12; target++ {
		c, err := warmup.New(warmup.Config{Goal: warmup.Goal{Target: target, Mix: mix}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Begin(ip, nil, monday); err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, s := range c.Status(monday) {
			sum += s.Share
		}
		if sum != target {
			t.Errorf("target %d: the shares sum to %d", target, sum)
		}
	}
}

// A sender that hardly sends does not keep what it once had.
func TestHardlySending(t *testing.T) {
	c := controller(t, 1_000_000)
	if err := c.Begin(ip, map[warmup.Provider]warmup.Evidence{"google": {Volume: 200_000}}, monday); err != nil {
		t.Fatal(err)
	}
	for day := range 200 {
		at := monday.AddDate(0, 0, day)
		observe(t, c, "google", warmup.Delivered, c.Allow(ip, "google", 1, at).OK, at)
	}
	if s := c.Status(monday.AddDate(0, 0, 200))[0]; s.Allowance > 20_000 {
		t.Errorf("after 200 days of one mail: %+v", s)
	}
}

func TestReleaseOfYesterday(t *testing.T) {
	c := controller(t, 100_000)
	c.Allow(ip, "google", 10, monday)
	next := monday.AddDate(0, 0, 1)
	c.Allow(ip, "google", 9, next)
	c.Release(ip, "google", 10, monday)
	c.Release("192.0.2.9", "google", 10, monday)
	if s := c.Status(next)[0]; s.Spent != 9 {
		t.Errorf("got %+v", s)
	}
}

func TestRestart(t *testing.T) {
	for e, want := range map[warmup.Evidence]int{
		{Volume: 40_000, Blocked: true}: 10_000,
		{Volume: 100, Blocked: true}:    25,
		{Volume: 30, Blocked: true}:     20,
		{Volume: 10, Blocked: true}:     10,
		{Volume: 1000, Idle: 40}:        500,
		{Volume: 100, Idle: 40}:         100,
		{Volume: 1000, Idle: 10}:        817,
		{Volume: -5}:                    1,
	} {
		if got := e.Restart(); got != want {
			t.Errorf("%+v: %d, want %d", e, got, want)
		}
	}
}
