package warmup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/warmup"
)

var goal = warmup.Config{Goal: warmup.Goal{Target: 100_000, Mix: warmup.Mix{"google": 0.6, "yahoo": 0.4}}}

func take(ctx context.Context, s warmup.Store, n int) (got int, err error) {
	err = warmup.Update(ctx, s, goal, func(c *warmup.Controller) error {
		got = c.Allow(ip, "google", n, monday).OK
		return nil
	})
	return got, err
}

func TestStores(t *testing.T) {
	ctx := context.Background()
	for name, s := range map[string]warmup.Store{"Mem": new(warmup.Mem), "File": warmup.File(filepath.Join(t.TempDir(), "warmup.json"))} {
		state, rev, err := s.Load(ctx)
		if err != nil || rev != 0 || len(state.Lines) != 0 {
			t.Errorf("%s, empty: %+v, %d, %v", name, state, rev, err)
		}
		c := controller(t, 1000)
		c.Allow(ip, "google", 5, monday)
		rev, err = s.Save(ctx, c.State(), 0)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := s.Save(ctx, c.State(), 0); !errors.Is(err, warmup.ErrConflict) {
			t.Errorf("%s: a save over another's: %v", name, err)
		}
		got, again, err := s.Load(ctx)
		if err != nil || again != rev || !reflect.DeepEqual(got, c.State()) {
			t.Errorf("%s: loaded %+v, %d, %v; want %+v, %d", name, got, again, err, c.State(), rev)
		}
		for range 5 {
			if rev, err = s.Save(ctx, c.State(), rev); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if _, err := s.Save(ctx, c.State(), rev-1); !errors.Is(err, warmup.ErrConflict) {
			t.Errorf("%s: an old revision: %v", name, err)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := take(ended, s, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: an ended context: %v", name, err)
		}
		failed := errors.New("no")
		if err := warmup.Update(ctx, s, goal, func(c *warmup.Controller) error { c.Allow(ip, "google", 1, monday); return failed }); !errors.Is(err, failed) {
			t.Errorf("%s: %v", name, err)
		}
		if got, _, _ := s.Load(ctx); !reflect.DeepEqual(got, c.State()) {
			t.Errorf("%s: a failed update changed the state", name)
		}
	}
}

// Two programs never spend the same: of many at once, each mail is granted to one.
func TestStoreSpendsOnce(t *testing.T) {
	for name, s := range map[string]warmup.Store{"Mem": new(warmup.Mem), "File": warmup.File(filepath.Join(t.TempDir(), "warmup.json"))} {
		var wg sync.WaitGroup
		var mu sync.Mutex
		total := 0
		for range 8 {
			wg.Go(func() {
				for range 4 {
					n, err := take(context.Background(), s, 1)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					total += n
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		state, _, err := s.Load(context.Background())
		if err != nil || total > 13 || state.Lines[0].Spent != total {
			t.Errorf("%s: %d were granted, the state has %d of 13 spent, %v", name, total, state.Lines[0].Spent, err)
		}
	}
}

// The same with programs of their own.
func TestStoreProcesses(t *testing.T) {
	if file := os.Getenv("WARMUP_TEST_STATE"); file != "" {
		sum := 0
		for range 6 {
			n, err := take(context.Background(), warmup.File(file), 2)
			if err != nil && !errors.Is(err, warmup.ErrConflict) {
				fmt.Println("error", err)
				return
			}
			if err == nil {
				sum += n
			}
		}
		fmt.Println("took", sum)
		return
	}
	file := filepath.Join(t.TempDir(), "warmup.json")
	var programs []*exec.Cmd
	var outs []*bytes.Buffer
	for range 3 {
		p := exec.Command(os.Args[0], "-test.run=^TestStoreProcesses$", "-test.v")
		p.Env = append(os.Environ(), "WARMUP_TEST_STATE="+file)
		out := new(bytes.Buffer)
		p.Stdout = out
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		programs, outs = append(programs, p), append(outs, out)
	}
	total := 0
	for i, p := range programs {
		if err := p.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, outs[i])
		}
		_, after, ok := strings.Cut(outs[i].String(), "took ")
		n, err := strconv.Atoi(strings.Fields(after + " x")[0])
		if !ok || err != nil {
			t.Fatalf("a program says %q", outs[i])
		}
		total += n
	}
	state, _, err := warmup.File(file).Load(context.Background())
	if err != nil || total != 13 || state.Lines[0].Spent != 13 {
		t.Errorf("%d were granted, the state has %d of 13 spent, %v", total, state.Lines[0].Spent, err)
	}
}

// A crash leaves files that were begun, at any byte: the state is the one before.
func TestFileCrash(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	file := warmup.File(filepath.Join(dir, "warmup.json"))
	c := controller(t, 1000)
	c.Allow(ip, "google", 5, monday)
	rev, err := file.Save(ctx, c.State(), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := c.State()
	c.Allow(ip, "google", 1, monday)
	var next bytes.Buffer
	if err := c.State().Write(&next); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < next.Len(); n += 7 { // before the second name is made
		temp := filepath.Join(dir, "warmup.json.tmp-1")
		if err := os.WriteFile(temp, next.Bytes()[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		got, again, err := file.Load(ctx)
		if err != nil || again != rev || !reflect.DeepEqual(got, want) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	// after the second name is made, and before the first is: the new state holds
	if err := os.WriteFile(string(file)+".rev-2", next.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, again, err := file.Load(ctx)
	if err != nil || again != 2 || !reflect.DeepEqual(got, c.State()) {
		t.Errorf("a save that stopped halfway: %d, %v", again, err)
	}
	if again, err = file.Save(ctx, c.State(), 2); err != nil || again != 3 {
		t.Errorf("the next save: %d, %v", again, err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.rev-*"))
	full := 0
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.Size() > 0 {
			full++
		}
	}
	if full != 1 {
		t.Errorf("%d of %v hold a state", full, names)
	}
	// a state that somebody else cut is told, and nothing is saved over it
	if err := os.Truncate(string(file)+".rev-3", int64(next.Len()/2)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := file.Load(ctx); !errors.Is(err, warmup.ErrState) || !strings.Contains(err.Error(), "rev-3") {
		t.Errorf("a cut state: %v", err)
	}
}

func TestReadStateErrors(t *testing.T) {
	for _, tt := range []struct {
		text string
		want error
	}{
		{`{"version":2,"lines":[{"new":[1]}]}`, warmup.ErrStateVersion},
		{`{"version":0}`, warmup.ErrState},
		{`{"version":1,"lines":[{"identity":"a","provider":"google","growth":1.5,"allowance":-1,"day":"2026-12-01"}]}`, warmup.ErrState},
		{`{"version":1,"lines":[{"identity":"a","provider":"google","growth":99,"day":"2026-12-01"}]}`, warmup.ErrState},
		{`{"version":1,"lines":[{"identity":"a","provider":"google","growth":2,"day":"x"}]}`, warmup.ErrState},
		{`{"version":1,"lines":[`, warmup.ErrState},
		{``, warmup.ErrState},
		{`[]`, warmup.ErrState},
	} {
		if _, err := warmup.ReadState(strings.NewReader(tt.text)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.text, err, tt.want)
		}
	}
	c := controller(t, 1000)
	c.Allow(ip, "google", 1, monday)
	before := c.State()
	twice := before
	twice.Lines = append(twice.Lines, twice.Lines[0])
	for _, s := range []warmup.State{{Version: 9}, {}, twice} {
		if err := c.Restore(s); err == nil || !reflect.DeepEqual(c.State(), before) {
			t.Errorf("%d lines of version %d: %v, and the state is %+v", len(s.Lines), s.Version, err, c.State())
		}
	}
}

func FuzzReadState(f *testing.F) {
	var b bytes.Buffer
	c := controller(f, 1000)
	c.Allow(ip, "google", 3, monday)
	observe(f, c, "google", warmup.Blocked, 5, monday)
	c.Close(warmup.DateOf(monday))
	c.State().Write(&b)
	f.Add(b.Bytes(), int64(0))
	f.Add([]byte(`{"version":1}`), int64(1))
	f.Fuzz(func(t *testing.T, raw []byte, hours int64) {
		s, err := warmup.ReadState(bytes.NewReader(raw))
		if err != nil {
			return
		}
		c := controller(t, 1000)
		if c.Restore(s) != nil {
			return
		}
		at := monday.Add(time.Duration(hours%100_000) * time.Hour)
		for _, l := range s.Lines {
			if g := c.Allow(l.Identity, l.Provider, 100, at); g.OK < 0 || g.OK > 100 {
				t.Fatalf("%+v", g)
			}
			c.Observe(l.Identity, warmup.Outcome{Provider: l.Provider, Kind: warmup.Deferred, N: 7}, at)
		}
		c.Close(warmup.DateOf(at))
		b.Reset()
		if err := c.State().Write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := warmup.ReadState(&b)
		if err != nil || !reflect.DeepEqual(again, c.State()) {
			t.Fatalf("%v: %+v, was %+v", err, again, c.State())
		}
	})
}

// The state of 10,000 identities with 20 providers, saved.
func BenchmarkState(b *testing.B) {
	mix := warmup.Mix{}
	for i := range 20 {
		mix[warmup.Provider("provider-"+strconv.Itoa(i))] = 0.05
	}
	c, err := warmup.New(warmup.Config{Goal: warmup.Goal{Target: 1_000_000, Mix: mix}})
	if err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 10_000 {
		id := "2001:db8::" + strconv.FormatInt(int64(i), 16)
		for p := range mix {
			n := c.Allow(id, p, 10, monday).OK
			c.Observe(id, warmup.Outcome{Provider: p, Kind: warmup.Delivered, N: n}, monday)
		}
	}
	c.Close(warmup.DateOf(monday))
	runtime.GC()
	runtime.ReadMemStats(&after)
	file := warmup.File(filepath.Join(b.TempDir(), "warmup.json"))
	rev := int64(0)
	for b.Loop() {
		if rev, err = file.Save(context.Background(), c.State(), rev); err != nil {
			b.Fatal(err)
		}
	}
	runtime.KeepAlive(c)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB")
}
