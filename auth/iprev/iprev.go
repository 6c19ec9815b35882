// Package iprev judges the reverse DNS of a sending address: its PTR records,
// whether their names lead back to it, and whether the name that the server gives
// in HELO agrees.
//
//	res := iprev.Check(ctx, resolver, netip.MustParseAddr("198.51.100.23"), "mail.shop.example")
//	for _, f := range res.Findings() {
//		fmt.Println(f.Fact)
//	}
//
// Receivers refuse mail from an address without a PTR record whose name resolves
// back to the address (RFC 8601, section 2.7.3; Gmail's and Yahoo's sender rules
// since 2024), and mistrust names that look like those of dial-up lines.
//
// What leaves the machine is DNS alone: the reverse name of the address, the
// names of its PTR records, and the HELO name.
package iprev

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/resolve"
)

// maxNames bounds the PTR records that are followed. RFC 7208, section 5.5, uses
// the same number for the same purpose.
const maxNames = 10

// A Name is one PTR record and whether it leads back to the address.
type Name struct {
	Host      string         `json:"host"`
	Confirmed bool           `json:"confirmed"`
	Generic   string         `json:"generic,omitempty"` // what makes it look like a dial-up line's: "holds the address"
	Forward   resolve.Answer `json:"forward"`
}

// A Status says how a check of reverse DNS ended.
type Status string

// The statuses. Pass, fail and the errors are those of RFC 8601, section 2.7.3.
const (
	Pass      Status = "pass"      // a PTR name resolves back to the address
	Fail      Status = "fail"      // there are PTR names, and none does
	Missing   Status = "missing"   // there is no PTR record
	TempError Status = "temperror" // DNS did not answer
	NoAddress Status = "none"      // there was no address to check
)

// A Result is what [Check] found.
type Result struct {
	Addr   netip.Addr     `json:"addr"`
	Status Status         `json:"result"`
	PTR    resolve.Answer `json:"ptr"`
	Names  []Name         `json:"names,omitempty"`
	HELO   *HELO          `json:"helo,omitempty"` // nil when no name was given
}

// A HELO is the name that the server gave of itself.
type HELO struct {
	Name    string         `json:"name"`
	Valid   bool           `json:"valid"`   // a full host name or an address literal (RFC 5321, section 4.1.1.1)
	Literal bool           `json:"literal"` // an address literal such as [192.0.2.1]
	IsPTR   bool           `json:"is_ptr"`  // it is one of the PTR names
	Forward bool           `json:"forward"` // it resolves to the address
	Answer  resolve.Answer `json:"answer"`
}

// Check looks up the PTR records of addr and the addresses of their names, and
// of the HELO name where one is given. An IPv4 address mapped into IPv6 is taken
// as IPv4.
func Check(ctx context.Context, r resolve.Resolver, addr netip.Addr, helo string) *Result {
	addr = addr.Unmap().WithZone("")
	res := &Result{Addr: addr, Status: NoAddress}
	if addr.IsValid() {
		res.reverse(ctx, r)
	}
	if helo = strings.TrimSpace(helo); helo != "" {
		res.HELO = res.greet(ctx, r, helo)
	}
	return res
}

func (res *Result) reverse(ctx context.Context, r resolve.Resolver) {
	res.PTR = r.Resolve(ctx, resolve.Reverse(res.Addr), resolve.PTR)
	switch {
	case res.PTR.Status.Absent():
		res.Status = Missing
		return
	case res.PTR.Status != resolve.OK, len(res.PTR.Hosts()) == 0:
		res.Status = TempError
		return
	}
	res.Status = Fail
	open := false
	for i, host := range res.PTR.Hosts() {
		if i == maxNames {
			break
		}
		n := Name{Host: host, Generic: generic(host, res.Addr)}
		n.Forward = r.Resolve(ctx, host, res.family())
		n.Confirmed = holds(n.Forward, res.Addr)
		open = open || !n.Forward.Status.Known()
		if n.Confirmed {
			res.Status = Pass
		}
		res.Names = append(res.Names, n)
	}
	if res.Status == Fail && open {
		res.Status = TempError
	}
}

func (res *Result) family() resolve.Type {
	if res.Addr.Is4() {
		return resolve.A
	}
	return resolve.AAAA
}

func holds(a resolve.Answer, addr netip.Addr) bool {
	for _, got := range a.Addrs() {
		if got.Unmap() == addr {
			return true
		}
	}
	return false
}

