package content

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// A page is what one pass over an HTML part saw. Offsets are into the part's text.
type page struct {
	src     []byte
	visible []byte    // what a reader sees, elements that break a line set off by a line feed
	runs    []run     // where each run of visible came from
	hidden  []segment // text that is not shown

	unclosed, stray, misnested []segment
	bodies, htmls              []segment
	deep                       *segment
	counts                     [tagCount]int
	first                      [tagCount]segment // the first of each
	handlers                   []segment
	links                      []link
	images                     []image
	lowContrast                []segment
	red, large                 []segment
	zeroFont                   []segment
	doctype, viewport          bool
	refresh, stylesheet        *segment
	dataURI                    *segment
}

// maxNotes bounds what is remembered of each kind of fault.
const maxNotes = 10000

func note(list *[]segment, at segment) {
	if len(*list) < maxNotes {
		*list = append(*list, at)
	}
}

// A run says that the text from at on came from offset src.
type run struct{ at, src int32 }

// A segment is a range of a part's text.
type segment struct{ start, end int }

// A link is what <a href>, or an address in plain text, leads to.
type link struct {
	part *part
	at   segment
	href string
	text string // what is shown of it
	url  target
	// seenEnd is where the text of the link ends in what is seen of the page.
	seenEnd int
}

// An image is one <img>.
type image struct {
	at         segment
	hasAlt     bool
	tiny       bool // a pixel that counts readers
	insideLink bool
}

// The elements that are counted.
const (
	tagOther = iota
	tagForm
	tagScript
	tagIframe
	tagObject
	tagTable
	tagCount
)

// A style is what is known of how text is shown; it is inherited.
type style struct {
	hidden, zero bool
	color, back  rgb
	large        bool
}

type rgb struct {
	r, g, b uint8
	set     bool
}

// A reader of one page.
type htmlReader struct {
	*page
	openElements
	part    *part
	pos     int
	line    bool // a line was begun
	space   bool
	link    int // index of the link that is open, or -1
	linkEnd int
}

// readPage reads an HTML text in one pass of the tokenizer, keeping its own stack of
// open elements. It never fails: HTML is whatever a sender wrote.
func readPage(p *part) *page {
	r := &htmlReader{page: &page{src: p.text}, part: p, link: -1}
	r.visible = make([]byte, 0, min(len(p.text)/3, maxVisible))
	r.runs = make([]run, 0, len(p.text)/12)
	z := html.NewTokenizer(bytes.NewReader(p.text))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		at := segment{r.pos, r.pos + len(z.Raw())}
		r.pos = at.end
		switch kind {
		case html.TextToken:
			r.text(at)
		case html.StartTagToken, html.SelfClosingTagToken:
			r.start(z, at, kind == html.SelfClosingTagToken)
		case html.EndTagToken:
			r.end(tagName(z, r.src[at.start+2:at.end]), at)
		case html.DoctypeToken:
			r.doctype = true
		case html.CommentToken:
			if isEndTag(r.src[at.start:at.end]) {
				note(&r.stray, at)
			}
		}
	}
	for _, e := range r.stack {
		if e.kind&optional == 0 {
			note(&r.unclosed, e.at)
		}
	}
	return r.page
}

func (r *htmlReader) style() style {
	if len(r.stack) == 0 {
		return style{color: rgb{0, 0, 0, true}, back: rgb{255, 255, 255, true}}
	}
	return r.stack[len(r.stack)-1].style
}

// maxVisible bounds the text that is looked at word by word, in octets.
const maxVisible = 1 << 20

// text takes a run of text, decoding its references.
func (r *htmlReader) text(at segment) {
	if len(r.stack) > 0 && r.stack[len(r.stack)-1].kind&silent != 0 {
		return
	}
	src := r.src[at.start:at.end]
	s := r.style()
	if s.hidden || s.zero {
		if t := bytes.TrimSpace(src); len(t) > 0 {
			note(&r.hidden, at)
			if s.zero {
				note(&r.zeroFont, at)
			}
		}
		return
	}
	if len(r.visible) >= maxVisible {
		return
	}
	from := len(r.visible)
	r.write(src, at.start)
	if seen := bytes.TrimSpace(r.visible[min(from, len(r.visible)):]); len(seen) > 0 {
		if s.color.set && s.back.set && contrast(s.color, s.back) < lowContrast && hasWord(seen) {
			note(&r.lowContrast, at)
		}
		if s.color.r > 200 && s.color.g < 60 && s.color.b < 60 && s.color.set {
			note(&r.red, at)
		}
		if s.large {
			note(&r.large, at)
		}
	}
}

func hasWord(b []byte) bool {
	for _, c := range b {
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			return true
		}
	}
	return false
}

// write appends src to what is seen: white space is one space, references are decoded.
func (r *htmlReader) write(src []byte, at int) {
	mark := func(i int) { r.runs = append(r.runs, run{int32(len(r.visible)), int32(at + i)}) }
	fresh := true
	for i := 0; i < len(src) && len(r.visible) < maxVisible; {
		c := src[i]
		switch {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f':
			r.space, fresh = true, true
			i++
		case c == '&':
			n := reference(src[i:])
			r.flushSpace()
			mark(i)
			r.visible = append(r.visible, html.UnescapeString(string(src[i:i+n]))...)
			i, fresh = i+n, true
		default:
			r.flushSpace()
			if fresh {
				mark(i)
				fresh = false
			}
			j := i + 1
			for j < len(src) && src[j] > ' ' && src[j] != '&' {
				j++
			}
			r.visible = append(r.visible, src[i:j]...)
			i = j
		}
	}
}

