package resolve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// The limits of a zone file: a test's or a recording's, not a registry's.
const (
	maxZoneSize    = 32 << 20
	maxZoneRecords = 500_000
)

// defaultNegativeTTL is the TTL of an absence in a zone without an SOA record.
const defaultNegativeTTL = 5 * time.Minute

// zoneServer is the Server of answers from a zone.
const zoneServer = "zone file"

// A Fault is what a zone answers instead of its records.
type Fault string

// The faults of a zone file. FaultSlow answers rightly after a delay, and
// FaultTruncate rightly over TCP alone.
const (
	FaultServFail  Fault = "SERVFAIL"
	FaultRefused   Fault = "REFUSED"
	FaultTimeout   Fault = "TIMEOUT"
	FaultTruncate  Fault = "TRUNCATE"
	FaultMalformed Fault = "MALFORMED"
	FaultSlow      Fault = "SLOW"
)

// A Zone answers from records in memory, those of one zone or of many. It
// follows CNAME records and wildcards (RFC 4592); a name that it does not hold,
// and that has nothing below it, is NXDOMAIN.
type Zone struct {
	names  map[string]map[Type][]Record // canonical owner → type → records; nil for an empty non-terminal
	apexes map[string]time.Duration     // canonical name of an SOA → negative TTL
	faults map[string][]zoneFault
}

type zoneFault struct {
	t     Type // 0 means any
	fault Fault
	delay time.Duration
}

// ParseZone reads records in the form of RFC 1035, section 5 ($ORIGIN and $TTL
// too; neither $INCLUDE nor $GENERATE), and fault lines
//
//	;! NAME TYPE|ANY SERVFAIL|REFUSED|TIMEOUT|TRUNCATE|MALFORMED|SLOW 2s
//
// in which NAME is absolute with or without a dot and may begin with "*.",
// which stands for all names below. The default TTL is five minutes. Records of
// other zones may stand in the same file. An error names the line.
func ParseZone(r io.Reader) (*Zone, error) {
	z := &Zone{names: map[string]map[Type][]Record{}, apexes: map[string]time.Duration{}, faults: map[string][]zoneFault{}}
	text, err := io.ReadAll(io.LimitReader(r, maxZoneSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxZoneSize {
		return nil, fmt.Errorf("resolve: the zone file is longer than %d bytes", maxZoneSize)
	}
	if err := z.readFaults(string(text)); err != nil {
		return nil, err
	}
	parser := dns.NewZoneParser(strings.NewReader(string(text)), ".", "")
	parser.SetDefaultTTL(uint32(defaultNegativeTTL / time.Second))
	n := 0
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		if n++; n > maxZoneRecords {
			return nil, fmt.Errorf("resolve: the zone file has more than %d records", maxZoneRecords)
		}
		z.add(rr)
	}
	if err := parser.Err(); err != nil {
		var pe *dns.ParseError
		if errors.As(err, &pe) {
			return nil, fmt.Errorf("resolve: zone file: %s", strings.TrimPrefix(pe.Error(), "dns: "))
		}
		return nil, fmt.Errorf("resolve: zone file: %w", err)
	}
	return z, nil
}

// readFaults reads the lines that a zone parser takes for comments, and refuses
// the one directive whose cost is not that of its text.
func (z *Zone) readFaults(text string) error {
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, maxZoneSize)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if strings.HasPrefix(strings.ToUpper(line), "$GENERATE") {
			return fmt.Errorf("resolve: zone file: line %d: $GENERATE is not supported", n)
		}
		rest, ok := strings.CutPrefix(line, ";!")
		if !ok {
			continue
		}
		if err := z.addFault(strings.Fields(rest)); err != nil {
			return fmt.Errorf("resolve: zone file: line %d: %w", n, err)
		}
	}
	return lines.Err()
}

func (z *Zone) addFault(words []string) error {
	if len(words) < 3 {
		return errors.New("a fault line is \";! NAME TYPE|ANY FAULT\"")
	}
	name, err := Name(words[0])
	if err != nil {
		return fmt.Errorf("%q is no name", words[0])
	}
	f := zoneFault{fault: Fault(strings.ToUpper(words[2]))}
	if !strings.EqualFold(words[1], "ANY") {
		if err := f.t.UnmarshalText([]byte(strings.ToUpper(words[1]))); err != nil {
			return fmt.Errorf("%q is no record type", words[1])
		}
	}
	switch f.fault {
	case FaultServFail, FaultRefused, FaultTimeout, FaultTruncate, FaultMalformed:
		if len(words) > 3 {
			return fmt.Errorf("%s takes no %q", f.fault, words[3])
		}
	case FaultSlow:
		if len(words) != 4 {
			return errors.New("SLOW takes a duration, such as 2s")
		}
		if f.delay, err = time.ParseDuration(words[3]); err != nil || f.delay < 0 {
			return fmt.Errorf("%q is no duration", words[3])
		}
	default:
		return fmt.Errorf("%q is no fault", words[2])
	}
	z.faults[name] = append(z.faults[name], f)
	return nil
}

