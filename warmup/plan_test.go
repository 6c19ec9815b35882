package warmup_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/warmup"
)

var monday = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

func schedule(t testing.TB, p warmup.Plan) *warmup.Schedule {
	t.Helper()
	if p.Start.IsZero() {
		p.Start = monday
	}
	s, err := p.Schedule()
	if err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	return s
}

func totals(s *warmup.Schedule) []int {
	var list []int
	for _, d := range s.All() {
		list = append(list, d.Total)
	}
	return list
}

func TestPresets(t *testing.T) {
	for _, tt := range []struct {
		preset string
		target int
		ips    int
		want   []int // the first days, and the last
		days   int
	}{
		{"sendgrid", 1_000_000, 2, []int{50, 100, 500, 1000, 5000, 1_000_000}, 15},
		{"sendgrid", 10_000_000, 10, []int{50, 100, 500, 10_000_000}, 19}, // 8 million on the 18th day
		{"sparkpost", 400_000, 2, []int{400, 1000, 2000, 400_000}, 13},
		{"sendgrid-automated", 24_000, 1, []int{480, 672, 936, 24_000}, 13},
		{"braze-conservative", 16_000, 1, []int{50, 50, 50, 100, 16_000}, 22},
		{"braze-moderate", 1_000_000, 1, []int{50, 100, 500, 1_000_000}, 21},
		{"braze-aggressive", 1_000_000, 1, []int{50, 100, 500, 1000, 5000, 1_000_000}, 15},
		{"oracle", 50_000, 1, []int{32500, 32500, 32500, 37500, 50_000}, 6},
		{"salesforce", 100_000, 1, []int{50_000, 50_000, 100_000}, 8},
	} {
		s := schedule(t, warmup.Plan{Target: tt.target, Preset: tt.preset, IPs: tt.ips})
		got := totals(s)
		n := len(tt.want) - 1
		if len(got) != tt.days || !slices.Equal(got[:n], tt.want[:n]) || got[len(got)-1] != tt.want[n] || !s.Reached || !strings.Contains(s.Source, "https://") {
			t.Errorf("%s to %d: %d days %v, from %q; want %d days, %v", tt.preset, tt.target, len(got), got, s.Source, tt.days, tt.want)
		}
	}
	oracle := schedule(t, warmup.Plan{Target: 50_000, Preset: "oracle"})
	if d := oracle.Days[3]; oracle.Provider(d, "google") != 10_000 || oracle.Provider(d, "microsoft") != 10_000 || oracle.Provider(d, "yahoo") != 7500 || oracle.Provider(d, warmup.Other) != 10_000 {
		t.Errorf("Oracle's fourth day: %v of %v", d.ByProvider, oracle.Providers)
	}
	for _, p := range warmup.Presets() {
		if p.Providers == nil {
			continue
		}
		for i, day := range p.Days {
			sum := 0
			for _, list := range p.Providers {
				sum += list[i]
			}
			if sum != day {
				t.Errorf("%s, day %d: the providers sum to %d, not %d", p.Name, i+1, sum, day)
			}
		}
	}
	if s := schedule(t, warmup.Plan{Target: 80_000, Preset: "oracle"}); !strings.Contains(s.Days[8].Note, "table has ended") {
		t.Errorf("beyond the table: %+v", s.Days[8])
	}
}

