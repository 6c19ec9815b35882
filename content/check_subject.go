package content

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rebound-mail/rebound/finding"
)

const gmailGuide = "https://support.google.com/mail/answer/81126"

var subjectChecks = []check{
	{"content.subject-capitals", finding.Warning, "The subject is in capitals.", "Write the subject as a sentence, with capitals where grammar asks for them.", "", func(m *letter) []Place {
		if upper, all := capitals(m.subject.s); all >= 8 && upper*10 >= all*9 {
			return m.whole(m.subject.field)
		}
		return nil
	}},
	{"content.subject-mostly-capitals", finding.Notice, "Most letters of the subject are capitals.", "Write the subject as a sentence, with capitals where grammar asks for them.", "", func(m *letter) []Place {
		if upper, all := capitals(m.subject.s); all >= 8 && upper*10 < all*9 && upper*2 > all {
			return m.whole(m.subject.field)
		}
		return nil
	}},
	{"content.subject-exclamation", finding.Notice, "The subject has an exclamation mark.", "End the subject without an exclamation mark.", "", subjectMatch(regexp.MustCompile(`!`), "!")},
	{"content.subject-exclamations", finding.Warning, "The subject has exclamation marks in a row.", "Use one exclamation mark at most.", "", subjectMatch(regexp.MustCompile(`!(?: ?!)+`), "!")},
	{"content.subject-money", finding.Notice, "The subject names a sum of money.", "Say what the mail is about, and the sum in the text.", "", subjectMatch(regexp.MustCompile(`[$€£]\s?\d[\d.,]*|\d[\d.,]*\s?[$€£]|\b(?:USD|EUR|US\$)\s?\d[\d.,]*`), "$", "€", "£", "USD", "EUR")},
	{"content.subject-percent", finding.Notice, "The subject names a percentage.", "Say what the mail is about, and the percentage in the text.", "", subjectMatch(regexp.MustCompile(`\d+\s?%`), "%")},
	{"content.subject-free", finding.Notice, "The subject says \"free\".", "Say what it is that the reader gets.", "", subjectMatch(regexp.MustCompile(`(?i)\bfree\b`), "ree", "REE")},
	{"content.subject-pharma", finding.Warning, "The subject has words of drug mail.", "Leave the name of the product to the text, unless the mail is about it.", "", func(m *letter) []Place {
		for word := range strings.FieldsFuncSeq(strings.ToLower(m.subject.s[:min(len(m.subject.s), maxSubject)]), func(r rune) bool { return !unicode.IsLetter(r) }) {
			if drugs[word] || strings.HasPrefix(word, "pharmac") || strings.HasPrefix(word, "erecti") || strings.HasPrefix(word, "prescription") {
				at := max(0, strings.Index(strings.ToLower(m.subject.s), word))
				return m.inField(m.subject.field, m.subject.s, at, at+len(word))
			}
		}
		return nil
	}},
	{"content.subject-blank", finding.Warning, "The subject is empty.", "Write a subject that says what the mail is about.", "RFC 5322, section 3.6.5", func(m *letter) []Place {
		if m.subject.field != nil && strings.TrimSpace(m.subject.s) == "" {
			return m.whole(m.subject.field)
		}
		return nil
	}},
	{"content.subject-short", finding.Notice, "The subject is shorter than six characters.", "Write a subject that says what the mail is about.", "", func(m *letter) []Place {
		if n := utf8.RuneCountInString(strings.TrimSpace(m.subject.s)); n > 0 && n <= 5 {
			return m.whole(m.subject.field)
		}
		return nil
	}},
	{"content.subject-missing", finding.Notice, "There is no Subject field.", "Write a subject that says what the mail is about.", "RFC 5322, section 3.6.5", func(m *letter) []Place {
		if m.subject.field == nil {
			return m.absent("Subject")
		}
		return nil
	}},
	{"content.subject-spaces", finding.Notice, "The subject has blanks in a row.", "Take out the extra blanks.", "", func(m *letter) []Place {
		if !strings.Contains(m.subject.s, "   ") {
			return nil
		}
		at := strings.Index(strings.TrimSpace(m.subject.s), "   ")
		if at < 0 {
			return nil
		}
		return m.inField(m.subject.field, m.subject.s, at, at+3)
	}},
	{"content.subject-trailing-id", finding.Notice, "The subject ends with a code that says nothing to the reader.", "Take the code off the subject; a field of your own can hold it.", "", func(m *letter) []Place {
		s := m.subject.s
		tail := max(0, len(s)-40)
		if blank := strings.LastIndexAny(s[tail:], blanks); blank > 0 { // no code has a blank within
			tail += len(strings.TrimRight(s[tail:tail+blank], blanks))
		}
		if at := trailingID.FindStringIndex(s[tail:]); at != nil && !isNamed(s[max(0, tail+at[0]-40):tail+at[0]]) {
			return m.inField(m.subject.field, s, tail+at[0], tail+at[1])
		}
		return nil
	}},
	{"content.subject-raw-8bit", finding.Warning, "The subject has octets beyond ASCII that are not encoded.", "Encode the subject as RFC 2047 says; mail libraries do it when they are given text, not octets.", "RFC 5322, section 2.2; RFC 2047", func(m *letter) []Place {
		if f := m.subject.field; f != nil && !isASCII(f.value) && m.root.field("content-type") != nil && !m.template {
			return m.whole(m.subject.field)
		}
		return nil
	}},
	{"content.subject-needless-encoding", finding.Notice, "The subject is encoded though it is ASCII.", "Leave the subject as it is when it is ASCII.", "", func(m *letter) []Place {
		if f := m.subject.field; f != nil && bytes.Contains(f.value, []byte("=?")) && isASCII([]byte(m.subject.s)) && !strings.Contains(m.subject.s, "=?") && !m.template {
			return m.whole(m.subject.field)
		}
		return nil
	}},
	{"content.subject-gappy", finding.Warning, "The subject spells a word with gaps.", "Write the word without gaps.", "", func(m *letter) []Place {
		if len(m.title.gappy) == 0 {
			return nil
		}
		return m.inField(m.subject.field, m.subject.s, m.title.gappy[0].start, m.title.gappy[0].end)
	}},
	{"content.subject-obfuscated", finding.Warning, "The subject has letters that stand for others.", "Write the word in its own letters.", "", func(m *letter) []Place {
		w := m.title
		for _, list := range [][]segment{w.mixed, w.styled, w.invisible, w.bidi} {
			if len(list) > 0 {
				return m.inField(m.subject.field, m.subject.s, list[0].start, list[0].end)
			}
		}
		if !standsForLetter(m.subject.s) {
			return nil
		}
		if at := leet.FindStringIndex(m.subject.s[:min(len(m.subject.s), maxSubject)]); at != nil && standsForLetter(m.subject.s[at[0]:at[1]]) {
			return m.inField(m.subject.field, m.subject.s, at[0], at[1])
		}
		return nil
	}},
	{"content.subject-fake-reply", finding.Notice, "The subject begins with \"Re:\", and the mail answers none.", "Take \"Re:\" off, or send In-Reply-To and References.", gmailGuide, func(m *letter) []Place {
		if m.root.field("in-reply-to") != nil || m.root.field("references") != nil {
			return nil
		}
		if at := fakeReply.FindStringIndex(m.subject.s[:min(len(m.subject.s), 20)]); at != nil {
			return m.inField(m.subject.field, m.subject.s, at[0], at[1])
		}
		return nil
	}},
}

