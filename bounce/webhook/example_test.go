package webhook_test

import (
	"fmt"

	"github.com/rebound-mail/rebound/bounce/webhook"
)

func ExampleParse() {
	body := []byte(`[{"event":"bounce","type":"blocked","sg_event_id":"e1","sg_message_id":"m1","email":"anna@recipient.example",
		"reason":"554 5.7.1 Service unavailable; Client host [198.51.100.23] blocked using bl.spamcop.net","status":"5.7.1"}]`)
	reports, err := webhook.Parse(body)
	for _, report := range reports { // there may be some beside an error
		for _, r := range report.Recipients {
			fmt.Println(report.Service, r.Address, r.Reason, r.Lists(), "suppress:", r.Suppress)
		}
	}
	fmt.Println(err)
	// Output:
	// sendgrid anna@recipient.example ip-listed [bl.spamcop.net] suppress: false
	// <nil>
}
