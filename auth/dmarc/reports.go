package dmarc

import (
	"context"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/resolve"
)

// A Destination is an address for reports, and whether its owner accepts them
// (RFC 9990, section 4; RFC 9991, section 5).
type Destination struct {
	URI    URI
	Tag    string // "rua" or "ruf"
	Needed bool   // it lies outside the organizational domain, so its owner must agree
	Name   string // the name of the record that says so
	Agreed bool
	Known  bool // DNS answered
	Answer resolve.Answer
}

// CheckReports asks for each mailto: destination of the record that applies
// whether its owner accepts reports about the domain.
func CheckReports(ctx context.Context, r resolve.Resolver, d *Discovery) []Destination {
	if d.Record == nil {
		return nil
	}
	w := &walker{ctx: ctx, resolver: r}
	org := organizational(d.PolicyDomain, w.walk(d.PolicyDomain))
	var list []Destination
	for _, tag := range []string{"rua", "ruf"} {
		uris := d.Record.RUA
		if tag == "ruf" {
			uris = d.Record.RUF
		}
		for _, u := range uris {
			if u.Valid && u.Scheme == "mailto" {
				list = append(list, w.destination(d.PolicyDomain, org, tag, u))
			}
		}
	}
	return list
}

func (w *walker) destination(domain, org, tag string, u URI) Destination {
	out := Destination{URI: u, Tag: tag, Known: true}
	host, err := resolve.Name(u.Host)
	if err != nil {
		return out
	}
	out.Needed = !related(host, org) || organizational(host, w.walk(host)) != org
	if !out.Needed {
		out.Agreed = true
		return out
	}
	out.Name = domain + "._report._dmarc." + host
	out.Answer = w.resolver.Resolve(w.ctx, out.Name, resolve.TXT)
	for _, rec := range out.Answer.Records {
		out.Agreed = out.Agreed || IsRecord(txt.Join(rec.Strings))
	}
	out.Known = out.Answer.Status.Known() || badName(out.Name)
	return out
}

func badName(name string) bool {
	_, err := resolve.Name(name)
	return err != nil
}
