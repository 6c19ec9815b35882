package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound/warmup"
	"github.com/rebound-mail/rebound/warmup/warmuptest"
)

func (a *app) warmupCommand() *cli.Command {
	return &cli.Command{
		Name: "warmup", Usage: "plan how the volume of a new sender grows, and say what may go today; asks no network",
		Description: "   rebound warmup plan -target 1000000 -start 2026-12-01 -mix google=0.5,microsoft=0.3,other=0.2\n" +
			"   rebound warmup simulate -world strict\n" +
			"   rebound warmup next -state warmup.json -target 1000000 -identity 192.0.2.1\n" +
			"   rebound warmup next -state warmup.json -outcomes yesterday.jsonl",
		Commands: []*cli.Command{a.planCommand(), a.simulateCommand(), a.nextCommand()},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.NArg() > 0 {
				return fmt.Errorf("warmup: there is no command %q; the commands are plan, simulate and next", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

// goalFlags say what is to be sent in the end.
func goalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "target", Usage: "`MAILS` a day in the end"},
		&cli.StringFlag{Name: "mix", Usage: "shares of the providers, `NAME=SHARE,…`, which sum to 1 (default: those of an ordinary list of consumers)"},
		&cli.BoolFlag{Name: "json", Usage: "write JSON, one object a line"},
	}
}

func (a *app) planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Usage: "make a schedule, day by day",
		Description: "   rebound warmup plan -target 250000 -preset sparkpost -ips 2 -weekend 0.3\n" +
			"   rebound warmup plan -target 1000000 -svg > chart.svg\n" +
			"   rebound warmup plan -target 50000 -from 40000 -blocked",
		Flags: append(goalFlags(),
			&cli.StringFlag{Name: "start", Usage: "the first `DAY`, such as 2026-12-01 (default: today)"},
			&cli.StringFlag{Name: "preset", Usage: "follow the published table `NAME`; -presets lists them"},
			&cli.BoolFlag{Name: "presets", Usage: "list the published tables"},
			&cli.Float64Flag{Name: "growth", Usage: "multiply by `FACTOR` each day", HideDefault: true},
			&cli.IntFlag{Name: "first", Usage: "begin with `MAILS`", HideDefault: true},
			&cli.IntFlag{Name: "ips", Usage: "share the mail among `N` addresses (default: what SendGrid advises for the target)", HideDefault: true},
			&cli.IntFlag{Name: "cap", Usage: "send at most `MAILS` a day", HideDefault: true},
			&cli.Float64Flag{Name: "weekend", Usage: "send `SHARE` of the volume on Saturdays and Sundays", Value: 1},
			&cli.StringFlag{Name: "holidays", Usage: "send nothing on these `DAYS`, separated by commas"},
			&cli.StringFlag{Name: "hours", Usage: "send between these `HOURS`, such as 8-20"},
			&cli.StringFlag{Name: "tiers", Usage: "sizes of the groups who opened or clicked within so many days, `DAYS=SIZE,…`"},
			&cli.IntFlag{Name: "from", Usage: "the sender sent `MAILS` a day before", HideDefault: true},
			&cli.IntFlag{Name: "idle", Usage: "and nothing for `DAYS` since", HideDefault: true},
			&cli.BoolFlag{Name: "blocked", Usage: "and was blocked"},
			&cli.BoolFlag{Name: "csv", Usage: "write CSV"},
			&cli.BoolFlag{Name: "ics", Usage: "write a calendar (iCalendar)"},
			&cli.BoolFlag{Name: "svg", Usage: "write a chart (SVG)"},
			&cli.StringFlag{Name: "now", Usage: "take `TIME` for the present"}),
		Action: a.plan,
	}
}

func (a *app) plan(_ context.Context, c *cli.Command) error {
	if c.NArg() > 0 {
		return fmt.Errorf("warmup plan: it takes no argument such as %q", c.Args().First())
	}
	if c.Bool("presets") {
		return a.presets(c)
	}
	p, err := readPlan(c)
	if err != nil {
		return err
	}
	s, err := p.Schedule()
	if err != nil {
		return err
	}
	now, err := clock(c)
	if err != nil {
		return err
	}
	forms := 0
	for _, f := range []string{"json", "csv", "ics", "svg"} {
		if c.Bool(f) {
			forms++
		}
	}
	switch {
	case forms > 1:
		return errors.New("warmup plan: -json, -csv, -ics and -svg exclude each other")
	case c.Bool("json"):
		return s.WriteJSON(a.out)
	case c.Bool("csv"):
		return s.WriteCSV(a.out)
	case c.Bool("ics"):
		return s.WriteICS(a.out, now())
	case c.Bool("svg"):
		return s.WriteSVG(a.out)
	}
	return s.WriteText(a.out)
}

