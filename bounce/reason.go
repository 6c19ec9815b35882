package bounce

// A Reason says why a recipient was refused. The zero value means that nothing
// was decided; [ReasonUnknown] that the text was read and says nothing.
type Reason string

// The reasons. Their JSON form is stable.
const (
	UnknownRecipient  Reason = "unknown-recipient" // no such mailbox
	RecipientSyntax   Reason = "recipient-syntax"  // the address itself is malformed
	UnknownDomain     Reason = "unknown-domain"    // the recipient's domain does not exist or takes no mail
	MailboxDisabled   Reason = "mailbox-disabled"  // the mailbox exists and is switched off
	Moved             Reason = "moved"             // the mailbox has another address now
	MailboxFull       Reason = "mailbox-full"      // the recipient's quota is used up
	MessageTooBig     Reason = "message-too-big"   // over a size limit
	TooManyRecipients Reason = "too-many-recipients"
	SpamContent       Reason = "spam-content"      // the content looks like spam
	URLReputation     Reason = "url-reputation"    // a link in the mail is on a list or suspect
	Attachment        Reason = "attachment"        // a forbidden kind of attachment
	Malware           Reason = "malware"           // a virus was found
	MessageFormat     Reason = "message-format"    // the mail breaks RFC 5322 or MIME
	SPFFailed         Reason = "spf"               // SPF refused the address
	DKIMFailed        Reason = "dkim"              // no acceptable DKIM signature
	DMARCFailed       Reason = "dmarc"             // the domain's DMARC policy
	ARCFailed         Reason = "arc"               // the ARC chain
	Unauthenticated   Reason = "unauthenticated"   // neither SPF nor DKIM
	PTR               Reason = "ptr"               // reverse DNS missing or not confirmed
	HELO              Reason = "helo"              // the name in HELO or EHLO
	SenderUnknown     Reason = "sender-unknown"    // the envelope sender or its domain does not exist
	SenderMismatch    Reason = "sender-mismatch"   // the login may not use this From
	DynamicIP         Reason = "dynamic-ip"        // dial-up or residential space
	IPListed          Reason = "ip-listed"         // the sending address is on a list
	DomainListed      Reason = "domain-listed"     // a domain of the sender is on a list
	IPReputation      Reason = "ip-reputation"     // the receiver's own opinion of the address
	DomainReputation  Reason = "domain-reputation" // the receiver's own opinion of the domain
	Compromised       Reason = "compromised"       // a hacked host or account
	OpenRelay         Reason = "open-relay"
	RateLimited       Reason = "rate-limited"      // too much mail or too many connections
	SenderQuota       Reason = "sender-quota"      // the sender's own account limit
	Greylisted        Reason = "greylisted"        // first contact: try again
	RecipientPolicy   Reason = "recipient-policy"  // the recipient or their system does not want this mail
	PolicyRefusal     Reason = "policy"            // the receiver's policy, without more
	RelayDenied       Reason = "relay-denied"      // this server does not take mail for that domain
	AuthRequired      Reason = "auth-required"     // log in first
	AuthFailed        Reason = "auth-failed"       // the login was refused
	AccountSuspended  Reason = "account-suspended" // the sender's account
	Network           Reason = "network"           // no connection, or it broke
	DNSFailure        Reason = "dns-failure"       // a temporary DNS failure
	TLS               Reason = "tls"
	Loop              Reason = "loop"                   // too many hops
	EAI               Reason = "eai"                    // an international address that the next hop cannot take
	Protocol          Reason = "protocol"               // the SMTP dialogue went wrong
	System            Reason = "system"                 // a fault of the receiving system
	Misconfigured     Reason = "receiver-misconfigured" // the receiver's own resolver or a list that it should not ask
	Expired           Reason = "expired"                // tried for days; nothing better is known
	Suppressed        Reason = "suppressed"             // the sender's own service holds the address back
	Vacation          Reason = "vacation"
	Receipted         Reason = "mdn"       // a read receipt
	Challenged        Reason = "challenge" // held until the sender confirms it
	Complaint         Reason = "complaint"
	ReasonUnknown     Reason = "unknown"
)

// A Category groups reasons by what is affected.
type Category string

// The categories. Their JSON form is stable.
const (
	BadRecipient    Category = "bad-recipient"
	BadDomain       Category = "bad-domain"
	MailboxInactive Category = "mailbox-inactive"
	FullMailbox     Category = "mailbox-full"
	TooBig          Category = "message-too-big"
	ContentRejected Category = "content-rejected"
	SenderAuth      Category = "sender-auth"
	SenderIdentity  Category = "sender-identity"
	Listed          Category = "listed"
	Reputation      Category = "reputation"
	Throttled       Category = "throttled"
	Greylisting     Category = "greylisted"
	RefusedByPolicy Category = "recipient-policy"
	Relaying        Category = "relay-denied"
	Transport       Category = "transport"
	ReceiverFault   Category = "receiver-fault"
	ExpiredInQueue  Category = "expired"
	Withheld        Category = "suppressed"
	NotABounce      Category = "not-a-bounce"
	Unclassified    Category = "unknown"
)

