package dnsbl

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rebound-mail/rebound/resolve"
)

// hostile serves lists whose answers are attacks, each under a zone of its own. Behind
// the attack the true answer follows where the zone's name says so.
func hostile(t *testing.T) *resolve.Client {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		t.Skipf("the port is taken for TCP: %v", err)
	}
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: dns.HandlerFunc(attack)}, {Listener: tcp, Handler: dns.HandlerFunc(attack)}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	c, err := resolve.NewClient(udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Tries = []time.Duration{300 * time.Millisecond, 300 * time.Millisecond, time.Second}
	return c
}

func record(name, addr string) *dns.A {
	return &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(addr)}
}

func attack(w dns.ResponseWriter, q *dns.Msg) {
	name, typ := q.Question[0].Name, q.Question[0].Qtype
	_, overTCP := w.RemoteAddr().(*net.TCPAddr)
	reply := func() *dns.Msg { m := new(dns.Msg).SetReply(q); m.RecursionAvailable = true; return m }
	absent := func() *dns.Msg {
		m := reply()
		m.Rcode = dns.RcodeNameError
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: "ns.test.", Mbox: "h.test.", Minttl: 60}}
		return m
	}
	listing := func() *dns.Msg { m := reply(); m.Answer = []dns.RR{record(name, "127.0.0.2")}; return m }
	switch {
	case strings.HasPrefix(name, "2.0.0.127."):
		_ = w.WriteMsg(listing())
		return
	case strings.HasPrefix(name, "1.0.0.127.") || typ == dns.TypeSOA:
		_ = w.WriteMsg(absent())
		return
	}
	switch zone := strings.TrimPrefix(name, "25.100.51.198."); zone {
	case "wrong-id.test.":
		m := listing()
		m.Id++
		_ = w.WriteMsg(m)
		_ = w.WriteMsg(absent())
	case "wrong-question.test.":
		m := listing()
		m.Question[0].Name = "26.100.51.198.wrong-question.test."
		_ = w.WriteMsg(m)
		_ = w.WriteMsg(absent())
	case "wrong-owner.test.":
		m := absent()
		m.Rcode = dns.RcodeSuccess
		m.Answer = []dns.RR{record("other.example.", "127.0.0.2")}
		_ = w.WriteMsg(m)
	case "loop.test.":
		m := reply()
		m.Answer = []dns.RR{
			&dns.CNAME{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60}, Target: "a.test."},
			&dns.CNAME{Hdr: dns.RR_Header{Name: "a.test.", Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60}, Target: name},
			record("b.test.", "127.0.0.2"),
		}
		_ = w.WriteMsg(m)
	case "many.test.":
		m := reply()
		if !overTCP {
			m.Truncated = true
			_ = w.WriteMsg(m)
			return
		}
		if typ == dns.TypeA {
			for i := range 4000 {
				m.Answer = append(m.Answer, record(name, fmt.Sprintf("127.0.%d.%d", i/200, i%200+2)))
			}
		}
		m.Compress = true
		_ = w.WriteMsg(m)
	case "cut.test.": // truncated, and nothing over TCP
		if overTCP {
			_ = w.Close()
			return
		}
		m := listing()
		m.Truncated = true
		_ = w.WriteMsg(m)
	case "short.test.":
		packet, _ := listing().Pack()
		packet = packet[:len(packet)-1]
		packet[len(packet)-4]-- // RDLENGTH
		_, _ = w.Write(packet)
	case "text.test.":
		m := listing()
		if typ == dns.TypeTXT {
			m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{
				`<script>alert(1)</script> \027[31mred\007\013 \226\128\174evil`, strings.Repeat("x", 250), strings.Repeat("y", 250), strings.Repeat("z", 250),
			}}}
		}
		_ = w.WriteMsg(m)
	default:
		_ = w.WriteMsg(absent())
	}
}

// Hostile answers change no verdict, and nothing of them reaches a terminal raw.
func TestHostileAnswers(t *testing.T) {
	client := hostile(t)
	want := []struct {
		zone   string
		status Status
	}{
		{"wrong-id.test", NotListed},
		{"wrong-question.test", NotListed},
		{"wrong-owner.test", NotListed},
		{"loop.test", Unknown},
		{"many.test", Listed},
		{"cut.test", Unknown},
		{"short.test", Unknown},
		{"text.test", Listed},
		{"well.test", NotListed},
	}
	var zones []string
	for _, w := range want {
		zones = append(zones, w.zone)
	}
	results := checked(t, client, Own(zones...), IP(netip.MustParseAddr("198.51.100.25")))
	for i, res := range results {
		if res.Status != want[i].status {
			t.Errorf("%s: %s (%s), want %s", res.List.Zone, res.Status, res.Why, want[i].status)
		}
		b, err := json.Marshal(res)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range append([]string{res.Reason, res.Why, res.Meaning()}, string(b)) {
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x202e }) {
				t.Errorf("%s: control characters in %q", res.List.Zone, text)
			}
		}
		switch res.List.Zone {
		case "many.test":
			if len(res.Codes) != maxCodes || !strings.Contains(res.Why, "more than 32 codes") {
				t.Errorf("%d codes are kept of 4,000 (%s), want %d", len(res.Codes), res.Why, maxCodes)
			}
		case "text.test":
			if !strings.HasPrefix(res.Reason, "<script>alert(1)</script>  [31mred") || len(res.Reason) > maxReason+len("…") {
				t.Errorf("reason %q", res.Reason)
			}
		}
	}
}

