package dnsbl

import (
	"context"
	"fmt"
	"maps"
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

// How long a checker believes what it saw (the figures of Haraka, mox and rspamd
// lie between 5 minutes and 4 hours for the negative entry).
const (
	presentFor  = 24 * time.Hour
	absentFor   = 4 * time.Hour
	probeFailed = time.Minute // a probe without an answer is not made again before
)

// A list that leaves maxMisses tries in a row without an answer is not asked for
// firstBreak, then for twice as long each time, up to lastBreak.
const (
	maxMisses  = 3
	firstBreak = time.Minute
	lastBreak  = time.Hour
)

// memory is what a checker remembers of the lists. The zero value is ready.
type memory struct {
	mu       sync.Mutex
	zones    map[string]*zoneMemory
	limits   map[string]limits // by operator
	suspects bool              // a breaker opened while no list at all answered
	answered time.Time         // when any list last did
}

type zoneMemory struct {
	limits limits
	probes map[probeKey]*probe

	seen Health

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
	done        chan struct{}
	answer      resolve.Answer
	status      Status // what the list means by it
	why         string
	apex        resolve.Answer // where the entry is missing: does the zone exist at all?
	otherFamily bool           // of a caller's list, where the entry of the kind is missing: that of IPv4 is there
	expires     time.Time
}

// zone returns what is remembered of a list. The caller holds mu.
func (m *memory) zone(l *List) *zoneMemory {
	z, ok := m.zones[l.Zone]
	if ok {
		return z
	}
	if m.zones == nil {
		m.zones, m.limits = map[string]*zoneMemory{}, map[string]limits{}
	}
	z = &zoneMemory{probes: map[probeKey]*probe{}}
	if owner := l.owner(); len(l.Rates) > 0 {
		if m.limits[owner] == nil {
			m.limits[owner] = newLimits(l.Rates)
		}
		z.limits = m.limits[owner]
	}
	m.zones[l.Zone] = z
	return z
}

// admit returns what is remembered of a list, how long to wait before it is asked,
// and why it may not be asked. One that was silent is tried with one question when
// its pause is over.
func (m *memory) admit(l *List, now time.Time, patience time.Duration) (z *zoneMemory, seen Health, wait time.Duration, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	z = m.zone(l)
	if z.pause > 0 {
		if now.Before(z.seen.Until) {
			return z, z.seen, 0, fmt.Sprintf("it left %d questions in a row without an answer; it is asked again after %s", z.misses, z.seen.Until.UTC().Format("15:04:05 UTC"))
		}
		if z.trial {
			return z, z.seen, 0, "it left questions without an answer; whether it answers again is being tried"
		}
	}
	if len(z.limits) > 0 {
		var limit *Rate
		if wait, limit = z.limits.take(now, patience); limit != nil {
			return z, z.seen, 0, "its operator allows " + limit.words() + ", and that is used up"
		}
	}
	z.trial = z.pause > 0
	return z, z.seen, wait, ""
}

// spend takes a token for a question beside the first, if there is one at once.
func (m *memory) spend(z *zoneMemory, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, limit := z.limits.take(now, 0)
	return limit == nil
}

// note remembers how a question that was sent at asked ended, and returns the
// health that follows.
func (m *memory) note(z *zoneMemory, a resolve.Answer, asked time.Time, clock func() time.Time) Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch a.Status {
	case resolve.Canceled:
		z.trial = false
		return z.seen
	case resolve.Timeout:
		now := clock()
		z.miss(m, max(1, a.Tries), asked, now)
		return Health{State: Silent, At: now, Until: z.seen.Until}
	}
	if z.misses > 0 {
		z.recover()
	}
	if a.Status != resolve.Other {
		m.answered = clock()
		m.clearSuspects(asked)
	}
	if !a.Status.Known() {
		return Health{State: Failing, At: asked}
	}
	return z.seen
}

// recover forgets that a list was silent, about its test entries too.
func (z *zoneMemory) recover() {
	z.misses, z.pause, z.trial, z.opened, z.suspect, z.seen.Until = 0, 0, false, time.Time{}, false, time.Time{}
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
func (z *zoneMemory) miss(m *memory, tries int, asked, now time.Time) {
	if z.pause > 0 && !z.trial {
		return // sent before the breaker opened
	}
	z.trial = false
	z.misses += tries
	if z.misses < maxMisses {
		return
	}
	z.pause = min(max(firstBreak, 2*z.pause), lastBreak)
	z.opened, z.seen.Until = now, now.Add(z.pause)
	z.suspect = m.answered.Before(asked)
	m.suspects = m.suspects || z.suspect
}

// clearSuspects closes the breakers that opened while no list at all answered, when
// a question is answered that was sent since: it was the resolver that was silent.
func (m *memory) clearSuspects(asked time.Time) {
	if !m.suspects {
		return
	}
	m.suspects = false
	for _, z := range m.zones {
		switch {
		case !z.suspect:
		case !asked.Before(z.seen.Until):
			z.suspect = false // its pause is over anyway
		case asked.After(z.opened):
			z.recover()
		default:
			m.suspects = true
		}
	}
}

// see remembers the state of a list.
func (m *memory) see(z *zoneMemory, s HealthState, now time.Time) Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	z.seen.State, z.seen.At = s, now
	return z.seen
}

// begin returns the probe of a test entry, and whether the caller has to make it.
func (m *memory) begin(z *zoneMemory, key probeKey, now time.Time) (p *probe, mine bool) {
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
	p = &probe{done: make(chan struct{})}
	z.probes[key] = p
	return p, true
}

// finish publishes a probe. One that was canceled is made again by whoever needs it
// next.
func (p *probe) finish(now time.Time, absent bool) {
	switch {
	case p.answer.Status == resolve.Canceled:
		p.expires = now
	case !p.answer.Status.Known():
		p.expires = now.Add(probeFailed)
	case absent:
		p.expires = now.Add(absentFor)
	default:
		p.expires = now.Add(presentFor)
	}
	close(p.done)
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
