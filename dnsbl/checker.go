package dnsbl

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rebound-mail/rebound/resolve"
)

// A Checker asks lists about targets, and remembers what it saw of the lists
// themselves: their test entries, their silence, their limits. Its zero value asks
// the machine's own resolver for the default lists. Use one Checker for many
// checks; it must not be copied after its first use, and is safe for concurrent
// use if its Resolver is.
type Checker struct {
	// Resolver answers the questions; nil is the machine's own, with a cache.
	Resolver resolve.Resolver
	// Catalogue holds the lists to ask, each about the targets of its kind; nil
	// is those of [Catalogue.Asked]. A list that is out of service is not asked:
	// its result is Dead.
	Catalogue *Catalogue
	// Keys are the caller's keys for lists that take one.
	Keys Keys
	// Now is the clock by which answers about the lists themselves grow old; nil
	// is time.Now.
	Now func() time.Time
	// Concurrency bounds the lists that one check asks at a time; zero is 256.
	Concurrency int
	// Patience is how long a question waits until its operator's limit allows it;
	// beyond it the result is Unknown. Zero is no wait.
	Patience time.Duration

	once   sync.Once
	system resolve.Resolver
	memory memory
}

// defaultConcurrency asks every list of the catalogue at once about one target, and
// some 10,000 questions a second of a resolver that is 20 ms away.
const defaultConcurrency = 256

// Check asks about targets, and yields a result for each target and list in the
// order in which they come. A target that no list holds yields nothing. When ctx
// ends, what is open is Unknown. To stop asking, stop ranging.
//
// Beside the entry of the target Check asks for the test entries of the list (RFC
// 5782, section 5): the one that must exist in the same moment as the first
// question, at most once a day, and before a listing counts, the one that must not,
// at most once in four hours. It asks for the reason of a listing, and of a refusal.
func (c *Checker) Check(ctx context.Context, targets ...Target) iter.Seq[Result] {
	return c.CheckAll(ctx, slices.Values(targets))
}

// CheckAll is [Checker.Check] of targets that are taken as they are needed, so that
// memory is bounded by Concurrency and not by their number. Questions are ordered
// by target: those to one list lie as far apart as there are lists.
func (c *Checker) CheckAll(ctx context.Context, targets iter.Seq[Target]) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		r := &run{checker: c, resolver: c.resolver(), memory: &c.memory, results: make(chan Result, 64)}
		r.free.Store(int32(c.Concurrency))
		if c.Concurrency <= 0 {
			r.free.Store(defaultConcurrency)
		}
		next, end := iter.Pull(targets)
		r.jobs = jobs{next: next, lists: c.lists()}
		r.start(ctx)
		go func() {
			r.workers.Wait()
			r.others.Wait()
			end()
			close(r.results)
		}()
		stopped := false
		for res := range r.results {
			if !stopped && !yield(res) {
				stopped = true
				r.jobs.stop()
				cancel()
			}
		}
		cancel()
	}
}

func (c *Checker) resolver() resolve.Resolver {
	if c.Resolver != nil {
		return c.Resolver
	}
	c.once.Do(func() {
		client, err := resolve.System()
		if err != nil {
			c.system = resolve.Offline{Why: err}
			return
		}
		c.system = resolve.NewCache(client)
	})
	return c.system
}

func (c *Checker) lists() []*List {
	if c.Catalogue == nil {
		return Default().Asked(c.Keys).lists
	}
	return c.Catalogue.withTwins(c.Keys).lists
}

// Lists returns the lists that a check asks about a target, those among them that are
// out of service too: as many as the check has results.
func (c *Checker) Lists(t Target) []*List {
	var asked []*List
	for _, l := range c.lists() {
		if l.holdsKind(t) {
			asked = append(asked, l)
		}
	}
	return asked
}

func (c *Checker) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// run is one call of Check.
type run struct {
	checker  *Checker
	resolver resolve.Resolver
	memory   *memory
	jobs     jobs
	results  chan Result
	free     atomic.Int32 // workers that may still be started
	workers  sync.WaitGroup
	others   sync.WaitGroup // questions that no result waits for
}

// A round is the asking of all lists about one target.
type round struct {
	target Target
	labels string // the labels of an address before a zone
	number int
	open   atomic.Int32 // lists that have not been asked

	mu     sync.Mutex
	held   []Result // until all lists are asked: perhaps the resolver is at fault
	inside bool     // the resolver gave an answer within 127/8
}

