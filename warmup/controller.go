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
	// First is the allowance of the first day, all providers together; 500 when 0.
	First int
	// Hours is over how many hours a day the sender spreads its mail; 24 when 0.
	Hours int
	// Location is where days begin and end; UTC when nil.
	Location *time.Location
	// Limits are the thresholds; see [DefaultLimits].
	Limits *Limits
}

// Limits are the thresholds of the controller, as rates from 0 to 1. A rate counts as
// above a limit only when its lower bound is (Wilson, 95 %): a few mails prove nothing.
type Limits struct {
	DeferredHold, DeferredBack   float64 // of what was delivered or deferred on a day
	Blocked                      float64 // of what was delivered or blocked on a day
	BouncedHold, BouncedBack     float64 // hard bounces, of what was accepted; the last days count too
	ComplainedHold, ComplainBack float64 // of what was delivered; the last days count too
	Breaker                      float64 // deferred, of that and what was delivered, in the last hours
	HourBlocked                  float64 // blocked, of that and what was delivered, in an hour
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
		Breaker: 0.15, HourBlocked: 0.30,
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
	minGrowth   = 1.05 // a day
	largeGrowth = 1.5  // above large
	hugeGrowth  = 1.25 // above huge
	large       = 100_000
	huge        = 250_000

	learnClean = 1.12 // how much of the growth beyond 1 is kept or won: after a clean day
	learnHold  = 0.85
	learnBack  = 0.60

	backOff    = 0.7
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
	// RetryAt is when more may go; the zero time when all that was asked for was granted.
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

	mu     sync.Mutex
	lines  map[key]*line
	order  []*line // by identity and provider, once sorted
	sorted bool
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
	return &Controller{cfg: cfg, limits: limits, lines: map[key]*line{}}, nil
}

func (g Goal) check() error {
	if err := checkTarget(g.Target); err != nil {
		return err
	}
	return g.Mix.check()
}

func (c *Controller) goal(identity string) Goal {
	if g, ok := c.cfg.Goals[identity]; ok {
		return g
	}
	return c.cfg.Goal
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

// startOf is when a day begins.
func (c *Controller) startOf(d Date) time.Time {
	y, m, day := d.Time().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, c.cfg.Location)
}

// line finds or begins the line of an identity and a provider, at a day.
func (c *Controller) line(identity string, p Provider, day Date) *line {
	if l, ok := c.lines[key{identity, p}]; ok {
		return l
	}
	g := c.goal(identity)
	if n := len(c.order); n > 0 && c.order[n-1].Identity == identity {
		identity = c.order[n-1].Identity // one copy for all its providers
	} else {
		identity = strings.Clone(identity)
	}
	if _, ok := g.Mix[p]; !ok {
		p = Other
		if l, ok := c.lines[key{identity, p}]; ok {
			return l
		}
	}
	share := g.Mix[p]
	l := &line{Line: Line{Identity: identity, Provider: Provider(strings.Clone(string(p))), Day: day, Growth: c.limits.Growth}}
	l.share = int(math.Round(float64(g.Target) * share))
	l.first = c.firstOf(g, l.Provider, l.share)
	l.Allowance = l.first
	c.lines[key{l.Identity, p}] = l
	c.order, c.sorted = append(c.order, l), false
	return l
}

// firstOf is the allowance of a first day.
func (c *Controller) firstOf(g Goal, p Provider, share int) int {
	return min(share, max(min(leastDay, c.cfg.First), int(float64(c.cfg.First)*g.Mix[p])))
}

// Allow reserves up to n mails from an identity to a provider, and says how many may go
// now. What was reserved counts as sent; [Controller.Release] gives back what was not.
// Mails that are tried again count like new ones, and should go first.
func (c *Controller) Allow(identity string, p Provider, n int, now time.Time) Grant {
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
	case l.Spent >= l.Allowance:
		g.Reason = Reason{Code: DaySpent, N: l.Spent, Limit: float64(l.Allowance), Until: c.startOf(l.Day + 1)}
	default:
		perHour := l.perHour(c.cfg.Hours)
		ok := min(n, perHour-l.HourSpent, l.Allowance-l.Spent)
		g.OK = max(ok, 0)
		l.Spent += g.OK
		l.HourSpent += g.OK
		if g.OK < n {
			g.Reason = Reason{Code: HourSpent, N: l.HourSpent, Limit: float64(perHour), Until: at.next()}
			if l.Spent >= l.Allowance {
				g.Reason = Reason{Code: DaySpent, N: l.Spent, Limit: float64(l.Allowance), Until: c.startOf(l.Day + 1)}
			}
		}
	}
	g.Overflow = n - g.OK
	if g.OK < n {
		g.RetryAt = g.Reason.Until
	}
	return g
}

