package bounce

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestErr(t *testing.T) {
	all := []error{
		ErrBadRecipient, ErrBadDomain, ErrMailboxInactive, ErrMailboxFull, ErrTooBig, ErrContent, ErrSenderAuth, ErrSenderIdentity, ErrListed, ErrReputation, ErrThrottled, ErrGreylisted,
		ErrPolicy, ErrRelayDenied, ErrTransport, ErrReceiver, ErrExpired, ErrSuppressed, ErrUnclassified, ErrTemporary, ErrPermanent, ErrSuppress,
	}
	for reply, want := range map[string][]error{
		isListed: {ErrListed, ErrPermanent},
		"550 5.1.1 <anna@recipient.example>: Recipient address rejected: User unknown in virtual mailbox table": {ErrBadRecipient, ErrPermanent, ErrSuppress},
		greylisted:             {ErrGreylisted, ErrTemporary},
		fullBox:                {ErrMailboxFull, ErrPermanent},
		"550 no":               {ErrUnclassified, ErrPermanent},
		"452 4.3.1 disk full":  {ErrReceiver, ErrTemporary},
		"250 2.0.0 Ok: queued": nil,
	} {
		err := ParseReply(reply).Err()
		var got []error
		for _, e := range all {
			if errors.Is(err, e) {
				got = append(got, e)
			}
		}
		if len(got) != len(want) || (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", reply, got, want)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: %v, want %v", reply, got, want)
			}
		}
	}
}

func TestErrOfReports(t *testing.T) {
	err := ParseBytes([]byte(dsn(twoRecipients))).Err()
	var one *Error
	if !errors.As(err, &one) || one.Recipient.Address != "anna@recipient.example" || !errors.Is(err, ErrBadRecipient) || !errors.Is(err, ErrGreylisted) {
		t.Errorf("%v, first %+v", err, one)
	}
	if text := one.Error(); !strings.HasPrefix(text, "bounce: anna@recipient.example: unknown-recipient: 550 5.1.1 ") {
		t.Errorf("%q", text)
	}
	expired := ParseBytes([]byte(dsn("Final-Recipient: rfc822; anna@recipient.example\nAction: failed\nStatus: 4.4.7\nDiagnostic-Code: smtp; 450 4.7.1 Greylisted, please try again in 300 seconds\n"))).Err()
	if !errors.Is(expired, ErrExpired) || !errors.Is(expired, ErrGreylisted) {
		t.Errorf("expired: %v", expired)
	}
	for _, message := range []string{"From: a@recipient.example\nSubject: Hello\n\nHello.\n", dsn("Final-Recipient: rfc822; anna@recipient.example\nAction: delivered\nStatus: 2.0.0\n")} {
		if err := ParseBytes([]byte(message)).Err(); err != nil {
			t.Errorf("%v, want nil", err)
		}
	}
}

func TestLogValue(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	log.Info("refused", "bounce", ParseReply(isListed))
	for _, want := range []string{"bounce.kind=failure", "bounce.recipients=1", "bounce.0.reason=ip-listed", "bounce.0.suppress=false", "bounce.0.status=5.7.1", "bounce.0.reply=554", "bounce.0.lists=[zen.spamhaus.org]"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s lacks %s", out.String(), want)
		}
	}
	out.Reset()
	many := &Report{Kind: Failure, Service: "ses", Recipients: make([]Recipient, 5000)}
	log.Info("refused", "bounce", many)
	if s := out.String(); len(s) > 4000 || !strings.Contains(s, "bounce.recipients=5000") || !strings.Contains(s, "bounce.service=ses") {
		t.Errorf("%d octets: %.200s", len(s), s)
	}
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Statement
		want string // reason, permanence, suppress, rule
	}{
		{"the words decide", Statement{Reply: "554 5.7.1 blocked using zen.spamhaus.org", Means: UnknownRecipient}, "ip-listed permanent keep"},
		{"the code stands apart", Statement{Reply: "User unknown", Code: 550, Status: Code{5, 1, 1}}, "unknown-recipient permanent suppress"},
		{"the service alone", Statement{Means: MailboxFull, Permanence: Temporary}, "mailbox-full temporary keep"},
		{"words that say nothing", Statement{Reply: "550 rejected", Means: SpamContent}, "spam-content permanent keep"},
		{"words and service agree", Statement{Reply: "550 rejected: no such user, or policy", Means: UnknownRecipient}, "unknown-recipient permanent suppress"},
		{"a delay", Statement{Reply: "450 4.2.0 greylisted", Action: Delayed}, "greylisted temporary keep"},
		{"a delivery", Statement{Reply: "250 2.0.0 ok", Action: Delivered}, "unknown none keep"},
		{"one of several", Statement{Reply: "550 5.1.1 User unknown", Doubtful: true}, "unknown-recipient permanent keep"},
		{"expired, and the service knows why", Statement{Reply: "554 5.4.7 Delivery expired (message too old)", Means: Greylisted}, "greylisted permanent keep"},
		{"nothing", Statement{}, "unknown  keep"},
	} {
		r := Judge(tt.in)
		got := string(r.Reason) + " " + string(r.Permanence) + map[bool]string{true: " suppress", false: " keep"}[r.Suppress]
		if got != tt.want {
			t.Errorf("%s: %s by %s, want %s", tt.name, got, r.Because.Rule, tt.want)
		}
	}
}

