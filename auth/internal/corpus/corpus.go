// Package corpus answers DNS from the zone data of labelled cases, for tests.
package corpus

import (
	"context"
	"net/netip"
	"strings"

	"github.com/rebound-mail/rebound/resolve"
)

// A Zone holds the records of each name. A name that begins with "error." and is
// not there times out; so does every type that is not listed beside a record of
// type TIMEOUT.
type Zone map[string][]Record

// A Record is one record; each code point of Strings is an octet.
type Record struct {
	Type    string
	Data    string
	Pref    uint16
	Strings []string
}

// Lower returns the zone with its names in the form in which they are asked for.
func (z Zone) Lower() Zone {
	out := Zone{}
	for name, records := range z {
		out[strings.ToLower(strings.TrimSuffix(name, "."))] = records
	}
	return out
}

// maxChain is how many CNAME records are followed.
const maxChain = 8

// Resolve implements [resolve.Resolver].
func (z Zone) Resolve(_ context.Context, name string, t resolve.Type) resolve.Answer {
	canonical, err := resolve.Name(name)
	a := resolve.Answer{Name: canonical, Type: t}
	if err != nil {
		a.Name, a.Status, a.Err = name, resolve.Other, err
		return a
	}
	for range maxChain + 1 {
		records, ok := z[canonical]
		if !ok {
			a.Status = resolve.NXDomain
			if strings.HasPrefix(canonical, "error.") {
				a.Status = resolve.Timeout
			}
			return a
		}
		fault, cname := resolve.NoData, ""
		for _, r := range records {
			switch {
			case r.Type == t.String():
				a.Records = append(a.Records, r.record(canonical, t))
			case r.Type == "TIMEOUT":
				fault = resolve.Timeout
			case r.Type == "SERVFAIL":
				fault = resolve.ServFail
			case r.Type == "CNAME":
				cname, _ = resolve.Name(r.Data)
			}
		}
		switch {
		case len(a.Records) > 0:
			a.Status = resolve.OK
			return a
		case cname == "":
			a.Status = fault
			return a
		}
		canonical = cname
		a.Chain = append(a.Chain, cname)
	}
	a.Status = resolve.ServFail
	return a
}

func (r Record) record(name string, t resolve.Type) resolve.Record {
	out := resolve.Record{Name: name, Type: t, Pref: r.Pref}
	switch t {
	case resolve.A, resolve.AAAA:
		out.Addr, _ = netip.ParseAddr(r.Data)
	case resolve.TXT, resolve.SPF:
		out.Strings = make([]string, len(r.Strings))
		for i, s := range r.Strings {
			out.Strings[i] = octets(s)
		}
	default:
		out.Host, _ = resolve.Name(r.Data)
		if r.Data == "" {
			out.Host = "."
		}
	}
	return out
}

func octets(s string) string {
	b := make([]byte, 0, len(s))
	for _, c := range s {
		b = append(b, byte(c))
	}
	return string(b)
}
