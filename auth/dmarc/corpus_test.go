package dmarc

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rebound-mail/rebound/auth/internal/corpus"
)

// TestCorpus holds Evaluate to labelled cases of RFC 9989.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("REBOUND_CORPUS")
	if dir == "" {
		t.Skip("REBOUND_CORPUS is not set: no corpus to check against")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "auth", "dmarc-cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Case, From, Policy, Org string
		SPF                     *Identifier
		DKIM                    []Identifier
		Results                 []string
		PolicyDomain            string `json:"policy_domain"`
		ZoneData                corpus.Zone
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, c := range cases {
		in := Input{From: c.From, DKIM: c.DKIM}
		if c.SPF != nil {
			in.SPF = *c.SPF
		}
		res := Evaluate(t.Context(), c.ZoneData.Lower(), in)
		ok := slices.Contains(c.Results, string(res.Result)) &&
			(c.Policy == "" || c.Policy == string(res.Policy)) &&
			(c.PolicyDomain == "" || c.PolicyDomain == res.PolicyDomain) &&
			(c.Org == "" || c.Org == res.Org)
		if ok {
			right++
			continue
		}
		t.Errorf("%s: %s %s of %s, org %s; want %v %s of %s, org %s: %s", c.Case, res.Result, res.Policy, res.PolicyDomain, res.Org, c.Results, c.Policy, c.PolicyDomain, c.Org, res.Why)
	}
	t.Logf("dmarc: %d of %d", right, len(cases))
}
