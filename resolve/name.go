package resolve

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// ErrName is the Err of an answer about a name that DNS cannot hold: an empty
// label, a label over 63 octets, a name over 253, or letters outside IDNA.
var ErrName = errors.New("resolve: the name does not fit DNS")

// The limits of RFC 1035, section 2.3.4. A name of 255 octets on the wire has
// 253 in presentation form without the trailing dot.
const (
	maxName  = 253
	maxLabel = 63
	// maxUnicode bounds what is given to IDNA, whose cost grows with the square of a
	// label: no longer name has an A-label form that fits.
	maxUnicode = 4 * maxName
)

var lookupProfile = idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.Transitional(false))

// Name returns name in the one form in which this package compares, caches and
// reports names: lower case, A-labels for international ones (RFC 5891),
// without a trailing dot; the root is ".". Underscores and other octets that
// host names may not hold are kept. The error is [ErrName].
func Name(name string) (string, error) {
	if isCanonical(name) {
		return name, nil
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" {
		return ".", nil
	}
	if len(name) > maxUnicode {
		return "", ErrName
	}
	if !isASCII(name) {
		mapped, err := lookupProfile.ToASCII(name)
		if err != nil {
			return "", ErrName
		}
		name = mapped
	}
	if len(name) > maxName {
		return "", ErrName
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel {
			return "", ErrName
		}
	}
	return strings.ToLower(name), nil
}

// isCanonical reports whether a name has the one form already, as most have.
func isCanonical(name string) bool {
	label := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.' && label == 0, c >= 0x80, 'A' <= c && c <= 'Z':
			return false
		case c == '.':
			label = 0
		default:
			if label++; label > maxLabel {
				return false
			}
		}
	}
	return label > 0 && len(name) <= maxName
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Reverse returns the name under which the PTR record of addr stands:
// 192.0.2.1 → 1.2.0.192.in-addr.arpa (RFC 1035, section 3.5), IPv6 in nibbles
// below ip6.arpa (RFC 3596, section 2.5). An IPv4 address mapped into IPv6 is
// taken as IPv4. It returns "" for the zero Addr.
func Reverse(addr netip.Addr) string {
	addr = addr.Unmap()
	switch {
	case !addr.IsValid():
		return ""
	case addr.Is4():
		return ReverseLabels(addr) + ".in-addr.arpa"
	}
	return ReverseLabels(addr) + ".ip6.arpa"
}

// ReverseLabels returns the labels of addr in reverse order, without a zone:
// four decimal octets or 32 nibbles. DNS lists put them before their zone
// (RFC 5782, sections 2.1 and 2.4), and there a mapped address is only taken as
// IPv4 when the caller unmaps it.
func ReverseLabels(addr netip.Addr) string {
	if addr.Is4() {
		b := addr.As4()
		return strconv.Itoa(int(b[3])) + "." + strconv.Itoa(int(b[2])) + "." + strconv.Itoa(int(b[1])) + "." + strconv.Itoa(int(b[0]))
	}
	if !addr.IsValid() {
		return ""
	}
	const hex = "0123456789abcdef"
	b := addr.As16()
	out := make([]byte, 0, 63)
	for i := len(b) - 1; i >= 0; i-- {
		if len(out) > 0 {
			out = append(out, '.')
		}
		out = append(out, hex[b[i]&15], '.', hex[b[i]>>4])
	}
	return string(out)
}
