package webhook

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/rebound-mail/rebound/bounce"
	amazon "github.com/rebound-mail/rebound/bounce/internal/ses"
)

// Amazon SES: docs.aws.amazon.com/ses/latest/dg/notification-contents.html and
// event-publishing-retrieving-sns-contents.html.
func ses(rules *bounce.Rules, event json.RawMessage) (*bounce.Report, error) {
	rep, err := rules.ParseSES(event)
	switch {
	case errors.Is(err, amazon.ErrSubscription):
		return nil, ErrSubscription
	case errors.Is(err, amazon.ErrText):
		return nil, nil
	case errors.Is(err, amazon.ErrNoEvent):
		return nil, ErrUnknown
	case err != nil:
		return nil, err
	case rep.Kind == bounce.OtherKind:
		return nil, nil
	}
	return rep, nil
}

// sendgridMeans are the reasons of dropped mail, in the words of the service.
var sendgridMeans = map[string]bounce.Reason{
	"bounced address": bounce.Suppressed, "spam reporting address": bounce.Suppressed, "unsubscribed address": bounce.Suppressed,
	"invalid": bounce.RecipientSyntax, "spam content": bounce.SpamContent, "recipient list over package quota": bounce.SenderQuota,
}

// sendgridClasses are the values of bounce_classification.
var sendgridClasses = map[string]bounce.Reason{
	"invalid address": bounce.UnknownRecipient, "content": bounce.SpamContent, "reputation": bounce.IPReputation, "frequency or volume too high": bounce.RateLimited,
}

