package dnsbl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rebound-mail/rebound/resolve"
)

// A HealthState says what was seen of a list itself, whatever its entries.
type HealthState string

// The states. Those that the catalogue knows too have its words.
const (
	Unseen     HealthState = ""
	Proven     HealthState = "proven"      // its own test entry is there: its silence about others means something
	Emptied    HealthState = "emptied"     // the zone is there, its test entry is not
	Closed     HealthState = "closed"      // the zone is gone from DNS
	ListsWorld HealthState = "lists-world" // it lists what no list may
	Parked     HealthState = "parked"      // it answers outside 127.0.0.0/8
	Refuses    HealthState = "refuses"     // it says that it will not answer us
	Silent     HealthState = "silent"      // no answer in time
	Failing    HealthState = "failing"     // SERVFAIL and other failures of its servers, or of the resolver
	Rewritten  HealthState = "rewritten"   // nothing of the list: the resolver invents answers for names that do not exist
	Filtered   HealthState = "filtered"    // nothing of the list: the resolver withholds answers within 127.0.0.0/8
)

// Health is what a [Checker] saw of a list. What the catalogue knew when it was
// made is List.Status.
type Health struct {
	State HealthState `json:"state"`
	At    time.Time   `json:"at,omitzero"`    // when it was seen
	Until time.Time   `json:"until,omitzero"` // of Silent: the list is not asked before then
}

// How long a checker believes what it saw of a test entry (the figures of Haraka, mox
// and rspamd lie between 5 minutes and 4 hours for the one that must not exist). That
// a list is ill is believed for a short time: it may be well again.
const (
	presentFor  = 24 * time.Hour
	absentFor   = 4 * time.Hour
	illFor      = 10 * time.Minute
	probeFailed = 5 * time.Second // a probe without an answer is not made again before
)

// A list that leaves maxMisses tries in a row without an answer is not asked for
// firstBreak, then for twice as long each time, up to lastBreak.
const (
	maxMisses  = 3
	firstBreak = time.Minute
	lastBreak  = time.Hour
)

// A Memory is what checkers remember of the lists: their test entries, their silence,
// and how much of the operators' limits is left. The zero value is ready. Checkers that
// share one ask the same resolver. It must not be copied, and is safe for concurrent
// use.
type Memory struct {
	mu       sync.Mutex
	zones    map[string]*zoneMemory
	limits   map[string]limits // by operator and rates
	suspects bool              // a breaker opened while no list at all answered
	answered time.Time         // when any list last did
}

type zoneMemory struct {
	limits limits
	probes map[probeKey]*probe

	seen  [DomainName + 1]Health // by kind, Until unset
	until time.Time              // it is not asked before

	answered time.Time // when it last answered

	misses  int // tries without an answer in a row
	pause   time.Duration
	trial   bool // one question is out to see whether the list answers again
	opened  time.Time
	suspect bool // perhaps not the list but the resolver was silent
}

type probeKey struct {
	kind   Kind
	absent bool
}

// A probe is the answer of a test entry. The rest is there when done is closed.
type probe struct {
	done   chan struct{}
	asked  time.Time
	answer resolve.Answer
	status Status // what the list means by it
	why    string

	// Where the entry is missing: does the zone exist at all, and of a caller's list,
	// which entries of other kinds are there.
	apex   resolve.Answer
	others Kind
	unsure resolve.Status // how a question about these failed; Unset if none did

	expires time.Time
}

// zone returns what is remembered of a list. The caller holds mu.
func (m *Memory) zone(l *List) *zoneMemory {
	z, ok := m.zones[l.Zone]
	if ok {
		return z
	}
	if m.zones == nil {
		m.zones, m.limits = map[string]*zoneMemory{}, map[string]limits{}
	}
	z = &zoneMemory{probes: map[probeKey]*probe{}}
	if key := fmt.Sprint(l.owner(), l.Rates); len(l.Rates) > 0 {
		if m.limits[key] == nil {
			m.limits[key] = newLimits(l.Rates)
		}
		z.limits = m.limits[key]
	}
	m.zones[l.Zone] = z
	return z
}

// health returns what was seen of a list as one of a kind. The caller holds mu.
func (z *zoneMemory) health(k Kind) Health {
	h := z.seen[k]
	h.Until = z.until
	return h
}

// admit returns what is remembered of a list, how long to wait before it is asked,
// and why it may not be asked. One that was silent is tried with one question when
// its pause is over.
func (m *Memory) admit(l *List, k Kind, now time.Time, patience time.Duration) (z *zoneMemory, seen Health, wait time.Duration, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	z = m.zone(l)
	if now.Sub(z.seen[k].At) > presentFor {
		z.seen[k] = Health{}
	}
	if z.pause > 0 {
		if now.Before(z.until) {
			return z, z.health(k), 0, fmt.Sprintf("it left %d tries in a row without an answer; it is asked again after %s", z.misses, z.until.UTC().Format("15:04:05 UTC"))
		}
		if z.trial {
			return z, z.health(k), 0, "it left tries without an answer; whether it answers again is being tried"
		}
	}
	if len(z.limits) > 0 {
		var limit *Rate
		if wait, limit = z.limits.take(now, patience); limit != nil {
			return z, z.health(k), 0, "its operator allows " + limit.words() + ", and that is used up"
		}
	}
	z.trial = z.pause > 0
	return z, z.health(k), wait, ""
}

