package bounce

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Certainty is how sure a decision is, in a word.
type Certainty string

// The certainties, from the surest.
const (
	Certain  Certainty = "certain"  // a wording that means one thing
	Likely   Certainty = "likely"   // a generic phrase, or a code with one meaning
	Possible Certainty = "possible" // a code that servers use loosely
	Unsure   Certainty = "unknown"
)

// A Decision says what decided a reason.
type Decision struct {
	Rule   string `json:"rule"`             // the rule's ID; "list", "code:5.1.1", "reply:550", "container" or "none"
	Text   string `json:"text,omitempty"`   // what of Reply.Text matched
	Start  int    `json:"start,omitempty"`  // its place there
	End    int    `json:"end,omitempty"`    //
	Source string `json:"source,omitempty"` // where the meaning is documented
	Says   string `json:"says,omitempty"`   // the meaning in one sentence
}

// The tiers of evidence, the strongest first.
const (
	tierReceiver  = iota // a wording that has this meaning at this receiver
	tierOwn              // a wording of this receiver's own
	tierGuard            // the receiver complains of itself, or asks for patience: no listing
	tierAtCode           // the receiver's own meaning of a code
	tierList             // the text names a block list
	tierAnywhere         // a wording that identifies itself
	tierFallback         // a generic phrase
	tierEnhanced         // an enhanced status code
	tierWeak             // a phrase that servers use as filling
	tierReplyCode        // the reply code and the stage
	tierNone
)

// A verdict is what decide found.
type verdict struct {
	reason     Reason
	permanence Permanence // what the text says of trying again, or ""
	provider   string
	certainty  Certainty
	because    Decision
	mentions   []Mention
	expired    bool
}

// question is what a decision is made from.
type question struct {
	reply    Reply
	reported Code   // the Status field, where the reply has no better code
	host     string // the host that refused, where known
	stage    Stage
	context  wordSet // what was said around the reply
}

// candidate is a rule that fires, with its place in the text.
type candidate struct {
	rule       *Rule
	index      int32 // of the rule
	tier       int32
	start, end int
	bits       string // what stood in place of {bits}
}

// beats orders candidates: by tier, then the longer match, then the order of the
// tables.
func (c candidate) beats(other candidate) bool {
	if c.tier != other.tier {
		return c.tier < other.tier
	}
	if own, others := c.end-c.start, other.end-other.start; own != others {
		return own > others
	}
	return c.index < other.index
}

// doubtful reports whether something in the text speaks against a fault of the
// address: a doubtful word beside a generic phrase or a mere code, or beside any
// wording a block list or another wording that blames the sender.
func (r *Rules) doubtful(v *verdict, q question, hits []candidate, listed bool) bool {
	if text := q.reply.Text; v.certainty != Certain {
		said := wordsIn(text)
		if said.has(doubtWords) || containsFold(text, "mailbox unavailable") && q.code().Subject != 1 {
			return true
		}
		// A code without a word of the address may be any refusal.
		return strings.HasPrefix(v.because.Rule, "code:") && telling(text) && !said.has(addressWords)
	}
	if listed {
		return true
	}
	for _, c := range hits {
		if c.start >= v.because.Start && c.end <= v.because.End || c.rule.Scope == Fallback || !c.rule.allows(q) || c.rule.Scope == AtReceiver && c.rule.Provider != v.provider {
			continue
		}
		switch c.rule.Reason.Category() {
		case SenderAuth, SenderIdentity, Listed, Reputation, Throttled:
			return true
		}
	}
	return false
}

// overrules reports whether a wording says more about a listing than the name of
// the list: which identity is listed, or that the list is the receiver's own,
// which nobody can ask.
func (c candidate) overrules(list Mention) bool {
	if list.private() {
		return true
	}
	reason := c.rule.Reason
	return reason != list.reason() && (reason.Category() == Listed || reason == URLReputation)
}

// ofLink reports whether a phrase says that what the lists hold is a link of the mail: more
// than the name of a list says, and nothing of an address.
func (c candidate) ofLink(mentions []Mention) bool {
	return c.rule.Reason == URLReputation && !slices.ContainsFunc(mentions, func(m Mention) bool {
		return m.Kind == MentionList && (m.Lists == "ip" || c.start >= m.Start && c.end <= m.End)
	})
}

