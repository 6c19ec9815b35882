package spf

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/auth/internal/corpus"
)

// otherwise are the cases whose label we read the RFC against, with its section.
// All are of the suite blitiri, whose domains have a single label.
var otherwise = map[string]struct {
	result  Code
	section string
}{
	"resolution-with-10-lookups": {PermError, "7.1: a domain-spec ends in a dot and a top label; \"include:d11\" has no dot"},
	"mx-resolution-10-terms":     {None, "4.3: the domain is not a multi-label name"},
	"mx-resolution-11-terms":     {None, "4.3: the domain is not a multi-label name"},
	"one-mx-not-found":           {None, "4.3: the domain is not a multi-label name"},
	"all-mx-not-found":           {None, "4.3: the domain is not a multi-label name"},
	"include-not-found":          {None, "4.3: the domain is not a multi-label name"},
	"redirect-not-found":         {None, "4.3: the domain is not a multi-label name"},
}

// TestCorpus holds Check to the RFC 7208 suite and others.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("REBOUND_CORPUS")
	if dir == "" {
		t.Skip("REBOUND_CORPUS is not set: no corpus to check against")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "auth", "spf-cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Suite, Scenario, Case, HELO, IP, MailFrom string
		Results                                   []string
		Explanation                               *string
		ZoneData                                  corpus.Zone
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	type tally struct{ all, right, preferred, texts, textsRight int }
	score := map[string]*tally{}
	for _, c := range cases {
		addr, err := netip.ParseAddr(c.IP)
		if err != nil {
			t.Fatalf("%s: %v", c.Case, err)
		}
		res := Check(t.Context(), c.ZoneData.Lower(), Query{IP: addr, MailFrom: c.MailFrom, HELO: c.HELO})
		s := score[c.Suite]
		if s == nil {
			s = new(tally)
			score[c.Suite] = s
		}
		s.all++
		if slices.Contains(c.Results, string(res.Result)) {
			s.right++
		}
		o, named := otherwise[c.Case]
		switch {
		case c.Results[0] == string(res.Result):
			s.preferred++
		case c.Suite == "blitiri" && named && o.result == res.Result:
			t.Logf("%s %s: %s, labelled %v: RFC 7208, section %s", c.Suite, c.Case, res.Result, c.Results, o.section)
		default:
			t.Errorf("%s %s %s: %s, want %v: %s", c.Suite, c.Scenario, c.Case, res.Result, c.Results, res.Why)
		}
		if c.Explanation != nil && *c.Explanation != "" {
			want := strings.TrimPrefix(*c.Explanation, "DEFAULT")
			s.texts++
			if res.Explanation == want {
				s.textsRight++
			} else {
				t.Errorf("%s %s: explanation %q, want %q", c.Scenario, c.Case, res.Explanation, want)
			}
		}
	}
	for suite, s := range score {
		t.Logf("%s: %d of %d, %d preferred, explanations %d of %d", suite, s.right, s.all, s.preferred, s.textsRight, s.texts)
	}
}
