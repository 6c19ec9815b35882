package bounce

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A fieldGroup is the fields of one paragraph of a delivery-status part.
type fieldGroup []headerField

// get returns the value of the first field of a name, which is given in lower
// case, with a line feed where it was folded, or "".
func (g fieldGroup) get(name string) string {
	for i := range g {
		if g[i].is(name) {
			return g[i].value('\n')
		}
	}
	return ""
}

// ofReport reports whether the group holds a field of RFC 3464, section 2.
func (g fieldGroup) ofReport() bool {
	for i := range g {
		for _, name := range []string{"reporting-mta", "final-recipient", "original-recipient", "action"} {
			if g[i].is(name) {
				return true
			}
		}
	}
	return false
}

const (
	maxFolds       = 500 // lines of one field; a reply of a hundred is long
	maxGroupFields = 64  // of one recipient; RFC 3464 knows ten
)

// readGroups reads the paragraphs of a delivery-status part (RFC 3464, section
// 2.1), which has LF or CRLF line ends.
// Of what it leaves out it tells omit.
func readGroups(b []byte, omit func(string)) []fieldGroup {
	if omit == nil {
		omit = func(string) {}
	}
	var (
		w      = walker{eol: '\n'}
		groups []fieldGroup
		open   fieldGroup
		folds  int // lines that continue the last field
	)
	for len(b) > 0 {
		var line []byte
		line, b = w.cutLine(b)
		trimmed := bytes.TrimSpace(line)
		if len(trimmed) == 0 {
			if open != nil {
				groups, open = append(groups, open), nil
				if len(groups) > maxRecipients+1 { // the first is about the message
					return groups
				}
			}
			continue
		}
		colon := bytes.IndexByte(trimmed, ':')
		name := bytes.TrimSpace(trimmed[:max(colon, 0)])
		if folded := line[0] == ' ' || line[0] == '\t'; folded && len(open) > 0 || len(name) == 0 || bytes.ContainsAny(name, " \t<>") {
			// A folded line may have lost its indentation.
			if folds++; folds == maxFolds+1 {
				omit("further lines of a folded field")
			}
			if len(open) > 0 && folds <= maxFolds {
				last := &open[len(open)-1]
				last.raw = last.raw[:min(cap(last.raw)-cap(line)+len(line), maxReply, cap(last.raw))]
			}
			continue
		}
		if open == nil {
			open = make(fieldGroup, 0, 8)
		}
		// A second recipient without a blank line before it.
		if len(name) == len("final-recipient") && hasPrefixFold(name, "final-recipient") && open.get("final-recipient") != "" {
			groups, open = append(groups, open), make(fieldGroup, 0, 8)
		}
		folds = 0
		if len(open) == maxGroupFields {
			omit("further fields of a recipient")
			continue
		}
		open = append(open, headerField{name, trimmed[colon+1:]})
	}
	if open != nil {
		groups = append(groups, open)
	}
	return groups
}

// plainFields finds the fields of a delivery-status part in plain text.
func plainFields(text string) []fieldGroup {
	low := lower(text)
	at := -1
	for _, name := range []string{"final-recipient:", "original-recipient:"} {
		for from := 0; ; {
			i := strings.Index(low[from:], name)
			if i < 0 {
				break
			}
			i += from
			if (i == 0 || low[i-1] == '\n') && (at < 0 || i < at) {
				at = i
				break
			}
			from = i + 1
		}
	}
	if at < 0 {
		return nil
	}
	// The paragraph before may hold Reporting-MTA.
	start := at
	if r := strings.LastIndex(low[:at], "reporting-mta:"); r >= 0 {
		start = r
	}
	return readGroups([]byte(text[start:]), nil)
}

// maxRepeats: some servers write an entry for each attempt.
const maxRepeats = 8

