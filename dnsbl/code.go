package dnsbl

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Nature says what a listing is about.
type Nature string

// The natures. The zero value means that the list does not say.
const (
	Spam      Nature = "spam"
	Exploit   Nature = "exploit" // an infected machine, a proxy, a stolen account
	Policy    Nature = "policy"  // a range that should not send mail directly
	PTR       Nature = "ptr"     // reverse DNS is missing or generic
	Phishing  Nature = "phishing"
	Malware   Nature = "malware"
	Botnet    Nature = "botnet"
	Abused    Nature = "abused"     // a good domain that others misuse
	Hijacked  Nature = "hijacked"   // a stolen or criminal network
	NewDomain Nature = "new-domain" // first seen a short while ago
	OpenProxy Nature = "open-proxy"
	Tor       Nature = "tor"
	Attack    Nature = "attack"     // log-ins and scans, not mail
	BadConfig Nature = "bad-config" // missing postmaster or abuse address, bad MX
	Allowed   Nature = "allow"      // a good sender
	Neutral   Nature = "neutral"    // neither good nor bad
	Untold    Nature = "unknown"    // the operator does not say
)

var natures = []Nature{Spam, Exploit, Policy, PTR, Phishing, Malware, Botnet, Abused, Hijacked, NewDomain, OpenProxy, Tor, Attack, BadConfig, Allowed, Neutral, Untold}

// A CodeRule gives answers of a list their meaning.
type CodeRule struct {
	Pattern string `json:"pattern"` // "127.0.0.2", "127.0.0.5-127.0.0.7", "127.0.x.1", or a bit of the last octet: "8"
	Nature  Nature `json:"nature,omitempty"`
	Meaning string `json:"meaning"`

	bit    byte
	ranges [4][2]byte
}

// parseCode reads "PATTERN [NATURE] MEANING"; bits says that a bare number is a
// bit of the last octet.
func parseCode(value string, bits bool) (CodeRule, error) {
	pattern, meaning, _ := strings.Cut(value, " ")
	c := CodeRule{Pattern: pattern, Meaning: strings.TrimSpace(meaning)}
	if rest, ok := strings.CutPrefix(c.Meaning, "["); ok {
		name, text, ok := strings.Cut(rest, "]")
		if !ok {
			return c, fmt.Errorf("%q: the nature is not closed", value)
		}
		c.Nature, c.Meaning = Nature(name), strings.TrimSpace(text)
		if !c.Nature.known() {
			return c, fmt.Errorf("%q is no nature", name)
		}
	}
	if c.Meaning == "" {
		return c, fmt.Errorf("%q has no meaning", value)
	}
	return c, c.parse(bits)
}

func (n Nature) known() bool {
	for _, k := range natures {
		if k == n {
			return true
		}
	}
	return false
}

func (c *CodeRule) parse(bits bool) error {
	if bits && !strings.Contains(c.Pattern, ".") {
		n, err := strconv.ParseUint(c.Pattern, 10, 8)
		if err != nil || n == 0 || n&(n-1) != 0 {
			return fmt.Errorf("%q is no bit", c.Pattern)
		}
		c.bit = byte(n)
		return nil
	}
	low, high, ranged := strings.Cut(c.Pattern, "-")
	if ranged && strings.Count(low, ".") == 3 && strings.Count(high, ".") == 3 {
		a, errA := netip.ParseAddr(low)
		b, errB := netip.ParseAddr(high)
		if errA != nil || errB != nil || !a.Is4() || !b.Is4() || a.As4()[0] != 127 || [3]byte(a.AsSlice()) != [3]byte(b.AsSlice()) || b.Less(a) {
			return fmt.Errorf("%q is no range within 127/8", c.Pattern)
		}
		x, y := a.As4(), b.As4()
		for i := range 4 {
			c.ranges[i] = [2]byte{x[i], y[i]}
		}
		return nil
	}
	octets := strings.Split(c.Pattern, ".")
	if len(octets) != 4 || octets[0] != "127" {
		return fmt.Errorf("%q is no address within 127/8", c.Pattern)
	}
	for i, o := range octets {
		if o == "x" {
			c.ranges[i] = [2]byte{0, 255}
			continue
		}
		from, to, ok := strings.Cut(o, "-")
		if !ok {
			to = from
		}
		a, errA := strconv.ParseUint(from, 10, 8)
		b, errB := strconv.ParseUint(to, 10, 8)
		if errA != nil || errB != nil || a > b {
			return fmt.Errorf("%q is no address within 127/8", c.Pattern)
		}
		c.ranges[i] = [2]byte{byte(a), byte(b)}
	}
	return nil
}

