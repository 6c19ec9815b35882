package content

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/rebound-mail/rebound/internal/stanza"
)

//go:embed phrases.txt
var phrasesText string

// A phrase is a row's wording: a run of words that the mail of honest senders seldom
// holds.
type phrase struct {
	family   string
	language string
	text     string
}

// phrases is the table, compiled: a trie of words.
type phrases struct {
	words map[string]int32
	next  map[int64]int32 // node<<32 | word → node
	ends  []*phrase       // by node; nil where no phrase ends
	// known has a bit for each hash of a word of the table: most words of a mail are not
	// in it, and need no look at the map.
	known [1 << 10]uint64
	first [1 << 10]uint64 // of the first words of phrases
}

// hash is FNV-1a of a word.
func hash(word []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range word {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

var defaultPhrases = sync.OnceValue(func() *phrases {
	rows, err := stanza.Parse(strings.NewReader(phrasesText))
	if err != nil {
		panic(err) // the table is part of the package, and a test reads it
	}
	t := &phrases{words: map[string]int32{}, next: map[int64]int32{}, ends: []*phrase{nil}}
	for _, row := range rows {
		for _, line := range row.All("say") {
			for s := range strings.SplitSeq(line, ",") {
				t.add(&phrase{family: row.Get("family"), language: row.Get("language"), text: strings.TrimSpace(s)})
			}
		}
	}
	return t
})

func (t *phrases) add(p *phrase) {
	node := int32(0)
	for word := range strings.FieldsFuncSeq(p.text, func(r rune) bool { return r == ' ' || r == '-' }) {
		id, ok := t.words[word]
		if !ok {
			id = int32(len(t.words))
			t.words[word] = id
			h := hash([]byte(word)) & 0xffff
			t.known[h>>6] |= 1 << (h & 63)
		}
		if node == 0 {
			h := hash([]byte(word)) & 0xffff
			t.first[h>>6] |= 1 << (h & 63)
		}
		key := int64(node)<<32 | int64(id)
		if t.next[key] == 0 {
			t.ends = append(t.ends, nil)
			t.next[key] = int32(len(t.ends) - 1)
		}
		node = t.next[key]
	}
	if t.ends[node] == nil { // a phrase of two languages is told as of the first
		t.ends[node] = p
	}
}

// A matcher finds phrases in a run of words.
type matcher struct {
	*phrases
	active []state
	found  []match
	leave  bool
	buf    [48]byte // a word in lower case; longer ones are in no phrase
}

type state struct {
	node  int32
	start int
}

func (m *matcher) reset() { m.active = m.active[:0] }

func (m *matcher) word(lower []byte, h uint32, start, end int) {
	h &= 0xffff
	begins := m.first[h>>6]&(1<<(h&63)) != 0
	if len(m.active) == 0 && !begins {
		return
	}
	if m.known[h>>6]&(1<<(h&63)) == 0 {
		m.reset()
		return
	}
	id, ok := m.words[string(lower)]
	if !ok {
		m.reset()
		return
	}
	keep := m.active[:0]
	if begins {
		m.active = append(m.active, state{0, start})
	}
	for _, s := range m.active {
		node := m.next[int64(s.node)<<32|int64(id)]
		if node == 0 {
			continue
		}
		switch p := m.ends[node]; {
		case p == nil:
		case p.family == "unsubscribe":
			m.leave = true
		case len(m.found) < maxMatches:
			m.found = append(m.found, match{segment{s.start, end}, p})
		}
		keep = append(keep, state{node, s.start})
	}
	m.active = keep
}
