package content

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"unicode/utf8"
)

// A Cleaned is a mail after the repairs that need no author.
type Cleaned struct {
	Message []byte // the whole mail
	Changes []Change
	Before  *Report
	After   *Report
}

// A Change is one kind of repair that was made.
type Change struct {
	Part  string `json:"part"` // as in Place
	What  string `json:"what"` // a sentence
	Count int    `json:"count"`
}

// ErrTooLarge says that a message has more than 32 MiB: what is not read cannot be
// written again.
var ErrTooLarge = errors.New("content: the message is larger than 32 MiB")

// maxRounds bounds how often a repair is repeated until there is nothing left to repair.
const maxRounds = 4

// Clean repairs a raw message without an author's judgement: it balances the tags of
// HTML, takes out scripts, forms, iframes, objects, event handlers and refreshes, and
// the characters that are not seen within words; encodes header fields; writes text that
// needs no base64 without it; and adds a plain text beside HTML that has none. It never
// changes the wording. What cannot be repaired so is left as it is.
//
// Clean of a mail that is clean changes nothing, and the score never rises: where it
// would, the mail is returned unchanged. A part that is signed or encrypted (RFC 1847)
// is not touched. A DKIM signature has to be made anew. The error is that of r, or
// [ErrTooLarge].
func Clean(r io.Reader, o *Options) (*Cleaned, error) {
	raw, err := readAll(r)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxMessage {
		return nil, ErrTooLarge
	}
	if o == nil {
		o = &Options{}
	}
	m := readTexts(raw, *o)
	before := m.report()
	out := &Cleaned{Message: raw, Before: before}
	for range maxRounds {
		next, changes := m.clean()
		if bytes.Equal(next, out.Message) {
			if out.After = m.report(); out.After.Score <= before.Score {
				return out, nil
			}
			break
		}
		out.Message, out.Changes = next, merge(out.Changes, changes)
		m = readTexts(next, *o)
	}
	return &Cleaned{Message: raw, Before: before, After: before}, nil
}

func merge(list, more []Change) []Change {
next:
	for _, c := range more {
		for i := range list {
			if list[i].Part == c.Part && list[i].What == c.What {
				list[i].Count += c.Count
				continue next
			}
		}
		list = append(list, c)
	}
	return list
}

// A cleaner writes the mail anew, copying what it does not change.
type cleaner struct {
	*letter
	out     bytes.Buffer
	changes []Change
	eol     string
}

// clean makes every repair once.
func (m *letter) clean() ([]byte, []Change) {
	c := &cleaner{letter: m, eol: "\n"}
	if i := bytes.IndexByte(m.raw, '\n'); i > 0 && m.raw[i-1] == '\r' {
		c.eol = "\r\n"
	}
	c.out.Write(m.raw[:m.root.headerAt])
	c.part(m.root)
	return c.out.Bytes(), c.changes
}

func (c *cleaner) change(p *part, n int, what string) {
	if n > 0 {
		label := "header"
		if p != nil {
			label = p.label()
		}
		c.changes = append(c.changes, Change{label, what, n})
	}
}

// endsPart reports whether a line of body would be read as a boundary that p lies in.
func (c *cleaner) endsPart(p *part, body []byte) bool {
	for p = p.parent; p != nil; p = p.parent {
		if b := []byte("--" + p.params["boundary"]); bytes.HasPrefix(body, b) || bytes.Contains(body, append([]byte("\n"), b...)) {
			return true
		}
	}
	return false
}

