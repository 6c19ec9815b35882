package bounce

import (
	"slices"
	"strconv"
	"strings"
)

// A Reply is what the server that refused said.
type Reply struct {
	Code     int    // 550; 0 where the text holds none
	Enhanced Code   // 5.1.1; zero where the text holds none
	Text     string // all lines joined by single spaces, with repeated codes taken out; it begins with the codes
}

func isReplyCode(n int) bool { return 200 <= n && n <= 599 || n == 605 || n == 607 }

// maxReply bounds the text of one reply. RFC 5321, section 4.5.3.1.5, allows 512
// octets a line; nobody explains a refusal in a hundred of them.
const maxReply = 32 << 10

// readReply joins the lines of a reply and reads its codes. Plain says that it is
// one line of ASCII with single spaces.
func readReply(raw string, plain bool) Reply {
	if plain {
		line := strings.TrimSpace(raw)
		code, enhanced := leadingCodes(line)
		if code == 0 || len(line) == 3 || line[3] != '-' && !strings.Contains(line[3:], line[:3]) {
			// No code is said again: the usual case.
			if enhanced == (Code{}) {
				enhanced = codeIn(line, code)
			}
			return Reply{Code: code, Enhanced: enhanced, Text: line}
		}
	}
	begin := strings.TrimSpace(raw)
	code, enhanced := leadingCodes(begin)
	said, more := "", enhanced.String()
	if code > 0 {
		said = begin[:3]
	}
	var b strings.Builder
	b.Grow(len(raw))
	for len(raw) > 0 {
		var line string
		line, raw, _ = strings.Cut(raw, "\n")
		line = strings.TrimSpace(line)
		switch b.Len() {
		case 0:
		case len(said): // a fold behind the code: the other one is still to come
			line = withoutCodes(line, said, "")
		default:
			line = withoutCodes(line, said, more)
		}
		for line != "" {
			end := 0
			for end < len(line) && line[end] > ' ' {
				end++
			}
			word := line[:end]
			for end < len(line) && line[end] <= ' ' {
				end++
			}
			line = line[end:]
			if b.Len() > 0 {
				if repeatsCodes(word, said) {
					continue
				}
				b.WriteByte(' ')
			}
			b.WriteString(word)
		}
	}
	r := Reply{Code: code, Enhanced: enhanced, Text: b.String()}
	if code > 0 {
		// Unfolded replies repeat "550-5.1.1 " in the middle of the text.
		r.Text = dropRepeats(r.Text, said, more)
		if len(r.Text) > 3 && r.Text[3] == '-' {
			r.Text = r.Text[:3] + " " + r.Text[4:]
		}
	}
	if enhanced == (Code{}) {
		r.Enhanced = codeIn(r.Text, code)
	}
	return r
}

// leadingCodes reads "550-5.7.1 …", "550 5.7.1", "550" or "5.7.1" at the start.
func leadingCodes(s string) (int, Code) {
	code, between := 0, " \t\r\n"
	if len(s) >= 3 && isDigits(s[:3]) && (len(s) == 3 || !isDigit(s[3]) && s[3] != '.') {
		code, _ = strconv.Atoi(s[:3])
		if !isReplyCode(code) {
			return 0, Code{}
		}
		s, between = s[3:], " -\t\r\n#'\""
	}
	for s != "" && strings.IndexByte(between, s[0]) >= 0 {
		s = s[1:]
	}
	end := 0
	for end < len(s) && s[end] > ' ' {
		end++
	}
	if end == 0 || isWord(s[0]) && !isDigit(s[0]) {
		return code, Code{}
	}
	c, err := ParseCode(strings.Trim(s[:end], "()[]#:,;-_"))
	if err != nil {
		return code, Code{}
	}
	return code, c
}

// withoutCodes removes the codes that begin a continuation line: both, or the
// enhanced one alone, as net/textproto hands lines on.
func withoutCodes(line, code, enhanced string) string {
	if code != "" && strings.HasPrefix(line, code) && (len(line) == 3 || line[3] == ' ' || line[3] == '-') {
		line = strings.TrimLeft(line[3:], " -")
	}
	if enhanced != "" {
		if rest, ok := strings.CutPrefix(line, enhanced); ok && (rest == "" || rest[0] == ' ') {
			line = rest
		}
	}
	return strings.TrimSpace(line)
}

// repeatsCodes reports whether a word is "550-" or "550-5.7.1" again.
func repeatsCodes(word, code string) bool {
	if code == "" || len(word) < 4 || word[3] != '-' || word[:3] != code {
		return false
	}
	if len(word) == 4 {
		return true
	}
	_, err := ParseCode(word[4:])
	return err == nil
}