// spend takes a token for a question beside the first, and returns how long to wait
// before it is asked; ok is false where that is longer than patience.
func (m *Memory) spend(z *zoneMemory, now time.Time, patience time.Duration) (wait time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wait, limit := z.limits.take(now, patience)
	return wait, limit == nil
}

// refund gives back the token of a question that was not asked.
func (m *Memory) refund(z *zoneMemory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range z.limits {
		b.tokens++
	}
}

// note remembers how a question that was sent at asked ended, and returns the
// health that follows.
func (m *Memory) note(z *zoneMemory, k Kind, a resolve.Answer, asked time.Time, clock func() time.Time) Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch a.Status {
	case resolve.Canceled:
		z.trial = false
		return z.health(k)
	case resolve.Malformed: // perhaps of an attacker: it says nothing of the list's silence
		z.trial = false
		return Health{State: Failing, At: asked}
	case resolve.Timeout:
		now := clock()
		z.miss(m, max(1, a.Tries), asked, now)
		return Health{State: Silent, At: now, Until: z.until}
	}
	if z.misses > 0 {
		z.recover()
	}
	if a.Status != resolve.Other {
		if m.answered = asked.Add(a.Took); a.Took == 0 {
			m.answered = clock()
		}
		z.answered = m.answered
		m.clearSuspects(asked)
	}
	if !a.Status.Known() {
		return Health{State: Failing, At: asked}
	}
	return z.health(k)
}

// recover forgets that a list was silent, about its test entries too.
func (z *zoneMemory) recover() {
	z.misses, z.pause, z.trial, z.opened, z.suspect, z.until = 0, 0, false, time.Time{}, false, time.Time{}
	maps.DeleteFunc(z.probes, func(_ probeKey, p *probe) bool {
		select {
		case <-p.done:
			return !p.answer.Status.Known()
		default:
			return false
		}
	})
}

// miss counts tries without an answer, and opens the breaker.
func (z *zoneMemory) miss(m *Memory, tries int, asked, now time.Time) {
	if z.pause > 0 && !z.trial {
		return // sent before the breaker opened
	}
	z.trial = false
	if z.answered.After(asked) {
		return // lost, while others were answered
	}
	if z.misses += tries; z.misses < maxMisses {
		return
	}
	z.pause = min(max(firstBreak, 2*z.pause), lastBreak)
	z.opened, z.until = now, now.Add(z.pause)
	z.suspect = m.answered.Before(asked)
	m.suspects = m.suspects || z.suspect
}

// clearSuspects closes the breakers that opened while no list at all answered, when
// a question is answered that was sent since: it was the resolver that was silent.
func (m *Memory) clearSuspects(asked time.Time) {
	if !m.suspects {
		return
	}
	m.suspects = false
	for _, z := range m.zones {
		switch {
		case !z.suspect:
		case !asked.Before(z.until):
			z.suspect = false // its pause is over anyway
		case asked.After(z.opened):
			z.recover()
		default:
			m.suspects = true
		}
	}
}

// see remembers the state of a list as one of a kind.
func (m *Memory) see(z *zoneMemory, k Kind, s HealthState, now time.Time) Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	z.seen[k] = Health{State: s, At: now}
	return z.health(k)
}

// doubt has every list show its test entry of a kind again before an absence on it
// counts.
func (m *Memory) doubt(k Kind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, z := range m.zones {
		delete(z.probes, probeKey{k, false})
	}
}

// absolve forgets what a list was seen to be as one of a kind: it was the resolver.
func (m *Memory) absolve(l *List, k Kind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	z := m.zone(l)
	z.seen[k] = Health{}
	delete(z.probes, probeKey{k, false})
	delete(z.probes, probeKey{k, true})
}

// begin returns the probe of a test entry, and whether the caller has to make it.
func (m *Memory) begin(z *zoneMemory, key probeKey, now time.Time) (p *probe, mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p = z.probes[key]; p != nil {
		select {
		case <-p.done:
			if now.Before(p.expires) {
				return p, false
			}
		default:
			return p, false
		}
	}
	p = &probe{done: make(chan struct{}), asked: now}
	z.probes[key] = p
	return p, true
}

// finish publishes a probe. One that was canceled is made again by whoever needs it
// next.
func (p *probe) finish(now time.Time, absent bool) {
	switch {
	case p.answer.Status == resolve.Canceled, p.unsure == resolve.Canceled:
		p.expires = now
	case !p.answer.Status.Known(), p.unsure != resolve.Unset:
		p.expires = now.Add(probeFailed)
	case absent && p.answer.Status.Absent():
		p.expires = now.Add(absentFor)
	case !absent && p.listed():
		p.expires = now.Add(presentFor)
	default:
		p.expires = now.Add(illFor)
	}
	close(p.done)
}

// listed reports whether the test entry is there: it is listed, or answered with a code
// of its own within 127/8, as some lists do for the test.
func (p *probe) listed() bool {
	if p.status == Listed {
		return true
	}
	return p.status == Unknown && p.answer.Status == resolve.OK && !slices.ContainsFunc(p.answer.Addrs(), isForeign)
}

// wait waits for a probe; false means that ctx ended first.
func (p *probe) wait(ctx context.Context) bool {
	select {
	case <-p.done:
		return true
	default:
	}
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
		return false
	}
}
