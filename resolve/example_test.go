package resolve_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/resolve"
)

func ExampleResolver() {
	r, err := resolve.Replay(strings.NewReader(`
shop.example. MX 10 mail.shop.example.
;! bl.example ANY SERVFAIL
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"shop.example", "absent.example", "bl.example"} {
		a := r.Resolve(context.Background(), name, resolve.MX)
		fmt.Printf("%v, known: %v\n", a, a.Status.Known())
	}
	// Output:
	// shop.example MX: 10 mail.shop.example., known: true
	// absent.example MX: NXDOMAIN, known: true
	// bl.example MX: SERVFAIL, known: false
}
