package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/report"
)

//go:embed page
var pageFiles embed.FS

func (a *app) serveCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", Usage: "show a page on this machine where a bounce is pasted or dropped, and the report appears",
		Description: "   rebound serve\n   rebound serve -addr 127.0.0.1:9000\n\nThe page keeps nothing. It is for this machine alone: -addr must be a loopback address, or -anywhere be given, and it has no login.",
		Flags: append(slices.Concat(dnsFlags(), tableFlags()),
			&cli.StringFlag{Name: "addr", Usage: "listen at `ADDR`", Value: "127.0.0.1:8025"},
			&cli.BoolFlag{Name: "anywhere", Usage: "listen at an address that other machines reach, too"},
			&cli.BoolFlag{Name: "redact", Usage: "mask the local part of mail addresses in the report"},
			&cli.StringFlag{Name: "now", Usage: "take `TIME` for the present"}),
		Action: a.serve,
	}
}

// The limits of the page.
const (
	maxUpload    = bounce.MaxSize + 1<<20 // with what a form adds
	readTimeout  = time.Minute
	extraTimeout = 10 * time.Second // beyond that of the checks, to write the answer
	atOnce       = 8                // diagnoses
)

func (a *app) serve(ctx context.Context, c *cli.Command) error {
	if c.NArg() > 0 {
		return fmt.Errorf("serve: it takes no argument such as %q", c.Args().First())
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.String("addr"))
	if err != nil {
		return err
	}
	defer listener.Close()
	if at, err := netip.ParseAddrPort(listener.Addr().String()); !c.Bool("anywhere") && (err != nil || !at.Addr().Unmap().IsLoopback()) {
		return fmt.Errorf("serve: other machines reach %s, and the page has no login; -anywhere allows it", listener.Addr())
	}
	d, source, err := a.diagnoser(c, a.resolver)
	if err != nil {
		return err
	}
	d.ListMemory = new(dnsbl.Memory) // shared by the diagnoses of all requests
	p := &pageServer{diagnoser: d, anywhere: c.Bool("anywhere"), redact: c.Bool("redact"), slots: make(chan struct{}, atOnce)}
	server := &http.Server{
		Handler: p.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: readTimeout,
		WriteTimeout: readTimeout + p.diagnoser.Timeout + extraTimeout, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	fmt.Fprintf(a.err, "rebound: the page is at http://%s/\n", listener.Addr())
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), extraTimeout)
		defer cancel()
		server.Shutdown(wait)
	})
	err = server.Serve(listener)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, source.close())
}

// A pageServer answers the page. It keeps nothing of what it was sent.
type pageServer struct {
	diagnoser *rebound.Diagnoser
	anywhere  bool
	redact    bool
	slots     chan struct{}
}

func (p *pageServer) handler() http.Handler {
	mux := http.NewServeMux()
	for path, file := range map[string]struct{ name, kind string }{
		"GET /{$}": {"index.html", "text/html; charset=utf-8"}, "GET /page.css": {"page.css", "text/css; charset=utf-8"}, "GET /page.js": {"page.js", "text/javascript; charset=utf-8"},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			text, _ := pageFiles.ReadFile("page/" + file.name)
			w.Header().Set("Content-Type", file.kind)
			w.Write(text)
		})
	}
	mux.HandleFunc("POST /diagnose", p.stream)
	mux.HandleFunc("POST /report", p.form)
	// A page of another site may neither send here nor, by a name of its own for this
	// address, read from here.
	guard := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if !p.anywhere && !isLocal(r.Host) {
			http.Error(w, "This page is for this machine alone.", http.StatusForbidden)
			return
		}
		guard.ServeHTTP(w, r)
	})
}

// isLocal reports whether a Host field names this machine.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// caseOf is what was pasted or dropped, a reply or a message; or what is wrong with it.
func caseOf(raw []byte, ip string) (c rebound.Case, problem string) {
	c.Bounce = raw
	if len(bytes.TrimSpace(raw)) == 0 {
		return c, "There is nothing to diagnose: paste a bounce or a reply."
	}
	if n := mails(raw); n > 1 {
		return c, fmt.Sprintf("It holds %d mails, and this page reads one bounce: rebound triage reads many.", n)
	}
	if line, _, _ := bytes.Cut(bytes.TrimSpace(raw), []byte("\n")); len(line) < maxLogLine && postfixLine.Match(line) {
		return c, "It is a log, and this page reads one bounce: rebound triage reads logs."
	}
	if text := strings.TrimSpace(string(raw)); len(text) > 3 && text[0] >= '2' && text[0] <= '5' && len(text) < 20_000 && strings.Trim(text[:3], "0123456789") == "" {
		c.Bounce, c.Reply = nil, text
	}
	if ip = strings.TrimSpace(ip); ip != "" {
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			return c, fmt.Sprintf("%.60q is no address such as 198.51.100.7.", ip)
		}
		c.IP = addr
	}
	return c, ""
}

