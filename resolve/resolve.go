// Package resolve asks DNS for the rest of rebound, and tells apart what others
// lump together: a name that does not exist, a name without the record, and the
// many ways in which a question gets no usable answer.
//
//	client, err := resolve.System()
//	if err != nil {
//		return err
//	}
//	r := resolve.NewCache(client)
//	a := r.Resolve(ctx, "shop.example", resolve.MX)
//	switch {
//	case a.Status == resolve.OK:
//		// a.Records
//	case a.Status.Absent():
//		// NXDOMAIN or no data: a fact about the name
//	default:
//		// nothing is known: say so
//	}
//
// A [Resolver] never returns an error beside the answer: how a question ended
// is the answer's [Status], so that a failure cannot be taken for absence. A
// [Client] speaks to servers over UDP and TCP, a [Cache] remembers, a
// [Recorder] writes down what was asked, and [Replay] answers offline from such
// a recording or from a zone file.
//
// The package logs nothing, keeps no state outside these values, and leaves no
// goroutine behind once no question is in flight.
package resolve

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// A Resolver answers one question. Name is in presentation form, with or
// without a trailing dot, in any case, and may be an internationalised name.
// Implementations are safe for concurrent use and return soon after ctx ends.
type Resolver interface {
	Resolve(ctx context.Context, name string, t Type) Answer
}

// A Type is a DNS record type, as registered by IANA.
type Type uint16

// The types with typed values in [Record]. Others may be asked for; their value
// is in Record.Text alone.
const (
	A     Type = 1
	NS    Type = 2
	CNAME Type = 5
	SOA   Type = 6
	PTR   Type = 12
	MX    Type = 15
	TXT   Type = 16
	AAAA  Type = 28
	SPF   Type = 99
)

var typeNames = map[Type]string{A: "A", NS: "NS", CNAME: "CNAME", SOA: "SOA", PTR: "PTR", MX: "MX", TXT: "TXT", AAAA: "AAAA", SPF: "SPF"}

// String returns the mnemonic, or RFC 3597's "TYPE123".
func (t Type) String() string {
	if name, ok := typeNames[t]; ok {
		return name
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// MarshalText implements [encoding.TextMarshaler].
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Type) UnmarshalText(b []byte) error {
	for known, name := range typeNames {
		if name == string(b) {
			*t = known
			return nil
		}
	}
	if len(b) > 4 && string(b[:4]) == "TYPE" {
		if n, err := strconv.ParseUint(string(b[4:]), 10, 16); err == nil {
			*t = Type(n)
			return nil
		}
	}
	return fmt.Errorf("resolve: %q is no record type", b)
}

// A Status says how a question ended. Only OK, NoData and NXDomain say
// something about the name; every other status means that nothing is known.
type Status uint8

const (
	Unset     Status = iota // nothing was asked
	OK                      // records of the type
	NoData                  // the name exists without records of the type (RFC 2308, section 2.2)
	NXDomain                // the name does not exist (RFC 8020)
	ServFail                // the server could not find out
	Refused                 // the server will not say
	Timeout                 // no answer in time
	Malformed               // an answer that cannot be read
	Canceled                // the caller's context ended first
	Other                   // FORMERR, NOTIMP and the like, no connection, or a name that DNS cannot hold; see Err
)

var statusNames = [...]string{"", "ok", "no-data", "nxdomain", "servfail", "refused", "timeout", "malformed", "canceled", "other"}

// String returns the status as it stands in JSON; "" for Unset.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "invalid(" + strconv.Itoa(int(s)) + ")"
}

// Absent reports whether the status says that there is no such record.
func (s Status) Absent() bool { return s == NoData || s == NXDomain }

// Known reports whether the status says anything about the name at all.
func (s Status) Known() bool { return s == OK || s.Absent() }

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
	return fmt.Errorf("resolve: %q is no status", b)
}

// A Record is one resource record with its typed value.
type Record struct {
	Name string        `json:"name"` // owner, canonical (see [Name])
	Type Type          `json:"type"`
	TTL  time.Duration `json:"ttl"`

	Addr    netip.Addr `json:"addr,omitzero"`     // A, AAAA
	Host    string     `json:"host,omitempty"`    // CNAME, MX, NS, PTR, SOA's primary; "." stays "."
	Pref    uint16     `json:"pref,omitempty"`    // MX
	Strings []string   `json:"strings,omitempty"` // TXT, SPF: the character-strings, not joined, each its raw octets
	Text    string     `json:"text,omitempty"`    // the value in presentation form, for other types
}

