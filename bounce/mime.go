package bounce

import (
	"bytes"
	"encoding/base64"
	"html"
	"io"
	"mime"
	"net/mail"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// The limits of a message. What lies beyond them is named in Report.Omitted.
const (
	MaxSize       = 32 << 20 // bytes of a message that are read
	maxDepth      = 12       // nested parts
	headerOnly    = maxDepth + 1
	maxParts      = 256  // parts of one message
	maxForwards   = 4    // reports inside forwarded messages
	maxHeaders    = 2000 // header fields of one part
	maxHuman      = 256 << 10
	maxMachine    = 4 << 20 // of a delivery-status part: 10,000 recipients
	maxRecipients = 10_000
	maxHeaderLine = 64 << 10
)

// A header is the fields of a part in their order. Names and values are slices of
// the input: most are never asked for.
type header []headerField

type headerField struct {
	name []byte
	raw  []byte // the value with its folds
}

func (f *headerField) is(name string) bool {
	return len(f.name) == len(name) && hasPrefixFold(f.name, name)
}

// value returns the lines of a field, trimmed and joined, in UTF-8.
func (f *headerField) value(between byte) string {
	raw := bytes.TrimSpace(f.raw)
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		end := bytes.IndexAny(raw, "\r\n")
		if end < 0 {
			end = len(raw)
		}
		if line := bytes.TrimSpace(raw[:end]); len(line) > 0 {
			if len(out) > 0 {
				out = append(out, between)
			}
			out = append(out, line...)
		}
		raw = raw[min(end+1, len(raw)):]
	}
	return strings.ToValidUTF8(string(out), "\uFFFD")
}

// get returns the unfolded value of the first field of a name, which is given in
// lower case, or "".
func (h header) get(name string) string {
	for i := range h {
		if h[i].is(name) {
			return h[i].value(' ')
		}
	}
	return ""
}

// has reports whether there is a field of a name with a value.
func (h header) has(name string) bool {
	for i := range h {
		if h[i].is(name) {
			return len(bytes.TrimSpace(h[i].raw)) > 0
		}
	}
	return false
}

func (h header) all(name string) []string {
	var all []string
	for i := range h {
		if h[i].is(name) {
			all = append(all, h[i].value(' '))
		}
	}
	return all
}

// A part is one node of a message. Body is a slice of the input, still encoded.
type part struct {
	header    header
	mediaType string // lower case; "text/plain" where none is stated
	params    map[string]string
	body      []byte
	children  []part
}

// A walker reads a message within the limits and notes what it leaves out.
type walker struct {
	eol     byte // LF, or CR in a message without any
	parts   int
	depth   int    // forwarded reports above this one
	fields  header // of all parts so far, each a piece of it
	omitted []string
}

func (w *walker) omit(what string) {
	for _, o := range w.omitted {
		if o == what {
			return
		}
	}
	w.omitted = append(w.omitted, what)
}

// cutLine returns the first line of b without its end, and the rest.
func (w *walker) cutLine(b []byte) (line, rest []byte) {
	at := bytes.IndexByte(b, w.eol)
	if at < 0 {
		return b, nil
	}
	return bytes.TrimSuffix(b[:at], []byte("\r")), b[at+1:]
}

// readHeader reads fields up to the first blank line. A line that is no field
// and continues none ends the header too: the body of a damaged message begins
// there.
func (w *walker) readHeader(b []byte) (header, []byte) {
	var (
		start  = len(w.fields)
		h      header
		folds  int  // lines that continue the last field
		beyond bool // the last field is one beyond the limit
	)
	for len(b) > 0 {
		line, rest := w.cutLine(b)
		if len(line) == 0 {
			return h, rest
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(h) == 0 {
				if len(bytes.TrimSpace(line)) == 0 {
					return h, rest
				}
				return h, b
			}
			if folds++; !beyond {
				w.fold(&h[len(h)-1], line, folds)
			}
			b = rest
			continue
		}
		colon := bytes.IndexByte(line, ':')
		name := bytes.TrimRight(line[:max(colon, 0)], " \t")
		if colon <= 0 || bytes.ContainsAny(name, " \t") {
			if len(h) == 0 && (bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))) {
				b = rest
				continue
			}
			return h, b
		}
		folds, beyond = 0, len(h) == maxHeaders
		if beyond {
			w.omit("header fields beyond 2,000")
		} else {
			w.fields = append(w.fields, headerField{name, line[colon+1 : colon+1]})
			h = w.fields[start:len(w.fields):len(w.fields)]
			w.fold(&h[len(h)-1], line[colon+1:], 0)
		}
		b = rest
	}
	return h, nil
}

// fold extends a field by a line that follows it in the input.
func (w *walker) fold(f *headerField, line []byte, folds int) {
	end := len(f.raw) + len(line)
	if folds > 0 {
		// The line lies behind the end of the one before.
		end = cap(f.raw) - cap(line) + len(line)
	}
	switch {
	case folds > maxFolds:
		w.omit("lines of a header field beyond 500")
	case end > maxHeaderLine:
		w.omit("the end of a header field over 64 KiB")
		f.raw = f.raw[:min(maxHeaderLine, cap(f.raw))]
	default:
		f.raw = f.raw[:end]
	}
}