// mails counts the messages of an mbox; 0 is none.
func mails(raw []byte) int {
	if !bytes.HasPrefix(raw, []byte("From ")) {
		return 0
	}
	n := 0
	_ = readStream("", bytes.NewReader(raw), func(message) error { n++; return nil })
	return n
}

// An event is a line of the answer to POST /diagnose.
type event struct {
	Check   string `json:"check,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	Page    string `json:"page,omitempty"`
	Error   string `json:"error,omitempty"`
}

// stream tells of each check as it ends, and then sends the report.
func (p *pageServer) stream(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUpload))
	if err != nil {
		tooLarge(w, err)
		return
	}
	c, ok := p.begin(w, raw, r.URL.Query().Get("ip"))
	if !ok {
		return
	}
	defer p.end()
	w.Header().Set("Content-Type", "application/x-ndjson")
	var mu sync.Mutex
	send := func(e event) {
		mu.Lock()
		defer mu.Unlock()
		json.NewEncoder(w).Encode(e)
		http.NewResponseController(w).Flush()
	}
	page, err := p.diagnose(r.Context(), c, func(e rebound.Event) {
		if e.Done != nil && e.Done.Outcome != finding.NotApplicable {
			send(event{Check: e.Check, Outcome: e.Done.Outcome.String()})
		}
	})
	if err != nil {
		send(event{Error: err.Error()})
		return
	}
	send(event{Page: page})
}

// form answers the page where no script runs.
func (p *pageServer) form(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	if err := r.ParseMultipartForm(maxUpload); err != nil {
		tooLarge(w, err)
		return
	}
	defer r.MultipartForm.RemoveAll()
	raw := []byte(r.FormValue("text"))
	if file, _, err := r.FormFile("file"); err == nil && len(bytes.TrimSpace(raw)) == 0 {
		defer file.Close()
		if raw, err = io.ReadAll(file); err != nil {
			tooLarge(w, err)
			return
		}
	}
	c, ok := p.begin(w, raw, r.FormValue("ip"))
	if !ok {
		return
	}
	defer p.end()
	page, err := p.diagnose(r.Context(), c, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, page)
}

func tooLarge(w http.ResponseWriter, err error) {
	var limit *http.MaxBytesError
	if errors.As(err, &limit) {
		http.Error(w, fmt.Sprintf("It is larger than %d MiB.", bounce.MaxSize>>20), http.StatusRequestEntityTooLarge)
		return
	}
	http.Error(w, "It did not arrive whole.", http.StatusBadRequest)
}

// begin reads the case and takes a slot, which end gives back; or answers why not.
func (p *pageServer) begin(w http.ResponseWriter, raw []byte, ip string) (c rebound.Case, ok bool) {
	c, problem := caseOf(raw, ip)
	if problem != "" {
		http.Error(w, problem, http.StatusBadRequest)
		return c, false
	}
	select {
	case p.slots <- struct{}{}:
		return c, true
	default:
		http.Error(w, "Other bounces are being diagnosed; try again in a moment.", http.StatusTooManyRequests)
		return c, false
	}
}

func (p *pageServer) end() { <-p.slots }

func (p *pageServer) diagnose(ctx context.Context, c rebound.Case, progress func(rebound.Event)) (string, error) {
	d := &rebound.Diagnoser{
		Resolver: p.diagnoser.Resolver, Lists: p.diagnoser.Lists, Rules: p.diagnoser.Rules, Keys: p.diagnoser.Keys, ListMemory: p.diagnoser.ListMemory,
		Now: p.diagnoser.Now, Timeout: p.diagnoser.Timeout, Progress: progress,
	}
	diagnosis, err := d.Diagnose(ctx, c)
	if err != nil {
		return "", err
	}
	doc := report.Diagnosis(diagnosis)
	if p.redact {
		doc.Mask(redactPeople(diagnosis))
	}
	var b strings.Builder
	err = doc.HTML(&b)
	return b.String(), err
}
