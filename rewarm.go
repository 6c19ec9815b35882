package rebound

import (
	"fmt"
	"time"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/warmup"
)

// rewarm is the step that begins anew with little: after a block for volume or reputation,
// or a listing, of bulk mail from the caller's own server.
func (r *run) rewarm() (Step, bool) {
	if r.main().Action != bounce.Failed || !r.facts.Bulk || r.control() != Own {
		return Step{}, false
	}
	c := r.out.Causes[0]
	switch c.Kind {
	case bounce.RateLimited, bounce.IPReputation, bounce.DomainReputation, bounce.IPListed, bounce.DomainListed:
	default:
		return Step{}, false
	}
	if c.State == Contradicted || c.State == Cleared || c.Fault == OfReceiver || c.Fault == OfListOperator || c.Fault == OfForwarder {
		return Step{}, false
	}
	provider := providerOf(r.main())
	s := Step{Phase: PhaseRewarm, Action: finding.Edit, Who: you, For: []CauseKind{c.Kind}, Verify: "Each day less than 3 % is deferred and less than 0.1 % complained of; else hold the volume, or go back."}
	from := warmup.Evidence{Volume: r.Volume, Blocked: true}
	if r.Volume <= 0 || r.Volume > warmup.MaxTarget {
		s.What = "Then begin again with a quarter of the mail of before to this receiver, to those first who opened it within 30 days, and go up as long as nothing is refused: rebound warmup plan -from MAILS -blocked makes the schedule."
		return s, true
	}
	schedule, err := warmup.Plan{Target: r.Volume, Start: r.now.Truncate(24*time.Hour).AddDate(0, 0, 1), Mix: warmup.Mix{provider: 1}, From: &from}.Schedule()
	if err != nil {
		return Step{}, false
	}
	s.Schedule = schedule
	s.What = fmt.Sprintf("Then begin again with %d mails a day to this receiver, those first who opened your mail within 30 days; with nothing refused, the %d of before are reached in %d days.", schedule.Days[0].Total, r.Volume, len(schedule.Days))
	return s, true
}

// Outcome tells package warmup what came back: the outcomes that a [warmup.Controller]
// takes in. What says nothing of the sender's standing, such as a full mailbox or a fault
// of the receiver, gives none.
func Outcome(r *bounce.Report) []warmup.Outcome {
	if r == nil {
		return nil
	}
	var list []warmup.Outcome
	for i := range r.Recipients {
		rec := &r.Recipients[i]
		if kind := kindOf(rec); kind != 0 {
			list = append(list, warmup.Outcome{Provider: providerOf(rec), Kind: kind, N: 1, Hint: hintOf(rec)})
		}
	}
	return list
}

// kindOf is what a bounce says of the sender; 0 where it says nothing.
func kindOf(rec *bounce.Recipient) warmup.Kind {
	if rec.Reason == bounce.Complaint {
		return warmup.Complaint
	}
	switch rec.Action {
	case bounce.Delivered, bounce.Relayed, bounce.Expanded:
		return warmup.Delivered
	}
	passing := rec.Permanence == bounce.Temporary || rec.Action == bounce.Delayed
	switch rec.Reason.Category() {
	case bounce.BadRecipient, bounce.BadDomain, bounce.MailboxInactive:
		if passing {
			return 0
		}
		return warmup.HardBounce
	case bounce.Throttled:
		if rec.Reason == bounce.SenderQuota {
			return 0 // of the sender's own service
		}
		return warmup.Deferred
	case bounce.Reputation, bounce.RefusedByPolicy, bounce.ContentRejected, bounce.SenderAuth, bounce.SenderIdentity:
		switch rec.Reason {
		case bounce.RecipientPolicy, bounce.Attachment, bounce.Malware, bounce.MessageFormat:
			return 0 // of one mail or reader
		}
		if passing {
			return warmup.Deferred
		}
		return warmup.Blocked
	case bounce.Listed:
		return warmup.Listed
	}
	return 0
}

// providers are the names of package bounce that package warmup has others for.
var providers = map[string]warmup.Provider{"outlook": "microsoft", "microsoft365": "microsoft", "tonline": "t-online", "protonmail": "proton"}

// providerOf is whose servers answered.
func providerOf(rec *bounce.Recipient) warmup.Provider {
	if rec.RemoteMTA != "" {
		if p := warmup.ByMX(rec.RemoteMTA); p != warmup.Other {
			return p
		}
	}
	if p, ok := providers[rec.Provider]; ok {
		return p
	}
	if rec.Provider != "" {
		return warmup.Provider(rec.Provider)
	}
	return warmup.Other
}

// hintOf is what the reply says of when to go on: in its words, else as the provider's
// page or the default of a large sender's MTA has it.
func hintOf(rec *bounce.Recipient) warmup.Hint {
	h := warmup.Hint{Wait: max(0, rec.RetryAfter)}
	status := rec.Status.String()
	switch p := providerOf(rec); {
	case p == "google" && status == "4.7.28":
		// https://support.google.com/a/answer/81126: stop for ten minutes, then one connection
		h.Wait, h.Connections = max(h.Wait, 10*time.Minute), 1
	case p == "yahoo" && rec.Reason.Category() == bounce.Throttled, p == "yahoo" && rec.Reason == bounce.IPReputation && rec.Permanence == bounce.Temporary:
		// KumoMTA, assets/policy-extras/shaping.toml: TSS04 and TS04
		h.Wait = max(h.Wait, 2*time.Hour)
	case rec.Reason == bounce.IPReputation && rec.Permanence == bounce.Temporary:
		// KumoMTA, the same file: one connection for 90 minutes
		h.Connections = 1
	}
	return h
}
