package content

import (
	"github.com/rebound-mail/rebound/finding"
)

// clip is the size of HTML at which Gmail cuts a mail off, as senders have measured it;
// Google states none.
const clip = 102 << 10

var displayChecks = []check{
	{"content.size-clip", finding.Notice, "The HTML is larger than 102 KB: Gmail shows the first part alone.", "Make the HTML smaller; the link to unsubscribe at its end is cut off too.", "https://github.com/hteumeuleu/email-bugs/issues/41", func(m *letter) []Place {
		for _, p := range m.parts {
			if p.page != nil && p.octets > clip {
				at := min(clip, len(p.text))
				return m.inText(p, segment{at, at})
			}
		}
		return nil
	}},
	{"content.stylesheet", finding.Info, "The HTML loads a style sheet.", "Write the styles into the mail; most mail programs load none.", "https://www.caniemail.com/features/html-link/", func(m *letter) []Place {
		return m.pages(func(g *page) []segment { return one(g.stylesheet) })
	}},
	{"content.no-doctype", finding.Info, "The HTML has no doctype.", "Begin with <!doctype html>; without it mail programs lay the mail out in their oldest way.", htmlStandard, func(m *letter) []Place {
		return m.pages(func(g *page) []segment {
			if !g.doctype && len(g.visible) > 0 {
				return []segment{{}}
			}
			return nil
		})
	}},
	{"content.no-viewport", finding.Info, "The HTML does not say how wide it is on a telephone.", "Add <meta name=\"viewport\" content=\"width=device-width\">.", "", func(m *letter) []Place {
		return m.pages(func(g *page) []segment {
			if !g.viewport && g.counts[tagTable] > 0 {
				return []segment{{}}
			}
			return nil
		})
	}},
}
