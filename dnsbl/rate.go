package dnsbl

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Rate is how many questions an operator takes in how long a time.
type Rate struct {
	Questions int
	Per       time.Duration
}

// String returns the rate as the catalogue writes it: "4000/5s".
func (r Rate) String() string { return strconv.Itoa(r.Questions) + "/" + short(r.Per) }

// MarshalText implements [encoding.TextMarshaler].
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// parseRate reads "4000/5s".
func parseRate(s string) (Rate, error) {
	count, per, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(count)
	d, derr := time.ParseDuration(per)
	if err != nil || derr != nil || n <= 0 || d <= 0 {
		return Rate{}, fmt.Errorf("%q is no rate such as 100/1s", s)
	}
	return Rate{n, d}, nil
}

// A bucket holds the questions that a rate still allows. It is full at first, and
// fills evenly. Its owner locks.
type bucket struct {
	rate   Rate
	tokens float64
	last   time.Time
}

// allowed returns how long to wait before a question may be asked.
func (b *bucket) allowed(now time.Time) time.Duration {
	full := float64(b.rate.Questions)
	if passed := now.Sub(b.last); b.last.IsZero() {
		b.tokens, b.last = full, now
	} else if passed > 0 {
		b.tokens, b.last = min(full, b.tokens+full*passed.Seconds()/b.rate.Per.Seconds()), now
	}
	if b.tokens >= 1 {
		return 0
	}
	return time.Duration((1 - b.tokens) * float64(b.rate.Per) / full)
}

// limits are the buckets of one operator. A question needs a token of each.
type limits []*bucket

func newLimits(rates []Rate) limits {
	var l limits
	for _, r := range rates {
		l = append(l, &bucket{rate: r})
	}
	return l
}

// take spends a token of each bucket if none asks to wait longer than patience,
// and returns how long to wait first; otherwise it spends nothing and returns the
// rate that forbids the question.
func (l limits) take(now time.Time, patience time.Duration) (time.Duration, *Rate) {
	wait := time.Duration(0)
	for _, b := range l {
		w := b.allowed(now)
		if w > patience {
			return 0, &b.rate
		}
		wait = max(wait, w)
	}
	for _, b := range l {
		b.tokens--
	}
	return wait, nil
}

// words tells the rate to people.
func (r Rate) words() string { return fmt.Sprintf("%d questions in %s", r.Questions, short(r.Per)) }

// short writes a duration without the zeros at its end: "24h", "1m30s".
func short(d time.Duration) string {
	s := d.String()
	if d >= time.Minute {
		s = strings.TrimSuffix(s, "0s")
	}
	if d >= time.Hour {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
