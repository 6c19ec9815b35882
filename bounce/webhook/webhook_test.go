package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/bounce"
)

// sns wraps an SES event as Amazon SNS posts it.
func sns(message string) string {
	b, _ := json.Marshal(map[string]string{"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:eu-west-1:1:bounces", "Message": message})
	return string(b)
}

const sesBounce = `{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":"anna@recipient.example","action":"failed","status":"5.7.1","diagnosticCode":"smtp; 554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.spamhaus.org"}],"timestamp":"2026-11-24T10:00:00.000Z","feedbackId":"f1","reportingMTA":"dns; a8-7.smtp-out.eu-west-1.amazonses.com"},"mail":{"timestamp":"2026-11-24T09:59:59.000Z","source":"office@shop.example","messageId":"ses-1","destination":["anna@recipient.example"],"commonHeaders":{"from":["Office <office@shop.example>"],"to":["anna@recipient.example"],"messageId":"<m1@shop.example>","subject":"Hello"}}}`

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, payload string
		service, id   string
		kind          bounce.Kind
		address       string
		reply         int
		status        string
		reason        bounce.Reason
		permanence    bounce.Permanence
		suppress      bool
	}{
		{"SES by SNS", sns(sesBounce), "ses", "ses-1", bounce.Failure, "anna@recipient.example", 554, "5.7.1", bounce.IPListed, bounce.Permanent, false},
		{"SES bare", strings.Replace(sesBounce, "notificationType", "eventType", 1), "ses", "ses-1", bounce.Failure, "anna@recipient.example", 554, "5.7.1", bounce.IPListed, bounce.Permanent, false},
		{
			"SES suppressed", `{"eventType":"Bounce","bounce":{"bounceType":"Permanent","bounceSubType":"OnAccountSuppressionList","bouncedRecipients":[{"emailAddress":"anna@recipient.example","action":"failed","status":"5.1.1","diagnosticCode":"Amazon SES did not send the message to this address because it is on the suppression list for your account."}]},"mail":{"messageId":"ses-2"}}`,
			"ses", "ses-2", bounce.Failure, "anna@recipient.example", 0, "5.1.1", bounce.Suppressed, bounce.Permanent, true,
		},
		{
			"SES without words", `{"eventType":"Bounce","bounce":{"bounceType":"Transient","bounceSubType":"MailboxFull","bouncedRecipients":[{"emailAddress":"anna@recipient.example"}]},"mail":{"messageId":"ses-3"}}`,
			"ses", "ses-3", bounce.Failure, "anna@recipient.example", 0, "", bounce.MailboxFull, bounce.Temporary, false,
		},
		{
			"SES delay", `{"eventType":"DeliveryDelay","deliveryDelay":{"delayType":"TransientCommunicationFailure","timestamp":"2026-11-24T10:00:00Z","expirationTime":"2026-11-25T10:00:00Z","delayedRecipients":[{"emailAddress":"anna@recipient.example","status":"4.4.1","diagnosticCode":"smtp; 421 4.4.1 Unable to connect to remote host"}]},"mail":{"messageId":"ses-4"}}`,
			"ses", "ses-4", bounce.Delay, "anna@recipient.example", 421, "4.4.1", bounce.Network, bounce.Temporary, false,
		},
		{
			"SES complaint", sns(`{"notificationType":"Complaint","complaint":{"complainedRecipients":[{"emailAddress":"anna@recipient.example"}],"complaintFeedbackType":"abuse","timestamp":"2026-11-24T10:00:00Z"},"mail":{"messageId":"ses-5"}}`),
			"ses", "ses-5", bounce.Feedback, "anna@recipient.example", 0, "", bounce.Complaint, bounce.NoFailure, true,
		},
		{
			"SendGrid bounce", `[{"email":"anna@recipient.example","timestamp":1795514400,"event":"bounce","sg_event_id":"e1","sg_message_id":"sg-1","smtp-id":"<m1@shop.example>","type":"bounce","reason":"550 5.1.1 The email account that you tried to reach does not exist.","status":"5.1.1","bounce_classification":"Invalid Address","ip":"198.51.100.7"}]`,
			"sendgrid", "sg-1", bounce.Failure, "anna@recipient.example", 550, "5.1.1", bounce.UnknownRecipient, bounce.Permanent, true,
		},
		{
			"SendGrid blocked", `[{"email":"anna@recipient.example","timestamp":1795514400,"event":"bounce","sg_event_id":"e1","sg_message_id":"sg-2","type":"blocked","reason":"554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using bl.spamcop.net","status":"5.7.1"}]`,
			"sendgrid", "sg-2", bounce.Failure, "anna@recipient.example", 554, "5.7.1", bounce.IPListed, bounce.Permanent, false,
		},
		{
			"SendGrid dropped", `[{"email":"anna@recipient.example","timestamp":1795514400,"event":"dropped","sg_event_id":"e1","sg_message_id":"sg-3","reason":"Bounced Address","status":"5.0.0"}]`,
			"sendgrid", "sg-3", bounce.Failure, "anna@recipient.example", 0, "5.0.0", bounce.Suppressed, bounce.Permanent, true,
		},
		{
			"SendGrid deferred", `[{"email":"anna@recipient.example","timestamp":1795514400,"event":"deferred","sg_event_id":"e1","sg_message_id":"sg-4","response":"450 4.2.0 Greylisted, please try again in 300 seconds","attempt":"2"}]`,
			"sendgrid", "sg-4", bounce.Delay, "anna@recipient.example", 450, "4.2.0", bounce.Greylisted, bounce.Temporary, false,
		},
		{
			"Mailgun permanent", `{"signature":{"token":"t"},"event-data":{"event":"failed","severity":"permanent","reason":"bounce","id":"mg-1","timestamp":1795514400.5,"recipient":"anna@recipient.example","delivery-status":{"code":550,"message":"5.1.1 The email account that you tried to reach does not exist","description":"","mx-host":"gmail-smtp-in.l.google.com","attempt-no":1},"message":{"headers":{"message-id":"m1@shop.example","from":"office@shop.example","to":"anna@recipient.example","subject":"Hello"}}}}`,
			"mailgun", "m1@shop.example", bounce.Failure, "anna@recipient.example", 550, "5.1.1", bounce.UnknownRecipient, bounce.Permanent, true,
		},
		{
			"Mailgun temporary", `{"event-data":{"event":"failed","severity":"temporary","reason":"generic","id":"mg-2","recipient":"anna@recipient.example","delivery-status":{"code":452,"message":"4.2.2 The recipient's inbox is out of storage space","mx-host":"mx.recipient.example"}}}`,
			"mailgun", "", bounce.Delay, "anna@recipient.example", 452, "4.2.2", bounce.MailboxFull, bounce.Temporary, false,
		},
		{
			"Mailgun suppressed", `{"event-data":{"event":"failed","severity":"permanent","reason":"suppress-bounce","id":"mg-3","recipient":"anna@recipient.example","delivery-status":{"code":605,"message":"","description":"Not delivering to previously bounced address"}}}`,
			"mailgun", "", bounce.Failure, "anna@recipient.example", 605, "", bounce.Suppressed, bounce.Permanent, true,
		},
		{
			"Postmark hard", `{"RecordType":"Bounce","ID":42,"Type":"HardBounce","TypeCode":1,"Name":"Hard bounce","MessageID":"pm-1","Description":"The server was unable to deliver your message","Details":"smtp;550 5.1.1 <anna@recipient.example>: Recipient address rejected: User unknown","Email":"anna@recipient.example","From":"office@shop.example","BouncedAt":"2026-11-24T10:00:00Z","Inactive":true,"Subject":"Hello"}`,
			"postmark", "pm-1", bounce.Failure, "anna@recipient.example", 550, "5.1.1", bounce.UnknownRecipient, bounce.Permanent, true,
		},
		{
			"Postmark auto-reply", `{"RecordType":"Bounce","Type":"AutoResponder","TypeCode":64,"MessageID":"pm-2","Email":"anna@recipient.example","BouncedAt":"2026-11-24T10:00:00Z"}`,
			"postmark", "pm-2", bounce.AutoReply, "anna@recipient.example", 0, "", bounce.Vacation, bounce.NoFailure, false,
		},
		{
			"Postmark with the whole bounce", `{"RecordType":"Bounce","Type":"SoftBounce","MessageID":"pm-3","Email":"anna@recipient.example","Details":"","Content":"From: MAILER-DAEMON@mx.shop.example\r\nSubject: failure notice\r\n\r\nHi. This is the qmail-send program at mx.shop.example.\r\n\r\n<anna@recipient.example>:\r\n192.0.2.7 does not like recipient.\r\nRemote host said: 550 5.1.1 User unknown\r\n"}`,
			"postmark", "pm-3", bounce.Failure, "anna@recipient.example", 550, "5.1.1", bounce.UnknownRecipient, bounce.Permanent, true,
		},
		{
			"SparkPost", `[{"msys":{"message_event":{"type":"bounce","bounce_class":"25","error_code":"550","raw_reason":"550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM.","rcpt_to":"anna@recipient.example","raw_rcpt_to":"Anna@recipient.example","sending_ip":"198.51.100.7","message_id":"sp-1","timestamp":"1795514400","friendly_from":"office@shop.example","subject":"Hello"}}}]`,
			"sparkpost", "sp-1", bounce.Failure, "Anna@recipient.example", 550, "5.7.26", bounce.Unauthenticated, bounce.Permanent, false,
		},
		{
			"Brevo", `{"event":"soft_bounce","email":"anna@recipient.example","id":7,"date":"2026-11-24 10:00:00","ts":1795514400,"ts_event":1795514400,"message-id":"<br-1@shop.example>","subject":"Hello","sending_ip":"198.51.100.7","reason":"421 4.7.0 [TSS04] Messages from 198.51.100.7 temporarily deferred due to unexpected volume or user complaints"}`,
			"brevo", "br-1@shop.example", bounce.Failure, "anna@recipient.example", 421, "4.7.0", bounce.IPReputation, bounce.Temporary, false,
		},
		{
			"Mailjet", `{"event":"bounce","time":1795514400,"MessageID":13792286917004336,"Message_GUID":"g","email":"anna@recipient.example","mj_campaign_id":0,"blocked":false,"hard_bounce":true,"error_related_to":"recipient","error":"user unknown","comment":""}`,
			"mailjet", "13792286917004336", bounce.Failure, "anna@recipient.example", 0, "", bounce.UnknownRecipient, bounce.Permanent, true,
		},
		{
			"Mandrill", "mandrill_events=" + url.QueryEscape(`[{"event":"hard_bounce","_id":"md-1","ts":1795514400,"msg":{"ts":1795514390,"subject":"Hello","email":"anna@recipient.example","sender":"office@shop.example","state":"bounced","bounce_description":"bad_mailbox","diag":"smtp;550 5.1.1 The email account that you tried to reach does not exist."}}]`),
			"mandrill", "md-1", bounce.Failure, "anna@recipient.example", 550, "5.1.1", bounce.UnknownRecipient, bounce.Permanent, true,
		},
		{
			"Resend", `{"type":"email.bounced","created_at":"2026-11-24T10:00:00.000Z","data":{"email_id":"re-1","from":"Office <office@shop.example>","to":["anna@recipient.example"],"subject":"Hello","bounce":{"message":"The recipient's email provider sent a general bounce message.","type":"Permanent","subType":"Suppressed"}}}`,
			"resend", "re-1", bounce.Failure, "anna@recipient.example", 0, "", bounce.Suppressed, bounce.Permanent, true,
		},
	} {
		reports, err := Parse([]byte(tt.payload))
		if err != nil || len(reports) != 1 || len(reports[0].Recipients) != 1 {
			t.Errorf("%s: %v, %d reports", tt.name, err, len(reports))
			continue
		}
		rep := reports[0]
		rec := rep.Recipients[0]
		if rep.Service != tt.service || rep.ServiceID != tt.id || rep.Kind != tt.kind {
			t.Errorf("%s: service %q, id %q, kind %s; want %q, %q, %s", tt.name, rep.Service, rep.ServiceID, rep.Kind, tt.service, tt.id, tt.kind)
		}
		if rec.Address != tt.address || rec.Reply.Code != tt.reply || rec.Status.String() != tt.status {
			t.Errorf("%s: %q, %d, %q; want %q, %d, %q", tt.name, rec.Address, rec.Reply.Code, rec.Status, tt.address, tt.reply, tt.status)
		}
		if rec.Reason != tt.reason || rec.Permanence != tt.permanence || rec.Suppress != tt.suppress {
			t.Errorf("%s: %s by %s, %s, suppress %v; want %s, %s, %v", tt.name, rec.Reason, rec.Because.Rule, rec.Permanence, rec.Suppress, tt.reason, tt.permanence, tt.suppress)
		}
	}
}

