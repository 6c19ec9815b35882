package report

import (
	"fmt"

	"github.com/rebound-mail/rebound"
)

// words are those for how far a step is.
var words = map[rebound.Progress]string{
	rebound.Done: "settled", rebound.NotYet: "not yet", rebound.Due: "now due", rebound.Untold: "could not tell", rebound.Private: "only you know",
}

// answers say whether mail may go again.
var answers = map[rebound.Resumption]string{
	rebound.Resume: "yes", rebound.StayHeld: "no", rebound.SendOneTest: "send one test first", rebound.CannotTell: "could not tell",
}

// Recheck is the report of what has become of a diagnosis: whether mail may go, how far
// each step of its plan is, what has changed, and what is true now.
func Recheck(r *rebound.Rechecked) *Document {
	if r.Now == nil {
		return &Document{top: []line{{Label: "Send again", Text: answers[rebound.CannotTell] + "."}}, title: "Nothing was asked again"}
	}
	doc := &Document{top: []line{{Label: "Send again", Text: answers[r.Resume] + ". " + r.Why}, {Label: "Refused", Text: r.Now.Headline.Who}, {Label: "Now", Text: r.Now.Headline.Why}}}
	doc.title = "Send again: " + doc.top[0].Text
	var steps []item
	for _, s := range r.Steps {
		why := s.Why
		if s.Progress == rebound.Private {
			why = "" // the tag says it
		}
		steps = append(steps, item{Tag: words[s.Progress], Who: s.Step.Who, Text: s.Step.What, Detail: why, Lines: stepLines(s.Step, "then")})
	}
	doc.add(section{Title: fmt.Sprintf("The plan of %s", r.Before.UTC().Format("2006-01-02 15:04 UTC")), Items: steps})
	var changed []line
	for _, c := range r.Changed {
		changed = append(changed, line{Text: c})
	}
	doc.add(section{Title: "What has changed", Rows: changed})
	now := Diagnosis(r.Now)
	for _, s := range now.sections {
		if s.Title != "Notes" {
			s.PageOnly = true
			s.Title = "Now: " + s.Title
		}
		doc.add(s)
	}
	doc.styles = now.styles
	return doc
}
