package bounce

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// A History remembers what a [Policy] asks for: of each address the latest events,
// at most 32, and its complaints; of each domain when its addresses were refused,
// and what was said of the domain itself. It grows with the addresses, by up to 10
// kB each: [History.Forget] bounds it. The zero value is empty and ready for use.
// It is not safe for concurrent use. Its JSON carries a version and reads back.
type History struct {
	addresses map[string]*addressHistory
	domains   map[string]*domainHistory
}

// addressHistory is what is kept of one address.
type addressHistory struct {
	Good       time.Time `json:"good,omitzero"` // when mail was first delivered to it
	Events     []Event   `json:"events"`        // the oldest first
	Complaints []Event   `json:"complaints,omitempty"`
}

// domainHistory is what is kept of the addresses of one domain together.
type domainHistory struct {
	Good     time.Time       `json:"good,omitzero"` // when mail was last delivered to one of them
	Events   []Event         `json:"events,omitempty"`
	Failures []domainFailure `json:"failures,omitempty"` // the oldest first
}

// domainFailure is one address of a domain that was refused for good.
type domainFailure struct {
	Address string    `json:"address"`
	Time    time.Time `json:"time"`
}

const (
	historyVersion   = 1
	maxAddressEvents = 32
	maxComplaints    = 32 // streams of one sender
	maxDomainEvents  = 32
	// Of the failures within burstSlot the first maxSlotFailures show that there was a
	// burst; so many slots are kept of a domain.
	burstSlot       = 10 * time.Minute
	maxSlotFailures = 100
	maxFailures     = 5000
)

// NewHistory returns an empty history.
func NewHistory() *History { return &History{} }

func keyOf(address string) string { return strings.ToLower(strings.TrimSpace(address)) }

func domainOf(address string) string {
	return strings.TrimSuffix(keyOf(address[strings.LastIndexByte(address, '@')+1:]), ".")
}

// entry returns what a map holds of a key, new where there is nothing.
func entry[T any](m *map[string]*T, key string) *T {
	if *m == nil {
		*m = map[string]*T{}
	}
	v := (*m)[key]
	if v == nil {
		v = new(T)
		(*m)[key] = v
	}
	return v
}

// Add takes an event. Events may come in any order; one without an address or a
// time is left out, and one of a report that was already told of the address counts
// once.
func (h *History) Add(e Event) {
	e.Address = keyOf(e.Address)
	if e.Address == "" || e.Time.IsZero() {
		return
	}
	a, d := entry(&h.addresses, e.Address), entry(&h.domains, domainOf(e.Address))
	if e.Reason == Complaint {
		a.complain(e)
		return
	}
	if e.Report != "" && slices.ContainsFunc(a.Events, func(old Event) bool {
		return old.Report == e.Report && old.Reason == e.Reason && old.Delivered == e.Delivered
	}) {
		return
	}
	if e.Delivered {
		if a.Good.IsZero() || e.Time.Before(a.Good) {
			a.Good = e.Time
		}
		if e.Time.After(d.Good) {
			d.Good = e.Time
		}
	}
	switch {
	case ofDomain(e):
		d.Events = insert(d.Events, e, maxDomainEvents)
	case e.Suppress:
		d.fail(domainFailure{e.Address, e.Time})
	}
	a.Events = insert(a.Events, e, maxAddressEvents)
}

// ofDomain reports whether an event says something of the whole domain.
func ofDomain(e Event) bool {
	return e.Reason == UnknownDomain && e.Suppress || e.Reason.Category() == Throttled
}

// insert puts an event behind those of the same time; the oldest of too many goes.
func insert(list []Event, e Event, limit int) []Event {
	at, _ := slices.BinarySearchFunc(list, e, func(old, e Event) int {
		if c := old.Time.Compare(e.Time); c != 0 {
			return c
		}
		return -1
	})
	list = slices.Insert(list, at, e)
	return slices.Delete(list, 0, max(len(list)-limit, 0))
}