func TestParseKeepsWhatElseIsTold(t *testing.T) {
	reports, err := Parse([]byte(sns(sesBounce)))
	if err != nil {
		t.Fatal(err)
	}
	rep := reports[0]
	if rep.Original.MessageID != "m1@shop.example" || rep.Original.From != "office@shop.example" || rep.ReportingMTA != "a8-7.smtp-out.eu-west-1.amazonses.com" || rep.Date.IsZero() {
		t.Errorf("report %+v, original %+v", rep, rep.Original)
	}
	if got := rep.Recipients[0].ServiceVerdict; got != "Permanent/General" {
		t.Errorf("verdict %q", got)
	}
}

// Opens and clicks are no reports; a batch keeps its order.
func TestParseBatch(t *testing.T) {
	reports, err := Parse([]byte(`[
		{"email":"a@recipient.example","event":"open","sg_event_id":"1"},
		{"email":"b@recipient.example","event":"delivered","sg_event_id":"2","response":"250 2.0.0 OK"},
		{"email":"c@recipient.example","event":"spamreport","sg_event_id":"3"}]`))
	if err != nil || len(reports) != 2 {
		t.Fatalf("%v, %d reports, want 2", err, len(reports))
	}
	if b, c := reports[0], reports[1]; b.Kind != bounce.Success || b.Recipients[0].Permanence != bounce.NoFailure || c.Kind != bounce.Feedback || !c.Recipients[0].Suppress {
		t.Errorf("got %+v and %+v", b, c)
	}
}

