package bounce_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

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

func ExampleReport_Err() {
	report := bounce.ParseReply("550 5.7.1 [198.51.100.23] Our system has blocked your address: it is listed by Spamhaus (zen.spamhaus.org)")
	fmt.Println(errors.Is(report.Err(), bounce.ErrListed), errors.Is(report.Err(), bounce.ErrSuppress))
	// Output: true false
}

func ExamplePolicy_Decide() {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 12, 0, 0, 0, time.UTC) }
	history := bounce.NewHistory()
	for _, n := range []int{1, 4} {
		report := bounce.ParseReply("550 5.1.1 <anna@recipient.example>: Recipient address rejected: User unknown in virtual mailbox table")
		report.Recipients[0].Address = "anna@recipient.example" // an SMTP client knows
		for _, e := range report.Events("newsletter", fmt.Sprint("bounce ", n), day(n)) {
			history.Add(e)
		}
		ruling := bounce.Policy{}.Decide(history, "anna@recipient.example", day(n))
		fmt.Printf("%s %s: %s\n", ruling.Do, ruling.Scope, ruling.Why)
	}
	// Output:
	// keep : It was refused for good 1 of 2 times; a delivery between makes that good.
	// suppress address: The address was refused for good more than once, with no delivery between: unknown-recipient.
}

func ExampleRules_With() {
	rules, err := bounce.DefaultRules().With(strings.NewReader(`
id: own-frozen
scope: any
match: account frozen by the office
reason: mailbox-disabled
meaning: The office has closed the mailbox.
source: the manual of mail.recipient.example
example: 550 5.2.1 Account frozen by the office
`))
	if err != nil {
		panic(err)
	}
	r := rules.ParseReply("550 5.2.1 Account frozen by the office, ask Anna").Recipients[0]
	fmt.Println(r.Reason, "by", r.Because.Rule)
	// Output: mailbox-disabled by own-frozen
}
