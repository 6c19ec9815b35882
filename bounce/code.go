package bounce

import (
	"strconv"
	"strings"
)

// A Code is an enhanced status code (RFC 3463): class, subject and detail of
// "5.1.1". The zero value means that none was given.
type Code struct{ Class, Subject, Detail uint16 }

// ParseCode reads "5.1.1". Classes are 2, 4 and 5; subject and detail have one
// to three digits (RFC 3463, section 2). The error is a [*CodeError].
func ParseCode(s string) (Code, error) {
	class, rest, _ := strings.Cut(s, ".")
	subject, detail, ok := strings.Cut(rest, ".")
	if ok && len(class) == 1 && strings.Contains("245", class) {
		a, okA := threeDigits(subject)
		b, okB := threeDigits(detail)
		if okA && okB {
			return Code{uint16(class[0] - '0'), a, b}, nil
		}
	}
	return Code{}, &CodeError{Text: s}
}

func threeDigits(s string) (uint16, bool) {
	if len(s) < 1 || len(s) > 3 {
		return 0, false
	}
	n := uint16(0)
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint16(s[i]-'0')
	}
	return n, true
}

// A CodeError is a text that is no enhanced status code.
type CodeError struct{ Text string }

func (e *CodeError) Error() string {
	return "bounce: " + strconv.Quote(e.Text) + " is no enhanced status code"
}

// String returns "5.1.1", and "" for the zero value.
func (c Code) String() string {
	if c.Class == 0 {
		return ""
	}
	b := strconv.AppendUint(make([]byte, 0, 9), uint64(c.Class), 10)
	b = strconv.AppendUint(append(b, '.'), uint64(c.Subject), 10)
	return string(strconv.AppendUint(append(b, '.'), uint64(c.Detail), 10))
}

// MarshalText implements [encoding.TextMarshaler].
func (c Code) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Code) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*c = Code{}
		return nil
	}
	*c, err = ParseCode(string(b))
	return err
}

// IsVague reports whether the code says no more than its class: x.0.0, and
// x.7.0 and x.7.1, which servers use for anything.
func (c Code) IsVague() bool {
	return c.Subject == 0 && c.Detail == 0 || c.Subject == 7 && c.Detail <= 1
}

// Name returns the registered meaning of the code in a few words, or "" when it
// is not registered.
func (c Code) Name() string { return c.entry().name }

// Source returns the RFC that registers the code, or "".
func (c Code) Source() string { return c.entry().rfc }

func (c Code) entry() codeEntry {
	if c.Class == 0 {
		return codeEntry{}
	}
	for _, e := range codes {
		if e.subject == c.Subject && e.detail == c.Detail {
			return e
		}
	}
	return codeEntry{}
}

// codeEntry is a row of the IANA registry of enhanced status codes. Reason is
// what the code alone says; none where it says too little, or where receivers
// use it for several things.
type codeEntry struct {
	subject, detail uint16
	name            string
	rfc             string
	reason          Reason
}

