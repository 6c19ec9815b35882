package warmuptest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/rebound-mail/rebound/warmup"
)

// A Run is a simulation. World or Receiver, and Target, must be given.
type Run struct {
	World  World
	Target int        // mails a day
	Mix    warmup.Mix // warmup.DefaultMix when nil
	Trials int        // 60 when 0
	Days   int        // 90 when 0
	Seed   uint64
	Policy NewPolicy // the controller when nil
	// Receiver makes the receivers of a trial in place of those of World.
	Receiver func(rng *rand.Rand, p warmup.Provider, share float64, target int) Receiver
	// Progress is told how many trials are done; it is called by one goroutine at a time.
	Progress func(done, of int)
	// Day is told each day of each trial, by one goroutine at a time, the days of a trial
	// in order.
	Day func(trial, day int, providers []warmup.Provider, counts []Counts)
}

// A Report is what came of a run. Days to target are the number of the first of three days
// in a row on which 93 % of the target, all but what bounces, was delivered; nil where
// most trials (a tenth of them, of the 90th percentile) never do.
type Report struct {
	World     string   `json:"world"`
	Target    int      `json:"target"`
	Trials    int      `json:"trials"`
	Median    *float64 `json:"days_median"`
	P90       *float64 `json:"days_p90"`
	Reached   float64  `json:"reached"`       // share of trials
	Blocked   float64  `json:"blocked_share"` // share of trials with a block
	Deferrals float64  `json:"deferral_rate"` // of all attempts, all trials
	Delivered float64  `json:"delivered_30"`  // median of the mails delivered in 30 days
	Lost      float64  `json:"lost"`          // of what was sent: refused or expired

	// DaysToTarget are those of each trial, in order; Days+1 where it is not reached.
	DaysToTarget []int `json:"-"`
}

// The limits of a run.
const (
	maxTrials = 100_000
	maxDays   = 3650
)

// expire is the share of the waiting mail that is given up in an hour.
const expire = 1.0 / 96

// trial is one trial's outcome.
type trial struct {
	days, blocks             int
	deferred, attempts       float64
	delivered30, fresh, lost float64
	err                      error
}

