package warmup

import (
	"fmt"
	"maps"
	"slices"
)

// A Preset is a schedule that somebody published: mails a day.
type Preset struct {
	Name string
	// Days are the volumes, from the first day on.
	Days []int
	// PerIP says that the table is for one address; else it is for all together.
	PerIP bool
	// Then is the factor with which the table goes on, every so many days; 0 where it
	// does not say.
	Then  float64
	Every int
	// Providers are the volumes of each provider where the table has them; Days are
	// their sums.
	Providers map[Provider][]int
	Source    string
}

// presets are the published tables, as their pages had them in 2026.
var presets = []Preset{
	{
		Name: "sendgrid", Then: 2, Every: 1,
		Days:   []int{50, 100, 500, 1000, 5000, 10000, 20000, 40000, 70000, 100000, 150000, 250000, 400000, 600000, 1000000, 2000000, 4000000},
		Source: "SendGrid, IP warmup schedule, 2017: https://github.com/sendgrid/docs (static/assets/IPWarmupSchedule.pdf)",
	},
	{
		Name: "sendgrid-automated", PerIP: true,
		Days: hourly(20, 28, 39, 55, 77, 108, 151, 211, 295, 413, 579, 810, 1000, 1587, 2222, 3111, 4356, 6098, 8583, 11953, 16734, 23427, 32798, 45917, 64284, 89998,
			125997, 176395, 246953, 345735, 484029, 677640, 948696, 1328175, 1859444, 2603222),
		Source: "SendGrid, automated IP warmup, mails an hour times 24: https://github.com/sendgrid/docs (warming-up-an-ip-address.md)",
	},
	{
		Name: "sparkpost", PerIP: true,
		Days: []int{
			200, 500, 1000, 2000, 5000, 10000, 20000, 40000, 50000, 75000, 100000, 150000, 200000, 250000, 325000, 400000, 500000, 600000, 750000, 1000000,
			1250000, 1750000, 2000000, 3000000, 4250000, 5000000, 6000000, 7500000, 10000000,
		},
		Source: "SparkPost, IP warm-up overview: https://github.com/SparkPost/support-docs (ip-warm-up-overview.md)",
	},
	{
		Name: "braze-conservative", PerIP: true, Then: 2, Every: 3,
		Days:   []int{50, 50, 50, 100, 100, 100, 500, 500, 500, 1000, 1000, 1000, 2000, 2000, 2000, 4000, 4000, 4000, 8000, 8000, 8000},
		Source: brazePage,
	},
	{
		Name: "braze-moderate", PerIP: true,
		Days:   []int{50, 100, 500, 1000, 2000, 4000, 8000, 16000, 25000, 35000, 50000, 75000, 100000, 150000, 200000, 275000, 375000, 500000, 650000, 825000, 1000000},
		Source: brazePage,
	},
	{
		Name: "braze-aggressive", PerIP: true, Then: 2, Every: 1,
		Days:   []int{50, 100, 500, 1000, 5000, 10000, 20000, 40000, 70000, 100000, 150000, 250000, 400000, 600000, 1000000, 2000000, 4000000},
		Source: brazePage,
	},
	{
		Name: "oracle",
		Days: []int{32500, 32500, 32500, 37500, 37500, 50000, 50000},
		Providers: map[Provider][]int{
			"google":    {10000, 10000, 10000, 10000, 10000, 12500, 12500},
			"microsoft": {7500, 7500, 7500, 10000, 10000, 15000, 15000},
			"yahoo":     {5000, 5000, 5000, 7500, 7500, 10000, 10000},
			Other:       {10000, 10000, 10000, 10000, 10000, 12500, 12500},
		},
		Source: "Oracle Responsys, IP warmup schedule: https://docs.oracle.com/en/cloud/saas/marketing/responsys-user/Account_IPwarmupSchedule.htm",
	},
	{
		Name: "salesforce", Then: 1, Every: 7, // from the sixth week on it stays
		Days:   slices.Concat(week(50000), week(100000), week(200000), week(400000), week(800000), week(1600000)),
		Source: "Salesforce Trailhead, build your IP reputation: https://trailhead.salesforce.com",
	},
}

const brazePage = "Braze, IP warming: https://github.com/braze-inc/braze-docs (ip_warming.md)"

func hourly(list ...int) []int {
	for i := range list {
		list[i] *= 24
	}
	return list
}

func week(n int) []int { return slices.Repeat([]int{n}, 7) }

// Presets returns the published tables.
func Presets() []Preset {
	list := slices.Clone(presets)
	for i := range list {
		list[i].Days = slices.Clone(list[i].Days)
		list[i].Providers = maps.Clone(list[i].Providers)
		for name, days := range list[i].Providers {
			list[i].Providers[name] = slices.Clone(days)
		}
	}
	return list
}

// PresetNamed returns the published table of that name.
func PresetNamed(name string) (Preset, error) {
	for _, p := range Presets() {
		if p.Name == name {
			return p, nil
		}
	}
	names := []string{geometric}
	for _, p := range presets {
		names = append(names, p.Name)
	}
	return Preset{}, fmt.Errorf("warmup: there is no preset %q; there are %v", name, names)
}

// Volume is the volume of day n, from 0, with that many addresses; ok is false where the
// table has ended and does not say how it goes on.
func (p Preset) Volume(n, ips int) (volume int, ok bool) {
	if n < 0 || len(p.Days) == 0 {
		return 0, false
	}
	v := float64(p.Days[min(n, len(p.Days)-1)])
	if over := n - len(p.Days) + 1; over > 0 {
		if p.Then == 0 {
			return p.times(v, ips), false
		}
		for i := 0; i < (over+p.Every-1)/p.Every && v < MaxTarget; i++ {
			v *= p.Then
		}
	}
	return p.times(v, ips), true
}

func (p Preset) times(v float64, ips int) int {
	if p.PerIP {
		v *= float64(max(ips, 1))
	}
	return int(min(v, MaxTarget))
}

// IPs returns how many addresses SendGrid advises for a volume a day
// (https://github.com/sendgrid/docs, IP allocation): one below 25,000.
func IPs(target int) int {
	n := 1
	for _, row := range []struct{ volume, ips int }{
		{25_000, 2}, {1_600_000, 3}, {3_500_000, 4}, {5_000_000, 5}, {7_500_000, 7}, {10_000_000, 10}, {12_500_000, 11}, {15_000_000, 12}, {20_000_000, 13}, {30_000_000, 15}, {50_000_000, 17}, {80_000_000, 20},
	} {
		if target >= row.volume {
			n = row.ips
		}
	}
	return n
}
