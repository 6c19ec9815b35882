package content

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxOpen bounds the open elements that are kept: as many as a browser's own limit.
const maxOpen = 512

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
	part       *part
	at         segment
	src        string
	alt        string
	hasAlt     bool
	tiny       bool // a pixel that counts readers
	insideLink bool
}

// The elements that are counted.
const (
	tagForm = iota
	tagScript
	tagIframe
	tagObject
	tagTable
	tagStyle
	tagCount
)

var counted = map[string]int{"form": tagForm, "script": tagScript, "iframe": tagIframe, "object": tagObject, "embed": tagObject, "applet": tagObject, "table": tagTable, "style": tagStyle}

// The kinds of elements, as far as they matter to the balance of tags.
const (
	void     = 1 << iota // has no end tag
	optional             // may be left open
	block                // begins a line
	silent               // its text is not shown
)

// elements follows HTML, sections 13.1.2 and 15.3 (https://html.spec.whatwg.org/).
var elements = map[string]int{
	"area": void, "base": void, "br": void | block, "col": void, "embed": void, "hr": void | block, "img": void, "input": void, "link": void, "meta": void,
	"param": void, "source": void, "track": void, "wbr": void, "bgsound": void, "basefont": void, "frame": void, "keygen": void, "spacer": void, "isindex": void,
	"p": optional | block, "li": optional | block, "td": optional | block, "th": optional | block, "tr": optional | block, "tbody": optional, "thead": optional, "tfoot": optional,
	"option": optional | block, "optgroup": optional, "dt": optional | block, "dd": optional | block, "colgroup": optional, "html": optional, "head": optional, "body": optional | block, "rt": optional, "rp": optional,
	"div": block, "table": block, "h1": block, "h2": block, "h3": block, "h4": block, "h5": block, "h6": block, "ul": block, "ol": block, "blockquote": block, "center": block, "pre": block, "form": block, "section": block, "article": block, "header": block, "footer": block, "address": block,
	"script": silent, "style": silent, "title": silent, "noscript": 0, "template": silent, "textarea": 0, "noframes": silent, "noembed": silent, "xmp": 0, "iframe": silent,
}

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

// An open element.
type open struct {
	name  string
	kind  int
	at    segment
	style style
}

// A reader of one page.
type htmlReader struct {
	*page
	part    *part
	stack   []open
	dropped int // open elements beyond maxOpen
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
			name, _ := z.TagName()
			r.end(name, at)
		case html.DoctypeToken:
			r.doctype = true
		case html.CommentToken:
			if s := r.src[at.start:at.end]; bytes.HasPrefix(s, []byte("</")) && len(s) > 3 {
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

// nameOf is the name of an element, without a copy where HTML knows it.
func nameOf(raw []byte) string {
	if a := atom.Lookup(raw); a != 0 {
		return a.String()
	}
	return string(raw)
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
	href, src, style, color, bgcolor, size, alt, rel, equiv, width, height, name string
	hasAlt, hidden, background                                                   bool
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
			a.alt, a.hasAlt = string(val), true
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
			if len(key) > 4 && key[0] == 'o' && key[1] == 'n' && key[2] >= 'a' && key[2] <= 'z' {
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
	raw, more := z.TagName()
	name := nameOf(raw)
	if i, ok := counted[name]; ok {
		if r.counts[i] == 0 {
			r.first[i] = at
		}
		r.counts[i]++
	}
	kind := elements[name]
	var a attributes
	if more {
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
			r.refresh = &at
		}
	case "link":
		if strings.Contains(strings.ToLower(a.rel), "stylesheet") && r.stylesheet == nil {
			r.stylesheet = &at
		}
	}
	if (hasPrefixFold(a.src, "data:") || hasPrefixFold(a.href, "data:")) && r.dataURI == nil {
		r.dataURI = &at
	}
	switch {
	case kind&void != 0:
	case selfClosing && strings.Contains(name, ":"): // <o:p/> of a word processor
	case len(r.stack) >= maxOpen:
		r.dropped++
		if r.deep == nil {
			r.deep = &at
		}
	default:
		if kind&optional != 0 {
			r.implyEnd(name)
		}
		r.stack = append(r.stack, open{name, kind, at, s})
	}
}

// implyEnd ends an open element of the same name that the new one cannot lie in:
// <li>one<li>two.
func (r *htmlReader) implyEnd(name string) {
	for i := len(r.stack) - 1; i >= 0; i-- {
		if r.stack[i].name == name {
			r.stack = r.stack[:i]
			return
		}
		if r.stack[i].kind&optional == 0 {
			return
		}
	}
}

func (r *htmlReader) end(raw []byte, at segment) {
	name := nameOf(raw)
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
	for i := len(r.stack) - 1; i >= 0; i-- {
		if r.stack[i].name != name {
			continue
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
		return
	}
	switch {
	case name == "p", name == "br", kind&optional != 0 && kind&block == 0, kind&void != 0 && name != "img":
	case strings.Contains(name, ":"):
	case r.dropped > 0:
		r.dropped--
	default:
		note(&r.stray, at)
	}
}

func (r *htmlReader) image(a attributes, at segment) {
	w, errW := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(a.width), "px"))
	h, errH := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(a.height), "px"))
	tiny := errW == nil && w <= 2 || errH == nil && h <= 2
	if len(r.images) >= maxLinks {
		return
	}
	hidden := r.style().with("img", a).hidden
	r.images = append(r.images, image{part: r.part, at: at, src: a.src, alt: strings.TrimSpace(a.alt), hasAlt: a.hasAlt, tiny: tiny || hidden, insideLink: r.link >= 0})
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
