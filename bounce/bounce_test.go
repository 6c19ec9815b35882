package bounce

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// dsn builds a delivery status notification as Postfix writes it.
func dsn(groups string) string {
	return "Return-Path: <>\nFrom: MAILER-DAEMON@mx.sender.example (Mail Delivery System)\nTo: office@shop.example\nSubject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=\"B1/mx\"\n\n--B1/mx\nContent-Type: text/plain\n\nThis is the mail system at host mx.sender.example.\n\n" +
		"--B1/mx\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.sender.example\nX-Postfix-Queue-ID: 1A2B\n\n" + groups +
		"\n--B1/mx\nContent-Type: message/rfc822\n\nReceived: from pc.shop.example (pc.shop.example [198.51.100.99]) by mx.sender.example\nFrom: Office <office@shop.example>\nTo: anna@recipient.example\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <m1@shop.example>\nDKIM-Signature: v=1; a=rsa-sha256; d=Shop.example; s=k1;\n\tbh=x; b=y\nList-Id: <news.shop.example>\n\nHello.\n--B1/mx--\n"
}

const twoRecipients = `Final-Recipient: rfc822; anna@recipient.example
Original-Recipient: rfc822;anna@recipient.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.recipient.example
Diagnostic-Code: smtp; 550 5.1.1 <anna@recipient.example>: Recipient address
    rejected: User unknown in virtual mailbox table

Final-Recipient: rfc822; bert@recipient.example
Action: delayed
Status: 4.2.0
Remote-MTA: dns; mx.recipient.example
Will-Retry-Until: Sat, 28 Nov 2026 12:00:00 +0000
Diagnostic-Code: smtp; 450 4.2.0 <bert@recipient.example>: Recipient address
    rejected: Greylisted
`

func TestParseReport(t *testing.T) {
	rep := ParseBytes([]byte(dsn(twoRecipients)))
	if rep.Kind != Failure || len(rep.Recipients) != 2 {
		t.Fatalf("kind %s with %d recipients, want a failure with 2", rep.Kind, len(rep.Recipients))
	}
	a, b := rep.Recipients[0], rep.Recipients[1]
	if got, want := []string{a.Address, string(a.Action), a.Status.String(), string(a.Reason), string(a.Permanence), string(a.Response), a.RemoteMTA},
		[]string{"anna@recipient.example", "failed", "5.1.1", "unknown-recipient", "permanent", "suppress", "mx.recipient.example"}; !reflect.DeepEqual(got, want) {
		t.Errorf("first recipient\n got %q\nwant %q", got, want)
	}
	if !a.Suppress {
		t.Error("an unknown recipient is not to be suppressed")
	}
	if got, want := a.Reply.Text, "550 5.1.1 <anna@recipient.example>: Recipient address rejected: User unknown in virtual mailbox table"; got != want {
		t.Errorf("reply %q, want %q", got, want)
	}
	if got := a.Reply.Text[a.Because.Start:a.Because.End]; got != a.Because.Text || got == "" {
		t.Errorf("the decision's place holds %q, its text is %q", got, a.Because.Text)
	}
	if got, want := []string{b.Address, string(b.Action), string(b.Reason), string(b.Permanence), string(b.Response)},
		[]string{"bert@recipient.example", "delayed", "greylisted", "temporary", "retry"}; !reflect.DeepEqual(got, want) {
		t.Errorf("second recipient\n got %q\nwant %q", got, want)
	}
	if b.RetryUntil.IsZero() || b.Suppress {
		t.Errorf("second recipient: retry until %v, suppress %v", b.RetryUntil, b.Suppress)
	}
}

func TestParseQuotedLocalPart(t *testing.T) {
	rep := ParseBytes([]byte(dsn("Final-Recipient: rfc822; \"anna b\"@recipient.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n")))
	if got, want := rep.Recipients[0].Address, `"anna b"@recipient.example`; got != want {
		t.Errorf("address %q, want %q", got, want)
	}
}

