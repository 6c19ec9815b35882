package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// postmark is what Postmark posts about a bounce.
func postmark(id int, kind, address, text string) string {
	return fmt.Sprintf(`{"RecordType":"Bounce","ID":%d,"Type":%q,"MessageID":"m-%d","Email":%q,"From":"news@shop.example","BouncedAt":"2026-11-24T10:00:00Z","Details":%q,"Description":""}`, id, kind, id, address, text)
}

func TestHook(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history.json")
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var told []string
	start := func() *httptest.Server {
		h, err := newHook(file, func() time.Time { return now }, func(address, _ string) { told = append(told, address) })
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return server
	}
	server := start()
	post := func(body string) int {
		t.Helper()
		answer, err := http.Post(server.URL+"/bounces", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for i, body := range []string{
		postmark(1, "HardBounce", "gone@recipient.example", "smtp;550 5.1.1 <gone@recipient.example>: User unknown"),
		postmark(2, "Blocked", "good@recipient.example", "smtp;554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org"),
		postmark(3, "SoftBounce", "full@recipient.example", "smtp;452 4.2.2 Mailbox full"),
	} {
		if status := post(body); status != http.StatusNoContent {
			t.Fatalf("post %d: %d", i, status)
		}
	}
	if len(told) != 0 {
		t.Errorf("after one refusal each: %q", told)
	}
	now = now.AddDate(0, 0, 3)
	server = start() // the history outlives the program
	post(strings.Replace(postmark(4, "HardBounce", "gone@recipient.example", "smtp;550 5.1.1 <gone@recipient.example>: User unknown"), "2026-11-24", "2026-11-27", 1))
	post(strings.Replace(postmark(5, "Blocked", "good@recipient.example", "smtp;554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org"), "2026-11-24", "2026-11-27", 1))
	if len(told) != 1 || told[0] != "gone@recipient.example" {
		t.Errorf("after the second: %q", told)
	}
	post(strings.Replace(postmark(6, "HardBounce", "gone@recipient.example", "smtp;550 5.1.1 <gone@recipient.example>: User unknown"), "2026-11-24", "2026-11-27", 1))
	if len(told) != 1 {
		t.Errorf("told twice: %q", told)
	}
	if status := post("{}"); status != http.StatusBadRequest {
		t.Errorf("no service's JSON: %d", status)
	}
	if answer, err := http.Get(server.URL + "/bounces"); err != nil || answer.StatusCode != http.StatusNotFound {
		t.Errorf("a GET: %v, %v", answer, err)
	}
}
