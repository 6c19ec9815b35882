package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
	"golang.org/x/net/publicsuffix"
)

// checkPSDWrong: psd=y is for the operators of public suffixes (RFC 9989, section
// 4.7).
func checkPSDWrong(l *Lint) []finding.Finding {
	if l.Record == nil || l.Record.PSD != "y" {
		return nil
	}
	if suffix, _ := publicsuffix.PublicSuffix(l.PolicyDomain); suffix == l.PolicyDomain {
		return nil
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Warning, Source: "RFC 9989, section 4.7", Evidence: l.evidence(),
		Fact:        fmt.Sprintf("The record of %s says psd=y, and %s is no public suffix by the Public Suffix List.", l.PolicyDomain, l.PolicyDomain),
		Consequence: "Each subdomain counts as an organization of its own: none aligns with another.",
		Fixes:       l.rewrite(l.Record.without(*l.Record.tagNamed("psd")), "Take psd=y out, unless the domain is a registry's."),
	}}
}
