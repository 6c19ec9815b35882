package warmup

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// StateVersion is the version of [State] that this package writes.
const StateVersion = 1

// A State is all that a [Controller] knows, apart from its Config. Its JSON reads back to
// the same; a later version of this package reads it.
type State struct {
	Version int             `json:"version"`
	Goal    Goal            `json:"goal"` // that of the Config, for a program without one
	Goals   map[string]Goal `json:"goals,omitempty"`
	Lines   []Line          `json:"lines"`
}

func (g Goal) clone() Goal { return Goal{g.Target, maps.Clone(g.Mix)} }

// Errors of a state that cannot be taken over.
var (
	ErrStateVersion = errors.New("warmup: the state is of a newer version")
	ErrState        = errors.New("warmup: the state is damaged")
)

// State returns a copy of what the controller knows, by identity and provider.
func (c *Controller) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := State{Version: StateVersion, Goal: c.cfg.Goal.clone(), Lines: make([]Line, 0, len(c.lines))}
	if len(c.cfg.Goals) > 0 {
		s.Goals = map[string]Goal{}
	}
	for name, g := range c.cfg.Goals {
		s.Goals[name] = g.clone()
	}
	for _, l := range c.inOrder() {
		s.Lines = append(s.Lines, l.Line)
	}
	return s
}

// Restore takes over a state in place of what the controller knows. On an error nothing
// is changed.
func (c *Controller) Restore(s State) error {
	switch {
	case s.Version > StateVersion:
		return fmt.Errorf("%w: %d, and this program knows %d", ErrStateVersion, s.Version, StateVersion)
	case s.Version != StateVersion:
		return fmt.Errorf("%w: version %d", ErrState, s.Version)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := make(map[key]*line, len(s.Lines))
	for _, saved := range s.Lines {
		if err := saved.check(); err != nil {
			return err
		}
		k := key{saved.Identity, saved.Provider}
		if lines[k] != nil {
			return fmt.Errorf("%w: %s to %s stands twice", ErrState, k.identity, k.provider)
		}
		a := c.aimFor(saved.Identity)
		lines[k] = &line{Line: saved, share: a.share[saved.Provider], first: a.first[saved.Provider]}
	}
	c.lines, c.order, c.sorted = lines, slices.Collect(maps.Values(lines)), false
	return nil
}

// check reports what no controller would have written.
func (l Line) check() error {
	for _, n := range []int{l.Allowance, l.Spent, l.Delivered, l.Deferred, l.Blocked, l.HardBounce, l.Complaint, l.HourSpent, l.Trips, l.Connections, l.Pauses, l.Clean, l.Held, l.Idle} {
		if n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("%w: %s to %s has a count of %d", ErrState, l.Identity, l.Provider, n)
		}
	}
	for _, x := range []float64{l.Growth, l.Best, l.PastDelivered, l.PastBounced, l.PastComplained, l.RecentDelivered, l.RecentDeferred, l.RecentBlocked, l.Cut} {
		if !(x >= 0 && x <= 1e12) {
			return fmt.Errorf("%w: %s to %s has a figure of %v", ErrState, l.Identity, l.Provider, x)
		}
	}
	if !l.Provider.valid() || !validIdentity(l.Identity) || l.Growth < 1 || l.Growth > 10 {
		return fmt.Errorf("%w: %s to %q grows by %v", ErrState, l.Identity, l.Provider, l.Growth)
	}
	return nil
}

// Write writes the state as JSON, a line of text for each Line.
func (s State) Write(w io.Writer) error {
	lines := s.Lines
	s.Lines = nil
	head, err := json.Marshal(s)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	b.Write(bytes.TrimSuffix(head, []byte("null}"))) // …"lines":
	b.WriteByte('[')
	var buf []byte
	for i := range lines {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := lines[i].check(); err != nil {
			return err
		}
		if buf, err = lines[i].append(append(buf[:0], '\n')); err != nil {
			return err
		}
		b.Write(buf)
	}
	b.WriteString("]}\n")
	return b.Flush()
}