// decide finds out why. It makes one pass over the text.
func (r *Rules) decide(q question) verdict {
	text := q.reply.Text
	var few [16]candidate // on the stack
	hits, scan := r.scan(text, few[:0])
	provider := r.byHost(q.host)
	if provider == "" {
		provider = scan.provider
	}
	v := verdict{provider: provider, mentions: scan.mentions}
	best, wrapper := r.choose(q, hits, scan.wrappers, provider)

	code := q.code()
	listed := listedMention(scan.mentions)
	tier := tierNone
	if best.rule != nil {
		tier = int(best.tier)
	}
	switch {
	case tier <= tierAtCode:
		v.byRule(best, text)
	case listed != nil && (tier == tierAnywhere && best.overrules(*listed) || tier == tierFallback && best.ofLink(scan.mentions)):
		v.byRule(best, text)
	case listed != nil && tier > tierList && !isSuccess(q.reply.Code) && !(listed.private() && tier <= tierFallback):
		v.byList(*listed, text)
	case tier <= tierFallback:
		v.byRule(best, text)
	case tier == tierWeak && code.entry().reason.OfAddress() && !best.rule.Reason.OfAddress():
		v.byRule(best, text) // the code blames the address, the text does not
	case code.Detail != 0 && code.tells():
		v.byCode(code)
	case tier <= tierWeak:
		v.byRule(best, text)
	case code.tells():
		v.byCode(code)
	case wrapper.rule != nil:
		if v.byReplyCode(q); v.reason == ReasonUnknown {
			v.byRule(wrapper, text)
		}
	case code.entry().reason == Expired:
		v.byCode(code)
	default:
		v.byReplyCode(q)
	}
	v.mentions = r.coded(v.mentions, best)
	if v.provider == "" && best.rule != nil && v.because.Rule == best.rule.ID && r.isReceiver(best.rule.Provider) {
		v.provider = best.rule.Provider // a wording that only this receiver has
	}
	if v.reason.OfAddress() && v.reason != Complaint && v.reason != Suppressed && r.doubtful(&v, q, hits, listed != nil) {
		v.certainty = Possible
	}
	v.atSender(q)
	v.permanence = v.permanence.said(q.reply, text)
	v.expired = wrapper.rule != nil || code.entry().reason == Expired || q.context.has(expiredWords)
	return v
}

// tells reports whether a code by itself says why.
func (c Code) tells() bool {
	reason := c.entry().reason
	return !c.IsVague() && reason != "" && reason != Expired
}

// atSender turns what is said of an address in answer to MAIL FROM: the address is
// the sender's.
func (v *verdict) atSender(q question) {
	switch v.reason {
	case UnknownRecipient, UnknownDomain, RecipientSyntax, MailboxDisabled:
		if q.stage == MailFrom {
			v.reason, v.because.Says = SenderUnknown, "The answer to MAIL FROM is about the sender's address: it, or its domain, does not exist."
		}
	}
}

// said returns a rule's permanence where the reply code agrees with it, or the
// text speaks of trying again: a 550 that names a rate limit is final for this
// delivery all the same.
func (p Permanence) said(r Reply, text string) Permanence {
	class := int(r.Enhanced.Class)
	if class == 0 {
		class = r.Code / 100
	}
	if p == Temporary && class == 5 && !holds(text, retryWords) || p == Permanent && class == 4 && !holds(text, finalWords) {
		return ""
	}
	return p
}

// code returns the enhanced code to decide by.
func (q question) code() Code {
	if q.reply.Enhanced != (Code{}) {
		return q.reply.Enhanced
	}
	return q.reported
}

// maxOccurrences of one marker are looked at: hostile texts repeat them, and the
// hundredth says nothing new.
const maxOccurrences = 16

// scanned is what one pass over a text finds.
type scanned struct {
	wrappers []candidate // the rules that fired and say that time ran out
	provider string
	mentions []Mention
}

// occurrence is where the literal beginning of a regular expression stands.
type occurrence struct {
	target     *target
	start, end int
}

