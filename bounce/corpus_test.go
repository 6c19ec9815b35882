package bounce

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// corpus returns a folder of labelled data, or skips the test.
func corpus(t testing.TB, folder string) string {
	t.Helper()
	root := os.Getenv("REBOUND_CORPUS")
	if root == "" {
		t.Skip("REBOUND_CORPUS is not set: the labelled data is not here")
	}
	return filepath.Join(root, folder)
}

// label is a line of the corpus: what is known of one message.
type label struct {
	File    string `json:"file"`
	Kind    string `json:"kind"`
	Results []struct {
		Recipient  string   `json:"recipient"`
		Status     string   `json:"status"`
		Reply      string   `json:"reply"`
		Permanence string   `json:"permanence"`
		Reasons    []string `json:"reasons"`
	} `json:"results"`
}

// score counts hits of what was asked.
type score map[string]*[2]int

func (s score) add(figure string, hit bool) {
	if s[figure] == nil {
		s[figure] = new([2]int)
	}
	s[figure][1]++
	if hit {
		s[figure][0]++
	}
}

func (s score) percent(figure string) float64 {
	c := s[figure]
	return math.Floor(1000*float64(c[0])/float64(c[1])) / 10
}

// The figures that were reached on the corpus. They may only rise, or fall with
// a reason in the commit.
func TestCorpusFigures(t *testing.T) {
	dir := corpus(t, "bounce")
	s := score{}
	for _, l := range labels(t, filepath.Join(dir, "expected.jsonl")) {
		message, err := os.ReadFile(filepath.Join(dir, l.File))
		if err != nil {
			t.Fatal(err)
		}
		s.message(l, ParseBytes(message))
	}
	var want map[string]float64
	b, err := os.ReadFile("testdata/figures.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	for _, figure := range slices.Sorted(maps.Keys(want)) {
		got := s.percent(figure)
		t.Logf("%-12s %5.1f %% (%d of %d)", figure, got, s[figure][0], s[figure][1])
		if got < want[figure] {
			t.Errorf("%s is %.1f %%, was %.1f %%", figure, got, want[figure])
		}
	}
}

func labels(t *testing.T, file string) []label {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []label
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l label
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
	}
	return list
}

func norm(address string) string {
	return strings.ToLower(strings.Trim(strings.TrimSpace(address), "<>"))
}

// message scores one report against its label. Labels may hide an address behind
// its hash.
func (s score) message(l label, rep *Report) {
	isBounce := rep.Kind == Failure || rep.Kind == Delay
	if l.Kind != "bounce" {
		s.add("silent", !isBounce)
		return
	}
	want := map[string]bool{}
	hashed := false
	for _, r := range l.Results {
		want[norm(r.Recipient)] = true
		hashed = hashed || strings.HasPrefix(r.Recipient, "sha256:")
	}
	key := func(address string) string {
		if hashed {
			return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(norm(address))))
		}
		return norm(address)
	}
	got := map[string]Recipient{}
	for _, r := range rep.Recipients {
		if !isBounce || r.Address == "" || r.Action != Failed && r.Action != Delayed {
			continue
		}
		mailed, final := key(r.Address), key(r.Address)
		if r.FinalAddress != "" {
			final = key(r.FinalAddress)
		}
		if want[final] && !want[mailed] {
			mailed = final
		}
		got[mailed] = r
	}
	s.recipients(l, got, want)
}

func (s score) recipients(l label, got map[string]Recipient, want map[string]bool) {
	exact := len(got) == len(want)
	for address := range got {
		s.add("precision", want[address])
		exact = exact && want[address]
	}
	s.add("exact", exact)
	for _, w := range l.Results {
		g, found := got[norm(w.Recipient)]
		s.add("recall", found)
		reply := ""
		if g.Reply.Code > 0 {
			reply = fmt.Sprint(g.Reply.Code)
		}
		for figure, pair := range map[string][2]string{"permanence": {w.Permanence, string(g.Permanence)}, "status": {w.Status, g.Status.String()}, "reply": {w.Reply, reply}} {
			if pair[0] != "" {
				s.add(figure, pair[0] == pair[1])
			}
		}
		if len(w.Reasons) == 0 {
			continue
		}
		s.add("reason", slices.Contains(w.Reasons, string(g.Reason)))
		if found && !slices.ContainsFunc(w.Reasons, func(r string) bool { return Reason(r).OfAddress() }) && !slices.ContainsFunc(w.Reasons, notSendersFault) {
			s.add("kept", !g.Suppress)
		}
	}
}

// notSendersFault names reasons that may or may not be the sender's: a label that
// allows one of them says nothing about suppression.
func notSendersFault(reason string) bool {
	switch Reason(reason) {
	case RecipientPolicy, Attachment, Malware, MessageFormat, RelayDenied, AuthRequired, AuthFailed, AccountSuspended, Loop, EAI, Protocol, TooManyRecipients, ReasonUnknown:
		return true
	}
	return false
}

// Every text that Google documents maps to its cause, in a full reply of the
// documented codes.
func TestGoogleDocumentedTexts(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(corpus(t, ".."), "facts", "providers.jsonl"))
	if err != nil {
		t.Skip(err)
	}
	rows := 0
	for _, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		var row struct{ Provider, Marker, Match, Scope, Reply, Enhanced, Cause string }
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		if row.Provider != "google" || row.Match != "literal" {
			continue
		}
		rows++
		reply := strings.TrimSpace(strings.Join([]string{row.Reply, row.Enhanced, row.Marker}, " ")) + ". For more information, go to https://support.google.com/mail/?p=x ffacd0b85a97d-42b5 - gsmtp"
		rep := ParseReply(reply)
		if len(rep.Recipients) != 1 || rep.Recipients[0].Reason != Reason(row.Cause) {
			t.Errorf("%s: %+v, want %s", reply, rep.Recipients, row.Cause)
		}
	}
	if rows == 0 {
		t.Error("no rows")
	}
}

