package spf

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/resolve"
)

const (
	// maxQuestions bounds what one walk asks. The deepest record seen in the wild
	// leads to some 60 questions.
	maxQuestions = 400
	maxWalkDepth = 20
)

// A Tree is all that a domain's record leads to, past the limits that a check
// keeps, as [Walk] found it.
type Tree struct {
	Domain string   `json:"domain"`
	Texts  []string `json:"records"`        // the SPF records of the domain; one is right
	Like   []string `json:"like,omitempty"` // TXT records that look as if they were meant as SPF and are not
	Root   *Branch  `json:"root"`
	// Type99 is the answer for the obsolete type SPF (RFC 7208, section 3.1).
	Type99  resolve.Answer `json:"type99"`
	Lookups int            `json:"lookups"` // terms that ask DNS when no term matches; MaxLookups are allowed
	Voids   int            `json:"voids"`   // questions that find nothing, for a mail from an IPv4 address; MaxVoids are allowed
	Voids6  int            `json:"voids6"`  // and from an IPv6 address
	Loop    bool           `json:"loop,omitempty"`
	// Networks are what the record lets send, merged; a record that ends in +all
	// lets everybody send.
	Networks  []netip.Prefix `json:"networks,omitempty"`
	Addresses uint64         `json:"addresses"` // IPv4 addresses in Networks
	Partial   bool           `json:"partial"`   // some networks are not known: macros, ptr, or DNS that did not answer
	Cut       bool           `json:"cut,omitempty"`
}

// A Branch is one record of a tree.
type Branch struct {
	Domain  string         `json:"domain"`
	Answer  resolve.Answer `json:"-"`
	Record  *Record        `json:"-"`
	Text    string         `json:"record,omitempty"`
	Problem string         `json:"problem,omitempty"` // why there is no record to follow
	Code    Code           `json:"code,omitempty"`    // none, temperror or permerror, where there is none
	Twigs   []Twig         `json:"terms,omitempty"`
	Lookups int            `json:"lookups"` // of this record and all below it
	Voids   int            `json:"voids"`
	Voids6  int            `json:"voids6"`
	Loop    bool           `json:"loop,omitempty"` // it leads back to a record above it
}

// A Twig is one term of a branch.
type Twig struct {
	Term     Term             `json:"-"`
	Text     string           `json:"term"`
	Target   string           `json:"target,omitempty"` // the domain that it asks about; "" where that depends on the mail
	Networks []netip.Prefix   `json:"networks,omitempty"`
	Answers  []resolve.Answer `json:"-"`
	Child    *Branch          `json:"child,omitempty"`
	Again    bool             `json:"again,omitempty"` // the child is shown where it was met first
	Lookups  int              `json:"lookups,omitempty"`
	Voids    int              `json:"voids,omitempty"`
	Voids6   int              `json:"voids6,omitempty"`
	Note     string           `json:"note,omitempty"`
}

// Walk reads the record of a domain and all that it leads to. It asks DNS some
// questions more than a check would, 400 at most: beyond, Tree.Cut is set.
func Walk(ctx context.Context, r resolve.Resolver, domain string) *Tree {
	w := &walker{ctx: ctx, resolver: r, tree: &Tree{Domain: domain}, met: map[string]*Branch{}}
	canonical, problem := checkDomain(domain)
	if problem != "" {
		w.tree.Root = &Branch{Domain: domain, Problem: problem, Code: None}
		return w.tree
	}
	w.tree.Domain = canonical
	w.tree.Root = w.branch(canonical, nil)
	w.tree.Type99 = w.ask(canonical, resolve.SPF)
	for _, rec := range w.tree.Root.Answer.Records {
		text := txt.Join(rec.Strings)
		switch {
		case IsRecord(text):
			w.tree.Texts = append(w.tree.Texts, text)
		case looksLike(text):
			w.tree.Like = append(w.tree.Like, text)
		}
	}
	w.sum()
	return w.tree
}

