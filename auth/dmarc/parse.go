package dmarc

import (
	"fmt"
	"net/url"
	"strings"
)

// A Policy is what a domain asks receivers to do with mail that fails (RFC 9989,
// section 4.7). The zero value means that nothing is asked.
type Policy string

// The policies, the mildest first.
const (
	PolicyNone Policy = "none"
	Quarantine Policy = "quarantine"
	Reject     Policy = "reject"
)

// strength orders policies; one that is absent or unknown is -1.
func (p Policy) strength() int {
	switch p {
	case PolicyNone:
		return 0
	case Quarantine:
		return 1
	case Reject:
		return 2
	}
	return -1
}

// lower is the policy one level below, which t=y asks for.
func (p Policy) lower() Policy {
	if p == Reject {
		return Quarantine
	}
	return PolicyNone
}

// A Record is a DMARC record, read. What it does not state has the default of RFC
// 9989, section 4.7; a fault costs its tag alone, except in p, sp and np.
type Record struct {
	Text        string
	Tags        []Tag
	Policy      Policy // p; "" where it is absent or invalid
	Subdomain   Policy // sp; "" likewise
	NonExistent Policy // np; "" likewise
	Testing     bool   // t=y
	PSD         string // "y", "n" or "u"
	StrictDKIM  bool   // adkim=s
	StrictSPF   bool   // aspf=s
	RUA, RUF    []URI
	FO          string
	Faults      []Fault

	badRequest bool // p, sp or np is there and invalid
}

// A Tag is one "name=value", with where it stands in the record, in bytes.
type Tag struct {
	Name       string // in lower case
	Value      string
	Start, End int
}

// A URI is a destination of reports.
type URI struct {
	Text       string // as written
	Scheme     string // in lower case
	Host       string // of a mailto: address, the domain, in lower case
	Valid      bool
	Start, End int
}

// A Fault is what is wrong in a record, with where, in bytes.
type Fault struct {
	Code       string // of the finding: "dmarc.syntax", "dmarc.removed-tag" …
	Start, End int
	What       string
	Effect     string // what receivers make of it
	Section    string // of RFC 9989
}

const version = "DMARC1"

// IsRecord reports whether a TXT record is one of DMARC: its first tag is "v" with
// exactly the value "DMARC1" (RFC 9989, sections 4.7 and 4.8).
func IsRecord(text string) bool {
	first, _, _ := strings.Cut(text, ";")
	name, value, ok := strings.Cut(first, "=")
	return ok && (strings.TrimRight(name, " \t") == "v" || strings.TrimRight(name, " \t") == "V") && strings.Trim(value, " \t") == version
}

// maxTags bounds what is read of a record; no more than eleven tags are known.
const maxTags = 64

// Parse reads the text of a record, its character-strings joined. It never fails:
// what is wrong is among the Faults.
func Parse(text string) *Record {
	r := &Record{Text: text, PSD: "u", FO: "0"}
	if !IsRecord(text) {
		r.fault("dmarc.syntax", 0, min(len(text), 8), "4.7", "receivers ignore the record", "the record does not begin with v=%s", version)
	}
	for at, n := 0, 0; at <= len(text) && n < maxTags; n++ {
		end := strings.IndexByte(text[at:], ';')
		if end < 0 {
			end = len(text) - at
		}
		r.tag(text[at:at+end], at, at+end == len(text))
		at += end + 1
	}
	return r
}

func (r *Record) fault(code string, start, end int, section, effect, format string, args ...any) {
	r.Faults = append(r.Faults, Fault{Code: code, Start: start, End: end, What: fmt.Sprintf(format, args...), Effect: effect, Section: section})
}

const tagIgnored = "receivers ignore the tag and take its default"

