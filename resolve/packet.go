package resolve

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
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
	otherPacket                    // it answers another question under the same ID
)

// readPacket reads a packet that came back for a question.
func readPacket(data, question []byte, name string, t Type) (Answer, packetKind) {
	if a, ok := quickAnswer(data, question, name, t); ok {
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
	case m.Response && m.Truncated && len(m.Question) == 0:
		return Answer{}, cutPacket
	case !matches(m, name, t):
		return Answer{}, otherPacket
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

// The parts of a message (RFC 1035, sections 4.1.1 to 4.1.4).
const (
	headerSize   = 12
	questionTail = 4       // type and class
	recordHead   = 10      // type, class, TTL, length
	toQuestion   = 0xc00c  // the pointer to the name of the question
	negativeTail = 5*4 + 2 // of an SOA record: five numbers behind two names
)

// quickAnswer reads the commonest packets of a client that asks lists, for a fifth of
// what a full reading costs: A and AAAA records of the name itself, and absence with
// an SOA record. Of anything else ok is false.
func quickAnswer(data, question []byte, name string, t Type) (a Answer, ok bool) {
	end := headerSize + len(name) + 2 + questionTail // name has a length before each label and a zero at its end
	if len(data) < end || len(question) < end || name == "." || t != A && t != AAAA {
		return a, false
	}
	const (
		response  = 0x80 // with opcode 0 and no truncation
		mask      = 0xfa
		validated = 0x20
	)
	rcode := data[3] & 0xf
	if data[2]&mask != response || rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError || binary.BigEndian.Uint16(data[4:]) != 1 || !sameName(data[headerSize:end], question[headerSize:end]) {
		return a, false
	}
	a = Answer{Name: name, Type: t, Secure: data[3]&validated != 0}
	owner := question[headerSize : end-questionTail]
	ttl := time.Duration(-1)
	for range binary.BigEndian.Uint16(data[6:]) {
		r, next, ok := address(data, end, owner, t)
		if !ok || rcode != dns.RcodeSuccess {
			return a, false
		}
		r.Name = name
		a.Records = append(a.Records, r)
		ttl, end = least(ttl, r.TTL), next
	}
	if len(a.Records) > 0 {
		a.Status, a.TTL = OK, ttl
		return a, true
	}
	if binary.BigEndian.Uint16(data[8:]) == 0 {
		return a, false
	}
	a.TTL, ok = negative(data, end)
	if a.Status = NoData; rcode == dns.RcodeNameError {
		a.Status = NXDomain
	}
	return a, ok
}

// sameName compares names on the wire, and what follows them, without regard to
// case: the length of a label is no letter.
func sameName(a, b []byte) bool {
	for i, c := range a {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != b[i] {
			return false
		}
	}
	return true
}

// address reads the address record that begins at an offset.
func address(data []byte, at int, owner []byte, t Type) (r Record, next int, ok bool) {
	switch {
	case len(data)-at >= 2 && binary.BigEndian.Uint16(data[at:]) == toQuestion:
		at += 2
	case len(data)-at >= len(owner) && sameName(data[at:at+len(owner)], owner):
		at += len(owner)
	default:
		return r, 0, false
	}
	value, ttl, ok := recordData(data, at, uint16(t))
	if !ok {
		return r, 0, false
	}
	r = Record{Type: t, TTL: ttl}
	if r.Addr, ok = netip.AddrFromSlice(value); ok {
		ok = r.Addr.Is4() == (t == A)
	}
	return r, at + recordHead + len(value), ok
}

// negative reads the SOA record that begins at an offset, for how long an absence is
// to be believed.
func negative(data []byte, at int) (time.Duration, bool) {
	for at < len(data) && data[at] != 0 && data[at] < 0xc0 {
		at += 1 + int(data[at])
	}
	if at < len(data) && data[at] != 0 {
		at++ // the first octet of a pointer
	}
	soa, ttl, ok := recordData(data, at+1, dns.TypeSOA)
	if !ok || len(soa) < negativeTail {
		return 0, false
	}
	minimum := binary.BigEndian.Uint32(soa[len(soa)-4:])
	return min(ttl, time.Duration(minimum)*time.Second), true
}

// recordData returns the data of the record whose type stands at an offset.
func recordData(data []byte, at int, t uint16) (value []byte, ttl time.Duration, ok bool) {
	if len(data)-at < recordHead || binary.BigEndian.Uint16(data[at:]) != t || binary.BigEndian.Uint16(data[at+2:]) != dns.ClassINET {
		return nil, 0, false
	}
	length := int(binary.BigEndian.Uint16(data[at+8:]))
	if at += recordHead; len(data)-at < length {
		return nil, 0, false
	}
	return data[at : at+length], time.Duration(binary.BigEndian.Uint32(data[at-6:])) * time.Second, true
}
