// Package resolvetest gives tests a DNS of their own: a [Zone] written in the
// test answers in memory and remembers what it was asked, [Serve] speaks it over
// UDP and TCP on loopback, and [Contract] holds any resolver to what the others
// do.
//
//	zone := resolvetest.New(t, `
//	shop.example. MX 10 mail.shop.example.
//	;! bl.example ANY SERVFAIL
//	`)
//	got := zone.Resolve(ctx, "shop.example", resolve.MX)
//
// The text is that of [resolve.ParseZone], fault lines included.
package resolvetest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rebound-mail/rebound/resolve"
)

// A Zone answers from text and remembers the questions. It is safe for
// concurrent use.
type Zone struct {
	zone *resolve.Zone

	mu    sync.Mutex
	asked []string
}

// New returns a zone; a text that cannot be read fails the test.
func New(t testing.TB, text string) *Zone {
	t.Helper()
	z, err := resolve.ParseZone(strings.NewReader(text))
	if err != nil {
		t.Fatalf("resolvetest.New: %v", err)
	}
	return &Zone{zone: z}
}

// Resolve implements [resolve.Resolver].
func (z *Zone) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	a := z.zone.Resolve(ctx, name, t)
	z.note(a.Name, t)
	return a
}

func (z *Zone) note(name string, t resolve.Type) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked = append(z.asked, name+" "+t.String())
}

// Asked returns the questions so far as "name TYPE", sorted, each as often as it
// was asked.
func (z *Zone) Asked() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	asked := slices.Clone(z.asked)
	slices.Sort(asked)
	return asked
}

// Forget empties what Asked returns.
func (z *Zone) Forget() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked = nil
}
