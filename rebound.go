package rebound

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/resolve"
)

// A Case is what came back, and what the caller knows beside it. One of Bounce,
// Reply, Err and Report is needed; everything else is optional and makes the
// answer better.
type Case struct {
	Bounce []byte         // the bounce message as received
	Reply  string         // or what the SMTP server answered, one line or many
	Err    error          // or the error of an SMTP client (see bounce.FromError)
	Report *bounce.Report // or a report that was read already

	Message   []byte     // the mail that was refused
	IP        netip.Addr // the address that it was sent from
	HELO      string     // the name given in HELO or EHLO
	MailFrom  string     // the envelope sender
	Recipient string     // the envelope recipient
	Bounced   time.Time  // when it was refused; else the date of the bounce is taken
	Bulk      bool       // the mail goes to many, though no field of it says so
	Volume    int        // mails a day to this receiver before it refused, where that is known

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
// catalogue that the library carries. It keeps nothing of its own between calls and is safe
// for concurrent use if its Resolver is.
type Diagnoser struct {
	// Resolver answers every DNS question; nil is the machine's own, with a
	// cache that lives as long as one diagnosis.
	Resolver resolve.Resolver
	// Lists is the catalogue of block lists; nil is dnsbl.Default.
	Lists *dnsbl.Catalogue
	// Keys are the caller's keys for block lists that take one.
	Keys dnsbl.Keys
	// ListMemory, if set, is what is remembered of the block lists from one diagnosis
	// to the next: which are ill, and how much of their limits is left. A program that
	// diagnoses many bounces sets one.
	ListMemory *dnsbl.Memory
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Timeout bounds the checks together; zero is 10 s.
	Timeout time.Duration
	// Progress, if set, is called when a check begins and ends, from several
	// goroutines.
	Progress func(Event)
}

// An Event tells of a check's progress.
type Event struct {
	Check string
	Done  *Check // nil at the beginning
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
	report, err := c.read()
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, errors.Join(ErrNoTime, context.Cause(ctx))
	}
	r := d.newRun(c, report)
	r.state()
	r.lookUp = &dnsbl.Checker{Resolver: r.resolver, Catalogue: r.asked(), Keys: r.keys, Now: d.Now, Memory: d.ListMemory}
	r.gather()
	r.check(ctx)
	r.rank()
	r.plan()
	return r.conclude(), nil
}

// read returns the report of what came back.
func (c *Case) read() (*bounce.Report, error) {
	switch {
	case c.Report != nil:
		return c.Report, nil
	case len(c.Bounce) > 0:
		return bounce.ParseBytes(c.Bounce), nil
	case c.Reply != "":
		return bounce.ParseReply(c.Reply), nil
	case c.Err != nil:
		return bounce.FromError(c.Err), nil
	}
	return nil, ErrNothing
}

// run is one diagnosis in the making.
type run struct {
	Case
	now      time.Time
	resolver *resolve.Recorder
	lists    *dnsbl.Catalogue
	keys     dnsbl.Keys
	lookUp   *dnsbl.Checker
	timeout  time.Duration
	progress func(Event)

	report        *bounce.Report
	original      *bounce.Report // as it was read
	facts         Facts
	statements    []statement
	authenticated sync.Once
	analyzed      sync.Once
	foreign       []string // signs that somebody else sent the mail
	findings      results
	out           *Diagnosis
}

func (d *Diagnoser) newRun(c Case, report *bounce.Report) *run {
	mine := *report // its recipients may be corrected
	mine.Recipients = slices.Clone(report.Recipients)
	r := &run{Case: c, report: &mine, original: report, lists: d.Lists, keys: d.Keys, timeout: d.Timeout, progress: d.Progress, out: &Diagnosis{Report: &mine}}
	resolver := d.Resolver
	if resolver == nil {
		resolver = systemResolver()
	}
	r.resolver = &resolve.Recorder{Resolver: resolver}
	if r.lists == nil {
		r.lists = dnsbl.Default()
	}
	if r.timeout <= 0 {
		r.timeout = defaultTimeout
	}
	if r.progress == nil {
		r.progress = func(Event) {}
	}
	r.now = time.Now()
	if d.Now != nil {
		r.now = d.Now()
	}
	return r
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
