package auth

import (
	"context"

	"github.com/rebound-mail/rebound/auth/dkim"
	"github.com/rebound-mail/rebound/auth/dmarc"
	"github.com/rebound-mail/rebound/auth/internal/lint"
	"github.com/rebound-mail/rebound/auth/spf"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// A Domain is what [Lint] found.
type Domain struct {
	Domain   string          `json:"domain"`
	SPF      *spf.Tree       `json:"spf"`
	DKIM     *dkim.Discovery `json:"-"`
	DMARC    *dmarc.Lint     `json:"dmarc"`
	MX       *MX             `json:"mx"`
	Policies []*Policy       `json:"policies"`

	broke []finding.Finding
}

// Lint looks at the records of a domain, without a mail. The selectors are those whose
// keys are known to be wanted; the commonest are looked for beside them.
func Lint(ctx context.Context, r resolve.Resolver, domain string, selectors ...string) *Domain {
	d := &Domain{Domain: domain}
	if name := canonical(domain); name != "" {
		d.Domain = name
	} else {
		d.SPF, d.DMARC = spf.Walk(ctx, r, domain), dmarc.Inspect(ctx, r, domain)
		return d
	}
	steps := []step{
		{"spf", func() { d.SPF = spf.Walk(ctx, r, d.Domain) }},
		{"dkim", func() { d.DKIM = dkim.Discover(ctx, r, d.Domain, selectors...) }},
		{"dmarc", func() { d.DMARC = dmarc.Inspect(ctx, r, d.Domain) }},
		{"mx", func() { d.MX = LookupMX(ctx, r, d.Domain) }},
	}
	d.Policies = make([]*Policy, len(policyKinds))
	for i, k := range policyKinds {
		steps = append(steps, step{k.kind, func() { d.Policies[i] = lookupPolicy(ctx, r, k, d.Domain) }})
	}
	var report Report
	report.all(steps)
	d.broke = report.broke
	return d
}

// policy returns the record of a kind.
func (d *Domain) policy(kind string) *Policy {
	for _, p := range d.Policies {
		if p != nil && p.Kind == kind {
			return p
		}
	}
	return &Policy{Kind: kind}
}

// Findings tells what is wrong with the domain's records: SPF, DKIM, DMARC, then the
// rest.
func (d *Domain) Findings() []finding.Finding {
	var list []finding.Finding
	if d.SPF != nil {
		list = append(list, d.SPF.Findings()...)
	}
	list = append(list, d.keys()...)
	if d.DMARC != nil {
		list = append(list, d.DMARC.Findings()...)
	}
	list = append(list, lint.Run(checks, d.Domain, d)...)
	return append(list, d.broke...)
}

// keys tells of the keys that were asked for, then of those that were found. That none
// was found is no fault: a selector may have any name.
func (d *Domain) keys() []finding.Finding {
	if d.DKIM == nil {
		return nil
	}
	var list []finding.Finding
	for _, k := range d.DKIM.Given {
		list = append(list, dkim.KeyFindings(d.Domain, k.Name, k.Key, k.Answer, k.Faults)...)
	}
	for _, k := range d.DKIM.Others() {
		for _, found := range dkim.KeyFindings(d.Domain, k.Name, k.Key, k.Answer, k.Faults) {
			// Nobody said that mail is signed with it: a revoked key is no fault.
			if found.Code == "dkim.key-revoked" {
				found.Severity, found.Consequence, found.Fixes = finding.Info, "That is right for a key that is no longer used.", nil
			}
			list = append(list, found)
		}
	}
	if len(list) == 0 {
		list = append(list, d.noKey())
	}
	return list
}

func (d *Domain) noKey() finding.Finding {
	f := finding.Finding{Code: "dkim.not-found", Outcome: finding.Unknown, Severity: finding.Notice, Subject: d.Domain, Source: "RFC 6376, section 3.1"}
	f.Fact = "No key was found under any of the commonest selectors."
	f.Consequence = "That does not mean that there is none: a selector may have any name. Name the one that your server signs with (s= in the DKIM-Signature field of its mail)."
	switch {
	case d.DKIM.Failed == d.DKIM.Asked:
		f.Fact, f.Consequence = "No key could be looked up: DNS did not answer.", "Whether the domain has keys is not known."
	case d.DKIM.Wildcard:
		f.Fact, f.Consequence = "Every name below _domainkey gives a TXT record, so keys cannot be told from others.", "Name the selector that your server signs with."
	}
	f.Fixes = []finding.Fix{{Action: finding.Ask, What: "Look up the selector in the DKIM-Signature field of a mail that you sent, and check again with it.", Verify: "The check shows the key."}}
	return f
}
