package rebound

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/rebound-mail/rebound/auth"
	"github.com/rebound-mail/rebound/auth/iprev"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/content"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/warmup"
)

// Schema is the version of a Diagnosis in JSON. Fields may be added within one.
const Schema = 1

// A Diagnosis is the answer.
type Diagnosis struct {
	Headline   Headline           `json:"headline"`
	Fault      Fault              `json:"fault"`
	Response   bounce.Response    `json:"response"` // what to do about the refusal as a whole
	Causes     []Cause            `json:"causes"`   // most important first
	Recipients []bounce.Recipient `json:"recipients"`
	RefusedIP  netip.Addr         `json:"refused_ip"`  // the address that the receiver refused
	Hold       *Hold              `json:"hold"`        // what to stop sending; null for nothing
	RetryAfter Duration           `json:"retry_after"` // zero where the same mail should not be tried again, or no time is known
	Suppress   []string           `json:"suppress"`    // addresses not to mail again
	Plan       []Step             `json:"plan"`        // in the order in which to do it
	Checks     []Check            `json:"checks"`
	Notes      []string           `json:"notes"`           // worth knowing, no cause
	Asked      *Asked             `json:"asked,omitempty"` // what it was made on, for [Diagnoser.Recheck]
	Schema     int                `json:"schema"`

	Facts  Facts          `json:"-"` // what the checks were made on, and where each fact comes from
	Report *bounce.Report `json:"-"`
	// DNS are the answers that the checks were given; of those for which no check waited,
	// such as a look at a list's health, some may be missing.
	DNS []resolve.Answer `json:"-"`

	Listings       []dnsbl.Result  `json:"-"` // of the refused address
	DomainListings []dnsbl.Result  `json:"-"` // of the sender's domains
	Reverse        *iprev.Result   `json:"-"`
	Content        *content.Report `json:"-"` // what a filter would dislike; nil where it did not matter or the mail is not at hand
	Authentication *auth.Report    `json:"-"` // SPF, DKIM, DMARC and the sender's domain; nil where they did not matter
	Destinations   []*Destination  `json:"-"`
}

// LogValue implements [slog.LogValuer]: a group of what a line of a log should hold. No
// address of a person is in it.
func (d *Diagnosis) LogValue() slog.Value {
	if d == nil || len(d.Causes) == 0 {
		return slog.GroupValue()
	}
	attrs := []slog.Attr{
		slog.String("cause", string(d.Causes[0].Kind)), slog.String("state", string(d.Causes[0].State)), slog.String("certainty", string(d.Causes[0].Certainty)),
		slog.String("fault", string(d.Fault)), slog.String("response", string(d.Response)), slog.Int("suppress", len(d.Suppress)),
	}
	if d.RefusedIP.IsValid() {
		attrs = append(attrs, slog.String("ip", d.RefusedIP.String()))
	}
	if d.Hold != nil {
		attrs = append(attrs, slog.String("hold", d.Hold.Scope))
	}
	if d.RetryAfter > 0 {
		attrs = append(attrs, slog.Duration("retry_after", time.Duration(d.RetryAfter)))
	}
	return slog.GroupValue(attrs...)
}

// A Headline is the answer in five lines of at most 100 columns.
type Headline struct {
	Who  string `json:"who"`  // who refused what, and whether it is final
	Why  string `json:"why"`  // the cause, whose fault, how certain
	They string `json:"they"` // the receiver's own words, joined, unaltered; cut to the line with "…"
	Do   string `json:"do"`   // the first action: who, and the exact record or URL
	Keep string `json:"keep"` // keep or suppress the address, what to hold, when to retry, what could not be told
}

// A CauseKind is a reason of package bounce, or one of the kinds below.
type CauseKind = bounce.Reason

// The kinds of cause that no receiver states.
const (
	NotYours   CauseKind = "not-yours"    // a bounce of a mail that somebody else sent under this name
	NotABounce CauseKind = "not-a-bounce" // nothing was refused
)

// A Fault says whose it is.
type Fault string

// The faults.
const (
	OfSender       Fault = "sender"
	OfRecipient    Fault = "recipient"
	OfReceiver     Fault = "receiver" // the receiving system, not the person
	OfESP          Fault = "esp"
	OfForwarder    Fault = "forwarder"
	OfListOperator Fault = "list operator"
	OfNobody       Fault = "nobody"
	NotTold        Fault = "unknown"
)

