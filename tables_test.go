package rebound

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wanted are the diagnoses of the story cases.
func wanted(t *testing.T) map[string]*Diagnosis {
	t.Helper()
	files, err := filepath.Glob("testdata/cases/*/want.json")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d cases, want 40 at least: %v", len(files), err)
	}
	all := map[string]*Diagnosis{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := new(Diagnosis)
		if err := json.Unmarshal(raw, d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(filepath.Dir(file))] = d
	}
	return all
}

// Each row of the causes, and each row of the steps, decides in a story.
func TestEveryRowHasItsStory(t *testing.T) {
	stories := wanted(t)
	seen := map[CauseKind]bool{}
	var plans []Step
	for _, d := range stories {
		for _, c := range d.Causes {
			seen[c.Kind] = true
		}
		plans = append(plans, d.Plan...)
	}
	for _, row := range causeRows {
		if !seen[row.kind] {
			t.Errorf("no story has the cause %s", row.kind)
		}
	}
	for _, kind := range []CauseKind{NotYours, NotABounce} {
		if !seen[kind] {
			t.Errorf("no story has the cause %s", kind)
		}
	}
	placeholder := regexp.MustCompile(`\\\{[a-z]+\\\}`)
	for _, row := range stepRows {
		pattern := regexp.MustCompile("^" + placeholder.ReplaceAllString(regexp.QuoteMeta(row.what), ".*") + "$")
		if !slices.ContainsFunc(plans, func(s Step) bool {
			return s.Phase == row.phase && s.Action == row.action && slices.Contains(s.For, row.kind) && pattern.MatchString(s.What)
		}) {
			t.Errorf("no story has the step of %s: %s", row.kind, row.what)
		}
	}
	for _, p := range phases {
		if !slices.ContainsFunc(plans, func(s Step) bool { return s.Phase == p.phase }) {
			t.Errorf("no story has a step of the phase %s", p.phase)
		}
	}
}

// In each story the plan is in order, names nothing twice, and what a step waits for
// stands before it.
func TestPlansAreInOrder(t *testing.T) {
	place := func(p Phase) int {
		for i, row := range phases {
			if row.phase == p {
				return i
			}
		}
		return -1
	}
	for name, d := range wanted(t) {
		told := map[string]bool{}
		for i, s := range d.Plan {
			if i > 0 && place(s.Phase) < place(d.Plan[i-1].Phase) {
				t.Errorf("%s: step %d, %s, stands behind %s", name, i+1, s.Phase, d.Plan[i-1].Phase)
			}
			if told[s.What] {
				t.Errorf("%s: step %d is told twice", name, i+1)
			}
			told[s.What] = true
			if s.Who == "" || s.What == "" || s.Action == "" || len(s.For) == 0 {
				t.Errorf("%s: step %d lacks who does it, what, or for what: %+v", name, i+1, s)
			}
			for _, n := range s.After {
				if n < 1 || n > i {
					t.Errorf("%s: step %d waits for step %d", name, i+1, n)
				}
			}
			if s.Phase == PhaseDelist && len(s.After) == 0 && slices.ContainsFunc(d.Plan[:i], func(b Step) bool { return b.Phase == PhaseRepair && slices.Contains(b.For, s.For[0]) }) {
				t.Errorf("%s: step %d asks a list before the repair", name, i+1)
			}
			if strings.ContainsAny(s.What, "{}") {
				t.Errorf("%s: step %d has a placeholder left: %s", name, i+1, s.What)
			}
		}
	}
}
