package rebound_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/textproto"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/report"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// A recording replays to the same diagnosis, to the byte.
func TestReplayGivesTheSameDiagnosis(t *testing.T) {
	for _, s := range stories(t) {
		rec := &resolve.Recorder{Resolver: resolvetest.New(t, s.zone)}
		text, object := render(t, s.diagnose(t, rec))
		var file bytes.Buffer
		if _, err := rec.WriteTo(&file); err != nil {
			t.Fatal(err)
		}
		replay, err := resolve.Replay(&file)
		if err != nil {
			t.Fatal(err)
		}
		again, objectAgain := render(t, s.diagnose(t, replay))
		if !bytes.Equal(text, again) || !bytes.Equal(object, objectAgain) {
			t.Errorf("%s: the replay differs:\n%s\nwant\n%s", s.dir, again, text)
		}
	}
}

// Over real DNS messages on loopback the cases end as in memory.
func TestDiagnoseOverLoopback(t *testing.T) {
	for _, s := range stories(t) {
		t.Run(filepath.Base(s.dir), func(t *testing.T) {
			client, err := resolve.NewClient(resolvetest.Serve(t, resolvetest.New(t, s.zone)))
			if err != nil {
				t.Fatal(err)
			}
			got := s.diagnose(t, resolve.NewCache(client))
			want := s.diagnose(t, resolvetest.New(t, s.zone))
			if a, b := kinds(got), kinds(want); !reflect.DeepEqual(a, b) || got.Headline != want.Headline {
				t.Errorf("causes %v, headline %+v\nwant %v, %+v", a, got.Headline, b, want.Headline)
			}
		})
	}
}

func kinds(d *rebound.Diagnosis) []string {
	var list []string
	for _, c := range d.Causes {
		list = append(list, string(c.Kind)+" "+string(c.State))
	}
	return list
}

