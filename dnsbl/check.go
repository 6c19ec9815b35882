package dnsbl

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/rebound-mail/rebound/resolve"
)

// maxInFlight bounds the questions of one check that are asked at a time.
const maxInFlight = 64

// Check asks lists about a target and returns a result for each, in their order.
// Lists that do not list the target's kind are left out. A list that is out of
// service is not asked; its result says since when.
//
// Beside the target's own entry it asks for a list's test entries: that the
// entry which must exist does, before an absence counts; and that the entry
// which must not exist does not, before a listing counts. When ctx ends, what is
// open is Unknown.
func Check(ctx context.Context, r resolve.Resolver, lists *Catalogue, t Target) []Result {
	var asked []*List
	for l := range lists.All() {
		if l.Kinds&t.kind() != 0 {
			asked = append(asked, l)
		}
	}
	results := make([]Result, len(asked))
	gate := make(chan struct{}, maxInFlight)
	c := &check{resolver: r, target: t, gate: gate}
	var wg sync.WaitGroup
	for i, l := range asked {
		wg.Go(func() { results[i] = c.list(ctx, l) })
	}
	wg.Wait()
	return withoutRewriter(results)
}

// check is one call of Check.
type check struct {
	resolver resolve.Resolver
	target   Target
	gate     chan struct{}
}

func (c *check) ask(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	select {
	case c.gate <- struct{}{}:
		defer func() { <-c.gate }()
	case <-ctx.Done():
		return resolve.Answer{Name: name, Type: t, Status: resolve.Canceled, Err: context.Cause(ctx)}
	}
	return c.resolver.Resolve(ctx, name, t)
}

// list asks one list.
func (c *check) list(ctx context.Context, l *List) Result {
	res := Result{List: l, Target: c.target, Action: l.Action}
	if !l.Usable() {
		res.Status, res.Why = Dead, "the list is out of service: "+l.Closed()
		return res
	}
	name, err := l.QueryName(c.target)
	if err != nil {
		res.Why = strings.TrimPrefix(err.Error(), "dnsbl: ")
		return res
	}
	// The entry that must exist is asked for at the same time: no wait is added.
	var alive resolve.Answer
	var probing sync.WaitGroup
	if entry := l.presentEntry(c.target); entry != "" {
		probing.Go(func() { alive = c.ask(ctx, l.testName(entry), resolve.A) })
	}
	answer := c.ask(ctx, name, resolve.A)
	probing.Wait()
	res.Answer = answer
	res.Status, res.Codes, res.Why = l.Interpret(answer)
	switch res.Status {
	case NotListed:
		c.trustAbsence(&res, alive)
	case Listed:
		c.confirm(ctx, &res)
	}
	if res.Status == Listed {
		res.Action = res.action()
		res.Reason = c.reason(ctx, name)
	}
	return res
}

// trustAbsence believes "not listed" of a list that holds its own test entry. One
// that does not was emptied; where the entry cannot be asked for, or the list
// refuses, the absence means nothing either.
func (c *check) trustAbsence(res *Result, alive resolve.Answer) {
	if alive.Status == resolve.Unset {
		return // the list documents none
	}
	res.Probe = alive
	status, _, why := res.List.Interpret(alive)
	switch {
	case alive.Status.Absent():
		res.Status, res.Why = Dead, "the list does not hold its own test entry: it answers nothing about anybody"
	case status == Listed, status == Unknown && alive.Status == resolve.OK:
		res.Proven = true // some lists answer with a code of their own for the test
	default:
		res.Status, res.Why = status, why
		if status == Unknown {
			res.Why = "its test entry, which must be there, could not be asked: " + why
		}
	}
}

// confirm takes "listed" back when the list also lists what it must not (RFC
// 5782, section 5): it lists the world, or every answer is a refusal.
func (c *check) confirm(ctx context.Context, res *Result) {
	l := res.List
	entry, documented := l.absentEntry(c.target)
	if entry == "" {
		return
	}
	probe := c.ask(ctx, l.testName(entry), resolve.A)
	res.Probe = probe
	switch {
	case probe.Status.Absent():
	case probe.Status == resolve.OK && (documented || sameAddrs(probe, res.Answer)):
		if status, _, why := l.Interpret(probe); status == Refused {
			res.Status, res.Codes, res.Why = Refused, nil, why
			return
		}
		res.Status, res.Codes = Dead, nil
		res.Why = "the list also lists " + entry + ", which no list may: it lists everything"
	case probe.Status == resolve.OK:
	case res.documented():
		// The answer has a documented meaning; only its confirmation is missing.
	default:
		res.Status, res.Codes = Unknown, nil
		res.Why = "it answers with an undocumented code, and its test entry could not be asked: " + probe.Status.String()
	}
}

func sameAddrs(a, b resolve.Answer) bool {
	x, y := a.Addrs(), b.Addrs()
	slices.SortFunc(x, netip.Addr.Compare)
	slices.SortFunc(y, netip.Addr.Compare)
	return slices.Equal(x, y)
}

// reason asks for the text that explains an entry (RFC 5782, section 2.1). It is
// a courtesy: its failure changes nothing.
func (c *check) reason(ctx context.Context, name string) string {
	a := c.ask(ctx, name, resolve.TXT)
	if len(a.Records) == 0 {
		return ""
	}
	return printable(strings.Join(a.Records[0].Strings, ""))
}

// maxReason bounds the text that is kept of a TXT record.
const maxReason = 500

func printable(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "…"
	}
	return strings.TrimSpace(s)
}

