// Package bounce reads what comes back when a mail is not delivered, and says
// why.
//
//	report, err := bounce.Parse(file)
//	if err != nil {
//		return err
//	}
//	for _, r := range report.Recipients {
//		fmt.Println(r.Address, r.Reason, r.Permanence, r.Suppress)
//		fmt.Println("because:", r.Because.Text, r.Because.Source)
//	}
//
// [Parse] takes a whole message: a delivery status notification (RFC 3464), the
// plain text of Exim, qmail, Postfix and others, a feedback report (RFC 5965), an
// automatic reply (RFC 3834), a read receipt (RFC 8098) or a challenge.
// [ParseReply] takes what an SMTP server answered, [FromError] the error of a Go
// SMTP client, [Judge] what a program already knows in parts, and package
// bounce/webhook what sending services post. All give the same [Report]; its Err
// is for errors.Is.
//
// Each recipient carries its [Reason], what to do about it, and the decision
// behind it: the rule, the text that it matched, and the page that documents the
// wording. A recipient is never to be suppressed for a fault of the sender or of
// the receiver, whatever the reply code. Where the text does not tell, the
// reason is "unknown".
//
// A [Policy] decides from a [History] of such events whether to keep, pause or
// suppress an address, and finds those that were suppressed without need.
//
// The package is pure: it asks no network and no clock, and keeps no state. Input
// is taken as hostile: time and memory are linear in its size, nested parts,
// recipients and lines are bounded, and Report.Omitted names what lies beyond.
package bounce

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrEmpty is returned for input without any content.
var ErrEmpty = errors.New("bounce: the message is empty")

// A Kind says what a message is.
type Kind string

// The kinds of message.
const (
	Failure     Kind = "failure"
	Delay       Kind = "delay"      // not delivered yet, and still being tried
	Success     Kind = "success"    // delivered, relayed or expanded (RFC 3464, section 2.3.3)
	Feedback    Kind = "complaint"  // a feedback report (RFC 5965)
	AutoReply   Kind = "auto-reply" // vacation and the like (RFC 3834)
	ReadReceipt Kind = "mdn"        // what a recipient's program did with the mail (RFC 8098)
	Challenge   Kind = "challenge"  // the mail waits until its sender proves to be a person
	OtherKind   Kind = "other"      // none of these
)

// An Action is what the reporting server did (RFC 3464, section 2.3.3).
type Action string

// The actions.
const (
	Failed    Action = "failed"
	Delayed   Action = "delayed"
	Delivered Action = "delivered"
	Relayed   Action = "relayed"
	Expanded  Action = "expanded"
)

// A Report is what a message, a reply or an error says. Its JSON is that of the
// command "rebound bounce -json" and reads back; fields may be added.
type Report struct {
	Kind         Kind        `json:"kind"`
	Recipients   []Recipient `json:"recipients"`
	ReportingMTA string      `json:"reporting_mta,omitempty"` // who writes the report
	ReceivedFrom string      `json:"received_from,omitempty"` // who had sent the mail to it
	EnvelopeID   string      `json:"envelope_id,omitempty"`
	Subject      string      `json:"subject,omitempty"` // of the report itself
	Date         time.Time   `json:"date,omitzero"`     // of the report
	Original     *Original   `json:"original,omitempty"`
	Complaint    *Abuse      `json:"feedback,omitempty"`
	Receipt      *Receipt    `json:"mdn,omitempty"`
	// Service is the sending service that reports, and ServiceID its own number of
	// the mail, where the report is a webhook's.
	Service   string `json:"service,omitempty"`
	ServiceID string `json:"service_id,omitempty"`
	// Omitted names what was left unread because it lies beyond a limit.
	Omitted []string `json:"omitted,omitempty"`
}

