package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/warmup"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{"plain": rebound.Plain}).Parse(pageHTML))
})

// view is what the page shows.
type view struct {
	Title    string
	CSS      template.CSS
	Policy   string
	Headline []line
	Causes   []causeView
	Steps    []stepView
	Many     []line
	More     int
	Tree     string
	Listings []line
	Checks   []line
	Notes    []string
}

type causeView struct {
	Summary, Standing, Detail string
	Evidence                  []line
}

type stepView struct {
	Phase, Who, What string
	Lines            []line
	Chart            template.HTML
}

// HTML writes a diagnosis as one page that needs nothing else: light and dark, fit to
// print, without a script. Its Content-Security-Policy allows its own style and nothing
// else; all that comes from mail or DNS is escaped, with control characters taken out, and
// no address in it is a link.
func HTML(w io.Writer, d *rebound.Diagnosis) error {
	v := view{Title: rebound.Plain(d.Headline.Who), CSS: template.CSS(pageCSS), Headline: labels(d.Headline), Notes: d.Notes}
	styles := []string{pageCSS}
	for _, c := range d.Causes {
		cv := causeView{Summary: rebound.Plain(c.Summary), Standing: standing(c), Detail: rebound.Plain(c.Detail)}
		for _, e := range c.Evidence {
			cv.Evidence = append(cv.Evidence, line{Label: evidenceLabel(e), Text: quote(e)})
		}
		v.Causes = append(v.Causes, cv)
	}
	for _, s := range d.Plan {
		sv := stepView{Phase: string(s.Phase), Who: rebound.Plain(s.Who), What: rebound.Plain(s.What), Lines: stepLines(s)}
		if s.Schedule != nil && len(s.Schedule.Days) > 1 {
			chart, style, err := chartOf(s.Schedule)
			if err != nil {
				return err
			}
			sv.Chart = chart
			styles = append(styles, style)
		}
		v.Steps = append(v.Steps, sv)
	}
	if len(d.Recipients) > 1 {
		for i, r := range d.Recipients {
			if i == maxRecipients {
				v.More = len(d.Recipients) - i
				break
			}
			v.Many = append(v.Many, line{Label: rebound.Plain(r.Address), Text: fmt.Sprintf("%s, %s (%s; %s)", r.Action, r.Reason, r.Permanence, kept(r.Suppress))})
		}
	}
	if a := d.Authentication; a != nil && a.SPF != nil && a.SPF.Tree != nil {
		v.Tree = plainLines(a.SPF.Tree.String())
	}
	for _, list := range [][]dnsbl.Result{d.Listings, d.DomainListings} {
		for _, r := range list {
			if r.Status == dnsbl.Listed {
				v.Listings = append(v.Listings, line{Label: r.List.Name, Text: rebound.Plain(fmt.Sprintf("%s is listed (%s) %s", r.Target, r.List.Zone, r.Reason))})
			}
		}
	}
	for _, c := range d.Checks {
		v.Checks = append(v.Checks, line{Label: c.Name, Text: outcomeWord(c.Outcome) + ": " + c.Why})
	}
	v.Policy = policy(styles)
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
