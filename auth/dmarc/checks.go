package dmarc

import (
	"context"
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/lint"
	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// A Lint is a domain's DMARC without a mail: the record that applies, what stands
// where it is looked for, and whether others accept its reports.
type Lint struct {
	*Discovery
	Destinations []Destination
	Misplaced    []Step // DMARC records at names where nobody looks
}

// Inspect finds all that [Lint.Findings] speaks of.
func Inspect(ctx context.Context, r resolve.Resolver, domain string) *Lint {
	l := &Lint{Discovery: Lookup(ctx, r, domain)}
	if l.Org == "" {
		return l
	}
	l.Destinations = CheckReports(ctx, r, l.Discovery)
	for _, name := range []string{l.Domain, "_dmarc." + l.Domain + "." + l.Domain, "dmarc." + l.Domain} {
		s := Step{Domain: name, Answer: r.Resolve(ctx, name, resolve.TXT)}
		for _, rec := range s.Answer.Records {
			if text := txt.Join(rec.Strings); IsRecord(text) {
				s.Text = text
			}
		}
		if s.Text != "" {
			l.Misplaced = append(l.Misplaced, s)
		}
	}
	return l
}

// checks is the table of contents of what is said about a domain's DMARC; each
// stands in the file that its code names.
var checks = []lint.Check[*Lint]{
	{Code: "dmarc.lookup-failed", Run: checkLookupFailed},
	{Code: "dmarc.record-missing", Run: checkRecordMissing},
	{Code: "dmarc.record-misspelt", Run: checkRecordMisspelt},
	{Code: "dmarc.record-misplaced", Run: checkRecordMisplaced},
	{Code: "dmarc.several-records", Run: checkSeveralRecords},
	{Code: "dmarc.policy-invalid", Run: checkPolicyInvalid},
	{Code: "dmarc.syntax", Run: checkSyntax},
	{Code: "dmarc.unknown-tag", Run: checkUnknownTag},
	{Code: "dmarc.removed-tag", Run: checkRemovedTag},
	{Code: "dmarc.policy-none", Run: checkPolicyNone},
	{Code: "dmarc.testing", Run: checkTesting},
	{Code: "dmarc.subdomain-weaker", Run: checkSubdomainWeaker},
	{Code: "dmarc.subdomain-unused", Run: checkSubdomainUnused},
	{Code: "dmarc.policy-not-second", Run: checkPolicyNotSecond},
	{Code: "dmarc.psl-differs", Run: checkPSLDiffers},
	{Code: "dmarc.psd-wrong", Run: checkPSDWrong},
	{Code: "dmarc.name-deep", Run: checkNameDeep},
	{Code: "dmarc.reports-missing", Run: checkReportsMissing},
	{Code: "dmarc.uri-invalid", Run: checkURIInvalid},
	{Code: "dmarc.reports-refused", Run: checkReportsRefused},
	{Code: "dmarc.ruf-alone", Run: checkRUFAlone},
}

// Findings tells what is wrong, and one finding "dmarc.record" where nothing is.
func (l *Lint) Findings() []finding.Finding {
	list := lint.Run(checks, l.Domain, l)
	if !lint.Wrong(list) {
		list = append([]finding.Finding{{
			Code: "dmarc.record", Outcome: finding.Clean, Subject: l.Domain, Source: "RFC 9989, section 4.7", Evidence: l.evidence(),
			Fact: fmt.Sprintf("The DMARC record of %s applies to %s: %s=%s.", l.PolicyDomain, l.Domain, l.Tag, l.Stated),
		}}, list...)
	}
	return list
}

// evidence is the record that applies.
func (d *Discovery) evidence() []finding.Evidence {
	for i := range d.Steps {
		if d.Steps[i].Domain == d.PolicyDomain {
			return txt.Evidence(d.Steps[i].Answer)
		}
	}
	var list []finding.Evidence
	for i := range d.Steps {
		list = append(list, txt.Evidence(d.Steps[i].Answer)...)
	}
	return list
}

// at is the evidence of a place in the record that applies.
func (d *Discovery) at(start, end int) []finding.Evidence {
	return []finding.Evidence{{Kind: finding.KindDNS, Source: "_dmarc." + d.PolicyDomain + " TXT", Text: d.Text, Start: start, End: end}}
}

// rewrite is the fix that changes the record that applies.
func (d *Discovery) rewrite(new, what string) []finding.Fix {
	return []finding.Fix{txt.Published("_dmarc."+d.PolicyDomain, d.Text, new, what)}
}

// without writes the record again without a tag.
func (r *Record) without(t Tag) string {
	return strings.TrimRight(r.Text[:t.Start], " ") + strings.TrimLeft(strings.TrimLeft(r.Text[t.End:], " \t"), ";")
}

// with writes the record again with a tag changed, or added at its end.
func (r *Record) with(name, value string) string {
	if t := r.tagNamed(name); t != nil {
		return r.Text[:t.Start] + name + "=" + value + r.Text[t.End:]
	}
	return strings.TrimRight(r.Text, "; ") + "; " + name + "=" + value
}

// faults turns the faults of a code into findings.
func (l *Lint) faults(code string, severity finding.Severity, fix func(Fault) []finding.Fix) []finding.Finding {
	if l.Record == nil {
		return nil
	}
	var list []finding.Finding
	for _, f := range l.Record.Faults {
		if f.Code != code {
			continue
		}
		list = append(list, finding.Finding{
			Outcome: finding.Found, Severity: severity, Subject: "_dmarc." + l.PolicyDomain, Source: "RFC 9989, section " + f.Section, Evidence: l.at(f.Start, f.End),
			Fact:        fmt.Sprintf("Column %d of the DMARC record of %s: %s.", f.Start+1, l.PolicyDomain, f.What),
			Consequence: strings.ToUpper(f.Effect[:1]) + f.Effect[1:] + ".",
			Fixes:       fix(f),
		})
	}
	return list
}

// cut is the fix that takes what stands at a fault out of the record.
func (l *Lint) cut(f Fault) []finding.Fix {
	start := strings.LastIndexByte(l.Text[:f.Start], ';') + 1
	end := strings.IndexByte(l.Text[f.Start:], ';')
	if end < 0 {
		end = len(l.Text) - f.Start
	}
	if start == 0 {
		return []finding.Fix{{Action: finding.Edit, What: "Write the record anew.", Verify: "The check of the record finds no fault."}}
	}
	return l.rewrite(strings.TrimRight(l.Text[:start], "; ")+l.Text[f.Start+end:], fmt.Sprintf("Take %q out of the record, or correct it.", strings.TrimSpace(txt.Printable(l.Text[start:f.Start+end]))))
}
