package resolve_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

func TestRecordingIsFaithful(t *testing.T) {
	zone := resolvetest.New(t, `
a.example. A 192.0.2.1
t.example. TXT "\000\255<é>" "b"
alias.example. CNAME a.example.
;! mute.example ANY TIMEOUT
`)
	rec := &resolve.Recorder{Resolver: zone}
	for _, name := range []string{"a.example", "t.example", "alias.example", "mute.example", "absent.example"} {
		rec.Resolve(t.Context(), name, resolve.A)
		rec.Resolve(t.Context(), name, resolve.TXT)
	}
	var file bytes.Buffer
	if _, err := rec.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	replay, err := resolve.Replay(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	again := &resolve.Recorder{Resolver: replay}
	for _, want := range rec.Answers() {
		got := again.Resolve(t.Context(), want.Name, want.Type)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("replayed %#v\nwant %#v", got, want)
		}
	}
	var second bytes.Buffer
	if _, err := again.WriteTo(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(second.Bytes(), file.Bytes()) {
		t.Errorf("a recording of the replay differs:\n%s\nwant\n%s", second.Bytes(), file.Bytes())
	}
}

func TestReplayNeverInventsAbsence(t *testing.T) {
	replay, err := resolve.Replay(strings.NewReader(`{"recording":"rebound-dns","version":1}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if a := replay.Resolve(t.Context(), "a.example", resolve.A); a.Status != resolve.Other || a.Err == nil {
		t.Errorf("not recorded: %v, want Other", a)
	}
}

func TestReplayRefusesWhatItCannotRead(t *testing.T) {
	for name, text := range map[string]string{
		"empty":          "",
		"other JSON":     `{"name":"x"}` + "\n",
		"newer version":  `{"recording":"rebound-dns","version":9}` + "\n",
		"broken answer":  `{"recording":"rebound-dns","version":1}` + "\n{\"name\":\n",
		"empty answer":   `{"recording":"rebound-dns","version":1}` + "\n" + `{"name":"a","type":"A","status":"ok"}` + "\n",
		"broken status":  `{"recording":"rebound-dns","version":1}` + "\n" + `{"name":"a","type":"A","status":"fine"}` + "\n",
		"zone syntax":    "a.example. A 192.0.2.300\n",
		"generate":       "$GENERATE 1-9 a$.example. A 192.0.2.1\n",
		"include":        "$INCLUDE /etc/hostname\n",
		"unknown fault":  ";! a.example ANY EXPLODES\n",
		"short fault":    ";! a.example ANY\n",
		"fault type":     ";! a.example NOTYPE REFUSED\n",
		"fault argument": ";! a.example ANY REFUSED now\n",
		"slow how long":  ";! a.example ANY SLOW soon\n",
		"slow no time":   ";! a.example ANY SLOW\n",
		"fault name":     ";! a..example ANY REFUSED\n",
	} {
		if _, err := resolve.Replay(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error has several lines: %q", name, err)
		}
	}
}

func TestReplayTellsAZoneFile(t *testing.T) {
	r, err := resolve.Replay(strings.NewReader("; a comment first\na.example. A 192.0.2.1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if a := r.Resolve(t.Context(), "a.example", resolve.A); a.Status != resolve.OK {
		t.Errorf("answer %v, want OK", a)
	}
}

func TestRecorderKeepsTheBetterAnswer(t *testing.T) {
	rec := &resolve.Recorder{Resolver: resolvetest.New(t, "a.example. A 192.0.2.1\n")}
	rec.Resolve(t.Context(), "a.example", resolve.A)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	rec.Resolve(gone, "a.example", resolve.A)
	if a := rec.Answers()[0]; a.Status != resolve.OK {
		t.Errorf("kept %v, want the answer that was not canceled", a)
	}
	rec.Resolver = resolvetest.New(t, ";! a.example ANY SERVFAIL\n")
	rec.Resolve(t.Context(), "a.example", resolve.A)
	if a := rec.Answers()[0]; a.Status != resolve.OK {
		t.Errorf("kept %v, want the answer that came before the failure", a)
	}
}

func TestOffline(t *testing.T) {
	if a := (resolve.Offline{}).Resolve(t.Context(), "A.Example.", resolve.A); a.Status.Known() || a.Err == nil || a.Name != "a.example" {
		t.Errorf("answer %v, want one that knows nothing and says why", a)
	}
}

func TestOfflineSaysWhy(t *testing.T) {
	why := errors.New("no resolv.conf")
	if a := (resolve.Offline{Why: why}).Resolve(t.Context(), "a.example", resolve.A); !errors.Is(a.Err, why) {
		t.Errorf("answer %v, want the reason", a)
	}
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte("$TTL 300\n$ORIGIN example.\na A 192.0.2.1\n*.b TXT \"x\" \"y\"\n;! c ANY SLOW 2s\nd CNAME d\n"))
	f.Add([]byte(`{"recording":"rebound-dns","version":1}` + "\n" + `{"name":"a","type":"TXT","status":"ok","records":[{"strings":["é"]}]}` + "\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := resolve.Replay(bytes.NewReader(file))
		if err != nil {
			return
		}
		for _, name := range []string{"a.example", "x.b.example", "d.example", "a", "."} {
			for _, typ := range []resolve.Type{resolve.A, resolve.TXT, resolve.CNAME} {
				if a := r.Resolve(t.Context(), name, typ); a.Status == resolve.OK && len(a.Records) == 0 && file[0] != '{' {
					t.Fatalf("%s %s: OK without records", name, typ)
				}
			}
		}
	})
}