func (r *htmlReader) flushSpace() {
	if r.line && len(r.visible) > 0 {
		r.visible = append(r.visible, '\n')
	} else if r.space && len(r.visible) > 0 {
		r.visible = append(r.visible, ' ')
	}
	r.line, r.space = false, false
}

// reference returns the length of the character reference at the start of s.
func reference(s []byte) int {
	for i := 1; i < len(s) && i < 12; i++ {
		c := s[i]
		if c == ';' {
			return i + 1
		}
		if c != '#' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return i
		}
	}
	return min(len(s), 12)
}

// attributes are those of a tag that matter.
type attributes struct {
	href, src, style, color, bgcolor, size, rel, equiv, width, height, name string
	hasAlt, hidden, background                                              bool
}

// maxAttributes bounds the attributes of one tag that are looked at.
const maxAttributes = 100

func (r *htmlReader) attributes(z *html.Tokenizer, at segment) attributes {
	var a attributes
	for n := 0; n < maxAttributes; n++ {
		key, val, more := z.TagAttr()
		switch string(key) {
		case "href":
			a.href = string(val)
		case "src":
			a.src = string(val)
		case "style":
			a.style = string(val)
		case "color", "text":
			a.color = string(val)
		case "bgcolor":
			a.bgcolor = string(val)
		case "size":
			a.size = string(val)
		case "alt":
			a.hasAlt = true
		case "rel":
			a.rel = string(val)
		case "http-equiv":
			a.equiv = string(val)
		case "name":
			a.name = string(val)
		case "width":
			a.width = string(val)
		case "height":
			a.height = string(val)
		case "hidden":
			a.hidden = true
		case "background":
			a.background = true
		default:
			if isHandler(string(key)) {
				note(&r.handlers, at)
			}
		}
		if !more {
			break
		}
	}
	return a
}

func (r *htmlReader) start(z *html.Tokenizer, at segment, selfClosing bool) {
	name := tagName(z, r.src[at.start+1:at.end])
	kind := elements[name]
	if i := kind >> countShift; i > 0 {
		if r.counts[i] == 0 {
			r.first[i] = at
		}
		r.counts[i]++
	}
	var a attributes
	if at.end-at.start > len(name)+len("< x>") {
		a = r.attributes(z, at)
	}
	if kind&block != 0 {
		r.line = true
	}
	s := r.style().with(name, a)
	switch name {
	case "body":
		note(&r.bodies, at)
	case "html":
		note(&r.htmls, at)
	case "a":
		if a.href != "" && len(r.links) < maxLinks {
			r.links = append(r.links, link{part: r.part, at: at, href: a.href})
			r.link, r.linkEnd = len(r.links)-1, len(r.visible)
		}
	case "area":
		if a.href != "" && len(r.links) < maxLinks {
			r.links = append(r.links, link{part: r.part, at: at, href: a.href})
		}
	case "img":
		r.image(a, at)
	case "meta":
		r.viewport = r.viewport || strings.EqualFold(a.name, "viewport")
		if strings.EqualFold(a.equiv, "refresh") && r.refresh == nil {
			r.refresh = new(at)
		}
	case "link":
		if strings.Contains(strings.ToLower(a.rel), "stylesheet") && r.stylesheet == nil {
			r.stylesheet = new(at)
		}
	}
	if (hasPrefixFold(a.src, "data:") || hasPrefixFold(a.href, "data:")) && r.dataURI == nil {
		r.dataURI = new(at)
	}
	if !r.push(element{name: name, kind: kind, at: at, style: s}, selfClosing) && r.deep == nil {
		r.deep = new(at)
	}
}

func (r *htmlReader) end(name string, at segment) {
	kind := elements[name]
	if kind&block != 0 {
		r.line = true
	}
	if name == "a" && r.link >= 0 {
		l := &r.links[r.link]
		l.text = string(bytes.TrimSpace(r.visible[min(r.linkEnd, len(r.visible)):]))
		l.seenEnd = len(r.visible)
		r.link = -1
	}
	i := r.find(name)
	if i < 0 {
		if !r.harmless(name) {
			note(&r.stray, at)
		}
		return
	}
	for _, e := range r.stack[i+1:] {
		switch {
		case e.kind&optional != 0:
		case name == "body" || name == "html":
			note(&r.unclosed, e.at)
		default:
			note(&r.misnested, e.at)
		}
	}
	r.stack = r.stack[:i]
}

func (r *htmlReader) image(a attributes, at segment) {
	w, errW := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(a.width), "px"))
	h, errH := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(a.height), "px"))
	tiny := errW == nil && w <= 2 || errH == nil && h <= 2
	if len(r.images) >= maxLinks {
		return
	}
	hidden := r.style().with("img", a).hidden
	r.images = append(r.images, image{at: at, hasAlt: a.hasAlt, tiny: tiny || hidden, insideLink: r.link >= 0})
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
