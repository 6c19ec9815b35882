package content

import (
	"net/mail"
	"strings"
)

// An addr is the mailbox of a From or Reply-To field.
type addr struct {
	text
	name, address string
	local, domain string
}

var addressParser = mail.AddressParser{WordDecoder: &words2047}

// address reads the first mailbox of a field, leniently.
func (m *letter) address(name string) addr {
	f := m.root.field(name)
	if f == nil {
		return addr{}
	}
	a := addr{text: text{f, decodeWords(f.unfolded())}}
	value := f.unfolded()
	if len(value) < 2000 {
		if list, err := addressParser.ParseList(value); err == nil && len(list) > 0 {
			a.name, a.address = list[0].Name, list[0].Address
		}
	}
	if a.address == "" {
		a.name, a.address = loose(a.s)
	}
	a.name = strings.TrimSpace(a.name)
	if i := strings.LastIndexByte(a.address, '@'); i >= 0 {
		a.local, a.domain = a.address[:i], strings.ToLower(a.address[i+1:])
	}
	return a
}

// loose reads "name <address>" from a field that does not keep to the grammar.
func loose(s string) (name, address string) {
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		name, address = s[:i], s[i+1:]
		address, _, _ = strings.Cut(address, ">")
		return strings.Trim(strings.TrimSpace(name), `"`), strings.TrimSpace(address)
	}
	for word := range strings.FieldsSeq(s) {
		if strings.Contains(word, "@") {
			return "", strings.Trim(word, `,;()"`)
		}
	}
	return s, ""
}
