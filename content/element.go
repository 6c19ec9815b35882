package content

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxOpen bounds the open elements that are kept: as many as a browser's own limit.
const maxOpen = 512

// The kinds of elements, as far as they matter to the balance of tags.
const (
	void     = 1 << iota // has no end tag
	optional             // may be left open
	block                // begins a line
	silent               // its text is not shown

	countShift = 8 // above it, the number under which it is counted
)

// elements follows HTML, sections 13.1.2 and 15.3 (https://html.spec.whatwg.org/).
var elements = map[string]int{
	"area": void, "base": void, "br": void | block, "col": void, "embed": void | tagObject<<countShift, "object": tagObject << countShift, "applet": tagObject << countShift, "hr": void | block, "img": void, "input": void, "link": void, "meta": void,
	"param": void, "source": void, "track": void, "wbr": void, "bgsound": void, "basefont": void, "frame": void, "keygen": void, "spacer": void, "isindex": void,
	"p": optional | block, "li": optional | block, "td": optional | block, "th": optional | block, "tr": optional | block, "tbody": optional, "thead": optional, "tfoot": optional,
	"option": optional | block, "optgroup": optional, "dt": optional | block, "dd": optional | block, "colgroup": optional, "html": optional, "head": optional, "body": optional | block, "rt": optional, "rp": optional,
	"div": block, "table": block | tagTable<<countShift, "h1": block, "h2": block, "h3": block, "h4": block, "h5": block, "h6": block, "ul": block, "ol": block, "blockquote": block, "center": block, "pre": block, "form": block | tagForm<<countShift, "section": block, "article": block, "header": block, "footer": block, "address": block,
	"script": silent | tagScript<<countShift, "style": silent, "title": silent, "noscript": 0, "template": silent, "textarea": 0, "noframes": silent, "noembed": silent, "xmp": 0, "iframe": silent | tagIframe<<countShift,
}

// An element is one that is open.
type element struct {
	name  string
	kind  int
	at    segment
	style style  // how its text is shown, for who reads
	raw   []byte // its start tag, for who repairs
}

// openElements are the elements that are open at a tag. What reads a page and what
// repairs it keep them alike, so that nothing is left to find where all was repaired.
type openElements struct {
	stack   []element
	dropped int // those beyond maxOpen
}

// push opens an element, unless it is one that is never open; it reports whether there
// was room for it.
func (o *openElements) push(e element, selfClosing bool) bool {
	switch {
	case e.kind&void != 0, selfClosing && strings.Contains(e.name, ":"): // <o:p/> of a word processor
		return true
	case len(o.stack) >= maxOpen:
		o.dropped++
		return false
	}
	if e.kind&optional != 0 {
		o.implyEnd(e.name)
	}
	o.stack = append(o.stack, e)
	return true
}

// implyEnd ends an open element of the same name that the new one cannot lie in:
// <li>one<li>two.
func (o *openElements) implyEnd(name string) {
	for i := len(o.stack) - 1; i >= 0; i-- {
		if o.stack[i].name == name {
			o.stack = o.stack[:i]
			return
		}
		if o.stack[i].kind&optional == 0 {
			return
		}
	}
}

// find returns the index of the innermost open element of a name, or -1.
func (o *openElements) find(name string) int {
	for i := len(o.stack) - 1; i >= 0; i-- {
		if o.stack[i].name == name {
			return i
		}
	}
	return -1
}

// harmless reports whether an end tag for which nothing is open may stand: HTML gives it
// a meaning, or it closes what was not kept.
func (o *openElements) harmless(name string) bool {
	kind := elements[name]
	switch {
	case name == "p", name == "br", kind&optional != 0 && kind&block == 0, kind&void != 0 && name != "img", strings.Contains(name, ":"):
		return true
	case o.dropped > 0:
		o.dropped--
		return true
	}
	return false
}

// isHandler reports whether an attribute is an event handler.
func isHandler(key string) bool {
	return len(key) > 4 && key[:2] == "on" && key[2] >= 'a' && key[2] <= 'z'
}

// isEndTag reports whether what HTML takes for a comment was written as an end tag.
func isEndTag(comment []byte) bool {
	return bytes.HasPrefix(comment, []byte("</")) && len(comment) > 3
}

// tagName is the name of the tag that z is at, which raw begins with. HTML's own names
// are taken from there, for z copies each.
func tagName(z *html.Tokenizer, raw []byte) string {
	var low [12]byte
	n := 0
	for n < len(low) && n < len(raw) && class[raw[n]] != other {
		if low[n] = raw[n]; class[raw[n]] == capital {
			low[n] |= 0x20
		}
		n++
	}
	if n < len(raw) && (raw[n] == '>' || raw[n] == ' ' || raw[n] == '\n') {
		if a := atom.Lookup(low[:n]); a != 0 {
			return a.String()
		}
	}
	name, _ := z.TagName()
	return nameOf(name)
}

// nameOf is the name of an element, without a copy where HTML knows it.
func nameOf(raw []byte) string {
	if a := atom.Lookup(raw); a != 0 {
		return a.String()
	}
	return string(raw)
}
