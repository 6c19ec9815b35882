package auth

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/resolve"
)

// A Policy is a TXT record of MTA-STS, TLS-RPT or BIMI, read.
type Policy struct {
	Kind   string         `json:"kind"` // "mtasts", "tlsrpt" or "bimi"
	Name   string         `json:"name"` // of the record
	Answer resolve.Answer `json:"answer"`
	Texts  []string       `json:"records,omitempty"` // those that are of the kind
	Like   []string       `json:"like,omitempty"`    // those that look as if they were meant so
	Tags   []PolicyTag    `json:"-"`                 // of the one record
	Faults []PolicyFault  `json:"faults,omitempty"`
}

// A PolicyTag is one "name=value".
type PolicyTag struct {
	Name, Value string
	Start, End  int
}

// A PolicyFault is what is wrong in a record, with where, in bytes.
type PolicyFault struct {
	Start, End int
	What       string
}

// policyKind says how a record of a kind is read.
type policyKind struct {
	kind, prefix, version, source string
	known                         []string
	check                         func(*Policy)
}

// policyKinds are the records that are looked up beside SPF, DKIM and DMARC.
var policyKinds = []policyKind{
	{"mtasts", "_mta-sts.", "v=STSv1", "RFC 8461, section 3.1", []string{"id"}, checkSTS},
	{"tlsrpt", "_smtp._tls.", "v=TLSRPTv1", "RFC 8460, section 3", []string{"rua"}, checkTLSRPT},
	{"bimi", "default._bimi.", "v=BIMI1", "draft-brand-indicators-for-message-identification, section 4.3", []string{"l", "a", "avp", "lps", "s"}, checkBIMI},
}

func kindOf(name string) policyKind {
	for _, k := range policyKinds {
		if k.kind == name {
			return k
		}
	}
	return policyKind{}
}

// lookupPolicy looks up one of them for a domain.
func lookupPolicy(ctx context.Context, r resolve.Resolver, k policyKind, domain string) *Policy {
	p := &Policy{Kind: k.kind, Name: k.prefix + domain}
	p.Answer = r.Resolve(ctx, p.Name, resolve.TXT)
	for _, rec := range p.Answer.Records {
		text := txt.Join(rec.Strings)
		first, _, _ := strings.Cut(text, ";")
		switch {
		case strings.TrimRight(first, " \t") == k.version:
			p.Texts = append(p.Texts, text)
		case strings.HasPrefix(strings.ToLower(strings.ReplaceAll(text, " ", "")), "v="):
			p.Like = append(p.Like, text)
		}
	}
	if len(p.Texts) == 1 {
		p.read(p.Texts[0])
		k.check(p)
	}
	return p
}

// maxTags bounds what is read of a record.
const maxTags = 40

func (p *Policy) read(text string) {
	for at, n := 0, 0; at <= len(text) && n < maxTags; n++ {
		end := strings.IndexByte(text[at:], ';')
		if end < 0 {
			end = len(text) - at
		}
		part := strings.Trim(text[at:at+end], " \t")
		start := at + strings.Index(text[at:at+end], part)
		name, value, ok := strings.Cut(part, "=")
		if ok {
			p.Tags = append(p.Tags, PolicyTag{strings.TrimSpace(name), strings.TrimSpace(value), start, start + len(part)})
		} else if part != "" {
			p.fault(start, start+len(part), "%q is no field: there is no \"=\"", clip(part))
		}
		at += end + 1
	}
}

func (p *Policy) fault(start, end int, format string, args ...any) {
	p.Faults = append(p.Faults, PolicyFault{start, end, fmt.Sprintf(format, args...)})
}

func (p *Policy) tag(name string) *PolicyTag {
	for i := range p.Tags {
		if p.Tags[i].Name == name {
			return &p.Tags[i]
		}
	}
	return nil
}

// checkSTS: id is 1 to 32 letters and digits (RFC 8461, section 3.1).
func checkSTS(p *Policy) {
	id := p.tag("id")
	switch {
	case id == nil:
		p.fault(0, len(p.Texts[0]), "the field id= is missing")
	case len(id.Value) < 1 || len(id.Value) > 32 || strings.IndexFunc(id.Value, notAlphanumeric) >= 0:
		p.fault(id.Start, id.End, "id=%s: it takes 1 to 32 letters and digits", clip(id.Value))
	}
}

func notAlphanumeric(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
}

// checkTLSRPT: rua is a list of mailto: and https: (RFC 8460, section 3).
func checkTLSRPT(p *Policy) {
	rua := p.tag("rua")
	if rua == nil || rua.Value == "" {
		p.fault(0, len(p.Texts[0]), "the field rua= is missing: no reports can be sent")
		return
	}
	for uri := range strings.SplitSeq(rua.Value, ",") {
		uri = strings.TrimSpace(uri)
		u, err := url.Parse(uri)
		switch {
		case err != nil || u.Scheme != "mailto" && u.Scheme != "https":
			p.fault(rua.Start, rua.End, "%q is neither mailto: nor https:", clip(uri))
		case u.Scheme == "mailto" && !strings.Contains(u.Opaque, "@"), u.Scheme == "https" && u.Host == "":
			p.fault(rua.Start, rua.End, "%q has no destination", clip(uri))
		}
	}
}

// checkBIMI: l and a are https or empty; l ends in .svg (draft, section 4.3).
func checkBIMI(p *Policy) {
	l := p.tag("l")
	if l == nil {
		p.fault(0, len(p.Texts[0]), "the tag l= is missing")
		return
	}
	for _, t := range []*PolicyTag{l, p.tag("a")} {
		if t == nil || t.Value == "" {
			continue
		}
		u, err := url.Parse(t.Value)
		switch {
		case err != nil || u.Scheme != "https" || u.Host == "":
			p.fault(t.Start, t.End, "%s=%s: it takes one https: address", t.Name, clip(t.Value))
		case t.Name == "l" && !strings.HasSuffix(strings.ToLower(u.Path), ".svg") && !strings.HasSuffix(strings.ToLower(u.Path), ".svgz"):
			p.fault(t.Start, t.End, "l=%s: the image must be SVG", clip(t.Value))
		}
	}
	if a := p.tag("a"); l.Value == "" && a != nil && a.Value != "" {
		p.fault(l.Start, l.End, "l= is empty beside a=")
	}
}

// declined reports whether a BIMI record says that there is to be no logo (draft,
// section 4.3.1).
func (p *Policy) declined() bool {
	l, a := p.tag("l"), p.tag("a")
	return p.Kind == "bimi" && l != nil && l.Value == "" && (a == nil || a.Value == "")
}
