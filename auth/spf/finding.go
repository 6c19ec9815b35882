package spf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// Findings tells the result of a check in the common words, in one finding. No
// fix in it lets an address send: see [Result.Grant].
func (res *Result) Findings() []finding.Finding {
	f := finding.Finding{Code: "spf." + string(res.Result), Subject: res.Domain, Source: "RFC 7208, section 8"}
	if res.Tree != nil {
		f.Evidence = res.evidence()
	}
	row := resultRows[res.Result]
	f.Outcome, f.Severity, f.Consequence = row.outcome, row.severity, row.consequence
	f.Fact = fmt.Sprintf("SPF of %s for %s: %s. %s", cmp.Or(res.Domain, "the sender"), res.IP, res.Result, res.Why)
	if !res.IP.IsValid() {
		f.Outcome, f.Severity, f.Fact, f.Consequence = finding.NotApplicable, finding.Info, "SPF was not checked: no sending address is known.", ""
	}
	switch res.Result {
	case PermError:
		f.Fixes = []finding.Fix{{Action: finding.Edit, What: "Repair the SPF record of " + res.domainOfFault() + ": see what the check of the record itself says.", Verify: "SPF of a test mail gives pass or fail, not permerror."}}
	case None:
		if res.Tree != nil && res.Tree.Answer.Status.Known() {
			f.Fixes = []finding.Fix{txt.Published(res.Domain, "", "v=spf1 mx ~all", firstRecord(res.Domain))}
		}
	}
	return []finding.Finding{f}
}

// firstRecord says what a domain without a record is to publish: "~all" marks a server that
// was forgotten, where "-all" would have its mail refused.
func firstRecord(domain string) string {
	return "Publish an SPF record that names every server that sends for " + domain + ". This one names its mail exchangers alone; end it in -all when all are named."
}

// resultRows say what each result means for the mail (RFC 7208, section 8).
var resultRows = map[Code]struct {
	outcome     finding.Outcome
	severity    finding.Severity
	consequence string
}{
	Pass:      {finding.Clean, finding.Info, ""},
	None:      {finding.Found, finding.Warning, "SPF says nothing about the mail; Gmail, Yahoo and Outlook.com want it to pass."},
	Neutral:   {finding.Found, finding.Warning, "The domain does not say whether the address may send, and DMARC takes that as no pass."},
	SoftFail:  {finding.Found, finding.Warning, "Receivers mark the mail, and DMARC takes that as no pass."},
	Fail:      {finding.Found, finding.Critical, "Receivers may refuse the mail for it."},
	TempError: {finding.Unknown, finding.Notice, "Receivers that meet the same put the mail off."},
	PermError: {finding.Found, finding.Critical, "Receivers treat the domain as if it had no usable record, and some refuse the mail."},
}

// evidence are the records that led to the decision and the last question.
func (res *Result) evidence() []finding.Evidence {
	var list []finding.Evidence
	for n := res.Tree; n != nil; {
		list = append(list, txt.Evidence(n.Answer)...)
		if len(n.Steps) == 0 {
			break
		}
		last := &n.Steps[len(n.Steps)-1]
		if last.Child == nil {
			if len(last.Answers) > 0 {
				list = append(list, txt.Evidence(last.Answers[len(last.Answers)-1])...)
			}
			break
		}
		n = last.Child
	}
	return list
}

func (res *Result) domainOfFault() string {
	if res.Because != nil {
		return res.Because.Domain
	}
	return res.Domain
}

// Advance returns the fix that puts the term which holds the address in front, where the
// record runs out of look-ups before it comes to that: an evaluation ends at the first match
// (section 4.6.2). It lets nobody send whom the record does not let already; ok is false
// where no such term stands further back.
func (res *Result) Advance() (fix finding.Fix, ok bool) {
	if res.Result != PermError || res.Tree == nil || res.Tree.Record == "" {
		return finding.Fix{}, false
	}
	old := res.Tree.Record
	rec := Parse(old)
	at := slices.IndexFunc(rec.Terms, func(t Term) bool {
		return t.Prefix.IsValid() && t.Qualifier == '+' && t.Prefix.Contains(res.IP)
	})
	if at <= 0 || len(rec.Faults) > 0 {
		return finding.Fix{}, false
	}
	if res.Lookups < MaxLookups && res.Voids < MaxVoids || slices.ContainsFunc(rec.Terms[:at], func(t Term) bool { return t.Qualifier != '+' && !t.IsModifier() }) {
		return finding.Fix{}, false // another fault, or a term before it that refuses what it holds
	}
	term, first := rec.Terms[at], rec.Terms[0]
	text := strings.Join(strings.Fields(old[:first.Start]+term.Text+" "+old[first.Start:term.Start]+old[term.End:]), " ")
	what := fmt.Sprintf("Put %s in front of the other terms of the SPF record of %s: the evaluation ends where it matches, before it runs out of look-ups. Then drop the services that no longer send for the domain.", term.Text, res.Domain)
	return txt.Published(res.Domain, old, text, what), true
}

// Grant returns the fix that adds the address to the record that was checked:
// before all or redirect=. It is for callers who know that the address is the
// sender's own; ok is false where the address may send already, or where the record has a
// fault that must be mended first.
func (res *Result) Grant() (fix finding.Fix, ok bool) {
	if res.Result == Pass || res.Result == TempError || res.Result == PermError || res.Tree == nil {
		return finding.Fix{}, false
	}
	term := "ip4:" + res.IP.String()
	if !res.IP.Is4() {
		term = "ip6:" + res.IP.String()
	}
	old := res.Tree.Record
	if old == "" {
		return txt.Published(res.Domain, "", "v=spf1 "+term+" ~all", fmt.Sprintf("Publish an SPF record for %s that lets %s send; add every other server that sends for the domain, and end it in -all when all are named.", res.Domain, res.IP)), true
	}
	rec := Parse(old)
	at := slices.IndexFunc(rec.Terms, func(t Term) bool { return t.Name == "all" || t.Name == "redirect" || t.Name == "exp" })
	// A term behind one that refuses or defers the address never gets its turn.
	if because := res.Because; because != nil && because.Domain == res.Domain && because.Matched {
		if i := slices.IndexFunc(rec.Terms, func(t Term) bool { return t.Start == because.Start }); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	if len(rec.Faults) > 0 {
		return finding.Fix{}, false
	}
	text := strings.TrimRight(old, " ") + " " + term
	if at >= 0 {
		start := rec.Terms[at].Start
		text = old[:start] + term + " " + old[start:]
	}
	fix = txt.Published(res.Domain, old, text, fmt.Sprintf("Add %s to the SPF record of %s.", term, res.Domain))
	if ttl := res.Tree.Answer.TTL; ttl > 0 {
		fix.Verify = fmt.Sprintf("A look-up of %s TXT gives the new record; old answers live for %s more at most.", res.Domain, lasts(ttl))
	}
	return fix, true
}

// lasts is a TTL in words.
func lasts(d time.Duration) string {
	switch {
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	}
	return fmt.Sprintf("%d seconds", int(d.Seconds()))
}