// All yields what is remembered of each address, by address and the oldest first, its
// complaints last: what another History, or a diagnosis, can be fed with.
func (h *History) All() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for _, address := range slices.Sorted(maps.Keys(h.addresses)) {
			a := h.addresses[address]
			for _, e := range slices.Concat(a.Events, a.Complaints) {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// complain keeps the first complaint about each stream.
func (a *addressHistory) complain(e Event) {
	for i, old := range a.Complaints {
		if old.Stream == e.Stream {
			if e.Time.Before(old.Time) {
				a.Complaints[i] = e
			}
			return
		}
	}
	if len(a.Complaints) < maxComplaints {
		a.Complaints = append(a.Complaints, e)
	}
}

// fail notes that an address was refused for good.
func (d *domainHistory) fail(f domainFailure) {
	at, _ := slices.BinarySearchFunc(d.Failures, f, func(old, f domainFailure) int {
		if c := old.Time.Compare(f.Time); c != 0 {
			return c
		}
		return strings.Compare(old.Address, f.Address)
	})
	slot := f.Time.Truncate(burstSlot)
	in := func(i int) bool {
		return i >= 0 && i < len(d.Failures) && d.Failures[i].Time.Truncate(burstSlot).Equal(slot)
	}
	if in(at-maxSlotFailures) || in(at+maxSlotFailures-1) {
		return
	}
	d.Failures = slices.Insert(d.Failures, at, f)
	d.Failures = slices.Delete(d.Failures, 0, max(len(d.Failures)-maxFailures, 0))
}

// Forget drops what happened before a time, and the addresses and domains of which
// nothing is left. Complaints stay.
func (h *History) Forget(before time.Time) {
	old := func(e Event) bool { return e.Time.Before(before) }
	for key, a := range h.addresses {
		a.Events = slices.DeleteFunc(a.Events, old)
		if len(a.Events)+len(a.Complaints) == 0 && (a.Good.IsZero() || a.Good.Before(before)) {
			delete(h.addresses, key)
		}
	}
	for key, d := range h.domains {
		d.Events = slices.DeleteFunc(d.Events, old)
		d.Failures = slices.DeleteFunc(d.Failures, func(f domainFailure) bool { return f.Time.Before(before) })
		if len(d.Events)+len(d.Failures) == 0 && d.Good.Before(before) {
			delete(h.domains, key)
		}
	}
}

// goodBefore reports whether mail had been delivered to an address before a time.
func (h *History) goodBefore(address string, when time.Time) bool {
	a := h.addresses[address]
	return a != nil && !a.Good.IsZero() && !a.Good.After(when)
}

// historyJSON is the form of a history.
type historyJSON struct {
	Version   int                        `json:"version"`
	Addresses map[string]*addressHistory `json:"addresses"`
	Domains   map[string]*domainHistory  `json:"domains"`
}

// MarshalJSON implements [json.Marshaler].
func (h History) MarshalJSON() ([]byte, error) {
	return json.Marshal(historyJSON{historyVersion, h.addresses, h.domains})
}

// UnmarshalJSON implements [json.Unmarshaler]. Another version than the package
// writes is an error.
func (h *History) UnmarshalJSON(b []byte) error {
	var in historyJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in.Version != historyVersion {
		return fmt.Errorf("bounce: a history of version %d; this package reads version %d", in.Version, historyVersion)
	}
	*h = History{}
	for _, key := range slices.Sorted(maps.Keys(in.Addresses)) {
		a := in.Addresses[key]
		if a == nil {
			continue
		}
		for _, e := range slices.Concat(a.Complaints, a.Events) {
			e.Address = key
			h.Add(e)
		}
		if kept := h.addresses[keyOf(key)]; kept != nil && !a.Good.IsZero() {
			kept.Good = a.Good // its event may be gone
		}
	}
	// What domains remember may be older than what is left of their addresses.
	for _, key := range slices.Sorted(maps.Keys(in.Domains)) {
		d := in.Domains[key]
		if d == nil || key != domainOf(key) {
			continue
		}
		kept := entry(&h.domains, key)
		if d.Good.After(kept.Good) {
			kept.Good = d.Good
		}
		kept.Events, kept.Failures = nil, nil
		for _, e := range d.Events {
			kept.Events = insert(kept.Events, e, maxDomainEvents)
		}
		for _, f := range d.Failures {
			kept.fail(f)
		}
	}
	return nil
}
