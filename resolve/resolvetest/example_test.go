package resolvetest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

func ExampleNew() {
	var t testing.T // in a test, its own t
	zone := resolvetest.New(&t, `
shop.example. MX 10 mail.shop.example.
;! bl.example ANY SERVFAIL
`)
	ctx := context.Background()
	fmt.Println(zone.Resolve(ctx, "shop.example", resolve.MX))
	fmt.Println(zone.Resolve(ctx, "bl.example", resolve.A))
	fmt.Println(zone.Asked())
	// Output:
	// shop.example MX: 10 mail.shop.example.
	// bl.example A: SERVFAIL
	// [bl.example A shop.example MX]
}