func (c *cleaner) part(p *part) {
	if p.text == nil || p.cut || p.damaged != nil || p.inside("multipart/signed", "multipart/encrypted") {
		c.header(p)
		at := p.start
		for _, child := range p.children {
			c.out.Write(c.raw[at:child.headerAt])
			c.part(child)
			at = child.end
		}
		c.out.Write(c.raw[at:p.end])
		return
	}
	text := bytes.Clone(p.text)
	changed, told := false, len(c.changes)
	if n := len(p.words.invisible); n > 0 {
		text = visibleWords(text)
		if changed = !bytes.Equal(text, p.text); changed {
			c.change(p, n, "took characters that are not seen out of words")
		}
	}
	if p.media == "text/html" {
		if fixed, did := repairHTML(text); len(did) > 0 {
			text, changed = fixed, true
			for _, d := range did {
				c.change(p, d.Count, d.What)
			}
		}
	}
	base64 := p.encoding == "base64" && p.ascii && len(bytes.TrimSpace(p.text)) > 0
	if base64 {
		c.change(p, 1, "wrote the text without base64")
	}
	if (p.noSet || p.badSet || p.asciiSet) && !p.ascii {
		changed = true
		c.change(p, 1, "wrote the text in UTF-8, and declared it")
	}
	if p.media == "text/html" && len(c.texts("text/plain")) == 0 && p == c.texts("text/html")[0] && p.words.count > 0 {
		plain := p.page.plain()
		if body, _ := c.encode(text); !c.endsPart(p, body) && !c.endsPart(p, plain) {
			c.change(p, 1, "added the same in plain text")
			c.alternative(p, plain, text)
			return
		}
	}
	if !changed && !base64 {
		c.header(p)
		c.out.Write(c.raw[p.start:p.end])
		return
	}
	body, encoding := c.encode(text)
	if c.endsPart(p, body) {
		c.changes = c.changes[:told]
		c.header(p)
		c.out.Write(c.raw[p.start:p.end])
		return
	}
	c.otherFields(p)
	c.bodyFields(p, p.media, encoding, isASCII(text))
	c.out.Write(body)
	if p.end > p.start && c.raw[p.end-1] == '\n' && !bytes.HasSuffix(body, []byte("\n")) {
		c.out.WriteString(c.eol)
	}
}

// header copies the fields of p; those of the message are encoded where they need it.
func (c *cleaner) header(p *part) {
	at := p.headerAt
	for i := range p.fields {
		f := &p.fields[i]
		if value, what := repairField(f); what != "" && p == c.root {
			c.out.Write(c.raw[at:f.valueAt])
			c.out.WriteString(" " + value + c.eol)
			at = f.end
			c.change(nil, 1, what)
		}
	}
	c.out.Write(c.raw[at:p.start])
}

// maxPlainSubject bounds a subject that is written without encoding: it is one line.
const maxPlainSubject = 900

// repairField returns what a field should hold, and what that changes; "" where it stays.
func repairField(f *field) (value, what string) {
	if !isASCII(f.value) {
		if value, ok := encodeField(f); ok {
			return value, "encoded a field as RFC 2047 says"
		}
		return "", ""
	}
	if f.name != "subject" || !bytes.Contains(f.value, []byte("=?")) {
		return "", ""
	}
	s := decodeWords(f.unfolded())
	plain := !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
	if !plain || s == "" || s != strings.TrimSpace(s) || len(s) > maxPlainSubject || strings.Contains(s, "=?") {
		return "", ""
	}
	return s, "wrote the subject without encoding"
}

// encodeField encodes a field that has octets beyond ASCII.
func encodeField(f *field) (string, bool) {
	s := decodeWords(f.unfolded())
	switch f.name {
	case "subject", "organization", "comments":
		return mime.QEncoding.Encode("utf-8", s), true
	case "from", "to", "cc", "reply-to", "sender":
		list, err := netmail.ParseAddressList(s)
		if err != nil || len(s) > 4000 {
			return "", false
		}
		all := make([]string, len(list))
		for i, a := range list {
			all[i] = a.String()
			if !isASCII([]byte(all[i])) {
				return "", false
			}
		}
		return strings.Join(all, ", "), true
	}
	return "", false
}

// otherFields copies the fields of p that do not say how its body is written.
func (c *cleaner) otherFields(p *part) {
	for i := range p.fields {
		switch f := &p.fields[i]; {
		case f.name == "content-type" || f.name == "content-transfer-encoding":
		case f.name == "mime-version" && p == c.root:
		default:
			c.field(p, f)
		}
	}
	if p == c.root {
		c.out.WriteString("MIME-Version: 1.0" + c.eol)
	}
}

