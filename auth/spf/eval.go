package spf

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/resolve"
)

// evaluation is one check in the making: the counters are those of the whole
// check, includes and redirects together.
type evaluation struct {
	ctx      context.Context
	resolver resolve.Resolver
	query    Query
	ip       netip.Addr

	sender, local, senderDomain string

	lookups, voids int

	// The PTR names of the address, looked up once (sections 5.5 and 7.3).
	ptrAsked bool
	ptr      []ptrName
	ptrNotes []resolve.Answer
}

type ptrName struct {
	host      string
	confirmed bool
}

// problem is an error of the evaluation: a code and why.
type problem struct {
	code Code
	why  string
}

// checkHost is check_host() of section 4.
func (e *evaluation) checkHost(domain string, depth int) *Node {
	n := &Node{Domain: domain}
	n.Answer = e.resolver.Resolve(e.ctx, domain, resolve.TXT)
	text, code, why := selectRecord(domain, n.Answer)
	n.Record = text
	if code != "" {
		n.Result, n.Why = code, why
		return n
	}
	rec := Parse(text)
	if len(rec.Faults) > 0 {
		n.Result = PermError
		n.Why = fmt.Sprintf("The record of %s cannot be read: %s.", domain, rec.Faults[0].What)
		for i := range rec.Terms {
			if t := &rec.Terms[i]; t.Faulty {
				n.Steps = append(n.Steps, Step{Domain: domain, Term: t.Text, Start: t.Start, End: t.End, Note: "cannot be read"})
				break
			}
		}
		return n
	}
	e.evaluate(n, rec, depth)
	return n
}

// selectRecord picks the one SPF record among the TXT records of a name (section
// 4.5). Code is "" when there is one.
func selectRecord(domain string, a resolve.Answer) (text string, code Code, why string) {
	switch {
	case a.Status == resolve.NXDomain:
		return "", None, domain + " does not exist."
	case !a.Status.Known():
		return "", TempError, fmt.Sprintf("The TXT records of %s could not be looked up (%s).", domain, a.Status)
	}
	found := 0
	for i := range a.Records {
		joined := txt.Join(a.Records[i].Strings)
		if IsRecord(joined) {
			if found++; found == 1 {
				text = joined
			}
		}
	}
	switch found {
	case 0:
		return "", None, domain + " has no SPF record."
	case 1:
		return text, "", ""
	}
	return text, PermError, fmt.Sprintf("%s has %d SPF records; one is allowed.", domain, found)
}

var byQualifier = map[byte]Code{'+': Pass, '-': Fail, '~': SoftFail, '?': Neutral}

// evaluate tries the mechanisms from left to right, then follows redirect=
// (sections 4.6.2 and 6.1).
func (e *evaluation) evaluate(n *Node, rec *Record, depth int) {
	n.Steps = make([]Step, 0, len(rec.Terms))
	var redirect *Term
	for i := range rec.Terms {
		t := &rec.Terms[i]
		if t.IsModifier() {
			if t.Name == "redirect" {
				redirect = t
			}
			continue
		}
		n.Steps = append(n.Steps, Step{Domain: n.Domain, Term: t.Text, Start: t.Start, End: t.End})
		s := &n.Steps[len(n.Steps)-1]
		before := e.voids
		p := e.try(n, t, s, depth)
		s.Voids = e.voids - before
		switch {
		case p != nil:
			n.Result, n.Why = p.code, p.why
			return
		case s.Matched:
			n.Result = byQualifier[t.Qualifier]
			n.Why = e.matchText(n, t, s)
			return
		}
	}
	if redirect != nil {
		e.redirect(n, redirect, depth)
		return
	}
	n.Result = Neutral
	n.Why = fmt.Sprintf("No term of %s's record holds %s, and the record has no all at its end.", n.Domain, e.ip)
}

func (e *evaluation) matchText(n *Node, t *Term, s *Step) string {
	switch {
	case t.Name == "all" && len(n.Steps) == 1:
		return fmt.Sprintf("%q is the whole record of %s.", t.Text, n.Domain)
	case t.Name == "all":
		return fmt.Sprintf("%q of %s's record decides: no term before it holds %s.", t.Text, n.Domain, e.ip)
	case s.Child != nil:
		return fmt.Sprintf("%q of %s's record holds %s: %s", t.Text, n.Domain, e.ip, s.Child.Why)
	}
	return fmt.Sprintf("%q of %s's record holds %s.", t.Text, n.Domain, e.ip)
}