// A job is one list to be asked about one target.
type job struct {
	round  *round
	list   *List
	number int
}

// jobs hands out what is to be asked, by target and then by list. Workers take it
// themselves: a goroutine that hands it out costs a switch for each.
type jobs struct {
	mu     sync.Mutex
	next   func() (Target, bool)
	lists  []*List
	round  *round
	at     int // the next list of round
	rounds int
}

// take returns the next job; ok is false when there is none.
func (js *jobs) take() (j job, ok bool) {
	js.mu.Lock()
	defer js.mu.Unlock()
	for {
		for ; js.round != nil && js.at < len(js.lists); js.at++ {
			if l := js.lists[js.at]; l.holdsKind(js.round.target) {
				js.at++
				return job{js.round, l, js.at - 1}, true
			}
		}
		t, ok := js.next()
		if !ok {
			js.round = nil
			return job{}, false
		}
		js.begin(t)
	}
}

func (js *jobs) begin(t Target) {
	js.round, js.at = &round{target: t, number: js.rounds}, 0
	js.rounds++
	if t.ip.IsValid() {
		js.round.labels = resolve.ReverseLabels(t.ip)
	}
	for _, l := range js.lists {
		if l.holdsKind(t) {
			js.round.open.Add(1)
		}
	}
}

// stop takes no target any more.
func (js *jobs) stop() {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.next = func() (Target, bool) { return Target{}, false }
}

// start starts a worker, which starts the next when it has found something to do.
func (r *run) start(ctx context.Context) {
	if r.free.Add(-1) < 0 {
		return
	}
	r.workers.Go(func() {
		q := &question{run: r}
		for j, ok := r.jobs.take(); ok; j, ok = r.jobs.take() {
			if !q.started {
				q.started = true
				r.start(ctx)
			}
			r.do(ctx, q, j)
		}
	})
}

// holdsKind reports whether the list is to be asked about things of the target's
// kind, found where it was found.
func (l *List) holdsKind(t Target) bool {
	if l.Kinds&t.Kind() == 0 {
		return false
	}
	return l.For == 0 || l.For&t.role != 0 || t.domain != "" && t.role == 0
}

func (r *run) do(ctx context.Context, q *question, j job) {
	q.about(j)
	q.ask(ctx)
	if q.held || q.inside {
		j.round.mu.Lock()
		j.round.inside = j.round.inside || q.inside
		if q.held {
			j.round.held = append(j.round.held, q.res)
		}
		j.round.mu.Unlock()
	}
	if !q.held {
		r.results <- q.res
	}
	r.done(j.round)
}

// done counts a list as asked. After the last one the results that were held back
// are told.
func (r *run) done(rd *round) {
	if rd.open.Add(-1) > 0 {
		return
	}
	faults := make([]HealthState, len(rd.held))
	for i := range rd.held {
		faults[i] = rd.resolverFault(&rd.held[i])
	}
	for i, fault := range faults {
		if fault != Unseen {
			rd.held[i].blameResolver(fault)
		}
		r.results <- rd.held[i]
	}
}

// resolverFault says what the resolver does when a list looks dead and those of other
// operators look dead in the same way, Unseen where they do not. It goes by the
// results about one target alone, so that it does not depend on what comes first.
func (rd *round) resolverFault(res *Result) HealthState {
	owners := map[string]bool{}
	for i := range rd.held {
		if other := &rd.held[i]; other.foreign() == res.foreign() {
			owners[other.List.owner()] = true
		}
	}
	switch parked := res.Health.State == Parked; {
	case len(owners) < 2, !parked && rd.inside:
		return Unseen
	case parked:
		return Rewritten
	}
	return Filtered
}

func (res *Result) blameResolver(fault HealthState) {
	res.Status, res.Health.State = Unknown, fault
	res.Why = "the resolver gives none of the lists' test entries: it withholds answers within 127.0.0.0/8, as a guard against DNS rebinding does"
	if fault == Rewritten {
		res.Why = "the resolver answers " + res.foreign().String() + " for names that do not exist"
	}
}

// foreign is the address outside 127/8 that a list, or the resolver, answers with.
func (res *Result) foreign() netip.Addr {
	for _, a := range append(res.Answer.Addrs(), res.Probe.Addrs()...) {
		if !listRange.Contains(a) {
			return a
		}
	}
	return netip.Addr{}
}

func (l *List) owner() string {
	if l.Operator != "" {
		return l.Operator
	}
	return l.Zone
}
