package warmup

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// A line is the state of an identity with a provider, and what its goal makes of it.
type line struct {
	Line
	share int // mails a day in the end
	first int // of the first day
}

// A Line is the state of one identity with one provider.
type Line struct {
	Identity  string   `json:"identity"`
	Provider  Provider `json:"provider"`
	Day       Date     `json:"day"`
	Allowance int      `json:"allowance"` // mails on that day
	Growth    float64  `json:"growth"`    // what a clean day may multiply it by
	Best      float64  `json:"best"`      // mails delivered on the best day, fading

	// What was seen of days before, fading.
	PastDelivered  float64 `json:"past_delivered,omitempty"`
	PastBounced    float64 `json:"past_bounced,omitempty"`
	PastComplained float64 `json:"past_complained,omitempty"`

	// The day so far.
	Spent      int  `json:"spent,omitempty"`
	Delivered  int  `json:"delivered,omitempty"`
	Deferred   int  `json:"deferred,omitempty"`
	Blocked    int  `json:"blocked,omitempty"`
	HardBounce int  `json:"hard_bounce,omitempty"`
	Complaint  int  `json:"complaint,omitempty"`
	Signals    bool `json:"signals,omitempty"` // the provider asked for less
	Stopped    bool `json:"stopped,omitempty"` // it blocked, or a list did

	// The hours so far.
	Hour      int64 `json:"hour,omitempty"` // since 1970
	HourSpent int   `json:"hour_spent,omitempty"`
	// fading by a half each hour
	RecentDelivered float64 `json:"recent_delivered,omitempty"`
	RecentDeferred  float64 `json:"recent_deferred,omitempty"`
	RecentBlocked   float64 `json:"recent_blocked,omitempty"`
	Trips           int     `json:"trips,omitempty"`
	Cut             float64 `json:"cut,omitempty"` // of an hour's mail; 0 is 1
	Connections     int     `json:"connections,omitempty"`

	Until  time.Time `json:"until,omitzero"` // nothing goes before
	Why    Code      `json:"why,omitempty"`
	Pauses int       `json:"pauses,omitempty"`
	Clean  int       `json:"clean,omitempty"` // days in a row
	Held   int       `json:"held,omitempty"`  // days at the target
	Idle   int       `json:"idle,omitempty"`  // days in a row without mail

	Last Decided `json:"last,omitzero"`
}

// Decided is the last decision of a line.
type Decided struct {
	Day    Date   `json:"day"`
	Action Action `json:"action"`
	From   int    `json:"from"`
	To     int    `json:"to"`
	Reason Reason `json:"reason"`
}

// perHour is what may go in an hour.
func (l *line) perHour(hours int) int {
	return int(math.Ceil(float64(l.allowed()) / float64(hours) * l.cut()))
}

// allowed is the allowance within the goal of now, which may be another than before.
func (l *line) allowed() int {
	if l.Allowance == 0 {
		return l.first
	}
	return min(l.Allowance, l.share)
}

func (l *line) cut() float64 {
	if l.Cut == 0 {
		return 1
	}
	return l.Cut
}

func (l *line) count(k Kind, n int) {
	recent := func(to *float64) { *to = min(*to+float64(n), maxRecent) }
	switch k {
	case Delivered:
		l.Delivered = add(l.Delivered, n)
		recent(&l.RecentDelivered)
	case Deferred:
		l.Deferred = add(l.Deferred, n)
		recent(&l.RecentDeferred)
	case Blocked:
		l.Blocked = add(l.Blocked, n)
		recent(&l.RecentBlocked)
	case HardBounce:
		l.HardBounce = add(l.HardBounce, n)
	case Complaint:
		l.Complaint = add(l.Complaint, n)
	}
}

// maxRecent bounds what is counted of the last hours.
const maxRecent = 1e12

// add adds without leaving what an int32 holds, for a machine whose int is one.
func add(a, b int) int { return int(min(int64(a)+int64(b), math.MaxInt32)) }

func (l *line) counts() [5]int {
	return [5]int{l.Delivered, l.Deferred, l.Blocked, l.HardBounce, l.Complaint}
}

// bring takes a line to a moment: hours fade, days are closed.
func (c *Controller) bring(l *line, at moment) {
	for l.Day < at.day {
		if gap := int(at.day - l.Day); gap > 1 && l.untouched() && !l.Until.After(c.startOf(l.Day+1)) {
			l.idle(gap) // a run of days without mail
			l.Day = at.day
			break
		}
		c.close(l)
	}
	if l.Hour == at.hour || at.day < l.Day {
		return
	}
	if past := at.hour - l.Hour; past > 0 {
		fade := math.Pow(0.5, float64(min(past, 64)))
		if l.Connections > 0 && l.RecentDelivered >= 1 && l.RecentBlocked+l.RecentDeferred < 0.5 {
			if l.Connections++; l.Connections > 10 {
				l.Connections = 0
			}
		}
		l.RecentDelivered *= fade
		l.RecentDeferred *= fade
		l.RecentBlocked *= fade
		l.Hour, l.HourSpent = at.hour, 0
	}
}

