package dkim

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Signature is a DKIM-Signature field, read (RFC 6376, section 3.5). What is
// wrong in it is among the Faults; the rest is there.
type Signature struct {
	Field     string // as it stands in the header, folding and all
	Tags      []Tag
	Version   string // v=
	Algorithm string // a=, as "rsa-sha256"
	KeyType   string // its first half
	Hash      string // and its second
	Domain    string // d=, in lower case
	Selector  string // s=, in lower case
	AUID      string // i=; "@" and the domain where it is absent
	Headers   []string
	HeaderC   string // "simple" or "relaxed"
	BodyC     string
	Length    int64     // l=; -1 where it is absent
	Time      time.Time // t=
	Expires   time.Time // x=
	Query     []string
	BodyHash  []byte
	Data      []byte // b=
	Copied    []CopiedField
	Faults    []Fault
}

// A CopiedField is a header field as it was at signing (z=).
type CopiedField struct{ Name, Value string }

// A Tag is one "name=value" of a tag list, with where its value stands, in bytes.
type Tag struct {
	Name       string
	Value      string // without the space around it
	Start, End int
}

// A Fault is what is wrong with a signature or a key, by the cause that it gives.
type Fault struct {
	Cause      Cause
	Start, End int // in the field or record; both 0 for all of it
	What       string
}

// maxTags bounds a tag list; the standards define a dozen.
const maxTags = 64

// parseTags reads a tag list (RFC 6376, section 3.2) that begins at a column.
func parseTags(text string, at int) (tags []Tag, faults []Fault) {
	for n := 0; n < maxTags; n++ {
		end := strings.IndexByte(text[at:], ';')
		if end < 0 {
			end = len(text) - at
		}
		tags, faults = parseTag(text, at, at+end, tags, faults)
		at += end + 1
		if at > len(text) {
			break
		}
	}
	return tags, faults
}

func parseTag(text string, at, end int, tags []Tag, faults []Fault) ([]Tag, []Fault) {
	part := text[at:end]
	name, value, ok := strings.Cut(part, "=")
	trimmed := trimFWS(name)
	switch {
	case !ok && trimmed == "":
		return tags, faults
	case !ok || !isTagName(trimmed):
		return tags, append(faults, Fault{SigSyntax, at, end, fmt.Sprintf("%q is no tag", clip(trimFWS(part)))})
	}
	start := at + len(name) + 1
	start += len(value) - len(strings.TrimLeft(value, fws))
	t := Tag{Name: trimmed, Value: trimFWS(value), Start: start}
	t.End = t.Start + len(t.Value)
	for i := range tags {
		if tags[i].Name == t.Name {
			return tags, append(faults, Fault{SigDuplicateTag, at, end, fmt.Sprintf("the tag %s= stands twice", t.Name)})
		}
	}
	return append(tags, t), faults
}

const fws = " \t\r\n"

func trimFWS(s string) string { return strings.Trim(s, fws) }

func clip(s string) string { return s[:min(len(s), 40)] }

func isTagName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if !('a' <= c && c <= 'z' || i > 0 && ('0' <= s[i] && s[i] <= '9' || s[i] == '_')) {
			return false
		}
	}
	return s != ""
}

// squeeze takes all white space out of a value.
func squeeze(s string) string {
	if !strings.ContainsAny(s, fws) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(fws, r) {
			return -1
		}
		return r
	}, s)
}

func tagValue(tags []Tag, name string) (string, bool) {
	for i := range tags {
		if tags[i].Name == name {
			return tags[i].Value, true
		}
	}
	return "", false
}

// ParseSignature reads a DKIM-Signature field, its name and colon included. It
// never fails.
func ParseSignature(field string) *Signature {
	s := &Signature{Field: field, Length: -1, HeaderC: "simple", BodyC: "simple", Query: []string{"dns/txt"}}
	s.Tags, s.Faults = parseTags(field, strings.IndexByte(field, ':')+1)
	s.required()
	s.Version, _ = tagValue(s.Tags, "v")
	if v, ok := tagValue(s.Tags, "v"); ok && v != "1" {
		s.fault(SigVersion, "v", "v=%s: the version is 1", clip(v))
	}
	s.names()
	s.algorithms()
	s.times()
	s.hashes()
	return s
}

func (s *Signature) fault(c Cause, tag, format string, args ...any) {
	f := Fault{Cause: c, What: fmt.Sprintf(format, args...)}
	for i := range s.Tags {
		if s.Tags[i].Name == tag {
			f.Start, f.End = s.Tags[i].Start, s.Tags[i].End
		}
	}
	s.Faults = append(s.Faults, f)
}

