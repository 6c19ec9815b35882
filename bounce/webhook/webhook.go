// Package webhook reads what sending services post when a mail bounces, and gives
// the same reports as package bounce.
//
//	reports, err := webhook.Parse(body)
//	if err != nil {
//		http.Error(w, err.Error(), http.StatusBadRequest)
//		return
//	}
//	for _, report := range reports {
//		for _, r := range report.Recipients {
//			fmt.Println(r.Address, r.Reason, r.Suppress)
//		}
//	}
//
// It knows Amazon SES (bare or by SNS), SendGrid, Mailgun, Postmark, SparkPost,
// Brevo, Mailjet, Mandrill and Resend, told apart by the shape of their JSON. The
// receiver's own words decide; what the service makes of them is kept in
// Recipient.ServiceVerdict and decides only where the words say nothing.
//
// Bounces, deferrals, complaints and deliveries become reports; opens, clicks and
// the like are left out. The package serves no HTTP, checks no signature and
// fetches no URL: that is the program's.
package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/bounce"
)

// MaxSize bounds a payload: services post batches of a few megabytes at most.
const MaxSize = 16 << 20

// maxEvents bounds the events of one payload.
const maxEvents = 10_000

// The errors of Parse.
var (
	// ErrUnknown is returned for JSON of none of the services.
	ErrUnknown = errors.New("the JSON of no service that is known")
	// ErrSubscription is returned when Amazon SNS asks to confirm a subscription.
	// The program visits the SubscribeURL of the payload if it wants the events.
	ErrSubscription = errors.New("an SNS subscription to confirm, no event")
	// ErrTooLarge is returned for a payload beyond MaxSize or with more than 10,000
	// events.
	ErrTooLarge = errors.New("webhook: the payload is too large")
)

// maxErrors bounds what is said of the events that could not be read.
const maxErrors = 10

// Parse reads the body of a request: JSON, or for Mandrill a form with the field
// mandrill_events. It returns a report for each event that tells what became of a
// mail, in their order. The error wraps [ErrUnknown], [ErrSubscription] or
// [ErrTooLarge], or one of encoding/json, up to ten of them. An event that cannot be read does not lose the
// others: their reports come back beside the error.
func Parse(payload []byte) ([]*bounce.Report, error) {
	return ParseWith(bounce.DefaultRules(), payload)
}

// ParseWith is [Parse] with these rules.
func ParseWith(rules *bounce.Rules, payload []byte) ([]*bounce.Report, error) {
	if len(payload) > MaxSize {
		return nil, ErrTooLarge
	}
	payload = bytes.TrimSpace(bytes.TrimPrefix(payload, []byte("\xef\xbb\xbf")))
	if len(payload) > 0 && payload[0] != '{' && payload[0] != '[' && bytes.Contains(payload, []byte("mandrill_events=")) {
		_, form, _ := bytes.Cut(payload, []byte("mandrill_events="))
		value, _, _ := bytes.Cut(form, []byte("&"))
		text, err := url.QueryUnescape(string(value))
		if err != nil {
			return nil, fmt.Errorf("webhook: mandrill_events: %w", err)
		}
		payload = []byte(text)
	}
	events, err := split(payload)
	if err != nil {
		return nil, err
	}
	reports := []*bounce.Report{}
	var bad []error
	for i, event := range events {
		rep, err := parse(rules, event)
		switch {
		case err != nil && len(bad) < maxErrors:
			bad = append(bad, fmt.Errorf("webhook: event %d: %w", i+1, err))
		case rep != nil:
			reports = append(reports, rep)
		}
	}
	return reports, errors.Join(bad...)
}

// split returns the events of a payload: one, or those of an array.
func split(payload []byte) ([]json.RawMessage, error) {
	if !bytes.HasPrefix(payload, []byte("[")) {
		return []json.RawMessage{payload}, nil
	}
	var events []json.RawMessage
	d := json.NewDecoder(bytes.NewReader(payload))
	_, err := d.Token()
	for err == nil && d.More() {
		if len(events) == maxEvents {
			return nil, ErrTooLarge
		}
		var event json.RawMessage
		err = d.Decode(&event)
		events = append(events, event)
	}
	if err == nil {
		_, err = d.Token()
	}
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	return events, nil
}

// services are tried in their order: the first whose keys are all there is it.
var services = []struct {
	keys []string // "a.b" is b within a
	read func(*bounce.Rules, json.RawMessage) (*bounce.Report, error)
}{
	// SendGrid first: it puts the sender's own arguments among its keys.
	{[]string{"event", "sg_event_id"}, sendgrid},
	{[]string{"event", "sg_message_id"}, sendgrid},
	{[]string{"Type", "TopicArn"}, ses},
	{[]string{"notificationType"}, ses},
	{[]string{"eventType", "mail"}, ses},
	{[]string{"event-data"}, mailgun},
	{[]string{"RecordType"}, postmark},
	{[]string{"msys"}, sparkpost},
	{[]string{"event", "msg"}, mandrill},
	{[]string{"type", "action", "reject"}, skip}, // Mandrill's news of its own lists
	{[]string{"type", "action", "entry"}, skip},
	{[]string{"type", "data", "created_at"}, resend},
	{[]string{"event", "smtp-id"}, sendgrid},
	{[]string{"event", "MessageID"}, mailjet},
	{[]string{"event", "mj_campaign_id"}, mailjet},
	{[]string{"event", "email", "message-id"}, brevo},
	{[]string{"event", "email", "ts_event"}, brevo},
}

