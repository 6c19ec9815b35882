package bounce

import (
	"embed"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rebound-mail/rebound/internal/stanza"
)

// AsOf is the month in which the rules that the package carries were last looked over.
const AsOf = "2026-11"

// A Rule says what a wording means.
type Rule struct {
	ID       string // unique, stable: "google-ptr-missing"
	Provider string // the receiver whose wording it is; "" for software and generic phrases
	Scope    Scope
	Weak     bool     // filling that stands beside better words: it loses to them and to a telling code
	Matches  []string // literal markers; any of them fires the rule
	Patterns []string // regular expressions (RE2) with a literal beginning; likewise
	Codes    []Code   // if any, the reply must carry one of these, whatever its class
	Replies  []int    // if any, the reply code must be one of these
	Stages   []Stage  // if any, the reply must have come at one of these points

	Lists      []string // block lists that the wording names, as lists.txt calls them
	Bits       []string // of a marker that ends in {bits}: the list of each digit, the last digit first
	Reason     Reason
	Permanence Permanence // "" where the text does not say whether to try again
	Meaning    string     // one sentence
	Source     string     // the page or program that documents it
	Host       string     // a host that stands for the receiver in the examples
	Examples   []string   // full replies that this rule decides
}

// A Scope says when a rule may fire.
type Scope string

// The scopes, in the order in which they decide.
const (
	AtReceiver Scope = "receiver" // only when the receiver is known to be Provider
	Anywhere   Scope = "any"      // the text identifies itself
	Fallback   Scope = "fallback" // a generic phrase: only when nothing else decides
)

//go:embed rules/*.txt
var ruleFiles embed.FS

//go:embed receivers.txt
var receiverFile string

// Rules is a set of rules ready for use. It is immutable and safe for
// concurrent use.
type Rules struct {
	rules     []Rule
	byCode    []int // indices of the rules without a text, which codes alone fire
	receivers []receiver
	lists     []listRule
	matcher   *matcher
	targets   []target // parallel to the matcher's patterns
	needs     int      // how many texts regular expressions need
}

// A target says what a pattern of the matcher stands for.
type target struct {
	kind  targetKind
	index int            // of the rule, receiver or list
	re    *regexp.Regexp // to be run where the literal stands; nil for a literal
	needs [][]uint32     // of re: one of each group was seen, or the expression cannot match
	item  func(c byte) bool
}

// The items that may follow a literal: what is listed, or the digits of a bit
// code.
var items = map[string]func(c byte) bool{
	"{ip}":     isAddrByte,
	"{domain}": func(c byte) bool { return isWord(c) || c == '.' || c == '-' || c == '_' },
	"{bits}":   func(c byte) bool { return c == '0' || c == '1' },
}

// itemEnd returns where the item that begins at start ends, without the
// punctuation of the sentence.
func (t *target) itemEnd(text string, start int) int {
	end := start
	for end < len(text) && end-start < maxPattern && t.item(text[end]) {
		end++
	}
	return start + len(strings.TrimRight(text[start:end], ".:"))
}

type targetKind uint8

const (
	ruleTarget targetKind = iota
	receiverTarget
	listTarget
	needTarget // index is the number of the need
)

// maxPattern is how much of the text a regular expression may see, so that a
// text full of its beginning costs linear time.
const maxPattern = 512

// DefaultRules returns the rules that the package carries. They are read once,
// on first use.
func DefaultRules() *Rules { return defaultRules() }

var defaultRules = sync.OnceValue(func() *Rules {
	var rules []Rule
	files, err := ruleFiles.ReadDir("rules")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		f, err := ruleFiles.Open("rules/" + file.Name())
		if err != nil {
			panic(err)
		}
		read, err := readRules(f)
		f.Close()
		if err != nil {
			panic(fmt.Sprintf("bounce: rules/%s: %v", file.Name(), err))
		}
		rules = append(rules, read...)
	}
	r, err := compile(rules)
	if err != nil {
		panic(err)
	}
	return r
})