// tag reads what stands between two semicolons.
func (r *Record) tag(text string, at int, last bool) {
	trimmed := strings.TrimLeft(text, " \t")
	at += len(text) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, " \t")
	if trimmed == "" {
		if !last {
			r.fault("dmarc.syntax", at, at, "4.8", "receivers ignore it", "two semicolons with nothing between them")
		}
		return
	}
	name, value, ok := strings.Cut(trimmed, "=")
	t := Tag{Name: strings.ToLower(strings.TrimRight(name, " \t")), Value: strings.TrimLeft(value, " \t"), Start: at, End: at + len(trimmed)}
	switch {
	case !ok:
		r.fault("dmarc.syntax", t.Start, t.End, "4.8", "receivers ignore it", "%q is no tag: there is no \"=\"", clip(trimmed))
		return
	case !isName(t.Name):
		r.fault("dmarc.syntax", t.Start, t.End, "4.8", "receivers ignore it", "%q is no tag name", clip(t.Name))
		return
	case !printable(t.Value):
		r.fault("dmarc.syntax", t.Start, t.End, "4.8", tagIgnored, "the value of %s holds something else than printable ASCII", t.Name)
		return
	case t.Value == "":
		r.fault("dmarc.syntax", t.Start, t.End, "4.8", tagIgnored, "%s has no value", t.Name)
		return
	}
	for _, other := range r.Tags {
		if other.Name == t.Name {
			r.fault("dmarc.syntax", t.Start, t.End, "4.8", "receivers may take either; here the first counts", "%s stands twice", t.Name)
			return
		}
	}
	r.Tags = append(r.Tags, t)
	r.read(t)
}

func clip(s string) string { return s[:min(len(s), 40)] }

