package rebound

import (
	"cmp"
	"fmt"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
)

// control says who runs the sending server: what the caller stated, else what
// the names show: the author's own server wrote the report; or the envelope sender
// and the server are of one service, and the author is of another domain.
func (r *run) control() Control {
	if r.facts.Control.Value != "" {
		return r.facts.Control.Value
	}
	from, envelope := orgDomain(r.facts.From.Value), orgDomain(r.facts.MailFrom.Value)
	if reporter := r.report.ReportingMTA; reporter != "" && from != "" && orgDomain(reporter) == from && r.facts.Refuser.Value != "" {
		return Own // the author's own server reports what the next one said
	}
	if from == "" || envelope == "" || from == envelope {
		return ""
	}
	server := orgDomain(r.facts.HELO.Value)
	if rev := r.findings.reverse; server == "" && rev != nil && len(rev.Names) > 0 {
		server = orgDomain(rev.Names[0].Host)
	}
	if server == envelope {
		return Shared
	}
	return ""
}

// server names who runs the sending server.
func (r *run) server() string {
	switch r.control() {
	case Own:
		return "you"
	case Shared:
		return r.service()
	case Relay:
		return "the provider of your relay"
	}
	return "your server's operator"
}

// service names the sending service.
func (r *run) service() string {
	if envelope := orgDomain(r.facts.MailFrom.Value); envelope != "" && envelope != orgDomain(r.facts.From.Value) {
		return envelope
	}
	return "your sending service"
}

// A stepRow is a step that follows from a cause. Who and What take the
// placeholders of causeRow.
type stepRow struct {
	kind   CauseKind
	phase  Phase
	action string
	who    string
	what   string
	url    string
	verify string
}

const (
	you    = "you"
	server = "{server}"
)

// tryOn is for what passes by itself, while the sending server has the mail.
const tryOn = "Try again every half hour, for up to five days."

// resolverRule is a receiver that takes Spamhaus's refusal of its resolver for a listing.
const resolverRule = "other-spamhaus-resolver"

// basicRule is Microsoft's refusal of a login by user name and password.
const basicRule = "microsoft365-basic-authentication"

// unknownRule is T-Online's refusal of an address that it does not know.
const unknownRule = "tonline-unknown-ip"

