package content

import (
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/rebound-mail/rebound/internal/stanza"
)

//go:embed weights.txt
var weightsText string

// A Basis says on what the weight of a check rests. Rates are shares of mails, 0 to 1.
type Basis struct {
	// How is "fitted" (to labelled mail, held to the published weight), "published"
	// (the labelled mail does not hold enough of it), "judgement", or "none": no weight.
	How string `json:"how"`
	// Ham and Spam are the rates among good mail and spam of the collection that the
	// weights were fitted to, of N mails.
	Ham  float64 `json:"ham"`
	Spam float64 `json:"spam"`
	N    int     `json:"n"`
	// Phishing, Newsletters and Templates are the published rates among phishing of
	// 2022-25, newsletters and shop mail of 2023-26, and marketing templates; -1 where
	// unknown.
	Phishing    float64 `json:"phishing"`
	Newsletters float64 `json:"newsletters"`
	Templates   float64 `json:"templates"`
	Note        string  `json:"note,omitempty"`
}

// Weights are a table of weights, by check.
type Weights struct {
	Version string
	Bias    float64 // the sum of a mail in which nothing was found, in logits
	rows    map[string]weight
}

type weight struct {
	weight float64
	basis  Basis
}

// DefaultWeights returns the table that comes with the package.
var DefaultWeights = sync.OnceValue(func() *Weights {
	w, err := ParseWeights(strings.NewReader(weightsText))
	if err != nil {
		panic(err) // the table is part of the package, and a test reads it
	}
	return w
})

// ParseWeights reads a table of weights, in the form of weights.txt: a first row with
// version and bias, then a row a check. A check without a row has no weight. The program
// content/internal/fit writes such tables from labelled mail.
func ParseWeights(r io.Reader) (*Weights, error) {
	rows, err := stanza.Parse(r)
	if err != nil {
		return nil, fmt.Errorf("content: weights: %w", err)
	}
	w := &Weights{rows: map[string]weight{}}
	for i, row := range rows {
		if i == 0 {
			w.Version = row.Get("version")
			if w.Bias, err = strconv.ParseFloat(row.Get("bias"), 64); err != nil {
				return nil, fmt.Errorf("content: weights: %w", stanza.Error(row.Line, "bias: %v", err))
			}
			continue
		}
		var e weight
		e.basis = Basis{How: row.Get("basis"), Note: row.Get("note")}
		for key, to := range map[string]*float64{"weight": &e.weight, "ham": &e.basis.Ham, "spam": &e.basis.Spam, "phishing": &e.basis.Phishing, "newsletters": &e.basis.Newsletters, "templates": &e.basis.Templates} {
			s := row.Get(key)
			if s == "" {
				if *to = -1; key == "weight" {
					*to = 0
				}
				continue
			}
			if *to, err = strconv.ParseFloat(s, 64); err != nil {
				return nil, fmt.Errorf("content: weights: %w", stanza.Error(row.Line, "%s: %v", key, err))
			}
		}
		e.basis.N, _ = strconv.Atoi(row.Get("n"))
		w.rows[row.Get("code")] = e
	}
	return w, nil
}
