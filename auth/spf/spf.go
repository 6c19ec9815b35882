// Package spf answers whether a domain lets an address send its mail (RFC 7208),
// and shows how the answer came about.
//
//	res := spf.Check(ctx, resolver, spf.Query{
//		IP:       netip.MustParseAddr("192.0.2.1"),
//		MailFrom: "news@shop.example",
//		HELO:     "mail.shop.example",
//	})
//	fmt.Println(res.Result)  // softfail
//	fmt.Println(res.Why)     // "~all" of shop.example's record decides: no term before it holds 192.0.2.1.
//	fmt.Print(res.Tree)      // every record, term, question and answer
//
// [Check] judges one mail, within the limits of section 4.6.4. [Walk] reads a
// domain's whole record past those limits, for a report, and suggests a record
// that fits. [Parse] reads the text of a record and never fails.
//
// What leaves the machine is DNS alone: the names of the sender's domain and of
// the domains that its records name, and the reverse name of the address where
// a record asks for it. The package reads no clock; the time is that of Query.
package spf

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/resolve"
)

// The limits of RFC 7208, section 4.6.4, and one that it implies.
const (
	MaxLookups = 10 // terms that ask DNS, for one check
	MaxVoids   = 2  // questions of those terms that find nothing
	maxHosts   = 10 // MX names, and PTR names, that one term may lead to
	// maxDepth bounds includes and redirects within one another. The counter of
	// lookups alone would end them too; this holds where it does not count.
	maxDepth = MaxLookups + 1
	// maxRecord bounds the text of a record that is read. RFC 7208, section 3.4,
	// recommends 512 octets of answer; the longest records seen have some 4,000.
	maxRecord = 64 << 10
)

// A Code is a result of RFC 7208, section 2.6. The zero value means that nothing
// was checked.
type Code string

// The results.
const (
	None      Code = "none"
	Neutral   Code = "neutral"
	Pass      Code = "pass"
	Fail      Code = "fail"
	SoftFail  Code = "softfail"
	TempError Code = "temperror"
	PermError Code = "permerror"
)

// A Query is what a receiver knows of a mail when it checks SPF.
type Query struct {
	IP       netip.Addr // of the SMTP client; an IPv4 address mapped into IPv6 is taken as IPv4
	MailFrom string     // the envelope sender; without one, postmaster at the HELO name is checked (section 2.4)
	HELO     string     // the name in HELO or EHLO
	Receiver string     // the receiving host, for %{r}; "" is "unknown"
	Now      time.Time  // for %{t}
}

// A Result is what [Check] found.
type Result struct {
	Result   Code       `json:"result"`
	IP       netip.Addr `json:"ip"`
	Identity string     `json:"identity"` // "mailfrom" or "helo": which of the two names was checked
	Domain   string     `json:"domain"`   // the domain that was checked, canonical
	// Explanation is the text that the domain gives for a fail (section 6.2), ""
	// where it gives none.
	Explanation string `json:"explanation"`
	// Why says in one sentence what decided.
	Why     string `json:"why"`
	Lookups int    `json:"lookups"` // terms that asked DNS, of MaxLookups
	Voids   int    `json:"voids"`   // questions that found nothing, of MaxVoids
	// Because is the step that decided, with the domain of its record; nil where
	// no term did.
	Because *Step `json:"because,omitempty"`
	Tree    *Node `json:"tree,omitempty"` // nil where the domain cannot have a record
}

// A Node is one run of check_host (section 4): a domain, its record, and what
// became of each term.
type Node struct {
	Domain string         `json:"domain"`
	Answer resolve.Answer `json:"answer"` // TXT
	Record string         `json:"record,omitempty"`
	Result Code           `json:"result"`
	Why    string         `json:"why"`
	Steps  []Step         `json:"steps,omitempty"` // in the record's order, up to the one that decided
	// Explained is the question for the text of exp=, where one was asked.
	Explained *Step `json:"explained,omitempty"`
}

