package dkim

import (
	"encoding/base64"
	"iter"
	"mime"
	"slices"
	"strings"
)

// A spelling is a way to write a field that means the same. Simple canonicalization
// tells it apart.
type spelling struct {
	says    string
	respell func(raw string) string
}

var spellings = []spelling{
	{"refolded", unfold},
	{"refolded: a tab before its continuation lines", func(raw string) string { return strings.ReplaceAll(raw, "\r\n ", "\r\n\t") }},
	{"refolded: a space before its continuation lines", func(raw string) string { return strings.ReplaceAll(raw, "\r\n\t", "\r\n ") }},
	{"refolded: one item on a line", func(raw string) string { return strings.ReplaceAll(unfold(raw), ", ", ",\r\n ") }},
	{"refolded: one item on a line, with tabs", func(raw string) string { return strings.ReplaceAll(unfold(raw), ", ", ",\r\n\t") }},
	{"with its name in another case", func(raw string) string { return rename(raw, canonicalName) }},
	{"with its name in another case", func(raw string) string { return rename(raw, plainTitle) }},
	{"with its name in another case", func(raw string) string { return rename(raw, strings.ToLower) }},
	{"with its name in another case", func(raw string) string { return rename(raw, strings.ToUpper) }},
	{"with a space behind its colon", func(raw string) string { return strings.Replace(raw, ":", ": ", 1) }},
	{"without the space behind its colon", func(raw string) string { return strings.Replace(raw, ": ", ":", 1) }},
	{"with another space behind its colon", func(raw string) string { return strings.Replace(raw, ": ", ":  ", 1) }},
	{"with a tab behind its colon", func(raw string) string { return strings.Replace(raw, ": ", ":\t", 1) }},
	{"without the space at its end", func(raw string) string { return strings.TrimSuffix(raw, "\r\n") + " \r\n" }},
	{"with its white space trimmed", func(raw string) string { return strings.TrimRight(raw, " \t\r\n") + "\r\n" }},
	{"with its double spaces made one", func(raw string) string { return strings.ReplaceAll(raw, ". ", ".  ") }},
}

// The columns at which programs fold.
const (
	leastWidth = 40
	mostWidth  = 100
)

// respellings are the spellings that are tried on all fields at once.
func respellings(yield func(spelling) bool) {
	for _, s := range spellings {
		if !yield(s) {
			return
		}
	}
	for width := leastWidth; width <= mostWidth; width++ {
		for _, with := range []string{" ", "\t"} {
			if !yield(spelling{"refolded", func(raw string) string { return fold(raw, width, with) }}) {
				return
			}
		}
	}
}

// maxFolds bounds the places at which a field is folded for a trial.
const maxFolds = 200

// refolded gives a field folded at each width, and once at each of its spaces.
func refolded(raw string) iter.Seq[string] {
	return func(yield func(string) bool) {
		flat := unfold(raw)
		last := ""
		for width := leastWidth; width <= mostWidth; width++ {
			for _, with := range []string{" ", "\t"} {
				if again := fold(raw, width, with); again != last && again != raw && !yield(again) {
					return
				}
			}
			last = fold(raw, width, "\t")
		}
		for at, n := 0, 0; n < maxFolds; n++ {
			next := strings.IndexByte(flat[at:], ' ')
			if next < 0 {
				return
			}
			at += next + 1
			for _, with := range []string{" ", "\t"} {
				if !yield(flat[:at-1] + "\r\n" + with + flat[at:]) {
					return
				}
			}
		}
	}
}

func unfold(raw string) string {
	body := strings.TrimSuffix(raw, "\r\n")
	for _, f := range []string{"\r\n ", "\r\n\t"} {
		body = strings.ReplaceAll(body, f, " ")
	}
	return body + "\r\n"
}

// fold breaks an unfolded field at the last space before a column.
func fold(raw string, width int, with string) string {
	rest := strings.TrimSuffix(unfold(raw), "\r\n")
	var b strings.Builder
	for len(rest) > width {
		at := strings.LastIndexByte(rest[:width], ' ')
		if at <= 0 || strings.TrimSpace(rest[:at]) == "" {
			break
		}
		b.WriteString(rest[:at] + "\r\n")
		rest = with + rest[at+1:]
	}
	return b.String() + rest + "\r\n"
}

func rename(raw string, f func(string) string) string {
	name, rest, ok := strings.Cut(raw, ":")
	if !ok {
		return raw
	}
	if again := f(strings.ToLower(name)); again != "" {
		return again + ":" + rest
	}
	return raw
}

// plainTitle is Message-Id, where canonicalName is Message-ID.
func plainTitle(name string) string {
	parts := strings.Split(name, "-")
	for i, p := range parts {
		if p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "-")
}

// A valueChange is something that systems do to the value of a field. Undo gives
// what it may have been.
type valueChange struct {
	says  string
	names []string // of the fields that it happens to; nil for all
	undo  func(m *message, value string) iter.Seq[string]
}

