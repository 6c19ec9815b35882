package content

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"
)

// absent is the place where a field should be.
func (m *letter) absent(name string) []Place {
	return []Place{{Part: "header", Field: name, Line: 1, Column: 1}}
}

// inField is the place of a field, with the decoded text s marked from start to end.
func (m *letter) inField(f *field, s string, start, end int) []Place {
	if f == nil {
		return nil
	}
	line := 1 + bytes.Count(m.raw[:f.start], []byte("\n"))
	name := string(m.raw[f.start : f.start+len(f.name)])
	p := Place{Part: "header", Field: name, Line: line}
	prefix := name + ": "
	p.Excerpt, p.Start, p.End = excerpt([]byte(prefix+s), len(prefix)+start, len(prefix)+end)
	p.Column = utf8.RuneCountInString(prefix+s[:min(start, len(s))]) + 1
	return []Place{p}
}

// whole is the place of a field as a whole, decoded.
func (m *letter) whole(f *field) []Place {
	if f == nil {
		return nil
	}
	s := decodeWords(f.unfolded())
	return m.inField(f, s, 0, len(s))
}

// tell adds a place to those of a finding. Beyond the first few they are counted, and not
// told.
func (m *letter) tell(list []Place, at func() Place) []Place {
	if len(list) >= maxPlaces {
		m.untold++
		return list
	}
	return append(list, at())
}

// inText are places in the text of a part, by offsets into it.
func (m *letter) inText(p *part, list ...segment) []Place {
	return m.each(list, p.place)
}

// inSeen are places in what a reader sees of a part, by offsets into that.
func (m *letter) inSeen(p *part, list ...segment) []Place {
	return m.each(list, p.seenPlace)
}

func (m *letter) each(list []segment, place func(segment) Place) []Place {
	if len(list) == 0 {
		return nil
	}
	n := min(len(list), maxPlaces)
	places := make([]Place, n)
	for i := range places {
		places[i] = place(list[i])
	}
	m.untold += len(list) - n
	return places
}

// seenPlace is a place in what a reader sees of p.
func (p *part) seenPlace(at segment) Place {
	if p.page == nil {
		return p.place(at)
	}
	src := p.page.source(at.start)
	where := p.place(segment{src, src})
	where.Excerpt, where.Start, where.End = excerpt(p.page.visible, at.start, at.end)
	return where
}

// source returns the offset in the HTML of an offset in the visible text.
func (g *page) source(at int) int {
	i, _ := slices.BinarySearchFunc(g.runs, at, func(r run, at int) int {
		if int(r.at) <= at {
			return -1
		}
		return 1
	})
	if i == 0 {
		return 0
	}
	r := g.runs[i-1]
	return min(int(r.src)+at-int(r.at), len(g.src))
}

// label names a part for people.
func (p *part) label() string {
	if p.alone {
		return p.media
	}
	return p.id + " " + p.media
}

// place is a place in the text of p.
func (p *part) place(at segment) Place {
	src := p.text
	if p.lines == nil {
		p.lines = []int32{0}
		for i := 0; ; {
			n := bytes.IndexByte(src[i:], '\n')
			if n < 0 {
				break
			}
			i += n + 1
			p.lines = append(p.lines, int32(i))
		}
	}
	line, found := slices.BinarySearch(p.lines, int32(at.start))
	if !found {
		line--
	}
	begin := int(p.lines[line])
	where := Place{Part: p.label(), Line: line + 1}
	where.Column = 1 + utf8.RuneCount(src[begin:at.start])
	where.Excerpt, where.Start, where.End = excerpt(src, at.start, at.end)
	return where
}

// The room of an excerpt, in characters.
const (
	excerptRoom   = 120
	excerptBefore = 40
)

// excerpt cuts the text around a fault out of its line.
func excerpt(src []byte, start, end int) (s string, from, to int) {
	start, end = min(start, len(src)), min(end, len(src))
	begin := start
	for n := 0; begin > 0 && n < excerptBefore && src[begin-1] != '\n'; n++ {
		_, size := utf8.DecodeLastRune(src[:begin])
		begin -= size
	}
	var room [2 * excerptRoom]byte
	b := room[:0]
	i := begin
	for n := 0; i < len(src) && n < excerptRoom; n++ {
		if i == start {
			from = len(b)
		}
		if c := src[i]; c < 0x7f && c >= ' ' {
			b = append(b, c)
			i++
		} else {
			r, size := utf8.DecodeRune(src[i:])
			if i >= start && (r == '\n' || r == '\r' && i+1 < len(src) && src[i+1] == '\n') {
				break
			}
			b = utf8.AppendRune(b, visibleRune(r))
			i += size
		}
		if i == end {
			to = len(b)
		}
	}
	if i == start { // the fault is at the end of its line
		from = len(b)
	}
	if i < end || to < from {
		to = len(b)
	}
	return string(b), from, to
}

// visibleRune replaces what a terminal would obey or not show.
func visibleRune(r rune) rune {
	switch {
	case r == '\t' || r == '\r' || r == '\n':
		return ' '
	case r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 0x2028 || r == 0x2029:
		return '�'
	}
	return r
}