// A Response is what a sending program should do about a recipient.
type Response string

// The responses. Their JSON form is stable.
const (
	Suppress     Response = "suppress"      // stop mailing the address
	Retry        Response = "retry"         // the same again, later
	SlowDown     Response = "slow-down"     // less, and later
	FixSender    Response = "fix-sender"    // repair DNS, authentication or the server
	FixContent   Response = "fix-content"   // change the mail
	Delist       Response = "delist"        // get off a list
	AskRecipient Response = "ask-recipient" // only the recipient or their postmaster can help
	Ignore       Response = "ignore"        // nothing to do
)

// A Permanence says whether trying this delivery again can help. It is about
// the delivery; whether the address should be mailed again is
// [Recipient.Suppress].
type Permanence string

// The permanences. The zero value means that it is not known.
const (
	Permanent Permanence = "permanent"
	Temporary Permanence = "temporary"
	NoFailure Permanence = "none" // nothing failed
)

// trait is what follows from a reason.
type trait struct {
	reason    Reason
	category  Category
	response  Response
	addressee bool // a permanent refusal is a fault of the address
}

// traits follow facts of practice: which refusals are the address's own fault,
// and what a postmaster does about the others. Order is that of the constants.
var traits = []trait{
	{UnknownRecipient, BadRecipient, Suppress, true},
	{RecipientSyntax, BadRecipient, Suppress, true},
	{UnknownDomain, BadDomain, Suppress, true},
	{MailboxDisabled, MailboxInactive, Suppress, true},
	{Moved, MailboxInactive, Suppress, true},
	{MailboxFull, FullMailbox, Retry, false},
	{MessageTooBig, TooBig, FixContent, false},
	{TooManyRecipients, TooBig, FixContent, false},
	{SpamContent, ContentRejected, FixContent, false},
	{URLReputation, ContentRejected, FixContent, false},
	{Attachment, ContentRejected, FixContent, false},
	{Malware, ContentRejected, FixContent, false},
	{MessageFormat, ContentRejected, FixContent, false},
	{SPFFailed, SenderAuth, FixSender, false},
	{DKIMFailed, SenderAuth, FixSender, false},
	{DMARCFailed, SenderAuth, FixSender, false},
	{ARCFailed, SenderAuth, FixSender, false},
	{Unauthenticated, SenderAuth, FixSender, false},
	{PTR, SenderIdentity, FixSender, false},
	{HELO, SenderIdentity, FixSender, false},
	{SenderUnknown, SenderIdentity, FixSender, false},
	{SenderMismatch, SenderIdentity, FixSender, false},
	{DynamicIP, SenderIdentity, FixSender, false},
	{IPListed, Listed, Delist, false},
	{DomainListed, Listed, Delist, false},
	{IPReputation, Reputation, SlowDown, false},
	{DomainReputation, Reputation, SlowDown, false},
	{Compromised, Reputation, FixSender, false},
	{OpenRelay, Reputation, FixSender, false},
	{RateLimited, Throttled, SlowDown, false},
	{SenderQuota, Throttled, SlowDown, false},
	{Greylisted, Greylisting, Retry, false},
	{RecipientPolicy, RefusedByPolicy, AskRecipient, false},
	{PolicyRefusal, RefusedByPolicy, AskRecipient, false},
	{RelayDenied, Relaying, FixSender, false},
	{AuthRequired, Relaying, FixSender, false},
	{AuthFailed, Relaying, FixSender, false},
	{AccountSuspended, Relaying, FixSender, false},
	{Network, Transport, Retry, false},
	{DNSFailure, Transport, Retry, false},
	{TLS, Transport, Retry, false},
	{Loop, Transport, AskRecipient, false},
	{EAI, Transport, FixSender, false},
	{Protocol, Transport, FixSender, false},
	{System, ReceiverFault, Retry, false},
	{Misconfigured, ReceiverFault, AskRecipient, false},
	{Expired, ExpiredInQueue, Retry, false},
	{Suppressed, Withheld, Ignore, true},
	{Vacation, NotABounce, Ignore, false},
	{Receipted, NotABounce, Ignore, false},
	{Challenged, NotABounce, Ignore, false},
	{Complaint, NotABounce, Suppress, true},
	{ReasonUnknown, Unclassified, "", false},
}

func (r Reason) trait() trait {
	for _, t := range traits {
		if t.reason == r {
			return t
		}
	}
	return trait{reason: r, category: Unclassified}
}

// Known reports whether r is one of the constants.
func (r Reason) Known() bool {
	return r != "" && (r == ReasonUnknown || r.trait().category != Unclassified)
}

// Category returns the group of the reason.
func (r Reason) Category() Category { return r.trait().category }

// Response returns what a sender does about the reason in general; a
// [Recipient] says what fits its own case.
func (r Reason) Response() Response { return r.trait().response }

// OfAddress reports whether a permanent refusal for this reason is a fault of
// the recipient's address, so that it should not be mailed again. It is false
// for every fault of the sender, of the receiver and of the mail.
func (r Reason) OfAddress() bool { return r.trait().addressee }
