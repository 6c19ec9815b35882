package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/rebound-mail/rebound/internal/stanza"
)

// A table is weights.txt, kept as it is written but for what a fit decides.
type table struct {
	head    string // the comment at the top
	version string
	rows    []row
	columns map[string]int
	weights weights
	penalty float64
}

// A row is what the table says of one check.
type row struct {
	code                             string
	published                        float64
	phishing, newsletters, templates float64
	hold, note                       string
	fields                           []stanza.Field
}

func readTable(file string) (*table, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	rows, err := stanza.Parse(strings.NewReader(string(raw)))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: no rows", file)
	}
	t := &table{columns: map[string]int{}, version: rows[0].Get("version")}
	t.head, _, _ = strings.Cut(string(raw), "\nversion:")
	number := func(r stanza.Row, key string) float64 {
		n, err := strconv.ParseFloat(r.Get(key), 64)
		if err != nil {
			return 0
		}
		return n
	}
	t.weights.bias = number(rows[0], "bias")
	for _, r := range rows[1:] {
		t.columns[r.Get("code")] = len(t.rows)
		t.rows = append(t.rows, row{r.Get("code"), number(r, "published"), number(r, "phishing"), number(r, "newsletters"), number(r, "templates"), r.Get("hold"), r.Get("note"), r.Fields})
		t.weights.w = append(t.weights.w, number(r, "weight"))
	}
	t.weights.phrases = t.phrases()
	return t, nil
}

// column returns the column of a check; one that the table lacks gets none.
func (t *table) column(code string) int {
	c, ok := t.columns[code]
	if !ok {
		c = len(t.rows)
		t.columns[code] = c
		t.rows = append(t.rows, row{code: code})
		t.weights.w = append(t.weights.w, 0)
		t.weights.phrases = t.phrases()
	}
	return c
}

func (t *table) phrases() []bool {
	is := make([]bool, len(t.rows))
	for i, r := range t.rows {
		is[i] = strings.HasPrefix(r.code, "content.phrases-")
	}
	return is
}

const (
	// common is the share of good modern mail above which old mail has no say: the weight
	// is at most the published one, and the logarithm of the ratio of modern rates.
	common = 0.05
	// slack is what a weight may have beyond that logarithm where fewer good mails have it:
	// a factor of two, for the rates rest on a hundred mails.
	slack = 0.7
	// raise is by how much old mail may raise a weight above the published one.
	raise = 0.3
)

// clamp keeps a weight within what its row allows.
func (r row) clamp(w float64) float64 {
	switch {
	case r.hold == "none":
		return 0
	case r.hold == "good practice":
		return max(min(w, 0), r.published)
	case r.hold == "published" || r.hold == "judgement":
		return r.published
	}
	limit := math.Inf(1)
	if r.published > 0 {
		limit = r.published + raise
	}
	switch good := max(r.newsletters, r.templates); {
	case good > common:
		limit = max(0, min(r.published, math.Log((r.phishing+1e-4)/good)))
	case good > 0:
		limit = max(0, min(limit, math.Log((r.phishing+1e-4)/good)+slack))
	}
	return max(0, min(w, limit))
}

func (t *table) write(file string, w weights, samples []sample) error {
	hits := make([][2]int, len(t.rows))
	var total [2]int
	for _, s := range samples {
		k := 0
		if s.spam {
			k = 1
		}
		total[k]++
		for _, c := range s.hits {
			hits[c][k]++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nversion: %s\nbias: %.3f\n", t.head, t.version, w.bias)
	for c, r := range t.rows {
		fmt.Fprintf(&b, "\ncode: %s\nweight: %.3f\nbasis: %s\nham: %.4f\nspam: %.4f\nn: %d\n", r.code, w.w[c], r.basis(w.w[c], hits[c]), rate(hits[c][0], total[0]), rate(hits[c][1], total[1]), len(samples))
		for _, f := range r.fields {
			switch f.Key {
			case "code", "weight", "basis", "ham", "spam", "n":
			default:
				fmt.Fprintf(&b, "%s: %s\n", f.Key, f.Value)
			}
		}
	}
	t.weights = w
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// few is the number of mails below which the published weight decides, not the fit.
const few = 10

func (r row) basis(w float64, hits [2]int) string {
	switch {
	case w == 0:
		return "none"
	case hits[0]+hits[1] >= few && r.hold == "":
		return "fitted"
	case r.hold == "good practice" || r.hold == "judgement" || r.published == 0:
		return "judgement"
	}
	return "published"
}

func rate(n, of int) float64 { return float64(n) / float64(max(of, 1)) }