// Interpret says what an answer of the list means. It is pure.
func (l *List) Interpret(a resolve.Answer) (Status, []Code, string) {
	switch {
	case a.Status.Absent():
		return NotListed, nil, ""
	case a.Status != resolve.OK:
		return Unknown, nil, failure(a)
	}
	var (
		codes  []Code
		status = Unknown
		why    = "the answer holds no address"
	)
	for _, addr := range a.Addrs() {
		s, code, reason := l.Meaning(addr)
		switch {
		case s == Listed:
			codes, status, why = append(codes, code), Listed, ""
		case status != Listed:
			status, why = s, reason
		}
	}
	return status, codes, why
}

func failure(a resolve.Answer) string {
	text := map[resolve.Status]string{
		resolve.ServFail: "the resolver answered SERVFAIL", resolve.Refused: "the resolver answered REFUSED",
		resolve.Timeout: "no answer came in time", resolve.Malformed: "the answer could not be read", resolve.Canceled: "there was no time left",
	}[a.Status]
	if text == "" && a.Err != nil {
		return strings.TrimPrefix(a.Err.Error(), "resolve: ")
	}
	return text
}

// errorRange is 127.255.255.0/24, in which Spamhaus and others answer that they
// will not; no list lists with it.
var errorRange = netip.MustParsePrefix("127.255.255.0/24")

var listRange = netip.MustParsePrefix("127.0.0.0/8")

// Meaning says what one address of an answer means on the list, and why it is no
// listing where it is none.
func (l *List) Meaning(addr netip.Addr) (Status, Code, string) {
	if !addr.Is4() || !listRange.Contains(addr) {
		return Dead, Code{}, "it answers " + addr.String() + ", which is outside 127.0.0.0/8: nobody runs this list any more, or the resolver invents answers"
	}
	for _, r := range l.Refusals {
		if r.bit == 0 && r.matches(addr) {
			return Refused, Code{}, "it refuses to answer us with " + addr.String() + ": " + r.Meaning
		}
	}
	if errorRange.Contains(addr) {
		return Refused, Code{}, "it refuses to answer us with " + addr.String()
	}
	for _, r := range l.Refusals {
		if r.bit != 0 && r.matches(addr) {
			return Refused, Code{}, "it refuses to answer us with " + addr.String() + ": " + r.Meaning
		}
	}
	code := Code{Addr: addr, Nature: l.Nature, Meaning: "undocumented code"}
	var meanings []string
	for _, r := range l.Codes {
		if !r.matches(addr) {
			continue
		}
		meanings = append(meanings, r.Meaning)
		if !code.Documented {
			code.Documented, code.Nature = true, r.Nature
		}
	}
	if code.Documented {
		code.Meaning = strings.Join(meanings, ", ")
		if code.Nature == "" {
			code.Nature = l.Nature
		}
		return Listed, code, ""
	}
	if l.OnlyDocumented && len(l.Codes) > 0 {
		return Unknown, Code{}, "it answers " + addr.String() + ", a code that its operator does not document: that may be an error"
	}
	if len(l.Codes) == 0 {
		code.Meaning = "listed"
	}
	return Listed, code, ""
}

// presentEntry returns the test entry to ask before an absence is believed.
func (l *List) presentEntry(t Target) string {
	if l.own {
		return map[Kind]string{IPv4: "127.0.0.2", IPv6: "::ffff:7f00:2", DomainName: "test"}[t.kind()]
	}
	if entry := entryFor(l.Present, t); entry != "" || t.kind() == DomainName {
		return entry
	}
	// An entry of the other family still shows that the zone is kept.
	for _, e := range l.Present {
		if _, err := netip.ParseAddr(e); err == nil {
			return e
		}
	}
	return ""
}

// absentEntry returns the test entry to ask before a listing is believed, and
// whether the list documents it. Lists that document a code for 127.0.0.1 of
// their own have none.
func (l *List) absentEntry(t Target) (entry string, documented bool) {
	if entry = entryFor(l.Absent, t); entry != "" {
		return entry, true
	}
	return map[Kind]string{IPv4: "127.0.0.1", IPv6: "::ffff:7f00:1", DomainName: "invalid"}[t.kind()], l.own
}

// entryFor picks the entry of the target's kind: an address of its family, or a
// name.
func entryFor(entries []string, t Target) string {
	for _, e := range entries {
		addr, err := netip.ParseAddr(e)
		switch {
		case err != nil && t.kind() == DomainName, err == nil && addr.Is4() && t.kind() == IPv4, err == nil && addr.Is6() && t.kind() == IPv6:
			return e
		}
	}
	return ""
}

// withoutRewriter marks results as Unknown when lists of different operators
// give the same address outside 127/8: then the resolver invents answers for
// names that do not exist, and the lists are not at fault.
func withoutRewriter(results []Result) []Result {
	operators := map[netip.Addr]map[string]bool{}
	for _, res := range results {
		for _, a := range res.Answer.Addrs() {
			if !listRange.Contains(a) {
				if operators[a] == nil {
					operators[a] = map[string]bool{}
				}
				operators[a][res.List.owner()] = true
			}
		}
	}
	for i := range results {
		for _, a := range results[i].Answer.Addrs() {
			if len(operators[a]) > 1 && results[i].Status == Dead {
				results[i].Status, results[i].Rewritten = Unknown, a
				results[i].Why = "the resolver answers " + a.String() + " for names that do not exist"
			}
		}
	}
	return results
}

func (l *List) owner() string {
	if l.Operator != "" {
		return l.Operator
	}
	return l.Zone
}
