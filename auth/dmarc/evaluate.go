package dmarc

import (
	"context"
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/resolve"
)

// A Code is a result of RFC 8601 for DMARC (RFC 9989, section 9.2).
type Code string

// The results.
const (
	Pass      Code = "pass"
	Fail      Code = "fail"
	None      Code = "none" // no policy applies
	TempError Code = "temperror"
	PermError Code = "permerror"
)

// An Identifier is a domain that SPF or DKIM was evaluated for. Result is the word
// of RFC 8601; only "pass" can align.
type Identifier struct {
	Domain string
	Result string
}

// An Input is what DMARC is evaluated on.
type Input struct {
	From string       // the domain of the From field
	SPF  Identifier   // of the envelope sender; of the HELO name where that is empty (RFC 7208, section 2.4)
	DKIM []Identifier // one for each signature
}

// A Result is what [Evaluate] found.
type Result struct {
	Result Code   `json:"result"`
	Why    string `json:"why"`
	*Discovery
	Alignments []Alignment `json:"alignments,omitempty"`
}

// An Alignment says how one authenticated domain compares with the From domain.
type Alignment struct {
	Method  string `json:"method"` // "spf" or "dkim"
	Domain  string `json:"domain"`
	Result  string `json:"result"`
	Strict  bool   `json:"strict"`
	Org     string `json:"org,omitempty"` // its organizational domain, where that was needed
	Aligned bool   `json:"aligned"`       // it passes and aligns
	Would   bool   `json:"would"`         // it would align if it passed
	Note    string `json:"note,omitempty"`
	Steps   []Step `json:"steps,omitempty"`

	unknown bool
}

// Evaluate finds the policy for a mail's From domain and whether the mail meets
// it.
func Evaluate(ctx context.Context, r resolve.Resolver, in Input) *Result {
	w := &walker{ctx: ctx, resolver: r}
	res := &Result{Discovery: w.lookup(in.From)}
	switch {
	case res.Failed && res.Record == nil:
		res.Result, res.Why = TempError, res.Problem
		return res
	case res.Record == nil && res.Org == "":
		res.Result, res.Why = PermError, res.Problem
		return res
	case res.Record == nil:
		res.Result, res.Why = None, res.Problem
		if res.Why == "" {
			res.Why = fmt.Sprintf("Neither %s nor a domain above it has a DMARC record.", res.Domain)
		}
		return res
	}
	if in.SPF.Domain != "" {
		res.Alignments = append(res.Alignments, w.align(res.Discovery, "spf", in.SPF, res.Record.StrictSPF))
	}
	for i, id := range in.DKIM {
		if i == maxIdentifiers {
			break
		}
		res.Alignments = append(res.Alignments, w.align(res.Discovery, "dkim", id, res.Record.StrictDKIM))
	}
	res.judge()
	return res
}

func (w *walker) align(d *Discovery, method string, id Identifier, strict bool) Alignment {
	a := Alignment{Method: method, Domain: id.Domain, Result: id.Result, Strict: strict}
	canonical, err := resolve.Name(id.Domain)
	if err != nil {
		a.Note = "the domain does not fit DNS"
		return a
	}
	a.Domain = canonical
	switch {
	case canonical == d.Domain:
		a.Would = true
	case strict:
		a.Note = "strict alignment asks for the same domain"
	case !related(canonical, d.Org):
		// An organizational domain is the name itself or above it: one that does
		// not lie below the author's cannot be the same.
		a.Note = "its organizational domain is another"
	default:
		a.Steps = w.walk(canonical)
		a.Org = organizational(canonical, a.Steps)
		a.Would = a.Org == d.Org
		for i := range a.Steps {
			// A record below the organizational domain could say psd=n; one above it
			// would be above both names.
			s := &a.Steps[i]
			a.unknown = a.unknown || !s.Answer.Status.Known() && s.Domain != a.Org && related(s.Domain, a.Org)
		}
		if !a.Would {
			a.Note = "its organizational domain is " + a.Org
		}
	}
	a.Aligned = a.Would && !a.unknown && id.Result == "pass"
	return a
}

// related reports whether a name is a domain or lies below it.
func related(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

func (res *Result) judge() {
	var unknown, temporary string
	for _, a := range res.Alignments {
		switch {
		case a.Aligned:
			res.Result = Pass
			res.Why = fmt.Sprintf("%s passed for %s, which aligns with %s.", strings.ToUpper(a.Method), a.Domain, res.Domain)
			return
		case a.unknown && a.Result == "pass":
			unknown = fmt.Sprintf("Whether %s of %s aligns could not be looked up.", strings.ToUpper(a.Method), a.Domain)
		case a.Would && a.Result == "temperror":
			temporary = fmt.Sprintf("%s of %s, which would align, ended in temperror.", strings.ToUpper(a.Method), a.Domain)
		}
	}
	// RFC 9989, section 5.3.6: where a needed question had no answer, the mail
	// neither passes nor fails.
	switch {
	case unknown != "":
		res.Result, res.Why = TempError, unknown
	case temporary != "":
		res.Result, res.Why = TempError, temporary
	case res.Failed:
		res.Result, res.Why = TempError, res.Problem
	default:
		res.Result, res.Why = Fail, "Nothing that passes aligns with "+res.Domain+": "+res.reasons()+"."
	}
}

// reasons says of each identifier why it does not count.
func (res *Result) reasons() string {
	if len(res.Alignments) == 0 {
		return "neither SPF nor DKIM was evaluated"
	}
	var parts []string
	for _, a := range res.Alignments {
		text := fmt.Sprintf("%s of %s is %s", strings.ToUpper(a.Method), a.Domain, a.Result)
		switch {
		case a.Result == "pass":
			text += ", but " + a.Note
		case !a.Would:
			text += ", and it would not align"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
