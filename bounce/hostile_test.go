package bounce

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/unicode"
)

// What a message or a reply leaves out is told, and nothing is told that is not so.
func TestOmitted(t *testing.T) {
	report := func(fields string) string {
		return "From: MAILER-DAEMON@mx.shop.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.shop.example\n\n" + fields + "\n--b--\n"
	}
	var many, lines, names strings.Builder
	for i := range 10_050 {
		fmt.Fprintf(&many, "Final-Recipient: rfc822; user%d@recipient.example\nAction: failed\nStatus: 5.1.1\n\n", i)
		fmt.Fprintf(&names, " user%d@recipient.example,", i)
		if i%30 == 29 {
			names.WriteString("\n")
		}
	}
	for range maxFolds + 50 {
		lines.WriteString("  550-5.7.1 no\n")
	}
	for name, tt := range map[string]struct {
		message, omitted string
		recipients       int
	}{
		"recipients":       {report(many.String()), "recipients beyond 10,000", 10_000},
		"named recipients": {"From: MAILER-DAEMON@mx.shop.example\nX-Failed-Recipients:\n" + names.String() + "\nundeliverable\n", "the end of a header field over 64 KiB", 2377},
		"folds":            {report("Final-Recipient: rfc822; anna@recipient.example\nAction: failed\nDiagnostic-Code: smtp;\n" + lines.String()), "further lines of a folded field", 1},
		"a long reply":     {report("Final-Recipient: rfc822; anna@recipient.example\nAction: failed\nDiagnostic-Code: smtp; 550 5.7.1 " + strings.Repeat("no ", 20_000) + "\n"), "the end of a long reply", 1},
		"fields":           {report("Final-Recipient: rfc822; anna@recipient.example\nAction: failed\n" + strings.Repeat("X-More: yes\n", 100)), "further fields of a recipient", 1},
		"nothing":          {report("Final-Recipient: rfc822; anna@recipient.example\nAction: failed\nStatus: 5.1.1\n\n--b\nContent-Type: text/rfc822-headers\n\nFrom: office@shop.example\nContent-Type: multipart/alternative; boundary=c\n"), "", 1},
	} {
		rep := ParseBytes([]byte(tt.message))
		if got := strings.Join(rep.Omitted, "; "); got != tt.omitted || len(rep.Recipients) != tt.recipients {
			t.Errorf("%s: omitted %q, %d recipients; want %q, %d", name, got, len(rep.Recipients), tt.omitted, tt.recipients)
		}
	}
}

// Dates that RFC 3339 cannot write are dropped, not the report.
func TestImpossibleDates(t *testing.T) {
	for _, date := range []string{"Tue, 24 Nov 2026 10:00:00 +2400", "Tue, 24 Nov 0000 10:00:00 +0000", "Fri, 31 Dec 9999 23:59:59 -9900"} {
		rep := ParseBytes([]byte("From: MAILER-DAEMON@mx.shop.example\nDate: " + date + "\nSubject: failure notice\n\n<anna@recipient.example>: 550 5.1.1 no such user\n"))
		if _, err := json.Marshal(rep); err != nil || len(rep.Recipients) != 1 {
			t.Errorf("%s: %v", date, err)
		}
	}
	rep := ParseReply("451 4.7.1 try again after 9999-12-31 23:59:59 -0100")
	if _, err := json.Marshal(rep); err != nil {
		t.Error(err)
	}
}

func TestByteOrderMarks(t *testing.T) {
	message := dsn(twoRecipients)
	want := essence(ParseBytes([]byte(message)))
	for name, encoding := range map[string]unicode.Endianness{"big": unicode.BigEndian, "little": unicode.LittleEndian} {
		encoded, err := unicode.UTF16(encoding, unicode.UseBOM).NewEncoder().String(message)
		if err != nil {
			t.Fatal(err)
		}
		if got := essence(ParseBytes([]byte(encoded))); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("UTF-16, %s endian: %q, want %q", name, got, want)
		}
	}
	if got := essence(ParseBytes([]byte("\xef\xbb\xbf" + message))); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("UTF-8: %q, want %q", got, want)
	}
}

