package warmup

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"
)

// A Plan is what a schedule is made from. Target, Start and, but for a preset with its own
// providers, Mix must be given.
type Plan struct {
	Target int       // mails a day in the end, all providers and addresses together
	Start  time.Time // the first day, in the zone of the sender's calendar
	Mix    Mix       // DefaultMix when nil
	IPs    int       // addresses that share the mail; 1 when 0
	// Preset is a published table to follow; see [Presets]. Empty, the plan is what a
	// [Controller] allows when every day is clean.
	Preset string
	// Growth is the factor from one day of sending to the next, above 1; with a preset,
	// how it goes on where its table ends. 0 is the controller's.
	Growth float64
	// First is the volume of the first day; 0 is 500, or what From carries over.
	First int
	// From is what was sent before, after a block or a pause; nil for a new sender.
	From *Evidence
	// Cap holds each day at most there; 0 is no limit but the target.
	Cap int
	// Calendar is the share of a day's volume that is sent on a day: 1, or 0.3 on
	// weekends, 0 on a holiday. A day below 1 is no step: the next one starts where this
	// one would have. nil is 1. See [Weekdays].
	Calendar func(Date) float64
	// Tiers are the sizes of the groups of recipients by how long ago they last opened or
	// clicked, the most engaged first. Empty, a day names the group without its size.
	Tiers []Tier
	// Hours are the hours of the day in which mail goes out, 0 to 23; all when empty.
	Hours []int
}

// A Tier is a group of recipients: those who opened or clicked within so many days.
type Tier struct {
	Days int `json:"days"`
	Size int `json:"size"`
}

// defaultTier is whom to mail on a day, from 0, where the sizes of the groups are not
// known. It follows SparkPost: for two weeks who opened within 30 days, for two more
// within 60, and nobody beyond 90 for six weeks.
func defaultTier(day int) int {
	switch {
	case day < 14:
		return 30
	case day < 28:
		return 60
	case day < 42:
		return 90
	}
	return 180
}

// Weekdays is a calendar that sends a share of the volume on Saturdays and Sundays, and
// nothing on holidays.
func Weekdays(weekend float64, holidays ...Date) func(Date) float64 {
	holidays = slices.Clone(holidays)
	return func(d Date) float64 {
		if slices.Contains(holidays, d) {
			return 0
		}
		if w := d.Time().Weekday(); w == time.Saturday || w == time.Sunday {
			return weekend
		}
		return 1
	}
}

// A Schedule is a plan worked out, day by day, until the target was the volume once.
type Schedule struct {
	Target    int        `json:"target"`
	IPs       int        `json:"ips"`
	Providers []Provider `json:"providers"` // the order of Day.ByProvider
	Source    string     `json:"source"`    // where the volumes are from
	Reached   bool       `json:"reached"`   // the last day has the target
	Days      []Day      `json:"days"`
}

// A Day is one day of a schedule. ByProvider and ByHour each sum to Total.
type Day struct {
	Date       Date    `json:"date"`
	Total      int     `json:"total"`
	ByProvider []int   `json:"by_provider"`
	ByHour     [24]int `json:"by_hour"`
	// Tier is the group to mail: who opened or clicked within so many days.
	Tier int    `json:"tier"`
	Note string `json:"note,omitempty"`
}

// maxDays bounds a schedule.
const maxDays = 730

// ErrTooSlow is the error of a plan that does not reach its target within two years.
var ErrTooSlow = errors.New("warmup: the plan does not reach its target within 730 days")

// All yields the days with their numbers, from 1.
func (s *Schedule) All() iter.Seq2[int, Day] {
	return func(yield func(int, Day) bool) {
		for i, d := range s.Days {
			if !yield(i+1, d) {
				return
			}
		}
	}
}

// Provider returns what goes to a provider on a day of the schedule.
func (s *Schedule) Provider(d Day, p Provider) int {
	if i := slices.Index(s.Providers, p); i >= 0 && i < len(d.ByProvider) {
		return d.ByProvider[i]
	}
	return 0
}

