package rebound

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/content"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
)

// analyze reads the caller's copy of the mail, once for all the checks that speak of it.
func (r *run) analyze() *content.Report {
	r.analyzed.Do(func() {
		if mail := r.refusedMail(); !mail.headerOnly {
			r.findings.content = content.AnalyzeBytes(mail.raw, &content.Options{Now: r.now})
		}
	})
	return r.findings.content
}

// aboutContent: only a refusal for the mail itself, or for no reason that is told, has to
// do with what the mail says.
func aboutContent(r *run) string {
	if why := r.noRefusal(); why != "" {
		return why
	}
	for _, s := range r.statements {
		switch s.reason.Category() {
		case bounce.ContentRejected, bounce.RefusedByPolicy, bounce.Unclassified:
			return ""
		}
	}
	return "what the mail says has no bearing on this refusal"
}

func needMail(r *run) string {
	if r.refusedMail().headerOnly {
		return "the mail itself is not at hand"
	}
	return ""
}

func checkContent(_ context.Context, r *run) (finding.Outcome, string, []finding.Finding) {
	rep := r.analyze()
	findings := rep.Common()
	why := fmt.Sprintf("score %.1f of 100: %s", rep.Score, rep.Verdict)
	if rep.Verdict == content.LevelClean && !slices.ContainsFunc(findings, func(f finding.Finding) bool { return f.Severity == finding.Critical }) {
		return finding.Clean, why, findings
	}
	return finding.Found, why, findings
}

// linkDomains are the first domains that the mail leads to.
func (r *run) linkDomains() []string {
	if aboutContent(r) != "" {
		return nil
	}
	rep := r.analyze()
	if rep == nil {
		return nil
	}
	return rep.LinkDomains[:min(len(rep.LinkDomains), maxLinkDomains)]
}

// maxLinkDomains bounds the domains of links that lists are asked about.
const maxLinkDomains = 5

// maxContentSteps bounds the lines of a mail that a plan names.
const maxContentSteps = 5

// compareContent names the lines of the mail that filters dislike. That the receiver's
// own filter dislikes them nobody outside can tell.
func (r *run) compareContent(_ statement, c *Cause) {
	rep := r.analyze()
	if rep == nil {
		c.Detail = "The mail itself is not at hand; with it, the lines that filters dislike could be named."
		return
	}
	c.Detail = fmt.Sprintf("The mail scores %.1f of 100 here (%s). The receiver's own filter is not known; these are the lines that filters dislike.", rep.Score, rep.Verdict)
	c.steps = r.contentSteps(c, rep, func(content.Finding) bool { return true })
	if len(c.steps) == 0 {
		c.Detail = fmt.Sprintf("The mail scores %.1f of 100 here (%s): nothing in its text explains the refusal. The standing of the sender or of its links may.", rep.Score, rep.Verdict)
	}
	if len(c.steps) == 0 {
		c.steps = []Step{r.controlStep()}
		return
	}
	c.steps = append(append([]Step{r.controlStep()}, c.steps...), r.mended(c))
}

// mended is the test of a mail that was changed.
func (r *run) mended(c *Cause) Step {
	return Step{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: r.fillFor(*c, "Then send one test of the changed mail to {addr}; if it is accepted, send it to the rest."), Verify: "The receiver accepts it."}
}

// compareLinks looks for the link that the receiver means.
func (r *run) compareLinks(_ statement, c *Cause) {
	rep := r.analyze()
	if rep == nil {
		c.Detail = "The mail itself is not at hand; with it, its links could be looked up in lists."
		return
	}
	var asked []string
	for _, name := range rep.LinkDomains {
		for i := range r.findings.domainLists {
			res := &r.findings.domainLists[i]
			if res.Target.String() != name {
				continue
			}
			if res.Status == dnsbl.Listed && res.Action == dnsbl.Block {
				f := res.Finding()
				c.State, c.Detail, c.Evidence = Confirmed, f.Fact, append(c.Evidence, f.Evidence...)
				c.Summary = "the mail links to " + name + ", which is on a list"
				c.steps = append(c.steps, linkStep(name))
				if from := domainOf(r.facts.From.Value); from == name || strings.HasSuffix(from, "."+name) {
					c.steps = append(c.steps, r.delist(r.lists.Part(res), res.Target, res)...)
				}
			}
			if !slices.Contains(asked, name) {
				asked = append(asked, name)
			}
		}
	}
	links := r.contentSteps(c, rep, func(f content.Finding) bool { return strings.HasPrefix(f.Code, "content.link-") })
	if c.State == Confirmed {
		c.steps = append(append(c.steps, links...), r.mended(c))
		return
	}
	if len(asked) > 0 {
		c.Detail = "None of the lists that were asked holds " + strings.Join(asked, ", ") + "; the receiver's own list is not known."
	}
	if len(links) > 0 {
		c.steps = append([]Step{r.controlStep()}, links...)
	}
}

// How steps that change the mail begin to say what is to go; a recheck looks whether it has.
const (
	noLonger = "rebound content no longer reports "
	linksTo  = "Take the links to "
)

func linkStep(domain string) Step {
	return Step{Phase: PhaseRepair, Action: finding.Edit, Who: you, What: linksTo + domain + " out of the mail; in place of a shortened link put the whole address of the page.", Verify: "A test mail to the same receiver is accepted."}
}

// contentSteps are the findings with the most weight, each with its line.
func (r *run) contentSteps(c *Cause, rep *content.Report, want func(content.Finding) bool) []Step {
	var steps []Step
	for _, f := range rep.Findings {
		if f.Weight <= 0 || !want(f) || len(steps) == maxContentSteps {
			continue
		}
		what := f.Advice
		if len(f.Places) > 0 && f.Places[0].Excerpt != "" {
			what = strings.TrimSuffix(what, ".") + ": " + where(f.Places[0]) + "."
		}
		c.Evidence = append(c.Evidence, evidenceOf(f)...)
		steps = append(steps, Step{Phase: PhaseRepair, Action: finding.Edit, Who: you, What: what, Verify: noLonger + f.Code + "."})
	}
	return steps
}

// where names the line of a fault.
func where(p content.Place) string {
	fault := p.Excerpt[p.Start:p.End]
	if fault == "" {
		fault = p.Excerpt
	}
	if p.Field != "" {
		return fmt.Sprintf("%s (\"%s\")", p.Field, Plain(fault))
	}
	return fmt.Sprintf("part %s, line %d, column %d (\"%s\")", p.Part, p.Line, p.Column, Plain(fault))
}

func (r *run) controlStep() Step {
	return Step{Phase: PhaseRepair, Action: finding.Ask, Who: you, What: "Send a control copy to a mailbox of your own at this receiver, from the same server: the same fields, a neutral text (rebound content -control).", Verify: "If it is refused too, the text is not at fault: look at the sender's standing."}
}

func evidenceOf(f content.Finding) []finding.Evidence {
	var list []finding.Evidence
	for _, p := range f.Places {
		if p.Excerpt != "" {
			list = append(list, finding.Evidence{Kind: finding.KindMessage, Source: f.Code + ", " + p.Part, Text: p.Excerpt, Start: p.Start, End: p.End})
			break
		}
	}
	return list
}