func isName(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return s != ""
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// read takes the value of one tag.
func (r *Record) read(t Tag) {
	value := strings.ToLower(t.Value)
	switch t.Name {
	case "v":
	case "p":
		r.Policy = r.request(t, value)
	case "sp":
		r.Subdomain = r.request(t, value)
	case "np":
		r.NonExistent = r.request(t, value)
	case "t":
		r.Testing = r.oneOf(t, value, "n", "y") == "y"
	case "psd":
		r.PSD = r.oneOf(t, value, "u", "y", "n")
	case "adkim":
		r.StrictDKIM = r.oneOf(t, value, "r", "s") == "s"
	case "aspf":
		r.StrictSPF = r.oneOf(t, value, "r", "s") == "s"
	case "rua":
		r.RUA = r.uris(t)
	case "ruf":
		r.RUF = r.uris(t)
	case "fo":
		if !validFO(value) {
			r.fault("dmarc.syntax", t.Start, t.End, "4.8", tagIgnored, "fo=%s: it takes 0 or 1, d and s, each once, with colons between", clip(t.Value))
			return
		}
		r.FO = value
	case "pct":
		r.fault("dmarc.removed-tag", t.Start, t.End, "A.6", "receivers by RFC 9989 apply the policy to all mail; older ones still apply it to that share", "pct=%s: the tag is removed. It said to what percentage of the failing mail the policy applies", clip(t.Value))
	case "rf":
		r.fault("dmarc.removed-tag", t.Start, t.End, "C.5.2", "nobody reads it", "rf=%s: the tag is removed. It named the format of failure reports, of which there was one", clip(t.Value))
	case "ri":
		r.fault("dmarc.removed-tag", t.Start, t.End, "C.5.2", "reports come once a day at least, whatever it says", "ri=%s: the tag is removed. It asked for an interval between aggregate reports, in seconds", clip(t.Value))
	default:
		r.fault("dmarc.unknown-tag", t.Start, t.End, "4.7", "receivers ignore it", "%s=%s: there is no such tag%s", clip(t.Name), clip(t.Value), likely(t.Name))
	}
}

// likely names the tag that was probably meant.
func likely(name string) string {
	for wrong, right := range map[string]string{"policy": "p", "aspd": "aspf", "afrf": "fo", "ruaa": "rua", "dkim": "adkim", "spf": "aspf"} {
		if name == wrong {
			return "; " + right + " may be meant"
		}
	}
	return ""
}

func (r *Record) request(t Tag, value string) Policy {
	if p := Policy(value); p.strength() >= 0 {
		return p
	}
	r.badRequest = true
	r.fault("dmarc.policy-invalid", t.Start, t.End, "4.10.1", "receivers take the whole record as p=none where it has a valid rua, and ignore it otherwise", "%s=%s: it takes none, quarantine or reject", t.Name, clip(t.Value))
	return ""
}

func (r *Record) oneOf(t Tag, value, byDefault string, others ...string) string {
	if value == byDefault {
		return value
	}
	for _, o := range others {
		if value == o {
			return value
		}
	}
	r.fault("dmarc.syntax", t.Start, t.End, "4.8", tagIgnored, "%s=%s: it takes %s or %s", t.Name, clip(t.Value), byDefault, strings.Join(others, " or "))
	return byDefault
}

// validFO: "0" or "1" at an end, "d" and "s", each once (RFC 9989, section 4.8).
func validFO(value string) bool {
	seen := map[string]bool{}
	for part := range strings.SplitSeq(value, ":") {
		part = strings.Trim(part, " \t")
		switch part {
		case "0", "1", "d", "s":
		default:
			return false
		}
		if seen[part] {
			return false
		}
		seen[part] = true
	}
	return !seen["0"] || !seen["1"]
}

// maxURIs bounds the destinations that are read and checked.
const maxURIs = 20

func (r *Record) uris(t Tag) []URI {
	var list []URI
	at := t.End - len(t.Value)
	for part := range strings.SplitSeq(t.Value, ",") {
		text := strings.Trim(part, " \t")
		start := at + strings.Index(part, text)
		at += len(part) + 1
		if len(list) == maxURIs {
			r.fault("dmarc.syntax", start, t.End, "4.7", "receivers may ignore the rest", "%s has more than %d destinations", t.Name, maxURIs)
			break
		}
		u := parseURI(text)
		u.Start, u.End = start, start+len(text)
		if size := strings.LastIndexByte(text, '!'); size >= 0 && u.Valid {
			r.fault("dmarc.removed-tag", u.Start+size, u.End, "C.4", "receivers ignore it", "%q: a limit of size behind a destination is obsolete", text[size:])
		}
		if !u.Valid {
			r.fault("dmarc.uri-invalid", u.Start, u.End, "4.7", "no reports go there", "%q in %s is no destination%s", clip(text), t.Name, addressHint(text))
		}
		list = append(list, u)
	}
	return list
}

func addressHint(text string) string {
	if strings.Contains(text, "@") && !strings.Contains(text, ":") {
		return ": \"mailto:\" is missing before the address"
	}
	return ""
}

func parseURI(text string) URI {
	u := URI{Text: text}
	bare := text
	if size := strings.LastIndexByte(text, '!'); size >= 0 {
		bare = text[:size]
	}
	parsed, err := url.Parse(bare)
	if err != nil || parsed.Scheme == "" {
		return u
	}
	u.Scheme = strings.ToLower(parsed.Scheme)
	u.Host = strings.ToLower(parsed.Hostname())
	if u.Scheme == "mailto" {
		address, _, _ := strings.Cut(parsed.Opaque, "?")
		at := strings.LastIndexByte(address, '@')
		if at <= 0 || at == len(address)-1 {
			return u
		}
		u.Host = strings.ToLower(strings.TrimSuffix(address[at+1:], "."))
	}
	u.Valid = u.Host != "" || parsed.Opaque != ""
	return u
}

// Acts says what policy the record stands for as a whole (RFC 9989, section
// 4.10.1): with no valid p, or a bad sp or np, it is p=none if reports can be sent,
// and no record otherwise.
func (r *Record) Acts() (instead Policy, ok bool) {
	if r.Policy != "" && !r.badRequest {
		return "", true
	}
	for _, u := range r.RUA {
		if u.Valid {
			return PolicyNone, true
		}
	}
	return "", false
}

// tagNamed returns the tag of a name, or nil.
func (r *Record) tagNamed(name string) *Tag {
	for i := range r.Tags {
		if r.Tags[i].Name == name {
			return &r.Tags[i]
		}
	}
	return nil
}
