package content

import (
	"unicode/utf8"

	"github.com/rebound-mail/rebound/finding"
)

var imageChecks = []check{
	{"content.image-only", finding.Warning, "The HTML is images with hardly any text.", "Write the message as text; filters and readers without images see nothing.", "", func(m *letter) []Place {
		return m.imageText(60)
	}},
	{"content.image-little-text", finding.Notice, "The HTML has images and little text.", "Write more of the message as text.", "", func(m *letter) []Place {
		return m.imageText(200)
	}},
	{"content.image-link", finding.Notice, "The mail is one image that is a link.", "Write the message as text, and link words.", "", func(m *letter) []Place {
		for _, p := range m.parts {
			if g := p.page; g != nil && len(g.visible) < 200 && len(g.links) == 1 {
				for _, img := range g.images {
					if img.insideLink && !img.tiny {
						return m.inText(p, img.at)
					}
				}
			}
		}
		return nil
	}},
	{"content.image-no-alt", finding.Info, "Images have no alt text.", "Give each image an alt text, empty for ornaments; it is what a reader sees before images are loaded.", "https://html.spec.whatwg.org/multipage/images.html#alt", func(m *letter) []Place {
		var all []Place
		for _, p := range m.parts {
			if p.page == nil {
				continue
			}
			var list []segment
			for _, img := range p.page.images {
				if !img.hasAlt && !img.tiny {
					list = append(list, img.at)
				}
			}
			all = append(all, m.inText(p, list...)...)
		}
		return all
	}},
}

// imageText finds HTML with images and fewer than most characters of text. The checks
// overlap: more images and less text never weigh less.
func (m *letter) imageText(most int) []Place {
	for _, p := range m.parts {
		if p.page == nil {
			continue
		}
		n := utf8.RuneCount(p.page.visible[:min(len(p.page.visible), 4*most)])
		for _, img := range p.page.images {
			if !img.tiny && n < most {
				return m.inText(p, img.at)
			}
		}
	}
	return nil
}
