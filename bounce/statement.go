package bounce

import "strconv"

// A Statement is what a sending service says of one recipient, in fields in
// place of a bounce message. All but the recipient may be empty.
type Statement struct {
	Recipient  string
	Action     Action     // Failed where empty
	Reply      string     // the remote server's words, with or without its codes
	Code       int        // its reply code, where the words do not begin with it
	Status     Code       // its enhanced code, likewise
	RemoteMTA  string     // the server that refused
	Verdict    string     // the service's own, in its words: "Transient/MailboxFull"
	Means      Reason     // what that verdict means; used where the reply says nothing
	Permanence Permanence // what that verdict says of trying again; used where the reply has no code. Temporary keeps the address unless the reply's words blame it
	Doubtful   bool       // the verdict may be about another recipient: the address is kept
	Source     string     // the page that documents the verdicts
}

// Judge decides what a statement means.
func Judge(s Statement) Recipient { return DefaultRules().Judge(s) }

// Judge is [Judge] with these rules.
func (r *Rules) Judge(s Statement) Recipient {
	rec := Recipient{Address: s.Recipient, Action: s.Action, ReportedStatus: s.Status, RemoteMTA: lower(s.RemoteMTA), ServiceVerdict: s.Verdict}
	if rec.Action == "" {
		rec.Action = Failed
	}
	text := s.Reply
	if code, enhanced := leadingCodes(text); code == 0 && isReplyCode(s.Code) {
		if enhanced == (Code{}) && s.Status != (Code{}) {
			text = s.Status.String() + " " + text
		}
		text = strconv.Itoa(s.Code) + " " + text
	}
	r.judge(&rec, text, "")
	if rec.Action != Failed && rec.Action != Delayed {
		rec.passed()
		return rec
	}
	if s.Means != "" && (rec.Reason == ReasonUnknown || rec.Reason == Expired) {
		rec.Expired = rec.Expired || rec.Reason == Expired
		rec.Reason, rec.Certainty = s.Means, Likely
		rec.Because = Decision{Rule: "service", Text: s.Verdict, Source: s.Source, Says: "The sending service says so; the receiver's words say no more."}
		rec.conclude("")
	}
	if s.Means == rec.Reason && rec.Certainty == Possible {
		rec.Certainty = Likely // the words and the service agree
		rec.conclude(rec.Permanence)
	}
	if s.Permanence != "" && rec.Reply.Code == 0 && (rec.Status.Class == 0 || s.Permanence == Temporary && s.Reply == "") {
		rec.conclude(s.Permanence)
	}
	if s.Doubtful && rec.Suppress {
		rec.Certainty = Possible
		rec.conclude(rec.Permanence)
	}
	return rec
}
