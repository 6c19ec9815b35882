package rebound

import (
	"slices"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/finding"
)

// The rules by which causes are ranked, each with stories that show it.
var rankingRules = []struct {
	rule   string
	story  string // the beginning of its folder's name
	wanted func(*Diagnosis) bool
}{
	{"1. a bounce of somebody else's mail is ignored", "16-", func(d *Diagnosis) bool {
		return top(d) == NotYours && d.Response == bounce.Ignore && len(d.Suppress) == 0
	}},
	{"1. so it is where only the caller's own facts tell", "94-", func(d *Diagnosis) bool { return top(d) == NotYours && len(d.Suppress) == 0 }},
	{"1. a refusal by the sender's own relay is told apart", "97-", func(d *Diagnosis) bool {
		return d.Causes[1].Kind == bounce.AuthRequired && strings.Contains(d.Causes[1].Detail, "never asked")
	}},
	{"1. a suppression list of the service is told apart", "77-", func(d *Diagnosis) bool {
		return top(d) == bounce.Suppressed && d.Fault == OfRecipient && strings.HasPrefix(d.Headline.Who, "Your sending service did not send")
	}},
	{"2. the receiver's address comes before the caller's, and the difference is said", "15-", func(d *Diagnosis) bool {
		return d.RefusedIP.Is6() && noted(d, "The receiver names 2001:db8:25::1")
	}},
	{"2. a client's private hop is never the sending address", "68-", func(d *Diagnosis) bool { return d.RefusedIP.String() == "198.51.100.23" }},
	{"3. cleared: the same address, a healthy list, an older refusal", "03-", func(d *Diagnosis) bool { return d.Causes[0].State == Cleared && d.Hold == nil }},
	{"3. an emptied list is never cleared", "04-", func(d *Diagnosis) bool {
		return top(d) == bounce.System && d.Fault == OfReceiver && d.Causes[0].State == NotCheckable
	}},
	{"3. a list that refuses us is not asked", "05-", func(d *Diagnosis) bool { return d.Causes[0].State == NotAsked }},
	{"3. within the record's life it is wait", "96-", func(d *Diagnosis) bool {
		return d.Causes[0].State == Contradicted && d.Response == bounce.Retry && d.Plan[0].Action == finding.Wait
	}},
	{"3. a private list costs no certainty", "32-", func(d *Diagnosis) bool {
		return d.Causes[0].State == NotCheckable && d.Causes[0].Certainty == bounce.Certain
	}},
	{"4. the receiver's verdicts are evidence", "27-", func(d *Diagnosis) bool {
		return slices.ContainsFunc(d.Causes[0].Evidence, func(e finding.Evidence) bool { return strings.HasPrefix(e.Text, "SPF of ") })
	}},
	{"4. one that passes does not clear one that fails", "90-", func(d *Diagnosis) bool {
		return top(d) == bounce.Unauthenticated && d.Causes[0].State == Confirmed && !strings.Contains(d.Causes[0].Summary, "DKIM")
	}},
	{"5. a receiver's fault comes before all findings", "23-", func(d *Diagnosis) bool { return d.Fault == OfReceiver && len(d.Causes) == 1 }},
	{"5. a recipient's fault asks no list and scores no content", "08-", func(d *Diagnosis) bool { return notAsked(d, "dnsbl.ip", "dnsbl.domain", "spf", "content") }},
	{"5. greylisting is one cause, alone", "10-", func(d *Diagnosis) bool {
		return top(d) == bounce.Greylisted && len(d.Causes) == 1 && d.Fault == OfNobody && notAsked(d, "dnsbl.ip", "recipient")
	}},
	{"6. a NoPtr listing and the missing PTR record are one", "26-", func(d *Diagnosis) bool { return top(d) == bounce.PTR && len(d.Causes) == 1 }},
	{"6. XBL and the infected host: one plan", "01-", func(d *Diagnosis) bool { return d.Causes[1].Kind == bounce.Compromised && d.Plan[0].Phase == PhaseStop }},
	{"6. a broken SPF record before 5.7.26", "89-", func(d *Diagnosis) bool {
		return top(d) == bounce.SPFFailed && d.Causes[1].Kind == bounce.Unauthenticated
	}},
	{"6. a list's footer before DKIM and DMARC", "98-", func(d *Diagnosis) bool {
		return top(d) == bounce.DKIMFailed && d.Causes[1].Kind == bounce.DMARCFailed && d.Fault == OfForwarder
	}},
	{"6. a key that is gone before DMARC", "101-", func(d *Diagnosis) bool { return top(d) == bounce.DKIMFailed && d.Causes[1].Kind == bounce.DMARCFailed }},
	{"7. what is seen comes before a refusal without a reason, marked as possible", "24-", func(d *Diagnosis) bool {
		return top(d) == bounce.IPListed && d.Causes[0].State == Unstated && d.Causes[0].Certainty == bounce.Possible && d.Hold == nil
	}},
	{"8. an address that nobody vouches for is added to no record", "39-", func(d *Diagnosis) bool {
		return !slices.ContainsFunc(d.Plan, func(s Step) bool { return s.Record != nil })
	}},
	{"8. one whose confirmed name is the sender's is", "38-", func(d *Diagnosis) bool {
		return slices.ContainsFunc(d.Plan, func(s Step) bool { return s.Record != nil && strings.Contains(s.Record.New, "ip4:203.0.113.9") })
	}},
	{"9. an address of a service is the service's to mend", "19-", func(d *Diagnosis) bool {
		return d.Fault == OfESP && d.Hold == nil && d.Response == bounce.Retry
	}},
	{"9. that of a forwarder, the forwarder's", "87-", func(d *Diagnosis) bool {
		return d.Fault == OfForwarder && d.Hold == nil && d.Response == bounce.AskRecipient
	}},
	{"9. a list of whole networks, its operator's", "86-", func(d *Diagnosis) bool { return d.Fault == OfListOperator && d.Hold == nil }},
	{"9. re-warm only after a block of bulk mail from an own address", "46-", func(d *Diagnosis) bool { return hasPhase(d, PhaseRewarm) }},
	{"9. and not after one of an office's", "02-", func(d *Diagnosis) bool { return !hasPhase(d, PhaseRewarm) }},
}

