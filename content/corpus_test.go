package content_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-message"
	"golang.org/x/net/html"

	"github.com/rebound-mail/rebound/content"
)

var update = flag.Bool("update", false, "rewrite testdata/figures.json")

// A labelled mail of the corpus.
type labelled struct {
	group string // easy-ham, hard-ham, spam, templates
	raw   []byte
}

func mails(t testing.TB) []labelled {
	t.Helper()
	var list []labelled
	for _, name := range []string{"spamassassin-2002.tar.gz", "templates.tar.gz"} {
		f, err := os.Open(filepath.Join(corpus(t), name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(z); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.Typeflag != tar.TypeReg {
				continue
			}
			raw, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			group := "templates"
			for _, g := range []string{"easy-ham", "hard-ham", "spam"} {
				if strings.HasPrefix(filepath.Base(h.Name), g) {
					group = g
				}
			}
			list = append(list, labelled{group, raw})
		}
	}
	return list
}

// figures are what the corpus gave; they may not fall.
type figures struct {
	AUC    float64            `json:"auc"`
	Recall float64            `json:"recall_at_1_percent"`
	Risky  map[string]float64 `json:"risky"` // share of each group that is Risky or worse
	Minor  map[string]float64 `json:"minor"`
	Severe map[string]float64 `json:"severe"`
}

func TestCorpus(t *testing.T) {
	var ham, spam []float64
	count, reach := map[string]float64{}, [4]map[string]float64{{}, {}, {}, {}}
	for _, m := range mails(t) {
		r, err := content.Analyze(bytes.NewReader(m.raw), nil)
		if err != nil {
			t.Fatal(err)
		}
		if m.group == "spam" {
			spam = append(spam, r.Score)
		} else if m.group != "templates" {
			ham = append(ham, r.Score)
		}
		count[m.group]++
		for level := content.LevelMinor; level <= r.Verdict; level++ {
			reach[level][m.group]++
		}
	}
	share := func(level content.Level) map[string]float64 {
		shares := map[string]float64{}
		for g, n := range count {
			shares[g] = float64(int(10000*reach[level][g]/n+0.5)) / 10000
		}
		return shares
	}
	got := figures{Risky: share(content.LevelRisky), Minor: share(content.LevelMinor), Severe: share(content.LevelSevere)}
	slices.Sort(ham)
	below := 0.0
	limit := ham[len(ham)-1-len(ham)/100]
	for _, s := range spam {
		lo, _ := slices.BinarySearch(ham, s)
		hi, _ := slices.BinarySearch(ham, s+0.01)
		below += float64(lo+hi) / 2
		if s > limit {
			got.Recall++
		}
	}
	got.AUC = float64(int(10000*below/float64(len(ham)*len(spam)))) / 10000
	got.Recall = float64(int(10000*got.Recall/float64(len(spam)))) / 10000
	t.Logf("%+v", got)
	if *update {
		b, _ := json.MarshalIndent(got, "", "\t")
		if err := os.WriteFile("testdata/figures.json", append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile("testdata/figures.json")
	if err != nil {
		t.Fatal(err)
	}
	var want figures
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if got.AUC < want.AUC || got.Recall < want.Recall {
		t.Errorf("got AUC %v and recall %v, want %v and %v", got.AUC, got.Recall, want.AUC, want.Recall)
	}
	for _, g := range []string{"easy-ham", "hard-ham", "templates"} {
		if got.Risky[g] > want.Risky[g] {
			t.Errorf("%s: %v are Risky, want %v", g, got.Risky[g], want.Risky[g])
		}
	}
	for _, th := range content.Thresholds() {
		level := map[content.Level]map[string]float64{content.LevelMinor: got.Minor, content.LevelRisky: got.Risky, content.LevelSevere: got.Severe}[th.Level]
		if level != nil && (!near(th.EasyHam, level["easy-ham"]) || !near(th.HardHam, level["hard-ham"]) || !near(th.Spam, level["spam"]) || !near(th.Templates, level["templates"])) {
			t.Errorf("%v states %+v, measured %v", th.Level, th, level)
		}
	}
}

func near(a, b float64) bool { return a-b < 0.0006 && b-a < 0.0006 }

func TestCorpusClean(t *testing.T) {
	changed, before, after := 0, 0.0, 0.0
	for _, m := range mails(t) {
		if c := cleaned(t, m.raw); len(c.Changes) > 0 {
			changed++
			before, after = before+c.Before.Score, after+c.After.Score
		}
	}
	t.Logf("%d changed, mean score %.1f before and %.1f after", changed, before/float64(changed), after/float64(changed))
}

// The findings that templates of good senders have most often.
func TestCorpusTemplates(t *testing.T) {
	count := map[string]int{}
	for _, m := range mails(t) {
		if m.group == "templates" {
			r, _ := content.Analyze(bytes.NewReader(m.raw), nil)
			for _, f := range r.Findings {
				count[f.Code]++
			}
		}
	}
	var codes []string
	for c := range count {
		codes = append(codes, c)
	}
	slices.SortFunc(codes, func(a, b string) int { return 1000*(count[b]-count[a]) + strings.Compare(a, b) })
	for _, c := range codes {
		t.Logf("%3d %s", count[c], c)
	}
}

// overCorpus measures one pass over all mails.
func overCorpus(b *testing.B, do func(raw []byte)) {
	list := mails(b)
	size := 0
	for _, m := range list {
		size += len(m.raw)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, m := range list {
			do(m.raw)
		}
	}
	b.ReportMetric(float64(len(list)*b.N)/b.Elapsed().Seconds(), "mails/s")
}

func BenchmarkAnalyze(b *testing.B) {
	overCorpus(b, func(raw []byte) { content.AnalyzeBytes(raw, nil) })
}

// BenchmarkFloor reads a mail with go-message, decodes its texts and tokenizes its HTML,
// and nothing else: what Analyze is measured against.
func BenchmarkFloor(b *testing.B) { overCorpus(b, floor) }

func floor(raw []byte) {
	if bytes.HasPrefix(raw, []byte("From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	e, err := message.Read(bytes.NewReader(raw))
	if e == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return
	}
	e.Walk(func(_ []int, e *message.Entity, err error) error {
		if e == nil {
			return err
		}
		media, _, _ := e.Header.ContentType()
		if strings.HasPrefix(media, "multipart/") {
			return nil
		}
		text, _ := io.ReadAll(e.Body)
		if media != "text/html" {
			return nil
		}
		z := html.NewTokenizer(bytes.NewReader(text))
		for z.Next() != html.ErrorToken {
			for _, more := z.TagName(); more; {
				_, _, more = z.TagAttr()
			}
		}
		return nil
	})
}

func BenchmarkHostile(b *testing.B) {
	for name, raw := range map[string]string{
		"html-1MB":          "Content-Type: text/html\r\n\r\n" + strings.Repeat("<p>shoes and <b>hats</b> for <a href=https://shop.example/>you</a>\n", 16000),
		"html-4MB":          "Content-Type: text/html\r\n\r\n" + strings.Repeat("<p>shoes and <b>hats</b> for <a href=https://shop.example/>you</a>\n", 64000),
		"text-20MB":         "Subject: x\r\n\r\n" + strings.Repeat("shoes and hats for you\n", 20<<20/23),
		"600-elements":      "Content-Type: text/html\r\n\r\n" + strings.Repeat("<div>", 600),
		"100000-attributes": "Content-Type: text/html\r\n\r\n<p " + strings.Repeat("a=b ", 100000) + ">",
		"50000-links":       "Content-Type: text/html\r\n\r\n" + strings.Repeat("<a href=http://192.0.2.1/>x</a>\n", 50000),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				content.Analyze(strings.NewReader(raw), nil)
			}
		})
	}
}
