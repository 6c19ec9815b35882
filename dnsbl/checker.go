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
	// Concurrency bounds the lists that one check asks at a time; zero is 256. Beside
	// the question, a test entry and a reason may be asked for.
	Concurrency int
	// Patience is how long a question waits until its operator's limit allows it, at
	// most until ctx ends; beyond it the result is Unknown. Zero is no wait.
	Patience time.Duration

	// Memory is shared with other checkers; nil is one of the checker's own.
	Memory *Memory

	once   sync.Once
	system resolve.Resolver
	own    Memory
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
	return c.check(ctx, nil, slices.Values(targets))
}

// CheckAll is [Checker.Check] of targets that are taken as they are needed, so that
// memory is bounded by Concurrency and not by their number. Questions are ordered
// by target: those to one list lie as far apart as there are lists. No target is taken
// after ctx ended or the caller stopped ranging; a call of targets that blocks then is
// waited for.
func (c *Checker) CheckAll(ctx context.Context, targets iter.Seq[Target]) iter.Seq[Result] {
	return c.check(ctx, ctx.Done(), targets)
}

// check takes no target after until is closed.
func (c *Checker) check(ctx context.Context, until <-chan struct{}, targets iter.Seq[Target]) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		r := &run{checker: c, resolver: c.resolver(), memory: c.remembered(), results: make(chan Result, 64)}
		r.free.Store(int32(c.Concurrency))
		if c.Concurrency <= 0 {
			r.free.Store(defaultConcurrency)
		}
		next, end := iter.Pull(targets)
		r.jobs.next, r.jobs.clock, r.jobs.lists, r.jobs.until = next, c.now, c.lists(), until
		r.start(ctx)
		go func() {
			r.workers.Wait()
			cancel() // what no result waits for
			r.others.Wait()
			end()
			close(r.results)
		}()
		defer func() {
			r.jobs.stopped.Store(true)
			cancel()
			for range r.results {
			}
		}()
		for res := range r.results {
			if !yield(res) {
				return
			}
		}
		if p := r.broke.Load(); p != nil {
			panic(*p)
		}
	}
}

func (c *Checker) remembered() *Memory {
	if c.Memory != nil {
		return c.Memory
	}
	return &c.own
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
	memory   *Memory
	jobs     jobs
	results  chan Result
	free     atomic.Int32 // workers that may still be started
	workers  sync.WaitGroup
	others   sync.WaitGroup      // questions that no result waits for
	broke    atomic.Pointer[any] // what the resolver panicked with
}

// A round is the asking of all lists about one target.
type round struct {
	target Target
	labels string // the labels of an address before a zone
	number int
	open   atomic.Int32 // lists that have not been asked

	began time.Time

	mu       sync.Mutex
	held     []Result // perhaps the resolver's fault: until something speaks for it, or all lists are asked
	inside   bool     // the resolver gave an answer within 127/8: it withholds none
	nxdomain bool     // the resolver said of a name that it does not exist: it invents none

	// The first list that an earlier round proves: when it comes to blaming the
	// resolver, it is asked for its test entry again.
	witness   access
	witnessAt int
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
	until   <-chan struct{} // no target is taken after it is closed
	stopped atomic.Bool     // nor after this is set

	mu     sync.Mutex
	next   func() (Target, bool)
	clock  func() time.Time
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
		js.round = nil
		if js.over() {
			return job{}, false
		}
		t, ok := js.next()
		if !ok {
			return job{}, false
		}
		js.begin(t)
	}
}

func (js *jobs) over() bool {
	select {
	case <-js.until:
		return true
	default:
		return js.stopped.Load()
	}
}

func (js *jobs) begin(t Target) {
	js.round, js.at = &round{target: t, number: js.rounds, began: js.clock()}, 0
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
	for _, res := range j.round.take(q) {
		r.results <- res
	}
	if !q.held {
		r.results <- q.res
	}
	r.done(ctx, j.round)
}

// take takes note of what a question tells of the resolver, and holds its result back
// if that may be the resolver's fault. It returns those that are held no longer.
func (rd *round) take(q *question) (released []Result) {
	rd.mu.Lock()
	defer rd.mu.Unlock()
	news := q.inside && !rd.inside || q.nxdomain && !rd.nxdomain
	rd.inside, rd.nxdomain = rd.inside || q.inside, rd.nxdomain || q.nxdomain
	if q.remembered && (rd.witness.list == nil || q.res.order.list < rd.witnessAt) {
		rd.witness, rd.witnessAt = q.access, q.res.order.list
	}
	if q.held = q.held && !rd.speaksFor(&q.res); q.held {
		rd.held = append(rd.held, q.res)
	}
	if !news {
		return nil
	}
	rd.held = slices.DeleteFunc(rd.held, func(res Result) bool {
		free := rd.speaksFor(&res)
		if free {
			released = append(released, res)
		}
		return free
	})
	return released
}