// statusReport reads the machine part; false means that it names no recipient.
func (rd *reader) statusReport(text string) bool {
	if len(rd.machine) == 0 {
		return false
	}
	judged := map[string]int{}
	blocks := textBlocks(text, rd.own())
	for _, g := range rd.machine {
		if mta := typed(g.get("reporting-mta")); mta != "" && rd.rep.ReportingMTA == "" {
			rd.rep.ReportingMTA = mta
		}
		if from := typed(g.get("received-from-mta")); from != "" && rd.rep.ReceivedFrom == "" {
			rd.rep.ReceivedFrom = from
		}
		if id := g.get("original-envelope-id"); id != "" && rd.rep.EnvelopeID == "" {
			rd.rep.EnvelopeID = id
		}
		if g.get("final-recipient") == "" && g.get("original-recipient") == "" {
			continue
		}
		if len(rd.rep.Recipients) == maxRecipients {
			rd.walk.omit("recipients beyond 10,000")
			break
		}
		rec := readRecipient(g)
		if rec.Address == "" {
			continue
		}
		// A report that names an address again and again is judged a few times.
		key := lower(rec.Address) + " " + lower(rec.FinalAddress)
		if judged[key]++; judged[key] > maxRepeats {
			rd.walk.omit("further entries for an address that was named before")
			continue
		}
		rd.explain(&rec, g, blocks, text)
		rd.rep.Recipients = append(rd.rep.Recipients, rec)
	}
	if len(rd.rep.Recipients) == 0 {
		return false
	}
	rd.rep.Recipients = mergeRecipients(rd.rep.Recipients)
	rd.rep.Kind = Success
	for _, rec := range rd.rep.Recipients {
		switch {
		case rec.Action == Failed:
			rd.rep.Kind = Failure
		case rec.Action == Delayed && rd.rep.Kind != Failure:
			rd.rep.Kind = Delay
		}
	}
	return true
}

// readRecipient reads the fields of one recipient.
func readRecipient(g fieldGroup) Recipient {
	final := address(g.get("final-recipient"))
	original := address(g.get("original-recipient"))
	actual := address(g.get("x-actual-recipient"))
	rec := Recipient{Address: final, Action: Failed}
	if original != "" && !strings.EqualFold(original, final) {
		rec.Address, rec.OriginalAddress, rec.FinalAddress = original, original, final
	}
	if rec.Address == "" {
		rec.Address = final
	}
	if isProgram(rec.Address) {
		// Exim names a pipe or a file, with what stood in the alias file.
		if inside := findAddresses(g.get("final-recipient")); len(inside) > 0 {
			rec.Address, rec.OriginalAddress, rec.FinalAddress = inside[0], inside[0], rec.Address
		}
	}
	if actual != "" && rec.FinalAddress == "" && !strings.EqualFold(actual, rec.Address) {
		rec.FinalAddress = actual
	}
	switch action, _, _ := strings.Cut(lower(g.get("action")), " "); strings.Trim(action, ";,") {
	case "delayed", "delayed-retry", "deferred":
		rec.Action = Delayed
	case "delivered", "deliverable":
		rec.Action = Delivered
	case "relayed":
		rec.Action = Relayed
	case "expanded":
		rec.Action = Expanded
	case "":
		if statusField(g.get("status")).Class == 2 {
			rec.Action = Delivered
		}
	}
	rec.ReportedStatus = statusField(g.get("status"))
	rec.RemoteMTA = lower(strings.Trim(typed(g.get("remote-mta")), "[]<>. "))
	rec.RetryUntil = readDate(g.get("will-retry-until"))
	return rec
}

// isProgram tells a local pipe or file from an address.
func isProgram(address string) bool {
	return strings.HasPrefix(address, "|") || strings.HasPrefix(address, "/") || strings.HasPrefix(address, ">")
}

