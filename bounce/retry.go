package bounce

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// retryPattern reads the wait that a reply states: "try again in 300 seconds",
// "Greylisted for 5 minutes", "retry after 1 hour", "421 4.7.28: 10 minutes".
var retryPattern = regexp.MustCompile(`(?i)\b(?:in|for|after|wait|within|least|next|until)[: ]+(?:at least |about |the next )?(\d{1,5})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b`)

// retryTime reads a time behind a word that says when to try again.
var retryTime = regexp.MustCompile(`(?i)\b(?:after|until|at|before)\s+(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\s?[+-]\d\d:?\d\d)?|(?:[A-Za-z]{3}, )?\d{1,2} [A-Za-z]{3} \d{4} \d\d:\d\d:\d\d (?:[+-]\d{4}|GMT|UTC))`)

var retryLayouts = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "Mon, 2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 -0700", time.RFC1123, "2 Jan 2006 15:04:05 MST"}

// maxRetryAfter: nobody keeps a mail longer (RFC 5321, section 4.5.4.1).
const maxRetryAfter = 5 * 24 * time.Hour

// retryAfter returns the stated wait, or zero.
func retryAfter(text string) time.Duration {
	if !strings.ContainsAny(text, "0123456789") {
		return 0
	}
	m := retryPattern.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[lowerByte(m[2][0])]
	return min(time.Duration(n)*unit, maxRetryAfter)
}

// retryAt returns the time that a reply names for another try, in UTC where it
// names no zone; zero where it names none.
func retryAt(text string) time.Time {
	if !holds(text, retryWords) {
		return time.Time{}
	}
	m := retryTime.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}
	}
	for _, layout := range retryLayouts {
		if t, err := time.Parse(layout, m[1]); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
