package dkim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
)

// trial is the search for the body that was signed: each change that mail is known
// to undergo is undone, and the result hashed.
type trial struct {
	want   []byte // bh=
	how    string // the canonicalization
	budget *int   // octets that may still be hashed, for all signatures of the mail
	ctx    context.Context
}

// budgetFactor times the size of the body is what the search may hash, which keeps
// it linear; no less than minBudget, so that small mails are searched well.
const (
	budgetFactor = 160
	minBudget    = 16 << 20
)

// spend reports whether n more octets may be hashed: the search ends with the context
// too.
func (t *trial) spend(n int) bool {
	*t.budget -= n + 64
	return *t.budget >= 0 && t.ctx.Err() == nil
}

// whole reports whether a canonical body is the one that was signed.
func (t *trial) whole(canonical []byte) bool {
	if !t.spend(len(canonical)) {
		return false
	}
	sum := sha256.Sum256(canonical)
	return bytes.Equal(sum[:], t.want)
}

// prefix looks for the end of the signed body at every line end of a canonical one,
// with one running hash. It returns the length of the signed part.
func (t *trial) prefix(canonical []byte) (int, bool) {
	if !t.spend(len(canonical)) {
		return 0, false
	}
	if t.isEmpty() {
		return 0, true
	}
	h := sha256.New()
	var sum [sha256.Size]byte
	for at, from := 0, 0; at < len(canonical); {
		next := at + bytes.IndexByte(canonical[at:], '\n') + 1
		if next == at {
			next = len(canonical)
		}
		line := canonical[at:next]
		at = next
		if len(line) <= 2 {
			continue // trailing blank lines are no part of a canonical body
		}
		h.Write(canonical[from:at])
		from = at
		if bytes.Equal(h.Sum(sum[:0]), t.want) {
			return at, true
		}
	}
	return 0, false
}

// isEmpty reports whether the hash is that of an empty body.
func (t *trial) isEmpty() bool {
	empty := []byte{}
	if t.how == "simple" {
		empty = []byte("\r\n")
	}
	sum := sha256.Sum256(empty)
	return bytes.Equal(sum[:], t.want)
}

// explainBody says how a body differs from the one that was signed. What a hash
// proves comes first; then what the mail itself shows; body-changed is what is left.
func (v *verifier) explainBody(s *Signature, canonical []byte) Explanation {
	known := s.BodyC + string(s.BodyHash)
	if e, ok := v.explained[known]; ok && s.Length < 0 {
		return e // another signature covers the same body
	}
	if v.explained == nil {
		v.explained = map[string]Explanation{}
		v.budget = max(minBudget, budgetFactor*len(canonical))
	}
	t := &trial{want: s.BodyHash, how: s.BodyC, budget: &v.budget, ctx: v.ctx}
	if s.Length >= 0 {
		if int64(len(canonical)) < s.Length {
			return Explanation{Cause: BodyTruncated, Proven: true, Says: fmt.Sprintf("The body was cut: l= covers %d octets, and there are %d.", s.Length, len(canonical))}
		}
		return Explanation{Cause: BodyChanged, Says: fmt.Sprintf("The first %d octets of the body, which l= covers, are not as they were signed.", s.Length)}
	}
	if len(bytes.TrimSpace(canonical)) == 0 {
		return Explanation{Cause: BodyTruncated, Proven: true, Says: "The body is empty, and was not when it was signed."}
	}
	v.explained[known] = v.search(t, canonical)
	return v.explained[known]
}

func (v *verifier) search(t *trial, canonical []byte) Explanation {
	for _, search := range []func(*trial, []byte) (Explanation, bool){v.appended, v.undone, v.prepended, v.inParts, v.oneLine, v.guessed} {
		if e, ok := search(t, canonical); ok {
			return e
		}
	}
	if why := v.looksCut(); why != "" {
		return Explanation{Cause: BodyTruncated, Says: "The body is not as it was signed, and it seems to be cut: " + why + "."}
	}
	if !t.spend(0) {
		return Explanation{Cause: BodyChanged, Says: "The body is not as it was signed. The search for what changed ended before all was tried, for want of time or for the size of the mail."}
	}
	return Explanation{Cause: BodyChanged, Says: "The body is not as it was signed. No footer, banner, re-encoding or change of white space that can be undone makes its hash right: its text was changed."}
}

// appended: something was added at the end.
func (v *verifier) appended(t *trial, canonical []byte) (Explanation, bool) {
	n, ok := t.prefix(canonical)
	if !ok {
		return Explanation{}, false
	}
	return v.addition(BodyAppended, canonical, n, len(canonical), "was added at the end after signing"), true
}

