package warmuptest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rebound-mail/rebound/warmup"
)

// A Policy is a way to warm up, of one trial. Its methods are called in the order of time;
// p counts the providers of the run.
type Policy interface {
	// Day begins a day and returns what is meant to go to each provider on it.
	Day(day int) []float64
	// Hour says how much goes to a provider in an hour, of mails that wait to be tried
	// again and fresh ones.
	Hour(p, hour, waiting int) (fresh, again int)
	// Seen tells what became of it.
	Seen(p int, got Counts)
	// EndDay ends a day with its figures.
	EndDay(day []Counts)
}

// Counts are what became of mails.
type Counts struct {
	Fresh, Delivered, Deferred, Blocked, Bounced, Complaints int
}

func (c *Counts) add(o Counts) {
	c.Fresh += o.Fresh
	c.Delivered += o.Delivered
	c.Deferred += o.Deferred
	c.Blocked += o.Blocked
	c.Bounced += o.Bounced
	c.Complaints += o.Complaints
}

// A NewPolicy makes the policy of a trial.
type NewPolicy func(t *Trial) (Policy, error)

// A Trial is what a policy may know.
type Trial struct {
	Providers []warmup.Provider
	Shares    []float64
	Target    int
	Rand      *rand.Rand

	models []*model
}

// The time of the first day of a trial.
var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// Controller is the policy of [warmup.Controller] with a configuration, whose Goal the run
// sets.
func Controller(cfg warmup.Config) NewPolicy {
	return func(t *Trial) (Policy, error) {
		mix := warmup.Mix{}
		for i, p := range t.Providers {
			mix[p] = t.Shares[i]
		}
		own := cfg // trials run side by side
		own.Goal = warmup.Goal{Target: t.Target, Mix: mix}
		c, err := warmup.New(own)
		if err != nil {
			return nil, err
		}
		if err := c.Begin(sender, nil, start); err != nil {
			return nil, err
		}
		return &controlled{Trial: t, c: c, now: start, allow: make([]float64, len(t.Providers))}, nil
	}
}

const sender = "192.0.2.1"

type controlled struct {
	*Trial
	c     *warmup.Controller
	now   time.Time
	allow []float64
}

func (c *controlled) Day(day int) []float64 {
	c.now = start.AddDate(0, 0, day)
	for _, s := range c.c.Status(c.now) {
		c.allow[slices.Index(c.Providers, s.Provider)] = float64(s.Allowance)
	}
	return c.allow
}

func (c *controlled) Hour(p, hour, waiting int) (fresh, again int) {
	c.now = c.now.Truncate(24 * time.Hour).Add(time.Duration(hour) * time.Hour)
	ok := c.c.Allow(sender, c.Providers[p], warmup.MaxTarget, c.now).OK
	again = min(waiting, ok)
	return ok - again, again
}

func (c *controlled) Seen(p int, got Counts) {
	at := c.now.Add(time.Hour - time.Second)
	for _, o := range []struct {
		kind warmup.Kind
		n    int
	}{{warmup.Delivered, got.Delivered}, {warmup.HardBounce, got.Bounced}, {warmup.Deferred, got.Deferred}, {warmup.Blocked, got.Blocked}, {warmup.Complaint, got.Complaints}} {
		if o.n > 0 {
			if err := c.c.Observe(sender, warmup.Outcome{Provider: c.Providers[p], Kind: o.kind, N: o.n}, at); err != nil {
				panic(fmt.Sprintf("warmuptest: %v", err)) // the run keeps the order of time
			}
		}
	}
}

func (c *controlled) EndDay(day []Counts) {
	for p, d := range day {
		c.Seen(p, Counts{Complaints: d.Complaints})
	}
	c.c.Close(warmup.DateOf(c.now))
}

// A gate decides whether a table goes a step on after a day, by the figures of all
// providers together.
type gate func(day Counts) bool

// SparkPostGate is that of SparkPost's automated warm-up: more than 90 % delivered.
func SparkPostGate(d Counts) bool { return float64(d.Delivered) > 0.9*float64(d.Fresh) }

// BrazeGate is that of Braze's automated warm-up: more than 90 % delivered, at most 5 %
// bounced and 0.1 % complaints.
func BrazeGate(d Counts) bool {
	fresh := max(float64(d.Fresh), 1)
	return SparkPostGate(d) && float64(d.Bounced+d.Blocked) <= 0.05*fresh && float64(d.Complaints) <= 0.001*max(float64(d.Delivered), 1)
}

// Table is the policy of a published table: a step a day, split by the mix, whatever
// happens, or with a gate when that says so.
func Table(preset warmup.Preset, pass func(Counts) bool) NewPolicy {
	return func(t *Trial) (Policy, error) {
		return &table{Trial: t, preset: preset, pass: pass, quota: make([]float64, len(t.Shares))}, nil
	}
}

type table struct {
	*Trial
	preset warmup.Preset
	pass   gate
	step   int
	quota  []float64
}

