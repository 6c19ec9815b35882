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
	"net/netip"
	"net/url"
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
	ErrUnknown = errors.New("webhook: the JSON of no service that is known")
	// ErrSubscription is returned when Amazon SNS asks to confirm a subscription.
	// The program visits the SubscribeURL of the payload if it wants the events.
	ErrSubscription = errors.New("webhook: an SNS subscription to confirm, no event")
	// ErrTooLarge is returned for a payload beyond MaxSize or with more than 10,000
	// events.
	ErrTooLarge = errors.New("webhook: the payload is too large")
)

// Parse reads the body of a request: JSON, or for Mandrill a form with the field
// mandrill_events. It returns a report for each event that tells what became of a
// mail, in their order. The error is [ErrUnknown], [ErrSubscription], [ErrTooLarge]
// or wraps one of encoding/json.
func Parse(payload []byte) ([]*bounce.Report, error) {
	return ParseWith(bounce.DefaultRules(), payload)
}

// ParseWith is [Parse] with these rules.
func ParseWith(rules *bounce.Rules, payload []byte) ([]*bounce.Report, error) {
	if len(payload) > MaxSize {
		return nil, ErrTooLarge
	}
	payload = bytes.TrimSpace(bytes.TrimPrefix(payload, []byte("\xef\xbb\xbf")))
	if form, ok := bytes.CutPrefix(payload, []byte("mandrill_events=")); ok {
		value, _, _ := bytes.Cut(form, []byte("&"))
		text, err := url.QueryUnescape(string(value))
		if err != nil {
			return nil, fmt.Errorf("webhook: mandrill_events: %w", err)
		}
		payload = []byte(text)
	}
	events := []json.RawMessage{payload}
	if bytes.HasPrefix(payload, []byte("[")) {
		events = nil
		if err := json.Unmarshal(payload, &events); err != nil {
			return nil, fmt.Errorf("webhook: %w", err)
		}
	}
	if len(events) > maxEvents {
		return nil, ErrTooLarge
	}
	reports := []*bounce.Report{}
	for i, event := range events {
		rep, err := parse(rules, event)
		if err != nil {
			return nil, fmt.Errorf("webhook: event %d: %w", i+1, err)
		}
		if rep != nil {
			reports = append(reports, rep)
		}
	}
	return reports, nil
}

// services are tried in their order: the first whose keys are all there is it.
var services = []struct {
	keys []string // "a.b" is b within a
	read func(*bounce.Rules, json.RawMessage) (*bounce.Report, error)
}{
	{[]string{"Type", "TopicArn"}, ses},
	{[]string{"notificationType", "mail"}, ses},
	{[]string{"eventType", "mail"}, ses},
	{[]string{"event-data"}, mailgun},
	{[]string{"RecordType"}, postmark},
	{[]string{"msys"}, sparkpost},
	{[]string{"event", "msg"}, mandrill},
	{[]string{"type", "data", "created_at"}, resend},
	{[]string{"event", "sg_event_id"}, sendgrid},
	{[]string{"event", "sg_message_id"}, sendgrid},
	{[]string{"event", "smtp-id"}, sendgrid},
	{[]string{"event", "MessageID"}, mailjet},
	{[]string{"event", "mj_campaign_id"}, mailjet},
	{[]string{"event", "email", "message-id"}, brevo},
	{[]string{"event", "email", "ts_event"}, brevo},
}

func parse(rules *bounce.Rules, event json.RawMessage) (*bounce.Report, error) {
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
		rep = bounce.Complained(bounce.Abuse{Type: "abuse", OriginalRcptTo: []string{e.statement.Recipient}}, original)
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

// seconds reads a Unix time, with or without fractions.
func seconds(n json.Number) time.Time {
	f, err := n.Float64()
	if err != nil || f <= 0 || f > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(f), 0).UTC()
}

// iso reads an RFC 3339 time.
func iso(s string) time.Time {
	t, _ := time.Parse(time.RFC3339, s)
	return t.UTC()
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
