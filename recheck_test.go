package rebound_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// saved is the diagnosis of a story, written as JSON and read again.
func saved(t *testing.T, name string) (story, *rebound.Diagnosis) {
	t.Helper()
	i := slices.IndexFunc(stories(t), func(s story) bool { return filepath.Base(s.dir) == name })
	if i < 0 {
		t.Fatalf("there is no case %s", name)
	}
	s := stories(t)[i]
	raw, err := json.Marshal(s.diagnose(t, resolvetest.New(t, s.zone)))
	if err != nil {
		t.Fatal(err)
	}
	var d rebound.Diagnosis
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return s, &d
}

func recheck(t *testing.T, s story, d *rebound.Diagnosis, r resolve.Resolver, after time.Duration) *rebound.Rechecked {
	t.Helper()
	diagnoser := rebound.Diagnoser{Resolver: r, Now: func() time.Time { return s.Now.Add(after) }}
	out, err := diagnoser.Recheck(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// without takes the lines of a zone that hold a word out.
func without(zone, word string) string {
	var b strings.Builder
	for line := range strings.Lines(zone) {
		if !strings.Contains(line, word) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func progressOf(t *testing.T, r *rebound.Rechecked, what string) rebound.RecheckedAt {
	t.Helper()
	for _, s := range r.Steps {
		if strings.Contains(s.Step.What, what) {
			return s
		}
	}
	t.Fatalf("no step says %q: %+v", what, r.Steps)
	return rebound.RecheckedAt{}
}

func TestRecheckOfAListing(t *testing.T) {
	s, d := saved(t, "02-still-listed")
	same := recheck(t, s, d, resolvetest.New(t, s.zone), 48*time.Hour)
	if same.Resume != rebound.StayHeld || len(same.Changed) != 0 || !strings.Contains(same.Why, "Hold") {
		t.Errorf("nothing changed: %s, %s, %q", same.Resume, same.Why, same.Changed)
	}
	for _, step := range same.Steps {
		if step.Step.List != "" && step.Progress != rebound.NotYet {
			t.Errorf("still listed: %+v", step)
		}
		if step.Step.Phase == rebound.PhaseRetest && step.Progress != rebound.NotYet {
			t.Errorf("the test before the rest is done: %+v", step)
		}
	}
	gone := recheck(t, s, d, resolvetest.New(t, without(s.zone, "23.100.51.198.bl.spamcop.net")), 48*time.Hour)
	if gone.Resume != rebound.Resume || len(gone.Changed) == 0 || gone.Now.Hold != nil {
		t.Errorf("off the list: %s, %s, %q", gone.Resume, gone.Why, gone.Changed)
	}
	for _, step := range gone.Steps {
		if step.Step.List != "" && step.Progress != rebound.Done {
			t.Errorf("off the list: %+v", step)
		}
	}
	dark := recheck(t, s, d, resolve.Offline{}, 48*time.Hour)
	if dark.Resume != rebound.CannotTell {
		t.Errorf("without DNS: %s, %s", dark.Resume, dark.Why)
	}
	for _, step := range dark.Steps {
		if step.Progress == rebound.Done {
			t.Errorf("without DNS: %+v", step)
		}
	}
}

func TestRecheckOfARecord(t *testing.T) {
	s, d := saved(t, "06-no-ptr")
	before := recheck(t, s, d, resolvetest.New(t, s.zone), time.Hour)
	i := slices.IndexFunc(before.Steps, func(s rebound.RecheckedAt) bool { return s.Step.Record != nil })
	if i < 0 || before.Steps[i].Progress != rebound.NotYet {
		t.Fatalf("the record is not there: %+v", before.Steps)
	}
	r := before.Steps[i].Step.Record
	name := r.New
	zone := s.zone + "\n" + strings.TrimSuffix(r.Name, ".") + ". PTR " + name + "\n"
	after := recheck(t, s, d, resolvetest.New(t, zone), 48*time.Hour)
	if after.Steps[i].Progress != rebound.Done {
		t.Errorf("the record is there: %+v; %q", after.Steps[i], after.Changed)
	}
}

// What nobody outside can check needs one test.
func TestRecheckOfAPrivateBlock(t *testing.T) {
	s, d := saved(t, "46-bulk-mail-begins-anew")
	r := recheck(t, s, d, resolvetest.New(t, s.zone), 48*time.Hour)
	if r.Resume != rebound.SendOneTest || !strings.Contains(r.Why, "the receiver alone knows") {
		t.Errorf("got %s, %s", r.Resume, r.Why)
	}
	if step := progressOf(t, r, "begin again"); step.Progress != rebound.Untold || step.Step.Schedule == nil || len(step.Step.Schedule.Days) != 3 {
		t.Errorf("got %+v", step)
	}
}

// A diagnosis asked again with nothing changed is the same, whatever the story.
func TestRecheckOfEveryCase(t *testing.T) {
	for _, s := range stories(t) {
		_, d := saved(t, filepath.Base(s.dir))
		d.Asked.Message = []byte(s.Message)
		r := recheck(t, s, d, resolvetest.New(t, s.zone), 0)
		if len(r.Changed) != 0 || len(r.Steps) != len(d.Plan) || r.Now.Headline != d.Headline {
			t.Errorf("%s: %q\n%+v\n%+v", s.dir, r.Changed, r.Now.Headline, d.Headline)
		}
		for _, step := range r.Steps {
			if step.Progress == rebound.Done && d.Causes[0].State != rebound.Cleared && d.Causes[0].State != rebound.Contradicted || step.Why == "" {
				t.Errorf("%s: %+v", s.dir, step)
			}
		}
		passes := d.Response == bounce.Retry || d.Response == bounce.Ignore
		if r.Resume == rebound.Resume && (!passes || d.Hold != nil) {
			t.Errorf("%s: %s, held %+v, and mail may go: %s", s.dir, d.Response, d.Hold, r.Why)
		}
		if len(d.Suppress) > 0 && len(d.Suppress) == len(d.Recipients) && r.Resume != rebound.StayHeld {
			t.Errorf("%s: %v are to be suppressed, and %s: %s", s.dir, d.Suppress, r.Resume, r.Why)
		}
	}
}

func TestRecheckErrors(t *testing.T) {
	for _, d := range []*rebound.Diagnosis{nil, {}, {Asked: &rebound.Asked{}}} {
		if r, err := new(rebound.Diagnoser).Recheck(context.Background(), d); !errors.Is(err, rebound.ErrNotSaved) || r != nil {
			t.Errorf("%+v: %v", d, err)
		}
	}
}