// try evaluates one mechanism.
func (e *evaluation) try(n *Node, t *Term, s *Step, depth int) *problem {
	switch t.Name {
	case "all":
		s.Matched = true
		return nil
	case "ip4", "ip6":
		s.Matched = t.Prefix.Contains(e.ip)
		return nil
	}
	if p := e.count(t, s); p != nil {
		return p
	}
	target := e.target(n, t)
	s.Expanded = target
	switch t.Name {
	case "include":
		return e.include(t, s, target, depth)
	case "a":
		return e.address(t, s, target)
	case "mx":
		return e.mx(t, s, target)
	case "ptr":
		return e.pointer(s, target)
	case "exists":
		return e.exists(s, target)
	}
	return nil
}

// count counts a term that asks DNS. RFC 7208, section 4.6.4.
func (e *evaluation) count(t *Term, s *Step) *problem {
	if e.lookups == MaxLookups {
		s.Note = "not evaluated: the limit is reached"
		return &problem{PermError, fmt.Sprintf("The record leads to more than %d terms that ask DNS: %q of %s's is one too many.", MaxLookups, t.Text, s.Domain)}
	}
	e.lookups++
	s.Lookups = 1
	return nil
}

// target is the domain that a mechanism asks about: its own domain-spec, or the
// domain that is being checked (section 4.8).
func (e *evaluation) target(n *Node, t *Term) string {
	if t.Value == "" {
		return n.Domain
	}
	if t.macro.plain {
		return trimDot(t.Value)
	}
	return shorten(trimDot(e.expand(n.Domain, t.macro)))
}

// shorten drops labels from the left until a name fits DNS (section 7.3).
func shorten(name string) string {
	for len(name) > 253 {
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return name
		}
		name = rest
	}
	return name
}

// ask puts a question for a term. Voids are counted where the term asks with a
// name that the record's owner chose (section 4.6.4, last paragraph).
func (e *evaluation) ask(s *Step, name string, t resolve.Type) (resolve.Answer, *problem) {
	a := e.resolver.Resolve(e.ctx, name, t)
	s.Answers = append(s.Answers, a)
	switch {
	case a.Err != nil && a.Status == resolve.Other && badName(name):
		// RFC 7208, section 4.8: a name that does not fit DNS is one that does
		// not exist.
		s.Note = fmt.Sprintf("%s does not fit DNS", strconv.QuoteToASCII(name))
		return resolve.Answer{Name: name, Type: t, Status: resolve.NXDomain}, nil
	case !a.Status.Known():
		return a, &problem{TempError, fmt.Sprintf("%q of %s's record could not be evaluated: the %s records of %s could not be looked up (%s).", s.Term, s.Domain, t, name, a.Status)}
	}
	return a, e.void(s, a)
}

// void counts a question that found nothing.
func (e *evaluation) void(s *Step, a resolve.Answer) *problem {
	if !a.Status.Absent() && len(a.Records) > 0 {
		return nil
	}
	if e.voids++; e.voids > MaxVoids {
		return &problem{PermError, fmt.Sprintf("More than %d questions found nothing: that of %q in %s's record (%s) is one too many.", MaxVoids, s.Term, s.Domain, a)}
	}
	return nil
}

func badName(name string) bool {
	_, err := resolve.Name(name)
	return err != nil
}

func (e *evaluation) include(t *Term, s *Step, target string, depth int) *problem {
	child, p := e.child(s, target, depth)
	if p != nil {
		return p
	}
	switch child.Result {
	case Pass:
		s.Matched = true
	case TempError:
		return &problem{TempError, child.Why}
	case PermError:
		return &problem{PermError, child.Why}
	case None:
		return &problem{PermError, fmt.Sprintf("%q of %s's record leads to nothing: %s", t.Text, s.Domain, child.Why)}
	}
	return nil
}

