package dnsbl

import (
	"fmt"
	"iter"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/rebound-mail/rebound/resolve"
)

// A Role is the place of a domain or an address in a mail. Some lists are meant for
// some places alone: one of link hosts says nothing of a mail server. Roles combine.
type Role uint8

// The roles. The zero value is an address that sends mail, which lists for the places
// below are not asked about, or a domain of which nothing more is known, which every
// domain list is asked about.
const (
	Link     Role = 1 << iota // in the text of the mail
	From                      // the author's
	Envelope                  // the envelope sender's
	HELO                      // the name with which the server greets
	RDNS                      // the name of the server's PTR record

	Anywhere = Link | From | Envelope | HELO | RDNS
)

var roleNames = words[Role]{{Link, "link"}, {From, "from"}, {Envelope, "envelope"}, {HELO, "helo"}, {RDNS, "rdns"}}

// String returns the roles as the catalogue writes them: "link from".
func (r Role) String() string { return roleNames.format(r) }

// MarshalText implements [encoding.TextMarshaler].
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// A Target is what a list is asked about: an address or a domain.
type Target struct {
	ip     netip.Addr
	domain string // canonical
	role   Role
}

// IP returns the target of an address. An IPv4 address mapped into IPv6 is
// taken as IPv4.
func IP(addr netip.Addr) Target { return Target{ip: addr.Unmap().WithZone("")} }

// Domain returns the target of a domain or host name. The error says that it is none:
// that DNS cannot hold it, or that it has octets that no host name has.
func Domain(name string) (Target, error) {
	canonical, err := resolve.Name(name)
	if err != nil || canonical == "." || strings.ContainsFunc(canonical, notOfHost) {
		return Target{}, fmt.Errorf("dnsbl: %q is no domain", name)
	}
	return Target{domain: canonical}, nil
}

func notOfHost(r rune) bool {
	return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.')
}

// As returns the target found in that place of a mail: only lists that are meant for
// it, or that do not say, are asked.
func (t Target) As(r Role) Target {
	t.role = r
	return t
}

// Role returns what [Target.As] was given.
func (t Target) Role() Role { return t.role }

// Prefix yields the addresses of a prefix in order, its host bits taken as zero.
func Prefix(p netip.Prefix) iter.Seq[Target] {
	return func(yield func(Target) bool) {
		p = p.Masked()
		for a := p.Addr(); a.IsValid() && p.Contains(a); a = a.Next() {
			if !yield(IP(a)) {
				return
			}
		}
	}
}

// ParseTarget reads an address or a domain.
func ParseTarget(s string) (Target, error) {
	s = strings.TrimSpace(s)
	literal := strings.TrimPrefix(strings.Trim(s, "[]"), "IPv6:") // as SMTP writes it (RFC 5321, section 4.1.3)
	if addr, err := netip.ParseAddr(strings.TrimSuffix(literal, ".")); err == nil {
		return IP(addr), nil
	}
	if _, domain, ok := strings.Cut(s, "@"); ok {
		return Target{}, fmt.Errorf("dnsbl: %q is a mail address: lists hold its domain, %s", s, domain)
	}
	t, err := Domain(s)
	last := t.domain[strings.LastIndexByte(t.domain, '.')+1:]
	if err != nil || last == t.domain || '0' <= last[0] && last[0] <= '9' {
		return Target{}, fmt.Errorf("dnsbl: %q is neither an address nor a domain", s)
	}
	return t, nil
}

// String returns the address or the domain.
func (t Target) String() string {
	if t.ip.IsValid() {
		return t.ip.String()
	}
	return t.domain
}

// Addr returns the address, the zero value for a domain.
func (t Target) Addr() netip.Addr { return t.ip }

// Kind returns the kind of list that can hold the target; 0 for the zero Target.
func (t Target) Kind() Kind {
	switch {
	case t.ip.Is4():
		return IPv4
	case t.ip.IsValid():
		return IPv6
	case t.domain != "":
		return DomainName
	}
	return 0
}

// Registered returns the domain that was registered, by the public suffix list:
// shop.co.uk of mail.shop.co.uk. It is the domain itself where the list knows no
// better, and "" for an address.
func (t Target) Registered() string {
	if org, err := publicsuffix.EffectiveTLDPlusOne(t.domain); err == nil {
		return org
	}
	return t.domain
}

// QueryName returns the name under which the list is asked about a target (RFC 5782,
// sections 2.1, 2.4 and 3), with "{key}" where a customer's key stands.
func (l *List) QueryName(t Target) (string, error) {
	if l.Kinds&t.Kind() == 0 || l.Zone == "" {
		return "", fmt.Errorf("dnsbl: %s lists nothing of the kind of %s", l.Name, t)
	}
	return below(t.item(l), l.Zone)
}

// item returns the labels that stand before the zone.
func (t Target) item(l *List) string {
	if t.ip.IsValid() {
		return resolve.ReverseLabels(t.ip)
	}
	if l.Registered {
		return t.Registered()
	}
	return t.domain
}

func below(item, zone string) (string, error) {
	name, err := resolve.Name(item + "." + zone)
	if err != nil {
		return "", fmt.Errorf("dnsbl: %s.%s is no name that DNS can hold: %w", item, zone, err)
	}
	return name, nil
}

// zoneWith returns the zone with a customer's key, the mark of one, or neither.
func (l *List) zoneWith(key string) string {
	bare := strings.TrimPrefix(l.Zone, keyMark+".")
	if key == "" {
		return bare
	}
	return key + "." + bare
}

// testName returns the labels of a test entry: "127.0.0.2", "::ffff:7f00:2" (in
// nibbles, RFC 5782, section 5) or "test".
func testName(entry string) string {
	if addr, err := netip.ParseAddr(entry); err == nil {
		return resolve.ReverseLabels(addr)
	}
	return entry
}

// testEntries are those of RFC 5782, section 5: the one that must be there, and
// the one that must not.
var testEntries = map[Kind][2]string{
	IPv4: {"127.0.0.2", "127.0.0.1"}, IPv6: {"::ffff:7f00:2", "::ffff:7f00:1"}, DomainName: {"test", "invalid"},
}

// noEntry says in the catalogue that a list has no such test entry and is not to
// be asked for one.
const noEntry = "none"

// presentEntry returns the test entry to ask before an absence is believed, "" for
// none.
func (l *List) presentEntry(k Kind) string {
	if l.own {
		return testEntries[k][0]
	}
	if entry := entryFor(l.Present, k); entry != "" || k == DomainName {
		return entry
	}
	// An entry of the other family still shows that the zone is kept.
	for _, e := range l.Present {
		if _, err := netip.ParseAddr(e); err == nil {
			return e
		}
	}
	return ""
}

// absentEntry returns the test entry to ask before a listing is believed, and
// whether the list documents it. A list that documents none is asked for the one
// of the RFC, unless it says that it has none.
func (l *List) absentEntry(k Kind) (entry string, documented bool) {
	if len(l.Absent) > 0 && l.Absent[0] == noEntry {
		return "", false
	}
	if entry = entryFor(l.Absent, k); entry != "" {
		return entry, true
	}
	return testEntries[k][1], l.own
}

// entryFor picks the entry of a kind: an address of its family, or a name.
func entryFor(entries []string, k Kind) string {
	for _, e := range entries {
		if e == noEntry {
			continue
		}
		addr, err := netip.ParseAddr(e)
		switch {
		case err != nil && k == DomainName, err == nil && addr.Is4() && k == IPv4, err == nil && addr.Is6() && k == IPv6:
			return e
		}
	}
	return ""
}
