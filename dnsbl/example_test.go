package dnsbl_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/resolve"
)

func ExampleCheck() {
	resolver, _ := resolve.Replay(strings.NewReader(`
2.0.0.127.zen.spamhaus.org. A 127.0.0.2
23.100.51.198.zen.spamhaus.org. A 127.0.0.4
;! *.bl.spamcop.net ANY TIMEOUT
`))
	target, _ := dnsbl.ParseTarget("198.51.100.23")
	lists := dnsbl.Default().Select(func(l *dnsbl.List) bool { return l.ID == "spamhaus-zen" || l.ID == "spamcop" })
	for _, res := range dnsbl.Check(context.Background(), resolver, lists, target) {
		fmt.Printf("%s %s: %s%s\n", res.List.Zone, res.Status, res.Meaning(), res.Why)
	}
	// Output:
	// zen.spamhaus.org listed: XBL: infected or hijacked machine (data of the CBL)
	// bl.spamcop.net unknown: no answer came in time
}

func ExampleCatalogue_ByZone() {
	l := dnsbl.Default().ByZone("dnsbl.sorbs.net")
	fmt.Println(l.Name, l.Closed())
	// Output: SORBS dnsbl emptied 2024-06-05
}
