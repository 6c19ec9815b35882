package auth

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/auth/dkim"
	"github.com/rebound-mail/rebound/auth/dmarc"
	"github.com/rebound-mail/rebound/auth/iprev"
	"github.com/rebound-mail/rebound/auth/spf"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// A Requirement is one thing that a large receiver asks of senders, and whether the
// mail meets it.
type Requirement struct {
	ID       string `json:"id"`
	Receiver string `json:"receiver"`
	What     string `json:"what"`
	Applies  string `json:"applies"`         // to whom
	Since    string `json:"since"`           // year and month
	Codes    string `json:"codes,omitempty"` // what it answers when it refuses for that
	Source   string `json:"source"`
	// Outcome is clean where the mail meets it, found where it does not, unknown where
	// it could not be told, and not-applicable where nobody but the receiver or the
	// sender can tell, or it does not concern this mail; Why says which.
	Outcome finding.Outcome `json:"outcome"`
	Why     string          `json:"why"`
}

const (
	googlePage    = "https://support.google.com/a/answer/81126 (2026-03)"
	yahooPage     = "https://senders.yahooinc.com/best-practices/ (2025-04)"
	microsoftPage = "https://techcommunity.microsoft.com, Strengthening Email Ecosystem: Outlook's New Requirements for High-Volume Senders (2025-04)"

	everybody  = "all senders"
	bulkGoogle = "senders of close to 5,000 mails a day to Gmail, counted by the From domain"
	bulkYahoo  = "bulk senders; Yahoo names no number"
	bulkMS     = "senders of more than 5,000 mails a day to outlook.com, hotmail.com and live.com"
)

// bulkRow is one row of the checklist.
type bulkRow struct {
	Requirement
	check func(*Report) (finding.Outcome, string)
}

