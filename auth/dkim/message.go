package dkim

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/header"
)

// maxPicks bounds the names in all h= tags times the fields of the header, which is
// what picking them costs.
const maxPicks = 4 << 20

// A message is the header fields of a mail and its body as received.
type message struct{ *header.Header }

// pick returns for each name of h= the index of the field that it stands for, from
// the bottom up, or -1 (RFC 6376, section 5.4.2).
func (m *message) pick(names []string) []int {
	byName := map[string][]int{}
	for i := range m.Fields {
		byName[m.Fields[i].Name] = append(byName[m.Fields[i].Name], i)
	}
	picks := make([]int, len(names))
	for i, name := range names {
		picks[i] = -1
		if list := byName[name]; len(list) > 0 {
			picks[i] = list[len(list)-1]
			byName[name] = list[:len(list)-1]
		}
	}
	return picks
}

// canonicalField applies a header canonicalization (RFC 6376, sections 3.4.1 and
// 3.4.2).
func canonicalField(raw, how string) string {
	if how != "relaxed" {
		return raw
	}
	name, value, _ := strings.Cut(raw, ":")
	var b strings.Builder
	b.Grow(len(raw))
	b.WriteString(strings.ToLower(strings.TrimSpace(name)))
	b.WriteByte(':')
	space, begun := false, false
	for i := range len(value) {
		switch c := value[i]; c {
		case ' ', '\t', '\r', '\n':
			space = begun
		default:
			if space {
				b.WriteByte(' ')
			}
			b.WriteByte(c)
			space, begun = false, true
		}
	}
	b.WriteString("\r\n")
	return b.String()
}

// canonicalBody applies a body canonicalization (RFC 6376, sections 3.4.3 and
// 3.4.4).
func canonicalBody(body []byte, how string) []byte {
	relaxed := how == "relaxed"
	out := make([]byte, 0, len(body)+2)
	blank := 0
	for at := 0; at < len(body); {
		end := bytes.IndexByte(body[at:], '\n')
		next := at + end + 1
		if end < 0 {
			end, next = len(body)-at, len(body)
		}
		line := body[at : at+end]
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		at = next
		if relaxed {
			line = bytes.TrimRight(line, " \t")
		}
		if len(line) == 0 {
			blank++
			continue
		}
		for ; blank > 0; blank-- {
			out = append(out, '\r', '\n')
		}
		if relaxed {
			out = appendRelaxed(out, line)
		} else {
			out = append(out, line...)
		}
		out = append(out, '\r', '\n')
	}
	if len(out) == 0 && !relaxed {
		return append(out, '\r', '\n')
	}
	return out
}

// appendRelaxed appends a line with each run of white space as one space.
func appendRelaxed(out, line []byte) []byte {
	if bytes.IndexByte(line, '\t') < 0 && !bytes.Contains(line, []byte("  ")) {
		return append(out, line...)
	}
	space := false
	for _, c := range line {
		if c == ' ' || c == '\t' {
			space = true
			continue
		}
		if space {
			out = append(out, ' ')
			space = false
		}
		out = append(out, c)
	}
	return out
}

// withoutData returns the signature's own field with the value of b= taken out.
func (s *Signature) withoutData() string {
	for i := range s.Tags {
		if t := &s.Tags[i]; t.Name == "b" {
			// All that stands between "=" and ";" goes, white space too.
			start := strings.LastIndexByte(s.Field[:t.Start], '=') + 1
			end := strings.IndexByte(s.Field[t.End:], ';')
			if end < 0 {
				return s.Field[:start] + "\r\n"
			}
			return s.Field[:start] + s.Field[t.End+end:]
		}
	}
	return s.Field
}

// signed is what the header hash of a signature is made over: one text for each
// name of h=, then the signature's own field.
type signed struct {
	names []string
	picks []int
	texts []string // canonical; "" where the field is not there
	own   string
}

func (m *message) signed(s *Signature) *signed {
	d := &signed{names: s.Headers, picks: m.pick(s.Headers), texts: make([]string, len(s.Headers))}
	for i, at := range d.picks {
		if at >= 0 {
			d.texts[i] = canonicalField(m.Fields[at].Raw, s.HeaderC)
		}
	}
	d.own = strings.TrimSuffix(canonicalField(s.withoutData(), s.HeaderC), "\r\n")
	return d
}

// sum returns the header hash.
func (d *signed) sum() [sha256.Size]byte { return d.sumWith(-1, "") }

// sumWith returns it with one text replaced.
func (d *signed) sumWith(at int, text string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for i, t := range d.texts {
		if i == at {
			t = text
		}
		writeString(h, t)
	}
	writeString(h, d.own)
	h.Sum(sum[:0])
	return sum
}

func writeString(h hash.Hash, s string) { h.Write([]byte(s)) }

func (d *signed) size() int {
	n := len(d.own)
	for _, t := range d.texts {
		n += len(t)
	}
	return n
}
