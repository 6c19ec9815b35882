package warmup

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"
)

// A Plan is what a schedule is made from. Target and Start must be given.
type Plan struct {
	Target int       // mails a day in the end, all providers and addresses together
	Start  time.Time // the first day, in the zone of the sender's calendar
	Mix    Mix       // DefaultMix when nil; nil for a preset with providers of its own
	IPs    int       // addresses that share the mail; 1 when 0
	// Preset is a published table to follow; see [Presets]. "geometric" is Growth alone, 1.5
	// when it is 0. Empty and without Growth, the plan is what a [Controller] of each address
	// allows when every day is clean.
	Preset string
	// Growth is the factor from one day of sending to the next, above 1; with a preset,
	// how it goes on where its table ends: 0 is what the table says, or 1.2.
	Growth float64
	// First is the volume of the first day; 0 is 500 for each address, or what From carries
	// over. With a preset, the days after it are those of the table that are larger.
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
	// clicked, the most engaged first, each with those before it. Empty, a day names the group
	// without its size.
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
		if t.Days < 1 || t.Size < 0 || i > 0 && (t.Days <= p.Tiers[i-1].Days || t.Size < p.Tiers[i-1].Size) {
			return errors.New("warmup: tiers go from the smallest number of days to the largest, each with the size of those before it and more")
		}
	}
	return p.Mix.check()
}

