// Command webhook receives what sending services post about bounces, diagnoses those that
// are not an address's own fault, and writes a line of log for each: the cause, whose fault
// it is, what to hold. The service is answered before the diagnosis begins; when too many
// wait, it is asked to post again later.
//
//	webhook -addr 127.0.0.1:9001
//
// Put a proxy that checks the service's signature before it.
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/bounce/webhook"
	"github.com/rebound-mail/rebound/resolve"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9001", "listen here")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := newReceiver(slog.New(slog.NewJSONHandler(os.Stdout, nil)), new(rebound.Diagnoser))
	done := r.start(ctx)
	server := &http.Server{Addr: *addr, Handler: r, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	err := server.ListenAndServe()
	stop()
	done() // reports that still wait are lost; the hook example keeps a history
	log.Print(err)
}

const (
	waiting = 1000 // reports that wait to be diagnosed
	workers = 4
)

// A receiver queues what is posted. Its Diagnoser is shared: one cache, and one memory of
// which block lists are ill.
type receiver struct {
	log       *slog.Logger
	diagnoser *rebound.Diagnoser
	queue     chan *bounce.Report
	asked     atomic.Int64 // questions to DNS, for the program's metrics
}

// newReceiver takes the diagnoser over: it observes its DNS and tells the log of slow checks.
func newReceiver(logger *slog.Logger, d *rebound.Diagnoser) *receiver {
	r := &receiver{log: logger, diagnoser: d, queue: make(chan *bounce.Report, waiting)}
	d.Observe = func(a resolve.Answer) { r.asked.Add(int64(a.Tries)) }
	d.Progress = func(e rebound.Event) {
		if e.Took > time.Second {
			logger.Warn("slow", "check", e)
		}
	}
	return r
}

// ServeHTTP takes one post of a service.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost || req.URL.Path != "/events" {
		http.NotFound(w, req)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, webhook.MaxSize))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	reports, err := webhook.Parse(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, report := range reports {
		if !worthIt(report) {
			continue
		}
		select {
		case r.queue <- report:
		default:
			w.Header().Set("Retry-After", "60")
			http.Error(w, "too many wait", http.StatusServiceUnavailable)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// worthIt: what is an address's own fault needs no diagnosis; the hook example suppresses.
func worthIt(report *bounce.Report) bool {
	for _, rec := range report.Recipients {
		if rec.Action == bounce.Failed && !rec.Suppress && !rec.Reason.OfAddress() {
			return true
		}
	}
	return false
}

// start begins to diagnose; done waits until the workers have ended, after ctx has.
func (r *receiver) start(ctx context.Context) (done func()) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case report := <-r.queue:
					r.tell(ctx, report)
				}
			}
		})
	}
	return wg.Wait
}

func (r *receiver) tell(ctx context.Context, report *bounce.Report) {
	d, err := r.diagnoser.Diagnose(ctx, rebound.Case{Report: report, Control: rebound.Shared, Bulk: true})
	if err != nil {
		r.log.Error("not diagnosed", "id", report.ServiceID, "error", err)
		return
	}
	r.log.Info(d.Headline.Why, "id", report.ServiceID, "diagnosis", d, "do", d.Headline.Do)
}
