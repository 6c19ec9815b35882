package content

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/rebound-mail/rebound/finding"
)

var senderChecks = []check{
	{"content.from-missing", finding.Warning, "No address can be read in the From field.", "Write one address in From.", "RFC 5322, section 3.6.2", func(m *letter) []Place {
		switch {
		case m.from.field == nil && !m.template:
			return m.absent("From")
		case m.from.field != nil && m.from.domain == "":
			return m.whole(m.from.field)
		}
		return nil
	}},
	{"content.from-capitals", finding.Notice, "The sender's name is in capitals.", "Write the name as your readers know it.", "", func(m *letter) []Place {
		if upper, all := capitals(m.from.name); all >= 6 && upper == all && strings.Contains(m.from.name, " ") {
			return m.inFrom(m.from.name)
		}
		return nil
	}},
	{"content.from-name-address", finding.Warning, "The sender's name shows an address of another domain.", "Write the name of the sender, not an address.", "", func(m *letter) []Place {
		if !strings.Contains(m.from.name, "@") || len(m.from.name) > 1000 {
			return nil
		}
		if at := mailbox.FindStringSubmatch(m.from.name); at != nil && organization(strings.ToLower(at[1])) != organization(m.from.domain) {
			return m.inFrom(m.from.name)
		}
		return nil
	}},
	{"content.from-name-brand", finding.Warning, "The sender's name holds a brand's, and the address is not the brand's.", "Send under your own name; say in the text what you have to do with the brand.", "", func(m *letter) []Place {
		if brand := borrowed(m.from.name, organization(m.from.domain)); brand != "" {
			at := max(0, strings.Index(strings.ToLower(m.from.s), brand))
			return m.inField(m.from.field, m.from.s, at, at+len(brand))
		}
		return nil
	}},
	{"content.from-abused-tld", finding.Notice, "The sender's address is in a top-level domain that much spam comes from.", "Send from a domain in a top-level domain that is less abused.", "", func(m *letter) []Place {
		if tld := m.from.domain[strings.LastIndexByte(m.from.domain, '.')+1:]; domainLists()["abused-tlds"][tld] {
			return m.inFrom(m.from.domain)
		}
		return nil
	}},
	{"content.from-digits", finding.Notice, "The sender's address has a run of digits.", "Send from an address that says who writes.", "", func(m *letter) []Place {
		if hasDigits(m.from.local) {
			return m.inFrom(m.from.local)
		}
		return nil
	}},
	{"content.from-noreply", finding.Info, "The sender's address asks for no answer.", "Send from an address that somebody reads; answers count in the sender's favour.", "", func(m *letter) []Place {
		if local := strings.ToLower(joined.Replace(m.from.local)); strings.Contains(local, "noreply") || strings.Contains(local, "donotreply") {
			return m.inFrom(m.from.local)
		}
		return nil
	}},
	{"content.reply-to-free-mail", finding.Warning, "Answers go to an address at a free mail provider that is not the sender's.", "Let answers go to an address in your own domain.", "", func(m *letter) []Place {
		if m.replyTo.domain != "" && m.replyTo.domain != m.from.domain && domainLists()["free-mail"][m.replyTo.domain] {
			return m.whole(m.replyTo.field)
		}
		return nil
	}},
	{"content.to-undisclosed", finding.Notice, "The To field names nobody.", "Send each reader a mail of their own.", "", func(m *letter) []Place {
		f := m.root.field("to")
		if f == nil {
			return nil
		}
		if s := f.unfolded(); !strings.Contains(s, "@") && (s == "" || strings.Contains(s, ";") || strings.Contains(strings.ToLower(s), "undisclosed")) {
			return m.inField(f, s, 0, len(s))
		}
		return nil
	}},
	{"content.to-many", finding.Notice, "The To and Cc fields show eight addresses and more.", "Send each reader a mail of their own.", "", func(m *letter) []Place {
		n := 0
		var first *field
		for i := range m.root.fields {
			if f := &m.root.fields[i]; f.name == "to" || f.name == "cc" {
				angles := strings.Count(string(f.value), "<")
				if angles == 0 {
					angles = strings.Count(string(f.value), "@")
				}
				n += angles
				if first == nil {
					first = f
				}
			}
		}
		if n >= 8 {
			return m.whole(first)
		}
		return nil
	}},
	{"content.priority-high", finding.Warning, "The mail asks to be treated as urgent.", "Leave out X-Priority, Priority and Importance.", "", func(m *letter) []Place {
		for _, name := range []string{"x-priority", "priority", "importance", "x-msmail-priority"} {
			if f := m.root.field(name); f != nil {
				s := strings.ToLower(f.unfolded())
				if strings.HasPrefix(s, "1") || strings.HasPrefix(s, "2") || s == "high" || s == "urgent" {
					return m.inField(f, s, 0, len(s))
				}
			}
		}
		return nil
	}},
}

// borrowed returns the brand that a sender's name holds and its domain does not.
func borrowed(name, domain string) string {
	if domain == "" || len(name) > 200 {
		return ""
	}
	name = strings.ToLower(name)
	begins := false
	for word := range strings.FieldsFuncSeq(name, notInBrand) {
		begins = begins || brands()[word] != nil
	}
	if !begins {
		return ""
	}
	name = " " + strings.Join(strings.FieldsFunc(name, notInBrand), " ") + " "
	for i := range name {
		if name[i] != ' ' {
			continue
		}
		for _, b := range brands()[firstWord(name[i+1:])] {
			if strings.HasPrefix(name[i+1:], b.name+" ") && !slices.ContainsFunc(b.domains, func(d string) bool { return strings.Contains(domain, d) }) {
				return b.name
			}
		}
	}
	return ""
}

func notInBrand(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' }

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// A brand is a name that others borrow, and words of which its domains hold one.
type brand struct {
	name    string
	domains []string
}

// brands are those of domains.txt, by the first word of the name.
var brands = sync.OnceValue(func() map[string][]brand {
	list := map[string][]brand{}
	for row := range domainLists()["brands"] {
		name, domains, ok := strings.Cut(strings.ReplaceAll(row, "_", " "), "=")
		if !ok {
			domains = name
		}
		list[firstWord(name)] = append(list[firstWord(name)], brand{name, strings.Split(domains, "|")})
	}
	return list
})

// joined takes out what parts the words of a local part.
var joined = strings.NewReplacer("-", "", "_", "", ".", "")

var mailbox = regexp.MustCompile(`[\w.+-]+@([\w-]+(?:\.[\w-]+)+)`)

// hasDigits reports whether a local part has three digits in a row, or digits between
// letters that part others: x7y2.
func hasDigits(local string) bool {
	row, groups := 0, 0
	for i := range len(local) {
		if c := local[i]; c < '0' || c > '9' {
			row = 0
			continue
		}
		if row++; row == 1 {
			groups++
		}
		if row == 3 || groups == 2 {
			return true
		}
	}
	return false
}

// inFrom marks s in the From field.
func (m *letter) inFrom(s string) []Place {
	at := max(0, strings.Index(m.from.s, s))
	return m.inField(m.from.field, m.from.s, at, at+len(s))
}
