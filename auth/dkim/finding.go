package dkim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// A causeRow says what a cause means for the mail and what to do about it. Texts may
// hold {d}, the signer's domain, {key}, the name of its key record, and {name}, the
// header field that the cause is about.
type causeRow struct {
	cause       Cause
	severity    finding.Severity
	consequence string
	action      string
	fix         string
	verify      string
	source      string
}

const (
	counts  = "The signature counts for nothing, and DMARC cannot pass by it."
	puzzled = "Receivers that see the same put the mail off or let the signature count for nothing."
	testOK  = "A test mail to a mailbox elsewhere shows dkim=pass for {d}."
	keyOK   = "A look-up of {key} TXT gives the new record, and a test mail shows dkim=pass."
)

// causeRows is the table of what is said about each cause.
var causeRows = []causeRow{
	{KeyMissing, finding.Critical, counts, finding.Publish, "Publish the public key of the signing server at {key}, or have the server sign with a selector that is published.", keyOK, "RFC 6376, section 6.1.2"},
	{KeyRevoked, finding.Critical, counts, finding.Edit, "Have the signing server use a selector whose key is not revoked, or publish the key at {key} again.", keyOK, "RFC 6376, section 3.6.1"},
	{KeySyntax, finding.Critical, counts, finding.Replace, "Publish the record at {key} anew, as the signing server's documentation gives it: v=DKIM1; k=rsa; p=… .", keyOK, "RFC 6376, section 3.6.1"},
	{KeyTruncated, finding.Critical, counts, finding.Replace, "Publish the whole key at {key}. A character-string holds 255 octets: split the record into several strings, each in quotes of its own.", keyOK, "RFC 6376, section 3.6.2.2; RFC 1035, section 3.3.14"},
	{KeyVersion, finding.Critical, counts, finding.Replace, "Begin the record at {key} with v=DKIM1.", keyOK, "RFC 6376, section 3.6.1"},
	{KeyTypeMismatch, finding.Critical, counts, finding.Replace, "Publish at {key} the key that the signing server uses, with its type in k=.", keyOK, "RFC 6376, section 6.1.2"},
	{KeyHashDisallowed, finding.Critical, counts, finding.Replace, "Take h= out of the record at {key}, or add sha256 to it.", keyOK, "RFC 6376, section 3.6.1"},
	{KeyService, finding.Critical, counts, finding.Replace, "Take s= out of the record at {key}, or add email to it; or have the server sign with another selector.", keyOK, "RFC 6376, section 3.6.1"},
	{KeyTooShort, finding.Critical, counts, finding.Replace, "Make a key of 2048 bits, publish it under a new selector, and have the server sign with that.", testOK, "RFC 8301, section 3.2"},
	{KeyTooLong, finding.Critical, "Few receivers read such a key.", finding.Replace, "Make a key of 2048 bits, publish it under a new selector, and have the server sign with that.", testOK, "RFC 8301, section 3.2"},
	{KeyMultipleRecords, finding.Critical, "Receivers take either record, or none.", finding.Remove, "Leave one TXT record at {key}, and move another key to a selector of its own.", "A look-up of {key} TXT gives one record.", "RFC 6376, section 3.6.2.2"},
	{KeyDNSTimeout, finding.Warning, puzzled, finding.Edit, "Look at the name servers of {d}: they do not answer for {key}.", "A look-up of {key} TXT gives the record at once.", "RFC 6376, section 6.1.2"},
	{KeyDNSServFail, finding.Warning, puzzled, finding.Edit, "Look at the name servers of {d}, and at its DNSSEC: they do not answer for {key}.", "A look-up of {key} TXT gives the record.", "RFC 6376, section 6.1.2"},
	{KeyMismatch, finding.Critical, counts, finding.Replace, "Publish at {key} the public half of the key that the server signs with. After a change of keys leave the old record for as long as mail may be under way, seven days.", keyOK, "RFC 6376, section 3.6.1"},
	{SigSyntax, finding.Critical, counts, finding.Edit, "Repair the signing software: its DKIM-Signature field cannot be read.", testOK, "RFC 6376, section 6.1.1"},
	{SigVersion, finding.Critical, counts, finding.Edit, "Have the signing software write v=1.", testOK, "RFC 6376, section 3.5"},
	{SigMissingTag, finding.Critical, counts, finding.Edit, "Have the signing software write the tag {name}=.", testOK, "RFC 6376, section 6.1.1"},
	{SigDuplicateTag, finding.Critical, counts, finding.Edit, "Have the signing software write each tag once.", testOK, "RFC 6376, section 3.2"},
	{SigAlgorithm, finding.Critical, counts, finding.Edit, "Have the server sign with rsa-sha256.", testOK, "RFC 6376, section 3.3"},
	{SigCanonicalization, finding.Critical, counts, finding.Edit, "Set the canonicalization to relaxed/relaxed.", testOK, "RFC 6376, section 3.4"},
	{SigQueryMethod, finding.Critical, counts, finding.Edit, "Have the signing software leave q= out, or write q=dns/txt.", testOK, "RFC 6376, section 3.5"},
	{SigExpired, finding.Critical, counts, finding.Edit, "Give signatures a longer life, seven days or more, or leave x= out; and see why the mail was under way so long.", testOK, "RFC 6376, section 3.5"},
	{SigXBeforeT, finding.Critical, counts, finding.Edit, "Have the signing software write x= later than t=.", testOK, "RFC 6376, section 3.5"},
	{SigFuture, finding.Warning, "Some receivers do not accept a signature from the future.", finding.Edit, "Set the clock of the signing server (NTP).", "t= of a new signature is the time of signing.", "RFC 6376, section 3.5"},
	{AlgorithmSHA1, finding.Critical, counts, finding.Edit, "Have the server sign with rsa-sha256 in place of rsa-sha1.", testOK, "RFC 8301, section 3.1"},
	{AUIDOutsideSDID, finding.Critical, counts, finding.Edit, "Have the signing software leave i= out, or name an address under {d}.", testOK, "RFC 6376, section 3.5"},
	{AUIDNotSameDomain, finding.Critical, counts, finding.Replace, "Take t=s out of the record at {key}, or have the software sign with i=@{d}.", testOK, "RFC 6376, section 3.6.1"},
	{SDIDIsPublicSuffix, finding.Critical, counts, finding.Edit, "Sign with the domain that you send from, not with {d}.", testOK, "RFC 6376, section 6.1.1"},
	{FromNotSigned, finding.Critical, counts, finding.Edit, "Have the software sign From (h=from:…).", testOK, "RFC 6376, section 5.4"},
	{MultipleFrom, finding.Critical, "Gmail and others refuse mail with more than one From field, and a reader may be shown a From that nobody signed.", finding.Edit, "Send one From field; have the signer name from twice in h=, so that another cannot be added.", "The mail has one From field.", "RFC 5322, section 3.6; RFC 6376, section 8.15"},
	{BodyLengthTag, finding.Warning, "Anybody on the way can add to the mail; many receivers do not accept such a signature.", finding.Edit, "Have the signing software leave l= out.", testOK, "RFC 6376, section 8.2"},
	{BodyAppended, finding.Warning, counts, finding.Edit, "Find who adds the text (a mailing list, a virus scanner, a disclaimer) and have it added before signing, or not to signed mail.", testOK, "RFC 6376, section 3.7"},
	{BodyPrepended, finding.Warning, counts, finding.Edit, "Find who adds the banner and have it added before signing; a receiver's own gateway should check signatures before it adds one.", testOK, "RFC 6376, section 3.7"},
	{BodyTruncated, finding.Warning, counts, finding.Edit, "Find where the mail is cut: a limit of size or a filter between the signer and the receiver.", testOK, "RFC 6376, section 3.7"},
	{BodyChanged, finding.Warning, counts, finding.Edit, "Sign last: after link rewriting, filters and templates, on the server that sends the mail out.", testOK, "RFC 6376, section 3.7"},
	{BodyWhitespace, finding.Warning, counts, finding.Edit, "Set the body canonicalization to relaxed, and write lines without spaces at their ends.", testOK, "RFC 6376, section 3.4.4"},
	{BodyReencoded, finding.Warning, counts, finding.Edit, "Send the mail in 7 bits (quoted-printable or base64) before signing: servers on the way encode 8-bit text anew.", testOK, "RFC 6376, section 5.3"},
	{BodyHashMismatch, finding.Warning, counts, finding.Edit, "Find what changes the DKIM-Signature field between the signer and the receiver.", testOK, "RFC 6376, section 3.5"},
	{HeaderChanged, finding.Warning, counts, finding.Edit, "Have {name} written before the mail is signed, and sign last; at a mailing list or gateway, leave it alone.", testOK, "RFC 6376, section 5.4"},
	{HeaderRemoved, finding.Warning, counts, finding.Edit, "Find what takes {name} out of signed mail; or write the field before signing.", testOK, "RFC 6376, section 5.4"},
	{HeaderAdded, finding.Warning, counts, finding.Edit, "Find what adds {name} to signed mail, and have it added before signing.", testOK, "RFC 6376, section 5.4.2"},
	{HeaderWhitespace, finding.Warning, counts, finding.Edit, "Set the header canonicalization to relaxed.", testOK, "RFC 6376, section 3.4.2"},
	{SignatureInvalid, finding.Warning, counts, finding.Edit, "Sign last, on the server that sends the mail out, and compare the mail there with what arrived.", testOK, "RFC 6376, section 6.1.3"},
	{Unsigned, finding.Critical, "Gmail, Yahoo and Outlook.com want DKIM of everybody who sends in bulk, and DMARC then rests on SPF alone.", finding.Edit, "Switch DKIM signing on at the server or service that sends, and publish its key.", "A test mail to a mailbox elsewhere shows dkim=pass.", "RFC 6376, section 1; Google, Email sender guidelines (2024-02)"},
	{HeaderTooLarge, finding.Critical, "Receivers refuse mail with such a header.", finding.Edit, "Find what writes so many header fields.", testOK, "RFC 6376, section 6.1"},
}

