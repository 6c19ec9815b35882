package rebound_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// counting counts questions.
type counting struct {
	resolve.Resolver
	asked atomic.Int64
}

func (c *counting) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	c.asked.Add(1)
	return c.Resolver.Resolve(ctx, name, t)
}

// many are bounces of three roots: a listing of one address told by two receivers, unknown
// recipients, and a domain that takes no mail.
func many(n int) iter.Seq[rebound.Item] {
	return func(yield func(rebound.Item) bool) {
		for i := range n {
			reply := fmt.Sprintf("550 5.1.1 <u%d@recipient.example>: Recipient address rejected: User unknown", i)
			recipient := fmt.Sprintf("u%d@recipient.example", i)
			switch i % 4 {
			case 1, 2:
				reply = "554 5.7.1 Service unavailable; Client host [198.51.100.23] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/198.51.100.23"
			case 3:
				reply, recipient = "550 5.1.2 Host or domain name not found. Name service error for name=gone.example type=AAAA: Host not found", fmt.Sprintf("v%d@gone.example", i)
			}
			if !yield(rebound.Item{Name: fmt.Sprint("item ", i), Case: rebound.Case{Reply: reply, Recipient: recipient, MailFrom: "news@shop.example"}}) {
				return
			}
		}
	}
}

const listedZone = "$TTL 300\n23.100.51.198.zen.spamhaus.org. A 127.0.0.4\n2.0.0.127.zen.spamhaus.org. A 127.0.0.2\nrecipient.example. MX 10 mx.recipient.example.\nmx.recipient.example. A 192.0.2.9\n"

func TestTriage(t *testing.T) {
	r := &counting{Resolver: resolvetest.New(t, listedZone)}
	d := rebound.Diagnoser{Resolver: r, Now: func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }}
	steps := 0
	out := d.Triage(context.Background(), many(1000), rebound.TriageOptions{Progress: func(read, done, of int) { steps = of - done }})
	if out.Total != 1000 || len(out.Groups) != 3 || len(out.Notes) != 0 || steps != 0 {
		t.Fatalf("%d bounces, %+v, %q, %d left", out.Total, out.Groups, out.Notes, steps)
	}
	listed, unknown, gone := out.Groups[0], out.Groups[1], out.Groups[2]
	if listed.Kind != bounce.IPListed || listed.Count != 500 || listed.List != "zen.spamhaus.org" || listed.IP.String() != "198.51.100.23" || listed.Suppress != 0 || listed.Diagnosis == nil || listed.Diagnosis.Hold == nil {
		t.Errorf("the worst: %+v", listed)
	}
	if len(listed.Examples) != 5 || listed.Examples[0] != "item 1" {
		t.Errorf("examples: %q", listed.Examples)
	}
	if unknown.Kind != bounce.UnknownRecipient || unknown.Count != 250 || unknown.Suppress != 250 || gone.Kind != bounce.UnknownDomain || gone.Domain != "gone.example" || gone.Suppress != 250 {
		t.Errorf("the others: %+v\n%+v", unknown, gone)
	}
	if len(out.Suppress) != 500 || !slices.Contains(out.Suppress, "u0@recipient.example") || slices.Contains(out.Suppress, "u1@recipient.example") || out.Keep != 500 {
		t.Errorf("%d to suppress, %d to keep", len(out.Suppress), out.Keep)
	}
	if n := r.asked.Load(); n > 200 {
		t.Errorf("%d questions for three roots", n)
	}
	raw, err := json.Marshal(out)
	if err != nil || !strings.Contains(string(raw), `"kind":"ip-listed"`) {
		t.Errorf("%v", err)
	}
}

// A domain that DNS knows is no ground to suppress.
func TestTriageAsksBeforeItSuppresses(t *testing.T) {
	d := rebound.Diagnoser{Resolver: resolvetest.New(t, listedZone+"gone.example. MX 10 mx.gone.example.\nmx.gone.example. A 192.0.2.8\n")}
	out := d.Triage(context.Background(), many(40), rebound.TriageOptions{})
	if len(out.Suppress) != 10 || out.Keep != 30 {
		t.Errorf("%d to suppress, %d to keep", len(out.Suppress), out.Keep)
	}
}

// What DNS says of one domain is no verdict on another, whatever the replies have in
// common: each is grouped, and suppressed or kept, by itself.
func TestTriageByTheRecipientsDomain(t *testing.T) {
	d := rebound.Diagnoser{Resolver: resolvetest.New(t, "here.example. MX 10 mx.here.example.\nmx.here.example. A 192.0.2.8\n")}
	for _, reply := range []string{"connect to mx.%s[192.0.2.9]:25: Connection timed out", "450 4.4.3 Host or domain name not found. Name service error for name=%s type=MX: Host not found, try again"} {
		var items []rebound.Item
		for _, domain := range []string{"gone.example", "here.example", "gone.example"} {
			items = append(items, rebound.Item{Case: rebound.Case{Reply: fmt.Sprintf(reply, domain), Recipient: "a@" + domain, IP: netip.MustParseAddr("198.51.100.23"), MailFrom: "news@shop.example"}})
		}
		out := d.Triage(t.Context(), slices.Values(items), rebound.TriageOptions{})
		if len(out.Groups) != 2 || !slices.Equal(out.Suppress, []string{"a@gone.example"}) || out.Keep != 1 {
			t.Errorf("%s: %d groups, suppress %q, keep %d", reply, len(out.Groups), out.Suppress, out.Keep)
		}
	}
}

