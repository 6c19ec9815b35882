// Package finding holds the words in which every part of rebound reports what
// it saw: a [Finding] states a fact about mail or DNS, what follows from it,
// the [Evidence] behind it and the [Fix] that would change it.
//
// It is a leaf: it imports the standard library alone and does no work of its
// own. The packages dnsbl, auth, content and warmup turn their typed results
// into findings with a method Findings; the root package orders them.
//
//	f := finding.Finding{
//		Code:        "iprev.ptr-missing",
//		Outcome:     finding.Found,
//		Severity:    finding.Warning,
//		Subject:     "192.0.2.1",
//		Fact:        "192.0.2.1 has no PTR record.",
//		Consequence: "Receivers that ask for one refuse the mail.",
//		Source:      "RFC 8601, section 2.7.3",
//	}
//
// Codes and the JSON form are stable. The wording of Fact and Consequence is
// not: programs compare codes.
package finding

import (
	"fmt"
	"strings"
	"time"
)

// An Outcome says how a check ended. A check that could not be made is never
// [Clean]; the zero value is [Unknown].
type Outcome uint8

const (
	Unknown       Outcome = iota // it could not be told; the finding says why
	Clean                        // looked at, and nothing is wrong
	Found                        // something is wrong, or worth knowing
	NotApplicable                // the check has no subject here; the finding says why
	Broke                        // the check itself failed: a defect in this library
)

var outcomes = [...]string{"unknown", "clean", "found", "not-applicable", "broke"}

// String returns the outcome as it stands in JSON.
func (o Outcome) String() string { return enumName(outcomes[:], uint8(o)) }

// MarshalText implements [encoding.TextMarshaler].
func (o Outcome) MarshalText() ([]byte, error) { return enumText("outcome", outcomes[:], uint8(o)) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *Outcome) UnmarshalText(b []byte) error {
	return enumParse("outcome", outcomes[:], (*uint8)(o), b)
}

// A Severity says how much a finding matters to the delivery of mail. Later
// values are worse, so severities can be compared.
type Severity uint8

const (
	Info     Severity = iota // worth knowing, nothing to do
	Notice                   // may matter to some receivers
	Warning                  // many receivers mark or refuse mail for it
	Critical                 // mail is refused because of it
)

var severities = [...]string{"info", "notice", "warning", "critical"}

// String returns the severity as it stands in JSON.
func (s Severity) String() string { return enumName(severities[:], uint8(s)) }

// MarshalText implements [encoding.TextMarshaler].
func (s Severity) MarshalText() ([]byte, error) { return enumText("severity", severities[:], uint8(s)) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Severity) UnmarshalText(b []byte) error {
	return enumParse("severity", severities[:], (*uint8)(s), b)
}

// A Finding is one statement with its reasons.
type Finding struct {
	// Code names the statement: "area.subject-problem", stable between
	// releases.
	Code     string   `json:"code"`
	Outcome  Outcome  `json:"outcome"`
	Severity Severity `json:"severity"`
	// Subject is what the statement is about: an address, a domain, a list.
	Subject string `json:"subject,omitempty"`
	// Fact is one sentence that says what was seen.
	Fact string `json:"fact"`
	// Consequence is one sentence that says what follows from the fact.
	Consequence string     `json:"consequence,omitempty"`
	Evidence    []Evidence `json:"evidence,omitempty"`
	Fixes       []Fix      `json:"fixes,omitempty"`
	// Source is the RFC section or the page on which the judgement rests.
	Source string `json:"source,omitempty"`
}

// Evidence is the text behind a statement, unaltered.
type Evidence struct {
	// Kind says where the text was seen; see the Kind constants.
	Kind string `json:"kind"`
	// Source narrows it down: "answer of 192.0.2.53 for 4.3.2.1.bl.example A",
	// "Diagnostic-Code".
	Source string `json:"source,omitempty"`
	Text   string `json:"text"`
	// Start and End delimit, in bytes, the part of Text that decided; both are
	// zero when all of it did.
	Start int `json:"start,omitempty"`
	End   int `json:"end,omitempty"`
	// At is when it was so: when the reply was given, the DNS answer arrived, the table
	// was last looked over. Zero where that is not known.
	At time.Time `json:"at,omitzero"`
}

// The kinds of evidence.
const (
	KindReply   = "reply"   // what the receiving server said
	KindMessage = "message" // a line of the bounce or of the mail it returns
	KindDNS     = "dns"     // a DNS answer
	KindRule    = "rule"    // the rule or table row that decided
	KindCaller  = "caller"  // the caller said so
	KindTable   = "table"   // a row of the offline catalogue
)

// The actions of a [Fix].
const (
	Publish = "publish" // add a DNS record
	Replace = "replace" // change a DNS record
	Remove  = "remove"  // take a record, an address or a line away
	Request = "request" // ask somebody for something
	Edit    = "edit"    // change the mail or a configuration
	Wait    = "wait"    // do nothing until a time has passed
	Ask     = "ask"     // find out something that only a person knows
)

// A Fix is one step that would change the fact. What begins with a verb and
// names the exact record or page; Verify says how to see that it worked.
type Fix struct {
	Action string  `json:"action"`
	What   string  `json:"what"`
	Record *Record `json:"record,omitempty"`
	URL    string  `json:"url,omitempty"`
	Verify string  `json:"verify,omitempty"`
}

// A Record is a DNS record to publish (Old is empty), to change, or to remove
// (New is empty). Name has no trailing dot.
type Record struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// String returns the record to publish as a line of a zone file; where there
// is none to publish, the one to remove.
func (r Record) String() string {
	value := r.New
	if value == "" {
		value = r.Old
	}
	return fmt.Sprintf("%s. %s %s", strings.TrimSuffix(r.Name, "."), r.Type, value)
}

func enumName(names []string, v uint8) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("invalid(%d)", v)
}

func enumText(kind string, names []string, v uint8) ([]byte, error) {
	if int(v) >= len(names) {
		return nil, fmt.Errorf("finding: no %s has the number %d", kind, v)
	}
	return []byte(names[v]), nil
}

func enumParse(kind string, names []string, v *uint8, b []byte) error {
	for i, name := range names {
		if name == string(b) {
			*v = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("finding: no %s is called %q", kind, b)
}