// untouched reports whether nothing went out on a line's day; one or two late answers to
// mail of the days before do not count.
func (l *line) untouched() bool {
	return l.Spent == 0 && l.Delivered == 0 && l.Deferred+l.Blocked+l.HardBounce < few && !l.Stopped && l.Last.Action != 0
}

// idle lets days without mail pass.
func (l *line) idle(days int) {
	before := l.allowed()
	l.Idle += days
	if l.Held < heldDays {
		l.Held = 0
	}
	l.Best *= math.Pow(idleDecay, float64(days))
	fade := math.Pow(memory, float64(days))
	l.PastDelivered *= fade
	l.PastBounced *= fade
	l.PastComplained = l.PastComplained*fade + float64(l.Complaint)
	l.Last = Decided{Day: l.Day + Date(days) - 1, Action: Hold, From: before, To: before, Reason: Reason{Code: NoMail, N: l.Idle}}
	if l.Idle >= forgotten && l.Allowance > l.first {
		l.Allowance, l.Best = l.first, 0
		l.Last.Action, l.Last.To, l.Last.Reason.Code = Rewarm, l.first, Forgotten
	}
}

// close ends a line's day and decides on the next.
func (c *Controller) close(l *line) {
	day, before := l.Day, l.allowed()
	switch {
	case l.untouched() && l.Until.After(c.startOf(day+1)):
		l.Last = Decided{Day: day, Action: Pause, From: before, To: before, Reason: Reason{Code: l.Why, Until: l.Until}}
	case l.untouched():
		l.idle(1)
	default:
		l.Idle = 0
		action, reason := c.decide(l)
		c.apply(l, action, reason)
		if action == Pause && !l.Stopped {
			c.pause(l, BlockedNow, c.moment(c.startOf(day+1)))
			reason.Until = l.Until
		}
		l.Last = Decided{Day: day, Action: action, From: before, To: l.allowed(), Reason: reason}
	}
	l.Day++
	l.Spent, l.Delivered, l.Deferred, l.Blocked, l.HardBounce, l.Complaint = 0, 0, 0, 0, 0, 0
	l.Trips, l.Cut, l.Signals, l.Stopped = 0, 0, false, false
}

// decide judges a day. The tests go from the worst to the best; each acts on a lower
// bound, so that only what is certain acts.
func (c *Controller) decide(l *line) (Action, Reason) {
	lim := c.limits
	delivered := float64(l.Delivered)
	deferred := float64(l.Deferred)
	all := delivered + deferred + float64(l.Blocked) + float64(l.HardBounce)
	l.PastComplained = memory*l.PastComplained + float64(l.Complaint)
	l.PastDelivered = memory*l.PastDelivered + delivered
	l.PastBounced = memory*l.PastBounced + float64(l.HardBounce)
	l.Best = max(l.Best*idleDecay, delivered)
	if delivered >= held*float64(l.share) {
		l.Held++
	} else if l.Held < heldDays {
		l.Held = 0
	}
	// Each rate is of what it counts and what was delivered alone, so that one kind of
	// failure never hides another.
	rate := func(code Code, k, n, limit float64) (Reason, bool) {
		r := Reason{Code: code, K: k, N: int(n), Lower: lower(k, n), Limit: limit}
		return r, k >= few && r.Lower > limit
	}
	if l.Stopped {
		return Pause, Reason{Code: l.Why, Until: l.Until}
	}
	if r, bad := rate(BlockRate, float64(l.Blocked), delivered+float64(l.Blocked), lim.Blocked); bad {
		return Pause, r
	}
	accepted := l.PastDelivered + l.PastBounced
	for _, t := range []struct {
		action Action
		code   Code
		k, n   float64
		limit  float64
	}{
		{BackOff, DeferralRate, deferred, delivered + deferred, lim.DeferredBack},
		{BackOff, BounceRate, l.PastBounced, accepted, lim.BouncedBack},
		{BackOff, ComplaintRate, l.PastComplained, l.PastDelivered, lim.ComplainBack},
		{Hold, DeferralRate, deferred, delivered + deferred, lim.DeferredHold},
		{Hold, BounceRate, l.PastBounced, accepted, lim.BouncedHold},
		{Hold, ComplaintRate, l.PastComplained, l.PastDelivered, lim.ComplainedHold},
	} {
		if r, bad := rate(t.code, t.k, t.n, t.limit); bad {
			return t.action, r
		}
	}
	allowed := float64(l.allowed())
	attempts := min(allowed, max(float64(l.Spent), all))
	switch {
	case l.Signals, l.Until.After(c.startOf(l.Day)):
		return Hold, Reason{Code: SlowedDown, N: l.Deferred}
	case allowed > unusedMost*l.Best && l.allowed() > l.first:
		return BackOff, Reason{Code: Unused, N: int(l.Best)}
	case delivered < lim.Used*allowed:
		return Hold, Reason{Code: TooFew, K: float64(l.Spent), N: l.Delivered, Limit: lim.Used * allowed}
	case delivered < lim.Delivered*attempts:
		return Hold, Reason{Code: NotThrough, N: l.Delivered, Limit: attempts}
	case l.allowed() >= l.share:
		return Hold, Reason{Code: AtTarget, N: l.Delivered}
	}
	return Advance, Reason{Code: AllWell, N: l.Delivered, Limit: c.growth(l)}
}