// child runs check_host for an include or redirect.
func (e *evaluation) child(s *Step, target string, depth int) (*Node, *problem) {
	if depth == maxDepth {
		return nil, &problem{PermError, fmt.Sprintf("Includes and redirects are nested more than %d deep.", maxDepth)}
	}
	canonical, err := resolve.Name(target)
	if err != nil {
		s.Child = &Node{Domain: target, Result: None, Why: strconv.QuoteToASCII(target) + " does not fit DNS."}
		return s.Child, nil
	}
	s.Child = e.checkHost(canonical, depth+1)
	return s.Child, nil
}

func (e *evaluation) redirect(n *Node, t *Term, depth int) {
	n.Steps = append(n.Steps, Step{Domain: n.Domain, Term: t.Text, Start: t.Start, End: t.End})
	s := &n.Steps[len(n.Steps)-1]
	p := e.count(t, s)
	var child *Node
	if p == nil {
		s.Expanded = e.target(n, t)
		child, p = e.child(s, s.Expanded, depth)
	}
	switch {
	case p != nil:
		n.Result, n.Why = p.code, p.why
	case child.Result == None:
		n.Result, n.Why = PermError, fmt.Sprintf("%q of %s's record leads to nothing: %s", t.Text, n.Domain, child.Why)
	default:
		n.Result, n.Why = child.Result, child.Why
		s.Matched = true
	}
}

// family is the address type that matters for the client.
func (e *evaluation) family() resolve.Type {
	if e.ip.Is4() {
		return resolve.A
	}
	return resolve.AAAA
}

// within reports whether an address record covers the client under the term's
// prefix lengths (section 5).
func (e *evaluation) within(addr netip.Addr, t *Term) bool {
	bits := t.Bits6
	if e.ip.Is4() {
		bits = t.Bits4
	}
	if addr.Is4() != e.ip.Is4() {
		return false
	}
	prefix, err := addr.Prefix(bits)
	return err == nil && prefix.Contains(e.ip)
}

func (e *evaluation) address(t *Term, s *Step, target string) *problem {
	a, p := e.ask(s, target, e.family())
	if p != nil {
		return p
	}
	for i := range a.Records {
		s.Matched = s.Matched || e.within(a.Records[i].Addr, t)
	}
	return nil
}

func (e *evaluation) mx(t *Term, s *Step, target string) *problem {
	a, p := e.ask(s, target, resolve.MX)
	if p != nil {
		return p
	}
	// RFC 7208, section 4.6.4: more than 10 names are a permerror, whether or
	// not one of the first ten matches.
	if len(a.Records) > maxHosts {
		return &problem{PermError, fmt.Sprintf("%q of %s's record leads to %d MX names; %d are allowed.", t.Text, s.Domain, len(a.Records), maxHosts)}
	}
	for i := range a.Records {
		host := a.Records[i].Host
		if host == "." || host == "" {
			continue // RFC 7505: takes no mail, and names no host
		}
		hosts, p := e.ask(s, host, e.family())
		if p != nil {
			return p
		}
		for j := range hosts.Records {
			if e.within(hosts.Records[j].Addr, t) {
				s.Matched = true
				return nil
			}
		}
	}
	return nil
}

func (e *evaluation) exists(s *Step, target string) *problem {
	a, p := e.ask(s, target, resolve.A)
	s.Matched = p == nil && a.Status == resolve.OK && len(a.Records) > 0
	return p
}

// pointer is ptr (section 5.5). No DNS error in it is an error of the check. That the
// address has no PTR record counts as a void look-up; those of the names do not.
func (e *evaluation) pointer(s *Step, target string) *problem {
	answers := e.pointers()
	s.Answers = append(s.Answers, answers...)
	if answers[0].Status.Absent() {
		return e.void(s, answers[0])
	}
	canonical, err := resolve.Name(target)
	if err != nil {
		return nil
	}
	for _, n := range e.ptr {
		if n.confirmed && (n.host == canonical || strings.HasSuffix(n.host, "."+canonical)) {
			s.Matched = true
			return nil
		}
	}
	return nil
}

// pointers looks up the PTR names of the client, and which of them lead back to
// it, once for the whole check; it returns the answers of the first call.
func (e *evaluation) pointers() []resolve.Answer {
	if e.ptrAsked {
		return e.ptrNotes
	}
	e.ptrAsked = true
	a := e.resolver.Resolve(e.ctx, resolve.Reverse(e.ip), resolve.PTR)
	e.ptrNotes = append(e.ptrNotes, a)
	for i, host := range a.Hosts() {
		if i == maxHosts {
			break // section 4.6.4: the first 10 count
		}
		forward := e.resolver.Resolve(e.ctx, host, e.family())
		e.ptrNotes = append(e.ptrNotes, forward)
		n := ptrName{host: host}
		for _, addr := range forward.Addrs() {
			n.confirmed = n.confirmed || addr == e.ip
		}
		e.ptr = append(e.ptr, n)
	}
	return e.ptrNotes
}