func (c *cleaner) field(p *part, f *field) {
	if value, what := repairField(f); what != "" && p == c.root {
		c.out.Write(c.raw[f.start:f.valueAt])
		c.out.WriteString(" " + value + c.eol)
		c.change(nil, 1, what)
		return
	}
	c.out.Write(c.raw[f.start:f.end])
	if !bytes.HasSuffix(c.raw[f.start:f.end], []byte("\n")) {
		c.out.WriteString(c.eol)
	}
}

// bodyFields says how a body is written, and ends the header.
func (c *cleaner) bodyFields(p *part, media, encoding string, ascii bool) {
	c.out.WriteString("Content-Type: " + typeOf(p, media, ascii) + c.eol + "Content-Transfer-Encoding: " + encoding + c.eol + c.eol)
}

// typeOf is the Content-Type of a text, with the parameters that p had.
func typeOf(p *part, media string, ascii bool) string {
	params := map[string]string{}
	for key, value := range p.params {
		if key != "charset" && key != "boundary" && utf8.ValidString(value) {
			params[key] = value
		}
	}
	params["charset"] = "utf-8"
	if ascii {
		params["charset"] = "us-ascii"
	}
	if s := mime.FormatMediaType(media, params); s != "" {
		return s
	}
	return media + "; charset=" + params["charset"]
}

// encode writes text for a part: as it is if a server will pass it on, else
// quoted-printable.
func (c *cleaner) encode(text []byte) (body []byte, encoding string) {
	encoding = "7bit"
	start := 0
	for i, b := range text {
		if b == '\n' {
			start = i + 1
		}
		if b >= 0x80 || b == 0 || i-start > 900 || b == '\r' && (i+1 >= len(text) || text[i+1] != '\n') {
			encoding = "quoted-printable"
			break
		}
	}
	var out bytes.Buffer
	if encoding == "quoted-printable" {
		w := quotedprintable.NewWriter(&out)
		w.Write(text)
		w.Close()
	} else {
		out.Write(text)
	}
	body = bytes.ReplaceAll(out.Bytes(), []byte("\r\n"), []byte("\n"))
	if c.eol == "\r\n" {
		body = bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n"))
	}
	return body, encoding
}

// alternative writes an HTML part as a choice between its text and itself.
func (c *cleaner) alternative(p *part, plain, html []byte) {
	hash := fnv.New64a()
	hash.Write(html)
	boundary := fmt.Sprintf("=_alternative_%016x", hash.Sum64())
	c.otherFields(p)
	fmt.Fprintf(&c.out, "Content-Type: multipart/alternative; boundary=\"%s\"%s%s", boundary, c.eol, c.eol)
	write := func(media string, text []byte, params *part) {
		body, encoding := c.encode(text)
		c.out.WriteString("--" + boundary + c.eol)
		c.bodyFields(params, media, encoding, isASCII(text))
		c.out.Write(body)
		c.out.WriteString(c.eol)
	}
	write("text/plain", plain, &part{})
	write("text/html", html, p)
	fmt.Fprintf(&c.out, "--%s--", boundary)
	if p.end > p.start && c.raw[p.end-1] == '\n' || p == c.root {
		c.out.WriteString(c.eol)
	}
}

// plain is the page as plain text, each link followed by its address.
func (g *page) plain() []byte {
	var out bytes.Buffer
	at := 0
	for _, l := range g.links {
		if l.seenEnd <= at || l.text == "" || l.url.host == "" || strings.Contains(l.text, "://") || strings.ContainsAny(l.href, " \r\n<>") {
			continue
		}
		out.Write(g.visible[at:l.seenEnd])
		out.WriteString(" <" + strings.TrimSpace(l.href) + ">")
		at = l.seenEnd
	}
	out.Write(g.visible[at:])
	out.WriteByte('\n')
	return out.Bytes()
}

// visibleWords takes out of words what is not seen in them.
func visibleWords(text []byte) []byte {
	out := make([]byte, 0, len(text))
	before := rune(0)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if isInvisible(r) && isPlain(before) {
			j := i + n
			for j < len(text) {
				next, size := utf8.DecodeRune(text[j:])
				if !isInvisible(next) {
					break
				}
				j += size
			}
			if after, _ := utf8.DecodeRune(text[j:]); isPlain(after) {
				i = j
				continue
			}
		}
		out = append(out, text[i:i+n]...)
		before = r
		i += n
	}
	return out
}
