package bounce

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"reflect"
	"slices"
	"testing"
)

func TestParseReply(t *testing.T) {
	for _, tt := range []struct {
		reply      string
		code       int
		status     string
		reason     Reason
		permanence Permanence
		response   Response
		suppress   bool
	}{
		{"550 5.1.1 <anna@recipient.example>: Recipient address rejected: User unknown in virtual mailbox table", 550, "5.1.1", UnknownRecipient, Permanent, Suppress, true},
		{"554 5.7.1 Service unavailable; Client host [198.51.100.23] blocked; Listed on cbl.abuseat.org", 554, "5.7.1", IPListed, Permanent, Delist, false},
		{"550 5.4.1 Recipient address rejected: Access denied", 550, "5.4.1", UnknownRecipient, Permanent, Suppress, true},
		{"554 5.7.1 <anna@recipient.example>: Recipient address rejected: Access denied", 554, "5.7.1", PolicyRefusal, Permanent, AskRecipient, false},
		{"550 5.7.1 Sender's domain does not exist", 550, "5.7.1", SenderUnknown, Permanent, FixSender, false},
		{"552 5.2.2 Mailbox full", 552, "5.2.2", MailboxFull, Permanent, Retry, false},
		{"450 4.2.0 <anna@recipient.example>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/recipient.example.html", 450, "4.2.0", Greylisted, Temporary, Retry, false},
		{"554 5.7.1 <anna@recipient.example>: Relay access denied", 554, "5.7.1", RelayDenied, Permanent, FixSender, false},
		{"550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [VI1EUR04FT045.eop-eur04.prod.protection.outlook.com]", 550, "5.4.1", UnknownRecipient, Permanent, Suppress, true},
		{"550-5.7.25 [2001:db8:25::1] The IP address sending this message does not have a\n550-5.7.25 PTR record setup, or the corresponding forward DNS entry does not\n550-5.7.25 point to the sending IP. As a policy, Gmail does not accept messages\n550 5.7.25 from IPs with missing PTR records. - gsmtp", 550, "5.7.25", PTR, Permanent, FixSender, false},
		{"550 5.7.1 Unfortunately, messages from [198.51.100.23] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).", 550, "5.7.1", IPReputation, Permanent, SlowDown, false},
		{"421 4.7.0 Try again later, closing connection.", 421, "4.7.0", RateLimited, Temporary, SlowDown, false},
		{"550 5.0.0", 550, "5.0.0", ReasonUnknown, Permanent, AskRecipient, false},
		{"550", 550, "", ReasonUnknown, Permanent, AskRecipient, false},
		{"nonsense", 0, "", ReasonUnknown, "", AskRecipient, false},
		{"", 0, "", ReasonUnknown, "", AskRecipient, false},
		{"571 5.7.1 Message blocked by DMARC", 571, "5.7.1", DMARCFailed, Permanent, FixSender, false},
	} {
		r := ParseReply(tt.reply).Recipients[0]
		got := []any{r.Reply.Code, r.Status.String(), r.Reason, r.Permanence, r.Response, r.Suppress}
		want := []any{tt.code, tt.status, tt.reason, tt.permanence, tt.response, tt.suppress}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q\n got %v by %s\nwant %v", tt.reply, got, r.Because.Rule, want)
		}
		if got := r.Because.Text; r.Because.End > 0 && got != r.Reply.Text[r.Because.Start:r.Because.End] {
			t.Errorf("%q: the place of the decision does not hold %q", tt.reply, got)
		}
	}
}

