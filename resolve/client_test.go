package resolve_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

func TestClientTakesALateAnswer(t *testing.T) {
	zone := resolvetest.New(t, "late.example. A 192.0.2.1\n;! late.example A SLOW 60ms\n")
	server := resolvetest.Serve(t, zone)
	c := client(t, server)
	c.Tries = []time.Duration{10 * time.Millisecond, 10 * time.Millisecond, 5 * time.Second}
	a := c.Resolve(t.Context(), "late.example", resolve.A)
	if a.Status != resolve.OK {
		t.Fatalf("answer %v, want OK", a)
	}
	if a.Server != server || a.Tries < 1 || a.Tries > 3 {
		t.Errorf("answered by %q after %d tries, want %q after up to 3", a.Server, a.Tries, server)
	}
	if got, limit := len(zone.Asked()), 3; got > limit {
		t.Errorf("asked %d times, more than the %d tries: %v", got, limit, zone.Asked())
	}
}

func TestClientAsksTheNextServer(t *testing.T) {
	ill := resolvetest.New(t, ";! *.example ANY SERVFAIL\n;! mute.example ANY TIMEOUT\n")
	well := resolvetest.New(t, "a.example. A 192.0.2.1\nmute.example. A 192.0.2.2\n")
	c, err := resolve.NewClient(resolvetest.Serve(t, ill), resolvetest.Serve(t, well))
	if err != nil {
		t.Fatal(err)
	}
	c.Tries = quick
	for _, name := range []string{"a.example", "mute.example"} {
		if a := c.Resolve(t.Context(), name, resolve.A); a.Status != resolve.OK {
			t.Errorf("%s: %v, want the second server's answer", name, a)
		}
	}
	both, err := resolve.NewClient(resolvetest.Serve(t, ill), resolvetest.Serve(t, ill))
	if err != nil {
		t.Fatal(err)
	}
	if a := both.Resolve(t.Context(), "a.example", resolve.A); a.Status != resolve.ServFail {
		t.Errorf("both ill: %v, want SERVFAIL", a)
	}
}

// A server that failed is not asked again while another may still answer: its one lost
// packet costs no answer.
func TestClientLeavesAServerThatFailed(t *testing.T) {
	ill := resolvetest.New(t, ";! *.example ANY SERVFAIL\n")
	var n atomic.Int32
	well := scripted(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if n.Add(1) == 1 {
			return
		}
		m := new(dns.Msg).SetReply(q)
		m.Answer = []dns.RR{aRecord("a.example.", "192.0.2.1")}
		_ = w.WriteMsg(m)
	})
	c, err := resolve.NewClient(resolvetest.Serve(t, ill), well.Servers[0].String())
	if err != nil {
		t.Fatal(err)
	}
	c.Tries = []time.Duration{20 * time.Millisecond, 20 * time.Millisecond, 5 * time.Second}
	if a := c.Resolve(t.Context(), "a.example", resolve.A); a.Status != resolve.OK || len(ill.Asked()) != 1 {
		t.Errorf("%v after the first server was asked %d times, want the second's answer", a, len(ill.Asked()))
	}
}

func TestClientWithoutServer(t *testing.T) {
	listener, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.LocalAddr().String()
	listener.Close()
	if a := client(t, addr).Resolve(t.Context(), "a.example", resolve.A); a.Status.Known() {
		t.Errorf("closed port: %v, want a status that knows nothing", a)
	}
	if a := new(resolve.Client).Resolve(t.Context(), "a.example", resolve.A); a.Status != resolve.Other || a.Err == nil {
		t.Errorf("zero client: %v, want Other with an error", a)
	}
}

func TestClientEndsWithItsContext(t *testing.T) {
	zone := resolvetest.New(t, ";! mute.example ANY TIMEOUT\n")
	c := client(t, resolvetest.Serve(t, zone))
	c.Tries = []time.Duration{time.Hour}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if a := c.Resolve(ctx, "mute.example", resolve.A); a.Status != resolve.Canceled || a.Err == nil {
		t.Errorf("answer %v, want canceled with the cause", a)
	}
}

// scripted is a server that answers each packet as the test says.
func scripted(t *testing.T, respond func(w dns.ResponseWriter, q *dns.Msg)) *resolve.Client {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(respond)}
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go func() { _ = s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown() })
	return client(t, conn.LocalAddr().String())
}

func aRecord(name, addr string) dns.RR {
	return &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(addr)}
}

func TestClientDropsForgedAnswers(t *testing.T) {
	c := scripted(t, func(w dns.ResponseWriter, q *dns.Msg) {
		otherName := new(dns.Msg).SetReply(q)
		otherName.Question[0].Name = "evil.example."
		otherName.Answer = []dns.RR{aRecord("evil.example.", "203.0.113.66")}
		otherID := new(dns.Msg).SetReply(q)
		otherID.Id++
		otherID.Answer = []dns.RR{aRecord("a.example.", "203.0.113.66")}
		query := q.Copy()
		query.Answer = []dns.RR{aRecord("a.example.", "203.0.113.66")}
		right := new(dns.Msg).SetReply(q)
		right.Question[0].Name = "A.EXAMPLE."
		right.Answer = []dns.RR{aRecord("A.example.", "192.0.2.1")}
		for _, m := range []*dns.Msg{otherName, otherID, query} {
			_ = w.WriteMsg(m)
		}
		_, _ = w.Write([]byte("noise"))
		_ = w.WriteMsg(right)
	})
	a := c.Resolve(t.Context(), "a.example", resolve.A)
	if got := fmt.Sprint(a.Addrs()); got != "[192.0.2.1]" {
		t.Errorf("addresses %s (%v), want the true server's", got, a)
	}
}