// looksLike reports whether a TXT record was probably meant as SPF.
func looksLike(text string) bool {
	text = strings.ToLower(strings.Trim(text[:min(len(text), 64)], "\"' \t\ufeff\u00a0"))
	text = strings.ReplaceAll(text, " ", "")
	return strings.HasPrefix(text, "v=spf") || strings.HasPrefix(text, "spf1") || strings.HasPrefix(text, "spf2.0/") || strings.HasPrefix(text, "v:spf1") || strings.HasPrefix(text, "=spf1")
}

type walker struct {
	ctx       context.Context
	resolver  resolve.Resolver
	tree      *Tree
	met       map[string]*Branch
	questions int
}

func (w *walker) ask(name string, t resolve.Type) resolve.Answer {
	if w.questions == maxQuestions {
		w.tree.Cut = true
		return resolve.Answer{Name: name, Type: t}
	}
	w.questions++
	return w.resolver.Resolve(w.ctx, name, t)
}

// branch reads the record of a domain; path holds the domains above it.
func (w *walker) branch(domain string, path []string) *Branch {
	b := &Branch{Domain: domain}
	w.met[domain] = b
	b.Answer = w.ask(domain, resolve.TXT)
	text, code, why := selectRecord(domain, b.Answer)
	b.Text, b.Code, b.Problem = text, code, why
	if text == "" {
		return b
	}
	b.Record = Parse(text)
	if len(b.Record.Faults) > 0 && code == "" {
		b.Code, b.Problem = PermError, fmt.Sprintf("The record of %s cannot be read: %s.", domain, b.Record.Faults[0].What)
	}
	path = append(path, domain)
	for i := range b.Record.Terms {
		b.Twigs = append(b.Twigs, w.twig(b, &b.Record.Terms[i], path))
		t := &b.Twigs[len(b.Twigs)-1]
		b.Lookups += t.Lookups
		b.Voids += t.Voids
		b.Voids6 += t.Voids6
		if t.Child != nil {
			b.Loop = b.Loop || t.Child.Loop
		}
		if b.Record.Terms[i].Name == "all" {
			for _, rest := range b.Record.Terms[i+1:] {
				b.Twigs = append(b.Twigs, Twig{Term: rest, Text: rest.Text, Note: "stands behind all: never evaluated"})
			}
			break
		}
	}
	return b
}

// maxTotal keeps the counts of records that multiply through repeated includes
// from overflowing.
const maxTotal = 1 << 30

func (w *walker) twig(b *Branch, t *Term, path []string) Twig {
	out := Twig{Term: *t, Text: t.Text}
	switch {
	case t.Faulty:
		out.Note = "cannot be read"
		return out
	case t.Name == "ip4" || t.Name == "ip6":
		out.Networks = []netip.Prefix{t.Prefix.Masked()}
		return out
	case !t.asks():
		return out
	}
	out.Lookups = 1
	target, ok := w.target(b.Domain, t)
	if !ok {
		out.Note = "depends on the mail"
		return out
	}
	out.Target = target
	switch t.Name {
	case "include", "redirect":
		w.follow(&out, target, path)
	case "a":
		w.hosts(&out, target, t)
	case "mx":
		w.mx(&out, target, t)
	case "exists":
		a := w.ask(target, resolve.A)
		out.note(a)
		out.Note = "holds every address, or none"
	case "ptr":
		out.Note = "depends on the reverse DNS of the address"
	}
	return out
}

// target expands what does not depend on the mail: %{d} and %{o}.
func (w *walker) target(domain string, t *Term) (string, bool) {
	if t.Value == "" {
		return domain, true
	}
	known := true
	name := t.macro.expand(func(letter byte) string {
		switch letter {
		case 'd':
			return domain
		case 'o':
			return w.tree.Domain
		}
		known = false
		return ""
	})
	canonical, err := resolve.Name(shorten(trimDot(name)))
	if err != nil {
		return name, known
	}
	return canonical, known
}

func (w *walker) follow(out *Twig, target string, path []string) {
	if slices.Contains(path, target) {
		out.Note, w.tree.Loop = "leads back to "+target+": a loop", true
		out.Child, out.Again = &Branch{Domain: target, Loop: true, Code: PermError, Problem: "A loop."}, true
		return
	}
	child := w.met[target]
	switch {
	case child != nil:
		out.Again = true
	case len(path) >= maxWalkDepth:
		w.tree.Cut = true
		out.Note = "nested too deep to follow"
		return
	default:
		child = w.branch(target, path)
	}
	out.Child = child
	out.Lookups = min(out.Lookups+child.Lookups, maxTotal)
	out.Voids = min(out.Voids+child.Voids, maxTotal)
	out.Voids6 = min(out.Voids6+child.Voids6, maxTotal)
}

