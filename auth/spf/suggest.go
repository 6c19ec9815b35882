package spf

import (
	"net/netip"
	"slices"
	"strings"
)

// goodLength is how long a record may be for the answer to fit 512 octets on the
// way (RFC 7208, section 3.4).
const goodLength = 450

// A Suggestion is a record that fits in ten lookups, made from one that does not.
type Suggestion struct {
	Records []SuggestedRecord `json:"records"` // the domain's own first, then those that it includes
	Lookups int               `json:"lookups"`
	// Flattened are the terms that were replaced by the networks that they lead to
	// today: when their owners change these, the record must follow.
	Flattened []string `json:"flattened,omitempty"`
	Dropped   []string `json:"dropped,omitempty"` // terms that let nobody send, or nobody new
}

// A SuggestedRecord is a TXT record to publish.
type SuggestedRecord struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Suggest returns a record that lets the same addresses send with at most ten
// lookups; nil where the record is right already, or none could be made: DNS did
// not answer, or the terms that ask too much depend on the mail.
func (t *Tree) Suggest() *Suggestion {
	if t.Root.Record == nil || len(t.Texts) != 1 || t.Root.Code != "" || t.Cut {
		return nil
	}
	if t.Lookups <= MaxLookups && !t.Loop && t.Voids <= MaxVoids && !t.hasDead() {
		return nil
	}
	s := &Suggestion{}
	terms := s.drop(t.Root)
	total := 0
	for i := range terms {
		total += terms[i].lookups
	}
	// One lookup is kept for the record that holds the networks, where they do
	// not fit the first.
	for total > MaxLookups-1 {
		best := cheapest(terms)
		if best < 0 {
			break
		}
		total -= terms[best].lookups
		terms[best].lookups, terms[best].flat = 0, true
		s.Flattened = append(s.Flattened, terms[best].twig.Text)
	}
	if total > MaxLookups {
		return nil
	}
	s.write(t.Domain, terms, total)
	if s.Lookups > MaxLookups {
		return nil
	}
	return s
}

func (t *Tree) hasDead() bool {
	return slices.ContainsFunc(t.Root.Twigs, func(tw Twig) bool { return tw.dead() })
}

// dead reports whether a term lets nobody send: an include of a domain without a
// record, which makes every check a permerror, or a loop.
func (tw *Twig) dead() bool {
	return tw.Child != nil && (tw.Child.Code == None || tw.Note != "" && tw.Child.Loop && tw.Again)
}

// candidate is a term on its way into the suggestion.
type candidate struct {
	twig     *Twig
	lookups  int
	networks []netip.Prefix
	canFlat  bool
	flat     bool
}

// drop leaves out what does nothing: dead includes, repeated ones, a, mx and
// exists that find nothing, and terms behind all.
func (s *Suggestion) drop(b *Branch) []candidate {
	var terms []candidate
	seen := map[string]bool{}
	for i := range b.Twigs {
		t := &b.Twigs[i]
		again := t.Term.Qualifier == '+' && seen[strings.ToLower(t.Text)]
		void := (t.Term.Name == "a" || t.Term.Name == "mx") && len(t.Networks) == 0 && t.Note == ""
		if t.dead() || again || void || strings.HasPrefix(t.Note, "stands behind") {
			s.Dropped = append(s.Dropped, t.Text)
			continue
		}
		seen[strings.ToLower(t.Text)] = true
		c := candidate{twig: t, lookups: t.Lookups}
		switch {
		case t.Term.Qualifier != '+':
		case t.Child != nil && t.Term.Name == "include":
			set, whole := t.Child.networks(map[*Branch]bool{})
			c.networks, c.canFlat = merge(set), whole && !t.Child.takesAway(map[*Branch]bool{})
		case (t.Term.Name == "a" || t.Term.Name == "mx") && t.Note == "":
			c.networks, c.canFlat = merge(t.Networks), true
		}
		terms = append(terms, c)
	}
	return terms
}

// takesAway reports whether a record refuses something before its end: then its
// networks alone do not say what it lets send.
func (b *Branch) takesAway(seen map[*Branch]bool) bool {
	if seen[b] {
		return false
	}
	seen[b] = true
	for i := range b.Twigs {
		t := &b.Twigs[i]
		if t.Term.Name == "all" {
			return false
		}
		if !t.Term.IsModifier() && t.Term.Qualifier != '+' || t.Child != nil && t.Child.takesAway(seen) {
			return true
		}
	}
	return false
}

// cheapest is the term whose flattening costs the fewest networks for a lookup
// saved.
func cheapest(terms []candidate) int {
	best := -1
	for i, c := range terms {
		if !c.canFlat || c.flat || c.lookups == 0 {
			continue
		}
		if best < 0 || len(c.networks)*terms[best].lookups < len(terms[best].networks)*c.lookups {
			best = i
		}
	}
	return best
}

// write puts the terms together. Networks that do not fit the record go into
// records of their own, each for one lookup more.
func (s *Suggestion) write(domain string, terms []candidate, total int) {
	var words, overflow []string
	var flat []netip.Prefix
	tail := []string{}
	for _, c := range terms {
		switch {
		case c.flat:
			flat = append(flat, c.networks...)
		case c.twig.Term.Name == "all" || c.twig.Term.IsModifier():
			tail = append(tail, c.twig.Text)
		default:
			words = append(words, c.twig.Text)
		}
	}
	for _, p := range merge(flat) {
		overflow = append(overflow, networkTerm(p))
	}
	whole := record(slices.Concat(words, overflow, tail))
	if len(whole) <= goodLength || len(overflow) == 0 {
		s.Records, s.Lookups = []SuggestedRecord{{domain, whole}}, total
		return
	}
	var parts []SuggestedRecord
	for len(overflow) > 0 {
		n, size := 0, len(version)+len(" -all")
		for n < len(overflow) && size+1+len(overflow[n]) <= goodLength {
			size += 1 + len(overflow[n])
			n++
		}
		name := "_spf" + string(rune('a'+len(parts)%26)) + "." + domain
		parts = append(parts, SuggestedRecord{name, record(append(slices.Clone(overflow[:n]), "-all"))})
		words = append(words, "include:"+name)
		overflow = overflow[n:]
	}
	s.Records = append([]SuggestedRecord{{domain, record(slices.Concat(words, tail))}}, parts...)
	s.Lookups = total + len(parts)
}

func record(words []string) string { return strings.Join(append([]string{version}, words...), " ") }

// networkTerm writes a network as a term.
func networkTerm(p netip.Prefix) string {
	text := p.String()
	if p.IsSingleIP() {
		text = p.Addr().String()
	}
	if p.Addr().Is4() {
		return "ip4:" + text
	}
	return "ip6:" + text
}
