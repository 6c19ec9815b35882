package dnsbl

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// A Report holds the results of a check in the order in which they matter: listings
// on block lists, heaviest first; other listings; what could not be told; what is
// not listed.
type Report struct {
	Results []Result
}

// Report checks and collects.
func (c *Checker) Report(ctx context.Context, targets ...Target) *Report {
	return Collect(c.Check(ctx, targets...))
}

// Collect makes a report of results.
func Collect(results iter.Seq[Result]) *Report {
	r := &Report{Results: slices.Collect(results)}
	slices.SortStableFunc(r.Results, func(a, b Result) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(b.List.Weight, a.List.Weight), a.order.compare(b.order))
	})
	return r
}

// Targets splits a report by target, in the order in which they were asked about.
func (r *Report) Targets() []*Report {
	byTarget := map[int]*Report{}
	var numbers []int
	for _, res := range r.Results {
		n := res.order.target
		if byTarget[n] == nil {
			byTarget[n] = &Report{}
			numbers = append(numbers, n)
		}
		byTarget[n].Results = append(byTarget[n].Results, res)
	}
	slices.Sort(numbers)
	var reports []*Report
	for _, n := range numbers {
		reports = append(reports, byTarget[n])
	}
	return reports
}

// rank is the place of a result's group in a report.
func (res *Result) rank() int {
	switch {
	case res.Status == Listed && res.Action == Block:
		return 0
	case res.Status == Listed:
		return 1
	case res.Status == NotListed:
		return 4
	case res.Status == Dead:
		return 3
	}
	return 2
}

// A Tally counts the results of a report.
type Tally struct {
	Listed  int // on block lists
	Allowed int // on allow lists: good news
	Told    int // on lists that inform, and block nothing
	Clean   int // not on block lists
	Absent  int // not on lists that block nothing
	Silent  int // Unknown and Refused: no usable answer
	Heavy   int // of these, block lists of high weight
	Dead    int // lists out of service
}

// Tally counts.
func (r *Report) Tally() Tally {
	var t Tally
	for i := range r.Results {
		res := &r.Results[i]
		count := &t.Silent
		switch {
		case res.Status == Listed && res.Action == Block:
			count = &t.Listed
		case res.Status == Listed && res.Action == Allow:
			count = &t.Allowed
		case res.Status == Listed:
			count = &t.Told
		case res.Status == NotListed && (res.List.Action == Block || res.List.Action == Mixed):
			count = &t.Clean
		case res.Status == NotListed:
			count = &t.Absent
		case res.Status == Dead:
			count = &t.Dead
		}
		*count++
		if count == &t.Silent && res.List.Weight == High && res.List.Action == Block {
			t.Heavy++
		}
	}
	return t
}

// String tells the counts: "listed on 2, clean on 61, 9 gave no answer".
func (t Tally) String() string {
	parts := []string{fmt.Sprintf("listed on %d, clean on %d", t.Listed, t.Clean)}
	add := func(n int, format string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, n))
		}
	}
	add(t.Allowed, "on %d allow lists")
	add(t.Told, "on %d lists that only inform")
	add(t.Silent, "%d gave no answer")
	if t.Heavy > 0 {
		parts[len(parts)-1] += fmt.Sprintf(" (%d of high weight)", t.Heavy)
	}
	add(t.Dead, "%d out of service")
	return strings.Join(parts, ", ")
}

// Findings tells the report in the common words: each result that says more than
// "not listed", and once for all its results what is wrong with the resolver.
func (r *Report) Findings() []finding.Finding {
	var list []finding.Finding
	told := map[HealthState]int{}
	silent := r.noAnswers()
	if silent != nil {
		list = append(list, *silent)
	}
	for i := range r.Results {
		res := &r.Results[i]
		state := res.Health.State
		switch {
		case res.Status == NotListed, silent != nil && res.Status == Unknown:
		case res.Status == Unknown && (state == Rewritten || state == Filtered):
			if told[state]++; told[state] == 1 {
				list = append(list, res.resolverFinding())
			}
		default:
			list = append(list, res.Finding())
		}
	}
	return list
}

// fewOperators is from how many operators on it is the resolver that is to be looked
// at when none of their lists is answered.
const fewOperators = 3

// noAnswers is the finding that no question was answered, nil if any was.
func (r *Report) noAnswers() *finding.Finding {
	owners := map[string]bool{}
	var first *Result
	for i := range r.Results {
		res := &r.Results[i]
		switch {
		case res.Answer.Status == resolve.Unset:
		case res.Answer.Status.Known():
			return nil
		default:
			owners[res.List.owner()] = true
			first = cmp.Or(first, res)
		}
	}
	if len(owners) < fewOperators {
		return nil
	}
	name := strings.TrimSpace("The resolver " + first.Answer.Server)
	return &finding.Finding{
		Code: "resolver.no-answers", Severity: finding.Warning, Subject: cmp.Or(first.Answer.Server, "resolver"), Evidence: first.evidence(),
		Fact:        fmt.Sprintf("%s answers for none of the lists, of %d operators: %s.", name, len(owners), first.Why),
		Consequence: "Nothing is known of any listing.",
		Fixes:       []finding.Fix{{Action: finding.Edit, What: "See whether this machine reaches its resolver and the resolver reaches the Internet.", Verify: "Any name of yours is answered."}},
	}
}

// resolverFinding tells what the resolver does to the answers of lists.
func (res *Result) resolverFinding() finding.Finding {
	server := cmp.Or(res.Answer.Server, res.Probe.Server)
	name := "The resolver"
	if server != "" {
		name += " " + server
	}
	f := finding.Finding{
		Severity: finding.Warning, Subject: cmp.Or(server, "resolver"), Evidence: res.evidence(),
		Consequence: "Nothing that it says of lists can be used.",
		Fixes: []finding.Fix{{
			Action: finding.Edit, What: "Ask through a resolver of your own that resolves by itself, such as Unbound on this machine.",
			Verify: "The name 2.0.0.127.zen.spamhaus.org has the address 127.0.0.2, and 1.0.0.127.zen.spamhaus.org does not exist.",
		}},
	}
	if res.Health.State == Rewritten {
		f.Code, f.Source = "resolver.invents-answers", "RFC 8020, section 2"
		f.Fact = fmt.Sprintf("%s answers %s for names that do not exist.", name, res.invented())
		return f
	}
	f.Code, f.Source = "resolver.withholds-answers", "RFC 5782, section 5"
	f.Fact = name + " gives none of the lists' own test entries: it withholds answers within 127.0.0.0/8, as a guard against DNS rebinding does."
	f.Fixes[0].What += " With a guard against rebinding, exempt the zones of the lists (Unbound: private-domain; dnsmasq: rebind-domain-ok)."
	return f
}
