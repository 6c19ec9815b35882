package dmarc

import (
	"github.com/rebound-mail/rebound/finding"
)

// checkRemovedTag: what pct, rf, ri and a limit of size did, and do no longer (RFC
// 9989, appendices A.6, C.4 and C.5.2).
func checkRemovedTag(l *Lint) []finding.Finding {
	list := l.faults("dmarc.removed-tag", finding.Info, func(f Fault) []finding.Fix {
		if l.Text[f.Start] == '!' {
			return l.rewrite(l.Text[:f.Start]+l.Text[f.End:], "Take the limit of size out.")
		}
		return l.cut(f)
	})
	for i := range list {
		t := l.Record.tagNamed("pct")
		if t == nil || t.Start != list[i].Evidence[0].Start || t.Value == "100" {
			continue
		}
		// A share of the mail was spared: it no longer is.
		list[i].Severity = finding.Warning
		text := l.Record.without(*t)
		what := "Take pct out: the policy applies to all mail at receivers by RFC 9989."
		if t.Value == "0" {
			text = Parse(text).with("t", "y")
			what = "Replace pct=0 by t=y, which asks for the policy one level lower."
		}
		list[i].Fixes = l.rewrite(text, what)
	}
	return list
}
