package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const spammy = "From: Shop <news@shop.example>\r\nTo: anna@recipient.example\r\nSubject: FREE PILLS FOR YOU!!!\r\nDate: Wed, 25 Nov 2026 09:59:00 +0000\r\nMessage-ID: <17@shop.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>\r\n<p>Dear friend, <b>act now!!!\r\n<p>Order <script>x()</script>at <a href=\"http://198.51.100.9/x\">our shop</a>.\r\n</body></html>\r\n"

func contentRun(t *testing.T, stdin string, args ...string) (status int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), append([]string{"rebound", "content"}, args...), strings.NewReader(stdin), &o, &e)
	return status, o.String(), e.String()
}

func TestContent(t *testing.T) {
	dir := t.TempDir()
	file, better := filepath.Join(dir, "news.eml"), filepath.Join(dir, "better.eml")
	if err := os.WriteFile(file, []byte(spammy), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, _ := contentRun(t, "", file)
	for _, want := range []string{
		"of 100, severe\n",
		"    1 text/html, line 3, column 33\n      <p>Order <script>x()</script>at <a href=\"http://198.51.100.9/x\">our shop</a>.\n                                      ^^^^^^^",
		"  The mail greets nobody in particular.\n", "    -> Greet the reader by name",
		"mending it takes ", "-all shows them",
	} {
		if status != exitDone || !strings.Contains(out, want) {
			t.Errorf("status %d, no %q in\n%s", status, want, out)
		}
	}
	if status, _, _ := contentRun(t, "", "-exit-code", file); status != exitFound {
		t.Errorf("-exit-code: status %d", status)
	}

	status, out, _ = contentRun(t, "", "-clean", better, file)
	if status != exitDone || !strings.Contains(out, "took out scripts") || !strings.Contains(out, "fixed    The HTML has a script.") {
		t.Errorf("-clean: status %d\n%s", status, out)
	}
	raw, err := os.ReadFile(better)
	if err != nil || bytes.Contains(raw, []byte("script")) || !bytes.Contains(raw, []byte("multipart/alternative")) {
		t.Errorf("-clean wrote %v\n%s", err, raw)
	}
	status, out, _ = contentRun(t, "", "-diff", file, better)
	if status != exitDone || !strings.Contains(out, "fixed    The mail has HTML and no plain text.") || !strings.Contains(out, "left     The subject is in capitals.") {
		t.Errorf("-diff: status %d\n%s", status, out)
	}
	status, out, _ = contentRun(t, spammy, "-control", "-", "-")
	if status != exitDone || !strings.HasPrefix(out, "From: Shop") || strings.Contains(out, "friend") {
		t.Errorf("-control: status %d\n%s", status, out)
	}
}

func TestContentJSON(t *testing.T) {
	status, out, _ := contentRun(t, spammy, "-json", "-redact", "-")
	var line struct {
		File     string
		Score    *float64
		Verdict  string
		Findings []struct {
			Code, Severity, Text, Advice string
			Weight                       float64
		}
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil || status != exitDone {
		t.Fatalf("status %d: %v\n%s", status, err, out)
	}
	if line.File != "-" || line.Score == nil || line.Verdict != "severe" || len(line.Findings) < 5 || line.Findings[0].Advice == "" || line.Findings[0].Weight <= 0 {
		t.Errorf("got %+v", line)
	}
	if strings.Contains(out, "news@") {
		t.Error("-redact leaves an address")
	}
	old := filepath.Join(t.TempDir(), "old.json")
	if err := os.WriteFile(old, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, _ = contentRun(t, spammy, "-diff", old, "-"); status != exitDone || strings.Contains(out, "fixed") || !strings.Contains(out, "left ") {
		t.Errorf("-diff with a report: status %d\n%s", status, out)
	}
}

func TestContentInput(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "template.html")
	if err := os.WriteFile(page, []byte("<body><div>Hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := contentRun(t, "", "-all", page); status != exitDone || !strings.Contains(out, "text/html, line 1, column 7") || strings.Contains(out, "Message-ID") {
		t.Errorf("a template: status %d\n%s", status, out)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "no file given"},
		{[]string{filepath.Join(dir, "none")}, "no such file"},
		{[]string{"-clean", "a", "b", "c"}, "take one file"},
		{[]string{"-clean", "a", "-control", "b", "c"}, "exclude each other"},
		{[]string{"-diff", filepath.Join(dir, "none"), page}, "no such file"},
		{[]string{"-weights", page, page}, "weights"},
	} {
		if status, _, errOut := contentRun(t, "", tt.args...); status != exitNothing || !strings.Contains(errOut, tt.want) {
			t.Errorf("%v: status %d, %q", tt.args, status, errOut)
		}
	}
	if status, out, _ := contentRun(t, "", "-json", filepath.Join(dir, "none")); status != exitNothing || !strings.Contains(out, `"score":null,"verdict":"unknown"`) {
		t.Errorf("what cannot be read has a score: status %d, %s", status, out)
	}
	if status, out, errOut := contentRun(t, "", "-"); status != exitNothing || out != "" || errOut == "" {
		t.Errorf("no mail: status %d %q %q", status, out, errOut)
	}
}
