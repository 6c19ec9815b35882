package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMeasure(t *testing.T) {
	samples := []sample{{spam: true}, {spam: true}, {}, {}}
	for _, tt := range []struct {
		scores      []float64
		auc, recall float64
	}{
		{[]float64{3, 4, 1, 2}, 1, 1},
		{[]float64{1, 2, 3, 4}, 0, 0},
		{[]float64{1, 1, 1, 1}, 0.5, 0},
		{[]float64{1.5, 4, 1, 2}, 0.75, 0.5},
	} {
		if got := auc(samples, tt.scores); got != tt.auc {
			t.Errorf("%v: AUC %v, want %v", tt.scores, got, tt.auc)
		}
		if got := recall(samples, tt.scores, 0.01); got != tt.recall {
			t.Errorf("%v: recall %v, want %v", tt.scores, got, tt.recall)
		}
	}
}

// A fit to mail in which capitals tell spam raises the weight of capitals, and keeps what
// its row holds.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	for i := range 40 {
		kind, subject := "ham", "Shoes for you"
		if i%2 == 0 {
			kind, subject = "spam", "SHOES FOR YOU!"
		}
		file := filepath.Join(dir, "mail", kind, fmt.Sprintf("%02d.eml", i))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("From: a@shop.example\r\nSubject: "+subject+"\r\n\r\nHello Ben, here they are.\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	table := filepath.Join(dir, "weights.txt")
	before := "# head\n\nversion: mine\nbias: -4\n\ncode: content.subject-capitals\npublished: 1\n\ncode: content.subject-exclamation\nhold: none\n\ncode: content.list-unsubscribe\npublished: -0.5\nhold: good practice\n"
	if err := os.WriteFile(table, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(&out, table, true, 4, 1, []string{filepath.Join(dir, "mail")}); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# head\n\nversion: mine\n", "code: content.subject-capitals\nweight: 1.300\nbasis: fitted\nham: 0.0000\nspam: 1.0000\nn: 40\npublished: 1", "code: content.subject-exclamation\nweight: 0.000\nbasis: none", "weight: -0.500\nbasis: judgement"} {
		if !strings.Contains(string(after), want) {
			t.Errorf("no %q in\n%s", want, after)
		}
	}
	if !strings.Contains(out.String(), "table: AUC 1.0000") {
		t.Errorf("got %s", out.String())
	}
	if err := run(&out, table, false, 4, 0, nil); err == nil {
		t.Error("no mail is no error")
	}
}
