package bounce

import "strings"

// maxLegs is more than three methods with a few domains each.
const maxLegs = 8

// maxLegText is how much of a reply is searched for them: Gmail's is 700 octets.
const maxLegText = 4 << 10

// readLegs reads the forms in which receivers state their verdicts: Gmail's and
// Yahoo's "DKIM = did not pass", "SPF [shop.example] with ip: [192.0.2.1] = did not
// pass"; Gmail's older "DKIM checks did not pass and SPF check for [shop.example] did not
// pass with ip: [192.0.2.1]"; Microsoft's "Spf= Fail , Dkim= Pass , DMARC= None"; and the result fields
// of RFC 8601, "spf=fail smtp.mailfrom=shop.example; dkim=none".
func readLegs(text string) []Leg {
	if strings.IndexByte(text, '=') < 0 && !containsFold(text, "check") {
		return nil
	}
	text = cut(text, maxLegText)
	var legs []Leg
	for i := 0; i < len(text) && len(legs) < maxLegs; {
		if i > 0 && isWord(text[i-1]) {
			i++
			continue
		}
		leg, end := readLeg(text[i:])
		if end == 0 {
			i++
			continue
		}
		i += end
		if leg.Domain == "" {
			leg.Domain = legProperty(text[i:])
		}
		legs = append(legs, leg)
	}
	return legs
}

// legResults are the words for a result, the longer of two with one beginning
// first.
var legResults = []string{"did not pass", "pass", "softfail", "fail", "neutral", "none", "temperror", "permerror", "bestguesspass"}

// readLeg reads the verdict at the start of a text, and returns where it ends; 0 if
// there is none.
func readLeg(text string) (leg Leg, end int) {
	for _, method := range []string{"spf", "dkim", "dmarc", "arc"} {
		if hasPrefixFold(text, method) {
			leg.Method = method
			break
		}
	}
	if leg.Method == "" {
		return leg, 0
	}
	rest := strings.TrimLeft(text[len(leg.Method):], " ")
	if hasPrefixFold(rest, "check") {
		return readChecked(leg, text, rest)
	}
	leg.Domain, rest = bracketed(rest)
	if hasPrefixFold(rest, "with ip") {
		leg.IP, rest = bracketed(strings.TrimLeft(rest[len("with ip"):], ": "))
	}
	rest, ok := strings.CutPrefix(rest, "=")
	if !ok {
		return leg, 0
	}
	rest = strings.TrimLeft(rest, " ")
	for _, result := range legResults {
		if hasPrefixFold(rest, result) && (len(rest) == len(result) || !isWord(rest[len(result)])) {
			leg.Result, leg.Domain = result, lower(leg.Domain)
			return leg, len(text) - len(rest) + len(result)
		}
	}
	return leg, 0
}

// readChecked reads the verdict of a sentence, from "check" on.
func readChecked(leg Leg, text, rest string) (Leg, int) {
	const failed = "did not pass"
	rest = strings.TrimLeft(rest[len("check"):], "sS ")
	if hasPrefixFold(rest, "for [") {
		leg.Domain, rest = bracketed(rest[len("for "):])
	}
	if !hasPrefixFold(rest, failed) {
		return leg, 0
	}
	leg.Result, leg.Domain, rest = failed, lower(leg.Domain), rest[len(failed):]
	if hasPrefixFold(rest, " with ip: [") {
		leg.IP, rest = bracketed(rest[len(" with ip: "):])
	}
	return leg, len(text) - len(rest)
}

// bracketed reads "[x] " at the start of a text.
func bracketed(text string) (inside, rest string) {
	inside, rest, ok := strings.Cut(strings.TrimPrefix(text, "["), "]")
	if !ok || text[0] != '[' || len(inside) > 253 || strings.IndexByte(inside, ' ') >= 0 {
		return "", text
	}
	return inside, strings.TrimLeft(rest, " ")
}

// legProperty finds the domain that a result of RFC 8601 is about, before the next
// one.
func legProperty(text string) string {
	text, _, _ = strings.Cut(cut(text, 300), ";")
	for _, name := range []string{"smtp.mailfrom=", "header.d=", "header.from=", "header.i="} {
		at := indexFold(text, name)
		if at < 0 {
			continue
		}
		value := text[at+len(name):]
		if end := strings.IndexAny(value, " \t,)("); end >= 0 {
			value = value[:end]
		}
		value = lower(value[strings.LastIndexByte(value, '@')+1:])
		if isHostName(value) {
			return value
		}
	}
	return ""
}
