package dkim

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// maxHeaderBytes bounds what the search for a changed field hashes.
const maxHeaderBytes = 32 << 20

// explainHeader says which signed field differs from what was signed. A hash proves
// it where the change is one that mail is known to undergo; else the fields are
// named that it can have been.
func (v *verifier) explainHeader(res *Result, o *oracle, d *signed) Explanation {
	s := res.Signature
	f := &fieldSearch{message: v.message, signature: s, oracle: o, signed: d, budget: maxHeaderBytes}
	for _, search := range []func() (Explanation, bool){f.copies, f.single, f.whole, f.own, f.pairs} {
		if e, ok := search(); ok {
			return e
		}
	}
	return f.leftOver(res)
}

// fieldSearch is the search for the header that was signed.
type fieldSearch struct {
	message   *message
	signature *Signature
	oracle    *oracle
	signed    *signed
	budget    int
}

// matches reports whether the signed texts with some replaced are the right ones.
func (f *fieldSearch) matches(at int, text string) bool {
	f.budget -= f.signed.size()
	return f.budget >= 0 && f.oracle.matches(f.signed.sumWith(at, text))
}

// copies compares the fields with those that the signer copied into z=.
func (f *fieldSearch) copies() (Explanation, bool) {
	other := *f.signed
	other.texts = slices.Clone(f.signed.texts)
	used := map[int]bool{}
	changed := -1
	for i, name := range f.signed.names {
		for j := len(f.signature.Copied) - 1; j >= 0; j-- {
			c := f.signature.Copied[j]
			if used[j] || c.Name != name {
				continue
			}
			used[j] = true
			text := canonicalField(name+":"+strings.TrimSuffix(c.Value, "\r\n")+"\r\n", f.signature.HeaderC)
			if at := f.signed.picks[i]; at < 0 || squash(f.message.Fields[at].Raw) != squash(text) {
				other.texts[i], changed = text, i
			}
			break
		}
	}
	if changed < 0 || !f.oracle.matches(other.sum()) {
		return Explanation{}, false
	}
	return f.change(changed, HeaderChanged, other.texts[changed], "as z= in the signature shows"), true
}

// squash takes white space and case out of a comparison.
func squash(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), "")) }

// single tries every change to every signed field.
func (f *fieldSearch) single() (Explanation, bool) {
	for i := range f.signed.names {
		for c := range f.candidates(i) {
			if f.matches(i, c.text) {
				return f.change(i, c.cause, c.text, c.says), true
			}
		}
	}
	return Explanation{}, false
}

// pairs tries the changes of mailing lists and gateways, which come together: to the
// subject, to From, and fields that they add. The first change is held while the
// second is tried, added fields before all others.
func (f *fieldSearch) pairs() (Explanation, bool) {
	original := f.signed
	defer func() { f.signed = original }()
	for _, addedOnly := range []bool{true, false} {
		for i, name := range original.names {
			if name != "subject" && name != "from" && name != "content-type" {
				continue
			}
			for c := range f.candidates(i) {
				f.signed = with(original, i, c.text)
				if second, ok := f.second(i, addedOnly); ok {
					e := f.change(i, c.cause, c.text, c.says)
					e.Says += " " + second.Says
					return e, true
				}
				if f.budget < 0 {
					return Explanation{}, false
				}
			}
		}
	}
	return Explanation{}, false
}

// second looks for a change beside the one that is held.
func (f *fieldSearch) second(held int, addedOnly bool) (Explanation, bool) {
	for j := range f.signed.names {
		if j == held {
			continue
		}
		for other := range f.candidates(j) {
			if addedOnly && other.cause != HeaderAdded {
				break // they come first
			}
			if f.matches(j, other.text) {
				return f.change(j, other.cause, other.text, other.says), true
			}
		}
	}
	return Explanation{}, false
}

func with(d *signed, at int, text string) *signed {
	out := *d
	out.texts = slices.Clone(d.texts)
	out.texts[at] = text
	return &out
}

// whole tries changes to all fields at once: a relay that refolds one refolds all.
func (f *fieldSearch) whole() (Explanation, bool) {
	if f.signature.HeaderC == "relaxed" {
		return Explanation{}, false
	}
	for c := range respellings {
		out := *f.signed
		out.texts = make([]string, len(f.signed.texts))
		first := -1
		for i, t := range f.signed.texts {
			out.texts[i] = t
			if t == "" {
				continue
			}
			if again := c.respell(t); again != t {
				out.texts[i] = again
				if first < 0 {
					first = i
				}
			}
		}
		f.budget -= out.size()
		if first >= 0 && f.budget >= 0 && f.oracle.matches(out.sum()) {
			e := f.change(first, HeaderWhitespace, out.texts[first], "and others, "+c.says)
			return e, true
		}
	}
	return Explanation{}, false
}