// A Step is one term of a record as it was evaluated.
type Step struct {
	Domain   string           `json:"domain"` // of the record
	Term     string           `json:"term"`
	Start    int              `json:"start"` // of the term in the record, in bytes
	End      int              `json:"end"`
	Expanded string           `json:"expanded,omitempty"` // the name asked for, macros expanded
	Matched  bool             `json:"matched"`
	Lookups  int              `json:"lookups,omitempty"` // that this term added to the count, its includes apart
	Voids    int              `json:"voids,omitempty"`
	Answers  []resolve.Answer `json:"answers,omitempty"`
	Child    *Node            `json:"child,omitempty"` // of include and redirect
	Note     string           `json:"note,omitempty"`
}

// Check evaluates SPF for one mail. It never fails: what stood in the way is the
// result's code and its Why.
func Check(ctx context.Context, r resolve.Resolver, q Query) *Result {
	e := &evaluation{ctx: ctx, resolver: r, query: q, ip: q.IP.Unmap().WithZone("")}
	res := &Result{IP: e.ip, Identity: "mailfrom"}
	e.sender = strings.Trim(q.MailFrom, "<> ")
	if e.sender == "" {
		res.Identity = "helo"
		e.sender = "postmaster@" + trimDot(strings.TrimSpace(q.HELO))
	}
	local, domain := splitAddress(e.sender)
	e.local, e.senderDomain = local, domain
	e.sender = local + "@" + domain
	canonical, problem := checkDomain(domain)
	res.Domain = canonical
	switch {
	case !e.ip.IsValid():
		res.Result, res.Why = None, "No sending address is known."
		return res
	case problem != "":
		res.Domain, res.Result, res.Why = domain, None, problem
		return res
	}
	early, cancel := context.WithCancel(ctx)
	look := &ahead{resolver: r, ctx: early, ip: e.ip, flights: map[string]*flight{}, left: MaxLookups}
	e.resolver = look
	defer look.wait.Wait()
	defer cancel()
	res.Tree = e.checkHost(canonical, 0)
	res.Result, res.Why = res.Tree.Result, res.Tree.Why
	res.Lookups, res.Voids = e.lookups, e.voids
	res.Because = decider(res.Tree)
	if res.Result == Fail {
		res.Explanation = e.explain(res.Tree)
	}
	return res
}

// splitAddress splits a sender. An address without a local part is that of
// postmaster (section 4.3).
func splitAddress(address string) (local, domain string) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "postmaster", address
	}
	if at == 0 {
		return "postmaster", address[1:]
	}
	return address[:at], address[at+1:]
}

func trimDot(name string) string { return strings.TrimSuffix(name, ".") }

// checkDomain returns the domain in canonical form, or what is wrong with it
// (section 4.3): then the result is none.
func checkDomain(domain string) (canonical, problem string) {
	if domain == "" {
		return "", "No sender's domain is known."
	}
	if strings.HasPrefix(domain, "[") {
		return "", "The sender's domain is an address literal, which has no record."
	}
	canonical, err := resolve.Name(domain)
	switch {
	case err != nil:
		return "", "The sender's domain does not fit DNS: an empty label, one over 63 octets, or a name over 253."
	case !strings.Contains(canonical, "."):
		return "", "The sender's domain is no full domain name: it has one label."
	}
	return canonical, ""
}

// decider is the step that gave the result: the matching one, through redirects
// and, for an error, through includes.
func decider(n *Node) *Step {
	if len(n.Steps) == 0 {
		return nil
	}
	last := &n.Steps[len(n.Steps)-1]
	broke := n.Result == PermError || n.Result == TempError
	if last.Child != nil && (broke && last.Child.Result == n.Result || last.isRedirect()) {
		if deeper := decider(last.Child); deeper != nil {
			return deeper
		}
		return last
	}
	if last.Matched || broke {
		return last
	}
	return nil
}

func (s *Step) isRedirect() bool {
	return len(s.Term) > 9 && strings.EqualFold(s.Term[:9], "redirect=")
}