func TestParseErrors(t *testing.T) {
	for payload, want := range map[string]error{
		`{"hello":"world"}`: ErrUnknown,
		`{"Type":"SubscriptionConfirmation","TopicArn":"arn","SubscribeURL":"https://sns.example/"}`: ErrSubscription,
		`{"Type":"Notification","TopicArn":"arn","Message":"{\"hello\":1}"}`:                         ErrUnknown,
		"[" + strings.Repeat("{},", 10_001) + "{}]":                                                  ErrTooLarge,
		strings.Repeat(" ", MaxSize+1):                                                               ErrTooLarge,
	} {
		if _, err := Parse([]byte(payload)); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", payload, err, want)
		}
	}
	for _, payload := range []string{"", "no JSON", "[1]", `{"RecordType":5}`, "mandrill_events=%zz", `{"event-data":[]}`} {
		if _, err := Parse([]byte(payload)); err == nil {
			t.Errorf("%q: no error", payload)
		}
	}
}

// A line of events is what one payload tells, a field each: kind, address, reason,
// and whether the address is suppressed.
func lineOf(rep *bounce.Report) string {
	var b strings.Builder
	b.WriteString(string(rep.Kind))
	for _, r := range rep.Recipients {
		fmt.Fprintf(&b, " %s %s", r.Address, r.Reason)
		if r.Suppress {
			b.WriteString(" suppress")
		}
	}
	return b.String()
}

