package resolve

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/rebound-mail/rebound/resolve/internal/escape"
)

// maxChain bounds the CNAME records that are followed within one answer. BIND
// and Unbound stop at 11 to 17.
const maxChain = 16

// bare turns miekg's absolute form into the canonical one.
func bare(name string) string {
	name = lower(escape.Undo(name))
	if name == "." {
		return name
	}
	return strings.TrimSuffix(name, ".")
}

// lower makes the ASCII letters of a name small (RFC 4343, section 3). Other octets
// stay what they are.
func lower(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' }) {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// record converts one resource record; ok is false for those that carry no data
// of their own (OPT).
func record(rr dns.RR) (r Record, ok bool) {
	h := rr.Header()
	if h.Class != dns.ClassINET {
		return Record{}, false
	}
	r = Record{Name: bare(h.Name), Type: Type(h.Rrtype), TTL: time.Duration(h.Ttl) * time.Second}
	switch v := rr.(type) {
	case *dns.OPT:
		return Record{}, false
	case *dns.A:
		r.Addr, ok = netip.AddrFromSlice(v.A.To4())
		return r, ok
	case *dns.AAAA:
		r.Addr, ok = netip.AddrFromSlice(v.AAAA.To16())
		return r, ok
	case *dns.CNAME:
		r.Host = bare(v.Target)
	case *dns.MX:
		r.Host, r.Pref = bare(v.Mx), v.Preference
	case *dns.NS:
		r.Host = bare(v.Ns)
	case *dns.PTR:
		r.Host = bare(v.Ptr)
	case *dns.SOA:
		r.Host = bare(v.Ns)
		r.Text = strings.TrimPrefix(v.String(), h.String())
	case *dns.TXT:
		r.Strings = rawStrings(v.Txt)
	case *dns.SPF:
		r.Strings = rawStrings(v.Txt)
	default:
		r.Text = strings.TrimPrefix(rr.String(), h.String())
	}
	return r, true
}

func rawStrings(txt []string) []string {
	raw := make([]string, len(txt))
	for i, s := range txt {
		raw[i] = escape.Undo(s)
	}
	return raw
}

// matches reports whether m answers the question (RFC 5452, section 9.1).
func matches(m *dns.Msg, name string, t Type) bool {
	return m.Response && m.Opcode == dns.OpcodeQuery && len(m.Question) == 1 &&
		m.Question[0].Qtype == uint16(t) && m.Question[0].Qclass == dns.ClassINET &&
		bare(m.Question[0].Name) == name
}

// answer reads a message that matches its question.
func answer(m *dns.Msg, name string, t Type) Answer {
	a := Answer{Name: name, Type: t, Secure: m.AuthenticatedData}
	switch m.Rcode {
	case dns.RcodeSuccess, dns.RcodeNameError:
	case dns.RcodeServerFailure:
		a.Status = ServFail
		return a
	case dns.RcodeRefused:
		a.Status = Refused
		return a
	default:
		a.Status = Other
		a.Err = fmt.Errorf("resolve: the server answered %s", rcodeName(m.Rcode))
		return a
	}
	records := make([]Record, 0, len(m.Answer))
	for _, rr := range m.Answer {
		if r, ok := record(rr); ok {
			records = append(records, r)
		}
	}
	owner, ttl := name, time.Duration(-1)
	for range maxChain {
		target, hop := cname(records, owner)
		if target == "" || t == CNAME {
			break
		}
		owner, ttl = target, least(ttl, hop)
		a.Chain = append(a.Chain, target)
		if len(a.Chain) == maxChain {
			a.Status, a.Err = Malformed, fmt.Errorf("resolve: more than %d CNAME records in a row", maxChain-1)
			return a
		}
	}
	for _, r := range records {
		if r.Name == owner && r.Type == t {
			a.Records = append(a.Records, r)
			ttl = least(ttl, r.TTL)
		}
	}
	switch {
	case len(a.Records) > 0 && m.Rcode == dns.RcodeSuccess:
		a.Status, a.TTL = OK, ttl
	case m.Rcode == dns.RcodeNameError:
		a.Status, a.Records, a.TTL = NXDomain, nil, negativeTTL(m.Ns, ttl)
	case m.RecursionAvailable && !hasType(m.Ns, dns.TypeNS), hasType(m.Ns, dns.TypeSOA):
		a.Status, a.TTL = NoData, negativeTTL(m.Ns, ttl)
	default:
		// A referral (RFC 2308, section 2.2): this server does not know.
		a.Status, a.Err, a.Chain = Other, errReferral, nil
	}
	return a
}

var errReferral = errors.New("resolve: the server only names other servers: it does no recursion")

func hasType(section []dns.RR, t uint16) bool {
	for _, rr := range section {
		if rr.Header().Rrtype == t {
			return true
		}
	}
	return false
}

func rcodeName(rcode int) string {
	if name, ok := dns.RcodeToString[rcode]; ok {
		return name
	}
	return fmt.Sprintf("RCODE %d", rcode)
}

func cname(records []Record, owner string) (string, time.Duration) {
	for _, r := range records {
		if r.Type == CNAME && r.Name == owner {
			return r.Host, r.TTL
		}
	}
	return "", 0
}

// least returns the smaller of two TTLs, where -1 is none yet.
func least(a, b time.Duration) time.Duration {
	if a < 0 {
		return b
	}
	return min(a, b)
}

// negativeTTL is the lesser of the SOA's TTL and its MINIMUM (RFC 2308, section
// 5); without an SOA an absence is not remembered.
func negativeTTL(authority []dns.RR, chain time.Duration) time.Duration {
	for _, rr := range authority {
		if soa, ok := rr.(*dns.SOA); ok {
			return least(chain, time.Duration(min(soa.Hdr.Ttl, soa.Minttl))*time.Second)
		}
	}
	return 0
}
