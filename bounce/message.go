package bounce

import (
	"bytes"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// reader gathers what the parts of one message say.
type reader struct {
	rules *Rules
	walk  walker
	rep   *Report
	top   *part

	machine  []fieldGroup // of the delivery-status parts
	human    []string     // the text parts above the returned mail
	size     int          // of them
	said     survey       // of that text
	original *part        // the returned mail
	whole    []byte       // with its text
	nested   *part        // a message inside, which may be a report itself
}

// ParseBytes is [ParseBytes] with these rules.
func (r *Rules) ParseBytes(message []byte) *Report {
	rd := &reader{rules: r, rep: &Report{Kind: OtherKind}}
	if len(message) > MaxSize {
		message = message[:MaxSize]
		rd.walk.omit("what lies beyond 32 MiB")
	}
	message = withoutBOM(message)
	rd.walk.eol = lineEnd(message)
	for len(message) > 0 {
		line, rest := rd.walk.cutLine(message)
		if len(bytes.TrimSpace(line)) > 0 {
			break
		}
		message = rest // blank lines before the header
	}
	top := rd.walk.read(message, 0)
	rd.read(&top)
	rd.mailed()
	if o := rd.rep.Original; o != nil && !o.SendingIP.IsValid() {
		o.SendingIP = rd.rep.sendingIP()
	}
	rd.rep.Omitted = append(rd.rep.Omitted, rd.walk.omitted...)
	rd.rep.keepAliases()
	if rd.rep.Recipients == nil {
		rd.rep.Recipients = []Recipient{} // [] in JSON
	}
	return rd.rep
}

// withoutBOM removes a byte order mark, and reads UTF-16 behind one.
func withoutBOM(message []byte) []byte {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(message, []byte(mark)) {
			plain, _, err := transform.Bytes(textunicode.BOMOverride(transform.Nop), message)
			if err == nil {
				return plain
			}
		}
	}
	return message
}

// lineEnd returns CR for a message that has no other line end, else LF.
func lineEnd(b []byte) byte {
	head := cut(b, 8192)
	if bytes.IndexByte(head, '\n') >= 0 || bytes.IndexByte(head, '\r') < 0 {
		return '\n'
	}
	return '\r'
}

// read finds out what a message is, from the surest sign to the weakest.
func (rd *reader) read(top *part) {
	rd.top = top
	h := top.header
	rd.rep.Subject = decodeWords(h.get("subject"))
	rd.rep.Date = readDate(h.get("date"))
	rd.collect(top)
	said, text, returned := surveyOf(strings.Join(rd.human, "\n\n"))
	rd.said = said
	if rd.original == nil && returned != "" {
		// The text was decoded: its lines end with LF.
		w := walker{eol: '\n', parts: rd.walk.parts}
		if p := w.read([]byte(returned), headerOnly); len(p.header) > 1 {
			rd.original = &p
		}
	}
	if rd.original != nil {
		rd.rep.Original = readOriginal(rd.original)
		rd.rep.Original.whole = rd.whole
	}
	isBounce := sync.OnceValue(func() bool { return rd.looksLikeBounce(text) })
	if len(rd.machine) == 0 && isBounce() {
		rd.machine = plainFields(text)
	}
	switch {
	case rd.rep.Complaint != nil || rd.hotmailComplaint():
		rd.rep.complain()
	case rd.rep.Receipt != nil:
		rd.receipt(text)
	case rd.statusReport(text):
	case rd.sesEvent(text):
	case rd.nested != nil && rd.nested.mediaType == "multipart/report" && !h.has("list-id") && rd.inner():
	case isAbsence(rd.rep.Subject) && isAutoReply(h, rd.rep.Subject):
		rd.autoReply(text)
	case rd.isChallenge(text):
		rd.challenge(text)
	case isBounce() && rd.textReport(text):
	case isAutoReply(h, rd.rep.Subject):
		rd.autoReply(text)
	case rd.nested != nil && !h.has("list-id") && rd.inner():
	case isReport(top) && isBounce():
		rd.rep.Kind = Failure // of whom, it does not say
	}
}

// isReport knows a report on delivery by its type (RFC 6522, section 3).
func isReport(p *part) bool {
	return p.mediaType == "multipart/report" && strings.EqualFold(p.params["report-type"], "delivery-status")
}

