package report

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/warmup"
)

// hostile is text as an attacker writes it.
const hostile = "</style></pre></code><script>alert(1)</script><img src=x onerror=alert(2)> \"' `x` **b** [l](https://evil.example) | \x1b[31m\u202e\u2066 \x00 &lt; https://evil.example/ www.evil.example @victim # - \n\n# head\n- item"

// attacked has hostile text in every field that mail or DNS can reach.
func attacked(t *testing.T) *rebound.Diagnosis {
	t.Helper()
	s, err := warmup.Plan{Target: 40_000, Start: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), Mix: warmup.Mix{"<b>&\"": 1}}.Schedule()
	if err != nil {
		t.Fatal(err)
	}
	e := []finding.Evidence{{Kind: finding.KindReply, Text: hostile, Source: hostile}, {Kind: hostile, Text: hostile}}
	return &rebound.Diagnosis{
		Headline: rebound.Headline{Who: hostile, Why: hostile, They: hostile, Do: hostile, Keep: hostile},
		Causes:   []rebound.Cause{{Kind: bounce.PTR, Summary: hostile, Detail: hostile, Evidence: e, Certainty: bounce.Certain, State: rebound.Confirmed}},
		Plan: []rebound.Step{{
			Phase: rebound.PhaseRepair, Who: hostile, What: hostile, URL: "javascript:alert(3)//" + hostile, Verify: hostile, Schedule: s,
			Record: &finding.Record{Name: hostile, Type: "TXT", Old: hostile, New: hostile},
		}},
		Recipients:     []bounce.Recipient{{Address: hostile}, {Address: hostile, Suppress: true}},
		Checks:         []rebound.Check{{Name: "dnsbl.ip", Outcome: finding.Found, Why: hostile}},
		Notes:          []string{hostile},
		DomainListings: []dnsbl.Result{{List: &dnsbl.List{Name: "List", Zone: "list.example"}, Status: dnsbl.Listed, Reason: hostile}},
	}
}