// stepRows is what to do about each cause that is not a listing, in order.
var stepRows = []stepRow{
	{bounce.UnknownRecipient, PhaseStop, finding.Remove, you, "Take {addr} off your lists and correct it where it came from.", "", "No further mail goes to it."},
	{bounce.RecipientSyntax, PhaseStop, finding.Remove, you, "Correct {addr} where it was entered, or take it off your lists.", "", ""},
	{bounce.UnknownDomain, PhaseStop, finding.Remove, you, "Take {addr} off your lists, or correct it where it was mistyped: {domain} takes no mail.", "", ""},
	{bounce.MailboxDisabled, PhaseStop, finding.Remove, you, "Take {addr} off your lists; ask its owner another way for an address in use.", "", ""},
	{bounce.Moved, PhaseStop, finding.Remove, you, "Take {addr} off your lists, and ask its owner another way for the address in use now.", "", ""},
	{bounce.MailboxFull, PhaseRetest, finding.Wait, you, "Try {addr} again tomorrow; pause it after three such refusals in 14 days.", "", "The mail is accepted."},
	{bounce.MessageTooBig, PhaseRepair, finding.Edit, you, "Send a smaller mail: put large files behind a link.", "", "The mail is accepted."},
	{bounce.TooManyRecipients, PhaseRepair, finding.Edit, you, "Send to fewer recipients at a time.", "", "The mail is accepted."},
	{bounce.SpamContent, PhaseRepair, finding.Edit, you, "Change what the filter dislikes, links, images without text and the subject first, and mail those alone who asked for it and read it.", "", "A test mail to the same receiver is accepted."},
	{bounce.URLReputation, PhaseRepair, finding.Ask, you, "Look the domains of the mail's links up at Spamhaus DBL, SURBL and URIBL; with the mail at hand, rebound diagnose -message asks them.", "", ""},
	{bounce.URLReputation, PhaseRepair, finding.Edit, you, "Take the links out of the mail one by one, shorteners and trackers first, until a test mail passes.", "", "A test mail to the same receiver is accepted."},
	{bounce.Attachment, PhaseRepair, finding.Edit, you, "Send the file in another format, or put it behind a link.", "", "The mail is accepted."},
	{bounce.Malware, PhaseRepair, finding.Edit, you, "Scan the mail and the machine that it was written on, before anything is sent again.", "", "A scan finds nothing."},
	{bounce.MessageFormat, PhaseRepair, finding.Edit, you, "Make the program that writes the mail follow RFC 5322: one From, Date and Message-ID, lines of at most 998 octets.", "", "A test mail to the same receiver is accepted."},
	{bounce.SPFFailed, PhaseRepair, finding.Ask, you, "See whether {ip} is meant to send for the domain; only then add it to the domain's SPF record.", "", "A test mail shows spf=pass."},
	{bounce.DKIMFailed, PhaseRepair, finding.Edit, you, "Sign the mail with a key that is published under the From domain, and change nothing after signing.", "", "A test mail shows dkim=pass with header.d={from}."},
	{bounce.DMARCFailed, PhaseRepair, finding.Publish, you, "Have the service that sends sign as {from}: publish the DKIM key that it names under {from}.", "", "A test mail shows dkim=pass with header.d={from}, and dmarc=pass."},
	{bounce.Unauthenticated, PhaseRepair, finding.Edit, you, "Find in the mail log which server sent the mail; see that the SPF record of {from} lets it, and that the mail is signed with DKIM as {from}.", "", "A test mail shows spf=pass or dkim=pass for {from}."},
	{bounce.ARCFailed, PhaseAsk, finding.Ask, you, "Ask the recipient another way for the address behind the forwarding and write there, or have the forwarder seal the mail rightly.", "", ""},
	{bounce.SenderUnknown, PhaseRepair, finding.Edit, you, "Send with an envelope sender whose domain resolves and takes replies.", "", "The mail is accepted."},
	{bounce.SenderMismatch, PhaseRepair, finding.Edit, you, "Send under an address that the account owns, or have this one verified with the service.", "", "The mail is accepted."},
	{bounce.IPReputation, PhaseRepair, finding.Edit, server, "Find what makes {ip} look bad: complaints, old addresses, a sudden rise in volume; send less until it is mended.", "", ""},
	{bounce.IPReputation, PhaseDelist, finding.Request, server, "Ask the receiver to lift its block of {ip}, by the way that its reply or its postmaster page names.", "{page}", "A test mail to the same receiver is accepted."},
	{bounce.DomainReputation, PhaseRepair, finding.Edit, you, "Send to those alone who asked for it and read it, and less, until complaints are below 0.1 %.", "", "The receiver's own figures (Postmaster Tools, SNDS) improve."},
	{bounce.OpenRelay, PhaseRepair, finding.Edit, server, "Close the relay: take mail for other domains from known clients with a login alone.", "", "A relay test from outside is refused."},
	{bounce.RateLimited, PhaseRepair, finding.Edit, server, "Send less at a time to this receiver, over fewer connections, and to people who read your mail first.", "", "Fewer of its replies put mail off."},
	{bounce.RateLimited, PhaseRetest, finding.Wait, you, "Then try again, an hour later at first.", "", "The mail is accepted."},
	{bounce.SenderQuota, PhaseRetest, finding.Wait, you, "Wait until the quota of the account is free again, which a daily one is within 24 hours, or have it raised.", "", "The mail is accepted."},
	{bounce.Greylisted, PhaseRetest, finding.Wait, you, "Try again from the same address with the same envelope after 5, 15 and 60 minutes, for up to five days. A program without a queue hands its mail to an MTA or relay that has one.", "", "The mail is accepted."},
	{bounce.RecipientPolicy, PhaseAsk, finding.Ask, you, "Ask the recipient another way to allow your mail; of a group, its owner admits senders from outside.", "", "The mail is accepted."},
	{bounce.PolicyRefusal, PhaseAsk, finding.Ask, you, "Ask the recipient's postmaster which rule refuses the mail, with the whole reply and its time.", "", ""},
	{bounce.AuthRequired, PhaseRepair, finding.Edit, you, "Log in at the relay (port 587 with a user name), or send through a relay that knows you.", "", "The mail is accepted."},
	{bounce.AuthFailed, PhaseRepair, finding.Edit, you, "Correct the user name, the password or the login mechanism of the sending program.", "", "The login succeeds."},
	{bounce.AccountSuspended, PhaseRepair, finding.Edit, you, "See whether somebody else used the account: change its password, end its sessions, take away foreign rules, forwards and keys.", "", "Its log shows your own programs alone."},
	{bounce.AccountSuspended, PhaseAsk, finding.Request, you, "Ask the sending service, or its administrator, why the account is suspended, and to open it.", "", "The account is open."},
	{bounce.Network, PhaseRepair, finding.Ask, server, "Connect to port 25 of a mail server of {domain} from the sending server and from elsewhere: where it answers elsewhere alone, a firewall or a route of yours is in the way.", "", ""},
	{bounce.Network, PhaseRetest, finding.Wait, you, tryOn, "", "The mail is accepted."},
	{bounce.DNSFailure, PhaseRetest, finding.Wait, you, tryOn, "", "The mail is accepted."},
	{bounce.TLS, PhaseRepair, finding.Edit, server, "Let the sending server use STARTTLS (Postfix: smtp_tls_security_level = may), and see which TLS error its log holds.", "", "Its log shows a TLS connection to the receiver."},
	{bounce.TLS, PhaseRetest, finding.Wait, you, "Then try again; if it stays so, tell the recipient's postmaster which TLS error was seen.", "", "The mail is accepted."},
	{bounce.Loop, PhaseAsk, finding.Ask, you, "Tell the recipient's postmaster that mail for {addr} is forwarded in a circle.", "", ""},
	{bounce.EAI, PhaseRepair, finding.Edit, you, "Use an address in ASCII, of the sender and of the recipient; the receiving server takes no other.", "", "The mail is accepted."},
	{bounce.Protocol, PhaseRepair, finding.Edit, server, "Look at the SMTP dialogue up to this reply: a command before it was refused or malformed.", "", "The mail is accepted."},
	{bounce.System, PhaseRetest, finding.Wait, you, tryOn, "", "The mail is accepted."},
	{bounce.System, PhaseCleanUp, finding.Ask, you, "If it stays so, tell the recipient's postmaster by another way, with the reply and its time.", "", ""},
	{bounce.Misconfigured, PhaseAsk, finding.Ask, you, "Tell the recipient's postmaster by another way, with this reply: {mistake}", "", "A test mail is accepted after the answer."},
	{bounce.Misconfigured, PhaseRetest, finding.Wait, you, "Send one test after the answer. What is urgent goes to the recipient another way.", "", ""},
	{bounce.Expired, PhaseRetest, finding.Ask, you, "See in the mail log what stood in the way; send again when that is known.", "", ""},
	{bounce.Suppressed, PhaseStop, finding.Remove, you, "Mark {addr} as suppressed in your own lists too.", "", "No further mail goes to it."},
	{bounce.Suppressed, PhaseCleanUp, finding.Ask, you, "Look the address up in the service's suppression list; take it off there only when its owner asks for your mail.", "", ""},
	{bounce.Complaint, PhaseStop, finding.Remove, you, "Take {addr} off all marketing mail now; do not answer the complaint.", "", "No further marketing mail goes there."},
	{bounce.Complaint, PhaseRepair, finding.Ask, you, "Count complaints by campaign and provider: look into it at 0.1 % of the mail, stop the campaign at 0.3 %.", "https://support.google.com/a/answer/81126", ""},
	{bounce.Compromised, PhaseStop, finding.Edit, server, "Hold the queue of {ip}; let the mail server alone reach port 25 outside.", "", "The gateway's log shows no other connection to port 25."},
	{bounce.Compromised, PhaseRepair, finding.Edit, server, "Find the infected machine, open proxy or stolen account behind {ip}; clean it and change the passwords.", "", "No connection to port 25 leaves the network but from the mail server."},
	{bounce.Compromised, PhaseDelist, finding.Request, server, "Then ask the receiver to lift its block of {ip}, by the way that its reply or its postmaster page names.", "{page}", "A test mail to the same receiver is accepted."},
	{bounce.ReasonUnknown, PhaseAsk, finding.Ask, you, "Ask the recipient's postmaster why, with the whole reply and its time.", "", ""},
	{bounce.Vacation, PhaseCleanUp, finding.Wait, you, "Ignore it: count the mail as delivered, keep the address, and do not answer.", "", ""},
	{bounce.Receipted, PhaseCleanUp, finding.Wait, you, "Ignore it: the mail was delivered and shown.", "", ""},
	{bounce.Challenged, PhaseAsk, finding.Ask, you, "Answer the challenge by hand if the mail matters; a program that answers them confirms the mail of forgers.", "", ""},
	{NotYours, PhaseCleanUp, finding.Wait, you, "Ignore it: suppress nobody, and answer nobody. Its Message-ID in your own log alone would say otherwise.", "", ""},
	{NotYours, PhaseCleanUp, finding.Ask, you, "If many come, sign your mail with DKIM and bring the DMARC policy of {from} to quarantine or reject, which makes such forgeries rarer; tagged envelope senders (BATV, VERP) tell their bounces apart.", "", ""},
}