// readDate reads a Date field, or returns the zero time. The first layout is that
// of nearly every program; net/mail tries many.
func readDate(field string) time.Time {
	if field == "" {
		return time.Time{}
	}
	if at := strings.IndexByte(field, '('); at > 0 {
		field = field[:at]
	}
	field = strings.TrimSpace(field)
	date, err := time.Parse("Mon, 2 Jan 2006 15:04:05 -0700", field)
	if err != nil {
		date, _ = mail.ParseDate(field)
	}
	return plausible(date)
}

// plausible returns a time, or the zero value for one that RFC 3339, and so JSON,
// cannot write.
func plausible(t time.Time) time.Time {
	if _, err := t.MarshalText(); err != nil {
		return time.Time{}
	}
	return t
}

// inner reads a forwarded report in place of the message that carries it.
func (rd *reader) inner() bool {
	in := &reader{rules: rd.rules, rep: &Report{Kind: OtherKind}}
	in.walk = rd.walk
	in.walk.depth++
	if in.walk.depth > maxForwards {
		return false
	}
	in.read(rd.nested)
	rd.walk.omitted = in.walk.omitted
	if in.rep.Kind != Failure && in.rep.Kind != Delay {
		return false
	}
	if in.rep.Date.IsZero() {
		in.rep.Date = rd.rep.Date
	}
	*rd.rep = *in.rep
	return true
}

// collect sorts the parts of a message by what they are.
func (rd *reader) collect(p *part) {
	before := rd.size
	for i := range p.children {
		if p.mediaType == "multipart/alternative" && p.children[i].mediaType == "text/html" && rd.size-before > minPlain {
			continue // the same again (RFC 2046, section 5.1.4)
		}
		rd.collect(&p.children[i])
	}
	if len(p.children) > 0 {
		return
	}
	switch p.mediaType {
	case "message/delivery-status", "message/global-delivery-status":
		groups := readGroups(rd.walk.decode(p, maxMachine), rd.walk.omit)
		if !slices.ContainsFunc(groups, fieldGroup.ofReport) {
			rd.say(p) // the human part under a wrong type
			return
		}
		rd.machine = append(rd.machine, groups...)
	case "message/feedback-report":
		rd.rep.Complaint = readAbuse(rd.walk.decode(p, maxHuman))
	case "message/disposition-notification", "message/global-disposition-notification":
		rd.rep.Receipt = readReceipt(rd.walk.decode(p, maxHuman))
	case "message/rfc822", "message/global":
		inner := rd.walk.read(p.body, 1)
		if rd.original == nil {
			rd.original = &inner
			if len(bytes.TrimSpace(inner.body)) > 0 {
				rd.whole = p.body
			}
		}
		if rd.nested == nil || rd.nested.mediaType != "multipart/report" && inner.mediaType == "multipart/report" {
			rd.nested = &inner
		}
	case "text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers", "message/global-headers":
		if rd.original == nil {
			inner := rd.walk.read(rd.walk.decode(p, maxHuman), headerOnly)
			rd.original = &inner
		}
	default:
		if !strings.HasPrefix(p.mediaType, "text/") && !strings.HasPrefix(p.mediaType, "multipart/") {
			return
		}
		rd.say(p)
	}
}

// minPlain is the length of a text that says something; a shorter one may send its
// reader to the HTML beside it.
const minPlain = 200

// say takes a part into the text for people.
func (rd *reader) say(p *part) {
	if rd.size < maxHuman {
		text := rd.walk.text(p, maxHuman)
		rd.human, rd.size = append(rd.human, text), rd.size+len(text)
	}
}

// verpAddress takes the recipient out of a variable envelope return path:
// bounces+anna=recipient.example@shop.example. The rewritten addresses of SRS and
// BATV hold another one, or none.
func verpAddress(from string) string {
	local, _, ok := strings.Cut(from, "@")
	if !ok {
		return ""
	}
	for _, scheme := range []string{"srs0", "srs1", "prvs", "btv1", "msprvs"} {
		if hasPrefixFold(local, scheme) {
			return ""
		}
	}
	equals := strings.LastIndexByte(local, '=')
	if equals <= 0 || !isHostName(local[equals+1:]) {
		return ""
	}
	name := local[:equals]
	if at := strings.IndexByte(name, '+'); at >= 0 {
		name = name[at+1:]
	}
	if at := strings.LastIndexByte(name, '-'); at >= 0 && hasPrefixFold(name, "bounce") {
		name = name[at+1:]
	}
	if name == "" {
		return ""
	}
	return name + "@" + local[equals+1:]
}

