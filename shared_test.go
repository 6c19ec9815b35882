package rebound_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

const spamcopReply = "554 5.7.1 Service unavailable; Client host [198.51.100.23] blocked using bl.spamcop.net"

// A Diagnoser remembers from one call to the next which lists are in order: their test
// entries are asked for once.
func TestSharedDiagnoser(t *testing.T) {
	// The address is on no list: only then does an answer wait for the test entry.
	zone := resolvetest.New(t, healthy)
	tests := func(d *rebound.Diagnoser) int {
		zone.Forget()
		for range 3 {
			if _, err := d.Diagnose(t.Context(), rebound.Case{Reply: spamcopReply}); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		for _, q := range zone.Asked() {
			if strings.HasPrefix(q, "2.0.0.127.bl.spamcop.net") {
				n++
			}
		}
		return n
	}
	if n := tests(&rebound.Diagnoser{Resolver: zone}); n != 1 {
		t.Errorf("the test entry was asked for %d times, want once", n)
	}
	memory := new(dnsbl.Memory)
	tests(&rebound.Diagnoser{Resolver: zone, ListMemory: memory})
	if n := tests(&rebound.Diagnoser{Resolver: zone, ListMemory: memory}); n != 0 {
		t.Errorf("with a memory that another has filled, %d times", n)
	}
}

// Observe is told each answer, without the keys of paid lists; a check's end tells what it
// took.
func TestHooks(t *testing.T) {
	zone := resolvetest.New(t, healthy)
	var mu sync.Mutex
	names := map[string]int{}
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	d := &rebound.Diagnoser{
		Resolver: zone,
		Keys:     dnsbl.Keys{"spamhaus-dqs": dnsbl.Secret("secretsecretsecretsecret00")},
		Observe: func(a resolve.Answer) {
			mu.Lock()
			defer mu.Unlock()
			names[a.Name+" "+a.Type.String()]++
		},
		Progress: func(e rebound.Event) {
			mu.Lock()
			defer mu.Unlock()
			logger.Info("check", "event", e)
		},
	}
	got, err := d.Diagnose(t.Context(), everything)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < len(got.DNS) || len(got.DNS) == 0 {
		t.Errorf("%d questions were observed, %d answers are in the diagnosis", len(names), len(got.DNS))
	}
	for name := range names {
		if strings.Contains(name, "secret") {
			t.Errorf("a key was shown: %s", name)
		}
	}
	logger.Info("done", "diagnosis", got)
	for _, want := range []string{`"event":{"check":"spf"}`, `"event":{"check":"spf","outcome":"clean","took":`, `"diagnosis":{"cause":"unknown","state":"not-checkable"`, `"fault":"unknown","response":"ask-recipient","suppress":0,"ip":"198.51.100.23"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "anna@") {
		t.Errorf("the log names a person:\n%s", log.String())
	}
	if empty := new(rebound.Diagnosis).LogValue(); len(empty.Group()) != 0 {
		t.Errorf("an empty diagnosis: %v", empty)
	}
}

// Of what came back, one field is read; the others are named.
func TestPrecedenceOfACase(t *testing.T) {
	d := &rebound.Diagnoser{Resolver: resolve.Offline{}}
	c := rebound.Case{
		Report: bounce.ParseReply("550 5.1.1 <a@recipient.example>: User unknown"), Bounce: []byte("Subject: no bounce\r\n\r\n"),
		Reply: spamcopReply, Err: context.DeadlineExceeded,
	}
	for _, want := range []struct {
		kind   bounce.Reason
		unread string
	}{{bounce.UnknownRecipient, "Bounce Reply Err"}, {rebound.NotABounce, "Reply Err"}, {bounce.IPListed, "Err"}, {bounce.Network, ""}} {
		got, err := d.Diagnose(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		var unread []string
		for _, n := range got.Notes {
			if name, ok := strings.CutPrefix(n, "Case."); ok {
				name, _, _ = strings.Cut(name, " ")
				unread = append(unread, name)
			}
		}
		if got.Causes[0].Kind != want.kind || strings.Join(unread, " ") != want.unread {
			t.Errorf("%s, not read %v; want %s, %s", got.Causes[0].Kind, unread, want.kind, want.unread)
		}
		switch {
		case c.Report != nil:
			c.Report = nil
		case c.Bounce != nil:
			c.Bounce = nil
		default:
			c.Reply = ""
		}
	}
	got, err := d.Diagnose(t.Context(), rebound.Case{Reply: "550 5.7.1 refused [203.0.113.9]", IP: netip.MustParseAddr("198.51.100.7"), HELO: "mail.shop.example", MailFrom: "news@shop.example"})
	if err != nil {
		t.Fatal(err)
	}
	if f := got.Facts; f.IP.Source != "the receiver's reply" || f.OtherIP.Source != "the caller" || f.HELO.Source != "the caller" {
		t.Errorf("facts: %+v", f)
	}
}

// Every piece of evidence says when it was so: the reply when it was given, an answer of
// DNS when a server gave it, though that was long ago, a row of a table when it was looked
// over.
func TestAgeOfEvidence(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	given := now.Add(-3 * time.Hour)
	zone := resolvetest.New(t, "2.0.0.127.bl.spamcop.net. A 127.0.0.2\n23.100.51.198.bl.spamcop.net. A 127.0.0.2\n")
	d := &rebound.Diagnoser{Resolver: dated{zone, given}, Now: func() time.Time { return now }}
	got, err := d.Diagnose(t.Context(), rebound.Case{Reply: spamcopReply, Bounced: now.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Time{finding.KindReply: now.Add(-time.Hour), finding.KindDNS: given, finding.KindRule: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	for _, e := range got.Causes[0].Evidence {
		if !e.At.Equal(want[e.Kind]) {
			t.Errorf("%s %q is of %s, want %s", e.Kind, e.Text, e.At, want[e.Kind])
		}
		delete(want, e.Kind)
	}
	if len(want) > 0 {
		t.Errorf("no evidence of the kinds %v", want)
	}
	for _, s := range stories(t) {
		for _, c := range s.diagnose(t, resolvetest.New(t, s.zone)).Causes {
			for _, e := range c.Evidence {
				if e.At.IsZero() && !s.Bounced.IsZero() {
					t.Errorf("%s: evidence without a time: %+v", s.dir, e)
				}
			}
		}
	}
}

// dated says that a server gave its answers at a time.
type dated struct {
	resolve.Resolver
	at time.Time
}

func (d dated) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	a := d.Resolver.Resolve(ctx, name, t)
	a.At = d.at
	return a
}

// What an earlier version saved is read, and asked again.
func TestOldFilesStayReadable(t *testing.T) {
	var old rebound.Diagnosis
	if err := json.Unmarshal(read(t, "testdata/saved/2026-11-26.json"), &old); err != nil {
		t.Fatal(err)
	}
	zone := resolvetest.New(t, "2.0.0.127.bl.spamcop.net. A 127.0.0.2\n")
	d := &rebound.Diagnoser{Resolver: zone, Now: func() time.Time { return old.Asked.At.AddDate(0, 0, 3) }}
	got, err := d.Recheck(t.Context(), &old)
	if err != nil {
		t.Fatal(err)
	}
	if got.Resume != rebound.Resume || len(got.Steps) != len(old.Plan) {
		t.Errorf("%s: %s, %d of %d steps", got.Resume, got.Why, len(got.Steps), len(old.Plan))
	}
	if !slices.ContainsFunc(got.Steps, func(s rebound.RecheckedAt) bool { return s.Step.List == "bl.spamcop.net" && s.Progress == rebound.Done }) {
		t.Errorf("the listing is gone, and its step is not done: %+v", got.Steps)
	}
}
