package bounce

import (
	"regexp"
	"strconv"
	"time"
)

// retryPattern reads the wait that a reply states: "try again in 300 seconds",
// "Greylisted for 5 minutes", "retry after 1 hour".
var retryPattern = regexp.MustCompile(`(?i)\b(?:in|for|after|wait|within)\s+(?:at least\s+)?(\d{1,5})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b`)

// maxRetryAfter: nobody keeps a mail longer (RFC 5321, section 4.5.4.1).
const maxRetryAfter = 5 * 24 * time.Hour

// retryAfter returns the stated wait, or zero.
func retryAfter(text string) time.Duration {
	m := retryPattern.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour}[lowerByte(m[2][0])]
	return min(time.Duration(n)*unit, maxRetryAfter)
}