// explain finds the text about a recipient: its Diagnostic-Code, or what the
// human part says of it.
func (rd *reader) explain(rec *Recipient, g fieldGroup, blocks blockSet, text string) {
	diagnostic, exit := g.get("diagnostic-code"), ""
	if kind, rest, ok := strings.Cut(diagnostic, ";"); ok && isWordOnly(kind) {
		diagnostic = strings.TrimSpace(rest)
		if strings.EqualFold(strings.TrimSpace(kind), "x-unix") && isDigits(diagnostic) {
			diagnostic, exit = "", diagnostic
		}
	}
	if len(diagnostic) >= maxReply {
		rd.walk.omit("the end of a long reply")
	}
	if rec.Action != Failed && rec.Action != Delayed {
		rd.rules.judge(rec, diagnostic, "") // what the text says is about the others
		return
	}
	if whole := wholeReply(diagnostic, text); whole != "" {
		diagnostic = whole
	}
	if rec.FinalAddress == "" {
		if b := blocks.generated(rec.Address, rec.RemoteMTA, diagnostic); b != nil {
			rec.OriginalAddress, rec.FinalAddress = rec.Address, b.address
		}
	}
	comment := statusComment(g.get("status"))
	human := blocks.of(rec.FinalAddress, rec.Address, rec.OriginalAddress)
	if human == "" && len(rd.machine) <= 2 {
		human = text
	}
	if comment != "" && !telling(diagnostic) && !telling(human) {
		diagnostic = strings.TrimSpace(diagnostic + " " + comment)
	}
	quoted := diagnostic
	if !telling(diagnostic) && human != "" {
		quoted = firstTelling(diagnostic, human)
	}
	rd.rules.judge(rec, quoted, human)
	if (rec.Reason == ReasonUnknown || rec.Reason == Expired) && human != "" && quoted != human {
		second := *rec
		rd.rules.judge(&second, firstTelling(diagnostic, human), human)
		if second.Reason != ReasonUnknown && second.Reason != Expired {
			second.Expired = second.Expired || rec.Reason == Expired
			*rec = second
		}
	}
	if c := rec.ReportedStatus; diagnostic == "" && !c.IsVague() && c.Class == rec.Status.Class && !strings.Contains(human, "<<<") && !strings.Contains(human, "said:") {
		rec.Status = c // the reporting server speaks for itself
	}
	if reason := exitReasons[exit]; reason != "" && (rec.Reason == ReasonUnknown || strings.HasPrefix(rec.Because.Rule, "code:")) {
		rec.Reason, rec.Certainty = reason, Likely
		rec.Because = Decision{Rule: "exit:" + exit, Source: "sysexits.h", Says: "The program that delivers mail on the receiving system ended with the exit status " + exit + "."}
		rec.conclude("")
	}
}

// statusComment returns what stands in parentheses behind the code of a Status
// field: "4.0.0 (mx.example: host name lookup failure)".
func statusComment(field string) string {
	_, comment, ok := strings.Cut(field, "(")
	if !ok || !telling(comment) {
		return ""
	}
	return strings.TrimSuffix(strings.TrimSpace(comment), ")")
}

// exitReasons are the meanings of the exit statuses of sysexits.h, which Sendmail
// reports as "Diagnostic-Code: X-Unix; 67".
var exitReasons = map[string]Reason{
	"67": UnknownRecipient, "68": UnknownDomain, "69": System, "70": System, "71": System, "72": System, "73": System, "74": System, "75": System, "76": Protocol, "77": System, "78": System,
}

// wholeReply finds a reply of which the diagnostic holds the first line alone in
// the transcript of the human part, or returns "". Sendmail writes it so.
func wholeReply(diagnostic, text string) string {
	if len(diagnostic) < 5 || diagnostic[3] != '-' || !startsReply(diagnostic) {
		return ""
	}
	if strings.Contains(diagnostic, "\n") {
		diagnostic, _ = collapse(diagnostic) // one line, folded
	}
	at := strings.Index(text, "<<< "+diagnostic)
	if at < 0 {
		return ""
	}
	whole, _ := transcript(text, at+len("<<< "))
	return whole
}

// telling reports whether a diagnostic says more than a code.
func telling(diagnostic string) bool {
	letters := 0
	for i := range len(diagnostic) {
		if isWord(diagnostic[i]) && !isDigit(diagnostic[i]) {
			letters++
		}
	}
	return letters >= 8
}

func firstTelling(diagnostic, human string) string {
	if diagnostic == "" {
		return human
	}
	return diagnostic + " " + human
}

func isWordOnly(s string) bool {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		if !isWord(s[i]) && strings.IndexByte("-_/", s[i]) < 0 {
			return false
		}
	}
	return s != "" && !isDigit(s[0])
}