func TestParseOriginal(t *testing.T) {
	o := ParseBytes([]byte(dsn(twoRecipients))).Original
	if o == nil {
		t.Fatal("no original")
	}
	got := []string{o.MessageID, o.From, o.To, o.Subject, o.ListID}
	want := []string{"m1@shop.example", "office@shop.example", "anna@recipient.example", "Grüße", "<news.shop.example>"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if len(o.DKIM) != 1 || o.DKIM[0] != (Selector{"shop.example", "k1"}) || !o.Bulk || len(o.Received) != 1 {
		t.Errorf("DKIM %v, bulk %v, received %q", o.DKIM, o.Bulk, o.Received)
	}
}

// The same message in other dress reads the same.
func TestParseIgnoresLineEnds(t *testing.T) {
	message := dsn(twoRecipients)
	want := ParseBytes([]byte(message))
	for name, other := range map[string]string{
		"CRLF":       strings.ReplaceAll(message, "\n", "\r\n"),
		"CR":         strings.ReplaceAll(message, "\n", "\r"),
		"mbox From":  "From MAILER-DAEMON Tue Nov 24 12:00:00 2026\n" + message,
		"unfolded":   strings.ReplaceAll(message, "\n    ", " "),
		"refolded":   strings.ReplaceAll(message, " User unknown", "\n\tUser unknown"),
		"bad type":   strings.ReplaceAll(message, "report-type=delivery-status; ", ""),
		"wrong mark": strings.Replace(message, `boundary="B1/mx"`, `boundary="other"`, 1),
	} {
		got := ParseBytes([]byte(other))
		if len(got.Recipients) != 2 || got.Recipients[0].Reason != want.Recipients[0].Reason || got.Recipients[0].Reply != want.Recipients[0].Reply || got.Recipients[1].Reason != want.Recipients[1].Reason {
			t.Errorf("%s: %+v", name, got.Recipients)
		}
	}
}

func TestParseText(t *testing.T) {
	for _, tt := range []struct {
		name, message  string
		kind           Kind
		address        string
		reason         Reason
		reply          int
		status, remote string
		stage          Stage
		permanence     Permanence
		suppress       bool
	}{
		{
			"exim", "From: Mail Delivery System <Mailer-Daemon@mx.sender.example>\nTo: office@shop.example\nSubject: Mail delivery failed: returning message to sender\nX-Failed-Recipients: anna@recipient.example\n\n" +
				"This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n" +
				"  anna@recipient.example\n    host mx.recipient.example [192.0.2.7]\n    SMTP error from remote mail server after RCPT TO:<anna@recipient.example>:\n    550 5.1.1 <anna@recipient.example> User unknown\n\n" +
				"------ This is a copy of the message, including all the headers. ------\n\nFrom: office@shop.example\nTo: anna@recipient.example\nSubject: Hello\n\nHello.\n",
			Failure, "anna@recipient.example", UnknownRecipient, 550, "5.1.1", "mx.recipient.example", RcptTo, Permanent, true,
		},
		{
			"qmail", "From: MAILER-DAEMON@mx.sender.example\nTo: office@shop.example\nSubject: failure notice\n\nHi. This is the qmail-send program at mx.sender.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n" +
				"<anna@recipient.example>:\n192.0.2.7 failed after I sent the message.\nRemote host said: 552 5.2.2 Mailbox full\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <office@shop.example>\nFrom: office@shop.example\nTo: anna@recipient.example\n\nHello.\n",
			Failure, "anna@recipient.example", MailboxFull, 552, "5.2.2", "", EndData, Permanent, false,
		},
		{
			"postfix plain text", "From: MAILER-DAEMON@mx.sender.example (Mail Delivery System)\nTo: office@shop.example\nSubject: Undelivered Mail Returned to Sender\n\nThis is the mail system at host mx.sender.example.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n" +
				"<anna@recipient.example>: host mx.recipient.example[192.0.2.7] said: 554 5.7.1\n    Service unavailable; Client host [198.51.100.23] blocked using\n    zen.spamhaus.org (in reply to RCPT TO command)\n",
			Failure, "anna@recipient.example", IPListed, 554, "5.7.1", "mx.recipient.example", RcptTo, Permanent, false,
		},
		{
			"sendmail delay", "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.sender.example>\nTo: office@shop.example\nSubject: Warning: could not send message for past 4 hours\n\n    **********************************************\n    **      THIS IS A WARNING MESSAGE ONLY      **\n    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n    **********************************************\n\n   ----- The following addresses had transient non-fatal errors -----\n<anna@recipient.example>\n\n   ----- Transcript of session follows -----\n<anna@recipient.example>... Deferred: Connection timed out with mx.recipient.example.\nWarning: message still undelivered after 4 hours\nWill keep trying until message is 5 days old\n",
			Delay, "anna@recipient.example", Network, 0, "", "", "", Temporary, false,
		},
	} {
		rep := ParseBytes([]byte(tt.message))
		if rep.Kind != tt.kind || len(rep.Recipients) != 1 {
			t.Errorf("%s: kind %s with %d recipients: %+v", tt.name, rep.Kind, len(rep.Recipients), rep.Recipients)
			continue
		}
		r := rep.Recipients[0]
		got := []any{r.Address, r.Reason, r.Reply.Code, r.Status.String(), r.RemoteMTA, r.Stage, r.Permanence, r.Suppress}
		want := []any{tt.address, tt.reason, tt.reply, tt.status, tt.remote, tt.stage, tt.permanence, tt.suppress}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %v\nwant %v\nquoted %s", tt.name, got, want, r.Quoted)
		}
	}
}