// scan makes that pass; the rules that fire, their conditions not yet checked, are
// added to hits.
func (r *Rules) scan(text string, hits []candidate) ([]candidate, scanned) {
	var (
		s       scanned
		counts  [4096]uint8
		needed  [256]bool
		few     [8]listHit
		start   [8]occurrence
		seen    = counts[:]
		needs   = needed[:]
		lists   = few[:0]
		later   = start[:0] // regular expressions, which wait for what they need
		longest int         // of the markers that prove a receiver
	)
	if len(r.targets) > len(counts) {
		seen = make([]uint8, len(r.targets))
	}
	if r.needs > len(needed) {
		needs = make([]bool, r.needs)
	}
	take := func(t *target, start, literal, end int) {
		switch t.kind {
		case ruleTarget:
			c := candidate{rule: &r.rules[t.index], index: int32(t.index), start: start, end: end}
			if t.item != nil {
				c.bits = text[literal:end]
			}
			hits = append(hits, c)
			if c.rule.Reason == Expired && len(s.wrappers) < maxOccurrences {
				s.wrappers = append(s.wrappers, c)
			}
		case receiverTarget:
			if end-start > longest {
				longest, s.provider = end-start, r.receivers[t.index].id
			}
		case listTarget:
			if len(lists) < maxMentions {
				hit := listHit{index: t.index, start: start, end: end}
				if t.item != nil {
					hit.item = text[literal:end]
				}
				lists = append(lists, hit)
			}
		}
	}
	r.matcher.each(text, func(id uint32, start, end int) bool {
		t := &r.targets[id]
		switch {
		case t.kind == needTarget:
			needs[t.index] = true
		case seen[id] == maxOccurrences:
		case t.re != nil:
			seen[id]++
			later = append(later, occurrence{t, start, end})
		default:
			seen[id]++
			if to := t.matchEnd(text, start, end); to >= 0 {
				take(t, start, end, to)
			}
		}
		return true
	})
	for _, o := range later {
		if !o.target.met(needs) {
			continue
		}
		if to := o.target.matchEnd(text, o.start, o.end); to >= 0 {
			take(o.target, o.start, o.end, to)
		}
	}
	s.mentions = r.mentions(text, lists)
	return hits, s
}

// choose returns the best rule, and apart from it the best one that only says
// that time ran out: what stood in the way for days matters more.
func (r *Rules) choose(q question, hits, wrappers []candidate, provider string) (best, wrapper candidate) {
	for _, c := range hits {
		if !c.rule.allows(q) || insideWrapper(wrappers, c) {
			continue
		}
		switch {
		case c.rule.Scope == AtReceiver && c.rule.Provider != provider:
			continue
		case c.rule.Scope == AtReceiver:
			c.tier = tierReceiver
		case c.rule.Provider != "" && c.rule.Provider == provider:
			c.tier = tierOwn
		case c.rule.Reason == Misconfigured || c.rule.Reason == Greylisted && c.rule.Scope == Anywhere:
			c.tier = tierGuard
		case c.rule.Scope == Anywhere:
			c.tier = tierAnywhere
		case c.rule.Weak:
			c.tier = tierWeak
		default:
			c.tier = tierFallback
		}
		if c.rule.Reason == Expired {
			if wrapper.rule == nil || c.beats(wrapper) {
				wrapper = c
			}
			continue
		}
		if best.rule == nil || c.beats(best) {
			best = c
		}
	}
	for _, i := range r.byCode {
		rule := &r.rules[i]
		if rule.Provider != provider || !rule.allows(q) {
			continue
		}
		if c := (candidate{rule: rule, index: int32(i), tier: tierAtCode}); best.rule == nil || c.beats(best) {
			best = c
		}
	}
	return best, wrapper
}

// insideWrapper reports whether a phrase is part of a longer one that says that
// time ran out: the "timeout" of "retry timeout exceeded" is no reason.
func insideWrapper(wrappers []candidate, c candidate) bool {
	for _, w := range wrappers {
		if c.rule.Reason != Expired && w.start <= c.start && w.end >= c.end {
			return true
		}
	}
	return false
}

// allows checks a rule's conditions on the codes.
func (r *Rule) allows(q question) bool {
	if len(r.Codes) > 0 {
		code, ok := q.code(), false
		for _, c := range r.Codes {
			ok = ok || code.Class != 0 && c.Subject == code.Subject && c.Detail == code.Detail
		}
		if !ok {
			return false
		}
	}
	if len(r.Stages) > 0 && !slices.Contains(r.Stages, q.stage) {
		return false
	}
	if len(r.Replies) == 0 {
		return true
	}
	for _, n := range r.Replies {
		if n == q.reply.Code {
			return true
		}
	}
	return false
}

