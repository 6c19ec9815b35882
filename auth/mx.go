package auth

import (
	"context"
	"net/netip"
	"sync"

	"github.com/rebound-mail/rebound/resolve"
)

// maxHosts bounds the mail exchangers that are looked up.
const maxHosts = 10

// An MX is where a domain takes its mail: for a sender's domain, whether bounces and
// answers can arrive (RFC 5321, section 5.1).
type MX struct {
	Domain string         `json:"domain"`
	Answer resolve.Answer `json:"answer"`
	Hosts  []Host         `json:"hosts,omitempty"`
	Null   bool           `json:"null,omitempty"` // it says that it takes no mail (RFC 7505)
	// Addresses are those of the domain itself, which stand in where it has no MX
	// records; nil where it has.
	Addresses []resolve.Answer `json:"addresses,omitempty"`
}

// A Host is one mail exchanger.
type Host struct {
	Name    string         `json:"name"`
	Pref    uint16         `json:"pref"`
	Literal bool           `json:"literal,omitempty"` // an IP address, which MX may not name
	Alias   bool           `json:"alias,omitempty"`   // a CNAME, which it may not either
	A       resolve.Answer `json:"a"`
	AAAA    resolve.Answer `json:"aaaa"`
}

// Lives reports whether the host has an address.
func (h *Host) Lives() bool { return h.A.Status == resolve.OK || h.AAAA.Status == resolve.OK }

// Dead reports whether it is known to have none.
func (h *Host) Dead() bool { return h.A.Status.Absent() && h.AAAA.Status.Absent() }

// LookupMX looks up the mail exchangers of a domain and their addresses.
func LookupMX(ctx context.Context, r resolve.Resolver, domain string) *MX {
	m := &MX{Domain: domain, Answer: r.Resolve(ctx, domain, resolve.MX)}
	if m.Answer.Status == resolve.NoData {
		m.Addresses = []resolve.Answer{r.Resolve(ctx, domain, resolve.A), r.Resolve(ctx, domain, resolve.AAAA)}
	}
	records := m.Answer.Records
	m.Null = len(records) == 1 && records[0].Host == "."
	if m.Null {
		return m
	}
	records = records[:min(len(records), maxHosts)]
	m.Hosts = make([]Host, len(records))
	var wg sync.WaitGroup
	for i, rec := range records {
		wg.Go(func() { m.Hosts[i] = lookupHost(ctx, r, rec) })
	}
	wg.Wait()
	return m
}

func lookupHost(ctx context.Context, r resolve.Resolver, rec resolve.Record) Host {
	h := Host{Name: rec.Host, Pref: rec.Pref}
	if rec.Host == "." {
		return h
	}
	if _, err := netip.ParseAddr(rec.Host); err == nil {
		h.Literal = true
		return h
	}
	h.A, h.AAAA = r.Resolve(ctx, rec.Host, resolve.A), r.Resolve(ctx, rec.Host, resolve.AAAA)
	h.Alias = len(h.A.Chain) > 0 || len(h.AAAA.Chain) > 0
	return h
}
