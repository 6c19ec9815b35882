package content

import (
	"bytes"
	_ "embed"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"

	"github.com/rebound-mail/rebound/internal/stanza"
)

//go:embed domains.txt
var domainsText string

// domainLists are the sets of names of domains.txt, by their row.
var domainLists = sync.OnceValue(func() map[string]map[string]bool {
	rows, err := stanza.Parse(strings.NewReader(domainsText))
	if err != nil {
		panic(err) // the table is part of the package, and a test reads it
	}
	lists := map[string]map[string]bool{}
	for _, row := range rows {
		set := map[string]bool{}
		for name := range strings.FieldsSeq(strings.Join(row.All("names"), " ")) {
			set[name] = true
		}
		lists[row.Get("list")] = set
	}
	return lists
})

// A target is what a URL leads to.
type target struct {
	scheme, host, port string
	user               bool // user information stands before the host
	escaped            bool // the host is written with %-escapes
	ip                 bool
	org                string // the registrable domain
	tld                string
}

// parseTarget reads a URL as mail programs do, leniently. known is a host whose registrable
// domain is org.
func parseTarget(raw, known, org string) target {
	var t target
	raw = strings.TrimSpace(raw)
	scheme, rest, ok := strings.Cut(raw, ":")
	if !ok || len(scheme) > 10 || strings.ContainsAny(scheme, "/?#.") {
		return t
	}
	t.scheme = strings.ToLower(scheme)
	if t.scheme != "http" && t.scheme != "https" {
		return t
	}
	rest = strings.TrimLeft(rest, `/\`)
	authority := rest
	if i := strings.IndexAny(rest, `/?#\`); i >= 0 {
		authority = rest[:i]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		t.user, authority = true, authority[i+1:]
	}
	if len(authority) > 300 {
		return t
	}
	if strings.Contains(authority, "%") {
		t.escaped = true
		if s, err := url.PathUnescape(authority); err == nil {
			authority = s
		}
	}
	host := authority
	if strings.HasPrefix(host, "[") {
		if i := strings.IndexByte(host, ']'); i > 0 {
			host, authority = host[1:i], authority[i+1:]
			_, t.port, _ = strings.Cut(authority, ":")
		}
	} else {
		host, t.port, _ = strings.Cut(host, ":")
	}
	t.host = strings.ToLower(strings.TrimSuffix(host, "."))
	if isAddress(t.host) || isNumber(t.host) {
		t.ip = true
		return t
	}
	if strings.ContainsFunc(t.host, func(r rune) bool { return r < 0x80 && class[byte(r)] == other && r != '.' && r != '-' && r != '_' }) {
		t.host = "" // no name that DNS could hold
		return t
	}
	if t.org = org; t.host != known || org == "" {
		t.org = organization(t.host)
	}
	t.tld = t.host[strings.LastIndexByte(t.host, '.')+1:]
	return t
}

// isAddress reports whether a host is an IP address.
func isAddress(host string) bool {
	if host == "" || !strings.Contains(host, ":") && class[host[len(host)-1]] != digit {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// isNumber reports whether a host is an address written as one number, 0x7f000001.
func isNumber(host string) bool {
	if host == "" {
		return false
	}
	digits := strings.TrimPrefix(host, "0x")
	for i := range len(digits) {
		if c := digits[i]; (c < '0' || c > '9') && (digits == host || c < 'a' || c > 'f') {
			return false
		}
	}
	return digits != ""
}

// organization is the registrable domain of a host, or the host.
func organization(host string) string {
	if org, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return org
	}
	return host
}

// textLinks adds the addresses of pages that stand in plain text.
func (m *letter) textLinks(p *part, t []byte) {
	for i, most := 0, len(m.links)+maxLinks; len(m.links) < most; {
		n := bytes.Index(t[i:], []byte("://"))
		if n < 0 {
			break
		}
		mark := i + n
		i = mark + 3
		start := mark - 4
		if start >= 0 && !hasPrefixFold(string(t[start:mark]), "http") {
			start--
		}
		if start < 0 || !hasPrefixFold(string(t[start:mark]), "http") || mark-start == 5 && t[mark-1]|0x20 != 's' {
			continue
		}
		for i < len(t) && t[i] > ' ' && t[i] != '<' && t[i] != '>' && t[i] != '"' && t[i] != ')' && i-start < 2000 {
			i++
		}
		end := start + len(bytes.TrimRight(t[start:i], ".,;:!?]}'*"))
		href := string(t[start:end])
		m.links = append(m.links, link{part: p, at: segment{start, end}, href: href, url: m.target(href)})
	}
}

// maxLinks bounds the links, and the images, of one part that are looked at.
const maxLinks = 10000
