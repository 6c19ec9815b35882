package auth

import (
	"github.com/rebound-mail/rebound/auth/internal/lint"
	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// checks is the table of contents of what is said about a domain's mail exchangers,
// MTA-STS, TLS-RPT and BIMI; each stands in the file that its code names.
var checks = []lint.Check[*Domain]{
	{Code: "mx.lookup-failed", Run: checkMXLookupFailed},
	{Code: "mx.domain-missing", Run: checkMXDomainMissing},
	{Code: "mx.none", Run: checkMXNone},
	{Code: "mx.null", Run: checkMXNull},
	{Code: "mx.null-beside", Run: checkMXNullBeside},
	{Code: "mx.alias", Run: checkMXAlias},
	{Code: "mx.literal", Run: checkMXLiteral},
	{Code: "mx.host-missing", Run: checkMXHostMissing},
	{Code: "policy.misspelt", Run: checkPolicyMisspelt},
	{Code: "policy.several", Run: checkPolicySeveral},
	{Code: "policy.invalid", Run: checkPolicyInvalid},
	{Code: "tlsrpt.missing", Run: checkTLSRPTMissing},
	{Code: "bimi.dmarc-weak", Run: checkBIMIDMARCWeak},
}

// evidence is the look-up that a finding about the mail exchangers rests on.
func (m *MX) evidence() []finding.Evidence { return txt.Evidence(m.Answer) }
