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
	held   bool // the result may be the resolver's fault
	inside bool // the resolver gave an answer within 127/8

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
	q.labels, q.held, q.inside = j.round.labels, false, false
	q.res = Result{List: j.list, Target: t, Action: j.list.Action, order: order{j.round.number, j.number}}
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
	now := q.checker.now()
	var wait time.Duration
	var why string
	q.seen, res.Health, wait, why = q.memory.admit(l, now, q.checker.Patience)
	if why != "" {
		res.Why = why
		if !res.Health.Until.IsZero() {
			res.Health.State = Silent
		}
		return
	}
	if wait > 0 && !sleep(ctx, wait) {
		res.Why = failures[resolve.Canceled]
		return
	}
	present := q.probe(ctx, now, false)
	res.Answer = q.put(ctx, q.access, name, resolve.A)
	res.Health = q.memory.note(q.seen, res.Answer, now, q.checker.now)
	res.Status, res.Codes, res.Why = l.Interpret(res.Answer)
	q.inside = res.Answer.Status == resolve.OK && res.Status != Dead
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

// put asks the resolver.
func (r *run) put(ctx context.Context, a access, name string, t resolve.Type) resolve.Answer {
	return r.resolver.Resolve(ctx, name, t).Mask(a.key)
}

func (q *question) see(s HealthState) {
	q.res.Health = q.memory.see(q.seen, s, q.checker.now())
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
		r.others.Go(func() { r.make(ctx, a, p, entry, absent) })
	}
	return p
}

// make asks for a test entry, and where one is missing that must be there, for what
// tells why.
func (r *run) make(ctx context.Context, a access, p *probe, entry string, absent bool) {
	p.answer = r.test(ctx, a, entry)
	p.status, _, p.why = a.list.Interpret(p.answer)
	if !absent && p.answer.Status.Absent() {
		p.apex = r.put(ctx, a, a.zone, resolve.SOA)
		if a.list.own && a.kind != IPv4 {
			status, _, _ := a.list.Interpret(r.test(ctx, a, testEntries[IPv4][0]))
			p.otherFamily = status == Listed
		}
	}
	p.finish(r.checker.now(), absent)
}

// test asks for a test entry, within the operator's limit.
func (r *run) test(ctx context.Context, a access, entry string) resolve.Answer {
	name, err := below(testName(entry), a.zone)
	switch {
	case err != nil:
		return resolve.Answer{Status: resolve.Other, Err: err}
	case !r.memory.spend(a.seen, r.checker.now()):
		return resolve.Answer{Status: resolve.Other, Err: errLimit}
	}
	return r.put(ctx, a, name, resolve.A)
}

var errLimit = errors.New("the operator's limit is used up")

// await waits for a probe, and returns false when ctx ends first. Where whoever made
// it gave up, it is made once more.
func (q *question) await(ctx context.Context, p *probe, absent bool) (*probe, bool) {
	if p.wait(ctx) && p.answer.Status == resolve.Canceled && ctx.Err() == nil {
		p = q.probe(ctx, q.checker.now(), absent)
	}
	return p, p.wait(ctx)
}

// trustAbsence believes "not listed" of a list that holds its own test entry. One
// that does not was emptied; where the entry cannot be asked for, or the list
// refuses, the absence means nothing either.
func (q *question) trustAbsence(ctx context.Context, p *probe) {
	if p == nil {
		return // the list documents none
	}
	res := &q.res
	p, ok := q.await(ctx, p, false)
	if !ok {
		res.Status, res.Why = Unknown, "its test entry, which must be there, could not be asked: "+failures[resolve.Canceled]
		return
	}
	switch {
	case p.status == Listed, p.status == Unknown && p.answer.Status == resolve.OK:
		// Some lists answer with a code of their own for the test.
		q.inside = true
		if res.Health.State != Proven || q.checker.now().Sub(res.Health.At) >= presentFor {
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
	case p.otherFamily:
		res.Status = Unknown
		res.Why = fmt.Sprintf("it holds a test entry for IPv4 and none for things of the kind of %s: whether it lists them at all is not known", res.Target)
		q.see(Proven)
	case p.apex.Status == resolve.NXDomain:
		res.Status, res.Why = Dead, "its zone is gone from DNS"
		q.see(Closed)
		q.held = true
	default:
		res.Status, res.Why = Dead, "it does not hold its own test entry: it says of nobody that he is listed"
		q.see(Emptied)
		q.held = true
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
		}
	case probe.Status == resolve.OK:
		res.Confirmed = true // another code than the target's
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
	if !r.memory.spend(a.seen, r.checker.now()) {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, reasonTime)
	defer cancel()
	answer := r.put(ctx, a, name, resolve.TXT)
	if len(answer.Records) == 0 {
		return ""
	}
	return printable(strings.Join(answer.Records[0].Strings, ""))
}