// read reads one part and those inside it.
func (w *walker) read(b []byte, depth int) part {
	if w.fields == nil {
		w.fields = make(header, 0, 64)
	}
	w.parts++
	var p part
	p.header, p.body = w.readHeader(b)
	p.mediaType, p.params = contentType(p.header.get("content-type"))
	if !strings.HasPrefix(p.mediaType, "multipart/") || depth == headerOnly {
		return p
	}
	if depth == maxDepth {
		w.omit("parts nested deeper than 12")
		return p
	}
	boundary := p.params["boundary"]
	if boundary == "" || !w.hasBoundary(p.body, boundary) {
		boundary = w.guessBoundary(p.body)
	}
	if boundary == "" {
		return p
	}
	for _, section := range w.split(p.body, boundary) {
		if w.parts >= maxParts {
			w.omit("parts beyond 256")
			break
		}
		p.children = append(p.children, w.read(section, depth+1))
	}
	return p
}

// contentType reads a Content-Type field as far as it can be read.
func contentType(field string) (string, map[string]string) {
	if field == "" {
		return "text/plain", nil
	}
	t, params, err := mime.ParseMediaType(field)
	if err == nil || t != "" && params != nil {
		return t, params
	}
	// Damaged: take the type and the parameters that can be told.
	words := strings.Split(field, ";")
	t = strings.ToLower(strings.TrimSpace(words[0]))
	params = map[string]string{}
	for _, w := range words[1:] {
		if name, value, ok := strings.Cut(w, "="); ok {
			params[strings.ToLower(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	if !strings.Contains(t, "/") {
		t = "text/plain"
	}
	return t, params
}

func (w *walker) hasBoundary(b []byte, boundary string) bool {
	line := []byte(string(w.eol) + "--" + boundary)
	return bytes.HasPrefix(b, line[1:]) || bytes.Contains(b, line)
}

// guessBoundary takes the first line "--…" that a header follows, for messages
// whose boundary parameter is lost or wrong.
func (w *walker) guessBoundary(b []byte) string {
	for range 64 {
		if len(b) == 0 {
			return ""
		}
		var line []byte
		line, b = w.cutLine(b)
		if len(line) > 4 && len(line) < 200 && bytes.HasPrefix(line, []byte("--")) && !bytes.ContainsAny(line, " \t") {
			if next, _ := w.cutLine(b); bytes.HasPrefix(bytes.ToLower(next), []byte("content-")) {
				return string(line[2:])
			}
		}
	}
	return ""
}

// split cuts a multipart body at its boundaries (RFC 2046, section 5.1).
func (w *walker) split(b []byte, boundary string) [][]byte {
	var (
		sections [][]byte
		mark     = []byte("--" + boundary)
		open     = -1
	)
	for at := 0; at < len(b); {
		found := bytes.Index(b[at:], mark)
		if found < 0 {
			break
		}
		start := at + found
		at = start + len(mark)
		if start > 0 && b[start-1] != w.eol {
			continue
		}
		line, rest := w.cutLine(b[at:])
		tail := bytes.TrimRight(line, " \t")
		closing := bytes.Equal(tail, []byte("--"))
		if len(tail) > 0 && !closing {
			continue // another boundary that begins with this one
		}
		if open >= 0 {
			sections = append(sections, b[open:start])
		}
		open = -1
		if closing {
			break
		}
		if w.parts+len(sections) >= maxParts {
			w.omit("parts beyond 256")
			return sections
		}
		open = len(b) - len(rest)
		at = open
	}
	if open >= 0 {
		sections = append(sections, b[open:])
	}
	return sections
}

// decode undoes the transfer encoding of a part, up to limit bytes of result.
func (w *walker) decode(p *part, limit int) []byte {
	b := p.body
	if w.eol == '\r' {
		b = bytes.ReplaceAll(cut(b, limit*3), []byte("\r"), []byte("\n"))
	}
	switch strings.ToLower(p.header.get("content-transfer-encoding")) {
	case "base64":
		b = decodeBase64(cut(b, limit*2))
	case "quoted-printable":
		b = decodeQuoted(cut(b, limit*3))
	}
	if len(b) > limit {
		w.omit("the end of a long text")
		b = b[:limit]
	}
	return b
}

func cut[T string | []byte](b T, limit int) T { return b[:min(len(b), limit)] }

// decodeQuoted undoes quoted-printable (RFC 2045, section 6.7) as far as it can be
// undone: what is none stays, where mime/quotedprintable would give up.
func decodeQuoted(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		at := bytes.IndexByte(b, '=')
		if at < 0 {
			return append(out, b...)
		}
		out, b = append(out, b[:at]...), b[at+1:]
		if len(b) >= 2 {
			if high, low := hexDigit(b[0]), hexDigit(b[1]); high >= 0 && low >= 0 {
				out, b = append(out, byte(high<<4|low)), b[2:]
				continue
			}
		}
		// A soft line break, with or without white space before it.
		rest := bytes.TrimLeft(b, " \t")
		if rest = bytes.TrimPrefix(rest, []byte("\r")); len(rest) > 0 && rest[0] == '\n' {
			b = rest[1:]
		} else if len(rest) > 0 {
			out = append(out, '=')
		}
	}
	return out
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

func decodeBase64(b []byte) []byte {
	clean := make([]byte, 0, len(b))
	for _, c := range b {
		if isWord(c) && c < 0x80 || c == '+' || c == '/' {
			clean = append(clean, c)
		}
	}
	clean = clean[:len(clean)-len(clean)%4+min(len(clean)%4, 3)]
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawStdEncoding.Decode(out, clean)
	return out[:n]
}

// text returns a text part as UTF-8 with LF line ends; HTML loses its tags.
func (w *walker) text(p *part, limit int) string {
	b := w.decode(p, limit)
	s := toUTF8(b, p.params["charset"])
	if p.mediaType == "text/html" {
		s = htmlText(s)
	}
	return strings.ReplaceAll(s, "\r\n", "\n")
}

// toUTF8 decodes by the charset named, or by a byte order mark. What cannot be
// decoded becomes U+FFFD.
func toUTF8(b []byte, charset string) string {
	var e encoding.Encoding
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		e = unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		b = b[3:]
	case mislabelled(charset) && utf8.Valid(b) && !plainASCII(b, ""):
	case charset != "" && !plainASCII(b, charset):
		e, _ = htmlindex.Get(strings.TrimSpace(charset))
	}
	if e == nil || e == unicode.UTF8 {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(out)
}

// mislabelled reports whether text of a character set that is UTF-8 is no text of
// that set: it has seven bits, or two of its letters would never meet so.
func mislabelled(charset string) bool {
	switch charset = lower(strings.TrimSpace(charset)); charset {
	case "us-ascii", "ascii", "iso-8859-1", "windows-1252":
		return true
	}
	return strings.HasPrefix(charset, "iso-2022-")
}

// plainASCII reports whether a text is ASCII in a charset that contains it: any but
// those that shift with escape sequences or use wider units.
func plainASCII(b []byte, charset string) bool {
	for _, wide := range []string{"iso-2022", "utf-16", "utf-32", "utf-7", "hz"} {
		if containsFold(charset, wide) {
			return false
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// blockTags end a line of text.
var blockTags = map[string]bool{
	"br": true, "p": true, "div": true, "tr": true, "li": true, "table": true, "h1": true, "h2": true, "h3": true, "h4": true, "pre": true, "hr": true, "title": true, "blockquote": true,
}

// htmlText returns the words of an HTML document, a line for each block. It is
// no HTML parser: bounces need their sentences, not their layout.
func htmlText(s string) string {
	var b strings.Builder
	b.Grow(len(s) / 2)
	for s != "" {
		open := strings.IndexByte(s, '<')
		if open < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(strings.ReplaceAll(s[:open], "\n", " "))
		s = s[open:]
		if strings.HasPrefix(s, "<!--") {
			if _, after, ok := strings.Cut(s, "-->"); ok {
				s = after
				continue
			}
			break
		}
		end := strings.IndexByte(cut(s, maxTag), '>')
		if end < 0 || end > 1 && strings.Contains(s[1:end], "@") {
			// An address in angle brackets, or a lone "<".
			b.WriteByte('<')
			s = s[1:]
			continue
		}
		name := tagName(s[1:end])
		s = s[end+1:]
		switch {
		case name == "style" || name == "script":
			at := indexFold(s, "</"+name)
			if at < 0 {
				at = len(s)
			}
			s = s[at:]
		case name == "td" || name == "th":
			b.WriteByte(' ')
		case blockTags[strings.TrimPrefix(name, "/")]:
			b.WriteByte('\n')
		}
	}
	return html.UnescapeString(b.String())
}

// maxTag bounds one tag: longer ones are text.
const maxTag = 1 << 10

// tagName returns the name of a tag, with the slash where it closes.
func tagName(tag string) string {
	end := 0
	if strings.HasPrefix(tag, "/") {
		end = 1
	}
	for end < len(tag) && isWord(tag[end]) {
		end++
	}
	return strings.ToLower(tag[:end])
}

// decodeWords undoes RFC 2047 encoded words as far as they can be undone.
func decodeWords(s string) string {
	if !strings.Contains(s, "=?") {
		return s
	}
	d := mime.WordDecoder{CharsetReader: func(charset string, input io.Reader) (io.Reader, error) {
		e, err := htmlindex.Get(charset)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(e.NewDecoder().Reader(input))
		return bytes.NewReader(text), err
	}}
	out, err := d.DecodeHeader(s)
	if err != nil {
		return s
	}
	return strings.ToValidUTF8(out, "\uFFFD")
}

// addressIn returns the first mail address in a field, without its brackets.
func addressIn(field string) string {
	if a, err := mail.ParseAddress(field); err == nil {
		return a.Address
	}
	list := findAddresses(field)
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
