package rebound

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rebound-mail/rebound/auth"
	"github.com/rebound-mail/rebound/auth/iprev"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/content"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// A checker is one row of checks: what it is called, for which refusals it
// matters, what it needs, and what it does. It fills in its own part of results.
type checker struct {
	name     string
	relevant func(*run) string // "" when it matters; else why not
	needs    func(*run) string // "" when all facts are there; else what is missing
	run      func(context.Context, *run) (finding.Outcome, string, []finding.Finding)
}

// checks is the table of contents of what is looked up. A later check is a row
// here, and its results a field of results.
var checks = []checker{
	{"dnsbl.ip", aboutLists, needIP, checkIPLists},
	{"dnsbl.domain", aboutSender, needDomains, checkDomainLists},
	{"iprev", aboutSender, needIP, checkReverse},
	{"spf", aboutAuthentication, needEnvelope, checkAuth("spf.")},
	{"dkim", aboutAuthentication, needHeader, checkAuth("dkim.", "arc.")},
	{"dmarc", aboutAuthentication, needFrom, checkAuth("dmarc.", "from.")},
	{"sender", aboutAuthentication, needSender, checkAuth("mx.")},
	{"content", aboutContent, needMail, checkContent},
	{"recipient", aboutDestination, needRecipient, checkRecipient},
}

// results are what the checks found, each check writing a field of its own.
type results struct {
	ipLists      []dnsbl.Result
	domainLists  []dnsbl.Result
	reverse      *iprev.Result
	auth         *auth.Report
	authFindings []finding.Finding // its findings
	content      *content.Report
	destinations []*Destination
}

// check runs the checks side by side, under one limit of time. Their order in
// the diagnosis is that of the table.
func (r *run) check(ctx context.Context) {
	r.way = r.wayMatters() // before the checks that change what it looks at
	r.out.Checks = make([]Check, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() {
			r.progress(Event{Check: c.name})
			begun := time.Now()
			r.out.Checks[i] = r.one(ctx, c)
			r.progress(Event{Check: c.name, Done: &r.out.Checks[i], Took: time.Since(begun)})
		})
	}
	wg.Wait()
}

// one runs one check. A defect in it is told as such and harms no other.
func (r *run) one(ctx context.Context, c checker) (out Check) {
	out = Check{Name: c.name, Outcome: finding.NotApplicable}
	defer func() {
		if p := recover(); p != nil {
			out = Check{Name: c.name, Outcome: finding.Broke, Why: fmt.Sprintf("the check failed: %v", p)}
		}
	}()
	if out.Why = c.relevant(r); out.Why != "" {
		return out
	}
	if out.Why = c.needs(r); out.Why != "" {
		return out
	}
	out.Outcome, out.Why, out.Findings = c.run(ctx, r)
	return out
}

// noRefusal says why nothing need be looked up, where no mail of the caller's was refused.
func (r *run) noRefusal() string {
	switch {
	case r.foreign != nil:
		return "the mail was not yours"
	case len(r.statements) == 0:
		return "nothing was refused"
	}
	return ""
}

// aboutSender: a refusal that the recipient or the receiver is to blame for asks
// no list about the sender, and greylisting is nobody's fault.
func aboutSender(r *run) string {
	if why := r.noRefusal(); why != "" {
		return why
	}
	for _, s := range r.statements {
		switch s.reason.Category() {
		case bounce.Listed, bounce.Reputation, bounce.SenderIdentity, bounce.SenderAuth, bounce.RefusedByPolicy, bounce.Unclassified:
			return ""
		case bounce.Relaying:
			if unnamed(s.rec) {
				return ""
			}
		case bounce.Throttled:
			if s.reason == bounce.RateLimited && !s.ofMailbox() {
				return ""
			}
		case bounce.ContentRejected:
			if s.reason == bounce.URLReputation || s.reason == bounce.SpamContent {
				return ""
			}
		}
	}
	return "the sender's standing has no bearing on this refusal"
}

// aboutDestination: where the recipient's mail goes matters when the address, the
// domain, the relaying or the way there is at fault.
func aboutDestination(r *run) string {
	if why := r.noRefusal(); why != "" {
		return why
	}
	for _, s := range r.statements {
		if s.aboutDestination() {
			return ""
		}
	}
	if r.way {
		return ""
	}
	return "where the mail was sent has no bearing on this refusal"
}

// wayMatters: where another address was refused than the one that the caller sent from, or
// the author's own server names who refused, the recipient's mail servers tell a forwarder
// or a relay on the way.
func (r *run) wayMatters() bool {
	if len(r.statements) == 0 || r.statements[0].reason == bounce.Greylisted {
		return false
	}
	return aboutSender(r) == "" && (r.facts.OtherIP.Value.IsValid() || r.control() == Own && r.facts.Refuser.Value != "")
}