// note keeps an answer and counts it when it is empty.
func (out *Twig) note(answers ...resolve.Answer) {
	for _, a := range answers {
		out.Answers = append(out.Answers, a)
		if a.Status.Absent() && a.Type != resolve.AAAA {
			out.Voids++
		}
		if a.Status.Absent() && a.Type != resolve.A {
			out.Voids6++
		}
		if !a.Status.Known() && a.Status != resolve.Unset {
			out.Note = fmt.Sprintf("%s %s could not be looked up (%s)", a.Name, a.Type, a.Status)
		}
	}
}

func (w *walker) hosts(out *Twig, host string, t *Term) {
	four, six := w.ask(host, resolve.A), w.ask(host, resolve.AAAA)
	out.note(four, six)
	for _, a := range []resolve.Answer{four, six} {
		for _, addr := range a.Addrs() {
			bits := t.Bits4
			if addr.Is6() {
				bits = t.Bits6
			}
			if p, err := addr.Prefix(bits); err == nil {
				out.Networks = append(out.Networks, p)
			}
		}
	}
}

func (w *walker) mx(out *Twig, target string, t *Term) {
	a := w.ask(target, resolve.MX)
	out.note(a)
	for i, host := range a.Hosts() {
		if i == maxHosts {
			out.Note = fmt.Sprintf("%d MX names; %d are allowed", len(a.Records), maxHosts)
			break
		}
		if host != "." {
			w.hosts(out, host, t)
		}
	}
}

// sum fills in the totals.
func (w *walker) sum() {
	t := w.tree
	t.Lookups, t.Voids, t.Voids6 = t.Root.Lookups, t.Root.Voids, t.Root.Voids6
	set, whole := t.Root.networks(map[*Branch]bool{})
	t.Partial = !whole || t.Cut
	t.Networks = merge(set)
	for _, p := range t.Networks {
		if p.Addr().Is4() {
			t.Addresses += 1 << (32 - p.Bits())
		}
	}
}

// networks returns what a branch lets send; whole is false where that is not all,
// or where a term takes something away again.
func (b *Branch) networks(seen map[*Branch]bool) (set []netip.Prefix, whole bool) {
	if seen[b] {
		return nil, true
	}
	seen[b] = true
	whole = b.Code == "" && !b.Loop
	for i := range b.Twigs {
		t := &b.Twigs[i]
		switch name := t.Term.Name; {
		case t.Term.Faulty || t.Term.IsModifier() && name != "redirect":
		case name == "all":
			if t.Term.Qualifier == '+' {
				return append(set, netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)), whole
			}
			return set, whole
		case t.Term.Qualifier != '+' && name != "redirect":
			whole = false
		case t.Child != nil:
			below, all := t.Child.networks(seen)
			set, whole = append(set, below...), whole && all
		case name == "ptr" || name == "exists" || name == "include" || name == "redirect":
			whole = false
		default:
			set = append(set, t.Networks...)
			for _, a := range t.Answers {
				whole = whole && a.Status.Known()
			}
		}
	}
	return set, whole
}

// merge sorts networks, drops those inside others, and joins halves.
func merge(set []netip.Prefix) []netip.Prefix {
	set = slices.Clone(set)
	slices.SortFunc(set, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	var out []netip.Prefix
	for _, p := range set {
		if n := len(out); n > 0 && out[n-1].Overlaps(p) {
			continue
		}
		out = append(out, p)
		for len(out) > 1 {
			a, b := out[len(out)-2], out[len(out)-1]
			if a.Bits() != b.Bits() || a.Bits() == 0 {
				break
			}
			up, _ := a.Addr().Prefix(a.Bits() - 1)
			if up.Addr() != a.Addr() || !up.Contains(b.Addr()) {
				break
			}
			out = append(out[:len(out)-2], up)
		}
	}
	return out
}
