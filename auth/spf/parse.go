package spf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A Record is the text of an SPF record, read. A record with faults makes every
// check a permerror (RFC 7208, section 4.6); its other terms are there all the
// same.
type Record struct {
	Text   string
	Terms  []Term
	Faults []Fault
}

// A Fault is a breach of the grammar (RFC 7208, section 12), with where in the
// record it stands, in bytes.
type Fault struct {
	Start, End int
	What       string // the term or the part of it that is wrong, and why
	Section    string // of RFC 7208
}

// A Term is a mechanism with its qualifier, or a modifier.
type Term struct {
	Text       string
	Start, End int
	Qualifier  byte   // '+', '-', '~' or '?'; 0 for a modifier
	Name       string // in lower case: "all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"; "redirect", "exp" or another modifier's; "" where none can be read
	Value      string // the domain-spec as written, macros and all, or the modifier's value
	Prefix     netip.Prefix
	Bits4      int // the prefix length for IPv4 of a and mx; 32 where none is given
	Bits6      int // and for IPv6; 128 where none is given
	Faulty     bool

	macro macroString // of Value
}

// IsModifier reports whether the term is "name=value".
func (t *Term) IsModifier() bool { return t.Qualifier == 0 }

// asks reports whether the term counts against [MaxLookups].
func (t *Term) asks() bool {
	switch t.Name {
	case "include", "a", "mx", "ptr", "exists", "redirect":
		return true
	}
	return false
}

const version = "v=spf1"

// IsRecord reports whether a TXT record is one of SPF: it begins with "v=spf1",
// in any case, and a space or nothing follows (RFC 7208, section 4.5).
func IsRecord(text string) bool {
	return len(text) >= len(version) && strings.EqualFold(text[:len(version)], version) && (len(text) == len(version) || text[len(version)] == ' ')
}

// Parse reads the text of a record, its character-strings joined. It never fails:
// what cannot be read is among the Faults, and the rest is there.
func Parse(text string) *Record {
	r := &Record{Text: text}
	if len(text) > maxRecord {
		text = text[:maxRecord]
		r.fault(maxRecord, len(r.Text), "4.6", "the record is longer than %d octets", maxRecord)
	}
	at := 0
	if IsRecord(text) {
		at = len(version)
	} else {
		r.fault(0, min(len(text), len(version)), "4.5", `the record does not begin with "v=spf1" and a space`)
		at = skipVersion(text)
	}
	r.Terms = make([]Term, 0, strings.Count(text[at:], " "))
	for at < len(text) {
		if text[at] == ' ' {
			at++
			continue
		}
		end := at
		for end < len(text) && text[end] != ' ' {
			end++
		}
		r.Terms = append(r.Terms, r.term(text[at:end], at))
		at = end
	}
	r.checkModifiers()
	return r
}

// skipVersion steps over something that was meant as the version.
func skipVersion(text string) int {
	trimmed := strings.TrimLeft(text, " \t\"")
	if len(trimmed) >= 2 && strings.EqualFold(trimmed[:2], "v=") {
		word, _, _ := strings.Cut(trimmed, " ")
		return len(text) - len(trimmed) + len(word)
	}
	return 0
}

func (r *Record) fault(start, end int, section, format string, args ...any) {
	r.Faults = append(r.Faults, Fault{Start: start, End: end, What: fmt.Sprintf(format, args...), Section: section})
}

// checkModifiers: redirect and exp may stand once each (section 6).
func (r *Record) checkModifiers() {
	seen := map[string]bool{}
	for i := range r.Terms {
		t := &r.Terms[i]
		if t.Name != "redirect" && t.Name != "exp" {
			continue
		}
		if seen[t.Name] {
			t.Faulty = true
			r.fault(t.Start, t.End, "6", "%s= stands twice", t.Name)
		}
		seen[t.Name] = true
	}
}

// term reads one term that stands at a column of the record.
func (r *Record) term(text string, at int) Term {
	t := Term{Text: text, Start: at, End: at + len(text), Bits4: 32, Bits6: 128}
	before := len(r.Faults)
	for i := range len(text) {
		if c := text[i]; c < 0x21 || c > 0x7e {
			r.fault(at+i, at+i+1, "4.6", "the octet 0x%02x in %s: a record holds printable ASCII alone", c, strconv.QuoteToASCII(text))
			break
		}
	}
	if len(r.Faults) == before {
		r.readTerm(&t)
	}
	t.Faulty = len(r.Faults) > before
	return t
}

func (r *Record) readTerm(t *Term) {
	name := nameEnd(t.Text)
	if name > 0 && name < len(t.Text) && t.Text[name] == '=' {
		r.modifier(t, name)
		return
	}
	r.directive(t)
}

// nameEnd returns the length of the name that a text begins with (section 6.1):
// a letter, then letters, digits, "-", "_" and ".".
func nameEnd(s string) int {
	for i := range len(s) {
		c := s[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !('0' <= s[i] && s[i] <= '9' || s[i] == '-' || s[i] == '_' || s[i] == '.')) {
			return i
		}
	}
	return len(s)
}

func (r *Record) modifier(t *Term, name int) {
	t.Name, t.Value = strings.ToLower(t.Text[:name]), t.Text[name+1:]
	known := t.Name == "redirect" || t.Name == "exp"
	r.domainSpec(t, t.Value, t.Start+name+1, known)
}