func (c *valueChange) applies(name string) bool {
	return c.names == nil || slices.Contains(c.names, name)
}

// valueChanges are tried in this order.
var valueChanges = []valueChange{
	{"by a tag before it", []string{"subject"}, untagged},
	{"by words behind it", []string{"subject"}, untailed},
	{"by a list that sends under its own address", []string{"from"}, originalFrom},
	{"in its addresses", []string{"from", "to", "cc", "reply-to", "sender"}, addresses},
	{"in its encoding", nil, encodings},
	{"with the transfer encoding", []string{"content-transfer-encoding"}, fixed("7bit", "8bit", "quoted-printable", "base64", "binary", "7BIT", "8BIT")},
	{"with the character set", []string{"content-type"}, contentTypes},
	{"in the way its date is written", []string{"date"}, dates},
	{"in its brackets", []string{"message-id", "in-reply-to", "references"}, brackets},
	{"in its case", nil, cases},
	{"in its comments", []string{"mime-version", "date"}, comments},
}

func fixed(values ...string) func(*message, string) iter.Seq[string] {
	return func(_ *message, value string) iter.Seq[string] {
		lead := value[:len(value)-len(strings.TrimLeft(value, " \t"))]
		return func(yield func(string) bool) {
			for _, v := range values {
				if !yield(lead + v) {
					return
				}
			}
		}
	}
}

// marks are what filters and gateways put before a subject.
var marks = []string{"***SPAM***", "[SPAM]", "[EXTERNAL]", "[EXT]", "EXTERNAL:", "[External]", "#External:", "{Spam?}", "[SUSPECTED SPAM]", "***UNCHECKED***", "SPAM:", "[Bulk]", "Fwd:", "Re:", "FW:", "RE:"}

// replies are what may stand before a tag.
var replies = []string{"Re: ", "RE: ", "re: ", "Fwd: ", "FW: ", "Fw: ", "AW: ", "WG: ", "Antw: ", "SV: "}

// untagged takes a tag away from the front of a subject, or from behind "Re:".
func untagged(_ *message, value string) iter.Seq[string] {
	lead := value[:len(value)-len(strings.TrimLeft(value, " \t\r\n"))]
	text := value[len(lead):]
	return func(yield func(string) bool) {
		prefix, rest := "", text
		for _, r := range replies {
			if strings.HasPrefix(text, r) {
				prefix, rest = r, text[len(r):]
			}
		}
		bare := rest
		for range 3 {
			next := withoutTag(bare)
			if next == bare {
				break
			}
			bare = next
			if !yield(lead+prefix+bare) || prefix != "" && !yield(lead+bare) {
				return
			}
			// A list moves "Re:" before its tag.
			for _, r := range replies {
				if prefix == "" && !yield(lead+r+bare) {
					return
				}
			}
		}
	}
}

func withoutTag(s string) string {
	if strings.HasPrefix(s, "[") {
		if end := strings.IndexByte(s, ']'); end > 0 {
			return strings.TrimLeft(s[end+1:], " ")
		}
	}
	for _, m := range marks {
		if strings.HasPrefix(s, m) {
			return strings.TrimLeft(s[len(m):], " ")
		}
	}
	// "(list) subject", "{list} subject", "list: subject"
	for _, pair := range []string{"()", "{}"} {
		if end := strings.IndexByte(s, pair[1]); s != "" && s[0] == pair[0] && end > 0 {
			return strings.TrimLeft(s[end+1:], " ")
		}
	}
	if word, rest, ok := strings.Cut(s, ": "); ok && !strings.Contains(word, " ") {
		return rest
	}
	return s
}

// untailed takes words away from the end of a subject: "(was: …)", "[external]",
// "- list".
func untailed(_ *message, value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		text := strings.TrimRight(value, " ")
		for range 8 {
			at := strings.LastIndexByte(text, ' ')
			if at <= 0 {
				return
			}
			text = text[:at]
			if !yield(text) || !yield(strings.TrimRight(text, " -–:")) {
				return
			}
		}
	}
}

// originalFrom finds what From was before a list sent under its own address.
func originalFrom(m *message, value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		var found []string
		for _, name := range []string{"x-original-from", "x-google-original-from", "original-from", "x-mailfrom", "reply-to", "cc", "x-original-sender", "resent-from"} {
			for _, at := range m.All(name) {
				found = append(found, " "+m.Fields[at].Value())
			}
		}
		name, _, _ := strings.Cut(value, "<")
		name = strings.TrimSpace(strings.Trim(strings.TrimSpace(name), "'\""))
		if before, _, ok := strings.Cut(name, " via "); ok {
			name = strings.Trim(before, "'\" ")
		}
		for _, f := range found {
			if !yield(f) {
				return
			}
			address := bareAddress(f)
			for _, as := range []string{" " + name + " <" + address + ">", " \"" + name + "\" <" + address + ">", " " + address, " <" + address + ">"} {
				if !yield(as) {
					return
				}
			}
		}
	}
}

