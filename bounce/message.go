package bounce

import (
	"bytes"
	"net/mail"
	"net/netip"
	"strings"
	"sync"
)

// reader gathers what the parts of one message say.
type reader struct {
	rules *Rules
	walk  walker
	rep   *Report
	top   part

	machine  [][]byte        // delivery-status parts, decoded
	human    strings.Builder // the text parts above the returned mail
	original *part           // the returned mail
	nested   *part           // a report inside a forwarded message
	receipt  bool            // a disposition notification (RFC 8098)
	fields   []fieldGroup    // of machine
}

// ParseBytes is [ParseBytes] with these rules.
func (r *Rules) ParseBytes(message []byte) *Report {
	rd := &reader{rules: r, rep: &Report{Kind: OtherKind}}
	if len(message) > MaxSize {
		message = message[:MaxSize]
		rd.walk.omit("what lies beyond 32 MiB")
	}
	rd.read(loneCRs(message))
	rd.rep.Omitted = rd.walk.omitted
	return rd.rep
}

// loneCRs gives a message with CR line ends LF ones; others are not copied.
func loneCRs(b []byte) []byte {
	head := cut(b, 8192)
	if bytes.IndexByte(head, '\n') >= 0 || bytes.IndexByte(head, '\r') < 0 {
		return b
	}
	return bytes.ReplaceAll(b, []byte("\r"), []byte("\n"))
}

func (rd *reader) read(message []byte) {
	rd.top = rd.walk.read(message, 0)
	rd.rep.Subject = decodeWords(rd.top.header.get("subject"))
	if date, err := mail.ParseDate(rd.top.header.get("date")); err == nil {
		rd.rep.Date = date
	}
	rd.collect(&rd.top)
	text, returned := splitReturned(rd.human.String())
	if rd.original == nil && returned != "" {
		p := rd.walk.read([]byte(returned), maxDepth)
		if len(p.header) > 1 {
			rd.original = &p
		}
	}
	if rd.original != nil {
		rd.rep.Original = readOriginal(rd.original)
	}
	for _, m := range rd.machine {
		rd.fields = append(rd.fields, readGroups(m)...)
	}
	isBounce := sync.OnceValue(func() bool { return rd.looksLikeBounce(text) })
	if len(rd.fields) == 0 && isBounce() {
		rd.fields = plainFields(text)
	}
	switch {
	case rd.rep.Complaint != nil:
		rd.complaint()
	case rd.receipt:
	case rd.statusReport(text):
	case rd.nested != nil && rd.retry(rd.nested):
	case isAbsence(rd.rep.Subject) && isAutoReply(rd.top.header, rd.rep.Subject):
		rd.autoReply(text)
	case isBounce() && rd.textReport(text):
	case isAutoReply(rd.top.header, rd.rep.Subject):
		rd.autoReply(text)
	}
}

// retry reads a forwarded report in place of the message that carries it.
func (rd *reader) retry(p *part) bool {
	inner := &reader{rules: rd.rules, rep: &Report{Kind: OtherKind}}
	inner.walk.parts = rd.walk.parts
	inner.top = *p
	inner.rep.Subject = decodeWords(p.header.get("subject"))
	inner.collect(p)
	for _, m := range inner.machine {
		inner.fields = append(inner.fields, readGroups(m)...)
	}
	text, _ := splitReturned(inner.human.String())
	if inner.original != nil {
		inner.rep.Original = readOriginal(inner.original)
	}
	inner.rep.Date = rd.rep.Date
	if !inner.statusReport(text) {
		return false
	}
	*rd.rep = *inner.rep
	return true
}

// collect sorts the parts of a message by what they are.
func (rd *reader) collect(p *part) {
	for i := range p.children {
		rd.collect(&p.children[i])
	}
	if len(p.children) > 0 {
		return
	}
	switch p.mediaType {
	case "message/delivery-status", "message/global-delivery-status":
		rd.machine = append(rd.machine, rd.walk.decode(p, maxMachine))
	case "message/feedback-report":
		rd.rep.Complaint = readAbuse(rd.walk.decode(p, maxHuman))
	case "message/disposition-notification", "message/global-disposition-notification":
		rd.receipt = true
	case "message/rfc822", "message/global":
		inner := rd.walk.read(p.body, 1)
		if rd.original == nil {
			rd.original = &inner
		}
		if rd.nested == nil && inner.mediaType == "multipart/report" {
			rd.nested = &inner
		}
	case "text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers", "message/global-headers":
		if rd.original == nil {
			inner := rd.walk.read(rd.walk.decode(p, maxHuman), maxDepth)
			rd.original = &inner
		}
	default:
		if !strings.HasPrefix(p.mediaType, "text/") && !strings.HasPrefix(p.mediaType, "multipart/") {
			return
		}
		if rd.human.Len() < maxHuman {
			rd.human.WriteString(rd.walk.text(p, maxHuman))
			rd.human.WriteString("\n\n")
		}
	}
}

