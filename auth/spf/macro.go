package spf

import (
	"strconv"
	"strings"
)

// A macroString is a text with macros, compiled (RFC 7208, section 7.1).
type macroString struct {
	parts []macroPart
	plain bool   // no macro at all
	text  string // then this is the expansion
}

// A macroPart is literal text, or a macro when its letter is not 0.
type macroPart struct {
	literal string
	letter  byte // in lower case
	keep    int  // how many parts from the right; 0 keeps all
	reverse bool
	escape  bool // the letter was a capital one: URL-escaped (section 7.3)
	delims  string
}

const (
	delimiters  = ".-+,/_="
	specLetters = "slodiphv"
	textLetters = specLetters + "crt" // in the text of an explanation alone
)

// compile reads a macro-string. Where it is wrong, it says what and where.
func compile(s, letters string) (m macroString, start, end int, problem string) {
	if strings.IndexByte(s, '%') < 0 {
		return macroString{plain: true, text: s}, 0, 0, ""
	}
	for i := 0; i < len(s); {
		if s[i] != '%' {
			end := strings.IndexByte(s[i:], '%')
			if end < 0 {
				end = len(s) - i
			}
			m.parts = append(m.parts, macroPart{literal: s[i : i+end]})
			i += end
			continue
		}
		if i+1 == len(s) {
			return m, i, i + 1, `"%" at the end`
		}
		switch s[i+1] {
		case '%':
			m.parts = append(m.parts, macroPart{literal: "%"})
		case '_':
			m.parts = append(m.parts, macroPart{literal: " "})
		case '-':
			m.parts = append(m.parts, macroPart{literal: "%20"})
		case '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return m, i, len(s), `"%{" without "}"`
			}
			part, problem := compileMacro(s[i+2:i+end], letters)
			if problem != "" {
				return m, i, i + end + 1, problem
			}
			m.parts = append(m.parts, part)
			i += end + 1
			continue
		default:
			return m, i, i + 2, `"%" before anything but "{", "%", "_" and "-"`
		}
		i += 2
	}
	return m, 0, 0, ""
}

// compileMacro reads what stands between the braces: a letter, a number, "r" and
// delimiters.
func compileMacro(s, letters string) (p macroPart, problem string) {
	if s == "" {
		return p, "a macro without a letter"
	}
	p.letter = s[0] | 0x20
	p.escape = s[0] != p.letter
	switch {
	case strings.IndexByte(letters, p.letter) >= 0:
	case strings.IndexByte(textLetters, p.letter) >= 0:
		return p, "the macro letter \"" + s[:1] + "\" is for the text of an explanation alone"
	default:
		return p, "the macro letter " + strconv.QuoteToASCII(s[:1]) + " does not exist"
	}
	rest := s[1:]
	digits := 0
	for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
		digits++
	}
	if digits > 0 {
		n, err := strconv.Atoi(rest[:min(digits, 9)])
		if err != nil || n == 0 {
			return p, "a macro that keeps 0 parts"
		}
		p.keep = n
	}
	rest = rest[digits:]
	if rest != "" && rest[0]|0x20 == 'r' {
		p.reverse = true
		rest = rest[1:]
	}
	if strings.Trim(rest, delimiters) != "" {
		return p, "a macro with something else than a number, r and delimiters behind its letter"
	}
	p.delims = rest
	return p, ""
}

// domainSpec compiles a domain-spec that stands at a column; strict asks for the
// end that section 7.1 wants: a top label, or a macro.
func (r *Record) domainSpec(t *Term, spec string, at int, strict bool) {
	if strict && spec == "" {
		r.fault(t.Start, t.End, "4.8", "%q: a domain is missing", t.Text)
		return
	}
	letters := specLetters
	if !strict {
		letters = textLetters
	}
	m, start, end, problem := compile(spec, letters)
	if problem != "" {
		r.fault(at+start, at+end, "7.1", "%q: %s", t.Text, problem)
		return
	}
	t.macro = m
	if strict && !endsWell(spec, m) {
		r.fault(at, t.End, "7.1", "%q: %q does not end in a top-level domain or a macro", t.Text, spec)
	}
}

// endsWell: domain-end is "." toplabel with or without a final dot, or a macro.
func endsWell(spec string, m macroString) bool {
	literal := spec
	if !m.plain {
		last := m.parts[len(m.parts)-1]
		if last.letter != 0 || strings.HasSuffix(spec, "%%") || strings.HasSuffix(spec, "%_") || strings.HasSuffix(spec, "%-") {
			return true
		}
		literal = last.literal
		if len(m.parts) > 1 && !strings.Contains(trimDot(literal), ".") {
			return false
		}
	}
	name := trimDot(literal)
	dot := strings.LastIndexByte(name, '.')
	return dot >= 0 && isTopLabel(name[dot+1:])
}

// isTopLabel: letters, digits and inner hyphens, and not digits alone (section 7.1).
func isTopLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	digits := true
	for i := range len(s) {
		c := s[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && s[i] != '-' && (s[i] < '0' || s[i] > '9') {
			return false
		}
		digits = digits && '0' <= s[i] && s[i] <= '9'
	}
	return !digits
}

// maxExpansion bounds an expanded text. An explanation may repeat %{l} of 64
// octets at will; no reply holds more than this.
const maxExpansion = 4 << 10

// expand replaces the macros by their values.
func (m macroString) expand(value func(letter byte) string) string {
	if m.plain {
		return m.text
	}
	var b strings.Builder
	for _, p := range m.parts {
		if b.Len() > maxExpansion {
			break
		}
		if p.letter == 0 {
			b.WriteString(p.literal)
			continue
		}
		text := p.transform(value(p.letter))
		if p.escape {
			text = urlEscape(text)
		}
		b.WriteString(text)
	}
	text := b.String()
	return text[:min(len(text), maxExpansion)]
}

// transform splits, reverses and cuts a value (section 7.3).
func (p macroPart) transform(value string) string {
	if p.keep == 0 && !p.reverse && p.delims == "" {
		return value
	}
	delims := p.delims
	if delims == "" {
		delims = "."
	}
	var parts []string
	for from := 0; ; {
		i := strings.IndexAny(value[from:], delims)
		if i < 0 {
			parts = append(parts, value[from:])
			break
		}
		parts = append(parts, value[from:from+i])
		from += i + 1
	}
	if p.reverse {
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
	}
	if p.keep > 0 && p.keep < len(parts) {
		parts = parts[len(parts)-p.keep:]
	}
	return strings.Join(parts, ".")
}

// urlEscape escapes all but the unreserved characters of RFC 3986, section 2.3.
func urlEscape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}
