package bounce

import (
	"net/netip"
	"strings"
)

// Abuse is a feedback report: a complaint (RFC 5965), or that a mail failed
// authentication (RFC 6591). Values are as they came.
type Abuse struct {
	Type                  string     `json:"type"` // abuse, fraud, virus, not-spam, auth-failure …, in lower case
	UserAgent             string     `json:"user_agent,omitempty"`
	Version               string     `json:"version,omitempty"`
	OriginalEnvelopeID    string     `json:"original_envelope_id,omitempty"`
	OriginalMailFrom      string     `json:"original_mail_from,omitempty"`
	OriginalRcptTo        []string   `json:"original_rcpt_to,omitempty"`
	ArrivalDate           string     `json:"arrival_date,omitempty"`
	ReportingMTA          string     `json:"reporting_mta,omitempty"`
	SourceIP              netip.Addr `json:"source_ip,omitzero"`
	SourcePort            string     `json:"source_port,omitempty"` // RFC 6692
	Incidents             string     `json:"incidents,omitempty"`
	ReportedDomain        string     `json:"reported_domain,omitempty"` // the first
	ReportedDomains       []string   `json:"reported_domains,omitempty"`
	ReportedURIs          []string   `json:"reported_uris,omitempty"`
	AuthenticationResults []string   `json:"authentication_results,omitempty"`
	AuthFailure           string     `json:"auth_failure,omitempty"` // RFC 6591: adsp, bodyhash, dkim, dmarc, revoked, signature, spf
	DeliveryResult        string     `json:"delivery_result,omitempty"`
	IdentityAlignment     string     `json:"identity_alignment,omitempty"`
	DKIMDomain            string     `json:"dkim_domain,omitempty"`
	DKIMIdentity          string     `json:"dkim_identity,omitempty"`
	DKIMSelector          string     `json:"dkim_selector,omitempty"`
	SPFDNS                []string   `json:"spf_dns,omitempty"`
}

// maxRepeated bounds the fields of a feedback report that may come again.
const maxRepeated = 100

func readAbuse(b []byte) *Abuse {
	a := &Abuse{}
	single := map[string]*string{
		"feedback-type": &a.Type, "user-agent": &a.UserAgent, "version": &a.Version, "original-envelope-id": &a.OriginalEnvelopeID,
		"original-mail-from": &a.OriginalMailFrom, "arrival-date": &a.ArrivalDate, "received-date": &a.ArrivalDate, "reporting-mta": &a.ReportingMTA,
		"source-port": &a.SourcePort, "incidents": &a.Incidents, "auth-failure": &a.AuthFailure, "delivery-result": &a.DeliveryResult,
		"identity-alignment": &a.IdentityAlignment, "dkim-domain": &a.DKIMDomain, "dkim-identity": &a.DKIMIdentity, "dkim-selector": &a.DKIMSelector,
	}
	repeated := map[string]*[]string{
		"reported-domain": &a.ReportedDomains, "reported-uri": &a.ReportedURIs, "authentication-results": &a.AuthenticationResults, "spf-dns": &a.SPFDNS,
	}
	for _, g := range readGroups(b, nil) {
		for i := range g {
			name, v := lower(string(g[i].name)), g[i].value(' ')
			switch {
			case single[name] != nil:
				if *single[name] == "" {
					*single[name] = v
				}
			case repeated[name] != nil:
				if list := repeated[name]; len(*list) < maxRepeated {
					*list = append(*list, v)
				}
			case name == "original-rcpt-to", name == "removal-recipient":
				if address := strings.Trim(v, "<> "); strings.Contains(address, "@") && len(a.OriginalRcptTo) < maxRecipients && (name == "original-rcpt-to" || len(a.OriginalRcptTo) == 0) {
					a.OriginalRcptTo = append(a.OriginalRcptTo, address)
				}
			case name == "source-ip":
				a.SourceIP, _ = netip.ParseAddr(strings.Trim(v, "[] "))
			}
		}
	}
	a.Type, a.OriginalMailFrom, a.ReportingMTA = lower(a.Type), strings.Trim(a.OriginalMailFrom, "<> "), typed(a.ReportingMTA)
	for i, d := range a.ReportedDomains {
		a.ReportedDomains[i] = lower(d)
	}
	if len(a.ReportedDomains) > 0 {
		a.ReportedDomain = a.ReportedDomains[0]
	}
	return a
}

// hotmailComplaint reads the complaints of Microsoft's Junk Mail Reporting
// Program: the mail itself, attached, with the recipient in a field of its own.
func (rd *reader) hotmailComplaint() bool {
	ip, ok := strings.CutPrefix(lower(rd.rep.Subject), "complaint about message from ")
	if !ok || rd.nested == nil {
		return false
	}
	rd.rep.Complaint = &Abuse{Type: "abuse"}
	rd.rep.Complaint.SourceIP, _ = netip.ParseAddr(strings.TrimSpace(ip))
	if to := rd.nested.header.get("x-hmxmroriginalrecipient"); strings.Contains(to, "@") {
		rd.rep.Complaint.OriginalRcptTo = []string{strings.Trim(to, "<> ")}
	}
	return true
}

// Complained reports a complaint of which the original mail may be known: its
// recipients are those that the complaint names, else what the mail tells.
func Complained(a Abuse, original *Original) *Report {
	a.Type = lower(a.Type)
	rep := &Report{Complaint: &a, Original: original, Recipients: []Recipient{}}
	rep.complain()
	return rep
}

