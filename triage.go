package rebound

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/resolve"
)

// An Item is one of many bounces.
type Item struct {
	Name string // where it is from, for people
	Case Case
}

// A Triaged says what many bounces come to.
type Triaged struct {
	// Groups are in the order of what they stop: all mail of an address, then mail of a
	// sender or to a receiver, a mailing, one mail; among equals the largest is first.
	Groups []Group `json:"groups"`
	Total  int     `json:"total"` // bounces that were read
	// Suppress are the addresses not to mail again, each once, by group; Keep counts the
	// other addresses that bounced.
	Suppress []string `json:"suppress"`
	Keep     int      `json:"keep"`
	Notes    []string `json:"notes"` // what was left out, and why
	Schema   int      `json:"schema"`
}

// A Group are bounces with one root: one kind of cause, at one receiver, of one address and
// domain of the sender, where these matter to it.
type Group struct {
	Kind     CauseKind  `json:"kind"`
	Fault    Fault      `json:"fault"` // as its diagnosis says, or without one as the reply does
	Provider string     `json:"provider,omitempty"`
	IP       netip.Addr `json:"ip,omitzero"`
	Domain   string     `json:"domain,omitempty"` // the sender's; of the recipients, where the refusal hangs on that alone
	List     string     `json:"list,omitempty"`   // the block list that the replies name
	Count    int        `json:"count"`            // refused recipients
	Examples []string   `json:"examples"`         // names of up to five items
	Suppress int        `json:"suppress"`         // addresses that are to be suppressed
	// Diagnosis is that of the first bounce of the group; nil where it was not made, which
	// Triaged.Notes then tell.
	Diagnosis *Diagnosis `json:"diagnosis,omitempty"`

	first     Case
	addresses []string // to suppress
	kept      []string // refused for good by their domain's sake, and not to suppress by the words alone
	refuted   bool     // its addresses are not to be suppressed
}

type groupKey struct {
	kind                   CauseKind
	provider, domain, list string
	ip                     netip.Addr
}

// TriageOptions say how far a triage goes. The zero value is good.
type TriageOptions struct {
	// Diagnose is how many groups are diagnosed, the worst ones; 0 is 50. Below zero, DNS is
	// not asked at all.
	Diagnose int
	// Progress is told how many bounces were read, now and then, and how many groups are
	// diagnosed, of how many.
	Progress func(read, diagnosed, of int)
}

// The limits of a triage.
const (
	maxGroups    = 2000      // each keeps one report; those beyond are counted together
	maxSuppress  = 1_000_000 // addresses that are remembered
	batchItems   = 256       // bounces that are read side by side
	batchOctets  = 16 << 20
	diagnosing   = 50
	sideBySide   = 8 // diagnoses at a time
	maxExamples  = 5
	maxDomains   = 1000 // that have groups of their own; those beyond share one for each kind of refusal
	manyDomains  = 10   // out of reach, from which the way out is in doubt
	groupOfOther = CauseKind("other-groups")
)

// Triage reads many bounces, puts those with one root together and diagnoses each group
// once, with DNS asked once. Memory does not grow with their number, but for the addresses
// to suppress. When ctx ends, what was read by then is told, with a note. [TriageOptions]
// has its own Progress: that of the Diagnoser is for a single diagnosis.
func (d *Diagnoser) Triage(ctx context.Context, items iter.Seq[Item], o TriageOptions) *Triaged {
	t := &triage{d: d, o: o, out: &Triaged{Suppress: []string{}, Notes: []string{}, Schema: Schema}, groups: map[groupKey]*Group{}, seen: map[string]*Group{}, claims: map[string][]*Group{}}
	if t.o.Progress == nil {
		t.o.Progress = func(int, int, int) {}
	}
	t.read(ctx, items)
	t.diagnose(ctx)
	t.conclude(ctx)
	return t.out
}

type triage struct {
	d       *Diagnoser
	o       TriageOptions
	out     *Triaged
	groups  map[groupKey]*Group
	order   []*Group
	seen    map[string]*Group   // addresses; nil for those to keep
	claims  map[string][]*Group // groups that suppress an address beside the one in seen
	over    int                 // addresses beyond maxSuppress
	domains int                 // groups that hang on the recipients' domain
	unread  int                 // items that hold nothing to read
}