// keepAliases keeps an address that led to several, not all of which are at fault.
func (rep *Report) keepAliases() {
	kept := map[string]bool{}
	for _, r := range rep.Recipients {
		if r.FinalAddress != "" && !r.Suppress {
			kept[lower(r.Address)] = true
		}
	}
	for i := range rep.Recipients {
		if r := &rep.Recipients[i]; r.Suppress && kept[lower(r.Address)] {
			r.Suppress, r.Response = false, AskRecipient
		}
	}
}

// mailed sets the address that was mailed from the return path to which the report
// went, where that names another than the one recipient.
func (rd *reader) mailed() {
	if len(rd.rep.Recipients) != 1 || rd.rep.Kind != Failure && rd.rep.Kind != Delay {
		return
	}
	rec := &rd.rep.Recipients[0]
	address := verpAddress(addressIn(rd.top.header.get("to")))
	switch {
	case address == "" || strings.EqualFold(address, rec.Address) || rec.FinalAddress != "":
	case rec.Address == "":
		rec.Address = address
		rec.conclude(rec.Permanence)
	default:
		rec.Address, rec.OriginalAddress, rec.FinalAddress = address, address, rec.Address
	}
}

func (rd *reader) autoReply(text string) {
	rd.answered(AutoReply, Vacation, text, "RFC 3834", "The message is an automatic reply: the mail arrived.")
}

// challenge reports a message that asks the sender to prove that a person wrote
// the mail, which waits until then.
func (rd *reader) challenge(text string) {
	rd.answered(Challenge, Challenged, text, "the message's text", "The recipient's system holds the mail until the sender confirms it.")
}

// answered reports a message that the recipient's system wrote about a mail that
// reached it.
func (rd *reader) answered(kind Kind, reason Reason, text, source, says string) {
	rd.rep.Kind = kind
	rd.arrived(reason, addressIn(rd.top.header.get("from")), rd.rep.Subject, source, says)
	rd.rep.Recipients[0].Quoted, _ = collapse(cutText(text))
}

// isChallenge asks for two phrases of a challenge and a link or a request to
// reply; a subject alone proves nothing.
func (rd *reader) isChallenge(text string) bool {
	challenges := rd.said.challenges
	if holds(rd.rep.Subject, challengeWords) {
		challenges++
	}
	if challenges < 2 || !rd.said.sets.has(replyWords) && !strings.Contains(text, "http") {
		return false
	}
	h := rd.top.header // a service asks new users to confirm their address in the same words
	return h.has("in-reply-to") || h.has("references") || h.has("auto-submitted") || isForward(lower(rd.rep.Subject)) || containsFold(text, "your message") || containsFold(text, "your email to")
}

// isAutoReply knows the fields of RFC 3834 and those that vacation programs
// really send.
func isAutoReply(h header, subject string) bool {
	auto := lower(h.get("auto-submitted"))
	if strings.HasPrefix(auto, "auto-replied") || strings.HasPrefix(auto, "auto-generated") && (h.has("in-reply-to") || isForward(lower(subject))) {
		return true
	}
	for _, name := range []string{"x-autoreply", "x-autorespond", "x-autoreply-from", "x-auto-response-from", "x-autoresponder", "x-vacation", "x-mail-autoreply"} {
		if h.has(name) {
			return true
		}
	}
	precedence := lower(h.get("precedence"))
	if precedence == "auto_reply" || precedence == "auto-reply" {
		return true
	}
	fromNobody := h.get("return-path") == "<>" && (precedence == "bulk" || precedence == "junk") && (h.has("in-reply-to") || h.has("references") || isForward(lower(subject)))
	return isAbsence(subject) || fromNobody && !isRobot(addressIn(h.get("from")))
}

