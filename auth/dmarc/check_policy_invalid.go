package dmarc

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checkPolicyInvalid: RFC 9989, section 4.10.1: a bad p, sp or np undoes the record.
func checkPolicyInvalid(l *Lint) []finding.Finding {
	record, domain := l.Record, l.PolicyDomain
	if record == nil {
		// It was ignored as a whole for that.
		for i := range l.Steps {
			if s := &l.Steps[i]; s.Record != nil {
				if _, ok := s.Record.Acts(); !ok {
					record, domain = s.Record, s.Domain
					break
				}
			}
		}
	}
	if record == nil || record.Policy != "" && !record.badRequest {
		return nil
	}
	what, start, end := "it states no policy (p=)", 0, len(record.Text)
	for _, f := range record.Faults {
		if f.Code == "dmarc.policy-invalid" {
			what, start, end = f.What, f.Start, f.End
		}
	}
	f := finding.Finding{
		Outcome: finding.Found, Severity: finding.Critical, Subject: "_dmarc." + domain, Source: "RFC 9989, section 4.10.1",
		Evidence: []finding.Evidence{{Kind: finding.KindDNS, Source: "_dmarc." + domain + " TXT", Text: record.Text, Start: start, End: end}},
		Fact:     fmt.Sprintf("The DMARC record of %s has no valid policy: %s.", domain, what),
	}
	f.Consequence = "Receivers ignore the whole record."
	if _, ok := record.Acts(); ok {
		f.Severity, f.Consequence = finding.Warning, "Receivers take the whole record as p=none."
	}
	f.Fixes = []finding.Fix{txt.Published("_dmarc."+domain, record.Text, record.valid(), "State a policy that is none, quarantine or reject.")}
	return []finding.Finding{f}
}

// valid writes the record again with p=none where p is missing or wrong, and without
// a wrong sp or np.
func (r *Record) valid() string {
	again := r
	for _, name := range []string{"sp", "np"} {
		if t := again.tagNamed(name); t != nil && Policy(strings.ToLower(t.Value)).strength() < 0 {
			again = Parse(again.without(*t))
		}
	}
	if again.Policy != "" {
		return again.Text
	}
	if t := again.tagNamed("p"); t != nil {
		return again.with("p", nearest(t.Value))
	}
	v := again.tagNamed("v")
	return again.Text[:v.End] + "; p=none" + again.Text[v.End:]
}

// nearest is the policy that a misspelt one probably means.
func nearest(value string) string {
	value = strings.ToLower(value)
	for _, p := range []Policy{Reject, Quarantine} {
		if len(value) >= 3 && strings.HasPrefix(string(p), value[:3]) {
			return string(p)
		}
	}
	return string(PolicyNone)
}