// Simulate runs trials on all cores and reports. The same run gives the same report. When
// ctx ends, it gives its error.
func Simulate(ctx context.Context, r Run) (*Report, error) {
	if r.Mix == nil {
		r.Mix = warmup.DefaultMix()
	}
	if r.Trials == 0 {
		r.Trials = 60
	}
	if r.Days == 0 {
		r.Days = 90
	}
	if r.Policy == nil {
		r.Policy = Controller(warmup.Config{})
	}
	if r.Trials < 0 || r.Trials > maxTrials || r.Days < 3 || r.Days > maxDays {
		return nil, fmt.Errorf("warmuptest: %d trials of %d days", r.Trials, r.Days)
	}
	if r.Receiver == nil {
		if err := r.World.Check(); err != nil {
			return nil, err
		}
	}
	// the goal is checked as a controller's
	if _, err := warmup.New(warmup.Config{Goal: warmup.Goal{Target: r.Target, Mix: r.Mix}}); err != nil {
		return nil, err
	}
	trials := make([]trial, r.Trials)
	var mu sync.Mutex // of next, done and what is told
	next, done := 0, 0
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), r.Trials) {
		workers.Go(func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if n >= r.Trials || ctx.Err() != nil {
					return
				}
				trials[n] = r.trial(n, &mu)
				mu.Lock()
				if done++; r.Progress != nil {
					r.Progress(done, r.Trials)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return r.report(trials)
}

// trial runs one trial, whose randomness depends on its number and the seed alone.
func (r Run) trial(n int, mu *sync.Mutex) trial {
	rng := rand.New(rand.NewPCG(r.Seed, uint64(n)))
	t := &Trial{Target: r.Target, Rand: rng}
	for _, p := range r.Mix.Providers() {
		t.Providers, t.Shares = append(t.Providers, p), append(t.Shares, r.Mix[p])
	}
	receivers := make([]Receiver, len(t.Providers))
	for i, p := range t.Providers {
		if r.Receiver != nil {
			receivers[i] = r.Receiver(rng, p, t.Shares[i], r.Target)
			continue
		}
		m := r.World.receiver(rng, r.Target, t.Shares[i])
		receivers[i] = m
		t.models = append(t.models, m)
	}
	out := trial{days: r.Days + 1}
	policy, err := r.Policy(t)
	if err != nil {
		out.err = err
		return out
	}
	waiting := make([]float64, len(receivers))
	inRow := 0
	for day := range r.Days {
		volumes := policy.Day(day)
		counts := make([]Counts, len(receivers))
		for hour := range 24 {
			for p, receiver := range receivers {
				fresh, again := policy.Hour(p, hour, int(waiting[p]))
				got := Counts{Fresh: fresh}
				got.Delivered, got.Deferred, got.Blocked, got.Bounced = receiver.Hour(fresh, again, volumes[p])
				gone := math.Floor(waiting[p] * expire)
				waiting[p] = max(0, waiting[p]-float64(again)+float64(got.Deferred)-gone)
				out.lost += gone + float64(got.Blocked)
				policy.Seen(p, got)
				counts[p].add(got)
			}
		}
		delivered := 0
		for p, receiver := range receivers {
			counts[p].Complaints = receiver.EndDay(volumes[p])
			c := counts[p]
			delivered += c.Delivered
			out.fresh += float64(c.Fresh)
			out.deferred += float64(c.Deferred)
			out.attempts += float64(c.Delivered + c.Deferred + c.Blocked + c.Bounced)
		}
		policy.EndDay(counts)
		if r.Day != nil {
			mu.Lock()
			r.Day(n, day, t.Providers, counts)
			mu.Unlock()
		}
		if day < 30 {
			out.delivered30 += float64(delivered)
		}
		if float64(delivered) < 0.93*float64(r.Target) {
			inRow = 0
		} else if inRow++; inRow == 3 && out.days > r.Days {
			out.days = day - 1
		}
	}
	for _, m := range t.models {
		out.blocks += m.blocks
	}
	return out
}

func (r Run) report(trials []trial) (*Report, error) {
	out := &Report{World: r.World.Name, Target: r.Target, Trials: len(trials)}
	var deferred, attempts, fresh, lost float64
	var delivered []float64
	for _, t := range trials {
		if t.err != nil {
			return nil, t.err
		}
		out.DaysToTarget = append(out.DaysToTarget, t.days)
		if t.days <= r.Days {
			out.Reached++
		}
		if t.blocks > 0 {
			out.Blocked++
		}
		deferred, attempts = deferred+t.deferred, attempts+t.attempts
		fresh, lost = fresh+t.fresh, lost+t.lost
		delivered = append(delivered, t.delivered30)
	}
	n := float64(max(len(trials), 1))
	out.Reached /= n
	out.Blocked /= n
	out.Deferrals = deferred / max(attempts, 1)
	out.Lost = lost / max(fresh, 1)
	slices.Sort(delivered)
	out.Delivered = quantile(delivered, 0.5)
	days := make([]float64, len(out.DaysToTarget))
	for i, d := range out.DaysToTarget {
		days[i] = float64(d)
	}
	slices.Sort(days)
	out.Median, out.P90 = within(quantile(days, 0.5), r.Days), within(quantile(days, 0.9), r.Days)
	return out, nil
}

// quantile is between two values of a sorted list where it falls there.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

func within(x float64, days int) *float64 {
	if x > float64(days) {
		return nil
	}
	return &x
}

// Compare runs several policies in several worlds and returns the reports, by world and
// policy. run gives the rest.
func Compare(ctx context.Context, run Run, worlds []World, policies []Named) (*Comparison, error) {
	c := &Comparison{Policies: policies, Worlds: worlds}
	progress, done, of := run.Progress, 0, len(worlds)*len(policies)
	for _, w := range worlds {
		var row []*Report
		for _, p := range policies {
			run.World, run.Policy, run.Progress = w, p.New, nil
			r, err := Simulate(ctx, run)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("warmuptest: %s in %s", p.Name, w.Name), err)
			}
			row = append(row, r)
			if done++; progress != nil {
				progress(done, of)
			}
		}
		c.Reports = append(c.Reports, row)
	}
	return c, nil
}

// A Comparison holds the reports of policies in worlds.
type Comparison struct {
	Policies []Named
	Worlds   []World
	Reports  [][]*Report // by world, then policy
}

// WriteText writes a table: the median of the days to target, the 90th percentile and the
// share of trials with a block, a row for each policy.
func (c *Comparison) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := []string{"days to target (90th percentile), trials with a block"}
	for _, world := range c.Worlds {
		row = append(row, world.Name)
	}
	fmt.Fprintln(t, strings.Join(row, "\t"))
	for i, p := range c.Policies {
		row := []string{p.Name}
		for j := range c.Worlds {
			r := c.Reports[j][i]
			row = append(row, fmt.Sprintf("%s (%s) %.3g %%", number(r.Median), number(r.P90), 100*r.Blocked))
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func number(x *float64) string {
	if x == nil {
		return "never"
	}
	return fmt.Sprintf("%.3g", *x)
}
