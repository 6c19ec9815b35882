package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/warmup"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{"plain": rebound.Plain, "drawing": plainLines}).Parse(pageHTML))
})

// view is what the page shows.
type view struct {
	Title    string
	CSS      template.CSS
	Policy   string
	Top      []line
	Sections []section
}

// HTML writes the report as one page that needs nothing else: light and dark, fit to
// print, without a script. Its Content-Security-Policy allows its own style and nothing
// else; all that comes from mail or DNS is escaped, with control characters taken out, and
// no address in it is a link.
func (doc *Document) HTML(w io.Writer) error {
	v := view{Title: doc.heading(), CSS: template.CSS(pageCSS), Sections: doc.sections, Policy: policy(append([]string{pageCSS}, doc.styles...))}
	if len(doc.top) > 0 {
		v.Top = doc.top[1:]
	}
	return page().Execute(w, v)
}

// plainLines is [rebound.Plain] of a drawing, whose lines and blanks stay.
func plainLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != ' ' && rebound.Plain(string(r)) == "" {
			return -1
		}
		return r
	}, s)
}

// policy is the Content-Security-Policy of a page with these styles.
func policy(styles []string) string {
	var hashes []string
	for _, s := range styles {
		sum := sha256.Sum256([]byte(s))
		hashes = append(hashes, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	return "default-src 'none'; style-src " + strings.Join(hashes, " ") + "; base-uri 'none'; form-action 'none'"
}

// chartOf draws a schedule, and returns its style, for the policy.
func chartOf(s *warmup.Schedule) (chart template.HTML, style string, err error) {
	var b bytes.Buffer
	if err := s.WriteSVG(&b); err != nil {
		return "", "", err
	}
	_, after, _ := strings.Cut(b.String(), "<style>")
	style, _, _ = strings.Cut(after, "</style>")
	return template.HTML(b.String()), style, nil // package warmup escapes what it draws
}
