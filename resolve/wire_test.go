package resolve

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestReverse(t *testing.T) {
	for _, tt := range []struct{ addr, want string }{
		{"192.0.2.1", "1.2.0.192.in-addr.arpa"},
		{"::ffff:192.0.2.1", "1.2.0.192.in-addr.arpa"},
		{"2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
	} {
		if got := Reverse(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("Reverse(%s) = %s, want %s", tt.addr, got, tt.want)
		}
	}
	if got := Reverse(netip.Addr{}); got != "" {
		t.Errorf("Reverse(zero) = %q, want nothing", got)
	}
	if got, want := ReverseLabels(netip.MustParseAddr("::ffff:127.0.0.2")), "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"; got != want {
		t.Errorf("ReverseLabels = %s, want the nibbles of RFC 5782's test entry %s", got, want)
	}
}

func TestName(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"Mail.Shop.Example.", "mail.shop.example"},
		{"_dmarc.shop.example", "_dmarc.shop.example"},
		{"bücher.example", "xn--bcher-kva.example"},
		{"BÜCHER.Example", "xn--bcher-kva.example"},
		{".", "."},
		{"", "."},
	} {
		if got, err := Name(tt.in); err != nil || got != tt.want {
			t.Errorf("Name(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
	for _, bad := range []string{"a..b", ".a", strings.Repeat("x", 64), strings.Repeat("abc.", 64) + "x", "\u2024\u2024"} {
		if got, err := Name(bad); err == nil {
			t.Errorf("Name(%q) = %q, want an error", bad, got)
		}
	}
}

// Only ASCII letters have a case in DNS; other octets come through.
func TestBareKeepsOctets(t *testing.T) {
	for in, want := range map[string]string{`Mail.Shop.Example.`: "mail.shop.example", `A\255\195\132.Example.`: "a\xff\xc3\x84.example", ".": "."} {
		if got := bare(in); got != want {
			t.Errorf("bare(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTypeText(t *testing.T) {
	for _, typ := range []Type{A, AAAA, MX, TXT, PTR, CNAME, SOA, NS, SPF, 257} {
		text, _ := typ.MarshalText()
		var back Type
		if err := back.UnmarshalText(text); err != nil || back != typ {
			t.Errorf("%s reads back as %v, %v", text, back, err)
		}
	}
	for _, bad := range []string{"", "ANYTHING", "TYPE", "TYPE99999", "TYPEx"} {
		if err := new(Type).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("UnmarshalText(%q): no error", bad)
		}
	}
}

func TestAnswerString(t *testing.T) {
	for _, tt := range []struct {
		a    Answer
		want string
	}{
		{Answer{Name: "a.example", Type: A}, "a.example A: not asked"},
		{Answer{Name: "a.example", Type: A, Status: NXDomain}, "a.example A: NXDOMAIN"},
		{Answer{Name: "a.example", Type: MX, Status: NoData}, "a.example MX: no such record"},
		{Answer{Name: "a.example", Type: MX, Status: OK, Records: []Record{{Type: MX, Pref: 10, Host: "b.example"}, {Type: MX, Host: "."}}}, "a.example MX: 10 b.example., 0 ."},
		{Answer{Name: "a.example", Type: A, Status: Refused}, "a.example A: REFUSED"},
		{Answer{Name: "a.example", Type: A, Status: Other, Err: ErrName}, "a.example A: other (resolve: the name does not fit DNS)"},
	} {
		if got := tt.a.String(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestAnswerBoundsAliases(t *testing.T) {
	m := new(dns.Msg).SetQuestion("a0.example.", dns.TypeA)
	m.Response = true
	for i := range 40 {
		m.Answer = append(m.Answer, &dns.CNAME{
			Hdr:    dns.RR_Header{Name: fmt.Sprintf("a%d.example.", i), Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60},
			Target: fmt.Sprintf("a%d.example.", i+1),
		})
	}
	if a := answer(m, "a0.example", A); a.Status != Malformed {
		t.Errorf("status %v, want malformed", a.Status)
	}
}

func TestStatusJSON(t *testing.T) {
	for s := Unset; s <= Other; s++ {
		b, err := json.Marshal(Answer{Name: "a", Type: A, Status: s})
		if err != nil {
			t.Fatal(err)
		}
		var back Answer
		if err := json.Unmarshal(b, &back); err != nil || back.Status != s {
			t.Errorf("%s reads back as %v, %v", b, back.Status, err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	m := new(dns.Msg).SetQuestion("a.example.", dns.TypeA)
	m.Response = true
	packet, _ := m.Pack()
	f.Add(packet)
	f.Fuzz(func(t *testing.T, packet []byte) {
		m := new(dns.Msg)
		if m.Unpack(packet) != nil || !matches(m, "a.example", A) {
			return
		}
		if a := answer(m, "a.example", A); a.Status == OK && len(a.Records) == 0 {
			t.Fatalf("OK without records: %v", m)
		}
	})
}