func (z *Zone) add(rr dns.RR) {
	r, ok := record(rr)
	if !ok {
		return
	}
	types := z.names[r.Name]
	if types == nil {
		types = map[Type][]Record{}
		z.names[r.Name] = types
		for _, parent, ok := strings.Cut(r.Name, "."); ok; _, parent, ok = strings.Cut(parent, ".") {
			if _, known := z.names[parent]; known {
				break
			}
			z.names[parent] = nil
		}
	}
	types[r.Type] = append(types[r.Type], r)
	if soa, ok := rr.(*dns.SOA); ok {
		z.apexes[r.Name] = time.Duration(min(soa.Hdr.Ttl, soa.Minttl)) * time.Second
	}
}

// Resolve implements [Resolver]. It never waits: a slow name answers at once
// with Took set to its delay, or with Timeout when ctx would have ended first.
func (z *Zone) Resolve(ctx context.Context, name string, t Type) Answer {
	canonical, err := Name(name)
	if err != nil {
		return failed(name, t, Other, err)
	}
	if ctx.Err() != nil {
		return failed(canonical, t, Canceled, context.Cause(ctx))
	}
	a := Answer{Name: canonical, Type: t, Server: zoneServer}
	var took time.Duration
	switch fault, delay := z.FaultOf(canonical, t); fault {
	case FaultServFail:
		a.Status = ServFail
		return a
	case FaultRefused:
		a.Status = Refused
		return a
	case FaultTimeout:
		a.Status = Timeout
		return a
	case FaultMalformed:
		a.Status, a.Err = Malformed, errUnread
		return a
	case FaultSlow:
		if end, ok := ctx.Deadline(); ok && time.Until(end) < delay {
			a.Status = Timeout
			return a
		}
		took = delay
	}
	a = z.Answer(canonical, t)
	a.Took = took
	return a
}

// FaultOf returns the fault that the zone file states for a canonical name and
// type, "" for none; delay is that of FaultSlow.
func (z *Zone) FaultOf(name string, t Type) (fault Fault, delay time.Duration) {
	for key, rest, more := name, name, true; more; {
		for _, f := range z.faults[key] {
			if f.t == 0 || f.t == t {
				return f.fault, f.delay
			}
		}
		_, rest, more = strings.Cut(rest, ".")
		key = "*." + rest
	}
	return "", 0
}

// Answer looks up a canonical name, following CNAME records, whatever the fault
// lines say.
func (z *Zone) Answer(name string, t Type) Answer {
	a := Answer{Name: name, Type: t, Server: zoneServer}
	owner, ttl := name, time.Duration(-1)
	for range maxChain {
		types, exists := z.node(owner)
		if records := types[a.Type]; len(records) > 0 {
			for _, r := range records {
				r.Name = owner
				a.Records = append(a.Records, r)
				ttl = least(ttl, r.TTL)
			}
			a.Status, a.TTL = OK, ttl
			return a
		}
		if alias := types[CNAME]; len(alias) > 0 {
			owner, ttl = alias[0].Host, least(ttl, alias[0].TTL)
			a.Chain = append(a.Chain, owner)
			continue
		}
		a.Status, a.TTL = NXDomain, least(ttl, z.negativeTTL(owner))
		if exists {
			a.Status = NoData
		}
		return a
	}
	return Answer{Name: name, Type: t, Status: ServFail, Server: zoneServer}
}

// node returns the records at name, or those of the wildcard that covers it: the
// one at the closest encloser (RFC 4592, section 3.3.1).
func (z *Zone) node(name string) (types map[Type][]Record, exists bool) {
	if types, exists = z.names[name]; exists {
		return types, true
	}
	for _, parent, ok := strings.Cut(name, "."); ok; _, parent, ok = strings.Cut(parent, ".") {
		if _, encloses := z.names[parent]; encloses {
			types, exists = z.names["*."+parent]
			return types, exists
		}
	}
	return nil, false
}

func (z *Zone) negativeTTL(name string) time.Duration {
	for parent, ok := name, true; ok; _, parent, ok = strings.Cut(parent, ".") {
		if ttl, apex := z.apexes[parent]; apex {
			return ttl
		}
	}
	return defaultNegativeTTL
}