func (a *app) presets(c *cli.Command) error {
	for _, p := range warmup.Presets() {
		if c.Bool("json") {
			if err := writeJSON(a.out, struct {
				Name   string `json:"name"`
				Days   []int  `json:"days"`
				PerIP  bool   `json:"per_ip"`
				Source string `json:"source"`
			}{p.Name, p.Days, p.PerIP, p.Source}); err != nil {
				return err
			}
			continue
		}
		per := "all addresses together"
		if p.PerIP {
			per = "each address"
		}
		fmt.Fprintf(a.out, "%-19s %d to %d mails a day in %d days, %s\n%20s%s\n", p.Name, p.Days[0], p.Days[len(p.Days)-1], len(p.Days), per, "", p.Source)
	}
	return nil
}

func readPlan(c *cli.Command) (warmup.Plan, error) {
	p := warmup.Plan{Preset: c.String("preset"), Growth: c.Float64("growth"), First: c.Int("first"), IPs: c.Int("ips"), Cap: c.Int("cap")}
	g, err := readGoal(c)
	if err != nil {
		return p, err
	}
	if c.String("target") == "" {
		return p, errors.New("warmup plan: -target is needed: how many mails a day in the end")
	}
	p.Target, p.Mix = g.Target, g.Mix
	if p.IPs == 0 {
		p.IPs = warmup.IPs(p.Target)
	}
	now, err := clock(c)
	if err != nil {
		return p, err
	}
	p.Start = now()
	if s := c.String("start"); s != "" {
		if p.Start, err = readTime("start", s); err != nil {
			return p, err
		}
	}
	var holidays []warmup.Date
	for s := range strings.FieldsFuncSeq(c.String("holidays"), comma) {
		t, err := readTime("holidays", s)
		if err != nil {
			return p, err
		}
		holidays = append(holidays, warmup.DateOf(t))
	}
	weekend := c.Float64("weekend")
	if !(weekend >= 0 && weekend <= 1) {
		return p, fmt.Errorf("-weekend: %v is no share: it may be 0 to 1", weekend)
	}
	if weekend != 1 || len(holidays) > 0 {
		p.Calendar = warmup.Weekdays(weekend, holidays...)
	}
	if p.Hours, err = readHours(c.String("hours")); err != nil {
		return p, err
	}
	for s := range strings.FieldsFuncSeq(c.String("tiers"), comma) {
		days, size, _ := strings.Cut(s, "=")
		d, err1 := strconv.Atoi(days)
		n, err2 := strconv.Atoi(size)
		if err1 != nil || err2 != nil {
			return p, fmt.Errorf("-tiers: %q is not DAYS=SIZE", s)
		}
		p.Tiers = append(p.Tiers, warmup.Tier{Days: d, Size: n})
	}
	if c.Int("from") < 0 || c.Int("idle") < 0 {
		return p, errors.New("-from and -idle may not be below zero")
	}
	if c.Int("from") > 0 || c.Int("idle") > 0 || c.Bool("blocked") {
		p.From = &warmup.Evidence{Volume: c.Int("from"), Idle: c.Int("idle"), Blocked: c.Bool("blocked")}
	}
	return p, nil
}

func comma(r rune) bool { return r == ',' || r == ' ' }

// readHours reads 8-20: the hours that begin at eight and end at twenty.
func readHours(s string) ([]int, error) {
	if s == "" {
		return nil, nil
	}
	from, to, _ := strings.Cut(s, "-")
	a, err1 := strconv.Atoi(from)
	b, err2 := strconv.Atoi(to)
	if err1 != nil || err2 != nil || a < 0 || b > 24 || a >= b {
		return nil, fmt.Errorf("-hours: %q is not FROM-TO, such as 8-20", s)
	}
	var hours []int
	for h := a; h < b; h++ {
		hours = append(hours, h)
	}
	return hours, nil
}

