package content

import (
	"github.com/rebound-mail/rebound/finding"
)

const htmlStandard = "https://html.spec.whatwg.org/multipage/syntax.html"

var htmlChecks = []check{
	{"content.html-unclosed", finding.Notice, "An element of the HTML is not closed.", "Close it, or take the tag out.", htmlStandard, func(m *letter) []Place {
		return m.pages(func(g *page) []segment { return g.unclosed })
	}},
	{"content.html-unclosed-many", finding.Warning, "Three and more elements of the HTML are not closed.", "Close them; mail programs show such HTML each in its own way.", htmlStandard, func(m *letter) []Place {
		return m.pages(func(g *page) []segment { return atLeast(g.unclosed, 3) })
	}},
	{"content.html-stray", finding.Notice, "The HTML closes an element that is not open.", "Take the end tag out.", htmlStandard, func(m *letter) []Place {
		return m.pages(func(g *page) []segment { return g.stray })
	}},
	{"content.html-misnested", finding.Notice, "Elements of the HTML overlap.", "Close the inner element before the outer one.", htmlStandard, func(m *letter) []Place {
		return m.pages(func(g *page) []segment { return g.misnested })
	}},
	{"content.html-no-body", finding.Notice, "The HTML has no <body>.", "Write a whole document: <html>, <head>, <body>.", htmlStandard, func(m *letter) []Place {
		return m.pages(func(g *page) []segment {
			if len(g.bodies) == 0 {
				return []segment{{}}
			}
			return nil
		})
	}},
	{"content.html-two-bodies", finding.Warning, "The HTML has two documents in one.", "Take the second <html> and <body> out.", htmlStandard, func(m *letter) []Place {
		return m.pages(func(g *page) []segment {
			if len(g.bodies) > 1 {
				return g.bodies[1:]
			}
			if len(g.htmls) > 1 {
				return g.htmls[1:]
			}
			return nil
		})
	}},
	{"content.html-too-deep", finding.Notice, "The HTML has more than 512 elements within one another.", "Use fewer nested elements; mail programs cut such HTML off.", "", func(m *letter) []Place {
		return m.pages(func(g *page) []segment { return one(g.deep) })
	}},
	{"content.form", finding.Notice, "The HTML has a form.", "Link to a page with the form; most mail programs take forms out.", "https://www.caniemail.com/features/html-form/", func(m *letter) []Place { return m.tag(tagForm) }},
	{"content.script", finding.Notice, "The HTML has a script.", "Take it out; mail programs run none.", "https://www.caniemail.com", func(m *letter) []Place { return m.tag(tagScript) }},
	{"content.iframe", finding.Notice, "The HTML has an iframe.", "Take it out; mail programs show none.", "https://www.caniemail.com", func(m *letter) []Place { return m.tag(tagIframe) }},
	{"content.object", finding.Notice, "The HTML embeds an object.", "Take it out; mail programs show none.", "https://www.caniemail.com/features/html-object/", func(m *letter) []Place { return m.tag(tagObject) }},
	{"content.event-handler", finding.Notice, "The HTML has event handlers (on…=).", "Take them out; mail programs run none.", "", func(m *letter) []Place {
		return m.pages(func(g *page) []segment { return g.handlers })
	}},
	{"content.meta-refresh", finding.Warning, "The HTML sends the reader to another page by itself.", "Take <meta http-equiv=refresh> out.", "", func(m *letter) []Place {
		return m.pages(func(g *page) []segment { return one(g.refresh) })
	}},
	{"content.data-uri", finding.Notice, "The HTML holds data: addresses.", "Link to the file, or attach it with a Content-ID; Gmail and Outlook show no data: addresses.", "https://www.caniemail.com/features/image-base64/", func(m *letter) []Place {
		return m.pages(func(g *page) []segment { return one(g.dataURI) })
	}},
}

// pages gathers places from every HTML part.
func (m *letter) pages(find func(*page) []segment) []Place {
	var all []Place
	for _, p := range m.parts {
		if p.page != nil && len(p.text) > 0 {
			all = append(all, m.inText(p, find(p.page)...)...)
		}
	}
	return all
}

func (m *letter) tag(i int) []Place {
	return m.pages(func(g *page) []segment {
		if g.counts[i] == 0 {
			return nil
		}
		return []segment{g.first[i]}
	})
}

func one(at *segment) []segment {
	if at == nil {
		return nil
	}
	return []segment{*at}
}

func atLeast(list []segment, n int) []segment {
	if len(list) < n {
		return nil
	}
	return list
}
