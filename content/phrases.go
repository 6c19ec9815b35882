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
	words []wordSlot // by hash, with linear probing
	count int32      // of words
	steps []step     // by node and word, with linear probing
	ends  []*phrase  // by node; nil where no phrase ends
	// known has a bit for each hash of a word of the table: most words of a mail are not
	// in it, and need no look further.
	known [1 << 10]uint64
	first [1 << 10]uint64 // of the first words of phrases
}

// A wordSlot is a place in the table of words.
type wordSlot struct {
	hash uint32
	id   int32 // from 1; 0 is an empty slot
	word string
}

// A step leads from a node of the trie by a word to another.
type step struct {
	node, word int32 // the word from 1; 0 is an empty slot
	next       int32
}

// The sizes of the tables, powers of two some four times the number of their rows.
const (
	wordSlots = 1 << 13
	stepSlots = 1 << 14
)

// word returns the number of a word, or 0.
func (t *phrases) word(lower []byte, h uint32) int32 {
	for i := h; ; i++ {
		switch s := &t.words[i%wordSlots]; {
		case s.id == 0:
			return 0
		case s.hash == h && s.word == string(lower):
			return s.id
		}
	}
}

// step returns the slot of a step, which is empty where there is none.
func (t *phrases) step(node, word int32) *step {
	for i := uint32(node)*0x9e3779b1 + uint32(word)*0x85ebca6b; ; i++ {
		s := &t.steps[i%stepSlots]
		if s.word == 0 || s.node == node && s.word == word {
			return s
		}
	}
}

// hash is FNV-1a of a word.
func hash(word []byte) uint32 {
	h := uint32(hashStart)
	for _, c := range word {
		h = hashOn(h, c)
	}
	return h
}

const hashStart = 2166136261

func hashOn(h uint32, c byte) uint32 { return (h ^ uint32(c)) * 16777619 }

var defaultPhrases = sync.OnceValue(func() *phrases {
	rows, err := stanza.Parse(strings.NewReader(phrasesText))
	if err != nil {
		panic(err) // the table is part of the package, and a test reads it
	}
	t := &phrases{words: make([]wordSlot, wordSlots), steps: make([]step, stepSlots), ends: []*phrase{nil}}
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
		h := hash([]byte(word))
		id := t.number(word, h)
		if node == 0 {
			setBit(&t.first, h)
		}
		s := t.step(node, id)
		if s.word == 0 {
			t.ends = append(t.ends, nil)
			*s = step{node, id, int32(len(t.ends) - 1)}
		}
		node = s.next
	}
	if t.ends[node] == nil { // a phrase of two languages is told as of the first
		t.ends[node] = p
	}
}

// number returns the number of a word, which it enters if it is new.
func (t *phrases) number(word string, h uint32) int32 {
	if id := t.word([]byte(word), h); id != 0 {
		return id
	}
	i := h
	for t.words[i%wordSlots].id != 0 {
		i++
	}
	t.count++
	t.words[i%wordSlots] = wordSlot{h, t.count, word}
	setBit(&t.known, h)
	return t.count
}

func setBit(bits *[1 << 10]uint64, h uint32) { bits[h>>6&1023] |= 1 << (h & 63) }

func hasBit(bits *[1 << 10]uint64, h uint32) bool { return bits[h>>6&1023]&(1<<(h&63)) != 0 }

// A matcher finds phrases in a run of words.
type matcher struct {
	*phrases
	active []state
	room   [4]state // for the first of them
	found  []match
	leave  bool
	buf    [48]byte // a word in lower case; longer ones are in no phrase
}

type state struct {
	node  int32
	start int
}

func (m *matcher) reset() { m.active = m.active[:0] }

func (m *matcher) next(lower []byte, h uint32, start, end int) {
	begins := hasBit(&m.first, h)
	if len(m.active) == 0 && !begins {
		return
	}
	if !hasBit(&m.known, h) {
		m.reset()
		return
	}
	id := m.word(lower, h)
	if id == 0 {
		m.reset()
		return
	}
	keep := m.active[:0]
	if begins {
		m.active = append(m.active, state{0, start})
	}
	for _, s := range m.active {
		node := m.step(s.node, id).next
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
