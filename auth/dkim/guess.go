package dkim

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// guessed: what the mail itself shows, where no hash proves it. The words for it
// say so.
func (v *verifier) guessed(_ *trial, _ []byte) (Explanation, bool) {
	m := v.message
	if why := m.mislabelled(); why != "" {
		return Explanation{Cause: BodyReencoded, Says: "The body is not as it was signed, and it seems to have been encoded anew: " + why + "."}, true
	}
	if line, text := m.footer(); line > 0 {
		return Explanation{Cause: BodyChanged, Line: line, After: text, Says: fmt.Sprintf("The body is not as it was signed. It has a footer like that of a mailing list at line %d (%q), but taking it away does not make the hash right: more was changed.", line, text)}, true
	}
	return Explanation{}, false
}

// mislabelled says what shows that a body is no longer in the encoding or the
// character set that it was written in.
func (m *message) mislabelled() string {
	body := m.Body
	ascii := bytes.IndexFunc(body, func(r rune) bool { return r >= 0x80 }) < 0
	_, charset, _ := cutFold(m.contentType(), "charset=")
	charset = strings.ToLower(strings.Trim(strings.SplitN(charset+";", ";", 2)[0], "\" "))
	lost := 0
	for i := 1; i+1 < len(body); i++ {
		if body[i] == '?' && isLetter(body[i-1]) && isLetter(body[i+1]) {
			lost++
		}
	}
	replaced := bytes.Count(body, []byte(string(utf8.RuneError)))
	switch {
	case ascii && lost > 0 && strings.EqualFold(m.Get("content-transfer-encoding"), "8bit"):
		return "it is declared as 8 bits, holds ASCII alone, and has question marks within words"
	case replaced > 0:
		return "it holds the sign that stands for a letter that could not be read"
	case charset == "us-ascii" && !ascii:
		return "it is declared as us-ascii and holds other letters"
	}
	return ""
}

// maxFooter is how many lines from the end a footer is looked for.
const maxFooter = 40

// footer finds the line that begins the footer of a mailing list.
func (m *message) footer() (line int, text string) {
	lines := bytes.Split(bytes.TrimRight(m.Body, "\r\n"), []byte("\n"))
	for i := max(0, len(lines)-maxFooter); i+1 < len(lines); i++ {
		l := string(bytes.TrimRight(lines[i], "\r"))
		next := strings.ToLower(string(lines[i+1]))
		if len(l) >= 20 && strings.Trim(l, "_") == "" || strings.Contains(next, "mailing list") || strings.Contains(next, "you received this message because you are subscribed") {
			return i + 1, excerpt(lines[i+1])
		}
	}
	return 0, ""
}
