package resolve

import (
	"reflect"
	"testing"

	"github.com/miekg/dns"
)

// packed builds a packet from a reply's records.
func packed(t testing.TB, name string, rcode int, answers, authority []string) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
	m.Response, m.RecursionAvailable, m.Rcode = true, true, rcode
	for section, texts := range map[*[]dns.RR][]string{&m.Answer: answers, &m.Ns: authority} {
		for _, text := range texts {
			rr, err := dns.NewRR(text)
			if err != nil {
				t.Fatal(err)
			}
			*section = append(*section, rr)
		}
	}
	m.Compress = true
	data, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const soa = "bl.example. 300 SOA ns.bl.example. hostmaster.bl.example. 1 3600 600 86400 120"

// The question as we write it is the one that the DNS library reads and writes.
func TestAppendQuestion(t *testing.T) {
	for _, name := range []string{"2.0.0.127.bl.example", "_dmarc.shop.example", "a;b c.example", "."} {
		for _, edns := range []bool{true, false} {
			m := new(dns.Msg)
			if err := m.Unpack(appendQuestion(nil, name, TXT, 4711, edns)); err != nil {
				t.Errorf("%q: %v", name, err)
				continue
			}
			if m.Id != 4711 || !m.RecursionDesired || m.Response || len(m.Question) != 1 || bare(m.Question[0].Name) != name || m.Question[0].Qtype != dns.TypeTXT || m.Question[0].Qclass != dns.ClassINET {
				t.Errorf("%q: %v", name, m)
			}
			if opt := m.IsEdns0(); (opt != nil) != edns || edns && opt.UDPSize() != udpSize {
				t.Errorf("%q, EDNS %v: %v", name, edns, opt)
			}
		}
	}
}

func TestQuickAnswerIsTheWholeReading(t *testing.T) {
	const name = "7.100.51.198.bl.example"
	for label, tt := range map[string]struct {
		data  []byte
		quick bool
	}{
		"listed":        {packed(t, name, dns.RcodeSuccess, []string{name + ". 60 A 127.0.0.2", name + ". 30 A 127.0.0.4"}, nil), true},
		"absent":        {packed(t, name, dns.RcodeNameError, nil, []string{soa}), true},
		"no data":       {packed(t, name, dns.RcodeSuccess, nil, []string{soa}), true},
		"without SOA":   {packed(t, name, dns.RcodeNameError, nil, nil), false},
		"alias":         {packed(t, name, dns.RcodeSuccess, []string{name + ". 60 CNAME x.example.", "x.example. 60 A 127.0.0.2"}, nil), false},
		"foreign owner": {packed(t, name, dns.RcodeSuccess, []string{"x.example. 60 A 127.0.0.2"}, []string{soa}), false},
		"servfail":      {packed(t, name, dns.RcodeServerFailure, nil, nil), false},
	} {
		a, ok := quickAnswer(tt.data, appendQuestion(nil, name, A, 1, true), name, A)
		if ok != tt.quick {
			t.Errorf("%s: quick %v, want %v", label, ok, tt.quick)
			continue
		}
		m := new(dns.Msg)
		if err := m.Unpack(tt.data); err != nil {
			t.Fatal(err)
		}
		if want := answer(m, name, A); ok && !reflect.DeepEqual(a, want) {
			t.Errorf("%s: %+v, want %+v", label, a, want)
		}
	}
}

// An address record of three octets is no address.
func TestShortAddressIsMalformed(t *testing.T) {
	const name = "7.100.51.198.bl.example"
	data := packed(t, name, dns.RcodeSuccess, []string{name + ". 60 A 127.0.0.2"}, nil)
	data = data[:len(data)-1]
	data[len(data)-4]-- // RDLENGTH
	if a, kind := readPacket(data, appendQuestion(nil, name, A, 1, true), name, A); a.Status != Malformed || kind != answerPacket {
		t.Errorf("%+v, %v, want malformed", a, kind)
	}
}

// A server that sets TC may leave out everything but the header.
func TestBareTruncatedPacketIsCut(t *testing.T) {
	m := new(dns.Msg)
	m.Response, m.Truncated = true, true
	data, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if _, kind := readPacket(data, appendQuestion(nil, "a.example", A, 1, true), "a.example", A); kind != cutPacket {
		t.Errorf("kind %v, want cut", kind)
	}
}

func FuzzPacket(f *testing.F) {
	const name = "7.100.51.198.bl.example"
	f.Add(packed(f, name, dns.RcodeSuccess, []string{name + ". 60 A 127.0.0.2"}, nil))
	f.Add(packed(f, name, dns.RcodeNameError, nil, []string{soa}))
	f.Add(packed(f, name, dns.RcodeSuccess, []string{name + ". 60 CNAME x.example.", "x.example. 60 A 127.0.0.2"}, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 12 {
			return
		}
		a, kind := readPacket(data, appendQuestion(nil, name, A, 1, true), name, A)
		if kind == answerPacket && a.Status == Unset {
			t.Fatalf("an answer without a status: %+v", a)
		}
		quick, ok := quickAnswer(data, appendQuestion(nil, name, A, 1, true), name, A)
		m := new(dns.Msg)
		if !ok || m.Unpack(data) != nil {
			return
		}
		if m.Rcode > 0xf { // extended: the quick reading sees the low bits alone
			t.Skip()
		}
		if want := answer(m, name, A); !matches(m, name, A) || quick.Status != want.Status || !reflect.DeepEqual(quick.Records, want.Records) {
			t.Fatalf("quick %+v, whole %+v", quick, want)
		}
	})
}
