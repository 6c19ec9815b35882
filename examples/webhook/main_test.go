package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

const zone = `$TTL 300
2.0.0.127.bl.spamcop.net. A 127.0.0.2
23.100.51.198.bl.spamcop.net. A 127.0.0.2
`

// postmark is what Postmark posts about a bounce.
func postmark(kind, address, text string) string {
	return fmt.Sprintf(`{"RecordType":"Bounce","ID":1,"Type":%q,"MessageID":"m-1","Email":%q,"From":"news@shop.example","BouncedAt":"2026-11-24T10:00:00Z","Details":%q,"Description":""}`, kind, address, text)
}

// Posts over HTTP, DNS on loopback: the log tells what is not the address's own fault.
func TestReceiver(t *testing.T) {
	client, err := resolve.NewClient(resolvetest.Serve(t, resolvetest.New(t, zone)))
	if err != nil {
		t.Fatal(err)
	}
	lines, out := io.Pipe()
	r := newReceiver(slog.New(slog.NewJSONHandler(out, nil)), &rebound.Diagnoser{Resolver: resolve.NewCache(client)})
	ctx, cancel := context.WithCancel(t.Context())
	done := r.start(ctx)
	server := httptest.NewServer(r)
	t.Cleanup(func() { server.Close(); cancel(); lines.Close(); done() })
	post := func(body string) int {
		t.Helper()
		answer, err := http.Post(server.URL+"/events", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for _, body := range []string{
		postmark("HardBounce", "gone@recipient.example", "smtp;550 5.1.1 <gone@recipient.example>: User unknown"), // no line
		postmark("Blocked", "good@recipient.example", "smtp;554 5.7.1 Client host [198.51.100.23] blocked using bl.spamcop.net"),
	} {
		if status := post(body); status != http.StatusNoContent {
			t.Fatalf("status %d", status)
		}
	}
	scanner := bufio.NewScanner(lines)
	if !scanner.Scan() {
		t.Fatal(scanner.Err())
	}
	var line struct {
		Msg       string
		Diagnosis struct{ Cause, State, Fault, Response, IP string }
	}
	if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
		t.Fatalf("%s: %v", scanner.Bytes(), err)
	}
	if d := line.Diagnosis; d.Cause != "ip-listed" || d.State != "confirmed" || d.Fault != "esp" || d.Response != "retry" || d.IP != "198.51.100.23" {
		t.Errorf("%s", scanner.Bytes())
	}
	if strings.Contains(scanner.Text(), "good@") {
		t.Errorf("the log names a person: %s", scanner.Text())
	}
	if r.asked.Load() == 0 {
		t.Error("no question to DNS was counted")
	}
	if status := post("{}"); status != http.StatusBadRequest {
		t.Errorf("what no service posts: %d", status)
	}
	if answer, err := http.Get(server.URL + "/events"); err != nil || answer.StatusCode != http.StatusNotFound {
		t.Errorf("a GET: %v, %v", answer, err)
	} else {
		answer.Body.Close()
	}
}

// When too many wait, the service is asked to post again.
func TestReceiverIsFull(t *testing.T) {
	r := newReceiver(slog.New(slog.DiscardHandler), new(rebound.Diagnoser))
	body := postmark("Blocked", "good@recipient.example", "smtp;554 5.7.1 Client host [198.51.100.23] blocked using bl.spamcop.net")
	status := 0
	for range waiting + 1 {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(body)))
		status = w.Code
	}
	if status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
}