// addition describes canonical[from:to] as added.
func (v *verifier) addition(c Cause, canonical []byte, from, to int, how string) Explanation {
	line := bytes.Count(canonical[:from], []byte("\n"))
	lines := bytes.Count(canonical[from:to], []byte("\n"))
	e := Explanation{Cause: c, Proven: true, Line: line + 1, Offset: lineOffset(v.message.Body, line)}
	e.After = excerpt(canonical[from:to])
	e.Says = fmt.Sprintf("Line %d of the body (octet %d) %s: %q.", e.Line, e.Offset, how, e.After)
	if lines > 1 {
		e.Says = fmt.Sprintf("Lines %d to %d of the body (from octet %d) %s: %q.", e.Line, line+lines, e.Offset, strings.Replace(how, "was", "were", 1), e.After)
	}
	return e
}

// lineOffset returns where the n-th line of a body begins, from 0.
func lineOffset(body []byte, n int) int {
	at := 0
	for ; n > 0; n-- {
		end := bytes.IndexByte(body[at:], '\n')
		if end < 0 {
			return len(body)
		}
		at += end + 1
	}
	return at
}

// excerpt is the beginning of what was added, on one line.
func excerpt(b []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(b[:min(len(b), 200)]), "?")), " ")
	if len(text) <= 80 {
		return text
	}
	return strings.ToValidUTF8(text[:80], "") + "…"
}

// maxBanner bounds the lines of a banner at the top that are taken away.
const maxBanner = 60

// prepended: something was added at the top.
func (v *verifier) prepended(t *trial, canonical []byte) (Explanation, bool) {
	at := 0
	for range maxBanner {
		end := bytes.IndexByte(canonical[at:], '\n')
		if end < 0 {
			return Explanation{}, false
		}
		at += end + 1
		rest := canonical[at:]
		if t.whole(rest) {
			return v.addition(BodyPrepended, canonical, 0, at, "was added at the top after signing"), true
		}
	}
	return Explanation{}, false
}

// undone: a change to the whole body, undone. A footer may follow what was changed.
func (v *verifier) undone(t *trial, canonical []byte) (Explanation, bool) {
	body := v.message.Body
	for _, c := range bodyChanges {
		for before := range c.undo(v.message, body) {
			if len(before) > 2*len(body)+4096 {
				continue
			}
			was := canonicalBody(before, t.how)
			if bytes.Equal(was, canonical) {
				continue
			}
			n, ok := t.prefix(was)
			switch {
			case !ok:
				continue
			case n < len(was):
				return Explanation{Cause: c.cause, Proven: true, Says: fmt.Sprintf("The body was %s, and %d octets were added at its end.", c.says, len(was)-n), After: excerpt(was[n:])}, true
			}
			return Explanation{Cause: c.cause, Proven: true, Says: "The body was " + c.says + "."}, true
		}
	}
	return Explanation{}, false
}

// maxParts bounds the MIME parts that are looked at.
const maxParts = 50

// inParts: something was added at the end or the top of a part of a multipart mail.
func (v *verifier) inParts(t *trial, canonical []byte) (Explanation, bool) {
	marks := v.boundaries(canonical)
	for i, m := range marks {
		if i == maxParts {
			break
		}
		// A footer before this boundary.
		for at, n := m.start, 0; n < maxBanner && at > 0; n++ {
			at = lineBefore(canonical, at)
			if at < m.partStart {
				break
			}
			if t.without(canonical, at, m.start) || t.withoutKeepingBlank(canonical, at, m.start) {
				return v.addition(BodyAppended, canonical, at, m.start, "was added at the end of a part after signing"), true
			}
		}
		// A banner behind the header of the part that this boundary ends.
		from := m.bodyStart
		for at, n := from, 0; n < maxBanner && at < m.start; n++ {
			end := bytes.IndexByte(canonical[at:], '\n')
			if end < 0 {
				break
			}
			at += end + 1
			if t.without(canonical, from, at) {
				return v.addition(BodyPrepended, canonical, from, at, "was added at the top of a part after signing"), true
			}
		}
	}
	return Explanation{}, false
}

// without reports whether the body without canonical[from:to] is the signed one.
func (t *trial) without(canonical []byte, from, to int) bool {
	if !t.spend(len(canonical)) {
		return false
	}
	h := sha256.New()
	h.Write(canonical[:from])
	h.Write(canonical[to:])
	return bytes.Equal(h.Sum(nil), t.want)
}

