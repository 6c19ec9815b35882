package bounce

import (
	"regexp"
	"strings"
)

// legPattern reads the forms in which receivers state their verdicts: Gmail's
// and Yahoo's "DKIM = did not pass", "SPF [shop.example] with ip: [192.0.2.1] =
// did not pass"; Microsoft's "Spf= Fail , Dkim= Pass , DMARC= None".
var legPattern = regexp.MustCompile(`(?i)\b(SPF|DKIM|DMARC)\s*(?:\[([^\]\s]{1,253})\])?\s*(?:with ip:?\s*\[([^\]\s]{1,64})\])?\s*=\s*(did not pass|pass|fail|neutral|none|softfail|temperror|permerror)\b`)

// maxLegs is more than three methods with a few domains each.
const maxLegs = 8

// maxLegText is how much of a reply is searched for them: Gmail's is 700 octets.
const maxLegText = 4 << 10

func readLegs(text string) []Leg {
	if !strings.Contains(text, "=") {
		return nil
	}
	var legs []Leg
	for _, m := range legPattern.FindAllStringSubmatch(text[:min(len(text), maxLegText)], maxLegs) {
		legs = append(legs, Leg{Method: lower(m[1]), Domain: lower(m[2]), IP: m[3], Result: lower(m[4])})
	}
	return legs
}
