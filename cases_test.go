package rebound_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/report"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

var update = flag.Bool("update", false, "rewrite the wanted files of testdata/cases")

// story is a folder of testdata/cases: case.json with what the caller knows,
// bounce.eml or reply.txt, and zone.txt.
type story struct {
	IP           netip.Addr      `json:"ip"`
	HELO         string          `json:"helo"`
	MailFrom     string          `json:"mail_from"`
	Recipient    string          `json:"recipient"`
	Message      string          `json:"message"`
	Control      rebound.Control `json:"control"`
	OwnDomains   []string        `json:"own_domains"`
	OwnAddresses []netip.Prefix  `json:"own_addresses"`
	Now          time.Time       `json:"now"`
	Bounced      time.Time       `json:"bounced"`
	Bulk         bool            `json:"bulk"`
	Volume       int             `json:"volume"`
	History      []bounce.Event  `json:"history"`

	dir    string
	bounce []byte
	reply  string
	zone   string
}

func stories(t testing.TB) []story {
	t.Helper()
	dirs, err := filepath.Glob("testdata/cases/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var list []story
	for _, dir := range dirs {
		s := story{dir: dir}
		if err := json.Unmarshal(read(t, filepath.Join(dir, "case.json")), &s); err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		s.zone = string(read(t, filepath.Join(dir, "zone.txt")))
		s.bounce, _ = os.ReadFile(filepath.Join(dir, "bounce.eml"))
		reply, _ := os.ReadFile(filepath.Join(dir, "reply.txt"))
		s.reply = string(reply)
		list = append(list, s)
	}
	return list
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s story) input() rebound.Case {
	return rebound.Case{
		Bounce: s.bounce, Reply: strings.TrimSpace(s.reply), IP: s.IP, HELO: s.HELO, MailFrom: s.MailFrom, Recipient: s.Recipient,
		Message: []byte(s.Message), Control: s.Control, OwnDomains: s.OwnDomains, OwnAddresses: s.OwnAddresses, Bulk: s.Bulk, Volume: s.Volume, Bounced: s.Bounced, History: s.History,
	}
}

func (s story) diagnose(t testing.TB, r resolve.Resolver) *rebound.Diagnosis {
	t.Helper()
	d := &rebound.Diagnoser{Resolver: r, Now: func() time.Time { return s.Now }}
	got, err := d.Diagnose(context.Background(), s.input())
	if err != nil {
		t.Fatalf("%s: %v", s.dir, err)
	}
	return got
}

func render(t testing.TB, d *rebound.Diagnosis) (text, object []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := report.Text(&b, d, report.Options{Width: 100}); err != nil {
		t.Fatal(err)
	}
	j := new(bytes.Buffer)
	e := json.NewEncoder(j)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	if err := e.Encode(d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), j.Bytes()
}

func TestCases(t *testing.T) {
	for _, s := range stories(t) {
		t.Run(filepath.Base(s.dir), func(t *testing.T) {
			text, object := render(t, s.diagnose(t, resolvetest.New(t, s.zone)))
			compare(t, filepath.Join(s.dir, "want.txt"), text)
			compare(t, filepath.Join(s.dir, "want.json"), object)
			for i, line := range strings.SplitN(string(text), "\n", 6)[:5] {
				if n := len([]rune(line)); n > 100 {
					t.Errorf("line %d of the headline has %d columns: %s", i+1, n, line)
				}
			}
		})
	}
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := read(t, file); !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update . shows how in the diff); got\n%s", file, got)
	}
}