func TestDiagnosisIsDeterministic(t *testing.T) {
	s := stories(t)[0]
	_, want := render(t, s.diagnose(t, resolvetest.New(t, s.zone)))
	for range 20 {
		if _, got := render(t, s.diagnose(t, resolvetest.New(t, s.zone))); !bytes.Equal(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestDiagnosisReadsBack(t *testing.T) {
	for _, s := range stories(t) {
		_, want := render(t, s.diagnose(t, resolvetest.New(t, s.zone)))
		back := new(rebound.Diagnosis)
		if err := json.Unmarshal(want, back); err != nil {
			t.Fatalf("%s: %v", s.dir, err)
		}
		if _, got := render(t, back); !bytes.Equal(got, want) {
			t.Errorf("%s: read back as\n%s\nwant\n%s", s.dir, got, want)
		}
	}
}

// The receiver's name for a recipient's fault asks no list, and greylisting asks
// nobody at all.
func TestChecksAreRelevant(t *testing.T) {
	for reply, want := range map[string][]string{
		"450 4.2.0 Greylisted, try again in 300 seconds": nil,
		"550 5.1.1 <a@recipient.example>: User unknown":  {"recipient.example MX"},
		"552 5.2.2 mailbox full":                         nil,
		"554 5.7.1 Relay access denied":                  {"recipient.example MX"},
		"451 4.3.0 Temporary lookup failure":             nil,
	} {
		zone := resolvetest.New(t, "recipient.example. MX 10 mx.recipient.example.\n")
		d := &rebound.Diagnoser{Resolver: zone}
		if _, err := d.Diagnose(t.Context(), rebound.Case{Reply: reply, IP: netip.MustParseAddr("198.51.100.23"), HELO: "mail.shop.example", MailFrom: "o@shop.example", Recipient: "a@recipient.example"}); err != nil {
			t.Fatal(err)
		}
		if got := zone.Asked(); !slices.Equal(got, want) {
			t.Errorf("%s: asked %v, want %v", reply, got, want)
		}
	}
}

func TestNeverSuppressedForTheSendersFault(t *testing.T) {
	for _, s := range stories(t) {
		d := s.diagnose(t, resolvetest.New(t, s.zone))
		for _, c := range d.Causes {
			if c.Fault == rebound.OfSender && len(d.Causes) == 1 && len(d.Suppress) > 0 {
				t.Errorf("%s: %s suppresses %v", s.dir, c.Kind, d.Suppress)
			}
		}
	}
}

// The sender's address called unknown is not the recipient's fault.
func TestRefusalThatNamesTheSender(t *testing.T) {
	c := rebound.Case{Reply: "550 5.1.1 <office@shop.example>: user unknown", MailFrom: "office@shop.example", Recipient: "anna@recipient.example"}
	got, err := (&rebound.Diagnoser{Resolver: resolvetest.New(t, "")}).Diagnose(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if got.Causes[0].Kind != bounce.SenderUnknown || got.Fault != rebound.OfSender || len(got.Suppress) != 0 {
		t.Errorf("causes %v, fault %s, suppress %v", kinds(got), got.Fault, got.Suppress)
	}
}

// A refusal that DNS contradicts suppresses nobody, and each recipient has its own
// cause, domain and step.
func TestSeveralRecipients(t *testing.T) {
	rec := func(address, reply string) bounce.Recipient {
		r := bounce.ParseReply(reply).Recipients[0]
		r.Address = address
		return r
	}
	report := &bounce.Report{Kind: bounce.Failure, Recipients: []bounce.Recipient{
		rec("anna@here.example", "550 5.1.2 <anna@here.example>: Recipient address rejected: Domain not found"),
		rec("bert@gone.example", "550 5.1.2 <bert@gone.example>: Recipient address rejected: Domain not found"),
		rec("carl@other.example", "550 5.7.26 Unauthenticated email from shop.example is not accepted due to domain's DMARC policy. - gsmtp"),
	}}
	zone := resolvetest.New(t, "here.example. MX 10 mx.here.example.\nmx.here.example. A 192.0.2.8\nother.example. MX 10 mx.other.example.\n")
	got, err := (&rebound.Diagnoser{Resolver: zone}).Diagnose(t.Context(), rebound.Case{Report: report})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"bert@gone.example"}; !slices.Equal(got.Suppress, want) {
		t.Errorf("suppress %v, want %v", got.Suppress, want)
	}
	if want := []string{"dmarc not-asked", "unknown-domain confirmed", "unknown-domain contradicted"}; !slices.Equal(kinds(got), want) {
		t.Errorf("causes %v, want %v", kinds(got), want)
	}
	for _, c := range got.Causes {
		if c.Kind == bounce.UnknownDomain && strings.Contains(c.Summary, "other.example") {
			t.Errorf("the cause names the wrong domain: %s", c.Summary)
		}
	}
	for _, s := range got.Plan {
		if strings.Contains(s.What, "carl@other.example") && strings.Contains(s.What, "off your lists") {
			t.Errorf("a healthy address is to be removed: %s", s.What)
		}
	}
}

// What is said of one address or domain is compared with that one.
func TestStatementsAreComparedWithTheirOwnItem(t *testing.T) {
	reply := func(texts ...string) *bounce.Report {
		rep := &bounce.Report{Kind: bounce.Failure}
		for i, text := range texts {
			r := bounce.ParseReply(text).Recipients[0]
			r.Address = fmt.Sprintf("a%d@recipient.example", i)
			rep.Recipients = append(rep.Recipients, r)
		}
		return rep
	}
	const tests = "2.0.0.127.zen.spamhaus.org. A 127.0.0.2\n2.0.0.127.bl.spamcop.net. A 127.0.0.2\ndbltest.com.dbl.spamhaus.org. A 127.0.1.2\n"
	for _, tt := range []struct {
		name string
		in   rebound.Case
		zone string
		want []string
	}{
		{
			"two addresses",
			rebound.Case{Report: reply("550 5.7.25 [198.51.100.23] has no PTR record - gsmtp", "554 5.7.1 Client host [198.51.100.99] blocked using zen.spamhaus.org")},
			tests + "99.100.51.198.zen.spamhaus.org. A 127.0.0.2\n",
			[]string{"ptr confirmed", "ip-listed confirmed"},
		},
		{
			"the envelope's domain",
			rebound.Case{Reply: "554 5.7.1 Sender domain blocked using dbl.spamhaus.org", MailFrom: "b@shop.example", Message: []byte("From: office@myshop.example\r\n\r\n")},
			tests + "shop.example.dbl.spamhaus.org. A 127.0.1.2\n",
			[]string{"domain-listed confirmed"},
		},
		{
			"no list named",
			rebound.Case{Reply: "550 5.7.1 198.51.100.23 is blacklisted", IP: netip.MustParseAddr("198.51.100.23")},
			tests + "23.100.51.198.in-addr.arpa. PTR mail.shop.example.\nmail.shop.example. A 198.51.100.23\n",
			[]string{"ip-listed not-checkable"},
		},
		{
			"one list dead, one alive",
			rebound.Case{Reply: "554 5.7.1 [198.51.100.23] blocked using dnsbl.sorbs.net; also blocked using zen.spamhaus.org"},
			tests + "23.100.51.198.zen.spamhaus.org. A 127.0.0.2\n23.100.51.198.in-addr.arpa. PTR mail.shop.example.\nmail.shop.example. A 198.51.100.23\n",
			[]string{"ip-listed confirmed"},
		},
		{
			"two minutes ago",
			rebound.Case{Reply: "554 5.7.1 [198.51.100.23] blocked using bl.spamcop.net", Bounced: time.Now().Add(-2 * time.Minute)},
			tests + "23.100.51.198.in-addr.arpa. PTR mail.shop.example.\nmail.shop.example. A 198.51.100.23\n",
			[]string{"ip-listed contradicted"},
		},
		{
			"the list refuses its test entry",
			rebound.Case{Reply: "554 5.7.1 [198.51.100.23] blocked using bl.spamcop.net", Bounced: time.Now().Add(-48 * time.Hour)},
			"2.0.0.127.bl.spamcop.net. A 127.255.255.254\n23.100.51.198.in-addr.arpa. PTR mail.shop.example.\nmail.shop.example. A 198.51.100.23\n",
			[]string{"ip-listed not-asked"},
		},
		{
			"a private address", rebound.Case{Reply: "550 5.7.1 Message refused for policy reasons", IP: netip.MustParseAddr("10.0.0.5")}, tests, []string{"policy not-checkable"},
		},
		{
			"a complaint without its report", rebound.Case{Report: &bounce.Report{Kind: bounce.Feedback}}, tests, []string{"complaint not-checkable"},
		},
	} {
		got, err := (&rebound.Diagnoser{Resolver: resolvetest.New(t, tt.zone)}).Diagnose(t.Context(), tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(kinds(got), tt.want) {
			t.Errorf("%s: causes %v, want %v; %s", tt.name, kinds(got), tt.want, got.Causes[0].Detail)
		}
	}
}

// A domain that takes mail now suppresses nobody, however old the refusal.
func TestClearedDomainSuppressesNobody(t *testing.T) {
	got, err := (&rebound.Diagnoser{Resolver: resolvetest.New(t, "recipient.example. MX 10 mx.recipient.example.\nmx.recipient.example. A 192.0.2.8\n")}).Diagnose(t.Context(), rebound.Case{
		Reply: "550 5.1.2 <anna@recipient.example>: Recipient address rejected: Domain not found", Recipient: "anna@recipient.example", Bounced: time.Now().Add(-72 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Suppress) != 0 || got.Causes[0].State != rebound.Cleared {
		t.Errorf("causes %v, suppress %v", kinds(got), got.Suppress)
	}
}

func TestDiagnoseErrors(t *testing.T) {
	if _, err := rebound.Diagnose(t.Context(), rebound.Case{}); !errors.Is(err, rebound.ErrNothing) {
		t.Errorf("empty case: %v, want ErrNothing", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rebound.Diagnose(gone, rebound.Case{Reply: "550 no"}); !errors.Is(err, rebound.ErrNoTime) || !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v, want ErrNoTime and the cause", err)
	}
}

// mute answers nothing before its context ends.
type mute struct{}

func (mute) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	<-ctx.Done()
	return resolve.Answer{Name: name, Type: t, Status: resolve.Canceled, Err: ctx.Err()}
}

func TestDeadlineGivesAPartialDiagnosis(t *testing.T) {
	d := &rebound.Diagnoser{Resolver: mute{}, Timeout: 10 * time.Millisecond}
	got, err := d.Diagnose(t.Context(), rebound.Case{Reply: "554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Causes[0].Kind != bounce.IPListed || got.Causes[0].State != rebound.NotAsked {
		t.Errorf("causes %v", kinds(got))
	}
	for _, c := range got.Checks {
		if (c.Name == "dnsbl.ip" || c.Name == "iprev") && (c.Outcome != finding.Unknown || c.Why == "") {
			t.Errorf("%s: %s, %s; want unknown with a reason", c.Name, c.Outcome, c.Why)
		}
	}
}

func TestOfflineSaysSo(t *testing.T) {
	d := &rebound.Diagnoser{Resolver: resolve.Offline{}}
	got, err := d.Diagnose(t.Context(), rebound.Case{Reply: "554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Causes[0].State != rebound.NotAsked || !strings.Contains(got.Headline.Keep, "dnsbl.ip") {
		t.Errorf("causes %v, headline %q", kinds(got), got.Headline.Keep)
	}
}

// broken panics on one question.
type broken struct{ resolve.Resolver }

func (b broken) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	if t == resolve.PTR {
		panic("a defect")
	}
	return b.Resolver.Resolve(ctx, name, t)
}

func TestADefectStaysInItsCheck(t *testing.T) {
	s := stories(t)[0]
	got := s.diagnose(t, broken{resolvetest.New(t, s.zone)})
	for _, c := range got.Checks {
		if want := finding.Broke; (c.Name == "iprev") != (c.Outcome == want) {
			t.Errorf("%s: %s, %s", c.Name, c.Outcome, c.Why)
		}
	}
	if got.Causes[0].Kind != bounce.IPListed {
		t.Errorf("causes %v", kinds(got))
	}
}

func TestCaseFromError(t *testing.T) {
	d := &rebound.Diagnoser{Resolver: resolvetest.New(t, "")}
	err := fmt.Errorf("send: %w", &textproto.Error{Code: 550, Msg: "5.1.1 no such user"})
	got, diagErr := d.Diagnose(t.Context(), rebound.Case{Err: err, Recipient: "anna@recipient.example"})
	if diagErr != nil {
		t.Fatal(diagErr)
	}
	if got.Causes[0].Kind != bounce.UnknownRecipient || !slices.Equal(got.Suppress, []string{"anna@recipient.example"}) {
		t.Errorf("causes %v, suppress %v", kinds(got), got.Suppress)
	}
}

func TestProgress(t *testing.T) {
	var (
		mu    sync.Mutex
		began = map[string]int{}
		ended = map[string]int{}
	)
	d := &rebound.Diagnoser{Resolver: resolvetest.New(t, ""), Progress: func(e rebound.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Done == nil {
			began[e.Check]++
		} else {
			ended[e.Check]++
		}
	}}
	got, err := d.Diagnose(t.Context(), rebound.Case{Reply: "550 5.1.1 no such user"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range got.Checks {
		if began[c.Name] != 1 || ended[c.Name] != 1 {
			t.Errorf("%s began %d times and ended %d times", c.Name, began[c.Name], ended[c.Name])
		}
	}
}

// The lists that package bounce recognises and those of package dnsbl's catalogue
// are the same: what a bounce names can be explained, and every list in service is
// recognised, with the address, in the wordings of the common servers.
func TestListsOfBounceAndCatalogue(t *testing.T) {
	for _, zone := range bounce.Zones() {
		if dnsbl.Default().ByZone(zone) == nil {
			t.Errorf("bounce recognises %s, which the catalogue does not hold", zone)
		}
	}
	for l := range dnsbl.Default().All() {
		if l.Zone == "" || !l.Usable() || l.Kinds&(dnsbl.IPv4|dnsbl.IPv6|dnsbl.DomainName) == 0 || l.Action == dnsbl.Info {
			continue
		}
		zone := strings.TrimPrefix(l.Zone, "{key}.")
		for _, wording := range []string{
			"554 5.7.1 Service unavailable; Client host [%s] blocked using %s",
			"554 5.7.1 %s listed at %s",
			"550 %s is in a black list at %s",
			"550 %s refused by the DNSBL %s",
			"550 [%s] is blocked, lookup site '%s.'",
		} {
			item := "198.51.100.23"
			if l.Kinds&(dnsbl.IPv4|dnsbl.IPv6) == 0 {
				item = "shop.example"
			}
			reply := fmt.Sprintf(wording, item, zone)
			rec := bounce.ParseReply(reply).Recipients[0]
			if lists := rec.Lists(); len(lists) != 1 || lists[0] != zone {
				t.Errorf("%s: lists %v", reply, lists)
			} else if got := rec.Mentions[0].Item; got != item {
				t.Errorf("%s: item %q", reply, got)
			}
		}
	}
}

func TestPlain(t *testing.T) {
	if got, want := rebound.Plain("a\x1b[31m b\u202ec\r\n\td\x00\xff"), "a[31m bc d\uFFFD"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzDiagnose(f *testing.F) {
	f.Add([]byte("From: MAILER-DAEMON@a.example\nSubject: failure notice\n\n<b@c.example>:\n554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org\n"), "")
	f.Add([]byte{}, "550-5.7.25 [2001:db8::1] no PTR\n550 5.7.25 - gsmtp")
	for _, s := range stories(f) {
		f.Add(s.bounce, s.reply)
	}
	zone, err := resolve.ParseZone(strings.NewReader("23.100.51.198.zen.spamhaus.org. A 127.0.0.4\n*.example. MX 10 mx.example.\nshop.example. TXT \"v=spf1 -all\"\n_dmarc.shop.example. TXT \"v=DMARC1; p=reject\"\n23.100.51.198.in-addr.arpa. PTR mx.far.example.\nmx.far.example. A 198.51.100.23\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte, reply string) {
		d := &rebound.Diagnoser{Resolver: zone}
		c := rebound.Case{Bounce: raw, Reply: reply}
		if len(reply)%2 == 1 || len(raw)%2 == 1 { // what the caller says of their own mail
			c.IP, c.HELO, c.MailFrom, c.Recipient = netip.MustParseAddr("198.51.100.23"), "mail.shop.example", "news@shop.example", "anna@recipient.example"
		}
		got, err := d.Diagnose(t.Context(), c)
		if errors.Is(err, rebound.ErrNothing) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range got.Checks {
			if c.Outcome == finding.Broke {
				t.Fatalf("%s broke: %s", c.Name, c.Why)
			}
		}
		for i, s := range got.Plan {
			for _, n := range s.After {
				if n < 1 || n > i {
					t.Fatalf("step %d waits for %d", i+1, n)
				}
			}
			if strings.Contains(s.What, "{addr}") || strings.Contains(s.What, "{ip}") {
				t.Fatalf("a placeholder: %s", s.What)
			}
		}
		var text bytes.Buffer
		if err := report.Text(&text, got, report.Options{}); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(text.String(), func(r rune) bool { return r < ' ' && r != '\n' }); i >= 0 {
			t.Fatalf("a control character in %q", text.String())
		}
	})
}