// plan makes the steps of all causes, in the order of the phases, each once.
func (r *run) plan() {
	for i := range r.out.Causes {
		c := &r.out.Causes[i]
		steps := r.steps(c)
		for i := range steps {
			s := &steps[i]
			if address := r.of(c).Address; len(r.statements) > 1 && c.rec != nil && address != "" && ofOne(c.Kind) && !strings.Contains(s.What, "@") {
				s.What = r.fillFor(*c, "For {addr}: ") + strings.ToLower(s.What[:1]) + s.What[1:]
			}
		}
		for _, s := range steps {
			c.Fixes = appendFix(c.Fixes, finding.Fix{Action: s.Action, What: s.What, Record: s.Record, URL: s.URL, Verify: s.Verify})
		}
		for _, s := range steps {
			s.For = []CauseKind{c.Kind}
			r.addStep(s)
		}
	}
	r.holding()
	r.otherWay()
	again, begins := r.rewarm()
	if r.main().Action == bounce.Failed && r.retestable(r.out.Causes[0]) {
		r.addStep(r.testStep(begins))
	}
	if begins {
		r.addStep(again)
	}
	r.order()
}

// testStep is the test that shows whether what the receiver stated is mended; the volume may
// begin anew behind it.
func (r *run) testStep(begins bool) Step {
	top := r.out.Causes[0]
	what, verify := "Then send one test to {addr}; if it is accepted, send the rest.", "The receiver accepts it."
	if top.Fault == OfForwarder {
		verify = "No bounce follows."
	}
	switch {
	case top.Kind == bounce.DKIMFailed && r.ofList():
		what, verify = "Then post one test to the list; a mail that goes to {addr} directly tells nothing of it.", "No bounce follows."
	case begins:
		what = "Then send one test to {addr}; if it is accepted, go on with the next step."
	case r.main().Permanence == bounce.Temporary && !r.gaveUp(r.main()):
		what = "Then let the queue try {addr} again; where there is none, send one test, and the rest if it is accepted."
	case top.Kind == bounce.PTR && r.facts.IP.Value.Is6():
		what = "Then send over IPv6 again, one test to {addr} first; if it is accepted, send the rest."
	}
	return Step{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: r.fill(what), Verify: verify, For: []CauseKind{top.Kind}}
}

func appendFix(list []finding.Fix, f finding.Fix) []finding.Fix {
	for _, old := range list {
		if old.What == f.What {
			return list
		}
	}
	return append(list, f)
}

// addStep adds a step once: the same words, or the same record to change.
func (r *run) addStep(s Step) {
	for i := range r.out.Plan {
		old := &r.out.Plan[i]
		if old.What == s.What || old.Record != nil && s.Record != nil && old.Record.Name == s.Record.Name && old.Record.Type == s.Record.Type && old.Record.New == s.Record.New {
			for _, kind := range s.For {
				if !slices.Contains(old.For, kind) {
					old.For = append(old.For, kind)
				}
			}
			return
		}
	}
	r.out.Plan = append(r.out.Plan, s)
}

// retestable: after a repair, one test shows whether it worked. Other plans say
// themselves when to try again.
func (r *run) retestable(c Cause) bool {
	if c.State == Cleared || c.State == Contradicted || r.has(bounce.DynamicIP) && r.relayHelps() {
		return false
	}
	if c.Kind == bounce.IPReputation && r.main().Permanence == bounce.Temporary {
		return false
	}
	if c.Kind == bounce.SPFFailed && c.Fault == NotTold {
		return false // a test of one's own goes another way
	}
	if c.Fault == OfForwarder && !slices.ContainsFunc(c.steps, func(s Step) bool { return s.Phase == PhaseRepair }) {
		return false // the forwarder takes it as before
	}
	switch c.Kind.Category() {
	case bounce.Listed, bounce.SenderAuth, bounce.SenderIdentity, bounce.Reputation, bounce.Relaying:
		return c.Fault != OfReceiver && c.Fault != OfESP && c.Fault != OfListOperator
	}
	return false
}