// A Recipient is one address and what became of the mail to it.
type Recipient struct {
	Address         string        // as mailed; "" for a lone reply
	OriginalAddress string        // as the sender stated it in the envelope (ORCPT), where it is another
	FinalAddress    string        // the address that failed, where it is another
	Action          Action        // what was done
	Reply           Reply         // of the innermost server that answered
	Status          Code          // the enhanced code that tells most
	ReportedStatus  Code          // the report's own Status field
	Reason          Reason        // why
	Category        Category      // the reason's group
	Permanence      Permanence    // whether trying again can help
	Response        Response      // what to do
	Suppress        bool          // do not mail the address again
	Expired         bool          // it was tried until time ran out; Reason is what stood in the way
	Stage           Stage         // of the dialogue, where known
	RemoteMTA       string        // the server that refused
	Provider        string        // the receiver, recognised by its servers and wording: "google"
	Mentions        []Mention     // what the reply names
	Because         Decision      // what decided the reason
	Certainty       Certainty     // how sure it is
	RetryUntil      time.Time     // when the sending server gives up (Will-Retry-Until)
	RetryAfter      time.Duration // the wait that the reply asks for, where it states one
	RetryAt         time.Time     // the time that the reply names for the next try
	Quoted          string        // the whole text about this recipient, with the servers that quote each other
	Legs            []Leg         // the receiver's own authentication verdicts
	ServiceVerdict  string        // of the sending service, in its words; Reason does not rest on it alone where there is a reply
}

// An Original is what the report returns of the mail.
type Original struct {
	MessageID  string `json:"message_id,omitempty"`
	From       string `json:"from,omitempty"`
	ReturnPath string `json:"return_path,omitempty"`
	To         string `json:"to,omitempty"`
	Subject    string `json:"subject,omitempty"`
	Date       string `json:"date,omitempty"`
	ListID     string `json:"list_id,omitempty"`
	// ListFields are the List-* fields (RFC 2369, RFC 8058), by their names in lower
	// case.
	ListFields map[string]string `json:"list_fields,omitempty"`
	FeedbackID string            `json:"feedback_id,omitempty"`
	Bulk       bool              `json:"bulk,omitempty"` // List-*, Feedback-ID or Precedence fields say that it went to many
	DKIM       []Selector        `json:"dkim,omitempty"`
	Received   []string          `json:"received,omitempty"` // the latest first
	// SendingIP is the address from which the receiver took the mail: where the
	// receiver itself writes the report, that of its own Received field; where a
	// sending service does, the one it names.
	SendingIP netip.Addr `json:"sending_ip,omitzero"`

	fields header // as returned
	whole  []byte // likewise, with the text
}

// Message returns the returned mail as the bounce holds it, header and text; nil where it
// returns the header alone. The end may be missing: servers cut what they return.
func (o *Original) Message() []byte { return o.whole }

// Header returns the header fields of the returned mail, as the bounce holds them,
// each with CRLF at its end; nil where they are not known. What was left out of a
// field for its length is not there.
func (o *Original) Header() []byte {
	var b []byte
	for i := range o.fields {
		b = append(append(b, o.fields[i].name...), ':')
		b = append(append(b, o.fields[i].raw...), "\r\n"...)
	}
	return b
}

// A Selector is where the key of a DKIM signature stands.
type Selector struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
}

// A Leg is the receiver's own verdict on one method of authentication.
type Leg struct {
	Method string `json:"method"` // spf, dkim, dmarc, arc
	Domain string `json:"domain,omitempty"`
	IP     string `json:"ip,omitempty"`
	Result string `json:"result"` // as the receiver wrote it, lower case: "pass", "did not pass"
}

// Parse reads a message of up to [MaxSize] bytes; what lies beyond is named in
// Report.Omitted. The error is [ErrEmpty] or the reader's.
func Parse(r io.Reader) (*Report, error) { return DefaultRules().Parse(r) }

// ParseBytes is [Parse] for a message in memory. An empty message gives a report
// of kind other.
func ParseBytes(message []byte) *Report { return DefaultRules().ParseBytes(message) }

// ParseReply reads what an SMTP server answered, of one line or many, with or
// without codes: "550 5.1.1 no such user". It gives one recipient without an
// address.
func ParseReply(reply string) *Report { return DefaultRules().ParseReply(reply) }

