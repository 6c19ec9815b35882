package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/resolve"
)

func demoPage(t testing.TB) *httptest.Server {
	t.Helper()
	zone, err := resolve.Replay(strings.NewReader(demoZone))
	if err != nil {
		t.Fatal(err)
	}
	p := &pageServer{diagnoser: &rebound.Diagnoser{Resolver: zone, Now: func() time.Time { return demoNow }}, slots: make(chan struct{}, 1)}
	server := httptest.NewServer(p.handler())
	t.Cleanup(server.Close)
	return server
}

func post(t testing.TB, url, kind string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}

func TestServePage(t *testing.T) {
	server := demoPage(t)
	for path, want := range map[string]string{"/": "<textarea", "/page.css": "textarea{", "/page.js": "addEventListener"} {
		answer, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || !strings.Contains(string(text), want) || !strings.HasPrefix(answer.Header.Get("Content-Security-Policy"), "default-src 'none'") || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s, %v\n%.300s", path, answer.Status, answer.Header, text)
		}
	}
	if answer, err := http.Get(server.URL + "/../main.go"); err != nil || answer.StatusCode != http.StatusNotFound {
		t.Errorf("another file: %v, %v", answer, err)
	}
}

func TestServeStream(t *testing.T) {
	server := demoPage(t)
	answer, text := post(t, server.URL+"/diagnose", "application/octet-stream", bytes.NewReader(demoBounce))
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status, text)
	}
	var checks []string
	page := ""
	for line := range strings.Lines(text) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if e.Check != "" {
			checks = append(checks, e.Check+" "+e.Outcome)
		}
		page += e.Page
	}
	if !strings.Contains(strings.Join(checks, ","), "dnsbl.ip found") || !strings.Contains(page, "198.51.100.23 is on Spamhaus XBL") {
		t.Errorf("%q\n%.400s", checks, page)
	}
	_, text = post(t, server.URL+"/diagnose?ip=192.0.2.7", "application/octet-stream", strings.NewReader(" 550 5.1.1 <a@recipient.example>: User unknown\n"))
	if !strings.Contains(text, "does not exist") {
		t.Errorf("a reply: %s", text)
	}
	for _, tt := range []struct {
		path, body, want string
		status           int
	}{
		{"/diagnose", " \n", "There is nothing to diagnose", http.StatusBadRequest},
		{"/diagnose?ip=x", "550 no", "\"x\" is no address", http.StatusBadRequest},
		{"/diagnose", strings.Repeat("x", bounce.MaxSize+2<<20), "larger than", http.StatusRequestEntityTooLarge},
	} {
		if answer, text := post(t, server.URL+tt.path, "application/octet-stream", strings.NewReader(tt.body)); answer.StatusCode != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %s, %.200s", tt.path, answer.Status, text)
		}
	}
}

// Without a script the form gives the report; HTML in a bounce stays text.
func TestServeForm(t *testing.T) {
	server := demoPage(t)
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, _ := form.CreateFormFile("file", "bounce.eml")
	io.WriteString(part, "550 5.7.1 <script>alert(1)</script><img src=x onerror=alert(2)> rejected as spam")
	form.WriteField("text", " ")
	form.WriteField("ip", "192.0.2.7")
	form.Close()
	answer, text := post(t, server.URL+"/report", form.FormDataContentType(), &b)
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(text, "<!doctype html>") || !strings.Contains(text, "&lt;script&gt;alert(1)") || strings.Contains(text, "<script") || strings.Contains(text, "<img") {
		t.Errorf("%s\n%.500s", answer.Status, text)
	}
	if answer, _ := post(t, server.URL+"/report", "text/plain", strings.NewReader("x")); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("no form: %s", answer.Status)
	}
}

// Other sites may neither send to the page nor reach it by a name of their own.
func TestServeIsForThisMachine(t *testing.T) {
	server := demoPage(t)
	for _, header := range [][]string{{"Host", "rebind.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		if answer, text := post(t, server.URL+"/diagnose", "application/octet-stream", strings.NewReader("550 no"), header...); answer.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %s, %.100s", header, answer.Status, text)
		}
	}
	var out, errOut bytes.Buffer
	if status := run(t.Context(), []string{"rebound", "serve", "-addr", "0.0.0.0:0"}, strings.NewReader(""), &out, &errOut); status != exitNothing || !strings.Contains(errOut.String(), "-anywhere allows it") {
		t.Errorf("status %d, %s", status, errOut.String())
	}
}

// A signal lets the command end well.
func TestServeStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int)
	go func() {
		var out bytes.Buffer
		done <- run(ctx, []string{"rebound", "serve", "-offline", "-addr", "127.0.0.1:0"}, strings.NewReader(""), &out, w)
	}()
	line := make([]byte, 200)
	n, err := r.Read(line)
	if err != nil || !strings.Contains(string(line[:n]), "http://127.0.0.1:") {
		t.Fatalf("%v: %q", err, line[:n])
	}
	cancel()
	if status := <-done; status != exitDone {
		t.Errorf("status %d", status)
	}
}
