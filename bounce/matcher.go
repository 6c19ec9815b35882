package bounce

import (
	"math/bits"
	"slices"
	"strings"
)

// A matcher finds many literal patterns in one pass over a text (Aho and
// Corasick, 1975), ASCII letters without regard to case. Its cost does not
// depend on the number of patterns.
//
// Nodes are numbered breadth first. The first of them, where a text without a
// match spends its time, have a whole row of transitions; the others only those
// of the patterns, and a link to the node to go on from.
type matcher struct {
	class  [256]uint8 // of an octet; octets of no pattern share class 0
	shift  uint8      // the length of a row is 1<<shift, at least the number of classes
	rows   []uint32   // transitions of the nodes below dense, failures followed, with ending set
	dense  uint32
	first  []uint32 // of each node, the place of its first transition; one more at the end
	keys   []uint8  // classes of the transitions
	next   []uint32 // parallel to keys, with ending set
	fail   []uint32
	output []uint32   // the longest suffix node that ends a pattern, this one included; 0 is none
	ends   [][]uint32 // the patterns that end at a node
	pats   []pattern
}

// ending marks a transition to a node at which a pattern ends.
const ending = 1 << 31

// maxDense bounds the nodes with a whole row: a quarter of a megabyte.
const maxDense = 512

// A pattern is a literal in lower case. Where an end that is a letter or a digit
// is not open, it must lie at a word boundary.
type pattern struct {
	text                string
	needLeft, needRight bool
}

// newPattern reads the marker syntax of the rule files: "*" at an end switches
// the word boundary off.
func newPattern(marker string) pattern {
	p := pattern{text: lower(marker)}
	openLeft, openRight := false, false
	if len(p.text) > 1 && p.text[0] == '*' {
		openLeft, p.text = true, p.text[1:]
	}
	if n := len(p.text); n > 1 && p.text[n-1] == '*' {
		openRight, p.text = true, p.text[:n-1]
	}
	p.needLeft = !openLeft && isWord(p.text[0])
	p.needRight = !openRight && isWord(p.text[len(p.text)-1])
	return p
}

// isWord: letters and digits, and every octet of a letter outside ASCII.
func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80
}

// boundary reports whether a word may end before the octet at a place, or begin
// there. A capital letter behind a small one begins a line that was joined to the
// one before without a space.
func boundary(text string, at int) bool {
	before, after := text[at-1], text[at]
	return !isWord(before) || !isWord(after) || 'a' <= before && before <= 'z' && 'A' <= after && after <= 'Z'
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// lower folds ASCII letters alone, so that offsets stay.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			var b strings.Builder
			b.Grow(len(s))
			b.WriteString(s[:i])
			for k := i; k < len(s); k++ {
				b.WriteByte(lowerByte(s[k]))
			}
			return b.String()
		}
	}
	return s
}

// trieNode is a node while the matcher is built.
type trieNode struct {
	keys []uint8
	next []uint32
	ends []uint32
}

func newMatcher(pats []pattern) *matcher {
	m := &matcher{pats: pats}
	m.classes()
	trie := []trieNode{{}}
	for id, p := range pats {
		at := uint32(0)
		for i := range len(p.text) {
			at = child(&trie, at, m.class[p.text[i]])
		}
		trie[at].ends = append(trie[at].ends, uint32(id))
	}
	m.number(trie)
	m.link()
	return m
}

// classes numbers the octets that occur in patterns; a capital letter has the
// class of the small one.
func (m *matcher) classes() {
	known := 1
	for _, p := range m.pats {
		for i := range len(p.text) {
			if c := p.text[i]; m.class[c] == 0 {
				m.class[c] = uint8(known)
				known++
			}
		}
	}
	m.shift = uint8(bits.Len(uint(known - 1)))
	for c := 'A'; c <= 'Z'; c++ {
		m.class[c] = m.class[c+('a'-'A')]
	}
}

func child(trie *[]trieNode, at uint32, c uint8) uint32 {
	n := &(*trie)[at]
	if i := slices.Index(n.keys, c); i >= 0 {
		return n.next[i]
	}
	made := uint32(len(*trie))
	n.keys, n.next = append(n.keys, c), append(n.next, made)
	*trie = append(*trie, trieNode{})
	return made
}

// number lays the nodes of a trie out breadth first.
func (m *matcher) number(trie []trieNode) {
	order := make([]uint32, 1, len(trie)) // of the trie's nodes
	for i := 0; i < len(order); i++ {
		t := &trie[order[i]]
		m.first = append(m.first, uint32(len(m.keys)))
		m.ends = append(m.ends, t.ends)
		for k, to := range t.next {
			m.keys = append(m.keys, t.keys[k])
			m.next = append(m.next, uint32(len(order)))
			order = append(order, to)
		}
	}
	m.first = append(m.first, uint32(len(m.keys)))
}

// link sets the failure and output links and the rows, in the order of the
// nodes: what a node fails to comes before it.
func (m *matcher) link() {
	n := len(m.ends)
	m.dense = uint32(min(n, maxDense))
	m.fail, m.output = make([]uint32, n), make([]uint32, n)
	m.rows = make([]uint32, m.dense<<m.shift)
	for at := range uint32(n) {
		var row []uint32
		if at < m.dense {
			row = m.row(at)
			copy(row, m.row(m.fail[at]))
		}
		for i := m.first[at]; i < m.first[at+1]; i++ {
			to := m.next[i]
			if at > 0 {
				m.fail[to] = m.step(m.fail[at], m.keys[i]) &^ ending
			}
			if m.output[to] = m.output[m.fail[to]]; len(m.ends[to]) > 0 {
				m.output[to] = to
			}
			if m.output[to] != 0 {
				m.next[i] |= ending
			}
			if row != nil {
				row[m.keys[i]] = m.next[i]
			}
		}
	}
}

// step follows one octet, given by its class, from a node.
func (m *matcher) step(at uint32, c uint8) uint32 {
	for at >= m.dense {
		for i := m.first[at]; i < m.first[at+1]; i++ {
			if m.keys[i] == c {
				return m.next[i]
			}
		}
		at = m.fail[at]
	}
	return m.rows[at<<m.shift|uint32(c)]
}

// row returns the transitions of a node that has all of them.
func (m *matcher) row(at uint32) []uint32 { return m.rows[at<<m.shift : (at+1)<<m.shift] }

// each calls yield for every occurrence of every pattern that keeps its word
// boundaries, ordered by where it ends; at one end, longer ones first. It stops
// when yield returns false.
func (m *matcher) each(text string, yield func(id uint32, start, end int) bool) {
	at := uint32(0)
	for i := range len(text) {
		if at = m.step(at, m.class[text[i]]); at&ending == 0 {
			continue
		}
		at &^= ending
		for hit := m.output[at]; hit != 0; hit = m.output[m.fail[hit]] {
			for _, id := range m.ends[hit] {
				p := &m.pats[id]
				start, end := i+1-len(p.text), i+1
				if p.needLeft && start > 0 && !boundary(text, start) || p.needRight && end < len(text) && !boundary(text, end) {
					continue
				}
				if !yield(id, start, end) {
					return
				}
			}
		}
	}
}