func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		name string
		plan warmup.Plan
		want []int
	}{
		{"the controller's curve", warmup.Plan{Target: 20_000}, []int{500, 1250, 3125, 7812, 19531, 20000}},
		{"geometric", warmup.Plan{Target: 1000, First: 100, Growth: 2}, []int{100, 200, 400, 800, 1000}},
		{"weekend", warmup.Plan{Target: 4000, Start: monday.AddDate(0, 0, 3), Growth: 2, Calendar: warmup.Weekdays(0.5)}, []int{500, 1000, 1000, 1000, 2000, 4000}},
		{"holiday", warmup.Plan{Target: 2000, Growth: 2, Calendar: warmup.Weekdays(1, warmup.DateOf(monday)+1)}, []int{500, 0, 1000, 2000}},
		{"a target below the first day", warmup.Plan{Target: 100}, []int{100}},
		{"after a block", warmup.Plan{Target: 40_000, From: &warmup.Evidence{Volume: 40_000, Blocked: true}}, []int{10_000, 25_000, 40_000}},
		{"after ten idle days", warmup.Plan{Target: 10_000, From: &warmup.Evidence{Volume: 10_000, Idle: 10}}, []int{8170, 10_000}},
		{"after thirty idle days", warmup.Plan{Target: 1000, From: &warmup.Evidence{Volume: 1000, Idle: 30}}, []int{500, 1000}},
		{"a preset after a block", warmup.Plan{Target: 40_000, Preset: "sendgrid", From: &warmup.Evidence{Volume: 40_000, Blocked: true}}, []int{10_000, 20_000, 40_000}},
	} {
		if got := totals(schedule(t, tt.plan)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	capped := schedule(t, warmup.Plan{Target: 10_000, Cap: 2000})
	if capped.Reached || capped.Days[len(capped.Days)-1].Total != 2000 {
		t.Errorf("capped: %+v", totals(capped))
	}
}

func TestPlanErrors(t *testing.T) {
	for _, tt := range []struct {
		plan warmup.Plan
		is   error
		want string
	}{
		{warmup.Plan{Start: monday}, warmup.ErrTarget, "0 mails a day"},
		{warmup.Plan{Start: monday, Target: warmup.MaxTarget + 1}, warmup.ErrTarget, "1000000001"},
		{warmup.Plan{Start: monday, Target: -1}, warmup.ErrTarget, "-1"},
		{warmup.Plan{Target: 1000}, warmup.ErrStart, "start"},
		{warmup.Plan{Start: monday, Target: 1000, Mix: warmup.Mix{"google": 0.5}}, warmup.ErrMix, "sum to 0.5"},
		{warmup.Plan{Start: monday, Target: 1000, Mix: warmup.Mix{"google": 1.5, "yahoo": -0.5}}, warmup.ErrMix, "google is 1.5"},
		{warmup.Plan{Start: monday, Target: 1000, Mix: warmup.Mix{"Google": 1}}, warmup.ErrMix, `"Google"`},
		{warmup.Plan{Start: monday, Target: 1000, Mix: warmup.Mix{}}, warmup.ErrMix, "no shares"},
		{warmup.Plan{Start: monday, Target: 1000, Preset: "x"}, nil, "no preset"},
		{warmup.Plan{Start: monday, Target: 1000, Growth: 0.5}, nil, "growth"},
		{warmup.Plan{Start: monday, Target: 1000, Hours: []int{24}}, nil, "hour 24"},
		{warmup.Plan{Start: monday, Target: 1000, Tiers: []warmup.Tier{{60, 1}, {30, 2}}}, nil, "tiers"},
		{warmup.Plan{Start: monday, Target: 1_000_000_000, Growth: 1.001}, warmup.ErrTooSlow, "730"},
		{warmup.Plan{Start: monday, Target: 1000, Calendar: func(warmup.Date) float64 { return 0 }}, warmup.ErrTooSlow, ""},
	} {
		s, err := tt.plan.Schedule()
		if err == nil || s != nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %v and %q", tt.plan, err, tt.is, tt.want)
		}
	}
}

// The parts of a day sum to it, whatever the plan.
func TestScheduleSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		p := warmup.Plan{Target: 1 + rng.IntN(1_600_000), Start: monday, Growth: 1.1 + rng.Float64(), IPs: 1 + rng.IntN(4), Mix: warmup.Mix{}}
		left := 1.0
		for _, name := range []warmup.Provider{"google", "yahoo", "gmx"} {
			share := left * rng.Float64()
			p.Mix[name], left = share, left-share
		}
		p.Mix[warmup.Other] = left
		if rng.IntN(2) == 0 {
			preset := warmup.Presets()[rng.IntN(8)]
			if p.Preset = preset.Name; preset.Providers != nil {
				p.Mix = nil
			}
		}
		if rng.IntN(2) == 0 {
			p.Hours = []int{8, 9, 13, 20}
			p.Calendar = warmup.Weekdays(0.3)
		}
		s := schedule(t, p)
		for n, d := range s.All() {
			providers, hours := 0, 0
			for _, v := range d.ByProvider {
				if v < 0 {
					t.Fatalf("%+v, day %d: %v", p, n, d)
				}
				providers += v
			}
			for _, v := range d.ByHour {
				hours += v
			}
			if providers != d.Total || hours != d.Total || d.Total > p.Target || d.Total < 0 {
				t.Fatalf("%+v, day %d: total %d, providers %d, hours %d", p, n, d.Total, providers, hours)
			}
		}
	}
}

