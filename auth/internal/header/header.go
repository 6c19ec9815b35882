// Package header splits a mail into its header fields and its body, as the packages
// of auth need them: octet for octet.
package header

import (
	"bytes"
	"strings"
)

// The limits on what is read of a header.
const (
	MaxSize   = 1 << 20
	MaxFields = 10_000
	// maxFolding bounds the octets that a reader copies which appends each
	// continuation line to its field, as go-msgauth does.
	maxFolding = 1 << 30
)

// A Header is what Split found.
type Header struct {
	Fields []Field
	Body   []byte
	Ended  bool // the blank line behind the header was there
	Large  bool // the header is beyond the limits
}

// A Field is one header field.
type Field struct {
	Name string // in lower case; "" for a line without a colon
	Raw  string // name, colon, value, folding, and CRLF
	Line int    // of the mail, from 1
}

// Value returns what stands behind the colon, unfolded, without the space around it.
func (f *Field) Value() string {
	_, v, _ := strings.Cut(f.Raw, ":")
	return strings.Join(strings.Fields(v), " ")
}

// Split reads the header. Lines may end in LF alone; they are taken as CRLF, as a
// receiver's server would have (RFC 6376, section 5.3).
func Split(raw []byte) *Header {
	h := &Header{}
	var field []byte // the one that is being read
	begun, folding := 0, 0
	end := func() {
		if begun > 0 {
			name, _, ok := strings.Cut(string(field), ":")
			if !ok {
				name = ""
			}
			h.Fields = append(h.Fields, Field{strings.ToLower(strings.TrimRight(name, " \t")), string(field), begun})
		}
		field, begun = field[:0], 0
	}
	for at, line := 0, 1; at < len(raw); line++ {
		stop := bytes.IndexByte(raw[at:], '\n')
		next := at + stop + 1
		if stop < 0 {
			stop, next = len(raw)-at, len(raw)
		}
		text := bytes.TrimSuffix(raw[at:at+stop], []byte("\r"))
		if len(text) == 0 {
			h.Ended, h.Body = true, raw[next:]
			break
		}
		folded := begun > 0 && (text[0] == ' ' || text[0] == '\t')
		if folded {
			folding += len(field)
		} else {
			end()
			begun = line
		}
		if next > MaxSize || len(h.Fields) == MaxFields || folding > maxFolding {
			h.Large, begun = true, 0
			break
		}
		field = append(append(field, text...), "\r\n"...)
		at = next
	}
	end()
	return h
}

// All returns the indices of the fields with a name, from the top.
func (h *Header) All(name string) []int {
	var list []int
	for i := range h.Fields {
		if h.Fields[i].Name == name {
			list = append(list, i)
		}
	}
	return list
}

// Get returns the value of the first field with a name, or "".
func (h *Header) Get(name string) string {
	for i := range h.Fields {
		if h.Fields[i].Name == name {
			return h.Fields[i].Value()
		}
	}
	return ""
}
