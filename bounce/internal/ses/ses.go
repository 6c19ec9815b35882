// Package ses reads the JSON of Amazon SES events, bare or in the envelope in
// which Amazon SNS delivers it by HTTP and by mail.
package ses

import (
	"bytes"
	"encoding/json"
	"errors"
)

// The errors of Parse.
var (
	ErrNoEvent      = errors.New("ses: no SES event")
	ErrText         = errors.New("ses: an SNS notification of text") // SES says so that a topic works
	ErrSubscription = errors.New("ses: an SNS subscription to confirm")
)

// An Event is what SES reports of one mail.
type Event struct {
	EventType        string     `json:"eventType"` // event publishing
	NotificationType string     `json:"notificationType"`
	Bounce           *Bounce    `json:"bounce"`
	Complaint        *Complaint `json:"complaint"`
	Delivery         *Delivery  `json:"delivery"`
	Delay            *Delay     `json:"deliveryDelay"`
	Reject           *Reject    `json:"reject"`
	Mail             Mail       `json:"mail"`
}

// Type returns the type of the event, whichever field holds it.
func (e *Event) Type() string {
	if e.EventType != "" {
		return e.EventType
	}
	return e.NotificationType
}

// A Recipient is one address with what the receiver said.
type Recipient struct {
	Address    string `json:"emailAddress"`
	Action     string `json:"action"`
	Status     string `json:"status"`
	Diagnostic string `json:"diagnosticCode"`
}

// A Bounce says that a mail was refused.
type Bounce struct {
	Type         string      `json:"bounceType"`    // Permanent, Transient, Undetermined
	SubType      string      `json:"bounceSubType"` // General, NoEmail, Suppressed, MailboxFull …
	Recipients   []Recipient `json:"bouncedRecipients"`
	Timestamp    string      `json:"timestamp"`
	FeedbackID   string      `json:"feedbackId"`
	ReportingMTA string      `json:"reportingMTA"`
}

// A Complaint says that a recipient reported the mail.
type Complaint struct {
	Recipients   []Recipient `json:"complainedRecipients"`
	FeedbackType string      `json:"complaintFeedbackType"`
	UserAgent    string      `json:"userAgent"`
	Arrival      string      `json:"arrivalDate"`
	Timestamp    string      `json:"timestamp"`
}

// A Delivery says that a mail was taken.
type Delivery struct {
	Recipients   []string `json:"recipients"`
	Reply        string   `json:"smtpResponse"`
	Timestamp    string   `json:"timestamp"`
	ReportingMTA string   `json:"reportingMTA"`
}

// A Delay says that a mail is still being tried.
type Delay struct {
	Type         string      `json:"delayType"`
	Recipients   []Recipient `json:"delayedRecipients"`
	Timestamp    string      `json:"timestamp"`
	Expires      string      `json:"expirationTime"`
	ReportingMTA string      `json:"reportingMTA"`
}

// A Reject says that SES found a virus and sent nothing.
type Reject struct {
	Reason string `json:"reason"`
}

// Mail is the mail that the event is about.
type Mail struct {
	MessageID   string   `json:"messageId"` // SES's own
	Source      string   `json:"source"`
	Destination []string `json:"destination"`
	Common      struct {
		From      []string `json:"from"`
		To        []string `json:"to"`
		MessageID string   `json:"messageId"`
		Subject   string   `json:"subject"`
		Date      string   `json:"date"`
	} `json:"commonHeaders"`
}

// Parse reads the first JSON value of b. An event of a type that is not known is
// returned with its type alone. Its errors are [ErrNoEvent], [ErrText],
// [ErrSubscription] and those of encoding/json.
func Parse(b []byte) (*Event, error) {
	var envelope struct {
		Type    string `json:"Type"`
		Message string `json:"Message"`
	}
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&envelope); err != nil {
		return nil, err
	}
	switch envelope.Type {
	case "Notification":
		b = []byte(envelope.Message)
		if !bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
			return nil, ErrText
		}
	case "SubscriptionConfirmation", "UnsubscribeConfirmation":
		return nil, ErrSubscription
	}
	e := &Event{}
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(e); err != nil {
		return nil, err
	}
	if e.Type() == "" {
		return nil, ErrNoEvent
	}
	return e, nil
}