// With returns the rules of r and those read from a table; a rule of the table
// replaces the one of the same ID. The table's format is that of the files in
// the package's folder rules: one stanza a rule. An error names the line or the
// rule.
func (r *Rules) With(table io.Reader) (*Rules, error) {
	added, err := readRules(table)
	if err != nil {
		return nil, fmt.Errorf("bounce: rules: %w", err)
	}
	rules := slices.Clone(r.rules)
	for _, rule := range added {
		at := slices.IndexFunc(rules, func(old Rule) bool { return old.ID == rule.ID })
		if at >= 0 {
			rules[at] = rule
		} else {
			rules = append(rules, rule)
		}
	}
	return compile(rules)
}

// All returns the rules in their order, as copies.
func (r *Rules) All() []Rule {
	all := slices.Clone(r.rules)
	for i := range all {
		rule := &all[i]
		rule.Matches, rule.Patterns, rule.Examples = slices.Clone(rule.Matches), slices.Clone(rule.Patterns), slices.Clone(rule.Examples)
		rule.Codes, rule.Replies, rule.Stages = slices.Clone(rule.Codes), slices.Clone(rule.Replies), slices.Clone(rule.Stages)
		rule.Lists, rule.Bits = slices.Clone(rule.Lists), slices.Clone(rule.Bits)
	}
	return all
}

func readRules(table io.Reader) ([]Rule, error) {
	rows, err := stanza.Parse(table)
	if err != nil {
		return nil, err
	}
	rules := make([]Rule, 0, len(rows))
	seen := map[string]bool{}
	for _, row := range rows {
		rule, err := readRule(row)
		if err != nil {
			return nil, err
		}
		if seen[rule.ID] {
			return nil, fmt.Errorf("rule %s stands twice", rule.ID)
		}
		seen[rule.ID] = true
		rules = append(rules, rule)
	}
	return rules, nil
}

func readRule(row stanza.Row) (Rule, error) {
	var r Rule
	for _, f := range row.Fields {
		switch f.Key {
		case "id":
			r.ID = f.Value
		case "provider":
			r.Provider = f.Value
		case "scope":
			r.Scope = Scope(f.Value)
		case "weak":
			if f.Value != "yes" && f.Value != "no" {
				return r, stanza.Error(f.Line, "weak is yes or no, not %q", f.Value)
			}
			r.Weak = f.Value == "yes"
		case "match":
			r.Matches = append(r.Matches, f.Value)
		case "regex":
			r.Patterns = append(r.Patterns, f.Value)
		case "code":
			for word := range strings.FieldsSeq(f.Value) {
				c, err := ParseCode("5" + strings.TrimPrefix(word, "x"))
				if err != nil {
					return r, stanza.Error(f.Line, "%q is no code such as x.7.1", word)
				}
				r.Codes = append(r.Codes, c)
			}
		case "reply":
			for word := range strings.FieldsSeq(f.Value) {
				n, err := strconv.Atoi(word)
				if err != nil || !isReplyCode(n) {
					return r, stanza.Error(f.Line, "%q is no reply code", word)
				}
				r.Replies = append(r.Replies, n)
			}
		case "stage":
			for word := range strings.FieldsSeq(f.Value) {
				if !Stage(word).known() {
					return r, stanza.Error(f.Line, "%q is no stage", word)
				}
				r.Stages = append(r.Stages, Stage(word))
			}
		case "names":
			r.Lists = append(r.Lists, f.Value)
		case "bit":
			r.Bits = append(r.Bits, f.Value)
		case "reason":
			r.Reason = Reason(f.Value)
		case "permanence":
			r.Permanence = Permanence(f.Value)
		case "meaning":
			r.Meaning = f.Value
		case "source":
			r.Source = f.Value
		case "host":
			r.Host = f.Value
		case "example":
			r.Examples = append(r.Examples, f.Value)
		default:
			return r, stanza.Error(f.Line, "a rule has no %q", f.Key)
		}
	}
	return r, r.check(row.Line)
}

