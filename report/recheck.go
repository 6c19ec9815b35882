package report

import (
	"fmt"
	"io"

	"github.com/rebound-mail/rebound"
)

// words are those for how far a step is.
var words = map[rebound.Progress]string{
	rebound.Done: "done", rebound.NotYet: "not yet", rebound.Untold: "could not tell", rebound.Private: "only you know",
}

// answers say whether mail may go again.
var answers = map[rebound.Resumption]string{
	rebound.Resume: "yes", rebound.StayHeld: "no", rebound.SendOneTest: "send one test first", rebound.CannotTell: "could not tell",
}

// Recheck writes what has become of a diagnosis as text: whether mail may go, how far each
// step is, and what has changed. Nothing from mail or DNS is written raw.
func Recheck(w io.Writer, r *rebound.Rechecked, o Options) error {
	t := newText(o)
	t.wrap(t.paint(bold, "Send again")+"  ", "            ", answers[r.Resume]+". "+r.Why)
	t.wrap(t.paint(bold, "Refused")+"     ", "            ", r.Now.Headline.Who)
	if len(r.Steps) > 0 {
		t.section("The plan of " + r.Before.UTC().Format("2006-01-02 15:04 UTC"))
	}
	for i, s := range r.Steps {
		t.wrap(fmt.Sprintf("%d. %s: ", i+1, words[s.Progress]), "   ", s.Step.What)
		t.wrap("   ", "   ", s.Why)
	}
	if len(r.Changed) > 0 {
		t.section("What has changed")
	}
	for _, c := range r.Changed {
		t.wrap("   - ", "     ", c)
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}