func volume(p warmup.Preset, step, target int) float64 {
	v, _ := p.Volume(step, 1)
	return float64(min(v, target))
}

func (t *table) Day(int) []float64 {
	v := volume(t.preset, t.step, t.Target)
	for i, s := range t.Shares {
		t.quota[i] = v * s
	}
	return t.quota
}

func (t *table) Hour(p, _, waiting int) (fresh, again int) {
	return poisson(t.Rand, t.quota[p]/24), waiting / 4
}

func (t *table) Seen(int, Counts) {}

func (t *table) EndDay(day []Counts) {
	var all Counts
	for _, d := range day {
		all.add(d)
	}
	if t.pass == nil || t.pass(all) {
		t.step++
	}
}

// Operator is the policy of a careful person with a table: each provider has its own step;
// it holds at 10 % deferred, 5 % blocked or 0.1 % complaints, and after a block stops the
// provider for two days and goes four steps back. It acts once a day.
func Operator(preset warmup.Preset) NewPolicy {
	return func(t *Trial) (Policy, error) {
		n := len(t.Shares)
		return &operator{Trial: t, preset: preset, step: make([]int, n), rest: make([]int, n), quota: make([]float64, n)}, nil
	}
}

type operator struct {
	*Trial
	preset     warmup.Preset
	step, rest []int
	quota      []float64
}

func (o *operator) Day(int) []float64 {
	for i, s := range o.Shares {
		o.quota[i] = volume(o.preset, o.step[i], o.Target) * s
		if o.rest[i] > 0 {
			o.quota[i] = 0
		}
	}
	return o.quota
}

func (o *operator) Hour(p, _, waiting int) (fresh, again int) {
	if o.rest[p] > 0 {
		return 0, 0
	}
	return poisson(o.Rand, o.quota[p]/24), waiting / 4
}

func (o *operator) Seen(int, Counts) {}

func (o *operator) EndDay(day []Counts) {
	for i, d := range day {
		n := float64(d.Delivered + d.Deferred + d.Blocked + d.Bounced)
		switch {
		case o.rest[i] > 0:
			o.rest[i]--
		case n == 0:
		case float64(d.Blocked) > 0.2*n:
			o.rest[i], o.step[i] = 2, max(0, o.step[i]-4)
		case float64(d.Deferred) > 0.1*n, float64(d.Blocked) > 0.05*n, float64(d.Complaints) > 0.001*math.Max(float64(d.Delivered), 1):
		default:
			o.step[i]++
		}
	}
}

// Oracle is the policy of who knows each provider's capacity: what cannot be beaten by
// much. It works with the receivers of the package alone.
func Oracle(t *Trial) (Policy, error) {
	if len(t.models) != len(t.Shares) {
		return nil, fmt.Errorf("warmuptest: the oracle knows the receivers of this package alone")
	}
	return &oracle{Trial: t, quota: make([]float64, len(t.Shares))}, nil
}

type oracle struct {
	*Trial
	quota []float64
}

func (o *oracle) Day(int) []float64 {
	for i, s := range o.Shares {
		o.quota[i] = min(o.models[i].capacity, float64(o.Target)*s)
	}
	return o.quota
}

func (o *oracle) Hour(p, _, waiting int) (fresh, again int) {
	if o.models[p].blocked > 0 {
		return 0, 0
	}
	n := int(o.quota[p] / 24)
	again = min(waiting, n)
	return n - again, again
}

func (o *oracle) Seen(int, Counts) {}

func (o *oracle) EndDay([]Counts) {}

// A Named is a policy with the name that a report gives it.
type Named struct {
	Name string
	New  NewPolicy
}

// Policies are the controller, the published tables as they are and with their gates or an
// operator, and the oracle.
func Policies() []Named {
	named := func(name string) warmup.Preset {
		p, err := warmup.PresetNamed(name)
		if err != nil {
			panic(err)
		}
		p.PerIP = false
		return p
	}
	fifth := warmup.Preset{Name: "+20 % a day from 200", Days: []int{200}, Then: 1.2, Every: 1}
	return []Named{
		{"oracle", Oracle},
		{"rebound", Controller(warmup.Config{})},
		{"SendGrid", Table(named("sendgrid"), nil)},
		{"SendGrid automated", Table(named("sendgrid-automated"), nil)},
		{"SparkPost", Table(named("sparkpost"), nil)},
		{"SparkPost, gated at 90 %", Table(named("sparkpost"), SparkPostGate)},
		{"Braze conservative", Table(named("braze-conservative"), nil)},
		{"Braze moderate", Table(named("braze-moderate"), nil)},
		{"Braze automated", Table(named("braze-moderate"), BrazeGate)},
		{"Salesforce", Table(named("salesforce"), nil)},
		{"+20 % a day", Table(fifth, nil)},
		{"SendGrid and an operator", Operator(named("sendgrid"))},
		{"SparkPost and an operator", Operator(named("sparkpost"))},
		{"+20 % and an operator", Operator(fifth)},
	}
}