// bulkRows are what Google, Yahoo and Microsoft ask, as of November 2026.
var bulkRows = []bulkRow{
	{Requirement{ID: "google.spf-or-dkim", Receiver: "Google", What: "SPF or DKIM passes", Applies: everybody, Since: "2024-02", Codes: "421 4.7.26, 550 5.7.26", Source: googlePage}, spfOrDKIM},
	{Requirement{ID: "google.spf-and-dkim", Receiver: "Google", What: "SPF and DKIM pass", Applies: bulkGoogle, Since: "2024-02", Codes: "421 4.7.27, 550 5.7.27 (SPF); 421 4.7.30, 550 5.7.30 (DKIM)", Source: googlePage}, spfAndDKIM},
	{Requirement{ID: "google.dkim-key", Receiver: "Google", What: "the DKIM key has 1024 bits or more", Applies: everybody, Since: "2024-02", Source: googlePage}, keyLength},
	{Requirement{ID: "google.dmarc", Receiver: "Google", What: "the From domain has a DMARC record, p=none or more", Applies: bulkGoogle, Since: "2024-02", Codes: "421 4.7.40, 550 5.7.40", Source: googlePage}, hasDMARC},
	{Requirement{ID: "google.alignment", Receiver: "Google", What: "the From domain aligns with SPF or DKIM", Applies: bulkGoogle, Since: "2024-02", Codes: "421 4.7.32, 421 5.7.32", Source: googlePage}, aligned},
	{Requirement{ID: "google.ptr", Receiver: "Google", What: "the address has a PTR record whose name leads back to it", Applies: everybody, Since: "2024-02", Codes: "451 4.7.23, 550 5.7.25", Source: googlePage}, reverse},
	{Requirement{ID: "google.format", Receiver: "Google", What: "the mail keeps to RFC 5322: one From with one address, a Message-ID, no field twice", Applies: everybody, Since: "2024-02", Codes: "550 5.7.1, 554 5.6.0", Source: googlePage}, format},
	{Requirement{ID: "google.no-gmail-from", Receiver: "Google", What: "From is not at gmail.com", Applies: everybody, Since: "2024-02", Source: googlePage}, notGmail},
	{Requirement{ID: "google.one-click", Receiver: "Google", What: "marketing mail can be unsubscribed from with one click (RFC 8058), covered by the DKIM signature", Applies: bulkGoogle, Since: "2024-06", Source: googlePage}, oneClick},
	{Requirement{ID: "google.tls", Receiver: "Google", What: "the connection is encrypted (TLS)", Applies: everybody, Since: "2024-02", Codes: "421 4.7.29, 550 5.7.29", Source: googlePage}, overTLS},
	{Requirement{ID: "google.complaints", Receiver: "Google", What: "fewer than 0.3 % of the mail is reported as spam, better 0.1 %", Applies: everybody, Since: "2024-02", Source: googlePage}, receiverAlone("Google's Postmaster Tools show the rate")},
	{Requirement{ID: "yahoo.spf-or-dkim", Receiver: "Yahoo", What: "SPF or DKIM passes", Applies: everybody, Since: "2024-02", Codes: "550 5.7.9", Source: yahooPage}, spfOrDKIM},
	{Requirement{ID: "yahoo.spf-and-dkim", Receiver: "Yahoo", What: "SPF and DKIM pass", Applies: bulkYahoo, Since: "2024-02", Source: yahooPage}, spfAndDKIM},
	{Requirement{ID: "yahoo.dkim-key", Receiver: "Yahoo", What: "the DKIM key has 1024 bits or more", Applies: bulkYahoo, Since: "2024-02", Source: yahooPage}, keyLength},
	{Requirement{ID: "yahoo.dmarc", Receiver: "Yahoo", What: "the From domain has a DMARC record, p=none or more, and the mail passes", Applies: bulkYahoo, Since: "2024-02", Codes: "554 5.7.9", Source: yahooPage}, passesDMARC},
	{Requirement{ID: "yahoo.ptr", Receiver: "Yahoo", What: "the address has a PTR record whose name leads back to it", Applies: everybody, Since: "2024-02", Source: yahooPage}, reverse},
	{Requirement{ID: "yahoo.format", Receiver: "Yahoo", What: "the mail keeps to RFC 5321 and 5322", Applies: everybody, Since: "2024-02", Source: yahooPage}, format},
	{Requirement{ID: "yahoo.sender-domain", Receiver: "Yahoo", What: "the sender's domain exists", Applies: everybody, Since: "2024-02", Source: "https://senders.yahooinc.com/smtp-error-codes/ (2026-02)"}, senderExists},
	{Requirement{ID: "yahoo.unsubscribe", Receiver: "Yahoo", What: "marketing mail can be unsubscribed from: with one click (RFC 8058), or by mail", Applies: bulkYahoo, Since: "2024-06", Source: yahooPage}, unsubscribe},
	{Requirement{ID: "yahoo.complaints", Receiver: "Yahoo", What: "fewer than 0.3 % of the delivered mail is reported as spam", Applies: everybody, Since: "2024-02", Source: yahooPage}, receiverAlone("Yahoo's Complaint Feedback Loop tells of reports")},
	{Requirement{ID: "microsoft.spf", Receiver: "Microsoft", What: "SPF passes", Applies: bulkMS, Since: "2025-05", Codes: "550 5.7.515", Source: microsoftPage}, spfPasses},
	{Requirement{ID: "microsoft.dkim", Receiver: "Microsoft", What: "DKIM passes", Applies: bulkMS, Since: "2025-05", Codes: "550 5.7.515", Source: microsoftPage}, dkimPasses},
	{Requirement{ID: "microsoft.dmarc", Receiver: "Microsoft", What: "the From domain has a DMARC record, p=none or more, and aligns with SPF or DKIM", Applies: bulkMS, Since: "2025-05", Codes: "550 5.7.515", Source: microsoftPage}, passesDMARC},
	{Requirement{ID: "microsoft.unsubscribe", Receiver: "Microsoft", What: "bulk mail has a way to unsubscribe (advised)", Applies: bulkMS, Since: "2025-05", Source: microsoftPage}, unsubscribe},
	{Requirement{ID: "microsoft.complaints", Receiver: "Microsoft", What: "few reports as spam, and no mail to addresses that bounce (advised)", Applies: bulkMS, Since: "2025-05", Source: microsoftPage}, receiverAlone("Microsoft's SNDS and JMRP show it")},
}

