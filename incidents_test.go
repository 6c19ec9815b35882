package rebound_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// incident is a bounce with the DNS of its day and an expert's answer.
type incident struct {
	ID        string     `json:"id"`
	Now       time.Time  `json:"now"`
	BouncedAt time.Time  `json:"bounced_at"`
	Reply     string     `json:"reply"`
	Bounce    string     `json:"bounce"`
	Zone      string     `json:"zone"`
	IP        netip.Addr `json:"ip"`
	HELO      string     `json:"helo"`
	MailFrom  string     `json:"mail_from"`
	From      string     `json:"from"`
	Recipient string     `json:"recipient"`
	Message   string     `json:"message"`
	Expect    struct {
		TopCause    bounce.Reason   `json:"top_cause"`
		SecondCause bounce.Reason   `json:"second_cause"`
		Fault       string          `json:"fault"`
		Response    bounce.Response `json:"response"`
		Suppress    bool            `json:"suppress"`
		Hold        *struct {
			Scope string `json:"scope"`
		} `json:"hold"`
	} `json:"expect"`
}

// How many of the incidents are answered as the expert does. The figures may only
// rise, or fall with a reason in the commit.
func TestIncidents(t *testing.T) {
	root := os.Getenv("REBOUND_CORPUS")
	if root == "" {
		t.Skip("REBOUND_CORPUS is not set: the labelled data is not here")
	}
	var incidents []incident
	if err := json.Unmarshal(read(t, filepath.Join(root, "incidents", "incidents.json")), &incidents); err != nil {
		t.Fatal(err)
	}
	var want map[string]int
	if err := json.Unmarshal(read(t, "testdata/incidents.json"), &want); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, in := range incidents {
		d := in.diagnose(t)
		t.Logf("%s: %s", in.ID, d.Headline.Why)
		e := in.Expect
		for figure, hit := range map[string]bool{
			"top_cause":    d.Causes[0].Kind == e.TopCause,
			"second_cause": e.SecondCause == "" || len(d.Causes) > 1 && d.Causes[1].Kind == e.SecondCause,
			"fault":        strings.HasPrefix(e.Fault, string(d.Fault)),
			"response":     d.Response == e.Response,
			"suppress":     (len(d.Suppress) > 0) == e.Suppress,
			"hold":         (d.Hold == nil) == (e.Hold == nil) && (d.Hold == nil || d.Hold.Scope == e.Hold.Scope),
		} {
			if hit {
				got[figure]++
			} else {
				t.Logf("%s: %s differs: causes %v, fault %s, response %s, hold %+v", in.ID, figure, kinds(d), d.Fault, d.Response, d.Hold)
			}
		}
	}
	for figure, n := range want {
		t.Logf("%-12s %d of %d", figure, got[figure], len(incidents))
		if got[figure] < n {
			t.Errorf("%s: %d of %d, was %d", figure, got[figure], len(incidents), n)
		}
	}
}

func (in incident) diagnose(t *testing.T) *rebound.Diagnosis {
	t.Helper()
	message := in.Message
	if message == "" {
		message = "From: " + in.From + "\r\n\r\n"
	}
	d := &rebound.Diagnoser{Resolver: resolvetest.New(t, in.Zone), Now: func() time.Time { return in.Now }}
	got, err := d.Diagnose(t.Context(), rebound.Case{
		Reply: in.Reply, Bounce: []byte(in.Bounce), IP: in.IP, HELO: in.HELO, MailFrom: in.MailFrom, Recipient: in.Recipient,
		Message: []byte(message), Bounced: in.BouncedAt,
	})
	if err != nil {
		t.Fatalf("%s: %v", in.ID, err)
	}
	return got
}
