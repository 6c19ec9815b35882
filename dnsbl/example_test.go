package dnsbl_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/resolve"
)

func ExampleChecker_Report() {
	resolver, _ := resolve.Replay(strings.NewReader(`
2.0.0.127.zen.spamhaus.org. A 127.0.0.2
23.100.51.198.zen.spamhaus.org. A 127.0.0.4
;! *.bl.spamcop.net ANY TIMEOUT
`))
	checker := dnsbl.Checker{Resolver: resolver, Catalogue: dnsbl.Default().Select(dnsbl.WithID("spamhaus-zen", "spamcop"))}
	target, _ := dnsbl.ParseTarget("198.51.100.23")
	report := checker.Report(context.Background(), target)
	fmt.Println(report.Tally())
	for _, res := range report.Results {
		fmt.Printf("%s %s: %s%s\n", res.List.Zone, res.Status, res.Meaning(), res.Why)
	}
	for _, removal := range report.Removals() {
		for _, fix := range removal.Fixes() {
			fmt.Println("-", fix.What)
		}
	}
	// Output:
	// listed on 1, clean on 0, 1 gave no answer (1 of high weight)
	// zen.spamhaus.org listed: XBL: infected or hijacked machine (data of the CBL)
	// bl.spamcop.net unknown: no answer came in time
	// - Look the address up at check.spamhaus.org: it shows when it was last detected and the HELO name that was used.
	// - Find the infected machine or stolen account behind the address and clean it; behind NAT it may be any machine of the network.
	// - Then ask for the removal at check.spamhaus.org, or wait: the entry runs out by itself once the infection has stopped, and comes back within hours while it has not.
}

func ExampleCatalogue_ByZone() {
	l := dnsbl.Default().ByZone("dnsbl.sorbs.net")
	fmt.Println(l.Name, l.Closed())
	// Output: SORBS dnsbl emptied 2024-06-05
}
