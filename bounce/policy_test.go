package bounce

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

var policyStart = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func days(n float64) time.Time {
	return policyStart.Add(time.Duration(n * 24 * float64(time.Hour)))
}

// happened builds the event that a reply to an address makes.
func happened(day float64, address, reply string) Event {
	rec := ParseReply(reply).Recipients[0]
	return Event{Time: days(day), Address: address, Reason: rec.Reason, Permanence: rec.Permanence, Certainty: rec.Certainty, Suppress: rec.Suppress, RetryAfter: rec.RetryAfter, Recipients: 1}
}

func delivered(day float64, address string) Event {
	return Event{Time: days(day), Address: address, Delivered: true}
}

const (
	noSuchUser = "550 5.1.1 <anna@recipient.example>: Recipient address rejected: User unknown in virtual mailbox table"
	fullBox    = "552 5.2.2 Mailbox full"
	isListed   = "554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.spamhaus.org"
	noDomain   = "550 5.1.2 Host unknown"
	greylisted = "450 4.7.1 Greylisted, please try again in 300 seconds"
	tooFast    = "421 4.7.28 Our system has detected an unusual rate of unsolicited mail"
)

func TestPolicyDecide(t *testing.T) {
	const anna = "anna@recipient.example"
	for _, tt := range []struct {
		name   string
		events []Event
		at     float64
		do     Do
		scope  RulingScope
		until  time.Time
	}{
		{"nothing known", nil, 1, DoKeep, "", time.Time{}},
		{"unknown user once", []Event{happened(0, anna, noSuchUser)}, 1, DoKeep, "", time.Time{}},
		{"unknown user twice", []Event{happened(0, anna, noSuchUser), happened(3, anna, noSuchUser)}, 4, DoSuppress, OfAddress, time.Time{}},
		{"a delivery between", []Event{happened(0, anna, noSuchUser), delivered(1, anna), happened(3, anna, noSuchUser)}, 4, DoKeep, "", time.Time{}},
		{"a delivery after", []Event{happened(0, anna, noSuchUser), happened(3, anna, noSuchUser), delivered(5, anna)}, 6, DoKeep, "", time.Time{}},
		{"listed ten times", []Event{
			happened(0, anna, isListed), happened(1, anna, isListed), happened(2, anna, isListed), happened(3, anna, isListed), happened(4, anna, isListed),
			happened(5, anna, isListed), happened(6, anna, isListed), happened(7, anna, isListed), happened(8, anna, isListed), happened(9, anna, isListed),
		}, 10, DoKeep, "", time.Time{}},
		{"full once", []Event{happened(0, anna, fullBox)}, 0.5, DoPause, OfAddress, days(1)},
		{"full twice", []Event{happened(0, anna, fullBox), happened(2, anna, fullBox)}, 3, DoPause, OfAddress, days(4)},
		{"full three times in 14 days", []Event{happened(0, anna, fullBox), happened(5, anna, fullBox), happened(10, anna, fullBox)}, 11, DoSuppress, OfAddress, days(40)},
		{"full three times in a month", []Event{happened(0, anna, fullBox), happened(15, anna, fullBox), happened(29, anna, fullBox)}, 29.5, DoPause, OfAddress, days(30)},
		{"full, then delivered", []Event{happened(0, anna, fullBox), happened(5, anna, fullBox), delivered(6, anna), happened(10, anna, fullBox)}, 12, DoKeep, "", time.Time{}},
		{"domain gone twice", []Event{happened(0, anna, noDomain), happened(2, anna, noDomain)}, 3, DoSuppress, OfDomain, time.Time{}},
		{"greylisted", []Event{happened(0, anna, greylisted)}, 0.001, DoPause, OfAddress, days(0).Add(5 * time.Minute)},
		{"greylisted long ago", []Event{happened(0, anna, greylisted)}, 1, DoKeep, "", time.Time{}},
		{"too fast", []Event{happened(0, anna, tooFast)}, 0.01, DoPause, OfDomain, days(0).Add(time.Hour)},
		{"complaint", []Event{{Time: days(0), Address: anna, Reason: Complaint, Suppress: true, Stream: "news"}, delivered(1, anna)}, 2, DoSuppress, OfStream, time.Time{}},
		{"in the future", []Event{happened(5, anna, noSuchUser), happened(6, anna, noSuchUser)}, 1, DoKeep, "", time.Time{}},
	} {
		h := NewHistory()
		for _, e := range tt.events {
			h.Add(e)
		}
		got := Policy{}.Decide(h, "Anna@Recipient.example", days(tt.at))
		if got.Do != tt.do || got.Scope != tt.scope || !got.Until.Equal(tt.until) {
			t.Errorf("%s: %s %s until %v (%s), want %s %s until %v", tt.name, got.Do, got.Scope, got.Until, got.Why, tt.do, tt.scope, tt.until)
		}
		if got.Why == "" {
			t.Errorf("%s: no reason", tt.name)
		}
	}
}

