package content

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// Common tells the report in the common words, in its order. What speaks for the mail is
// left out.
func (r *Report) Common() []finding.Finding {
	var list []finding.Finding
	for _, f := range r.Findings {
		if f.Weight < 0 {
			continue
		}
		out := finding.Finding{
			Code: f.Code, Outcome: finding.Found, Severity: f.Severity, Subject: "the mail", Fact: f.Text, Source: f.Source,
			Fixes: []finding.Fix{{Action: finding.Edit, What: f.Advice, Verify: "content no longer reports " + f.Code + "."}},
		}
		switch {
		case f.Weight == 0:
			out.Consequence = "It has no weight in the score."
		default:
			out.Consequence = fmt.Sprintf("It adds %.1f to the score of %.1f.", f.Gain, r.Score)
		}
		if out.Source == "" {
			out.Source = "content/weights.txt " + r.Weights
		}
		for _, p := range f.Places {
			if p.Excerpt != "" {
				out.Evidence = append(out.Evidence, finding.Evidence{Kind: finding.KindMessage, Source: fmt.Sprintf("%s, line %d, column %d", p.Part, p.Line, p.Column), Text: p.Excerpt, Start: p.Start, End: p.End})
			}
		}
		list = append(list, out)
	}
	return list
}
