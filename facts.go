package rebound

import (
	"bytes"
	"fmt"
	"net/mail"
	"net/netip"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
)

// Known is a fact and where it comes from.
type Known[T comparable] struct {
	Value  T
	Source string
}

// Facts are what the checks are made on.
type Facts struct {
	IP        Known[netip.Addr] // the address that was refused
	OtherIP   Known[netip.Addr] // the caller's, where the receiver names another
	HELO      Known[string]
	MailFrom  Known[string] // address, or its domain alone
	From      Known[string] // the author's address
	Recipient Known[string]
	Refuser   Known[string] // the host that refused
	Provider  string        // the receiver, as package bounce knows it
	Bounced   Known[time.Time]
	Control   Known[Control]
	Bulk      bool // the mail went to many
}

// gather collects the facts. For the address that was refused, the receiver's
// own text comes first: it saw the connection.
func (r *run) gather() {
	f := &r.facts
	rec := r.main()
	f.IP = r.refusedIP(rec)
	if r.IP.IsValid() && !routable(r.IP) {
		r.note(fmt.Sprintf("%s is a private address: the receiver saw another one. It is left out.", r.IP))
	} else if r.IP.IsValid() {
		caller := Known[netip.Addr]{plainAddr(r.IP), "the caller"}
		switch {
		case !f.IP.Value.IsValid():
			f.IP = caller
		case f.IP.Value != caller.Value:
			f.OtherIP = caller
		}
	}
	header := r.messageHeader()
	f.HELO = first(Known[string]{r.HELO, "the caller"})
	f.MailFrom = first(Known[string]{r.MailFrom, "the caller"})
	f.From = first(Known[string]{addressOf(header.Get("From")), "the message"})
	if o := r.report.Original; o != nil {
		f.From = first(f.From, Known[string]{o.From, "the returned mail"})
		f.MailFrom = first(f.MailFrom, Known[string]{o.ReturnPath, "the returned mail"})
		f.Bulk = o.Bulk
	}
	for _, leg := range rec.Legs {
		if leg.Method == "spf" {
			f.MailFrom = first(f.MailFrom, Known[string]{leg.Domain, "the receiver's SPF verdict"})
		}
	}
	f.From = first(f.From, Known[string]{refusedDomain(rec.Reply.Text), "the receiver's reply"})
	inReply := Known[string]{named(rec, r.MailFrom, f.From.Value), "the receiver's reply"}
	if rec.Reason == bounce.SenderUnknown || rec.Reason == bounce.SenderMismatch {
		inReply.Value = named(rec, rec.Address, r.Recipient)
		f.MailFrom, inReply = first(f.MailFrom, inReply), Known[string]{} // it is the sender's
	}
	f.Bulk = f.Bulk || r.Case.Bulk || header.Get("List-Unsubscribe") != "" || header.Get("List-Id") != ""
	f.Recipient = first(Known[string]{rec.Address, "the bounce"}, Known[string]{r.Recipient, "the caller"}, inReply)
	if other := r.otherRecipient(rec, inReply.Value); other != "" {
		f.Recipient = Known[string]{other, "the receiver's reply"}
		r.note(fmt.Sprintf("The reply is about %s; you gave %s, of whom it says nothing.", other, r.Recipient))
	}
	if name := refusedHELO(rec.Reply.Text); name != "" && rec.Reason == bounce.HELO {
		f.HELO = Known[string]{name, "the receiver's reply"} // it saw what was said
	}
	f.Refuser = first(Known[string]{rec.RemoteMTA, "the bounce"})
	f.Provider = rec.Provider
	f.Bounced = r.bouncedAt()
	f.Control = Known[Control]{r.Control, "the caller"}
	r.foreign = r.notYours(r.own(), f.IP.Value)
}

// main is the recipient that the diagnosis is about: the first of the first
// statement, else the first there is; an empty one where the report names none.
func (r *run) main() *bounce.Recipient {
	if len(r.statements) > 0 {
		return r.statements[0].rec
	}
	if len(r.report.Recipients) > 0 {
		return &r.report.Recipients[0]
	}
	return &bounce.Recipient{}
}

