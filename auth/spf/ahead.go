package spf

import (
	"context"
	"net/netip"
	"sync"

	"github.com/rebound-mail/rebound/resolve"
)

// ahead asks for the records that a record leads to while the terms before them are
// still being looked up: include by include, a check would take a round trip for each.
// What it asks is what the check may come to ask, at most MaxLookups of it.
type ahead struct {
	resolver resolve.Resolver
	ctx      context.Context // ends with the check
	ip       netip.Addr

	mu      sync.Mutex
	flights map[string]*flight // by domain, of TXT
	left    int
	wait    sync.WaitGroup
}

type flight struct {
	landed chan struct{}
	answer resolve.Answer
	broke  any // what the resolver panicked with
}

// Resolve implements [resolve.Resolver].
func (a *ahead) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	if t != resolve.TXT {
		return a.resolver.Resolve(ctx, name, t)
	}
	f := a.fly(name)
	<-f.landed
	if f.broke != nil {
		panic(f.broke)
	}
	return f.answer
}

// fly asks for the TXT records of a name, once.
func (a *ahead) fly(name string) *flight {
	key := name
	if canonical, err := resolve.Name(name); err == nil {
		key = canonical
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.flights[key]; f != nil {
		return f
	}
	f := &flight{landed: make(chan struct{})}
	a.flights[key] = f
	a.wait.Go(func() {
		defer func() {
			f.broke = recover()
			close(f.landed)
		}()
		f.answer = a.resolver.Resolve(a.ctx, name, resolve.TXT)
		a.follow(name, f.answer)
	})
	return f
}

// follow asks for what a record leads to, up to the term that holds the address.
func (a *ahead) follow(domain string, answer resolve.Answer) {
	text, code, _ := selectRecord(domain, answer)
	if code != "" {
		return
	}
	rec := Parse(text)
	if len(rec.Faults) > 0 {
		return
	}
	for i := range rec.Terms {
		t := &rec.Terms[i]
		switch t.Name {
		case "all":
			return
		case "ip4", "ip6":
			if t.Prefix.Contains(a.ip) {
				return
			}
		case "include", "redirect":
			if t.macro.plain && a.take() {
				a.fly(trimDot(t.Value))
			}
		}
	}
}

// take reports whether one question more may be asked ahead.
func (a *ahead) take() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left--
	return a.left >= 0
}
