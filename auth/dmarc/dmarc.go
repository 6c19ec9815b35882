// Package dmarc answers what the domain in a mail's From field asks of receivers
// (RFC 9989), and whether a mail meets it: which record applies and why, which of
// the authenticated domains align, and what happens to a mail that fails.
//
//	res := dmarc.Evaluate(ctx, resolver, dmarc.Input{
//		From: "news.shop.example",
//		SPF:  dmarc.Identifier{Domain: "esp.example", Result: "pass"},
//		DKIM: []dmarc.Identifier{{Domain: "shop.example", Result: "pass"}},
//	})
//	fmt.Println(res.Result, res.Policy) // pass reject
//	fmt.Println(res.Why)                // DKIM passed for shop.example, which aligns with news.shop.example.
//
// Records are found by the tree walk of RFC 9989, section 4.10; beside it stands
// what receivers find that still use the Public Suffix List of RFC 7489. [Lookup]
// finds a domain's record without a mail, [CheckReports] asks whether others accept
// its reports, [Parse] reads the text of a record and never fails.
//
// What leaves the machine is DNS alone: names that begin with "_dmarc." and end in
// the domain or its parents, the domain itself, and those of report destinations.
// The package reads no clock.
package dmarc

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/resolve"
)

// The limits of the tree walk (RFC 9989, section 4.10): a longer name is cut to
// seven labels after the first question, so that eight are asked at most.
const (
	maxLabels = 8
	cutTo     = 7
	// maxIdentifiers bounds the DKIM domains whose organizational domains are
	// looked for. RFC 9989 sets no limit; a mail has seldom more than three.
	maxIdentifiers = 8
)

// A Step is one question of a walk, and what it found.
type Step struct {
	Domain string         `json:"domain"` // without "_dmarc."
	Answer resolve.Answer `json:"answer"`
	Record *Record        `json:"-"` // the one record there
	Text   string         `json:"record,omitempty"`
	Note   string         `json:"note,omitempty"` // why there is no record, or why the walk ends here
}

// A Discovery is the record that applies to a domain, and how it was found.
type Discovery struct {
	Domain string `json:"domain"` // the author's, canonical
	Org    string `json:"org"`    // its organizational domain
	// Record is the record that applies, PolicyDomain where it was found; nil and
	// "" where none does.
	Record       *Record `json:"-"`
	Text         string  `json:"record,omitempty"`
	PolicyDomain string  `json:"policy_domain"`
	// Stated is the policy that the record states for this domain, by the tag Tag:
	// "p", "sp" or "np", or "default" where none of them says so.
	Stated Policy `json:"stated,omitempty"`
	Tag    string `json:"tag,omitempty"`
	// Policy is what receivers are asked to do: Stated, one level lower under t=y.
	Policy Policy `json:"policy"`
	// Problem says why the record could not be found out, "" if it could.
	Problem string `json:"problem,omitempty"`
	// Failed is set where DNS did not answer a question that was needed.
	Failed bool           `json:"failed,omitempty"`
	Steps  []Step         `json:"steps"`
	Exists resolve.Answer `json:"exists"` // whether the domain exists, where sp or np depends on it
	// PSL is what a receiver finds by the Public Suffix List (RFC 7489, section
	// 3.2).
	PSL PSL `json:"psl"`
}

// A PSL is the outcome of the older method of discovery.
type PSL struct {
	Org          string `json:"org"`
	PolicyDomain string `json:"policy_domain"`
	Policy       Policy `json:"policy"`
}

// walker remembers the answers of one evaluation.
type walker struct {
	ctx      context.Context
	resolver resolve.Resolver
	steps    []Step
}

// Lookup finds the record that applies to mail with a domain in its From field.
func Lookup(ctx context.Context, r resolve.Resolver, domain string) *Discovery {
	return (&walker{ctx: ctx, resolver: r}).lookup(domain)
}

func (w *walker) lookup(domain string) *Discovery {
	d := &Discovery{Domain: domain}
	canonical, err := resolve.Name(domain)
	if err != nil || canonical == "." {
		d.Problem = "The From domain does not fit DNS."
		return d
	}
	d.Domain = canonical
	path := w.walk(canonical)
	d.Steps = path
	d.Org = organizational(canonical, path)
	for i := range path {
		if !path[i].Answer.Status.Known() {
			d.Failed = true
			d.Problem = fmt.Sprintf("_dmarc.%s TXT could not be looked up (%s).", path[i].Domain, path[i].Answer.Status)
		}
	}
	w.choose(d, path)
	d.PSL = w.bySuffixList(canonical)
	return d
}

// choose applies the preference of RFC 9989, section 4.10.1: the author's own
// record, that of the organizational domain, that of the public suffix domain.
func (w *walker) choose(d *Discovery, path []Step) {
	at := -1
	for i := range path {
		switch {
		case !path[i].Answer.Status.Known():
			return // what would be nearer is not known
		case path[i].Record == nil:
		case path[i].Domain == d.Domain:
			at = i
		case path[i].Domain == d.Org, path[i].Record.PSD == "y" && i == len(path)-1:
			if at < 0 {
				at = i
			}
		}
		if at >= 0 && path[at].Domain == d.Domain {
			break
		}
	}
	if at < 0 {
		return
	}
	d.Failed, d.Problem = false, ""
	d.Record, d.Text, d.PolicyDomain = path[at].Record, path[at].Text, path[at].Domain
	w.policy(d)
}

