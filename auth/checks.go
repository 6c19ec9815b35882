package auth

import (
	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
)

// A check looks at one thing in a domain's other records and reports what is wrong with
// it.
type check struct {
	code string
	run  func(*Domain) []finding.Finding
}

// checks is the table of contents of what is said about a domain's mail exchangers,
// MTA-STS, TLS-RPT and BIMI; each stands in the file that its code names.
var checks = []check{
	{"mx.lookup-failed", checkMXLookupFailed},
	{"mx.domain-missing", checkMXDomainMissing},
	{"mx.none", checkMXNone},
	{"mx.null", checkMXNull},
	{"mx.null-beside", checkMXNullBeside},
	{"mx.alias", checkMXAlias},
	{"mx.literal", checkMXLiteral},
	{"mx.host-missing", checkMXHostMissing},
	{"policy.misspelt", checkPolicyMisspelt},
	{"policy.several", checkPolicySeveral},
	{"policy.invalid", checkPolicyInvalid},
	{"tlsrpt.missing", checkTLSRPTMissing},
	{"bimi.dmarc-weak", checkBIMIDMARCWeak},
}

// evidence is the look-up that a finding about the mail exchangers rests on.
func (m *MX) evidence() []finding.Evidence { return txt.Evidence(m.Answer) }
