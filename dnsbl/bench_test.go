package dnsbl_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// A hundred lists, of which three list the address that is asked about, eight are
// sick in the ill scene.
var (
	address = netip.MustParseAddr("198.51.100.25")
	zones   = func() (names []string) {
		for i := range 100 {
			names = append(names, fmt.Sprintf("bl%03d.lists.test", i))
		}
		return names
	}()
	sickness = []string{";! *.%s ANY TIMEOUT", ";! *.%s ANY SERVFAIL", ";! *.%s ANY REFUSED", "*.%s. A 127.0.0.2", "*.%s. A 203.0.113.80", "*.%s. A 127.255.255.254", "other.%s. TXT emptied", "*.%s. A 127.0.0.1"}
)

func scene(ill bool) string {
	var text strings.Builder
	for i, zone := range zones {
		switch {
		case ill && i >= 3 && i < 3+len(sickness):
			fmt.Fprintf(&text, sickness[i-3]+"\n", zone)
			continue
		case i < 3:
			fmt.Fprintf(&text, "25.100.51.198.%s. A 127.0.0.%d\n25.100.51.198.%[1]s. TXT reason\n", zone, 2*i+2)
		}
		fmt.Fprintf(&text, "2.0.0.127.%s. A 127.0.0.2\n", zone)
	}
	return text.String()
}

// A line carries packets to a server and back, late and with losses.
type line struct {
	delay, jitter time.Duration
	loss          float64

	mu  sync.Mutex
	rng *rand.Rand
}

func (l *line) draw() (drop bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.jitter > 0 {
		wait = time.Duration(l.rng.Int64N(int64(l.jitter)))
	}
	return l.rng.Float64() < l.loss, l.delay + wait
}

// serve returns the address at which the server is reached over the line.
func (l *line) serve(b *testing.B, server string) string {
	b.Helper()
	front, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { front.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := front.ReadFrom(buf)
			if err != nil {
				return
			}
			packet := slices.Clone(buf[:n])
			if drop, wait := l.draw(); !drop {
				time.AfterFunc(wait, func() { relay(front, from, server, packet) })
			}
		}
	}()
	return front.LocalAddr().String()
}

func relay(front net.PacketConn, from net.Addr, server string, packet []byte) {
	back, err := net.Dial("udp", server)
	if err != nil {
		return
	}
	defer back.Close()
	_ = back.SetDeadline(time.Now().Add(3 * time.Second))
	buf := make([]byte, 1500)
	if _, err := back.Write(packet); err != nil {
		return
	}
	if n, err := back.Read(buf); err == nil {
		_, _ = front.WriteTo(buf[:n], from)
	}
}

// BenchmarkScene checks one address on a hundred lists 20 ms away: all well; eight
// sick, with jitter and 5 % loss; and these again with what the checker remembers.
// The metrics are medians: when 95 % and when all of the verdicts were there.
func BenchmarkScene(b *testing.B) {
	for _, s := range []struct {
		name       string
		ill, again bool
	}{{"healthy", false, false}, {"ill", true, false}, {"ill-again", true, true}} {
		b.Run(s.name, func(b *testing.B) {
			server := resolvetest.Serve(b, resolvetest.New(b, scene(s.ill)))
			l := &line{delay: 20 * time.Millisecond, rng: rand.New(rand.NewPCG(1, 2))}
			if s.ill {
				l.jitter, l.loss = 10*time.Millisecond, 0.05
			}
			client, err := resolve.NewClient(l.serve(b, server))
			if err != nil {
				b.Fatal(err)
			}
			var most, all []float64
			for b.Loop() {
				c := &dnsbl.Checker{Resolver: client, Catalogue: dnsbl.Own(zones...)}
				if s.again {
					for range c.Check(b.Context(), dnsbl.IP(address)) {
					}
				}
				times := timed(b, c)
				most, all = append(most, times[len(times)*95/100]), append(all, times[len(times)-1])
			}
			slices.Sort(most)
			slices.Sort(all)
			b.ReportMetric(most[len(most)/2], "ms-for-95%")
			b.ReportMetric(all[len(all)/2], "ms-for-all")
		})
	}
}

// timed returns when each verdict came, in milliseconds, in order. A wrong one fails.
func timed(b *testing.B, c *dnsbl.Checker) []float64 {
	b.Helper()
	begin := time.Now()
	var times []float64
	for res := range c.Check(b.Context(), dnsbl.IP(address)) {
		times = append(times, float64(time.Since(begin).Microseconds())/1000)
		if listed := slices.Index(zones, res.List.Zone) < 3; (res.Status == dnsbl.Listed) != listed {
			b.Errorf("%s: %s (%s)", res.List.Zone, res.Status, res.Why)
		}
	}
	return times
}

// Whatever gets lost on the way, no list is said to list what it does not, and none
// to be clean that did not answer.
func TestLosses(t *testing.T) {
	zone := resolvetest.New(t, scene(true))
	listed, unknown := 0, 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var mu sync.Mutex
		lost := map[string]bool{}
		c := &dnsbl.Checker{Catalogue: dnsbl.Own(zones...), Resolver: resolverFunc(func(ctx context.Context, name string, typ resolve.Type) resolve.Answer {
			mu.Lock()
			defer mu.Unlock()
			if rng.Float64() < 0.1 {
				lost[name+" "+typ.String()] = true
				return resolve.Answer{Name: name, Type: typ, Status: resolve.Timeout, Tries: 3}
			}
			return zone.Resolve(ctx, name, typ)
		})}
		for res := range c.Check(t.Context(), dnsbl.IP(address)) {
			at := slices.Index(zones, res.List.Zone)
			mu.Lock()
			silent := lost["25.100.51.198."+res.List.Zone+" A"]
			mu.Unlock()
			switch {
			case res.Status == dnsbl.Listed && at >= 3, res.Status == dnsbl.NotListed && (at < 3+len(sickness) || silent):
				t.Fatalf("seed %d: %s: %s", seed, res.List.Zone, res.Status)
			case at < 3 && res.Status == dnsbl.Listed:
				listed++
			case res.Status == dnsbl.Unknown:
				unknown++
			}
		}
	}
	if listed < 600 || unknown < 3000 {
		t.Errorf("%d listings and %d unknown in all: the test loses too much or too little", listed, unknown)
	}
}

type resolverFunc func(ctx context.Context, name string, t resolve.Type) resolve.Answer

func (f resolverFunc) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	return f(ctx, name, t)
}
