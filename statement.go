package rebound

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
)

// A statement is what the receiver said of one or more recipients.
type statement struct {
	rec    *bounce.Recipient // the first of them
	reason bounce.Reason
	count  int
	names  []string      // of the lists that it names
	items  []string      // what each is said to hold; "" where the reply does not say
	lists  []*dnsbl.List // their rows; nil where the catalogue has none
}

// vague reports whether the receiver said no more than "no".
func (s *statement) vague() bool {
	switch s.reason {
	case bounce.ReasonUnknown, bounce.PolicyRefusal:
		return true
	case bounce.IPListed, bounce.DomainListed:
		return len(s.names) == 0 // on a list, and it does not say which
	}
	return s.rec.Certainty == bounce.Possible && s.reason.Category() == bounce.Unclassified
}

// ofMailbox reports whether too much came to one mailbox, whoever sent it: the code says so
// (RFC 3463, section 3.3), and the words speak of whom it went to and not of whence it came.
func (s *statement) ofMailbox() bool {
	if s.reason != bounce.RateLimited || s.rec.Status.Subject != 2 || len(s.rec.IPs()) > 0 {
		return false
	}
	return says(s.rec, "user", "mailbox", "recipient") && !says(s.rec, "connection", "session", "your ip", "your host", "your server")
}

