package dkim

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// Every word for a cause or a risk has its row, and every row its words.
func TestRows(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "cause.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			return true
		}
		switch spec.Type.(*ast.Ident).Name {
		case "Cause":
			if !slices.ContainsFunc(causeRows, func(r causeRow) bool { return string(r.cause) == word }) {
				t.Errorf("the cause %s has no row", word)
			}
		case "Risk":
			found := false
			for _, r := range riskRows {
				found = found || string(r.risk) == word
			}
			if !found {
				t.Errorf("the risk %s has no row", word)
			}
		}
		return true
	})
	for _, r := range causeRows {
		if r.consequence == "" || r.fix == "" || r.verify == "" || r.source == "" || r.action == "" {
			t.Errorf("%s lacks words", r.cause)
		}
	}
}

func TestFindings(t *testing.T) {
	zone := zoneWith(t, public(keys().rsa)+"; t=y")
	for _, tt := range breakages {
		report := Verify(t.Context(), zone, []byte(tt.damage(sign(t, tt.mail, keys().rsa, tt.canon))), Options{Now: now})
		list := report.Findings()
		if len(list) == 0 || list[0].Code != "dkim."+strings.TrimSuffix(string(tt.cause.kind()), ":") {
			t.Errorf("%s: %v", tt.name, list)
		}
		for _, f := range list {
			if f.Fact == "" || strings.ContainsAny(f.Fact+f.Consequence, "{}") && !strings.Contains(f.Fact, "{list}") || f.Source == "" || f.Outcome == finding.Found && (len(f.Fixes) == 0 || strings.Contains(f.Fixes[0].What, "{")) {
				t.Errorf("%s: %+v", tt.name, f)
			}
		}
	}
}

// A fix that is a record makes the signature valid.
func TestKeyFixes(t *testing.T) {
	_, p, _ := strings.Cut(public(keys().rsa), "p=")
	mail := []byte(sign(t, plainMail, keys().rsa, "relaxed/relaxed"))
	for _, text := range []string{"v=DKIM1; h=sha1; p=" + p, "v=DKIM1; s=tlsrpt; p=" + p, "v=DKIM1; t=y; p=" + p} {
		res := Verify(t.Context(), zoneWith(t, text), mail, Options{Now: now}).Signatures[0]
		var fix *finding.Record
		for _, f := range res.Findings() {
			if len(f.Fixes) > 0 && f.Fixes[0].Record != nil {
				fix = f.Fixes[0].Record
			}
		}
		if fix == nil {
			t.Errorf("%.30s: no record to publish", text)
			continue
		}
		zone := resolvetest.New(t, fix.Name+". TXT "+fix.New+"\n")
		after := Verify(t.Context(), zone, mail, Options{Now: now}).Signatures[0]
		if after.Result != Pass || slices.Contains(after.Risks, RiskKeyTesting) {
			t.Errorf("%.30s: after the fix %s %s %v", text, after.Result, after.Why, after.Risks)
		}
	}
}

func TestDiscover(t *testing.T) {
	zone := resolvetest.New(t, `
google._domainkey.shop.example. TXT `+txt.Quote(public(keys().rsa))+`
s1._domainkey.shop.example. CNAME s1.esp.example.
s1.esp.example. TXT "v=DKIM1; p="
own._domainkey.shop.example. TXT `+txt.Quote(public(keys().small))+`
;! mx._domainkey.shop.example ANY SERVFAIL
`)
	d := Discover(t.Context(), zone, "shop.example", "own")
	var got []string
	for _, f := range d.Found {
		codes := ""
		for _, found := range KeyFindings(d.Domain, f.Name, f.Key, f.Answer, f.Faults) {
			codes += " " + found.Code
		}
		got = append(got, f.Name+codes)
	}
	if want := "own dkim.key dkim.rsa-key-1024, google dkim.key, s1 dkim.key-revoked"; strings.Join(got, ", ") != want || d.Failed != 1 || d.Asked != len(selectors)+1 {
		t.Errorf("%q, %d asked, %d failed; want %q", got, d.Asked, d.Failed, want)
	}
	wild := resolvetest.New(t, `*._domainkey.shop.example. TXT "v=DKIM1; p="`)
	if d := Discover(t.Context(), wild, "shop.example"); d.Wildcard && len(d.Found) > 0 {
		t.Errorf("wildcard: %d found", len(d.Found))
	}
	seen := map[string]bool{}
	for _, s := range Selectors() {
		if seen[s.Name] || s.Name != strings.ToLower(s.Name) {
			t.Errorf("selector %q", s.Name)
		}
		seen[s.Name] = true
	}
}