// readGoal reads -target and -mix.
func readGoal(c *cli.Command) (warmup.Goal, error) {
	var g warmup.Goal
	if s := c.String("target"); s != "" {
		n, err := strconv.Atoi(strings.NewReplacer(",", "", "_", "").Replace(s))
		if err != nil {
			return g, fmt.Errorf("-target: %q is no number of mails a day", s)
		}
		if n < 1 || n > warmup.MaxTarget {
			return g, fmt.Errorf("-target: %w: %d mails a day, and it may be 1 to %d", warmup.ErrTarget, n, warmup.MaxTarget)
		}
		g.Target = n
	}
	if s := c.String("mix"); s != "" {
		g.Mix = warmup.Mix{}
		for part := range strings.FieldsFuncSeq(s, comma) {
			name, share, ok := strings.Cut(part, "=")
			x, err := strconv.ParseFloat(share, 64)
			if !ok || err != nil {
				return g, fmt.Errorf("-mix: %q is not NAME=SHARE, such as google=0.5", part)
			}
			p := warmup.Provider(strings.ToLower(name))
			if _, twice := g.Mix[p]; twice {
				return g, fmt.Errorf("-mix: %s stands twice", p)
			}
			g.Mix[p] = x
		}
	}
	return g, nil
}

func (a *app) simulateCommand() *cli.Command {
	return &cli.Command{
		Name: "simulate", Usage: "try a way to warm up on a model of receivers, which is not fitted to real ones",
		Description: "   rebound warmup simulate -world strict\n" +
			"   rebound warmup simulate -world mine.json -policy SparkPost\n" +
			"   rebound warmup simulate -compare\n\n" +
			"FILE.json holds a world: {\"name\":\"mine\",\"c0\":2000,\"sigma\":0.6,\"growth\":[0.6,1.5],\"threshold\":[2.5,6],\"shock\":0,\"list\":\"good\",\"calendar\":false}",
		Flags: append(goalFlags(),
			&cli.StringFlag{Name: "world", Usage: "`NAME` (lenient, typical, strict, harsh, shocky, calendar, badlist) or FILE.json", Value: "typical"},
			&cli.StringFlag{Name: "policy", Usage: "`NAME` of the way to warm up", Value: "rebound"},
			&cli.BoolFlag{Name: "compare", Usage: "try all ways in all worlds, or in -world where it is given"},
			&cli.IntFlag{Name: "trials", Usage: "repeat `N` times", Value: 60},
			&cli.IntFlag{Name: "days", Usage: "give up after `N` days", Value: 90},
			&cli.Uint64Flag{Name: "seed", Usage: "begin the chances at `N`", Value: 1}),
		Action: a.simulate,
	}
}

func (a *app) simulate(ctx context.Context, c *cli.Command) error {
	g, err := readGoal(c)
	if err != nil {
		return err
	}
	run := warmuptest.Run{Target: cmp.Or(g.Target, 1_000_000), Mix: g.Mix, Trials: c.Int("trials"), Days: c.Int("days"), Seed: c.Uint64("seed"), Progress: a.trials()}
	worlds := []warmuptest.World{}
	if c.Bool("compare") && !c.IsSet("world") {
		worlds = warmuptest.Worlds()
	} else {
		w, err := readWorld(c.String("world"))
		if err != nil {
			return err
		}
		worlds = append(worlds, w)
	}
	policies := warmuptest.Policies()
	if !c.Bool("compare") {
		policies = slices.DeleteFunc(policies, func(p warmuptest.Named) bool { return p.Name != c.String("policy") })
		if len(policies) == 0 {
			var names []string
			for _, p := range warmuptest.Policies() {
				names = append(names, p.Name)
			}
			return fmt.Errorf("-policy: there is no %q; there are %s", c.String("policy"), strings.Join(names, "; "))
		}
	}
	if !c.Bool("compare") {
		run.World, run.Policy = worlds[0], policies[0].New
		r, err := warmuptest.Simulate(ctx, run)
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return writeJSON(a.out, r)
		}
		return a.tellReport(policies[0].Name, run, r)
	}
	all, err := warmuptest.Compare(ctx, run, worlds, policies)
	if err != nil {
		return err
	}
	if !c.Bool("json") {
		return all.WriteText(a.out)
	}
	for i := range all.Worlds {
		for j, p := range all.Policies {
			if err := writeJSON(a.out, struct {
				Policy string `json:"policy"`
				*warmuptest.Report
			}{p.Name, all.Reports[i][j]}); err != nil {
				return err
			}
		}
	}
	return nil
}

