package rebound_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// hosted is the DNS of a customer whose server has its host's name.
const hosted = `$TTL 300
customer.example. MX 10 server12.bighost.example.
customer.example. TXT "v=spf1 ip4:198.51.100.23 -all"
server12.bighost.example. A 198.51.100.23
23.100.51.198.in-addr.arpa. PTR server12.bighost.example.
bighost.example. MX 10 server12.bighost.example.
recipient.example. MX 10 mx.recipient.example.
2.0.0.127.zen.spamhaus.org. A 127.0.0.2
23.100.51.198.zen.spamhaus.org. A 127.0.0.2
`

// dsn is a report of failed recipients: address, final address, remote server, reply.
func dsn(reporter, received string, rows ...[4]string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "From: MAILER-DAEMON@%s\nTo: bob@customer.example\nSubject: Undelivered Mail Returned to Sender\nDate: Tue, 24 Nov 2026 10:00:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain\n\nIt failed.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; %s\n", reporter, reporter)
	for _, r := range rows {
		action := "failed"
		if strings.HasPrefix(r[3], "4") {
			action = "delayed"
		}
		if strings.HasPrefix(r[3], "2") {
			action = "delivered"
		}
		fmt.Fprintf(&b, "\nFinal-Recipient: rfc822; %s\nOriginal-Recipient: rfc822; %s\nAction: %s\nStatus: %s.0.0\nRemote-MTA: dns; %s\nDiagnostic-Code: smtp; %s\n", r[1], r[0], action, r[3][:1], r[2], r[3])
	}
	fmt.Fprintf(&b, "\n--b\nContent-Type: text/rfc822-headers\n\nReturn-Path: <bob@customer.example>\n%sFrom: bob@customer.example\nSubject: Hello\nMessage-ID: <1@laptop>\n\n--b--\n", received)
	return []byte(strings.ReplaceAll(b.String(), "\n", "\r\n"))
}