func (r *Rule) check(line int) error {
	switch {
	case r.ID == "":
		return stanza.Error(line, "the rule has no id")
	case r.Scope != AtReceiver && r.Scope != Anywhere && r.Scope != Fallback:
		return stanza.Error(line, "%s: scope is receiver, any or fallback", r.ID)
	case r.Scope == AtReceiver && r.Provider == "":
		return stanza.Error(line, "%s: a rule of scope receiver names its provider", r.ID)
	case !r.Reason.Known():
		return stanza.Error(line, "%s: %q is no reason", r.ID, r.Reason)
	case r.Permanence != "" && r.Permanence != Permanent && r.Permanence != Temporary:
		return stanza.Error(line, "%s: permanence is permanent or temporary", r.ID)
	case len(r.Matches)+len(r.Patterns) == 0 && (r.Scope != AtReceiver || len(r.Codes)+len(r.Replies) == 0):
		return stanza.Error(line, "%s: has nothing to match", r.ID)
	case r.Source == "":
		return stanza.Error(line, "%s: names no source", r.ID)
	}
	for _, m := range r.Matches {
		if len(strings.Trim(m, "*")) < 2 {
			return stanza.Error(line, "%s: the marker %q is too short", r.ID, m)
		}
	}
	return nil
}

// compile builds the one matcher of rules, receivers and lists.
func compile(rules []Rule) (*Rules, error) {
	r := &Rules{rules: rules}
	var err error
	if r.receivers, err = readReceivers(receiverFile); err != nil {
		return nil, fmt.Errorf("bounce: receivers.txt: %w", err)
	}
	if r.lists, err = readLists(listFile); err != nil {
		return nil, fmt.Errorf("bounce: lists.txt: %w", err)
	}
	var pats []pattern
	needIDs := map[string]uint32{}
	need := func(text string) uint32 {
		id, known := needIDs[text]
		if !known {
			id = uint32(len(needIDs))
			needIDs[text] = id
			pats = append(pats, pattern{text: text})
			r.targets = append(r.targets, target{kind: needTarget, index: int(id)})
		}
		return id
	}
	add := func(kind targetKind, index int, literals, expressions []string) error {
		for _, l := range literals {
			t := target{kind: kind, index: index}
			for name, item := range items {
				if rest, ok := strings.CutSuffix(l, name); ok {
					l, t.item = rest+"*", item
				}
			}
			pats = append(pats, newPattern(l))
			r.targets = append(r.targets, t)
		}
		for _, x := range expressions {
			p, re, texts, err := anchor(x)
			if err != nil {
				return err
			}
			t := target{kind: kind, index: index, re: re}
			for _, group := range texts {
				var ids []uint32
				for _, text := range group {
					ids = append(ids, need(text))
				}
				t.needs = append(t.needs, ids)
			}
			pats = append(pats, p)
			r.targets = append(r.targets, t)
		}
		return nil
	}
	seen := map[string]bool{}
	for i, rule := range rules {
		if seen[rule.ID] {
			return nil, fmt.Errorf("bounce: two rules are called %s", rule.ID)
		}
		seen[rule.ID] = true
		if len(rule.Matches)+len(rule.Patterns) == 0 {
			r.byCode = append(r.byCode, i)
		}
		if err := add(ruleTarget, i, rule.Matches, rule.Patterns); err != nil {
			return nil, fmt.Errorf("bounce: rule %s: %w", rule.ID, err)
		}
	}
	for _, rule := range rules {
		for _, name := range slices.Concat(rule.Lists, rule.Bits) {
			if r.listCalled(name) == nil {
				return nil, fmt.Errorf("bounce: rule %s: no list is called %q", rule.ID, name)
			}
		}
	}
	for i, rec := range r.receivers {
		if err := add(receiverTarget, i, rec.texts, nil); err != nil {
			return nil, err
		}
	}
	for i, l := range r.lists {
		if err := add(listTarget, i, l.matches, l.patterns); err != nil {
			return nil, fmt.Errorf("bounce: list %s: %w", l.name, err)
		}
	}
	r.matcher, r.needs = newMatcher(pats), len(needIDs)
	return r, nil
}

