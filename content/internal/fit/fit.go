package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Weights are the result of a fit: a bias and a weight a column.
type weights struct {
	bias    float64
	w       []float64
	phrases []bool // columns whose weights are capped together
}

const maxPhrases = 3 // as in package content

func (w weights) sum(s sample) float64 {
	sum, phrases := w.bias, 0.0
	for _, c := range s.hits {
		if w.phrases[c] {
			phrases += w.w[c]
		} else {
			sum += w.w[c]
		}
	}
	return sum + min(phrases, maxPhrases)
}

// fit minimises the logistic loss plus penalty/2 · (weight − published)², one coordinate
// after another with Newton's step, each kept within its bounds.
func (t *table) fit(samples []sample) weights {
	cols := make([][]int, len(t.rows))
	for i, s := range samples {
		for _, c := range s.hits {
			cols[c] = append(cols[c], i)
		}
	}
	w := weights{bias: -2, w: make([]float64, len(t.rows)), phrases: t.phrases()}
	margin := make([]float64, len(samples))
	for i := range margin {
		margin[i] = w.bias
	}
	for c, row := range t.rows {
		w.w[c] = row.clamp(row.published)
		for _, i := range cols[c] {
			margin[i] += w.w[c]
		}
	}
	step := func(list []int, value, target, hold float64) float64 {
		grad, curve := hold*(value-target), hold
		for _, i := range list {
			p := 1 / (1 + math.Exp(-margin[i]))
			y := 0.0
			if samples[i].spam {
				y = 1
			}
			grad += p - y
			curve += p * (1 - p)
		}
		if curve < 1e-9 {
			return value
		}
		return value - max(-1, min(1, grad/curve))
	}
	every := make([]int, len(samples))
	for i := range every {
		every[i] = i
	}
	for range 200 {
		moved := 0.0
		move := func(list []int, from, to float64) {
			moved = max(moved, math.Abs(to-from))
			for _, i := range list {
				margin[i] += to - from
			}
		}
		bias := step(every, w.bias, 0, 0)
		move(every, w.bias, bias)
		w.bias = bias
		for c, row := range t.rows {
			to := row.clamp(step(cols[c], w.w[c], row.published, t.penalty))
			move(cols[c], w.w[c], to)
			w.w[c] = to
		}
		if moved < 1e-5 {
			break
		}
	}
	return w
}

// measure tells how well scores separate spam from other mail.
func measure(samples []sample, scores []float64) string {
	return fmt.Sprintf("AUC %.4f, recall at 1 %% false positives %.3f", auc(samples, scores), recall(samples, scores, 0.01))
}

// auc is the chance that a spam scores above a good mail; ties count half.
func auc(samples []sample, scores []float64) float64 {
	order := sorted(scores)
	var ham, spam, sum float64
	for i := 0; i < len(order); {
		j, h, s := i, 0.0, 0.0
		for ; j < len(order) && scores[order[j]] == scores[order[i]]; j++ {
			if samples[order[j]].spam {
				s++
			} else {
				h++
			}
		}
		sum += s * (ham + h/2)
		ham, spam, i = ham+h, spam+s, j
	}
	return sum / (ham * spam)
}

// recall is the share of spam above the score that the share fp of good mail exceeds.
func recall(samples []sample, scores []float64, fp float64) float64 {
	var ham []float64
	spam, found := 0, 0
	for i, s := range samples {
		if !s.spam {
			ham = append(ham, scores[i])
		}
	}
	slices.Sort(ham)
	if len(ham) == 0 {
		return 0
	}
	limit := ham[len(ham)-1-int(fp*float64(len(ham)))]
	for i, s := range samples {
		if s.spam {
			if spam++; scores[i] > limit {
				found++
			}
		}
	}
	return float64(found) / float64(max(spam, 1))
}

func sorted(scores []float64) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scores[a] < scores[b]:
			return -1
		case scores[a] > scores[b]:
			return 1
		}
		return 0
	})
	return order
}

// levels tells which share of some mails reaches each level of package content.
func levels(samples []sample, scores []float64, of func(sample) bool) string {
	var list []float64
	for i, s := range samples {
		if of(s) {
			list = append(list, scores[i])
		}
	}
	share := func(least float64) float64 {
		n := 0
		for _, s := range list {
			if s >= least {
				n++
			}
		}
		return 100 * float64(n) / float64(len(list))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%5d mails; share at and above", len(list))
	for _, x := range []float64{10, 20, 30, 40, 50, 60, 75} {
		fmt.Fprintf(&b, "  %.0f: %5.1f %%", x, share(x))
	}
	return b.String()
}

// worst names the mails that the weights get most wrong, with what decided.
func (t *table) worst(out io.Writer, samples []sample, scores []float64, w weights, n int) {
	order := sorted(scores)
	show := func(i int) {
		var parts []string
		for _, c := range samples[i].hits {
			if w.w[c] != 0 {
				parts = append(parts, fmt.Sprintf("%s %.1f", strings.TrimPrefix(t.rows[c].code, "content."), w.w[c]))
			}
		}
		fmt.Fprintf(out, "%6.2f %s: %s\n", scores[i], samples[i].file, strings.Join(parts, ", "))
	}
	left := n
	for _, i := range slices.Backward(order) {
		if !samples[i].spam && left > 0 {
			show(i)
			left--
		}
	}
	left = n
	for _, i := range order {
		if samples[i].spam && left > 0 {
			show(i)
			left--
		}
	}
}
