package resolvetest

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/internal/escape"
)

// Serve answers from z over UDP and TCP on a loopback port until the test ends,
// and returns the address ("127.0.0.1:40001"). Faults are real there: TIMEOUT
// sends nothing, TRUNCATE sets TC over UDP, MALFORMED sends octets that are no
// message, SLOW waits.
func Serve(t testing.TB, z *Zone) string {
	t.Helper()
	udp, tcp := listen(t)
	h := &handler{zone: z, slow: map[*time.Timer]func(){}}
	servers := []*dns.Server{{PacketConn: udp, Handler: h}, {Listener: tcp, Handler: h}}
	var running sync.WaitGroup
	for _, s := range servers {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		running.Go(func() { _ = s.ActivateAndServe() })
		<-started
	}
	t.Cleanup(func() {
		h.stop()
		for _, s := range servers {
			_ = s.Shutdown()
		}
		running.Wait()
	})
	return udp.LocalAddr().String()
}

// listen finds a port that is free for both.
func listen(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("resolvetest.Serve: %v", err)
		}
		// Room for a burst of questions; the system may give less.
		_ = udp.(*net.UDPConn).SetReadBuffer(8 << 20)
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp
		}
		udp.Close()
	}
	t.Fatal("resolvetest.Serve: no port is free for both UDP and TCP")
	return nil, nil
}

type handler struct {
	zone *Zone

	mu   sync.Mutex
	done bool
	slow map[*time.Timer]func()
}

// stop answers at once what a SLOW line holds back.
func (h *handler) stop() {
	h.mu.Lock()
	h.done = true
	due := h.slow
	h.slow = nil
	h.mu.Unlock()
	for timer, answer := range due {
		if timer.Stop() {
			answer()
		}
	}
}

// after waits for d, or until stop.
func (h *handler) after(d time.Duration) {
	over := make(chan struct{})
	release := sync.OnceFunc(func() { close(over) })
	timer := time.AfterFunc(d, release)
	h.mu.Lock()
	if h.done {
		release()
	} else {
		h.slow[timer] = release
	}
	h.mu.Unlock()
	<-over
	h.mu.Lock()
	delete(h.slow, timer)
	h.mu.Unlock()
}

// ServeDNS implements [dns.Handler].
func (h *handler) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	if len(q.Question) != 1 {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeFormatError))
		return
	}
	_, overTCP := w.RemoteAddr().(*net.TCPAddr)
	name, err := resolve.Name(escape.Undo(q.Question[0].Name))
	if err != nil {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeFormatError))
		return
	}
	t := resolve.Type(q.Question[0].Qtype)
	if !overTCP {
		h.zone.note(name, t)
	}
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	switch fault, delay := h.zone.zone.FaultOf(name, t); fault {
	case resolve.FaultTimeout:
		return
	case resolve.FaultServFail:
		m.Rcode = dns.RcodeServerFailure
	case resolve.FaultRefused:
		m.Rcode = dns.RcodeRefused
	case resolve.FaultMalformed:
		packet, _ := m.Pack()
		_, _ = w.Write(append(packet[:12:12], 0xc0, 0xff, 0xee)) // a name that points at itself
		return
	case resolve.FaultTruncate:
		if !overTCP {
			m.Truncated = true
			break
		}
		h.fill(m, name, t)
	case resolve.FaultSlow:
		h.after(delay)
		h.fill(m, name, t)
	default:
		h.fill(m, name, t)
	}
	if !overTCP {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		m.Truncate(size)
	}
	_ = w.WriteMsg(m)
}

// fill copies the zone's answer, and an SOA for an absence.
func (h *handler) fill(m *dns.Msg, name string, t resolve.Type) {
	a := h.zone.zone.Answer(name, t)
	owner := m.Question[0].Name
	for _, target := range a.Chain {
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: header(owner, dns.TypeCNAME, a.TTL), Target: dns.Fqdn(target)})
		owner = dns.Fqdn(target)
	}
	for _, r := range a.Records {
		m.Answer = append(m.Answer, rr(r, owner))
	}
	switch a.Status {
	case resolve.OK:
		return
	case resolve.ServFail:
		m.Rcode = dns.RcodeServerFailure
		return
	case resolve.NXDomain:
		m.Rcode = dns.RcodeNameError
	}
	m.Ns = []dns.RR{&dns.SOA{
		Hdr: header(".", dns.TypeSOA, a.TTL), Ns: "ns.example.", Mbox: "hostmaster.example.",
		Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: uint32(a.TTL / time.Second),
	}}
}

func header(owner string, t uint16, ttl time.Duration) dns.RR_Header {
	return dns.RR_Header{Name: owner, Rrtype: t, Class: dns.ClassINET, Ttl: uint32(ttl / time.Second)}
}

func rr(r resolve.Record, owner string) dns.RR {
	h := header(owner, uint16(r.Type), r.TTL)
	switch r.Type {
	case resolve.A:
		return &dns.A{Hdr: h, A: r.Addr.AsSlice()}
	case resolve.AAAA:
		return &dns.AAAA{Hdr: h, AAAA: r.Addr.AsSlice()}
	case resolve.CNAME:
		return &dns.CNAME{Hdr: h, Target: dns.Fqdn(r.Host)}
	case resolve.MX:
		return &dns.MX{Hdr: h, Preference: r.Pref, Mx: dns.Fqdn(r.Host)}
	case resolve.NS:
		return &dns.NS{Hdr: h, Ns: dns.Fqdn(r.Host)}
	case resolve.PTR:
		return &dns.PTR{Hdr: h, Ptr: dns.Fqdn(r.Host)}
	case resolve.TXT, resolve.SPF:
		txt := make([]string, len(r.Strings))
		for i, s := range r.Strings {
			txt[i] = escape.Text(s)
		}
		return &dns.TXT{Hdr: h, Txt: txt}
	}
	made, err := dns.NewRR(dns.Fqdn(r.Name) + " " + r.Type.String() + " " + r.Text)
	if err != nil {
		return &dns.NULL{Hdr: h}
	}
	made.Header().Ttl = h.Ttl
	return made
}
