package rebound

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/resolve"
)

// A Case is what came back, and what the caller knows beside it. One of Report,
// Bounce, Reply and Err is needed; where several are set, the first in this order is
// read, and a note names what was not. Everything else is optional and makes the
// answer better.
//
// Of each fact there is one precedence. The address that was refused is what the
// receiver names in its reply or wrote into the returned mail, before IP. When it was
// refused is Bounced, before the date of the bounce. HELO, MailFrom and the author of
// Message come before what the bounce returned, but for a HELO name that the reply itself
// refuses; Recipient comes after it, for the bounce knows to whom the mail went in the end.
// Diagnosis.Facts says where each was taken from.
type Case struct {
	Report *bounce.Report // a report that was read already
	Bounce []byte         // or the bounce message as received
	Reply  string         // or what the SMTP server answered, one line or many
	Err    error          // or the error of an SMTP client (see bounce.FromError)

	Message   []byte     // the mail that was refused
	IP        netip.Addr // the address that it was sent from
	HELO      string     // the name given in HELO or EHLO
	MailFrom  string     // the envelope sender
	Recipient string     // the envelope recipient
	Bounced   time.Time  // when it was refused; else the date of the bounce is taken
	Bulk      bool       // the mail goes to many, though no field of it says so
	Volume    int        // mails a day to this receiver before it refused, where that is known

	History []bounce.Event // what was known of the recipients' addresses before: a mailbox is full again

	Control      Control        // who runs the sending server
	OwnDomains   []string       // domains under which the caller sends: they tell a forged mail's bounce
	OwnAddresses []netip.Prefix // and addresses

	header []byte // of the refused mail, where a diagnosis is asked again
}

// Control says who runs the server that sent, and so who can do what the plan
// asks for. The zero value means that it is not stated; it may be inferred.
type Control string

// The kinds of control.
const (
	Own    Control = "own"    // the caller
	Shared Control = "shared" // a sending service, whose address others use too
	Relay  Control = "relay"  // the relay of an access or hosting provider
)

// A Diagnoser finds out. The zero value asks the machine's own resolver with the
// catalogue and the rules that the library carries. Share one among many diagnoses: it
// remembers which block lists are ill and how much of their operators' limits is left,
// and the machine's resolver has one cache. Its fields are not to be changed after the
// first use, and it must not be copied then; it is safe for concurrent use if its
// Resolver is.
type Diagnoser struct {
	// Resolver answers every DNS question; nil is the machine's own, with a cache.
	Resolver resolve.Resolver
	// Lists is the catalogue of block lists; nil is dnsbl.Default.
	Lists *dnsbl.Catalogue
	// Rules say what the wordings of bounces mean; nil is bounce.DefaultRules.
	Rules *bounce.Rules
	// Keys are the caller's keys for block lists that take one.
	Keys dnsbl.Keys
	// ListMemory is what is remembered of the block lists; nil is one of the Diagnoser's
	// own. Set it to share it with a [dnsbl.Checker].
	ListMemory *dnsbl.Memory
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Timeout bounds the checks together; zero is 10 s.
	Timeout time.Duration
	// Progress, if set, is called when a check begins and ends, from several
	// goroutines.
	Progress func(Event)
	// Observe, if set, is called with every DNS answer that a check was given, from
	// several goroutines: its Server, Status, Took and Tries are for the caller's metrics.
	// An answer from a cache has Tries 0. Keys of block lists are masked in it.
	Observe func(resolve.Answer)

	kept kept
}

// kept is what a Diagnoser has of its own from one call to the next.
type kept struct {
	once     sync.Once
	resolver resolve.Resolver
	memory   dnsbl.Memory
}

// keep returns the resolver and the memory of lists.
func (d *Diagnoser) keep() (resolve.Resolver, *dnsbl.Memory) {
	d.kept.once.Do(func() {
		if d.kept.resolver = d.Resolver; d.Resolver == nil {
			d.kept.resolver = systemResolver()
		}
	})
	if d.ListMemory != nil {
		return d.kept.resolver, d.ListMemory
	}
	return d.kept.resolver, &d.kept.memory
}

// An Event tells of a check's progress. As a [slog.LogValuer] it is a group of the
// check's name and, at its end, of how it ended and what it took.
type Event struct {
	Check string
	Done  *Check        // nil at the beginning
	Took  time.Duration // at the end
}

// LogValue implements [slog.LogValuer].
func (e Event) LogValue() slog.Value {
	if e.Done == nil {
		return slog.GroupValue(slog.String("check", e.Check))
	}
	return slog.GroupValue(slog.String("check", e.Check), slog.String("outcome", e.Done.Outcome.String()), slog.Duration("took", e.Took))
}

// defaultTimeout lets a list that is silent through all tries, and the questions
// that follow from the first answers, still end.
const defaultTimeout = 10 * time.Second

