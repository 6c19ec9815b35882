package content

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// whole is the place of a fault that is the mail's as a whole.
func (m *letter) whole() []Place { return []Place{{Part: "header", Line: 1, Column: 1}} }

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

// inSubject marks the whole subject.
func (m *letter) inSubject() []Place {
	return m.inField(m.subject.field, m.subject.s, 0, len(m.subject.s))
}

// inText are places in the text of a part, by offsets into it.
func (m *letter) inText(p *part, list ...segment) []Place {
	places := make([]Place, 0, len(list))
	for i, at := range list {
		if i >= maxPlaces {
			places = append(places, Place{}) // counted, not told
			continue
		}
		places = append(places, p.place(p.text, at))
	}
	return places
}

// inSeen are places in what a reader sees of a part, told by offsets into that.
func (m *letter) inSeen(p *part, list ...segment) []Place {
	if p.page == nil {
		return m.inText(p, list...)
	}
	places := make([]Place, 0, len(list))
	for i, at := range list {
		if i >= maxPlaces {
			places = append(places, Place{})
			continue
		}
		src := p.page.source(at.start)
		where := p.place(p.text, segment{src, src})
		where.Excerpt, where.Start, where.End = excerpt(p.page.visible, at.start, at.end)
		places = append(places, where)
	}
	return places
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

func (p *part) place(src []byte, at segment) Place {
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
	var b strings.Builder
	b.Grow(excerptRoom)
	n := 0
	i := begin
	for i < len(src) && n < excerptRoom {
		r, size := utf8.DecodeRune(src[i:])
		if i == start {
			from = b.Len()
		}
		if i >= start && (r == '\n' || r == '\r' && i+1 < len(src) && src[i+1] == '\n') {
			break
		}
		if r < 0x7f && r >= ' ' {
			b.WriteByte(byte(r))
		} else {
			b.WriteRune(visibleRune(r))
		}
		i += size
		n++
		if i == end {
			to = b.Len()
		}
	}
	if i < end || to < from {
		to = b.Len()
	}
	if i <= start && start >= i {
		from = min(from, b.Len())
	}
	return b.String(), from, to
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
