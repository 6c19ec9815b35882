package spf

import (
	"fmt"

	"github.com/rebound-mail/rebound/finding"
)

// checkRecordLong: RFC 7208, section 3.4: an answer over 512 octets needs TCP or
// EDNS, and some resolvers and firewalls do not let it through.
func checkRecordLong(t *Tree) []finding.Finding {
	size := 0
	for _, r := range t.Root.Answer.Records {
		for _, s := range r.Strings {
			size += len(s) + 1
		}
		size += 12 // each record's name, type, class, TTL and length, the name compressed
	}
	size += 12 + len(t.Domain) + 2 + 4
	if size <= 512 || len(t.Texts) == 0 || len(t.Texts[0]) <= goodLength && size <= 1232 {
		return nil
	}
	f := finding.Finding{
		Outcome: finding.Found, Severity: finding.Info, Source: "RFC 7208, section 3.4", Evidence: inRecord(t.Root, 0, 0),
		Fact:        fmt.Sprintf("The TXT records of %s make an answer of about %d octets; the SPF record has %d.", t.Domain, size, len(t.Texts[0])),
		Consequence: "Answers over 512 octets need EDNS or TCP, which a few receivers' firewalls stop; over 1232, TCP.",
	}
	if size > 1232 {
		f.Severity = finding.Notice
	}
	f.Fixes = []finding.Fix{{Action: finding.Edit, What: "Shorten the record, or move part of it to another name and include that; move verification TXT records that are no longer needed away.", Verify: "The answer has 512 octets or fewer."}}
	return []finding.Finding{f}
}
