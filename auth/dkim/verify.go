package dkim

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
)

// checkable reports whether hashes can be made and compared with the signature: its
// syntax, algorithm and canonicalization are known, and so is the key.
func (v *verifier) checkable(res *Result) bool {
	s, k := res.Signature, res.Key
	if k == nil || k.Public == nil || k.Bits > maxBits || s.BodyHash == nil || s.Data == nil || s.Hash != "sha256" || k.Type != s.KeyType {
		return false
	}
	return len(s.Headers)*len(v.message.Fields) <= maxPicks
}

// prefixSHA256 is the DigestInfo of SHA-256 before the digest (RFC 8017, section
// 9.2).
var prefixSHA256 = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// recovered opens an RSA signature with a public key and returns the digest that was
// signed; ok is false where another key signed, or the signature is damaged.
func recovered(key *rsa.PublicKey, data []byte) (digest []byte, ok bool) {
	size := (key.N.BitLen() + 7) / 8
	if len(data) != size {
		return nil, false
	}
	sig := new(big.Int).SetBytes(data)
	if sig.Cmp(key.N) >= 0 {
		return nil, false
	}
	block := new(big.Int).Exp(sig, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))
	at := bytes.IndexByte(block[1:], 0) + 1
	if block[0] != 0 || block[1] != 1 || at < 10 || len(bytes.Trim(block[2:at], "\xff")) > 0 {
		return nil, false
	}
	digest, ok = bytes.CutPrefix(block[at+1:], prefixSHA256)
	return digest, ok && len(digest) == sha256.Size
}

// oracle says whether a header hash is the one that was signed.
type oracle struct {
	digest []byte // RSA: the digest in the signature; nil where the key does not open it
	key    ed25519.PublicKey
	data   []byte
	asked  int
}

// maxEd25519 bounds the trials on an Ed25519 signature, each of which is a
// verification of some 50 µs.
const maxEd25519 = 1000

func (o *oracle) matches(sum [sha256.Size]byte) bool {
	if o.key == nil {
		return bytes.Equal(sum[:], o.digest)
	}
	if o.asked++; o.asked > maxEd25519 {
		return false
	}
	return ed25519.Verify(o.key, sum[:], o.data)
}

// verify gives both verdicts and, where one is bad, looks for why.
func (v *verifier) verify(res *Result) {
	s := res.Signature
	o := &oracle{data: s.Data}
	wrongKey := false
	switch key := res.Key.Public.(type) {
	case *rsa.PublicKey:
		digest, ok := recovered(key, s.Data)
		o.digest, wrongKey = digest, !ok
	case ed25519.PublicKey:
		o.key = key
	}
	var body []byte
	bodySum := sha256.Sum256(nil)
	if !v.headerOnly {
		body = v.canonical(s.BodyC)
		hashed := body
		if s.Length >= 0 && s.Length < int64(len(body)) {
			hashed = body[:s.Length]
		}
		bodySum = sha256.Sum256(hashed)
		res.Body = Altered
		if bytes.Equal(bodySum[:], s.BodyHash) && s.Length <= int64(len(body)) {
			res.Body = Intact
		}
	}
	d := v.message.signed(s)
	switch {
	case wrongKey:
		res.Header = Altered
	case o.matches(d.sum()):
		res.Header = Intact
	default:
		res.Header = Altered
	}
	if len(res.Causes) > 0 {
		return
	}
	v.explain(res, o, d, body, bodySum, wrongKey)
}

// canonical returns the canonical body, made once for each way.
func (v *verifier) canonical(how string) []byte {
	if b, ok := v.bodies[how]; ok {
		return b
	}
	if v.bodies == nil {
		v.bodies = map[string][]byte{}
	}
	v.bodies[how] = canonicalBody(v.message.Body, how)
	return v.bodies[how]
}
