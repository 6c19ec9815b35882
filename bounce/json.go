package bounce

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// recipientJSON is the form of a Recipient in the command's output.
type recipientJSON struct {
	Recipient      string     `json:"recipient"`
	Original       string     `json:"original,omitempty"`
	Final          string     `json:"final,omitempty"`
	Action         Action     `json:"action"`
	Status         Code       `json:"status"`
	Reply          string     `json:"reply"`
	Reason         Reason     `json:"reason"`
	Category       Category   `json:"category"`
	Permanence     Permanence `json:"permanence"`
	Response       Response   `json:"response"`
	Suppress       bool       `json:"suppress"`
	Provider       string     `json:"provider"`
	Lists          []string   `json:"lists"`
	IPs            []string   `json:"ips"`
	Text           string     `json:"text"`
	Enhanced       Code       `json:"enhanced,omitzero"`
	ReportedStatus Code       `json:"reported_status,omitzero"`
	Expired        bool       `json:"expired,omitempty"`
	Stage          Stage      `json:"stage,omitempty"`
	RemoteMTA      string     `json:"remote_mta,omitempty"`
	Mentions       []Mention  `json:"mentions,omitempty"`
	Because        Decision   `json:"because"`
	Certainty      Certainty  `json:"certainty,omitempty"`
	RetryUntil     time.Time  `json:"retry_until,omitzero"`
	RetryAfter     string     `json:"retry_after,omitempty"` // as time.Duration writes it: "5m0s"
	RetryAt        time.Time  `json:"retry_at,omitzero"`
	Quoted         string     `json:"quoted,omitempty"`
	Legs           []Leg      `json:"legs,omitempty"`
	ServiceVerdict string     `json:"service_verdict,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (rec Recipient) MarshalJSON() ([]byte, error) {
	out := recipientJSON{
		Recipient: rec.Address, Original: rec.OriginalAddress, Final: rec.FinalAddress,
		Action: rec.Action, Status: rec.Status, Reason: rec.Reason, Category: rec.Category,
		Permanence: rec.Permanence, Response: rec.Response, Suppress: rec.Suppress, Provider: rec.Provider,
		Lists: rec.named(MentionList), IPs: rec.named(MentionIP), Text: rec.Reply.Text, Enhanced: rec.Reply.Enhanced,
		ReportedStatus: rec.ReportedStatus, Expired: rec.Expired, Stage: rec.Stage, RemoteMTA: rec.RemoteMTA,
		Mentions: rec.Mentions, Because: rec.Because, Certainty: rec.Certainty, RetryUntil: rec.RetryUntil, RetryAt: rec.RetryAt,
		Legs: rec.Legs, ServiceVerdict: rec.ServiceVerdict,
	}
	if rec.RetryAfter > 0 {
		out.RetryAfter = rec.RetryAfter.String()
	}
	if rec.Reply.Code > 0 {
		out.Reply = strconv.Itoa(rec.Reply.Code)
	}
	if rec.Quoted != rec.Reply.Text {
		out.Quoted = rec.Quoted
	}
	return plainJSON(out)
}

// plainJSON is json.Marshal that leaves "<" and ">" as they are: an address in
// angle brackets stays readable.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// named returns the values of the mentions of a kind, never nil.
func (rec *Recipient) named(kind MentionKind) []string {
	values := []string{}
	for _, m := range rec.Mentions {
		if m.Kind == kind {
			values = append(values, m.Value)
		}
	}
	return values
}

// Lists returns the block lists that the reply names: zones, or the names of
// lists without a public zone.
func (rec *Recipient) Lists() []string { return rec.named(MentionList) }

// IPs returns the addresses that the reply names.
func (rec *Recipient) IPs() []string { return rec.named(MentionIP) }

// UnmarshalJSON implements [json.Unmarshaler].
func (rec *Recipient) UnmarshalJSON(b []byte) error {
	var in recipientJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*rec = Recipient{
		Address: in.Recipient, OriginalAddress: in.Original, FinalAddress: in.Final,
		Action: in.Action, Status: in.Status, Reason: in.Reason, Category: in.Category,
		Permanence: in.Permanence, Response: in.Response, Suppress: in.Suppress, Provider: in.Provider,
		Reply: Reply{Text: in.Text, Enhanced: in.Enhanced}, ReportedStatus: in.ReportedStatus, Expired: in.Expired,
		Stage: in.Stage, RemoteMTA: in.RemoteMTA, Mentions: in.Mentions, Because: in.Because,
		Certainty: in.Certainty, RetryUntil: in.RetryUntil, RetryAt: in.RetryAt, Quoted: in.Quoted, Legs: in.Legs, ServiceVerdict: in.ServiceVerdict,
	}
	var err error
	if in.RetryAfter != "" {
		if rec.RetryAfter, err = time.ParseDuration(in.RetryAfter); err != nil {
			return fmt.Errorf("bounce: retry_after: %w", err)
		}
	}
	if in.Reply != "" {
		if rec.Reply.Code, err = strconv.Atoi(in.Reply); err != nil {
			return fmt.Errorf("bounce: reply: %w", err)
		}
	}
	rec.dropBadPlaces()
	if rec.Quoted == "" {
		rec.Quoted = in.Text
	}
	return nil
}

// dropBadPlaces removes what points outside the reply: the text may have been
// masked or cut since the report was written.
func (rec *Recipient) dropBadPlaces() {
	n := len(rec.Reply.Text)
	rec.Mentions = slices.DeleteFunc(rec.Mentions, func(m Mention) bool { return m.Start < 0 || m.End > n || m.Start > m.End })
	if b := &rec.Because; b.Start < 0 || b.End > n || b.Start > b.End {
		b.Start, b.End = 0, 0
	}
}
