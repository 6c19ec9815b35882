package content

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// words is what one pass over the text that a reader sees found. Offsets are into that
// text.
type words struct {
	seen      []byte
	count     int       // words
	shouted   int       // words of four and more letters, in capitals alone
	long      int       // words of four and more letters
	marks     int       // exclamation marks
	runs      []segment // two and more of them
	phrases   []match
	invisible []segment // words with a character in them that is not seen
	mixed     []segment // words of letters from two scripts
	bidi      []segment // controls that turn the direction of text
	styled    []segment // letters of mathematical alphabets
	gappy     []segment // w o r d s
	shouts    segment   // the first shouted word
	first     segment   // the first word
	bag       map[uint32]struct{}
	leave     bool // it tells how to unsubscribe
}

// A match is a phrase of the table that the text holds.
type match struct {
	at     segment
	phrase *phrase
}

// maxMatches bounds what is remembered of each kind.
const maxMatches = 200

// readWords looks at text once. Lines that begin with ">" and what a mailing list put
// beneath the text are not the sender's, and are left out when the text is plain. The
// words themselves are kept only if they are to be compared with another text.
func readWords(text []byte, plain bool, t *phrases, compare bool) *words {
	if len(text) > maxVisible {
		text = text[:maxVisible]
	}
	w := &words{seen: text}
	if compare {
		w.bag = map[uint32]struct{}{}
	}
	if plain {
		text = text[:footer(text)]
	}
	m := matcher{phrases: t}
	m.active = m.room[:0]
	quoted := false
	gap, gapAt := 0, 0
	for i := 0; i < len(text); {
		c := text[i]
		if plain && (i == 0 || text[i-1] == '\n') {
			quoted = c == '>' || c == '|'
		}
		if quoted {
			if n := bytes.IndexByte(text[i:], '\n'); n >= 0 {
				i += n + 1
				continue
			}
			break
		}
		if c >= 0x80 {
			if r, n := utf8.DecodeRune(text[i:]); !inWord(r) {
				if !unicode.IsSpace(r) {
					m.reset()
					gap = 0
				}
				i += n
				continue
			}
		}
		switch {
		case class[c] != other:
			start := i
			if c|0x20 == 'h' {
				if n := urlLength(text[i:]); n > 0 {
					i += n
					m.reset()
					gap = 0
					continue
				}
			}
			i = w.word(text, i, &m)
			if i-start == 1 && text[start]|0x20 >= 'a' && text[start]|0x20 <= 'z' {
				if gap++; gap == 1 {
					gapAt = start
				}
			} else {
				gap = 0
			}
			if gap == 4 && len(w.gappy) < maxMatches {
				w.gappy = append(w.gappy, segment{gapAt, i})
			}
		case c == '!':
			start := i
			for i < len(text) && text[i] == '!' {
				i++
			}
			w.marks += i - start
			if i-start > 1 && len(w.runs) < maxMatches {
				w.runs = append(w.runs, segment{start, i})
			}
			m.reset()
			gap = 0
		case c == '\n':
			gap = 0
			if i+1 < len(text) && (text[i+1] == '\n' || text[i+1] == '\r') {
				m.reset()
			}
			i++
		case c == ' ' || c == '\r' || c == '\t' || c == '-' || c == '_' || c == '*':
			i++
		default:
			i++
			m.reset()
			gap = 0
		}
	}
	w.phrases, w.leave = m.found, m.leave
	return w
}

// urlLength returns the length of a web address at the start of text, whose words are
// not its author's; 0 when there is none.
func urlLength(text []byte) int {
	if len(text) < 8 || text[4] != ':' && text[4]|0x20 != 's' {
		return 0
	}
	if !hasPrefixFold(string(text[:8]), "https://") && !hasPrefixFold(string(text[:7]), "http://") {
		return 0
	}
	n := 7
	for n < len(text) && text[n] > ' ' && text[n] != '<' && text[n] != '>' {
		n++
	}
	return n
}

// The classes of octets. Those of a word come after other.
const (
	other = iota
	small
	capital
	digit
	beyond // ASCII
)

var class = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 'a' && c <= 'z':
			t[c] = small
		case c >= 'A' && c <= 'Z':
			t[c] = capital
		case c >= '0' && c <= '9':
			t[c] = digit
		case c >= 0x80:
			t[c] = beyond
		}
	}
	return t
}()

// word reads the word at i and returns where it ends.
func (w *words) word(text []byte, i int, m *matcher) int {
	start, n, h := i, 0, uint32(hashStart)
	upper, letters, ascii := 0, 0, true
read:
	for ; i < len(text); i++ {
		c := text[i]
		switch class[c] {
		case small:
			letters++
		case capital:
			upper++
			letters++
			c |= 0x20
		case digit:
		case beyond:
			r, size := utf8.DecodeRune(text[i:])
			if !inWord(r) {
				break read
			}
			ascii = false
			i += size - 1
			continue
		default:
			if c != '\'' || i+1 >= len(text) || class[text[i+1]] == other {
				break read
			}
		}
		if n < len(m.buf) {
			m.buf[n] = c
			n++
			h = hashOn(h, c)
		}
	}
	if !ascii {
		return w.foreign(text, start, i, m)
	}
	if w.count == 0 {
		w.first = segment{start, i}
	}
	w.count++
	if letters >= 4 && letters == i-start {
		w.long++
		if upper == letters {
			if w.shouted++; w.shouted == 1 {
				w.shouts = segment{start, i}
			}
		}
	}
	w.remember(h, n)
	m.next(m.buf[:n], h, start, i)
	return i
}

