package content

import (
	"bytes"
	"unicode/utf8"

	"github.com/rebound-mail/rebound/finding"
)

var mimeChecks = []check{
	{"content.html-only", finding.Warning, "The mail has HTML and no plain text.", "Send multipart/alternative, with the same in plain text first.", "RFC 2046, section 5.1.4", func(m *letter) []Place {
		if pages := m.texts("text/html"); len(pages) > 0 && len(m.texts("text/plain")) == 0 && !m.alternative(pages[0]) {
			return m.inText(pages[0], segment{})
		}
		return nil
	}},
	{"content.alternative-no-text", finding.Warning, "The mail offers a choice of forms, and none is plain text.", "Add the same in plain text, as the first part.", "RFC 2046, section 5.1.4", func(m *letter) []Place {
		if pages := m.texts("text/html"); len(pages) > 0 && len(m.texts("text/plain")) == 0 && m.alternative(pages[0]) {
			return m.inText(pages[0], segment{})
		}
		return nil
	}},
	{"content.alternative-differs", finding.Warning, "Plain text and HTML do not say the same.", "Write the plain text from the HTML, so that every reader gets the same.", "RFC 2046, section 5.1.4", func(m *letter) []Place {
		text, page := m.pair()
		if text != nil && text.words.count >= 5 && page.words.count >= 5 && likeness(text.words, page.words) < 0.2 {
			return m.inText(text, text.words.first)
		}
		return nil
	}},
	{"content.text-empty", finding.Warning, "The plain text is empty, and the HTML is not.", "Write the plain text from the HTML.", "RFC 2046, section 5.1.4", func(m *letter) []Place {
		if text, page := m.pair(); text != nil && text.words.count == 0 && page.words.count > 0 {
			return m.inText(text, segment{})
		}
		return nil
	}},
	{"content.base64-ascii", finding.Notice, "A text part is base64, though it is ASCII.", "Send ASCII text as 7bit or quoted-printable.", "RFC 2045, section 6", func(m *letter) []Place {
		for _, p := range m.parts {
			if p.encoding == "base64" && p.isText() && p.ascii && len(bytes.TrimSpace(p.text)) > 0 {
				return m.inText(p, segment{})
			}
		}
		return nil
	}},
	{"content.charset-bad", finding.Warning, "The text does not keep to the charset that it declares.", "Declare the charset in which the text is written; UTF-8 is right everywhere.", "RFC 2045, section 5; RFC 2046, section 4.1.2", func(m *letter) []Place {
		return m.octets8(func(p *part) bool { return p.badSet })
	}},
	{"content.charset-missing", finding.Notice, "The text goes beyond ASCII and names no charset.", "Declare the charset: Content-Type: text/plain; charset=utf-8.", "RFC 2046, section 4.1.2", func(m *letter) []Place {
		return m.octets8(func(p *part) bool { return p.noSet })
	}},
	{"content.charset-ascii", finding.Info, "The text goes beyond ASCII and is declared as US-ASCII.", "Declare the charset in which the text is written; UTF-8 is right everywhere.", "RFC 2046, section 4.1.2", func(m *letter) []Place {
		return m.octets8(func(p *part) bool { return p.asciiSet })
	}},
	{"content.mime-broken", finding.Warning, "The structure of the mail is damaged: a boundary, a Content-Type or an encoding.", "Let a mail library build the parts.", "RFC 2045, section 5; RFC 2046, section 5.1.1", func(m *letter) []Place {
		for _, p := range []*part{m.noStart, m.noEnd, m.badType} {
			if p == nil {
				continue
			}
			if f := p.field("content-type"); f != nil {
				return m.whole(f)
			}
			return m.inRaw(p.start)
		}
		for _, p := range m.parts {
			if p.damaged != nil {
				return m.inRaw(p.start)
			}
		}
		return nil
	}},
}

// alternative reports whether p is one of the forms that a message offers.
func (m *letter) alternative(p *part) bool {
	return p.inside("multipart/alternative") && !m.template
}

// pair returns the plain text and the HTML of a mail that says the same in both.
func (m *letter) pair() (text, page *part) {
	for _, p := range m.parts {
		if p.media != "multipart/alternative" {
			continue
		}
		for _, c := range m.parts {
			if !within(c, p) || c.words == nil {
				continue
			}
			if c.media == "text/plain" && text == nil {
				text = c
			} else if c.media == "text/html" && page == nil {
				page = c
			}
		}
		if text != nil && page != nil {
			return text, page
		}
		text, page = nil, nil
	}
	return nil, nil
}

func within(p, outer *part) bool {
	for ; p != nil; p = p.parent {
		if p == outer {
			return true
		}
	}
	return false
}

// octets8 finds the first text part of that kind, and the place where it leaves ASCII.
func (m *letter) octets8(is func(*part) bool) []Place {
	for _, p := range m.parts {
		if p.text == nil || !is(p) {
			continue
		}
		at := bytes.IndexFunc(p.text[:min(len(p.text), maxVisible)], func(r rune) bool { return r >= 0x80 })
		at = max(at, 0)
		_, n := utf8.DecodeRune(p.text[at:])
		return m.inText(p, segment{at, at + n})
	}
	return nil
}