// own tries the signature's own field: refolded, or its name in another case.
func (f *fieldSearch) own() (Explanation, bool) {
	if f.signature.HeaderC == "relaxed" {
		return Explanation{}, false
	}
	for c := range respellings {
		out := *f.signed
		out.own = strings.TrimSuffix(c.respell(f.signed.own+"\r\n"), "\r\n")
		if out.own != f.signed.own && f.oracle.matches(out.sum()) {
			return Explanation{Cause: HeaderWhitespace + "dkim-signature", Proven: true, Before: out.own, After: f.signed.own, Says: "The DKIM-Signature field itself was " + c.says + " after signing, and simple canonicalization does not allow that."}, true
		}
	}
	return Explanation{}, false
}

// change describes the change of one signed field.
func (f *fieldSearch) change(i int, c Cause, was, how string) Explanation {
	name := f.signed.names[i]
	e := Explanation{Cause: c + Cause(name), Proven: true, Before: valueOf(was)}
	if at := f.signed.picks[i]; at >= 0 {
		e.Line = f.message.Fields[at].Line
		e.After = valueOf(f.message.Fields[at].Raw)
	}
	title := canonicalName(name)
	switch c {
	case HeaderAdded:
		e.Says = fmt.Sprintf("A %s field was added after signing: %q.", title, clipText(e.After))
	case HeaderRemoved:
		e.Says = fmt.Sprintf("The %s field was taken away after signing, %s.", title, how)
	case HeaderWhitespace:
		e.Says = fmt.Sprintf("The %s field was written anew after signing (%s), and simple canonicalization does not allow that.", title, how)
	default:
		e.Says = fmt.Sprintf("The %s field was changed after signing, %s: it was %q and is %q.", title, how, clipText(e.Before), clipText(e.After))
	}
	return e
}

func valueOf(raw string) string {
	_, v, _ := strings.Cut(raw, ":")
	return strings.Join(strings.Fields(v), " ")
}

func clipText(s string) string {
	if len(s) <= 100 {
		return s
	}
	return strings.ToValidUTF8(s[:100], "") + "…"
}

// canonicalName writes a field's name as people do.
func canonicalName(name string) string {
	b := []byte(name)
	up := true
	for i, c := range b {
		if up && 'a' <= c && c <= 'z' {
			b[i] = c - 0x20
		}
		up = c == '-'
	}
	out := string(b)
	for wrong, right := range map[string]string{"Message-Id": "Message-ID", "Mime-Version": "MIME-Version", "Dkim-Signature": "DKIM-Signature"} {
		if out == wrong {
			return right
		}
	}
	return out
}

// alwaysThere are the fields that practically every mail has when it is signed.
var alwaysThere = []string{"date", "from", "message-id", "mime-version", "subject", "to", "content-type"}

// leftOver: no change that can be undone makes the hash right. What the mail shows
// is said, and which fields it can have been.
func (f *fieldSearch) leftOver(res *Result) Explanation {
	key := "The key is right"
	if f.oracle.key != nil {
		key = "If the key is right"
	}
	var missing, there []string
	for i, name := range f.signed.names {
		switch {
		case f.signed.picks[i] >= 0:
			if !slices.Contains(there, name) {
				there = append(there, name)
			}
		case slices.Contains(alwaysThere, name) && len(f.message.All(name)) == 0 && !slices.Contains(missing, name):
			missing = append(missing, name)
		}
	}
	if len(missing) == 1 {
		return Explanation{Cause: HeaderRemoved + Cause(missing[0]), Says: fmt.Sprintf("%s, and a signed field is no longer as it was. The signature names %s, and the mail has no such field: it was probably taken away.", key, canonicalName(missing[0]))}
	}
	if name, says := f.suspect(res.Domain); name != "" {
		at := f.message.All(name)
		return Explanation{Cause: HeaderChanged + Cause(name), Line: f.message.Fields[at[len(at)-1]].Line, After: valueOf(f.message.Fields[at[len(at)-1]].Raw), Says: fmt.Sprintf("%s, and a signed field is no longer as it was. %s", key, says)}
	}
	for i, name := range there {
		there[i] = canonicalName(name)
	}
	return Explanation{Cause: SignatureInvalid, Says: fmt.Sprintf("%s, and one of the signed fields is no longer as it was: %s. Which one cannot be told.", key, strings.Join(there, ", "))}
}