func top(d *Diagnosis) CauseKind { return d.Causes[0].Kind }

func noted(d *Diagnosis, text string) bool {
	return slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, text) })
}

func notAsked(d *Diagnosis, names ...string) bool {
	for _, c := range d.Checks {
		if slices.Contains(names, c.Name) && c.Outcome != finding.NotApplicable {
			return false
		}
	}
	return true
}

func hasPhase(d *Diagnosis, p Phase) bool {
	return slices.ContainsFunc(d.Plan, func(s Step) bool { return s.Phase == p })
}

func TestRankingRules(t *testing.T) {
	stories := wanted(t)
	for _, row := range rankingRules {
		found := false
		for name, d := range stories {
			if strings.HasPrefix(name, row.story) {
				found = true
				if !row.wanted(d) {
					t.Errorf("%s\n%s: causes %v, fault %s, response %s, hold %+v, checks %+v", row.rule, name, d.Causes, d.Fault, d.Response, d.Hold, d.Checks)
				}
			}
		}
		if !found {
			t.Errorf("%s: no story %s", row.rule, row.story)
		}
	}
}

// What holds in every story. Rule 7: at most two causes that nobody stated. Rule 10: the
// headline says how certain it is in a word.
func TestRankingHoldsEverywhere(t *testing.T) {
	for name, d := range wanted(t) {
		unstated, stated := 0, 0
		for i, c := range d.Causes {
			switch {
			case c.State != Unstated:
				stated++
			case c.Certainty != bounce.Possible:
				t.Errorf("%s: cause %d was not stated and is %s", name, i+1, c.Certainty)
			default:
				unstated++
			}
		}
		if unstated > maxUnstated {
			t.Errorf("%s: %d causes that nobody stated", name, unstated)
		}
		c := d.Causes[0]
		if c.Certainty != bounce.Unsure && c.State != Cleared && c.State != Contradicted && !strings.Contains(d.Headline.Why, string(c.Certainty)) {
			t.Errorf("%s: the headline does not say that it is %s: %s", name, c.Certainty, d.Headline.Why)
		}
		for _, r := range d.Recipients {
			if r.Suppress && !r.Reason.OfAddress() && r.Reason != bounce.MailboxFull {
				t.Errorf("%s: %s is to be suppressed for %s", name, r.Address, r.Reason)
			}
		}
		if d.Hold != nil && (d.Fault == OfReceiver || d.Fault == OfESP || d.Fault == OfListOperator || d.Fault == OfNobody) {
			t.Errorf("%s: mail is held for a fault of %s", name, d.Fault)
		}
	}
}
