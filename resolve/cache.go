package resolve

import (
	"container/list"
	"context"
	"sync"
	"time"
)

const (
	defaultCacheSize = 10_000
	// maxTTL bounds how long an answer is believed, whatever its TTL says. RFC 8767,
	// section 4, wants a cap; a diagnosis has no use for older answers than a day's.
	maxTTL = 24 * time.Hour
)

// A Cache remembers the answers of another resolver: records for their TTL,
// absence for its negative TTL (RFC 2308), failures never. Callers that ask the
// same question at the same time share one flight. The least recently used
// answer goes when Size is reached.
//
// A Cache must not be copied after its first use. It is safe for concurrent
// use.
type Cache struct {
	Resolver Resolver
	Size     int              // answers kept; zero means 10,000
	Now      func() time.Time // nil means time.Now

	mu      sync.Mutex
	entries map[cacheKey]*cacheEntry
	recent  list.List // of the *cacheEntry with an answer, most recently used first
}

type cacheKey struct {
	name string
	t    Type
}

// A cacheEntry is an answer, or a question in flight.
type cacheEntry struct {
	key     cacheKey
	answer  Answer
	expires time.Time
	place   *list.Element // in recent; nil in flight
	done    chan struct{} // made by the first who waits for the flight of another
}

// NewCache returns a cache in front of r.
func NewCache(r Resolver) *Cache { return &Cache{Resolver: r} }

// Resolve implements [Resolver]. The TTL of a remembered answer is what is left
// of it, Took and Tries are zero.
func (c *Cache) Resolve(ctx context.Context, name string, t Type) Answer {
	canonical, err := Name(name)
	if err != nil {
		return failed(name, t, Other, err)
	}
	key := cacheKey{canonical, t}
	for {
		c.mu.Lock()
		e := c.entries[key]
		if e != nil && e.place != nil {
			if left := e.expires.Sub(c.now()); left > 0 {
				c.recent.MoveToFront(e.place)
				a := e.answer
				c.mu.Unlock()
				a.TTL, a.Took, a.Tries = left, 0, 0
				return a
			}
			c.recent.Remove(e.place)
			e = nil
		}
		if e == nil {
			e = &cacheEntry{key: key}
			if c.entries == nil {
				c.entries = map[cacheKey]*cacheEntry{}
			}
			c.entries[key] = e
			c.mu.Unlock()
			return c.fly(ctx, e)
		}
		if e.done == nil {
			e.done = make(chan struct{})
		}
		done := e.done
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return failed(canonical, t, Canceled, context.Cause(ctx))
		case <-done:
		}
		// The flight ended with its own caller's context: that says nothing to
		// this one, which asks again.
		if e.answer.Status != Canceled && e.answer.Status != Unset {
			return e.answer
		}
	}
}

// fly asks the question for all who wait for it. The flight ends even if the
// resolver panics.
func (c *Cache) fly(ctx context.Context, e *cacheEntry) Answer {
	var a Answer
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		e.answer = a // read by others once done is closed, or the entry has its place
		c.land(e)
		if e.done != nil {
			close(e.done)
		}
	}()
	a = c.Resolver.Resolve(ctx, e.key.name, e.key.t)
	return a
}

// land keeps the answer of a flight, in the place of the one that was used least
// recently if there is no room, or forgets it.
func (c *Cache) land(e *cacheEntry) {
	if !e.answer.Status.Known() || e.answer.TTL <= 0 {
		delete(c.entries, e.key)
		return
	}
	e.expires = c.now().Add(min(e.answer.TTL, maxTTL))
	size := c.Size
	if size <= 0 {
		size = defaultCacheSize
	}
	if c.recent.Len() < size {
		e.place = c.recent.PushFront(e)
		return
	}
	e.place = c.recent.Back()
	delete(c.entries, e.place.Value.(*cacheEntry).key)
	e.place.Value = e
	c.recent.MoveToFront(e.place)
}

func (c *Cache) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
