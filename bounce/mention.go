package bounce

import (
	_ "embed"
	"net/netip"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/internal/stanza"
)

// A MentionKind says what a reply names.
type MentionKind string

// The kinds of mention.
const (
	MentionList   MentionKind = "list"   // a block list: Value is its zone, or its name where it has no public zone
	MentionIP     MentionKind = "ip"     // an address
	MentionDomain MentionKind = "domain" // a domain that a list of domains names
	MentionURL    MentionKind = "url"    // a web page
)

// A Mention is something that the receiver's text names. Start and End are
// offsets into Reply.Text.
type Mention struct {
	Kind  MentionKind `json:"kind"`
	Value string      `json:"value"`
	Name  string      `json:"name,omitempty"`  // of a list: "Spamhaus ZEN"
	Item  string      `json:"item,omitempty"`  // of a list: the address or domain that it is said to hold
	Lists string      `json:"lists,omitempty"` // of a list: what it lists, ip, domain or url
	Start int         `json:"start"`
	End   int         `json:"end"`
}

// private reports whether a list has no public zone.
func (m Mention) private() bool { return m.Value == m.Name && !isHostName(m.Value) }

// reason is what a mention of the list means for the mail.
func (m Mention) reason() Reason {
	switch m.Lists {
	case "url":
		return URLReputation
	case "domain":
		return DomainListed
	}
	return IPListed
}

//go:embed lists.txt
var listFile string

// A listRule recognises a block list in a text.
type listRule struct {
	name     string
	zone     string
	kind     string
	matches  []string
	patterns []string
}

func readLists(table string) ([]listRule, error) {
	rows, err := stanza.Parse(strings.NewReader(table))
	if err != nil {
		return nil, err
	}
	lists := make([]listRule, 0, len(rows))
	for _, row := range rows {
		l := listRule{kind: "ip"}
		for _, f := range row.Fields {
			switch f.Key {
			case "name":
				l.name = f.Value
			case "zone":
				if l.zone == "" {
					l.zone = f.Value
				}
				l.matches = append(l.matches, f.Value)
			case "match":
				l.matches = append(l.matches, f.Value)
			case "regex":
				l.patterns = append(l.patterns, f.Value)
			case "kind":
				l.kind = f.Value
			case "source":
			default:
				return nil, stanza.Error(f.Line, "a list has no %q", f.Key)
			}
		}
		if l.name == "" || len(l.matches)+len(l.patterns) == 0 {
			return nil, stanza.Error(row.Line, "a list has a name and a zone or a text")
		}
		lists = append(lists, l)
	}
	return lists, nil
}

// Zones returns the zones of the block lists that the package recognises in a
// text, in the order of its table.
func Zones() []string {
	var zones []string
	for _, l := range DefaultRules().lists {
		if l.zone != "" {
			zones = append(zones, l.zone)
		}
	}
	return zones
}

// maxMentions bounds what one reply may name.
const maxMentions = 64

// listHit is where a text names a list.
type listHit struct {
	index      int
	start, end int
	item       string
}

// mentions collects what a text names: lists, addresses, domains, pages.
func (r *Rules) mentions(text string, hits []listHit) []Mention {
	var found, few [8]Mention // on the stack, for the usual few
	ips := findIPs(found[:0], text)
	out := r.listMentions(text, hits, ips, few[:0])
	for i := range out {
		switch list := &out[i]; {
		case list.Item != "":
		case list.Lists != "ip":
			if list.Item = nameBefore(text[:list.Start]); list.Item == "" && list.Lists == "domain" && len(ips) > 0 {
				list.Item = nearest(ips, list.Start).Value // some lists hold both
			}
		case len(ips) > 0:
			list.Item = nearest(ips, list.Start).Value
		default:
			list.Item = nameInBrackets(text[:list.Start])
		}
	}
	lists := len(out)
	for _, m := range ips {
		if indexMention(out[lists:], m.Value) < 0 {
			out = append(out, m)
		}
	}
	if out = appendURLs(out, text); len(out) == 0 {
		return nil
	}
	return slices.Clone(out)
}

// coded adds the lists that a rule names: by its wording, or by the digits of a
// code, "BL000101", of which the last stands for the first list.
func (r *Rules) coded(mentions []Mention, c candidate) []Mention {
	if c.rule == nil || len(c.rule.Lists)+len(c.rule.Bits) == 0 {
		return mentions
	}
	names := slices.Clone(c.rule.Lists)
	for i, name := range c.rule.Bits {
		if at := len(c.bits) - 1 - i; at >= 0 && c.bits[at] == '1' {
			names = append(names, name)
		}
	}
	item := ""
	if at := slices.IndexFunc(mentions, func(m Mention) bool { return m.Kind == MentionIP }); at >= 0 {
		item = mentions[at].Value
	}
	var lists []Mention
	for _, name := range names {
		m := r.listCalled(name).mention(c.start, c.end)
		if slices.ContainsFunc(mentions, func(other Mention) bool { return other.Name == m.Name || strings.HasPrefix(other.Name, m.Name+" ") }) {
			continue
		}
		if m.Lists == "ip" {
			m.Item = item
		}
		lists = append(lists, m)
	}
	return append(lists, mentions...)
}