func readWorld(name string) (warmuptest.World, error) {
	if w, ok := warmuptest.WorldNamed(name); ok {
		return w, nil
	}
	f, err := os.Open(name)
	if err != nil {
		var names []string
		for _, w := range warmuptest.Worlds() {
			names = append(names, w.Name)
		}
		return warmuptest.World{}, fmt.Errorf("-world: %w; the worlds are %s, or a file", plainError(err), strings.Join(names, ", "))
	}
	defer f.Close()
	w, err := warmuptest.ReadWorld(f)
	if err != nil {
		return w, fmt.Errorf("%s: %w", name, err)
	}
	return w, nil
}

// tellReport tells of one run.
func (a *app) tellReport(policy string, run warmuptest.Run, r *warmuptest.Report) error {
	days := func(x *float64) string {
		if x == nil {
			return "not within " + strconv.Itoa(cmp.Or(run.Days, 90))
		}
		return strconv.FormatFloat(*x, 'f', -1, 64)
	}
	_, err := fmt.Fprintf(a.out, "%s in the world %q, to %d mails a day, %d trials from seed %d\n"+
		"  days to target        %s (median), %s (90th percentile)\n"+
		"  trials that reach it  %.0f %%\n"+
		"  trials with a block   %.2g %%\n"+
		"  deferred              %.2g %% of the attempts\n"+
		"  delivered in 30 days  %.0f mails (median)\n"+
		"The receivers are a model that is not fitted to real ones.\n",
		policy, r.World, r.Target, r.Trials, run.Seed, days(r.Median), days(r.P90), 100*r.Reached, 100*r.Blocked, 100*r.Deferrals, r.Delivered)
	return err
}

// trials tells of progress on a terminal.
func (a *app) trials() func(done, of int) {
	if !isTerminal(a.err) {
		return nil
	}
	return func(done, of int) {
		fmt.Fprintf(a.err, "\r%d of %d", done, of)
		if done == of {
			fmt.Fprint(a.err, "\r\033[K")
		}
	}
}

func (a *app) nextCommand() *cli.Command {
	return &cli.Command{
		Name: "next", Usage: "take in what came back, and say what may go today and why",
		Description: "   rebound warmup next -state warmup.json -target 1000000 -identity 192.0.2.1\n" +
			"   rebound warmup next -state warmup.json -outcomes yesterday.jsonl\n\n" +
			"-state is made where there is none, and then needs -target; beside it lies a second name of it, FILE.rev-N, which tells programs that share it of each other; to begin anew, take all of them away.\n\n" +
			"FILE of -outcomes holds the figures of days so far, as JSON, an object a line:\n" +
			"   {\"identity\":\"192.0.2.1\",\"provider\":\"google\",\"day\":\"2026-12-01\",\"delivered\":220,\"deferred\":3,\"blocked\":0,\"hard_bounce\":2,\"complaint\":0,\"listed\":false,\"hint\":{\"wait\":\"10m\",\"connections\":1}}\n" +
			"or as CSV with those names in its first line.",
		Flags: append(goalFlags(),
			&cli.StringFlag{Name: "state", Usage: "keep what is known in `FILE`"},
			&cli.StringFlag{Name: "outcomes", Usage: "take in the figures in `FILE`, - for standard input"},
			&cli.StringFlag{Name: "identity", Usage: "begin with the address or domain `NAME`, where the state does not hold it"},
			&cli.StringFlag{Name: "now", Usage: "take `TIME` for the present"}),
		Action: a.next,
	}
}

