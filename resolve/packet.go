package resolve

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/dns/dnsmessage"
)

// udpSize is the EDNS buffer size offered: the one that DNS Flag Day 2020 settled
// on, which needs no fragments.
const udpSize = 1232

// appendQuestion appends the message that asks for a canonical name (RFC 1035,
// section 4.1), with an OPT record (RFC 6891, section 6.1.2) if edns is set.
func appendQuestion(b []byte, name string, t Type, id uint16, edns bool) []byte {
	const recursionDesired = 0x0100
	additional := uint16(0)
	if edns {
		additional = 1
	}
	for _, field := range []uint16{id, recursionDesired, 1, 0, 0, additional} {
		b = binary.BigEndian.AppendUint16(b, field)
	}
	if name != "." {
		for label := range strings.SplitSeq(name, ".") {
			b = append(append(b, byte(len(label))), label...)
		}
	}
	b = append(b, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	b = binary.BigEndian.AppendUint16(b, dns.ClassINET)
	if edns {
		b = append(b, 0)
		b = binary.BigEndian.AppendUint16(b, dns.TypeOPT)
		b = binary.BigEndian.AppendUint16(b, udpSize)
		b = append(b, 0, 0, 0, 0, 0, 0)
	}
	return b
}

// A packetKind says what is to be done about a packet.
type packetKind uint8

const (
	answerPacket packetKind = iota // it is the answer, or cannot be read
	cutPacket                      // truncated: ask over TCP
	formErr                        // the server could not read the question
)

// readPacket reads a packet that came back under a question's ID.
func readPacket(data []byte, name string, t Type) (Answer, packetKind) {
	if a, ok := quickAnswer(data, name, t); ok {
		return a, answerPacket
	}
	m := new(dns.Msg)
	err := m.Unpack(data)
	switch {
	case err != nil && isCut(data):
		return Answer{}, cutPacket
	case err != nil:
		return failed(name, t, Malformed, errUnread), answerPacket
	case m.Response && m.Rcode == dns.RcodeFormatError && (len(m.Question) == 0 || matches(m, name, t)):
		return answer(m, name, t), formErr
	case !matches(m, name, t):
		return failed(name, t, Malformed, errUnread), answerPacket
	case m.Truncated:
		return Answer{}, cutPacket
	}
	return answer(m, name, t), answerPacket
}

// isCut reports whether a packet that cannot be read says of itself that it is
// truncated (RFC 1035, section 4.1.1).
func isCut(data []byte) bool {
	const response, truncated = 0x80, 0x02
	return data[2]&response != 0 && data[2]&truncated != 0
}

// quickAnswer reads the commonest packets of a client that asks lists, without the
// cost of a full reading: A and AAAA records of the name itself, and absence
// with an SOA record. Of anything else ok is false.
func quickAnswer(data []byte, name string, t Type) (a Answer, ok bool) {
	if t != A && t != AAAA {
		return a, false
	}
	var p dnsmessage.Parser
	h, err := p.Start(data)
	if err != nil || !h.Response || h.OpCode != 0 || h.Truncated || h.RCode != dnsmessage.RCodeSuccess && h.RCode != dnsmessage.RCodeNameError {
		return a, false
	}
	q, err := p.Question()
	if err != nil || Type(q.Type) != t || q.Class != dnsmessage.ClassINET || !sameName(&q.Name, name) || p.SkipAllQuestions() != nil {
		return a, false
	}
	a = Answer{Name: name, Type: t, Secure: h.AuthenticData}
	ttl := time.Duration(-1)
	for {
		rh, err := p.AnswerHeader()
		if err == dnsmessage.ErrSectionDone {
			break
		}
		if err != nil || Type(rh.Type) != t || rh.Class != dnsmessage.ClassINET || !sameName(&rh.Name, name) || h.RCode != dnsmessage.RCodeSuccess {
			return a, false
		}
		r := Record{Name: name, Type: t, TTL: time.Duration(rh.TTL) * time.Second}
		if r.Addr, ok = address(&p, rh); !ok {
			return a, false
		}
		a.Records = append(a.Records, r)
		ttl = least(ttl, r.TTL)
	}
	if len(a.Records) > 0 {
		a.Status, a.TTL = OK, ttl
		return a, true
	}
	rh, err := p.AuthorityHeader()
	if err != nil || rh.Type != dnsmessage.TypeSOA || rh.Class != dnsmessage.ClassINET {
		return a, false
	}
	// Two names and five numbers, of which the last is the MINIMUM.
	const numbers = 20
	soa, err := p.UnknownResource()
	if err != nil || len(soa.Data) < numbers+2 {
		return a, false
	}
	minimum := binary.BigEndian.Uint32(soa.Data[len(soa.Data)-4:])
	if a.Status = NoData; h.RCode == dnsmessage.RCodeNameError {
		a.Status = NXDomain
	}
	a.TTL = time.Duration(min(rh.TTL, minimum)) * time.Second
	return a, true
}

// address reads the record whose header is rh.
func address(p *dnsmessage.Parser, rh dnsmessage.ResourceHeader) (netip.Addr, bool) {
	switch {
	case rh.Type == dnsmessage.TypeA && rh.Length == 4:
		r, err := p.AResource()
		return netip.AddrFrom4(r.A), err == nil
	case rh.Type == dnsmessage.TypeAAAA && rh.Length == 16:
		r, err := p.AAAAResource()
		return netip.AddrFrom16(r.AAAA), err == nil
	}
	return netip.Addr{}, false
}

// sameName compares an absolute name of a packet with a canonical one.
func sameName(n *dnsmessage.Name, canonical string) bool {
	if int(n.Length) != len(canonical)+1 || canonical == "." {
		return false
	}
	for i := range len(canonical) {
		c := n.Data[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != canonical[i] {
			return false
		}
	}
	return true
}