// growth is the factor that a clean day gives.
func (c *Controller) growth(l *line) float64 { return ceiling(float64(l.allowed()), l.Growth) }

// apply changes the allowance, and what is learnt of growth.
func (c *Controller) apply(l *line, a Action, why Reason) {
	from := float64(l.allowed())
	to, keep := from, 1.0
	switch a {
	case Advance:
		growth := c.growth(l)
		delivered := float64(l.Delivered)
		to = max(to, min(math.Round(min(to*growth, delivered*growth/usual)), delivered*c.limits.Growth))
		keep = learnClean
		l.Clean++
		if l.Clean > forgiven {
			l.Pauses = 0
		}
	case Hold:
		if why.Code.isRate() || l.Signals {
			keep = learnHold
		}
		if l.allowed() >= l.share && !l.Signals {
			l.Clean++
		}
	case BackOff:
		to = min(to*backOff, max(float64(l.Delivered), to*leastKept))
		keep, l.Clean = learnBack, 0
		if why.Code == Unused {
			to, keep = unusedMost*l.Best, 1
		}
	case Pause:
		to = min(to, l.Best) * afterBlock
		keep, l.Clean = learnBack, 0
	}
	if a == BackOff || a == Pause {
		to = min(from, max(to, float64(l.first)))
	}
	l.Growth = min(c.limits.Growth, max(minGrowth, 1+(l.Growth-1)*keep))
	if to != from || l.Allowance == 0 { // a goal that was lower for a day leaves no trace
		l.Allowance = min(l.share, int(to))
	}
}

// An Action is what was decided at the end of a day.
type Action uint8

const (
	Advance Action = iota + 1 // more tomorrow
	Hold                      // as much tomorrow
	BackOff                   // less tomorrow
	Pause                     // nothing for a while, then a quarter
	Rewarm                    // from the start
)

var actions = [...]string{"", "advance", "hold", "back-off", "pause", "re-warm"}

// String returns the action as it stands in JSON.
func (a Action) String() string {
	if int(a) < len(actions) {
		return actions[a]
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler].
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *Action) UnmarshalText(b []byte) error {
	for i, s := range actions {
		if s == string(b) {
			*a = Action(i)
			return nil
		}
	}
	return fmt.Errorf("warmup: there is no action %q", b)
}

// A Code says what a reason is about.
type Code string

const (
	AllWell       Code = "all-well"
	AtTarget      Code = "at-target"
	TooFew        Code = "too-few"        // delivered, to know that more would be taken
	Unused        Code = "unused"         // so little of late that the allowance proves nothing
	NotThrough    Code = "not-through"    // much of what was tried was not delivered
	SlowedDown    Code = "slowed-down"    // the breaker tripped, or the provider asked to wait
	DeferralRate  Code = "deferral-rate"  // deferred, of the attempts
	BounceRate    Code = "bounce-rate"    // hard bounces, of what was accepted or bounced
	ComplaintRate Code = "complaint-rate" // complaints, of what was delivered
	BlockRate     Code = "block-rate"     // blocked, of the attempts
	NoMail        Code = "no-mail"        // nothing was sent
	Forgotten     Code = "forgotten"      // nothing was sent for so long that the provider starts anew
	BlockedNow    Code = "blocked"        // the provider blocks
	OnList        Code = "listed"         // a block list has the identity
	Breaker       Code = "breaker"        // the provider defers too much of the last hours
	Asked         Code = "asked"          // the provider said when to come back
	DaySpent      Code = "day-spent"      // the day's allowance is used up
	HourSpent     Code = "hour-spent"     // the hour's is
	NoShare       Code = "no-share"       // the mix gives the provider nothing
	BadName       Code = "bad-name"       // the identity is empty, too long or not UTF-8
	ClockBack     Code = "clock-back"     // the time lies before the day that the state is at
)

