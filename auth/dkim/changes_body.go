package dkim

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"hash"
	"io"
	"iter"
	"mime"
	"mime/quotedprintable"
	"net/url"
	"strings"
	"unicode/utf8"
)

// A bodyChange is something that systems do to mail on its way. Undo gives bodies
// as they may have been before.
type bodyChange struct {
	cause Cause
	says  string
	undo  func(m *message, body []byte) iter.Seq[[]byte]
}

// bodyChanges are tried in this order.
var bodyChanges = []bodyChange{
	{BodyReencoded, "encoded anew: it was in 8 bits, and is in base64 or quoted-printable now", decoded},
	{BodyReencoded, "encoded anew: it was in quoted-printable or base64, and is not now", encoded},
	{BodyReencoded, "encoded anew, part by part", partsDecoded},
	{BodyReencoded, "brought into another character set", otherCharset},
	{BodyWhitespace, "changed in its white space: spaces at line ends, or double spaces, were taken away", spaced},
	{BodyWhitespace, "changed in its white space: tabs were turned into spaces, or spaces into tabs", tabs},
	{BodyWhitespace, "changed in its blank lines", blankLines},
	{BodyChanged, "changed in dots at the beginning of lines: SMTP's dot-stuffing was applied once too often or not undone", dots},
	{BodyChanged, "changed in lines that begin with \"From \": a \">\" was put before them", fromLines},
	{BodyChanged, "changed in its links: they were replaced by those of a link checker", links},
	{BodyChanged, "changed in long lines, which were broken", longLines},
	{BodyWhitespace, "changed in its white space: runs of it became one space", runs},
}

// one gives a single body.
func one(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) { yield(b) }
}

func none(func([]byte) bool) {}

func (m *message) contentType() string { return m.Get("content-type") }

func boundaryOf(contentType string) string {
	_, after, ok := cutFold(contentType, "boundary=")
	if !ok {
		return ""
	}
	if quoted, ok := strings.CutPrefix(after, `"`); ok {
		b, _, _ := strings.Cut(quoted, `"`)
		return b
	}
	b, _, _ := strings.Cut(after, ";")
	return strings.TrimSpace(b)
}

// cutFold is strings.Cut without regard to the case of ASCII letters.
func cutFold(s, sep string) (before, after string, ok bool) {
	i := strings.Index(asciiLower(s), sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// asciiLower keeps every octet in its place, those that are not UTF-8 too.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] |= 0x20
		}
	}
	return string(b)
}

// decoded undoes the transfer encoding that the header names.
func decoded(m *message, body []byte) iter.Seq[[]byte] {
	plain, ok := decode(m.Get("content-transfer-encoding"), body)
	if !ok {
		return none
	}
	return func(yield func([]byte) bool) {
		// What was quoted-printable may be base64 now.
		_ = yield(plain) && yield(toQP(plain))
	}
}

// decode undoes a transfer encoding; a footer behind base64 ends it.
func decode(encoding string, body []byte) ([]byte, bool) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		clean := bytes.Map(func(r rune) rune {
			if strings.ContainsRune(" \t\r\n", r) {
				return -1
			}
			return r
		}, body)
		plain := make([]byte, base64.StdEncoding.DecodedLen(len(clean)))
		n, err := base64.StdEncoding.Decode(plain, clean)
		return plain[:n], err == nil || n > 0
	case "quoted-printable":
		plain, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
		return plain, err == nil
	}
	return nil, false
}

func toQP(plain []byte) []byte {
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	w.Write(plain)
	w.Close()
	return b.Bytes()
}

// toBase64 encodes in lines of 76 characters.
func toBase64(plain []byte) []byte {
	text := base64.StdEncoding.EncodeToString(plain)
	var b bytes.Buffer
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	b.WriteString(text + "\r\n")
	return b.Bytes()
}