// codes is the registry as of 2026-11: every code but the headings of whole
// classes and subjects.
var codes = []codeEntry{
	{0, 0, "other or undefined status", "RFC 3463", ""},
	{1, 0, "other address status", "RFC 3463", ""},
	{1, 1, "no such mailbox", "RFC 3463", UnknownRecipient},
	{1, 2, "the recipient's system does not exist", "RFC 3463", UnknownDomain},
	{1, 3, "malformed recipient address", "RFC 3463", RecipientSyntax},
	{1, 4, "ambiguous recipient address", "RFC 3463", UnknownRecipient},
	{1, 5, "valid recipient address", "RFC 3463", ""},
	{1, 6, "the mailbox moved, no forwarding address", "RFC 3463", Moved},
	{1, 7, "malformed sender address", "RFC 3463", SenderUnknown},
	{1, 8, "the sender's system does not exist or takes no replies", "RFC 3463", SenderUnknown},
	{1, 9, "relayed to a mailer that reports nothing", "RFC 3886", ""},
	{1, 10, "the recipient's domain has a null MX", "RFC 7505", ""}, // Exchange means an unknown recipient; reply 556 tells them apart
	{2, 0, "other mailbox status", "RFC 3463", ""},
	{2, 1, "the mailbox is disabled", "RFC 3463", MailboxDisabled},
	{2, 2, "the mailbox is full", "RFC 3463", MailboxFull},
	{2, 3, "too big for the mailbox", "RFC 3463", MessageTooBig},
	{2, 4, "mailing list expansion failed", "RFC 3463", System},
	{3, 0, "other mail system status", "RFC 3463", System},
	{3, 1, "the mail system is full", "RFC 3463", System},
	{3, 2, "the system takes no mail", "RFC 3463, RFC 7504", System},
	{3, 3, "the system lacks a feature", "RFC 3463", System},
	{3, 4, "too big for the system", "RFC 3463", MessageTooBig},
	{3, 5, "the system is misconfigured", "RFC 3463", System},
	{3, 6, "the priority was changed", "RFC 6710", ""},
	{4, 0, "other network or routing status", "RFC 3463", Network},
	{4, 1, "no answer from the host", "RFC 3463", Network},
	{4, 2, "the connection broke", "RFC 3463", Network},
	{4, 3, "directory or DNS failure", "RFC 3463", DNSFailure},
	{4, 4, "no route to the recipient", "RFC 3463", UnknownDomain},
	{4, 5, "the system is congested", "RFC 3463", System},
	{4, 6, "routing loop", "RFC 3463", Loop},
	{4, 7, "delivery time expired", "RFC 3463", Expired},
	{5, 0, "other protocol status", "RFC 3463", ""},
	{5, 1, "invalid command", "RFC 3463", Protocol},
	{5, 2, "syntax error", "RFC 3463", Protocol},
	{5, 3, "too many recipients", "RFC 3463", TooManyRecipients},
	{5, 4, "invalid command arguments", "RFC 3463", Protocol},
	{5, 5, "wrong protocol version", "RFC 3463", Protocol},
	{5, 6, "authentication line too long", "RFC 4954", Protocol},
	{6, 0, "other content status", "RFC 3463", MessageFormat},
	{6, 1, "media type not supported", "RFC 3463", Attachment},
	{6, 2, "conversion required and prohibited", "RFC 3463", MessageFormat},
	{6, 3, "conversion required and not supported", "RFC 3463", MessageFormat},
	{6, 4, "converted with loss", "RFC 3463", ""},
	{6, 5, "conversion failed", "RFC 3463", MessageFormat},
	{6, 6, "the content could not be fetched", "RFC 4468", MessageFormat},
	{6, 7, "international addresses not permitted", "RFC 6531", EAI},
	{6, 8, "UTF-8 reply required", "RFC 6531", EAI},
	{6, 9, "UTF-8 headers cannot be passed on", "RFC 6531", EAI},
	{6, 10, "UTF-8 reply required (duplicate of x.6.8)", "RFC 6531", EAI},
	{7, 0, "other security status", "RFC 3463", ""},
	{7, 1, "not authorised, message refused", "RFC 3463", ""},
	{7, 2, "posting to this list is not allowed", "RFC 3463", RecipientPolicy},
	{7, 3, "security conversion impossible", "RFC 3463", TLS},
	{7, 4, "security features not supported", "RFC 3463", TLS},
	{7, 5, "cryptographic failure", "RFC 3463", TLS},
	{7, 6, "cryptographic algorithm not supported", "RFC 3463", TLS},
	{7, 7, "message integrity failure", "RFC 3463", MessageFormat},
	{7, 8, "login refused", "RFC 4954", AuthFailed},
	{7, 9, "login mechanism too weak", "RFC 4954", AuthFailed},
	{7, 10, "encryption needed", "RFC 5248", TLS},
	{7, 11, "encryption required for this login mechanism", "RFC 4954", TLS},
	{7, 12, "a password transition is needed", "RFC 4954", AuthFailed},
	{7, 13, "the submitting account is disabled", "RFC 5248", AccountSuspended},
	{7, 14, "trust relationship required", "RFC 4468", AuthFailed},
	{7, 15, "priority too low", "RFC 6710", PolicyRefusal},
	{7, 16, "too big for its priority", "RFC 6710", MessageTooBig},
	{7, 17, "the mailbox has another owner", "RFC 7293", MailboxDisabled},
	{7, 18, "the domain has another owner", "RFC 7293", MailboxDisabled},
	{7, 19, "ownership could not be checked", "RFC 7293", System},
	{7, 20, "no passing DKIM signature", "RFC 7372", DKIMFailed},
	{7, 21, "no acceptable DKIM signature", "RFC 7372", DKIMFailed},
	{7, 22, "no DKIM signature of the author's domain", "RFC 7372", DKIMFailed},
	{7, 23, "SPF validation failed", "RFC 7372", SPFFailed},
	{7, 24, "SPF validation error", "RFC 7372", SPFFailed},
	{7, 25, "reverse DNS validation failed", "RFC 7372", PTR},
	{7, 26, "several authentication checks failed", "RFC 7372", Unauthenticated},
	{7, 27, "the sender's domain has a null MX", "RFC 7505", SenderUnknown},
	{7, 28, "mail flood", "IANA registry", RateLimited},
	{7, 29, "ARC validation failed", "RFC 8617", ARCFailed},
	{7, 30, "REQUIRETLS support required", "RFC 8689", TLS},
}