func bareAddress(s string) string {
	if _, after, ok := strings.Cut(s, "<"); ok {
		s, _, _ = strings.Cut(after, ">")
	}
	return strings.TrimSpace(s)
}

// addresses undoes quotes and brackets that a relay puts round names and addresses,
// or takes away.
func addresses(_ *message, value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		lead := value[:len(value)-len(strings.TrimLeft(value, " \t"))]
		text := strings.TrimSpace(value)
		name, rest, ok := strings.Cut(text, "<")
		name = strings.TrimSpace(name)
		bare := strings.Trim(name, `"`)
		if !ok {
			_ = yield(lead + "<" + text + ">")
			return
		}
		_ = yield(lead+`"`+bare+`" <`+rest) && yield(lead+bare+" <"+rest) && yield(lead+strings.TrimSuffix(rest, ">")) &&
			yield(lead+strings.ReplaceAll(text, ",", ", ")) && yield(lead+strings.ReplaceAll(text, ", ", ",")) && yield(lead+strings.ReplaceAll(text, `"`, ""))
	}
}

// encodings decodes and encodes words (RFC 2047).
func encodings(_ *message, value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		lead := value[:len(value)-len(strings.TrimLeft(value, " \t"))]
		text := strings.TrimSpace(value)
		if plain, ok := decodeWords(text); ok {
			_ = yield(lead+plain) && yield(lead+mime.BEncoding.Encode("UTF-8", plain)) && yield(lead+mime.QEncoding.Encode("UTF-8", plain)) && yield(lead+mime.QEncoding.Encode("utf-8", plain)) && yield(lead+mime.BEncoding.Encode("utf-8", plain))
			return
		}
		if strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0 {
			return
		}
		b64 := base64.StdEncoding.EncodeToString([]byte(text))
		_ = yield(lead+"=?UTF-8?B?"+b64+"?=") && yield(lead+"=?utf-8?B?"+b64+"?=") && yield(lead+"=?utf-8?b?"+b64+"?=") && yield(lead+mime.QEncoding.Encode("UTF-8", text)) && yield(lead+mime.QEncoding.Encode("utf-8", text))
	}
}

// contentTypes gives the ways in which a type and its parameters are written, with
// the commonest character sets.
func contentTypes(_ *message, value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		lead := value[:len(value)-len(strings.TrimLeft(value, " \t"))]
		text := strings.Join(strings.Fields(value), " ")
		kind, _, _ := strings.Cut(text, ";")
		variants := []string{strings.ReplaceAll(text, `"`, ""), quoteParameters(text), strings.ReplaceAll(text, "; ", ";"), kind}
		for _, charset := range []string{"utf-8", "UTF-8", "us-ascii", "US-ASCII", "iso-8859-1", "ISO-8859-1", "windows-1252", "iso-8859-15"} {
			variants = append(variants, kind+"; charset="+charset, kind+`; charset="`+charset+`"`, kind+"; charset="+charset+"; format=flowed", kind+`; charset="`+charset+`"; format=flowed`)
		}
		for _, v := range variants {
			if !yield(lead + v) {
				return
			}
		}
	}
}

func quoteParameters(s string) string {
	parts := strings.Split(s, ";")
	for i, p := range parts[1:] {
		if name, value, ok := strings.Cut(p, "="); ok && !strings.HasPrefix(value, `"`) {
			parts[i+1] = name + `="` + value + `"`
		}
	}
	return strings.Join(parts, ";")
}

// dates gives the ways in which the same date is written.
func dates(_ *message, value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, r := range [][2]string{{"+0000", "GMT"}, {"GMT", "+0000"}, {"+0000", "UT"}, {"+0000", "-0000"}, {"-0000", "+0000"}, {"+0000", "+0000 (UTC)"}, {", 0", ", "}} {
			if !yield(strings.Replace(value, r[0], r[1], 1)) {
				return
			}
		}
		day, rest, ok := strings.Cut(value, ", ")
		if !ok {
			return
		}
		_ = yield(" "+rest) && yield(day+", 0"+rest)
	}
}

func brackets(_ *message, value string) iter.Seq[string] {
	text := strings.TrimSpace(value)
	return func(yield func(string) bool) {
		_ = yield(" "+strings.Trim(text, "<>")) && yield(" <"+text+">")
	}
}

func cases(_ *message, value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		_ = yield(strings.ToLower(value)) && yield(strings.ToUpper(value))
	}
}

// comments takes away what stands in parentheses at the end.
func comments(_ *message, value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if at := strings.LastIndexByte(value, '('); at > 0 {
			yield(strings.TrimRight(value[:at], " "))
		}
	}
}