// encoded applies the encodings that the body may have had.
func encoded(m *message, body []byte) iter.Seq[[]byte] {
	cte := strings.ToLower(m.Get("content-transfer-encoding"))
	crlf := toCRLF(body)
	return func(yield func([]byte) bool) {
		switch cte {
		case "base64":
			plain, ok := decode(cte, body)
			_ = !ok || yield(toBase64(plain)) // in lines of another length
		case "quoted-printable":
			plain, ok := decode(cte, body)
			_ = !ok || yield(toQP(plain)) && yield(toBase64(plain))
		default:
			_ = yield(toQP(crlf)) && yield(toBase64(crlf)) && yield(toBase64(bytes.TrimRight(crlf, "\r\n"))) && yield(toBase64(toLF(body)))
		}
	}
}

func toLF(body []byte) []byte { return bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")) }

func toCRLF(body []byte) []byte {
	return bytes.ReplaceAll(toLF(body), []byte("\n"), []byte("\r\n"))
}

// partsDecoded decodes every text part of a multipart body, and gives its header the
// encodings that such a part has.
func partsDecoded(m *message, body []byte) iter.Seq[[]byte] {
	boundary := boundaryOf(m.contentType())
	if boundary == "" {
		return none
	}
	return func(yield func([]byte) bool) {
		for _, as := range []string{"8bit", "7bit", "quoted-printable"} {
			if out, changed := rewriteParts(toCRLF(body), boundary, as, 0); changed && !yield(out) {
				return
			}
		}
	}
}

// maxNesting bounds parts within parts.
const maxNesting = 5

func rewriteParts(body []byte, boundary, as string, depth int) (out []byte, changed bool) {
	delimiter := []byte("--" + boundary)
	pieces := bytes.Split(body, delimiter)
	if len(pieces) > maxParts || depth == maxNesting {
		return body, false
	}
	for i := 1; i < len(pieces); i++ {
		head, content, ok := bytes.Cut(pieces[i], []byte("\r\n\r\n"))
		if !ok {
			continue
		}
		if inner := boundaryOf(string(head)); inner != "" {
			if again, ok := rewriteParts(content, inner, as, depth+1); ok {
				pieces[i], changed = bytes.Join([][]byte{head, again}, []byte("\r\n\r\n")), true
			}
			continue
		}
		before, after, ok := cutFold(string(head), "content-transfer-encoding:")
		if !ok {
			continue
		}
		value, rest, _ := strings.Cut(after, "\r\n")
		plain, ok := decode(value, bytes.TrimSuffix(content, []byte("\r\n")))
		if !ok || strings.EqualFold(strings.TrimSpace(value), as) {
			continue
		}
		if as == "quoted-printable" {
			plain = toQP(plain)
		}
		name := string(head)[len(before) : len(head)-len(after)]
		line := name + " " + as
		if rest != "" {
			line += "\r\n" + rest
		}
		pieces[i] = bytes.Join([][]byte{[]byte(before + line), append(plain, "\r\n"...)}, []byte("\r\n\r\n"))
		changed = true
	}
	return bytes.Join(pieces, delimiter), changed
}

// otherCharset turns UTF-8 into Latin 1 and back, and undoes "?" where one letter
// was lost.
func otherCharset(_ *message, body []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if utf8.Valid(body) {
			if latin, ok := toLatin1(body); ok && !bytes.Equal(latin, body) && !yield(latin) {
				return
			}
		} else if !yield(fromLatin1(body)) {
			return
		}
		lostLetter(body, yield)
	}
}

func toLatin1(body []byte) ([]byte, bool) {
	out := make([]byte, 0, len(body))
	for _, r := range string(body) {
		if r > 0xff {
			return nil, false
		}
		out = append(out, byte(r))
	}
	return out, true
}

func fromLatin1(body []byte) []byte {
	out := make([]byte, 0, 2*len(body))
	for _, b := range body {
		out = utf8.AppendRune(out, rune(b))
	}
	return out
}

// letters are those of Latin 1 and the signs of Windows-1252 that texts hold.
const letters = "éèêëàâäáãåæçíìîïñóòôöõøœúùûüýÿßÉÈÊËÀÂÄÁÃÅÆÇÍÌÎÏÑÓÒÔÖÕØŒÚÙÛÜÝ’‘“”„–—…€£°§«»¿¡©®™·×½ "

