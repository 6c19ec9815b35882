package rebound

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// A Destination is where mail for the recipient's domain goes, by DNS.
type Destination struct {
	Domain string            `json:"domain"`
	Status DestinationStatus `json:"status"`
	MX     []resolve.Record  `json:"mx,omitempty"`
	// Meant is a well-known domain that the recipient's is one slip away from.
	Meant string `json:"meant,omitempty"`
	// Host is the server that refused, and InMX whether it is one of the domain's
	// mail servers now.
	Host string `json:"host,omitempty"`
	InMX Tri    `json:"in_mx"`

	Answers []resolve.Answer `json:"-"`
}

// A DestinationStatus says whether the domain takes mail.
type DestinationStatus string

// The statuses.
const (
	TakesMail    DestinationStatus = "mx"          // it has MX records
	ImplicitMX   DestinationStatus = "implicit-mx" // it has none, but an address (RFC 5321, section 5.1)
	NullMX       DestinationStatus = "null-mx"     // it says that it takes none (RFC 7505)
	NoSuchDomain DestinationStatus = "nxdomain"
	NoMailHost   DestinationStatus = "no-address" // neither MX nor address, or no host of the MX records has one
	DestNotKnown DestinationStatus = "unknown"
)

// A Tri is yes, no, or not known: the zero value.
type Tri string

// The values of a Tri.
const (
	Yes      Tri = "yes"
	No       Tri = "no"
	NotKnown Tri = ""
)

// checkDestination looks up where mail for domain goes, and whether host, the
// server that refused, is among its servers.
func checkDestination(ctx context.Context, r resolve.Resolver, domain, host string) *Destination {
	d := &Destination{Domain: domain, Status: DestNotKnown, Host: host, Meant: nearMiss(domain)}
	mx := r.Resolve(ctx, domain, resolve.MX)
	d.Answers = append(d.Answers, mx)
	switch {
	case mx.Status == resolve.NXDomain:
		d.Status = NoSuchDomain
	case mx.Status == resolve.OK && len(mx.Records) == 1 && mx.Records[0].Host == ".":
		d.Status = NullMX
	case mx.Status == resolve.OK:
		d.Status, d.MX = TakesMail, slices.Clone(mx.Records)
		slices.SortStableFunc(d.MX, func(a, b resolve.Record) int { return int(a.Pref) - int(b.Pref) })
		d.InMX = d.holds(host)
	case mx.Status == resolve.NoData:
		d.implicit(ctx, r)
	}
	return d
}

// reach looks whether mail that found no server had one to go to.
func (d *Destination) reach(ctx context.Context, r resolve.Resolver) {
	if d.Status == TakesMail && d.dangling(ctx, r) {
		d.Status = NoMailHost
	}
}

// maxHosts bounds the mail servers of a domain whose addresses are looked up.
const maxHosts = 5

// dangling reports whether none of the hosts that the MX records name has an address: mail
// has nowhere to go.
func (d *Destination) dangling(ctx context.Context, r resolve.Resolver) bool {
	if len(d.MX) > maxHosts {
		return false
	}
	answers := make([][2]resolve.Answer, len(d.MX))
	var asked sync.WaitGroup
	var broke atomic.Value
	for i, rec := range d.MX {
		for j, t := range []resolve.Type{resolve.A, resolve.AAAA} {
			asked.Go(func() {
				defer func() {
					if p := recover(); p != nil {
						broke.Store(fmt.Sprint(p))
					}
				}()
				answers[i][j] = r.Resolve(ctx, rec.Host, t)
			})
		}
	}
	asked.Wait()
	if p := broke.Load(); p != nil {
		panic(p) // in the check's own goroutine, which tells it
	}
	for _, pair := range answers {
		if !pair[0].Status.Absent() || !pair[1].Status.Absent() {
			return false
		}
	}
	for _, pair := range answers {
		d.Answers = append(d.Answers, pair[0])
	}
	return true
}

// names reports whether the MX records name a host.
func (d *Destination) names(host string) bool {
	return slices.ContainsFunc(d.MX, func(rec resolve.Record) bool { return strings.EqualFold(rec.Host, host) })
}

// implicit asks for the addresses of a domain without MX records.
func (d *Destination) implicit(ctx context.Context, r resolve.Resolver) {
	v4 := r.Resolve(ctx, d.Domain, resolve.A)
	v6 := r.Resolve(ctx, d.Domain, resolve.AAAA)
	d.Answers = append(d.Answers, v4, v6)
	switch {
	case v4.Status == resolve.OK || v6.Status == resolve.OK:
		d.Status = ImplicitMX
		if d.Host != "" && strings.EqualFold(d.Host, d.Domain) {
			d.InMX = Yes
		}
	case v4.Status.Absent() && v6.Status.Absent():
		d.Status = NoMailHost
	}
}

