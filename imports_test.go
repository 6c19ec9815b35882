package rebound_test

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rebound-mail/rebound"

// mayImport says which packages of this module, and which other non-standard
// ones, each package may name. What is not listed here may import anything.
var mayImport = map[string][]string{
	"finding":                 {},
	"internal/stanza":         {},
	"resolve":                 {"resolve/internal/escape", "github.com/miekg/dns", "golang.org/x/net/idna", "golang.org/x/sys/windows"},
	"resolve/internal/escape": {},
	"resolve/resolvetest":     {"resolve", "resolve/internal/escape", "github.com/miekg/dns"},
	"bounce":                  {"finding", "internal/stanza", "bounce/internal/ses", "golang.org/x/text/encoding", "golang.org/x/text/encoding/htmlindex", "golang.org/x/text/encoding/unicode", "golang.org/x/text/transform"},
	"bounce/internal/ses":     {},
	"bounce/webhook":          {"bounce", "bounce/internal/ses"},
	"content":                 {"finding", "internal/stanza", "github.com/emersion/go-message", "golang.org/x/net/html", "golang.org/x/net/html/atom", "golang.org/x/net/publicsuffix", "golang.org/x/text/encoding/charmap", "golang.org/x/text/encoding/htmlindex"},
	"content/internal/fit":    {"content", "internal/stanza"},
	"dnsbl":                   {"finding", "resolve", "internal/stanza", "golang.org/x/net/publicsuffix", "golang.org/x/net/idna"},
	"auth/internal/header":    {},
	"auth/internal/lint":      {"finding"},
	"auth/internal/txt":       {"finding", "resolve"},
	"auth/iprev":              {"finding", "resolve"},
	"auth/spf":                {"auth/internal/lint", "auth/internal/txt", "finding", "resolve"},
	"auth/dkim":               {"auth/internal/header", "auth/internal/txt", "finding", "resolve", "github.com/emersion/go-msgauth/dkim", "golang.org/x/net/publicsuffix"},
	"auth/arc":                {"auth/internal/header", "finding", "github.com/emersion/go-msgauth/authres"},
	"auth":                    {"auth/internal/header", "auth/internal/lint", "auth/internal/txt", "auth/arc", "auth/iprev", "auth/spf", "auth/dkim", "auth/dmarc", "finding", "resolve", "github.com/emersion/go-msgauth/authres", "golang.org/x/net/publicsuffix"},
	"auth/dmarc":              {"auth/internal/lint", "auth/internal/txt", "finding", "resolve", "golang.org/x/net/publicsuffix"},
	"":                        {"finding", "resolve", "bounce", "dnsbl", "content", "auth", "auth/iprev", "auth/spf", "auth/dkim", "auth/dmarc", "warmup"},
	"warmup":                  {},
	"warmup/warmuptest":       {"warmup"},
	"report":                  {"", "finding", "bounce", "dnsbl", "warmup"},
}

// budget is how many packages outside the standard library and this module each
// package compiles in.
var budget = map[string]int{
	"finding":         0,
	"internal/stanza": 0,
	"resolve":         12,
	"bounce":          17,
	"bounce/webhook":  17,
	"content":         22,
	"dnsbl":           13,
	"auth/iprev":      12,
	"auth/spf":        12,
	"auth/dmarc":      13,
	"auth/dkim":       15,
	"auth":            16,
	"warmup":          0,
	"":                36,
	"report":          36,
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

// goList runs "go list -deps -json ./...".
func goList(t *testing.T) map[string]goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Deps,Standard", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string]goPackage{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

func path(name string) string {
	switch {
	case name == "":
		return module
	case strings.Contains(strings.Split(name, "/")[0], "."):
		return name
	}
	return module + "/" + name
}

func TestImports(t *testing.T) {
	all := goList(t)
	for name, allowed := range mayImport {
		p, ok := all[path(name)]
		if !ok {
			t.Errorf("no package %s", path(name))
			continue
		}
		var paths []string
		for _, a := range allowed {
			paths = append(paths, path(a))
		}
		for _, imported := range p.Imports {
			if !all[imported].Standard && !slices.Contains(paths, imported) {
				t.Errorf("%s imports %s", path(name), imported)
			}
		}
	}
}

// Only resolve and its test package know the DNS library.
func TestDNSLibraryIsHidden(t *testing.T) {
	for name, p := range goList(t) {
		if strings.HasPrefix(name, module) && slices.Contains(p.Imports, "github.com/miekg/dns") && name != module+"/resolve" && name != module+"/resolve/resolvetest" {
			t.Errorf("%s imports miekg/dns", name)
		}
	}
}

func TestBudget(t *testing.T) {
	all := goList(t)
	for name, limit := range budget {
		n := 0
		for _, dep := range all[path(name)].Deps {
			if p := all[dep]; !p.Standard && !strings.HasPrefix(dep, module) {
				n++
			}
		}
		if n > limit {
			t.Errorf("%s compiles in %d packages that are neither standard nor ours; its budget is %d", path(name), n, limit)
		}
		t.Logf("%-20s %d of %d", name, n, limit)
	}
}