// dropRepeats takes "550 5.1.1" out of the text after its beginning.
func dropRepeats(text, code, enhanced string) string {
	if enhanced == "" {
		return text
	}
	text = dropGlued(text, enhanced)
	if !strings.Contains(text[3:], code) {
		return text
	}
	again := " " + code + " " + enhanced + " "
	head := min(len(text), len(again)-1)
	return text[:head] + strings.ReplaceAll(text[head:], again, " ")
}

// dropGlued takes the enhanced code out where it begins a line that was joined to
// the one before without a space: "is not5.7.26 accepted". OpenSMTPD does so.
func dropGlued(text, code string) string {
	var b strings.Builder
	kept := 0
	for from := len(code) + 4; from < len(text); {
		at := strings.Index(text[from:], code+" ")
		if at < 0 {
			break
		}
		at += from
		from = at + 1
		if c := text[at-1]; isWord(c) && !isDigit(c) || c == ',' || c == ';' {
			b.WriteString(text[kept:at])
			kept, from = at+len(code), at+len(code)
		}
	}
	if kept == 0 {
		return text
	}
	b.WriteString(text[kept:])
	return b.String()
}

// codeIn finds an enhanced status code anywhere in a text: one that begins with
// the class of the reply code where there is one, that is not part of an
// address, a version or a queue ID.
func codeIn(text string, reply int) Code {
	for i := 0; i+5 <= len(text); i++ {
		if text[i+1] != '.' || text[i] != '2' && text[i] != '4' && text[i] != '5' {
			continue
		}
		if i > 0 && (isWord(text[i-1]) || text[i-1] == '.' || text[i-1] == '/') {
			continue
		}
		end := i + 1
		for end < len(text) && (isDigit(text[end]) || text[end] == '.') {
			end++
		}
		token := strings.TrimRight(text[i:end], ".")
		if end < len(text) && isWord(text[end]) {
			continue
		}
		c, err := ParseCode(token)
		if err == nil && (reply == 0 || int(c.Class) == reply/100) && c.Subject <= 7 {
			return c
		}
	}
	return Code{}
}

// A Stage is the point of the SMTP dialogue at which a reply was given.
type Stage string

// The stages.
const (
	Connect  Stage = "connect"
	Hello    Stage = "helo"
	StartTLS Stage = "starttls"
	Login    Stage = "auth"
	MailFrom Stage = "mail"
	RcptTo   Stage = "rcpt"
	Data     Stage = "data"        // the DATA command
	EndData  Stage = "end-of-data" // after the content
)

// stages are those that a rule may ask for.
var stages = []Stage{Connect, Hello, StartTLS, Login, MailFrom, RcptTo, Data, EndData}

func (s Stage) known() bool { return slices.Contains(stages, s) }

// quoteLeads stand before a reply that one server reports of another.
var quoteLeads = []string{
	"said:", "says:", "responded:", "responded with:", "reply:", "replied:", "response:", "response was:", "error was:", "errors:", "error:", "error",
	"returned:", "returned", "smtp;", "transfail:", "reason:", "status:", "server:", "message:", "failed:", "with", "was:", "diagnostic:", "answered:",
}

// wrapLeads stand before the last reply in a text that itself begins with a
// reply code: a server that gave up quotes what stood in its way. Any other
// quotation inside a reply (the look-up of a sender, say) is not the refusal.
var wrapLeads = []string{"transfail:", "remote server returned", "returned", "last smtp error:", "smtp;", "said:", "..."}

// maxQuoted bounds the codes in a text that are looked at: servers quote each other
// a few times, and no more.
const maxQuoted = 64

