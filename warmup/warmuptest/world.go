// Package warmuptest simulates receivers, so that a way to warm up can be tried before mail
// is sent.
//
// The model is ours and is not fitted to the logs of real receivers: each provider has a
// hidden capacity a day for an identity, defers what goes beyond it, grows with what is
// delivered, and blocks when it is overrun by far. What comes out of it tells ways to warm
// up from each other; it does not say how many days your warm-up takes. Put in what you
// know of your own receivers: a [World] of your figures, or a [Receiver] of your own.
//
//	report, err := warmuptest.Simulate(ctx, warmuptest.Run{World: warmuptest.Worlds()[0], Target: 1_000_000})
//
// The same seed gives the same report.
package warmuptest

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// A World is a kind of receivers. Its JSON is the file that "rebound warmup simulate
// -world" reads.
type World struct {
	Name      string     `json:"name"`
	C0        float64    `json:"c0"`        // median capacity a day of a provider with a fifth of the mail
	Sigma     float64    `json:"sigma"`     // its spread, of the logarithm
	Growth    [2]float64 `json:"growth"`    // of the capacity on a day of full use, least and most
	Threshold [2]float64 `json:"threshold"` // attempts, in capacities, beyond which a provider may block
	Shock     float64    `json:"shock"`     // chance a day that a provider halves the capacity
	List      string     `json:"list"`      // good, fair or bad: how many recipients complain or are gone
	Calendar  bool       `json:"calendar"`  // capacity grows with days of sending, however little is sent
}

// Worlds are those that this package was tuned and measured on. In lenient the published
// tables nearly always succeed, in typical mostly.
func Worlds() []World {
	return []World{
		{"lenient", 5000, 0.6, [2]float64{0.8, 2}, [2]float64{3, 8}, 0, "good", false},
		{"typical", 2000, 0.6, [2]float64{0.6, 1.5}, [2]float64{2.5, 6}, 0, "good", false},
		{"strict", 500, 0.8, [2]float64{0.25, 0.9}, [2]float64{1.8, 4}, 0, "good", false},
		{"harsh", 150, 0.8, [2]float64{0.12, 0.4}, [2]float64{1.4, 3}, 0, "good", false},
		{"shocky", 2000, 0.6, [2]float64{0.6, 1.5}, [2]float64{2.5, 6}, 0.03, "fair", false},
		{"calendar", 800, 0.8, [2]float64{0.15, 0.6}, [2]float64{2, 5}, 0.01, "good", true},
		{"badlist", 2000, 0.6, [2]float64{0.6, 1.5}, [2]float64{2.5, 6}, 0, "bad", false},
	}
}

// WorldNamed returns the world of that name.
func WorldNamed(name string) (World, bool) {
	for _, w := range Worlds() {
		if w.Name == name {
			return w, true
		}
	}
	return World{}, false
}

// lists are the rates of complaints and of hard bounces, of the most engaged recipients
// and of all.
var lists = map[string]struct{ complain, complainAll, gone, goneAll float64 }{
	"good": {0.0002, 0.0007, 0.004, 0.012},
	"fair": {0.0004, 0.0011, 0.008, 0.025},
	"bad":  {0.0008, 0.0045, 0.015, 0.08},
}

// ReadWorld reads the JSON of a world.
func ReadWorld(r io.Reader) (World, error) {
	var w World
	d := json.NewDecoder(io.LimitReader(r, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return World{}, fmt.Errorf("warmuptest: world: %w", err)
	}
	return w, w.Check()
}

// Check reports what makes a world none.
func (w World) Check() error {
	wrong := func(what string, v any) error {
		return fmt.Errorf("warmuptest: world %q: %s is %v", w.Name, what, v)
	}
	switch {
	case !(w.C0 > 0 && w.C0 <= 1e12):
		return wrong("c0", w.C0)
	case !(w.Sigma >= 0 && w.Sigma <= 10):
		return wrong("sigma", w.Sigma)
	case !(w.Growth[0] >= 0 && w.Growth[1] >= w.Growth[0] && w.Growth[1] <= 100):
		return wrong("growth", w.Growth)
	case !(w.Threshold[0] > 0 && w.Threshold[1] >= w.Threshold[0] && w.Threshold[1] <= 1e6):
		return wrong("threshold", w.Threshold)
	case !(w.Shock >= 0 && w.Shock <= 1) || math.IsNaN(w.Shock):
		return wrong("shock", w.Shock)
	}
	if _, ok := lists[w.List]; !ok {
		return wrong("list", w.List)
	}
	return nil
}
