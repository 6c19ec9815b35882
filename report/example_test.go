package report_test

import (
	"context"
	"fmt"
	"os"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/report"
	"github.com/rebound-mail/rebound/resolve"
)

func ExampleText() {
	d, err := (&rebound.Diagnoser{Resolver: resolve.Offline{}}).Diagnose(context.Background(), rebound.Case{
		Reply: "450 4.2.0 <anna@recipient.example>: Recipient address rejected: Greylisted, try again in 300 seconds",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	d.Checks = nil
	_ = report.Text(os.Stdout, d, report.Options{Width: 72})
	// Output:
	// Refused   The receiving server refused mail to anna@recipient.example: for now.
	// Cause     Greylisting: a first contact is put off, and must be tried again; nobody's fault, certain.
	// They say  "450 4.2.0 <anna@recipient.example>: Recipient address rejected: Greylisted, try again in…
	// Do first  You: Try again from the same address with the same envelope after 5, 15 and 60 minutes…
	// Address   Keep the address. Try again after 5 min.
	//
	// Why
	// 1. Greylisting: a first contact is put off, and must be tried again
	//    (certain; nobody but the receiver can check it).
	//    - they say: 450 4.2.0 <anna@recipient.example>: Recipient address
	//      rejected: Greylisted, try again in 300 seconds
	//    - rule: greylisting-plain: The server puts off every first attempt of
	//      a new sender and recipient pair.
	//
	// What to do, in this order
	// 1. [re-test] you: Try again from the same address with the same envelope
	//    after 5, 15 and 60 minutes, for up to five days. A program without a
	//    queue hands its mail to an MTA or relay that has one.
	//    takes: 5 to 60 minutes, as the server is set
	//    to see that it is done: The mail is accepted.
}