func rowOf(c Cause) causeRow {
	at := slices.IndexFunc(causeRows, func(r causeRow) bool { return r.cause == c.kind() })
	if at < 0 {
		return causeRow{cause: c, severity: finding.Warning, consequence: counts, source: "RFC 6376"}
	}
	return causeRows[at]
}

// Findings tells a report in the common words: one finding for each cause and each
// risk of every signature, "dkim.pass" for one that is valid.
func (r *Report) Findings() []finding.Finding {
	var list []finding.Finding
	for i := range r.Signatures {
		list = append(list, r.Signatures[i].Findings()...)
	}
	if r.Skipped > 0 {
		list = append(list, finding.Finding{
			Code: "dkim.too-many-signatures", Outcome: finding.Unknown, Severity: finding.Notice, Source: "RFC 6376, section 6.1",
			Fact:        fmt.Sprintf("The mail has %d DKIM signatures more than the %d that were checked.", r.Skipped, MaxSignatures),
			Consequence: "Receivers stop at some number too.",
			Fixes:       []finding.Fix{{Action: finding.Edit, What: "Sign once for the From domain, and once more at most for the service that sends.", Verify: "The mail has two signatures or fewer."}},
		})
	}
	return list
}

// Findings tells one result in the common words.
func (res *Result) Findings() []finding.Finding {
	var list []finding.Finding
	if res.Result == Pass || res.Result == Untold {
		f := finding.Finding{Code: "dkim." + string(res.Result), Outcome: finding.Clean, Subject: res.Domain, Fact: res.signatureIs(), Evidence: res.evidence(), Source: "RFC 6376, section 6"}
		if res.Result == Untold {
			f.Outcome, f.Severity = finding.Unknown, finding.Info
		}
		list = append(list, f)
	}
	for _, e := range res.Causes {
		list = append(list, res.finding(e))
	}
	for _, r := range res.Risks {
		if f, ok := res.risk(r); ok {
			list = append(list, f)
		}
	}
	return list
}

