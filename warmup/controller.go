package warmup

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// A Goal is what an identity is to send in the end.
type Goal struct {
	Target int `json:"target"` // mails a day, all providers together
	Mix    Mix `json:"mix"`
}

// A Config is what a [Controller] goes by. Goal must be given; the rest is good as it is.
type Config struct {
	// Goal is that of every identity that Goals does not name. An identity is what
	// receivers know a sender by, and what is warmed up: an address, or a domain that signs.
	Goal  Goal
	Goals map[string]Goal
	// First is the allowance of the first day, all providers together, and 20 at least to
	// each; 500 when 0.
	First int
	// Hours is over how many hours a day the sender spreads its mail; 24 when 0. A sender
	// that uses fewer hours than that leaves some of its allowance, and less than Limits.Used
	// of it never rises.
	Hours int
	// Location is where days begin and end; UTC when nil.
	Location *time.Location
	// Limits are the thresholds; see [DefaultLimits].
	Limits *Limits
}

// Limits are the thresholds of the controller, as rates from 0 to 1. A rate counts as
// above a limit only when its lower bound is (Wilson, 95 %), and when three mails and more
// are behind it: one or two prove nothing.
type Limits struct {
	DeferredHold, DeferredBack   float64 // of what was delivered or deferred on a day
	Blocked                      float64 // of what was delivered or blocked on a day
	BouncedHold, BouncedBack     float64 // hard bounces, of what was accepted; the last days count too
	ComplainedHold, ComplainBack float64 // of what was delivered; the last days count too
	Breaker                      float64 // deferred, of that and what was delivered, in the last hours
	BlockedNow                   float64 // blocked, of that and what was delivered, in the last hours
	Used                         float64 // of the allowance: less delivered is no evidence for more
	Delivered                    float64 // of the attempts: less is no ground for more
	Growth                       float64 // the largest factor from a day to the next
}

// DefaultLimits are the thresholds of a zero Config. Those of complaints are Google's
// (https://support.google.com/mail/answer/81126) and Yahoo's, that of bounces is Braze's;
// the rest is tuned on the simulation of package warmuptest.
func DefaultLimits() Limits {
	return Limits{
		DeferredHold: 0.03, DeferredBack: 0.10,
		Blocked:     0.05,
		BouncedHold: 0.02, BouncedBack: 0.05,
		ComplainedHold: 0.001, ComplainBack: 0.003,
		Breaker: 0.15, BlockedNow: 0.30,
		Used: 0.60, Delivered: 0.85,
		Growth: maxGrowth,
	}
}

// The constants of the controller. Where no source is named they are tuned on the
// simulation.
const (
	firstDay    = 500  // mails on the first day, all providers together
	leastDay    = 20   // mails on the first day to one provider
	maxGrowth   = 2.5  // a day
	minGrowth   = 1.06 // a day
	largeGrowth = 1.5  // above large
	hugeGrowth  = 1.25 // above huge
	large       = 100_000
	huge        = 250_000

	learnClean = 1.12 // how much of the growth beyond 1 is kept or won: after a clean day
	learnHold  = 0.85
	learnBack  = 0.70

	few        = 3 // mails that prove something
	backOff    = 0.7
	leastKept  = 0.25 // of the allowance, after a day that was worse
	unusedMost = 4    // times what was delivered of late: a larger allowance comes down
	leastCut   = 1.0 / 64
	afterBlock = 0.25
	idleDecay  = 0.98
	forgotten  = 30   // days after which a provider has forgotten a sender (SendGrid, Braze)
	memory     = 0.8  // a day, of bounces and complaints
	usual      = 0.97 // what a good day delivers of its mail
	held       = 0.93
	heldDays   = 3 // days at the target after which a warm-up is done
	forgiven   = 5 // clean days after which earlier blocks do not lengthen a pause
)

// ceiling is the largest growth at a volume a day.
func ceiling(volume, growth float64) float64 {
	switch {
	case volume > huge:
		return min(growth, hugeGrowth)
	case volume > large:
		return min(growth, largeGrowth)
	}
	return growth
}

// A Kind is what became of a mail.
type Kind uint8

const (
	Delivered  Kind = iota + 1 // accepted
	Deferred                   // refused for now: too much, or not known well enough
	Blocked                    // refused for the sender's sake
	HardBounce                 // refused for the recipient's sake, for good
	Complaint                  // reported as spam by who got it
	Listed                     // the identity is on a block list; N does not matter
)

