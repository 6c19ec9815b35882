package rebound_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// saved is the diagnosis of a story, written as JSON and read again.
func saved(t *testing.T, name string) (story, *rebound.Diagnosis) {
	t.Helper()
	i := slices.IndexFunc(stories(t), func(s story) bool { return filepath.Base(s.dir) == name })
	if i < 0 {
		t.Fatalf("there is no case %s", name)
	}
	s := stories(t)[i]
	raw, err := json.Marshal(s.diagnose(t, resolvetest.New(t, s.zone)))
	if err != nil {
		t.Fatal(err)
	}
	var d rebound.Diagnosis
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return s, &d
}

func recheck(t *testing.T, s story, d *rebound.Diagnosis, r resolve.Resolver, after time.Duration) *rebound.Rechecked {
	t.Helper()
	diagnoser := rebound.Diagnoser{Resolver: r, Now: func() time.Time { return s.Now.Add(after) }}
	out, err := diagnoser.Recheck(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// without takes the lines of a zone that hold a word out.
func without(zone, word string) string {
	var b strings.Builder
	for line := range strings.Lines(zone) {
		if !strings.Contains(line, word) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func progressOf(t *testing.T, r *rebound.Rechecked, what string) rebound.RecheckedAt {
	t.Helper()
	for _, s := range r.Steps {
		if strings.Contains(s.Step.What, what) {
			return s
		}
	}
	t.Fatalf("no step says %q: %+v", what, r.Steps)
	return rebound.RecheckedAt{}
}

func TestRecheckOfAListing(t *testing.T) {
	s, d := saved(t, "02-still-listed")
	same := recheck(t, s, d, resolvetest.New(t, s.zone), 48*time.Hour)
	if same.Resume != rebound.StayHeld || len(same.Changed) != 0 || !strings.Contains(same.Why, "Hold") {
		t.Errorf("nothing changed: %s, %s, %q", same.Resume, same.Why, same.Changed)
	}
	for _, step := range same.Steps {
		if step.Step.List != "" && step.Progress != rebound.NotYet {
			t.Errorf("still listed: %+v", step)
		}
		if step.Step.Phase == rebound.PhaseRetest && step.Progress != rebound.NotYet {
			t.Errorf("the test before the rest is done: %+v", step)
		}
	}
	gone := recheck(t, s, d, resolvetest.New(t, without(s.zone, "23.100.51.198.bl.spamcop.net")), 48*time.Hour)
	if gone.Resume != rebound.Resume || len(gone.Changed) == 0 || gone.Now.Hold != nil {
		t.Errorf("off the list: %s, %s, %q", gone.Resume, gone.Why, gone.Changed)
	}
	for _, step := range gone.Steps {
		if step.Step.List != "" && step.Progress != rebound.Done {
			t.Errorf("off the list: %+v", step)
		}
	}
	other := without(s.zone, "23.100.51.198.bl.spamcop.net") + "23.100.51.198.zen.spamhaus.org. A 127.0.0.2\n"
	if r := recheck(t, s, d, resolvetest.New(t, other), 48*time.Hour); r.Resume != rebound.SendOneTest || !strings.Contains(r.Why, "that is not so now. But 198.51.100.23 is on Spamhaus ZEN now") || !slices.Contains(r.Changed, "New: 198.51.100.23 is on Spamhaus ZEN.") {
		t.Errorf("on another list: %s, %s", r.Resume, r.Why)
	}
	dark := recheck(t, s, d, resolve.Offline{}, 48*time.Hour)
	if dark.Resume != rebound.CannotTell {
		t.Errorf("without DNS: %s, %s", dark.Resume, dark.Why)
	}
	for _, step := range dark.Steps {
		if step.Progress == rebound.Done {
			t.Errorf("without DNS: %+v", step)
		}
	}
}

func TestRecheckOfARecord(t *testing.T) {
	s, d := saved(t, "06-no-ptr")
	before := recheck(t, s, d, resolvetest.New(t, s.zone), time.Hour)
	i := slices.IndexFunc(before.Steps, func(s rebound.RecheckedAt) bool { return s.Step.Record != nil })
	if i < 0 || before.Steps[i].Progress != rebound.NotYet {
		t.Fatalf("the record is not there: %+v", before.Steps)
	}
	r := before.Steps[i].Step.Record
	name := r.New
	zone := s.zone + "\n" + strings.TrimSuffix(r.Name, ".") + ". PTR " + name + "\n"
	after := recheck(t, s, d, resolvetest.New(t, zone), 48*time.Hour)
	if after.Steps[i].Progress != rebound.Done {
		t.Errorf("the record is there: %+v; %q", after.Steps[i], after.Changed)
	}
}

// What nobody outside can check needs one test.
func TestRecheckOfAPrivateBlock(t *testing.T) {
	s, d := saved(t, "46-bulk-mail-begins-anew")
	r := recheck(t, s, d, resolvetest.New(t, s.zone), 48*time.Hour)
	if r.Resume != rebound.SendOneTest || !strings.Contains(r.Why, "the receiver alone knows") {
		t.Errorf("got %s, %s", r.Resume, r.Why)
	}
	if step := progressOf(t, r, "begin again"); step.Progress != rebound.Untold || step.Step.Schedule == nil || len(step.Step.Schedule.Days) != 3 {
		t.Errorf("got %+v", step)
	}
}

// A diagnosis asked again with nothing changed is the same, whatever the story.
func TestRecheckOfEveryCase(t *testing.T) {
	for _, s := range stories(t) {
		_, d := saved(t, filepath.Base(s.dir))
		d.Asked.Message = []byte(s.Message)
		if first := s.diagnose(t, resolvetest.New(t, s.zone)); first.Content != nil && s.Message == "" {
			d.Asked.Message = first.Report.Original.Message() // what the bounce returned is not kept
		}
		r := recheck(t, s, d, resolvetest.New(t, s.zone), 0)
		if len(r.Changed) != 0 || len(r.Steps) != len(d.Plan) || r.Now.Headline != d.Headline {
			t.Errorf("%s: %q\n%+v\n%+v", s.dir, r.Changed, r.Now.Headline, d.Headline)
		}
		for _, step := range r.Steps {
			if step.Progress == rebound.Done && d.Causes[0].State != rebound.Cleared && d.Causes[0].State != rebound.Contradicted || step.Why == "" {
				t.Errorf("%s: %+v", s.dir, step)
			}
		}
		passes := d.Response == bounce.Retry || d.Response == bounce.Ignore
		if r.Resume == rebound.Resume && (!passes || d.Hold != nil) {
			t.Errorf("%s: %s, held %+v, and mail may go: %s", s.dir, d.Response, d.Hold, r.Why)
		}
		if len(d.Suppress) > 0 && len(d.Suppress) == len(d.Recipients) && r.Resume != rebound.StayHeld {
			t.Errorf("%s: %v are to be suppressed, and %s: %s", s.dir, d.Suppress, r.Resume, r.Why)
		}
	}
}

// twoRefused is the bounce of a mail to somebody who is not there and to somebody whose
// server had the sender on a list.
const twoRefused = `From: MAILER-DAEMON@mail.shop.example
Subject: Undelivered Mail
Date: Tue, 24 Nov 2026 10:11:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.shop.example

Final-Recipient: rfc822; gone@recipient.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx1.recipient.example
Diagnostic-Code: smtp; 550 5.1.1 <gone@recipient.example>: User unknown

Final-Recipient: rfc822; anna@other.example
Action: failed
Status: 5.7.1
Remote-MTA: dns; mx.other.example
Diagnostic-Code: smtp; 554 5.7.1 Client host [198.51.100.23] blocked using bl.spamcop.net

--b--
`

// Who is to be suppressed is not mailed again, whatever became of the others.
func TestRecheckForSeveral(t *testing.T) {
	s, _ := saved(t, "02-still-listed")
	s.Now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	diagnoser := rebound.Diagnoser{Resolver: resolvetest.New(t, s.zone), Now: func() time.Time { return s.Now }}
	d, err := diagnoser.Diagnose(t.Context(), rebound.Case{Bounce: []byte(twoRefused)})
	if err != nil || !slices.Equal(d.Suppress, []string{"gone@recipient.example"}) || d.Hold == nil {
		t.Fatalf("%v, %+v", err, d)
	}
	for _, tt := range []struct {
		resolver resolve.Resolver
		want     rebound.Resumption
		why      string
	}{
		{resolvetest.New(t, s.zone), rebound.StayHeld, "Hold"},
		{resolvetest.New(t, without(s.zone, "23.100.51.198.bl.spamcop.net")), rebound.StayHeld, "that is not so now"},
		{resolve.Offline{}, rebound.CannotTell, "could not be asked"},
	} {
		r := recheck(t, s, d, tt.resolver, 48*time.Hour)
		if strings.Contains(r.Why, "gone@recipient.example does not exist") {
			t.Errorf("it speaks of who is not mailed: %s", r.Why)
		}
		if r.Resume != tt.want || !strings.HasPrefix(r.Why, "Do not mail gone@recipient.example again. For the others: ") || !strings.Contains(r.Why, tt.why) {
			t.Errorf("got %s, %s; want %s, %s", r.Resume, r.Why, tt.want, tt.why)
		}
	}
}

// A complaint does not pass, whether or not it names who complained.
func TestRecheckOfAComplaint(t *testing.T) {
	d, err := rebound.Diagnose(t.Context(), rebound.Case{Report: &bounce.Report{Kind: bounce.Feedback, Complaint: &bounce.Abuse{Type: "abuse"}}})
	if err != nil || len(d.Suppress) != 0 {
		t.Fatalf("%v, %+v", err, d)
	}
	r, err := new(rebound.Diagnoser).Recheck(t.Context(), d)
	if err != nil || r.Resume != rebound.StayHeld || !strings.Contains(r.Why, "do not mail them again") {
		t.Errorf("%v, %+v", err, r)
	}
}

// On a list that the reply does not name, what is seen counts; and a refusal that DNS
// contradicts as it did before needs one test.
func TestRecheckOfWhatIsNotNamed(t *testing.T) {
	diagnoser := rebound.Diagnoser{Resolver: resolvetest.New(t, healthy+"7.100.51.198.zen.spamhaus.org. A 127.0.0.2\n")}
	for reply, want := range map[string]rebound.Resumption{
		"550 5.7.1 198.51.100.7 is in a blacklist":                                 rebound.StayHeld,
		"550 5.1.8 <news@shop.example>: Sender address rejected: Domain not found": rebound.SendOneTest,
	} {
		d, err := diagnoser.Diagnose(t.Context(), rebound.Case{Reply: reply, IP: netip.MustParseAddr("198.51.100.7"), MailFrom: "news@shop.example"})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := diagnoser.Recheck(t.Context(), d); err != nil || r.Resume != want {
			t.Errorf("%s: %v, %s: %s; want %s", reply, err, r.Resume, r.Why, want)
		}
	}
}

// With which name a server greets now, DNS does not tell.
func TestRecheckOfAHELOName(t *testing.T) {
	diagnoser := rebound.Diagnoser{Resolver: resolvetest.New(t, healthy)}
	d, err := diagnoser.Diagnose(t.Context(), rebound.Case{Reply: "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname", IP: netip.MustParseAddr("198.51.100.23")})
	if err != nil || d.Causes[0].Kind != bounce.HELO || d.Causes[0].State != rebound.Confirmed {
		t.Fatalf("%v, %+v", err, d)
	}
	if r, err := diagnoser.Recheck(t.Context(), d); err != nil || r.Resume != rebound.SendOneTest || !strings.Contains(r.Why, "the receiver alone knows") {
		t.Errorf("%v, %+v", err, r)
	}
}

// Of an address that may be right, one test tells.
func TestRecheckOfADoubtfulAddress(t *testing.T) {
	diagnoser := rebound.Diagnoser{Resolver: resolvetest.New(t, healthy)}
	d, err := diagnoser.Diagnose(t.Context(), rebound.Case{Reply: "450 4.1.1 <anna@recipient.example>: User unknown", Recipient: "anna@recipient.example"})
	if err != nil {
		t.Fatal(err)
	}
	if d.Causes[0].Kind != bounce.UnknownRecipient || len(d.Suppress) != 0 {
		t.Fatalf("%+v, %q", d.Causes[0], d.Suppress)
	}
	if r, err := diagnoser.Recheck(t.Context(), d); err != nil || r.Resume != rebound.SendOneTest {
		t.Errorf("%v, %+v", err, r)
	}
}

// What a refusal has become is told by what is there now: another part of the list, another
// fault of the record, a name that leads back.
func TestRecheckTellsWhatIsThereNow(t *testing.T) {
	const zen = "23.100.51.198.zen.spamhaus.org. A 127.0.0."
	ptr := without(healthy, "23.100.51.198.in-addr.arpa")
	for _, tt := range []struct {
		name, reply, helo, before, after string
		resume                           rebound.Resumption
		why, changed                     string
	}{
		{"an SBL entry turned PBL", "554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org", "", healthy + zen + "2\n", healthy + zen + "11\n", rebound.StayHeld, "198.51.100.23 is on Spamhaus PBL", "Gone: 198.51.100.23 is on Spamhaus SBL."},
		{"a wrong PTR record", "450 4.7.25 Client host rejected: cannot find your reverse hostname, [198.51.100.23]", "", ptr, ptr + "23.100.51.198.in-addr.arpa. PTR wrong.shop.example.\n", rebound.StayHeld, "does not lead back", "23.100.51.198.in-addr.arpa PTR was NXDOMAIN, and is wrong.shop.example."},
		{"a HELO name that leads back", "450 4.7.1 <mail2.shop.example>: Helo command rejected: Host not found", "mail2.shop.example", healthy, healthy + "mail2.shop.example. A 198.51.100.23\n", rebound.Resume, "that is not so now", "seen then, gone now"},
		{"listed by another since", "450 4.7.25 Client host rejected: cannot find your reverse hostname, [198.51.100.23]", "", ptr, healthy + zen + "2\n", rebound.SendOneTest, "But 198.51.100.23 is on Spamhaus", "New: 198.51.100.23 is on Spamhaus ZEN."},
	} {
		at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		ask := func(zone string, now time.Time) *rebound.Diagnoser {
			return &rebound.Diagnoser{Resolver: resolvetest.New(t, zone), Now: func() time.Time { return now }}
		}
		d, err := ask(tt.before, at).Diagnose(t.Context(), rebound.Case{Reply: tt.reply, IP: netip.MustParseAddr("198.51.100.23"), HELO: tt.helo, MailFrom: "news@shop.example", Recipient: "anna@recipient.example", Bounced: at.Add(-time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		r, err := ask(tt.after, at.Add(48*time.Hour)).Recheck(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if r.Resume != tt.resume || !strings.Contains(r.Why, tt.why) || !slices.ContainsFunc(r.Changed, func(s string) bool { return strings.Contains(s, tt.changed) }) {
			t.Errorf("%s: %s, %s, %q", tt.name, r.Resume, r.Why, r.Changed)
		}
		for _, s := range r.Steps {
			if s.Step.Phase == rebound.PhaseRetest && (s.Progress == rebound.Due) != (r.Resume == rebound.Resume || r.Resume == rebound.SendOneTest) {
				t.Errorf("%s: send again %s, and the test is %s: %s", tt.name, r.Resume, s.Progress, s.Why)
			}
		}
	}
}

// A record that is there now is done, whatever else its name holds and in whatever order;
// the same records in another order are no change.
func TestRecheckOfRecords(t *testing.T) {
	s, d := saved(t, "38-spf-lacks-a-server-of-yours")
	i := slices.IndexFunc(d.Plan, func(s rebound.Step) bool { return s.Record != nil && s.Record.Type == "TXT" })
	if i < 0 {
		t.Fatalf("no record to publish: %+v", d.Plan)
	}
	rec := d.Plan[i].Record
	zone := "shop.example. TXT \"site-verification=1\"\n" + strings.Replace(s.zone, rec.Old, rec.New, 1)
	r := recheck(t, s, d, resolvetest.New(t, zone), 48*time.Hour)
	if r.Steps[i].Progress != rebound.Done || !slices.ContainsFunc(r.Changed, func(c string) bool { return strings.HasPrefix(c, "shop.example TXT was ") }) {
		t.Errorf("published: %+v, %q", r.Steps[i], r.Changed)
	}
	two := "shop.example. TXT " + rec.New + "\n" + s.zone // two records are a fault of their own
	if r := recheck(t, s, d, resolvetest.New(t, two), 48*time.Hour); r.Steps[i].Progress == rebound.Done {
		t.Errorf("beside the old one: %+v", r.Steps[i])
	}
	other := strings.Replace(s.zone, "recipient.example. MX 10 mx1.recipient.example.\n", "recipient.example. MX 10 mx2.recipient.example.\nrecipient.example. MX 10 mx1.recipient.example.\n", 1)
	again := strings.Replace(s.zone, "recipient.example. MX 10 mx1.recipient.example.\n", "recipient.example. MX 10 mx1.recipient.example.\nrecipient.example. MX 10 mx2.recipient.example.\n", 1)
	first, err := (&rebound.Diagnoser{Resolver: resolvetest.New(t, other), Now: func() time.Time { return s.Now }}).Diagnose(t.Context(), rebound.Case{Reply: "550 5.1.1 User unknown", Recipient: "anna@recipient.example"})
	if err != nil {
		t.Fatal(err)
	}
	if r := recheck(t, s, first, resolvetest.New(t, again), time.Hour); len(r.Changed) != 0 {
		t.Errorf("another order: %q", r.Changed)
	}
}

// What was not asked then is no new listing.
func TestRecheckOfWhatWasNotAsked(t *testing.T) {
	s, _ := saved(t, "02-still-listed")
	d, err := (&rebound.Diagnoser{Resolver: resolve.Offline{}, Now: func() time.Time { return s.Now }}).Diagnose(t.Context(), s.input())
	if err != nil {
		t.Fatal(err)
	}
	r := recheck(t, s, d, resolvetest.New(t, s.zone), time.Hour)
	if slices.ContainsFunc(r.Changed, func(c string) bool { return strings.HasPrefix(c, "New: ") }) || !slices.ContainsFunc(r.Changed, func(c string) bool { return strings.HasPrefix(c, "Seen now, and perhaps not asked then: ") }) {
		t.Errorf("%q", r.Changed)
	}
}

// An answer that asks for patience holds until that time is over, and that an entry has gone
// does not show that anybody cleaned the machine.
func TestRecheckWaits(t *testing.T) {
	s, _ := saved(t, "10-greylisting")
	early := s
	early.Now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	d, err := (&rebound.Diagnoser{Resolver: resolve.Offline{}, Now: func() time.Time { return early.Now }}).Diagnose(t.Context(), rebound.Case{Reply: s.reply, Bounced: early.Now, Recipient: "anna@recipient.example"})
	if err != nil {
		t.Fatal(err)
	}
	if r := recheck(t, early, d, resolvetest.New(t, s.zone), time.Minute); r.Resume != rebound.StayHeld || !strings.HasPrefix(r.Why, "Wait until ") {
		t.Errorf("a minute later: %s, %s", r.Resume, r.Why)
	}
	if r := recheck(t, early, d, resolvetest.New(t, s.zone), time.Hour); r.Resume != rebound.Resume {
		t.Errorf("an hour later: %s, %s", r.Resume, r.Why)
	}
	s, d = saved(t, "01-cbl-is-xbl")
	r := recheck(t, s, d, resolvetest.New(t, without(s.zone, "23.100.51.198.zen.spamhaus.org")), 48*time.Hour)
	if r.Resume != rebound.SendOneTest || progressOf(t, r, "Find the infected machine").Progress != rebound.Private || progressOf(t, r, "ask for the removal").Progress != rebound.Done {
		t.Errorf("%s, %s, %+v", r.Resume, r.Why, r.Steps)
	}
}

// The mail as it is now tells which of its lines were changed.
func TestRecheckOfAChangedMail(t *testing.T) {
	s, d := saved(t, "44-the-filter-dislikes-the-text")
	d.Asked.Message = []byte(strings.Replace(s.Message, "!!!", ".", 1))
	r := recheck(t, s, d, resolvetest.New(t, s.zone), time.Hour)
	for what, want := range map[string]rebound.Progress{"Leave the name of the product": rebound.NotYet, "Use one exclamation mark": rebound.NotYet, "Greet the reader": rebound.NotYet} {
		if step := progressOf(t, r, what); step.Progress != want {
			t.Errorf("%s: %+v", what, step)
		}
	}
	d.Asked.Message = []byte(strings.NewReplacer("!!!", ".", "PILLS", "NEWS", "Dear friend", "Dear Anna").Replace(s.Message))
	r = recheck(t, s, d, resolvetest.New(t, s.zone), time.Hour)
	for what, want := range map[string]rebound.Progress{"Leave the name of the product": rebound.Done, "Use one exclamation mark": rebound.Done, "Greet the reader": rebound.Done, "Link to a host": rebound.NotYet} {
		if step := progressOf(t, r, what); step.Progress != want {
			t.Errorf("%s: %+v", what, step)
		}
	}
}

// A mail that is put off goes again by itself, and not a second time.
func TestRecheckOfADelay(t *testing.T) {
	s, d := saved(t, "17-delay")
	if r := recheck(t, s, d, resolvetest.New(t, s.zone), time.Hour); r.Resume != rebound.Resume || !strings.Contains(r.Why, "do not send the mail a second time") {
		t.Errorf("%s, %s", r.Resume, r.Why)
	}
}

func TestRecheckErrors(t *testing.T) {
	for _, d := range []*rebound.Diagnosis{nil, {}, {Asked: &rebound.Asked{}}} {
		if r, err := new(rebound.Diagnoser).Recheck(context.Background(), d); !errors.Is(err, rebound.ErrNotSaved) || r != nil {
			t.Errorf("%+v: %v", d, err)
		}
	}
}