// holds compares the refusing host with the MX records: the same name, or one
// under the same registered domain, for providers answer under many names.
func (d *Destination) holds(host string) Tri {
	if host == "" {
		return NotKnown
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return NotKnown
	}
	for _, rec := range d.MX {
		if strings.EqualFold(rec.Host, host) || orgDomain(rec.Host) == orgDomain(host) {
			return Yes
		}
	}
	return No
}

// destination returns what was found out about the domain of a recipient, or nil.
func (r *run) destination(rec *bounce.Recipient) *Destination {
	name := ascii(domainOf(r.address(rec)))
	for _, d := range r.findings.destinations {
		if d.Domain == name {
			return d
		}
	}
	return nil
}

// ascii is a domain as DNS has it (RFC 5890), or the domain itself where it has no such form.
func ascii(domain string) string {
	if name, err := resolve.Name(domain); err == nil {
		return name
	}
	return domain
}

// finding tells the result in the common words.
func (d *Destination) finding() finding.Finding {
	f := finding.Finding{Subject: d.Domain, Source: "RFC 5321, section 5.1", Evidence: dns(d.Answers...)}
	bad := func(code, fact string) {
		f.Code, f.Outcome, f.Severity, f.Fact = code, finding.Found, finding.Critical, fact
		f.Consequence = "No mail to this domain can be delivered."
		if d.Meant != "" {
			f.Fixes = []finding.Fix{{Action: finding.Ask, What: fmt.Sprintf("Ask whether %s was meant.", d.Meant)}}
		}
	}
	switch d.Status {
	case TakesMail, ImplicitMX:
		f.Code, f.Outcome = "recipient.takes-mail", finding.Clean
		f.Fact = d.Domain + " has mail servers."
		if d.InMX == No {
			f.Code, f.Outcome, f.Severity = "recipient.refuser-not-in-mx", finding.Found, finding.Warning
			f.Fact = fmt.Sprintf("%s refused the mail, and is none of the mail servers of %s now.", d.Host, d.Domain)
			f.Consequence = "The mail went to a server that no longer answers for the domain, or was forwarded there."
		}
	case NoSuchDomain:
		bad("recipient.nxdomain", d.Domain+" does not exist.")
	case NullMX:
		bad("recipient.null-mx", d.Domain+" states by a null MX record that it takes no mail.")
		f.Source = "RFC 7505, section 3"
	case NoMailHost:
		bad("recipient.no-address", d.Domain+" has neither an MX record nor an address.")
		if len(d.MX) > 0 {
			f.Fact = fmt.Sprintf("None of the mail servers that %s names has an address.", d.Domain)
		}
	default:
		f.Code, f.Severity = "recipient.unknown", finding.Notice
		f.Fact = "Where mail for " + d.Domain + " goes could not be looked up."
	}
	return f
}

// wellKnown are the mailbox domains with the most addresses, which typing errors
// are made of. From facts on receivers, as of 2026-11.
var wellKnown = []string{
	"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com", "aol.com", "icloud.com", "me.com", "comcast.net", "verizon.net", "att.net", "gmx.de", "gmx.net", "web.de", "t-online.de", "orange.fr", "wanadoo.fr", "laposte.net", "free.fr", "mail.ru", "yandex.ru", "qq.com", "163.com", "protonmail.com", "proton.me", "zoho.com", "hotmail.co.uk", "yahoo.co.uk", "hotmail.fr", "yahoo.fr", "libero.it",
}

// nearMiss returns the well-known domain that name becomes by one slip: a letter
// left out, doubled, changed, or two in the wrong order. "" if there is none, or
// if name is itself well known.
func nearMiss(name string) string {
	best := ""
	for _, w := range wellKnown {
		if name == w {
			return ""
		}
		if best == "" && len(w) >= 6 && oneSlip(name, w) {
			best = w
		}
	}
	return best
}

// oneSlip reports whether a and b differ by one insertion, deletion, change or
// exchange of neighbours.
func oneSlip(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:]
	switch len(a) - len(b) {
	case 0:
		return len(a) > 0 && (a[1:] == b[1:] || len(a) > 1 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:])
	case 1:
		return a[1:] == b
	case -1:
		return a == b[1:]
	}
	return false
}