func diagnose(t *testing.T, zone string, c rebound.Case) *rebound.Diagnosis {
	t.Helper()
	d, err := (&rebound.Diagnoser{Resolver: resolvetest.New(t, zone)}).Diagnose(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A server under its host's name is the sender's own, not a forwarder's.
func TestOwnServerIsNoForwarder(t *testing.T) {
	const listed = "554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org"
	for name, c := range map[string]rebound.Case{
		"shared hosting":   {Bounce: dsn("server12.bighost.example", "Received: by server12.bighost.example with local; Tue, 24 Nov 2026 09:59:00 +0000\n", [4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", listed})},
		"with a login":     {Bounce: dsn("server12.bighost.example", "Received: from laptop ([203.0.113.77]) by server12.bighost.example with ESMTPSA; Tue, 24 Nov 2026 09:59:00 +0000\n", [4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", listed})},
		"an alias":         {IP: netip.MustParseAddr("198.51.100.23"), Control: rebound.Own, Bounce: dsn("mail.customer.example", "", [4]string{"info@recipient.example", "anna@recipient.example", "mx.recipient.example", listed})},
		"the address said": {IP: netip.MustParseAddr("198.51.100.23"), Bounce: dsn("server12.bighost.example", "", [4]string{"info@recipient.example", "anna@recipient.example", "mx.recipient.example", listed})},
	} {
		if d := diagnose(t, hosted, c); d.Fault != rebound.OfSender || d.Hold == nil || d.Hold.Scope != "ip" {
			t.Errorf("%s: fault %s, hold %+v: %s", name, d.Fault, d.Hold, d.Causes[0].Detail)
		}
	}
}

// A mail that its author submitted with a login is theirs, wherever they sat.
func TestSubmittedMailIsYours(t *testing.T) {
	c := rebound.Case{
		IP: netip.MustParseAddr("198.51.100.23"), MailFrom: "bob@customer.example", HELO: "server12.bighost.example",
		Bounce: dsn("mx.far.example", "Received: from laptop ([203.0.113.77]) by submit.provider.example with ESMTPSA; Tue, 24 Nov 2026 09:59:00 +0000\n", [4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", "550 5.7.1 Message rejected"}),
	}
	for _, zone := range []string{hosted, without(hosted, "v=spf1")} {
		d := diagnose(t, zone, c)
		if d.Causes[0].Kind == rebound.NotYours || d.RefusedIP.String() == "203.0.113.77" {
			t.Errorf("%s, refused %s", d.Causes[0].Summary, d.RefusedIP)
		}
	}
}

// What still holds decides what is held, though another refusal has cleared.
func TestOpenCauseBeforeCleared(t *testing.T) {
	bounceOf := dsn("mail.customer.example", "",
		[4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", "550 5.7.23 SPF check failed: 198.51.100.23 is not permitted to send for customer.example"},
		[4]string{"bert@other.example", "bert@other.example", "mx.other.example", "554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org"})
	d := diagnose(t, hosted, rebound.Case{Bounce: bounceOf, MailFrom: "bob@customer.example"})
	if d.Causes[0].Kind != bounce.IPListed || d.Hold == nil || d.Response != bounce.Delist {
		t.Errorf("causes %v, hold %+v, response %s", kinds(d), d.Hold, d.Response)
	}
	r, err := (&rebound.Diagnoser{Resolver: resolvetest.New(t, hosted)}).Recheck(t.Context(), d)
	if err != nil || r.Resume != rebound.StayHeld {
		t.Errorf("%v, resume %s: %s", err, r.Resume, r.Why)
	}
}

// Each step speaks of its own recipient.
func TestStepsNameTheirOwnRecipient(t *testing.T) {
	d := diagnose(t, hosted+"other.example. MX 10 mx.other.example.\n", rebound.Case{Bounce: dsn("mail.customer.example", "",
		[4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", "554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org"},
		[4]string{"bert@other.example", "bert@other.example", "mx.other.example", "554 5.7.1 <bert@other.example>: Relay access denied"})})
	if !slices.ContainsFunc(d.Plan, func(s rebound.Step) bool {
		return strings.Contains(s.What, "mx.other.example answers for other.example and refuses the domain")
	}) {
		t.Errorf("plan %+v", d.Plan)
	}
	d = diagnose(t, hosted, rebound.Case{Bounce: dsn("mail.customer.example", "",
		[4]string{"cora@recipient.example", "cora@recipient.example", "mx.recipient.example", "450 4.7.25 Client host rejected: cannot find your reverse hostname"},
		[4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", "550 5.1.1 User unknown"})})
	if !slices.ContainsFunc(d.Plan, func(s rebound.Step) bool { return strings.HasPrefix(s.What, "Take anna@recipient.example off") }) {
		t.Errorf("one delayed recipient silences the plan of the others: %+v", d.Plan)
	}
}

// The client's address stands behind its name, too.
func TestRefusedAddressIsRead(t *testing.T) {
	for _, reply := range []string{
		"554 5.7.1 mail.customer.example[198.51.100.23]: Client host rejected: cannot find your hostname",
		"550 5.7.1 no PTR for host mail.customer.example [198.51.100.23]",
	} {
		if d := diagnose(t, hosted, rebound.Case{Reply: reply}); d.RefusedIP.String() != "198.51.100.23" {
			t.Errorf("%s: %s", reply, d.RefusedIP)
		}
	}
	d := diagnose(t, hosted, rebound.Case{Bounce: dsn("mail.customer.example", "",
		[4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", "550 5.7.1 Message rejected as spam"},
		[4]string{"bert@other.example", "bert@other.example", "mx.other.example", "554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org"})})
	if d.RefusedIP.String() != "198.51.100.23" {
		t.Errorf("the second reply's address is not read: %s", d.RefusedIP)
	}
}

// A name that DNS cannot hold is no panic.
func TestEnvelopeOfOneLabel(t *testing.T) {
	diagnose(t, hosted, rebound.Case{Reply: "550-5.7.25 [203.0.113.9] The IP address sending this message does not have a PTR record setup - gsmtp", IP: netip.MustParseAddr("198.51.100.7"), MailFrom: "x@localhost"})
}

// A resolver that panics breaks the checks that asked it, and says so; the rest is told.
func TestPanickingResolver(t *testing.T) {
	for _, bad := range []string{"zen.spamhaus.org", "customer.example", "in-addr.arpa"} {
		d, err := (&rebound.Diagnoser{Resolver: breaking{resolvetest.New(t, hosted), bad}}).Diagnose(t.Context(), rebound.Case{
			Reply: "550 5.7.1 Message refused", IP: netip.MustParseAddr("198.51.100.23"), HELO: "server12.bighost.example", MailFrom: "bob@customer.example", Recipient: "anna@recipient.example",
			Message: []byte("From: bob@customer.example\r\n\r\nHello\r\n"),
		})
		if err != nil {
			t.Fatal(err)
		}
		broke := false
		for _, c := range d.Checks {
			broke = broke || c.Outcome == finding.Broke
			if c.Name == "recipient" && c.Outcome != finding.Clean {
				t.Errorf("%s panics, and the recipient's check is %s: %s", bad, c.Outcome, c.Why)
			}
		}
		if !broke {
			t.Errorf("%s panics, and no check broke: %+v", bad, d.Checks)
		}
	}
}

// Nor does one that panics about a mail server's address end the process.
func TestPanicBehindAnMX(t *testing.T) {
	zone := resolvetest.New(t, "recipient.example. MX 10 mx.recipient.example.\n")
	d, err := (&rebound.Diagnoser{Resolver: breaking{zone, "mx.recipient.example"}}).Diagnose(t.Context(), rebound.Case{Reply: "550 5.1.2 <anna@recipient.example>: Recipient address rejected: Domain not found", Recipient: "anna@recipient.example"})
	if err != nil {
		t.Fatal(err)
	}
	if c := d.Checks[len(d.Checks)-1]; c.Name != "recipient" || c.Outcome != finding.Broke || d.Causes[0].State != rebound.NotAsked {
		t.Errorf("%+v, %+v", c, d.Causes[0])
	}
}

type breaking struct {
	resolve.Resolver
	name string
}

func (b breaking) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	if strings.HasSuffix(name, b.name) {
		panic("a defect")
	}
	return b.Resolver.Resolve(ctx, name, t)
}

// A report of thousands of recipients is told in a page, and asks a bounded number of
// questions.
func TestManyRecipientsAreBounded(t *testing.T) {
	for name, reply := range map[string]func(int) string{
		"listed senders": func(i int) string {
			return fmt.Sprintf("554 5.7.1 Sender address [x@d%d.example] blocked using dbl.spamhaus.org", i)
		},
		"dead domains": func(int) string { return "550 5.1.2 Host or domain name not found" },
	} {
		var rows [][4]string
		for i := range 3000 {
			address := fmt.Sprintf("u@d%d.example", i)
			rows = append(rows, [4]string{address, address, "mx.recipient.example", reply(i)})
		}
		d := diagnose(t, hosted, rebound.Case{Bounce: dsn("mail.customer.example", "", rows...)})
		if len(d.Recipients) != 3000 || len(d.Causes) > 60 || len(d.Plan) > 120 || len(d.DNS) > 400 {
			t.Errorf("%s: %d recipients, %d causes, %d steps, %d answers", name, len(d.Recipients), len(d.Causes), len(d.Plan), len(d.DNS))
		}
		if !slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, "recipients more were refused") }) {
			t.Errorf("%s: what is left out is not said: %q", name, d.Notes)
		}
	}
}

// A busy mailbox neither comes before a fault of the sender's nor excuses it; a limit that
// speaks of where the mail came from is no mailbox's.
func TestBusyMailbox(t *testing.T) {
	const busy = "450 4.2.1 The user you are trying to contact is receiving mail too quickly."
	zone := strings.ReplaceAll(hosted, "23.100.51.198.in-addr.arpa.", "24.100.51.198.in-addr.arpa.")
	diagnoser := &rebound.Diagnoser{Resolver: resolvetest.New(t, zone)}
	d, err := diagnoser.Diagnose(t.Context(), rebound.Case{IP: netip.MustParseAddr("198.51.100.23"), Bounce: dsn("mail.customer.example", "",
		[4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", busy},
		[4]string{"bert@recipient.example", "bert@recipient.example", "mx.recipient.example", "550 5.7.25 198.51.100.23 has no PTR record"})})
	if err != nil || d.Causes[0].Kind != bounce.PTR || d.Causes[1].Kind != bounce.RateLimited || d.Causes[1].Fault != rebound.OfRecipient {
		t.Fatalf("%v, causes %+v", err, d.Causes)
	}
	if r, err := diagnoser.Recheck(t.Context(), d); err != nil || r.Resume != rebound.StayHeld {
		t.Errorf("%v, resume %s: %s", err, r.Resume, r.Why)
	}
	for reply, want := range map[string]rebound.Fault{
		busy: rebound.OfRecipient,
		"421 4.2.1 Too many connections from 198.51.100.23":                    rebound.OfSender,
		"421 4.2.0 Too many sessions from your host":                           rebound.OfSender,
		"450 4.2.1 Too many messages for this user from your IP address today": rebound.OfSender,
	} {
		d := diagnose(t, hosted, rebound.Case{Reply: reply, IP: netip.MustParseAddr("198.51.100.23"), Recipient: "anna@recipient.example"})
		if d.Causes[0].Kind != bounce.RateLimited || d.Fault != want || d.Hold != nil || d.Response != map[rebound.Fault]bounce.Response{rebound.OfRecipient: bounce.Retry, rebound.OfSender: bounce.SlowDown}[want] {
			t.Errorf("%s: %s, fault %s, response %s, hold %+v", reply, d.Causes[0].Kind, d.Fault, d.Response, d.Hold)
		}
	}
}

// The address that a refusal of the sender names is the sender's, unless it is the
// recipient's.
func TestSenderOfTheReply(t *testing.T) {
	for reply, want := range map[string]string{
		"450 4.1.8 <bob@customer.example>: Sender address rejected: Domain not found":   "bob@customer.example",
		"450 4.1.8 <anna@recipient.example>: Sender address rejected: Domain not found": "",
	} {
		d := diagnose(t, hosted, rebound.Case{Reply: reply, Recipient: "anna@recipient.example"})
		if d.Facts.MailFrom.Value != want || d.Facts.Recipient.Value != "anna@recipient.example" {
			t.Errorf("%s: from %q to %q, want %q", reply, d.Facts.MailFrom.Value, d.Facts.Recipient.Value, want)
		}
	}
}

// A colleague's delivery says that the server knows its people.
func TestBurstWithADelivery(t *testing.T) {
	rows := [][4]string{}
	for _, who := range []string{"a", "b", "c"} {
		rows = append(rows, [4]string{who + "@recipient.example", who + "@recipient.example", "mx.recipient.example", "550 5.1.1 User unknown"})
	}
	if d := diagnose(t, hosted, rebound.Case{Bounce: dsn("mail.customer.example", "", rows...)}); len(d.Suppress) != 0 || d.Fault != rebound.OfReceiver {
		t.Errorf("all unknown: suppress %v, fault %s", d.Suppress, d.Fault)
	}
	rows[2][3] = "550 5.1.1 Blocked: recipient unknown" // which alone would be doubted
	if d := diagnose(t, hosted, rebound.Case{Bounce: dsn("mail.customer.example", "", rows...)}); len(d.Suppress) != 0 || !strings.HasPrefix(d.Causes[0].Summary, "All 3 addresses") || len(d.Causes) != 1 {
		t.Errorf("all unknown in two wordings: suppress %v, causes %+v", d.Suppress, d.Causes)
	}
	rows[2][3] = "550 5.1.1 User unknown"
	rows = append(rows, [4]string{"d@recipient.example", "d@recipient.example", "mx.recipient.example", "250 2.0.0 ok"})
	if d := diagnose(t, hosted, rebound.Case{Bounce: dsn("mail.customer.example", "", rows...)}); len(d.Suppress) != 3 {
		t.Errorf("with a delivery: suppress %v", d.Suppress)
	}
}

// Triage diagnoses each group by its own recipients, and a refusal for good outweighs one
// that passes.
func TestTriageByGroup(t *testing.T) {
	items := []rebound.Item{
		{Name: "1", Case: rebound.Case{Report: bounce.ParseReply("451 4.7.1 <eva@recipient.example>: Recipient address rejected: Greylisted"), Recipient: "eva@recipient.example"}},
		{Name: "2", Case: rebound.Case{Bounce: dsn("mail.customer.example", "",
			[4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", "554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org"},
			[4]string{"eva@Recipient.example", "eva@Recipient.example", "mx.recipient.example", "550 5.1.1 User unknown"})}},
	}
	out := (&rebound.Diagnoser{Resolver: resolvetest.New(t, hosted)}).Triage(t.Context(), slices.Values(items), rebound.TriageOptions{})
	if len(out.Suppress) != 1 || !strings.EqualFold(out.Suppress[0], "eva@recipient.example") || out.Keep != 1 {
		t.Errorf("suppress %v, keep %d", out.Suppress, out.Keep)
	}
	for _, g := range out.Groups {
		if g.Diagnosis == nil || g.Diagnosis.Causes[0].Kind != g.Kind {
			t.Errorf("group %s has the diagnosis of another", g.Kind)
		}
	}
}

// A name that is no host name needs no DNS, and what is put off is told by its recipient.
func TestHELOOfTheReply(t *testing.T) {
	const reply = "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname"
	d, err := (&rebound.Diagnoser{Resolver: resolve.Offline{}}).Diagnose(t.Context(), rebound.Case{Reply: reply})
	if err != nil || d.Causes[0].State != rebound.Confirmed || !strings.HasPrefix(d.Plan[0].What, "Set the HELO name") {
		t.Errorf("%v, %+v, %+v", err, d.Causes[0], d.Plan)
	}
	d = diagnose(t, hosted, rebound.Case{Reply: reply, HELO: "server12.bighost.example", IP: netip.MustParseAddr("198.51.100.23")})
	if d.Facts.HELO.Value != "localhost" || d.Causes[0].State != rebound.Confirmed {
		t.Errorf("the caller's name is taken for what was said: %+v, %s", d.Facts.HELO, d.Causes[0].State)
	}
	d = diagnose(t, hosted, rebound.Case{Bounce: dsn("mail.customer.example", "",
		[4]string{"cora@recipient.example", "cora@recipient.example", "mx.recipient.example", "452 4.2.2 Mailbox full"},
		[4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", "550 5.1.1 User unknown"})})
	if !slices.ContainsFunc(d.Plan, func(s rebound.Step) bool {
		return s.What == "For cora@recipient.example: Do nothing yet: the sending server goes on trying by itself."
	}) {
		t.Errorf("plan %+v", d.Plan)
	}
}

// A reply that refuses another recipient of the same domain is about that one; of another
// domain it names where the mail was forwarded to.
func TestReplyAboutAnotherRecipient(t *testing.T) {
	for reply, want := range map[string]string{
		"550 5.1.1 <berta@recipient.example>: Recipient address rejected: User unknown": "berta@recipient.example",
		"550 5.1.1 <anna77@mailbox.example>: Recipient address rejected: User unknown":  "anna@recipient.example",
		"550 5.1.1 User unknown": "anna@recipient.example",
	} {
		d := diagnose(t, hosted, rebound.Case{Reply: reply, Recipient: "anna@recipient.example"})
		told := slices.ContainsFunc(d.Notes, func(n string) bool {
			return strings.Contains(n, "The reply is about berta@recipient.example; you gave anna@recipient.example")
		})
		if !slices.Equal(d.Suppress, []string{want}) || told != (want == "berta@recipient.example") {
			t.Errorf("%s: %q, %q", reply, d.Suppress, d.Notes)
		}
	}
}

// A forwarder's own bounce is no forgery, and the author's records are not the forwarder's to
// change.
func TestForwardersOwnBounce(t *testing.T) {
	raw := dsn("mail.customer.example", "", [4]string{"anna@customer.example", "anna@gmail.example", "mx.gmail.example", "550 5.7.26 Unauthenticated email from strict.example is not accepted due to domain's DMARC policy. - gsmtp"})
	raw = []byte(strings.NewReplacer("Return-Path: <bob@", "Return-Path: <SRS0=x=y=strict.example=bank@", "\nFrom: bob@customer.example\r\nSubject: Hello", "\nFrom: bank@strict.example\r\nSubject: Hello", "<1@laptop>", "<1@strict.example>").Replace(string(raw)))
	for _, own := range [][]string{{"customer.example"}, nil} {
		d := diagnose(t, hosted+"strict.example. TXT \"v=spf1 -all\"\n_dmarc.strict.example. TXT \"v=DMARC1; p=reject\"\n", rebound.Case{Bounce: raw, OwnDomains: own, IP: netip.MustParseAddr("198.51.100.23"), Control: rebound.Own})
		if d.Causes[0].Kind == rebound.NotYours {
			t.Fatalf("own domains %q: %+v", own, d.Causes)
		}
		records := slices.ContainsFunc(d.Plan, func(s rebound.Step) bool { return s.Record != nil })
		if own != nil && (d.Fault != rebound.OfForwarder || records || !strings.Contains(d.Plan[0].What+d.Plan[1].What, "SRS")) {
			t.Errorf("fault %s, plan %+v", d.Fault, d.Plan)
		}
	}
}

// Which side lacks TLS is told by the words.
func TestWhoLacksTLS(t *testing.T) {
	for reply, want := range map[string]struct {
		fault    rebound.Fault
		response bounce.Response
	}{
		"530 5.7.0 Must issue a STARTTLS command first":                                {rebound.OfSender, bounce.FixSender},
		"454 4.7.0 TLS not available due to local problem":                             {rebound.OfReceiver, bounce.Retry},
		"403 4.7.0 TLS handshake failed.":                                              {rebound.NotTold, bounce.Retry},
		"TLS is required, but was not offered by host mx.recipient.example[192.0.2.9]": {rebound.OfReceiver, bounce.AskRecipient},
	} {
		d := diagnose(t, hosted, rebound.Case{Reply: reply, Recipient: "anna@recipient.example"})
		weakens := slices.ContainsFunc(d.Plan, func(s rebound.Step) bool { return strings.Contains(s.What, "smtp_tls_security_level = may") })
		if d.Causes[0].Kind != bounce.TLS || d.Fault != want.fault || d.Response != want.response || weakens && want.fault == rebound.OfReceiver {
			t.Errorf("%s: %s, %s, %s, %+v", reply, d.Causes[0].Kind, d.Fault, d.Response, d.Plan)
		}
	}
}

// An address that took mail before is not given up for one refusal, nor for one of many at
// once; for a second one it is.
func TestHistoryOfAGoodAddress(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	event := func(hours int, delivered bool) bounce.Event {
		e := bounce.Event{Time: now.Add(-time.Duration(hours) * time.Hour), Address: "anna@recipient.example", Delivered: delivered}
		if !delivered {
			e.Reason, e.Permanence, e.Suppress = bounce.UnknownRecipient, bounce.Permanent, true
		}
		return e
	}
	for name, tt := range map[string]struct {
		history []bounce.Event
		want    int
	}{
		"a delivery before":              {[]bounce.Event{event(24, true)}, 0},
		"a refusal since":                {[]bounce.Event{event(72, true), event(24, false)}, 1},
		"nothing of it":                  {[]bounce.Event{{Time: now.Add(-time.Hour), Address: "bert@recipient.example", Delivered: true}}, 1},
		"a refusal, and then a delivery": {[]bounce.Event{event(72, false), event(24, true)}, 0},
	} {
		d, err := (&rebound.Diagnoser{Resolver: resolve.Offline{}, Now: func() time.Time { return now }}).Diagnose(t.Context(), rebound.Case{Reply: "550 5.1.1 <anna@recipient.example>: User unknown", Recipient: "anna@recipient.example", History: tt.history})
		if err != nil || len(d.Suppress) != tt.want || tt.want == 0 && !strings.HasPrefix(d.Causes[0].Detail, "It took mail before. ") {
			t.Errorf("%s: %v, %q, %s", name, err, d.Suppress, d.Causes[0].Detail)
		}
	}
}

// stepOf returns the first step whose words hold a text.
func stepOf(d *rebound.Diagnosis, text string) (rebound.Step, bool) {
	i := slices.IndexFunc(d.Plan, func(s rebound.Step) bool { return strings.Contains(s.What, text) })
	if i < 0 {
		return rebound.Step{}, false
	}
	return d.Plan[i], true
}

// What an excerpt of a header lacks, the mail may have: no signature is missed in it.
func TestExcerptOfAHeader(t *testing.T) {
	const reply = "550 5.7.26 Unauthenticated email from customer.example is not accepted due to domain's DMARC policy. - gsmtp"
	for header, missed := range map[string]bool{
		"From: bob@customer.example\r\n":                                                           false,
		"From: bob@customer.example\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n":                  true,
		"From: bob@customer.example\r\nMessage-ID: <1@customer.example>\r\n":                       true,
		"Received: from a by b; Tue, 24 Nov 2026 10:00:00 +0000\r\nFrom: bob@customer.example\r\n": true,
	} {
		d := diagnose(t, hosted+"_dmarc.customer.example. TXT \"v=DMARC1; p=reject\"\n", rebound.Case{Reply: reply, IP: netip.MustParseAddr("198.51.100.77"), MailFrom: "bob@customer.example", Message: []byte(header + "\r\n")})
		i := slices.IndexFunc(d.Checks, func(c rebound.Check) bool { return c.Name == "dkim" })
		if got := strings.Contains(d.Checks[i].Why, "no DKIM signature"); got != missed || (d.Causes[0].State == rebound.Confirmed) != missed {
			t.Errorf("%q: %s: %s; %s", header, d.Checks[i].Outcome, d.Checks[i].Why, d.Causes[0].State)
		}
	}
}

// The DMARC plan gives the repair of what aligns, not the wish that it pass.
func TestDMARCPlanGivesTheRecord(t *testing.T) {
	zone := strings.ReplaceAll(hosted, "customer.example. TXT", "unused.example. TXT") + "customer.example. TXT \"v=spf1 ip4:192.0.2.1 -all\"\n_dmarc.customer.example. TXT \"v=DMARC1; p=reject\"\n"
	d := diagnose(t, zone, rebound.Case{
		Reply: "550 5.7.26 Unauthenticated email from customer.example is not accepted due to domain's DMARC policy. - gsmtp", IP: netip.MustParseAddr("198.51.100.23"), MailFrom: "bob@customer.example",
		Message: []byte("From: bob@customer.example\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\nHello\r\n"),
	})
	if _, wish := stepOf(d, "Make SPF of "); wish || !slices.ContainsFunc(d.Plan, func(s rebound.Step) bool {
		return s.Record != nil && strings.Contains(s.Record.New, "ip4:198.51.100.23")
	}) {
		t.Errorf("%+v", d.Plan)
	}
}

// A limit of rate, and a domain that is mistrusted for now, hold nothing; a block does.
func TestWhatIsHeld(t *testing.T) {
	for reply, held := range map[string]bool{
		"421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address. - gsmtp":                                                                                               false,
		"550 5.7.1 Our system has detected that this message is likely suspicious due to the very low reputation of the sending domain. To best protect our users from spam, the message has been blocked. - gsmtp": true,
		"550 5.7.606 Access denied, banned sending IP [198.51.100.23]":                                                                                                                                              true,
	} {
		d := diagnose(t, hosted, rebound.Case{Reply: reply, IP: netip.MustParseAddr("198.51.100.23"), MailFrom: "bob@customer.example"})
		first := len(d.Plan) > 0 && strings.HasPrefix(d.Plan[0].What, "Hold ")
		if (d.Hold != nil) != held || first != held || held && !strings.HasPrefix(d.Plan[0].What, "Hold "+d.Hold.What+" until ") {
			t.Errorf("%s: hold %+v, plan %+v", reply, d.Hold, d.Plan)
		}
	}
}

// The caller's own address sends meanwhile only where a list was asked about it and none
// holds it.
func TestTheOtherAddressSendsMeanwhile(t *testing.T) {
	own := strings.ReplaceAll(hosted, "23.100.51.198.in-addr.arpa. PTR", "unused.example. PTR") + "23.100.51.198.in-addr.arpa. PTR mail.customer.example.\nmail.customer.example. A 198.51.100.23\n"
	for zone, want := range map[string]bool{
		own: true,
		own + "24.100.51.198.zen.spamhaus.org. A 127.0.0.2\n": false,
	} {
		d := diagnose(t, zone, rebound.Case{Reply: "550 5.7.606 Access denied, banned sending IP [198.51.100.23]", IP: netip.MustParseAddr("198.51.100.24"), MailFrom: "bob@customer.example", HELO: "mail.customer.example"})
		if _, got := stepOf(d, "Send from 198.51.100.24 alone"); got != want {
			t.Errorf("want %t: %+v, %+v", want, d.Plan, d.Listings)
		}
	}
}

// An infected client is cleaned, and the sender's own listing stays the sender's.
func TestAddressOfAClient(t *testing.T) {
	const received = "Received: from laptop ([203.0.113.222]) by mail.customer.example (Postfix) with ESMTPSA id 4A; Tue, 24 Nov 2026 09:59:01 +0000\n"
	for code, want := range map[string]rebound.Fault{"127.0.0.2": rebound.OfReceiver, "127.0.0.4": rebound.OfSender} {
		d := diagnose(t, hosted+"222.113.0.203.zen.spamhaus.org. A "+code+"\n", rebound.Case{
			Bounce: dsn("mail.customer.example", received, [4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", "554 5.7.1 Client host [203.0.113.222] blocked using zen.spamhaus.org"}),
			IP:     netip.MustParseAddr("198.51.100.24"), MailFrom: "bob@customer.example",
		})
		if d.Fault != want || (d.Hold == nil) != (want == rebound.OfReceiver) {
			t.Errorf("%s: fault %s, hold %+v, %+v", code, d.Fault, d.Hold, d.Plan)
		}
	}
	d := diagnose(t, hosted, rebound.Case{
		Bounce: dsn("mail.customer.example", "Received: from mail.customer.example [198.51.100.23]; Tue, 24 Nov 2026 09:59:01 +0000\n", [4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", "554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org"}),
		IP:     netip.MustParseAddr("198.51.100.24"),
	})
	if d.Fault != rebound.OfSender {
		t.Errorf("the server's own: %s, %+v", d.Fault, d.Plan)
	}
}

// A relay by its name is advised to the refusal that asked for a login, and to no other.
func TestRelayByItsName(t *testing.T) {
	raw := dsn("mail.customer.example", "",
		[4]string{"anna@other.example", "anna@other.example", "mx.other.example", "530 5.7.0 Authentication required, use port 587"},
		[4]string{"bert@recipient.example", "bert@recipient.example", "mx.recipient.example", "554 5.7.1 Client host [198.51.100.99] blocked using zen.spamhaus.org"})
	d := diagnose(t, hosted+"99.100.51.198.zen.spamhaus.org. A 127.0.0.11\n", rebound.Case{Bounce: raw, MailFrom: "bob@customer.example"})
	step, ok := stepOf(d, "Send through a relay with a login on port 587")
	if named, wrong := stepOf(d, "Log in at mx."); !ok || wrong || !slices.Contains(step.For, bounce.DynamicIP) {
		t.Errorf("%+v, %+v", named, d.Plan)
	}
}

// With several refusals, "Do first" is for the one that the cause is of.
func TestDoFirstIsForTheCause(t *testing.T) {
	d := diagnose(t, hosted, rebound.Case{Bounce: dsn("mail.customer.example", "",
		[4]string{"anna@recipient.example", "anna@recipient.example", "mx.recipient.example", "552 5.3.4 Message size exceeds fixed limit"},
		[4]string{"bert@recipient.example", "bert@recipient.example", "mx.recipient.example", "550 5.1.1 <bert@recipient.example>: User unknown"})})
	who := "anna@recipient.example"
	if d.Causes[0].Kind != bounce.MessageTooBig {
		who = "bert@recipient.example"
	}
	if !strings.Contains(d.Headline.Do, who) {
		t.Errorf("cause %s, do first %s", d.Headline.Why, d.Headline.Do)
	}
}

// The mail servers of a domain are told in the order of their preference, whatever the answer's.
func TestFirstMailServer(t *testing.T) {
	d := diagnose(t, "recipient.example. MX 20 backup.recipient.test.\nrecipient.example. MX 10 mx1.recipient.example.\nmx1.recipient.example. A 192.0.2.25\nbackup.recipient.test. A 192.0.2.26\n", rebound.Case{
		Bounce: dsn("mail.customer.example", "", [4]string{"anna@recipient.example", "anna@recipient.example", "backup.recipient.test", "554 5.7.1 <anna@recipient.example>: Relay access denied"}),
	})
	if _, ok := stepOf(d, "mx1.recipient.example, which the MX records name first"); !ok || d.Response != bounce.AskRecipient {
		t.Errorf("%s, %+v", d.Response, d.Plan)
	}
}

// What was given up is sent again, and not waited for.
func TestGivenUpIsSentAgain(t *testing.T) {
	const reply = "421 4.7.0 [TSS04] Messages from 198.51.100.23 temporarily deferred due to unexpected volume or user complaints"
	raw := []byte(strings.Replace(string(dsn("mail.customer.example", "", [4]string{"anna@yahoo.example", "anna@yahoo.example", "mta5.am0.yahoodns.net", reply})), "Action: delayed", "Action: failed", 1))
	for _, tt := range []struct {
		c    rebound.Case
		want string
	}{{rebound.Case{Bounce: raw}, "Then send again, a little at a time"}, {rebound.Case{Reply: reply, Recipient: "anna@yahoo.example"}, "Try again in some hours"}} {
		if d := diagnose(t, hosted, tt.c); !slices.ContainsFunc(d.Plan, func(s rebound.Step) bool { return strings.HasPrefix(s.What, tt.want) }) {
			t.Errorf("no step %q: %+v", tt.want, d.Plan)
		}
	}
}