// maxBag bounds the words of a text that are compared with those of another.
const maxBag = 20000

// remember keeps a word for the comparison of two texts.
func (w *words) remember(h uint32, length int) {
	if w.bag != nil && len(w.bag) < maxBag && length > 2 {
		w.bag[h] = struct{}{}
	}
}

// foreign reads a word that is not ASCII alone: its scripts, and what is hidden in it.
func (w *words) foreign(text []byte, start, end int, m *matcher) int {
	s := text[start:end]
	lower := m.buf[:0]
	var latin, others, alike, styled, letters, unspaced int
	invisible, bidi := false, false
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRune(s[i:])
		switch {
		case isInvisible(r):
			// Only between letters that need no joiner: Arabic, Indic scripts and emoji do.
			before, _ := utf8.DecodeLastRune(s[:i])
			after, _ := utf8.DecodeRune(s[i+n:])
			if isPlain(before) && isPlain(after) {
				invisible = true
			}
		case isBidi(r):
			bidi = bidi || r <= 0x202e // an isolate (U+2066 to 2069) turns nothing beyond itself
		case r >= 0x1d400 && r <= 0x1d7ff:
			styled++
		case unicode.Is(unicode.Latin, r):
			latin++
		case unicode.Is(unicode.Cyrillic, r), unicode.Is(unicode.Greek, r):
			others++
			if strings.ContainsRune(lookAlikes, r) {
				alike++
			}
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer):
			unspaced++
		}
		if unicode.IsLetter(r) {
			letters++
			if low := unicode.ToLower(r); len(lower)+utf8.RuneLen(low) <= cap(lower) {
				lower = utf8.AppendRune(lower, low)
			}
		} else if r < 0x80 && len(lower) < cap(lower) {
			lower = append(lower, byte(r))
		}
		i += n
	}
	at := segment{start, end}
	note := func(list *[]segment, yes bool) {
		if yes && len(*list) < maxMatches {
			*list = append(*list, at)
		}
	}
	note(&w.invisible, invisible)
	note(&w.bidi, bidi)
	note(&w.styled, styled > 1)
	note(&w.mixed, latin > 0 && others > 0 && letters > 2 && (alike == others || others > latin))
	if letters > 0 {
		if w.count == 0 {
			w.first = at
		}
		w.count += max(1, unspaced/2) // scripts without blanks have some two letters a word
		h := hash(lower)
		w.remember(h, len(lower))
		m.next(lower, h, start, end)
	}
	return end
}

// inWord reports whether a character beyond ASCII is part of a word. What is not seen is,
// for it must not part a word.
func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) || isInvisible(r) || isBidi(r)
}

// lookAlikes are the letters of Cyrillic and Greek that are drawn as Latin ones (Unicode
// Technical Standard 39, confusables).
const lookAlikes = "аеорсухіјѕһԁԛԝАВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧονα"

// isInvisible reports whether r takes no room: zero-width space, joiners, soft hyphen
// apart (it is a good author's), word joiner, byte order mark.
func isInvisible(r rune) bool {
	return r >= 0x200b && r <= 0x200d || r == 0x2060 || r == 0xfeff || r == 0x180e || r >= 0x2061 && r <= 0x2064
}

func isBidi(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func isPlain(r rune) bool {
	return unicode.Is(unicode.Latin, r) || unicode.Is(unicode.Cyrillic, r) || unicode.Is(unicode.Greek, r)
}

// footer returns where the text ends and what a mailing list added begins: a line of
// twenty and more underscores, hyphens or equals signs in the last thirty lines, with
// "mailing list", "unsubscribe" or "Sponsor" beneath it.
func footer(text []byte) int {
	end := len(text)
	for range 30 {
		i := bytes.LastIndexByte(bytes.TrimRight(text[:end], "\r\n"), '\n') + 1
		line := bytes.TrimSpace(text[i:end])
		if len(line) >= 20 && len(bytes.Trim(line, "_-=~>")) == 0 {
			below := bytes.ToLower(text[end:min(len(text), end+2000)])
			if bytes.Contains(below, []byte("mailing list")) || bytes.Contains(below, []byte("unsubscribe")) || bytes.Contains(below, []byte("listinfo")) {
				return i
			}
		}
		if end = i; end == 0 {
			break
		}
	}
	return len(text)
}

// likeness is the share of words that two texts have in common (Jaccard).
func likeness(a, b *words) float64 {
	if len(a.bag) == 0 || len(b.bag) == 0 {
		return 0
	}
	small, large := a.bag, b.bag
	if len(small) > len(large) {
		small, large = large, small
	}
	both := 0
	for h := range small {
		if _, ok := large[h]; ok {
			both++
		}
	}
	return float64(both) / float64(len(small)+len(large)-both)
}