// says reports whether a reply holds one of the words, which are in lower case.
func says(rec *bounce.Recipient, words ...string) bool {
	text := strings.ToLower(rec.Reply.Text)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// ofStanding reports whether the receiver speaks of what it thinks of the sender, which a
// listing may explain.
func (s *statement) ofStanding() bool {
	switch s.reason {
	case bounce.IPReputation, bounce.DomainReputation, bounce.SpamContent, bounce.IPListed, bounce.DomainListed:
		return true
	}
	return false
}

// operatorNames are how replies name a list without its zone.
var operatorNames = map[string]string{"Spamhaus": "spamhaus-zen", "UCEPROTECT": "uceprotect-1"}

// state groups the recipients by what was said of them. Faults of the sender come
// before those of addresses: they stop more mail.
func (r *run) state() {
	var sender, other []statement
	folded := 0
	for i := range r.report.Recipients {
		r.correct(&r.report.Recipients[i])
	}
	together := r.allUnknown()
	for i := range r.report.Recipients {
		rec := &r.report.Recipients[i]
		if rec.Action != bounce.Failed && rec.Action != bounce.Delayed {
			continue
		}
		s := statement{rec: rec, reason: rec.Reason, count: 1}
		for _, m := range rec.Mentions {
			if m.Kind == bounce.MentionList {
				s.names, s.items = append(s.names, m.Name), append(s.items, m.Item)
				s.lists = append(s.lists, r.listNamed(m.Value, rec.Reason))
			}
		}
		s.dropWholes()
		group := &other
		if stopsMore(rec.Reason) && !s.ofMailbox() {
			group = &sender
		}
		if at := indexStatement(*group, s, together); at >= 0 {
			(*group)[at].count++
		} else if len(*group) < maxStatements {
			*group = append(*group, s)
		} else {
			folded++
		}
	}
	r.statements = append(sender, other...)
	if folded > 0 {
		r.note(fmt.Sprintf("%d recipients more were refused in other words; each stands in the list of recipients alone.", folded))
	}
}

// maxStatements bounds, for the sender's faults and for the others, what a diagnosis tells
// one by one: a reader has no use for more, and each costs look-ups.
const maxStatements = 25

// stopsMore reports whether a fault of the sender stops other mail as well.
func stopsMore(reason bounce.Reason) bool {
	switch reason.Category() {
	case bounce.SenderAuth, bounce.SenderIdentity, bounce.Listed, bounce.Reputation, bounce.Throttled, bounce.ContentRejected, bounce.RefusedByPolicy, bounce.Relaying, bounce.Unclassified:
		return true
	}
	return false
}

// correct turns a refusal that names the sender's own address as unknown, and not
// the recipient's, into what it is: the receiver checked the sender.
func (r *run) correct(rec *bounce.Recipient) {
	if !rec.Reason.OfAddress() || rec.Reason == bounce.Suppressed {
		return
	}
	senders := []string{r.MailFrom}
	if o := r.report.Original; o != nil {
		senders = append(senders, o.From, o.ReturnPath)
	}
	text := strings.ToLower(rec.Reply.Text)
	for _, address := range []string{rec.Address, rec.FinalAddress, r.Recipient} {
		if address != "" && strings.Contains(text, strings.ToLower(address)) {
			return
		}
	}
	for _, s := range senders {
		if strings.Contains(s, "@") && strings.Contains(text, strings.ToLower(s)) {
			rec.Reason, rec.Category, rec.Response = bounce.SenderUnknown, bounce.SenderUnknown.Category(), bounce.SenderUnknown.Response()
			rec.Suppress, rec.Certainty = false, bounce.Likely
			rec.Because.Says = "The reply names the sender's address, not the recipient's: the receiver checked the sender."
			return
		}
	}
}

// dropWholes removes a list that is named beside one of its parts: a page of
// SpamRATS and the zone noptr.spamrats.com are one mention.
func (s *statement) dropWholes() {
	for i := len(s.lists) - 1; i >= 0; i-- {
		for _, part := range s.lists {
			if s.lists[i] != nil && part != nil && part.PartOf == s.lists[i].ID {
				s.lists = slices.Delete(s.lists, i, i+1)
				s.names = slices.Delete(s.names, i, i+1)
				s.items = slices.Delete(s.items, i, i+1)
				break
			}
		}
	}
}

func (r *run) listNamed(value string, reason bounce.Reason) *dnsbl.List {
	if value == "Spamhaus" && reason == bounce.DomainListed {
		return r.lists.ByID("spamhaus-dbl")
	}
	if l := r.lists.ByZone(value); l != nil {
		return l
	}
	return r.lists.ByID(operatorNames[value])
}

// indexStatement returns where a list says the same as s; together puts those to suppress
// and those to keep into one.
func indexStatement(list []statement, s statement, together bool) int {
	for i, other := range list {
		if s.reason == bounce.UnknownDomain && domainOf(other.rec.Address) != domainOf(s.rec.Address) {
			continue // each domain may or may not be there
		}
		if !together && other.reason.OfAddress() && other.rec.Suppress != s.rec.Suppress {
			continue // one is to be taken off lists, the other is not
		}
		if other.reason == s.reason && slices.Equal(other.names, s.names) && slices.Equal(other.items, s.items) {
			return i
		}
	}
	return -1
}

// listState says what a named list answers now about the refused address.
type listState struct {
	list   *dnsbl.List
	part   *dnsbl.List // the part of the list that holds the entry, where it has parts
	result *dnsbl.Result
}

// listState finds what the list itself, or the one that holds its entries now,
// says of the i-th list that a statement names: of the item that the reply names,
// else of any item that is listed, else of the first.
func (r *run) listState(s statement, i int) listState {
	l, item := s.lists[i], s.items[i]
	results := r.findings.ipLists
	if s.reason == bounce.DomainListed {
		results = r.findings.domainLists
	}
	st := listState{list: l}
	for _, wanted := range []func(*dnsbl.Result) bool{
		func(res *dnsbl.Result) bool { return item != "" && sameItem(res.Target, item) },
		func(res *dnsbl.Result) bool { return item == "" && res.Status == dnsbl.Listed },
		func(*dnsbl.Result) bool { return item == "" },
	} {
		for i := range results {
			res := &results[i]
			if !res.List.Holds(l) || !wanted(res) {
				continue
			}
			st.result = res
			if res.List != l && res.Status == dnsbl.Listed && !l.Explains(res) {
				// The whole lists it, but not for what this part stands for.
				other := *res
				other.Status = dnsbl.NotListed
				st.result = &other
			}
			st.part = r.lists.Part(res)
			return st
		}
	}
	return st
}

// sameItem compares a target with what a reply names: an address, or a domain.
func sameItem(t dnsbl.Target, item string) bool {
	other, err := dnsbl.ParseTarget(domainOf(item))
	return err == nil && other.String() == t.String()
}

// An ownership is what is the sender's: domains, with all below them, and addresses.
type ownership struct {
	domains   []string
	addresses []netip.Prefix
}

// own is what the caller says to be theirs.
func (r *run) own() ownership {
	own := ownership{domains: r.OwnDomains}
	for _, p := range r.OwnAddresses {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		own.addresses = append(own.addresses, p)
	}
	return own
}

// notYours returns signs that somebody else sent the mail under the caller's
// name, or nil. It needs to know what is the caller's, and at least two signs
// against and none for.
func (r *run) notYours(own ownership, ip netip.Addr) []string {
	o := r.report.Original
	if o == nil || len(own.domains)+len(own.addresses) == 0 {
		return nil
	}
	if own.owns(domainOf(r.report.ReportingMTA)) || slices.ContainsFunc(o.Received, func(field string) bool { return own.owns(domainOf(byHost(field))) }) {
		return nil // it went through a server of the caller's, though somebody else may have written it
	}
	var signs []string
	if o.MessageID != "" && len(own.domains) > 0 {
		if own.owns(domainOf(o.MessageID)) {
			return nil
		}
		signs = append(signs, "its Message-ID is of "+domainOf(o.MessageID))
	}
	for _, d := range o.DKIM {
		if own.owns(d.Domain) {
			return nil
		}
		signs = append(signs, "it is signed by "+d.Domain)
	}
	if o.ReturnPath != "" && len(own.domains) > 0 && !own.owns(domainOf(o.ReturnPath)) {
		signs = append(signs, "its envelope sender was "+o.ReturnPath)
	}
	if len(own.addresses) > 0 {
		if own.received(o.Received) {
			return nil
		}
		if len(o.Received) > 0 {
			signs = append(signs, "none of your addresses is in its Received fields")
		}
		if ip.IsValid() {
			if own.ownsAddr(ip) {
				return nil
			}
			signs = append(signs, "it came from "+ip.String())
		}
	}
	if len(signs) < 2 {
		return nil
	}
	return signs
}

func (own ownership) ownsAddr(a netip.Addr) bool {
	for _, p := range own.addresses {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func (own ownership) received(fields []string) bool {
	for _, field := range fields {
		for _, p := range own.addresses {
			if containsAddr(field, p) {
				return true
			}
		}
	}
	return false
}

func (own ownership) owns(domain string) bool {
	domain = ascii(domain)
	for _, name := range own.domains {
		if name = ascii(domainOf(name)); domain == name || strings.HasSuffix(domain, "."+name) {
			return true
		}
	}
	return false
}

// containsAddr reports whether a Received field names an address of a prefix.
func containsAddr(field string, p netip.Prefix) bool {
	for addr := range addrsIn(field) {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// addrsIn are the addresses that a Received field names, in their order.
func addrsIn(field string) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for word := range strings.FieldsFuncSeq(field, func(c rune) bool { return strings.ContainsRune("[]() \t;", c) }) {
			if addr, err := netip.ParseAddr(strings.TrimPrefix(word, "IPv6:")); err == nil && !yield(plainAddr(addr)) {
				return
			}
		}
	}
}
