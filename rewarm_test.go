package rebound_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/warmup"
)

func TestOutcome(t *testing.T) {
	for _, tt := range []struct {
		reply string
		want  warmup.Outcome // of N 1; the zero value for none
	}{
		{"550 5.1.1 The email account that you tried to reach does not exist. gsmtp", warmup.Outcome{Provider: "google", Kind: warmup.HardBounce}},
		{"421 4.7.28 Gmail has detected an unusual rate of unsolicited mail. To protect our users from spam, mail has been temporarily rate limited. gsmtp", warmup.Outcome{Provider: "google", Kind: warmup.Deferred, Hint: warmup.Hint{Wait: 10 * time.Minute, Connections: 1}}},
		{"421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes", warmup.Outcome{Provider: "yahoo", Kind: warmup.Deferred, Hint: warmup.Hint{Wait: 2 * time.Hour}}},
		{"550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).", warmup.Outcome{Provider: "microsoft", Kind: warmup.Blocked}},
		{"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", warmup.Outcome{Provider: warmup.Other, Kind: warmup.Listed}},
		{"552 5.2.2 Mailbox full", warmup.Outcome{}},
		{"451 4.3.0 Local error in processing", warmup.Outcome{}},
		{"450 4.2.0 Greylisted, try again in 5 minutes", warmup.Outcome{}},
		{"450 4.1.1 User unknown, try again later", warmup.Outcome{}},
	} {
		got := rebound.Outcome(bounce.ParseReply(tt.reply))
		var want []warmup.Outcome
		if tt.want.Kind != 0 {
			tt.want.N = 1
			want = append(want, tt.want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s\ngot %+v, want %+v", tt.reply, got, want)
		}
	}
	if got := rebound.Outcome(nil); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
}

// Each outcome is one that a controller takes in.
func TestOutcomeIsObserved(t *testing.T) {
	c, err := warmup.New(warmup.Config{Goal: warmup.Goal{Target: 100_000}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, o := range rebound.Outcome(bounce.ParseReply("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org")) {
		if err := c.Observe("192.0.2.1", o, now); err != nil {
			t.Fatal(err)
		}
	}
	if g := c.Allow("192.0.2.1", warmup.Other, 10, now); g.OK != 0 || g.Reason.Code != warmup.OnList {
		t.Errorf("after a listing: %+v", g)
	}
}
