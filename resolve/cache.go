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
	entries map[cacheKey]*list.Element // of *cacheEntry
	recent  list.List                  // most recently used first
	flights map[cacheKey]*flight
	landed  sync.Pool // of *flight that nobody waited for
}

type cacheKey struct {
	name string
	t    Type
}

type cacheEntry struct {
	key     cacheKey
	answer  Answer
	expires time.Time
}

type flight struct {
	done   chan struct{} // made by the first who waits for the flight of another
	answer Answer
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
		if a, ok := c.lookup(key); ok {
			c.mu.Unlock()
			return a
		}
		f, flying := c.flights[key]
		if !flying {
			if f, _ = c.landed.Get().(*flight); f == nil {
				f = &flight{}
			}
			if c.flights == nil {
				c.flights = map[cacheKey]*flight{}
			}
			c.flights[key] = f
			c.mu.Unlock()
			return c.fly(ctx, key, f)
		}
		if f.done == nil {
			f.done = make(chan struct{})
		}
		done := f.done
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return failed(canonical, t, Canceled, context.Cause(ctx))
		case <-done:
		}
		// The flight ended with its own caller's context: that says nothing to
		// this one, which asks again.
		if f.answer.Status != Canceled && f.answer.Status != Unset {
			return f.answer
		}
	}
}

// fly asks the question for all who wait for it. The flight ends even if the
// resolver panics.
func (c *Cache) fly(ctx context.Context, key cacheKey, f *flight) (a Answer) {
	defer func() {
		c.mu.Lock()
		delete(c.flights, key)
		c.store(key, a)
		done := f.done
		c.mu.Unlock()
		if done == nil {
			c.landed.Put(f)
			return
		}
		f.answer = a
		close(done)
	}()
	return c.Resolver.Resolve(ctx, key.name, key.t)
}

func (c *Cache) lookup(key cacheKey) (Answer, bool) {
	e, ok := c.entries[key]
	if !ok {
		return Answer{}, false
	}
	entry := e.Value.(*cacheEntry)
	left := entry.expires.Sub(c.now())
	if left <= 0 {
		c.recent.Remove(e)
		delete(c.entries, key)
		return Answer{}, false
	}
	c.recent.MoveToFront(e)
	a := entry.answer
	a.TTL, a.Took, a.Tries = left, 0, 0
	return a, true
}

func (c *Cache) store(key cacheKey, a Answer) {
	if !a.Status.Known() || a.TTL <= 0 {
		return
	}
	if c.entries == nil {
		c.entries = map[cacheKey]*list.Element{}
	}
	size := c.Size
	if size <= 0 {
		size = defaultCacheSize
	}
	entry := cacheEntry{key: key, answer: a, expires: c.now().Add(min(a.TTL, maxTTL))}
	if c.recent.Len() < size {
		c.entries[key] = c.recent.PushFront(&entry)
		return
	}
	oldest := c.recent.Back()
	delete(c.entries, oldest.Value.(*cacheEntry).key)
	*oldest.Value.(*cacheEntry) = entry
	c.recent.MoveToFront(oldest)
	c.entries[key] = oldest
}

func (c *Cache) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