// typed strips the type of "dns; mx.example" (RFC 3464, section 2.1.2).
func typed(field string) string {
	kind, rest, ok := strings.Cut(field, ";")
	if !ok || !isWordOnly(kind) {
		rest = field
	}
	rest = strings.TrimSpace(rest)
	if at := strings.IndexAny(rest, " \t\n("); at > 0 {
		rest = rest[:at]
	}
	return rest
}

// address reads "rfc822; <user@domain>", with or without its type, in xtext
// (RFC 3461) or utf-8-addr-xtext (RFC 6533).
func address(field string) string {
	kind, rest, ok := strings.Cut(field, ";")
	if !ok || !isWordOnly(kind) {
		kind, rest = "", field
	}
	rest = strings.TrimSpace(rest)
	if open := strings.LastIndexByte(rest, '<'); open >= 0 {
		if end := strings.IndexByte(rest[open:], '>'); end > 0 {
			rest = rest[open+1 : open+end]
		}
	}
	if quoted := quotedAddress(rest); quoted != "" {
		return quoted
	}
	rest = strings.Trim(rest, " \t\n<>\"'")
	if at := strings.IndexAny(rest, " \t\n"); at > 0 && !strings.HasPrefix(rest, `"`) {
		rest = rest[:at]
	}
	if strings.EqualFold(strings.TrimSpace(kind), "utf-8") {
		rest = undoUTF8(rest)
	} else if strings.Contains(rest, "+") {
		rest = undoXtext(rest)
	}
	if !strings.Contains(rest, "@") && kind == "" {
		return ""
	}
	return strings.ToValidUTF8(rest, "\uFFFD")
}

// quotedAddress reads an address whose local part is a quoted string (RFC 5321,
// section 4.1.2), or returns "".
func quotedAddress(s string) string {
	if !strings.HasPrefix(s, `"`) {
		return ""
	}
	end := strings.Index(s, `"@`)
	if end <= 0 || end > 66 {
		return ""
	}
	domain := s[end+2:]
	if at := strings.IndexAny(domain, " \t\n<>(;"); at >= 0 {
		domain = domain[:at]
	}
	if !isHostName(domain) {
		return ""
	}
	return strings.ToValidUTF8(s[:end+2]+domain, "\uFFFD")
}

// undoXtext decodes "+3D", where the result is an address still: a plus sign in
// an address that was never encoded stays.
func undoXtext(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '+' && i+2 < len(s) && isUpperHex(s[i+1]) && isUpperHex(s[i+2]) {
			n, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if n == '+' || n == '=' || n == ' ' {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isUpperHex(c byte) bool { return isDigit(c) || 'A' <= c && c <= 'F' }

// undoUTF8 decodes "\x{E9}".
func undoUTF8(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, `\x{`)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		hex, rest, ok := strings.Cut(after, "}")
		n, err := strconv.ParseUint(hex, 16, 21)
		if !ok || err != nil || !utf8.ValidRune(rune(n)) {
			b.WriteString(`\x{`)
			s = after
			continue
		}
		b.WriteRune(rune(n))
		s = rest
	}
}

// statusField reads a Status field, which may carry a comment.
func statusField(field string) Code {
	word := strings.Trim(strings.TrimSpace(field), "()#;")
	if at := strings.IndexAny(word, " \t\n(;"); at > 0 {
		word = word[:at]
	}
	c, err := ParseCode(word)
	if err != nil {
		return Code{}
	}
	return c
}

// mergeRecipients joins groups about one address: some servers write one for
// each attempt. The first stays, unless it says less than a later one.
func mergeRecipients(list []Recipient) []Recipient {
	index := map[string]int{}
	out := list[:0]
	for _, rec := range list {
		key := lower(rec.Address) + " " + lower(rec.FinalAddress)
		if at, seen := index[key]; seen {
			if out[at].Reason == ReasonUnknown || out[at].Action == Delayed {
				out[at] = rec
			}
			continue
		}
		index[key] = len(out)
		out = append(out, rec)
	}
	return out
}