// innermost finds the reply of the last server in a text in which servers quote
// each other: "host mx.example[192.0.2.1] said: 550 5.1.1 … (in reply to RCPT TO
// command)". It returns the reply's text and what stands around it.
func innermost(text string) (inner, around string) {
	best, lead, quotes, looked := -1, quoteLeads, false, 0
	if startsReply(strings.TrimSpace(text)) {
		lead = wrapLeads
	}
	for i := 0; i+3 <= len(text); i++ {
		if text[i] != '4' && text[i] != '5' || !startsReply(text[i:]) || i > 0 && (isWord(text[i-1]) || strings.IndexByte(".-#=@/", text[i-1]) >= 0) {
			continue
		}
		if i == 0 {
			best = 0
			continue
		}
		line := strings.TrimRight(text[:i], " \t")
		if best >= 0 && text[i:i+3] == text[best:best+3] && strings.HasSuffix(line, "\n") {
			continue // a further line of the reply
		}
		if strings.HasSuffix(line, "<<<") {
			return transcript(text, i)
		}
		before := strings.TrimRight(line, " \t\r\n'\"(<[")
		if before != "" && isWord(before[len(before)-1]) && strings.IndexByte(line[len(before):], '\n') >= 0 {
			before = "" // a word that ends another line leads to nothing
		}
		if best < 0 {
			if strings.HasSuffix(before, ":") || strings.HasSuffix(line, "\n") || strings.HasPrefix(text[i+3:], "-'") || hasEnhanced(text[i:]) || endsInLead(before, lead) {
				best = i
			}
		} else if looked++; looked > maxQuoted {
			break
		} else if endsInLead(before, lead) || endsInAddress(before) || hasEnhanced(text[i:]) && holds(text[best:i], expiredWords) {
			if holds(text[best:i], verifyWords) {
				quotes = true
			} else if text[i:i+3] != "503" {
				best = i
			}
		}
	}
	switch {
	case best < 0:
		return text, text
	case best == 0 && quotes:
		return text, ""
	}
	inner, around = cutNext(text[best:]), text[:best]
	// Postfix and others close with the command they had sent.
	if at := strings.LastIndex(inner, "(in reply to "); at > 0 {
		around += inner[at:]
		inner = strings.TrimSpace(inner[:at])
	}
	if best > 0 && strings.IndexByte(`'"([<`, text[best-1]) >= 0 {
		closer := map[byte]string{'\'': "'", '"': `"`, '(': ")", '[': "]", '<': ">"}[text[best-1]]
		if at := strings.LastIndex(inner, closer); at > 0 && at >= len(inner)-3 {
			inner = inner[:at]
		}
	}
	return inner, around
}

// cutNext cuts a text that begins with a reply before the line that begins another
// one: a line with other codes.
func cutNext(reply string) string {
	code, enhanced := leadingCodes(reply)
	for at := 0; ; {
		end := strings.IndexByte(reply[at:], '\n')
		if end < 0 {
			return reply
		}
		end += at
		at = end + 1
		line := strings.TrimLeft(reply[at:], " \t")
		if startsReply(line) {
			if c, e := leadingCodes(cut(line, 20)); c != code || e != enhanced && e != (Code{}) {
				return reply[:end]
			}
		}
	}
}

// transcript reads the reply that begins at start in the transcript of a
// dialogue, ">>> RCPT To:<…>", "<<< 550-5.1.1 …", "<<< 550 5.1.1 …". The first
// refusal counts: what follows it is its consequence.
func transcript(text string, start int) (inner, around string) {
	var b strings.Builder
	code, rest := text[start:start+3], text[start:]
	for strings.HasPrefix(rest, code) {
		line, after, more := strings.Cut(rest, "\n")
		b.WriteString(line)
		b.WriteByte('\n')
		after = strings.TrimLeft(after, " \t")
		if !more || !strings.HasPrefix(after, "<<<") {
			break
		}
		rest = strings.TrimLeft(after[3:], " \t")
	}
	return strings.TrimRight(b.String(), "\r\n"), text[:start]
}

// endsInLead reports whether a text ends in a whole word of a list.
func endsInLead(text string, leads []string) bool {
	for _, l := range leads {
		at := len(text) - len(l)
		if at >= 0 && hasPrefixFold(text[at:], l) && (at == 0 || !isWord(text[at-1]) || !isWord(l[0])) {
			return true
		}
	}
	return false
}

// endsInAddress: "one or more recipients (anna@recipient.example:", as Barracuda
// begins its quotation.
func endsInAddress(text string) bool {
	text, ok := strings.CutSuffix(text, ":")
	word := text[strings.LastIndexAny(text, " (<\t\n")+1:]
	return ok && len(word) > 3 && addressEnd(word) == len(word)
}

// hasEnhanced: "550 5.1.1", with a code of the same class.
func hasEnhanced(s string) bool {
	code, enhanced := leadingCodes(s)
	return enhanced.Class != 0 && int(enhanced.Class) == code/100
}

// startsReply: "550 ", "550-", "550" at the end, with a code that means failure.
func startsReply(s string) bool {
	if len(s) < 3 || s[0] != '4' && s[0] != '5' || !isDigit(s[1]) || !isDigit(s[2]) {
		return false
	}
	return len(s) == 3 || strings.IndexByte(" -\t\n\r:;,", s[3]) >= 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