func TestParseIsSilentAboutOtherMail(t *testing.T) {
	for name, message := range map[string]string{
		"letter":     "From: Anna <anna@recipient.example>\nTo: office@shop.example\nSubject: Lunch\n\nCould you write to bert@other.example? His mailbox was full.\n",
		"newsletter": "From: News <news@shop.example>\nTo: anna@recipient.example\nSubject: Delivery problems? Read our tips\nList-Id: <n.shop.example>\n\nAsk help@shop.example about it.\n",
		"binary":     "\x00\x01\x02\xff\xfe",
		"empty":      "",
	} {
		if rep := ParseBytes([]byte(message)); rep.Kind != OtherKind || len(rep.Recipients) != 0 {
			t.Errorf("%s: called a %s with %+v", name, rep.Kind, rep.Recipients)
		}
	}
}

func TestParseReceipt(t *testing.T) {
	rep := ParseBytes([]byte("From: anna@recipient.example\nTo: office@shop.example\nSubject: Read: Lunch\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\nContent-Type: text/plain\n\nRead.\n--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;anna@recipient.example\nDisposition: manual-action/MDN-sent-manually; displayed\n--b--\n"))
	if rep.Kind != ReadReceipt || rep.Receipt == nil || rep.Receipt.Disposition != "manual-action/MDN-sent-manually; displayed" {
		t.Fatalf("got %+v", rep)
	}
	if r := rep.Recipients[0]; r.Address != "anna@recipient.example" || r.Reason != Receipted || r.Suppress || r.Permanence != NoFailure {
		t.Errorf("recipient %+v", r)
	}
}

func TestParseAutoReply(t *testing.T) {
	rep := ParseBytes([]byte("From: anna@recipient.example\nTo: office@shop.example\nSubject: Out of office: Lunch\nAuto-Submitted: auto-replied\n\nI am away until Monday.\n"))
	if rep.Kind != AutoReply || len(rep.Recipients) != 1 || rep.Recipients[0].Reason != Vacation || rep.Recipients[0].Suppress {
		t.Errorf("got %+v", rep)
	}
}

func TestParseComplaint(t *testing.T) {
	rep := ParseBytes([]byte("From: fbl@receiver.example\nSubject: complaint\nContent-Type: multipart/report; report-type=feedback-report; boundary=f\n\n--f\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: R/1\nVersion: 1\nOriginal-Mail-From: <b+anna=recipient.example@shop.example>\nSource-IP: 198.51.100.10\n\n--f\nContent-Type: message/rfc822\n\nFrom: news@shop.example\nTo: redacted@redacted.invalid\nMessage-ID: <n1@shop.example>\n\nNews.\n--f--\n"))
	if rep.Kind != Feedback || rep.Complaint == nil || rep.Complaint.SourceIP.String() != "198.51.100.10" {
		t.Fatalf("got %+v", rep)
	}
	if len(rep.Recipients) != 1 || rep.Recipients[0].Address != "anna@recipient.example" || !rep.Recipients[0].Suppress {
		t.Errorf("recipients %+v, want the address of the return path", rep.Recipients)
	}
}

