// Package arc reads the ARC sets of a mail (RFC 8617) as evidence: what each system
// that handled the mail says it saw of SPF, DKIM and DMARC.
//
//	seen := arc.Read(message)
//	if first := seen.First(); first != nil {
//		fmt.Println(first.Server, first.Results) // mx.lists.example [spf=pass …]
//	}
//
// Nothing here is trusted: the signatures of the sets are not checked, and a set is
// worth no more than whoever sealed it. The package makes no sets. It is pure.
package arc

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/emersion/go-msgauth/authres"

	"github.com/rebound-mail/rebound/auth/internal/header"
	"github.com/rebound-mail/rebound/finding"
)

// maxSets is how many sets a chain may have (RFC 8617, section 4.2.1).
const maxSets = 50

// A Chain is the sets of a mail, the oldest first.
type Chain struct {
	Sets    []Set  `json:"sets"`
	Problem string `json:"problem,omitempty"` // why the sets make no chain (section 5.2)
}

// A Set is what one system added.
type Set struct {
	Instance int      `json:"instance"`
	Server   string   `json:"server"`           // the authserv-id of its results
	Domain   string   `json:"domain"`           // d= of its seal
	CV       string   `json:"cv"`               // what it says of the sets before: none, pass or fail
	Results  []Result `json:"results"`          // what it saw
	Line     int      `json:"line"`             // of the mail, where its results stand
	Text     string   `json:"text"`             // the value of ARC-Authentication-Results
	Signed   string   `json:"signed,omitempty"` // d= of its message signature
}

// A Result is one method's, such as spf=pass.
type Result struct {
	Method string `json:"method"`
	Value  string `json:"value"`
	About  string `json:"about,omitempty"` // the domain or address that it is about
}

// String returns the result as it is written: "spf=pass shop.example".
func (r Result) String() string {
	return strings.TrimSpace(r.Method + "=" + r.Value + " " + r.About)
}

// Read reads the sets in the header of a mail; nil where there are none.
func Read(raw []byte) *Chain { return read(header.Split(raw)) }

// fields are those of the set being read, with how often each was there.
type fields struct {
	Set
	results, signatures, seals int
}

func read(h *header.Header) *Chain {
	sets := map[int]*fields{}
	found, problem := false, ""
	for i := range h.Fields {
		f := &h.Fields[i]
		if !strings.HasPrefix(f.Name, "arc-") {
			continue
		}
		found = true
		n := instance(f)
		if n < 1 || n > maxSets {
			problem = fmt.Sprintf("line %d: a set has no number from 1 to %d", f.Line, maxSets)
			continue
		}
		s := sets[n]
		if s == nil {
			s = &fields{Set: Set{Instance: n}}
			sets[n] = s
		}
		s.add(f)
	}
	if !found {
		return nil
	}
	c := &Chain{Problem: problem}
	for n := 1; n <= maxSets; n++ {
		if s := sets[n]; s != nil {
			c.Sets = append(c.Sets, s.Set)
			c.check(s, n)
		}
	}
	return c
}

func (c *Chain) check(s *fields, n int) {
	say := func(text string) {
		if c.Problem == "" {
			c.Problem = text
		}
	}
	switch {
	case len(c.Sets) != n:
		say(fmt.Sprintf("set %d is missing", len(c.Sets)))
	case s.results != 1 || s.signatures != 1 || s.seals != 1:
		say(fmt.Sprintf("set %d has not exactly one of each of its three fields", n))
	case n == 1 && s.CV != "none":
		say("set 1 does not say cv=none")
	case n > 1 && s.CV != "pass":
		say(fmt.Sprintf("set %d says cv=%s: whoever sealed it found the chain broken", n, s.CV))
	}
}

func instance(f *header.Field) int {
	value := f.Value()
	if f.Name == "arc-authentication-results" {
		value, _, _ = strings.Cut(value, ";")
		value = strings.TrimPrefix(strings.ReplaceAll(value, " ", ""), "i=")
	} else {
		value = tag(value, "i")
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0
	}
	return n
}