// listCalled returns the list of a name, or nil.
func (r *Rules) listCalled(name string) *listRule {
	for i := range r.lists {
		if r.lists[i].name == name {
			return &r.lists[i]
		}
	}
	return nil
}

// anchor splits a regular expression into the literal with which it begins, the
// expression to run there, and the texts without which it cannot match.
func anchor(x string) (pattern, *regexp.Regexp, [][]string, error) {
	bounded := strings.TrimPrefix(x, `\b`)
	re, err := regexp.Compile(bounded)
	if err != nil {
		return pattern{}, nil, nil, err
	}
	literal, _ := re.LiteralPrefix()
	if len(literal) < 2 {
		return pattern{}, nil, nil, fmt.Errorf("%q must begin with a literal of two characters", x)
	}
	p := newPattern(literal)
	p.needLeft = p.needLeft && bounded != x
	p.needRight = false
	tree, err := syntax.Parse(bounded, syntax.Perl)
	if err != nil {
		return pattern{}, nil, nil, err
	}
	re, err = regexp.Compile("^(?i:" + bounded + ")")
	return p, re, needs(tree), err
}

// needs returns the texts without which an expression cannot match: at least one
// of each group. They tell cheaply that it does not.
func needs(re *syntax.Regexp) (groups [][]string) {
	switch re.Op {
	case syntax.OpLiteral:
		if len(re.Rune) > 2 {
			groups = append(groups, []string{lower(string(re.Rune))})
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			groups = append(groups, needs(sub)...)
		}
	case syntax.OpCapture, syntax.OpPlus:
		groups = needs(re.Sub[0])
	case syntax.OpAlternate:
		var any []string
		for _, sub := range re.Sub {
			of := needs(sub)
			if len(of) == 0 {
				return nil
			}
			any = append(any, of[0]...)
		}
		groups = append(groups, any)
	}
	return groups
}

// matchEnd returns where the match of a pattern that starts at start ends, or -1.
func (t *target) matchEnd(text string, start, end int) int {
	switch {
	case t.item != nil:
		if itemEnd := t.itemEnd(text, end); itemEnd > end {
			return itemEnd
		}
		return -1
	case t.re == nil:
		return end
	}
	loc := t.re.FindStringIndex(text[start:min(len(text), start+maxPattern)])
	if loc == nil {
		return -1
	}
	return start + loc[1]
}

// met reports whether a text of each group was seen.
func (t *target) met(seen []bool) bool {
	for _, group := range t.needs {
		if !slices.ContainsFunc(group, func(id uint32) bool { return seen[id] }) {
			return false
		}
	}
	return true
}

// containsFold reports whether s holds low, which is in lower case, whatever the
// case of its ASCII letters.
func containsFold(s, low string) bool { return indexFold(s, low) >= 0 }

// indexFold returns the first place in s of low, or -1.
func indexFold(s, low string) int {
	small, capital := low[0], low[0]
	if 'a' <= small && small <= 'z' {
		capital -= 'a' - 'A'
	}
	for i := 0; i+len(low) <= len(s); i++ {
		if c := s[i]; (c == small || c == capital) && hasPrefixFold(s[i:], low) {
			return i
		}
	}
	return -1
}

func hasPrefixFold[T string | []byte](s T, low string) bool {
	if len(s) < len(low) {
		return false
	}
	for i := range len(low) {
		if lowerByte(s[i]) != low[i] {
			return false
		}
	}
	return true
}