// suspect names the one field that shows signs of having been written by somebody
// else than the signer.
func (f *fieldSearch) suspect(domain string) (name, says string) {
	signedName := func(n string) bool { return slices.Contains(f.signed.names, n) && len(f.message.All(n)) > 0 }
	var list []string
	says = ""
	if signedName("message-id") {
		id := strings.Trim(f.message.Get("message-id"), "<> ")
		host := strings.ToLower(id[strings.LastIndexByte(id, '@')+1:])
		if !sameSite(host, domain) && !sameSite(host, f.fromDomain()) && strings.Contains(host, ".") {
			list, says = append(list, "message-id"), fmt.Sprintf("Message-ID is of %s, not of the signer: a relay that writes its own has probably replaced it.", host)
		}
	}
	if signedName("subject") && tagged(f.message.Get("subject")) {
		list, says = append(list, "subject"), fmt.Sprintf("Subject begins with a tag (%q) like that of a mailing list or a filter.", clipText(f.message.Get("subject")))
	}
	if signedName("from") {
		if via := strings.ToLower(f.message.Get("from")); strings.Contains(via, " via ") || f.message.Get("x-original-from") != "" {
			list, says = append(list, "from"), "From was written anew, as mailing lists do."
		}
	}
	if len(list) != 1 {
		return "", ""
	}
	return list[0], says
}

func (f *fieldSearch) fromDomain() string {
	from := f.message.Get("from")
	host := from[strings.LastIndexByte(from, '@')+1:]
	return strings.ToLower(strings.TrimRight(host, "> "))
}

// sameSite reports whether one of two names lies under the other's last two labels.
func sameSite(a, b string) bool {
	return lastTwo(a) == lastTwo(b)
}

func lastTwo(name string) string {
	at := len(name)
	for range 2 {
		i := strings.LastIndexByte(name[:at], '.')
		if i < 0 {
			return name
		}
		at = i
	}
	return name[at+1:]
}

func tagged(subject string) bool {
	subject = strings.TrimSpace(subject)
	for _, p := range []string{"re:", "fwd:", "fw:", "aw:"} {
		subject = strings.TrimSpace(strings.TrimPrefix(strings.ToLower(subject), p))
	}
	return strings.HasPrefix(subject, "[") || strings.HasPrefix(subject, "***") || strings.HasPrefix(subject, "{")
}

// A candidate is what a field may have been.
type candidate struct {
	text  string // canonical; "" for no such field
	cause Cause
	says  string
}

// candidates are what the field at a place of h= may have been: another of its name,
// none, or itself before a known change.
func (f *fieldSearch) candidates(i int) iter.Seq[candidate] {
	return func(yield func(candidate) bool) {
		name, at := f.signed.names[i], f.signed.picks[i]
		if at < 0 {
			f.absent(name, yield)
			return
		}
		for _, other := range f.message.All(name) {
			if other != at && !yield(candidate{canonicalField(f.message.Fields[other].Raw, f.signature.HeaderC), HeaderAdded, ""}) {
				return
			}
		}
		if !yield(candidate{"", HeaderAdded, ""}) {
			return
		}
		raw := f.message.Fields[at].Raw
		if f.signature.HeaderC != "relaxed" {
			for _, c := range spellings {
				if again := c.respell(raw); again != raw && !yield(candidate{again, HeaderWhitespace, c.says}) {
					return
				}
			}
			for again := range refolded(raw) {
				if !yield(candidate{again, HeaderWhitespace, "refolded"}) {
					return
				}
			}
		}
		f.values(name, raw, yield)
	}
}

// absent: a field that h= names and the mail lacks may have stood there empty, or as
// what another field says.
func (f *fieldSearch) absent(name string, yield func(candidate) bool) {
	text := func(value string) string {
		return canonicalField(canonicalName(name)+": "+value+"\r\n", f.signature.HeaderC)
	}
	if !yield(candidate{text(""), HeaderRemoved, "where it stood empty"}) {
		return
	}
	for _, known := range defaults[name] {
		if !yield(candidate{text(known), HeaderRemoved, fmt.Sprintf("where it was %q", known)}) {
			return
		}
	}
}

// defaults are the values that some fields nearly always have.
var defaults = map[string][]string{
	"mime-version":              {"1.0"},
	"content-transfer-encoding": {"7bit", "8bit", "quoted-printable", "base64"},
	"content-type":              {"text/plain; charset=utf-8", "text/plain; charset=\"utf-8\"", "text/plain; charset=UTF-8", "text/plain", "text/plain; charset=us-ascii", "text/html; charset=utf-8"},
	"precedence":                {"bulk", "list"},
	"list-unsubscribe-post":     {"List-Unsubscribe=One-Click"},
	"x-priority":                {"3", "1", "3 (Normal)"},
	"importance":                {"normal", "high"},
	"auto-submitted":            {"auto-generated"},
}

// values gives what a field may have held.
func (f *fieldSearch) values(name, raw string, yield func(candidate) bool) {
	head, value, _ := strings.Cut(raw, ":")
	unfolded := strings.TrimSuffix(value, "\r\n")
	for _, c := range valueChanges {
		if !c.applies(name) {
			continue
		}
		for was := range c.undo(f.message, unfolded) {
			if was == unfolded {
				continue
			}
			text := canonicalField(head+":"+was+"\r\n", f.signature.HeaderC)
			if !yield(candidate{text, HeaderChanged, c.says}) {
				return
			}
		}
	}
}