// tag returns the value of a tag in a tag list.
func tag(list, name string) string {
	for part := range strings.SplitSeq(list, ";") {
		n, v, ok := strings.Cut(part, "=")
		if ok && strings.TrimSpace(n) == name {
			return strings.ReplaceAll(strings.TrimSpace(v), " ", "")
		}
	}
	return ""
}

func (s *fields) add(f *header.Field) {
	value := f.Value()
	switch f.Name {
	case "arc-authentication-results":
		s.results++
		_, text, _ := strings.Cut(value, ";")
		s.Line, s.Text = f.Line, strings.TrimSpace(text)
		server, rest, _ := strings.Cut(s.Text, ";")
		s.Server = strings.TrimSpace(server)
		s.Results = results(s.Server, rest)
	case "arc-message-signature":
		s.signatures++
		s.Signed = strings.ToLower(tag(value, "d"))
	case "arc-seal":
		s.seals++
		s.Domain, s.CV = strings.ToLower(tag(value, "d")), strings.ToLower(tag(value, "cv"))
	}
}

// maxResults bounds what is read of one set.
const maxResults = 50

// results reads the methods of an Authentication-Results value, one by one, so that
// one that cannot be read costs no other.
func results(server, text string) []Result {
	var list []Result
	for part := range strings.SplitSeq(text, ";") {
		if len(list) == maxResults {
			break
		}
		_, parsed, err := authres.Parse(server + "; " + strings.TrimSpace(part))
		if err != nil || len(parsed) != 1 {
			continue
		}
		list = append(list, result(parsed[0]))
	}
	return list
}

func result(parsed authres.Result) Result {
	switch r := parsed.(type) {
	case *authres.SPFResult:
		return Result{"spf", string(r.Value), cmp.Or(r.From, r.Helo)}
	case *authres.DKIMResult:
		return Result{"dkim", string(r.Value), cmp.Or(r.Domain, r.Identifier)}
	case *authres.DMARCResult:
		return Result{"dmarc", string(r.Value), r.From}
	case *authres.ARCResult:
		return Result{"arc", string(r.Value), ""}
	case *authres.IPRevResult:
		return Result{"iprev", string(r.Value), r.IP}
	case *authres.AuthResult:
		return Result{"auth", string(r.Value), r.Auth}
	case *authres.GenericResult:
		return Result{r.Method, string(r.Value), ""}
	}
	return Result{}
}

// First is the oldest set: what the first system that sealed saw, before anybody
// could change the mail. It is nil where there is none.
func (c *Chain) First() *Set {
	if c == nil || len(c.Sets) == 0 || c.Sets[0].Instance != 1 {
		return nil
	}
	return &c.Sets[0]
}

// Findings tells the chain in the common words; none for a mail without sets.
func (c *Chain) Findings() []finding.Finding {
	if c == nil {
		return nil
	}
	f := finding.Finding{Code: "arc.seen", Outcome: finding.Found, Severity: finding.Info, Source: "RFC 8617, section 5.2"}
	for _, s := range c.Sets {
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: finding.KindMessage, Source: fmt.Sprintf("ARC-Authentication-Results, line %d", s.Line), Text: s.Text})
	}
	if c.Problem != "" {
		f.Code, f.Fact = "arc.broken", "The ARC sets of the mail make no chain: "+c.Problem+"."
		f.Consequence = "Receivers take the mail as if it had none."
		return []finding.Finding{f}
	}
	set := c.First()
	f.Subject = set.Server
	f.Fact = fmt.Sprintf("%s, the first of %d that sealed the mail (%s), says that it saw: %s.", set.Server, len(c.Sets), set.Domain, set.saw())
	f.Consequence = "That is worth what the sealer is worth; its signature was not checked here."
	return []finding.Finding{f}
}

func (s *Set) saw() string {
	if len(s.Results) == 0 {
		return "nothing that can be read"
	}
	var parts []string
	for _, r := range s.Results {
		parts = append(parts, r.String())
	}
	return strings.Join(parts, ", ")
}
