package dnsbl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/resolve"
)

// A question is the asking of one list about one target. A worker uses it for one
// after the other.
type question struct {
	*run
	access
	labels string // the labels of an address before a zone
	res    Result
	held   bool      // the result may be the resolver's fault
	began  time.Time // of the round
	now    time.Time // when it was asked

	// What the resolver did in this round: it gave an answer within 127/8, and said of
	// a name that it does not exist.
	inside, nxdomain bool
	remembered       bool // the list is proven by an earlier round

	started bool // it has been asked at all
}

// access is how a list is asked. What goes on beside a question has a copy.
type access struct {
	list *List
	kind Kind
	key  string // the caller's key for the list
	zone string // with the key
	seen *zoneMemory
}

// about begins with another list and target.
func (q *question) about(j job) {
	t := j.round.target
	q.access = access{list: j.list, kind: t.Kind()}
	q.labels, q.began, q.held, q.inside, q.nxdomain, q.remembered = j.round.labels, j.round.began, false, false, false, false
	q.res = Result{List: j.list, Target: t, Action: j.list.Action, order: order{j.round.number, j.number}, catalogue: q.checker.Catalogue}
}

// ask fills the result.
func (q *question) ask(ctx context.Context) {
	l, res := q.list, &q.res
	if !l.Usable() {
		res.Status, res.Why = Dead, "the list is out of service: "+l.Closed()
		return
	}
	name, err := q.name()
	if err != nil {
		res.Why = strings.TrimPrefix(err.Error(), "dnsbl: ")
		return
	}
	if q.key != "" {
		ctx = resolve.WithSecret(ctx, q.key)
	}
	if ctx.Err() != nil {
		res.Why = failures[resolve.Canceled]
		return
	}
	q.now = q.checker.now()
	var wait time.Duration
	var why string
	q.seen, res.Health, wait, why = q.memory.admit(l, q.kind, q.now, q.patience(ctx))
	if why != "" {
		res.Why = why
		if !res.Health.Until.IsZero() {
			res.Health.State = Silent
		}
		return
	}
	if wait > 0 && !sleep(ctx, wait) {
		q.memory.note(q.seen, q.kind, resolve.Answer{Status: resolve.Canceled}, q.now, q.checker.now)
		q.memory.refund(q.seen)
		res.Why = failures[resolve.Canceled]
		return
	}
	present := q.probe(ctx, q.now, false)
	res.Answer = q.put(ctx, q.access, name, resolve.A)
	res.Health = q.memory.note(q.seen, q.kind, res.Answer, q.now, q.checker.now)
	res.Status, res.Codes, res.Why = l.Interpret(res.Answer)
	q.nxdomain = res.Answer.Status == resolve.NXDomain
	q.inside = slices.ContainsFunc(res.Answer.Records, func(r resolve.Record) bool { return r.Addr.IsValid() && !isForeign(r.Addr) })
	if (res.Status == Listed || res.Status == NotListed) && res.Health.State != Proven && res.Health.State != Unseen {
		q.see(Unseen) // whatever ailed the list, it answers
	}
	switch res.Status {
	case NotListed:
		q.trustAbsence(ctx, present)
	case Listed:
		q.confirm(ctx, name)
	case Refused:
		q.see(Refuses)
		res.Reason = q.reason(ctx, q.access, name)
	case Dead:
		q.park()
	}
}

// name returns the name to ask.
func (q *question) name() (string, error) {
	l := q.list
	key, err := q.checker.Keys.text(l)
	if err != nil {
		return "", err
	}
	q.key, q.zone = key, l.Zone
	if l.Key != "" {
		q.zone = l.zoneWith(key)
	}
	item := q.labels
	if item == "" {
		item = q.res.Target.item(l)
	}
	name, err := below(item, q.zone)
	if err != nil {
		return "", errors.New(resolve.Mask(err.Error(), key))
	}
	return name, nil
}

// patience is how long a question may wait for the operator's limit.
func (r *run) patience(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok && r.checker.Patience > 0 {
		return min(r.checker.Patience, time.Until(end))
	}
	return r.checker.Patience
}

// put asks the resolver.
func (r *run) put(ctx context.Context, a access, name string, t resolve.Type) (answer resolve.Answer) {
	defer func() {
		if p := recover(); p != nil {
			r.broke.CompareAndSwap(nil, &p) // told to the caller, in its own goroutine
			answer = resolve.Answer{Name: name, Type: t, Status: resolve.Other}
		}
	}()
	answer = r.resolver.Resolve(ctx, name, t)
	if a.key != "" {
		answer = answer.Mask(a.key)
	}
	return answer
}

