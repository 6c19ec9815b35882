// Package txt holds what the packages of auth share about TXT records and the
// findings on them.
package txt

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// maxString is the longest character-string (RFC 1035, section 3.3.14).
const maxString = 255

// Join puts the character-strings of a record together without a space (RFC 7208,
// section 3.3; RFC 6376, section 3.6.2.2; RFC 9989, section 4.7).
func Join(strs []string) string {
	if len(strs) == 1 {
		return strs[0]
	}
	return strings.Join(strs, "")
}

// Quote writes a text as a zone file takes it: in character-strings of at most 255
// octets, each quoted. What is not printable ASCII is written as \DDD.
func Quote(text string) string {
	var b strings.Builder
	for first := true; first || text != ""; first = false {
		n := min(len(text), maxString)
		if !first {
			b.WriteByte(' ')
		}
		b.WriteByte('"')
		for i := range n {
			switch c := text[i]; {
			case c == '"' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c < 0x20 || c > 0x7e:
				fmt.Fprintf(&b, `\%03d`, c)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
		text = text[n:]
	}
	return b.String()
}

// Printable writes a text without octets that a terminal would act on: those that
// are not printable ASCII become \DDD.
func Printable(text string) string {
	plain := true
	for i := range len(text) {
		plain = plain && text[i] >= 0x20 && text[i] <= 0x7e
	}
	if plain {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c > 0x7e {
			fmt.Fprintf(&b, `\%03d`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Evidence turns the answers that were given into evidence.
func Evidence(answers ...resolve.Answer) []finding.Evidence {
	var list []finding.Evidence
	for _, a := range answers {
		if a.Status != resolve.Unset {
			list = append(list, finding.Evidence{Kind: finding.KindDNS, Source: a.Server, Text: a.String()})
		}
	}
	return list
}

// Published is the fix that puts a TXT record in the place of another; old is ""
// where there is none, and new is "" to take it away.
func Published(name, old, new, what string) finding.Fix {
	f := finding.Fix{Action: finding.Replace, What: what, Record: &finding.Record{Name: name, Type: "TXT"}}
	if old != "" {
		f.Record.Old = Quote(old)
	}
	if new != "" {
		f.Record.New = Quote(new)
	}
	f.Verify = fmt.Sprintf("A look-up of %s TXT gives the new record, once the old one's TTL is over.", name)
	switch {
	case old == "":
		f.Action = finding.Publish
		f.Verify = fmt.Sprintf("A look-up of %s TXT gives the record.", name)
	case new == "":
		f.Action = finding.Remove
		f.Verify = fmt.Sprintf("A look-up of %s TXT gives it no longer, once its TTL is over.", name)
	}
	return f
}