// The errors of [Diagnose].
var (
	ErrNothing = errors.New("rebound: nothing to diagnose: no bounce, reply, error or report")
	ErrNoTime  = errors.New("rebound: the context ended before any result")
)

// Diagnose is [Diagnoser.Diagnose] of the zero Diagnoser.
func Diagnose(ctx context.Context, c Case) (*Diagnosis, error) {
	return new(Diagnoser).Diagnose(ctx, c)
}

// Diagnose says why the mail was refused and what to do. It returns an error only
// when there is nothing to diagnose ([ErrNothing]) or when ctx has already ended
// ([ErrNoTime]); a check that cannot be made, for want of a fact or of time, says
// so in Diagnosis.Checks.
func (d *Diagnoser) Diagnose(ctx context.Context, c Case) (*Diagnosis, error) {
	report, err := d.read(&c)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoTime, context.Cause(ctx))
	}
	r := d.newRun(c, report)
	r.state()
	r.lookUp = &dnsbl.Checker{Resolver: r.resolver, Catalogue: r.asked(), Keys: r.keys, Now: d.Now, Memory: r.memory}
	r.gather()
	for _, field := range c.unread() {
		r.note("Case." + field + " is not read: another field of what came back is set, which comes before it.")
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	r.doubt(ctx)
	r.check(ctx)
	r.out.DNS = r.resolver.Answers()
	r.heedHistory()
	r.rank()
	r.plan()
	return r.conclude(), nil
}

// read returns the report of what came back.
func (d *Diagnoser) read(c *Case) (*bounce.Report, error) {
	rules := d.Rules
	if rules == nil {
		rules = bounce.DefaultRules()
	}
	switch {
	case c.Report != nil:
		return c.Report, nil
	case len(c.Bounce) > 0:
		return rules.ParseBytes(c.Bounce), nil
	case c.Reply != "":
		return rules.ParseReply(c.Reply), nil
	case c.Err != nil:
		return rules.FromError(c.Err), nil
	}
	return nil, ErrNothing
}

// unread names the fields of a Case that stood behind the one that was read.
func (c *Case) unread() []string {
	var set []string
	for _, field := range []struct {
		name string
		set  bool
	}{{"Report", c.Report != nil}, {"Bounce", len(c.Bounce) > 0}, {"Reply", c.Reply != ""}, {"Err", c.Err != nil}} {
		if field.set {
			set = append(set, field.name)
		}
	}
	return set[min(1, len(set)):]
}

// run is one diagnosis in the making.
type run struct {
	Case
	now      time.Time
	resolver *resolve.Recorder
	lists    *dnsbl.Catalogue
	keys     dnsbl.Keys
	memory   *dnsbl.Memory
	lookUp   *dnsbl.Checker
	timeout  time.Duration
	progress func(Event)

	listsAsOf, rulesAsOf time.Time // zero where they are the caller's

	report        *bounce.Report
	original      *bounce.Report // as it was read
	facts         Facts
	statements    []statement
	authenticated flight
	analyzed      sync.Once
	refusedMail   func() refusedMail // looked for once
	foreign       []string           // signs that somebody else sent the mail
	way           bool               // it matters which way the mail went
	ruled         map[string]string  // addresses that are given up for what was known of them, and why
	kept          bool               // no address is to be suppressed, for they all failed at once
	findings      results
	out           *Diagnosis
}

func (d *Diagnoser) newRun(c Case, report *bounce.Report) *run {
	mine := *report // its recipients may be corrected
	mine.Recipients = slices.Clone(report.Recipients)
	r := &run{Case: c, report: &mine, original: report, lists: d.Lists, keys: d.Keys, timeout: d.Timeout, progress: d.Progress, out: &Diagnosis{Report: &mine}}
	r.refusedMail = sync.OnceValue(r.findMail)
	resolver, memory := d.keep()
	r.resolver, r.memory = &resolve.Recorder{Resolver: resolver, Observe: d.Observe}, memory
	if r.lists == nil {
		r.lists = dnsbl.Default()
	}
	if r.timeout <= 0 {
		r.timeout = defaultTimeout
	}
	if r.progress == nil {
		r.progress = func(Event) {}
	}
	if d.Lists == nil {
		r.listsAsOf = month(dnsbl.AsOf)
	}
	if d.Rules == nil {
		r.rulesAsOf = month(bounce.AsOf)
	}
	r.now = time.Now()
	if d.Now != nil {
		r.now = d.Now()
	}
	return r
}

// month is the beginning of a month such as "2026-11".
func month(s string) time.Time {
	t, _ := time.Parse("2006-01", s) // a constant of ours
	return t
}

// systemResolver is the machine's resolver. Without one, every question is
// answered with why, and the checks end in "could not tell".
func systemResolver() resolve.Resolver {
	client, err := resolve.System()
	if err != nil {
		return resolve.Offline{Why: err}
	}
	return resolve.NewCache(client)
}