func (q *question) see(s HealthState) {
	q.res.Health = q.memory.see(q.seen, q.kind, s, q.checker.now())
}

// park remembers a list that answers outside 127/8.
func (q *question) park() {
	q.see(Parked)
	q.held = true
}

// sleep waits; false means that ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// probe returns the probe of the list's test entry that must exist, or of the one
// that must not, and sees that somebody makes it. It is nil where there is no such
// entry.
func (q *question) probe(ctx context.Context, now time.Time, absent bool) *probe {
	entry := q.list.presentEntry(q.kind)
	if absent {
		entry, _ = q.list.absentEntry(q.kind)
	}
	if entry == "" {
		return nil
	}
	p, mine := q.memory.begin(q.seen, probeKey{q.kind, absent}, now)
	if mine {
		r, a := q.run, q.access
		r.others.Go(func() { r.carryOut(ctx, a, p, entry, absent) })
	}
	return p
}

// carryOut asks for a test entry, and where one is missing that must be there, for what
// tells why.
func (r *run) carryOut(ctx context.Context, a access, p *probe, entry string, absent bool) {
	p.answer = r.test(ctx, a, entry)
	p.status, _, p.why = a.list.Interpret(p.answer)
	if !absent && p.answer.Status.Absent() {
		p.apex = r.put(ctx, a, a.zone, resolve.SOA)
		for kind, entries := range testEntries {
			if !a.list.own || kind == a.kind {
				continue
			}
			other := r.test(ctx, a, entries[0])
			status, _, _ := a.list.Interpret(other)
			switch {
			case status == Listed:
				p.others |= kind
			case !other.Status.Known():
				p.unsure = other.Status
			}
		}
	}
	p.finish(r.checker.now(), absent)
}

// test asks for a test entry, within the operator's limit.
func (r *run) test(ctx context.Context, a access, entry string) resolve.Answer {
	name, err := below(testName(entry), a.zone)
	if err != nil {
		return resolve.Answer{Status: resolve.Other, Err: err}
	}
	wait, ok := r.memory.spend(a.seen, r.checker.now(), r.patience(ctx))
	switch {
	case !ok:
		return resolve.Answer{Status: resolve.Other, Err: errLimit}
	case wait > 0 && !sleep(ctx, wait):
		r.memory.refund(a.seen)
		return resolve.Answer{Status: resolve.Canceled, Err: context.Cause(ctx)}
	}
	return r.put(ctx, a, name, resolve.A)
}

var errLimit = errors.New("the operator's limit is used up")

// await waits for a probe, and returns false when ctx ends first. Where whoever made
// it gave up, it is made again.
func (q *question) await(ctx context.Context, p *probe, absent bool) (*probe, bool) {
	for p.wait(ctx) {
		if p.answer.Status != resolve.Canceled && p.unsure != resolve.Canceled || ctx.Err() != nil {
			return p, true
		}
		p = q.probe(ctx, q.checker.now(), absent)
	}
	return p, false
}

// trustAbsence believes "not listed" of a list that holds its own test entry. One
// that does not was emptied; where the entry cannot be asked for, or the list
// refuses, the absence means nothing either.
func (q *question) trustAbsence(ctx context.Context, p *probe) {
	if p == nil {
		q.held = true // until the resolver shows an answer within 127/8
		return
	}
	res := &q.res
	p, ok := q.await(ctx, p, false)
	if !ok {
		res.Status, res.Why = Unknown, "its test entry, which must be there, could not be asked: "+failures[resolve.Canceled]
		return
	}
	fresh := !p.asked.Before(q.began)
	q.nxdomain = q.nxdomain || fresh && p.answer.Status == resolve.NXDomain
	switch {
	case p.listed():
		q.inside, q.remembered = q.inside || fresh, !fresh
		if res.Health.State != Proven || q.now.Sub(res.Health.At) >= presentFor {
			q.see(Proven)
		}
		return
	case p.answer.Status.Absent():
		q.missing(p)
	case p.status == Dead:
		res.Status, res.Why = Dead, p.why
		q.park()
	case p.status == Refused:
		res.Status, res.Why = Refused, p.why
		q.see(Refuses)
	default:
		res.Status, res.Why = Unknown, "its test entry, which must be there, could not be asked: "+p.why
	}
	res.Probe = p.answer
}

