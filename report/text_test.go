package report

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/finding"
)

func sample() *rebound.Diagnosis {
	d := &rebound.Diagnosis{
		Headline: rebound.Headline{Who: "who", Why: "why", They: "they", Do: "do", Keep: "keep"},
		Causes: []rebound.Cause{
			{Kind: bounce.PTR, Certainty: bounce.Certain, State: rebound.Confirmed, Summary: "No PTR record", Detail: "192.0.2.1 has none.", Evidence: []finding.Evidence{
				{Kind: finding.KindReply, Text: "550 \x1b[31mno\x1b[0m \u202eevil"},
				{Kind: finding.KindDNS, Text: "answer"},
				{Kind: finding.KindRule, Text: "rule-id: meaning", Source: "https://page.example/"},
				{Kind: finding.KindTable, Text: "row"},
				{Kind: finding.KindCaller, Text: "said"},
			}},
			{Kind: bounce.ReasonUnknown, Certainty: bounce.Unsure, State: rebound.NotAsked, Summary: "mx.example says nothing"},
		},
		Plan: []rebound.Step{
			{Phase: rebound.PhaseRepair, Who: "you", What: "Publish it.", Record: &finding.Record{Name: "a.example", Type: "TXT", New: "\"x\""}, Verify: "It is there."},
			{Phase: rebound.PhaseRepair, Who: "you", What: "Change it.", Record: &finding.Record{Name: "b.example.", Type: "TXT", Old: "\"o\"", New: "\"n\""}},
			{Phase: rebound.PhaseRepair, Who: "you", What: "Remove it.", Record: &finding.Record{Name: "c.example", Type: "TXT", Old: "\"o\""}, URL: "https://help.example/" + strings.Repeat("x", 100)},
			{Phase: rebound.PhaseAsk, Who: "you", What: "Ask.", Record: &finding.Record{Name: "d.example", Type: "PTR"}},
		},
		Checks: []rebound.Check{
			{Name: "one", Outcome: finding.Clean, Why: "fine"},
			{Name: "two", Outcome: finding.Unknown, Why: "no answer"},
			{Name: "three", Outcome: finding.NotApplicable, Why: "no subject"},
			{Name: "four", Outcome: finding.Broke, Why: "a defect"},
			{Name: "five", Outcome: finding.Found, Why: "bad"},
		},
		Notes: []string{strings.Repeat("word ", 60)},
	}
	for i := range maxRecipients + 5 {
		d.Recipients = append(d.Recipients, bounce.Recipient{Address: fmt.Sprintf("a%d@recipient.example", i), Action: bounce.Failed, Reason: bounce.UnknownRecipient, Permanence: bounce.Permanent, Suppress: i%2 == 0})
	}
	return d
}

func rendered(t *testing.T, o Options) string {
	t.Helper()
	var b strings.Builder
	if err := Text(&b, sample(), o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextShowsAll(t *testing.T) {
	got := rendered(t, Options{Width: 100})
	for _, want := range []string{
		"Refused   who\n", "Cause     why\n", "They say  they\n", "Do first  do\n", "Address   keep\n",
		"1. No PTR record (certain; seen now).", "2. mx.example says nothing (not certain; could not be checked).",
		"- they say: 550 [31mno[0m evil", "- DNS: answer", "- rule: rule-id: meaning [https://page.example/]", "- catalogue: row", "- caller: said",
		"record: a.example. TXT \"x\"\n", "record: b.example. TXT \"n\" (now: \"o\")", "record: c.example. TXT (now: \"o\")", "record: d.example. PTR\n",
		"to see that it is done: It is there.", "page: https://help.example/xxx",
		"a0@recipient.example: failed, unknown-recipient (permanent; suppress)", "a1@recipient.example: failed, unknown-recipient (permanent; keep)", "and 5 more",
		"one          clean: fine", "two          could not tell: no answer", "three        not asked: no subject", "four         broke: a defect", "five         found: bad",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the report lacks %q:\n%s", want, got)
		}
	}
}

func TestTextKeepsItsWidth(t *testing.T) {
	for _, width := range []int{0, 10, 60, 100} {
		limit := map[int]int{0: defaultWidth, 10: minWidth}[width]
		if limit == 0 {
			limit = width
		}
		for line := range strings.Lines(rendered(t, Options{Width: width})) {
			line = strings.TrimRight(line, "\n")
			if n := utf8.RuneCountInString(line); n > limit && len(strings.Fields(line)) > 3 {
				t.Errorf("width %d: a line of %d: %s", width, n, line)
			}
		}
	}
}

func TestTextIsSafeForATerminal(t *testing.T) {
	for name, o := range map[string]Options{"plain": {}, "colour": {Color: true}} {
		got := rendered(t, o)
		if o.Color {
			for _, own := range []string{bold, reset} {
				if !strings.Contains(got, own) {
					t.Errorf("colour: %q is missing", own)
				}
				got = strings.ReplaceAll(got, own, "")
			}
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return r < ' ' && r != '\n' || r == '\u202e' }); i >= 0 {
			t.Errorf("%s: a control character at %d", name, i)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestTextPassesOnWriteErrors(t *testing.T) {
	if err := Text(full{}, sample(), Options{}); err == nil {
		t.Error("no error")
	}
}