var kinds = [...]string{"", "delivered", "deferred", "blocked", "hard-bounce", "complaint", "listed"}

// String returns the kind as it stands in JSON.
func (k Kind) String() string {
	if int(k) < len(kinds) && k > 0 {
		return kinds[k]
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler].
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (k *Kind) UnmarshalText(b []byte) error {
	i := slices.Index(kinds[:], string(b))
	if i < 1 {
		return fmt.Errorf("warmup: there is no outcome %q", b)
	}
	*k = Kind(i)
	return nil
}

// An Outcome is what became of N mails to a provider; N is 1 when 0.
type Outcome struct {
	Provider Provider `json:"provider"`
	Kind     Kind     `json:"kind"`
	N        int      `json:"n,omitempty"`
	Hint     Hint     `json:"hint,omitzero"`
}

// A Hint is what a provider says of when and how to go on. Its wait goes before the
// controller's own.
type Hint struct {
	Wait        time.Duration // send nothing until then
	Connections int           // then open that many at once
}

// hintJSON is a hint with its wait as "10m0s".
type hintJSON struct {
	Wait        string `json:"wait,omitempty"`
	Connections int    `json:"connections,omitempty"`
}

// MarshalJSON implements [json.Marshaler]. The wait is in the form of [time.Duration].
func (h Hint) MarshalJSON() ([]byte, error) {
	j := hintJSON{Connections: h.Connections}
	if h.Wait != 0 {
		j.Wait = h.Wait.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (h *Hint) UnmarshalJSON(b []byte) error {
	var j hintJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*h = Hint{Connections: j.Connections}
	if j.Wait == "" {
		return nil
	}
	d, err := time.ParseDuration(j.Wait)
	h.Wait = d
	return err
}

// A Grant is what may go now.
type Grant struct {
	OK int // mails that are reserved for the caller
	// RetryAt is when more may go; the zero time when all that was asked for was granted, or
	// nothing ever may (NoShare, BadName).
	RetryAt time.Time
	// Overflow is what was not granted: mails for addresses that are warm already, or for
	// later.
	Overflow int
	// Connections is how many connections to open at once; 0 is as many as usual.
	Connections int
	Reason      Reason // why less than asked for was granted
}

// The errors of outcomes. The state is as it was before.
var (
	ErrOutcome = errors.New("warmup: this is no outcome")
	ErrClosed  = errors.New("warmup: that day is closed")
	ErrFewer   = errors.New("warmup: the day's figures were higher before")
)

// A Controller says how many mails may go, by what became of those before.
type Controller struct {
	cfg    Config
	limits Limits
	aim    aim
	aims   map[string]aim

	mu     sync.Mutex
	lines  map[key]*line
	order  []*line // by identity and provider, once sorted
	sorted bool
}

// An aim is a goal with its parts for each provider.
type aim struct {
	mix          Mix
	share, first map[Provider]int // mails a day in the end, and on the first day
}

// aimOf works a goal out.
func (cfg Config) aimOf(g Goal) aim {
	order := g.Mix.Providers()
	a := aim{g.Mix, map[Provider]int{}, map[Provider]int{}}
	shares, firsts := g.Mix.split(g.Target, order), g.Mix.split(cfg.First, order)
	for i, p := range order {
		a.share[p] = shares[i]
		a.first[p] = min(shares[i], max(min(leastDay, cfg.First), firsts[i]))
	}
	return a
}

type key struct {
	identity string
	provider Provider
}

// New returns a controller without a history.
func New(cfg Config) (*Controller, error) {
	if cfg.Goal.Mix == nil {
		cfg.Goal.Mix = DefaultMix()
	}
	if err := cfg.Goal.check(); err != nil {
		return nil, err
	}
	cfg.Goals = maps.Clone(cfg.Goals)
	for _, name := range slices.Sorted(maps.Keys(cfg.Goals)) {
		g := cfg.Goals[name]
		if g.Mix == nil {
			g.Mix = cfg.Goal.Mix
			cfg.Goals[name] = g
		}
		if err := g.check(); err != nil {
			return nil, fmt.Errorf("%w (of %s)", err, name)
		}
	}
	if cfg.Hours == 0 {
		cfg.Hours = 24
	}
	if cfg.First == 0 {
		cfg.First = firstDay
	}
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	if cfg.Hours < 1 || cfg.Hours > 24 || cfg.First < 1 || cfg.First > MaxTarget {
		return nil, errors.New("warmup: Hours may be 1 to 24, First 1 and more")
	}
	limits := DefaultLimits()
	if cfg.Limits != nil {
		limits = *cfg.Limits
	}
	if !(limits.Growth >= minGrowth && limits.Growth <= 10) {
		return nil, fmt.Errorf("warmup: a growth of %v a day: it may be %v to 10", limits.Growth, minGrowth)
	}
	c := &Controller{cfg: cfg, limits: limits, lines: map[key]*line{}, aim: cfg.aimOf(cfg.Goal), aims: map[string]aim{}}
	for name, g := range cfg.Goals {
		c.aims[name] = cfg.aimOf(g)
	}
	return c, nil
}

func (g Goal) check() error {
	if err := checkTarget(g.Target); err != nil {
		return err
	}
	return g.Mix.check()
}

func (c *Controller) aimFor(identity string) aim {
	if a, ok := c.aims[identity]; ok {
		return a
	}
	return c.aim
}

// A moment is a time as the controller sees it.
type moment struct {
	t      time.Time
	offset int64 // of the sender's zone, in seconds
	hour   int64 // of that zone, since 1970
	day    Date
}

func (c *Controller) moment(now time.Time) moment {
	var offset int64
	if c.cfg.Location != time.UTC {
		_, seconds := now.In(c.cfg.Location).Zone()
		offset = int64(seconds)
	}
	local := now.Unix() + offset
	return moment{now, offset, floorDiv(local, 3600), Date(floorDiv(local, 86400))}
}

// next is when the next hour begins.
func (m moment) next() time.Time {
	return time.Unix((m.hour+1)*3600-m.offset, 0).In(m.t.Location())
}

// startOf is when a day begins: at midnight, or where that is left out, as some zones do
// in spring, at the next moment there is.
func (c *Controller) startOf(d Date) time.Time {
	y, m, day := d.Time().Date()
	t := time.Date(y, m, day, 0, 0, 0, 0, c.cfg.Location)
	if DateOf(t) < d {
		if _, end := t.ZoneBounds(); !end.IsZero() {
			t = end
		}
	}
	return t
}

// counted is the provider that a mail to p counts as.
func (a aim) counted(p Provider) Provider {
	if _, ok := a.mix[p]; !ok {
		return Other
	}
	return p
}

// line finds or begins the line of an identity and a provider, at a day.
func (c *Controller) line(identity string, p Provider, day Date) *line {
	a := c.aimFor(identity)
	p = a.counted(p)
	if l, ok := c.lines[key{identity, p}]; ok {
		return l
	}
	if n := len(c.order); n > 0 && c.order[n-1].Identity == identity {
		identity = c.order[n-1].Identity // one copy for all its providers
	} else {
		identity = strings.Clone(identity)
	}
	l := &line{Line: Line{Identity: identity, Provider: Provider(strings.Clone(string(p))), Day: day, Growth: c.limits.Growth}}
	l.share, l.first = a.share[p], a.first[p]
	l.Allowance = l.first
	c.lines[key{l.Identity, l.Provider}] = l
	c.order, c.sorted = append(c.order, l), false
	return l
}

// maxIdentity bounds the name of an identity, in octets: that of a domain.
const maxIdentity = 255

func validIdentity(s string) bool {
	return s != "" && len(s) <= maxIdentity && utf8.ValidString(s)
}

// Allow reserves up to n mails from an identity to a provider, and says how many may go
// now. What was reserved counts as sent; [Controller.Release] gives back what was not.
// Mails that are tried again count like new ones, and should go first.
func (c *Controller) Allow(identity string, p Provider, n int, now time.Time) Grant {
	if !validIdentity(identity) {
		return Grant{Overflow: max(n, 0), Reason: Reason{Code: BadName}}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.moment(now)
	l := c.line(identity, p, at.day)
	c.bring(l, at)
	return c.allow(l, max(n, 0), at)
}

func (c *Controller) allow(l *line, n int, at moment) Grant {
	g := Grant{Connections: l.Connections}
	switch {
	case l.share == 0:
		g.Reason = Reason{Code: NoShare}
		g.Overflow = n
		return g
	case at.day < l.Day: // a clock that was set back must not spend a day twice
		g.Reason = Reason{Code: ClockBack, Until: c.startOf(l.Day)}
	case at.t.Before(l.Until):
		g.Reason = Reason{Code: l.Why, Until: l.Until}
	case l.Spent >= l.allowed():
		g.Reason = c.daySpent(l)
	default:
		perHour := l.perHour(c.cfg.Hours)
		ok := min(n, perHour-l.HourSpent, l.allowed()-l.Spent)
		g.OK = max(ok, 0)
		l.Spent += g.OK
		l.HourSpent += g.OK
		switch {
		case g.OK == n:
		case l.Spent >= l.allowed():
			g.Reason = c.daySpent(l)
		default:
			g.Reason = Reason{Code: HourSpent, N: l.HourSpent, Limit: float64(perHour), Until: at.next()}
		}
	}
	g.Overflow = n - g.OK
	if g.OK < n {
		g.RetryAt = g.Reason.Until
	}
	return g
}

// daySpent says that nothing more may go on the line's day.
func (c *Controller) daySpent(l *line) Reason {
	return Reason{Code: DaySpent, N: l.Spent, Limit: float64(l.allowed()), Until: c.startOf(l.Day + 1)}
}

// Release gives back mails of today's that were reserved and not sent.
func (c *Controller) Release(identity string, p Provider, n int, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.moment(now)
	l, ok := c.lines[key{identity, c.aimFor(identity).counted(p)}]
	if !ok || at.day < l.Day { // of a day that is closed
		return
	}
	c.bring(l, at)
	n = min(max(n, 0), l.Spent)
	l.Spent -= n
	l.HourSpent = max(0, l.HourSpent-n)
}

// Observe takes in what became of mails. Deferrals and blocks act at once; the rest at the
// end of the day. An outcome of a day that is closed is refused: [ErrClosed].
func (c *Controller) Observe(identity string, o Outcome, now time.Time) error {
	n := o.N
	if n == 0 {
		n = 1
	}
	if o.Kind < Delivered || o.Kind > Listed || n < 0 || n > MaxTarget || !o.Hint.valid() || !validIdentity(identity) {
		return fmt.Errorf("%w: %s, %d mails from %.50q, %+v", ErrOutcome, o.Kind, o.N, identity, o.Hint)
	}
	if err := c.aimFor(identity).check(o.Provider); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.moment(now)
	l := c.line(identity, o.Provider, at.day)
	if at.day < l.Day {
		return fmt.Errorf("%w: %s; %s to %s is at %s", ErrClosed, at.day, identity, l.Provider, l.Day)
	}
	c.bring(l, at)
	c.observe(l, o.Kind, n, o.Hint, at)
	return nil
}

// What a provider can ask for.
const (
	maxHint        = 30 * 24 * time.Hour
	maxConnections = 1000
)

func (h Hint) valid() bool {
	return h.Wait >= 0 && h.Wait <= maxHint && h.Connections >= 0 && h.Connections <= maxConnections
}

// check reports why outcomes of a provider cannot be counted.
func (a aim) check(p Provider) error {
	_, named := a.mix[p]
	_, other := a.mix[Other]
	if !p.valid() || !named && !other {
		return fmt.Errorf("%w: %q; the mix has %v", ErrProvider, string(p), a.mix.Providers())
	}
	return nil
}

func (c *Controller) observe(l *line, k Kind, n int, h Hint, at moment) {
	l.count(k, n)
	switch k {
	case Deferred:
		c.breaker(l, h, at)
	case Blocked:
		if l.RecentBlocked >= few && lower(l.RecentBlocked, l.RecentDelivered+l.RecentBlocked) > c.limits.BlockedNow {
			c.pause(l, BlockedNow, at)
		}
	case Listed:
		c.pause(l, OnList, at)
	}
	if h.Wait > 0 {
		if until := at.t.Add(h.Wait); until.After(l.Until) {
			l.Until, l.Why = until, Asked
		}
		l.Signals = true
	}
	if h.Connections > 0 {
		l.Connections = h.Connections
	}
}

// breaker closes a provider for two, four, eight hours when the deferrals of the last hours
// show that it takes less than it is sent, and halves what goes in an hour.
func (c *Controller) breaker(l *line, h Hint, at moment) {
	if at.t.Before(l.Until) || l.RecentDeferred < few || lower(l.RecentDeferred, l.RecentDelivered+l.RecentDeferred) <= c.limits.Breaker {
		return
	}
	l.Trips++
	l.Cut = max(l.cut()/2, leastCut)
	l.Signals = true
	if h.Wait == 0 {
		l.Until, l.Why = at.t.Add(time.Duration(1<<min(l.Trips, 3))*time.Hour), Breaker
		if next := c.startOf(l.Day + 1); next.Before(l.Until) {
			l.Until = next // a new day begins with its own allowance
		}
	}
}

// pause stops a provider for one, two, three days.
func (c *Controller) pause(l *line, why Code, at moment) {
	l.Signals = true
	if at.t.Before(l.Until) && (l.Why == BlockedNow || l.Why == OnList) {
		return // of mail that was on its way
	}
	l.Stopped = true
	l.Pauses++
	l.Why = why
	if until := at.t.Add(time.Duration(min(l.Pauses, 3)) * 24 * time.Hour); until.After(l.Until) {
		l.Until = until
	}
}

// Stats are the figures of a day so far, of one identity and provider.
type Stats struct {
	Identity   string   `json:"identity"`
	Provider   Provider `json:"provider"`
	Day        Date     `json:"day"`
	Delivered  int      `json:"delivered"`
	Deferred   int      `json:"deferred,omitempty"`
	Blocked    int      `json:"blocked,omitempty"`
	HardBounce int      `json:"hard_bounce,omitempty"`
	Complaint  int      `json:"complaint,omitempty"`
	Listed     bool     `json:"listed,omitempty"`
	Hint       Hint     `json:"hint,omitzero"`
}

// Record takes in the figures of days so far, as a dashboard gives them: in place of
// [Controller.Observe], not beside it. The same figures twice count once. Those of providers
// that the mix does not name count together as Other's, and so must be in one call. Figures
// of a closed day, or lower ones than before, are refused, and then nothing is taken in.
func (c *Controller) Record(list []Stats, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.moment(now)
	list, err := c.together(list)
	if err != nil {
		return err
	}
	for i, s := range list {
		var was [5]int
		day := Date(math.MinInt32)
		if i > 0 && list[i-1].Identity == s.Identity && list[i-1].Provider == s.Provider {
			day = list[i-1].Day + 1
		} else if l, ok := c.lines[key{s.Identity, s.Provider}]; ok {
			if day = l.Day; s.Day == day {
				was = l.counts()
			}
		}
		switch {
		case s.Day < day:
			return fmt.Errorf("%w: %s; %s to %s is at %s", ErrClosed, s.Day, s.Identity, s.Provider, day)
		case s.Day > at.day:
			return fmt.Errorf("%w: %s lies ahead, it is %s", ErrOutcome, s.Day, at.day)
		}
		for j, n := range s.counts() {
			if n < was[j] {
				return fmt.Errorf("%w: %s to %s on %s: %d %s, and %d before", ErrFewer, s.Identity, s.Provider, s.Day, n, Kind(j+1), was[j])
			}
		}
	}
	for _, s := range list {
		l := c.line(s.Identity, s.Provider, s.Day)
		when := c.moment(c.startOf(s.Day + 1).Add(-time.Second))
		if s.Day == at.day {
			when = at
		}
		c.bring(l, when)
		was, rose := l.counts(), false
		for i, n := range s.counts() {
			if n > was[i] {
				rose = true
				c.observe(l, Kind(i+1), n-was[i], Hint{}, when)
			}
		}
		if s.Listed && !l.Stopped {
			c.observe(l, Listed, 1, Hint{}, when)
		}
		if rose && s.Hint != (Hint{}) {
			c.observe(l, 0, 0, s.Hint, when)
		}
	}
	return nil
}

// together adds the figures of a day up by what they count as, and puts them in the order
// of identity, provider and day. Of two figures of one provider the later holds.
func (c *Controller) together(list []Stats) ([]Stats, error) {
	type of struct {
		key
		day Date
	}
	last := map[of]Stats{}
	var order []of
	for _, s := range list {
		if got := s.counts(); slices.ContainsFunc(got[:], func(n int) bool { return n < 0 || n > MaxTarget }) || !s.Hint.valid() || !validIdentity(s.Identity) {
			return nil, fmt.Errorf("%w: %+v", ErrOutcome, s)
		}
		if err := c.aimFor(s.Identity).check(s.Provider); err != nil {
			return nil, err
		}
		k := of{key{s.Identity, s.Provider}, s.Day}
		before, ok := last[k]
		if !ok {
			order = append(order, k)
		}
		for i, n := range s.counts() {
			if n < before.counts()[i] {
				return nil, fmt.Errorf("%w: %s to %s on %s", ErrFewer, s.Identity, s.Provider, s.Day)
			}
		}
		last[k] = s
	}
	sums := map[of]int{} // where in out
	var out []Stats
	for _, k := range order {
		s := last[k]
		s.Provider = c.aimFor(s.Identity).counted(s.Provider)
		k.provider = s.Provider
		i, ok := sums[k]
		if !ok {
			sums[k] = len(out)
			out = append(out, s)
			continue
		}
		o := &out[i]
		o.Delivered, o.Deferred, o.Blocked = add(o.Delivered, s.Delivered), add(o.Deferred, s.Deferred), add(o.Blocked, s.Blocked)
		o.HardBounce, o.Complaint, o.Listed = add(o.HardBounce, s.HardBounce), add(o.Complaint, s.Complaint), o.Listed || s.Listed
		o.Hint = Hint{max(o.Hint.Wait, s.Hint.Wait), max(o.Hint.Connections, s.Hint.Connections)}
	}
	slices.SortFunc(out, func(a, b Stats) int {
		return cmp.Or(strings.Compare(a.Identity, b.Identity), strings.Compare(string(a.Provider), string(b.Provider)), cmp.Compare(a.Day, b.Day))
	})
	return out, nil
}

func (s Stats) counts() [5]int {
	return [5]int{s.Delivered, s.Deferred, s.Blocked, s.HardBounce, s.Complaint}
}

// Close ends a day and returns what was decided for the next one, by identity and
// provider. A day that is closed gives the same again; lines that have gone on to a later
// day than the next give nothing.
func (c *Controller) Close(day Date) []Decision {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Decision
	for _, l := range c.inOrder() {
		if l.share == 0 {
			continue // no longer in the mix
		}
		if l.Day <= day {
			c.bring(l, c.moment(c.startOf(day+1)))
		}
		if l.Last.Day == day && l.Last.Action != 0 {
			all = append(all, l.decision())
		}
	}
	return all
}

// Status is where an identity stands with a provider.
type Status struct {
	Identity  string    `json:"identity"`
	Provider  Provider  `json:"provider"`
	Day       Date      `json:"day"`
	Allowance int       `json:"allowance"`
	Spent     int       `json:"spent"`
	Share     int       `json:"share"` // of the target
	Until     time.Time `json:"until,omitzero"`
	Why       string    `json:"why"`
	Done      bool      `json:"done"` // the share was delivered on three days
}

// Status returns where each line would stand at a time, by identity and provider. It
// changes nothing: outcomes of the days before can still be taken in.
func (c *Controller) Status(now time.Time) []Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.moment(now)
	var all []Status
	for _, saved := range c.inOrder() {
		if saved.share == 0 {
			continue
		}
		l := *saved
		c.bring(&l, at)
		held := now.Before(l.Until)
		s := Status{Identity: l.Identity, Provider: l.Provider, Day: l.Day, Allowance: l.allowed(), Spent: l.Spent, Share: l.share, Done: l.Held >= heldDays && !held && l.allowed() == l.share}
		if held {
			s.Until = l.Until
			s.Why = Reason{Code: l.Why, Until: l.Until}.String()
		} else if l.Last.Action != 0 {
			s.Why = l.decision().String()
		}
		all = append(all, s)
	}
	return all
}

// inOrder are the lines by identity and provider.
func (c *Controller) inOrder() []*line {
	if !c.sorted {
		slices.SortFunc(c.order, func(a, b *line) int {
			return cmp.Or(strings.Compare(a.Identity, b.Identity), strings.Compare(string(a.Provider), string(b.Provider)))
		})
		c.sorted = true
	}
	return c.order
}

// Begin makes the lines of an identity that are not there yet, so that Close and Status tell
// of them before the first mail. With evidence of what it sent before, each of these begins
// where that says.
func (c *Controller) Begin(identity string, from map[Provider]Evidence, now time.Time) error {
	if !validIdentity(identity) {
		return fmt.Errorf("warmup: %.50q is no name of an identity", identity)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.moment(now)
	for _, p := range c.aimFor(identity).mix.Providers() {
		if _, ok := c.lines[key{identity, p}]; ok {
			continue
		}
		l := c.line(identity, p, at.day)
		e, ok := from[p]
		if !ok || e.Idle >= forgotten {
			continue
		}
		l.Best = float64(min(max(e.Volume, 0), MaxTarget)) * math.Pow(idleDecay, float64(max(e.Idle, 0)))
		v := l.Best
		if e.Blocked {
			v *= afterBlock
		}
		l.Allowance = min(l.share, max(l.first, int(v)))
	}
	return nil
}
