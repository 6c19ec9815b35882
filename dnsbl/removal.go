package dnsbl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/finding"
)

// A Removal says how a target gets off one list.
type Removal struct {
	Result *Result
	List   *List // the part of the list that holds the entry, where it has parts
	// First is to be done before removal is asked for: an entry whose cause is
	// still there comes back, and some lists then keep it for longer.
	First []finding.Fix
	// Ask is the request itself, or what to wait for. Its URL shows the entry, or
	// takes the request.
	Ask     finding.Fix
	Who     string // who may ask: self, isp, operator, customer; automatic and nobody: asking does nothing; "" where that is not known
	Cost    string // "" where it is not known
	Expires string // when the entry ends by itself; "" where it is not known
}

// Removals returns what leads off the block lists of a report, in the order in
// which to go about it: the heaviest list first. A part of a list that is itself in
// the report is not told again.
func (r *Report) Removals() []Removal {
	var list []Removal
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status != Listed || res.Action != Block || r.tells(res) {
			continue
		}
		list = append(list, res.Removal())
	}
	return list
}

// tells reports whether another listing of the same target tells of this one too.
func (r *Report) tells(res *Result) bool {
	return slices.ContainsFunc(r.Results, func(whole Result) bool {
		return whole.Status == Listed && whole.Target == res.Target && whole.List != res.List && whole.List.Holds(res.List)
	})
}

// Removal returns what leads off the list, for the code of the entry. For a result
// that is no listing, as of a list that could not be asked, it holds the steps for
// all codes.
func (res *Result) Removal() Removal {
	c := Default()
	if c.ByID(res.List.ID) != res.List && res.catalogue != nil {
		c = res.catalogue
	}
	return c.Part(res).Removal(res.Target, res)
}

// Removal returns what leads a target off the list; res, which may be nil, is what
// the list says of it, or one that holds its entries.
func (l *List) Removal(t Target, res *Result) Removal {
	rm := Removal{Result: res, List: l, Who: l.Who, Cost: l.Cost}
	var codes []Code
	verify := ""
	if res != nil {
		codes = res.Codes
		if res.Answer.Name != "" {
			verify = "DNS answers NXDOMAIN for " + res.Answer.Name + "."
		}
	}
	rm.Ask = finding.Fix{Action: finding.Request, URL: l.RemovalURL, Verify: verify}
	rm.Expires = l.expiresFor(codes)
	steps := l.StepsFor(codes)
	for i, s := range steps {
		if i < len(steps)-1 {
			fix := finding.Fix{Action: finding.Edit, What: s.What}
			if strings.Contains(strings.ToLower(s.What), "look") {
				fix.Action, fix.URL = finding.Ask, l.LookupURL(t.String())
			} else if s.Who != "" && s.Who != "automatic" && s.Who != "nobody" {
				fix.Action, fix.URL = finding.Request, l.RemovalURL
			}
			rm.First = append(rm.First, fix)
			continue
		}
		rm.Who = cmp.Or(s.Who, l.Who)
		rm.Ask.What = s.What
	}
	if rm.Who == "automatic" || rm.Who == "nobody" {
		rm.Ask.Action = finding.Wait
	}
	switch {
	case rm.Ask.What != "":
	case rm.Who == "automatic":
		rm.Ask.What = fmt.Sprintf("Wait: %s takes the entry off by itself once its cause is gone.", l.Name)
	case l.RemovalURL != "":
		rm.Ask.What = fmt.Sprintf("Ask %s to remove the entry, after the cause is gone.", l.Name)
	default:
		rm.Ask.Action = finding.Ask
		rm.Ask.What = fmt.Sprintf("How %s removes entries is not known: ask its operator.", l.Name)
	}
	return rm
}

// expiresFor is when entries with these codes end: the clause that names their part, where
// the row tells it for each.
func (l *List) expiresFor(codes []Code) string {
	for clause := range strings.SplitSeq(l.Expires, "; ") {
		part, _, ok := strings.Cut(clause, " entries ")
		if ok && len(codes) > 0 && !slices.ContainsFunc(codes, func(c Code) bool { return c.Part() != part }) {
			return clause
		}
	}
	return l.Expires
}

// Fixes returns the steps in order.
func (rm Removal) Fixes() []finding.Fix { return append(slices.Clone(rm.First), rm.Ask) }

// Terms tells who may ask, what it costs and when the entry ends by itself, as far
// as it is known: "the provider of the address has to ask; free; ends by itself …".
func (rm Removal) Terms() []string {
	var terms []string
	if text := askers[rm.Who]; text != "" {
		terms = append(terms, text)
	}
	if rm.Cost != "" {
		terms = append(terms, "cost: "+rm.Cost)
	}
	if rm.Expires != "" {
		terms = append(terms, "entries: "+rm.Expires)
	}
	return terms
}

var askers = map[string]string{
	"self": "anyone who sends from there may ask", "isp": "the provider of the address has to ask", "operator": "the operator of the network has to ask",
	"customer": "customers of the list's operator may ask", "automatic": "asking does nothing, entries end by themselves", "nobody": "nobody can ask",
}