// otherWay adds to the plan that the caller's own address, which was not refused, can send
// meanwhile, where the refused one is the sender's too.
func (r *run) otherWay() {
	c, other := r.out.Causes[0], r.facts.OtherIP.Value
	own := r.findings.auth != nil && r.findings.auth.Vouched() != ""
	if !own || !other.IsValid() || !other.Is4() || r.facts.IP.Value.Is6() || c.State == Cleared || c.State == Contradicted || c.Fault != OfSender || c.Kind != bounce.IPReputation || !r.listedNowhere(other) {
		return
	}
	r.addStep(Step{Phase: PhaseStop, Action: finding.Edit, Who: r.server(), What: fmt.Sprintf("Send from %s alone for now (Postfix: smtp_bind_address), and send this mail again.", other), Verify: fmt.Sprintf("Received lines show %s.", other), For: []CauseKind{c.Kind}})
}

// listedNowhere reports whether a list of high weight answered about an address, and no list
// holds it.
func (r *run) listedNowhere(addr netip.Addr) bool {
	answered := false
	for _, res := range r.findings.ipLists {
		if res.Target.Addr() != addr || res.Action != dnsbl.Block && res.List.Action != dnsbl.Block {
			continue
		}
		if res.Status == dnsbl.Listed {
			return false
		}
		answered = answered || res.Status == dnsbl.NotListed && res.List.Weight >= dnsbl.High
	}
	return answered
}

// holding puts what to hold first in the plan, where no step says it yet.
func (r *run) holding() {
	if r.main().Action == bounce.Delayed {
		return
	}
	hold, c := r.held()
	if hold == nil || slices.ContainsFunc(r.out.Plan, func(s Step) bool { return s.Phase == PhaseStop && slices.Contains(s.For, bounce.Compromised) }) {
		return
	}
	r.addStep(Step{Phase: PhaseStop, Action: finding.Edit, Who: you, What: fmt.Sprintf("Hold %s until %s.", hold.What, hold.Until), For: []CauseKind{c.Kind}, hold: true})
}

// steps are what to do about one cause.
func (r *run) steps(c *Cause) []Step {
	if r.of(c).Action != bounce.Delayed {
		return r.stepsOf(c)
	}
	// What stands in the way is mended while the sending server goes on trying.
	steps := slices.DeleteFunc(r.stepsOf(c), func(s Step) bool {
		return s.Phase == PhaseRetest || s.Phase == PhaseRewarm || s.Action == finding.Remove // no address is given up before its mail is
	})
	what := "Do nothing yet: the sending server goes on trying by itself."
	if c.Kind == bounce.UnknownDomain && c.State == Confirmed {
		steps = append(steps, Step{Phase: PhaseRepair, Action: finding.Ask, Who: you, What: r.fillFor(*c, "See whether {domain} is spelled right; where it is not, take the mail out of the queue and send it to the right address.")})
	}
	if len(steps) > 0 {
		what = "Do not send the mail again: the sending server goes on trying by itself."
	}
	if len(r.statements) > 1 {
		what = r.fillFor(*c, "For {addr}: ") + what
	}
	wait := Step{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: what, Verify: "No report of failure follows."}
	if len(steps) > 0 {
		wait.Phase = PhaseStop
	}
	return append(slices.Clone(steps), wait)
}

// stepsOf are what to do about a cause whose mail was refused for good.
func (r *run) stepsOf(c *Cause) []Step {
	switch {
	case c.steps != nil:
		return slices.Clone(c.steps)
	case c.State == Cleared:
		steps := []Step{{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: r.again(c, "Send again: what the receiver complained of is gone."), Verify: "The mail is accepted."}}
		if c.Kind.Category() == bounce.Listed {
			steps = append(steps, Step{Phase: PhaseCleanUp, Action: finding.Ask, Who: r.server(), What: "Look for what had caused the entry, before more is sent."})
		}
		return steps
	case c.State == Unstated:
		return r.fromFixes(c.Fixes)
	}
	if c.Fault == OfESP && ofServer(c.Kind) {
		return r.serviceSteps(c)
	}
	if c.State == Contradicted && c.Kind == bounce.UnknownDomain {
		return []Step{{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: r.fillFor(*c, "Send again to {addr}: DNS holds a mail server for {domain} now."), Verify: "The mail is accepted."}}
	}
	if c.Kind == bounce.SenderUnknown && c.State == Contradicted {
		return []Step{{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: r.fillFor(*c, "Send one test to {addr}: DNS gives the sender's domain now. If it is refused again, tell the recipient's postmaster by another way, with this reply: its resolver does not find the domain."), Verify: "The receiver accepts it."}}
	}
	if c.Kind.OfAddress() && c.Kind != bounce.Complaint && c.rec != nil && !c.rec.Suppress && c.State != Confirmed {
		steps := []Step{{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: r.fillFor(*c, "See whether {addr} is right, and send one test later; take it off your lists when that is refused in the same words."), Verify: "The test is accepted."}}
		return append(steps, r.meant(c.rec)...)
	}
	if c.Kind == bounce.IPReputation && c.rec != nil && c.rec.Permanence == bounce.Temporary {
		return r.slowSteps(c)
	}
	if c.Kind == bounce.Greylisted && r.of(c).Action == bounce.Failed && r.gaveBack() {
		return []Step{
			{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: "Have the sending server try again by itself, after 5, 15 and 60 minutes and for up to five days: it gave the mail back after a refusal that passes.", Verify: "Its log shows a second try."},
			{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: r.fillFor(*c, "Send the mail to {addr} again now: it was given up, and does not go by itself."), Verify: "The mail is accepted."},
		}
	}
	switch c.Kind {
	case bounce.DynamicIP:
		if c.State == Contradicted {
			return r.listSteps(c)
		}
		return append(r.relayAdvice(c), r.listSteps(c)...)
	case bounce.IPListed, bounce.DomainListed:
		if c.Fault == OfListOperator {
			return r.unremovable(c)
		}
		return r.listSteps(c)
	case bounce.PTR, bounce.HELO:
		return slices.Concat(r.reverseSteps(c), r.fromFixes(c.more), r.requests(c))
	case bounce.RelayDenied:
		return r.relaySteps(c)
	}
	steps := r.table(c.Kind, c)
	if c.Kind == bounce.IPReputation && r.of(c).Because.Rule == unknownRule {
		steps[0] = Step{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: r.fillFor(*c, "Give the PTR name of {ip} under a domain of your own, and put an imprint with contact data on a web page of that domain: the receiver does not know the address yet, and nothing bad of it."), URL: r.of(c).Because.Source, Verify: "The page answers under the domain of the PTR name."}
	}
	if c.Kind == bounce.IPReputation && strings.Contains(r.of(c).Reply.Text, "part of their network") {
		// Microsoft's words: it blocks a network, of which the sender's address is a part.
		steps = append([]Step{{Phase: PhaseDelist, Action: finding.Request, Who: r.server(), What: r.fillFor(*c, "Tell the provider of {ip}, with this reply: it speaks of the provider's network, where others may be the cause."), URL: r.of(c).Because.Source}}, steps...)
	}
	if c.Kind == bounce.Compromised && r.has(bounce.IPListed) {
		// The list's own steps say how to mend it.
		steps = slices.DeleteFunc(steps, func(s Step) bool { return s.Phase != PhaseStop })
	}
	if c.rec != nil && (c.Kind == bounce.UnknownDomain || c.Kind == bounce.UnknownRecipient) {
		steps = append(steps, r.meant(c.rec)...)
	}
	return steps
}

