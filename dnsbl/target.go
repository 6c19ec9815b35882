package dnsbl

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/rebound-mail/rebound/resolve"
)

// A Target is what a list is asked about: an address or a domain.
type Target struct {
	ip     netip.Addr
	domain string // canonical
}

// IP returns the target of an address. An IPv4 address mapped into IPv6 is
// taken as IPv4.
func IP(addr netip.Addr) Target { return Target{ip: addr.Unmap().WithZone("")} }

// Domain returns the target of a domain or host name. The error says that DNS
// cannot hold the name.
func Domain(name string) (Target, error) {
	canonical, err := resolve.Name(name)
	if err != nil || canonical == "." {
		return Target{}, fmt.Errorf("dnsbl: %q is no domain", name)
	}
	return Target{domain: canonical}, nil
}

// ParseTarget reads an address or a domain.
func ParseTarget(s string) (Target, error) {
	s = strings.TrimSpace(s)
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return IP(addr), nil
	}
	if !strings.Contains(s, ".") || strings.ContainsAny(s, " /@:") {
		return Target{}, fmt.Errorf("dnsbl: %q is neither an address nor a domain", s)
	}
	if last := s[strings.LastIndexByte(strings.TrimSuffix(s, "."), '.')+1:]; last != "" && last[0] >= '0' && last[0] <= '9' {
		return Target{}, fmt.Errorf("dnsbl: %q is neither an address nor a domain", s)
	}
	return Domain(s)
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

func (t Target) kind() Kind {
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

var errKey = errors.New("dnsbl: the list needs a key")

// QueryName returns the name under which the list is asked about a target (RFC 5782,
// sections 2.1, 2.4 and 3).
func (l *List) QueryName(t Target) (string, error) {
	if l.Kinds&t.kind() == 0 || l.Zone == "" {
		return "", fmt.Errorf("dnsbl: %s lists nothing of the kind of %s", l.Name, t)
	}
	if strings.HasPrefix(l.Zone, "{key}") {
		return "", errKey
	}
	return l.below(t.item(l))
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

// Registered returns the domain that was registered, by the public suffix list:
// shop.co.uk of mail.shop.co.uk. It is the domain itself where the list knows no
// better, and "" for an address.
func (t Target) Registered() string {
	if org, err := publicsuffix.EffectiveTLDPlusOne(t.domain); err == nil {
		return org
	}
	return t.domain
}

func (l *List) below(item string) (string, error) {
	name, err := resolve.Name(item + "." + l.Zone)
	if err != nil {
		return "", fmt.Errorf("dnsbl: %s with %s is longer than DNS allows: %w", item, l.Zone, err)
	}
	return name, nil
}

// testName returns the name of a test entry: "127.0.0.2", "::ffff:7f00:2" (in
// nibbles, RFC 5782, section 5) or "test".
func (l *List) testName(entry string) string {
	item := entry
	if addr, err := netip.ParseAddr(entry); err == nil {
		item = resolve.ReverseLabels(addr)
	}
	name, err := l.below(item)
	if err != nil {
		return ""
	}
	return name
}
