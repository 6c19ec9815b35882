//go:build unix

package dnsbl_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

const serveEnv = "REBOUND_SERVE_LISTS"

// TestServeLists is the server of BenchmarkMany, in a process of its own so that its
// processor time is not counted.
func TestServeLists(t *testing.T) {
	if os.Getenv(serveEnv) == "" {
		t.Skip("only for BenchmarkMany")
	}
	fmt.Println("serving", resolvetest.Serve(t, resolvetest.New(t, scene(false))))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func serveLists(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServeLists$")
	cmd.Env = append(os.Environ(), serveEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if addr, ok := strings.CutPrefix(lines.Text(), "serving "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return addr
		}
	}
	b.Fatal("the server does not start")
	return ""
}

// used is the processor time of this process.
func used() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkMany asks 100 lists about 1,000 addresses, 1,000 questions at a time: with
// a Checker, and with net.Resolver, in the same run. The ratio is that of the
// questions for a second of processor time.
func BenchmarkMany(b *testing.B) {
	const inFlight = 1000
	addr := serveLists(b)
	client, err := resolve.NewClient(addr)
	if err != nil {
		b.Fatal(err)
	}
	client.Tries = []time.Duration{time.Second, time.Second, time.Second} // the server shares our processors
	var addrs []netip.Addr
	var targets []dnsbl.Target
	for i := range 1000 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{203, 0, byte(i / 250), byte(i % 250)}))
		targets = append(targets, dnsbl.IP(addrs[i]))
	}
	var ours, theirs time.Duration
	for b.Loop() {
		begin := used()
		c := &dnsbl.Checker{Resolver: client, Catalogue: dnsbl.Own(zones...), Concurrency: inFlight}
		for res := range c.Check(b.Context(), targets...) {
			if res.Status != dnsbl.NotListed {
				b.Errorf("%s on %s: %s (%s)", res.Target, res.List.Zone, res.Status, res.Why)
			}
		}
		middle := used()
		lookUpAll(b, addr, addrs, inFlight)
		ours, theirs = ours+middle-begin, theirs+used()-middle
	}
	questions := float64(b.N * len(addrs) * len(zones))
	b.ReportMetric(questions/ours.Seconds(), "questions/core-s")
	b.ReportMetric(questions/theirs.Seconds(), "net-questions/core-s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
}

func lookUpAll(b *testing.B, server string, addrs []netip.Addr, inFlight int) {
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server)
	}}
	names := make(chan string, inFlight)
	var workers sync.WaitGroup
	for range inFlight {
		workers.Go(func() {
			for name := range names {
				_, _ = r.LookupIP(b.Context(), "ip4", name)
			}
		})
	}
	for _, a := range addrs {
		for _, zone := range zones {
			names <- resolve.ReverseLabels(a) + "." + zone + "."
		}
	}
	close(names)
	workers.Wait()
}
