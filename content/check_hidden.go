package content

import (
	"bytes"

	"github.com/rebound-mail/rebound/finding"
)

// The room of a preheader, the line that mail programs show beside the subject: hidden
// text at the top is good practice.
const (
	preheader  = 300 // octets of words
	hiddenText = 100 // octets of words that are hidden elsewhere
)

var hiddenChecks = []check{
	{"content.text-hidden", finding.Notice, "The HTML hides text further down than a preheader.", "Take the hidden text out; Google names it as a reason to mark mail as spam.", gmailGuide, func(m *letter) []Place {
		return m.pages(func(g *page) []segment {
			var late []segment
			n := 0
			for i, at := range g.hidden {
				letters := lettersIn(g.src[at.start:at.end])
				if i < 3 && letters <= preheader && g.source(min(200, len(g.visible))) >= at.start {
					continue
				}
				if letters > 0 {
					late = append(late, at)
					n += letters
				}
			}
			if n < hiddenText {
				return nil
			}
			return late
		})
	}},
	{"content.font-zero", finding.Info, "The HTML has words in letters of no size.", "Take them out, unless they are the preheader at the top.", gmailGuide, func(m *letter) []Place {
		return m.pages(func(g *page) []segment {
			for _, at := range g.zeroFont {
				if g.source(min(200, len(g.visible))) < at.start && lettersIn(g.src[at.start:at.end]) > 0 {
					return []segment{at}
				}
			}
			return nil
		})
	}},
	{"content.low-contrast", finding.Warning, "Text has nearly the colour of what is behind it.", "Give the text a colour that can be read; filters take such text for hidden.", "WCAG 2.2, success criterion 1.4.3; " + gmailGuide, func(m *letter) []Place {
		return m.pages(func(g *page) []segment {
			n := 0
			for _, at := range g.lowContrast {
				n += lettersIn(g.src[at.start:at.end])
			}
			if n < 10 {
				return nil
			}
			return g.lowContrast
		})
	}},
	{"content.text-red", finding.Notice, "Text is red.", "Use red for little, or not at all.", "", func(m *letter) []Place {
		return m.pages(func(g *page) []segment { return g.red })
	}},
	{"content.text-large", finding.Info, "Three and more pieces of text are in large letters.", "Use large letters for one heading.", "", func(m *letter) []Place {
		return m.pages(func(g *page) []segment { return atLeast(g.large, 3) })
	}},
	{"content.invisible-in-word", finding.Warning, "Words have characters in them that are not seen.", "Type the words anew; padding belongs between words.", "Unicode Technical Standard 39", func(m *letter) []Place {
		return m.eachText(func(w *words) []segment { return w.invisible })
	}},
	{"content.bidi", finding.Notice, "The text has controls that turn its direction.", "Take the controls out; letters of a script that runs from right to left need none.", "Unicode Technical Report 36", func(m *letter) []Place {
		return m.eachText(func(w *words) []segment { return w.bidi })
	}},
	{"content.mixed-script", finding.Warning, "Words mix letters of two scripts that look alike.", "Type the words anew on one keyboard.", "Unicode Technical Standard 39", func(m *letter) []Place {
		return m.eachText(func(w *words) []segment { return w.mixed })
	}},
	{"content.styled-letters", finding.Notice, "The text uses mathematical letters as a typeface.", "Write in plain letters; readers of screens spell such letters out.", "", func(m *letter) []Place {
		return m.eachText(func(w *words) []segment { return w.styled })
	}},
	{"content.gappy", finding.Notice, "The text spells words with gaps.", "Write the words without gaps.", "", func(m *letter) []Place {
		return m.eachText(func(w *words) []segment { return w.gappy })
	}},
}

// lettersIn counts letters and digits of ASCII and octets of others: padding has none.
func lettersIn(b []byte) int {
	n := 0
	for _, w := range bytes.Fields(b) {
		if w[0] == '&' {
			continue
		}
		for _, c := range w {
			if class[c] != other && c < 0x80 {
				n++
			}
		}
	}
	return n
}

// eachText gathers places from what is seen of every text part.
func (m *letter) eachText(find func(*words) []segment) []Place {
	var all []Place
	for _, p := range m.parts {
		if p.words != nil {
			all = append(all, m.inSeen(p, find(p.words)...)...)
		}
	}
	return all
}