// first returns the first fact that is there.
func first(candidates ...Known[string]) Known[string] {
	for _, c := range candidates {
		if strings.TrimSpace(c.Value) != "" {
			c.Value = strings.Trim(strings.TrimSpace(c.Value), "<>")
			return c
		}
	}
	return Known[string]{}
}

// refusedIP finds the sending address in what the receiver wrote. Private
// addresses are never it.
func (r *run) refusedIP(rec *bounce.Recipient) Known[netip.Addr] {
	try := func(text, source string) (Known[netip.Addr], bool) {
		addr, err := netip.ParseAddr(text)
		if err != nil || !routable(addr) {
			return Known[netip.Addr]{}, false
		}
		return Known[netip.Addr]{plainAddr(addr), source}, true
	}
	for _, m := range rec.Mentions {
		if m.Kind == bounce.MentionList && m.Lists == "ip" {
			if k, ok := try(m.Item, "the receiver's reply"); ok {
				return k
			}
		}
	}
	for _, leg := range rec.Legs {
		if k, ok := try(leg.IP, "the receiver's SPF verdict"); ok {
			return k
		}
	}
	if k := namedIP(rec); k.IsValid() && aboutSender(r) == "" {
		return Known[netip.Addr]{k, "the receiver's reply"}
	}
	if a := r.report.Complaint; a != nil && a.SourceIP.IsValid() {
		return Known[netip.Addr]{a.SourceIP.Unmap(), "the complaint"}
	}
	// In a loop the receiver had the mail many times: the last hand-over is its own.
	if o := r.report.Original; o != nil && routable(o.SendingIP) && rec.Reason != bounce.Loop {
		source := "the Received field that the receiver wrote"
		if r.report.Service != "" {
			source = "the sending service"
		}
		return Known[netip.Addr]{o.SendingIP, source}
	}
	for _, s := range r.statements {
		if k := namedIP(s.rec); k.IsValid() && aboutSender(r) == "" {
			return Known[netip.Addr]{k, "the reply about another recipient"}
		}
	}
	return Known[netip.Addr]{}
}

// namedIP is the first public address in a reply that is not that of the host which
// answered, or could not be reached.
func namedIP(rec *bounce.Recipient) netip.Addr {
	for _, m := range rec.Mentions {
		if m.Kind != bounce.MentionIP || ofHost(rec, m.Start) {
			continue
		}
		if addr, err := netip.ParseAddr(m.Value); err == nil && routable(addr) {
			return addr.Unmap()
		}
	}
	return netip.Addr{}
}

// named returns the one address in angle brackets that a reply names, and in one that says
// that an address is wrong the one without them, or "": none of those that are somebody
// else's.
func named(rec *bounce.Recipient, others ...string) string {
	text, address := rec.Reply.Text, ""
	if open := strings.IndexByte(text, '<'); open >= 0 {
		end := strings.IndexByte(text, '>')
		if end < open || strings.Contains(text[end+1:], "<") {
			return ""
		}
		address = text[open+1 : end]
	} else if rec.Reason.OfAddress() && strings.Count(text, "@") == 1 {
		for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return strings.ContainsRune(" (),;\"'", c) }) {
			if strings.Contains(word, "@") {
				address = strings.Trim(word, ".:")
			}
		}
	}
	if _, err := mail.ParseAddress(address); err != nil {
		return ""
	}
	for _, other := range others {
		if strings.EqualFold(other, address) {
			return ""
		}
	}
	return address
}

// otherRecipient is the address that a reply refuses, where it is of the same domain as the
// caller's recipient and another one: a client reports one refusal of a mail to several. One
// of another domain is where the mail was forwarded to.
func (r *run) otherRecipient(rec *bounce.Recipient, named string) string {
	if rec.Address != "" || r.Recipient == "" || named == "" || strings.EqualFold(named, r.Recipient) || domainOf(named) != domainOf(r.Recipient) || !rec.Reason.OfAddress() && rec.Reason != bounce.MailboxFull {
		return ""
	}
	return named
}