// maxLost bounds the places of a lost letter that are tried, and the body they are
// tried in.
const (
	maxLost     = 3
	maxLostBody = 32 << 10
)

// lostLetter gives bodies in which a "?" inside or at the end of a word, or one of
// the replacement character, is a letter again.
func lostLetter(body []byte, yield func([]byte) bool) {
	if len(body) > maxLostBody {
		return
	}
	var places []int
	for i, c := range body {
		if c == '?' && i > 0 && isLetter(body[i-1]) {
			places = append(places, i)
		}
	}
	if len(places) > maxLost {
		return
	}
	for _, at := range places {
		for _, r := range letters {
			for _, letter := range [][]byte{[]byte(string(r)), {byte(r)}} {
				if r > 0xff && len(letter) == 1 {
					continue
				}
				if !yield(bytes.Join([][]byte{body[:at], letter, body[at+1:]}, nil)) {
					return
				}
			}
		}
	}
}

func isLetter(c byte) bool { c |= 0x20; return 'a' <= c && c <= 'z' || c >= 0x80 }

// spaced puts back spaces that are often taken away.
func spaced(_ *message, body []byte) iter.Seq[[]byte] {
	body = toCRLF(body)
	return func(yield func([]byte) bool) {
		for _, r := range []*strings.Replacer{
			strings.NewReplacer("\n--\r\n", "\n-- \r\n"), // the mark of a signature
			strings.NewReplacer(". ", ".  ", "? ", "?  ", "! ", "!  ", ".  ", ".  "),
			strings.NewReplacer(". ", ".  ", ".  ", ".  "),
			strings.NewReplacer("\r\n", " \r\n"),
		} {
			if out := []byte(r.Replace(string(body))); !bytes.Equal(out, body) && !yield(out) {
				return
			}
		}
		if !yield(flowed(body)) {
			return
		}
		doubled(body, yield)
	}
}

// maxDoubled bounds the single places at which a space is doubled.
const maxDoubled = 100

// doubled doubles one space behind the end of a sentence at a time.
func doubled(body []byte, yield func([]byte) bool) {
	for i, n := 1, 0; i+1 < len(body) && n < maxDoubled; i++ {
		if body[i] == ' ' && bytes.IndexByte([]byte(".?!:"), body[i-1]) >= 0 && body[i+1] != ' ' {
			n++
			if !yield(bytes.Join([][]byte{body[:i], body[i:]}, []byte(" "))) {
				return
			}
		}
	}
}

// flowed gives each line that is not the last of its paragraph a space at its end,
// as format=flowed has (RFC 3676, section 4.1).
func flowed(body []byte) []byte {
	lines := bytes.SplitAfter(body, []byte("\n"))
	var out bytes.Buffer
	for i, line := range lines {
		text := bytes.TrimRight(line, "\r\n")
		last := i+1 == len(lines) || len(bytes.TrimRight(lines[i+1], "\r\n")) == 0
		if len(text) > 50 && !last {
			out.Write(text)
			out.WriteString(" ")
			out.Write(line[len(text):])
			continue
		}
		out.Write(line)
	}
	return out.Bytes()
}

func tabs(_ *message, body []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		_ = yield(bytes.ReplaceAll(body, []byte("        "), []byte("\t"))) && yield(bytes.ReplaceAll(body, []byte("    "), []byte("\t"))) && yield(bytes.ReplaceAll(body, []byte("\t"), []byte(" "))) && yield(bytes.ReplaceAll(body, []byte("\t"), []byte("        ")))
	}
}