// append adds the JSON of a line, as its tags have it: encoding/json takes three times as
// long, and there may be 200,000 of them.
func (l *Line) append(b []byte) ([]byte, error) {
	w := lineWriter{b: b, next: '{'}
	w.text("identity", l.Identity)
	w.text("provider", string(l.Provider))
	w.date("day", l.Day)
	w.key("allowance")
	w.b = strconv.AppendInt(w.b, int64(l.Allowance), 10)
	w.key("growth")
	w.b = strconv.AppendFloat(w.b, l.Growth, 'g', -1, 64)
	w.key("best")
	w.b = strconv.AppendFloat(w.b, l.Best, 'g', -1, 64)
	w.float("past_delivered", l.PastDelivered)
	w.float("past_bounced", l.PastBounced)
	w.float("past_complained", l.PastComplained)
	w.int("spent", int64(l.Spent))
	w.int("delivered", int64(l.Delivered))
	w.int("deferred", int64(l.Deferred))
	w.int("blocked", int64(l.Blocked))
	w.int("hard_bounce", int64(l.HardBounce))
	w.int("complaint", int64(l.Complaint))
	w.bool("signals", l.Signals)
	w.bool("stopped", l.Stopped)
	w.int("hour", l.Hour)
	w.int("hour_spent", int64(l.HourSpent))
	w.float("recent_delivered", l.RecentDelivered)
	w.float("recent_deferred", l.RecentDeferred)
	w.float("recent_blocked", l.RecentBlocked)
	w.int("trips", int64(l.Trips))
	w.float("cut", l.Cut)
	w.int("connections", int64(l.Connections))
	w.time("until", l.Until)
	if l.Why != "" {
		w.text("why", string(l.Why))
	}
	w.int("pauses", int64(l.Pauses))
	w.int("clean", int64(l.Clean))
	w.int("held", int64(l.Held))
	w.int("idle", int64(l.Idle))
	if l.Last != (Decided{}) {
		w.key("last")
		w.next = '{'
		w.date("day", l.Last.Day)
		w.text("action", l.Last.Action.String())
		w.key("from")
		w.b = strconv.AppendInt(w.b, int64(l.Last.From), 10)
		w.key("to")
		w.b = strconv.AppendInt(w.b, int64(l.Last.To), 10)
		w.key("reason")
		w.next = '{'
		w.text("code", string(l.Last.Reason.Code))
		w.float("k", l.Last.Reason.K)
		w.int("n", int64(l.Last.Reason.N))
		w.float("lower", l.Last.Reason.Lower)
		w.float("limit", l.Last.Reason.Limit)
		w.time("until", l.Last.Reason.Until)
		w.b = append(w.b, "}}"...)
	}
	return append(w.b, '}'), w.err
}

// A lineWriter appends the members of an object; zero values are left out.
type lineWriter struct {
	b    []byte
	next byte // what stands before the next member
	err  error
}

func (w *lineWriter) key(name string) {
	w.b = append(append(append(w.b, w.next, '"'), name...), '"', ':')
	w.next = ','
}

func (w *lineWriter) text(name, s string) {
	w.key(name)
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			w.b, w.err = append(w.b, quoted...), errors.Join(w.err, err)
			return
		}
	}
	w.b = append(append(append(w.b, '"'), s...), '"')
}

func (w *lineWriter) date(name string, d Date) {
	w.key(name)
	w.b = append(d.Time().AppendFormat(append(w.b, '"'), time.DateOnly), '"')
}

func (w *lineWriter) time(name string, t time.Time) {
	if !t.IsZero() {
		w.key(name)
		w.b = append(t.AppendFormat(append(w.b, '"'), time.RFC3339Nano), '"')
	}
}

func (w *lineWriter) int(name string, n int64) {
	if n != 0 {
		w.key(name)
		w.b = strconv.AppendInt(w.b, n, 10)
	}
}

func (w *lineWriter) float(name string, x float64) {
	if x != 0 {
		w.key(name)
		w.b = strconv.AppendFloat(w.b, x, 'g', -1, 64)
	}
}

func (w *lineWriter) bool(name string, yes bool) {
	if yes {
		w.key(name)
		w.b = append(w.b, "true"...)
	}
}

// maxState bounds a state that is read: some 400,000 lines.
const maxState = 256 << 20

// ReadState reads a state that [State.Write] wrote.
func ReadState(r io.Reader) (State, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxState+1))
	if err != nil {
		return State{}, err
	}
	if len(raw) > maxState {
		return State{}, fmt.Errorf("%w: it is larger than %d MiB", ErrState, maxState>>20)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return State{}, fmt.Errorf("%w: %v", ErrState, err)
	}
	if head.Version > StateVersion {
		return State{}, fmt.Errorf("%w: %d, and this program knows %d", ErrStateVersion, head.Version, StateVersion)
	}
	var s State
	if err := json.Unmarshal(raw, &s); err != nil {
		return State{}, fmt.Errorf("%w: %v", ErrState, err)
	}
	if s.Version != StateVersion {
		return State{}, fmt.Errorf("%w: version %d", ErrState, s.Version)
	}
	for _, l := range s.Lines {
		if err := l.check(); err != nil {
			return State{}, err
		}
	}
	return s, nil
}
