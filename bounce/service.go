package bounce

import (
	"strings"
	"time"

	"github.com/rebound-mail/rebound/bounce/internal/ses"
)

// sesPage documents the verdicts of Amazon SES.
const sesPage = "docs.aws.amazon.com/ses/latest/dg/notification-contents.html"

// sesMeans are the meanings of SES's bounceSubType and delayType, where they have
// one. "General" has none, permanent or not: SES gives it for faults of the sender
// too.
var sesMeans = map[string]Reason{
	"NoEmail": UnknownRecipient, "Suppressed": Suppressed, "OnAccountSuppressionList": Suppressed, "UnsubscribedRecipient": Suppressed,
	"MailboxFull": MailboxFull, "MessageTooLarge": MessageTooBig, "ContentRejected": SpamContent, "AttachmentRejected": Attachment, "CustomTimeoutExceeded": Expired,
	"InternalFailure": System, "SpamDetected": SpamContent, "RecipientServerError": System, "IPFailure": IPReputation, "TransientCommunicationFailure": Network, "BYOIPHostNameLookupUnavailable": PTR, "SendingDeferral": RateLimited,
}

// ParseSES reads an event of Amazon SES, bare or as Amazon SNS delivers it: a
// bounce, complaint, delivery or delay. A report of kind other stands for any
// other event; that a mail was rejected for a virus is a failure. The error says that
// the JSON is none of these, or that SNS sends a text or a subscription to confirm;
// package bounce/webhook tells them apart.
func (r *Rules) ParseSES(payload []byte) (*Report, error) {
	e, err := ses.Parse(payload)
	if err != nil {
		return nil, err
	}
	rep := &Report{Kind: OtherKind, Service: "ses", ServiceID: e.Mail.MessageID, Original: &Original{
		MessageID: strings.Trim(e.Mail.Common.MessageID, "<> "), From: addressIn(first(e.Mail.Common.From)), To: addressIn(first(e.Mail.Common.To)),
		ReturnPath: addressIn(e.Mail.Source), Subject: e.Mail.Common.Subject, Date: e.Mail.Common.Date,
	}}
	switch {
	case e.Bounce != nil:
		b := e.Bounce
		rep.Kind, rep.ReportingMTA, rep.Date = Failure, typed(b.ReportingMTA), isoTime(b.Timestamp)
		for _, in := range capped(rep, b.Recipients) {
			s := sesStatement(in, b.Type+"/"+b.SubType, sesMeans[b.SubType])
			s.Permanence = map[string]Permanence{"Permanent": Permanent, "Transient": Temporary}[b.Type]
			rep.Recipients = append(rep.Recipients, r.Judge(s))
		}
	case e.Delay != nil:
		d := e.Delay
		rep.Kind, rep.ReportingMTA, rep.Date = Delay, typed(d.ReportingMTA), isoTime(d.Timestamp)
		if len(d.Recipients) == 0 {
			for _, address := range e.Mail.Destination {
				d.Recipients = append(d.Recipients, ses.Recipient{Address: address})
			}
		}
		for _, in := range capped(rep, d.Recipients) {
			s := sesStatement(in, d.Type, sesMeans[d.Type])
			s.Action = Delayed
			rec := r.Judge(s)
			rec.RetryUntil = isoTime(d.Expires)
			rep.Recipients = append(rep.Recipients, rec)
		}
	case e.Complaint != nil:
		c := e.Complaint
		rep.Date = isoTime(c.Timestamp)
		rep.Complaint = &Abuse{Type: lower(c.FeedbackType), UserAgent: c.UserAgent, ArrivalDate: c.Arrival}
		for _, in := range capped(rep, c.Recipients) {
			rep.Complaint.OriginalRcptTo = append(rep.Complaint.OriginalRcptTo, in.Address)
		}
		rep.complain()
		if len(rep.Recipients) > 1 {
			// SES names all recipients at the complaining provider: who complained is among
			// them.
			for i := range rep.Recipients {
				rep.Recipients[i].Suppress, rep.Recipients[i].Response, rep.Recipients[i].Certainty = false, Ignore, Possible
			}
		}
	case e.Reject != nil:
		rep.Kind = Failure
		for _, address := range capped(rep, e.Mail.Destination) {
			rep.Recipients = append(rep.Recipients, r.Judge(Statement{Recipient: address, Verdict: "Reject/" + e.Reject.Reason, Means: Malware, Source: sesPage}))
		}
	case e.Delivery != nil:
		rep.Kind, rep.ReportingMTA, rep.Date = Success, typed(e.Delivery.ReportingMTA), isoTime(e.Delivery.Timestamp)
		for _, address := range capped(rep, e.Delivery.Recipients) {
			rep.Recipients = append(rep.Recipients, r.Judge(Statement{Recipient: address, Action: Delivered, Reply: e.Delivery.Reply}))
		}
	}
	return rep, nil
}

func sesStatement(in ses.Recipient, verdict string, means Reason) Statement {
	s := Statement{Recipient: in.Address, Reply: in.Diagnostic, Verdict: verdict, Means: means, Source: sesPage}
	if kind, rest, ok := strings.Cut(in.Diagnostic, ";"); ok && isWordOnly(kind) {
		s.Reply = strings.TrimSpace(rest)
	}
	s.Status = statusField(in.Status)
	return s
}

// capped returns the first of many, and notes in the report that there were more.
func capped[T any](rep *Report, list []T) []T {
	if len(list) <= maxRecipients {
		return list
	}
	rep.Omitted = append(rep.Omitted, "recipients beyond 10,000")
	return list[:maxRecipients]
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func isoTime(s string) time.Time {
	t, _ := time.Parse(time.RFC3339, s)
	return plausible(t)
}

// sesEvent reads an SES event that SNS sent by mail, or returns false.
func (rd *reader) sesEvent(text string) bool {
	start := strings.IndexByte(text, '{')
	if start < 0 || !strings.Contains(text, "notificationType") && !strings.Contains(text, "eventType") {
		return false
	}
	// Mail servers break lines of more than 998 octets: "\n ". A JSON string holds no
	// line break of its own.
	unfolded := strings.NewReplacer("\n ", "", "\n", "").Replace(text[start:])
	rep, err := rd.rules.ParseSES([]byte(unfolded))
	if err != nil || len(rep.Recipients) == 0 {
		return false
	}
	rep.Subject = rd.rep.Subject
	if rep.Date.IsZero() {
		rep.Date = rd.rep.Date
	}
	rd.rep = rep
	return true
}
