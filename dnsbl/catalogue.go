package dnsbl

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/rebound-mail/rebound/internal/stanza"
	"github.com/rebound-mail/rebound/resolve"
)

// A Kind is what a list lists; kinds combine.
type Kind uint8

// The kinds.
const (
	IPv4 Kind = 1 << iota
	IPv6
	DomainName
	Hash
)

var kindNames = words[Kind]{{IPv4, "ipv4"}, {IPv6, "ipv6"}, {DomainName, "domain"}, {Hash, "hash"}}

// String returns the kinds as the catalogue writes them: "ipv4 ipv6".
func (k Kind) String() string { return kindNames.format(k) }

// MarshalText implements [encoding.TextMarshaler].
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// words names the bits of a set.
type words[T Kind | Role] []struct {
	bit  T
	name string
}

func (w words[T]) format(set T) string {
	var names []string
	for _, n := range w {
		if set&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, " ")
}

// parse reads names, separated by spaces.
func (w words[T]) parse(text string) (T, error) {
	var set T
	for word := range strings.FieldsSeq(text) {
		bit := T(0)
		for _, n := range w {
			if n.name == word {
				bit = n.bit
			}
		}
		if bit == 0 {
			return 0, fmt.Errorf("%q is none of the words that may stand here", word)
		}
		set |= bit
	}
	return set, nil
}

// An Action is what a listing does to mail.
type Action string

// The actions. A list of action mixed has codes of several.
const (
	Block Action = "block"
	Allow Action = "allow"
	Info  Action = "info"
	Mixed Action = "mixed"
)

// A Weight says how much a listing matters to the delivery of mail.
type Weight uint8

// The weights. A list of no weight is dead or doubtful and is not to be asked.
const (
	NoWeight Weight = iota
	Low
	Medium
	High
)

var weightNames = []string{"none", "low", "medium", "high"}

// String returns the weight as it stands in JSON.
func (w Weight) String() string { return weightNames[min(int(w), len(weightNames)-1)] }

// MarshalText implements [encoding.TextMarshaler].
func (w Weight) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// A List is a row of the catalogue: what is known of one list.
type List struct {
	ID       string `json:"id"`
	Zone     string `json:"zone,omitempty"` // "" for a list that is not asked by DNS; "{key}." at its beginning stands for a customer's key
	Name     string `json:"name"`
	Operator string `json:"operator,omitempty"`
	Kinds    Kind   `json:"kinds"`
	Action   Action `json:"action"`
	PartOf   string `json:"part_of,omitempty"` // the ID of the list that holds this one's entries too

	Status       string `json:"status"`           // alive, presumed, private, disputed, or why it is dead: closed, emptied, lists-world, parked, unreachable, renamed, not-a-list
	Since        string `json:"since,omitempty"`  // the date of that status
	StatusDetail string `json:"detail,omitempty"` // more about it
	Weight       Weight `json:"weight"`
	Receivers    string `json:"receivers,omitempty"` // who asks it: the evidence for the weight

	Codes          []CodeRule `json:"codes,omitempty"`
	Nature         Nature     `json:"nature,omitempty"` // of a listing whose code says none
	OnlyDocumented bool       `json:"only_documented,omitempty"`
	Refusals       []CodeRule `json:"refusals,omitempty"`
	Registered     bool       `json:"registered,omitempty"` // lists registered domains, not host names
	For            Role       `json:"for,omitempty"`        // the places of a mail whose domains it is meant for; 0 where it does not say

	Key      string `json:"key,omitempty"` // the name of the key that it needs or takes
	NeedsKey bool   `json:"needs_key,omitempty"`
	KeyURL   string `json:"key_url,omitempty"` // where to get one
	Twin     string `json:"twin,omitempty"`    // the ID of the public list that it replaces for a key's holder
	Limit    string `json:"limit,omitempty"`
	Rates    []Rate `json:"rates,omitempty"`
	Silent   bool   `json:"silent,omitempty"` // to those whom it does not serve it says that nothing is listed, its test entries neither

	RemovalURL string `json:"removal,omitempty"`
	Lookup     string `json:"lookup,omitempty"` // with {q} for the address or domain
	Who        string `json:"who,omitempty"`    // who may ask: self, isp, operator, customer; automatic and nobody: asking does nothing
	Expires    string `json:"expires,omitempty"`
	Cost       string `json:"cost,omitempty"`
	Steps      []Step `json:"steps,omitempty"`

	Present []string `json:"present,omitempty"` // test entries that must be there; "none": there are none
	Absent  []string `json:"absent,omitempty"`  // and those that must not
	Unknown []string `json:"unknown,omitempty"` // the facts, by the keys of the table, that no source tells
	Notes   []string `json:"notes,omitempty"`
	Sources []string `json:"sources"`

	bits bool
	own  bool // a caller's list, of which no more is known than its zone
}