// requirements holds the mail against the rows.
func (r *Report) requirements() []Requirement {
	list := make([]Requirement, len(bulkRows))
	for i, row := range bulkRows {
		list[i] = row.Requirement
		list[i].Outcome, list[i].Why = row.check(r)
	}
	return list
}

func receiverAlone(where string) func(*Report) (finding.Outcome, string) {
	return func(*Report) (finding.Outcome, string) {
		return finding.NotApplicable, "not checkable here: " + where
	}
}

const noMessage = "no message is known"

func spfPasses(r *Report) (finding.Outcome, string) {
	switch {
	case r.SPF == nil || !r.SPF.IP.IsValid():
		return finding.Unknown, "no sending address is known"
	case r.SPF.Domain == "":
		return finding.Unknown, "no envelope sender is known"
	case r.SPF.Result == spf.Pass:
		return finding.Clean, "SPF passes for " + r.SPF.Domain
	case r.SPF.Result == spf.TempError:
		return finding.Unknown, r.SPF.Why
	}
	return finding.Found, fmt.Sprintf("SPF of %s: %s", r.SPF.Domain, r.SPF.Result)
}

func dkimPasses(r *Report) (finding.Outcome, string) {
	if r.dkim == nil {
		return finding.Unknown, noMessage
	}
	var bad string
	unknown := ""
	for i := range r.DKIM {
		switch s := &r.DKIM[i]; s.Result {
		case dkim.Pass:
			return finding.Clean, "the signature of " + s.Domain + " is valid"
		case dkim.TempError, dkim.Untold:
			unknown = s.Why
		default:
			bad = s.Why
		}
	}
	if unknown != "" {
		return finding.Unknown, unknown
	}
	return finding.Found, bad
}

func both(a, b func(*Report) (finding.Outcome, string), need int) func(*Report) (finding.Outcome, string) {
	return func(r *Report) (finding.Outcome, string) {
		oneIs, one := a(r)
		otherIs, other := b(r)
		clean, unknown := 0, 0
		for _, o := range []finding.Outcome{oneIs, otherIs} {
			switch o {
			case finding.Clean:
				clean++
			case finding.Unknown:
				unknown++
			}
		}
		why := strings.TrimSuffix(one, ".") + "; " + strings.TrimSuffix(other, ".")
		switch {
		case clean >= need:
			return finding.Clean, why
		case clean+unknown >= need:
			return finding.Unknown, why
		}
		return finding.Found, why
	}
}

var (
	spfOrDKIM  = both(spfPasses, dkimPasses, 1)
	spfAndDKIM = both(spfPasses, dkimPasses, 2)
)

func keyLength(r *Report) (finding.Outcome, string) {
	outcome, why := finding.Unknown, "no key is known"
	for i := range r.DKIM {
		switch s := &r.DKIM[i]; {
		case s.Bits == 0:
		case s.Key.Type == "rsa" && s.Bits < 1024:
			return finding.Found, fmt.Sprintf("the key of %s has %d bits", s.Domain, s.Bits)
		default:
			outcome, why = finding.Clean, fmt.Sprintf("the key of %s has %d bits (%s)", s.Domain, s.Bits, s.Key.Type)
		}
	}
	return outcome, why
}

func hasDMARC(r *Report) (finding.Outcome, string) {
	switch {
	case r.DMARC == nil:
		return finding.Unknown, "no From domain is known"
	case r.DMARC.Record != nil:
		return finding.Clean, fmt.Sprintf("the record of %s applies: %s=%s", r.DMARC.PolicyDomain, r.DMARC.Tag, r.DMARC.Stated)
	case r.DMARC.Failed:
		return finding.Unknown, r.DMARC.Problem
	}
	return finding.Found, r.DMARC.Why
}

