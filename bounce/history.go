package bounce

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A History remembers of many addresses what a [Policy] asks for: the latest
// events of each, at most 32, and which addresses of a domain were refused of late.
// It is not safe for concurrent use. Its JSON carries a version and reads back.
type History struct {
	addresses map[string]*addressHistory
	domains   map[string][]domainFailure
}

// addressHistory is what is kept of one address.
type addressHistory struct {
	Good   time.Time `json:"good,omitzero"` // when mail was first delivered to it
	Events []Event   `json:"events"`        // the oldest first
}

// domainFailure is one address of a domain that was refused for good.
type domainFailure struct {
	address string
	when    time.Time
}

const (
	historyVersion    = 1
	maxAddressEvents  = 32
	maxDomainFailures = 1000 // a burst is much smaller
)

// NewHistory returns an empty history.
func NewHistory() *History {
	return &History{addresses: map[string]*addressHistory{}, domains: map[string][]domainFailure{}}
}

func keyOf(address string) string { return strings.ToLower(strings.TrimSpace(address)) }

func domainOf(address string) string {
	return strings.TrimSuffix(keyOf(address[strings.LastIndexByte(address, '@')+1:]), ".")
}

// Add takes an event. Events may come in any order.
func (h *History) Add(e Event) {
	key := keyOf(e.Address)
	if key == "" || e.Time.IsZero() {
		return
	}
	e.Address = key
	a := h.addresses[key]
	if a == nil {
		a = &addressHistory{}
		h.addresses[key] = a
	}
	if e.Suppress && e.Reason != Complaint {
		h.fail(key, e.Time)
	}
	if e.Delivered && (a.Good.IsZero() || e.Time.Before(a.Good)) {
		a.Good = e.Time
	}
	at, _ := slices.BinarySearchFunc(a.Events, e, func(old, e Event) int {
		if c := old.Time.Compare(e.Time); c != 0 {
			return c
		}
		return -1 // behind those of the same time
	})
	a.Events = slices.Insert(a.Events, at, e)
	if len(a.Events) > maxAddressEvents {
		a.Events = slices.Delete(a.Events, 0, 1)
	}
}

// fail notes that an address was refused for good, the latest time of each.
func (h *History) fail(address string, when time.Time) {
	domain := domainOf(address)
	list := h.domains[domain]
	if at := slices.IndexFunc(list, func(f domainFailure) bool { return f.address == address }); at >= 0 {
		if when.Before(list[at].when) {
			return
		}
		list = slices.Delete(list, at, at+1)
	}
	list = append(list, domainFailure{address, when})
	if len(list) > maxDomainFailures {
		list = slices.Delete(list, 0, len(list)-maxDomainFailures)
	}
	h.domains[domain] = list
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
}

// MarshalJSON implements [json.Marshaler].
func (h *History) MarshalJSON() ([]byte, error) {
	return json.Marshal(historyJSON{historyVersion, h.addresses})
}

// UnmarshalJSON implements [json.Unmarshaler]. A newer version than the package
// knows is an error.
func (h *History) UnmarshalJSON(b []byte) error {
	var in historyJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in.Version != historyVersion {
		return fmt.Errorf("bounce: a history of version %d; this package reads version %d", in.Version, historyVersion)
	}
	*h = *NewHistory()
	var all []Event
	for address, a := range in.Addresses {
		if a == nil {
			continue
		}
		for _, e := range a.Events {
			e.Address = address
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Event) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Address, b.Address)
	})
	for _, e := range all {
		h.Add(e)
	}
	for address, a := range in.Addresses {
		if kept := h.addresses[keyOf(address)]; kept != nil && a != nil && !a.Good.IsZero() {
			kept.Good = a.Good // its event may be gone
		}
	}
	return nil
}
