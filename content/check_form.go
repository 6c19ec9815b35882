package content

import (
	"bytes"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/finding"
)

var formChecks = []check{
	{"content.message-id-missing", finding.Warning, "There is no Message-ID.", "Let the program that sends write one: <unique@your.domain>.", "RFC 5322, section 3.6.4; " + gmailGuide, func(m *letter) []Place { return m.lacks("Message-ID") }},
	{"content.message-id-malformed", finding.Warning, "The Message-ID is not of the form <left@right>.", "Let a mail library write it: <unique@your.domain>.", "RFC 5322, section 3.6.4; " + gmailGuide, func(m *letter) []Place {
		f := m.root.field("message-id")
		if f == nil {
			return nil
		}
		if s := f.unfolded(); !isMessageID(s) {
			return m.whole(f)
		}
		return nil
	}},
	{"content.date-missing", finding.Warning, "There is no Date.", "Let the program that sends write the date.", "RFC 5322, section 3.6.1", func(m *letter) []Place { return m.lacks("Date") }},
	{"content.date-malformed", finding.Warning, "The Date cannot be read.", "Write the date as in: Tue, 24 Nov 2026 12:00:00 +0000.", "RFC 5322, section 3.3", func(m *letter) []Place {
		f := m.root.field("date")
		if f == nil {
			return nil
		}
		if s := f.unfolded(); len(s) > 200 || !readsAsDate(s) {
			return m.whole(f)
		}
		return nil
	}},
	{"content.date-far", finding.Notice, "The Date lies a day and more ahead, or a week and more back.", "Set the clock of the machine that sends.", "RFC 5322, section 3.6.1", func(m *letter) []Place {
		f := m.root.field("date")
		if f == nil || m.opts.Now.IsZero() {
			return nil
		}
		s := f.unfolded()
		if t, err := netmail.ParseDate(s); err == nil && (t.Sub(m.opts.Now) > 24*time.Hour || m.opts.Now.Sub(t) > 7*24*time.Hour) {
			return m.inField(f, s, 0, len(s))
		}
		return nil
	}},
	{"content.mime-version-missing", finding.Info, "The mail has MIME fields and no MIME-Version.", "Let a mail library write MIME-Version: 1.0.", "RFC 2045, section 4", func(m *letter) []Place {
		if m.root.field("content-type") != nil && m.root.field("mime-version") == nil && !m.template {
			return m.absent("MIME-Version")
		}
		return nil
	}},
	{"content.to-missing", finding.Info, "There is no To field.", "Write the reader's address in To.", "RFC 5322, section 3.6.3", func(m *letter) []Place {
		for _, name := range []string{"to", "cc", "bcc"} {
			if m.root.field(name) != nil {
				return nil
			}
		}
		return m.lacks("To")
	}},
	{"content.field-twice", finding.Critical, "A field that may stand once stands twice.", "Write the field once. Gmail refuses mail with several From fields.", "RFC 5322, section 3.6; " + gmailGuide, func(m *letter) []Place {
		seen := 0
		for i := range m.root.fields {
			f := &m.root.fields[i]
			bit := 1 << once[f.name] &^ 1
			if seen&bit != 0 {
				return m.whole(f)
			}
			seen |= bit
		}
		return nil
	}},
	{"content.header-broken", finding.Warning, "A line of the header is no field.", "Let a mail library write the header.", "RFC 5322, section 2.2", func(m *letter) []Place {
		if m.badLine < 0 {
			return nil
		}
		next := nextLine(m.raw, m.badLine)
		p := Place{Part: "header", Line: 1 + bytes.Count(m.raw[:m.badLine], []byte("\n")), Column: 1}
		p.Excerpt, p.Start, p.End = excerpt(m.raw, m.badLine, next)
		return []Place{p}
	}},
	{"content.header-raw-8bit", finding.Notice, "A field has octets beyond ASCII that are not encoded.", "Encode the field as RFC 2047 says; mail libraries do it when they are given text, not octets.", "RFC 5322, section 2.2; RFC 2047", func(m *letter) []Place {
		for i := range m.root.fields {
			if f := &m.root.fields[i]; written[f.name] && f.name != "subject" && !isASCII(f.value) && !m.template {
				return m.whole(f)
			}
		}
		return nil
	}},
	{"content.line-too-long", finding.Notice, "A line is longer than 998 octets.", "Encode the part as quoted-printable or base64; some servers break such lines, and with them DKIM.", "RFC 5322, section 2.1.1; RFC 5321, section 4.5.3.1.6", func(m *letter) []Place {
		if m.template {
			return nil
		}
		for i := 0; len(m.raw)-i > 1000; {
			n := bytes.LastIndexByte(m.raw[i:i+1000], '\n')
			if n < 0 {
				return m.inRaw(i)
			}
			i += n + 1
		}
		return nil
	}},
	{"content.nul", finding.Warning, "The mail has NUL octets.", "Encode the part as base64, or take them out; many servers refuse such mail.", "RFC 5322, section 3.5", func(m *letter) []Place {
		if i := bytes.IndexByte(m.raw, 0); i >= 0 {
			return m.inRaw(i)
		}
		return nil
	}},
	{"content.bare-cr", finding.Notice, "A carriage return stands without a line feed.", "End lines with CR LF; many servers refuse others.", "RFC 5321, section 2.3.8", func(m *letter) []Place {
		for i := 0; i < len(m.raw) && !m.template; i++ {
			n := bytes.IndexByte(m.raw[i:], '\r')
			if n < 0 {
				break
			}
			if i += n; i+1 < len(m.raw) && m.raw[i+1] != '\n' {
				return m.inRaw(i)
			}
		}
		return nil
	}},
	{"content.size-unread", finding.Notice, "The mail is larger than what was looked at.", "Send a smaller mail.", "", func(m *letter) []Place {
		for _, p := range m.parts {
			if p.cut {
				return m.inText(p, segment{len(p.text), len(p.text)})
			}
		}
		if m.unread != "" {
			return m.absent("")
		}
		return nil
	}},
}