// table returns the steps of the table for a kind, filled in for a cause.
func (r *run) table(kind CauseKind, c *Cause) []Step {
	var steps []Step
	for _, row := range stepRows {
		if row.kind == kind {
			steps = append(steps, r.step(row, c))
		}
	}
	return steps
}

func (r *run) step(row stepRow, c *Cause) Step {
	s := Step{Phase: row.phase, Action: row.action, Who: r.fillFor(*c, row.who), Verify: r.fillFor(*c, row.verify), URL: row.url}
	s.What = strings.ReplaceAll(r.fillFor(*c, row.what), "{mistake}", c.Detail)
	if c.Kind == bounce.Misconfigured && row.phase == PhaseAsk && r.of(c).Because.Rule == resolverRule {
		s.What += " It is to ask through a resolver of its own, or with a key, and to count the answers 127.0.0.2 to 127.0.0.11 alone (Postfix: reject_rbl_client zen.spamhaus.org=127.0.0.[2..11])."
	}
	if c.Kind == bounce.AuthFailed && r.of(c).Because.Rule == basicRule {
		s.What = "Log in by OAuth, or have the administrator of the tenant allow SMTP AUTH for the mailbox: logins by password alone are switched off, and the password is not at fault."
	}
	if next := r.contact(c); c.Kind == bounce.Moved && next != "" {
		s.What = r.fillFor(*c, "Replace {addr} by "+next+", which the reply names, once its owner confirms it.")
	}
	if row.what == tryOn && r.gaveUp(r.of(c)) {
		s.What = "Send the mail again later: it was given up, and does not go by itself."
	}
	if c.Kind == bounce.ReasonUnknown && r.facts.Recipient.Value == "" {
		s.What = "Find the mail in the log of your server by the time and the words of the reply: it names the recipient, whose postmaster knows why."
	}
	if s.URL == "{page}" {
		s.URL = r.page(c)
		if contact := r.contact(c); contact != "" {
			s.What = r.fillFor(*c, "Ask the receiver to lift its block of {ip}, by mail from another address to "+contact+", with the address, its host name and this reply.")
		}
		if source := r.of(c).Because.Source; (s.URL == "" || strings.Contains(s.URL, "mail.live.com")) && strings.HasPrefix(source, "https://") {
			s.URL = source // the provider's own page, of now
		}
	}
	return s
}

// contact is the first mail address that the reply names, apart from the mail's own.
func (r *run) contact(c *Cause) string {
	rec := r.of(c)
	for word := range strings.FieldsFuncSeq(rec.Reply.Text, func(c rune) bool { return strings.ContainsRune(" <>()[]\"';,", c) }) {
		word = strings.Trim(word, ".:")
		switch {
		case !strings.Contains(word, "@") || strings.Contains(word, "/"):
		case strings.EqualFold(word, rec.Address), strings.EqualFold(word, rec.FinalAddress), strings.EqualFold(word, r.facts.Recipient.Value), strings.EqualFold(word, r.facts.MailFrom.Value), strings.EqualFold(word, r.facts.From.Value):
		default:
			if a, err := mail.ParseAddress(word); err == nil {
				return a.Address
			}
		}
	}
	return ""
}

// page is the first web page that the reply names.
func (r *run) page(c *Cause) string {
	for _, m := range r.of(c).Mentions {
		if m.Kind == bounce.MentionURL {
			return m.Value
		}
	}
	return ""
}

// of is the recipient that a cause concerns first.
func (r *run) of(c *Cause) *bounce.Recipient {
	if c.rec != nil {
		return c.rec
	}
	return r.main()
}

// address is whom a refusal is about.
func (r *run) address(rec *bounce.Recipient) string {
	return cmp.Or(rec.Address, r.facts.Recipient.Value)
}

// meant asks about a well-known domain that is one slip away.
func (r *run) meant(rec *bounce.Recipient) []Step {
	d := r.destination(rec)
	if d == nil || d.Meant == "" {
		return nil
	}
	local, _, _ := strings.Cut(r.address(rec), "@")
	return []Step{{Phase: PhaseCleanUp, Action: finding.Ask, Who: you, What: fmt.Sprintf("Ask whether %s@%s was meant: %s is one slip away.", local, d.Meant, d.Domain)}}
}

