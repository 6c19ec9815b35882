package dnsbl

import (
	"context"
	"iter"
	"slices"
	"time"
)

// A ChangeKind says what changed.
type ChangeKind string

// The kinds of change.
const (
	BecameListed ChangeKind = "listed"   // also what is listed when the watch begins
	CodesChanged ChangeKind = "codes"    // still listed, for another reason
	Delisted     ChangeKind = "delisted" // two clean answers, the second after the first had run out
	WentIll      ChangeKind = "ill"      // the list gives no usable answer about any target
	GotWell      ChangeKind = "well"     // it does again
)

// A Change is what a watch saw. Of a list that went ill or got well, Result is its
// first one of the round; Target means nothing there.
type Change struct {
	At     time.Time
	Kind   ChangeKind
	Result Result
}

// Watch checks targets at once and then whenever a time comes from ticks, such as a
// [time.Ticker]'s channel, and yields what changed, in the order of targets and
// lists. It ends when ctx ends, when ticks is closed, or when the caller stops
// ranging. A round that ctx cut short yields nothing.
//
// A target counts as delisted after two clean answers of which the second came when
// the TTL of the first was over, and for which the lists showed their test entries anew:
// one answer that is served twice from a cache is one answer, and neither an emptied
// list nor a resolver that withholds answers delists anybody. What cannot be told changes nothing about a target.
func (c *Checker) Watch(ctx context.Context, ticks <-chan time.Time, targets ...Target) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		w := watch{entries: map[watchKey]*watched{}, ill: map[*List]bool{}, memory: c.remembered()}
		targets = unique(targets)
		for {
			now := c.now()
			results := slices.Collect(c.Check(ctx, targets...))
			if ctx.Err() != nil {
				return
			}
			slices.SortFunc(results, func(a, b Result) int { return a.order.compare(b.order) })
			for _, change := range w.round(now, results) {
				if !yield(change) {
					return
				}
			}
			select {
			case _, ok := <-ticks:
				if !ok {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func unique(targets []Target) []Target {
	seen := map[Target]bool{}
	return slices.DeleteFunc(slices.Clone(targets), func(t Target) bool {
		again := seen[t]
		seen[t] = true
		return again
	})
}

// watch is what is known of a watch's targets and lists.
type watch struct {
	entries map[watchKey]*watched
	ill     map[*List]bool
	memory  *Memory
}

type watchKey struct {
	list   *List
	target Target
}

// watched is a target that is listed.
type watched struct {
	codes []Code
	clean time.Time // when a second clean answer counts; zero before the first
}

// round returns what changed.
func (w *watch) round(now time.Time, results []Result) []Change {
	changes := w.lists(now, results)
	for _, res := range results {
		kind := w.target(now, res)
		if kind != "" {
			changes = append(changes, Change{now, kind, res})
		}
	}
	return changes
}

// target returns the change of one target on one list, or "".
func (w *watch) target(now time.Time, res Result) ChangeKind {
	key := watchKey{res.List, res.Target}
	e := w.entries[key]
	switch {
	case res.Status == Listed && e == nil:
		w.entries[key] = &watched{codes: res.Codes}
		return BecameListed
	case res.Status == Listed:
		e.clean = time.Time{}
		if !sameCodes(e.codes, res.Codes) {
			e.codes = res.Codes
			return CodesChanged
		}
	case res.Status != NotListed || e == nil:
	case e.clean.IsZero():
		e.clean = now.Add(res.Answer.TTL)
		w.memory.doubt(res.Target.Kind())
	case !now.Before(e.clean):
		delete(w.entries, key)
		return Delisted
	}
	return ""
}

func sameCodes(a, b []Code) bool {
	for _, c := range a {
		if !holds(b, c) {
			return false
		}
	}
	return len(a) == len(b)
}

// lists returns the lists that went ill or got well. One that the catalogue knows to
// be out of service is neither.
func (w *watch) lists(now time.Time, results []Result) []Change {
	first, well := map[*List]Result{}, map[*List]bool{}
	var order []*List
	for _, res := range results {
		if _, known := first[res.List]; !known {
			first[res.List] = res
			order = append(order, res.List)
		}
		well[res.List] = well[res.List] || res.Status == Listed || res.Status == NotListed
	}
	var changes []Change
	for _, l := range order {
		switch {
		case !l.Usable():
		case !well[l] && !w.ill[l]:
			changes = append(changes, Change{now, WentIll, first[l]})
		case well[l] && w.ill[l]:
			changes = append(changes, Change{now, GotWell, first[l]})
		}
		w.ill[l] = !well[l]
	}
	return changes
}