// blankLines undoes doubled line ends, and blank lines at the top.
func blankLines(_ *message, body []byte) iter.Seq[[]byte] {
	crlf := toCRLF(body)
	return func(yield func([]byte) bool) {
		_ = yield(bytes.ReplaceAll(crlf, []byte("\r\n\r\n"), []byte("\r\n"))) &&
			yield(bytes.ReplaceAll(crlf, []byte("\r\n"), []byte("\r\n\r\n"))) &&
			yield(append([]byte("\r\n"), crlf...)) &&
			yield(bytes.TrimLeft(crlf, "\r\n"))
	}
}

// dots undoes one stuffing too many, and one too few (RFC 5321, section 4.5.2).
func dots(_ *message, body []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		_ = yield(atLineStart(body, ".", "..")) && yield(atLineStart(body, "..", "."))
	}
}

// atLineStart replaces what lines begin with.
func atLineStart(body []byte, old, new string) []byte {
	out := bytes.ReplaceAll(body, []byte("\n"+old), []byte("\n"+new))
	if rest, ok := bytes.CutPrefix(out, []byte(old)); ok {
		out = append([]byte(new), rest...)
	}
	return out
}

func fromLines(_ *message, body []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		_ = yield(atLineStart(body, ">From ", "From ")) && yield(atLineStart(body, "From ", ">From "))
	}
}

// maxLinks bounds the links that are looked at.
const maxLinks = 1000

// links puts the addresses back that link checkers carry in their own: as a query
// parameter, or as urldefense.com writes it.
func links(_ *message, body []byte) iter.Seq[[]byte] {
	if !bytes.Contains(body, []byte("http")) {
		return none
	}
	var out bytes.Buffer
	rest, changed := body, false
	for range maxLinks {
		at := bytes.Index(rest, []byte("http"))
		if at < 0 {
			break
		}
		out.Write(rest[:at])
		rest = rest[at:]
		end := bytes.IndexAny(rest, " \t\r\n\"'<>")
		if end < 0 {
			end = len(rest)
		}
		before, ok := unwrapped(string(rest[:end]))
		changed = changed || ok
		out.WriteString(before)
		rest = rest[end:]
	}
	out.Write(rest)
	if !changed {
		return none
	}
	return one(out.Bytes())
}

// unwrapped returns the address within that of a link checker, or the link itself.
func unwrapped(link string) (string, bool) {
	if _, after, ok := strings.Cut(link, "urldefense.com/v3/__"); ok {
		if inner, _, ok := strings.Cut(after, "__;"); ok {
			return inner, true
		}
	}
	u, err := url.Parse(strings.ReplaceAll(link, "&amp;", "&"))
	if err != nil || len(link) > 8<<10 {
		return link, false
	}
	for _, name := range []string{"u", "url", "target", "q", "link", "a", "redirect"} {
		if inner := u.Query().Get(name); strings.HasPrefix(inner, "http://") || strings.HasPrefix(inner, "https://") {
			return inner, true
		}
	}
	return link, false
}

// longLines undoes the breaks that servers put into lines over 998 octets.
func longLines(_ *message, body []byte) iter.Seq[[]byte] {
	crlf := toCRLF(body)
	return func(yield func([]byte) bool) {
		_ = yield(bytes.ReplaceAll(crlf, []byte("!\r\n "), nil)) && yield(bytes.ReplaceAll(crlf, []byte("!\r\n"), nil))
	}
}

// runs gives the body with each run of white space as one space: a signer that did
// so itself, before it hashed, is not uncommon.
func runs(_ *message, body []byte) iter.Seq[[]byte] {
	return one(canonicalBody(body, "relaxed"))
}

// cloneHash copies the state of a hash.
func cloneHash(h hash.Hash) hash.Hash {
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic("dkim: the state of SHA-256 cannot be copied: " + err.Error())
	}
	out := sha256.New()
	if err := out.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		panic("dkim: the state of SHA-256 cannot be copied: " + err.Error())
	}
	return out
}

// decodeWords decodes encoded-words (RFC 2047).
func decodeWords(s string) (string, bool) {
	if !strings.Contains(s, "=?") {
		return s, false
	}
	text, err := new(mime.WordDecoder).DecodeHeader(s)
	return text, err == nil && text != s
}
