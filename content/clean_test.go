package content_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/content"
)

// cleaned cleans a mail and holds what Clean promises of any mail.
func cleaned(t testing.TB, raw []byte) *content.Cleaned {
	t.Helper()
	c, err := content.Clean(bytes.NewReader(raw), nil)
	if len(raw) > 32<<20 {
		if err != content.ErrTooLarge {
			t.Fatalf("%d octets: got %v", len(raw), err)
		}
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if c.After.Score > c.Before.Score {
		t.Fatalf("the score rises from %v to %v:\n%q\n%q", c.Before.Score, c.After.Score, raw, c.Message)
	}
	again, err := content.Clean(bytes.NewReader(c.Message), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Message, c.Message) {
		t.Fatalf("Clean of what is clean changes it:\n%q\n%q\n%q", raw, c.Message, again.Message)
	}
	if len(c.Changes) == 0 && !bytes.Equal(c.Message, raw) {
		t.Fatalf("changed without a word:\n%q\n%q", raw, c.Message)
	}
	return c
}

func TestClean(t *testing.T) {
	html := func(in string) string { return page(in) }
	for _, tt := range []struct {
		name, raw string
		gone      []string // checks
		has, not  string
	}{
		{"nothing", clean, nil, clean, ""},
		{"unclosed", html("<div><b>x</div>"), []string{"html-misnested"}, "<div><b>x</b></div>", ""},
		{"overlapping", html("<b>x<i>y</b>z</i>"), []string{"html-misnested", "html-stray"}, "<b>x<i>y</i></b><i>z</i>", ""},
		{"stray", html("x</div>y"), []string{"html-stray"}, "xy", "</div>y"},
		{"script", html("a<script>alert('<b>')</script>b"), []string{"script"}, "ab", "alert"},
		{"script that closes itself", html("a<script src=x />alert(1)</script>b"), []string{"script"}, "ab", "alert"},
		{"form", html("<form action=x><p>a</p></form>"), []string{"form"}, "<p>a</p>", "<form"},
		{"iframe", html("a<iframe src=x></iframe>b"), []string{"iframe"}, "ab", "iframe"},
		{"object", html("a<object data=x><p>c</p></object>b<embed src=y>"), []string{"object"}, "a<p>c</p>b", "embed"},
		{"handler", html("<p onclick='x()' class=\"c\">a</p>"), []string{"event-handler"}, "<p class=\"c\">a</p>", "onclick"},
		{"refresh", html("<meta http-equiv=refresh content='0'>a"), []string{"meta-refresh"}, "", "refresh"},
		{"second body", html("<body class=x>a"), []string{"html-two-bodies"}, "", "class=x"},
		{"zero width", text("pass\u200bword and می\u200cخواهم"), []string{"invisible-in-word"}, "=", "\u200b"},
		{"base64", strings.Replace(body(base64.StdEncoding.EncodeToString([]byte(words+"\r\n"))), "utf-8\r\n", "utf-8\r\nContent-Transfer-Encoding: base64\r\n", 1), []string{"base64-ascii"}, words, ""},
		{"subject", subject("Schühe sind da"), []string{"subject-raw-8bit"}, "Subject: =?utf-8?q?Sch=C3=BChe_sind_da?=\r\n", ""},
		{"name", with("Anna Shop", "Änna Shöp"), []string{"header-raw-8bit"}, "From: =?utf-8?q?=C3=84nna_Sh=C3=B6p?= <anna@shop.example>\r\n", ""},
		{"HTML alone", strings.Replace(clean, "text/plain; charset=utf-8\r\n\r\n", "text/html\r\n\r\n"+document("<a href='https://shop.example/x'>Shoes</a>"), 1), []string{"html-only"}, "Shoes <https://shop.example/x>", ""},
		{"no charset", strings.Replace(text("\xfc"), "; charset=utf-8", "", 1), []string{"charset-missing"}, "=C3=BC", ""},
	} {
		c := cleaned(t, []byte(tt.raw))
		for _, code := range tt.gone {
			if find(c.Before, "content."+code) == nil || find(c.After, "content."+code) != nil {
				t.Errorf("%s: %s is not repaired\n%s", tt.name, code, c.Message)
			}
		}
		if !strings.Contains(string(c.Message), tt.has) || tt.not != "" && strings.Contains(string(c.Message), tt.not) {
			t.Errorf("%s: want %q, not %q, in\n%s", tt.name, tt.has, tt.not, c.Message)
		}
		if lf := cleaned(t, []byte(strings.ReplaceAll(tt.raw, "\r\n", "\n"))); bytes.Contains(lf.Message, []byte("\r\n")) {
			t.Errorf("%s: CR LF in a mail of LF:\n%q", tt.name, lf.Message)
		}
	}
}

// A repair never makes a boundary of what was text.
func TestCleanBoundary(t *testing.T) {
	raw := "From: a@shop.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString([]byte("Hello one two\n\n--b1--\n\nmore text here")) + "\r\n--b1--\r\n"
	if c := cleaned(t, []byte(raw)); c.After.Stats.Words != c.Before.Stats.Words {
		t.Errorf("%d words, and then %d:\n%s", c.Before.Stats.Words, c.After.Stats.Words, c.Message)
	}
	// A repair that is not made is not told, though another is.
	c := cleaned(t, []byte("Subject: Schühe\r\n"+raw))
	if len(c.Changes) != 1 || c.Changes[0].Part != "header" {
		t.Errorf("told %+v", c.Changes)
	}
}

// What is signed or encrypted is not touched.
func TestCleanSealed(t *testing.T) {
	raw := "From: a@shop.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Type: text/html\r\n\r\n<div><script>x</script>\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n"
	if c := cleaned(t, []byte(raw)); string(c.Message) != raw {
		t.Errorf("got %q", c.Message)
	}
}

// Each wording survives.
func TestCleanKeepsWording(t *testing.T) {
	for code, f := range fixtures {
		for _, raw := range f.fail {
			if len(raw) > 1<<20 {
				continue
			}
			c := cleaned(t, []byte(raw))
			if c.Before.Stats.Words > c.After.Stats.Words {
				t.Errorf("%s: %d words, and then %d", code, c.Before.Stats.Words, c.After.Stats.Words)
			}
		}
	}
}

func TestHostile(t *testing.T) {
	deep := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n")
		}
		return b.String() + "\r\nx\r\n"
	}
	many := strings.Repeat("--b\r\nContent-Type: text/html\r\n\r\n<b>x\r\n", 3000)
	for name, raw := range map[string]string{
		"empty": "", "line feed": "\n", "NUL": "\x00", "no header": "hello", "colon": ":", "From alone": "From ", "8-bit": "\xff\xfe\xfd",
		"1,000 nested parts":   deep(1000),
		"3,000 parts":          "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + many,
		"a 30 MB line":         "Subject: x\r\n\r\n" + strings.Repeat("a", 30<<20),
		"a 30 MB line of HTML": "Content-Type: text/html\r\n\r\n" + strings.Repeat("<", 30<<20),
		"40 MB":                "Subject: x\r\n\r\n" + strings.Repeat("a b\n", 10<<20),
		"a 2 MB subject":       "Subject: " + strings.Repeat("a ", 1<<20) + "\r\n\r\nx",
		"100,000 fields":       strings.Repeat("X: y\r\n", 100000) + "\r\nx",
		"100,000 attributes":   "Content-Type: text/html\r\n\r\n<p " + strings.Repeat("a=b ", 100000) + ">",
		"100,000 handlers":     "Content-Type: text/html\r\n\r\n<p " + strings.Repeat("onclick=b ", 100000) + ">",
		"50,000 links":         "Content-Type: text/html\r\n\r\n" + strings.Repeat("<a href=http://192.0.2.1/>http://shop.example</a>\n", 50000),
		"600 elements":         "Content-Type: text/html\r\n\r\n" + strings.Repeat("<div>", 600),
		"100,000 b":            "Content-Type: text/html\r\n\r\n" + strings.Repeat("<b>", 100000),
		"overlapping":          "Content-Type: text/html\r\n\r\n" + strings.Repeat("<b><i><u></b></i></u>", 20000),
		"script within script": "Content-Type: text/html\r\n\r\n<scr<script></script>ipt>x</script>",
		"boundary of nothing":  "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\n--\r\n",
		"the same boundary":    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
		"quoted-printable cut": "Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=3",
		"base64 cut":           "Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI",
		"charset lie":          "Content-Type: text/plain; charset=utf-16\r\n\r\nhello",
		"UTF-7":                "Content-Type: text/plain; charset=utf-7\r\n\r\n+AGE-",
		"ISO-2022-JP":          "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$\"",
		"zero widths":          "Content-Type: text/plain; charset=utf-8\r\n\r\na" + strings.Repeat("\u200b", 100000) + "b",
		"marks":                "Subject: x\r\n\r\n" + strings.Repeat("! ", 1<<20),
		"addresses":            "From: " + strings.Repeat("<a@b.example>,", 100000) + "\r\n\r\nx",
		"style":                "Content-Type: text/html\r\n\r\n<p style='" + strings.Repeat("color:red;", 100000) + "'>x",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := content.Analyze(strings.NewReader(raw), nil); err != nil {
				t.Fatal(err)
			}
			cleaned(t, []byte(raw))
		})
	}
	if r := analyze(t, deep(1000)); find(r, "content.size-unread") == nil {
		t.Error("nested parts that were not read are not told")
	}
	if r := analyze(t, "Content-Type: multipart/mixed; boundary=b\r\n\r\n"+many); find(r, "content.size-unread") == nil || r.Stats.Parts != 1000 {
		t.Errorf("parts that were not read are not told: %+v", r.Stats)
	}
}

