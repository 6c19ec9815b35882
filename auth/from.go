package auth

import (
	"fmt"
	"net/mail"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/header"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// An Author is the From field of a mail.
type Author struct {
	Address string `json:"address"`
	Domain  string `json:"domain"`            // canonical; "" where there is none
	Fields  int    `json:"fields"`            // how many From fields there are
	Others  int    `json:"others,omitempty"`  // further addresses in it
	Problem string `json:"problem,omitempty"` // why it is not one address in one field
	Line    int    `json:"line,omitempty"`
}

// author reads the From field; domain stands in where there is no mail.
func author(h *header.Header, domain string) Author {
	at := h.All("from")
	a := Author{Fields: len(at)}
	if len(at) == 0 {
		if len(h.Fields) > 0 {
			a.Problem = "the mail has no From field"
		}
		a.Domain = canonical(domain)
		return a
	}
	value := h.Fields[at[0]].Value()
	a.Line = h.Fields[at[0]].Line
	list, err := (&mail.AddressParser{}).ParseList(value)
	switch {
	case err != nil || len(list) == 0:
		a.Problem = fmt.Sprintf("From cannot be read as an address: %q", clip(value))
		a.Address = loose(value)
	default:
		a.Address, a.Others = list[0].Address, len(list)-1
	}
	a.Domain = canonical(domainOf(a.Address))
	switch {
	case a.Problem != "":
	case a.Fields > 1:
		a.Problem = fmt.Sprintf("the mail has %d From fields", a.Fields)
	case a.Others > 0:
		a.Problem = fmt.Sprintf("From holds %d addresses", a.Others+1)
	case a.Domain == "" || !strings.Contains(a.Domain, "."):
		a.Problem = fmt.Sprintf("the domain of From is no full domain name: %q", clip(a.Address))
	}
	return a
}

// loose finds an address in a From field that breaks the grammar: what stands in the
// last angle brackets, or a word with "@".
func loose(value string) string {
	if open := strings.LastIndexByte(value, '<'); open >= 0 {
		inner, _, _ := strings.Cut(value[open+1:], ">")
		if strings.Contains(inner, "@") {
			return strings.TrimSpace(inner)
		}
	}
	for word := range strings.FieldsSeq(value) {
		if strings.Contains(word, "@") {
			return strings.Trim(word, "<>,;\"'()")
		}
	}
	return ""
}

func clip(s string) string { return s[:min(len(s), 80)] }

func canonical(domain string) string {
	name, err := resolve.Name(domain)
	if err != nil || name == "." {
		return ""
	}
	return name
}

// finding tells what is wrong with the From field.
func (a *Author) finding(evidence string) (finding.Finding, bool) {
	if a.Problem == "" {
		return finding.Finding{}, false
	}
	return finding.Finding{
		Code: "from.invalid", Outcome: finding.Found, Severity: finding.Critical, Subject: a.Address, Source: "RFC 5322, sections 3.6 and 3.6.2; RFC 9989, section 5.3.1",
		Fact: strings.ToUpper(a.Problem[:1]) + a.Problem[1:] + ".", Consequence: "Gmail and others refuse such mail, and DMARC cannot be evaluated on it as you mean it.",
		Evidence: []finding.Evidence{{Kind: finding.KindMessage, Source: fmt.Sprintf("line %d", a.Line), Text: evidence}},
		Fixes:    []finding.Fix{{Action: finding.Edit, What: "Write one From field with one address of your own domain.", Verify: "The next mail has one From field with one address."}},
	}, true
}
