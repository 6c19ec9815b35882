// Package dkim answers whether the DKIM signatures of a mail are valid (RFC 6376,
// RFC 8301, RFC 8463), and where one is not, what broke it.
//
//	report := dkim.Verify(ctx, resolver, message, dkim.Options{})
//	for _, s := range report.Signatures {
//		fmt.Println(s.Result, s.Domain, s.Cause) // fail shop.example body-appended
//		fmt.Println(s.Why)                       // Line 14 and what follows it were added after signing: "-- ".
//	}
//
// The verdict is that of github.com/emersion/go-msgauth. Beside it stands this
// package's own reading of the signature, the key and the mail, which gives both
// verdicts, on the body and on the header, and looks for the change that undone
// makes the hash right again. A cause that such a hash proves is Proven; one that
// the mail only speaks for is not. Where the clock, a key's flags or a d= that is a
// public suffix decide, this package decides, for go-msgauth does not look at them.
//
// [ParseKey] and [LookupKey] look at a key without a mail, [Discover] looks for the
// selectors of a domain.
//
// What leaves the machine is DNS alone: the names of key records. The package reads
// no clock of its own where Options.Now is given.
package dkim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/rebound-mail/rebound/auth/internal/header"
	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/resolve"
)

const (
	// MaxSignatures is how many signatures of a mail are verified. RFC 6376,
	// section 6.1, lets a verifier stop; mail has seldom more than three.
	MaxSignatures = 8
	// maxMessage bounds what is read of a mail.
	maxMessage = 32 << 20
	// aheadSkew is how far t= may lie ahead before receivers may take offence;
	// aheadFuture when it is no longer a clock that is a little fast.
	aheadSkew   = time.Minute
	aheadFuture = 24 * time.Hour
)

// A Code is a result of RFC 8601, section 2.7.1, or [Untold].
type Code string

// The results.
const (
	Pass      Code = "pass"
	Fail      Code = "fail"
	None      Code = "none" // the mail has no signature
	TempError Code = "temperror"
	PermError Code = "permerror"
	Policy    Code = "policy"  // it verifies, and is of a kind that is not accepted
	Untold    Code = "unknown" // the header verifies, and the body is not there to check
)

// A Verdict is that on one half of a signature.
type Verdict string

// The verdicts. The zero value means that it could not be told.
const (
	Intact  Verdict = "intact"
	Altered Verdict = "altered"
)

// Options change what [Verify] does. The zero value is right for a whole mail.
type Options struct {
	Now        time.Time // the time of the check; zero is time.Now
	HeaderOnly bool      // the body is not there, as in a bounce that returns the header alone
}

// A Report is what [Verify] found: one result for each signature, from the top of
// the header; one result "none" for a mail without any.
type Report struct {
	Signatures []Result
	Skipped    int  // signatures beyond MaxSignatures, which were not looked at
	Cut        bool // the mail is longer than 32 MiB: what lies beyond was not read
}

// A Result is the verdict on one signature, and why.
type Result struct {
	Result   Code   `json:"result"`
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Cause    Cause  `json:"cause"` // the first of Causes; "" where nothing is wrong
	Risks    []Risk `json:"risks"`
	// Why says in one sentence what decided.
	Why    string  `json:"why"`
	Body   Verdict `json:"body,omitempty"`
	Header Verdict `json:"header,omitempty"`
	// Causes are all that is wrong, the root first.
	Causes    []Explanation  `json:"causes,omitempty"`
	AUID      string         `json:"auid,omitempty"`
	Algorithm string         `json:"algorithm,omitempty"`
	Bits      int            `json:"bits,omitempty"` // of the key
	Headers   []string       `json:"headers,omitempty"`
	Signature *Signature     `json:"-"`
	Key       *Key           `json:"-"` // nil where none was found
	KeyAnswer resolve.Answer `json:"key"`
	// Other says where go-msgauth sees it otherwise, and why this result stands.
	Other string `json:"other,omitempty"`

	peer int // its place in what go-msgauth answered
}