// SendGrid: twilio.com/docs/sendgrid/for-developers/tracking-events/event.
func sendgrid(rules *bounce.Rules, raw json.RawMessage) (*bounce.Report, error) {
	var in struct {
		Event          string `json:"event"`
		Email          string `json:"email"`
		Timestamp      scalar `json:"timestamp"`
		SMTPID         string `json:"smtp-id"`
		MessageID      string `json:"sg_message_id"`
		Type           string `json:"type"`
		Reason         string `json:"reason"`
		Response       string `json:"response"`
		Status         scalar `json:"status"`
		Classification string `json:"bounce_classification"`
		IP             string `json:"ip"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	kinds := map[string]bounce.Kind{"bounce": bounce.Failure, "blocked": bounce.Failure, "dropped": bounce.Failure, "deferred": bounce.Delay, "delivered": bounce.Success, "spamreport": bounce.Feedback}
	kind, ok := kinds[in.Event]
	if !ok {
		return nil, nil
	}
	reply := in.Reason
	if reply == "" || in.Event == "deferred" && in.Response != "" {
		reply = in.Response
	}
	means := sendgridMeans[strings.ToLower(in.Reason)]
	if means == "" {
		means = sendgridClasses[strings.ToLower(in.Classification)]
	}
	if in.Type == "blocked" && means.OfAddress() {
		means = "" // a block is no fault of the address, whatever its class
	}
	if in.Event == "dropped" && means != "" {
		reply = "" // the service's own words
	}
	return event{
		kind: kind, service: "sendgrid", id: in.MessageID, messageID: in.SMTPID, to: in.Email, when: in.Timestamp.time(), sendingIP: in.IP,
		statement: bounce.Statement{
			Recipient: in.Email, Reply: reply, Status: code(string(in.Status)), Means: means,
			Verdict: join(in.Event, in.Type, in.Classification, droppedFor(in.Event, in.Reason)), Source: "twilio.com/docs/sendgrid/for-developers/tracking-events/event",
		},
	}.report(rules), nil
}

func droppedFor(event, reason string) string {
	if event == "dropped" {
		return reason
	}
	return ""
}

// mailgunMeans are the values of "reason" that say why.
var mailgunMeans = map[string]bounce.Reason{
	"suppress-bounce": bounce.Suppressed, "suppress-complaint": bounce.Suppressed, "suppress-unsubscribe": bounce.Suppressed,
	"greylisted": bounce.Greylisted, "espblock": bounce.IPReputation, "old": bounce.Expired,
}

// Mailgun: documentation.mailgun.com/docs/mailgun/user-manual/events.
func mailgun(rules *bounce.Rules, raw json.RawMessage) (*bounce.Report, error) {
	var in struct {
		Data struct {
			Event     string `json:"event"`
			Severity  string `json:"severity"`
			Reason    string `json:"reason"`
			Recipient string `json:"recipient"`
			Timestamp scalar `json:"timestamp"`
			Status    struct {
				Code        scalar `json:"code"`
				Message     string `json:"message"`
				Description string `json:"description"`
				Enhanced    string `json:"enhanced-code"`
				MX          string `json:"mx-host"`
			} `json:"delivery-status"`
			Envelope struct {
				SendingIP string `json:"sending-ip"`
			} `json:"envelope"`
			Message struct {
				Headers struct {
					To        string `json:"to"`
					From      string `json:"from"`
					Subject   string `json:"subject"`
					MessageID string `json:"message-id"`
				} `json:"headers"`
			} `json:"message"`
		} `json:"event-data"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	d := in.Data
	var kind bounce.Kind
	switch {
	case d.Event == "failed" && d.Severity == "temporary":
		kind = bounce.Delay
	case d.Event == "failed":
		kind = bounce.Failure
	case d.Event == "delivered":
		kind = bounce.Success
	case d.Event == "complained":
		kind = bounce.Feedback
	default:
		return nil, nil
	}
	reply := d.Status.Message
	if reply == "" {
		reply = d.Status.Description
	}
	return event{
		kind: kind, service: "mailgun", id: d.Message.Headers.MessageID, messageID: d.Message.Headers.MessageID, from: d.Message.Headers.From, to: d.Message.Headers.To, subject: d.Message.Headers.Subject,
		when: d.Timestamp.time(), sendingIP: d.Envelope.SendingIP,
		statement: bounce.Statement{
			Recipient: d.Recipient, Reply: reply, Code: d.Status.Code.number(), Status: code(d.Status.Enhanced), RemoteMTA: d.Status.MX, Means: mailgunMeans[d.Reason],
			Verdict: join(d.Event, d.Severity, d.Reason), Permanence: map[string]bounce.Permanence{"permanent": bounce.Permanent, "temporary": bounce.Temporary}[d.Severity],
			Source: "documentation.mailgun.com/docs/mailgun/user-manual/events",
		},
	}.report(rules), nil
}

// postmarkMeans are the bounce types that say why.
var postmarkMeans = map[string]bounce.Reason{
	"DnsError": bounce.DNSFailure, "SpamNotification": bounce.SpamContent, "VirusNotification": bounce.Malware, "BadEmailAddress": bounce.RecipientSyntax, "ManuallyDeactivated": bounce.Suppressed,
	"Blocked": bounce.PolicyRefusal, "DMARCPolicy": bounce.DMARCFailed,
}

// Postmark: postmarkapp.com/developer/webhooks/bounce-webhook.
func postmark(rules *bounce.Rules, raw json.RawMessage) (*bounce.Report, error) {
	var in struct {
		RecordType  string `json:"RecordType"`
		Type        string `json:"Type"`
		MessageID   string `json:"MessageID"`
		Description string `json:"Description"`
		Details     string `json:"Details"`
		Email       string `json:"Email"`
		Recipient   string `json:"Recipient"`
		From        string `json:"From"`
		Subject     string `json:"Subject"`
		BouncedAt   string `json:"BouncedAt"`
		DeliveredAt string `json:"DeliveredAt"`
		Content     string `json:"Content"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	var kind bounce.Kind
	switch {
	case in.RecordType == "SpamComplaint" || in.Type == "SpamComplaint":
		kind = bounce.Feedback
	case in.RecordType == "Delivery":
		kind, in.Email = bounce.Success, in.Recipient
	case in.RecordType != "Bounce":
		return nil, nil
	case in.Type == "AutoResponder":
		kind = bounce.AutoReply
	case in.Type == "ChallengeVerification":
		kind = bounce.Challenge
	case in.Type == "Transient":
		kind = bounce.Delay
	case in.Type == "Subscribe" || in.Type == "Unsubscribe" || in.Type == "OpenRelayTest":
		return nil, nil
	default:
		kind = bounce.Failure
	}
	when := iso(in.BouncedAt)
	if when.IsZero() {
		when = iso(in.DeliveredAt)
	}
	rep := event{
		kind: kind, service: "postmark", id: in.MessageID, from: in.From, to: in.Email, subject: in.Subject, when: when,
		statement: bounce.Statement{
			Recipient: in.Email, Reply: in.Details, Verdict: join(in.Type, in.Description), Means: postmarkMeans[in.Type],
			Permanence: map[string]bounce.Permanence{"HardBounce": bounce.Permanent, "SoftBounce": bounce.Temporary, "Transient": bounce.Temporary, "DnsError": bounce.Temporary}[in.Type],
			Source:     "postmarkapp.com/developer/api/bounce-api",
		},
	}.report(rules)
	// Where the whole bounce message came along it may say more.
	if rep.Kind == bounce.Failure && rep.Recipients[0].Reason == bounce.ReasonUnknown && in.Content != "" {
		full := rules.ParseBytes([]byte(in.Content))
		for _, r := range full.Recipients {
			if strings.EqualFold(r.Address, in.Email) && r.Reason != bounce.ReasonUnknown {
				r.ServiceVerdict = rep.Recipients[0].ServiceVerdict
				rep.Recipients[0] = r
			}
		}
	}
	return rep, nil
}

// sparkpostMeans are the bounce classes that say why, by their numbers.
var sparkpostMeans = map[string]bounce.Reason{
	"10": bounce.UnknownRecipient, "21": bounce.DNSFailure, "22": bounce.MailboxFull, "23": bounce.MessageTooBig, "24": bounce.Network, "26": bounce.Suppressed,
	"50": bounce.PolicyRefusal, "51": bounce.IPReputation, "52": bounce.SpamContent, "53": bounce.Attachment, "54": bounce.RelayDenied,
}

// SparkPost: developers.sparkpost.com/api/webhooks.
func sparkpost(rules *bounce.Rules, raw json.RawMessage) (*bounce.Report, error) {
	var in struct {
		Msys map[string]json.RawMessage `json:"msys"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	raw = in.Msys["message_event"]
	if raw == nil {
		raw = in.Msys["gen_event"]
	}
	if raw == nil {
		return nil, nil // a click, an unsubscription, a test of the webhook
	}
	var m struct {
		Type      string `json:"type"`
		Class     scalar `json:"bounce_class"`
		Code      scalar `json:"error_code"`
		Reason    string `json:"reason"`
		RawReason string `json:"raw_reason"`
		To        string `json:"rcpt_to"`
		RawTo     string `json:"raw_rcpt_to"`
		SendingIP string `json:"sending_ip"`
		Feedback  string `json:"fbtype"`
		MessageID string `json:"message_id"`
		From      string `json:"friendly_from"`
		Subject   string `json:"subject"`
		Timestamp scalar `json:"timestamp"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	kinds := map[string]bounce.Kind{"bounce": bounce.Failure, "out_of_band": bounce.Failure, "policy_rejection": bounce.Failure, "generation_rejection": bounce.Failure, "delay": bounce.Delay, "delivery": bounce.Success, "spam_complaint": bounce.Feedback}
	kind, ok := kinds[m.Type]
	if !ok {
		return nil, nil
	}
	switch m.Class {
	case "60":
		kind = bounce.AutoReply
	case "80", "90":
		return nil, nil // the recipient subscribes or unsubscribes
	case "100":
		kind = bounce.Challenge
	}
	reply, to := m.RawReason, m.RawTo
	if reply == "" {
		reply = m.Reason
	}
	if to == "" {
		to = m.To
	}
	return event{
		kind: kind, service: "sparkpost", id: m.MessageID, from: m.From, to: to, subject: m.Subject, when: m.Timestamp.time(), sendingIP: m.SendingIP, complaint: m.Feedback,
		statement: bounce.Statement{
			Recipient: to, Reply: reply, Code: m.Code.number(), Verdict: join(m.Type, class(m.Class)), Means: sparkpostMeans[string(m.Class)],
			Source: "support.sparkpost.com/docs/deliverability/bounce-classification-codes",
		},
	}.report(rules), nil
}

func class(n scalar) string {
	if n == "" {
		return ""
	}
	return "class " + string(n)
}

// brevoMeans is what an event says by itself: "invalid_email" may be either address,
// and "blocked" either side's list, as the reason tells.
func brevoMeans(event, reason string) bounce.Reason {
	reason = strings.ToLower(reason)
	if event == "blocked" && (strings.Contains(reason, "blacklist user") || strings.Contains(reason, "unsubscribed user")) {
		return bounce.Suppressed
	}
	return ""
}

// Brevo: developers.brevo.com/docs/transactional-webhooks.
func brevo(rules *bounce.Rules, raw json.RawMessage) (*bounce.Report, error) {
	var in struct {
		Event     string `json:"event"`
		Email     scalar `json:"email"`
		MessageID string `json:"message-id"`
		Subject   string `json:"subject"`
		Reason    string `json:"reason"`
		SendingIP string `json:"sending_ip"`
		Time      scalar `json:"ts_event"`
		Epoch     scalar `json:"ts_epoch"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	if in.Time == "" {
		in.Time = in.Epoch
	}
	kinds := map[string]bounce.Kind{
		"hard_bounce": bounce.Failure, "soft_bounce": bounce.Failure, "blocked": bounce.Failure, "invalid_email": bounce.Failure, "invalid": bounce.Failure, "error": bounce.Failure,
		"hardBounce": bounce.Failure, "softBounce": bounce.Failure, "deferred": bounce.Delay, "delivered": bounce.Success, "spam": bounce.Feedback, "complaint": bounce.Feedback,
	}
	kind, ok := kinds[in.Event]
	if !ok {
		return nil, nil
	}
	return event{
		kind: kind, service: "brevo", id: trim(in.MessageID), messageID: in.MessageID, to: string(in.Email), subject: in.Subject, when: in.Time.time(), sendingIP: in.SendingIP,
		statement: bounce.Statement{
			Recipient: string(in.Email), Reply: in.Reason, Verdict: in.Event, Means: brevoMeans(in.Event, in.Reason),
			Permanence: map[string]bounce.Permanence{"hard_bounce": bounce.Permanent, "hardBounce": bounce.Permanent, "soft_bounce": bounce.Temporary, "softBounce": bounce.Temporary}[in.Event],
			Source:     "developers.brevo.com/docs/transactional-webhooks",
		},
	}.report(rules), nil
}

// mailjetMeans are the values of "error".
var mailjetMeans = map[string]bounce.Reason{
	"user unknown": bounce.UnknownRecipient, "mailbox inactive": bounce.MailboxDisabled, "quota exceeded": bounce.MailboxFull, "invalid domain": bounce.UnknownDomain, "no mail host": bounce.UnknownDomain,
	"relay/access denied": bounce.RelayDenied, "greylisted": bounce.Greylisted, "typofix": bounce.RecipientSyntax, "sender blocked": bounce.PolicyRefusal, "content blocked": bounce.SpamContent,
	"policy issue": bounce.PolicyRefusal, "system issue": bounce.System, "protocol issue": bounce.Protocol, "connection issue": bounce.Network, "blacklisted": bounce.Suppressed, "preblocked": bounce.Suppressed,
	"spam reporter": bounce.Suppressed, "account suspended": bounce.AccountSuspended,
}

// Mailjet: dev.mailjet.com/email/guides/webhooks.
func mailjet(rules *bounce.Rules, raw json.RawMessage) (*bounce.Report, error) {
	var in struct {
		Event     string `json:"event"`
		Email     string `json:"email"`
		Time      scalar `json:"time"`
		MessageID scalar `json:"MessageID"`
		Hard      scalar `json:"hard_bounce"`
		Error     string `json:"error"`
		Related   string `json:"error_related_to"`
		Comment   string `json:"comment"`
		Reply     string `json:"smtp_reply"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	kinds := map[string]bounce.Kind{"bounce": bounce.Failure, "blocked": bounce.Failure, "sent": bounce.Success, "spam": bounce.Feedback}
	kind, ok := kinds[in.Event]
	if !ok {
		return nil, nil
	}
	reply := in.Reply
	if reply == "" {
		reply = in.Comment
	}
	s := bounce.Statement{Recipient: in.Email, Reply: reply, Verdict: join(in.Event, in.Related, in.Error), Means: mailjetMeans[strings.ToLower(in.Error)], Source: "dev.mailjet.com/email/guides/webhooks"}
	if in.Event == "bounce" {
		s.Permanence = bounce.Temporary
		if in.Hard == "true" || in.Hard == "1" {
			s.Permanence = bounce.Permanent
		}
	}
	return event{kind: kind, service: "mailjet", id: string(in.MessageID), to: in.Email, when: in.Time.time(), statement: s}.report(rules), nil
}

// mandrillMeans are the values of bounce_description and of a reject's reason.
var mandrillMeans = map[string]bounce.Reason{
	"bad_mailbox": bounce.UnknownRecipient, "invalid_domain": bounce.UnknownDomain, "mailbox_full": bounce.MailboxFull, "message_too_large": bounce.MessageTooBig, "spam_message": bounce.SpamContent,
	"hard-bounce": bounce.Suppressed, "soft-bounce": bounce.Suppressed, "spam": bounce.Suppressed, "unsub": bounce.Suppressed, "custom": bounce.Suppressed, "invalid-sender": bounce.SenderMismatch, "invalid": bounce.RecipientSyntax, "unsigned": bounce.Unauthenticated,
}

// Mandrill: mailchimp.com/developer/transactional/docs/webhooks.
func mandrill(rules *bounce.Rules, raw json.RawMessage) (*bounce.Report, error) {
	var in struct {
		Event string `json:"event"`
		ID    string `json:"_id"`
		TS    scalar `json:"ts"`
		Msg   struct {
			Email       string `json:"email"`
			Sender      string `json:"sender"`
			Subject     string `json:"subject"`
			Diag        string `json:"diag"`
			Description string `json:"bounce_description"`
			Reject      string `json:"reject_reason"`
			Events      []struct {
				Type     string `json:"type"`
				Diag     string `json:"diag"`
				SourceIP string `json:"source_ip"`
			} `json:"smtp_events"`
		} `json:"msg"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	kinds := map[string]bounce.Kind{"hard_bounce": bounce.Failure, "soft_bounce": bounce.Failure, "reject": bounce.Failure, "deferral": bounce.Delay, "delivered": bounce.Success, "spam": bounce.Feedback}
	kind, ok := kinds[in.Event]
	if !ok {
		return nil, nil
	}
	m := in.Msg
	reply, ip := m.Diag, ""
	for _, e := range m.Events {
		if e.Type == "sent" && kind != bounce.Success {
			continue
		}
		if ip = e.SourceIP; m.Diag == "" {
			reply = e.Diag
		}
	}
	means := mandrillMeans[m.Description]
	if in.Event == "reject" {
		means = mandrillMeans[m.Reject]
	}
	return event{
		kind: kind, service: "mandrill", id: in.ID, from: m.Sender, to: m.Email, subject: m.Subject, when: in.TS.time(), sendingIP: ip,
		statement: bounce.Statement{
			Recipient: m.Email, Reply: reply, Verdict: join(in.Event, m.Description, m.Reject), Means: means,
			Permanence: map[string]bounce.Permanence{"hard_bounce": bounce.Permanent, "soft_bounce": bounce.Temporary}[in.Event],
			Source:     "mailchimp.com/developer/transactional/docs/webhooks",
		},
	}.report(rules), nil
}

// resendMeans are the values of subType.
var resendMeans = map[string]bounce.Reason{
	"Suppressed": bounce.Suppressed, "OnAccountSuppressionList": bounce.Suppressed, "NoEmail": bounce.UnknownRecipient, "MailboxFull": bounce.MailboxFull, "MessageTooLarge": bounce.MessageTooBig,
	"ContentRejected": bounce.SpamContent, "AttachmentRejected": bounce.Attachment,
}

// Resend: resend.com/docs/dashboard/webhooks/event-types.
func resend(rules *bounce.Rules, raw json.RawMessage) (*bounce.Report, error) {
	var in struct {
		Type    string `json:"type"`
		Created string `json:"created_at"`
		Data    struct {
			ID      string `json:"email_id"`
			From    string `json:"from"`
			To      list   `json:"to"`
			Subject string `json:"subject"`
			Bounce  struct {
				Message    string `json:"message"`
				Type       string `json:"type"`
				SubType    string `json:"subType"`
				Diagnostic list   `json:"diagnosticCode"`
			} `json:"bounce"`
			Suppressed struct {
				Message    string `json:"message"`
				Type       string `json:"type"`
				Diagnostic list   `json:"diagnosticCode"`
			} `json:"suppressed"`
			Failed struct {
				Reason string `json:"reason"`
			} `json:"failed"`
		} `json:"data"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(in.Type, "contact.") || strings.HasPrefix(in.Type, "domain."):
		return nil, nil
	case in.Data.ID == "" || len(in.Data.To) == 0:
		return nil, ErrUnknown // some other service's
	}
	kinds := map[string]bounce.Kind{"email.bounced": bounce.Failure, "email.suppressed": bounce.Failure, "email.failed": bounce.Failure, "email.delivery_delayed": bounce.Delay, "email.delivered": bounce.Success, "email.complained": bounce.Feedback}
	kind, ok := kinds[in.Type]
	if !ok {
		return nil, nil
	}
	b := in.Data.Bounce
	if s := in.Data.Suppressed; in.Type == "email.suppressed" {
		b.Message, b.SubType, b.Diagnostic = s.Message, s.Type, s.Diagnostic
		if resendMeans[b.SubType] == "" {
			b.SubType = "Suppressed"
		}
	}
	reply := b.Message
	if len(b.Diagnostic) > 0 {
		reply = strings.Join(b.Diagnostic, "\n")
	}
	if reply == "" {
		reply = in.Data.Failed.Reason
	}
	e := event{
		kind: kind, service: "resend", id: in.Data.ID, from: in.Data.From, subject: in.Data.Subject, when: iso(in.Created),
		statement: bounce.Statement{
			Reply: strings.TrimPrefix(reply, "smtp; "), Verdict: join(b.Type, b.SubType), Means: resendMeans[b.SubType],
			Permanence: map[string]bounce.Permanence{"Permanent": bounce.Permanent, "Transient": bounce.Temporary}[b.Type],
			Source:     "resend.com/docs/dashboard/webhooks/event-types",
		},
	}
	var rep *bounce.Report
	for _, to := range in.Data.To {
		to = address(to)
		e.to, e.statement.Recipient = to, to
		// An event for several recipients does not say which of them it is about, unless
		// the diagnostic names it.
		e.statement.Doubtful = len(in.Data.To) > 1 && !strings.Contains(strings.ToLower(reply), strings.ToLower(to))
		one := e.report(rules)
		if rep == nil {
			rep = one
			continue
		}
		rep.Recipients = append(rep.Recipients, one.Recipients...)
		if rep.Complaint != nil {
			rep.Complaint.OriginalRcptTo = append(rep.Complaint.OriginalRcptTo, to)
		}
	}
	return rep, nil
}