// An outage of many domains does not crowd out what else is wrong.
func TestTriageOfAnOutage(t *testing.T) {
	var items []rebound.Item
	for i := range 2100 {
		items = append(items, rebound.Item{Case: rebound.Case{Reply: "connect to mx.far.example[192.0.2.9]:25: Connection timed out", Recipient: fmt.Sprintf("a@d%d.example", i)}})
	}
	for range 5 {
		items = append(items, rebound.Item{Case: rebound.Case{Reply: "554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org", Recipient: "b@recipient.example"}})
	}
	out := (&rebound.Diagnoser{Resolver: resolve.Offline{}}).Triage(t.Context(), slices.Values(items), rebound.TriageOptions{Diagnose: -1})
	if out.Groups[0].Kind != bounce.IPListed || out.Groups[0].Count != 5 || out.Keep != 2101 || !slices.ContainsFunc(out.Notes, func(n string) bool { return strings.Contains(n, "port 25") }) {
		t.Errorf("%d groups, the first %+v; keep %d, %q", len(out.Groups), out.Groups[0], out.Keep, out.Notes)
	}
}

// What DNS says of a domain takes an address from one group and not from another that has
// its own reason, and what was put off decides for nobody: in whatever order they come.
func TestTriageOfOneAddressTwice(t *testing.T) {
	d := rebound.Diagnoser{Resolver: resolvetest.New(t, "here.example. MX 10 mx.here.example.\nmx.here.example. A 192.0.2.8\n")}
	item := func(reply, address string) rebound.Item {
		rep := bounce.ParseReply(reply)
		rep.Recipients[0].Address = address
		if reply[0] == '4' {
			rep.Kind, rep.Recipients[0].Action = bounce.Delay, bounce.Delayed
		}
		return rebound.Item{Case: rebound.Case{Report: rep, Recipient: address}}
	}
	items := []rebound.Item{
		item("550 5.1.2 Host or domain name not found", "a@here.example"), item("550 5.1.1 User unknown", "a@here.example"),
		item("450 4.1.2 Domain not found", "b@gone.example"), item("550 5.1.2 Domain not found", "c@gone.example"),
	}
	for range 2 {
		out := d.Triage(t.Context(), slices.Values(items), rebound.TriageOptions{})
		slices.Sort(out.Suppress)
		if !slices.Equal(out.Suppress, []string{"a@here.example", "c@gone.example"}) || out.Keep != 1 {
			t.Errorf("suppress %q, keep %d", out.Suppress, out.Keep)
		}
		slices.Reverse(items)
	}
}

// What was known of an address counts in a triage too; never for a fault of the sender's.
func TestTriageHeedsHistory(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	d := rebound.Diagnoser{Resolver: resolve.Offline{}, Now: func() time.Time { return now }}
	full := func(days int) bounce.Event {
		return bounce.Event{Time: now.AddDate(0, 0, -days), Address: "anna@recipient.example", Reason: bounce.MailboxFull, Permanence: bounce.Temporary}
	}
	for reply, want := range map[string]int{"452 4.2.2 Mailbox full": 1, "554 5.7.1 Client host [198.51.100.23] blocked using zen.spamhaus.org": 0} {
		c := rebound.Case{Reply: reply, Recipient: "anna@recipient.example", History: []bounce.Event{full(9), full(5), full(2)}}
		out := d.Triage(t.Context(), slices.Values([]rebound.Item{{Case: c}}), rebound.TriageOptions{})
		one, err := d.Diagnose(t.Context(), c)
		if err != nil || len(out.Suppress) != want || len(one.Suppress) != want {
			t.Errorf("%s: %v, triage %q, diagnosis %q", reply, err, out.Suppress, one.Suppress)
		}
	}
}

// The same bounces give the same, however they are spread over cores; an address counts
// once; what is nothing is left out, and told.
func TestTriageOfOddities(t *testing.T) {
	d := rebound.Diagnoser{Resolver: resolve.Offline{}}
	items := slices.Collect(many(300))
	items = append(items, items[0], rebound.Item{Name: "empty"}, rebound.Item{Name: "vacation", Case: rebound.Case{Bounce: []byte("Auto-Submitted: auto-replied\r\nFrom: a@b.example\r\nSubject: away\r\n\r\nback soon\r\n")}})
	first := d.Triage(context.Background(), slices.Values(items), rebound.TriageOptions{Diagnose: -1})
	for range 3 {
		again := d.Triage(context.Background(), slices.Values(items), rebound.TriageOptions{Diagnose: -1})
		a, _ := json.Marshal(first)
		b, _ := json.Marshal(again)
		if string(a) != string(b) {
			t.Fatalf("got %s, then %s", a, b)
		}
	}
	if first.Total != 302 || len(first.Suppress) != 150 || len(first.Notes) != 1 || !strings.Contains(first.Notes[0], "not counted: 1.") {
		t.Errorf("%d bounces, %d to suppress, %q", first.Total, len(first.Suppress), first.Notes)
	}
	few := d.Triage(context.Background(), slices.Values(items), rebound.TriageOptions{Diagnose: 1})
	if few.Groups[0].Diagnosis == nil || few.Groups[1].Diagnosis != nil || len(few.Notes) != 2 || !strings.Contains(few.Notes[0], "DNS would tell") {
		t.Errorf("one diagnosed: %q", few.Notes)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ended := d.Triage(ctx, slices.Values(items), rebound.TriageOptions{})
	if len(ended.Notes) == 0 || ended.Groups == nil || ended.Suppress == nil {
		t.Errorf("an ended context: %+v", ended)
	}
}

func BenchmarkTriage(b *testing.B) {
	d := rebound.Diagnoser{Resolver: resolve.Offline{}}
	for b.Loop() {
		d.Triage(context.Background(), many(10_000), rebound.TriageOptions{Diagnose: -1})
	}
	b.ReportMetric(float64(10_000*b.N)/b.Elapsed().Seconds(), "bounces/s")
}