func TestInterpret(t *testing.T) {
	zen, surbl, own := Default().ByID("spamhaus-zen"), Default().ByID("surbl-multi"), Own("bl.test").lists[0]
	hostkarma, spfbl := Default().ByID("hostkarma-junkemailfilter-com"), Default().ByID("dnsbl-spfbl-net")
	for _, tt := range []struct {
		list   *List
		addrs  string
		status Status
		codes  int
	}{
		{zen, "127.0.0.2", Listed, 1},
		{zen, "127.0.0.2 127.0.0.9 127.0.0.2", Listed, 2},
		{zen, "127.0.0.2 127.255.255.254", Refused, 0}, // a refusal beside a listing is a refusal
		{zen, "127.0.0.2 192.0.2.55", Unknown, 0},
		{zen, "127.0.0.77", Unknown, 0}, // only documented codes count
		{zen, "127.0.0.77 127.0.0.4", Listed, 1},
		{zen, "192.0.2.55", Dead, 0},
		{surbl, "127.0.0.1", Refused, 0},
		{surbl, "127.0.0.80", Listed, 1},
		{own, "127.0.0.1", Listed, 1},
		{own, "127.0.0.99", Listed, 1},
		{own, "127.255.255.1", Refused, 0},
		{own, "127.255.254.1", Listed, 1},
		{own, "2001:db8::1", Dead, 0},
		{zen, "::ffff:127.0.0.4", Listed, 1},
		{hostkarma, "127.0.0.1", Listed, 1}, // white: 127.0.0.1 is a listing here
		{spfbl, "127.0.0.2", Listed, 1},
	} {
		a := resolve.Answer{Status: resolve.OK}
		for s := range strings.FieldsSeq(tt.addrs) {
			a.Records = append(a.Records, resolve.Record{Type: resolve.A, Addr: netip.MustParseAddr(s)})
		}
		status, codes, why := tt.list.Interpret(a)
		if status != tt.status || len(codes) != tt.codes || (why == "") != (status == Listed) {
			t.Errorf("%s, %s: %s, %d codes (%s); want %s, %d", tt.list.ID, tt.addrs, status, len(codes), why, tt.status, tt.codes)
		}
	}
	for status, want := range map[resolve.Status]Status{
		resolve.NXDomain: NotListed, resolve.NoData: NotListed, resolve.OK: Unknown, resolve.ServFail: Unknown, resolve.Refused: Unknown,
		resolve.Timeout: Unknown, resolve.Malformed: Unknown, resolve.Canceled: Unknown, resolve.Other: Unknown, resolve.Unset: Unknown, resolve.Status(99): Unknown,
	} {
		if got, _, why := zen.Interpret(resolve.Answer{Status: status}); got != want || (why == "") != (want == NotListed) {
			t.Errorf("an answer %q: %s (%s), want %s", status, got, why, want)
		}
	}
}

func FuzzInterpret(f *testing.F) {
	f.Add("spamhaus-zen", uint8(resolve.OK), []byte{127, 0, 0, 2, 127, 255, 255, 254})
	f.Add("multi.example", uint8(resolve.NXDomain), []byte{192, 0, 2, 55})
	f.Add("surbl-multi", uint8(resolve.OK), []byte{127, 0, 0, 1})
	f.Fuzz(func(t *testing.T, id string, status uint8, data []byte) {
		l := Default().ByID(id)
		if l == nil {
			l = Own("bl.test").lists[0]
		}
		a := resolve.Answer{Status: resolve.Status(status)}
		outside, refused := false, false
		for ; len(data) >= 4; data = data[4:] {
			addr := netip.AddrFrom4([4]byte(data))
			outside = outside || addr.As4()[0] != 127
			refused = refused || errorRange.Contains(addr)
			a.Records = append(a.Records, resolve.Record{Type: resolve.A, Addr: addr})
		}
		got, codes, why := l.Interpret(a)
		if (got == NotListed) != a.Status.Absent() {
			t.Fatalf("%s of an answer %q", got, a.Status)
		}
		if got == Listed && (a.Status != resolve.OK || outside || refused || len(codes) == 0 || len(codes) > maxCodes) {
			t.Fatalf("listed by %v", a)
		}
		if got != Listed && got != NotListed && why == "" || got != Listed && len(codes) > 0 {
			t.Fatalf("%s, %d codes, why %q", got, len(codes), why)
		}
	})
}

// Whatever a target is read from, the names that are asked fit DNS, and lie below the
// list's zone.
func FuzzNames(f *testing.F) {
	f.Add("198.51.100.7")
	f.Add("[2001:db8::1%eth0]")
	f.Add("Bücher.example.")
	f.Add("a..b.example")
	f.Add(strings.Repeat("abcdefgh.", 27) + "example")
	f.Fuzz(func(t *testing.T, s string) {
		target, err := ParseTarget(s)
		if err != nil {
			return
		}
		if target.Kind() == 0 || target.String() == "" {
			t.Fatalf("%q is a target of no kind", s)
		}
		if again, err := ParseTarget(target.String()); err != nil || again != target {
			t.Fatalf("%q reads as %q, and that as %v, %v", s, target, again, err)
		}
		for l := range Default().All() {
			name, err := l.QueryName(target)
			if err != nil {
				continue
			}
			if len(name) > 253 || !strings.HasSuffix(name, "."+l.Zone) || strings.ToLower(name) != name {
				t.Fatalf("%q is asked of %s as %q", s, l.ID, name)
			}
			for label := range strings.SplitSeq(name, ".") {
				if label == "" || len(label) > 63 {
					t.Fatalf("%q is asked of %s as %q", s, l.ID, name)
				}
			}
		}
	})
}