// The work for a text twice as long is about twice as much, whatever the text
// repeats: allocations stand for time, which varies.
func TestRepliesOfRepetitions(t *testing.T) {
	for _, unit := range []string{"a 550 5.1.1 b ", "x5.1.1 ", "said: 550 5.1.1 ", "host x said: ", "550-5.1.1 x\n", "(generated from a@b.example) ", "blocked using ", "[192.0.2.1]", "spf=fail ", "<a@b.example>... ", "in 300 seconds "} {
		cost := func(n int) float64 {
			text := "550-5.1.1 q x: 550 5.1.1 " + strings.Repeat(unit, n/len(unit))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 10 {
				ParseReply(text)
			}
			runtime.ReadMemStats(&after)
			return float64(after.TotalAlloc - before.TotalAlloc)
		}
		cost(1 << 10)
		if short, long := cost(8<<10), cost(32<<10); long > 8*short+(1<<20) {
			t.Errorf("%q: %.0f octets allocated for 8 KiB, %.0f for 32 KiB", unit, short, long)
		}
	}
}

func TestFromErrorOfOthers(t *testing.T) {
	for _, err := range []error{
		otherError{404, "The requested user does not exist"}, &otherError{503, "backend error"}, hollowError{}, &hollowError{}, fmt.Errorf("no: %w", otherError{550, "no such user"}),
	} {
		rep := FromError(err)
		if len(rep.Recipients) != 1 || rep.Recipients[0].Reply.Code != 0 || rep.Recipients[0].Suppress {
			t.Errorf("%T: %+v", err, rep.Recipients)
		}
	}
}

// otherError has the shape of an HTTP client's errors.
type otherError struct {
	Code    int
	Message string
}

func (e otherError) Error() string { return "googleapi: " + e.Message }

type hollowError struct{ *otherError }

func (hollowError) Error() string { return "hollow" }

func TestErrOfNobody(t *testing.T) {
	rep := &Report{Kind: Failure}
	if err := rep.Err(); !errors.Is(err, ErrUnclassified) || err.Error() != "bounce: unknown" {
		t.Errorf("%v", err)
	}
}

func TestComplaintsOfServices(t *testing.T) {
	if rep := Complained(Abuse{Type: "Abuse", OriginalRcptTo: []string{"anna@recipient.example"}}, nil); !rep.Recipients[0].Suppress {
		t.Errorf("%+v", rep.Recipients)
	}
	rep, err := DefaultRules().ParseSES([]byte(`{"notificationType":"Complaint","complaint":{"complainedRecipients":[{"emailAddress":"anna@recipient.example"},{"emailAddress":"bob@recipient.example"}]},"mail":{"messageId":"s"}}`))
	if err != nil || len(rep.Recipients) != 2 {
		t.Fatalf("%v", err)
	}
	for _, r := range rep.Recipients {
		if r.Suppress || r.Response == Suppress {
			t.Errorf("%s: one of two complained, and %s is to be suppressed", r.Address, r.Address)
		}
	}
}

func TestReportJSONRefusesNonsense(t *testing.T) {
	for _, s := range []string{`{"reply":"abc"}`, `{"retry_after":"soon"}`, `{"status":"5"}`} {
		var r Recipient
		if err := json.Unmarshal([]byte(s), &r); err == nil {
			t.Errorf("%s: no error", s)
		}
	}
	var r Recipient
	if err := json.Unmarshal([]byte(`{"reply":"550","retry_after":"5m0s"}`), &r); err != nil || r.Reply.Code != 550 || r.RetryAfter != 5*time.Minute {
		t.Errorf("%v, %+v", err, r)
	}
}

// UTF-8 under the name of another character set reads as UTF-8.
func TestMislabelledCharset(t *testing.T) {
	for charset, want := range map[string]string{"us-ascii": "zugestellt: Empfänger", "iso-8859-1": "zugestellt: Empfänger", "iso-2022-jp": "zugestellt: Empfänger"} {
		rep := ParseBytes([]byte("From: MAILER-DAEMON@mx.shop.example\nSubject: Unzustellbar\nContent-Type: text/plain; charset=" + charset + "\n\n<anna@recipient.example>: nicht zugestellt: Empfänger unbekannt\n"))
		if len(rep.Recipients) != 1 || !strings.Contains(rep.Recipients[0].Reply.Text, want) || rep.Recipients[0].Reason != UnknownRecipient {
			t.Errorf("%s: %+v", charset, rep.Recipients)
		}
	}
	rep := ParseBytes([]byte("From: MAILER-DAEMON@mx.shop.example\nSubject: Unzustellbar\nContent-Type: text/plain; charset=iso-8859-1\n\n<anna@recipient.example>: nicht zugestellt: Empf\xe4nger unbekannt\n"))
	if rep.Recipients[0].Reason != UnknownRecipient {
		t.Errorf("%+v", rep.Recipients)
	}
}
