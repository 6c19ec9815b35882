package rebound_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/resolve"
)

func ExampleDiagnoser_Diagnose() {
	dns, _ := resolve.Replay(strings.NewReader(`
2.0.0.127.bl.spamcop.net. A 127.0.0.2
23.100.51.198.bl.spamcop.net. A 127.0.0.2
`))
	diagnoser := &rebound.Diagnoser{Resolver: dns}
	d, err := diagnoser.Diagnose(context.Background(), rebound.Case{
		Reply: "554 5.7.1 Service unavailable; Client host [198.51.100.23] blocked using bl.spamcop.net",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Headline.Why)
	fmt.Println(d.Fault, d.Response, d.Suppress)
	// Output:
	// 198.51.100.23 is on SpamCop SCBL; the sender's fault, certain, seen now.
	// sender delist []
}