func TestTiers(t *testing.T) {
	s := schedule(t, warmup.Plan{Target: 20_000, Tiers: []warmup.Tier{{30, 2000}, {60, 4000}, {90, 30_000}, {180, 90_000}}})
	var tiers []int
	for _, d := range s.All() {
		tiers = append(tiers, d.Tier)
	}
	if !slices.Equal(tiers, []int{30, 30, 60, 90, 90, 90}) {
		t.Errorf("got %v of %v", tiers, totals(s))
	}
	if !strings.Contains(s.Days[2].Note, "36 %") {
		t.Errorf("a step that goes 36 %% beyond its group says %q", s.Days[2].Note)
	}
	early := schedule(t, warmup.Plan{Target: 50_000, Tiers: []warmup.Tier{{30, 2000}, {180, 90_000}}})
	if d := early.Days[len(early.Days)-1]; d.Tier != 30 || !strings.Contains(d.Note, "day 43") {
		t.Errorf("a group beyond 90 days in the first week: %+v", d)
	}
}

func TestIPs(t *testing.T) {
	for target, want := range map[int]int{1000: 1, 25_000: 2, 800_000: 2, 2_000_000: 3, 10_000_000: 10, 80_000_000: 20, 1_000_000_000: 20} {
		if got := warmup.IPs(target); got != want {
			t.Errorf("%d: got %d, want %d", target, got, want)
		}
	}
}

func TestByMX(t *testing.T) {
	for host, want := range map[string]warmup.Provider{
		"aspmx.l.google.com.": "google", "shop-example.mail.protection.outlook.com": "microsoft", "mta5.am0.yahoodns.net": "yahoo",
		"MX01.MAIL.ICLOUD.COM": "apple", "mx.notgoogle.com": warmup.Other, "google.com": "google", "": warmup.Other, "evilgoogle.com": warmup.Other,
	} {
		if got := warmup.ByMX(host); got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
	own := append(warmup.Servers{{"mx.partner.example", "partner"}}, warmup.DefaultServers()...)
	if got := own.ByMX("a.mx.partner.example"); got != "partner" {
		t.Errorf("an own row: %q", got)
	}
}

func TestOutputs(t *testing.T) {
	s := schedule(t, warmup.Plan{Target: 30_000, Mix: warmup.Mix{"google": 0.5, "a&b": 0.3, warmup.Other: 0.2}, Calendar: warmup.Weekdays(1, warmup.DateOf(monday)+2)})
	write := func(f func(io.Writer) error) string {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	rows, err := csv.NewReader(strings.NewReader(write(s.WriteCSV))).ReadAll()
	if err != nil || len(rows) != len(s.Days)+1 || rows[0][4] != "google" {
		t.Fatalf("CSV: %v, %v", err, rows)
	}
	for i, row := range rows[1:] {
		if row[2] != strconv.Itoa(s.Days[i].Total) || len(row) != len(rows[0]) {
			t.Errorf("CSV, day %d: %v", i+1, row)
		}
	}
	ics := write(func(w io.Writer) error { return s.WriteICS(w, monday) })
	if strings.Count(ics, "BEGIN:VEVENT") != len(s.Days)-1 || !strings.Contains(ics, "DTSTART;VALUE=DATE:20261130\r\nDTEND;VALUE=DATE:20261201\r\n") || !strings.Contains(ics, `1\,250 mails`) {
		t.Errorf("calendar:\n%s", ics)
	}
	for line := range strings.SplitSeq(ics, "\r\n") {
		if len(line) > 75 || strings.Contains(line, "\n") {
			t.Errorf("a line of %d octets: %q", len(line), line)
		}
	}
	svg := write(s.WriteSVG)
	d := xml.NewDecoder(strings.NewReader(svg))
	rects := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("SVG: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			rects++
		}
	}
	if want := 1 + 3*(len(s.Days)-1) + 3; rects != want {
		t.Errorf("SVG: %d rectangles, want %d", rects, want)
	}
	if !strings.Contains(svg, "prefers-color-scheme:dark") || strings.Contains(svg, "<script") || strings.Contains(svg, "a&b") {
		t.Errorf("SVG:\n%.600s", svg)
	}
	text := write(s.WriteText)
	if !strings.Contains(text, "   6  2026-12-05") || !strings.Contains(text, "no mail") || !strings.Contains(text, "30,000") {
		t.Errorf("text:\n%s", text)
	}
	var back warmup.Schedule
	if err := json.Unmarshal([]byte(write(s.WriteJSON)), &back); err != nil || !slices.Equal(totals(&back), totals(s)) || back.Days[1].Date != s.Days[1].Date {
		t.Errorf("JSON: %v, %+v", err, back)
	}
}