var (
	noPhrases = &phrases{}
	drugs     = map[string]bool{"viagra": true, "cialis": true, "levitra": true, "xanax": true, "valium": true, "vicodin": true, "med": true, "meds": true, "medication": true, "medications": true, "pill": true, "pills": true, "drug": true, "drugs": true, "weight": true, "penis": true, "hgh": true, "rx": true, "diet": true, "libido": true, "keto": true, "cbd": true, "gummies": true}
	// a code after blanks, with digits in it, or a run of consonants
	trailingID = regexp.MustCompile(`(?:\s{3,}\S{4,}|[\s\[(][a-z]{0,8}\d[a-z0-9]{4,}[\])]?|\s[a-z]{0,3}[bcdfghjklmnpqrstvwxz]{5,}[a-z]{0,4})$`)
	// what a reader looks for a number behind
	names     = []string{"code", "pin", "order", "orders", "invoice", "receipt", "ticket", "case", "request", "number", "no", "nr", "id", "booking", "reservation", "tracking", "account", "bestellung", "rechnung", "auftrag", "commande", "facture", "pedido", "factura", "ordine", "fattura", "is", ":", "#", "n°"}
	leet      = regexp.MustCompile(`(?i)\b(?:v[i1!l|]+[a@4]gr[a@4]|c[i1!l|][a@4]l[i1!l|]s|fr3e|m[o0]rtg[a@4]g[e3]|pr[o0]zac|rep1ica|r[o0]l[e3]x)\b|\bp0rn|\bs3x`)
	fakeReply = regexp.MustCompile(`(?i)^\s*(?:re|aw|sv|rif)\s?:`)
)

// blanks are what \s matches.
const blanks = " \t\n\f\r"

// maxSubject bounds what is looked at of a subject; RFC 5322 allows a line 998 octets.
const maxSubject = 4000

// subjectMatch finds a pattern in a subject that holds one of some marks.
func subjectMatch(pattern *regexp.Regexp, marks ...string) func(*letter) []Place {
	return func(m *letter) []Place {
		s := m.subject.s[:min(len(m.subject.s), maxSubject)]
		if !slices.ContainsFunc(marks, func(mark string) bool { return strings.Contains(s, mark) }) {
			return nil
		}
		if at := pattern.FindStringIndex(s); at != nil {
			return m.inField(m.subject.field, m.subject.s, at[0], at[1])
		}
		return nil
	}
}

// isNamed reports whether s ends in the name of a number: "Invoice no. #".
func isNamed(s string) bool {
	s = strings.ToLower(strings.TrimRight(s, blanks))
	for _, cut := range []string{"", "#", "("} {
		t := strings.TrimRight(strings.TrimSuffix(s, cut), blanks)
		for _, stop := range []string{"", ".", ":"} {
			t := strings.TrimSuffix(t, stop)
			if slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(t, name) }) {
				return true
			}
		}
	}
	return false
}

// standsForLetter reports whether s has a mark behind a letter that is used in place of
// one, as leet asks for.
func standsForLetter(s string) bool {
	for i := 1; i < len(s); i++ {
		if c := s[i]; c == '0' || c == '1' || c == '3' || c == '4' || c == '@' || c == '!' || c == '|' {
			if k := class[s[i-1]]; k == small || k == capital {
				return true
			}
		}
	}
	return false
}

// capitals counts the capitals among the letters of a script that has them.
func capitals(s string) (upper, all int) {
	for _, r := range s {
		switch {
		case unicode.IsUpper(r):
			upper++
			all++
		case unicode.IsLower(r):
			all++
		}
	}
	return upper, all
}
