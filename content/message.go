package content

import (
	"bytes"
	"io"
	"io/fs"
	"mime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// The limits of what is read. What lies beyond a limit is reported by the check
// content.size-unread.
const (
	maxMessage = 32 << 20 // octets of a message
	maxText    = 2 << 20  // decoded octets of one text part; Gmail shows a twentieth
	maxFields  = 2000     // header fields of one part
	maxParts   = 1000     // parts of a message
	maxDepth   = 30       // multiparts within one another
)

// A field is one header field. Its offsets are into the message.
type field struct {
	name       string // in lower case
	value      []byte // what follows the colon, folded as it is
	start, end int
	valueAt    int
}

// A part is one MIME entity of a message. Offsets are into the message.
type part struct {
	id         string // "1.2"; "1" for a message that is not a multipart
	depth      int
	fields     []field
	headerAt   int
	start, end int // the body
	media      string
	params     map[string]string
	encoding   string // Content-Transfer-Encoding, in lower case
	attachment bool
	name       string // of the file
	children   []*part
	parent     *part

	text     []byte // what a text part says, in UTF-8
	page     *page  // of text/html
	words    *words // of what is seen
	alone    bool   // text is all that there is: a template, not a part of a message
	lines    []int32
	octets   int  // of the decoded body, as far as it was read
	cut      bool // more than maxText
	damaged  error
	noSet    bool // 8-bit text without a charset
	badSet   bool // the charset is unknown, or the text does not keep to it
	asciiSet bool // 8-bit text that is declared as US-ASCII
	ascii    bool // text is ASCII alone
}

// A letter is a mail as far as it could be read, and what is wrong with its form.
type letter struct {
	raw      []byte
	root     *part
	parts    []*part // all, in order
	template bool    // not a message yet: what a program adds when it sends is not missing
	opts     Options
	unread   string
	noEnd    *part // a multipart without its last boundary
	noStart  *part // a multipart without any part
	badType  *part // a Content-Type that cannot be read
	badLine  int   // offset of a line that is no header field, or -1
	from     addr
	replyTo  addr
	subject  text
	title    *words                   // of the subject
	families map[string]*phrasesFound // of the texts
	bulk     bool
	links    []link
	lastHost string // of a link, and its registrable domain
	lastOrg  string
	untold   int // places of the check that runs, beyond those that it returns
}

// A text is a header field decoded, with the field that it was read from.
type text struct {
	field *field
	s     string
}

func readMessage(raw []byte, o Options) *letter {
	m := &letter{raw: raw, opts: o, badLine: -1}
	if len(raw) > maxMessage {
		m.raw = raw[:maxMessage]
		m.unread = "what lies beyond 32 MiB"
	}
	m.root = &part{id: "1"}
	m.parse(m.root, envelopeLine(m.raw), len(m.raw))
	return m
}

// readAll reads what is at most looked at, and one octet more.
func readAll(r io.Reader) ([]byte, error) {
	var buf bytes.Buffer
	if n := sizeOf(r); n > 0 {
		buf.Grow(int(min(n, maxMessage+1)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(io.LimitReader(r, maxMessage+1))
	return buf.Bytes(), err
}

// sizeOf is what a reader in memory or a file says that it holds, or 0.
func sizeOf(r io.Reader) int64 {
	switch r := r.(type) {
	case interface{ Len() int }:
		return int64(r.Len())
	case fs.File:
		if info, err := r.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	}
	return 0
}

// envelopeLine returns the length of a line "From …" that a mailbox put before the
// header, or of its quoted form.
func envelopeLine(raw []byte) int {
	if bytes.HasPrefix(raw, []byte("From ")) || bytes.HasPrefix(raw, []byte(">From ")) {
		return nextLine(raw, 0)
	}
	return 0
}

// nextLine returns the offset of the line after the one at i.
func nextLine(raw []byte, i int) int {
	n := bytes.IndexByte(raw[i:], '\n')
	if n < 0 {
		return len(raw)
	}
	return i + n + 1
}

// parse reads the part that lies between start and end, and those within it.
func (m *letter) parse(p *part, start, end int) {
	m.parts = append(m.parts, p)
	p.headerAt, p.end = start, end
	p.start = m.header(p, start, end)
	m.contentType(p)
	if !strings.HasPrefix(p.media, "multipart/") {
		if p.media == "message/rfc822" && !p.attachment {
			p.attachment = true
		}
		return
	}
	m.multipart(p)
}

// header reads the fields of p and returns where its body begins.
func (m *letter) header(p *part, i, end int) int {
	if p == m.root {
		p.fields = make([]field, 0, 24) // most messages have fewer
	}
	for i < end {
		next := min(nextLine(m.raw, i), end)
		line := bytes.TrimRight(m.raw[i:next], "\r\n")
		switch colon := bytes.IndexByte(line, ':'); {
		case len(line) == 0:
			return next
		case line[0] == ' ' || line[0] == '\t':
			if len(p.fields) > 0 {
				f := &p.fields[len(p.fields)-1]
				f.end = next
				f.value = m.raw[f.valueAt:f.end]
			}
		case colon > 0 && isName(line[:colon]):
			if len(p.fields) >= maxFields {
				m.unread = "header fields beyond the 2000th"
				break
			}
			at := i + colon + 1
			p.fields = append(p.fields, field{name: fieldName(line[:colon]), value: m.raw[at:next], start: i, end: next, valueAt: at})
		case bytes.HasPrefix(line, []byte(">From ")) || bytes.HasPrefix(line, []byte("From ")):
		case len(p.fields) == 0 || p != m.root:
			return i // a body without a header
		default:
			if m.badLine < 0 {
				m.badLine = i
			}
		}
		i = next
	}
	return end
}

// fieldName is the name of a field in lower case, without a copy where it is well known.
func fieldName(raw []byte) string {
	raw = bytes.TrimRight(raw, " \t")
	var buf [32]byte
	if len(raw) > len(buf) {
		return strings.ToLower(string(raw))
	}
	for i, c := range raw {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	if name, ok := fieldNames[string(buf[:len(raw)])]; ok {
		return name
	}
	return string(buf[:len(raw)])
}

var fieldNames = func() map[string]string {
	names := map[string]string{}
	for name := range strings.FieldsSeq("received return-path from to cc bcc subject date message-id reply-to sender in-reply-to references mime-version content-type content-transfer-encoding content-disposition content-id " +
		"list-unsubscribe list-unsubscribe-post list-id list-post list-help list-archive list-subscribe precedence errors-to delivered-to feedback-id dkim-signature arc-seal arc-message-signature arc-authentication-results authentication-results " +
		"received-spf x-mailer x-priority x-msmail-priority importance user-agent organization status x-status x-keywords x-beenthere x-mailman-version x-spam-status x-spam-level x-mimeole") {
		names[name] = name
	}
	return names
}()

func isName(name []byte) bool {
	for _, c := range bytes.TrimRight(name, " \t") {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// contentType reads what the fields of p say of its body.
func (m *letter) contentType(p *part) {
	p.media = "text/plain"
	if f := p.field("content-type"); f != nil {
		media, params, err := mime.ParseMediaType(f.unfolded())
		if err != nil || !strings.Contains(media, "/") {
			media, params = looseType(f.unfolded())
			if m.badType == nil {
				m.badType = p
			}
		}
		p.params = params
		if strings.Contains(media, "/") {
			p.media = media
		}
	}
	if f := p.field("content-transfer-encoding"); f != nil {
		p.encoding = strings.ToLower(strings.TrimSpace(f.unfolded()))
	}
	p.name = p.params["name"]
	if f := p.field("content-disposition"); f != nil {
		kind, params, err := mime.ParseMediaType(f.unfolded())
		if err != nil {
			kind, params = looseType(f.unfolded())
		}
		p.attachment = kind == "attachment"
		if params["filename"] != "" {
			p.name = params["filename"]
		}
	}
	p.name = decodeWords(p.name)
}

// looseType reads a Content-Type that does not keep to the grammar.
func looseType(value string) (string, map[string]string) {
	media, rest, _ := strings.Cut(value, ";")
	params := map[string]string{}
	for s := range strings.SplitSeq(rest, ";") {
		if key, value, ok := strings.Cut(s, "="); ok && len(params) < 20 {
			params[strings.ToLower(strings.TrimSpace(key))] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return strings.ToLower(strings.TrimSpace(media)), params
}

// multipart finds the parts of p. RFC 2046, section 5.1.1.
func (m *letter) multipart(p *part) {
	boundary := p.params["boundary"]
	if boundary == "" {
		if m.badType == nil {
			m.badType = p
		}
		return
	}
	if p.depth >= maxDepth {
		m.unread = "parts more than " + strconv.Itoa(maxDepth) + " deep"
		return
	}
	delimiter := []byte("--" + boundary)
	open, closed := -1, false
	for i := p.start; !closed; {
		n := bytes.Index(m.raw[i:p.end], delimiter)
		if n < 0 {
			break
		}
		at := i + n
		if i = at + len(delimiter); at > p.start && m.raw[at-1] != '\n' {
			continue
		}
		next := min(nextLine(m.raw, at), p.end)
		rest := string(bytes.TrimRight(m.raw[min(i, next):next], "\r\n\t "))
		if rest != "" && rest != "--" {
			continue // a longer boundary
		}
		if open >= 0 {
			m.child(p, open, trimBreak(m.raw, open, at))
		}
		open, closed, i = next, rest == "--", next
	}
	if !closed && open >= 0 {
		m.child(p, open, p.end)
	}
	switch {
	case len(p.children) == 0 && m.noStart == nil:
		m.noStart = p
	case !closed && m.noEnd == nil:
		m.noEnd = p
	}
}

// trimBreak takes off the line break before a boundary, which belongs to it.
func trimBreak(raw []byte, start, end int) int {
	if end > start && raw[end-1] == '\n' {
		end--
		if end > start && raw[end-1] == '\r' {
			end--
		}
	}
	return end
}

func (m *letter) child(p *part, start, end int) {
	if len(m.parts) >= maxParts {
		m.unread = "parts beyond the " + strconv.Itoa(maxParts) + "th"
		return
	}
	c := &part{id: strconv.Itoa(len(p.children) + 1), depth: p.depth + 1, parent: p}
	if p.parent != nil {
		c.id = p.id + "." + c.id
	}
	p.children = append(p.children, c)
	m.parse(c, start, end)
}

// field returns the first field of that name, or nil.
func (p *part) field(name string) *field {
	for i := range p.fields {
		if p.fields[i].name == name {
			return &p.fields[i]
		}
	}
	return nil
}

func (f *field) unfolded() string {
	s := strings.TrimSpace(string(f.value))
	if strings.ContainsAny(s, "\r\n") {
		s = lineBreaks.Replace(s)
	}
	return s
}

var lineBreaks = strings.NewReplacer("\r\n", "", "\n", "", "\r", "")

// isText reports whether p is a text that a reader sees with the mail.
func (p *part) isText() bool {
	return !p.attachment && (p.media == "text/plain" || p.media == "text/html")
}

// inside reports whether p lies in a multipart of one of the types.
func (p *part) inside(types ...string) bool {
	for p = p.parent; p != nil; p = p.parent {
		if slices.Contains(types, p.media) {
			return true
		}
	}
	return false
}

// decode removes the transfer encoding of a text part and its charset. What was read
// before an error is kept.
func (p *part) decode(raw []byte) {
	body := raw[p.start:p.end]
	switch p.encoding {
	case "base64", "quoted-printable":
		var h message.Header
		h.Set("Content-Transfer-Encoding", p.encoding)
		e, err := message.New(h, bytes.NewReader(body))
		if err == nil {
			buf := bytes.NewBuffer(make([]byte, 0, min(len(body), maxText)+bytes.MinRead+1))
			_, err = buf.ReadFrom(io.LimitReader(e.Body, maxText+1))
			body = buf.Bytes()
		}
		p.damaged = err
	case "", "7bit", "8bit", "binary":
	default:
		p.damaged = errUnknownEncoding
	}
	if len(body) > maxText {
		body, p.cut = body[:maxText], true
	}
	p.octets = len(body)
	p.text = p.unicode(body)
}

// unicode returns body in UTF-8. Text whose charset is missing or wrong is taken for
// UTF-8 if it is that, else for Windows-1252.
func (p *part) unicode(body []byte) []byte {
	if p.ascii = isASCII(body); p.ascii && !strings.HasPrefix(strings.ToLower(p.params["charset"]), "utf-16") && !bytes.Contains(body, []byte("\x1b$")) {
		return body
	}
	charset := strings.ToLower(strings.Trim(p.params["charset"], " '\""))
	valid := utf8.Valid(trimRune(body))
	switch charset {
	case "":
		p.noSet = true
	case "us-ascii", "ascii":
		p.asciiSet = true
	case "utf-8", "utf8":
		p.badSet = !valid
	default:
		e, err := htmlindex.Get(charset)
		if err == nil {
			if out, err := e.NewDecoder().Bytes(body); err == nil {
				return out[:min(len(out), maxText)]
			}
		}
		p.badSet = true
	}
	if valid {
		return body
	}
	out, _ := charmap.Windows1252.NewDecoder().Bytes(body)
	return out[:min(len(out), maxText)]
}

// trimRune takes off a character that a limit has cut.
func trimRune(b []byte) []byte {
	for i := 1; i <= 3 && i <= len(b); i++ {
		if utf8.RuneStart(b[len(b)-i]) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

func isASCII(b []byte) bool {
	for len(b) >= 8 {
		if (b[0]|b[1]|b[2]|b[3]|b[4]|b[5]|b[6]|b[7])&0x80 != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

var words2047 = mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
	e, err := htmlindex.Get(charset)
	if err != nil {
		return nil, err
	}
	return e.NewDecoder().Reader(in), nil
}}

// decodeWords decodes encoded words (RFC 2047) and makes the rest UTF-8.
func decodeWords(s string) string {
	if strings.Contains(s, "=?") {
		if d, err := words2047.DecodeHeader(s); err == nil {
			s = d
		}
	}
	if !utf8.ValidString(s) {
		s, _ = charmap.Windows1252.NewDecoder().String(s)
	}
	return s
}

// decoded returns a field of the message, decoded; the zero text when there is none.
func (m *letter) decoded(name string) text {
	f := m.root.field(name)
	if f == nil {
		return text{}
	}
	return text{f, decodeWords(f.unfolded())}
}