func TestClientFallsBackFromEDNS(t *testing.T) {
	for _, withQuestion := range []bool{true, false} {
		c := scripted(t, func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			if q.IsEdns0() != nil {
				m.Rcode = dns.RcodeFormatError
				if !withQuestion {
					m.Question = nil
				}
			} else {
				m.Answer = []dns.RR{aRecord("a.example.", "192.0.2.1")}
			}
			_ = w.WriteMsg(m)
		})
		if a := c.Resolve(t.Context(), "a.example", resolve.A); a.Status != resolve.OK {
			t.Errorf("question repeated %v: %v, want OK", withQuestion, a)
		}
	}
}

func TestClientNamesOtherRcodes(t *testing.T) {
	c := scripted(t, func(w dns.ResponseWriter, q *dns.Msg) {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeNotImplemented))
	})
	a := c.Resolve(t.Context(), "a.example", resolve.A)
	if a.Status != resolve.Other || a.Err == nil || !strings.Contains(a.Err.Error(), "NOTIMP") {
		t.Errorf("answer %v, want Other that names NOTIMP", a)
	}
}

func TestClientTruncatedWithoutTCPIsNotAbsence(t *testing.T) {
	c := scripted(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Truncated = true
		_ = w.WriteMsg(m)
	})
	if a := c.Resolve(t.Context(), "a.example", resolve.A); a.Status != resolve.Other || a.Err == nil {
		t.Errorf("answer %v, want Other with the TCP error", a)
	}
}

// A packet cut inside a record is truncated, not malformed.
func TestClientAsksOverTCPForACutPacket(t *testing.T) {
	zone := resolvetest.New(t, "a.example. A 192.0.2.1\n")
	whole := resolvetest.Serve(t, zone)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		t.Skipf("the port is taken for TCP: %v", err)
	}
	defer tcp.Close()
	go func() {
		buf := make([]byte, 1500)
		n, from, err := udp.ReadFrom(buf)
		if err != nil {
			return
		}
		q := new(dns.Msg)
		_ = q.Unpack(buf[:n])
		m := new(dns.Msg).SetReply(q)
		m.Truncated = true
		m.Answer = []dns.RR{aRecord("a.example.", "192.0.2.1")}
		packet, _ := m.Pack()
		_, _ = udp.WriteTo(packet[:len(packet)-7], from)
	}()
	go func() {
		conn, err := tcp.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		c := &dns.Conn{Conn: conn}
		q, err := c.ReadMsg()
		if err != nil {
			return
		}
		m, err := dns.Exchange(q, whole)
		if err == nil {
			_ = c.WriteMsg(m)
		}
	}()
	if a := client(t, udp.LocalAddr().String()).Resolve(t.Context(), "a.example", resolve.A); a.Status != resolve.OK {
		t.Errorf("answer %v, want that of TCP", a)
	}
}

func TestClientTakesNoReferralForAbsence(t *testing.T) {
	c := scripted(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Ns = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: "example.", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: "ns.example."}}
		_ = w.WriteMsg(m)
	})
	if a := c.Resolve(t.Context(), "a.example", resolve.A); a.Status.Known() || a.Err == nil {
		t.Errorf("answer %v, want one that knows nothing", a)
	}
}

func TestClientSharesSocketsUnderLoad(t *testing.T) {
	var text strings.Builder
	for i := range 500 {
		fmt.Fprintf(&text, "h%d.example. A 192.0.2.%d\n", i, i%250+1)
	}
	c := client(t, resolvetest.Serve(t, resolvetest.New(t, text.String())))
	c.Tries = nil
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			a := c.Resolve(t.Context(), fmt.Sprintf("h%d.example", i), resolve.A)
			if got, want := fmt.Sprint(a.Addrs()), fmt.Sprintf("[192.0.2.%d]", i%250+1); got != want {
				t.Errorf("h%d: %s (%v), want %s", i, got, a, want)
			}
		})
	}
	wg.Wait()
}

func TestNewClient(t *testing.T) {
	c, err := resolve.NewClient("192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]", "[2001:db8::53]:5353")
	if err != nil {
		t.Fatal(err)
	}
	want := "[192.0.2.53:53 192.0.2.53:5353 [2001:db8::53]:53 [2001:db8::53]:53 [2001:db8::53]:5353]"
	if got := fmt.Sprint(c.Servers); got != want {
		t.Errorf("servers %s, want %s", got, want)
	}
	for _, bad := range []string{"dns.example", "", "192.0.2.53:0x", "192.0.2.300"} {
		if _, err := resolve.NewClient(bad); err == nil {
			t.Errorf("NewClient(%q): no error", bad)
		}
	}
	if _, err := resolve.NewClient(); err == nil {
		t.Error("NewClient(): no error")
	}
}

func BenchmarkClient(b *testing.B) {
	c := client(b, resolvetest.Serve(b, resolvetest.New(b, "*.example. A 127.0.0.2\n")))
	c.Tries = nil
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if a := c.Resolve(b.Context(), "1.2.0.192.example", resolve.A); a.Status != resolve.OK {
				b.Error(a)
			}
		}
	})
}
