package warmup

import "math"

// confidence is the quantile of the bounds: what lies above a lower bound is certain by
// 95 %.
const confidence = 1.64

// lower is the lower bound of a rate of which k of n were seen (Wilson, 1927): near zero
// while n is small.
func lower(k, n float64) float64 {
	if n < 1e-6 {
		return 0
	}
	const z2 = confidence * confidence
	p := min(max(k/n, 0), 1)
	centre := p + z2/(2*n)
	spread := confidence * math.Sqrt(max(p*(1-p)/n+z2/(4*n*n), 0))
	return max(0, (centre-spread)/(1+z2/n))
}