var (
	once    = map[string]int{"from": 1, "to": 2, "cc": 3, "bcc": 4, "subject": 5, "date": 6, "message-id": 7, "sender": 8, "reply-to": 9, "in-reply-to": 10, "references": 11}
	written = map[string]bool{"from": true, "to": true, "cc": true, "reply-to": true, "sender": true, "subject": true, "organization": true}
)

// isMessageID reports whether s is <left@right>, with a left side that may be quoted.
func isMessageID(s string) bool {
	inner, ok := strings.CutPrefix(s, "<")
	inner, closed := strings.CutSuffix(inner, ">")
	if at := strings.LastIndexByte(inner, '"'); at > 0 && inner[0] == '"' {
		inner = "quoted" + inner[at+1:]
	}
	left, right, found := strings.Cut(inner, "@")
	return ok && closed && found && left != "" && right != "" && !strings.ContainsAny(inner, "<> \t") && !strings.Contains(right, "@")
}

// obsolete forms of the date that receivers read too.
var dateLayouts = []string{"Mon, 2 Jan 2006 15:04:05 MST", "2 Jan 2006 15:04:05 MST", "Mon, 2 Jan 06 15:04:05 MST", "Mon, 2 Jan 06 15:04:05 -0700"}

func readsAsDate(s string) bool {
	bare, _, _ := strings.Cut(s, " (")
	if _, err := time.Parse("Mon, 2 Jan 2006 15:04:05 -0700", bare); err == nil {
		return true
	}
	if _, err := netmail.ParseDate(s); err == nil {
		return true
	}
	s, _, _ = strings.Cut(s, "(")
	s = strings.TrimSpace(s)
	for _, layout := range dateLayouts {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

// lacks reports a field that a message must have.
func (m *letter) lacks(name string) []Place {
	if m.template || m.root.field(strings.ToLower(name)) != nil {
		return nil
	}
	return m.absent(name)
}

// inRaw is a place in the message as it was sent.
func (m *letter) inRaw(at int) []Place {
	p := &part{alone: true, media: "message", text: m.raw}
	if at < m.root.start {
		p.media = "header"
	}
	return m.inText(p, segment{at, at + 1})
}