// matches reports whether the rule speaks of an answer within 127/8.
func (c *CodeRule) matches(a netip.Addr) bool {
	b := a.As4()
	if c.bit != 0 {
		return b[0] == 127 && b[1] == 0 && b[2] == 0 && b[3]&c.bit != 0
	}
	for i, r := range c.ranges {
		if b[i] < r[0] || b[i] > r[1] {
			return false
		}
	}
	return true
}

// A Step is one of those that lead off a list.
type Step struct {
	Code string `json:"code,omitempty"` // the answer for which it holds, a pattern; "" for every one
	Who  string `json:"who,omitempty"`  // who can take it, where that is another than List.Who says
	What string `json:"what"`

	rule CodeRule
}

// parseStep reads "[PATTERN WHO] TEXT" or "TEXT".
func parseStep(value string, bits bool) (Step, error) {
	rest, ok := strings.CutPrefix(value, "[")
	if !ok {
		return Step{What: value}, nil
	}
	head, text, ok := strings.Cut(rest, "]")
	pattern, who, _ := strings.Cut(head, " ")
	s := Step{Code: pattern, Who: who, What: strings.TrimSpace(text), rule: CodeRule{Pattern: pattern}}
	if !ok || s.What == "" {
		return s, fmt.Errorf("%q is no step", value)
	}
	return s, s.rule.parse(bits)
}

// StepsFor returns the steps for an entry with these codes. Without codes, as when
// the list could not be asked, it returns all, each with the code that it is for.
func (l *List) StepsFor(codes []Code) []Step {
	var steps []Step
	for _, s := range l.Steps {
		switch {
		case s.Code == "" || s.fits(codes):
			steps = append(steps, s)
		case len(codes) == 0:
			s.What = "If " + l.called(&s) + ": " + strings.ToLower(s.What[:1]) + s.What[1:]
			steps = append(steps, s)
		}
	}
	return steps
}

// called says for which entries a step is, by the names that people see on the list's
// pages; with the codes where another step is for others of the same name.
func (l *List) called(s *Step) string {
	names := l.partsOf(s)
	text := "it is " + strings.Join(names, " or ")
	switch {
	case len(names) == 0:
		return "the code is " + s.Code
	case slices.ContainsFunc(l.Steps, func(other Step) bool {
		return other.Code != "" && other.Code != s.Code && slices.Equal(l.partsOf(&other), names)
	}):
		return text + " (" + s.Code + ")"
	}
	return text
}

// partsOf are the names of the entries that a step is for.
func (l *List) partsOf(s *Step) []string {
	var names []string
	for _, c := range l.Codes {
		of := Code{Addr: netip.AddrFrom4([4]byte{c.ranges[0][0], c.ranges[1][0], c.ranges[2][0], c.ranges[3][0]}), Meaning: c.Meaning}
		if name := of.Part(); name != "" && s.fits([]Code{of}) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Part is the name that the operator gives to entries of this code, such as "XBL" in "XBL:
// infected machine", or "".
func (c Code) Part() string {
	name, _, ok := strings.Cut(c.Meaning, ": ")
	if !ok || name != strings.ToUpper(name) {
		return ""
	}
	return name
}

func (s *Step) fits(codes []Code) bool {
	for _, c := range codes {
		if s.rule.matches(c.Addr) {
			return true
		}
	}
	return false
}