// What services post beside plain bounces, and not as they document it.
func TestParseOtherEvents(t *testing.T) {
	for payload, want := range map[string]string{
		// SES
		`{"notificationType":"Delivery","delivery":{"recipients":["anna@recipient.example"],"smtpResponse":"250 ok","timestamp":"2026-11-24T10:00:00Z"},"mail":{"messageId":"s"}}`:                                               "success anna@recipient.example unknown",
		`{"eventType":"Reject","reject":{"reason":"Bad content"},"mail":{"messageId":"s","destination":["anna@recipient.example"]}}`:                                                                                             "failure anna@recipient.example malware",
		`{"eventType":"DeliveryDelay","deliveryDelay":{"delayType":"MailboxFull"},"mail":{"messageId":"s","destination":["anna@recipient.example"]}}`:                                                                            "delay anna@recipient.example mailbox-full",
		`{"eventType":"Open","mail":{"messageId":"s","destination":["anna@recipient.example"]}}`:                                                                                                                                 "",
		`{"Type":"Notification","TopicArn":"arn","Message":"Successfully validated SNS topic for Amazon SES event publishing."}`:                                                                                                 "",
		`{"notificationType":"Complaint","complaint":{"complainedRecipients":[{"emailAddress":"anna@recipient.example"},{"emailAddress":"bob@recipient.example"}],"complaintFeedbackType":"not-spam"},"mail":{"messageId":"s"}}`: "complaint anna@recipient.example unknown bob@recipient.example unknown",
		// SendGrid
		`[{"event":"bounce","type":"blocked","sg_event_id":"1","email":"anna@recipient.example","bounce_classification":"Invalid Address","reason":"550 rejected"}]`: "failure anna@recipient.example unknown",
		`[{"event":"bounce","sg_message_id":"1","email":"anna@recipient.example","bounce_classification":"Reputation"}]`:                                             "failure anna@recipient.example ip-reputation",
		`[{"event":"dropped","smtp-id":"1","email":"anna@recipient.example","reason":"Spam Content"}]`:                                                               "failure anna@recipient.example spam-content",
		`[{"event":"spamreport","sg_event_id":"1","email":"anna@recipient.example","timestamp":"2026-11-24T10:00:00Z"}]`:                                             "complaint anna@recipient.example complaint suppress",
		`[{"event":"bounce","sg_event_id":"1","msg":"mine","data":{"to":[]},"email":"anna@recipient.example","reason":"550 5.1.1 User unknown"}]`:                    "failure anna@recipient.example unknown-recipient suppress",
		`[null,{"event":"bounce","sg_event_id":"1","email":"anna@recipient.example","reason":"550 5.1.1 User unknown"}]`:                                             "failure anna@recipient.example unknown-recipient suppress",
		// Mailgun
		`{"event-data":{"event":"delivered","recipient":"anna@recipient.example"}}`:                                                "success anna@recipient.example unknown",
		`{"event-data":{"event":"complained","recipient":"anna@recipient.example"}}`:                                               "complaint anna@recipient.example complaint suppress",
		`{"event-data":{"event":"opened","recipient":"anna@recipient.example"}}`:                                                   "",
		`{"event-data":{"event":"failed","severity":"permanent","reason":"suppress-bounce","recipient":"anna@recipient.example"}}`: "failure anna@recipient.example suppressed suppress",
		// Postmark
		`{"RecordType":"SpamComplaint","Email":"anna@recipient.example"}`:                                                   "complaint anna@recipient.example complaint suppress",
		`{"RecordType":"Delivery","Recipient":"anna@recipient.example","DeliveredAt":"2026-11-24T10:00:00Z"}`:               "success anna@recipient.example unknown",
		`{"RecordType":"Bounce","Type":"ChallengeVerification","Email":"anna@recipient.example"}`:                           "challenge anna@recipient.example challenge",
		`{"RecordType":"Bounce","Type":"Transient","Email":"anna@recipient.example","Details":"421 4.7.0 Try again later"}`: "delay anna@recipient.example system",
		`{"RecordType":"Bounce","Type":"BadEmailAddress","Email":"anna@recipient..example"}`:                                "failure anna@recipient..example recipient-syntax suppress",
		`{"RecordType":"Bounce","Type":"Unsubscribe","Email":"anna@recipient.example"}`:                                     "",
		`{"RecordType":"Open","Recipient":"anna@recipient.example"}`:                                                        "",
		// SparkPost
		`[{"msys":{}}]`: "",
		`[{"msys":{"track_event":{"type":"click"}}}]`:       "",
		`[{"msys":{"message_event":{"type":"injection"}}}]`: "",
		`[{"msys":{"gen_event":{"type":"generation_rejection","reason":"recipient address suppressed due to customer policy","rcpt_to":"anna@recipient.example"}}}]`: "failure anna@recipient.example suppressed suppress",
		`[{"msys":{"message_event":{"type":"bounce","bounce_class":60,"rcpt_to":"anna@recipient.example"}}}]`:                                                        "auto-reply anna@recipient.example vacation",
		`[{"msys":{"message_event":{"type":"bounce","bounce_class":"90","rcpt_to":"anna@recipient.example"}}}]`:                                                      "",
		`[{"msys":{"message_event":{"type":"bounce","bounce_class":"100","rcpt_to":"anna@recipient.example"}}}]`:                                                     "challenge anna@recipient.example challenge",
		`[{"msys":{"message_event":{"type":"out_of_band","bounce_class":10,"error_code":null,"rcpt_to":"anna@recipient.example"}}}]`:                                 "failure anna@recipient.example unknown-recipient suppress",
		// Brevo
		`{"event":"blocked","email":"anna@recipient.example","message-id":"1","reason":"blacklist user: hard bounced"}`:      "failure anna@recipient.example suppressed suppress",
		`{"event":"hardBounce","email":"anna@recipient.example","ts_event":1795514400000,"reason":"550 5.1.1 User unknown"}`: "failure anna@recipient.example unknown-recipient suppress",
		`{"event":"spam","email":"anna@recipient.example","message-id":"1","ts_epoch":1795514400000}`:                        "complaint anna@recipient.example complaint suppress",
		`{"event":"click","email":"anna@recipient.example","message-id":"1"}`:                                                "",
		// Mailjet
		`{"event":"blocked","email":"anna@recipient.example","MessageID":"1","error":"preblocked","error_related_to":"mailjet"}`: "failure anna@recipient.example suppressed suppress",
		`{"event":"bounce","email":"anna@recipient.example","mj_campaign_id":1,"hard_bounce":0,"error":"quota exceeded"}`:        "failure anna@recipient.example mailbox-full",
		`{"event":"unsub","email":"anna@recipient.example","MessageID":1}`:                                                       "",
		// Mandrill
		`[{"event":"reject","_id":"1","msg":{"email":"anna@recipient.example","reject_reason":"hard-bounce"}}]`:                                                                                                                                "failure anna@recipient.example suppressed suppress",
		`[{"event":"deferral","_id":"1","msg":{"email":"anna@recipient.example","smtp_events":[{"type":"sent","diag":"250 ok"},{"type":"deferred","diag":"451 4.3.5 Temporarily unavailable, try again later","source_ip":"198.51.100.7"}]}}]`: "delay anna@recipient.example system",
		`[{"event":"send","_id":"1","msg":{"email":"anna@recipient.example"}}]`:                                                                                                                                                                "",
		`[{"type":"blacklist","action":"add","reject":{"email":"anna@recipient.example"}}]`:                                                                                                                                                    "",
		// Resend
		`{"type":"email.complained","created_at":"2026-11-24T10:00:00Z","data":{"email_id":"1","to":["Anna <anna@recipient.example>"]}}`:                                                                                                                                             "complaint anna@recipient.example complaint suppress",
		`{"type":"email.complained","created_at":"x","data":{"email_id":"1","to":["anna@recipient.example","bob@recipient.example"]}}`:                                                                                                                                               "complaint anna@recipient.example complaint bob@recipient.example complaint",
		`{"type":"email.bounced","created_at":"x","data":{"email_id":"1","to":["anna@recipient.example","bob@recipient.example"],"bounce":{"type":"Permanent","subType":"General","message":"bounced","diagnosticCode":["smtp; 550 5.1.1 <bob@recipient.example>: user unknown"]}}}`: "failure anna@recipient.example unknown-recipient bob@recipient.example unknown-recipient suppress",
		`{"type":"email.suppressed","created_at":"x","data":{"email_id":"1","to":"anna@recipient.example","suppressed":{"message":"It is on the suppression list."}}}`:                                                                                                               "failure anna@recipient.example suppressed suppress",
		`{"type":"email.failed","created_at":"x","data":{"email_id":"1","to":["anna@recipient.example"],"failed":{"reason":"reached_daily_quota"}}}`:                                                                                                                                 "failure anna@recipient.example unknown",
		`{"type":"email.opened","created_at":"x","data":{"email_id":"1","to":["anna@recipient.example"]}}`:                                                                                                                                                                           "",
		`{"type":"contact.created","created_at":"x","data":{"id":"1"}}`:                                                                                                                                                                                                              "",
	} {
		reports, err := Parse([]byte(payload))
		if err != nil {
			t.Errorf("%.120s: %v", payload, err)
			continue
		}
		var got []string
		for _, rep := range reports {
			got = append(got, lineOf(rep))
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%.160s\ngot  %s\nwant %s", payload, strings.Join(got, "; "), want)
		}
	}
}

