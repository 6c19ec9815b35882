package dkim

import "strings"

// A Cause is the one word for why a signature does not count. Those with a colon
// end in what they are about: "header-changed:subject".
type Cause string

// The causes.
const (
	KeyMissing          Cause = "key-missing"
	KeyRevoked          Cause = "key-revoked"
	KeySyntax           Cause = "key-syntax"
	KeyTruncated        Cause = "key-truncated"
	KeyVersion          Cause = "key-version"
	KeyTypeMismatch     Cause = "key-type-mismatch"
	KeyHashDisallowed   Cause = "key-hash-disallowed"
	KeyService          Cause = "key-service"
	KeyTooShort         Cause = "key-too-short"
	KeyTooLong          Cause = "key-too-long"
	KeyMultipleRecords  Cause = "key-multiple-records"
	KeyDNSTimeout       Cause = "key-dns-timeout"
	KeyDNSServFail      Cause = "key-dns-servfail"
	KeyMismatch         Cause = "key-mismatch"
	SigSyntax           Cause = "sig-syntax"
	SigVersion          Cause = "sig-version"
	SigMissingTag       Cause = "sig-missing-tag:"
	SigDuplicateTag     Cause = "sig-duplicate-tag"
	SigAlgorithm        Cause = "sig-algorithm"
	SigCanonicalization Cause = "sig-canonicalization"
	SigQueryMethod      Cause = "sig-query-method"
	SigExpired          Cause = "sig-expired"
	SigXBeforeT         Cause = "sig-x-before-t"
	SigFuture           Cause = "sig-future"
	AlgorithmSHA1       Cause = "algorithm-sha1"
	AUIDOutsideSDID     Cause = "auid-outside-sdid"
	AUIDNotSameDomain   Cause = "auid-not-same-domain"
	SDIDIsPublicSuffix  Cause = "sdid-is-public-suffix"
	FromNotSigned       Cause = "from-not-signed"
	MultipleFrom        Cause = "multiple-from"
	BodyLengthTag       Cause = "body-length-tag"
	BodyAppended        Cause = "body-appended"
	BodyPrepended       Cause = "body-prepended"
	BodyTruncated       Cause = "body-truncated"
	BodyChanged         Cause = "body-changed"
	BodyWhitespace      Cause = "body-whitespace"
	BodyReencoded       Cause = "body-reencoded"
	BodyHashMismatch    Cause = "body-hash-mismatch"
	HeaderChanged       Cause = "header-changed:"
	HeaderRemoved       Cause = "header-removed:"
	HeaderAdded         Cause = "header-added:"
	HeaderWhitespace    Cause = "header-whitespace:"
	Unsigned            Cause = "unsigned"
	SignatureInvalid    Cause = "signature-invalid"
	HeaderTooLarge      Cause = "header-too-large"
)

// kind returns the cause without what it is about.
func (c Cause) kind() Cause {
	if at := strings.IndexByte(string(c), ':'); at >= 0 {
		return c[:at+1]
	}
	return c
}

// about returns what stands behind the colon.
func (c Cause) about() string {
	_, name, _ := strings.Cut(string(c), ":")
	return name
}

// A Risk is the word for what is not wrong and may go wrong, or be abused.
type Risk string

// The risks.
const (
	RiskBodyLengthTag    Risk = "body-length-tag"    // l=: anybody may append to the body
	RiskUnsignedBodyTail Risk = "unsigned-body-tail" // and somebody did
	RiskClockSkew        Risk = "clock-skew"         // t= lies ahead
	RiskDuplicateSubject Risk = "duplicate-subject"
	RiskMultipleFrom     Risk = "multiple-from"
	RiskNotOversigned    Risk = "not-oversigned" // another From can be added
	RiskKeyTesting       Risk = "key-testing"    // t=y
	RiskKey1024          Risk = "rsa-key-1024"   // fewer than 2048 bits
	RiskUnsignedSubject  Risk = "unsigned-subject"
	RiskUnsignedHeader   Risk = "unsigned-header" // Date, To or another that RFC 6376, section 5.4.1, names
	RiskExpiresSoon      Risk = "expires-soon"
	RiskSimpleHeader     Risk = "simple-header" // breaks when a relay refolds a field
)
