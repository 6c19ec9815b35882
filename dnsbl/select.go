package dnsbl

import (
	"iter"
	"slices"
	"strings"
)

// All returns the lists in the order of the table.
func (c *Catalogue) All() iter.Seq[*List] { return slices.Values(c.lists) }

// ByID returns the list of that ID, or nil.
func (c *Catalogue) ByID(id string) *List {
	for _, l := range c.lists {
		if l.ID == id {
			return l
		}
	}
	return nil
}

// ByZone returns the list with that zone, or nil. Before a keyed zone any key may
// stand, or none.
func (c *Catalogue) ByZone(zone string) *List {
	zone = strings.ToLower(strings.TrimSuffix(zone, "."))
	_, rest, _ := strings.Cut(zone, ".")
	for _, l := range c.lists {
		if l.Zone == "" {
			continue
		}
		bare, keyed := strings.CutPrefix(l.Zone, keyMark+".")
		if bare == zone || keyed && bare == rest {
			return l
		}
	}
	return nil
}

// A Filter says yes to the lists to keep. [List.Usable], as a method expression, is
// one: Select((*dnsbl.List).Usable, dnsbl.OfKind(dnsbl.IPv4)).
type Filter func(*List) bool

// OfKind keeps the lists that list any of the kinds.
func OfKind(k Kind) Filter { return func(l *List) bool { return l.Kinds&k != 0 } }

// OfWeight keeps the lists of at least that weight.
func OfWeight(least Weight) Filter { return func(l *List) bool { return l.Weight >= least } }

// WithID keeps the lists of those IDs.
func WithID(ids ...string) Filter {
	return func(l *List) bool { return slices.Contains(ids, l.ID) }
}

// WithoutID keeps the others.
func WithoutID(ids ...string) Filter {
	return func(l *List) bool { return !slices.Contains(ids, l.ID) }
}

// Select returns the lists to which every filter says yes.
func (c *Catalogue) Select(filters ...Filter) *Catalogue {
	out := &Catalogue{}
	for _, l := range c.lists {
		if !slices.ContainsFunc(filters, func(keep Filter) bool { return !keep(l) }) {
			out.lists = append(out.lists, l)
		}
	}
	return out
}

// With returns the lists of both catalogues, those of c first. A list of other with an
// ID or a zone that c has is left out.
func (c *Catalogue) With(other *Catalogue) *Catalogue {
	out := &Catalogue{lists: slices.Clone(c.lists)}
	for _, l := range other.lists {
		if c.ByID(l.ID) == nil && (l.Zone == "" || !slices.ContainsFunc(c.lists, func(mine *List) bool { return mine.Zone == l.Zone })) {
			out.lists = append(out.lists, l)
		}
	}
	return out
}

// Asked returns the lists that are asked by default: block lists in service of
// medium weight or more, and allow lists that receivers use, that need no key for
// which keys has none. A list that another holds is not asked beside it, and a
// public one not beside the one that replaces it for a key's holder.
func (c *Catalogue) Asked(keys Keys) *Catalogue {
	return c.Askable(keys).Select(OfWeight(Medium), func(l *List) bool {
		return (l.Action == Block || l.Action == Allow) && (l.PartOf == "" || c.ByID(l.PartOf) == nil)
	})
}

// Askable returns every list in service that can be asked with these keys.
func (c *Catalogue) Askable(keys Keys) *Catalogue {
	return c.Select((*List).Usable, func(l *List) bool {
		return l.Zone != "" && l.Status != "private" && (!l.NeedsKey || keys.has(l))
	}).withTwins(keys)
}

// withTwins takes out the public lists that others replace for the holder of a key.
func (c *Catalogue) withTwins(keys Keys) *Catalogue {
	replaced := map[string]bool{}
	for _, l := range c.lists {
		if l.Twin != "" && keys.has(l) {
			replaced[l.Twin] = true
		}
	}
	return c.Select(func(l *List) bool { return !replaced[l.ID] })
}

// Part returns the list that a listing on a whole belongs to: that part of it which
// has the fewest codes and the listing's codes among them. Its steps are the ones to
// follow. It is res.List itself where the catalogue knows no part, or the codes are of
// several.
func (c *Catalogue) Part(res *Result) *List {
	best := res.List
	if res.Status != Listed {
		return best
	}
	for _, l := range c.lists {
		of := l.PartOf == res.List.ID || l.PartOf != "" && l.PartOf == res.List.Twin
		if of && len(l.Codes) > 0 && len(l.Steps) > 0 && l.explainsAll(res) && (best == res.List || len(l.Codes) < len(best.Codes)) {
			best = l
		}
	}
	return best
}

// explainsAll reports whether each code of a listing is one of the list's.
func (l *List) explainsAll(res *Result) bool {
	return !slices.ContainsFunc(res.Codes, func(c Code) bool { return !l.Explains(&Result{Codes: []Code{c}}) })
}

// Holds reports whether an answer of the list tells of the other too: it is the same,
// the whole of which the other is a part, or what replaces one of these for the
// holder of a key.
func (l *List) Holds(other *List) bool {
	return l == other || other.PartOf != "" && (other.PartOf == l.ID || other.PartOf == l.Twin) || l.Twin != "" && l.Twin == other.ID
}

// Explains reports whether a listing, on this list or on one that holds its
// entries, is one of this list: it documents the code, or the nature is its own.
func (l *List) Explains(res *Result) bool {
	for _, c := range res.Codes {
		if len(l.Codes) == 0 {
			if l.Nature == "" || l.Nature == c.Nature {
				return true
			}
			continue
		}
		if s, code, _ := l.Meaning(c.Addr); s == Listed && code.Documented {
			return true
		}
	}
	return false
}
