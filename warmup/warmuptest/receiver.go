package warmuptest

import (
	"math"
	"math/rand/v2"
)

// A Receiver is a provider, of one identity and one trial. Its methods are called in the
// order of time: 24 times Hour, then EndDay.
type Receiver interface {
	// Hour takes what is tried in an hour: fresh mails, and mails that were deferred
	// before. volume is what the sender means to send on the day, which says how far down
	// its list it goes. The results sum to the attempts.
	Hour(fresh, again int, volume float64) (delivered, deferred, blocked, bounced int)
	// EndDay ends a day and returns the complaints about its mail.
	EndDay(volume float64) (complaints int)
}

// model is the receiver that the package comes with.
type model struct {
	World
	rng       *rand.Rand
	goal      float64 // mails a day of this provider when the warm-up is done
	capacity  float64
	most      float64
	growth    float64
	threshold float64
	blocked   float64 // hours that are left of a block
	blocks    int

	accepted, attempts, delivered float64 // of the day
}

// leastCapacity is a day's mail that nobody minds.
const leastCapacity = 20

func (w World) receiver(rng *rand.Rand, target int, share float64) *model {
	m := &model{World: w, rng: rng, goal: float64(target) * share, most: 3 * float64(target) * share}
	m.capacity = max(leastCapacity, w.C0*math.Sqrt(share/0.2)*math.Exp(rng.NormFloat64()*w.Sigma))
	m.growth = between(rng, w.Growth)
	m.threshold = between(rng, w.Threshold)
	return m
}

func between(rng *rand.Rand, r [2]float64) float64 { return r[0] + (r[1]-r[0])*rng.Float64() }

// rates are those of the list at a volume: the further down it goes, the worse.
func (m *model) rates(volume float64) (complain, gone float64) {
	l := lists[m.List]
	f := 0.0
	if m.goal > 0 {
		f = min(max(volume/m.goal, 0), 1)
	}
	return l.complain + (l.complainAll-l.complain)*f, l.gone + (l.goneAll-l.gone)*f
}

// Hour implements [Receiver]. An hour takes a twelfth of the day's capacity.
func (m *model) Hour(fresh, again int, volume float64) (delivered, deferred, blocked, bounced int) {
	attempts := fresh + again
	if m.blocked > 0 {
		m.blocked = max(0, m.blocked-1)
		return 0, 0, attempts, 0
	}
	accepted := min(attempts, int(max(0, min(m.capacity/12, m.capacity-m.accepted))))
	_, gone := m.rates(volume)
	bounced = binomial(m.rng, accepted, gone)
	delivered, deferred = accepted-bounced, attempts-accepted
	m.accepted += float64(accepted)
	m.delivered += float64(delivered)
	m.attempts += float64(fresh) + 0.3*float64(again)
	if m.attempts > m.threshold*m.capacity && m.rng.Float64() < 0.08 {
		m.blocks++
		m.blocked = 24 + 48*m.rng.Float64()
		m.capacity = max(leastCapacity, m.capacity/2)
	}
	return delivered, deferred, 0, bounced
}

// EndDay implements [Receiver].
func (m *model) EndDay(volume float64) int {
	complain, _ := m.rates(volume)
	complaints := binomial(m.rng, int(m.delivered), complain)
	over := m.attempts/m.capacity - 1
	use := min(m.accepted/m.capacity, 1)
	if m.Calendar {
		use = 0
		if m.accepted > 0 {
			use = 1
		}
	}
	quality := 0.0
	switch {
	case over < 0.1:
		quality = 1
	case over < 0.5:
		quality = 0.3
	}
	if complain > 0.001 {
		quality /= 2
	}
	c := m.capacity * (1 + m.growth*use*quality)
	if over > 0.5 {
		c = m.capacity * (1 - 0.15*min(over, 2))
	}
	if complain > 0.003 {
		c = m.capacity * 0.85
	}
	if m.accepted < 1 {
		c = m.capacity * 0.98
	}
	if m.rng.Float64() < m.Shock {
		c /= 2
	}
	m.capacity = max(leastCapacity, min(c, max(m.most, leastCapacity)))
	m.accepted, m.attempts, m.delivered = 0, 0, 0
	return complaints
}

// binomial draws how many of n happen, each with probability p: exactly where few are
// expected, else from the normal distribution.
func binomial(rng *rand.Rand, n int, p float64) int {
	p = min(max(p, 0), 1)
	mean := float64(n) * p
	if n <= 0 || p == 0 {
		return 0
	}
	if spread := mean * (1 - p); mean > 20 && spread > 10 {
		return min(max(int(math.Round(mean+math.Sqrt(spread)*rng.NormFloat64())), 0), n)
	}
	if n < 50 {
		k := 0
		for range n {
			if rng.Float64() < p {
				k++
			}
		}
		return k
	}
	k, left := 0, math.Exp(-mean) // p is small: as Poisson
	for u := rng.Float64(); u > left && k < n; k++ {
		u *= rng.Float64()
	}
	return k
}

// poisson draws how often something happens that is expected mean times.
func poisson(rng *rand.Rand, mean float64) int {
	if mean > 30 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())))
	}
	k, least := 0, math.Exp(-max(mean, 0))
	for u := rng.Float64(); u > least; k++ {
		u *= rng.Float64()
	}
	return k
}