func (res *Result) greet(ctx context.Context, r resolve.Resolver, name string) *HELO {
	h := &HELO{Name: name}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner = strings.TrimPrefix(strings.TrimSuffix(inner, "]"), "IPv6:")
		addr, err := netip.ParseAddr(inner)
		h.Literal = true
		h.Valid = err == nil
		h.Forward = err == nil && addr.Unmap() == res.Addr
		return h
	}
	canonical, err := resolve.Name(name)
	if err != nil || !isHost(canonical) {
		return h
	}
	h.Valid = true
	for _, n := range res.Names {
		h.IsPTR = h.IsPTR || n.Host == canonical
	}
	if !res.Addr.IsValid() {
		return h
	}
	for _, n := range res.Names {
		if n.Host == canonical {
			h.Answer = n.Forward
		}
	}
	if h.Answer.Status == resolve.Unset {
		h.Answer = r.Resolve(ctx, canonical, res.family())
	}
	h.Forward = holds(h.Answer, res.Addr)
	return h
}

// isHost reports whether a canonical name is a full host name (RFC 1123, section
// 2.1): two labels or more, letters, digits and hyphens, the last not a number.
func isHost(name string) bool {
	labels := strings.Split(name, ".")
	if len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		for i := range len(l) {
			if c := l[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
				return false
			}
		}
	}
	last := labels[len(labels)-1]
	return last[0] < '0' || last[0] > '9'
}

// privateNames end in labels that exist in no public DNS (RFC 6761, RFC 6762,
// RFC 9476; "lan", "corp" and "home" by custom).
var privateNames = []string{".local", ".localdomain", ".localhost", ".lan", ".corp", ".home", ".internal", ".home.arpa", ".invalid"}

func isPrivateName(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, suffix := range privateNames {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// genericWords are labels, or parts of them, that providers give to lines whose
// holder sends no mail of their own.
var genericWords = []string{"dynamic", "dyn", "dhcp", "dialup", "dial", "dsl", "adsl", "vdsl", "xdsl", "cable", "ppp", "pppoe", "pool", "cust", "customer", "client", "broadband", "residential", "unassigned", "wireless", "mobile", "gprs", "umts", "lte", "ftth", "fiber", "fibre", "catv", "hfc", "cpe", "dip", "nat"}

// lineWords tell a line by themselves, with a number; senders' own pools and
// clients have numbers too.
var lineWords = []string{"dynamic", "dyn", "dhcp", "dialup", "dial", "dsl", "adsl", "vdsl", "xdsl", "cable", "ppp", "pppoe", "broadband", "residential", "ftth", "catv", "hfc", "dip"}

// generic says what makes a name look like one that a provider gives to all its
// lines, or "". A name that holds the address and a word such as "dsl" is one; so
// is one that holds all four octets.
func generic(host string, addr netip.Addr) string {
	label, rest, _ := strings.Cut(host, ".")
	word := ""
	for _, l := range strings.FieldsFunc(label+"."+firstLabels(rest), func(r rune) bool { return r == '.' || r == '-' || r == '_' || '0' <= r && r <= '9' }) {
		for _, w := range genericWords {
			if l == w {
				word = w
			}
		}
	}
	if holdsAddress(label+"."+firstLabels(rest), addr) {
		if word != "" {
			return "it holds the address and the word \"" + word + "\""
		}
		return "it holds the address"
	}
	if slices.Contains(lineWords, word) && strings.ContainsAny(label, "0123456789") {
		return "it holds a number and the word \"" + word + "\""
	}
	return ""
}

// firstLabels leaves out the last two labels, which are the provider's name.
func firstLabels(rest string) string {
	labels := strings.Split(rest, ".")
	if len(labels) <= 2 {
		return ""
	}
	return strings.Join(labels[:len(labels)-2], ".")
}

// holdsAddress looks for the octets of an IPv4 address, forwards or backwards,
// in decimal or hexadecimal, and for the groups of an IPv6 one.
func holdsAddress(s string, addr netip.Addr) bool {
	if !addr.Is4() {
		groups := strings.Split(addr.StringExpanded(), ":")
		found := 0
		for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == '-' || r == '_' }) {
			for _, g := range groups[2:] {
				if len(part) >= 2 && strings.TrimLeft(g, "0") == strings.TrimLeft(part, "0") {
					found++
					break
				}
			}
		}
		return found >= 3
	}
	b := addr.As4()
	numbers := digitsIn(s)
	for i := 0; i+4 <= len(numbers); i++ {
		if n := numbers[i : i+4]; n[0] == int(b[0]) && n[1] == int(b[1]) && n[2] == int(b[2]) && n[3] == int(b[3]) ||
			n[0] == int(b[3]) && n[1] == int(b[2]) && n[2] == int(b[1]) && n[3] == int(b[0]) {
			return true
		}
	}
	const hex = "0123456789abcdef"
	text := make([]byte, 0, 8)
	for _, o := range b {
		text = append(text, hex[o>>4], hex[o&15])
	}
	return strings.Contains(s, string(text))
}

func digitsIn(s string) []int {
	var numbers []int
	for i := 0; i < len(s); {
		if s[i] < '0' || s[i] > '9' {
			i++
			continue
		}
		n, from := 0, i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			if i-from < 6 {
				n = n*10 + int(s[i]-'0')
			}
			i++
		}
		numbers = append(numbers, n)
	}
	return numbers
}
