package bounce

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// retryTime reads a time behind a word that says when to try again.
var retryTime = regexp.MustCompile(`(?i)\b(?:after|until|at|before)\s+(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\s?[+-]\d\d:?\d\d)?|(?:[A-Za-z]{3}, )?\d{1,2} [A-Za-z]{3} \d{4} \d\d:\d\d:\d\d (?:[+-]\d{4}|GMT|UTC))`)

var retryLayouts = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "Mon, 2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 -0700", time.RFC1123, "2 Jan 2006 15:04:05 MST"}

// maxRetryAfter: nobody keeps a mail longer (RFC 5321, section 4.5.4.1).
const maxRetryAfter = 5 * 24 * time.Hour

// waitLeads are the words that stand before a wait.
var waitLeads = []string{"in", "for", "after", "wait", "within", "least", "about", "next", "until"}

// waitUnits are the units of a wait, by their first letters.
var waitUnits = []struct {
	words []string
	unit  time.Duration
}{
	{[]string{"s", "sec", "secs", "second", "seconds"}, time.Second},
	{[]string{"m", "min", "mins", "minute", "minutes"}, time.Minute},
	{[]string{"h", "hr", "hrs", "hour", "hours"}, time.Hour},
	{[]string{"d", "day", "days"}, 24 * time.Hour},
}

// retryAfter returns the wait that a reply states, or zero: "try again in 300
// seconds", "Greylisted for 5 minutes", "retry after 1 hour".
func retryAfter(text string) time.Duration {
	for i := 0; i < len(text); i++ {
		if !isDigit(text[i]) {
			continue
		}
		end := i
		for end < len(text) && isDigit(text[end]) {
			end++
		}
		n, err := strconv.Atoi(text[i:min(end, i+6)])
		if unit := unitAt(text[end:]); unit > 0 && err == nil && n < 100_000 && endsInLead(strings.TrimRight(text[:i], " :"), waitLeads) {
			return min(time.Duration(n)*unit, maxRetryAfter)
		}
		i = end
	}
	return 0
}

// unitAt reads a unit of time at the start of a text.
func unitAt(text string) time.Duration {
	text = strings.TrimLeft(text, " ")
	end := 0
	for end < len(text) && isWord(text[end]) {
		end++
	}
	for _, u := range waitUnits {
		for _, word := range u.words {
			if len(word) == end && hasPrefixFold(text, word) {
				return u.unit
			}
		}
	}
	return 0
}

// namesTime reports whether a text holds a time of day with seconds.
func namesTime(text string) bool {
	for i := 2; i+3 < len(text); i++ {
		if text[i] == ':' && text[i+3] == ':' && isDigit(text[i-1]) && isDigit(text[i+1]) {
			return true
		}
	}
	return false
}

// retryAt returns the time that a reply names for another try, in UTC where it
// names no zone; zero where it names none.
func retryAt(text string) time.Time {
	if !namesTime(text) || !holds(text, retryWords) {
		return time.Time{}
	}
	m := retryTime.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}
	}
	for _, layout := range retryLayouts {
		if t, err := time.Parse(layout, m[1]); err == nil {
			return plausible(t.UTC())
		}
	}
	return time.Time{}
}