func (rep *Report) complain() {
	rep.Kind = Feedback
	for _, address := range rep.complained() {
		rep.Recipients = append(rep.Recipients, rep.complaint(address))
	}
}

// complained returns the addresses that a complaint is about. A variable envelope
// return path holds the one that the receiver redacts:
// b+n=receiver.example@shop.example.
func (rep *Report) complained() []string {
	a, o := rep.Complaint, rep.Original
	if len(a.OriginalRcptTo) > 0 {
		return a.OriginalRcptTo
	}
	if address := verpAddress(a.OriginalMailFrom); address != "" {
		return []string{address}
	}
	switch {
	case o == nil:
	case verpAddress(o.ReturnPath) != "":
		return []string{verpAddress(o.ReturnPath)}
	case o.To != "" && !strings.Contains(o.To, "redacted"):
		return []string{o.To}
	}
	return nil
}

// authFailures are the values of Auth-Failure (RFC 6591, section 3.1, and RFC 7489,
// section 7.3.1).
var authFailures = map[string]Reason{"adsp": DKIMFailed, "bodyhash": DKIMFailed, "dkim": DKIMFailed, "revoked": DKIMFailed, "signature": DKIMFailed, "spf": SPFFailed, "dmarc": DMARCFailed}

// complaint is the recipient whom the report is about.
func (rep *Report) complaint(address string) Recipient {
	rec := Recipient{Address: address, Action: Delivered, Reason: Complaint, Permanence: NoFailure, Certainty: Certain, Suppress: true}
	rec.Because = Decision{Rule: "container", Text: "Feedback-Type: " + rep.Complaint.Type, Source: "RFC 5965, section 3.1", Says: "The recipient reported the mail as unwanted."}
	switch t := rep.Complaint.Type; t {
	case "", "abuse", "opt-out":
	case "auth-failure":
		rec.Reason, rec.Suppress = Unauthenticated, false
		if reason := authFailures[lower(rep.Complaint.AuthFailure)]; reason != "" {
			rec.Reason = reason
		}
		rec.Because.Source, rec.Because.Says = "RFC 6591, section 3.1", "The receiver reports that the mail failed authentication; mostly such mail is forged."
	case "fraud", "virus":
		rec.Suppress = false
		rec.Because.Says = "The receiver sends a feedback report of type " + t + "; the recipient asked for nothing."
	default:
		rec.Reason, rec.Suppress = ReasonUnknown, false
		rec.Because.Says = "The receiver sends a feedback report of type " + t + "; that is no complaint."
	}
	rec.Category, rec.Response = rec.Reason.Category(), rec.Reason.Response()
	if !rec.Suppress {
		rec.Response = Ignore
	}
	return rec
}

// Receipt is a message disposition notification (RFC 8098): what became of a mail
// that was delivered.
type Receipt struct {
	ReportingUA       string `json:"reporting_ua,omitempty"`
	OriginalRecipient string `json:"original_recipient,omitempty"`
	FinalRecipient    string `json:"final_recipient"`
	OriginalMessageID string `json:"original_message_id,omitempty"`
	Disposition       string `json:"disposition"` // "manual-action/MDN-sent-manually; displayed"
	Error             string `json:"error,omitempty"`
}

func readReceipt(b []byte) *Receipt {
	r := &Receipt{}
	for _, g := range readGroups(b, nil) {
		for i := range g {
			v := g[i].value(' ')
			switch lower(string(g[i].name)) {
			case "reporting-ua":
				r.ReportingUA = v
			case "original-recipient":
				r.OriginalRecipient = address(v)
			case "final-recipient":
				r.FinalRecipient = address(v)
			case "original-message-id":
				r.OriginalMessageID = strings.Trim(v, "<> ")
			case "disposition":
				r.Disposition = v
			case "error", "failure":
				r.Error = v
			}
		}
	}
	return r
}

// receipt reports a disposition notification: the mail arrived. Dovecot's delivery
// agent, though, refuses mail with one, and says why in the text.
func (rd *reader) receipt(text string) {
	r := rd.rep.Receipt
	if containsFold(rd.top.header.get("auto-submitted"), "(rejected)") {
		rec := Recipient{Address: r.FinalRecipient, Action: Failed}
		_, why, _ := strings.Cut(text, "rejected:")
		rd.rules.judge(&rec, why, text)
		rd.rep.Kind, rd.rep.Recipients = Failure, append(rd.rep.Recipients, rec)
		return
	}
	rd.rep.Kind = ReadReceipt
	rd.arrived(Receipted, r.FinalRecipient, "Disposition: "+r.Disposition, "RFC 8098, section 3.2.6", "The message tells what the recipient's program did with the mail: it arrived.")
}

// arrived adds a recipient whom the mail reached, whatever then became of it.
func (rd *reader) arrived(reason Reason, address, text, source, says string) {
	rec := Recipient{Address: address, Action: Delivered, Reason: reason, Category: reason.Category(), Response: reason.Response(), Permanence: NoFailure, Certainty: Likely}
	rec.Because = Decision{Rule: "container", Text: text, Source: source, Says: says}
	rd.rep.Recipients = append(rd.rep.Recipients, rec)
}