var mechanisms = map[string]bool{"all": true, "include": true, "a": true, "mx": true, "ptr": true, "ip4": true, "ip6": true, "exists": true}

func (r *Record) directive(t *Term) {
	t.Qualifier = '+'
	rest, at := t.Text, t.Start
	if strings.IndexByte("+-~?", rest[0]) >= 0 {
		t.Qualifier = rest[0]
		rest, at = rest[1:], at+1
	}
	end := strings.IndexAny(rest, ":/")
	if end < 0 {
		end = len(rest)
	}
	name := strings.ToLower(rest[:end])
	if !mechanisms[name] {
		r.fault(t.Start, t.End, "4.6.1", "%q is no mechanism and no modifier%s", t.Text, hint(name))
		return
	}
	t.Name = name
	value, hasValue := rest[end:], false
	at += end
	if strings.HasPrefix(value, ":") {
		value, hasValue, at = value[1:], true, at+1
	}
	switch name {
	case "all":
		if value != "" || hasValue {
			r.fault(t.Start, t.End, "5.1", "%q: all takes no value", t.Text)
		}
	case "ip4", "ip6":
		r.network(t, value, at, hasValue)
	case "a", "mx":
		spec := r.cidr(t, value, at)
		t.Value = spec
		if hasValue || spec != "" {
			r.domainSpec(t, spec, at, true)
		}
	case "include", "exists":
		t.Value = value
		r.domainSpec(t, value, at, true)
	case "ptr":
		t.Value = value
		if hasValue || value != "" {
			r.domainSpec(t, value, at, true)
		}
	}
}

// hint names what was probably meant.
func hint(name string) string {
	switch {
	case strings.HasPrefix(name, "ipv4"):
		return ": the mechanism is called ip4"
	case strings.HasPrefix(name, "ipv6"):
		return ": the mechanism is called ip6"
	case name == "ip":
		return ": the mechanism is called ip4 or ip6"
	case name == "includes":
		return ": the mechanism is called include"
	case strings.HasPrefix(name, version):
		return ": a record holds one version"
	}
	if _, err := netip.ParsePrefix(name); err == nil {
		return ": an address stands behind ip4: or ip6:"
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return ": an address stands behind ip4: or ip6:"
	}
	if strings.Contains(name, ".") {
		return ": a domain stands behind include:, a: or mx:"
	}
	return ""
}

// network reads the value of ip4 and ip6 (section 5.6).
func (r *Record) network(t *Term, value string, at int, hasValue bool) {
	t.Value = value
	if !hasValue || value == "" {
		r.fault(t.Start, t.End, "5.6", "%q: %s needs an address", t.Text, t.Name)
		return
	}
	text, length, hasLength := strings.Cut(value, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || addr.Is4() != (t.Name == "ip4") {
		r.fault(at, t.End, "5.6", "%q is no IPv%c address%s", text, t.Name[2], other(t.Name, addr, err))
		return
	}
	bits := addr.BitLen()
	if hasLength {
		n, ok := prefixLength(length, bits)
		if !ok {
			r.fault(at+len(text), t.End, "5.6", "%q is no prefix length from 0 to %d", "/"+length, bits)
			return
		}
		bits = n
	}
	t.Prefix = netip.PrefixFrom(addr, bits)
}

func other(name string, addr netip.Addr, err error) string {
	switch {
	case err != nil:
		return ""
	case name == "ip4" && addr.Is6():
		return "; ip6 takes it"
	case name == "ip6" && addr.Is4():
		return "; ip4 takes it"
	}
	return ""
}

// prefixLength reads a decimal number without leading zeros.
func prefixLength(s string, limit int) (n int, ok bool) {
	if len(s) == 0 || len(s) > 3 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, n <= limit
}

// cidr cuts the dual-cidr-length off the value of a and mx (section 5.3) and
// returns the domain-spec before it.
func (r *Record) cidr(t *Term, value string, at int) string {
	spec, lengths := value, ""
	if i := cidrStart(value); i >= 0 {
		spec, lengths = value[:i], value[i:]
	}
	if lengths == "" {
		return spec
	}
	at += len(spec)
	four, six, hasSix := strings.Cut(lengths, "//")
	if four != "" {
		n, ok := prefixLength(four[1:], 32)
		if !ok {
			r.fault(at, at+len(four), "5.3", "%q is no prefix length from 0 to 32", four)
		}
		t.Bits4 = n
	}
	if hasSix {
		n, ok := prefixLength(six, 128)
		if !ok {
			r.fault(at+len(four), t.End, "5.3", "%q is no prefix length from 0 to 128", "//"+six)
		}
		t.Bits6 = n
	}
	return spec
}

// cidrStart finds the "/" behind which prefix lengths stand: not those in macros,
// whose delimiters may be "/".
func cidrStart(value string) int {
	depth := false
	for i := range len(value) {
		switch {
		case value[i] == '{' && i > 0 && value[i-1] == '%':
			depth = true
		case value[i] == '}':
			depth = false
		case value[i] == '/' && !depth && strings.Trim(value[i:], "/0123456789") == "":
			return i
		}
	}
	return -1
}