func (c Code) isRate() bool {
	return c == DeferralRate || c == BounceRate || c == ComplaintRate || c == BlockRate
}

// A Reason is why, with the figures: K of N, the lower bound of that rate, and the limit
// that it is held against.
type Reason struct {
	Code  Code      `json:"code"`
	K     float64   `json:"k,omitempty"`
	N     int       `json:"n,omitempty"`
	Lower float64   `json:"lower,omitempty"`
	Limit float64   `json:"limit,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// String tells the reason in words. They are for people and may change.
func (r Reason) String() string {
	until := r.Until.Format("2006-01-02 15:04 MST")
	rate := func(what, of string) string {
		return fmt.Sprintf("%s %s of %s %s (%.2g %%): with 95 %% confidence at least %.2g %%, and the limit is %.2g %%", what, count(r.K), count(float64(r.N)), of, 100*r.K/max(float64(r.N), 1), 100*r.Lower, 100*r.Limit)
	}
	switch r.Code {
	case "":
		return ""
	case AllWell:
		return fmt.Sprintf("%s were delivered, and no rate is over its limit: up to %.3g times as many", count(float64(r.N)), r.Limit)
	case AtTarget:
		return fmt.Sprintf("%s were delivered, and the allowance is the target", count(float64(r.N)))
	case TooFew:
		if r.K > 0 && r.K < r.Limit {
			return fmt.Sprintf("%s were delivered of %s that were tried: below %s nothing is known of whether more would be taken (a sender that sends in fewer hours of the day says so in Hours)", count(float64(r.N)), count(r.K), count(math.Ceil(r.Limit)))
		}
		return fmt.Sprintf("%s were delivered: below %s nothing is known of whether more would be taken", count(float64(r.N)), count(math.Ceil(r.Limit)))
	case Unused:
		return fmt.Sprintf("at most %s a day were delivered of late, and so much more is not known to be taken", count(float64(r.N)))
	case NotThrough:
		return fmt.Sprintf("only %s of %s attempts were delivered", count(float64(r.N)), count(r.Limit))
	case SlowedDown:
		if r.N == 0 {
			return "nothing could go for a part of the day"
		}
		return fmt.Sprintf("the provider slowed us down during the day (%s deferrals)", count(float64(r.N)))
	case DeferralRate:
		return rate("deferred were", "mails that were tried")
	case BounceRate:
		return rate("hard bounces were", "mails of the last days")
	case ComplaintRate:
		return rate("complaints were", "mails of the last days")
	case BlockRate:
		return rate("blocked were", "mails that were tried")
	case NoMail:
		return fmt.Sprintf("nothing was sent (%d days now)", r.N)
	case Forgotten:
		return fmt.Sprintf("nothing was sent for %d days, and providers remember a sender for 30", r.N)
	case BlockedNow:
		return "the provider blocks this sender: nothing until " + until + ", then a quarter of the best day"
	case OnList:
		return "a block list has this sender: nothing until " + until + " or until it is off, then a quarter of the best day"
	case Breaker:
		return "the provider defers too much of the last hours: nothing until " + until + ", then half as much an hour"
	case Asked:
		return "the provider said when to come back: nothing until " + until
	case DaySpent:
		return fmt.Sprintf("the allowance of the day (%s) is used up until %s", count(r.Limit), until)
	case HourSpent:
		return fmt.Sprintf("the allowance of the hour (%s) is used up until %s", count(r.Limit), until)
	case BadName:
		return "the identity is no name: it is empty, longer than 255 octets or not UTF-8"
	case NoShare:
		return "the mix gives this provider nothing"
	case ClockBack:
		return "the time lies before the day that the state is at: nothing until " + until
	}
	return string(r.Code)
}

// count writes a number with commas.
func count(x float64) string {
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return strings.Replace(s, "-,", "-", 1)
}

// A Decision is what the end of a day changed, and why.
type Decision struct {
	Identity string   `json:"identity"`
	Provider Provider `json:"provider"`
	Day      Date     `json:"day"`
	Action   Action   `json:"action"`
	From     int      `json:"from"` // the allowance of the day
	To       int      `json:"to"`   // that of the next
	Reason   Reason   `json:"reason"`
}

func (l *line) decision() Decision {
	return Decision{Identity: l.Identity, Provider: l.Provider, Day: l.Last.Day, Action: l.Last.Action, From: l.Last.From, To: l.Last.To, Reason: l.Last.Reason}
}

// String tells the decision in words. They are for people and may change.
func (d Decision) String() string {
	to := "stays at " + count(float64(d.To))
	if d.To != d.From {
		to = fmt.Sprintf("goes from %s to %s", count(float64(d.From)), count(float64(d.To)))
	}
	return fmt.Sprintf("%s: %s; the allowance %s a day", d.Action, d.Reason, to)
}