// absences are in the subjects of automatic replies.
var absences = []string{
	"out of office", "out of the office", "automatic reply", "automatic response", "auto reply", "autoreply", "auto-reply", "autoresponder", "vacation", "abwesen", "automatische antwort", "nicht im büro", "réponse automatique", "absence du bureau",
	"respuesta automática", "fuera de la oficina", "risposta automatica", "fuori ufficio", "resposta automática", "automatisch antwoord", "afwezig", "automatyczna odpowied", "autosvar", "automatiskt svar", "automatisk svar", "automaattinen vastaus", "automatická odpov", "automatiska atbilde",
	"автоответ", "автоматический ответ", "自动回复", "自動回覆", "自動応答", "자동 회신", "자동 응답",
}

func isAbsence(subject string) bool {
	low := strings.ToLower(subject)
	if strings.HasPrefix(low, "auto:") {
		return true
	}
	for _, mark := range absences {
		if strings.Contains(low, mark) {
			return true
		}
	}
	return false
}

// maxListFields is more than RFC 2369 and its successors know.
const maxListFields = 16

// sendingIP reads the newest Received field of the returned mail where the
// receiver itself wrote it: when it reports under the recipient's domain and names
// no server beyond. Else that field tells of a client that handed the mail in, not
// of the server that sent it.
func (rep *Report) sendingIP() netip.Addr {
	o, reporter := rep.Original, lower(rep.ReportingMTA)
	if o == nil || len(o.Received) == 0 || len(rep.Recipients) == 0 || rep.Recipients[0].RemoteMTA != "" || !isHostName(reporter) {
		return netip.Addr{}
	}
	_, domain, _ := strings.Cut(lower(rep.Recipients[0].Address), "@")
	if domain == "" || reporter != domain && !strings.HasSuffix(reporter, "."+domain) {
		return netip.Addr{}
	}
	from, by, ok := strings.Cut(o.Received[0], " by ")
	if !ok || !hasPrefixFold(by, reporter) {
		return netip.Addr{}
	}
	_, inside, _ := strings.Cut(from, "[")
	literal, _, ok := strings.Cut(inside, "]")
	addr, err := netip.ParseAddr(strings.TrimPrefix(literal, "IPv6:"))
	if !ok || err != nil || addr.IsPrivate() || !usefulAddr(addr) {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// readOriginal reads the header of the returned mail.
func readOriginal(p *part) *Original {
	h := p.header
	o := &Original{
		MessageID:  strings.Trim(h.get("message-id"), "<> "),
		From:       addressIn(h.get("from")),
		ReturnPath: strings.Trim(h.get("return-path"), "<> "),
		To:         addressIn(h.get("to")),
		Subject:    decodeWords(h.get("subject")),
		Date:       h.get("date"),
		ListID:     h.get("list-id"),
		FeedbackID: h.get("feedback-id"),
		Received:   h.all("received"),
		fields:     h,
	}
	for i := range h {
		if hasPrefixFold(h[i].name, "list-") {
			if o.ListFields == nil {
				o.ListFields = map[string]string{}
			}
			if name := strings.ToValidUTF8(lower(string(h[i].name)), "\uFFFD"); o.ListFields[name] == "" && len(o.ListFields) < maxListFields {
				o.ListFields[name] = h[i].value(' ')
			}
		}
	}
	o.Bulk = o.ListID != "" || o.FeedbackID != "" || h.get("list-unsubscribe") != "" || lower(h.get("precedence")) == "bulk" || lower(h.get("precedence")) == "list"
	for _, sig := range h.all("dkim-signature") {
		s := Selector{Domain: lower(tag(sig, "d")), Selector: lower(tag(sig, "s"))}
		if s.Domain != "" && s.Selector != "" && len(o.DKIM) < 16 {
			o.DKIM = append(o.DKIM, s)
		}
	}
	return o
}

// tag returns the value of a tag in a tag=value list (RFC 6376, section 3.2).
func tag(list, name string) string {
	for pair := range strings.SplitSeq(list, ";") {
		if n, v, ok := strings.Cut(pair, "="); ok && strings.TrimSpace(n) == name {
			return strings.Join(strings.Fields(v), "")
		}
	}
	return ""
}
