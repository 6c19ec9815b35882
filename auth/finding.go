package auth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/lint"
	"github.com/rebound-mail/rebound/auth/spf"
	"github.com/rebound-mail/rebound/finding"
)

// Findings tells the report in the common words: SPF, DKIM, DMARC, reverse DNS, the
// sender's domain, ARC, then what the large receivers ask and the mail does not meet.
func (r *Report) Findings() []finding.Finding {
	var list []finding.Finding
	if r.SPF != nil {
		list = append(list, r.spf()...)
	}
	if r.dkim != nil {
		list = append(list, r.dkim.Findings()...)
	}
	if f, ok := r.From.finding(r.header.Get("from")); ok {
		list = append(list, f)
	}
	if r.DMARC != nil {
		list = append(list, r.DMARC.Findings()...)
	}
	if r.IPRev != nil {
		list = append(list, r.IPRev.Findings()...)
	}
	if r.Sender != nil {
		list = append(list, lint.Run(checks, r.Sender.Domain, &Domain{Domain: r.Sender.Domain, MX: r.Sender})...)
	}
	list = append(list, r.ARC.Findings()...)
	if f, ok := r.unsubscribing(); ok {
		list = append(list, f)
	}
	return append(list, r.broke...)
}

// spf adds to the finding on SPF what to do: let the address send only where it may be
// taken for the sender's own.
func (r *Report) spf() []finding.Finding {
	list := r.SPF.Findings()
	f := &list[0]
	if r.SPF.Result == spf.Pass || f.Outcome != finding.Found {
		return list
	}
	if r.SPF.Identity == "helo" && f.Outcome == finding.Found {
		f.Severity = min(f.Severity, finding.Notice)
	}
	if r.Record != nil {
		// What is wrong with the record comes first; it says itself how to mend it.
		broken := slices.DeleteFunc(r.Record.Findings(), func(f finding.Finding) bool {
			return f.Outcome != finding.Found || f.Severity < finding.Critical || len(f.Fixes) == 0
		})
		if len(broken) > 0 {
			f.Fixes = nil
			if fix, ok := r.SPF.Advance(); ok {
				f.Fixes = []finding.Fix{fix}
			}
			return append(list, broken...)
		}
	}
	why := r.Vouched()
	if why == "" {
		f.Fixes = append(f.Fixes, finding.Fix{
			Action: finding.Ask,
			What:   fmt.Sprintf("Find out whose server %s is%s. If it sends for %s by your order, have it let in by the record; if it forwards mail, or is a forger's, leave the record as it is.", r.SPF.IP, r.named(), r.SPF.Domain),
			Verify: "A mail that you send yourself shows its address in the receiver's Received field.",
		})
		return list
	}
	if fix, ok := r.SPF.Grant(); ok {
		fix.What += " The address is taken for yours: " + why + "."
		f.Fixes = append([]finding.Fix{fix}, f.Fixes...)
	}
	return list
}

// named says by what name the address goes, where that is known.
func (r *Report) named() string {
	if r.IPRev == nil {
		return ""
	}
	for _, n := range r.IPRev.Names {
		if n.Confirmed {
			return " (its name is " + n.Host + ")"
		}
	}
	return ""
}

// unsubscribing tells what is wrong with the fields for one click, in a mail that has
// one of them.
func (r *Report) unsubscribing() (finding.Finding, bool) {
	if len(r.header.All("list-unsubscribe"))+len(r.header.All("list-unsubscribe-post")) == 0 {
		return finding.Finding{}, false
	}
	outcome, why := oneClick(r)
	if outcome != finding.Found {
		return finding.Finding{}, false
	}
	f := finding.Finding{
		Code: "unsubscribe.one-click", Outcome: finding.Found, Severity: finding.Notice, Subject: r.From.Domain, Source: "RFC 8058, sections 3.1, 4 and 5",
		Fact:        "The mail cannot be unsubscribed from with one click: " + why + ".",
		Consequence: "Gmail shows no link to unsubscribe beside the sender, and people use the spam button in its place. Gmail and Yahoo ask it of marketing mail.",
		Fixes: []finding.Fix{{
			Action: finding.Edit, What: "Write both fields before signing, and name both in h=: List-Unsubscribe: <https://…> and List-Unsubscribe-Post: List-Unsubscribe=One-Click.",
			Verify: "The check of a new mail finds both fields covered by a valid signature.",
		}},
	}
	for _, name := range []string{"list-unsubscribe", "list-unsubscribe-post"} {
		for _, at := range r.header.All(name) {
			f.Evidence = append(f.Evidence, finding.Evidence{Kind: finding.KindMessage, Source: fmt.Sprintf("line %d", r.header.Fields[at].Line), Text: strings.TrimRight(r.header.Fields[at].Raw, "\r\n")})
		}
	}
	return f, true
}
