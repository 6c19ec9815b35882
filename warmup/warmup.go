// Package warmup plans how the volume of a new address or domain grows, and steers it by
// what comes back.
//
// The figures that this package states were measured on a model of receivers (package
// warmuptest) that is ours, and that was not fitted to the logs of real ones. Put in your
// own receivers with [warmuptest.Receiver], or your own world with a file, and simulate
// before you rely on them.
//
// Before the first mail, a [Plan] gives a [Schedule]:
//
//	schedule, err := warmup.Plan{Target: 1_000_000, Start: monday, Mix: warmup.Mix{
//		"google": 0.5, "microsoft": 0.3, warmup.Other: 0.2,
//	}}.Schedule()
//
// From then on a [Controller] says how many mails may go to each provider now, and why:
//
//	grant := c.Allow("192.0.2.1", "google", len(queue), time.Now())
//	send(queue[:grant.OK])  // grant.RetryAt says when more may go, grant.Reason why
//	c.Observe("192.0.2.1", warmup.Outcome{Provider: "google", Kind: warmup.Delivered}, time.Now())
//
// A schedule is a guess that no receiver has agreed to; the controller goes faster where
// all is well and stops before a receiver blocks. A provider is whoever runs the mail
// servers of a recipient ([ByMX]), not the recipient's domain: most domains of companies
// are at Google or Microsoft, which count them together.
//
// The package is pure: no goroutine, no clock, no network. The time is passed in, and the
// same state and outcomes give the same allowance. [File] is the only thing that touches
// a disk. A Controller is safe for concurrent use.
package warmup

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Provider names who runs the mail servers of recipients: "google". Names are in lower
// case.
type Provider string

// valid reports whether p can be a name.
func (p Provider) valid() bool {
	return p != "" && len(p) <= 100 && utf8.ValidString(string(p)) && p == Provider(strings.ToLower(string(p))) &&
		!strings.ContainsFunc(string(p), func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// Other stands for all providers that a [Mix] does not name.
const Other Provider = "other"

// A Mix is the share of each provider in the mail, 0 to 1; the shares sum to 1. Mail to a
// provider that it does not name counts as Other's.
type Mix map[Provider]float64

// DefaultMix is the mix of an ordinary list of consumers; a judgement. Count your own
// list with [ByMX].
func DefaultMix() Mix {
	return Mix{"google": 0.45, "microsoft": 0.2, "yahoo": 0.15, "apple": 0.05, Other: 0.15}
}

// Errors of a plan or goal. They are wrapped with what is wrong.
var (
	ErrMix    = errors.New("warmup: the mix is not one")
	ErrTarget = errors.New("warmup: the target is out of range")
	ErrStart  = errors.New("warmup: there is no start")
	// ErrProvider is for a provider that a mix without Other does not name, or whose name is
	// none.
	ErrProvider = errors.New("warmup: unknown provider")
)

// MaxTarget is the largest target, in mails a day.
const MaxTarget = 1_000_000_000

func checkTarget(n int) error {
	if n < 1 || n > MaxTarget {
		return fmt.Errorf("%w: %d mails a day, and it may be 1 to %d", ErrTarget, n, MaxTarget)
	}
	return nil
}

// check reports why a mix is none.
func (m Mix) check() error {
	if len(m) == 0 {
		return fmt.Errorf("%w: it has no shares", ErrMix)
	}
	sum := 0.0
	for _, p := range m.Providers() {
		share := m[p]
		switch {
		case !p.valid():
			return fmt.Errorf("%w: %q is no name of a provider", ErrMix, p)
		case math.IsNaN(share) || share < 0 || share > 1:
			return fmt.Errorf("%w: the share of %s is %v, and it may be 0 to 1", ErrMix, p, share)
		}
		sum += share
	}
	if math.Abs(sum-1) > 0.005 {
		return fmt.Errorf("%w: the shares sum to %.4g, not 1", ErrMix, sum)
	}
	return nil
}

// Providers are those of a mix, the largest share first, Other last.
func (m Mix) Providers() []Provider {
	return slices.SortedFunc(maps.Keys(m), func(a, b Provider) int {
		switch {
		case a == b:
			return 0
		case a == Other:
			return 1
		case b == Other:
			return -1
		case m[a] != m[b]:
			if m[a] > m[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(string(a), string(b))
	})
}

// split divides n by the shares; the parts sum to n.
func (m Mix) split(n int, order []Provider) []int {
	parts := make([]int, len(order))
	sum := 0.0
	for _, p := range order {
		sum += m[p]
	}
	rests := make([]float64, len(order))
	left := n
	for i, p := range order {
		exact := float64(n) * m[p] / sum
		parts[i] = int(exact)
		rests[i] = exact - float64(parts[i])
		left -= parts[i]
	}
	by := make([]int, len(order))
	for i := range by {
		by[i] = i
	}
	slices.SortStableFunc(by, func(a, b int) int {
		switch {
		case rests[a] > rests[b]:
			return -1
		case rests[a] < rests[b]:
			return 1
		}
		return 0
	})
	for i := 0; left > 0; i++ {
		parts[by[i%len(by)]]++
		left--
	}
	return parts
}

// A Date is a day of the calendar, counted from 1970-01-01. As text it is 2026-11-24.
type Date int32

// DateOf is the day of a time, in the time's own zone.
func DateOf(t time.Time) Date {
	_, offset := t.Zone()
	return Date(floorDiv(t.Unix()+int64(offset), 86400))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Time is the start of the day in UTC.
func (d Date) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String returns the day as 2026-11-24.
func (d Date) String() string { return d.Time().Format(time.DateOnly) }

// MarshalText implements [encoding.TextMarshaler].
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Date) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.DateOnly, string(b))
	if err != nil {
		return fmt.Errorf("warmup: %q is no day: it has the form 2026-11-24", b)
	}
	*d = DateOf(t)
	return nil
}