// mention says that a list is named at a place.
func (l *listRule) mention(start, end int) Mention {
	m := Mention{Kind: MentionList, Value: l.zone, Name: l.name, Lists: l.kind, Start: start, End: end}
	if m.Value == "" {
		m.Value = l.name
	}
	return m
}

// nearest returns the last address before a place in the text, or the first
// after it: servers name the address, then the list.
func nearest(ips []Mention, place int) Mention {
	best := ips[0]
	for _, ip := range ips {
		if ip.End <= place {
			best = ip
		}
	}
	return best
}

// nameBefore returns the last host name in a text, which stands before the name of
// a list of domains: that of "Sender address [news@shop.example] blocked using …".
// The names of pages are none.
func nameBefore(text string) string {
	for end := len(text); end > 0; {
		for end > 0 && !isWord(text[end-1]) {
			end--
		}
		start := end
		for start > 0 && (isWord(text[start-1]) || strings.IndexByte(".-_", text[start-1]) >= 0) {
			start--
		}
		if name := strings.Trim(text[start:end], ".-_"); isHostName(name) && (start == 0 || text[start-1] != '/') {
			return lower(name)
		}
		end = start
	}
	return ""
}

// nameInBrackets returns the name in "Client host [mail.shop.example]", which a
// server writes in place of the address, or "".
func nameInBrackets(text string) string {
	at := indexFold(text, "client host [")
	if at < 0 {
		return ""
	}
	name, _, ok := strings.Cut(text[at+len("client host ["):], "]")
	if !ok || !isHostName(name) {
		return ""
	}
	return lower(name)
}

// listMentions adds the hits of one pass to out: of hits that overlap, the
// longest; of several for one list, the one that names the item.
func (r *Rules) listMentions(text string, hits []listHit, ips, out []Mention) []Mention {
	for i, h := range hits {
		if h.start > 0 && text[h.start-1] == '@' || coveredByLonger(hits, i) {
			continue
		}
		m := r.lists[h.index].mention(h.start, h.end)
		m.Item = h.item
		if at := indexMention(out, m.Value); at < 0 {
			if len(out) < maxMentions {
				out = append(out, m)
			}
		} else if out[at].Item == "" {
			out[at].Item = m.Item
		}
	}
	if len(out) == 0 {
		if m, ok := genericList(text, ips); ok {
			out = append(out, m)
		}
	}
	return dropFamilies(out)
}

func coveredByLonger(hits []listHit, i int) bool {
	for k, other := range hits {
		if k != i && other.start <= hits[i].start && other.end >= hits[i].end && other.end-other.start > hits[i].end-hits[i].start {
			return true
		}
	}
	return false
}

func indexMention(list []Mention, value string) int {
	for i, m := range list {
		if m.Value == value {
			return i
		}
	}
	return -1
}

// dropFamilies removes a mention that only names the operator ("Spamhaus",
// "sorbs.net") beside one of a list of that operator, and keeps its item.
func dropFamilies(list []Mention) []Mention {
	if len(list) < 2 {
		return list
	}
	var out []Mention
	for i, m := range list {
		specific := -1
		for k, other := range list {
			if k != i && len(other.Name) > len(m.Name) && strings.HasPrefix(other.Name, m.Name+" ") {
				specific = k
				break
			}
		}
		if specific < 0 {
			out = append(out, m)
			continue
		}
		if list[specific].Item == "" {
			list[specific].Item = m.Item
		}
	}
	for i := range out {
		if at := indexMention(list, out[i].Value); at >= 0 && out[i].Item == "" {
			out[i].Item = list[at].Item
		}
	}
	return out
}

// The wordings in which mail servers name a list of their own choosing: Postfix
// default_rbl_reply, Exim's dnslists example, sendmail's dnsbl feature.
var genericLeads = []struct {
	lead string
	sure bool // the wording itself speaks of a list
}{
	{"blocked using ", true},
	{"is in an rbl on ", true},
	{"black list at ", true},
	{"blacklist at ", true},
	{"listed at ", false},
	{"listed in ", false},
	{"listed on ", false},
	{"listed by ", false},
	{"found in ", false},
	{"found on ", false},
	{"blocked by ", false},
	{"refused by the dnsbl ", true},
	{"rejected by the dnsbl ", true},
	{"rejected by the ", false},
	{"lookup site '", true},
}

// listWords: beside one of them and an address, a name is a list's.
var listWords = []string{"dnsbl", "rbl", "blacklist", "black list", "blocklist", "block list", "listed"}