func (s *statement) aboutDestination() bool {
	switch s.reason.Category() {
	case bounce.BadRecipient, bounce.BadDomain, bounce.Relaying, bounce.Transport, bounce.MailboxInactive, bounce.ExpiredInQueue, bounce.Unclassified:
		return true
	}
	return false
}

// aboutLists: whether the address is on a list matters as well to one whom a receiver
// refuses because it asked a list wrongly.
func aboutLists(r *run) string {
	why := aboutSender(r)
	if why != "" && r.foreign == nil && slices.ContainsFunc(r.statements, func(s statement) bool { return s.reason == bounce.Misconfigured && len(s.lists) > 0 }) {
		return ""
	}
	return why
}

func needIP(r *run) string {
	if r.facts.IP.Value.IsValid() {
		return ""
	}
	return "no sending IP address is known"
}

func needDomains(r *run) string {
	if len(r.domains()) > 0 {
		return ""
	}
	return "no domain of the sender is known"
}

func needRecipient(r *run) string {
	if len(r.destinationsToAsk()) > 0 {
		return ""
	}
	return "no recipient is known"
}

// maxDestinations bounds the recipients' domains that one diagnosis looks up.
const maxDestinations = 10

// destinationsToAsk are the recipients of statements for which it matters where
// their mail goes, one for each domain.
func (r *run) destinationsToAsk() []bounce.Recipient {
	var list []bounce.Recipient
	for _, s := range r.statements {
		rec := *s.rec
		if rec.Address == "" {
			rec.Address, rec.RemoteMTA = r.facts.Recipient.Value, r.facts.Refuser.Value
		}
		known := slices.ContainsFunc(list, func(other bounce.Recipient) bool { return domainOf(other.Address) == domainOf(rec.Address) })
		if (s.aboutDestination() || r.way) && strings.Contains(rec.Address, "@") && !known && len(list) < maxDestinations {
			list = append(list, rec)
		}
	}
	return list
}

// domains are those by which lists know the sender: those that the reply says are
// listed, then of the author, the envelope and the HELO name, each asked of the lists
// that are meant for it.
func (r *run) domains() []dnsbl.Target {
	var list []dnsbl.Target
	add := func(name string, role dnsbl.Role) {
		t, err := dnsbl.ParseTarget(domainOf(name))
		if err != nil || t.Addr().IsValid() {
			return
		}
		at := slices.IndexFunc(list, func(other dnsbl.Target) bool { return other.String() == t.String() })
		switch {
		case at < 0:
			list = append(list, t.As(role))
		case list[at].Role() != 0:
			list[at] = t.As(list[at].Role() | role)
		}
	}
	for _, s := range r.statements {
		if s.reason != bounce.DomainListed {
			continue
		}
		for _, item := range s.items {
			if len(list) < maxItems {
				add(item, 0)
			}
		}
	}
	add(r.facts.From.Value, dnsbl.From)
	add(r.facts.MailFrom.Value, dnsbl.Envelope)
	add(r.facts.HELO.Value, dnsbl.HELO)
	for _, name := range r.linkDomains() {
		add(name, dnsbl.Link)
	}
	return list
}

// maxItems bounds the domains that replies name and lists are asked about: each costs a
// question for each list, of which their operators allow few.
const maxItems = 10

func checkIPLists(ctx context.Context, r *run) (finding.Outcome, string, []finding.Finding) {
	var targets []dnsbl.Target
	for _, addr := range r.addresses() {
		targets = append(targets, dnsbl.IP(addr))
	}
	r.findings.ipLists = r.lookUp.Report(ctx, targets...).Results
	return summarise(r.findings.ipLists)
}

// maxAddresses bounds the sending addresses that one diagnosis asks about.
const maxAddresses = 5

// addresses are the refused address and those that other statements name.
func (r *run) addresses() []netip.Addr {
	list := []netip.Addr{r.facts.IP.Value}
	if other := r.facts.OtherIP.Value; other.IsValid() && len(r.statements) > 0 && r.statements[0].reason == bounce.IPReputation {
		list = append(list, other) // it may send meanwhile
	}
	for _, s := range r.statements {
		for _, item := range s.items {
			addr, err := netip.ParseAddr(item)
			if addr = addr.Unmap(); err == nil && s.reason != bounce.DomainListed && routable(addr) && !slices.Contains(list, addr) && len(list) < maxAddresses {
				list = append(list, addr)
			}
		}
	}
	return list
}

func checkDomainLists(ctx context.Context, r *run) (finding.Outcome, string, []finding.Finding) {
	r.findings.domainLists = r.lookUp.Report(ctx, r.domains()...).Results
	return summarise(r.findings.domainLists)
}