// Good addresses of one domain that fail at once, and all recipients of one
// report, are not to blame; the same failures spread over days are.
func TestPolicyBursts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		apart float64 // days between the refusals
		good  bool
		do    Do
	}{
		{"good addresses at once", 0.001, true, DoKeep},
		{"good addresses over weeks", 3, true, DoSuppress},
		{"addresses never reached before", 0.001, false, DoSuppress},
	} {
		h := NewHistory()
		for i := range 6 {
			address := fmt.Sprintf("user%d@recipient.example", i)
			if tt.good {
				h.Add(delivered(0, address))
			}
			h.Add(happened(10+float64(i)*tt.apart, address, noSuchUser))
			h.Add(happened(40+float64(i)*tt.apart, address, noSuchUser))
		}
		if got := (Policy{}).Decide(h, "user3@recipient.example", days(90)); got.Do != tt.do {
			t.Errorf("%s: %s (%s), want %s", tt.name, got.Do, got.Why, tt.do)
		}
	}
	h := NewHistory()
	for day := range 3 {
		for i := range 4 {
			e := happened(float64(day), fmt.Sprintf("user%d@recipient.example", i), noSuchUser)
			e.Recipients = 4
			h.Add(e)
		}
	}
	if got := (Policy{}).Decide(h, "user1@recipient.example", days(9)); got.Do != DoKeep {
		t.Errorf("all recipients of three reports: %s (%s)", got.Do, got.Why)
	}
}

// An outage of the receiver that refuses everybody again and again suppresses
// nobody, also when the history was written and read between.
func TestPolicyRepeatedBursts(t *testing.T) {
	h := &History{}
	for i := range 200 {
		h.Add(delivered(0, fmt.Sprintf("user%d@recipient.example", i)))
	}
	for _, day := range []float64{10, 10.125, 10.25} {
		for i := range 200 {
			h.Add(happened(day+float64(i)/1e5, fmt.Sprintf("user%d@recipient.example", i), noSuchUser))
		}
	}
	b, err := json.Marshal(struct{ H History }{*h})
	if err != nil {
		t.Fatal(err)
	}
	var back struct{ H History }
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*History{h, &back.H} {
		for _, address := range []string{"user0@recipient.example", "user150@recipient.example"} {
			if got := (Policy{}).Decide(h, address, days(11)); got.Do != DoKeep {
				t.Errorf("%s: %s (%s)", address, got.Do, got.Why)
			}
		}
	}
}