// Schedule works the plan out.
func (p Plan) Schedule() (*Schedule, error) {
	own := p.Mix != nil
	if !own {
		p.Mix = DefaultMix()
	}
	if p.Preset == geometric {
		p.Preset = ""
		p.Growth = cmp.Or(p.Growth, 1.5)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	var preset Preset
	if p.Preset != "" {
		var err error
		if preset, err = PresetNamed(p.Preset); err != nil {
			return nil, err
		}
		if preset.Providers != nil && own {
			return nil, fmt.Errorf("%w: the table of %s has providers of its own, so no mix can be given", ErrMix, preset.Name)
		}
	}
	v := p.curve(preset)
	s := &Schedule{Target: p.Target, IPs: max(p.IPs, 1), Providers: v.order, Source: v.source}
	limit := p.Target
	if p.Cap > 0 {
		limit = min(limit, p.Cap)
	}
	first := DateOf(p.Start)
	for i, step := 0, 0; i < maxDays; i++ {
		d := Day{Date: first + Date(i)}
		share := 1.0
		if p.Calendar != nil {
			share = p.Calendar(d.Date)
			if math.IsNaN(share) {
				return nil, fmt.Errorf("warmup: the calendar gives no number for %s", d.Date)
			}
			share = min(max(share, 0), 1)
		}
		volume, mix, note := v.of(step)
		full := min(volume, limit)
		d.Total = int(float64(full) * share)
		d.ByProvider = mix.split(d.Total, s.Providers)
		d.byHour(p.Hours)
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

// geometric is the name of the plan that is a factor alone.
const geometric = "geometric"

// byHour spreads a day's mail over its hours.
func (d *Day) byHour(hours []int) {
	if len(hours) == 0 {
		hours = allHours
	}
	total, n := int64(d.Total), int64(len(hours))
	for i, h := range hours {
		d.ByHour[h] += int(total*int64(i+1)/n - total*int64(i)/n)
	}
}

var allHours = func() (h []int) {
	for i := range 24 {
		h = append(h, i)
	}
	return h
}()

// A curve is the volumes of a plan, worked out as far as it was asked for.
type curve struct {
	Plan
	preset Preset
	ips    int
	order  []Provider
	source string
	list   []float64   // of the steps
	parts  [][]float64 // of each provider, where a controller's days are followed
	skip   int         // rows of the table before the second step
	fixed  bool        // the first day is given
}

func (p Plan) curve(preset Preset) *curve {
	c := &curve{Plan: p, preset: preset, ips: max(p.IPs, 1), order: p.Mix.Providers(), source: preset.Source}
	first := float64(p.First)
	if first == 0 && p.From != nil {
		first = float64(p.From.Restart())
	}
	c.fixed = first > 0
	switch {
	case p.Preset != "":
		if preset.Providers != nil {
			c.order = c.table(0).Providers()
		}
		for c.skip < len(preset.Days) && c.fixed {
			if v, _ := preset.Volume(c.skip, c.ips); float64(v) > first {
				break
			}
			c.skip++
		}
		c.list = []float64{first}
	case p.Growth > 0:
		c.source = fmt.Sprintf("a factor of %v a day", p.Growth)
		c.list = []float64{cmp.Or(first, firstDay*float64(c.ips))}
	default:
		c.source = "rebound: what its controller allows when every day is clean"
		aim := Config{First: firstDay}.aimOf(Goal{max(p.Target/c.ips, 1), p.Mix})
		var start []float64
		for _, name := range c.order {
			n := float64(aim.first[name])
			if c.fixed {
				n = first * p.Mix[name] / float64(c.ips)
			}
			start = append(start, n)
		}
		c.parts = [][]float64{start}
	}
	return c
}

// table is the mix of a day of a table with providers.
func (c *curve) table(step int) Mix {
	m := Mix{}
	for name, list := range c.preset.Providers {
		m[name] = float64(list[min(step, len(list)-1)])
	}
	return m
}

// of is the volume of a step, how it is split, and what to say of it.
func (c *curve) of(step int) (volume int, mix Mix, note string) {
	switch {
	case c.parts != nil:
		return c.clean(step)
	case c.Preset == "":
		for len(c.list) <= step {
			c.list = append(c.list, min(c.list[len(c.list)-1]*c.Growth, MaxTarget))
		}
		return int(c.list[step]), c.Mix, ""
	}
	row, mix := step, c.Mix
	if c.fixed {
		row = c.skip + step - 1
	}
	if c.preset.Providers != nil {
		mix = c.table(max(row, 0))
	}
	if c.fixed && step == 0 {
		return int(c.list[0]), mix, ""
	}
	v, ok := c.preset.Volume(row, c.ips)
	over := row - len(c.preset.Days) + 1
	if over <= 0 || ok && c.Growth == 0 {
		return v, mix, ""
	}
	last, _ := c.preset.Volume(len(c.preset.Days)-1, c.ips)
	if c.fixed {
		last = max(last, int(c.list[0]))
	}
	growth := cmp.Or(c.Growth, 1.2)
	return int(min(float64(last)*math.Pow(growth, float64(over)), MaxTarget)), mix, fmt.Sprintf("the table has ended; a factor of %v a day from here on", growth)
}

// clean is the step of a controller whose days are all clean, of all addresses together.
func (c *curve) clean(step int) (volume int, mix Mix, note string) {
	share := max(c.Target/c.ips, 1)
	for len(c.parts) <= step {
		var next []float64
		for i, n := range c.parts[len(c.parts)-1] {
			most := float64(share) * c.Mix[c.order[i]]
			next = append(next, min(n*ceiling(n, maxGrowth), max(most, n)))
		}
		c.parts = append(c.parts, next)
	}
	mix, total, done := Mix{}, 0.0, true
	for i, n := range c.parts[step] {
		mix[c.order[i]] = n
		total += n
		done = done && n >= float64(share)*c.Mix[c.order[i]]-0.5
	}
	if done { // what rounding left of the target
		return max(c.Target, int(total)), c.Mix, ""
	}
	return int(min(total*float64(c.ips), MaxTarget)), mix, ""
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
		case i == 0 && t.Days > 90 && day < 42:
			return t.Days, fmt.Sprintf("there is no group within 90 days, and those of %d days should wait until day 43", t.Days)
		case t.Days > 90 && day < 42:
			return tiers[i-1].Days, fmt.Sprintf("more than who opened or clicked within %d days; those beyond 90 days wait until day 43", tiers[i-1].Days)
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
// less for each idle day, and after 30 days, which is how long providers remember (SendGrid,
// Braze), that of a new sender. It is never above what was sent before.
func (e Evidence) Restart() int {
	volume := min(max(e.Volume, 1), MaxTarget)
	if e.Idle >= forgotten {
		return min(volume, firstDay)
	}
	v := float64(volume) * math.Pow(idleDecay, float64(max(e.Idle, 0)))
	if e.Blocked {
		v *= afterBlock
	}
	return max(int(v), min(volume, leastDay))
}