// An event that cannot be read is named, and the others are not lost.
func TestParseKeepsTheRestOfABatch(t *testing.T) {
	reports, err := Parse([]byte(`[
		{"event":"bounce","sg_event_id":"1","email":"anna@recipient.example","reason":"550 5.1.1 User unknown"},
		{"event":"bounce","sg_event_id":"2","email":{"no":"address"}},
		{"hello":"world"},
		{"event":"bounce","sg_event_id":"3","email":"bob@recipient.example","reason":"550 5.1.1 User unknown"}]`))
	if len(reports) != 2 || reports[1].Recipients[0].Address != "bob@recipient.example" {
		t.Fatalf("%d reports", len(reports))
	}
	var wrong *json.UnmarshalTypeError
	if !errors.Is(err, ErrUnknown) || !errors.As(err, &wrong) || !strings.Contains(err.Error(), "event 2") || !strings.Contains(err.Error(), "event 3") {
		t.Errorf("error %v", err)
	}
}

func TestParseTimes(t *testing.T) {
	want := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	for _, stamp := range []string{`1795514400`, `1795514400.25`, `"1795514400"`, `1795514400000`, `"2026-11-24T10:00:00Z"`, `"2026-11-24T11:00:00+01:00"`} {
		reports, err := Parse([]byte(`{"event":"delivered","email":"anna@recipient.example","message-id":"1","ts_event":` + stamp + `}`))
		if err != nil || len(reports) != 1 || !reports[0].Date.Equal(want) {
			t.Errorf("%s: %v, %+v", stamp, err, reports)
		}
	}
	for _, stamp := range []string{`-1`, `1e300`, `"yesterday"`, `{}`, `null`} {
		reports, err := Parse([]byte(`{"event":"delivered","email":"anna@recipient.example","message-id":"1","ts_event":` + stamp + `}`))
		if err != nil || len(reports) != 1 || !reports[0].Date.IsZero() {
			t.Errorf("%s: %v, %+v", stamp, err, reports)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sns(sesBounce)))
	f.Add([]byte(sesBounce))
	f.Add([]byte(`[{"email":"a@b.example","event":"bounce","sg_event_id":"1","reason":"550 no"}]`))
	f.Add([]byte(`{"event-data":{"event":"failed","severity":"permanent","delivery-status":{"code":550,"message":"x"}}}`))
	f.Add([]byte(`{"RecordType":"Bounce","Type":"HardBounce","Content":"From: a\n\nb"}`))
	f.Add([]byte(`[{"msys":{"message_event":{"type":"bounce","error_code":"550"}}}]`))
	f.Add([]byte(`{"event":"soft_bounce","email":"a","message-id":"b"}`))
	f.Add([]byte(`{"event":"bounce","MessageID":1,"error":"user unknown"}`))
	f.Add([]byte("mandrill_events=%5B%5D"))
	f.Add([]byte(`{"type":"email.bounced","created_at":"x","data":{"to":["a","b"]}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		reports, err := Parse(payload)
		for _, rep := range reports {
			for _, rec := range rep.Recipients {
				if rec.Suppress && !rec.Reason.OfAddress() {
					t.Fatalf("suppressed for %s", rec.Reason)
				}
			}
			if _, err := json.Marshal(rep); err != nil {
				t.Fatal(err)
			}
		}
		_ = err
	})
}