// asked are the lists that are asked by default and those that the receiver
// named, each with the list that holds its entries now.
func (r *run) asked() *dnsbl.Catalogue {
	var named []*dnsbl.List
	for _, s := range r.statements {
		for _, l := range s.lists {
			if l != nil {
				named = append(named, l)
			}
		}
	}
	byDefault, askable := r.lists.Asked(r.keys), r.lists.Askable(r.keys)
	return r.lists.Select(func(l *dnsbl.List) bool {
		if byDefault.ByID(l.ID) != nil {
			return true
		}
		holds := slices.ContainsFunc(named, l.Holds)
		return holds && l.PartOf == "" && l.Zone != "" && (!l.Usable() || askable.ByID(l.ID) != nil)
	})
}

// summarise tells many results in one line: never "clean" where a list gave no
// answer. A list that the catalogue knows to be out of service is told with the
// statement that names it.
func summarise(results []dnsbl.Result) (finding.Outcome, string, []finding.Finding) {
	var (
		asked           dnsbl.Report
		listed, unknown []string
		clean, block    int
		clear           []string // lists that answered, and hold nothing
	)
	names := map[dnsbl.Target]bool{}
	for _, res := range results {
		if res.Status == dnsbl.Dead && !res.List.Usable() {
			continue
		}
		asked.Results = append(asked.Results, res)
		name := res.List.Zone
		if res.List.Action == dnsbl.Block {
			block++
			names[res.Target] = true
		}
		switch {
		case res.Status == dnsbl.Listed && res.Action == dnsbl.Block:
			listed = append(listed, fmt.Sprintf("%s on %s", res.Target, name))
		case res.Status == dnsbl.Listed:
		case res.Status == dnsbl.NotListed && res.List.Action == dnsbl.Block:
			if clean++; !slices.Contains(clear, name) {
				clear = append(clear, name)
			}
		case res.Status == dnsbl.NotListed:
		case res.List.Action == dnsbl.Block && !slices.Contains(unknown, name):
			unknown = append(unknown, name)
		}
	}
	why := fmt.Sprintf("not listed on %d of %d lists", clean, block)
	if len(names) > 1 {
		why = fmt.Sprintf("not listed in %d of %d answers about %d names", clean, block, len(names))
	}
	if len(listed) > 0 {
		why = strings.Join(listed, ", ") + "; " + why
	}
	if len(unknown) > 0 {
		if clear = slices.DeleteFunc(clear, func(name string) bool { return slices.Contains(unknown, name) }); len(clear) > 0 {
			why += " (" + strings.Join(clear, ", ") + ")"
		}
		why += "; no usable answer from " + strings.Join(unknown, ", ")
	}
	findings := asked.Findings()
	switch {
	case len(listed) > 0:
		return finding.Found, why, findings
	case len(unknown) > 0 || clean == 0:
		return finding.Unknown, why, findings
	}
	return finding.Clean, why, findings
}

func checkReverse(ctx context.Context, r *run) (finding.Outcome, string, []finding.Finding) {
	res := iprev.Check(ctx, r.resolver, r.facts.IP.Value, r.facts.HELO.Value)
	r.findings.reverse = res
	return worst(res.Findings())
}

func checkRecipient(ctx context.Context, r *run) (finding.Outcome, string, []finding.Finding) {
	var findings []finding.Finding
	for _, rec := range r.destinationsToAsk() {
		domain, err := resolve.Name(domainOf(rec.Address))
		if err != nil {
			findings = append(findings, finding.Finding{Code: "recipient.no-name", Outcome: finding.Found, Severity: finding.Critical, Subject: rec.Address, Fact: "The recipient's domain cannot exist in DNS.", Source: "RFC 1035, section 2.3.4"})
			continue
		}
		d := checkDestination(ctx, r.resolver, domain, rec.RemoteMTA)
		if ofDomain(rec.Reason) {
			d.reach(ctx, r.resolver)
		}
		r.findings.destinations = append(r.findings.destinations, d)
		findings = append(findings, d.finding())
	}
	return worst(findings)
}

// bad reports whether a finding is more than a remark.
func bad(f finding.Finding) bool { return f.Outcome == finding.Found && f.Severity > finding.Info }

// worst takes the outcome and the words of the gravest finding.
func worst(findings []finding.Finding) (finding.Outcome, string, []finding.Finding) {
	best := findings[0]
	for _, f := range findings[1:] {
		if bad(f) && (!bad(best) || f.Severity > best.Severity) || best.Outcome == finding.Clean && f.Outcome == finding.Unknown {
			best = f
		}
	}
	return best.Outcome, best.Fact, findings
}