func write(t *testing.T, f func(io.Writer, *rebound.Diagnosis) error, d *rebound.Diagnosis) string {
	t.Helper()
	var b strings.Builder
	if err := f(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHTMLIsSafe(t *testing.T) {
	text := write(t, HTML, attacked(t))
	allowed := map[string]bool{
		"html": true, "head": true, "meta": true, "title": true, "style": true, "body": true, "h1": true, "h2": true, "dl": true, "dt": true, "dd": true, "ol": true, "ul": true, "li": true,
		"strong": true, "span": true, "br": true, "details": true, "summary": true, "code": true, "pre": true, "p": true,
		"svg": true, "rect": true, "text": true, "line": true, "g": true,
	}
	attributes := regexp.MustCompile(`^(charset|content|http-equiv|name|lang|class|xmlns|viewbox|width|height|role|aria-label|x|y|x1|x2|y1|y2|fill)$`)
	z := html.NewTokenizer(strings.NewReader(text))
	var styles []string
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		token := z.Token()
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		if !allowed[token.Data] {
			t.Errorf("an element <%s>", token.Data)
		}
		for _, a := range token.Attr {
			if !attributes.MatchString(a.Key) {
				t.Errorf("<%s> has the attribute %s=%q", token.Data, a.Key, a.Val)
			}
		}
		if token.Data == "style" && z.Next() == html.TextToken {
			styles = append(styles, string(z.Raw()))
		}
	}
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(text)
	if policy == nil || !strings.HasPrefix(policy[1], "default-src &#39;none&#39;; style-src &#39;sha256-") {
		t.Fatalf("the policy is %q", policy)
	}
	if len(styles) != 2 {
		t.Errorf("%d styles, want those of the page and the chart", len(styles))
	}
	for _, s := range styles {
		sum := sha256.Sum256([]byte(s))
		if !strings.Contains(html.UnescapeString(policy[1]), "sha256-"+base64.StdEncoding.EncodeToString(sum[:])) {
			t.Errorf("the policy does not allow the style %.60q…", s)
		}
	}
	if strings.ContainsAny(text, "\x00\x1b\u202e\u2066") {
		t.Error("a control character is left")
	}
	for _, want := range []string{"&lt;script&gt;alert(1)", "List", "<svg", "pieces of evidence"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestHTMLShowsAll(t *testing.T) {
	text := write(t, HTML, sample())
	for _, want := range []string{
		"<h1>who</h1>", "<dt>Cause</dt><dd>why</dd>", "<strong>No PTR record</strong> <span class=\"soft\">(certain; seen now)</span><br>192.0.2.1 has none.",
		"5 pieces of evidence", "<li>rule: <code>rule-id: meaning [https://page.example/]</code></li>", "record: <code>a.example. TXT &#34;x&#34;</code>", "to see that it is done: It is there.",
		"<dt>a0@recipient.example</dt><dd>failed, unknown-recipient (permanent; suppress)</dd>", "and 5 more", "<dt>two</dt><dd>could not tell: no answer</dd>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
}

func TestMarkdownIsSafe(t *testing.T) {
	text := write(t, Markdown, attacked(t))
	if strings.ContainsAny(text, "\x00\x1b\u202e\u2066") {
		t.Error("a control character is left")
	}
	// outside code, nothing of it is markup, a link, a mention or a line of its own
	for line := range strings.Lines(text) {
		bare := regexp.MustCompile("(`+)[^`].*?[^`](`+)").ReplaceAllString(line, "")
		for _, bad := range []string{"<script", "<img", "[l](", "https://evil", " www.evil", "@victim"} {
			if strings.Contains(bare, bad) {
				t.Errorf("%q in %s", bad, line)
			}
		}
		if strings.HasPrefix(strings.TrimSpace(line), "# head") || strings.HasPrefix(strings.TrimSpace(line), "- item") {
			t.Errorf("a line of its own: %s", line)
		}
	}
	table := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "|") {
			table++
			if n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); n != 3 {
				t.Errorf("%d bars in %s", n, line)
			}
		}
	}
	if table != 7 {
		t.Errorf("%d lines of tables, want 7", table)
	}
}

func TestMarkdownShowsAll(t *testing.T) {
	text := write(t, Markdown, sample())
	for _, want := range []string{
		"# who\n", "- **Cause:** why\n", "1. **No PTR record** (certain; seen now)\n", "   - DNS: `answer`\n",
		"1. [ ] **repair**, you: Publish it.\n   - record: `a.example. TXT \"x\"`\n   - to see that it is done: It is there.\n",
		"| a0&#64;recipient.example | failed, unknown-recipient (permanent; suppress) |\n", "and 5 more", "| five | found: bad |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}

func TestPagesPassOnWriteErrors(t *testing.T) {
	if HTML(full{}, sample()) == nil || Markdown(full{}, sample()) == nil {
		t.Error("no error")
	}
}

// A recheck and a triage are as safe as a diagnosis, in all three forms, and show what they
// hold.
func TestOtherReports(t *testing.T) {
	d := attacked(t)
	checked := &rebound.Rechecked{
		Resume: rebound.StayHeld, Why: hostile, Now: d, Before: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), Changed: []string{hostile},
		Steps: []rebound.RecheckedAt{{Step: d.Plan[0], Progress: rebound.Due, Why: hostile}},
	}
	triaged := &rebound.Triaged{
		Total: 3, Keep: 1, Suppress: []string{hostile}, Notes: []string{hostile},
		Groups: []rebound.Group{
			{Kind: bounce.IPListed, List: hostile, Provider: hostile, Domain: hostile, Count: 2, Suppress: 1, Examples: []string{hostile}, Diagnosis: d},
			{Kind: bounce.Complaint, Count: 1},
			{Kind: bounce.Vacation, Count: 2},
		},
	}
	for name, tt := range map[string]struct {
		doc  *Document
		want []string
	}{
		"recheck": {Recheck(checked), []string{"no. ", "now due", "The plan of 2026-11-24 12:00 UTC", "What has changed"}},
		"triage":  {Triage(triaged), []string{"3 bounces in 3 groups", "2 refusals: ip-listed", "1 report: complaint", "2 messages: vacation", "to suppress"}},
	} {
		var text, markdown, page strings.Builder
		if err := errors.Join(tt.doc.Text(&text, Options{}), tt.doc.Markdown(&markdown), tt.doc.HTML(&page)); err != nil {
			t.Fatal(err)
		}
		for form, got := range map[string]string{"text": text.String(), "markdown": markdown.String(), "page": page.String()} {
			if strings.ContainsAny(got, "\x00\x1b\u202e\u2066") {
				t.Errorf("%s as %s: a control character is left", name, form)
			}
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s as %s lacks %q:\n%s", name, form, want, got)
				}
			}
		}
		z := html.NewTokenizer(strings.NewReader(page.String()))
		for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
			if token := z.Token(); kind == html.StartTagToken && (token.Data == "script" || token.Data == "img" || token.Data == "a") {
				t.Errorf("%s: an element <%s>", name, token.Data)
			}
		}
	}
}
