package finding

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
)

func TestEnumsRoundTrip(t *testing.T) {
	for o := Unknown; o <= Broke; o++ {
		text, err := o.MarshalText()
		if err != nil {
			t.Fatalf("%d: %v", o, err)
		}
		var back Outcome
		if err := back.UnmarshalText(text); err != nil || back != o {
			t.Errorf("outcome %q: got %v, %v", text, back, err)
		}
	}
	for s := Info; s <= Critical; s++ {
		text, err := s.MarshalText()
		if err != nil {
			t.Fatalf("%d: %v", s, err)
		}
		var back Severity
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("severity %q: got %v, %v", text, back, err)
		}
	}
}

func TestEnumsRefuseWhatTheyDoNotKnow(t *testing.T) {
	var o Outcome
	if err := o.UnmarshalText([]byte("fine")); err == nil {
		t.Error("UnmarshalText(fine): no error")
	}
	if _, err := Outcome(9).MarshalText(); err == nil {
		t.Error("Outcome(9).MarshalText: no error")
	}
	if got, want := Severity(9).String(), "invalid(9)"; got != want {
		t.Errorf("Severity(9) = %q, want %q", got, want)
	}
}

func TestZeroOutcomeIsUnknown(t *testing.T) {
	if got := (Finding{}).Outcome.String(); got != "unknown" {
		t.Errorf("zero outcome = %q, want unknown", got)
	}
}

func TestFindingJSONRoundTrip(t *testing.T) {
	want := Finding{
		Code: "iprev.ptr-missing", Outcome: Found, Severity: Warning, Subject: "192.0.2.1",
		Fact: "192.0.2.1 has no PTR record.", Consequence: "Receivers refuse the mail.",
		Evidence: []Evidence{{Kind: KindDNS, Source: "answer", Text: "NXDOMAIN", Start: 1, End: 3}},
		Fixes:    []Fix{{Action: Publish, What: "Ask for it.", Record: &Record{Name: "1.2.0.192.in-addr.arpa", Type: "PTR", New: "mail.shop.example."}}},
		Source:   "RFC 8601, section 2.7.3",
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Finding
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func ExampleRecord_String() {
	fmt.Println(Record{Name: "1.2.0.192.in-addr.arpa", Type: "PTR", New: "mail.shop.example."})
	fmt.Println(Record{Name: "shop.example.", Type: "TXT", Old: `"v=spf1 +all"`})
	// Output:
	// 1.2.0.192.in-addr.arpa. PTR mail.shop.example.
	// shop.example. TXT "v=spf1 +all"
}