func TestParseWithoutRecipientStillSaysWhy(t *testing.T) {
	rep := ParseBytes([]byte("From: MAILER-DAEMON@mx.sender.example\nTo: office@shop.example\nSubject: Undelivered mail\n\nYour message could not be delivered:\n554 5.7.1 Service unavailable; Client host [198.51.100.23] blocked using bl.spamcop.net\n"))
	if rep.Kind != Failure || len(rep.Recipients) != 1 || rep.Recipients[0].Address != "" || rep.Recipients[0].Reason != IPListed {
		t.Errorf("got %+v", rep)
	}
}

func TestParseErrors(t *testing.T) {
	if _, err := Parse(strings.NewReader(" \n")); !errors.Is(err, ErrEmpty) {
		t.Errorf("empty: %v, want ErrEmpty", err)
	}
	broken := errors.New("disk gone")
	if _, err := Parse(io.MultiReader(strings.NewReader("From: a"), failingReader{broken})); !errors.Is(err, broken) {
		t.Errorf("broken reader: %v", err)
	}
	long := dsn(twoRecipients) + strings.Repeat("x", MaxSize)
	rep, err := Parse(strings.NewReader(long))
	if err != nil || len(rep.Recipients) != 2 || len(rep.Omitted) == 0 {
		t.Errorf("a message beyond the limit: %v, %d recipients, omitted %q", err, len(rep.Recipients), rep.Omitted)
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

func TestParseBoundsNesting(t *testing.T) {
	var b strings.Builder
	b.WriteString("From: a@b.example\n")
	for i := range 100 {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=x%dx\n\n--x%dx\n", i, i)
	}
	if rep := ParseBytes([]byte(b.String())); len(rep.Omitted) == 0 {
		t.Error("deep nesting went unsaid")
	}
	many := "Content-Type: multipart/mixed; boundary=x\n\n" + strings.Repeat("--x\n\nhello\n", 1000)
	if rep := ParseBytes([]byte(many)); len(rep.Omitted) == 0 {
		t.Error("a thousand parts went unsaid")
	}
}

// What another server says of the sender's relay is no fault of the address.
func TestUnresolvedRelayKeepsTheAddress(t *testing.T) {
	for name, want := range map[string]Reason{"recipient.example": UnknownDomain, "mx.recipient.example": UnknownDomain, "relay.shop.example": DNSFailure} {
		rep := ParseBytes([]byte(dsn("Final-Recipient: rfc822; anna@recipient.example\nAction: failed\nStatus: 5.4.4\nDiagnostic-Code: X-Postfix; Host or domain name not found. Name service error for\n    name=" + name + " type=A: Host not found\n")))
		if r := rep.Recipients[0]; r.Reason != want || r.Suppress != (want == UnknownDomain) {
			t.Errorf("%s: %s, suppress %v", name, r.Reason, r.Suppress)
		}
	}
}

func TestFeedbackReportsThatAreNoComplaint(t *testing.T) {
	for _, tt := range []struct {
		fields   string
		reason   Reason
		suppress bool
	}{
		{"abuse", Complaint, true},
		{"opt-out", Complaint, true},
		{"not-spam", ReasonUnknown, false},
		{"fraud", Complaint, false},
		{"auth-failure", Unauthenticated, false},
		{"auth-failure\nAuth-Failure: bodyhash", DKIMFailed, false},
		{"auth-failure\nAuth-Failure: dmarc\nDelivery-Result: reject", DMARCFailed, false},
	} {
		rep := ParseBytes([]byte("From: fbl@receiver.example\nSubject: report\nContent-Type: multipart/report; boundary=f\n\n--f\nContent-Type: message/feedback-report\n\nFeedback-Type: " + tt.fields + "\nOriginal-Rcpt-To: anna@recipient.example\n\n--f--\n"))
		if r := rep.Recipients[0]; rep.Kind != Feedback || r.Reason != tt.reason || r.Suppress != tt.suppress || tt.suppress == (r.Response == Ignore) {
			t.Errorf("%s: %s, %+v", tt.fields, rep.Kind, r)
		}
	}
}

func TestQuotedReportIsNoBounce(t *testing.T) {
	rep := ParseBytes([]byte("From: Anna <anna@recipient.example>\nTo: office@shop.example\nSubject: What is this?\n\nI got this:\n\nFinal-Recipient: rfc822; bert@recipient.example\nAction: failed\nStatus: 5.1.1\n\nWhat does it mean?\n"))
	if len(rep.Recipients) != 0 || rep.Kind != OtherKind {
		t.Errorf("%s with %+v", rep.Kind, rep.Recipients)
	}
}

func TestReadBackDropsBadPlaces(t *testing.T) {
	var rec Recipient
	if err := json.Unmarshal([]byte(`{"text":"short","mentions":[{"kind":"ip","value":"192.0.2.1","start":80,"end":90},{"kind":"ip","value":"192.0.2.2","start":0,"end":5}],"because":{"rule":"x","start":3,"end":99}}`), &rec); err != nil {
		t.Fatal(err)
	}
	if len(rec.Mentions) != 1 || rec.Because.End != 0 {
		t.Errorf("%+v, %+v", rec.Mentions, rec.Because)
	}
}

func TestReportJSONReadsBack(t *testing.T) {
	for _, want := range []*Report{
		ParseBytes([]byte(dsn(twoRecipients))),
		ParseReply("554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org, see https://www.spamhaus.org/query/ip/198.51.100.23"),
	} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := &Report{}
		if err := json.Unmarshal(b, got); err != nil {
			t.Fatal(err)
		}
		again, _ := json.Marshal(got)
		if !bytes.Equal(b, again) {
			t.Errorf("read back as\n%s\nwant\n%s", again, b)
		}
		if want.Original == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(dsn(twoRecipients)))
	f.Add([]byte("From: MAILER-DAEMON@a.example\nSubject: failure notice\n\n<b@c.example>:\nRemote host said: 550 x\n"))
	f.Add([]byte("Content-Type: text/html; charset=iso-2022-jp\nContent-Transfer-Encoding: base64\n\nPGI+"))
	f.Add([]byte("Content-Type: multipart/report; boundary=\n\n--\n--\n"))
	files, err := filepath.Glob("testdata/bounces/*.eml")
	if err != nil || len(files) == 0 {
		f.Fatal("no bounces")
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		rep := ParseBytes(message)
		for _, r := range rep.Recipients {
			if r.Reason == "" || r.Category == "" {
				t.Fatalf("a recipient without a reason: %+v", r)
			}
			if r.Suppress && !r.Reason.OfAddress() {
				t.Fatalf("suppressed for %s", r.Reason)
			}
		}
		first, err := json.Marshal(rep)
		if err != nil {
			t.Fatal(err)
		}
		var back Report
		if err := json.Unmarshal(first, &back); err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(&back); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\n%s\nreads back as\n%s", err, first, second)
		}
	})
}

