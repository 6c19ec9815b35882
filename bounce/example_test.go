package bounce_test

import (
	"fmt"

	"github.com/rebound-mail/rebound/bounce"
)

func ExampleParseReply() {
	report := bounce.ParseReply("554 5.7.1 Service unavailable; Client host [198.51.100.23] blocked using bl.spamcop.net")
	r := report.Recipients[0]
	fmt.Println(r.Reason, r.Permanence, r.Response, "suppress:", r.Suppress)
	fmt.Println(r.Lists(), r.IPs())
	fmt.Println(r.Because.Says)
	// Output:
	// ip-listed permanent delist suppress: false
	// [bl.spamcop.net] [198.51.100.23]
	// The reply names the block list SpamCop and 198.51.100.23 on it.
}