// A part is what one bounce says of some of its recipients.
type part struct {
	key       groupKey
	fault     Fault
	count     int
	addresses []string // to suppress
	keep      []string // refused, and not to suppress
	waits     []string // put off
	of        []bounce.Recipient
}

// read takes the items in batches, each batch side by side, in order.
func (t *triage) read(ctx context.Context, items iter.Seq[Item]) {
	var batch []Item
	octets := 0
	flush := func() {
		t.take(batch)
		batch, octets = batch[:0], 0
		t.o.Progress(t.out.Total, 0, 0)
	}
	for item := range items {
		if ctx.Err() != nil {
			t.out.Notes = append(t.out.Notes, "Not all bounces were read: the time was up.")
			break
		}
		batch = append(batch, item)
		octets += len(item.Case.Bounce) + len(item.Case.Message) + len(item.Case.Reply)
		if len(batch) == batchItems || octets >= batchOctets {
			flush()
		}
	}
	flush()
}

func (t *triage) take(batch []Item) {
	parts := make([][]part, len(batch))
	reports := make([]*bounce.Report, len(batch))
	var workers sync.WaitGroup
	n := min(runtime.GOMAXPROCS(0), len(batch))
	for w := range n {
		workers.Go(func() {
			for i := w; i < len(batch); i += n {
				parts[i], reports[i] = t.d.parts(batch[i].Case)
			}
		})
	}
	workers.Wait()
	for i, item := range batch {
		if reports[i] == nil {
			t.unread++
			continue
		}
		t.out.Total++
		for _, p := range parts[i] {
			t.add(item, reports[i], p)
		}
	}
}

// parts reads one bounce without DNS.
func (d *Diagnoser) parts(c Case) ([]part, *bounce.Report) {
	report, err := d.read(&c)
	if err != nil {
		return nil, nil
	}
	r := d.newRun(c, report)
	r.state()
	r.gather()
	r.heedHistory()
	if r.foreign != nil {
		return []part{{key: groupKey{kind: NotYours}, fault: OfNobody, count: 1}}, report
	}
	if len(r.statements) == 0 {
		kind, fault := arrival(report.Kind), OfNobody
		if report.Kind == bounce.Feedback {
			c := r.complaint()
			kind, fault = c.Kind, c.Fault
		}
		p := part{key: groupKey{kind: kind, provider: r.facts.Provider}, fault: fault, count: 1}
		p.sort(r, r.report.Recipients)
		return []part{p}, report
	}
	var list []part
	unknown := r.allUnknown()
	places := map[groupKey]int{}
	for i := range r.report.Recipients {
		rec := &r.report.Recipients[i]
		if rec.Action != bounce.Failed && rec.Action != bounce.Delayed {
			continue
		}
		key := r.keyOf(rec)
		at, ok := places[key]
		if !ok {
			at = len(list)
			places[key] = at
			list = append(list, part{key: key, fault: rowOf(rec.Reason).fault})
		}
		list[at].count++
		list[at].of = append(list[at].of, r.original.Recipients[i])
		if unknown {
			rec.Suppress = false
		}
		list[at].sort(r, r.report.Recipients[i:i+1])
	}
	return list, report
}

// sort puts addresses to those to suppress or to keep.
func (p *part) sort(r *run, recipients []bounce.Recipient) {
	for _, rec := range recipients {
		address := r.address(&rec)
		switch {
		case !strings.Contains(address, "@"):
		case rec.Suppress:
			p.addresses = append(p.addresses, address)
		case rec.Action == bounce.Delayed:
			p.waits = append(p.waits, address)
		default:
			p.keep = append(p.keep, address)
		}
	}
}