// FuzzReaders gives every reader of a container what only the others would keep
// from it.
func FuzzReaders(f *testing.F) {
	for _, s := range []string{
		"Final-Recipient: utf-8; \\x{42F}@recipient.example\nAction: failed\n folded\n\nStatus: 5.1.1 (no)",
		"<anna@recipient.example>: host mx.recipient.example[192.0.2.1] said: 550-5.1.1 no\n    550 no",
		"Remote Server returned '550 5.1.1 no'\nanna@recipient.example\n#< #5.1.1 smtp;550 5.1.1 no> #SMTP#",
		"Feedback-Type: abuse\nSource-IP: [192.0.2.1]\nReported-URI: http://shop.example/\nIncidents: 3",
		"Disposition: automatic-action/MDN-sent-automatically; deleted/error\nFinal-Recipient: rfc822;a@recipient.example",
		"=E3=8\n=\n=4g", "PGI+\n=\n", "<b>a<br>b<style>x</style>&#x26;&bogus;", "=?iso-2022-jp?B?GyRC?= =?x?q?=?=",
		"SPF [shop.example] with ip: [192.0.2.1] = did not pass dkim=fail header.d=shop.example", "try again after 2026-11-24 10:00:00 or in 5 minutes",
		`{"Type":"Notification","Message":"{\"notificationType\":\"Bounce\",\"bounce\":{\"bouncedRecipients\":[{}]}}"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := []byte(s)
		for _, g := range append(readGroups(b, nil), plainFields(s)...) {
			readRecipient(g)
		}
		textBlocks(s, nil).generated("a@recipient.example", "mx.recipient.example", s)
		exchangeBlocks(s, 0, nil).of("a@recipient.example")
		readAbuse(b)
		readReceipt(b)
		if decoded := decodeQuoted(b); len(decoded) > len(b) {
			t.Fatalf("%d octets from %d", len(decoded), len(b))
		}
		decodeBase64(b)
		decodeWords(s)
		verpAddress(s)
		if text := htmlText(s); len(text) > 8*len(s) {
			t.Fatalf("%d octets of text from %d of HTML", len(text), len(s))
		}
		if len(readLegs(s)) > maxLegs {
			t.Fatal("too many legs")
		}
		if d := retryAfter(s); d < 0 || d > maxRetryAfter {
			t.Fatalf("wait %v", d)
		}
		retryAt(s)
		if rep, err := DefaultRules().ParseSES(b); err == nil && rep.Kind == "" {
			t.Fatal("a report without a kind")
		}
	})
}

// Cost is linear: four times the input takes about four times the work. Work is
// counted in allocated bytes, which no busy machine changes.
func TestCostIsLinear(t *testing.T) {
	DefaultRules()
	head := "From: MAILER-DAEMON@a.example\nSubject: Undelivered mail\n"
	for name, unit := range map[string]string{
		"brackets":   "<",
		"addresses":  "<a@b.example> ",
		"recipients": "<a%d@b.example>: 550 5.1.1 user unknown\n",
		"markers":    "user unknown spamhaus.org/query/ip/1 ",
		"codes":      "550 5.1.1 ",
		"fields":     "Final-Recipient: rfc822; a%d@b.example\nAction: failed\nStatus: 5.0.0\n\n",
		"open tags":  "<a@",
		"boundaries": "--x\n",
	} {
		work := func(n int) float64 {
			var b strings.Builder
			b.WriteString(head)
			switch name {
			case "fields":
				b.WriteString("Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\n")
			case "boundaries":
				b.WriteString("Content-Type: multipart/mixed; boundary=x\n\n")
			default:
				b.WriteString("\n")
			}
			for i := 0; b.Len() < n; i++ {
				b.WriteString(strings.ReplaceAll(unit, "%d", fmt.Sprint(i)))
			}
			message := []byte(b.String())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ParseBytes(message)
			runtime.ReadMemStats(&after)
			return float64(after.TotalAlloc - before.TotalAlloc)
		}
		if small, large := work(16<<10), work(64<<10); large > 8*small+1<<20 {
			t.Errorf("%s: four times the input allocates %.0f bytes, %.1f times as much", name, large, large/small)
		}
	}
}

// The returned mail is there with its text where the bounce holds that.
func TestReturnedMessage(t *testing.T) {
	whole := dsn(twoRecipients)
	at := strings.Index(whole, "Content-Type: message/rfc822\n\n")
	mail := strings.TrimSuffix(whole[at+len("Content-Type: message/rfc822\n\n"):], "--B1/mx--\n")
	for name, tt := range map[string]struct{ bounce, want string }{
		"a mail":         {whole, mail},
		"without a text": {strings.Replace(whole, "\nHello.\n", "", 1), ""},
		"its header":     {strings.Replace(whole, "Content-Type: message/rfc822", "Content-Type: text/rfc822-headers", 1), ""},
	} {
		rep := ParseBytes([]byte(tt.bounce))
		if rep.Original == nil || rep.Original.From != "office@shop.example" || string(rep.Original.Message()) != tt.want {
			t.Errorf("%s: %q, want %q", name, rep.Original.Message(), tt.want)
		}
	}
}