// A State says how what the receiver stated compares with what is true now.
type State string

// The states.
const (
	Confirmed    State = "confirmed"     // we see it too
	Contradicted State = "contradicted"  // we see otherwise, and the refusal is recent, or its time is not known
	Cleared      State = "cleared"       // it was so; it is gone
	NotAsked     State = "not-asked"     // it could be checked, and was not or could not be
	NotCheckable State = "not-checkable" // nobody outside the receiver can check it
	Unstated     State = "possible"      // the receiver did not say so; we see it
)

// A Cause is one reason, with what speaks for it.
type Cause struct {
	Kind      CauseKind          `json:"kind"`
	Certainty bounce.Certainty   `json:"certainty"`
	State     State              `json:"state"`
	Fault     Fault              `json:"fault"`
	Summary   string             `json:"summary"`          // one sentence, without its full stop
	Detail    string             `json:"detail,omitempty"` // how the statement compares with what is seen now
	Evidence  []finding.Evidence `json:"evidence,omitempty"`
	Fixes     []finding.Fix      `json:"fixes"`
	Source    string             `json:"source,omitempty"`

	rec   *bounce.Recipient // whom it concerns first
	count int               // how many it concerns
	steps []Step            // where the cause itself knows them

	more []finding.Fix // of the same repair

	response bounce.Response // where it is another than that of its kind
	until    string          // likewise, of what is held
	next     bool            // unstated, and what is refused next once the first is mended
}

// A Hold says what to stop sending, and until when.
type Hold struct {
	Scope string `json:"scope"` // ip: all mail from the address; receiver: from it to this receiver; stream: with this sender by this way; campaign: this mailing
	What  string `json:"what"`
	Until string `json:"until"`
}

// A Step is one line of the plan.
type Step struct {
	Phase  Phase           `json:"phase"`
	Action string          `json:"action"` // as finding.Fix
	Who    string          `json:"who"`
	What   string          `json:"what"`
	Record *finding.Record `json:"record,omitempty"`
	URL    string          `json:"url,omitempty"`
	Verify string          `json:"verify,omitempty"` // how to see that it is done
	Takes  string          `json:"takes,omitempty"`  // how long until it shows; "" where that is not known
	// After are the numbers, from 1, of the steps of the plan that must be done first.
	After []int `json:"after,omitempty"`
	// For are the kinds of cause that call for it; List is the zone of the list that it
	// leads off.
	For  []CauseKind `json:"for,omitempty"`
	List string      `json:"list,omitempty"`
	// Schedule is how the volume grows again, of a step that begins anew.
	Schedule *warmup.Schedule `json:"schedule,omitempty"`

	hold  bool // it says what Diagnosis.Hold says
	relay bool // it belongs to the way through a relay, which waits for no list
}

// A Phase orders the plan.
type Phase string

// The phases, in their order.
const (
	PhaseStop    Phase = "stop"
	PhaseRepair  Phase = "repair"
	PhaseDelist  Phase = "delist"
	PhaseAsk     Phase = "ask"
	PhaseRewarm  Phase = "re-warm"
	PhaseRetest  Phase = "re-test"
	PhaseCleanUp Phase = "clean-up"
)

// A Check says how one check ended.
type Check struct {
	Name     string            `json:"name"`
	Outcome  finding.Outcome   `json:"outcome"`
	Why      string            `json:"why"`
	Findings []finding.Finding `json:"findings,omitempty"`
}

// A Duration is a time.Duration that JSON writes as "15m0s", zero as "".
type Duration time.Duration

// Text is the duration in words, cut to whole seconds, from two minutes on to whole minutes,
// from two hours on to whole hours, and from two days on to whole days: "90 minutes". Below
// zero it is "0 seconds".
func (d Duration) Text() string {
	switch d := max(time.Duration(d), 0); {
	case d/time.Second == 1:
		return "1 second"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// MarshalJSON implements [json.Marshaler].
func (d Duration) MarshalJSON() ([]byte, error) {
	if d == 0 {
		return []byte(`""`), nil
	}
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON implements [json.Unmarshaler].
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil || s == "" {
		*d = 0
		return err
	}
	parsed, err := time.ParseDuration(s)
	*d = Duration(parsed)
	return err
}