func TestReplyTextIsJoined(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"550-5.7.26 Unauthenticated email\r\n550-5.7.26 from shop.example\r\n550 5.7.26 is not accepted", "550 5.7.26 Unauthenticated email from shop.example is not accepted"},
		{"550-first\n550 second", "550 first second"},
		{"550\n5.1.1 no such\nuser here", "550 5.1.1 no such user here"},
		{"550-5.1.1 The email account 550-5.1.1 does not exist 550 5.1.1 https://help.example", "550 5.1.1 The email account does not exist https://help.example"},
		{"550 5.7.1 blocked\n5.7.1 using a list", "550 5.7.1 blocked using a list"},
		{"  451   4.7.1\tslow  down ", "451 4.7.1 slow down"},
	} {
		if got := ParseReply(tt.in).Recipients[0].Reply.Text; got != tt.want {
			t.Errorf("%q reads %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestInnermostReply(t *testing.T) {
	for _, tt := range []struct {
		in       string
		code     int
		enhanced string
		remote   string
		stage    Stage
	}{
		{"host mx.recipient.example[192.0.2.7] said: 550 5.1.1 unknown (in reply to RCPT TO command)", 550, "5.1.1", "mx.recipient.example", RcptTo},
		{"SMTP error from remote mail server after end of data: host mx.recipient.example [192.0.2.7]: 552 5.3.4 too big", 552, "5.3.4", "mx.recipient.example", EndData},
		{"554 5.4.7 [internal] message timeout (last transfail: 454 4.7.0 slow down)", 454, "4.7.0", "", ""},
		{"Remote Server returned '550 5.7.1 rejected by policy'", 550, "5.7.1", "", ""},
		{"550 5.1.7 <a@sender.example>: Sender address rejected: undeliverable address: host mx.sender.example[198.51.100.9] said: 550 5.1.1 unknown", 550, "5.1.7", "", ""},
		{"220-mx.recipient.example 421 4.2.1 refused", 421, "4.2.1", "", ""},
		{"connect to mx.recipient.example[192.0.2.7]:25: Connection timed out", 0, "", "", ""},
		{"server 5.0.2.1 at 192.0.2.5 took 250 messages", 0, "", "", ""},
	} {
		r := ParseReply(tt.in).Recipients[0]
		got := []any{r.Reply.Code, r.Reply.Enhanced.String(), r.RemoteMTA, r.Stage}
		want := []any{tt.code, tt.enhanced, tt.remote, tt.stage}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q\n got %v\nwant %v", tt.in, got, want)
		}
	}
}

func TestMentions(t *testing.T) {
	for _, tt := range []struct{ in, list, item string }{
		{"554 5.7.1 Service unavailable; Client host [198.51.100.23] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/198.51.100.23", "zen.spamhaus.org", "198.51.100.23"},
		{"554 blocked, see https://www.spamcop.net/bl.shtml?203.0.113.140", "bl.spamcop.net", "203.0.113.140"},
		{"550 198.51.100.7 is in a black list at rbl.unheard-of.example", "rbl.unheard-of.example", "198.51.100.7"},
		{"550 Mail from 198.51.100.7 listed in spam.dnsbl.sorbs.net", "spam.dnsbl.sorbs.net", "198.51.100.7"},
		{"550 [2001:db8::7] blocked using bl.spamcop.net", "bl.spamcop.net", "2001:db8::7"},
		{"550 User not found in mail.customer.example", "", ""},
		{"550 rejected by the gateway.corp.example policy", "", ""},
		{"550 blocked by mx1.receiver.example", "", ""},
		{"550 write to abuse@zen.spamhaus.org", "", ""},
		{"554 5.7.1 Error: open resolver; https://www.spamhaus.org/returnc/pub/192.0.2.53", "", ""},
	} {
		r := ParseReply(tt.in).Recipients[0]
		list, item := "", ""
		for _, m := range r.Mentions {
			if m.Kind == MentionList {
				list, item = m.Value, m.Item
				if m.End > len(r.Reply.Text) || m.Start > m.End {
					t.Errorf("%q: place %d-%d", tt.in, m.Start, m.End)
				}
				break
			}
		}
		if r.Reason == Misconfigured {
			list, item = "", ""
		}
		if list != tt.list || item != tt.item {
			t.Errorf("%q names %q with %q, want %q with %q", tt.in, list, item, tt.list, tt.item)
		}
	}
}

// What is on a list is the address, a domain or a link, by the words.
func TestWhatIsListed(t *testing.T) {
	for in, want := range map[string]Reason{
		"554 5.7.1 Sorry, your IP has been found on a block list":                                             IPListed,
		"554 5.7.1 Your IP address 198.51.100.7 is on our blocklist":                                          IPListed,
		"554 5.7.1 198.51.100.7 listed at zen.spamhaus.org; link.shop.example listed at multi.surbl.org":      IPListed,
		"550 5.7.1 This reply contains a link to a help page. 198.51.100.7 is blocked using zen.spamhaus.org": IPListed,
		"554 5.7.1 The sending domain has been found on a blacklist":                                          DomainListed,
		"550 5.7.1 Domain shop.example was found on a blocklist":                                              DomainListed,
		"550 5.7.1 URL in your message is listed in Spamhaus DBL (short.example)":                             URLReputation,
		"550 5.7.1 Sender address office@shop.example has been blocklisted":                                   ReasonUnknown,
		"550 5.7.1 Message contains a link to a page that explains our policy: you must authenticate":         AuthRequired,
		"550 5.1.8 DNS domain shop.example does not exist":                                                    SenderUnknown,
		"550 5.4.310 DNS domain recipient.example does not exist [Message=InfoDomainNonexistent]":             UnknownDomain,
	} {
		if got := ParseReply(in).Recipients[0].Reason; got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// The number of a section, or of a version, is no address.
func TestNumbersThatAreNoAddress(t *testing.T) {
	for in, want := range map[string][]string{
		"550 5.5.4 HELO refused, see RFC 2821 4.1.1.1":                          nil,
		"550 5.5.4 HELO refused (RFC5321, section 4.1.1.1)":                     nil,
		"550 5.5.4 see rfc2821 4.1.1.1 for HELO":                                nil,
		"550 5.5.4 § 4.1.1.1 of RFC 5321":                                       nil,
		"550 5.7.1 refused by filter version 4.8.3.54":                          nil,
		"550 5.7.1 RFC 2821 4.1.1.1: no good HELO from 198.51.100.7":            {"198.51.100.7"},
		"550 5.7.1 Refused, see RFC 5782: 198.51.100.7 is listed":               {"198.51.100.7"},
		"550 5.7.1 Refused (RFC 2505) 198.51.100.7 is listed":                   {"198.51.100.7"},
		"550 5.7.1 against RFC 1912, no PTR for [198.51.100.7]":                 {"198.51.100.7"},
		"550 5.7.1 RFC 1912 [198.51.100.7] has no PTR":                          {"198.51.100.7"},
		"550 5.7.1 Access denied by section two: 198.51.100.7 has no good name": {"198.51.100.7"},
	} {
		if got := ParseReply(in).Recipients[0].IPs(); !slices.Equal(got, want) {
			t.Errorf("%q names %q, want %q", in, got, want)
		}
	}
}

func TestLegs(t *testing.T) {
	got := ParseReply("550-5.7.26 Your email has been blocked because the sender is unauthenticated. 550-5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM. 550-5.7.26 Authentication results: 550-5.7.26 DKIM = did not pass 550-5.7.26 SPF [shop.example] with ip: [198.51.100.23] = did not pass 550 5.7.26 - gsmtp").Recipients[0].Legs
	want := []Leg{{Method: "dkim", Result: "did not pass"}, {Method: "spf", Domain: "shop.example", IP: "198.51.100.23", Result: "did not pass"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	got = ParseReply("550-5.7.26 This mail is unauthenticated, which poses a security risk to the\r\n550-5.7.26 sender and Gmail users, and has been blocked. The sender must\r\n550-5.7.26 authenticate with at least one of SPF or DKIM. For this message,\r\n550-5.7.26 DKIM checks did not pass and SPF check for [shop.example] did not\r\n550 5.7.26 pass with ip: [198.51.100.23]. - gsmtp").Recipients[0].Legs
	if !reflect.DeepEqual(got, want) {
		t.Errorf("of a sentence: got %+v\nwant %+v", got, want)
	}
	for _, none := range []string{"550 SPF check passed", "550 SPF check for [", "550 DKIM checks did", "550 SPF checks for [shop.example] are made; see the check of DKIM"} {
		if got := ParseReply(none).Recipients[0].Legs; got != nil {
			t.Errorf("%q: got %+v", none, got)
		}
	}
	got = ParseReply("550 5.7.515 Access denied, sending domain SHOP.EXAMPLE doesn't meet the required authentication level. Spf= Fail , Dkim= Pass , DMARC= None").Recipients[0].Legs
	if len(got) != 3 || got[0].Result != "fail" || got[1].Result != "pass" || got[2].Method != "dmarc" {
		t.Errorf("got %+v", got)
	}
}

func TestCodes(t *testing.T) {
	for _, tt := range []string{"5.1.1", "4.7.650", "2.0.0"} {
		c, err := ParseCode(tt)
		if err != nil || c.String() != tt {
			t.Errorf("ParseCode(%s) = %v, %v", tt, c, err)
		}
	}
	for _, bad := range []string{"", "5", "5.1", "5.1.", "3.1.1", "5.1.1.1", "5.1000.1", "5.a.1", "55.1.1"} {
		var wrong *CodeError
		if _, err := ParseCode(bad); !errors.As(err, &wrong) {
			t.Errorf("ParseCode(%q): %v, want a CodeError", bad, err)
		}
	}
	if n := len(codes); n != 81 {
		t.Errorf("the registry has %d codes, want 81", n)
	}
	seen := map[[2]uint16]bool{}
	for _, e := range codes {
		if key := [2]uint16{e.subject, e.detail}; seen[key] {
			t.Errorf("x.%d.%d stands twice", e.subject, e.detail)
		} else {
			seen[key] = true
		}
		if e.name == "" || e.rfc == "" || e.reason != "" && !e.reason.Known() {
			t.Errorf("x.%d.%d: %+v", e.subject, e.detail, e)
		}
	}
	c := Code{5, 1, 1}
	if c.Name() != "no such mailbox" || c.Source() != "RFC 3463" || c.IsVague() || !(Code{5, 7, 1}).IsVague() || (Code{}).Name() != "" {
		t.Errorf("%s: %q, %q", c, c.Name(), c.Source())
	}
}

// No fault of the sender or the receiver ever counts against an address.
func TestReasonTraits(t *testing.T) {
	for _, tr := range traits {
		if !tr.reason.Known() {
			t.Errorf("%s is not known", tr.reason)
		}
		switch tr.category {
		case SenderAuth, SenderIdentity, Listed, Reputation, Throttled, Greylisting, ReceiverFault, Relaying, Transport, ContentRejected, RefusedByPolicy, Unclassified:
			if tr.addressee {
				t.Errorf("%s (%s) would suppress an address", tr.reason, tr.category)
			}
		}
	}
	if Reason("novel").Known() || Reason("").Known() {
		t.Error("an unheard-of reason is known")
	}
}

type smtpError struct {
	Code         int
	EnhancedCode [3]int
	Message      string
}

func (e *smtpError) Error() string { return e.Message }

type sendError struct{}

func (sendError) Error() string {
	return `client_send: send failed: 550 "5.1.1 no such user\n5.1.1 really"`
}
func (sendError) ErrorCode() int             { return 550 }
func (sendError) EnhancedStatusCode() string { return "5.1.1" }

func TestFromError(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		code   int
		status string
		reason Reason
	}{
		{"net/smtp", &textproto.Error{Code: 550, Msg: "5.7.1 blocked using\n5.7.1 zen.spamhaus.org, client [198.51.100.23]"}, 550, "5.7.1", IPListed},
		{"wrapped", fmt.Errorf("send: %w", &textproto.Error{Code: 550, Msg: "5.1.1 no such user"}), 550, "5.1.1", UnknownRecipient},
		{"joined", errors.Join(errors.New("first"), fmt.Errorf("b: %w", &textproto.Error{Code: 452, Msg: "4.2.2 mailbox full"})), 452, "4.2.2", MailboxFull},
		{"go-smtp", &smtpError{550, [3]int{5, 1, 1}, "no such user"}, 550, "5.1.1", UnknownRecipient},
		{"go-mail", fmt.Errorf("dial and send failed: %w", sendError{}), 550, "5.1.1", UnknownRecipient},
		{"gomail", fmt.Errorf("gomail: could not send email 1: %v", errors.New("550 5.1.1 no such user")), 550, "5.1.1", UnknownRecipient},
		{"no such host", &net.DNSError{Err: "no such host", Name: "mx.example", IsNotFound: true}, 0, "", DNSFailure},
		{"look-up failed", &net.DNSError{Err: "server misbehaving", Name: "mx.example", IsTemporary: true}, 0, "", DNSFailure},
		{"refused", &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}, 0, "", Network},
		{"certificate", fmt.Errorf("starttls: %w", x509.HostnameError{Certificate: &x509.Certificate{}, Host: "mx.example"}), 0, "", TLS},
		{"dropped", fmt.Errorf("data: %w", io.EOF), 0, "", Network},
		{"printed drop", errors.New("gomail: could not send email 1: EOF"), 0, "", Network},
		{"printed refusal", errors.New("send: dial tcp 192.0.2.1:25: connect: connection refused"), 0, "", Network},
		{"printed certificate", errors.New("send: x509: certificate has expired"), 0, "", TLS},
		{"deadline", context.DeadlineExceeded, 0, "", Network},
		{"canceled", context.Canceled, 0, "", Network},
		{"other", errors.New("the moon is full"), 0, "", ReasonUnknown},
	} {
		rep := FromError(tt.err)
		r := rep.Recipients[0]
		if r.Reply.Code != tt.code || r.Status.String() != tt.status || r.Reason != tt.reason {
			t.Errorf("%s: %d %s %s by %s, want %d %s %s", tt.name, r.Reply.Code, r.Status, r.Reason, r.Because.Rule, tt.code, tt.status, tt.reason)
		}
		if r.Suppress && tt.reason.Category() == Transport {
			t.Errorf("%s: suppressed", tt.name)
		}
	}
	if FromError(nil) != nil {
		t.Error("FromError(nil) is not nil")
	}
}

// A text that also speaks of the sender, of policy or of passing trouble is no
// ground for suppressing an address.
func TestDoubtKeepsTheAddress(t *testing.T) {
	for _, reply := range []string{
		"551 5.7.1 Blocked by policy",
		"550 5.1.1 Message rejected as spam by content filter",
		"550 5.1.1 [R5] Recipient rejected: rate limit exceeded; try again later",
		"550 5.1.1 recipient rejected: too many invalid recipients from your IP, blocked",
		"554 5.7.1 Spam detected. If you believe the user does not exist, contact postmaster",
		"550 User unknown; rejecting because your mail server has no PTR",
		"554 mailbox does not exist on this server because connections from your IP are blocked",
		"550 Requested action not taken: mailbox unavailable. Your IP is blocked",
		"550 5.7.1 Sender's domain does not exist",
		"550 5.1.1 Undeliverable Address: blocked by DMARC policy",
		"550 account has been suspended for sending spam",
		"550 5.2.1 Mailbox temporarily disabled, maintenance in progress",
		"550 5.2.1 Mailbox disabled for this sender",
		"550 Recipient unknown or access denied, or temporarily unavailable",
		"550 5.1.1 <anna@recipient.example>: Recipient address rejected: undeliverable address: host mx[192.0.2.9] said: 554 5.7.1 Client host [192.0.2.1] blocked using bl.spamcop.net",
		"550 5.1.10 domain does not exist for sender shop.example",
		"550 5.1.1 You are not allowed to send to this address",
		"550 5.1.1 Rejected: our reputation service distrusts 198.51.100.7",
		"550 5.1.2 rejected by our filter",
		"550 5.1.4 rejected",
		"550 5.1.6 no thanks",
		"550 5.7.1 mailbox unavailable",
		"550 Requested action not taken: mailbox unavailable",
		"550 Verification failed for <office@shop.example> no such user here",
	} {
		if r := ParseReply(reply).Recipients[0]; r.Suppress {
			t.Errorf("%q suppresses for %s by %s", reply, r.Reason, r.Because.Rule)
		}
	}
	for _, reply := range []string{
		"550 5.1.1 <anna@recipient.example>: Recipient address rejected: User unknown in virtual mailbox table",
		"550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient anna@recipient.example not found by SMTP address lookup",
		"550-5.1.1 The email account that you tried to reach does not exist. Please try\n550-5.1.1 double-checking the recipient's email address for typos or\n550 5.1.1 unnecessary spaces. - gsmtp",
		"550 No such user here",
		"556 5.1.10 recipient.example does not accept mail",
	} {
		if r := ParseReply(reply).Recipients[0]; !r.Suppress {
			t.Errorf("%q does not suppress: %s by %s", reply, r.Reason, r.Because.Rule)
		}
	}
}

func FuzzParseReply(f *testing.F) {
	f.Add("554 5.7.1 Service unavailable; Client host [198.51.100.23] blocked using zen.spamhaus.org")
	f.Add("550-5.7.26 a\n550 5.7.26 b (S3140) [PH01] AUP#1260")
	f.Add("<a@b.example>: host x[192.0.2.1] said: 421 4.7.0 'no' (in reply to end of DATA command)")
	f.Fuzz(func(t *testing.T, reply string) {
		r := ParseReply(reply).Recipients[0]
		if r.Because.End > len(r.Reply.Text) || r.Because.End > 0 && r.Reply.Text[r.Because.Start:r.Because.End] != r.Because.Text {
			t.Fatalf("the decision's place is wrong: %+v", r.Because)
		}
		if r.Suppress && !r.Reason.OfAddress() {
			t.Fatalf("suppressed for %s", r.Reason)
		}
	})
}
