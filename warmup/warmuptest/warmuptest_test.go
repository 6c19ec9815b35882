package warmuptest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/warmup"
	"github.com/rebound-mail/rebound/warmup/warmuptest"
)

func simulate(t testing.TB, r warmuptest.Run) *warmuptest.Report {
	t.Helper()
	if r.Target == 0 {
		r.Target = 1_000_000
	}
	report, err := warmuptest.Simulate(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func policy(t testing.TB, name string) warmuptest.NewPolicy {
	t.Helper()
	for _, p := range warmuptest.Policies() {
		if p.Name == name {
			return p.New
		}
	}
	t.Fatalf("there is no policy %q", name)
	return nil
}

// The controller reaches the target in each world, sooner than the published tables, and
// nobody blocks it.
func TestWorlds(t *testing.T) {
	for _, tt := range []struct {
		world       string
		median, p90 float64
	}{
		{"lenient", 13, 15},
		{"typical", 15, 18},
		{"strict", 24, 31},
		{"harsh", 51, 70},
		{"shocky", 16, 20},
		{"calendar", 31, 46},
	} {
		w, _ := warmuptest.WorldNamed(tt.world)
		r := simulate(t, warmuptest.Run{World: w, Seed: 11})
		if r.Median == nil || *r.Median > tt.median || r.P90 == nil || *r.P90 > tt.p90 || r.Blocked > 0 || r.Deferrals > 0.002 {
			t.Errorf("%s: %+v", tt.world, r)
			continue
		}
		for _, name := range []string{"SendGrid", "SparkPost"} {
			if other := simulate(t, warmuptest.Run{World: w, Seed: 11, Policy: policy(t, name)}); other.Median != nil && *other.Median <= *r.Median {
				t.Errorf("%s: %s takes %v days, the controller %v", tt.world, name, *other.Median, *r.Median)
			}
		}
	}
	bad, _ := warmuptest.WorldNamed("badlist")
	if r := simulate(t, warmuptest.Run{World: bad, Seed: 11}); r.Reached > 0 || r.Blocked > 0 || r.Delivered < 1_000_000 {
		t.Errorf("a bad list: %+v", r)
	}
}

func TestSeed(t *testing.T) {
	w, _ := warmuptest.WorldNamed("shocky")
	run := warmuptest.Run{World: w, Target: 100_000, Trials: 12, Days: 40, Seed: 5}
	a, b := simulate(t, run), simulate(t, run)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("one seed gave %+v and %+v", a, b)
	}
	run.Seed = 6
	if c := simulate(t, run); reflect.DeepEqual(a.DaysToTarget, c.DaysToTarget) && a.Deferrals == c.Deferrals {
		t.Errorf("two seeds gave the same: %+v", c)
	}
}

// Each policy, on the world for which the published tables are made and one for which
// they are not.
func TestPolicies(t *testing.T) {
	worlds := []warmuptest.World{}
	for _, name := range []string{"lenient", "harsh"} {
		w, _ := warmuptest.WorldNamed(name)
		worlds = append(worlds, w)
	}
	steps := 0
	all, err := warmuptest.Compare(context.Background(), warmuptest.Run{Target: 1_000_000, Trials: 12, Seed: 3, Progress: func(done, of int) { steps = of - done }}, worlds, warmuptest.Policies())
	if err != nil || steps != 0 {
		t.Fatal(err, steps)
	}
	for i, p := range all.Policies {
		lenient, harsh := all.Reports[0][i], all.Reports[1][i]
		if (lenient.Median == nil) != (p.Name == "Salesforce") {
			t.Errorf("%s in lenient: %+v", p.Name, lenient)
		}
		switch p.Name {
		case "oracle", "rebound":
			if harsh.Median == nil || harsh.Blocked > 0 {
				t.Errorf("%s in harsh: %+v", p.Name, harsh)
			}
		case "SendGrid", "SparkPost", "Braze moderate":
			if harsh.Median != nil || harsh.Blocked < 0.9 {
				t.Errorf("%s in harsh: %+v", p.Name, harsh)
			}
		}
	}
	var b bytes.Buffer
	if err := all.WriteText(&b); err != nil || strings.Count(b.String(), "\n") != len(all.Policies)+1 || !strings.Contains(b.String(), "never") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// wall takes a number a day and refuses the rest.
type wall struct{ most, taken int }

func (w *wall) Hour(fresh, again int, _ float64) (delivered, deferred, blocked, bounced int) {
	delivered = min(fresh+again, w.most-w.taken)
	w.taken += delivered
	return delivered, fresh + again - delivered, 0, 0
}

func (w *wall) EndDay(float64) int { w.taken = 0; return 0 }

// A receiver of one's own: the controller settles below what it takes.
func TestOwnReceiver(t *testing.T) {
	last := 0
	r := simulate(t, warmuptest.Run{
		Target: 100_000, Trials: 1, Days: 60, Mix: warmup.Mix{"wall": 1},
		Receiver: func(*rand.Rand, warmup.Provider, float64, int) warmuptest.Receiver { return &wall{most: 6000} },
		Day: func(_, day int, p []warmup.Provider, c []warmuptest.Counts) {
			if last = c[0].Delivered; p[0] != "wall" {
				t.Errorf("day %d: %v", day, p)
			}
		},
	})
	if r.Median != nil || last < 3000 || last > 6000 || r.Deferrals > 0.1 {
		t.Errorf("at a wall of 6,000 a day: %d on the last day, %+v", last, r)
	}
}

func TestWorldFile(t *testing.T) {
	raw, err := json.Marshal(warmuptest.Worlds()[2])
	if err != nil {
		t.Fatal(err)
	}
	w, err := warmuptest.ReadWorld(bytes.NewReader(raw))
	if err != nil || w != warmuptest.Worlds()[2] {
		t.Errorf("%s reads as %+v, %v", raw, w, err)
	}
	good := `{"name":"mine","c0":2000,"sigma":0.6,"growth":[0.6,1.5],"threshold":[2.5,6],"shock":0,"list":"good","calendar":false}`
	for old, bad := range map[string]string{
		`"c0":2000`: `"c0":0`, `"sigma":0.6`: `"sigma":-1`, `[0.6,1.5]`: `[1.5,0.6]`, `[2.5,6]`: `[0,6]`, `"shock":0`: `"shock":2`, `"good"`: `"best"`, `"calendar"`: `"kalender"`, `{"name"`: `["name"`,
	} {
		if w, err := warmuptest.ReadWorld(strings.NewReader(strings.Replace(good, old, bad, 1))); err == nil {
			t.Errorf("%s: read as %+v", bad, w)
		}
	}
}

func TestRunErrors(t *testing.T) {
	w := warmuptest.Worlds()[0]
	for name, r := range map[string]warmuptest.Run{
		"no world":  {Target: 1000},
		"no target": {World: w},
		"a target":  {World: w, Target: 2_000_000_000},
		"a mix":     {World: w, Target: 1000, Mix: warmup.Mix{"google": 0.2}},
		"days":      {World: w, Target: 1000, Days: 1},
		"trials":    {World: w, Target: 1000, Trials: -4},
		"an oracle without its receivers": {Target: 1000, Trials: 1, Policy: warmuptest.Oracle, Receiver: func(*rand.Rand, warmup.Provider, float64, int) warmuptest.Receiver {
			return &wall{most: 1}
		}},
	} {
		if r, err := warmuptest.Simulate(context.Background(), r); err == nil || r != nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := warmuptest.Simulate(ctx, warmuptest.Run{World: w, Target: 1000}); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

func BenchmarkSimulate(b *testing.B) {
	w, _ := warmuptest.WorldNamed("typical")
	for b.Loop() {
		simulate(b, warmuptest.Run{World: w, Seed: 1})
	}
}
