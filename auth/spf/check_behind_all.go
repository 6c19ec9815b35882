package spf

import (
	"fmt"
	"strings"

	"github.com/rebound-mail/rebound/finding"
)

// checkBehindAll: RFC 7208, sections 5.1 and 6.1: what stands behind all, and a
// redirect= beside it, is never used.
func checkBehindAll(t *Tree) []finding.Finding {
	b := t.Root
	if b.Record == nil {
		return nil
	}
	hasAll := false
	var lost []string
	for i := range b.Record.Terms {
		term := &b.Record.Terms[i]
		dead := hasAll && !term.IsModifier()
		if term.Name == "redirect" {
			for j := range b.Record.Terms {
				dead = dead || b.Record.Terms[j].Name == "all"
			}
		}
		if dead {
			lost = append(lost, term.Text)
		}
		hasAll = hasAll || term.Name == "all"
	}
	if lost == nil {
		return nil
	}
	return []finding.Finding{{
		Outcome: finding.Found, Severity: finding.Warning, Source: "RFC 7208, sections 5.1 and 6.1", Evidence: inRecord(b, 0, len(b.Text)),
		Fact:        fmt.Sprintf("The record of %s has all before its end: %s is never looked at.", t.Domain, strings.Join(lost, ", ")),
		Consequence: "Mail from what it names does not pass.",
		Fixes:       t.rewrite(allLast(b.Record), "Move all to the end of the record."),
	}}
}

// allLast writes a record with all behind the other mechanisms, and without the
// redirect= that all makes void.
func allLast(r *Record) string {
	var words, modifiers []string
	all := ""
	for _, t := range r.Terms {
		switch {
		case t.Name == "redirect":
		case t.IsModifier():
			modifiers = append(modifiers, t.Text)
		case t.Name == "all":
			if all == "" {
				all = t.Text
			}
		default:
			words = append(words, t.Text)
		}
	}
	return record(append(append(words, all), modifiers...))
}