// mutants calls f with a message cut at each line, with an octet of each line
// flipped, each two lines swapped, and its boundaries removed.
func mutants(message []byte, f func([]byte)) {
	lines := bytes.SplitAfter(message, []byte("\n"))
	at := 0
	for i, line := range lines {
		f(message[:at])
		if len(line) > 0 {
			flipped := bytes.Clone(message)
			flipped[at+(i*31)%len(line)] ^= byte(1 << (i % 8))
			f(flipped)
		}
		if i > 0 {
			lines[i-1], lines[i] = lines[i], lines[i-1]
			f(bytes.Join(lines, nil))
			lines[i-1], lines[i] = lines[i], lines[i-1]
		}
		at += len(line)
	}
	var open [][]byte
	for _, line := range lines {
		if !bytes.HasPrefix(line, []byte("--")) {
			open = append(open, line)
		}
	}
	f(bytes.Join(open, nil))
}

// Every mutant of the corpus is read: no panic, no address suppressed for a fault
// that is not its own. The same message in other line ends, and read a second time,
// gives the same report.
func TestCorpusMutants(t *testing.T) {
	dir, read := corpus(t, "bounce"), 0
	for _, l := range labels(t, filepath.Join(dir, "expected.jsonl")) {
		message, err := os.ReadFile(filepath.Join(dir, l.File))
		if err != nil {
			t.Fatal(err)
		}
		message = bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))
		want, _ := json.Marshal(ParseBytes(message))
		for range 2 {
			if got, _ := json.Marshal(ParseBytes(message)); !bytes.Equal(got, want) {
				t.Errorf("%s reads otherwise the second time:\n%s\nwant\n%s", l.File, got, want)
			}
		}
		if got, _ := json.Marshal(ParseBytes(bytes.ReplaceAll(message, []byte("\n"), []byte("\r\n")))); !bytes.Equal(got, want) {
			t.Errorf("%s reads otherwise with CRLF:\n%s\nwant\n%s", l.File, got, want)
		}
		if testing.Short() || len(message) > 64<<10 {
			continue
		}
		mutants(message, func(mutant []byte) {
			read++
			for _, r := range ParseBytes(mutant).Recipients {
				if r.Suppress && !r.Reason.OfAddress() {
					t.Errorf("%s: a mutant suppresses %s for %s", l.File, r.Address, r.Reason)
				}
			}
		})
	}
	t.Logf("%d mutants", read)
}

// withAttachment is a bounce that returns a mail with an attachment of n octets.
func withAttachment(n int) []byte {
	message := dsn(twoRecipients)
	line := strings.Repeat("QUJD", 19) + "\n"
	attachment := "Content-Type: multipart/mixed; boundary=att\n\n--att\n\nSee there.\n--att\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n" + strings.Repeat(line, n/len(line)) + "--att--\n"
	return []byte(strings.Replace(message, "List-Id: <news.shop.example>\n\nHello.\n", attachment, 1))
}

// A returned attachment costs no memory beside the input, and time in proportion:
// BenchmarkLargeAttachment shows the MB/s.
func TestLargeAttachmentCostsNoMemory(t *testing.T) {
	for name, message := range map[string][]byte{
		"LF": withAttachment(20 << 20), "CR": bytes.ReplaceAll(withAttachment(20<<20), []byte("\n"), []byte("\r")),
		"plain text": append([]byte("From: MAILER-DAEMON@mx.sender.example\nSubject: failure notice\n\nHi. This is the qmail-send program at mx.sender.example.\n\n<anna@recipient.example>:\nRemote host said: 550 5.1.1 no such user\n\n--- Below this line is a copy of the message.\n\n"), bytes.Repeat([]byte("returned line of text\n"), 1<<20)...),
	} {
		ParseBytes(message) // what is kept for all messages
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rep := ParseBytes(message)
		runtime.ReadMemStats(&after)
		if len(rep.Recipients) == 0 || rep.Recipients[0].Address != "anna@recipient.example" {
			t.Errorf("%s: %+v", name, rep.Recipients)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
			t.Errorf("%s: %d octets allocated beside the input of %d, want at most 8 MiB", name, used, len(message))
		}
	}
}

func BenchmarkLargeAttachment(b *testing.B) {
	for _, mb := range []int{1, 20} {
		message := withAttachment(mb << 20)
		b.Run(fmt.Sprintf("%dMB", mb), func(b *testing.B) {
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				ParseBytes(message)
			}
		})
	}
}

// BenchmarkParse reads the corpus in memory; MB/s is to be compared with a parser
// that only takes the MIME structure apart.
func BenchmarkParse(b *testing.B) {
	files, err := filepath.Glob(filepath.Join(corpus(b, "bounce"), "set-of-emails", "bsd", "*"))
	if err != nil || len(files) == 0 {
		b.Fatalf("no files: %v", err)
	}
	var messages [][]byte
	size := 0
	for _, file := range files {
		m, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		messages, size = append(messages, m), size+len(m)
	}
	DefaultRules()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, m := range messages {
			ParseBytes(m)
		}
	}
}