// speaksFor reports whether what the resolver did about other lists shows that a held
// result is not its fault.
func (rd *round) speaksFor(res *Result) bool {
	if res.looks() == Rewritten {
		return rd.nxdomain
	}
	return rd.inside
}

// done counts a list as asked. After the last one the results that are held back
// still are told.
func (r *run) done(ctx context.Context, rd *round) {
	if rd.open.Add(-1) > 0 {
		return
	}
	r.hearWitness(ctx, rd)
	faults := make([]HealthState, len(rd.held))
	for i := range rd.held {
		faults[i] = rd.resolverFault(&rd.held[i])
	}
	for i, fault := range faults {
		if fault == Unseen && rd.held[i].Status == NotListed && slices.Contains(faults, Filtered) {
			fault = Filtered // an absence that nothing proves
		}
		if fault != Unseen {
			r.memory.absolve(rd.held[i].List, rd.target.Kind())
			rd.held[i].blameResolver(fault)
		}
		r.results <- rd.held[i]
	}
}

// hearWitness asks a list that an earlier round proves for its test entry, where the
// resolver seems to withhold those of others and nothing else of this round speaks for
// it.
func (r *run) hearWitness(ctx context.Context, rd *round) {
	suspicious := slices.ContainsFunc(rd.held, func(res Result) bool { return rd.resolverFault(&res) == Filtered })
	if !suspicious || rd.witness.list == nil {
		return
	}
	if rd.witness.key != "" {
		ctx = resolve.WithSecret(ctx, rd.witness.key)
	}
	answer := r.test(ctx, rd.witness, rd.witness.list.presentEntry(rd.witness.kind))
	rd.inside = slices.ContainsFunc(answer.Addrs(), func(a netip.Addr) bool { return !isForeign(a) })
}

// resolverFault says what the resolver does when a list looks dead, those of other
// operators do too, and nothing speaks for it: it withholds the test entries of two, it
// invents the same address for two or answers of any kind for three. Unseen is no
// fault. It goes by the results about one target alone, so that it does not depend on
// what comes first.
func (rd *round) resolverFault(res *Result) HealthState {
	kind := res.looks()
	same, alike := map[string]bool{}, map[string]bool{}
	for i := range rd.held {
		if other := &rd.held[i]; other.looks() == kind {
			alike[other.List.owner()] = true
			if other.foreign() == res.foreign() {
				same[other.List.owner()] = true
			}
		}
	}
	switch {
	case kind == Filtered && !rd.inside && len(alike) > 1, kind == Rewritten && (len(alike) > 2 || len(same) > 1 && res.Health.State == Parked):
		return kind
	}
	return Unseen
}

// looks is the fault of the resolver that a held result looks like. That a zone of the
// caller's is gone is no such fault: it may be mistyped.
func (res *Result) looks() HealthState {
	switch {
	case res.Health.State == Parked, res.Health.State == ListsWorld:
		return Rewritten
	case res.Health.State == Emptied, res.Health.State == Closed && !res.List.own, res.Health.State == Refuses:
		return Filtered
	}
	return Unseen
}

func (res *Result) blameResolver(fault HealthState) {
	res.Status, res.Health.State = Unknown, fault
	res.Why = "the resolver shows none of the lists' test entries: it withholds answers, as a guard against DNS rebinding does with those within 127.0.0.0/8"
	if fault == Rewritten {
		res.Why = "the resolver answers " + res.invented() + " for names that do not exist"
	}
}

// foreign is the address outside 127/8 that a list, or the resolver, answers with.
func (res *Result) foreign() netip.Addr {
	for _, a := range append(res.Answer.Addrs(), res.Probe.Addrs()...) {
		if isForeign(a) {
			return a
		}
	}
	return netip.Addr{}
}

// invented is what the resolver answers with.
func (res *Result) invented() string {
	if a := res.foreign(); a.IsValid() {
		return a.String()
	}
	return res.Answer.Addrs()[0].String()
}

func isForeign(a netip.Addr) bool { return !listRange.Contains(a.Unmap()) }

func (l *List) owner() string {
	if l.Operator != "" {
		return l.Operator
	}
	return l.Zone
}