// Parse is [Parse] with these rules.
func (r *Rules) Parse(in io.Reader) (*Report, error) {
	message, err := io.ReadAll(io.LimitReader(in, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(message)) == 0 {
		return nil, ErrEmpty
	}
	return r.ParseBytes(message), nil
}

// ParseReply is [ParseReply] with these rules.
func (r *Rules) ParseReply(reply string) *Report {
	var one struct {
		report     Report
		recipients [1]Recipient
	}
	rep, rec := &one.report, &one.recipients[0]
	rep.Kind, rep.Recipients = Failure, one.recipients[:]
	rec.Action = Failed
	var text string
	rec.Address, text = replyAddressee(strings.TrimSpace(reply))
	if len(text) > maxReply {
		rep.Omitted = append(rep.Omitted, "the end of a long reply")
	}
	code, _ := leadingCodes(text)
	switch {
	case code/100 == 2:
		rep.Kind, rec.Action = Success, Delivered
	case isIntermediate(text):
		rep.Kind, rec.Action = OtherKind, Relayed
	}
	r.judge(rec, text, "")
	switch {
	case rec.Reason == Suppressed && rep.Kind == Success: // Oracle says 254
		rep.Kind, rec.Action = Failure, Failed
		rec.conclude("")
	case rec.Action != Failed:
		rec.passed()
	}
	return rep
}

// isIntermediate: a 3yz reply asks for more and refuses nothing (RFC 5321,
// section 4.2.1).
func isIntermediate(text string) bool {
	return len(text) >= 4 && text[0] == '3' && isDigits(text[:3]) && (text[3] == ' ' || text[3] == '-')
}

// judge fills in what follows from the text about a recipient. Quoted is all
// that was said; around is what else the report says of it, for the stage.
func (r *Rules) judge(rec *Recipient, quoted, around string) {
	quoted = cut(quoted, maxReply)
	var plain bool
	if rec.Quoted, plain = collapse(quoted); !plain && !utf8.ValidString(quoted) {
		quoted = cutText(quoted)
		rec.Quoted, _ = collapse(quoted)
	}
	inner, outer := innermost(quoted)
	if rest, ok := strings.CutPrefix(strings.TrimLeft(inner, " \n"), "#"); ok && startsReply(rest) {
		inner = rest // Exchange
	}
	rec.Reply = readReply(inner, plain)
	if rec.Reply.Code/100 == 2 && rec.Address != "" && (rec.Action == Failed || rec.Action == Delayed) {
		rec.Reply.Code = 0 // the exit status of a program, or a greeting
	}
	stage, context := readContext(outer)
	if stage == "" && around != outer {
		stage, _ = readContext(around)
	}
	if rec.Stage == "" {
		rec.Stage = stage
	}
	if rec.RemoteMTA == "" {
		rec.RemoteMTA = remoteIn(outer)
	}
	if rec.Reply.Code == 0 {
		// The reporting server speaks for itself.
		rec.Reply.Enhanced = codeIn(rec.Reply.Text, 0)
	}
	q := question{reply: rec.Reply, reported: rec.ReportedStatus, host: rec.RemoteMTA, stage: rec.Stage, context: context}
	v := r.decide(q)
	v.checkName(rec.Address, rec.Reply.Text)
	rec.Status = chooseStatus(rec.Reply, rec.ReportedStatus)
	if rec.Status.IsVague() && rec.Reply.Enhanced == (Code{}) {
		if c := codeIn(outer, rec.Reply.Code); c.Class != 0 && !c.IsVague() {
			rec.Status = c // the code stands before the reply
		}
	}
	rec.Reason, rec.Because, rec.Certainty = v.reason, v.because, v.certainty
	rec.Mentions, rec.Provider = v.mentions, v.provider
	rec.Expired = v.expired || rec.ReportedStatus.entry().reason == Expired
	rec.Legs = readLegs(rec.Reply.Text)
	rec.conclude(v.permanence)
	if rec.Permanence == Temporary {
		rec.RetryAfter, rec.RetryAt = retryAfter(rec.Reply.Text), retryAt(rec.Reply.Text)
	}
}

// passed says of a recipient that nothing was refused, whatever the words resemble.
func (rec *Recipient) passed() {
	rec.Reason, rec.Because, rec.Certainty = ReasonUnknown, Decision{Rule: "none"}, Unsure
	rec.conclude(NoFailure)
}

// conclude sets what follows from the reason, the codes and the action.
func (rec *Recipient) conclude(stated Permanence) {
	if rec.Action == Delayed && rec.Reason == ReasonUnknown && rec.Reply.Code == 0 {
		rec.Reason, rec.Certainty = Expired, Possible
		rec.Because = Decision{Rule: "container", Source: "RFC 3464, section 2.3.3", Says: "The report says that the mail waits, and not why."}
	}
	rec.Category, rec.Response = rec.Reason.Category(), rec.Reason.Response()
	rec.Permanence = stated
	switch {
	case rec.Action == Delayed:
		rec.Permanence = Temporary
	case rec.Action != Failed:
		rec.Permanence = NoFailure
	case stated != "":
	case rec.Expired && (rec.Reply.Code/100 == 4 || rec.Reply.Code == 0 && rec.Status.Subject == 0):
		rec.Permanence = Temporary // what stood in the way would have passed
	case rec.Status.Class == 5 || rec.Status.Class == 0 && rec.Reply.Code/100 == 5:
		rec.Permanence = Permanent
	case rec.Status.Class == 4 || rec.Reply.Code/100 == 4:
		rec.Permanence = Temporary
	case rec.Expired || rec.passing() || rec.Reason == MailboxFull && holds(rec.Reply.Text, retryWords):
		rec.Permanence = Temporary
	case rec.Address != "":
		// No code at all: the report says that its server gave up (RFC 3464,
		// section 2.3.3).
		rec.Permanence = Permanent
	}
	rec.Suppress = rec.Action == Failed && rec.Permanence == Permanent && rec.Reason.OfAddress() && (rec.Certainty == Certain || rec.Certainty == Likely)
	switch {
	case rec.Permanence == NoFailure:
		rec.Response = Ignore
	case rec.Response == Suppress && !rec.Suppress:
		rec.Response = Retry
	case rec.Response == "" && rec.Permanence == Temporary:
		rec.Response = Retry
	case rec.Response == "":
		rec.Response = AskRecipient
	}
}

// checkName compares the name that could not be resolved ("Name service error for
// name=relay.shop.example") with the recipient's domain: where it is another, a
// relay's perhaps, the address is not to blame.
func (v *verdict) checkName(address, text string) {
	_, rest, ok := strings.Cut(text, "name=")
	_, domain, isAddress := strings.Cut(address, "@")
	if v.reason != UnknownDomain || !ok || !isAddress {
		return
	}
	end := 0
	for end < len(rest) && (isWord(rest[end]) || rest[end] == '.' || rest[end] == '-' || rest[end] == '_') {
		end++
	}
	if name := strings.Trim(rest[:end], "."); name != "" && !strings.EqualFold(name, domain) && !strings.HasSuffix(lower(name), "."+lower(domain)) {
		v.reason, v.because.Says = DNSFailure, "The name that could not be resolved, "+name+", is not the recipient's domain."
	}
}

// passing reports whether the reason is one that passes by itself.
func (rec *Recipient) passing() bool {
	switch rec.Category {
	case Throttled, Greylisting, ReceiverFault, ExpiredInQueue:
		return true
	case Transport:
		return rec.Reason == Network || rec.Reason == DNSFailure || rec.Reason == TLS
	}
	return false
}

// chooseStatus takes the code of the reply, unless it says nothing and the
// report's own field says something of the same class.
func chooseStatus(r Reply, reported Code) Code {
	if r.Enhanced == (Code{}) && r.Code/100 == 4 && reported == (Code{Class: 5}) {
		return Code{Class: 4}
	}
	if r.Enhanced == (Code{}) || reported.Class == r.Enhanced.Class && r.Enhanced.Subject == 0 && r.Enhanced.Detail == 0 && !reported.IsVague() {
		return reported
	}
	return r.Enhanced
}

// collapse makes each run of white space one space. Plain reports that the text was
// one line of ASCII already, but for white space around it.
func collapse(s string) (line string, plain bool) {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		if c := s[i]; c <= ' ' && (c != ' ' || s[i+1] <= ' ') || c >= 0x80 {
			return joinWords(s), false
		}
	}
	return s, true
}

// joinWords is strings.Join(strings.Fields(s), " ").
func joinWords(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for i, c := range s {
		switch {
		case unicode.IsSpace(c):
			space = b.Len() > 0
			continue
		case space:
			b.WriteByte(' ')
			space = false
		}
		if c < utf8.RuneSelf {
			b.WriteByte(s[i])
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		b.WriteString(s[i : i+size])
	}
	return b.String()
}

// cutText bounds a text, and replaces what is no UTF-8.
func cutText(s string) string { return strings.ToValidUTF8(cut(s, maxReply), "\uFFFD") }