func listedMention(mentions []Mention) *Mention {
	for i, m := range mentions {
		if m.Kind == MentionList {
			return &mentions[i]
		}
	}
	return nil
}

func (v *verdict) byRule(c candidate, text string) {
	v.reason, v.permanence = c.rule.Reason, c.rule.Permanence
	v.because = Decision{Rule: c.rule.ID, Text: text[c.start:c.end], Start: c.start, End: c.end, Source: c.rule.Source, Says: c.rule.Meaning}
	switch c.tier {
	case tierFallback:
		v.certainty = Likely
	case tierWeak:
		v.certainty = Possible
	default:
		v.certainty = Certain
	}
	if v.reason == ReasonUnknown {
		v.certainty = Unsure
	}
}

func (v *verdict) byList(m Mention, text string) {
	v.reason, v.certainty = m.reason(), Certain
	says := "The reply names the block list " + m.Name + "."
	if m.Item != "" {
		says = "The reply names the block list " + m.Name + " and " + m.Item + " on it."
	}
	v.because = Decision{Rule: "list", Text: text[m.Start:m.End], Start: m.Start, End: m.End, Source: "the list's name in the reply", Says: says}
}

func (v *verdict) byCode(c Code) {
	e := c.entry()
	v.reason, v.certainty = e.reason, Likely
	if c.Subject == 3 || c.Subject == 4 || c.Subject == 5 || c.Detail == 0 {
		v.certainty = Possible
	}
	v.because = Decision{Rule: "code:" + c.String(), Source: e.rfc, Says: fmt.Sprintf("The enhanced status code %s means: %s.", c, e.name)}
}

// replyReasons are what reply codes say by themselves (RFC 5321, section 4.2.3,
// and the RFC named).
var replyReasons = []struct {
	code   int   // 0 is any that refuses
	stage  Stage // "" is any
	reason Reason
	source string
}{
	{0, Hello, HELO, "RFC 5321, section 4.1.4"},
	{0, StartTLS, TLS, "RFC 3207, section 4"},
	{0, Login, AuthFailed, "RFC 4954, section 6"},
	{421, "", System, "RFC 5321, section 3.8"},
	{452, "", System, "RFC 5321, section 4.2.3"},
	{500, "", Protocol, "RFC 5321, section 4.2.3"},
	{501, "", Protocol, "RFC 5321, section 4.2.3"},
	{502, "", Protocol, "RFC 5321, section 4.2.3"},
	{503, "", Protocol, "RFC 5321, section 4.2.3"},
	{504, "", Protocol, "RFC 5321, section 4.2.3"},
	{521, "", UnknownDomain, "RFC 7504, section 3"},
	{530, "", AuthRequired, "RFC 4954, section 6"},
	{534, "", AuthFailed, "RFC 4954, section 6"},
	{535, "", AuthFailed, "RFC 4954, section 6"},
	{538, "", AuthFailed, "RFC 4954, section 6"},
	{552, "", MailboxFull, "RFC 5321, section 4.2.3"},
	{553, RcptTo, RecipientSyntax, "RFC 5321, section 4.2.3"},
	{553, MailFrom, SenderUnknown, "RFC 5321, section 4.2.3"},
	{555, "", Protocol, "RFC 5321, section 4.1.1.11"},
	{556, "", UnknownDomain, "RFC 7504, section 4"},
}

func (v *verdict) byReplyCode(q question) {
	v.reason, v.certainty = ReasonUnknown, Unsure
	v.because = Decision{Rule: "none"}
	for _, row := range replyReasons {
		if (row.code == q.reply.Code || row.code == 0 && q.reply.Code >= 400) && (row.stage == "" || row.stage == q.stage) {
			v.reason, v.certainty = row.reason, Possible
			v.because = Decision{Rule: "reply:" + strconv.Itoa(q.reply.Code), Source: row.source, Says: "The reply code and the point of the dialogue alone say so; servers use them for other things too."}
			return
		}
	}
}

func isSuccess(code int) bool { return code/100 == 2 }