// missing judges a list that does not hold its own test entry.
func (q *question) missing(p *probe) {
	l, res := q.list, &q.res
	operator := publicResolver(p.answer.Server)
	q.held = true
	switch {
	case l.Silent:
		res.Status, res.Why = Refused, "it does not show its own test entry, and that is how it treats those whom it does not serve"
		if l.Limit != "" {
			res.Why += " (" + l.Limit + ")"
		}
		q.see(Refuses)
	case operator != "" && len(l.Refusals) > 0:
		res.Status, res.Why = Refused, "it does not show its own test entry when it is asked through "+operator
		q.see(Refuses)
	case p.others != 0:
		q.held = false
		res.Status = Unknown
		res.Why = fmt.Sprintf("it holds a test entry for %s and none for %s: whether it lists such things at all is not known", p.others, q.kind)
		q.inside = q.inside || !p.asked.Before(q.began)
	case p.unsure != resolve.Unset:
		q.held = false
		res.Status = Unknown
		res.Why = "it does not hold the test entry for " + q.kind.String() + ", and those for other things could not be asked: " + failure(resolve.Answer{Status: p.unsure})
	case p.apex.Status == resolve.NXDomain:
		res.Status, res.Why = Dead, "its zone is gone from DNS"
		q.see(Closed)
	default:
		res.Status, res.Why = Dead, "it does not hold its own test entry: it says of nobody that he is listed"
		q.see(Emptied)
	}
}

// confirm takes "listed" back when the list also lists what it must not (RFC
// 5782, section 5): it lists the world, or every answer is a refusal. The reason is
// asked for at the same time.
func (q *question) confirm(ctx context.Context, name string) {
	res := &q.res
	p := q.probe(ctx, q.checker.now(), true)
	reason := make(chan string, 1)
	wanted, drop := context.WithCancel(ctx)
	defer drop()
	r, a := q.run, q.access
	r.others.Go(func() { reason <- r.reason(wanted, a, name) })
	if p != nil {
		q.doubt(ctx, p)
	}
	if res.Status != Dead {
		res.Reason = <-reason
	}
	if res.Status == Listed {
		res.Action = res.action()
	}
}

func (q *question) doubt(ctx context.Context, p *probe) {
	l, res := q.list, &q.res
	entry, documented := l.absentEntry(q.kind)
	p, ok := q.await(ctx, p, true)
	probe := resolve.Answer{Status: resolve.Canceled}
	if ok {
		probe = p.answer
		res.Probe = probe
		q.nxdomain = q.nxdomain || !p.asked.Before(q.began) && probe.Status == resolve.NXDomain
	}
	switch {
	case probe.Status.Absent():
		res.Confirmed = true
	case probe.Status == resolve.OK && (documented || sameAddrs(probe, res.Answer)):
		res.Codes = nil
		switch p.status {
		case Refused:
			res.Status, res.Why = Refused, p.why
			q.see(Refuses)
		case Dead:
			res.Status, res.Why = Dead, p.why
			q.park()
		default:
			res.Status = Dead
			res.Why = "it also lists " + entry + ", which no list may: it lists everything"
			q.see(ListsWorld)
			q.held = true
		}
	case ok && p.listed(): // with another code than the target's
	case res.documented():
		// The answer has a documented meaning; only its confirmation is missing.
	default:
		res.Status, res.Codes = Unknown, nil
		res.Why = "it answers with an undocumented code, and its test entry could not be asked: " + failure(probe)
	}
}

func sameAddrs(a, b resolve.Answer) bool {
	x, y := a.Addrs(), b.Addrs()
	slices.SortFunc(x, netip.Addr.Compare)
	slices.SortFunc(y, netip.Addr.Compare)
	return slices.Equal(x, y)
}

// reasonTime bounds the wait for a reason.
const reasonTime = time.Second

// reason asks for the text that explains an entry (RFC 5782, section 2.1), or a
// refusal. It is a courtesy: its failure changes nothing, and where the operator's
// limit is used up it is left out.
func (r *run) reason(ctx context.Context, a access, name string) string {
	if _, ok := r.memory.spend(a.seen, r.checker.now(), 0); !ok {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, reasonTime)
	defer cancel()
	answer := r.put(ctx, a, name, resolve.TXT)
	var texts []string
	for _, rec := range answer.Records[:min(len(answer.Records), maxCodes)] {
		texts = append(texts, strings.Join(rec.Strings, ""))
	}
	return printable(resolve.Mask(strings.Join(texts, "; "), a.key))
}