// policy reads from the record what it asks for this domain.
func (w *walker) policy(d *Discovery) {
	instead, ok := d.Record.Acts()
	switch {
	case !ok:
		d.Problem = fmt.Sprintf("The record of %s states no valid policy and no address for reports: receivers ignore it.", d.PolicyDomain)
		d.Record, d.PolicyDomain = nil, ""
		return
	case instead != "":
		d.Stated, d.Tag, d.Policy = instead, "default", instead
		return
	}
	d.Stated, d.Tag = d.Record.Policy, "p"
	if d.PolicyDomain != d.Domain {
		w.below(d)
	}
	d.Policy = d.Stated
	if d.Record.Testing {
		d.Policy = d.Stated.lower()
	}
}

// below takes sp for a subdomain that exists and np for one that does not (RFC
// 9989, section 4.7); existence is the answer of DNS for the name itself (3.2.13).
func (w *walker) below(d *Discovery) {
	existing, tag := d.Record.Policy, "p"
	if d.Record.Subdomain != "" {
		existing, tag = d.Record.Subdomain, "sp"
	}
	d.Stated, d.Tag = existing, tag
	if d.Record.NonExistent == "" || d.Record.NonExistent == existing {
		return
	}
	d.Exists = w.resolver.Resolve(w.ctx, d.Domain, resolve.A)
	switch {
	case d.Exists.Status == resolve.NXDomain:
		d.Stated, d.Tag = d.Record.NonExistent, "np"
	case !d.Exists.Status.Known():
		d.Failed = true
		d.Problem = fmt.Sprintf("Whether %s exists, and so whether sp or np applies, could not be looked up (%s).", d.Domain, d.Exists.Status)
	}
}

// walk asks from a name up to the top (RFC 9989, section 4.10).
func (w *walker) walk(name string) []Step {
	path := make([]Step, 0, 4)
	labels := strings.Count(name, ".") + 1
	for n := name; ; {
		s := w.ask(n)
		if s.Record != nil && s.Record.PSD != "u" {
			s.Note = "psd=" + s.Record.PSD + ": the walk ends here"
			return append(path, s)
		}
		path = append(path, s)
		drop := 1
		if len(path) == 1 && labels > maxLabels {
			drop = labels - cutTo
		}
		for range drop {
			_, rest, ok := strings.Cut(n, ".")
			if !ok {
				return path
			}
			n = rest
		}
	}
}

// ask asks for the record of one name, once.
func (w *walker) ask(name string) Step {
	for i := range w.steps {
		if w.steps[i].Domain == name {
			return w.steps[i]
		}
	}
	s := Step{Domain: name, Answer: w.resolver.Resolve(w.ctx, "_dmarc."+name, resolve.TXT)}
	found := 0
	for i := range s.Answer.Records {
		if text := txt.Join(s.Answer.Records[i].Strings); IsRecord(text) {
			found++
			s.Text = text
		}
	}
	switch {
	case s.Answer.Err != nil && s.Answer.Status == resolve.Other && len(name) > 253-len("_dmarc."):
		s.Answer.Status, s.Note = resolve.NXDomain, "the name with _dmarc. before it does not fit DNS"
	case found == 1:
		s.Record = Parse(s.Text)
	case found > 1:
		s.Text, s.Note = "", fmt.Sprintf("%d records: none of them counts", found)
	}
	w.steps = append(w.steps, s)
	return s
}

// organizational finds the organizational domain on a path (RFC 9989, section
// 4.10.2).
func organizational(start string, path []Step) string {
	org := start
	for i := range path {
		s := &path[i]
		switch {
		case s.Record == nil:
		case s.Record.PSD == "n":
			return s.Domain
		case s.Record.PSD == "y" && s.Domain != start:
			return oneBelow(start, s.Domain)
		default:
			org = s.Domain
		}
	}
	return org
}

// oneBelow returns the ancestor of a name, or the name itself, that is one label
// below a domain: the walk may have stepped over it.
func oneBelow(name, domain string) string {
	below := strings.TrimSuffix(name, "."+domain)
	return below[strings.LastIndexByte(below, '.')+1:] + "." + domain
}

// bySuffixList is the discovery of RFC 7489, section 6.6.3: the domain's own record,
// then that of the domain below the public suffix. More than one record at a name
// ends it.
func (w *walker) bySuffixList(name string) PSL {
	p := PSL{Org: name}
	if org, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		p.Org = org
	}
	for _, at := range []string{name, p.Org} {
		s := w.ask(at)
		if s.Record == nil && strings.Contains(s.Note, "none of them counts") {
			return p
		}
		if s.Record == nil {
			continue
		}
		p.PolicyDomain = at
		instead, ok := s.Record.Acts()
		p.Policy = s.Record.Policy
		switch {
		case !ok:
			p.PolicyDomain, p.Policy = "", ""
		case instead != "":
			p.Policy = instead
		case at != name && s.Record.Subdomain != "":
			p.Policy = s.Record.Subdomain
		}
		return p
	}
	return p
}
