package resolve_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// quick are tries for loopback, where an answer that has not come soon never
// will; the last is long enough for a machine that is busy.
var quick = []time.Duration{20 * time.Millisecond, 40 * time.Millisecond, 500 * time.Millisecond}

func client(t testing.TB, addr string) *resolve.Client {
	t.Helper()
	c, err := resolve.NewClient(addr)
	if err != nil {
		t.Fatal(err)
	}
	c.Tries = quick
	return c
}

func TestContract(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(*testing.T, *resolvetest.Zone) resolve.Resolver
	}{
		{"zone", func(_ *testing.T, z *resolvetest.Zone) resolve.Resolver { return z }},
		{"client", func(t *testing.T, z *resolvetest.Zone) resolve.Resolver {
			return client(t, resolvetest.Serve(t, z))
		}},
		{"cache", func(_ *testing.T, z *resolvetest.Zone) resolve.Resolver { return resolve.NewCache(z) }},
		{"cache of a client", func(t *testing.T, z *resolvetest.Zone) resolve.Resolver {
			return resolve.NewCache(client(t, resolvetest.Serve(t, z)))
		}},
		{"recorder", func(_ *testing.T, z *resolvetest.Zone) resolve.Resolver {
			return &resolve.Recorder{Resolver: z}
		}},
		{"replay", recordAndReplay},
	} {
		t.Run(tt.name, func(t *testing.T) { resolvetest.Contract(t, tt.make) })
	}
}

// recordAndReplay runs the contract once into a recorder and answers from what
// it wrote.
func recordAndReplay(t *testing.T, z *resolvetest.Zone) resolve.Resolver {
	rec := &resolve.Recorder{Resolver: z}
	t.Run("recording", func(t *testing.T) {
		resolvetest.Contract(t, func(*testing.T, *resolvetest.Zone) resolve.Resolver { return rec })
	})
	var file bytes.Buffer
	if _, err := rec.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	r, err := resolve.Replay(&file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