// keyOf is the root of a refusal, as far as the bounce tells.
func (r *run) keyOf(rec *bounce.Recipient) groupKey {
	key := groupKey{kind: rec.Reason, provider: cmp.Or(rec.Provider, orgDomain(rec.RemoteMTA))}
	switch {
	case ofDomain(rec.Reason):
		key.provider, key.domain = "", domainOf(r.address(rec))
	case rec.Reason.OfAddress() || rec.Reason == bounce.MailboxFull:
	default:
		key.ip, key.domain = r.facts.IP.Value, orgDomain(cmp.Or(r.facts.From.Value, r.facts.MailFrom.Value))
		if lists := rec.Lists(); len(lists) > 0 {
			key.list, key.provider = lists[0], "" // who asks the list is no root
		}
		switch rec.Reason {
		case bounce.PTR, bounce.HELO, bounce.DynamicIP:
			if key.ip.IsValid() {
				key.provider = "" // nor who looks the address up
			}
		}
	}
	return key
}

// ofDomain reports whether a refusal hangs on the recipient's domain alone, of which DNS
// tells whether it takes mail.
func ofDomain(kind CauseKind) bool {
	switch kind {
	case bounce.UnknownDomain, bounce.Network, bounce.DNSFailure:
		return true
	}
	return false
}

func (t *triage) add(item Item, report *bounce.Report, p part) {
	if ofDomain(p.key.kind) && t.groups[p.key] == nil {
		if t.domains++; t.domains > maxDomains { // an outage must not crowd out what else is wrong
			p.key.domain = ""
		}
	}
	g := t.groups[p.key]
	if g == nil && len(t.order) >= maxGroups {
		p.key, p.fault = groupKey{kind: groupOfOther}, NotTold
		g = t.groups[p.key]
	}
	if g == nil {
		g = &Group{Kind: p.key.kind, Fault: p.fault, Provider: p.key.provider, IP: p.key.ip, Domain: p.key.domain, List: p.key.list, Examples: []string{}}
		g.first = item.Case
		// The group's own recipients alone: those of another group are another's matter.
		own := *report
		if p.of != nil {
			own.Recipients = p.of
		}
		g.first.Bounce, g.first.Err, g.first.Reply, g.first.Report = nil, nil, "", &own
		t.groups[p.key] = g
		t.order = append(t.order, g)
	}
	g.Count += p.count
	if len(g.Examples) < maxExamples && item.Name != "" {
		g.Examples = append(g.Examples, item.Name)
	}
	for _, address := range p.addresses {
		t.remember(address, g)
	}
	for _, address := range p.waits {
		t.remember(address, nil)
	}
	for _, address := range p.keep {
		t.remember(address, nil)
		if ofDomain(g.Kind) && len(g.kept) < maxSuppress {
			g.kept = append(g.kept, address)
		}
	}
}

// remember keeps an address for the first group that suppresses it; one refusal for good
// outweighs others that pass.
func (t *triage) remember(address string, g *Group) {
	local, domain, _ := strings.Cut(address, "@")
	address = local + "@" + strings.ToLower(domain)
	before, known := t.seen[address]
	switch {
	case known && before != nil && g != nil && g != before && !slices.Contains(t.claims[address], g):
		t.claims[address] = append(t.claims[address], g)
		return
	case known && (before != nil || g == nil):
		return
	case !known && len(t.seen) >= maxSuppress:
		t.over++
		return
	}
	t.seen[address] = g
	switch {
	case g == nil:
		t.out.Keep++
		return
	case known:
		t.out.Keep--
	}
	g.addresses = append(g.addresses, address)
}

// harm orders groups by what they stop: all mail of an address, a stream or a mailing come
// before what concerns one recipient; a diagnosis knows better than the reply alone.
func harm(g *Group) int {
	kind, fault := g.Kind, g.Fault
	if d := g.Diagnosis; d != nil {
		kind, fault = d.Causes[0].Kind, d.Fault
	}
	if fault == OfSender || fault == OfESP {
		switch hold := rowOf(kind).hold; {
		case hold == "ip", kind == bounce.PTR, kind == bounce.HELO, kind == bounce.DynamicIP:
			return 5
		case hold == "stream", hold == "receiver":
			return 4
		case hold == "campaign":
			return 3
		}
		return 2
	}
	if fault == OfNobody {
		return 0
	}
	return 1
}

func (t *triage) worstFirst() {
	slices.SortStableFunc(t.order, func(a, b *Group) int {
		return cmp.Or(harm(b)-harm(a), b.Count-a.Count)
	})
}

