// Command fit fits the weights of package content to labelled mail, and says how well
// they tell spam from other mail.
//
//	go run ./content/internal/fit -table content/weights.txt MAIL…
//	go run ./content/internal/fit -table content/weights.txt -write MAIL…
//
// MAIL is a folder, or a .tar.gz, with raw messages below ham/ and spam/. Without -write
// the table is not changed. The output has the figures of five folds (each fifth judged
// by weights fitted to the rest), then those of the table as it is now or was written.
//
// The method: logistic regression on which checks find something in a mail, with a
// penalty on the distance of a weight from the published one. A weight of a fault is
// never below zero; one of good practice lies between zero and the published one, which
// old mail cannot raise. A row with "hold: none" has no weight, one with "hold: published"
// or "hold: judgement" the published one. What more than a twentieth of newsletters or
// templates has weighs at most what was published, since old mail cannot speak for those,
// and what any of them has is held near the logarithm of the ratio of modern rates.
// What the receiver adds to a mail is no check's business, so nothing need be taken off.
package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/content"
)

// A sample is one labelled mail: the columns of the checks that found something.
type sample struct {
	spam bool
	file string
	hits []int
}

func main() {
	table := flag.String("table", "content/weights.txt", "the table of weights, `FILE`")
	write := flag.Bool("write", false, "write the fitted weights into the table")
	penalty := flag.Float64("penalty", 4, "how strongly a weight is held to the published one")
	worst := flag.Int("worst", 0, "name the `N` good mails with the highest and the spam with the lowest scores")
	flag.Parse()
	if err := run(os.Stdout, *table, *write, *penalty, *worst, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "fit:", err)
		os.Exit(1)
	}
}

// everyCheck are options with which each check tells what it finds.
func everyCheck() (*content.Options, error) {
	var b strings.Builder
	b.WriteString("version: every\nbias: 0\n")
	for _, code := range content.Checks() {
		fmt.Fprintf(&b, "\ncode: %s\nweight: 1\n", code)
	}
	w, err := content.ParseWeights(strings.NewReader(b.String()))
	return &content.Options{Weights: w}, err
}

func run(out io.Writer, table string, write bool, penalty float64, worst int, mail []string) error {
	if len(mail) == 0 {
		return errors.New("no mail given")
	}
	t, err := readTable(table)
	if err != nil {
		return err
	}
	t.penalty = penalty
	every, err := everyCheck()
	if err != nil {
		return err
	}
	var samples []sample
	mails := map[string][]byte{}
	for _, name := range mail {
		if err := read(name, func(file string, raw []byte) error {
			spam, ok := label(file)
			if !ok {
				return nil
			}
			r := content.AnalyzeBytes(raw, every)
			s := sample{spam: spam, file: file}
			mails[file] = raw
			for _, f := range r.Findings {
				s.hits = append(s.hits, t.column(f.Code))
			}
			samples = append(samples, s)
			return nil
		}); err != nil {
			return err
		}
	}
	slices.SortFunc(samples, func(a, b sample) int { return strings.Compare(a.file, b.file) })
	fmt.Fprintf(out, "%d mails\n", len(samples))
	all := make([]float64, len(samples))
	for fold := range folds {
		var train, test []sample
		for i, s := range samples {
			if i%folds != fold {
				train = append(train, s)
			}
		}
		w := t.fit(train)
		var scores []float64
		for i := fold; i < len(samples); i += folds {
			all[i] = w.sum(samples[i])
			test, scores = append(test, samples[i]), append(scores, all[i])
		}
		fmt.Fprintf(out, "fold %d: %s\n", fold+1, measure(test, scores))
	}
	fmt.Fprintf(out, "folds together: %s\n", measure(samples, all))
	w := t.weights
	if write {
		w = t.fit(samples)
		if err := t.write(table, w, samples); err != nil {
			return err
		}
	}
	if err := judge(table, samples, mails, all); err != nil {
		return err
	}
	fmt.Fprintf(out, "table: %s\n", measure(samples, all))
	groups := map[string]bool{}
	for _, s := range samples {
		groups[group(s)] = true
	}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(out, "  %-28s %s\n", g, levels(samples, all, func(s sample) bool { return group(s) == g }))
	}
	if worst > 0 {
		t.worst(out, samples, all, w, worst)
	}
	return nil
}

const folds = 5

// judge gives each mail the score that package content gives it with the table.
func judge(table string, samples []sample, mails map[string][]byte, scores []float64) error {
	f, err := os.Open(table)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := content.ParseWeights(f)
	if err != nil {
		return err
	}
	for i, s := range samples {
		scores[i] = content.AnalyzeBytes(mails[s.file], &content.Options{Weights: w}).Score
	}
	return nil
}

// group is the collection and kind of a mail: what comes before the number in its name.
func group(s sample) string {
	dir, file := filepath.Split(s.file)
	if i := strings.LastIndexAny(file, "_"); i > 0 && strings.Contains(file, "-") && strings.Contains(dir, "spamassassin") {
		file = file[:i]
	} else {
		file = ""
	}
	return strings.TrimSuffix(filepath.Base(filepath.Dir(filepath.Clean(dir)))+"/"+filepath.Base(dir)+"/"+file, "/")
}

// label reads the label of a mail from the folder it is in.
func label(file string) (spam, ok bool) {
	for _, dir := range strings.Split(filepath.ToSlash(filepath.Dir(file)), "/") {
		switch dir {
		case "ham":
			return false, true
		case "spam":
			return true, true
		}
	}
	return false, false
}

// read passes every file of a folder, or of a .tar.gz, to each.
func read(name string, each func(file string, raw []byte) error) error {
	if strings.HasSuffix(name, ".tar.gz") {
		return readArchive(name, each)
	}
	return filepath.WalkDir(name, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return each(file, raw)
	})
}

func readArchive(name string, each func(file string, raw []byte) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := each(filepath.Join(strings.TrimSuffix(filepath.Base(name), ".tar.gz"), h.Name), raw); err != nil {
			return err
		}
	}
}