// String returns the value in presentation form.
func (r Record) String() string {
	switch {
	case r.Addr.IsValid():
		return r.Addr.String()
	case r.Type == MX:
		return fmt.Sprintf("%d %s", r.Pref, absolute(r.Host))
	case r.Host != "":
		return absolute(r.Host)
	case r.Strings != nil:
		text := ""
		for i, s := range r.Strings {
			if i > 0 {
				text += " "
			}
			text += strconv.QuoteToASCII(s)
		}
		return text
	}
	return r.Text
}

func absolute(host string) string {
	if host == "." {
		return host
	}
	return host + "."
}

// An Answer is what a [Resolver] found out.
type Answer struct {
	Name    string   `json:"name"` // the name asked for, canonical
	Type    Type     `json:"type"`
	Status  Status   `json:"status"`
	Records []Record `json:"records,omitempty"` // of Type alone, at the end of Chain
	Chain   []string `json:"chain,omitempty"`   // the names that CNAME records led through, the last one holding Records
	// TTL is the least of the records' and the chain's, for an absence the
	// negative TTL (RFC 2308, section 5), and zero for anything that must not
	// be remembered.
	TTL    time.Duration `json:"ttl,omitempty"`
	Secure bool          `json:"secure,omitempty"` // the server says that it validated the answer (AD bit)
	Server string        `json:"server,omitempty"` // who answered: "192.0.2.53:53", "zone file"
	Took   time.Duration `json:"took,omitempty"`
	At     time.Time     `json:"at,omitzero"` // when a server gave it; a cache and a recording keep the time. Zero for what no server gave
	Tries  int           `json:"-"`           // how often the question was sent; 0 where it was not, as from a cache
	Err    error         `json:"-"`           // why, where Status alone does not say
}

// answerJSON is Answer with its error as text.
type answerJSON struct {
	plainAnswer
	Error string `json:"error,omitempty"`
}

type plainAnswer Answer

// MarshalJSON implements [json.Marshaler].
func (a Answer) MarshalJSON() ([]byte, error) {
	out := answerJSON{plainAnswer: plainAnswer(a)}
	if a.Err != nil {
		out.Error = a.Err.Error()
	}
	return json.Marshal(out)
}

// UnmarshalJSON implements [json.Unmarshaler]. An error comes back as its text.
func (a *Answer) UnmarshalJSON(b []byte) error {
	var in answerJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*a = Answer(in.plainAnswer)
	if in.Error != "" {
		a.Err = replayedError(in.Error)
	}
	return nil
}

type replayedError string

func (e replayedError) Error() string { return string(e) }

// Addrs returns the addresses among the records.
func (a Answer) Addrs() []netip.Addr {
	var addrs []netip.Addr
	for _, r := range a.Records {
		if r.Addr.IsValid() {
			addrs = append(addrs, r.Addr)
		}
	}
	return addrs
}

// Hosts returns the host names among the records.
func (a Answer) Hosts() []string {
	var hosts []string
	for _, r := range a.Records {
		if r.Host != "" {
			hosts = append(hosts, r.Host)
		}
	}
	return hosts
}

// String returns the question and how it ended on one line, fit for evidence:
// "shop.example MX: 10 mail.shop.example." or "shop.example MX: NXDOMAIN".
func (a Answer) String() string {
	text := a.Name + " " + a.Type.String() + ": "
	switch a.Status {
	case OK:
		for i, r := range a.Records {
			if i > 0 {
				text += ", "
			}
			text += r.String()
		}
		return text
	case Unset:
		return text + "not asked"
	case NoData:
		return text + "no such record"
	case NXDomain:
		return text + "NXDOMAIN"
	case ServFail:
		return text + "SERVFAIL"
	case Refused:
		return text + "REFUSED"
	}
	text += a.Status.String()
	if a.Err != nil {
		text += " (" + a.Err.Error() + ")"
	}
	return text
}

// failed returns an answer that says nothing about the name.
func failed(name string, t Type, s Status, err error) Answer {
	return Answer{Name: name, Type: t, Status: s, Err: err}
}