// An Explanation is one cause, with the text that shows it.
type Explanation struct {
	Cause  Cause  `json:"cause"`
	Proven bool   `json:"proven"` // undoing the change makes the hash right
	Says   string `json:"says"`   // one sentence
	Line   int    `json:"line,omitempty"`
	Offset int    `json:"offset,omitempty"` // in the body as received, in bytes
	Before string `json:"before,omitempty"` // a field as it was signed
	After  string `json:"after,omitempty"`  // and as it is; of a body, the beginning of what was added
}

// Verify checks the signatures of a mail. It never fails: what stood in the way is
// in the results.
func Verify(ctx context.Context, r resolve.Resolver, raw []byte, o Options) *Report {
	report := &Report{}
	if len(raw) > maxMessage {
		raw, report.Cut = raw[:maxMessage], true
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	v := &verifier{ctx: ctx, resolver: r, options: o, message: &message{header.Split(raw)}, keys: map[string]*keyAnswer{}}
	v.headerOnly = o.HeaderOnly
	at := v.message.All("dkim-signature")
	report.Skipped = max(0, len(at)-MaxSignatures)
	at = at[:len(at)-report.Skipped]
	if v.message.Large {
		report.Signatures = without(PermError, HeaderTooLarge, fmt.Sprintf("The header has more than %d octets or %d fields: it is not read.", header.MaxSize, header.MaxFields))
		return report
	}
	if len(at) == 0 {
		report.Signatures = without(None, Unsigned, "The mail has no DKIM signature.")
		return report
	}
	results := make([]Result, len(at))
	for i, index := range at {
		v.prepare(&results[i], v.message.Fields[index].Raw)
	}
	v.peer(raw, results)
	for i := range results {
		v.decide(&results[i])
	}
	report.Signatures = results
	return report
}

// without is the result of a mail whose signatures are not there to check.
func without(code Code, cause Cause, why string) []Result {
	return []Result{{Result: code, Cause: cause, Why: why, Risks: []Risk{}, Causes: []Explanation{{Cause: cause, Proven: true, Says: why}}}}
}

// verifier is one Verify in the making.
type verifier struct {
	ctx        context.Context
	resolver   resolve.Resolver
	options    Options
	message    *message
	headerOnly bool
	keys       map[string]*keyAnswer
	peerErrs   []error
	peerRan    bool
	bodies     map[string][]byte      // canonical, by how
	explained  map[string]Explanation // of the body, by canonicalization and hash
	budget     int                    // octets that the search for the body that was signed may still hash
}

type keyAnswer struct {
	answer resolve.Answer
	texts  []string
	key    *Key
	faults []Fault
}

// prepare reads the signature and its key: all that can be told without a hash.
func (v *verifier) prepare(res *Result, field string) {
	s := ParseSignature(field)
	res.Signature = s
	res.Domain, res.Selector, res.AUID, res.Algorithm, res.Headers = s.Domain, s.Selector, s.AUID, s.Algorithm, s.Headers
	faults := append(s.Faults, v.static(s)...)
	if s.Domain != "" && s.Selector != "" {
		k := v.key(s.Selector + "._domainkey." + s.Domain)
		res.KeyAnswer, res.Key = k.answer, k.key
		faults = append(faults, k.faults...)
		if k.key != nil {
			res.Bits = k.key.Bits
			if len(k.key.Faults) == 0 {
				faults = append(faults, k.key.allows(s)...)
			}
		}
	}
	for _, f := range order(faults) {
		res.Causes = append(res.Causes, Explanation{Cause: f.Cause, Proven: true, Says: sentence(f.What)})
	}
}

// static are the rules on a signature that need neither key nor hash.
func (v *verifier) static(s *Signature) []Fault {
	var faults []Fault
	add := func(c Cause, format string, args ...any) {
		faults = append(faults, Fault{Cause: c, What: fmt.Sprintf(format, args...)})
	}
	if at := strings.LastIndexByte(s.AUID, '@'); s.Domain != "" {
		host := strings.ToLower(s.AUID[at+1:])
		if at < 0 || host != s.Domain && !strings.HasSuffix(host, "."+s.Domain) {
			add(AUIDOutsideSDID, "i=%s does not lie under d=%s", clip(s.AUID), s.Domain)
		}
	}
	if suffix, icann := publicsuffix.PublicSuffix(s.Domain); s.Domain != "" && suffix == s.Domain && (icann || !strings.Contains(s.Domain, ".")) {
		add(SDIDIsPublicSuffix, "d=%s is a public suffix: nobody can speak for all below it", s.Domain)
	}
	if _, ok := tagValue(s.Tags, "h"); ok && !slices.Contains(s.Headers, "from") {
		add(FromNotSigned, "h= does not name From")
	}
	now := v.options.Now
	switch {
	case !s.Expires.IsZero() && !s.Time.IsZero() && !s.Expires.After(s.Time):
		add(SigXBeforeT, "x= (%s) does not lie after t= (%s)", stamp(s.Expires), stamp(s.Time))
	case !s.Expires.IsZero() && now.After(s.Expires):
		add(SigExpired, "the signature expired at %s", stamp(s.Expires))
	}
	return faults
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// rank orders faults: what makes the signature unreadable, then what forbids it,
// then the key.
var rank = map[Cause]int{SigDuplicateTag: 0, SigVersion: 1, SigMissingTag: 2, SigSyntax: 3, SigAlgorithm: 4, AlgorithmSHA1: 4, SigCanonicalization: 5, SigQueryMethod: 6, SDIDIsPublicSuffix: 7, AUIDOutsideSDID: 8, FromNotSigned: 9, SigXBeforeT: 10, SigExpired: 11}

const afterAll = 100

func order(faults []Fault) []Fault {
	slices.SortStableFunc(faults, func(a, b Fault) int { return rankOf(a) - rankOf(b) })
	return faults
}

func rankOf(f Fault) int {
	if r, ok := rank[f.Cause.kind()]; ok {
		return r
	}
	return afterAll
}

// key looks up a key record, once for each name.
func (v *verifier) key(name string) *keyAnswer {
	if k := v.keys[name]; k != nil {
		return k
	}
	k := lookupKey(v.ctx, v.resolver, name)
	v.keys[name] = k
	return k
}

// LookupKey looks up the key record of a selector. Key is nil where there is no one
// record to read; faults say why.
func LookupKey(ctx context.Context, r resolve.Resolver, domain, selector string) (key *Key, answer resolve.Answer, faults []Fault) {
	k := lookupKey(ctx, r, selector+"._domainkey."+domain)
	return k.key, k.answer, k.faults
}

func lookupKey(ctx context.Context, r resolve.Resolver, name string) *keyAnswer {
	k := &keyAnswer{answer: r.Resolve(ctx, name, resolve.TXT)}
	fault := func(c Cause, format string, args ...any) {
		k.faults = append(k.faults, Fault{Cause: c, What: fmt.Sprintf(format, args...)})
	}
	for _, rec := range k.answer.Records {
		k.texts = append(k.texts, txt.Join(rec.Strings))
	}
	switch {
	case k.answer.Status.Absent(), k.answer.Status == resolve.OK && len(k.texts) == 0:
		fault(KeyMissing, "there is no key record at %s (%s)", name, k.answer.Status)
	case errors.Is(k.answer.Err, resolve.ErrName):
		fault(KeyMissing, "the name of the key record does not fit DNS")
	case k.answer.Status == resolve.Timeout, k.answer.Status == resolve.Canceled:
		fault(KeyDNSTimeout, "the key record %s could not be looked up in time", name)
	case k.answer.Status != resolve.OK:
		fault(KeyDNSServFail, "the key record %s could not be looked up (%s)", name, k.answer.Status)
	case len(k.texts) > 1:
		fault(KeyMultipleRecords, "there are %d TXT records at %s; one is allowed", len(k.texts), name)
	default:
		k.key = ParseKey(k.texts[0])
		k.faults = append(k.faults, k.key.Faults...)
	}
	return k
}

// resultOf says which result each cause gives that needs no hash.
func resultOf(c Cause) Code {
	switch c.kind() {
	case KeyDNSTimeout, KeyDNSServFail:
		return TempError
	}
	return PermError
}

// decide puts everything together.
func (v *verifier) decide(res *Result) {
	static := len(res.Causes)
	peer := v.peerOf(res)
	switch {
	case static == 0 && v.peerRan && peer == nil:
		res.Result, res.Body, res.Header = Pass, Intact, Intact
	case v.checkable(res):
		v.verify(res)
	}
	switch {
	case static > 0:
		res.Result = resultOf(res.Causes[0].Cause)
	case res.Result == Pass:
	case res.Header == Intact && v.headerOnly:
		res.Result = Untold
	case res.Signature.Length >= 0 && res.Body == Intact && res.Header == Intact:
		res.Result = Policy
		res.Causes = append(res.Causes, v.lengthTag(res))
	case res.Body == Intact && res.Header == Intact:
		v.disagree(res, peer)
	default:
		res.Result = Fail
		if v.truncatedByLength(res) {
			res.Result = PermError
		}
	}
	v.lookFurther(res)
	res.Risks = v.risks(res)
	if len(res.Causes) > 0 {
		res.Cause, res.Why = res.Causes[0].Cause, res.Causes[0].Says
	}
	if res.Why == "" {
		res.Why = v.words(res)
	}
}

func (v *verifier) words(res *Result) string {
	switch res.Result {
	case Pass:
		return fmt.Sprintf("The signature of %s is valid: header and body are as they were signed.", res.Domain)
	case Untold:
		return fmt.Sprintf("The signed header is as %s signed it; the body is not there to check.", res.Domain)
	}
	return "The signature is not valid."
}

// disagree: go-msgauth refused what this package finds intact.
func (v *verifier) disagree(res *Result, peer error) {
	res.Result = Pass
	if peer != nil {
		res.Other = fmt.Sprintf("go-msgauth says %q. Header and body hash right and the key fits, so the signature counts as valid.", strings.TrimPrefix(peer.Error(), "dkim: "))
		if strings.Contains(peer.Error(), "expired") {
			res.Other = fmt.Sprintf("go-msgauth takes the signature as expired by the machine's clock. By the time of this check, %s, it is not.", stamp(v.options.Now))
		}
	}
}

// lookFurther adds what a valid signature may still be held to account for.
func (v *verifier) lookFurther(res *Result) {
	s := res.Signature
	if from := v.message.All("from"); len(from) > 1 && len(res.Causes) == 0 {
		if count(s.Headers, "from") <= len(from) {
			res.Causes = append(res.Causes, Explanation{Cause: MultipleFrom, Proven: true, Line: v.message.Fields[from[0]].Line, Says: fmt.Sprintf("The mail has %d From fields; the signature covers the lowest %d, and readers may show another.", len(from), min(count(s.Headers, "from"), len(from)))})
		}
	}
	if ahead := s.Time.Sub(v.options.Now); !s.Time.IsZero() && ahead > aheadFuture {
		res.Causes = append(res.Causes, Explanation{Cause: SigFuture, Proven: true, Says: fmt.Sprintf("The signature was made at %s by its own clock, which lies %s ahead.", stamp(s.Time), ahead.Round(time.Minute))})
	}
}

func count(list []string, s string) int {
	n := 0
	for _, l := range list {
		if l == s {
			n++
		}
	}
	return n
}

// sentence makes a sentence of words.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	first, rest, _ := strings.Cut(s, " ")
	if strings.ContainsAny(first, "=.@\"") {
		return s + "."
	}
	return strings.ToUpper(first[:1]) + first[1:] + " " + rest + "."
}

// Whole reports whether the body of a mail is as one of its signatures has it, to the end: of
// a mail that a bounce returned, that nothing was cut from it. It asks no DNS, and says
// nothing of who signed.
func Whole(raw []byte) bool {
	m := &message{header.Split(raw[:min(len(raw), maxMessage)])}
	if m.Large {
		return false
	}
	at := m.All("dkim-signature")
	sums := map[string][sha256.Size]byte{}
	for _, index := range at[:min(len(at), MaxSignatures)] {
		s := ParseSignature(m.Fields[index].Raw)
		if s.Length >= 0 || len(s.BodyHash) == 0 || s.Hash != "sha256" {
			continue
		}
		sum, ok := sums[s.BodyC]
		if !ok {
			sum = sha256.Sum256(canonicalBody(m.Body, s.BodyC))
			sums[s.BodyC] = sum
		}
		if bytes.Equal(sum[:], s.BodyHash) {
			return true
		}
	}
	return false
}