// refusedDomain is the author's domain as a reply names it: "sending domain [SHOP.EXAMPLE]
// does not meet", "Unauthenticated email from shop.example is not accepted".
func refusedDomain(text string) string {
	for _, lead := range []string{"sending domain ", "Unauthenticated email from ", "DMARC policy for ", "DMARC policy of domain "} {
		if _, rest, ok := strings.Cut(text, lead); ok {
			name, _, _ := strings.Cut(rest, " ")
			name = strings.ToLower(strings.Trim(name, ".,;'\"[]<>()"))
			if t, err := dnsbl.Domain(name); err == nil && strings.Contains(t.String(), ".") {
				return t.String()
			}
		}
	}
	return ""
}

// refusedHELO returns the name in "<localhost>: Helo command rejected".
func refusedHELO(text string) string {
	_, rest, ok := strings.Cut(text, "<")
	name, after, closed := strings.Cut(rest, ">")
	if !ok || !closed || strings.Contains(name, "@") || !strings.HasPrefix(strings.ToLower(after), ": helo") {
		return ""
	}
	return name
}

// ofHost reports whether an address in a reply stands behind the name of the host that
// refused, or that could not be reached, as in "connect to mx.recipient.example
// [192.0.2.25]": then it is that host's. Behind another name it is the client's.
func ofHost(rec *bounce.Recipient, start int) bool {
	text := rec.Reply.Text
	if start < 2 || start > len(text) || text[start-1] != '[' {
		return false
	}
	before := strings.TrimRight(text[:start-1], " ")
	word := before[strings.LastIndexByte(before, ' ')+1:]
	if rec.Reply.Code != 0 && !strings.EqualFold(word, rec.RemoteMTA) {
		return false
	}
	last := word[strings.LastIndexByte(word, '.')+1:]
	return last != word && last != "" && (last[0] < '0' || last[0] > '9')
}

// plainAddr is an address without a zone, which may hold any text, and not in the form of
// the other version of IP.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// sharedSpace is that of carriers' NAT (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func routable(a netip.Addr) bool {
	return a.IsValid() && !sharedSpace.Contains(a.Unmap()) && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsUnspecified() && !a.IsMulticast()
}

// maxHeader bounds what is read of a header.
const maxHeader = 256 << 10

// messageHeader returns the header of the caller's copy of the mail.
func (r *run) messageHeader() mail.Header {
	raw := r.Message[:min(len(r.Message), maxHeader)]
	if len(raw) == 0 && len(r.header) > 0 {
		return fieldsOf(r.header)
	}
	return headerOf(raw)
}

// fieldsOf reads a header that ends without an empty line.
func fieldsOf(header []byte) mail.Header {
	return headerOf(append(bytes.Clone(header), "\r\n"...))
}

// headerOf reads the header of a mail; one that cannot be read is empty.
func headerOf(raw []byte) mail.Header {
	if len(raw) == 0 {
		return nil
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil
	}
	return m.Header
}

func addressOf(field string) string {
	a, err := mail.ParseAddress(field)
	if err != nil {
		return ""
	}
	return a.Address
}

// bouncedAt is the time of the refusal: the caller's, else the date of the
// bounce.
func (r *run) bouncedAt() Known[time.Time] {
	if !r.Bounced.IsZero() {
		return Known[time.Time]{r.Bounced, "the caller"}
	}
	if !r.report.Date.IsZero() {
		return Known[time.Time]{r.report.Date, "the bounce's Date"}
	}
	return Known[time.Time]{}
}

// age returns how long ago the mail was refused; ok is false when that is not
// known.
func (r *run) age() (age time.Duration, ok bool) {
	if r.facts.Bounced.Value.IsZero() {
		return 0, false
	}
	return r.now.Sub(r.facts.Bounced.Value), true
}

// domainOf returns the domain of an address, or the text itself.
func domainOf(address string) string {
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		address = address[at+1:]
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(address), "."))
}

// orgDomain returns the registered domain of a name, or the name itself.
func orgDomain(name string) string {
	target, err := dnsbl.Domain(domainOf(name))
	if err != nil {
		return domainOf(name)
	}
	return target.Registered()
}

func (r *run) note(text string) {
	for _, n := range r.out.Notes {
		if n == text {
			return
		}
	}
	r.out.Notes = append(r.out.Notes, text)
}
