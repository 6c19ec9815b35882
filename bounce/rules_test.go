package bounce

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Every row decides its own examples, and so is reachable. Where an example
// names a block list, naming it more closely is no other decision.
func TestRulesDecideTheirExamples(t *testing.T) {
	rules := DefaultRules()
	for _, rule := range rules.All() {
		if len(rule.Examples) == 0 {
			t.Errorf("%s has no example", rule.ID)
		}
		for _, example := range rule.Examples {
			rec := Recipient{Action: Failed, RemoteMTA: rule.Host}
			if len(rule.Stages) > 0 {
				rec.Stage = rule.Stages[0]
			}
			rules.judge(&rec, example, "")
			if rec.Because.Rule == "list" && rec.Reason == rule.Reason {
				continue // the list that the example names decides, to the same effect
			}
			if rec.Because.Rule != rule.ID {
				t.Errorf("%s: %s decided %q as %s", rule.ID, rec.Because.Rule, example, rec.Reason)
			}
		}
	}
}

func TestRulesAreWhole(t *testing.T) {
	for _, rule := range DefaultRules().All() {
		if rule.Meaning == "" || rule.Source == "" {
			t.Errorf("%s: no meaning or no source", rule.ID)
		}
		for _, m := range rule.Matches {
			if m != lower(m) {
				t.Errorf("%s: the marker %q is not in lower case", rule.ID, m)
			}
		}
	}
}

func TestRulesFromAReader(t *testing.T) {
	const table = "id: own-grey\nscope: any\nmatch: please come again tomorrow\nreason: greylisted\npermanence: temporary\nmeaning: First contact.\nsource: own postmaster\nexample: 450 Please come again tomorrow\n"
	rules, err := DefaultRules().With(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	if got := rules.ParseReply("450 Please come again tomorrow").Recipients[0]; got.Reason != Greylisted || got.Because.Rule != "own-grey" {
		t.Errorf("got %s by %s", got.Reason, got.Because.Rule)
	}
	if got := ParseReply("450 Please come again tomorrow").Recipients[0]; got.Because.Rule == "own-grey" {
		t.Error("the default rules were changed")
	}
	replaced, err := rules.With(strings.NewReader(strings.Replace(table, "greylisted", "rate-limited", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if got := replaced.ParseReply("450 Please come again tomorrow").Recipients[0].Reason; got != RateLimited {
		t.Errorf("after replacing the rule: %s", got)
	}
}

func TestRulesRefuseWhatIsWrong(t *testing.T) {
	const good = "id: x\nscope: any\nmatch: some words\nreason: spf\nsource: s\n"
	for name, table := range map[string]string{
		"no id":              strings.Replace(good, "id: x\n", "", 1),
		"no scope":           strings.Replace(good, "scope: any", "scope: all", 1),
		"no provider":        strings.Replace(good, "scope: any", "scope: receiver", 1),
		"unknown reason":     strings.Replace(good, "spf", "because", 1),
		"nothing to match":   strings.Replace(good, "match: some words\n", "", 1),
		"short marker":       strings.Replace(good, "some words", "x", 1),
		"no source":          strings.Replace(good, "source: s\n", "", 1),
		"bad permanence":     good + "permanence: perhaps\n",
		"bad code":           good + "code: 5\n",
		"bad reply":          good + "reply: 99\n",
		"unknown key":        good + "colour: red\n",
		"regex syntax":       good + "regex: ab(\n",
		"regex without text": good + "regex: .*x\n",
		"no stanza":          "words\n",
	} {
		if _, err := DefaultRules().With(strings.NewReader(table)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := DefaultRules().With(strings.NewReader(good)); err != nil {
		t.Errorf("the good rule: %v", err)
	}
}

func TestReceiversByHost(t *testing.T) {
	for host, want := range map[string]string{
		"gmail-smtp-in.l.google.com":                "google",
		"shop-example.mail.protection.outlook.com.": "microsoft365",
		"shop-example.olc.protection.outlook.com":   "outlook",
		"mx.recipient.example":                      "",
		"":                                          "",
		"notgoogle.com":                             "",
		"mta5.am0.yahoodns.net":                     "yahoo",
		"mail.protection.outlook.com.attacker.test": "",
	} {
		if got := DefaultRules().byHost(host); got != want {
			t.Errorf("%q is %q, want %q", host, got, want)
		}
	}
}

func TestZonesAreNamesOfLists(t *testing.T) {
	zones := Zones()
	if !slices.Contains(zones, "zen.spamhaus.org") || len(zones) < 200 {
		t.Errorf("%d zones", len(zones))
	}
}

// replies of about 200 octets, of the commonest kinds.
var benchmarkReplies = []struct{ name, reply string }{
	{"list", "554 5.7.1 Service unavailable; Client host [198.51.100.23] blocked using bl.spamcop.net; Blocked - see https://www.spamcop.net/bl.shtml?198.51.100.23 (in reply to RCPT TO command) for more information about it"},
	{"unknown", "550 5.1.1 <anna.schmidt.with.a.long.name@recipient.example>: Recipient address rejected: User unknown in virtual mailbox table; please check the address of the recipient and send the message again"},
	{"lines", "550-5.1.1 The email account that you tried to reach does not exist. Please try\n550-5.1.1 double-checking the recipient's email address for typos or\n550 5.1.1 unnecessary spaces. - gsmtp"},
	{"greylisted", "450 4.2.0 <anna@recipient.example>: Recipient address rejected: Greylisted, see http://postgrey.receiver.example/help and try again in 300 seconds please, this is for your first contact only, thank you"},
	{"nothing", "554 5.7.1 This message has been refused by the administrator of the domain and there is nothing more to be said about it here, so please stop asking and write a letter, with kind regards from all of us"},
}

func BenchmarkParseReply(b *testing.B) {
	rules := DefaultRules()
	for _, bb := range benchmarkReplies {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.reply)))
			b.ReportAllocs()
			for b.Loop() {
				rules.ParseReply(bb.reply)
			}
		})
	}
}

// Twice the rules are to cost less than 1.3 times the time.
func BenchmarkParseReplyTwiceTheRules(b *testing.B) {
	var table strings.Builder
	for _, rule := range DefaultRules().All() {
		for i, m := range rule.Matches {
			// The same words in another order: as long, and never met.
			words := strings.Fields(strings.Trim(m, "*"))
			slices.Reverse(words)
			fmt.Fprintf(&table, "id: twin-%s-%d\nscope: fallback\nmatch: %s q\nreason: policy\nsource: none\n\n", rule.ID, i, strings.Join(words, " "))
		}
	}
	twice, err := DefaultRules().With(strings.NewReader(table.String()))
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range benchmarkReplies {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.reply)))
			for b.Loop() {
				twice.ParseReply(bb.reply)
			}
		})
	}
}