func skip(*bounce.Rules, json.RawMessage) (*bounce.Report, error) { return nil, nil }

func parse(rules *bounce.Rules, event json.RawMessage) (*bounce.Report, error) {
	if string(event) == "null" {
		return nil, nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(event, &keys); err != nil {
		return nil, err
	}
next:
	for _, s := range services {
		for _, key := range s.keys {
			if keys[key] == nil {
				continue next
			}
		}
		return s.read(rules, event)
	}
	return nil, ErrUnknown
}

// An event is what every service tells, in one form.
type event struct {
	kind      bounce.Kind
	service   string
	id        string // the service's own of the mail
	messageID string // the mail's Message-ID
	from, to  string
	subject   string
	when      time.Time
	sendingIP string
	complaint string // the kind of complaint; "abuse" where empty
	statement bounce.Statement
}

// report judges the event.
func (e event) report(rules *bounce.Rules) *bounce.Report {
	var original *bounce.Original
	if ip, err := netip.ParseAddr(e.sendingIP); err == nil || e.messageID+e.from+e.subject != "" {
		original = &bounce.Original{MessageID: trim(e.messageID), From: e.from, To: e.to, Subject: e.subject, SendingIP: ip.Unmap()}
	}
	rep := &bounce.Report{Original: original}
	if e.kind == bounce.Feedback {
		if e.complaint == "" {
			e.complaint = "abuse"
		}
		rep = bounce.Complained(bounce.Abuse{Type: e.complaint, OriginalRcptTo: []string{e.statement.Recipient}}, original)
		if rec := &rep.Recipients[0]; rec.Suppress && e.statement.Doubtful {
			rec.Suppress, rec.Response, rec.Certainty = false, bounce.Ignore, bounce.Possible
		}
	}
	rep.Kind, rep.Service, rep.ServiceID, rep.Date = e.kind, e.service, e.id, e.when
	switch e.kind {
	case bounce.Feedback:
		return rep
	case bounce.Delay:
		e.statement.Action = bounce.Delayed
	case bounce.Success, bounce.AutoReply, bounce.Challenge:
		e.statement.Action = bounce.Delivered
	}
	rec := rules.Judge(e.statement)
	if reason := map[bounce.Kind]bounce.Reason{bounce.AutoReply: bounce.Vacation, bounce.Challenge: bounce.Challenged}[e.kind]; reason != "" {
		rec.Reason, rec.Category, rec.Certainty = reason, reason.Category(), bounce.Likely
		rec.Because = bounce.Decision{Rule: "service", Text: e.statement.Verdict, Source: e.statement.Source, Says: "The sending service says so."}
	}
	rep.Recipients = []bounce.Recipient{rec}
	return rep
}

// trim takes the brackets off a Message-ID.
func trim(s string) string { return strings.Trim(s, "<> ") }

// A scalar is a JSON string, number, boolean or null, as its text: services are
// not always true to their documentation. Anything else is "".
type scalar string

func (s *scalar) UnmarshalJSON(b []byte) error {
	var text string
	switch {
	case json.Unmarshal(b, &text) == nil:
		*s = scalar(text)
	case len(b) > 0 && (b[0] == '{' || b[0] == '['):
		*s = ""
	default:
		*s = scalar(b)
	}
	return nil
}

func (s scalar) number() int {
	n, _ := strconv.Atoi(string(s))
	return n
}

// time reads a Unix time, with or without fractions, in seconds or milliseconds, or
// an RFC 3339 time.
func (s scalar) time() time.Time {
	f, err := strconv.ParseFloat(string(s), 64)
	switch {
	case err != nil:
		return iso(string(s))
	case !(f > 0 && f < 1e14): // nor what is no number
		return time.Time{}
	case f > 1e11:
		return time.UnixMilli(int64(f)).UTC()
	}
	return time.Unix(int64(f), 0).UTC()
}

// A list is a JSON array of strings, or one string.
type list []string

func (l *list) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = list{one}
		return nil
	}
	var many []scalar
	if err := json.Unmarshal(b, &many); err != nil {
		return err
	}
	*l = nil
	for _, s := range many {
		*l = append(*l, string(s))
	}
	return nil
}

// iso reads an RFC 3339 time.
func iso(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.UTC().Year() > 9999 || t.UTC().Year() < 1 {
		return time.Time{}
	}
	return t.UTC()
}

// address takes the address out of "Anna <anna@recipient.example>".
func address(s string) string {
	if a, err := mail.ParseAddress(s); err == nil {
		return a.Address
	}
	return strings.TrimSpace(s)
}

// code reads an enhanced status code, or returns the zero value.
func code(s string) bounce.Code {
	c, _ := bounce.ParseCode(strings.TrimSpace(s))
	return c
}

func join(words ...string) string {
	var said []string
	for _, w := range words {
		if w != "" {
			said = append(said, w)
		}
	}
	return strings.Join(said, ", ")
}
