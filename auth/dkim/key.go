package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

const (
	minBits = 1024 // RFC 8301, section 3.2: shorter keys do not count
	goodRSA = 2048 // and what it asks of signers
	maxBits = 16384
)

// A Key is a key record, read (RFC 6376, section 3.6.1). What is wrong in it is
// among the Faults.
type Key struct {
	Text     string
	Tags     []Tag
	Type     string   // k=: "rsa" or "ed25519"
	Hashes   []string // h=; nil allows all
	Services []string // s=; nil allows all
	Testing  bool     // t=y
	Strict   bool     // t=s
	Revoked  bool     // p= is empty
	Notes    string   // n=
	Public   crypto.PublicKey
	Bits     int
	Faults   []Fault
}

// ParseKey reads the text of a key record, its character-strings joined. It never
// fails.
func ParseKey(text string) *Key {
	k := &Key{Text: text, Type: "rsa"}
	var faults []Fault
	k.Tags, faults = parseTags(text, 0)
	for _, f := range faults {
		k.fault(KeySyntax, f.Start, f.End, "%s", f.What)
	}
	for i, t := range k.Tags {
		k.tag(i, t)
	}
	p, ok := tagValue(k.Tags, "p")
	switch {
	case len(k.Faults) > 0:
	case !ok:
		k.fault(KeySyntax, 0, len(text), "the tag p= is missing: there is no key in the record")
	case p == "":
		k.Revoked = true
		k.fault(KeyRevoked, 0, len(text), "p= is empty: the key is revoked")
	default:
		k.public(squeeze(p))
	}
	return k
}

func (k *Key) fault(c Cause, start, end int, format string, args ...any) {
	k.Faults = append(k.Faults, Fault{c, start, end, fmt.Sprintf(format, args...)})
}

func (k *Key) tag(i int, t Tag) {
	switch t.Name {
	case "v":
		switch {
		case t.Value == "DKIM1" && i == 0:
		case t.Value == "DKIM1":
			k.fault(KeySyntax, t.Start, t.End, "v=DKIM1 does not stand first")
		case strings.HasPrefix(strings.ToUpper(t.Value), "DKIM"):
			k.fault(KeyVersion, t.Start, t.End, "v=%s: the version is DKIM1", clip(t.Value))
		default:
			k.fault(KeySyntax, t.Start, t.End, "v=%s: this is no DKIM record", clip(t.Value))
		}
	case "k":
		k.Type = strings.ToLower(t.Value)
		if k.Type != "rsa" && k.Type != "ed25519" {
			k.fault(KeyTypeMismatch, t.Start, t.End, "k=%s: there are rsa and ed25519", clip(t.Value))
		}
	case "h":
		k.Hashes = strings.Split(strings.ToLower(squeeze(t.Value)), ":")
	case "s":
		k.Services = strings.Split(strings.ToLower(squeeze(t.Value)), ":")
	case "t":
		flags := strings.Split(strings.ToLower(squeeze(t.Value)), ":")
		k.Testing, k.Strict = slices.Contains(flags, "y"), slices.Contains(flags, "s")
	case "n":
		k.Notes = t.Value
	}
}

// public reads the key itself.
func (k *Key) public(p string) {
	at := slices.IndexFunc(k.Tags, func(t Tag) bool { return t.Name == "p" })
	start, end := k.Tags[at].Start, k.Tags[at].End
	der, err := base64.StdEncoding.DecodeString(p)
	if err != nil {
		der, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(p[:len(p)-len(p)%4], "="))
		if err != nil || k.Type != "rsa" || !cutShort(der) {
			k.fault(KeySyntax, start, end, "p= is no base64")
			return
		}
	}
	if k.Type == "ed25519" {
		k.ed25519(der, start, end)
		return
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		// Erratum 3017 of RFC 6376: the bare form is accepted too.
		public, err = x509.ParsePKCS1PublicKey(der)
	}
	key, ok := public.(*rsa.PublicKey)
	switch {
	case err != nil && cutShort(der):
		k.fault(KeyTruncated, start, end, "p= ends after %d of %d octets: the record was cut", len(der), derLength(der))
	case err != nil:
		k.fault(KeySyntax, start, end, "p= holds no public key")
	case !ok:
		k.fault(KeyTypeMismatch, start, end, "p= holds a key that is not RSA")
	default:
		k.Public, k.Bits = key, key.N.BitLen()
		if k.Bits < minBits {
			k.fault(KeyTooShort, start, end, "the key has %d bits; %d are the least that counts", k.Bits, minBits)
		}
		if k.Bits > maxBits {
			k.fault(KeyTooLong, start, end, "the key has %d bits; receivers are bound to read up to 4096, and here %d are read", k.Bits, maxBits)
		}
	}
}

func (k *Key) ed25519(der []byte, start, end int) {
	if len(der) != ed25519.PublicKeySize {
		k.fault(KeySyntax, start, end, "an Ed25519 key has %d octets, not %d (RFC 8463, section 4)", ed25519.PublicKeySize, len(der))
		return
	}
	k.Public, k.Bits = ed25519.PublicKey(der), 256
}

// cutShort reports whether the DER of a key says that it is longer than it is.
func cutShort(der []byte) bool { return derLength(der) > len(der) }

// derLength returns how long a DER sequence says that it is, or 0.
func derLength(der []byte) int {
	if len(der) < 2 || der[0] != 0x30 {
		return 0
	}
	if der[1] < 0x80 {
		return 2 + int(der[1])
	}
	n := int(der[1] & 0x7f)
	if n == 0 || n > 3 || len(der) < 2+n {
		return 0
	}
	length := 0
	for _, b := range der[2 : 2+n] {
		length = length<<8 | int(b)
	}
	return 2 + n + length
}

// allows reports what forbids the key for a signature (RFC 6376, section 6.1.2).
func (k *Key) allows(s *Signature) []Fault {
	var faults []Fault
	add := func(c Cause, format string, args ...any) {
		faults = append(faults, Fault{Cause: c, What: fmt.Sprintf(format, args...)})
	}
	if k.Type != s.KeyType {
		add(KeyTypeMismatch, "the signature is made with %s, the key is for %s", s.KeyType, k.Type)
	}
	if k.Hashes != nil && !slices.Contains(k.Hashes, s.Hash) {
		add(KeyHashDisallowed, "the key allows the hashes %s, not %s", strings.Join(k.Hashes, ", "), s.Hash)
	}
	if k.Services != nil && !slices.Contains(k.Services, "*") && !slices.Contains(k.Services, "email") {
		add(KeyService, "the key is for %s, not for email", strings.Join(k.Services, ", "))
	}
	if at := strings.LastIndexByte(s.AUID, '@'); k.Strict && !strings.EqualFold(s.AUID[at+1:], s.Domain) {
		add(AUIDNotSameDomain, "the key has t=s, and i= is of %s, not of %s itself", s.AUID[at+1:], s.Domain)
	}
	return faults
}