// Release gives back mails of today's that were reserved and not sent.
func (c *Controller) Release(identity string, p Provider, n int, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.moment(now)
	l := c.line(identity, p, at.day)
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
	if o.Kind < Delivered || o.Kind > Listed || n < 0 || n > MaxTarget || o.Hint.Wait < 0 || o.Hint.Wait > maxHint || o.Hint.Connections < 0 {
		return fmt.Errorf("%w: %s, %d mails, wait %v", ErrOutcome, o.Kind, o.N, o.Hint.Wait)
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

// maxHint bounds what a provider can ask for.
const maxHint = 30 * 24 * time.Hour

func (c *Controller) observe(l *line, k Kind, n int, h Hint, at moment) {
	l.count(k, n)
	switch k {
	case Deferred:
		c.breaker(l, h, at)
	case Blocked:
		if low := lower(l.HourBlocked, l.HourAll); low > c.limits.HourBlocked {
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
	if at.t.Before(l.Until) || lower(l.RecentDeferred, l.RecentAll) <= c.limits.Breaker {
		return
	}
	l.Trips++
	l.Cut = l.cut() / 2
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
	l.Until, l.Why = at.t.Add(time.Duration(min(l.Pauses, 3))*24*time.Hour), why
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
// [Controller.Observe], not beside it. The same figures twice count once. Figures of a
// closed day, or lower ones than before, are refused, and then nothing is taken in.
func (c *Controller) Record(list []Stats, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.moment(now)
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Stats) int { return cmp.Compare(a.Day, b.Day) })
	seen := map[key][5]int{}
	days := map[key]Date{}
	for _, s := range list {
		k, was, day := c.before(s)
		if d, ok := days[k]; ok {
			was, day = seen[k], d
		}
		got := s.counts()
		if slices.ContainsFunc(got[:], func(n int) bool { return n < 0 || n > MaxTarget }) || s.Hint.Wait < 0 || s.Hint.Wait > maxHint {
			return fmt.Errorf("%w: %+v", ErrOutcome, s)
		}
		switch {
		case s.Day < day:
			return fmt.Errorf("%w: %s; %s to %s is at %s", ErrClosed, s.Day, s.Identity, s.Provider, day)
		case s.Day > at.day:
			return fmt.Errorf("%w: %s lies ahead, it is %s", ErrOutcome, s.Day, at.day)
		case s.Day > day:
			was = [5]int{}
		}
		for i := range got {
			if got[i] < was[i] {
				return fmt.Errorf("%w: %s to %s on %s", ErrFewer, s.Identity, s.Provider, s.Day)
			}
		}
		seen[k], days[k] = got, s.Day
	}
	for _, s := range list {
		l := c.line(s.Identity, s.Provider, s.Day)
		when := c.moment(c.startOf(s.Day + 1).Add(-time.Second))
		if s.Day == at.day {
			when = at
		}
		c.bring(l, when)
		was, got := l.counts(), s.counts()
		for i, n := range got {
			if n > was[i] {
				c.observe(l, Kind(i+1), n-was[i], Hint{}, when)
			}
		}
		if s.Listed {
			c.observe(l, Listed, 1, Hint{}, when)
		}
		if s.Hint != (Hint{}) {
			c.observe(l, 0, 0, s.Hint, when)
		}
	}
	return nil
}

// before returns the day that a line is at, and its counts.
func (c *Controller) before(s Stats) (key, [5]int, Date) {
	k := key{s.Identity, s.Provider}
	if _, ok := c.goal(s.Identity).Mix[s.Provider]; !ok {
		k.provider = Other
	}
	if l, ok := c.lines[k]; ok {
		return k, l.counts(), l.Day
	}
	return k, [5]int{}, math.MinInt32
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

// Status returns where each line stands at a time, by identity and provider.
func (c *Controller) Status(now time.Time) []Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.moment(now)
	var all []Status
	for _, l := range c.inOrder() {
		if at.day > l.Day {
			c.bring(l, at)
		}
		s := Status{Identity: l.Identity, Provider: l.Provider, Day: l.Day, Allowance: l.Allowance, Spent: l.Spent, Share: l.share, Done: l.Held >= heldDays}
		if now.Before(l.Until) {
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

// Begin makes the lines of an identity, so that Close and Status tell of them before the
// first mail. With evidence of what it sent before, each begins where that says.
func (c *Controller) Begin(identity string, from map[Provider]Evidence, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.moment(now)
	for _, p := range c.goal(identity).Mix.Providers() {
		l := c.line(identity, p, at.day)
		e, ok := from[p]
		if !ok {
			continue
		}
		v := float64(min(max(e.Volume, 0), MaxTarget)) * math.Pow(idleDecay, float64(max(e.Idle, 0)))
		l.Best = v
		if e.Blocked {
			v *= afterBlock
		}
		if e.Idle >= forgotten {
			v, l.Best = 0, 0
		}
		l.Allowance = min(l.share, max(l.first, int(v)))
	}
}