// Usable reports whether the list was in service when the catalogue was made.
func (l *List) Usable() bool { return l.Weight > NoWeight }

// Release tells what the catalogue knew of the list when it was made: "alive",
// "emptied 2024-06-05".
func (l *List) Release() string { return strings.TrimSpace(l.Status + " " + l.Since) }

// Closed is Release for a list that is out of service, "" for a usable one.
func (l *List) Closed() string {
	if l.Usable() {
		return ""
	}
	return l.Release()
}

// LookupURL returns the page that shows the entry of an item, or the list's
// removal page where it has none or the item is "".
func (l *List) LookupURL(item string) string {
	if l.Lookup == "" || item == "" {
		return l.RemovalURL
	}
	return strings.ReplaceAll(l.Lookup, "{q}", item)
}

// A Catalogue is an ordered set of lists. It is immutable.
type Catalogue struct {
	lists []*List
}

//go:embed lists.txt
var embedded string

// AsOf is the month in which the catalogue of [Default] was last looked over.
const AsOf = "2026-11"

// Default returns the catalogue that the package carries, as of the date in its
// first lines. It is read once, on first use.
func Default() *Catalogue { return defaultCatalogue() }

var defaultCatalogue = sync.OnceValue(func() *Catalogue {
	c, err := Parse(strings.NewReader(embedded))
	if err != nil {
		panic("dnsbl: lists.txt: " + err.Error())
	}
	return c
})

// Parse reads a catalogue: stanzas of the form of the package's file lists.txt.
// An error names the line.
func Parse(r io.Reader) (*Catalogue, error) {
	rows, err := stanza.Parse(r)
	if err != nil {
		return nil, fmt.Errorf("dnsbl: %w", err)
	}
	c := &Catalogue{}
	ids, zones := map[string]bool{}, map[string]bool{}
	for _, row := range rows {
		l, err := parseList(row)
		if err != nil {
			return nil, fmt.Errorf("dnsbl: %w", err)
		}
		if ids[l.ID] || l.Zone != "" && zones[l.Zone] {
			return nil, fmt.Errorf("dnsbl: %w", stanza.Error(row.Line, "%s stands twice", l.ID))
		}
		ids[l.ID], zones[l.Zone] = true, true
		c.lists = append(c.lists, l)
	}
	return c, nil
}

func parseList(row stanza.Row) (*List, error) {
	l := &List{bits: row.Get("codes") == "bits"}
	for _, f := range row.Fields {
		if err := l.set(f); err != nil {
			return nil, err
		}
	}
	switch {
	case l.ID == "":
		return nil, stanza.Error(row.Line, "the list has no id")
	case l.Zone == "" && l.Status != "private":
		return nil, stanza.Error(row.Line, "%s has no zone", l.ID)
	case l.NeedsKey != strings.HasPrefix(l.Zone, keyMark+"."):
		return nil, stanza.Error(row.Line, "%s: a zone begins with %s. if it needs a key, and only then", l.ID, keyMark)
	case l.Kinds == 0:
		return nil, stanza.Error(row.Line, "%s: kinds are ipv4, ipv6, domain and hash", l.ID)
	case l.Action != Block && l.Action != Allow && l.Action != Info && l.Action != Mixed:
		return nil, stanza.Error(row.Line, "%s: action is block, allow, info or mixed", l.ID)
	case l.Status == "" || len(l.Sources) == 0:
		return nil, stanza.Error(row.Line, "%s names no status or no source", l.ID)
	}
	return l, nil
}