func TestRetryAt(t *testing.T) {
	want := time.Date(2026, 11, 24, 10, 30, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"450 4.7.1 Greylisted, try again after 2026-11-24 10:30:00":              want,
		"450 4.7.1 please retry after 2026-11-24T11:30:00+01:00":                 want,
		"450 4.7.1 Try again after Tue, 24 Nov 2026 10:30:00 +0000":              want,
		"450 4.7.1 Try again after 24 Nov 2026 10:30:00 GMT":                     want,
		"450 4.7.1 Greylisted at 10:30:00, try again after a while":              {},
		"450 4.7.1 Your mail was received at 2026-11-24 10:30:00, no mail today": {},
	} {
		if got := ParseReply(text).Recipients[0].RetryAt; !got.Equal(want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"451 4.7.1 Greylisting in action, please come back in 00:04:57":          0,
		"450 4.7.1 Greylisted, please try again in 300 seconds":                  5 * time.Minute,
		"451 4.7.1 Please try again after 1 hour":                                time.Hour,
		"451 wait 15 min. and try again":                                         15 * time.Minute,
		"450 Greylisted for 2 days, retry later":                                 48 * time.Hour,
		"450 try again in 99999 days":                                            maxRetryAfter,
		"450 4.7.1 try again in 99999999999999999999 seconds":                    0,
		"450 4.7.1 your limit is 300 messages in the last hour, try again later": 0,
	} {
		if got := ParseReply(text).Recipients[0].RetryAfter; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestLegsOfResultFields(t *testing.T) {
	for text, want := range map[string][]Leg{
		"550 5.7.1 Authentication-Results: mx.recipient.example; spf=fail smtp.mailfrom=office@shop.example; dkim=none; dmarc=fail (p=reject) header.from=Shop.example": {
			{Method: "spf", Result: "fail", Domain: "shop.example"}, {Method: "dkim", Result: "none"}, {Method: "dmarc", Result: "fail", Domain: "shop.example"},
		},
		"550 5.7.1 dkim=permerror header.d=shop.example": {{Method: "dkim", Result: "permerror", Domain: "shop.example"}},
		"550 5.7.1 spf=maybe":                            nil,
		"550 5.7.1 nospf=fail and spf=failed, DKIM=":     nil,
		"550 5.7.1 SPF [not closed with ip: = x":         nil,
		"550 5.7.1 spf=fail smtp.mailfrom=not_a_host..x": {{Method: "spf", Result: "fail"}},
	} {
		got := ParseReply(text).Recipients[0].Legs
		if len(got) != len(want) {
			t.Errorf("%s: %+v", text, got)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: %+v, want %+v", text, got[i], want[i])
			}
		}
	}
	if n := len(ParseReply("550 5.7.1 " + strings.Repeat("spf=fail ", 500)).Recipients[0].Legs); n != maxLegs {
		t.Errorf("%d legs, want %d", n, maxLegs)
	}
}