// complaint turns a feedback report into its recipients.
func (rd *reader) complaint() {
	rd.rep.Kind = Feedback
	a := rd.rep.Complaint
	for _, address := range a.OriginalRcptTo {
		rd.addComplaint(address)
	}
	if len(a.OriginalRcptTo) > 0 {
		return
	}
	// A variable envelope return path holds the address that the receiver
	// redacts: b+n=receiver.example@shop.example.
	for _, from := range append([]string{a.OriginalMailFrom}, returnPath(rd.rep.Original)) {
		if address := verpAddress(from); address != "" {
			rd.addComplaint(address)
			return
		}
	}
	if o := rd.rep.Original; o != nil && o.To != "" && !strings.Contains(o.To, "redacted") {
		rd.addComplaint(o.To)
	}
}

func returnPath(o *Original) string {
	if o == nil {
		return ""
	}
	return o.ReturnPath
}

func (rd *reader) addComplaint(address string) {
	rec := Recipient{Address: address, Action: Delivered, Reason: Complaint, Category: Complaint.Category(), Response: Complaint.Response(), Permanence: NoFailure, Suppress: true, Certainty: Certain}
	rec.Because = Decision{Rule: "container", Text: "Feedback-Type: " + rd.rep.Complaint.Type, Source: "RFC 5965, section 3.1", Says: "The recipient reported the mail as unwanted."}
	if t := rd.rep.Complaint.Type; t != "abuse" && t != "opt-out" && t != "" {
		// RFC 6591 reports failed authentication so, mostly of forged mail; fraud and
		// virus reports too are no wish of the recipient's.
		rec.Suppress, rec.Response = false, Ignore
		rec.Because.Says = "The receiver sends a feedback report of type " + t + "; the recipient asked for nothing."
	}
	rd.rep.Recipients = append(rd.rep.Recipients, rec)
}

// verpAddress takes the recipient out of a variable envelope return path.
func verpAddress(from string) string {
	local, _, ok := strings.Cut(from, "@")
	if !ok {
		return ""
	}
	equals := strings.LastIndexByte(local, '=')
	if equals <= 0 || !isHostName(local[equals+1:]) {
		return ""
	}
	name := local[:equals]
	if at := strings.IndexAny(name, "+"); at >= 0 {
		name = name[at+1:]
	}
	if at := strings.LastIndexByte(name, '-'); at >= 0 && strings.HasPrefix(name, "bounce") {
		name = name[at+1:]
	}
	if name == "" {
		return ""
	}
	return name + "@" + local[equals+1:]
}

func (rd *reader) autoReply(text string) {
	rd.rep.Kind = AutoReply
	from := addressIn(rd.top.header.get("from"))
	rec := Recipient{Address: from, Action: Delivered, Reason: Vacation, Category: Vacation.Category(), Response: Ignore, Permanence: NoFailure, Certainty: Likely}
	rec.Because = Decision{Rule: "container", Text: rd.rep.Subject, Source: "RFC 3834", Says: "The message is an automatic reply: the mail arrived."}
	rec.Quoted = strings.Join(strings.Fields(cutText(text)), " ")
	rd.rep.Recipients = append(rd.rep.Recipients, rec)
}

// isAutoReply knows the fields of RFC 3834 and those that vacation programs
// really send.
func isAutoReply(h header, subject string) bool {
	auto := lower(h.get("auto-submitted"))
	if strings.HasPrefix(auto, "auto-replied") || strings.HasPrefix(auto, "auto-generated") && h.get("in-reply-to") != "" {
		return true
	}
	for _, name := range []string{"x-autoreply", "x-autorespond", "x-autoreply-from", "x-auto-response-from", "x-autoresponder"} {
		if h.get(name) != "" {
			return true
		}
	}
	if p := lower(h.get("precedence")); p == "auto_reply" || p == "auto-reply" {
		return true
	}
	return isAbsence(subject)
}

// absences begin the subjects of automatic replies.
var absences = []string{"out of office", "auto:", "automatic reply", "auto reply", "autoreply", "auto-reply", "vacation", "abwesen", "automatische antwort", "réponse automatique", "respuesta automática", "risposta automatica"}

func isAbsence(subject string) bool {
	low := lower(subject)
	for _, mark := range absences {
		if strings.HasPrefix(low, mark) || strings.Contains(low, "("+mark) {
			return true
		}
	}
	return false
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
		HasBody:    len(bytes.TrimSpace(p.body)) > 0 || len(p.children) > 0,
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

func readAbuse(b []byte) *Abuse {
	a := &Abuse{}
	for _, g := range readGroups(b) {
		for _, f := range g {
			v := strings.TrimSpace(f.value)
			switch f.name {
			case "feedback-type":
				a.Type = lower(v)
			case "user-agent":
				a.UserAgent = v
			case "original-mail-from":
				a.OriginalMailFrom = strings.Trim(v, "<> ")
			case "original-rcpt-to", "removal-recipient":
				if address := strings.Trim(v, "<> "); strings.Contains(address, "@") && len(a.OriginalRcptTo) < maxRecipients {
					a.OriginalRcptTo = append(a.OriginalRcptTo, address)
				}
			case "source-ip":
				a.SourceIP, _ = netip.ParseAddr(v)
			case "reported-domain":
				a.ReportedDomain = lower(v)
			case "incidents":
				a.Incidents = v
			case "arrival-date", "received-date":
				a.ArrivalDate = v
			}
		}
	}
	return a
}