func (res *Result) signatureIs() string {
	if res.Result == Untold {
		return fmt.Sprintf("The header is as %s signed it; the body is not there to check.", res.Domain)
	}
	return fmt.Sprintf("The signature of %s (selector %s, %d bits) is valid.", res.Domain, res.Selector, res.Bits)
}

func (res *Result) evidence() []finding.Evidence {
	list := txt.Evidence(res.KeyAnswer)
	if res.Signature != nil {
		list = append(list, finding.Evidence{Kind: finding.KindMessage, Source: "DKIM-Signature", Text: strings.TrimRight(res.Signature.Field, "\r\n")})
	}
	return list
}

// keyName is the name of the key record.
func (res *Result) keyName() string { return res.Selector + "._domainkey." + res.Domain }

func (res *Result) fill(text, name string) string {
	if name != "" && name == strings.ToLower(name) && len(name) > 2 {
		name = canonicalName(name)
	}
	return strings.NewReplacer("{d}", cmp.Or(res.Domain, "the signing domain"), "{key}", res.keyName(), "{name}", name).Replace(text)
}

func (res *Result) finding(e Explanation) finding.Finding {
	row := rowOf(e.Cause)
	f := finding.Finding{
		Code: "dkim." + strings.TrimSuffix(string(e.Cause.kind()), ":"), Outcome: finding.Found, Severity: row.severity, Subject: res.Domain,
		Fact: e.Says, Consequence: row.consequence, Source: row.source, Evidence: res.evidence(),
	}
	if e.After != "" || e.Before != "" {
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: finding.KindMessage, Source: fmt.Sprintf("line %d", e.Line), Text: cmp.Or(e.After, e.Before)})
	}
	if e.Cause == KeyDNSTimeout || e.Cause == KeyDNSServFail {
		f.Outcome = finding.Unknown
	}
	fix := finding.Fix{Action: row.action, What: res.fill(row.fix, e.Cause.about()), Verify: res.fill(row.verify, e.Cause.about())}
	if record := res.Key.repaired(e.Cause); record != "" {
		fix.Record = &finding.Record{Name: res.keyName(), Type: resolve.TXT.String(), Old: txt.Quote(res.Key.Text), New: txt.Quote(record)}
	}
	f.Fixes = []finding.Fix{fix}
	return f
}