// set reads one field.
func (l *List) set(f stanza.Field) error {
	switch f.Key {
	case "id":
		l.ID = f.Value
	case "zone":
		zone, err := resolve.Name(f.Value)
		if err != nil {
			return stanza.Error(f.Line, "%q is no zone", f.Value)
		}
		l.Zone = zone
	case "name":
		l.Name = f.Value
	case "operator":
		l.Operator = f.Value
	case "kinds":
		kinds, err := kindNames.parse(f.Value)
		if err != nil {
			return stanza.Error(f.Line, "%v", err)
		}
		l.Kinds = kinds
	case "for":
		roles, err := roleNames.parse(f.Value)
		if err != nil {
			return stanza.Error(f.Line, "%v", err)
		}
		l.For = roles
	case "action":
		l.Action = Action(f.Value)
	case "part-of":
		l.PartOf = f.Value
	case "status":
		l.setStatus(f.Value)
	case "weight":
		at := slices.Index(weightNames, f.Value)
		if at < 0 {
			return stanza.Error(f.Line, "weight is none, low, medium or high")
		}
		l.Weight = Weight(at)
	case "receivers":
		l.Receivers = f.Value
	case "codes":
		if f.Value != "bits" {
			return stanza.Error(f.Line, "codes are \"bits\" or not stated")
		}
	case "code", "refusal":
		c, err := parseCode(f.Value, l.bits)
		if err != nil {
			return stanza.Error(f.Line, "%v", err)
		}
		if f.Key == "code" {
			l.Codes = append(l.Codes, c)
		} else {
			l.Refusals = append(l.Refusals, c)
		}
	case "nature":
		l.Nature = Nature(f.Value)
		if !l.Nature.known() {
			return stanza.Error(f.Line, "%q is no nature", f.Value)
		}
	case "only-documented":
		l.OnlyDocumented = f.Value == "yes"
	case "host":
		l.Registered = f.Value == "registered"
	case "key":
		need, name, ok := strings.Cut(f.Value, " ")
		if !ok || need != "required" && need != "optional" {
			return stanza.Error(f.Line, "a key is \"required NAME\" or \"optional NAME\"")
		}
		l.Key, l.NeedsKey = name, need == "required"
	case "key-url":
		l.KeyURL = f.Value
	case "twin":
		l.Twin = f.Value
	case "limit":
		l.Limit = f.Value
	case "rate":
		for word := range strings.FieldsSeq(f.Value) {
			r, err := parseRate(word)
			if err != nil {
				return stanza.Error(f.Line, "%v", err)
			}
			l.Rates = append(l.Rates, r)
		}
	case "silent":
		l.Silent = f.Value == "yes"
	case "unknown":
		l.Unknown = strings.Fields(f.Value)
	case "removal":
		l.RemovalURL = f.Value
	case "lookup":
		l.Lookup = f.Value
	case "who":
		l.Who = f.Value
	case "expires":
		l.Expires = f.Value
	case "cost":
		l.Cost = f.Value
	case "step":
		s, err := parseStep(f.Value, l.bits)
		if err != nil {
			return stanza.Error(f.Line, "%v", err)
		}
		l.Steps = append(l.Steps, s)
	case "present":
		l.Present = strings.Fields(f.Value)
	case "absent":
		l.Absent = strings.Fields(f.Value)
	case "note":
		l.Notes = append(l.Notes, f.Value)
	case "source":
		l.Sources = append(l.Sources, f.Value)
	default:
		return stanza.Error(f.Line, "a list has no %q", f.Key)
	}
	return nil
}

// setStatus reads "closed 2024-06-05 details".
func (l *List) setStatus(value string) {
	word, rest, _ := strings.Cut(value, " ")
	l.Status = word
	date, details, _ := strings.Cut(rest, " ")
	if len(date) >= 4 && date[0] >= '0' && date[0] <= '9' {
		l.Since, l.StatusDetail = date, details
		return
	}
	l.StatusDetail = rest
}

// Own returns a catalogue of the caller's own lists, of which no more is known than
// their zones, and, behind a zone, what they list: "bl.example" or "bl.example ipv4
// domain". Any answer in 127/8 but 127.255.255.x lists, and a zone must hold the test
// entries of RFC 5782, section 5: without them its silence means nothing. A server
// such as rbldnsd shows the IPv6 test entry for a list of IPv4 addresses too; say what
// the list lists where that matters. A zone that stands twice is one list.
func Own(zones ...string) *Catalogue {
	c := &Catalogue{}
	for _, line := range zones {
		zone, words, _ := strings.Cut(strings.Trim(line, ". \t"), " ")
		if canonical, err := resolve.Name(zone); err == nil {
			zone = canonical
		}
		kinds, err := kindNames.parse(words)
		if err != nil || kinds == 0 {
			kinds = IPv4 | IPv6 | DomainName
		}
		if c.ByID(zone) == nil && zone != "." {
			c.lists = append(c.lists, &List{
				ID: zone, Zone: zone, Name: zone, Kinds: kinds, Action: Block, Status: "alive", Weight: Medium,
				Sources: []string{"the caller"}, own: true,
			})
		}
	}
	return c
}

// MarshalJSON implements [json.Marshaler]: an array of lists.
func (c *Catalogue) MarshalJSON() ([]byte, error) { return json.Marshal(c.lists) }