// required: RFC 6376, section 3.5.
func (s *Signature) required() {
	for _, name := range []string{"v", "a", "b", "bh", "d", "h", "s"} {
		if value, ok := tagValue(s.Tags, name); !ok || value == "" {
			s.fault(SigMissingTag+Cause(name), name, "the tag %s= is missing", name)
		}
	}
}

func (s *Signature) names() {
	get := func(name string) string { v, _ := tagValue(s.Tags, name); return squeeze(v) }
	s.Domain = strings.TrimSuffix(strings.ToLower(get("d")), ".")
	s.Selector = strings.ToLower(get("s"))
	s.AUID = get("i")
	if s.AUID == "" {
		s.AUID = "@" + s.Domain
	}
	for name := range strings.SplitSeq(get("h"), ":") {
		if name != "" {
			s.Headers = append(s.Headers, strings.ToLower(name))
		}
	}
	if q := get("q"); q != "" {
		s.Query = strings.Split(q, ":")
		known := false
		for _, method := range s.Query {
			known = known || strings.EqualFold(method, "dns/txt") || strings.EqualFold(method, "dns")
		}
		if !known {
			s.fault(SigQueryMethod, "q", "q=%s: the one method is dns/txt", clip(q))
		}
	}
	s.copied(get("z"))
}

// maxCopied bounds the fields that z= holds.
const maxCopied = 100

func (s *Signature) copied(z string) {
	if z == "" {
		return
	}
	for part := range strings.SplitSeq(z, "|") {
		name, value, ok := strings.Cut(part, ":")
		if ok && len(s.Copied) < maxCopied {
			s.Copied = append(s.Copied, CopiedField{strings.ToLower(name), unquote(value)})
		}
	}
}

// unquote decodes dkim-quoted-printable (RFC 6376, section 2.11).
func unquote(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '=' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(c))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func (s *Signature) algorithms() {
	if a, ok := tagValue(s.Tags, "a"); ok {
		s.Algorithm = strings.ToLower(squeeze(a))
		s.KeyType, s.Hash, _ = strings.Cut(s.Algorithm, "-")
		switch s.Algorithm {
		case "rsa-sha256", "ed25519-sha256", "":
		case "rsa-sha1":
			s.fault(AlgorithmSHA1, "a", "a=rsa-sha1: SHA-1 is no longer accepted")
		default:
			s.fault(SigAlgorithm, "a", "a=%s: receivers know rsa-sha256 and ed25519-sha256", clip(s.Algorithm))
		}
	}
	c, ok := tagValue(s.Tags, "c")
	if !ok {
		return
	}
	header, body, both := strings.Cut(strings.ToLower(squeeze(c)), "/")
	if header != "" {
		s.HeaderC = header
	}
	if both {
		s.BodyC = body
	}
	for _, name := range []string{s.HeaderC, s.BodyC} {
		if name != "simple" && name != "relaxed" {
			s.fault(SigCanonicalization, "c", "c=%s: there are simple and relaxed", clip(c))
			return
		}
	}
}

func (s *Signature) times() {
	s.Time = s.seconds("t")
	s.Expires = s.seconds("x")
	if l, ok := tagValue(s.Tags, "l"); ok {
		n, err := strconv.ParseInt(squeeze(l), 10, 64)
		if err != nil || n < 0 {
			s.fault(SigSyntax, "l", "l=%s is no number of octets", clip(l))
			return
		}
		s.Length = n
	}
}

func (s *Signature) seconds(tag string) time.Time {
	v, ok := tagValue(s.Tags, tag)
	if !ok {
		return time.Time{}
	}
	// RFC 6376, section 3.5: up to 12 digits are to be accepted.
	n, err := strconv.ParseInt(squeeze(v), 10, 64)
	if err != nil || n < 0 || n > 999_999_999_999 {
		s.fault(SigSyntax, tag, "%s=%s is no time in seconds since 1970", tag, clip(v))
		return time.Time{}
	}
	return time.Unix(n, 0)
}

func (s *Signature) hashes() {
	s.BodyHash = s.base64("bh")
	s.Data = s.base64("b")
}

func (s *Signature) base64(tag string) []byte {
	v, ok := tagValue(s.Tags, tag)
	if !ok || v == "" {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(squeeze(v))
	if err != nil {
		s.fault(SigSyntax, tag, "%s= is no base64", tag)
		return nil
	}
	return data
}