// What is said of a domain holds for each of its addresses; what is said of two
// things is said of both.
func TestPolicyScopes(t *testing.T) {
	const anna, bob = "anna@recipient.example", "bob@recipient.example"
	complaint := func(day float64, stream string) Event {
		return Event{Time: days(day), Address: anna, Reason: Complaint, Suppress: true, Stream: stream}
	}
	for _, tt := range []struct {
		name    string
		events  []Event
		address string
		want    []string
	}{
		{"one unknown user, one unknown domain", []Event{happened(0, anna, noSuchUser), happened(2, anna, noDomain)}, anna, []string{"keep"}},
		{"the domain for the other address", []Event{happened(0, anna, noDomain), happened(2, anna, noDomain)}, bob, []string{"suppress domain"}},
		{"unknown domain at once", []Event{happened(0, anna, noDomain), happened(0.001, bob, noDomain)}, bob, []string{"keep"}},
		{"unknown domain, then delivered", []Event{happened(0, anna, noDomain), delivered(1, bob), happened(2, anna, noDomain)}, anna, []string{"keep"}},
		{"a pause for the other address", []Event{happened(3, anna, tooFast)}, bob, []string{"pause domain"}},
		{"two complaints", []Event{complaint(0, "news"), complaint(1, "orders"), complaint(2, "news")}, anna, []string{"suppress stream news", "suppress stream orders"}},
		{"a complaint and a dead address", []Event{complaint(0, "news"), happened(1, anna, noSuchUser), happened(2, anna, noSuchUser)}, anna, []string{"suppress address", "suppress stream news"}},
	} {
		h := NewHistory()
		for _, e := range tt.events {
			h.Add(e)
		}
		first := Policy{}.Decide(h, tt.address, days(3.001))
		var got []string
		for _, r := range append([]Ruling{first}, first.Also...) {
			got = append(got, strings.TrimSpace(string(r.Do)+" "+strings.TrimSpace(string(r.Scope)+" "+r.Stream)))
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestHistoryRemembers(t *testing.T) {
	const anna = "anna@recipient.example"
	h := NewHistory()
	h.Add(Event{Time: days(0), Address: anna, Reason: Complaint, Suppress: true, Stream: "news"})
	for n := range 40 {
		h.Add(delivered(1+float64(n), anna))
	}
	if got := (Policy{}).Decide(h, anna, days(50)); got.Do != DoSuppress || got.Stream != "news" {
		t.Errorf("a complaint before 40 deliveries: %+v", got)
	}

	h = NewHistory()
	e := happened(0, anna, noSuchUser)
	e.Report = "m1"
	h.Add(e)
	h.Add(e) // services deliver an event more than once
	if got := (Policy{}).Decide(h, anna, days(1)); got.Do != DoKeep {
		t.Errorf("one report told twice: %+v", got)
	}
	e.Report, e.Time = "m2", days(0.5)
	h.Add(e)
	if got := (Policy{}).Decide(h, anna, days(1)); got.Do != DoSuppress {
		t.Errorf("two reports: %+v", got)
	}
	h.Forget(days(0.2))
	if got := (Policy{}).Decide(h, anna, days(1)); got.Do != DoKeep || len(got.Events) != 1 {
		t.Errorf("one forgotten: %+v", got)
	}
	h.Forget(days(2))
	if b, err := json.Marshal(h); err != nil || string(b) != `{"version":1,"addresses":{},"domains":{}}` {
		t.Errorf("all forgotten: %s, %v", b, err)
	}
}

// A named time reaches the ruling.
func TestPolicyWaitsUntil(t *testing.T) {
	rep := ParseReply("450 4.7.1 Greylisted, try again after 2026-11-01 12:30:00")
	rep.Recipients[0].Address = "anna@recipient.example"
	h := NewHistory()
	for _, e := range rep.Events("", "m1", days(0)) {
		h.Add(e)
	}
	if got := (Policy{}).Decide(h, "anna@recipient.example", days(0)); got.Do != DoPause || !got.Until.Equal(days(0).Add(30*time.Minute)) {
		t.Errorf("%+v", got)
	}
}

func TestReportEvents(t *testing.T) {
	rep := ParseBytes([]byte(dsn(twoRecipients)))
	events := rep.Events("orders", "m9", days(2))
	if len(events) != 2 {
		t.Fatalf("%d events", len(events))
	}
	a, b := events[0], events[1]
	if a.Address != "anna@recipient.example" || a.Reason != UnknownRecipient || !a.Suppress || a.Recipients != 0 || a.Stream != "orders" || a.Report != "m9" || !a.Time.Equal(days(2)) {
		t.Errorf("first %+v", a)
	}
	if b.Suppress || b.Delivered || b.Reason != Greylisted {
		t.Errorf("second %+v", b)
	}
}

// The same history, written and read, rules the same.
func TestHistoryJSON(t *testing.T) {
	h := NewHistory()
	for i := range 6 {
		address := fmt.Sprintf("user%d@recipient.example", i)
		h.Add(delivered(0, address))
		for n := range 40 {
			h.Add(happened(1+float64(n), address, fullBox))
		}
		h.Add(happened(60, address, noSuchUser))
		h.Add(happened(70, address, noSuchUser))
	}
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	back := NewHistory()
	if err := json.Unmarshal(b, back); err != nil {
		t.Fatal(err)
	}
	for day := range 80 {
		want, got := Policy{}.Decide(h, "user2@recipient.example", days(float64(day))), Policy{}.Decide(back, "user2@recipient.example", days(float64(day)))
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("day %d: %+v, want %+v", day, got, want)
		}
	}
	again, _ := json.Marshal(back)
	if string(again) != string(b) {
		t.Error("the JSON of a history that was read differs")
	}
	if err := json.Unmarshal([]byte(strings.Replace(string(b), `"version":1`, `"version":2`, 1)), back); err == nil {
		t.Error("a newer version is read")
	}
}

func TestRelease(t *testing.T) {
	list := []Suppression{
		{Address: "listed@recipient.example", Reply: isListed},
		{Address: "gone@recipient.example", Reply: noSuchUser},
		{Address: "auth@recipient.example", Reply: "550 5.7.26 Unauthenticated email from shop.example is not accepted due to domain's DMARC policy."},
		{Address: "bare@recipient.example", Reply: "550 no"},
		{Address: "empty@recipient.example"},
		{Address: "full@recipient.example", Events: []Event{happened(0, "", fullBox)}},
		{Address: "twice@recipient.example", Events: []Event{happened(0, "", noSuchUser), happened(9, "", noSuchUser)}},
		{Address: "once@recipient.example", Events: []Event{happened(0, "", noSuchUser), delivered(3, "")}},
	}
	list = append(list,
		Suppression{Address: "suspect@recipient.example", Events: []Event{happened(0, "", noSuchUser)}},
		Suppression{Address: "order@recipient.example", Events: []Event{happened(5, "", isListed), happened(0, "", fullBox)}},
	)
	want := map[string]Reason{"order@recipient.example": IPListed, "listed@recipient.example": IPListed, "auth@recipient.example": DMARCFailed, "full@recipient.example": MailboxFull, "once@recipient.example": UnknownRecipient}
	got := map[string]Reason{}
	for _, r := range (Policy{}).Release(list, days(20)) {
		got[r.Address] = r.Reason
		if r.Why == "" {
			t.Errorf("%s: no reason", r.Address)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("released %v, want %v", got, want)
	}
}

func FuzzHistory(f *testing.F) {
	h := NewHistory()
	h.Add(happened(0, "a@recipient.example", noSuchUser))
	b, _ := json.Marshal(h)
	f.Add(b)
	f.Add([]byte(`{"version":1,"addresses":{"":null,"a":{"events":[{"time":"2026-11-01T00:00:00Z"}]}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := NewHistory()
		if json.Unmarshal(b, h) != nil {
			return
		}
		first, err := json.Marshal(h)
		if err != nil {
			t.Skip() // a year beyond 9999
		}
		back := NewHistory()
		if err := json.Unmarshal(first, back); err != nil {
			t.Fatal(err)
		}
		if second, _ := json.Marshal(back); string(second) != string(first) {
			t.Fatalf("%s\nreads back as\n%s", first, second)
		}
		Policy{}.Decide(h, "a@recipient.example", days(1))
	})
}

// What a history yields feeds another one to the same rulings.
func TestHistoryAll(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	h := NewHistory()
	for i, address := range []string{"b@shop.example", "a@shop.example", "b@shop.example", "c@shop.example"} {
		h.Add(Event{Time: at.Add(time.Duration(i) * time.Hour), Address: address, Reason: UnknownRecipient, Permanence: Permanent, Suppress: true})
	}
	h.Add(Event{Time: at, Address: "c@shop.example", Reason: Complaint, Suppress: true, Stream: "news"})
	again, order := NewHistory(), ""
	for e := range h.All() {
		order += e.Address[:1]
		again.Add(e)
	}
	if order != "abbcc" {
		t.Errorf("order %s", order)
	}
	for _, address := range []string{"a@shop.example", "b@shop.example", "c@shop.example"} {
		one, two := (Policy{}).Decide(h, address, at.AddDate(0, 0, 1)), (Policy{}).Decide(again, address, at.AddDate(0, 0, 1))
		if !reflect.DeepEqual(one, two) {
			t.Errorf("%s: %+v, then %+v", address, one, two)
		}
	}
	for range h.All() {
		break
	}
}
