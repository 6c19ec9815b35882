package dmarc

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// Findings tells the result of an evaluation in the common words, in one finding.
func (res *Result) Findings() []finding.Finding {
	f := finding.Finding{Code: "dmarc." + string(res.Result), Subject: res.Domain, Source: "RFC 9989, section 5.3", Evidence: res.evidence(), Fact: fmt.Sprintf("DMARC of %s: %s. %s", res.Domain, res.Result, res.Why)}
	switch res.Result {
	case Pass:
		f.Outcome = finding.Clean
	case TempError:
		f.Severity, f.Consequence = finding.Notice, "Receivers that meet the same may put the mail off."
	case None:
		f.Outcome, f.Severity = finding.Found, finding.Warning
		f.Consequence = "Gmail, Yahoo and Outlook.com want a record of everybody who sends in bulk."
		f.Fixes = []finding.Fix{firstRecord(res.Org)}
	case PermError:
		f.Outcome, f.Severity, f.Consequence = finding.Found, finding.Critical, "Receivers refuse mail whose From domain cannot exist."
		f.Fixes = []finding.Fix{{Action: finding.Edit, What: "Write an address of your own domain into From.", Verify: "The next mail's From has a domain that resolves."}}
	case Fail:
		f.Outcome, f.Severity = finding.Found, finding.Critical
		f.Consequence = map[Policy]string{
			Reject:     fmt.Sprintf("%s asks receivers to refuse such mail (%s=%s), and they do.", res.PolicyDomain, res.Tag, res.Stated),
			Quarantine: fmt.Sprintf("%s asks receivers to treat such mail as suspicious (%s=%s): it goes to the spam folder.", res.PolicyDomain, res.Tag, res.Stated),
			PolicyNone: "The domain asks for nothing, but Gmail, Yahoo and Outlook.com refuse bulk mail that fails.",
		}[res.Policy]
		f.Fixes = res.fixes()
	}
	return []finding.Finding{f}
}

// fixes say how the mail would align: by the identifier that passes already, else by
// either. DKIM comes first: it survives forwarding, which SPF does not.
func (res *Result) fixes() []finding.Fix {
	verify := fmt.Sprintf("A test mail to a mailbox elsewhere shows dmarc=pass for %s.", res.Domain)
	var signed, sent []finding.Fix
	for _, a := range res.Alignments {
		list, what := &sent, ""
		if a.Method == "dkim" {
			list = &signed
		}
		switch {
		case a.Result == "pass" && a.Method == "dkim":
			what = fmt.Sprintf("Have the service that signs as %s sign as %s too (custom DKIM domain), and publish the key that it names under %s.", a.Domain, res.Domain, res.Domain)
		case a.Result == "pass":
			what = fmt.Sprintf("Have the service that sends with bounces to %s use a name under %s (custom bounce or return path domain), with SPF of its own.", a.Domain, res.Org)
		case a.Would:
			what = fmt.Sprintf("Make %s of %s pass, which aligns and gives %s now.", map[string]string{"spf": "SPF", "dkim": "the DKIM signature"}[a.Method], a.Domain, a.Result)
		default:
			continue
		}
		*list = append(*list, finding.Fix{Action: finding.Edit, What: what, Verify: verify})
	}
	if signed == nil {
		signed = []finding.Fix{{Action: finding.Edit, What: fmt.Sprintf("Sign the mail with DKIM as %s at the server or service that sends it.", res.Domain), Verify: verify}}
	}
	return append(signed, sent...)
}
