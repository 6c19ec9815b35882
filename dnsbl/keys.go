package dnsbl

import (
	"errors"
	"strings"

	"github.com/rebound-mail/rebound/resolve"
)

// Keys holds a customer's keys by the name that the catalogue gives them:
// "spamhaus-dqs", "abusix". A list that takes the key is then asked, in place of
// the public one that it replaces.
//
// A key stands in the names that go to the resolver and nowhere else: results,
// errors, JSON and the recordings of package resolve show "{key}".
type Keys map[string]Key

// A Key is a secret. Nothing prints it.
type Key struct{ secret *string } // a pointer, which fmt prints as an address even in unexported fields

// Secret returns the key with that text.
func Secret(text string) Key { return Key{&text} }

// keyMark stands for a key in zones and in what is shown.
const keyMark = resolve.SecretMark

// String returns "{key}", or "" for no key.
func (k Key) String() string {
	if k.secret == nil {
		return ""
	}
	return keyMark
}

// GoString is String, quoted.
func (k Key) GoString() string { return `"` + k.String() + `"` }

// MarshalText implements [encoding.TextMarshaler]: it is String.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

var (
	errNoKey  = errors.New("dnsbl: the list needs a key")
	errBadKey = errors.New("dnsbl: the key is not of the form that lists give out: letters, digits and hyphens, at most 63")
)

// text returns the key for a list in small letters, or "" where the list takes
// none or there is none for it.
func (k Keys) text(l *List) (string, error) {
	if !k.has(l) {
		if l.NeedsKey {
			return "", errNoKey
		}
		return "", nil
	}
	if key := *k[l.Key].secret; isLabel(key) {
		return strings.ToLower(key), nil
	}
	return "", errBadKey
}

func isLabel(s string) bool {
	if len(s) == 0 || len(s) > 63 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// has reports whether there is a key for the list.
func (k Keys) has(l *List) bool {
	return l.Key != "" && k[l.Key].secret != nil && *k[l.Key].secret != ""
}
