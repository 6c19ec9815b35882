package content

import (
	"bytes"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/finding"
)

var bulkChecks = []check{
	{"content.bulk-no-unsubscribe", finding.Critical, "Mail to many has neither a List-Unsubscribe field nor a link to unsubscribe.", "Add List-Unsubscribe and List-Unsubscribe-Post, and a link in the text.", "RFC 2369; RFC 8058; " + gmailGuide, func(m *letter) []Place {
		if m.bulk && m.listUnsubscribe() == nil && !m.unsubscribeSeen() {
			return m.absent("List-Unsubscribe")
		}
		return nil
	}},
	{"content.bulk-no-list-unsubscribe", finding.Warning, "Mail to many has no List-Unsubscribe field.", "Add List-Unsubscribe with an https address, and List-Unsubscribe-Post: List-Unsubscribe=One-Click; DKIM must sign both.", "RFC 8058, section 3.1; " + gmailGuide, func(m *letter) []Place {
		if m.bulk && m.listUnsubscribe() == nil && m.unsubscribeSeen() {
			return m.absent("List-Unsubscribe")
		}
		return nil
	}},
	{"content.bulk-no-one-click", finding.Notice, "Mail to many cannot be unsubscribed with one click.", "Add an https address to List-Unsubscribe, and List-Unsubscribe-Post: List-Unsubscribe=One-Click; DKIM must sign both.", "RFC 8058, section 3.1; " + gmailGuide, func(m *letter) []Place {
		if f := m.listUnsubscribe(); m.bulk && f != nil && !m.oneClick() {
			return m.whole(f)
		}
		return nil
	}},
	{"content.bulk-no-link", finding.Notice, "Mail to many shows no link to unsubscribe.", "Add a link to unsubscribe that is seen.", gmailGuide, func(m *letter) []Place {
		if !m.bulk || m.listUnsubscribe() == nil || m.unsubscribeSeen() {
			return nil
		}
		for _, p := range m.parts {
			if p.words != nil {
				return m.inText(p, segment{len(p.text), len(p.text)})
			}
		}
		return nil
	}},
	{"content.list-unsubscribe", finding.Info, "The mail has a List-Unsubscribe field.", "Keep it.", "RFC 2369, section 3.2", func(m *letter) []Place {
		if f := m.listUnsubscribe(); f != nil {
			return m.whole(f)
		}
		return nil
	}},
	{"content.one-click", finding.Info, "The mail can be unsubscribed with one click.", "Keep it, and sign both fields with DKIM.", "RFC 8058", func(m *letter) []Place {
		if f := m.root.field("list-unsubscribe-post"); f != nil && m.oneClick() {
			return m.whole(f)
		}
		return nil
	}},
}

// listUnsubscribe is the field, if it holds an address.
func (m *letter) listUnsubscribe() *field {
	f := m.root.field("list-unsubscribe")
	if f == nil || bytes.IndexByte(f.value, '<') < 0 || bytes.IndexByte(f.value, ':') < 0 {
		return nil
	}
	return f
}

// oneClick reports whether both fields are as RFC 8058, section 3.1 asks.
func (m *letter) oneClick() bool {
	list, post := m.listUnsubscribe(), m.root.field("list-unsubscribe-post")
	return list != nil && post != nil && strings.Contains(strings.ToLower(list.unfolded()), "<https://") &&
		strings.EqualFold(strings.ReplaceAll(post.unfolded(), " ", ""), "List-Unsubscribe=One-Click")
}

// leaveStems are what the address of a link to unsubscribe holds.
var leaveStems = []string{"unsub", "optout", "opt-out", "opt_out", "abmeld", "abbestell", "desabonn", "desinscri", "baja", "disiscri", "cancella", "preferenc", "afmeld", "uitschrij", "descadastr"}

// unsubscribeSeen reports whether the text, or the address of a link, says how to
// unsubscribe.
func (m *letter) unsubscribeSeen() bool {
	for _, p := range m.parts {
		if p.words != nil && p.words.leave {
			return true
		}
	}
	for i := range m.links {
		href := strings.ToLower(m.links[i].href[:min(len(m.links[i].href), 2000)])
		if slices.ContainsFunc(leaveStems, func(stem string) bool { return strings.Contains(href, stem) }) {
			return true
		}
	}
	return false
}
