package content

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
)

// The repairs of HTML, as they are told.
const (
	didClose   = "closed elements"
	didStray   = "took out end tags that close nothing"
	didActive  = "took out scripts, iframes and objects"
	didForm    = "took out forms"
	didHandler = "took out event handlers"
	didRefresh = "took out what sends the reader to another page"
	didSecond  = "took out the second document"
)

// formatting are the elements that are opened again after a tag that overlaps them.
var formatting = map[string]bool{"b": true, "i": true, "u": true, "em": true, "strong": true, "font": true, "span": true, "small": true, "big": true, "s": true, "strike": true, "tt": true}

// maxReopen bounds the elements that one end tag opens again.
const maxReopen = 8

// repairHTML balances the tags of HTML and takes out what mail programs do not run. It
// reads tags as readPage does, so that what it returns is without the faults that
// readPage finds; all else is copied. Without changes nothing is returned.
func repairHTML(src []byte) ([]byte, []Change) {
	r := &repairer{counts: map[string]int{}}
	z := html.NewTokenizer(bytes.NewReader(src))
	pos := 0
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		raw := src[pos : pos+len(z.Raw())]
		pos += len(raw)
		if r.skip != "" { // within an element that is taken out
			if kind == html.EndTagToken {
				if name, _ := z.TagName(); string(name) == r.skip {
					r.skip = ""
				}
			}
			continue
		}
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			r.start(z.Token(), raw)
		case html.EndTagToken:
			name, _ := z.TagName()
			r.end(string(name), raw)
		case html.CommentToken:
			if isEndTag(raw) {
				r.counts[didStray]++
				continue
			}
			r.out.Write(raw)
		default:
			r.out.Write(raw)
		}
	}
	r.out.Write(src[pos:])
	r.closeTo(0)
	var did []Change
	for _, what := range []string{didClose, didStray, didActive, didForm, didHandler, didRefresh, didSecond} {
		if n := r.counts[what]; n > 0 {
			did = append(did, Change{What: what, Count: n})
		}
	}
	return r.out.Bytes(), did
}

type repairer struct {
	openElements
	out    bytes.Buffer
	skip   string
	body   bool
	html   bool
	counts map[string]int
}

func (r *repairer) start(t html.Token, raw []byte) {
	name := t.Data
	switch name {
	case "script", "iframe", "object", "applet":
		r.counts[didActive]++
		if name == "script" || name == "iframe" {
			r.skip = name
		}
		return
	case "embed":
		r.counts[didActive]++
		return
	case "form":
		r.counts[didForm]++
		return
	case "meta":
		for _, a := range t.Attr {
			if a.Key == "http-equiv" && strings.EqualFold(a.Val, "refresh") {
				r.counts[didRefresh]++
				return
			}
		}
	case "body":
		if r.body {
			r.counts[didSecond]++
			return
		}
		r.body = true
	case "html":
		if r.html {
			r.counts[didSecond]++
			return
		}
		r.html = true
	}
	keep := t.Attr[:0:0]
	for _, a := range t.Attr {
		if isHandler(a.Key) {
			r.counts[didHandler]++
			continue
		}
		keep = append(keep, a)
	}
	if len(keep) < len(t.Attr) {
		t.Attr = keep
		raw = []byte(t.String())
	}
	r.push(element{name: name, kind: elements[name], raw: raw}, t.Type == html.SelfClosingTagToken)
	r.out.Write(raw)
}

func (r *repairer) end(name string, raw []byte) {
	switch name {
	case "script", "iframe", "object", "applet", "embed":
		r.counts[didActive]++
		return
	case "form":
		r.counts[didForm]++
		return
	}
	i := r.find(name)
	if i < 0 {
		if r.harmless(name) {
			r.out.Write(raw)
		} else {
			r.counts[didStray]++
		}
		return
	}
	var again []element
	for _, e := range r.stack[i+1:] {
		if formatting[e.name] && formatting[name] && len(again) < maxReopen {
			again = append(again, e)
		}
	}
	r.closeTo(i + 1)
	r.out.Write(raw)
	r.stack = r.stack[:i]
	for _, e := range again {
		r.out.Write(e.raw)
		r.stack = append(r.stack, e)
	}
}

// closeTo closes what is open from depth n on, but for what may be left open.
func (r *repairer) closeTo(n int) {
	for i := len(r.stack) - 1; i >= n; i-- {
		if e := r.stack[i]; e.kind&optional == 0 {
			r.out.WriteString("</" + e.name + ">")
			r.counts[didClose]++
		}
	}
	r.stack = r.stack[:min(n, len(r.stack))]
}