// riskRows say what each risk means.
var riskRows = []struct {
	risk        Risk
	severity    finding.Severity
	fact        string
	consequence string
	fix         string
	source      string
}{
	{RiskBodyLengthTag, finding.Warning, "The signature of {d} limits itself to part of the body (l=).", "Anybody on the way can add to the mail unseen.", "Have the signing software leave l= out.", "RFC 6376, section 8.2"},
	{RiskUnsignedBodyTail, finding.Warning, "The end of the body is not covered by the signature of {d}.", "It may be somebody else's.", "Have the signing software leave l= out.", "RFC 6376, section 8.2"},
	{RiskClockSkew, finding.Notice, "The signature of {d} bears a time that lies ahead.", "Some receivers do not accept it.", "Set the clock of the signing server (NTP).", "RFC 6376, section 3.5"},
	{RiskDuplicateSubject, finding.Warning, "The mail has more than one Subject field.", "Receivers refuse such mail, or show the one that is not signed.", "Send one Subject field.", "RFC 5322, section 3.6"},
	{RiskMultipleFrom, finding.Critical, "The mail has more than one From field.", "Gmail and others refuse such mail.", "Send one From field.", "RFC 5322, section 3.6"},
	{RiskNotOversigned, finding.Info, "The signature of {d} does not guard against a second From field.", "A From field that somebody adds does not break it.", "Name from twice in h= (OpenDKIM: OversignHeaders From).", "RFC 6376, section 8.15"},
	{RiskKeyTesting, finding.Notice, "The key at {key} says that DKIM is only being tried (t=y).", "Receivers may treat the mail as if it were not signed.", "Take t=y out of the record.", "RFC 6376, section 3.6.1"},
	{RiskKey1024, finding.Notice, "The key at {key} has fewer than 2048 bits.", "Some receivers weigh it less, and keys of that length can be broken by the well funded.", "Publish a key of 2048 bits under a new selector, and sign with that.", "RFC 8301, section 3.2"},
	{RiskUnsignedSubject, finding.Notice, "The signature of {d} does not cover Subject.", "Anybody on the way can change it.", "Have the signer sign Subject.", "RFC 6376, section 5.4.1"},
	{RiskUnsignedHeader, finding.Info, "The signature of {d} leaves out fields that readers see (Date, To, Cc, Reply-To, MIME-Version or Content-Type).", "Anybody on the way can change them.", "Have the signer sign them.", "RFC 6376, section 5.4.1"},
	{RiskExpiresSoon, finding.Notice, "The signature of {d} expires within a day.", "Mail that waits in a queue arrives with a signature that no longer counts.", "Give signatures a life of seven days or more.", "RFC 6376, section 3.5"},
	{RiskSimpleHeader, finding.Info, "The signature of {d} uses simple header canonicalization.", "A relay that refolds a field breaks it.", "Set the canonicalization to relaxed/relaxed.", "RFC 6376, section 3.4.1"},
}