// genericList finds a list that no table knows. A list of countries says where
// an address is, not that it is bad.
func genericList(text string, ips []Mention) (Mention, bool) {
	if len(ips) == 0 {
		return Mention{}, false
	}
	low := lower(text)
	for _, g := range genericLeads {
		at := strings.Index(low, g.lead)
		if at < 0 {
			continue
		}
		start := at + len(g.lead)
		for _, scheme := range []string{"https://", "http://", "www."} {
			if strings.HasPrefix(low[start:], scheme) {
				start += len(scheme)
			}
		}
		end := start
		for end < len(low) && (isWord(low[end]) || low[end] == '.' || low[end] == '-' || low[end] == '_') {
			end++
		}
		zone := strings.Trim(low[start:end], ".-")
		end = start + len(zone)
		if !isHostName(zone) || isAddress(zone) || strings.Contains(zone, "countries.") {
			continue
		}
		if !g.sure && !hasListWord(low[:start]+low[end:]) {
			continue
		}
		return Mention{Kind: MentionList, Value: zone, Name: zone, Lists: "ip", Start: start, End: end}, true
	}
	return Mention{}, false
}

func hasListWord(low string) bool {
	for _, w := range listWords {
		for from := 0; ; {
			at := strings.Index(low[from:], w)
			if at < 0 {
				break
			}
			at += from
			end := at + len(w)
			if (at == 0 || !isWord(low[at-1])) && (end == len(low) || !isWord(low[end])) {
				return true
			}
			from = end
		}
	}
	return false
}

// isHostName reports whether s is a name of at least two labels whose last is a
// word of letters.
func isHostName(s string) bool {
	dot := strings.LastIndexByte(s, '.')
	if dot <= 0 || len(s) > 253 || len(s)-dot < 3 {
		return false
	}
	for i := dot + 1; i < len(s); i++ {
		if c := lowerByte(s[i]); c < 'a' || c > 'z' {
			return false
		}
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" {
			return false
		}
	}
	return true
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// findIPs adds the addresses in a text, with their places, to out. Groups of digits
// that are part of something longer (versions, queue IDs) are none.
func findIPs(out []Mention, text string) []Mention {
	for i := 0; i < len(text) && len(out) < maxMentions; i++ {
		if !isAddrByte(text[i]) {
			continue
		}
		end, dots, colons := i, 0, 0
		for ; end < len(text) && isAddrByte(text[end]); end++ {
			switch text[end] {
			case '.':
				dots++
			case ':':
				colons++
			}
		}
		if dots >= 3 || colons >= 2 {
			token := strings.TrimRight(text[i:end], ".:")
			bounded := (i == 0 || !isWord(text[i-1]) && text[i-1] != '-' && text[i-1] != '_') &&
				(end == len(text) || !isWord(text[end]) && text[end] != '-' && text[end] != '_')
			if addr, err := netip.ParseAddr(token); bounded && err == nil && usefulAddr(addr) && !numbersSection(text[max(0, i-maxLead):i]) {
				value := token
				if !addr.Is4() {
					value = addr.String()
				}
				out = append(out, Mention{Kind: MentionIP, Value: value, Start: i, End: i + len(token)})
			}
		}
		i = end
	}
	return out
}

// maxLead bounds what is read before an address to see what its digits number.
const maxLead = 32

// numbersSection reports whether digits behind these words number a section, as in "RFC
// 2821 4.1.1.1" and "section 4.1.1.1", or a version. Behind "RFC 5782:" something new
// begins.
func numbersSection(before string) bool {
	words := strings.Fields(lower(before))
	for i := range words {
		words[i] = strings.TrimRight(strings.TrimLeft(words[i], "(["), ",")
	}
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	switch last {
	case "section", "sec.", "§", "version", "version:":
		return true
	}
	if number, ok := strings.CutPrefix(last, "rfc"); ok {
		return isDigits(number)
	}
	return len(words) > 1 && words[len(words)-2] == "rfc" && isDigits(last)
}

func isAddrByte(c byte) bool { return addrBytes[c] }

var addrBytes = func() (t [256]bool) {
	for _, c := range "0123456789abcdefABCDEF.:" {
		t[c] = true
	}
	return t
}()

// usefulAddr leaves out what cannot be a host: 0.0.0.0, loopback (the answers of
// block lists), and "::" of program text.
func usefulAddr(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast()
}

// appendURLs adds the web pages that a text names.
func appendURLs(out []Mention, text string) []Mention {
	for from, limit := 0, len(out)+maxMentions; len(out) < limit; {
		at := strings.Index(text[from:], "http")
		if at < 0 {
			break
		}
		start := from + at
		rest := text[start:]
		if !strings.HasPrefix(rest, "http://") && !strings.HasPrefix(rest, "https://") {
			from = start + 4
			continue
		}
		end := start
		for end < len(text) && text[end] > ' ' && strings.IndexByte(`<>"'`, text[end]) < 0 {
			end++
		}
		url := strings.TrimRight(text[start:end], ".,;:)]")
		if len(url) > len("https://") {
			out = append(out, Mention{Kind: MentionURL, Value: url, Start: start, End: start + len(url)})
		}
		from = max(end, start+4)
	}
	return out
}