func (p Plan) check() error {
	if err := checkTarget(p.Target); err != nil {
		return err
	}
	switch {
	case p.Start.IsZero():
		return ErrStart
	case p.IPs < 0 || p.IPs > 10_000:
		return fmt.Errorf("warmup: %d addresses", p.IPs)
	case p.Growth != 0 && (p.Growth <= 1 || p.Growth > 10 || math.IsNaN(p.Growth)):
		return fmt.Errorf("warmup: a growth of %v a day: it may be above 1, to 10", p.Growth)
	case p.First < 0 || p.Cap < 0:
		return errors.New("warmup: a volume below zero")
	}
	for _, h := range p.Hours {
		if h < 0 || h > 23 {
			return fmt.Errorf("warmup: there is no hour %d", h)
		}
	}
	for i, t := range p.Tiers {
		if t.Days < 1 || t.Size < 0 || i > 0 && t.Days <= p.Tiers[i-1].Days {
			return errors.New("warmup: tiers go from the smallest number of days to the largest, with sizes of zero and more")
		}
	}
	return p.Mix.check()
}

// Schedule works the plan out.
func (p Plan) Schedule() (*Schedule, error) {
	if p.Mix == nil {
		p.Mix = DefaultMix()
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	s := &Schedule{Target: p.Target, IPs: max(p.IPs, 1), Providers: p.Mix.Providers()}
	preset := Preset{}
	if p.Preset != "" {
		var err error
		if preset, err = PresetNamed(p.Preset); err != nil {
			return nil, err
		}
		if preset.Providers != nil {
			s.Providers = Mix{"google": 0.4, "microsoft": 0.3, "yahoo": 0.2, Other: 0.1}.Providers()
		}
	}
	s.Source = preset.Source
	if p.Preset == "" {
		s.Source = "rebound: what its controller allows when every day is clean"
		if p.Growth > 0 {
			s.Source = fmt.Sprintf("a factor of %v a day", p.Growth)
		}
	}
	limit := p.Target
	if p.Cap > 0 {
		limit = min(limit, p.Cap)
	}
	v := p.volumes(preset, s.IPs)
	first := DateOf(p.Start)
	for i, step := 0, 0; i < maxDays; i++ {
		d := Day{Date: first + Date(i)}
		share := 1.0
		if p.Calendar != nil {
			share = min(max(p.Calendar(d.Date), 0), 1)
		}
		volume, note := v.of(step)
		full := min(volume, limit)
		d.Total = int(float64(full) * share)
		s.split(&d, p, preset, step, full == volume)
		d.Tier, d.Note = p.tier(i, d.Total)
		switch {
		case share == 0:
			d.Note = "no mail"
		case share < 1:
			d.Note = fmt.Sprintf("%.0f %% of the day's volume", 100*share)
		case note != "":
			d.Note = note
		case d.Note == "" && p.Cap > 0 && full == p.Cap && p.Cap < p.Target:
			d.Note = "held at the cap"
		}
		s.Days = append(s.Days, d)
		if share >= 1 {
			if step++; full >= limit {
				s.Reached = full >= p.Target
				return s, nil
			}
		}
	}
	return nil, ErrTooSlow
}

// split fills in the parts of a day.
func (s *Schedule) split(d *Day, p Plan, preset Preset, step int, whole bool) {
	switch {
	case preset.Providers != nil && whole && step < len(preset.Days) && d.Total == preset.Days[step]:
		for _, name := range s.Providers {
			d.ByProvider = append(d.ByProvider, preset.Providers[name][step])
		}
	case preset.Providers != nil:
		last := Mix{}
		for _, name := range s.Providers {
			list := preset.Providers[name]
			last[name] = float64(list[min(step, len(list)-1)])
		}
		d.ByProvider = last.split(d.Total, s.Providers)
	default:
		d.ByProvider = p.Mix.split(d.Total, s.Providers)
	}
	hours := p.Hours
	if len(hours) == 0 {
		hours = allHours
	}
	for i, h := range hours {
		d.ByHour[h] += d.Total*(i+1)/len(hours) - d.Total*i/len(hours)
	}
}

var allHours = func() (h []int) {
	for i := range 24 {
		h = append(h, i)
	}
	return h
}()

// The curve of volumes of a plan, worked out as far as it was asked for.
type curve struct {
	Plan
	preset Preset
	ips    int
	list   []float64
}

func (p Plan) volumes(preset Preset, ips int) *curve {
	first := float64(p.First)
	if first == 0 {
		first = firstDay * float64(ips)
		if p.From != nil {
			first = max(first, float64(p.From.Restart()))
		}
	}
	return &curve{Plan: p, preset: preset, ips: ips, list: []float64{first}}
}

// of is the volume of a step, and what to say of it.
func (c *curve) of(step int) (volume int, note string) {
	if c.Preset != "" {
		v, ok := c.preset.Volume(step+c.skip(), c.ips)
		if ok {
			return v, ""
		}
		growth := c.Growth
		if growth == 0 {
			growth = 1.2
		}
		over := step + c.skip() - len(c.preset.Days) + 1
		return int(min(float64(v)*math.Pow(growth, float64(over)), MaxTarget)), fmt.Sprintf("the table has ended; a factor of %v a day from here on", growth)
	}
	for len(c.list) <= step {
		last := c.list[len(c.list)-1]
		growth := c.Growth
		if growth == 0 {
			growth = ceiling(last, maxGrowth)
		}
		c.list = append(c.list, min(last*growth, MaxTarget))
	}
	return int(c.list[step]), ""
}

// skip is how many days of a preset lie below the volume that a plan starts at.
func (c *curve) skip() int {
	if c.First == 0 && c.From == nil {
		return 0
	}
	for i := range c.preset.Days {
		if v, _ := c.preset.Volume(i, c.ips); float64(v) >= c.list[0] {
			return i
		}
	}
	return len(c.preset.Days) - 1
}

// tier is the smallest group that a day's volume fits into. Groups beyond 90 days wait
// for six weeks; a group is widened by at most 15 % of the volume a day (SparkPost, IP
// warm-up overview).
func (p Plan) tier(day, volume int) (days int, note string) {
	tiers := p.Tiers
	if len(tiers) == 0 {
		return defaultTier(day), ""
	}
	for i, t := range tiers {
		switch {
		case t.Days > 90 && day < 42:
			return tiers[max(i-1, 0)].Days, fmt.Sprintf("more than who opened or clicked within %d days; those beyond 90 days wait until day 43", tiers[max(i-1, 0)].Days)
		case t.Size >= volume || i == len(tiers)-1:
			if i > 0 && t.Size >= volume {
				if extra := volume - tiers[i-1].Size; extra*100 > volume*15 {
					note = fmt.Sprintf("%d %% of this day's mail goes beyond the group of %d days: 15 %% is advised", extra*100/volume, tiers[i-1].Days)
				}
			}
			return t.Days, note
		}
	}
	return 0, ""
}

// Evidence is what is known of a sender that sent before.
type Evidence struct {
	Volume  int  `json:"volume"`  // mails a day on its best day of late
	Idle    int  `json:"idle"`    // days since then without mail
	Blocked bool `json:"blocked"` // the volume or the reputation was refused
}

// Restart is the volume with which to begin again: a quarter after a block, two per cent
// less for each idle day, and from the start after 30 days, which is how long providers
// remember (SendGrid, Braze).
func (e Evidence) Restart() int {
	v := float64(max(0, min(e.Volume, MaxTarget)))
	if e.Idle >= forgotten {
		return firstDay
	}
	v *= math.Pow(idleDecay, float64(max(e.Idle, 0)))
	if e.Blocked {
		v *= afterBlock
	}
	return int(max(v, firstDay))
}