func aligned(r *Report) (finding.Outcome, string) {
	if r.DMARC == nil {
		return finding.Unknown, "no From domain is known"
	}
	switch r.DMARC.Result {
	case dmarc.Pass:
		return finding.Clean, r.DMARC.Why
	case dmarc.TempError:
		return finding.Unknown, r.DMARC.Why
	case dmarc.None:
		return r.alignedWithoutRecord()
	}
	if open := r.open(); open != "" {
		return finding.Unknown, open
	}
	return finding.Found, r.DMARC.Why
}

// alignedWithoutRecord compares registered domains, for want of a record.
func (r *Report) alignedWithoutRecord() (finding.Outcome, string) {
	in := r.identifiers()
	for _, id := range append(in.DKIM, in.SPF) {
		if id.Result == "pass" && organization(id.Domain) == organization(r.From.Domain) {
			return finding.Clean, id.Domain + " lies under the same registered domain"
		}
	}
	if open := r.open(); open != "" {
		return finding.Unknown, open
	}
	return finding.Found, "nothing that passes lies under " + organization(r.From.Domain)
}

// open says what could not be checked and might have aligned, or "".
func (r *Report) open() string {
	if outcome, why := spfPasses(r); outcome == finding.Unknown {
		return why
	}
	if outcome, why := dkimPasses(r); outcome == finding.Unknown {
		return why
	}
	return ""
}

func passesDMARC(r *Report) (finding.Outcome, string) {
	if outcome, why := hasDMARC(r); outcome != finding.Clean {
		return outcome, why
	}
	return aligned(r)
}

func reverse(r *Report) (finding.Outcome, string) {
	if r.IPRev == nil {
		return finding.Unknown, "no sending address is known"
	}
	fact := r.IPRev.Findings()[0].Fact
	switch r.IPRev.Status {
	case iprev.Pass:
		return finding.Clean, fact
	case iprev.Missing, iprev.Fail:
		return finding.Found, fact
	}
	return finding.Unknown, fact
}