// fromFixes turns the fixes of a finding into steps of whoever runs the server.
func (r *run) fromFixes(fixes []finding.Fix) []Step {
	var steps []Step
	for _, f := range fixes {
		steps = append(steps, Step{Phase: PhaseRepair, Action: f.Action, Who: r.server(), What: f.What, Record: f.Record, URL: f.URL, Verify: f.Verify})
	}
	return steps
}

// serviceSteps are for an address that belongs to a sending service: it alone
// can act, and its other customers may be the cause.
func (r *run) serviceSteps(c *Cause) []Step {
	steps := []Step{
		{Phase: PhaseAsk, Action: finding.Wait, Who: you, What: r.fillFor(*c, "Let {esp} try again, or have it send from another of its addresses; there is nothing to stop and nothing that you could request yourself.")},
		{Phase: PhaseAsk, Action: finding.Request, Who: you, What: r.fillFor(*c, "Open a ticket with {esp}: the address {ip}, the time, and this reply. Only {esp} can act on the address."), Verify: "The service answers with what it did."},
	}
	if c.Kind == bounce.IPListed {
		for _, s := range r.statements {
			for _, l := range s.lists {
				if l != nil && l.Usable() && (l.Who == "automatic" || l.Who == "nobody") && l.Expires != "" {
					steps = append(steps, Step{Phase: PhaseAsk, Action: finding.Wait, Who: you, What: fmt.Sprintf("%s needs no request: an entry ends %s.", l.Name, l.Expires), URL: l.RemovalURL})
				}
			}
		}
	}
	return append(steps, Step{Phase: PhaseCleanUp, Action: finding.Ask, Who: you, What: "Look at your own complaints and old addresses: the neighbour who caused it may be you. If it comes again, ask for another pool, or for an address of your own."})
}

// slowSteps are for a receiver that puts mail off for what it thinks of the
// address: it opens by itself when less comes.
func (r *run) slowSteps(c *Cause) []Step {
	later := "Try again in some hours; the receiver opens by itself."
	if r.gaveUp(r.of(c)) {
		later = "Then send again, a little at a time: what was given up does not go by itself."
	}
	return []Step{
		{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: r.fillFor(*c, "Send less from {ip} to this receiver, to people who read your mail first, and look for complaints and old addresses.")},
		{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: later, Verify: "The mail is accepted."},
		{Phase: PhaseCleanUp, Action: finding.Request, Who: r.server(), What: "If it stays so for days, ask the receiver to look at it.", URL: r.page(c)},
	}
}

// listSteps are the steps of the lists that hold an entry, or may: first the
// cause, then the request, list by list.
func (r *run) listSteps(c *Cause) []Step {
	if c.rec != nil && privateItem(c.rec) != "" {
		return []Step{{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: "See which server wrote the reply: if it is a relay of yours, let it not ask lists about its own network; if it is the receiver's, tell its postmaster."}}
	}
	var steps []Step
	for _, s := range r.statements {
		if s.rec != c.rec {
			continue
		}
		for i, l := range s.lists {
			if l == nil || !l.Usable() {
				continue
			}
			item := s.items[i]
			if item == "" && r.facts.IP.Value.IsValid() && s.reason != bounce.DomainListed {
				item = r.facts.IP.Value.String()
			}
			st := r.listState(s, i)
			if st.result != nil && st.result.Status == dnsbl.NotListed {
				continue
			}
			from := l
			if st.part != nil && st.result.Status == dnsbl.Listed {
				from = st.part
				item = st.result.Target.String()
			}
			target, _ := dnsbl.ParseTarget(item)
			result := st.result
			if rest := r.withoutRange(result); rest != nil && c.Kind == bounce.IPListed {
				result, from = rest, r.lists.Part(rest)
			}
			ways := r.delist(from, target, result)
			if result != st.result {
				var codes []string
				for _, code := range result.Codes {
					codes = append(codes, code.Addr.String())
				}
				ways[len(ways)-1].Verify = fmt.Sprintf("DNS answers %s no longer for %s.", strings.Join(codes, " or "), result.Answer.Name)
			}
			if c.Kind == bounce.DynamicIP {
				ways = slices.DeleteFunc(ways, smarthost)
			}
			steps = append(steps, ways...)
		}
	}
	if rev := r.findings.reverse; rev != nil && c.Kind == bounce.DynamicIP {
		for _, f := range rev.Findings() {
			if f.Code == "iprev.ptr-generic" {
				steps = append(steps, r.fromFixes(f.Fixes)...)
			}
		}
	}
	if c.State == Contradicted {
		steps = append(steps, Step{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: r.fillFor(*c, "Send one test to {addr}: the list has no entry now. If it is refused again, wait a day for the receiver's copy to catch up."), Verify: "The receiver accepts it."})
	}
	if len(steps) == 0 {
		steps = r.unknownList(c)
	}
	return steps
}

// withoutRange is a listing without what it says of the address's range, where it says more
// and a relay is the way out of that; or nil.
func (r *run) withoutRange(res *dnsbl.Result) *dnsbl.Result {
	if res == nil || res.Status != dnsbl.Listed || !res.Has(dnsbl.Policy) || !r.relayHelps() {
		return nil
	}
	rest := *res
	rest.Codes = slices.DeleteFunc(slices.Clone(res.Codes), func(c dnsbl.Code) bool { return c.Nature == dnsbl.Policy })
	if len(rest.Codes) == 0 {
		return nil
	}
	return &rest
}

// again names the recipient where there are several.
func (r *run) again(c *Cause, text string) string {
	if len(r.statements) > 1 {
		return strings.Replace(text, "Send again", r.fillFor(*c, "Send again to {addr}"), 1)
	}
	return text
}