func seeds(f *testing.F) {
	for _, x := range fixtures {
		for _, raw := range append(x.fail, x.pass...) {
			if len(raw) < 4000 {
				f.Add([]byte(raw))
			}
		}
	}
}

func FuzzAnalyze(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := content.Analyze(bytes.NewReader(raw), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Score < 0 || r.Score > 100 {
			t.Fatalf("score %v", r.Score)
		}
		for _, x := range r.Findings {
			for _, p := range x.Places {
				if p.Start > p.End || p.End > len(p.Excerpt) || p.Line < 1 || p.Column < 1 {
					t.Fatalf("%s: %+v", x.Code, p)
				}
			}
		}
		if _, err := content.Control(bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzClean(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) { cleaned(t, raw) })
}

// A subject that needs no encoding is written as it is read; one that does keeps its own.
func TestCleanSubject(t *testing.T) {
	for in, want := range map[string]string{
		"=?utf-8?q?Your_invoice?=":                    "Subject: Your invoice\r\n",
		"=?utf-8?b?R3LDtsOfZSA0Mw==?=":                "Subject: =?utf-8?b?R3LDtsOfZSA0Mw==?=\r\n",
		"=?utf-8?q?two=0D=0ABcc:_x@y.example?=":       "Subject: =?utf-8?q?two=0D=0ABcc:_x@y.example?=\r\n",
		"=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=":       "Subject: =?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=\r\n",
		"=?utf-8?q?_blank?=":                          "Subject: =?utf-8?q?_blank?=\r\n",
		"=?utf-8?q?" + strings.Repeat("a", 70) + "?=": "Subject: " + strings.Repeat("a", 70) + "\r\n",
	} {
		if got := string(cleaned(t, []byte(subject(in))).Message); !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%.300s", in, want, got)
		}
	}
}
