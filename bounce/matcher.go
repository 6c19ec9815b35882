package bounce

// A matcher finds many literal patterns in one pass over a text (Aho and
// Corasick, 1975), ASCII letters without regard to case. Its cost does not
// depend on the number of patterns.
type matcher struct {
	nodes []node
	keys  []byte   // transitions, those of a node side by side
	next  []uint32 // parallel to keys
	root  [256]uint32
	pats  []pattern
}

type node struct {
	first  uint32 // index of the first transition
	count  uint16
	fail   uint32
	output uint32 // the longest suffix node that ends a pattern, this one included; 0 is none
	pats   []uint32
}

// A pattern is a literal in lower case. Where open is false at an end that is a
// letter or a digit, that end must lie at a word boundary.
type pattern struct {
	text               string
	openLeft, openEnd  bool
	needLeft, needRght bool
}

// newPattern reads the marker syntax of the rule files: "*" at an end switches
// the word boundary off.
func newPattern(marker string) pattern {
	p := pattern{text: lower(marker)}
	if len(p.text) > 1 && p.text[0] == '*' {
		p.openLeft, p.text = true, p.text[1:]
	}
	if n := len(p.text); n > 1 && p.text[n-1] == '*' {
		p.openEnd, p.text = true, p.text[:n-1]
	}
	p.needLeft = !p.openLeft && isWord(p.text[0])
	p.needRght = !p.openEnd && isWord(p.text[len(p.text)-1])
	return p
}

// isWord: letters and digits, and every octet of a letter outside ASCII.
func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80
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
			b := []byte(s)
			for k := i; k < len(b); k++ {
				b[k] = lowerByte(b[k])
			}
			return string(b)
		}
	}
	return s
}

// trieNode is a node while the matcher is built.
type trieNode struct {
	keys []byte
	next []uint32
	pats []uint32
}

func newMatcher(pats []pattern) *matcher {
	trie := []trieNode{{}}
	for id, p := range pats {
		at := uint32(0)
		for i := range len(p.text) {
			at = child(&trie, at, p.text[i])
		}
		trie[at].pats = append(trie[at].pats, uint32(id))
	}
	m := &matcher{nodes: make([]node, len(trie)), pats: pats}
	for i, t := range trie {
		m.nodes[i] = node{first: uint32(len(m.keys)), count: uint16(len(t.keys)), pats: t.pats}
		m.keys = append(m.keys, t.keys...)
		m.next = append(m.next, t.next...)
	}
	m.link()
	return m
}

func child(trie *[]trieNode, at uint32, c byte) uint32 {
	n := &(*trie)[at]
	for i, key := range n.keys {
		if key == c {
			return n.next[i]
		}
	}
	made := uint32(len(*trie))
	n.keys, n.next = append(n.keys, c), append(n.next, made)
	*trie = append(*trie, trieNode{})
	return made
}

// link sets the failure and output links, breadth first.
func (m *matcher) link() {
	var queue []uint32
	root := m.nodes[0]
	for i := root.first; i < root.first+uint32(root.count); i++ {
		m.root[m.keys[i]] = m.next[i]
		queue = append(queue, m.next[i])
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		n := &m.nodes[at]
		n.output = m.nodes[n.fail].output
		if len(n.pats) > 0 {
			n.output = at
		}
		for i := n.first; i < n.first+uint32(n.count); i++ {
			m.nodes[m.next[i]].fail = m.step(n.fail, m.keys[i])
			queue = append(queue, m.next[i])
		}
	}
}

// step follows one octet from a node.
func (m *matcher) step(at uint32, c byte) uint32 {
	for at != 0 {
		n := &m.nodes[at]
		for i := n.first; i < n.first+uint32(n.count); i++ {
			if m.keys[i] == c {
				return m.next[i]
			}
		}
		at = n.fail
	}
	return m.root[c]
}

// each calls yield for every occurrence of every pattern that keeps its word
// boundaries, ordered by where it ends; at one end, longer ones first.
func (m *matcher) each(text string, yield func(id uint32, start, end int)) {
	at := uint32(0)
	for i := range len(text) {
		at = m.step(at, lowerByte(text[i]))
		for hit := m.nodes[at].output; hit != 0; hit = m.nodes[m.nodes[hit].fail].output {
			for _, id := range m.nodes[hit].pats {
				p := &m.pats[id]
				start, end := i+1-len(p.text), i+1
				if p.needLeft && start > 0 && isWord(text[start-1]) || p.needRght && end < len(text) && isWord(text[end]) {
					continue
				}
				yield(id, start, end)
			}
		}
	}
}
