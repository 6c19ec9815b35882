package dkim

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/auth/internal/corpus"
)

// TestCorpus holds Verify to signed mails, whole or damaged in one known way.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("REBOUND_CORPUS")
	if dir == "" {
		t.Skip("REBOUND_CORPUS is not set: no corpus to check against")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "auth", "dkim-cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Case     string
		Results  []string
		Cause    Cause
		Risks    []Risk
		Now      int64
		Message  string `json:"message_b64"`
		ZoneData corpus.Zone
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	results, causes, withCause := 0, 0, 0
	for _, c := range cases {
		message, err := base64.StdEncoding.DecodeString(c.Message)
		if err != nil {
			t.Fatal(err)
		}
		report := Verify(t.Context(), c.ZoneData.Lower(), message, Options{Now: time.Unix(c.Now, 0)})
		best := report.Signatures[0]
		for _, s := range report.Signatures {
			if s.Result == Pass && best.Result != Pass {
				best = s
			}
		}
		if slices.Contains(c.Results, string(best.Result)) {
			results++
		} else {
			t.Errorf("%s: %s, want %v: %s %s", c.Case, best.Result, c.Results, best.Cause, best.Why)
		}
		for _, r := range c.Risks {
			if !slices.Contains(best.Risks, r) {
				t.Errorf("%s: risks %v lack %s", c.Case, best.Risks, r)
			}
		}
		if c.Cause == "" {
			if best.Cause != "" {
				t.Errorf("%s passes, and has the cause %s: %s", c.Case, best.Cause, best.Why)
			}
			continue
		}
		withCause++
		if best.Cause == c.Cause {
			causes++
			t.Logf("%s: %s", c.Case, best.Why)
		} else {
			t.Logf("OTHER %s: cause %s, labelled %s: %s", c.Case, best.Cause, c.Cause, best.Why)
		}
	}
	t.Logf("dkim: results %d of %d, causes %d of %d", results, len(cases), causes, withCause)
	if causes*10 < withCause*9 {
		t.Errorf("causes right in %d of %d", causes, withCause)
	}
}