// once are the fields that a mail has at most once (RFC 5322, section 3.6).
var once = []string{"date", "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "subject"}

func format(r *Report) (finding.Outcome, string) {
	if r.dkim == nil {
		return finding.Unknown, noMessage
	}
	if r.From.Problem != "" {
		return finding.Found, r.From.Problem
	}
	for _, name := range once {
		if n := len(r.header.All(name)); n > 1 {
			return finding.Found, fmt.Sprintf("the field %s stands %d times", name, n)
		}
	}
	id := r.header.Get("message-id")
	switch {
	case id == "":
		return finding.Found, "there is no Message-ID"
	case !strings.HasPrefix(id, "<") || !strings.HasSuffix(id, ">") || strings.Count(id, "@") != 1 || strings.Contains(id, " "):
		return finding.Found, fmt.Sprintf("the Message-ID is malformed: %q", clip(id))
	case r.header.Get("date") == "":
		return finding.Found, "there is no Date"
	}
	return finding.Clean, "From, Date and Message-ID are there, once each"
}

func notGmail(r *Report) (finding.Outcome, string) {
	switch {
	case r.From.Domain == "":
		return finding.Unknown, "no From domain is known"
	case r.From.Domain != "gmail.com" && r.From.Domain != "googlemail.com":
		return finding.Clean, "From is at " + r.From.Domain
	}
	if outcome, _ := aligned(r); outcome == finding.Clean {
		return finding.NotApplicable, "the mail comes from Gmail itself"
	}
	return finding.Found, "From is at " + r.From.Domain + ", and the mail does not come from there"
}

func senderExists(r *Report) (finding.Outcome, string) {
	switch {
	case r.Sender == nil:
		return finding.Unknown, "no envelope sender is known"
	case r.Sender.Answer.Status == resolve.NXDomain:
		return finding.Found, r.Sender.Domain + " does not exist"
	case !r.Sender.Answer.Status.Known():
		return finding.Unknown, "the domain of the envelope sender could not be looked up"
	}
	return finding.Clean, r.Sender.Domain + " exists"
}

// overTLS reads what the receiving server wrote of the connection (RFC 3848).
func overTLS(r *Report) (finding.Outcome, string) {
	received := r.header.Get("received")
	for _, word := range []string{"with ESMTPS", "with ESMTPSA", "with UTF8SMTPS", "version=TLS", "using TLS"} {
		if strings.Contains(received, word) {
			return finding.Clean, "the topmost Received field tells of an encrypted connection"
		}
	}
	return finding.NotApplicable, "not checkable here: the connection alone shows it"
}

// isBulk reports whether a mail shows that it is sent to many.
func (r *Report) isBulk() bool {
	for _, name := range []string{"list-unsubscribe", "list-id", "feedback-id", "x-campaign-id"} {
		if r.header.Get(name) != "" {
			return true
		}
	}
	return strings.EqualFold(r.header.Get("precedence"), "bulk")
}

func unsubscribe(r *Report) (finding.Outcome, string) {
	if r.dkim == nil {
		return finding.Unknown, noMessage
	}
	if list := r.header.Get("list-unsubscribe"); strings.Contains(list, "<http") || strings.Contains(list, "<mailto:") {
		return finding.Clean, "there is a List-Unsubscribe field"
	}
	if !r.isBulk() {
		return finding.NotApplicable, "nothing in the mail says that it is sent to many; if it is marketing, it needs List-Unsubscribe"
	}
	return finding.Found, "there is no List-Unsubscribe field with an address"
}

// oneClick: RFC 8058, sections 3.1, 4 and 5.
func oneClick(r *Report) (finding.Outcome, string) {
	if r.dkim == nil {
		return finding.Unknown, noMessage
	}
	if len(r.header.All("list-unsubscribe"))+len(r.header.All("list-unsubscribe-post")) == 0 && !r.isBulk() {
		return finding.NotApplicable, "nothing in the mail says that it is sent to many; if it is marketing, it needs the two fields of RFC 8058"
	}
	if why := r.oneClickFault(); why != "" {
		return finding.Found, why
	}
	signed, valid := false, finding.Found
	for i := range r.DKIM {
		s := &r.DKIM[i]
		if !slices.Contains(s.Headers, "list-unsubscribe") || !slices.Contains(s.Headers, "list-unsubscribe-post") {
			continue
		}
		signed = true
		switch s.Result {
		case dkim.Pass:
			return finding.Clean, "both fields are there and covered by the signature of " + s.Domain
		case dkim.TempError, dkim.Untold:
			valid = finding.Unknown
		}
	}
	if !signed {
		return finding.Found, "no signature names both List-Unsubscribe and List-Unsubscribe-Post in h="
	}
	return valid, "the signature that covers both fields could not be found valid"
}

// oneClickFault says what is wrong with the two fields, or "".
func (r *Report) oneClickFault() string {
	list, post := r.header.All("list-unsubscribe"), r.header.All("list-unsubscribe-post")
	switch {
	case len(list) == 0:
		return "there is no List-Unsubscribe field"
	case len(list) > 1 || len(post) > 1:
		return "List-Unsubscribe or List-Unsubscribe-Post stands more than once"
	case len(post) == 0:
		return "there is no List-Unsubscribe-Post field"
	}
	if value := r.header.Fields[post[0]].Value(); value != "List-Unsubscribe=One-Click" {
		return fmt.Sprintf("List-Unsubscribe-Post is %q, not \"List-Unsubscribe=One-Click\"", clip(value))
	}
	https := 0
	for part := range strings.SplitSeq(r.header.Fields[list[0]].Value(), "<") {
		uri, _, ok := strings.Cut(part, ">")
		u, err := url.Parse(strings.ReplaceAll(uri, " ", ""))
		switch {
		case !ok || err != nil:
		case u.Scheme == "https":
			https++
		case u.Scheme == "http":
			return "List-Unsubscribe has an http: address; one click wants https:"
		}
	}
	if https != 1 {
		return fmt.Sprintf("List-Unsubscribe has %d https: addresses; one click wants one", https)
	}
	return ""
}
