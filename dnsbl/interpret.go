package dnsbl

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/rebound-mail/rebound/resolve"
)

// maxCodes bounds the codes that are kept of one answer. No list documents more
// than a dozen at a time.
const maxCodes = 32

var (
	// listRange is where lists answer (RFC 5782, section 2.3).
	listRange = netip.MustParsePrefix("127.0.0.0/8")
	// errorRange is where Spamhaus and others say that they will not answer; no
	// list lists with it.
	errorRange = netip.MustParsePrefix("127.255.255.0/24")
)

// Interpret says what an answer of the list means, and why it is no listing where
// it is none. Only an absence is [NotListed]; an answer that mixes a listing with
// a refusal, or addresses within and outside 127/8, is no listing. Of a listing, why
// is "" unless codes were left out. Interpret is pure.
func (l *List) Interpret(a resolve.Answer) (Status, []Code, string) {
	switch {
	case a.Status.Absent():
		return NotListed, nil, ""
	case a.Status != resolve.OK:
		return Unknown, nil, failure(a)
	}
	var (
		codes           []Code
		refused, foul   string
		more            string
		inside, outside bool
	)
	for _, r := range a.Records {
		if !r.Addr.IsValid() {
			continue
		}
		status, code, why := l.Meaning(r.Addr)
		inside, outside = inside || status != Dead, outside || status == Dead
		switch {
		case status == Refused && refused == "":
			refused = why
		case status == Listed && holds(codes, code):
		case status == Listed && len(codes) == maxCodes:
			more = fmt.Sprintf("its answer holds more than %d codes, of which these are the first", maxCodes)
		case status == Listed:
			codes = append(codes, code)
		case status != Listed && foul == "":
			foul = why
		}
	}
	switch {
	case inside && outside:
		return Unknown, nil, "its answer mixes addresses within and outside 127.0.0.0/8: " + foul
	case outside:
		return Dead, nil, foul
	case refused != "":
		return Refused, nil, refused
	case len(codes) > 0:
		return Listed, codes, more
	case foul != "":
		return Unknown, nil, foul
	}
	return Unknown, nil, "the answer holds no address"
}

func holds(codes []Code, code Code) bool {
	for _, c := range codes {
		if c.Addr == code.Addr {
			return true
		}
	}
	return false
}

var failures = map[resolve.Status]string{
	resolve.ServFail:  "the resolver answered SERVFAIL",
	resolve.Refused:   "the resolver answered REFUSED",
	resolve.Timeout:   "no answer came in time",
	resolve.Malformed: "the answer could not be read",
	resolve.Canceled:  "there was no time left",
	resolve.Unset:     "it was not asked",
}

func failure(a resolve.Answer) string {
	if text, ok := failures[a.Status]; ok {
		return text
	}
	if a.Err != nil {
		return strings.TrimPrefix(a.Err.Error(), "resolve: ")
	}
	return "the resolver's answer has the status " + strconv.Quote(a.Status.String())
}

// Meaning says what one address of an answer means on the list, and why it is no
// listing where it is none.
func (l *List) Meaning(addr netip.Addr) (Status, Code, string) {
	addr = addr.Unmap() // some resolvers write IPv4 addresses so
	if !addr.Is4() || !listRange.Contains(addr) {
		return Dead, Code{}, "it answers " + addr.String() + ", which is outside 127.0.0.0/8: nobody runs this list any more, or the resolver invents answers"
	}
	if why, ok := l.refusal(addr); ok {
		return Refused, Code{}, why
	}
	code := Code{Addr: addr, Nature: l.Nature, Meaning: "undocumented code"}
	var meanings []string
	for _, r := range l.Codes {
		if !r.matches(addr) {
			continue
		}
		meanings = append(meanings, r.Meaning)
		if !code.Documented {
			code.Documented, code.Nature = true, r.Nature
		}
	}
	if code.Documented {
		code.Meaning = strings.Join(meanings, ", ")
		if code.Nature == "" {
			code.Nature = l.Nature
		}
		return Listed, code, ""
	}
	if l.OnlyDocumented && len(l.Codes) > 0 {
		return Unknown, Code{}, "it answers " + addr.String() + ", a code that its operator does not document: that may be an error"
	}
	if len(l.Codes) == 0 {
		code.Meaning = "listed"
	}
	return Listed, code, ""
}

// refusal says why an address within 127/8 refuses us. What a list documents of
// an exact code comes before the range of errors, and bits come last: 127.255.255.x
// has the lowest bit set too.
func (l *List) refusal(addr netip.Addr) (string, bool) {
	text := "it refuses to answer us with " + addr.String()
	for _, bits := range []bool{false, true} {
		for _, r := range l.Refusals {
			if (r.bit != 0) == bits && r.matches(addr) {
				return text + ": " + r.Meaning, true
			}
		}
		if errorRange.Contains(addr) {
			return text, true
		}
	}
	return "", false
}