func (t *triage) diagnose(ctx context.Context) {
	t.worstFirst()
	n := cmp.Or(t.o.Diagnose, diagnosing)
	if n = min(n, len(t.order)); n <= 0 {
		return
	}
	resolver, memory := t.d.keep()
	d := &Diagnoser{
		Resolver: resolve.NewCache(resolver), Lists: t.d.Lists, Rules: t.d.Rules, Keys: t.d.Keys, ListMemory: memory,
		Now: t.d.Now, Timeout: t.d.Timeout, Observe: t.d.Observe,
	}
	var mu sync.Mutex
	done, next := 0, 0
	var workers sync.WaitGroup
	for range min(sideBySide, n) {
		workers.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= n || ctx.Err() != nil {
					return
				}
				if g := t.order[i]; g.Kind != groupOfOther {
					g.Diagnosis, _ = d.Diagnose(ctx, g.first) // its report is there; without time it has none
				}
				mu.Lock()
				done++
				t.o.Progress(t.out.Total, done, n)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
}

// heed lets the diagnosis of a group decide about its addresses: DNS says whether a domain
// takes mail, and a mail of somebody else's is nobody's fault. It returns the addresses
// that are not to be suppressed for the group's sake.
func (t *triage) heed(g *Group, d *Diagnosis) (released []string) {
	g.Fault = d.Fault
	takes, known := d.takesMail(g.Domain)
	switch {
	case d.Causes[0].Kind == NotYours, ofDomain(g.Kind) && known && takes:
		released, g.addresses, g.refuted = g.addresses, nil, true
	case ofDomain(g.Kind) && known:
		for _, address := range g.kept {
			t.remember(address, g)
		}
	}
	return released
}

// takesMail reports whether DNS holds a server for mail to a domain; known is false where
// it could not tell.
func (d *Diagnosis) takesMail(domain string) (takes, known bool) {
	for _, dest := range d.Destinations {
		if dest.Domain == ascii(domain) && dest.Status != DestNotKnown {
			return dest.Status == TakesMail || dest.Status == ImplicitMX, true
		}
	}
	return false, false
}

// release gives addresses that a group let go to another that suppresses them, or keeps
// them.
func (t *triage) release(addresses []string) {
	for _, address := range addresses {
		t.seen[address] = nil
		t.out.Keep++
		for _, g := range t.claims[address] {
			if !g.refuted {
				t.remember(address, g)
				break
			}
		}
	}
}

func (t *triage) conclude(ctx context.Context) {
	without, undecided, unreached := 0, 0, 0
	t.out.Groups = make([]Group, 0, len(t.order))
	var released []string
	for _, g := range t.order {
		if g.Kind == bounce.Network {
			unreached++
		}
		if d := g.Diagnosis; d == nil {
			if without++; ofDomain(g.Kind) {
				undecided++
			}
		} else {
			released = append(released, t.heed(g, d)...)
		}
	}
	t.release(released)
	t.worstFirst()
	for _, g := range t.order {
		g.Suppress = len(g.addresses)
		t.out.Suppress = append(t.out.Suppress, g.addresses...)
		t.out.Groups = append(t.out.Groups, *g)
	}
	if without > 0 && t.o.Diagnose >= 0 {
		text := fmt.Sprintf("%d of %d groups are not diagnosed: the worst ones are.", without, len(t.order))
		if ctx.Err() != nil {
			text = fmt.Sprintf("%d of %d groups are not diagnosed: the time was up.", without, len(t.order))
		}
		if undecided > 0 {
			text += fmt.Sprintf(" Of %d of them DNS would tell whether the recipients' domain takes mail; till then the replies alone decide about its addresses.", undecided)
		}
		t.out.Notes = append(t.out.Notes, text)
	}
	if unreached >= manyDomains {
		t.out.Notes = append(t.out.Notes, fmt.Sprintf("No connection to the servers of %d domains: where they have nothing in common, see whether port 25 out of your own server is open.", unreached))
	}
	if t.unread > 0 {
		t.out.Notes = append(t.out.Notes, fmt.Sprintf("Items that hold no bounce, reply, error or report, and are not counted: %d.", t.unread))
	}
	if t.over > 0 {
		t.out.Notes = append(t.out.Notes, fmt.Sprintf("%d addresses beyond the first %d were not remembered.", t.over, maxSuppress))
	}
}
