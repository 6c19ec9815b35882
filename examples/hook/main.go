// Command hook receives what sending services post about bounces, and tells a mailing
// program such as listmonk which addresses to stop mailing: those alone that are at fault
// themselves. An address is suppressed for an unknown user twice, for a complaint at once,
// and never for a block, a full queue or a receiver's bad day.
//
//	hook -addr 127.0.0.1:9000 -state history.json
//
// Point the service's webhook at /bounces; put a proxy that checks its signature before it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/bounce/webhook"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen here")
	state := flag.String("state", "history.json", "keep the history in this file")
	flag.Parse()
	h, err := newHook(*state, time.Now, func(address, why string) {
		log.Printf("suppress %s: %s", address, why) // here the mailing program's own call belongs
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: *addr, Handler: h, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// A hook remembers refusals and tells which addresses to suppress, each once.
type hook struct {
	file     string
	now      func() time.Time
	suppress func(address, why string)

	mu      sync.Mutex
	history *bounce.History
	told    map[string]bool
}

func newHook(file string, now func() time.Time, suppress func(address, why string)) (*hook, error) {
	h := &hook{file: file, now: now, suppress: suppress, history: bounce.NewHistory(), told: map[string]bool{}}
	raw, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return h, nil
	case err != nil:
		return nil, err
	}
	return h, json.Unmarshal(raw, h.history)
}

// ServeHTTP takes one post of a service.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/bounces" {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, webhook.MaxSize))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	reports, err := webhook.Parse(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := h.take(reports); err != nil {
		http.Error(w, "could not be kept", http.StatusInternalServerError) // the service tries again
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *hook) take(reports []*bounce.Report) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	addresses := map[string]bool{}
	for _, report := range reports {
		for _, e := range report.Events("newsletter", report.ServiceID, now) {
			h.history.Add(e)
			addresses[e.Address] = true
		}
	}
	if err := h.save(); err != nil {
		return err
	}
	for _, report := range reports {
		for _, rec := range report.Recipients {
			ruling := bounce.Policy{}.Decide(h.history, rec.Address, now)
			if addresses[rec.Address] && ruling.Do == bounce.DoSuppress && !h.told[rec.Address] {
				h.told[rec.Address] = true
				h.suppress(rec.Address, ruling.Why)
			}
		}
	}
	return nil
}

// save replaces the file, so that a crash leaves the old or the new one.
func (h *hook) save() error {
	raw, err := json.Marshal(h.history)
	if err != nil {
		return err
	}
	next := h.file + ".next"
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(next, h.file)
}