// withoutKeepingBlank leaves the blank line before the boundary, which those who add
// a footer often swallow.
func (t *trial) withoutKeepingBlank(canonical []byte, from, to int) bool {
	if !t.spend(len(canonical)) {
		return false
	}
	h := sha256.New()
	h.Write(canonical[:from])
	h.Write([]byte("\r\n"))
	h.Write(canonical[to:])
	return bytes.Equal(h.Sum(nil), t.want)
}

// mark is a boundary line of a multipart body, with the part before it.
type mark struct {
	start     int // of the boundary line
	partStart int // of the part that it ends, its header included
	bodyStart int // of that part's body
}

// boundaries finds the lines that end a part: of the boundary that the header
// names, and of those that part headers name.
func (v *verifier) boundaries(canonical []byte) []mark {
	var names [][]byte
	if b := boundaryOf(v.message.contentType()); b != "" {
		names = append(names, []byte("--"+b))
	}
	if names == nil {
		return nil
	}
	var marks []mark
	start := -1
	for at := 0; at < len(canonical); {
		end := bytes.IndexByte(canonical[at:], '\n')
		next := at + end + 1
		if end < 0 {
			next = len(canonical)
		}
		line := bytes.TrimRight(canonical[at:next], " \r\n")
		switch {
		case bytes.HasPrefix(line, []byte("--")) && isBoundary(line, names):
			if start >= 0 {
				marks = append(marks, mark{at, start, partBody(canonical, start, at)})
			}
			start = next
		case len(names) < maxParts && len(line) < 1000 && bytes.Contains(bytes.ToLower(line), []byte("boundary=")):
			if b := boundaryOf(string(line)); b != "" {
				names = append(names, []byte("--"+b))
			}
		}
		at = next
	}
	return marks
}

func isBoundary(line []byte, names [][]byte) bool {
	for _, n := range names {
		if bytes.Equal(line, n) || bytes.Equal(bytes.TrimSuffix(line, []byte("--")), n) {
			return true
		}
	}
	return false
}

func partBody(canonical []byte, start, end int) int {
	if i := bytes.Index(canonical[start:end], []byte("\r\n\r\n")); i >= 0 {
		return start + i + 4
	}
	return start
}

func lineBefore(b []byte, at int) int {
	return bytes.LastIndexByte(b[:max(0, at-1)], '\n') + 1
}

// maxOneLine bounds the body in which every line is tried: each trial hashes what
// follows it.
const maxOneLine = 128 << 10

// oneLine: one line was wrapped, or a break between two of them taken away or
// doubled.
func (v *verifier) oneLine(t *trial, canonical []byte) (Explanation, bool) {
	if len(canonical) > maxOneLine {
		return Explanation{}, false
	}
	h := sha256.New()
	for at := 0; at < len(canonical); {
		end := bytes.IndexByte(canonical[at:], '\n')
		if end < 0 {
			break
		}
		stop, next := at+end-1, at+end+1
		h.Write(canonical[at:max(at, stop)])
		rest := canonical[next:]
		for _, c := range lineChanges {
			if !t.spend(len(rest)) {
				return Explanation{}, false
			}
			trial := cloneHash(h)
			trial.Write([]byte(c.between))
			trial.Write(rest)
			if bytes.Equal(trial.Sum(nil), t.want) {
				line := bytes.Count(canonical[:at], []byte("\n")) + 1
				return Explanation{Cause: c.cause, Proven: true, Line: line, Offset: lineOffset(v.message.Body, line-1), Says: fmt.Sprintf(c.says, line)}, true
			}
		}
		h.Write(canonical[max(at, stop):next])
		at = next
	}
	return Explanation{}, false
}

// lineChanges are what may have stood where one line of the body ends now.
var lineChanges = []struct {
	between string
	cause   Cause
	says    string
}{
	{" ", BodyChanged, "Line %d of the body was wrapped after signing."},
	{"", BodyChanged, "Line %d of the body was cut in two after signing."},
	{"\r\n\r\n", BodyWhitespace, "A blank line behind line %d of the body was taken away after signing."},
	{" \r\n", BodyWhitespace, "A space at the end of line %d of the body was taken away after signing."},
}

// looksCut says what shows that the end of a body is missing.
func (v *verifier) looksCut() string {
	body := v.message.Body
	if b := boundaryOf(v.message.contentType()); b != "" && !bytes.Contains(body, []byte("--"+b+"--")) && bytes.Contains(body, []byte("--"+b)) {
		return "the last boundary of its parts is missing"
	}
	return ""
}