// relayAdvice is for an address in a range that should not send: a relay is the one way
// that does not hang on what each receiver thinks of the range.
func (r *run) relayAdvice(c *Cause) []Step {
	if !r.relayHelps() {
		return nil
	}
	way := "Send through a relay with a login on port 587 from now on, your provider's smarthost or a paid one; receivers take no mail straight from such a range, and each keeps its own copy of the list."
	if slices.ContainsFunc(r.out.Causes, func(login Cause) bool {
		return login.Kind == bounce.AuthRequired && login.rec == c.rec
	}) {
		way = r.fillFor(*c, "Log in at {host}, on port 587 with a user name, as its reply asks; or send through another relay with a login.")
	}
	return []Step{
		{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: way, Verify: "The Received line at the receiver names the relay.", relay: true},
		{Phase: PhaseRepair, Action: finding.Publish, Who: you, What: r.fill("Allow the relay in the SPF record of {from}, by the include that it names, and have it sign as {from}."), Verify: "A test mail through the relay shows spf=pass.", relay: true},
		{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: r.fillFor(*c, "Then send one test to {addr} through the relay; if it is accepted, send the rest."), Verify: "The receiver accepts it.", relay: true},
	}
}

// relayHelps reports whether a relay is a way out: mail that goes through one already has none.
func (r *run) relayHelps() bool { return r.control() != Relay && r.control() != Shared }

// unremovable are the steps for a list that takes off no single sender: the receiver can
// stop asking it, or the mail can come from elsewhere.
func (r *run) unremovable(c *Cause) []Step {
	name := "the list"
	var steps []Step
	for _, s := range r.statements {
		for i, l := range s.lists {
			if l == nil || s.rec != c.rec {
				continue
			}
			if st := r.listState(s, i); st.part != nil && st.result.Status == dnsbl.Listed {
				l = st.part
			}
			if l.Who != "nobody" {
				continue
			}
			name = l.Name
			steps = append(steps, Step{Phase: PhaseAsk, Action: finding.Request, Who: r.server(), What: r.fillFor(*c, "Tell the provider of {ip}, which alone can deal with the neighbours that "+name+" lists it for; pay nobody for an exemption."), URL: l.RemovalURL, Takes: l.Expires, List: l.Zone})
		}
	}
	return append([]Step{
		{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: r.fillFor(*c, "Ask the recipient's postmaster by another way to let {ip} through, and not to refuse mail for "+name+" alone: it lists whole networks.")},
		{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: "Send what cannot wait through a relay whose address is in another network: " + name + " takes off no single sender.", Verify: "The receiver accepts it."},
	}, steps...)
}

// smarthost reports whether a step of a list's row says what [run.relayAdvice] says.
func smarthost(s Step) bool { return strings.Contains(s.What, "smarthost") }

// unknownList is for a list that nobody outside can ask, or that the reply does not name.
func (r *run) unknownList(c *Cause) []Step {
	ask := "Ask the recipient's postmaster which list holds {ip}, with the whole reply and its time."
	for _, s := range r.statements {
		if s.rec == c.rec && len(s.names) > 0 {
			ask = "Ask " + s.names[0] + " to take {ip} off."
		}
	}
	page, contact := r.page(c), r.contact(c)
	if contact != "" {
		ask = strings.TrimSuffix(ask, ".") + ", by mail to " + contact + "."
	}
	return []Step{
		{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: r.fillFor(*c, "Find what makes {ip} look bad first: a stolen account, an infected machine, complaints, old addresses.")},
		{Phase: PhaseDelist, Action: finding.Request, Who: r.server(), What: r.fillFor(*c, ask), URL: page},
	}
}

// requests are the removals to ask for after a repair, where lists tell of it.
func (r *run) requests(c *Cause) []Step {
	var steps []Step
	for _, s := range r.statements {
		if s.reason != bounce.IPListed || c.State != Confirmed {
			continue
		}
		for _, step := range r.listSteps(c) {
			if step.Phase == PhaseDelist {
				steps = append(steps, step)
			}
		}
	}
	return steps
}

// delist turns what leads off a list into steps of the plan.
func (r *run) delist(l *dnsbl.List, t dnsbl.Target, res *dnsbl.Result) []Step {
	removal := l.Removal(t, res)
	steps := r.fromFixes(removal.Fixes())
	for i := range steps {
		if steps[i].Action == finding.Request {
			steps[i].Phase, steps[i].Takes = PhaseDelist, "the list decides"
		}
	}
	ask := &steps[len(steps)-1]
	ask.Phase, ask.List = PhaseDelist, l.Zone
	if res != nil {
		ask.List = res.List.Zone // the one that was asked, of which l may be a part
	}
	ask.Takes = removal.Expires
	if ask.Action == finding.Request {
		ask.Takes = "the list decides"
		if removal.Expires != "" {
			ask.Takes += "; " + removal.Expires
		}
	}
	if removal.Who == "isp" {
		ask.Who = r.fill("the provider of {ip}, asked by {server}")
	}
	return steps
}

func (r *run) reverseSteps(c *Cause) []Step {
	rev := r.findings.reverse
	if c.State == Contradicted {
		if rev != nil {
			return []Step{{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: r.fillFor(*c, "Send one test to {addr} after "+r.until(rev.PTR.TTL)+"; DNS is as it should be now, and old answers may live until then. If it is refused again, ask the receiver what it sees."), URL: r.page(c), Verify: "The receiver accepts it."}}
		}
		return []Step{{Phase: PhaseRetest, Action: finding.Ask, Who: r.server(), What: r.fillFor(*c, "Send one test to {addr}; if it is refused again, ask the receiver what it sees."), Verify: "The receiver accepts it."}}
	}
	var steps, first []Step
	if r.facts.IP.Value.Is6() && c.Kind == bounce.PTR {
		first = append(first, Step{Phase: PhaseStop, Action: finding.Edit, Who: r.server(), What: "Until the record is there, send over IPv4 alone (Postfix: inet_protocols = ipv4).", Verify: "Received lines show an IPv4 address."})
	}
	if rev != nil {
		for _, f := range rev.Findings() {
			if f.Outcome == finding.Found && strings.HasPrefix(f.Code, "helo.") == (c.Kind == bounce.HELO) {
				steps = append(steps, r.fromFixes(f.Fixes)...)
			}
		}
	}
	if len(steps) == 0 {
		steps = []Step{{Phase: PhaseRepair, Action: finding.Request, Who: r.server(), What: r.fillFor(*c, "Have the provider of {ip} set a PTR record that names the mail server, and greet with that name."), Verify: "The PTR name resolves back to the address."}}
		if c.Kind == bounce.HELO {
			steps = []Step{{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: r.fillFor(*c, "Set the HELO name of the mail server to a full host name that resolves to {ip} (Postfix: smtp_helo_name)."), Verify: "The receiver accepts a test mail."}}
		}
	}
	return append(first, steps...)
}

