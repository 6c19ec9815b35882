package dkim

import (
	"slices"
	"time"
)

// soon is how near the end of a signature's life counts as a risk: mail waits in
// queues for up to five days (RFC 5321, section 4.5.4.1).
const soon = 24 * time.Hour

// shouldSign are the fields that RFC 6376, section 5.4.1, names first and whose
// change alters what a reader sees. Subject has a word of its own.
var shouldSign = []string{"date", "to", "reply-to", "cc", "mime-version", "content-type"}

// risks are what may go wrong with a signature, valid or not.
func (v *verifier) risks(res *Result) []Risk {
	s := res.Signature
	list := []Risk{}
	if s.Headers == nil {
		return list
	}
	add := func(on bool, r Risk) {
		if on {
			list = append(list, r)
		}
	}
	m := v.message
	from, subjects := len(m.All("from")), len(m.All("subject"))
	add(s.Length >= 0, RiskBodyLengthTag)
	add(s.Length >= 0 && !v.headerOnly && res.Body == Intact && s.Length < int64(len(v.canonicalIf(s.Length >= 0, s.BodyC))), RiskUnsignedBodyTail)
	add(!s.Time.IsZero() && s.Time.Sub(v.options.Now) > aheadSkew, RiskClockSkew)
	add(subjects > 1, RiskDuplicateSubject)
	add(from > 1, RiskMultipleFrom)
	add(count(s.Headers, "from") <= from && slices.Contains(s.Headers, "from"), RiskNotOversigned)
	add(res.Key != nil && res.Key.Testing, RiskKeyTesting)
	add(res.Key != nil && res.Key.Type == "rsa" && res.Bits > 0 && res.Bits < goodRSA, RiskKey1024)
	add(subjects > 0 && !slices.Contains(s.Headers, "subject"), RiskUnsignedSubject)
	unsigned := false
	for _, name := range shouldSign {
		unsigned = unsigned || len(m.All(name)) > 0 && !slices.Contains(s.Headers, name)
	}
	add(unsigned, RiskUnsignedHeader)
	left := s.Expires.Sub(v.options.Now)
	add(!s.Expires.IsZero() && left > 0 && left < soon, RiskExpiresSoon)
	add(s.HeaderC == "simple", RiskSimpleHeader)
	return list
}

func (v *verifier) canonicalIf(on bool, how string) []byte {
	if !on {
		return nil
	}
	return v.canonical(how)
}