func (a *app) next(ctx context.Context, c *cli.Command) error {
	if c.String("state") == "" {
		return errors.New("warmup next: -state is needed: the file that keeps what is known")
	}
	now, err := clock(c)
	if err != nil {
		return err
	}
	g, err := readGoal(c)
	if err != nil {
		return err
	}
	var stats []warmup.Stats
	if name := c.String("outcomes"); name != "" {
		if stats, err = a.readOutcomes(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	var status []warmup.Status
	at := now().UTC()
	err = warmup.Update(ctx, warmup.File(c.String("state")), warmup.Config{Goal: g}, func(ctl *warmup.Controller) error {
		if err := ctl.Record(stats, at); err != nil {
			return err
		}
		if id := c.String("identity"); id != "" {
			if err := ctl.Begin(id, nil, at); err != nil {
				return err
			}
		}
		status = ctl.Status(at)
		return nil
	})
	if errors.Is(err, warmup.ErrTarget) && g.Target == 0 {
		return errors.New("warmup next: the state is new, and needs -target: how many mails a day in the end")
	}
	if err != nil {
		return plainError(err)
	}
	if len(status) == 0 {
		return errors.New("warmup next: the state holds no identity; -identity begins with one")
	}
	for _, s := range status {
		if c.Bool("json") {
			err = writeJSON(a.out, s)
		} else {
			_, err = fmt.Fprintln(a.out, statusText(s))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func statusText(s warmup.Status) string {
	text := fmt.Sprintf("%s  %s to %s: %d mails", s.Day, s.Identity, s.Provider, s.Allowance)
	switch {
	case !s.Until.IsZero():
		text = fmt.Sprintf("%s  %s to %s: nothing before %s", s.Day, s.Identity, s.Provider, s.Until.Format("2006-01-02 15:04 MST"))
	case s.Spent > 0:
		text += fmt.Sprintf(", %d of them are out", s.Spent)
	}
	if s.Done {
		text += " (warm)"
	}
	if s.Why != "" {
		text += "\n            " + s.Why
	}
	return text
}

// maxOutcomes bounds a file of outcomes.
const maxOutcomes = 64 << 20

func (a *app) readOutcomes(name string) ([]warmup.Stats, error) {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, plainError(err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxOutcomes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxOutcomes {
		return nil, fmt.Errorf("it is larger than %d MiB", maxOutcomes>>20)
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(raw), "\ufeff"))
	if text != "" && text[0] != '{' && text[0] != '[' {
		return outcomesCSV(text)
	}
	list, err := outcomesJSON(text)
	for i := range list {
		s := &list[i]
		s.Provider = warmup.Provider(strings.ToLower(string(s.Provider)))
		if s.Day == 0 || s.Provider == "" || s.Identity == "" {
			return nil, fmt.Errorf("object %d: identity, provider and day are needed", i+1)
		}
	}
	return list, err
}

// outcomesJSON reads objects one after another, or an array of them.
func outcomesJSON(text string) ([]warmup.Stats, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	var list []warmup.Stats
	if strings.HasPrefix(text, "[") {
		if err := d.Decode(&list); err != nil {
			return nil, err
		}
		if d.More() {
			return nil, errors.New("something follows the array")
		}
		return list, nil
	}
	for {
		var s warmup.Stats
		switch err := d.Decode(&s); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, fmt.Errorf("object %d: %w", len(list)+1, err)
		}
		list = append(list, s)
	}
}

func outcomesCSV(text string) ([]warmup.Stats, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if err != nil {
		return nil, err
	}
	for _, needed := range []string{"identity", "provider", "day"} {
		if !slices.Contains(head, needed) {
			return nil, fmt.Errorf("the first line names no column %q", needed)
		}
	}
	var list []warmup.Stats
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		var s warmup.Stats
		for i, name := range head {
			if err := setStat(&s, name, strings.TrimSpace(row[i])); err != nil {
				return nil, fmt.Errorf("line %d, %s: %w", line, name, err)
			}
		}
		if s.Day == 0 || s.Provider == "" || s.Identity == "" {
			return nil, fmt.Errorf("line %d: identity, provider and day are needed", line)
		}
		list = append(list, s)
	}
}

// yes reads yes and no as spreadsheets and databases write them.
func yes(to *bool, value string) error {
	switch strings.ToLower(value) {
	case "", "no", "n":
		return nil
	case "yes", "y":
		*to = true
		return nil
	}
	b, err := strconv.ParseBool(strings.ToLower(value))
	*to = b
	return err
}

func setStat(s *warmup.Stats, name, value string) error {
	number := func(to *int) error {
		if value == "" {
			return nil
		}
		n, err := strconv.Atoi(value)
		*to = n
		return err
	}
	switch name {
	case "identity":
		s.Identity = value
	case "provider":
		s.Provider = warmup.Provider(strings.ToLower(value))
	case "day":
		return s.Day.UnmarshalText([]byte(value))
	case "delivered":
		return number(&s.Delivered)
	case "deferred":
		return number(&s.Deferred)
	case "blocked":
		return number(&s.Blocked)
	case "hard_bounce":
		return number(&s.HardBounce)
	case "complaint":
		return number(&s.Complaint)
	case "listed":
		return yes(&s.Listed, value)
	case "wait":
		if value == "" {
			return nil
		}
		d, err := time.ParseDuration(value)
		s.Hint.Wait = d
		return err
	case "connections":
		return number(&s.Hint.Connections)
	default:
		return errors.New("there is no such column")
	}
	return nil
}