func (res *Result) risk(r Risk) (finding.Finding, bool) {
	// Said already as a cause.
	if slices.ContainsFunc(res.Causes, func(e Explanation) bool { return string(e.Cause) == string(r) }) {
		return finding.Finding{}, false
	}
	for _, row := range riskRows {
		if row.risk != r {
			continue
		}
		fix := finding.Fix{Action: finding.Edit, What: res.fill(row.fix, ""), Verify: "The next mail's signature shows it."}
		if record := res.Key.withoutRisk(r); record != "" {
			fix.Action, fix.Record = finding.Replace, &finding.Record{Name: res.keyName(), Type: resolve.TXT.String(), Old: txt.Quote(res.Key.Text), New: txt.Quote(record)}
			fix.Verify = fmt.Sprintf("A look-up of %s TXT gives the new record.", res.keyName())
		}
		return finding.Finding{
			Code: "dkim." + string(r), Outcome: finding.Found, Severity: row.severity, Subject: res.Domain,
			Fact: res.fill(row.fact, ""), Consequence: row.consequence, Source: row.source, Evidence: res.evidence(), Fixes: []finding.Fix{fix},
		}, true
	}
	return finding.Finding{}, false
}

// repaired returns the record without what a cause is about; "" where that cannot be
// said.
func (k *Key) repaired(c Cause) string {
	if k == nil || k.Public == nil {
		return ""
	}
	switch c {
	case KeyHashDisallowed:
		return k.without("h")
	case KeyService:
		return k.without("s")
	case AUIDNotSameDomain:
		return k.without("t")
	case KeyVersion:
		return "v=DKIM1; " + k.without("v")
	}
	return ""
}

func (k *Key) withoutRisk(r Risk) string {
	if k == nil || r != RiskKeyTesting {
		return ""
	}
	return k.without("t")
}

// without writes the record again without one tag.
func (k *Key) without(name string) string {
	var parts []string
	for _, t := range k.Tags {
		if t.Name != name {
			parts = append(parts, t.Name+"="+squeeze(t.Value))
		}
	}
	return strings.Join(parts, "; ")
}

// KeyFindings tells what a key record is like, without a mail: the faults that
// [LookupKey] returned, and the risks of the key.
func KeyFindings(domain, selector string, k *Key, a resolve.Answer, faults []Fault) []finding.Finding {
	res := &Result{Domain: domain, Selector: selector, Key: k, KeyAnswer: a}
	var list []finding.Finding
	for _, f := range faults {
		found := res.finding(Explanation{Cause: f.Cause, Proven: true, Says: sentence(f.What)})
		if k != nil && f.End > 0 {
			found.Evidence = append(found.Evidence, finding.Evidence{Kind: finding.KindDNS, Source: res.keyName() + " TXT", Text: k.Text, Start: f.Start, End: f.End})
		}
		list = append(list, found)
	}
	if k == nil {
		return list
	}
	var risks []Risk
	if k.Testing {
		risks = append(risks, RiskKeyTesting)
	}
	if k.Type == "rsa" && k.Bits >= minBits && k.Bits < goodRSA {
		risks = append(risks, RiskKey1024)
	}
	for _, r := range risks {
		if f, ok := res.risk(r); ok {
			list = append(list, f)
		}
	}
	if len(faults) == 0 {
		list = append([]finding.Finding{{Code: "dkim.key", Outcome: finding.Clean, Subject: res.keyName(), Fact: fmt.Sprintf("%s holds a key for %s of %d bits.", res.keyName(), k.Type, k.Bits), Evidence: txt.Evidence(a), Source: "RFC 6376, section 3.6.1"}}, list...)
	}
	return list
}