// expand expands a macro-string within the check of a domain.
func (e *evaluation) expand(domain string, m macroString) string {
	return m.expand(func(letter byte) string {
		switch letter {
		case 's':
			return e.sender
		case 'l':
			return e.local
		case 'o':
			return e.senderDomain
		case 'd':
			return domain
		case 'i':
			return dotted(e.ip)
		case 'p':
			return e.ownName(domain)
		case 'v':
			if e.ip.Is4() {
				return "in-addr"
			}
			return "ip6"
		case 'h':
			return trimDot(e.query.HELO)
		case 'c':
			return e.ip.String()
		case 'r':
			if e.query.Receiver != "" {
				return e.query.Receiver
			}
			return "unknown"
		case 't':
			return strconv.FormatInt(e.time().Unix(), 10)
		}
		return ""
	})
}

func (e *evaluation) time() time.Time {
	if e.query.Now.IsZero() {
		return time.Unix(0, 0)
	}
	return e.query.Now
}

// dotted is %{i}: dotted quads, or dotted nibbles, in capitals as in section 7.4.
func dotted(ip netip.Addr) string {
	if ip.Is4() {
		return ip.String()
	}
	const hex = "0123456789ABCDEF"
	b := ip.As16()
	out := make([]byte, 0, 63)
	for i, o := range b {
		if i > 0 {
			out = append(out, '.')
		}
		out = append(out, hex[o>>4], '.', hex[o&15])
	}
	return string(out)
}

// ownName is %{p}: a confirmed PTR name, rather the domain itself or one below it
// (section 7.3).
func (e *evaluation) ownName(domain string) string {
	e.pointers()
	best, rank := "unknown", 0
	for _, n := range e.ptr {
		r := 0
		switch {
		case !n.confirmed:
		case n.host == domain:
			r = 3
		case strings.HasSuffix(n.host, "."+domain):
			r = 2
		default:
			r = 1
		}
		if r > rank {
			best, rank = n.host, r
		}
	}
	return best
}

// explain fetches the text of exp= (section 6.2): of the record that decided,
// through redirects but not through includes. Anything wrong with it leaves it
// away.
func (e *evaluation) explain(n *Node) string {
	for {
		last := &n.Steps[len(n.Steps)-1]
		if !last.isRedirect() || last.Child == nil {
			break
		}
		n = last.Child
	}
	rec := Parse(n.Record)
	for i := range rec.Terms {
		t := &rec.Terms[i]
		if t.Name != "exp" {
			continue
		}
		n.Explained = &Step{Domain: n.Domain, Term: t.Text, Start: t.Start, End: t.End}
		return e.explanation(n, t, n.Explained)
	}
	return ""
}

func (e *evaluation) explanation(n *Node, t *Term, s *Step) string {
	s.Expanded = e.target(n, t)
	a := e.resolver.Resolve(e.ctx, s.Expanded, resolve.TXT)
	s.Answers = append(s.Answers, a)
	if a.Status != resolve.OK || len(a.Records) != 1 {
		s.Note = "no explanation: there is not exactly one TXT record"
		return ""
	}
	text := txt.Join(a.Records[0].Strings)
	if i := strings.IndexFunc(text, func(c rune) bool { return c < 0x20 || c > 0x7e }); i >= 0 {
		s.Note = "no explanation: the text is not printable ASCII"
		return ""
	}
	m, _, _, wrong := compile(text, textLetters)
	if wrong != "" {
		s.Note = "no explanation: " + wrong
		return ""
	}
	s.Matched = true
	explanation := e.expand(n.Domain, m)
	if strings.IndexFunc(explanation, func(c rune) bool { return c < 0x20 || c > 0x7e }) >= 0 {
		s.Note, s.Matched = "no explanation: its macros bring in other characters than printable ASCII", false
		return ""
	}
	return explanation
}