func (r *run) relaySteps(c *Cause) []Step {
	if strings.Contains(r.of(c).Reply.Text, "TenantAttribution") {
		return []Step{{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: r.fillFor(*c, "Make the inbound connector of the Microsoft 365 tenant know {ip}: by its address, or by a certificate whose name is the one that the connector expects."), URL: "https://learn.microsoft.com/exchange/mail-flow-best-practices/use-connectors-to-configure-mail-flow/set-up-connectors-to-route-mail", Verify: "A test mail through it is accepted."}}
	}
	if c.Fault == OfReceiver {
		steps := []Step{{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: r.fillFor(*c, "Tell the recipient's postmaster by another way: {host} answers for {domain} and refuses the domain; its records, or that server, are out of date.")}}
		if d := r.destination(r.of(c)); d != nil && len(d.MX) > 0 && !strings.EqualFold(d.MX[0].Host, d.Host) {
			again := Step{Phase: PhaseAsk, Action: finding.Wait, Who: you, What: r.fillFor(*c, "Send again to {addr}: "+d.MX[0].Host+", which the MX records name first, may take it."), Verify: "The mail is accepted."}
			steps = append([]Step{again}, steps...)
		}
		return steps
	}
	return []Step{
		{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: r.fillFor(*c, "See where your server sends mail for {domain}: a fixed route or an old MX record leads to {host}. If {host} is your own relay, log in there (port 587)."), Verify: r.fillFor(*c, "The mail goes to a server that the MX records of {domain} name.")},
	}
}

// holdOf says what to stop, if anything: only what harms the sender further.
func (r *run) holdOf(c Cause) *Hold {
	row := rowOf(c.Kind)
	switch {
	case (c.Kind == bounce.IPReputation || c.Kind == bounce.DomainReputation) && r.of(&c).Permanence == bounce.Temporary:
		return nil // it is to go on with less
	case c.Kind == bounce.SPFFailed && c.Fault == NotTold:
		return nil // somebody else's server: it can never pass, and the sender's own does
	case row.hold == "" || c.State == Cleared || c.State == Contradicted || c.State == Unstated || c.Fault == OfESP || c.Fault == OfReceiver || c.Fault == OfRecipient || c.Fault == OfListOperator || c.Fault == OfForwarder:
		return nil
	case c.Kind == bounce.IPListed && c.State == NotCheckable && c.Fault == OfSender: // a block of its own, as by reputation
		return &Hold{Scope: "receiver", What: r.fill("mail from {ip} to this receiver"), Until: row.until}
	case c.Kind == bounce.IPListed && c.State != Confirmed:
		return nil
	}
	what := map[string]string{
		"ip":       "mail from {ip}",
		"receiver": "mail from {ip} to this receiver",
		"stream":   "mail of this sender by this way",
		"campaign": "this mailing",
	}[row.hold]
	switch {
	case c.Kind == bounce.DomainListed && c.until == "":
		what = "mail that names the listed domain"
	case c.Kind == bounce.DomainReputation:
		what = "mail of {from} to this receiver, but for those who read it"
	}
	return &Hold{Scope: row.hold, What: r.fill(what), Until: cmp.Or(c.until, row.until)}
}

// The waits before another try where the receiver states none: RFC 5321, section
// 4.5.4.1, asks for half an hour at least; greylisting servers open after some
// minutes; a mailbox is not emptied within the hour.
var waits = map[bounce.Reason]time.Duration{
	bounce.Greylisted: 5 * time.Minute, bounce.RateLimited: time.Hour, bounce.MailboxFull: 24 * time.Hour,
	bounce.IPReputation: time.Hour, bounce.System: 30 * time.Minute, bounce.Network: 30 * time.Minute, bounce.DNSFailure: 30 * time.Minute, bounce.TLS: 30 * time.Minute,
}

func (r *run) retryAfter(c Cause) time.Duration {
	rec := r.main()
	if rec.Action == bounce.Delayed {
		return 0 // the sending server tries by itself
	}
	if rec.RetryAfter > 0 {
		return rec.RetryAfter
	}
	if rec.Reason == bounce.Greylisted && r.gaveBack() {
		return 0 // it is long past
	}
	switch r.out.Response {
	case bounce.Retry, bounce.SlowDown:
	default:
		return 0 // what stands in the way must be mended first
	}
	if rec.Permanence == bounce.Temporary || c.Kind == bounce.MailboxFull {
		return cmp.Or(hintOf(rec).Wait, waits[c.Kind])
	}
	return 0
}

// response is what to do about the refusal as a whole.
func (r *run) response(c Cause) bounce.Response {
	switch {
	case c.Kind == NotYours || c.Kind == NotABounce:
		return bounce.Ignore
	case c.Kind == bounce.Vacation || c.Kind == bounce.Receipted || c.Kind == bounce.Challenged:
		return bounce.Ignore
	case c.State == Cleared || c.State == Contradicted:
		return bounce.Retry
	case c.Fault == OfESP && ofServer(c.Kind):
		return bounce.Retry
	case c.response != "":
		return c.response
	case c.Kind == r.main().Reason && r.main().Response != "":
		return r.main().Response
	}
	return c.Kind.Response()
}
