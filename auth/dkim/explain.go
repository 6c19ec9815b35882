package dkim

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// explain says what broke a signature that can be read and whose key is at hand.
func (v *verifier) explain(res *Result, o *oracle, d *signed, body []byte, bodySum [sha256.Size]byte, wrongKey bool) {
	add := func(e Explanation) { res.Causes = append(res.Causes, e) }
	if wrongKey {
		add(otherKey(res))
	}
	if res.Body == Altered && res.Header == Altered && !wrongKey {
		// The body may be whole, and bh= not.
		if e, ok := v.damagedBodyHash(res, o, d, bodySum); ok {
			res.Body = Intact // the header is not: the signature's own field is part of it
			add(e)
			return
		}
	}
	if res.Body == Altered {
		add(v.explainBody(res.Signature, body))
	}
	if res.Header == Altered && !wrongKey {
		add(v.explainHeader(res, o, d))
	}
}

// otherKey: the signature opens to nothing under the key that is published.
func otherKey(res *Result) Explanation {
	e := Explanation{Cause: KeyMismatch, Proven: true}
	key := res.Key.Public.(*rsa.PublicKey)
	name := res.Selector + "._domainkey." + res.Domain
	if bits := len(res.Signature.Data) * 8; bits != (key.N.BitLen()+7)/8*8 {
		e.Says = fmt.Sprintf("The signature was made with a key of %d bits; the one published at %s has %d: it was replaced, or the signer holds another.", bits, name, key.N.BitLen())
		return e
	}
	e.Says = fmt.Sprintf("The signature was not made with the key that is published at %s: the key was replaced, the signer holds another, or b= is damaged.", name)
	return e
}

// damagedBodyHash tries the signature's own field with the hash that the body has.
func (v *verifier) damagedBodyHash(res *Result, o *oracle, d *signed, bodySum [sha256.Size]byte) (Explanation, bool) {
	s := res.Signature
	old, ok := tagValue(s.Tags, "bh")
	if !ok || v.headerOnly {
		return Explanation{}, false
	}
	other := *d
	other.own = strings.Replace(d.own, canonicalValue(old, s.HeaderC), base64.StdEncoding.EncodeToString(bodySum[:]), 1)
	if !o.matches(other.sum()) {
		return Explanation{}, false
	}
	return Explanation{Cause: BodyHashMismatch, Proven: true, Says: "The body is as it was signed: bh= in the signature itself was damaged on the way.", Before: base64.StdEncoding.EncodeToString(bodySum[:]), After: squeeze(old)}, true
}

func canonicalValue(value, how string) string {
	if how != "relaxed" {
		return value
	}
	return strings.Join(strings.Fields(value), " ")
}

// truncatedByLength: l= says that the body was longer.
func (v *verifier) truncatedByLength(res *Result) bool {
	return !v.headerOnly && res.Signature.Length > int64(len(v.canonical(res.Signature.BodyC)))
}

// lengthTag: the signature is right as far as l= goes.
func (v *verifier) lengthTag(res *Result) Explanation {
	n := int64(len(v.canonical(res.Signature.BodyC))) - res.Signature.Length
	e := Explanation{Cause: BodyLengthTag, Proven: true, Says: "The signature covers the whole body, but by l=, which lets anybody append to it; receivers do not count it."}
	if n > 0 {
		e.Says = fmt.Sprintf("The signature covers the first %d octets of the body by l=; %d more follow, unsigned. Receivers do not count it.", res.Signature.Length, n)
	}
	return e
}
