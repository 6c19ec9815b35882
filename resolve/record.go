package resolve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"
)

// The limits of a recording that is read back.
const (
	maxRecording     = 64 << 20
	maxRecordingLine = 1 << 20
)

// recordingHeader is the first line of a recording; it tells one from a zone
// file.
type recordingHeader struct {
	Recording string `json:"recording"`
	Version   int    `json:"version"`
}

const (
	recordingName    = "rebound-dns"
	recordingVersion = 1
)

// A Recorder hands questions on and keeps the last answer to each, so that a
// diagnosis can be shown with its evidence and repeated offline by [Replay].
// The zero value with a Resolver is ready; it is safe for concurrent use.
type Recorder struct {
	Resolver Resolver
	// Observe, if set, is called with every answer, secrets masked, from whichever
	// goroutine asked.
	Observe func(Answer)

	mu      sync.Mutex
	answers map[cacheKey]Answer
}

// Resolve implements [Resolver].
func (r *Recorder) Resolve(ctx context.Context, name string, t Type) Answer {
	answer := r.Resolver.Resolve(ctx, name, t)
	a := answer.Mask(secretOf(ctx))
	if r.Observe != nil {
		r.Observe(a)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers == nil {
		r.answers = map[cacheKey]Answer{}
	}
	key := cacheKey{a.Name, a.Type}
	// What one caller gave up on says nothing, and a later failure does not undo an answer.
	if a.Status == Canceled {
		return answer
	}
	if old, asked := r.answers[key]; !asked || !old.Status.Known() || a.Status.Known() {
		r.answers[key] = a
	}
	return answer
}

// Answers returns what was recorded, ordered by name and type.
func (r *Recorder) Answers() []Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	answers := make([]Answer, 0, len(r.answers))
	for _, a := range r.answers {
		answers = append(answers, a)
	}
	sort.Slice(answers, func(i, j int) bool {
		if answers[i].Name != answers[j].Name {
			return answers[i].Name < answers[j].Name
		}
		return answers[i].Type < answers[j].Type
	})
	return answers
}

// WriteTo writes the recording: a header line, then one JSON object an answer.
// It implements [io.WriterTo].
func (r *Recorder) WriteTo(w io.Writer) (int64, error) {
	var buf bytes.Buffer
	lines := json.NewEncoder(&buf)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(recordingHeader{recordingName, recordingVersion}); err != nil {
		return 0, err
	}
	for _, a := range r.Answers() {
		if err := lines.Encode(answerForFile(a)); err != nil {
			return 0, err
		}
	}
	return buf.WriteTo(w)
}

// answerForFile keeps character-strings of arbitrary octets through JSON, which
// holds only UTF-8: an octet becomes the code point of its number.
func answerForFile(a Answer) Answer { return mapStrings(a, toLatin1) }

func answerFromFile(a Answer) Answer { return mapStrings(a, fromLatin1) }

func mapStrings(a Answer, f func(string) string) Answer {
	records := make([]Record, len(a.Records))
	copy(records, a.Records)
	for i, r := range records {
		for k, s := range r.Strings {
			if k == 0 {
				records[i].Strings = make([]string, len(r.Strings))
			}
			records[i].Strings[k] = f(s)
		}
	}
	if len(records) == 0 {
		records = nil
	}
	a.Records = records
	return a
}

func toLatin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

func fromLatin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// Replay returns a resolver that answers offline: from what a [Recorder] wrote
// or from a zone file (see [ParseZone]), told apart by their first line. A
// question that the recording does not hold is answered Other, never "absent".
func Replay(r io.Reader) (Resolver, error) {
	in := bufio.NewReader(r)
	first, err := in.Peek(1)
	if errors.Is(err, io.EOF) {
		return nil, errors.New("resolve: the file is empty: neither a recording nor a zone file")
	}
	if err != nil {
		return nil, err
	}
	if first[0] != '{' {
		return ParseZone(in)
	}
	return readRecording(in)
}

// A recording answers what was recorded.
type recording map[cacheKey]Answer

func readRecording(r io.Reader) (recording, error) {
	limited := &io.LimitedReader{R: r, N: maxRecording + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 64<<10), maxRecordingLine)
	answers := recording{}
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			var h recordingHeader
			if err := json.Unmarshal(lines.Bytes(), &h); err != nil || h.Recording != recordingName {
				return nil, errors.New("resolve: line 1: neither a recording nor a zone file")
			}
			if h.Version != recordingVersion {
				return nil, fmt.Errorf("resolve: recording of version %d; this release reads version %d", h.Version, recordingVersion)
			}
			continue
		}
		var a Answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("resolve: recording: line %d: %w", n, err)
		}
		if a.Status == OK && len(a.Records) == 0 {
			return nil, fmt.Errorf("resolve: recording: line %d: an answer without a record", n)
		}
		answers[cacheKey{a.Name, a.Type}] = answerFromFile(a)
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("resolve: the recording is longer than %d bytes", maxRecording)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("resolve: recording: %w", err)
	}
	return answers, nil
}

var errNotRecorded = errors.New("resolve: not in the recording")

// Resolve implements [Resolver].
func (r recording) Resolve(ctx context.Context, name string, t Type) Answer {
	canonical, err := Name(name)
	if err != nil {
		return failed(name, t, Other, err)
	}
	if ctx.Err() != nil {
		return failed(canonical, t, Canceled, context.Cause(ctx))
	}
	canonical = Mask(canonical, secretOf(ctx))
	if a, ok := r[cacheKey{canonical, t}]; ok {
		return a
	}
	return failed(canonical, t, Other, errNotRecorded)
}

// Offline answers every question with Other: nothing is asked of anybody. Why is
// the Err of its answers; nil says that the caller wants it so.
type Offline struct{ Why error }

var errOffline = errors.New("resolve: offline, nothing is asked")

// Resolve implements [Resolver].
func (o Offline) Resolve(_ context.Context, name string, t Type) Answer {
	canonical, err := Name(name)
	if err != nil {
		return failed(name, t, Other, err)
	}
	if o.Why != nil {
		return failed(canonical, t, Other, o.Why)
	}
	return failed(canonical, t, Other, errOffline)
}
