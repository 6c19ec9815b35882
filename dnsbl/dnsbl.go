// Package dnsbl asks DNS block lists about an address or a domain, and knows
// them: what their answers mean, when they refuse, when they are dead, and how a
// sender gets off.
//
//	target, err := dnsbl.ParseTarget("198.51.100.23")
//	if err != nil {
//		return err
//	}
//	var checker dnsbl.Checker
//	for res := range checker.Check(ctx, target) {
//		fmt.Println(res.List.Zone, res.Status, res.Why)
//	}
//
// A list that gives no usable answer is [Unknown], never [NotListed]. A listing
// is confirmed by the list's test entry, and so is an absence where the list
// documents one: a list that lists the world, was emptied or is parked is
// [Dead]. An answer by which the operator refuses us is [Refused].
// [Checker.Report] collects the results, heaviest first, with what to do about
// each listing; [Checker.Watch] tells what changes.
//
// # Lists that are ill
//
// Keep one Checker. It remembers for a day that a list holds its own test entry, and
// for four hours that it does not list the world; it does not ask for a minute, then
// for longer, what left three tries without an answer; and it keeps the limits that
// operators state, beyond which a result is Unknown. When several lists look dead in
// the same way, the resolver is at fault: it invents answers, or withholds those
// within 127.0.0.0/8. [Report.Findings] tells that once.
//
// # What it asks
//
// The [Catalogue] works offline: [Catalogue.ByZone] explains a list that a bounce
// names. What leaves the machine is DNS alone, to the resolver of the caller: the
// target below the zone of each list asked, the lists' test entries, and the zone
// itself where its test entry is missing. The keys of paid lists ([Keys]) stand in
// these names and in nothing that the package returns.
package dnsbl

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"github.com/rebound-mail/rebound/resolve"
)

// A Status says what a list knows of a target.
type Status uint8

// The statuses.
const (
	Unknown   Status = iota // no answer that means anything; Why says why
	NotListed               // the list has no entry
	Listed                  // it has one
	Refused                 // the operator will not answer us: resolver, volume, registration
	Dead                    // nobody keeps this list: its answers mean nothing
)

var statusNames = [...]string{"unknown", "not-listed", "listed", "refused", "dead"}

// String returns the status as it stands in JSON.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("invalid(%d)", s)
}

// MarshalText implements [encoding.TextMarshaler].
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Status) UnmarshalText(b []byte) error {
	for i, name := range statusNames {
		if name == string(b) {
			*s = Status(i)
			return nil
		}
	}
	return fmt.Errorf("dnsbl: %q is no status", b)
}

// A Code is one address of an answer and its meaning.
type Code struct {
	Addr       netip.Addr `json:"addr"`
	Nature     Nature     `json:"nature,omitempty"`
	Meaning    string     `json:"meaning"`
	Documented bool       `json:"documented"`
}

// A Result is what one list says of one target.
type Result struct {
	List   *List
	Target Target
	Status Status
	Action Action // of this listing, where a code says another than the list
	Codes  []Code
	Reason string // the list's own text about the entry, or about its refusal; no control characters
	Why    string // why the status is unknown, refused or dead; of a listing, what was left out
	// Confirmed says that the list does not hold the test entry that it must not
	// hold: it does not list the world. A listing with a documented code counts
	// without.
	Confirmed bool
	// Health is what was seen of the list itself, now or within the day. Only of
	// one that is Proven does "not listed" show that it is in order.
	Health Health
	// Answer is the answer to the question, Probe that of the test entry which
	// decided; zero where none was asked.
	Answer, Probe resolve.Answer

	order     order
	catalogue *Catalogue // of the list, for its parts
}

// order is the place of a result among those of a check: by target, then by list.
type order struct{ target, list int }

func (o order) compare(p order) int {
	return cmp.Or(cmp.Compare(o.target, p.target), cmp.Compare(o.list, p.list))
}

// action returns the action of a listing: that of its codes on a list of several
// actions.
func (res *Result) action() Action {
	if res.List.Action != Mixed {
		return res.List.Action
	}
	action := Info
	for _, c := range res.Codes {
		switch c.Nature {
		case Allowed:
			if action == Info {
				action = Allow
			}
		case Neutral, NewDomain, Untold:
		default:
			action = Block
		}
	}
	return action
}

func (res *Result) documented() bool {
	for _, c := range res.Codes {
		if c.Documented {
			return true
		}
	}
	return false
}

// Has reports whether the target is listed with a code of that nature.
func (res *Result) Has(n Nature) bool {
	for _, c := range res.Codes {
		if c.Nature == n {
			return true
		}
	}
	return false
}

// Meaning returns the meanings of the codes in one line.
func (res *Result) Meaning() string {
	text := ""
	for i, c := range res.Codes {
		if i > 0 {
			text += "; "
		}
		text += c.Meaning
	}
	return text
}

// MarshalJSON implements [json.Marshaler]: a line of "rebound dnsbl -json".
func (res Result) MarshalJSON() ([]byte, error) {
	if res.List == nil {
		res.List = &List{}
	}
	action := res.Action
	if action == Mixed {
		action = Info // nothing is listed, so no code says which
	}
	codes := []string{}
	for _, c := range res.Codes {
		codes = append(codes, c.Addr.String())
	}
	out := struct {
		Target  string   `json:"target"`
		List    string   `json:"list"`
		Zone    string   `json:"zone"`
		Status  Status   `json:"status"`
		Action  Action   `json:"action"`
		Codes   []string `json:"codes"`
		Meaning string   `json:"meaning"`
		Reason  string   `json:"reason"`
		Delist  string   `json:"delist"`
		Weight  Weight   `json:"weight"`
		Error   string   `json:"error"`

		Release   string   `json:"release"` // what the catalogue knew of the list
		Seen      Health   `json:"seen,omitzero"`
		Confirmed bool     `json:"confirmed,omitempty"`
		Role      Role     `json:"role,omitempty"`
		Asked     string   `json:"asked,omitempty"`
		Steps     []string `json:"steps,omitempty"`
	}{
		Target: res.Target.String(), List: res.List.ID, Zone: res.List.Zone, Status: res.Status, Action: action, Codes: codes, Meaning: res.Meaning(),
		Reason: res.Reason, Delist: res.List.RemovalURL, Weight: res.List.Weight, Error: res.Why,
		Release: res.List.Release(), Seen: res.Health, Confirmed: res.Confirmed, Role: res.Target.role, Asked: res.Answer.Name,
	}
	if res.Status == Listed && res.Action == Block {
		for _, fix := range res.Removal().Fixes() {
			out.Steps = append(out.Steps, fix.What)
		}
	}
	return json.Marshal(out)
}

// maxReason bounds the text that is kept of a TXT record.
const maxReason = 500

// printable takes out of a text from DNS what could steer a terminal or hide
// words: control, format and bidi characters.
func printable(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "…"
	}
	return strings.TrimSpace(s)
}
