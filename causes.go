package rebound

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rebound-mail/rebound/auth/iprev"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

// A causeRow says what a stated reason means to the sender. Texts may hold
// {ip}, {addr}, {domain} (the recipient's), {from} (the author's domain), {host}
// (the server that refused) and {server} (who runs the sending server).
type causeRow struct {
	kind    CauseKind
	fault   Fault
	summary string
	// compare sets the cause's state by what the checks found; nil where nobody
	// outside the receiver can tell.
	compare func(*run, statement, *Cause)
	hold    string // scope of what to hold while it lasts: ip, receiver, stream, campaign
	until   string
}

// causeRows is the table of stated causes.
var causeRows = []causeRow{
	{bounce.UnknownRecipient, OfRecipient, "{addr} does not exist", (*run).compareBurst, "", ""},
	{bounce.RecipientSyntax, OfRecipient, "{addr} is malformed", (*run).compareSyntax, "", ""},
	{bounce.UnknownDomain, OfRecipient, takesNoMail, (*run).compareDomain, "", ""},
	{bounce.MailboxDisabled, OfRecipient, "the mailbox of {addr} is switched off", nil, "", ""},
	{bounce.Moved, OfRecipient, "the mailbox of {addr} has moved", nil, "", ""},
	{bounce.MailboxFull, OfRecipient, "the mailbox of {addr} is full", nil, "", ""},
	{bounce.MessageTooBig, OfSender, "the mail is bigger than the receiver allows", nil, "", ""},
	{bounce.TooManyRecipients, OfSender, "one mail had more recipients than the receiver allows", nil, "", ""},
	{bounce.SpamContent, OfSender, "the receiver's filter takes the mail for spam", (*run).compareContent, "campaign", "the content is changed"},
	{bounce.URLReputation, OfSender, "a link in the mail is on a list", (*run).compareLinks, "campaign", "the link is gone or cleared"},
	{bounce.Attachment, OfSender, "the receiver forbids an attachment of the mail", nil, "", ""},
	{bounce.Malware, OfSender, "the receiver found malware in the mail", nil, "campaign", "the source is found"},
	{bounce.MessageFormat, OfSender, "the mail breaks the rules of its format", nil, "", ""},
	{bounce.SPFFailed, OfSender, "SPF does not allow {ip} to send for the domain", (*run).compareAuth, "stream", "a test mail passes SPF"},
	{bounce.DKIMFailed, OfSender, "the mail has no valid DKIM signature", (*run).compareAuth, "stream", "a test mail passes DKIM"},
	{bounce.DMARCFailed, OfSender, "the mail fails the DMARC policy of its From domain", (*run).compareAuth, "stream", "a test mail passes DMARC"},
	{bounce.ARCFailed, OfForwarder, "a forwarder broke the ARC chain", nil, "", ""},
	{bounce.Unauthenticated, OfSender, "the mail passes neither SPF nor DKIM", (*run).compareAuth, "stream", "a test mail is authenticated"},
	{bounce.PTR, OfSender, "{ip} has no reverse DNS that leads back", (*run).comparePTR, "", ""},
	{bounce.HELO, OfSender, "the HELO name of the sending server is refused", (*run).compareHELO, "", ""},
	{bounce.SenderUnknown, OfSender, "the envelope sender or its domain does not exist", (*run).compareSender, "stream", "the sender's address is accepted"},
	{bounce.SenderMismatch, OfSender, "the account may not send under this address", (*run).compareMismatch, "stream", "the address is one that it owns"},
	{bounce.DynamicIP, OfSender, "{ip} is in a range for no direct mail", (*run).compareListing, "", ""},
	{bounce.IPListed, OfSender, "the receiver says that {ip} is on a block list", (*run).compareListing, "ip", "it is off the list"},
	{bounce.DomainListed, OfSender, "the receiver says that a domain of the sender is on a block list", (*run).compareListing, "stream", "it is off the list"},
	{bounce.IPReputation, OfSender, "the receiver itself blocks {ip}", nil, "receiver", "the receiver lifts its block"},
	{bounce.DomainReputation, OfSender, "the receiver itself mistrusts the sending domain", nil, "receiver", "complaints and volume have gone down"},
	{bounce.Compromised, OfSender, "the receiver sees a hacked host or account", nil, "ip", "the host or account is clean"},
	{bounce.OpenRelay, OfSender, "the receiver takes the sending server for an open relay", nil, "ip", "the relay is closed"},
	{bounce.RateLimited, OfSender, "too much mail, or too many connections, in a short time", nil, "", ""},
	{bounce.SenderQuota, OfSender, "the sender's own sending limit is used up", nil, "", ""},
	{bounce.Greylisted, OfNobody, "greylisting: a first contact is put off, and must be tried again", nil, "", ""},
	{bounce.RecipientPolicy, OfRecipient, "the recipient or their system does not want this mail", nil, "", ""},
	{bounce.PolicyRefusal, NotTold, "the receiver's policy; it does not say which", nil, "", ""},
	{bounce.RelayDenied, OfSender, "{host} does not take mail for {domain} from this sender", (*run).compareRelay, "", ""},
	{bounce.AuthRequired, OfSender, "the relay wants a login before it takes mail", nil, "", ""},
	{bounce.AuthFailed, OfSender, "the login at the relay was refused", nil, "stream", "the login works"},
	{bounce.AccountSuspended, OfSender, "the sending account is suspended", nil, "stream", "the account is open again"},
	{bounce.Network, NotTold, "no connection to the next server, or it broke", (*run).compareNetwork, "", ""},
	{bounce.DNSFailure, NotTold, "a DNS look-up on the way failed", (*run).compareDomain, "", ""},
	{bounce.TLS, NotTold, "the encrypted connection could not be made", (*run).compareTLS, "", ""},
	{bounce.Loop, OfReceiver, "the mail went round in a loop", (*run).compareLoop, "", ""},
	{bounce.EAI, OfSender, "the next server cannot take an international address", nil, "", ""},
	{bounce.Protocol, OfSender, "the SMTP dialogue went wrong", nil, "", ""},
	{bounce.System, OfReceiver, "a fault in the receiving system", nil, "", ""},
	{bounce.Misconfigured, OfReceiver, "the receiver asks a block list in a way that the list refuses", nil, "", ""},
	{bounce.Expired, NotTold, "the mail was tried until its time ran out", nil, "", ""},
	{bounce.Suppressed, OfRecipient, "the sending service holds {addr} back because of earlier bounces or complaints", nil, "", ""},
	{bounce.Complaint, OfRecipient, "the recipient reported the mail as unwanted", nil, "", ""},
	{bounce.ReasonUnknown, NotTold, "the receiver does not say why", nil, "", ""},
}

// takesNoMail is what is said of a domain, whether the reply or DNS says it.
const takesNoMail = "the domain {domain} takes no mail"

func rowOf(kind CauseKind) causeRow {
	at := slices.IndexFunc(causeRows, func(row causeRow) bool { return row.kind == kind })
	if at < 0 {
		return causeRow{kind: kind, fault: NotTold, summary: "the receiver does not say why"}
	}
	return causeRows[at]
}

// rank finds the causes, most important first: what was stated, then what was
// not stated and is seen.
func (r *run) rank() {
	switch {
	case r.foreign != nil:
		r.add(Cause{
			Kind: NotYours, Certainty: bounce.Likely, State: NotCheckable, Fault: OfNobody,
			Summary: "this is the bounce of a mail that somebody else sent under your name", Detail: sentence(strings.Join(r.foreign, "; ")),
		})
		return
	case r.report.Kind == bounce.Feedback:
		r.add(r.complaint())
		return
	case len(r.statements) == 0:
		c := Cause{Kind: arrival(r.report.Kind), Certainty: bounce.Likely, State: NotCheckable, Fault: OfNobody, Summary: r.nothingRefused()}
		if r.report.Subject != "" {
			c.Evidence = []finding.Evidence{{Kind: finding.KindMessage, Source: "the message", Text: "Subject: " + r.report.Subject}}
		}
		r.add(c)
		return
	}
	for _, s := range r.statements {
		c := r.stated(s)
		if root, ok := r.rootOf(c); ok {
			c.Fault, c.response = root.Fault, root.response
			if root.Kind == bounce.DKIMFailed || root.Fault == OfForwarder {
				c.steps = []Step{} // those of the root mend it
			}
			r.add(root)
		}
		r.add(c)
		r.addCompromise(s)
		r.addBeside(s, c)
	}
	r.openFirst()
	r.addUnstated()
	r.likelyFirst()
}

// addBeside adds what a reply says besides its reason: a relay on the sender's side wants
// a login, and a receiver that mistrusts an address says that it sends too much.
func (r *run) addBeside(s statement, c Cause) {
	if r.gaveUp(s.rec) && s.reason != bounce.Expired && s.reason != bounce.UnknownDomain && c.Kind != bounce.UnknownDomain {
		r.add(Cause{
			Kind: bounce.Expired, Certainty: bounce.Likely, State: NotCheckable, Fault: c.Fault, Summary: "the sending server gave up trying", Detail: "What stood in the way is told before; the mail does not go again by itself.",
			rec: s.rec, count: s.count, steps: []Step{},
		})
	}
	switch {
	case s.reason == bounce.IPReputation && s.rec.Permanence == bounce.Temporary && says(s.rec, "volume"):
		r.add(Cause{
			Kind: bounce.RateLimited, Certainty: bounce.Likely, State: NotCheckable, Fault: c.Fault, Summary: "the receiver names the volume of mail from {ip}",
			Evidence: replyEvidence(s.rec)[:1], rec: s.rec, count: s.count,
			steps: []Step{}, // those of the first cause
		})
	case r.onTheWay(&s) && s.reason == bounce.AuthRequired:
	case r.onTheWay(&s) && (s.reason == bounce.RelayDenied || says(s.rec, "login", "authenticat")):
		login := Cause{
			Kind: bounce.AuthRequired, Certainty: bounce.Possible, State: NotCheckable, Fault: OfSender, Summary: "{host} is a relay on the way, and may want a login",
			Detail: r.fillFor(Cause{rec: s.rec}, "{host} is no mail server of {domain} by DNS: the recipient's servers were never asked."), Evidence: replyEvidence(s.rec)[:1], rec: s.rec, count: s.count,
		}
		if s.reason == bounce.RelayDenied || r.has(bounce.DynamicIP) {
			login.steps = []Step{} // those of the denied relay, or of the range, say it
		}
		r.add(login)
	case s.reason == bounce.RelayDenied && unnamed(s.rec) && r.findings.reverse != nil && (r.findings.reverse.Status == iprev.Fail || r.findings.reverse.Status == iprev.Missing):
		f := r.findings.reverse.Findings()[0]
		r.add(Cause{
			Kind: bounce.PTR, Certainty: bounce.Likely, State: Confirmed, Fault: c.Fault, Summary: strings.TrimSuffix(f.Fact, "."),
			Detail: "The server relays for hosts that it knows by name, and the name and the address do not lead to each other.", Evidence: slices.Clone(f.Evidence), Source: f.Source, rec: s.rec, count: s.count, steps: r.fromFixes(f.Fixes),
		})
	case r.onTheWay(&s):
		r.note(r.fillFor(Cause{rec: s.rec}, "{host} is no mail server of {domain} by DNS: it is a relay on the way, and the recipient's servers were never asked."))
	}
}

// unnamed reports whether a relay refuses a client for its reverse name, as Sendmail does.
func unnamed(rec *bounce.Recipient) bool {
	return says(rec, "ip name possibly forged", "ip name lookup failed")
}

// gaveUp reports whether a mail was tried until its time ran out: the sender's own server
// reports the failure of what was a passing fault.
func (r *run) gaveUp(rec *bounce.Recipient) bool {
	return rec.Expired || rec.Action == bounce.Failed && rec.Permanence == bounce.Temporary && r.report.ReportingMTA != ""
}

// onTheWay reports whether a server refused that the recipient's domain does not name, and
// the sender's own server spoke to it.
func (r *run) onTheWay(s *statement) bool {
	d := r.destination(s.rec)
	return d != nil && d.InMX == No && (r.control() == Own || s.reason == bounce.RelayDenied)
}

// openFirst puts what still holds before what is gone: of several refusals, the open one
// says what to do.
func (r *run) openFirst() {
	var open, settled []Cause
	for _, c := range r.out.Causes {
		// That it was given up goes with what stood in the way.
		beside := c.Kind == bounce.Expired && len(open) == 0 && len(settled) > 0
		if c.State == Cleared || c.State == Contradicted || beside {
			settled = append(settled, c)
		} else {
			open = append(open, c)
		}
	}
	r.out.Causes = append(open, settled...)
}

// likelyFirst puts what is seen and was not stated before a statement that says no more
// than "no": it is the better answer, and stays marked as possible.
func (r *run) likelyFirst() {
	if len(r.statements) != 1 || r.statements[0].reason != bounce.ReasonUnknown && r.statements[0].reason != bounce.PolicyRefusal {
		return
	}
	slices.SortStableFunc(r.out.Causes, func(a, b Cause) int { return stateOrder(a) - stateOrder(b) })
}

func stateOrder(c Cause) int {
	if c.State == Unstated {
		return 0
	}
	return 1
}

// arrival is the kind of a message that refuses nothing.
func arrival(kind bounce.Kind) CauseKind {
	switch kind {
	case bounce.AutoReply:
		return bounce.Vacation
	case bounce.ReadReceipt:
		return bounce.Receipted
	case bounce.Challenge:
		return bounce.Challenged
	}
	return NotABounce
}

func (r *run) nothingRefused() string {
	switch r.report.Kind {
	case bounce.Success:
		return "the mail was delivered: this is a confirmation"
	case bounce.AutoReply:
		return "the mail arrived: this is an automatic reply"
	case bounce.ReadReceipt:
		return "the mail arrived: this is a read receipt"
	case bounce.Challenge:
		return "the recipient's system holds the mail until its sender answers: this is a challenge, no refusal"
	case bounce.Failure, bounce.Delay:
		return "this is a bounce that names no recipient and gives no reason"
	}
	return "this is no bounce: no refused recipient was found in it"
}

// add appends a cause; one that says the same is merged into the first.
func (r *run) add(c Cause) {
	addressed := strings.HasPrefix(c.Summary, "{addr}")
	c.Summary = r.fillFor(c, c.Summary)
	if !addressed || !strings.Contains(c.Summary, "@") {
		c.Summary = capital(c.Summary)
	}
	for i := range r.out.Causes {
		if old := &r.out.Causes[i]; old.Kind == c.Kind && old.Fault == c.Fault && old.Summary == c.Summary {
			old.Evidence = append(old.Evidence, c.Evidence...)
			return
		}
	}
	r.out.Causes = append(r.out.Causes, c)
}

// fill puts the facts into a text.
func (r *run) fill(text string) string { return r.fillFor(Cause{}, text) }

// fillFor puts the facts into a text about a cause: the address is that of whom
// the cause concerns.
func (r *run) fillFor(c Cause, text string) string {
	addr, host := r.facts.Recipient.Value, r.facts.Refuser.Value
	if c.rec != nil && c.rec.Address != "" {
		addr, host = c.rec.Address, c.rec.RemoteMTA
	}
	domain := ""
	if strings.Contains(addr, "@") {
		domain = domainOf(addr)
	}
	if c.count > 1 {
		addr = fmt.Sprintf("%s and %d more", addr, c.count-1)
	}
	ip := "the sending address"
	if r.facts.IP.Value.IsValid() {
		ip = r.facts.IP.Value.String()
	}
	return strings.NewReplacer(
		"{ip}", ip,
		"{addr}", cmp.Or(addr, "the recipient's address"),
		"{domain}", cmp.Or(domain, "the recipient's domain"),
		"{from}", cmp.Or(domainOf(r.facts.From.Value), domainOf(r.facts.MailFrom.Value), "the From domain"),
		"{host}", cmp.Or(host, "the refusing server"),
		"{server}", r.server(),
		"{esp}", r.service(),
	).Replace(text)
}

// stated is the cause that a statement gives.
func (r *run) stated(s statement) Cause {
	row := rowOf(s.reason)
	c := Cause{Kind: cmp.Or(row.kind, bounce.ReasonUnknown), Certainty: s.rec.Certainty, State: NotCheckable, Fault: row.fault, Summary: row.summary, Source: s.rec.Because.Source, rec: s.rec, count: s.count}
	c.Evidence = replyEvidence(s.rec)
	if r.control() == Shared && c.Fault == OfSender && ofServer(c.Kind) {
		c.Fault = OfESP
	}
	if c.Kind == bounce.IPReputation && s.rec.Permanence == bounce.Temporary {
		c.Summary = "the receiver mistrusts {ip} and puts its mail off"
	}
	if s.ofMailbox() {
		c.Fault, c.Summary, c.response = OfRecipient, "{addr} gets too much mail at the moment", bounce.Retry
		c.steps = []Step{{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: r.fillFor(c, "Try {addr} again an hour later; other mail to this receiver may go."), Verify: "The mail is accepted."}}
	}
	if row.compare != nil {
		row.compare(r, s, &c)
	}
	r.forwarded(&c)
	r.ofClient(&c)
	r.brokenFurther(&c)
	r.asForwarder(&c)
	r.onward(&c)
	r.byHistory(&c)
	if fault := malformed(r.address(s.rec)); c.Kind == bounce.UnknownRecipient && fault != "" {
		c.Detail = strings.TrimSpace("The address is malformed: " + strings.ToLower(fault[:1]) + fault[1:] + " " + c.Detail)
	}
	if c.Fault == OfESP && ofServer(c.Kind) && r.facts.IP.Value.IsValid() {
		c.Detail = strings.TrimSpace(c.Detail + " " + r.fill("{ip} belongs to {esp}, and others send from it too: {esp} alone can act on it."))
	}
	if c.Kind == bounce.IPReputation && s.rec.Permanence == bounce.Permanent && c.response == "" && (r.page(&c) != "" || r.contact(&c) != "") {
		c.response = bounce.Delist
	}
	if c.Kind == bounce.Misconfigured && c.Detail == "" {
		c.Detail = s.rec.Because.Says + r.notOn(s)
	}
	return c
}

// notOn says that a list which was asked wrongly holds nothing, or that it does.
func (r *run) notOn(s statement) string {
	for i, l := range s.lists {
		if l == nil {
			continue
		}
		switch st := r.listState(s, i); {
		case st.result == nil:
		case st.result.Status == dnsbl.NotListed:
			return fmt.Sprintf(" %s is not on %s.", st.result.Target, st.result.List.Name)
		case st.result.Status == dnsbl.Listed:
			return fmt.Sprintf(" Apart from that, %s is on %s now.", st.result.Target, listTitle(st))
		}
	}
	return ""
}

// replyEvidence is the line of the bounce that decided.
func replyEvidence(rec *bounce.Recipient) []finding.Evidence {
	list := []finding.Evidence{{Kind: finding.KindReply, Source: rec.RemoteMTA, Text: rec.Reply.Text, Start: rec.Because.Start, End: rec.Because.End}}
	if says := rec.Because.Says; says != "" {
		list = append(list, finding.Evidence{Kind: finding.KindRule, Source: rec.Because.Source, Text: rec.Because.Rule + ": " + says})
	}
	for _, leg := range rec.Legs {
		list = append(list, finding.Evidence{Kind: finding.KindReply, Source: "the receiver's verdict", Text: legText(leg)})
	}
	return list
}

func legText(l bounce.Leg) string {
	text := strings.ToUpper(l.Method)
	if l.Domain != "" {
		text += " of " + l.Domain
	}
	if l.IP != "" {
		text += " with " + l.IP
	}
	return text + ": " + l.Result
}

// ofServer reports whether a cause concerns the sending server and its address,
// which belong to the service where mail is sent through one.
func ofServer(kind CauseKind) bool {
	switch kind {
	case bounce.IPListed, bounce.IPReputation, bounce.PTR, bounce.HELO, bounce.DynamicIP, bounce.OpenRelay, bounce.Compromised, bounce.RateLimited:
		return true
	}
	return false
}

// dns turns the answers that were given into evidence.
func dns(answers ...resolve.Answer) []finding.Evidence {
	var list []finding.Evidence
	for _, a := range answers {
		if a.Status != resolve.Unset {
			list = append(list, finding.Evidence{Kind: finding.KindDNS, Source: a.Server, Text: a.String()})
		}
	}
	return list
}

// gone decides between cleared and contradicted: something stated is not so now.
// It has cleared only when the refusal is older than the answer that was true
// then could have lived.
func (r *run) gone(c *Cause, ttl time.Duration, cleared, contradicted string) {
	c.Summary = past.Replace(c.Summary)
	age, known := r.age()
	if known && age > max(ttl, listMemory) {
		c.State, c.Detail = Cleared, fmt.Sprintf("%s The refusal is %s old.", cleared, Duration(age).Text())
		return
	}
	c.State, c.Detail = Contradicted, contradicted
	if !known {
		c.Detail += " When the mail was refused is not known."
	}
}

// past puts a summary into the past: what was stated is not so now.
var past = strings.NewReplacer(" has no ", " had no ", " does not ", " did not ", " fails ", " failed ", " passes ", " passed ", " is refused", " was refused", " takes no ", " took no ")

// compareListing asks what the lists that were named say now.
func (r *run) compareListing(s statement, c *Cause) {
	if internal := privateItem(s.rec); internal != "" {
		c.Fault, c.Summary = NotTold, "the receiver refused an address of a private network, "+internal
		if !r.onTheWay(&s) {
			c.Kind, c.Fault, c.response = bounce.Misconfigured, OfReceiver, bounce.AskRecipient
			c.steps = []Step{
				{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: r.fillFor(*c, "Tell the recipient's postmaster by another way, with this reply, that it asks lists about "+internal+", an address of its own network."), Verify: "A test mail is accepted after the answer."},
				{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: "Send one test after the answer. What is urgent goes to the recipient another way."},
			}
		}
		c.Detail = fmt.Sprintf("The reply names %s, a private address, which no list can hold: a relay inside the receiver's network, or one of your own, was asked about.", internal)
		return
	}
	if len(s.names) > 0 {
		c.Summary = strings.Replace(c.Summary, "a block list", s.names[0], 1)
	}
	c.State = NotCheckable
	var texts []string
	closed, networks := len(s.lists) > 0, len(s.lists) > 0
	for i, l := range s.lists {
		if l == nil {
			closed, networks = false, false
			texts = append(texts, fmt.Sprintf("%s cannot be asked by others: only the receiver and its operator see it.", s.names[i]))
			continue
		}
		closed, networks = closed && !l.Usable(), networks && l.Usable() && l.Who == "nobody"
		state, text := r.compareList(r.listState(s, i), c)
		texts = append(texts, text)
		if better(state, c.State) {
			c.State = state
		}
	}
	if c.State == Cleared && slices.Contains(s.lists, nil) {
		c.State = NotCheckable // another list that it names may hold it still
	}
	if len(s.lists) == 0 {
		texts = append(texts, "The reply names no list that can be asked.")
	}
	c.Detail = strings.Join(texts, " ")
	if closed {
		l := s.lists[0]
		c.Kind, c.Fault, c.Certainty, c.response = bounce.System, OfReceiver, bounce.Certain, bounce.AskRecipient
		c.Summary = fmt.Sprintf("the receiver asks %s, a dead list (%s)", l.Name, l.Closed())
		c.steps = r.table(bounce.Misconfigured, c)
	}
	if c.State == Cleared && len(s.names) > 0 {
		c.Summary = "{ip} was on " + s.names[0]
		if s.reason == bounce.DomainListed {
			c.Summary = "a domain of the sender was on " + s.names[0]
		}
	}
	if networks {
		c.Fault, c.response = OfListOperator, bounce.AskRecipient
		c.Detail += " It lists whole networks for what some of their addresses did: that says nothing of what you sent."
	}
	if c.State == Confirmed {
		r.byNature(s, c)
	}
}

// privateItem returns the private address that a reply says is listed, or "".
func privateItem(rec *bounce.Recipient) string {
	for _, m := range rec.Mentions {
		if m.Kind != bounce.MentionList || m.Lists != "ip" {
			continue
		}
		if addr, err := netip.ParseAddr(m.Item); err == nil && !routable(addr) {
			return m.Item
		}
	}
	return ""
}

// better orders the states of several named lists: a confirmed one decides.
func better(a, b State) bool {
	order := map[State]int{Confirmed: 5, Contradicted: 4, NotAsked: 3, Cleared: 2, NotCheckable: 1}
	return order[a] > order[b]
}

// listMemory is how long a receiver may go on with an answer of a list: entries
// commonly live from minutes to an hour in caches, and mirrors lag behind.
const listMemory = time.Hour

// compareList tells the state of one named list.
func (r *run) compareList(st listState, c *Cause) (State, string) {
	l := st.list
	name := fmt.Sprintf("%s (%s)", l.Name, l.Zone)
	if !l.Usable() {
		c.Evidence = append(c.Evidence, finding.Evidence{Kind: finding.KindTable, Source: l.Sources[0], Text: l.Zone + ": " + l.Closed()})
		return NotCheckable, fmt.Sprintf("%s no longer exists: nobody can be on it or be removed from it.", name)
	}
	if st.result == nil {
		return NotAsked, fmt.Sprintf("%s was not asked.", name)
	}
	res := st.result
	c.Evidence = append(c.Evidence, dns(res.Answer)...)
	if res.List != l {
		name += ", part of " + res.List.Name + ","
	}
	switch res.Status {
	case dnsbl.Listed:
		text := fmt.Sprintf("%s lists %s now: %s.", name, res.Target, res.Meaning())
		if res.Reason != "" {
			text += " It says: \"" + res.Reason + "\"."
		}
		return Confirmed, text
	case dnsbl.NotListed:
		if res.Health.State != dnsbl.Proven {
			return NotAsked, fmt.Sprintf("%s gives no entry for %s now; it documents no test entry by which to tell that it is in order.", name, res.Target)
		}
		now := *c
		r.gone(&now, max(res.Answer.TTL, listMemory),
			fmt.Sprintf("%s has no entry for %s any more.", name, res.Target),
			fmt.Sprintf("%s has no entry for %s now: it was removed since, or the receiver uses an older copy.", name, res.Target))
		return now.State, now.Detail
	case dnsbl.Refused:
		r.note(l.Name + " refuses to answer this resolver. To see for yourself, ask through a resolver of your own that does not forward to a public one, or look at " + l.LookupURL(res.Target.String()) + ".")
	case dnsbl.Dead:
		return NotAsked, fmt.Sprintf("%s gives no answer that means anything: %s.", name, res.Why)
	}
	return NotAsked, fmt.Sprintf("%s could not be asked: %s.", name, res.Why)
}

// byNature puts a confirmed listing down to its root: a range that should not
// send, or a missing PTR record, is the cause, and the list only tells of it.
func (r *run) byNature(s statement, c *Cause) {
	for i, l := range s.lists {
		if l == nil {
			continue
		}
		st := r.listState(s, i)
		if st.result == nil || st.result.Status != dnsbl.Listed {
			continue
		}
		switch {
		case st.result.Has(dnsbl.Policy) && !st.result.Has(dnsbl.Spam) && !st.result.Has(dnsbl.Exploit):
			c.Kind, c.Summary = bounce.DynamicIP, fmt.Sprintf("{ip} is on %s (no direct mail)", st.part.Name)
			c.Detail += " That is policy about the range: it says nothing of what you sent."
		case s.reason == bounce.DomainListed && !r.ofSender(st.result.Target.Registered()):
			r.listedName(c, st)
		case st.result.Has(dnsbl.PTR):
			c.Kind, c.Summary = bounce.PTR, fmt.Sprintf("{ip} is on %s for its reverse DNS", st.part.Name)
		default:
			c.Summary = fmt.Sprintf("%s is on %s", st.result.Target, listTitle(st))
			if r.withoutRange(st.result) != nil {
				c.until = "it is off the list but for its range, and mail goes by a relay"
			}
		}
		return
	}
}

// ofSender reports whether a domain is the author's or the envelope sender's.
func (r *run) ofSender(org string) bool {
	return org == orgDomain(r.facts.From.Value) || org == orgDomain(r.facts.MailFrom.Value)
}

// listedName is for a listed domain that is neither the author's nor the envelope's: the
// name with which the server greets, or a link of the mail.
func (r *run) listedName(c *Cause, st listState) {
	name := st.result.Target.String()
	c.Summary = fmt.Sprintf("%s is on %s", name, listTitle(st))
	if org := st.result.Target.Registered(); org == orgDomain(r.facts.HELO.Value) {
		c.Summary = fmt.Sprintf("the HELO name %s is on %s", name, listTitle(st))
		c.Detail += " It is another's domain: neither yours nor your address is listed."
		c.response, c.until = bounce.FixSender, "the HELO name is another"
		c.steps = []Step{
			{Phase: PhaseRepair, Action: finding.Edit, Who: r.server(), What: r.fill("Set the HELO name of the mail server to a host name under {from} that resolves to {ip} (Postfix: smtp_helo_name)."), Verify: "The next bounce or a test mail's Received line shows it."},
			{Phase: PhaseRepair, Action: finding.Request, Who: r.server(), What: r.fill("Have the provider of {ip} set its PTR record to that name."), Verify: "The PTR name resolves back to the address."},
		}
		return
	}
	c.Kind, c.Summary = bounce.URLReputation, fmt.Sprintf("%s, a name in the mail, is on %s", name, listTitle(st))
	c.Detail += " Neither your domain nor your address is listed."
	c.steps = []Step{linkStep(name), r.mended(c)}
}

// listTitle names a list by the part that holds the entry, as its operator calls it:
// "Spamhaus XBL", "Spamhaus ZEN (XBL and PBL)".
func listTitle(st listState) string {
	var parts []string
	for _, c := range st.result.Codes {
		if name := c.Part(); name != "" && !slices.Contains(parts, name) {
			parts = append(parts, name)
		}
	}
	switch {
	case st.part == nil || len(parts) == 0:
		return cmp.Or(st.part, st.result.List).Name // the whole, where no part explains it
	case len(parts) == 1 && st.part != st.result.List && !strings.Contains(st.part.Name, parts[0]):
		operator, _, _ := strings.Cut(st.part.Name, " ")
		return operator + " " + parts[0]
	case len(parts) > 1:
		return fmt.Sprintf("%s (%s)", st.part.Name, strings.Join(parts, " and "))
	}
	return st.part.Name
}

// addCompromise adds the root of an exploit listing: something behind the address
// behaves like malware.
func (r *run) addCompromise(s statement) {
	for i, l := range s.lists {
		if l == nil {
			continue
		}
		st := r.listState(s, i)
		if st.result != nil && st.result.Status == dnsbl.Listed && st.result.Has(dnsbl.Abused) && r.ofSender(st.result.Target.Registered()) {
			r.add(crackedSite(st))
			return
		}
		if r.withoutRange(st.result) != nil {
			defer r.addRange(s, st)
		}
		exploit := st.result != nil && st.result.Status == dnsbl.Listed && (st.result.Has(dnsbl.Exploit) || st.result.Has(dnsbl.Botnet))
		if !exploit {
			continue
		}
		r.add(Cause{
			Kind: bounce.Compromised, Certainty: bounce.Likely, State: Confirmed, Fault: rowOf(bounce.Compromised).fault,
			Summary: "something behind {ip} behaves like malware or an open proxy", Detail: fmt.Sprintf("%s lists what it sees of infected machines, stolen accounts and proxies. Behind NAT it may be any machine of the network.", listTitle(st)),
			Evidence: dns(st.result.Answer), Source: st.result.List.Sources[0],
		})
		return
	}
}

// addRange adds that a listed address is in a range for no direct mail besides.
func (r *run) addRange(s statement, st listState) {
	c := Cause{
		Kind: bounce.DynamicIP, Certainty: bounce.Certain, State: Confirmed, Fault: OfSender, Summary: "{ip} is in a range for no direct mail too",
		Detail: fmt.Sprintf("%s holds it for that as well. That is policy about the range: it stays when the rest is gone.", st.result.List.Name), Evidence: dns(st.result.Answer), Source: st.result.List.Sources[0], rec: s.rec, count: s.count,
	}
	c.steps = r.relayAdvice(&c)
	r.add(c)
}

// crackedSite is the root of a listing of a good domain that others misuse.
func crackedSite(st listState) Cause {
	org := st.result.Target.Registered()
	return Cause{
		Kind: bounce.Compromised, Certainty: bounce.Likely, State: Confirmed, Fault: OfSender, Summary: fmt.Sprintf("the site of %s is misused by others", org),
		Detail:   fmt.Sprintf("%s lists it as a good domain that others misuse: a cracked site, a form, or a redirector that leads anywhere.", listTitle(st)),
		Evidence: dns(st.result.Answer), Source: st.result.List.Sources[0],
		steps: []Step{{Phase: PhaseRepair, Action: finding.Edit, Who: you, What: fmt.Sprintf("Clean the site of %s: foreign files, old software, open redirectors and forms; change the passwords of who may write to it.", org), Verify: "No foreign page answers under the domain."}},
	}
}

func (r *run) comparePTR(_ statement, c *Cause) {
	rev := r.findings.reverse
	c.State = NotAsked
	if rev == nil {
		c.Detail = "Which address was refused is not known, so its reverse DNS could not be looked up."
		return
	}
	f := rev.Findings()[0]
	c.Evidence = append(c.Evidence, f.Evidence...)
	switch rev.Status {
	case iprev.Missing, iprev.Fail:
		c.State, c.Certainty = Confirmed, bounce.Certain
		c.Summary = "{ip} has no PTR record"
		if rev.Status == iprev.Fail {
			c.Detail = f.Fact
			c.Summary = "the PTR of {ip} does not lead back to it"
			if saysNone(r.of(c)) {
				c.Certainty = bounce.Likely
				c.Detail += " The receiver saw no PTR record at all; there is one now."
			}
		}
	case iprev.Pass:
		if generic := findingOf(rev.Findings(), "iprev.ptr-generic"); generic.Outcome == finding.Found && !saysNone(r.of(c)) {
			c.State, c.Certainty = Confirmed, bounce.Likely
			c.Summary, c.Detail = "the PTR record of {ip} is a name of its provider's", generic.Fact+" "+generic.Consequence
			break
		}
		r.gone(c, rev.PTR.TTL, f.Fact+" It changed since, or the receiver's resolver failed then.", f.Fact+" It changed since, or the receiver's resolver failed.")
	default:
		c.Detail = f.Fact
	}
	if other := r.facts.OtherIP.Value; other.IsValid() {
		c.Detail = strings.TrimSpace(fmt.Sprintf("%s The mail left from %s, not from %s.", c.Detail, r.facts.IP.Value, other))
	}
}

// findingOf returns the finding of a code, or none.
func findingOf(list []finding.Finding, code string) finding.Finding {
	for _, f := range list {
		if f.Code == code {
			return f
		}
	}
	return finding.Finding{}
}

// saysNone reports whether a reply says that there is no PTR record, and not that it is a
// bad one.
func saysNone(rec *bounce.Recipient) bool {
	return says(rec, "cannot find your reverse hostname", "no ptr", "missing ptr", "without ptr", "not have a ptr", "no reverse dns", "missing reverse")
}

func (r *run) compareHELO(_ statement, c *Cause) {
	c.State = NotAsked
	rev := r.findings.reverse
	if rev == nil || rev.HELO == nil {
		switch name := r.facts.HELO.Value; {
		case name == "":
			c.Detail = "Which HELO name was used is not known."
		case !strings.Contains(name, "."):
			c.State, c.Detail = Confirmed, fmt.Sprintf("The HELO name %q is no full host name.", name)
		default:
			c.Detail = fmt.Sprintf("The HELO name %q could not be compared: the sending address is not known.", name)
		}
		return
	}
	for _, f := range rev.Findings() {
		if !strings.HasPrefix(f.Code, "helo.") {
			continue
		}
		c.Evidence, c.Detail = append(c.Evidence, f.Evidence...), f.Fact
		switch {
		case f.Outcome == finding.Found && f.Severity >= finding.Warning:
			c.State = Confirmed
		case f.Outcome == finding.Found || f.Outcome == finding.Clean:
			r.gone(c, rev.HELO.Answer.TTL, f.Fact, f.Fact)
		}
	}
}

func (r *run) compareDomain(s statement, c *Cause) {
	c.State = NotAsked
	d := r.destination(s.rec)
	if d == nil {
		return
	}
	f := d.finding()
	c.Evidence, c.Detail = append(c.Evidence, f.Evidence...), f.Fact
	switch d.Status {
	case NoSuchDomain, NullMX, NoMailHost:
		if s.reason != bounce.UnknownDomain {
			c.Kind, c.Fault, c.Summary = bounce.UnknownDomain, OfRecipient, takesNoMail
		}
		c.State = Confirmed
		if d.Status == NoSuchDomain {
			c.Summary = "the domain {domain} does not exist"
		}
	case TakesMail, ImplicitMX:
		r.gone(c, d.Answers[0].TTL, f.Fact+" It changed since, or the sending server's resolver failed then.", f.Fact+" It changed since, or the sending server's resolver failed.")
	default:
		if a := d.Answers[0]; s.reason == bounce.DNSFailure && a.Status == resolve.ServFail {
			c.State, c.Detail = Confirmed, fmt.Sprintf("The name servers of %s give no answer for its MX records (SERVFAIL), here too.", d.Domain)
			c.steps = append(r.table(bounce.DNSFailure, c), Step{Phase: PhaseCleanUp, Action: finding.Ask, Who: you, What: fmt.Sprintf("If it stays so, tell the owner of %s by another way that its name servers fail: a broken DNSSEC chain or servers that are down give such answers.", d.Domain)})
		}
	}
}

// compareSyntax looks whether the fault of an address can be seen.
func (r *run) compareSyntax(s statement, c *Cause) {
	if fault := malformed(r.address(s.rec)); fault != "" {
		c.State, c.Certainty, c.Detail = Confirmed, bounce.Certain, fault
	}
}

// malformed says what is wrong with an address, where that can be seen.
func malformed(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	switch {
	case address == "" || strings.HasPrefix(address, "\""):
	case strings.ContainsAny(address, " \t"):
		return "It holds a space."
	case strings.Contains(domain, "@"):
		return "It holds more than one @."
	case !ok || local == "" || domain == "":
		return "It lacks the part before or after the @."
	case strings.Contains(address, "..") || strings.HasPrefix(local, ".") || strings.HasSuffix(local, "."):
		return "It has a dot at the beginning or the end, or two in a row."
	}
	return ""
}

// compareMismatch: an address whose domain does not exist cannot be verified with anybody.
func (r *run) compareMismatch(_ statement, c *Cause) {
	for _, f := range r.findingsOf("mx.", finding.Critical) {
		c.Detail, c.Evidence = f.Fact, append(c.Evidence, f.Evidence...)
		c.steps = []Step{{Phase: PhaseRepair, Action: finding.Edit, Who: you, What: "Send under an address that the account owns: the domain of this one takes no mail, so nobody can verify it.", Verify: "The mail is accepted."}}
		return
	}
}

// compareTLS: a server that asks for TLS in a reply is in its right; a certificate that is
// not trusted is the receiver's; another handshake that failed is nobody's fault that can
// be told.
func (r *run) compareTLS(s statement, c *Cause) {
	if s.rec.Reply.Code == 0 && says(s.rec, "certificate") {
		c.Fault, c.Summary, c.response = OfReceiver, "the certificate of the receiving server is not trusted, so the sending server hands no mail over", bounce.AskRecipient
		c.Detail = "The receiver refused nothing: your own server wants a certificate that fits what the domain publishes (DANE, MTA-STS) or that is signed by a known authority."
		c.steps = []Step{
			{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: r.fillFor(*c, "Tell the postmaster of {domain} another way that the certificate of its mail server is not trusted, with the log line of your server."), Verify: "Your server's log shows a trusted TLS connection."},
			{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: "Send again after the repair. What is urgent goes another way; an exception for this one domain is a decision to take with care."},
		}
		return
	}
	switch {
	case says(s.rec, "not offered by host", "tls not available", "tls is not available", "tls currently unavailable"):
		c.Fault, c.Summary, c.response = OfReceiver, "the receiving server offers no encrypted connection, which the sending server wants", bounce.AskRecipient
		if s.rec.Permanence == bounce.Temporary && says(s.rec, "tls not available", "tls is not available", "tls currently unavailable") {
			c.Summary, c.response = "the receiving server cannot make an encrypted connection at the moment", bounce.Retry
		}
		c.steps = []Step{
			{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: r.fillFor(*c, "If it stays so, tell the postmaster of {domain} another way that its mail server offers no TLS, with this line."), Verify: "Your server's log shows a TLS connection to it."},
			{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: "Send again after that. What is urgent goes another way; mail in clear text for this one domain is a decision to take with care."},
		}
	case says(s.rec, "handshake"):
		// which side is at fault it does not tell
	case s.rec.Reply.Code > 0:
		c.Fault, c.Summary, c.response = OfSender, "the receiver takes this mail over an encrypted connection alone", bounce.FixSender
	}
}

// maxRound bounds the servers of a loop that are named.
const maxRound = 4

// compareLoop names the servers between which the mail went to and fro.
func (r *run) compareLoop(_ statement, c *Cause) {
	o := r.report.Original
	if o == nil {
		return
	}
	passed := map[string]int{}
	var round []string
	for _, field := range o.Received {
		host := domainOf(byHost(field))
		if passed[host]++; host != "" && passed[host] == 2 && len(round) < maxRound {
			round = append(round, host)
		}
	}
	if len(round) > 1 && orgDomain(round[0]) != orgDomain(round[1]) {
		c.Detail = "Its Received fields show it again and again at " + strings.Join(round, " and ") + ": they forward to each other."
	}
}

func (r *run) compareRelay(s statement, c *Cause) {
	c.State = NotAsked
	d := r.destination(s.rec)
	if d == nil || d.InMX == NotKnown {
		c.Detail = "Whether the refusing server is a mail server of the recipient's domain could not be told."
		return
	}
	f := d.finding()
	c.Evidence = append(c.Evidence, f.Evidence...)
	if d.InMX == Yes {
		c.State, c.Fault, c.response = Confirmed, OfReceiver, bounce.AskRecipient
		c.Summary = "{host} is a mail server of {domain} by DNS and does not accept the domain"
		c.Detail = "The MX records lead to a server that refuses the domain: its configuration, or the records, are out of date."
		if !d.names(d.Host) {
			c.Certainty = bounce.Likely
			c.Summary = "{host}, of those who take mail for {domain}, does not accept the domain"
			c.Detail = fmt.Sprintf("The MX records lead to %s now, of the same organization: the records changed since, or its servers answer under many names.", d.MX[0].Host)
		}
		return
	}
	c.State = Confirmed
	c.Detail = f.Fact + " The sender's routing or its cached MX records are out of date, or this is a relay that wants a login."
}

// burst is how many recipients of one report must share a fault before it is taken for
// somebody else's than theirs.
const burst = 3

// allUnknown reports whether a report has several recipients, all of one domain, and each
// is unknown.
func (r *run) allUnknown() bool {
	list := r.report.Recipients
	return len(list) >= burst && !slices.ContainsFunc(list, func(rec bounce.Recipient) bool {
		return rec.Action != bounce.Failed || rec.Reason != bounce.UnknownRecipient || domainOf(rec.Address) != domainOf(list[0].Address)
	})
}

// compareBurst: where every recipient of a report is unknown, and they are of one domain,
// its server has lost its directory: good addresses do not vanish at once.
func (r *run) compareBurst(s statement, c *Cause) {
	if !r.allUnknown() {
		return
	}
	domain := domainOf(s.rec.Address)
	c.Kind, c.Fault, c.Certainty, c.response = bounce.Misconfigured, OfReceiver, bounce.Possible, bounce.AskRecipient
	c.Summary = fmt.Sprintf("all %d addresses at %s are unknown at once: its server may have lost its directory", len(r.report.Recipients), domain)
	c.Detail = "Known addresses do not vanish together; while a system is moved they often do. None is to be suppressed for that."
	c.steps = []Step{
		{Phase: PhaseAsk, Action: finding.Ask, Who: you, What: fmt.Sprintf("Tell the administrator of %s by another way that its server refuses every address, with this reply and its time.", domain), Verify: "A test mail is accepted after the answer."},
		{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: "Send one test to one of the addresses after the answer; only one that still fails then is unknown.", Verify: "The mail is accepted."},
	}
	r.kept = true
}

// compareNetwork: where no server of several unrelated domains can be reached, the way
// out is closed, not theirs.
func (r *run) compareNetwork(s statement, c *Cause) {
	if d := r.destination(s.rec); d != nil && (d.Status == NoSuchDomain || d.Status == NullMX || d.Status == NoMailHost) {
		r.compareDomain(s, c)
		return
	}
	domains := map[string]bool{}
	for _, rec := range r.report.Recipients {
		if rec.Reason != bounce.Network {
			return
		}
		domains[orgDomain(rec.Address)] = true
	}
	if len(domains) < burst {
		return
	}
	c.Fault, c.Certainty, c.response = OfSender, bounce.Likely, bounce.FixSender
	c.Summary = fmt.Sprintf("none of %d unrelated domains can be reached: the way out of the sending server is closed", len(domains))
	c.Detail = "Hosting providers block outgoing connections to port 25 of new servers; a firewall does the same. No receiver refused anything."
	c.steps = []Step{
		{Phase: PhaseRepair, Action: finding.Ask, Who: r.server(), What: "Connect to port 25 of the mail server of a large provider from the sending server; a time-out there too shows that the way is closed."},
		{Phase: PhaseRepair, Action: finding.Request, Who: r.server(), What: "Have the hosting provider open outgoing port 25, or open it in the firewall; or send through a relay with a login on port 587, and allow it in SPF.", Verify: "A connection to port 25 outside is answered with 220."},
		{Phase: PhaseRetest, Action: finding.Wait, Who: you, What: "Then send the mail again: what was given up does not go by itself.", Verify: "The mail is accepted."},
	}
}

func (r *run) complaint() Cause {
	a := r.report.Complaint
	if a == nil {
		a = new(bounce.Abuse)
	}
	c := Cause{Kind: bounce.Complaint, Certainty: bounce.Certain, State: NotCheckable, Fault: OfRecipient, Summary: rowOf(bounce.Complaint).summary, Source: "RFC 5965"}
	c.Evidence = []finding.Evidence{{Kind: finding.KindMessage, Source: "feedback report", Text: "Feedback-Type: " + a.Type}}
	if r.report.Subject != "" && strings.HasPrefix(strings.ToLower(r.report.Subject), "complaint about message from ") { // Microsoft's have no such field
		c.Evidence = []finding.Evidence{{Kind: finding.KindMessage, Source: "feedback report", Text: "Subject: " + r.report.Subject}}
	}
	switch a.Type {
	case "", "abuse", "opt-out":
	case "not-spam":
		c.Kind, c.Fault, c.Summary = NotABounce, OfNobody, "the recipient says that the mail is no spam: the opposite of a complaint"
	default:
		c.Kind, c.Fault, c.Summary = NotABounce, NotTold, "the receiver sends a feedback report of type "+a.Type+"; the recipient asked for nothing"
	}
	if o := r.report.Original; o != nil && o.MessageID != "" {
		c.Detail = fmt.Sprintf("It is about message %s, \"%s\".", o.MessageID, o.Subject)
	}
	return c
}

// maxUnstated bounds the causes that nobody stated.
const maxUnstated = 2

// addUnstated adds what the checks found and the receiver did not say. A listing
// counts when the receiver was vague; reverse DNS and HELO when the refusal is
// about the sender at all. The rest becomes notes.
func (r *run) addUnstated() {
	vague := false
	for i := range r.statements {
		vague = vague || r.statements[i].vague() || r.statements[i].ofStanding()
	}
	left := maxUnstated
	if top := r.out.Causes[0].Fault; top == OfReceiver || top == OfListOperator || top == OfForwarder {
		left = 0 // what is found beside is for another day
	}
	named := map[*dnsbl.List]bool{}
	for _, s := range r.statements {
		for _, l := range s.lists {
			if l != nil {
				named[l] = true
				if whole := r.lists.ByID(l.PartOf); whole != nil {
					named[whole] = true
				}
			}
		}
	}
	lists := [][]dnsbl.Result{r.findings.ipLists, r.findings.domainLists}
	if r.has(bounce.DomainReputation) {
		slices.Reverse(lists) // the receiver speaks of the domain
	}
	for _, results := range lists {
		for i := range results {
			res := &results[i]
			link := res.Target.Role() == dnsbl.Link
			if res.Status != dnsbl.Listed || named[res.List] || link && r.has(bounce.URLReputation) {
				continue
			}
			f := res.Finding()
			if res.Action != dnsbl.Block || !vague || res.List.Weight < dnsbl.High || left == 0 {
				r.note(f.Fact + " " + f.Consequence)
				continue
			}
			left--
			kind := bounce.IPListed
			if !res.Target.Addr().IsValid() {
				kind = bounce.DomainListed
			}
			if link {
				kind = bounce.URLReputation
			}
			c := r.unstated(kind, f)
			if c.Fixes = nil; link {
				c.steps = []Step{linkStep(res.Target.String())}
			} else {
				c.steps = r.delist(r.lists.Part(res), res.Target, res)
			}
			r.add(c)
		}
	}
	if vague {
		left = r.addUnauthenticated(left)
	}
	r.addReverse(left)
	r.addNext()
	r.noteFound()
}

func (r *run) addReverse(left int) {
	rev := r.findings.reverse
	if rev == nil {
		return
	}
	forwarder := r.forwarder() != ""
	for _, f := range rev.Findings() {
		switch {
		case f.Outcome != finding.Found:
		case r.has(bounce.PTR) && strings.HasPrefix(f.Code, "iprev."): // it is that cause
		case forwarder && strings.HasPrefix(f.Code, "helo."):
		case r.facts.OtherIP.Value.IsValid() && r.has(bounce.PTR) && strings.HasPrefix(f.Code, "helo."):
			r.sameRepair(f)
		case f.Severity < finding.Warning || left == 0 || forwarder:
			r.note(f.Fact + " " + f.Consequence)
		case r.has(bounce.HELO) && strings.HasPrefix(f.Code, "helo."):
		case r.has(bounce.PTR) && strings.HasPrefix(f.Code, "helo.") && r.givesAddress(rev.Findings(), r.facts.HELO.Value): // the record that the PTR lacks mends both
		default:
			left--
			kind := bounce.PTR
			if strings.HasPrefix(f.Code, "helo.") {
				kind = bounce.HELO
			}
			r.add(r.unstated(kind, f))
		}
	}
}

// givesAddress reports whether a repair of the reverse DNS gives a name the refused address.
func (r *run) givesAddress(list []finding.Finding, name string) bool {
	for _, f := range list {
		for _, fix := range f.Fixes {
			if rec := fix.Record; rec != nil && strings.HasPrefix(f.Code, "iprev.") && rec.New == r.facts.IP.Value.String() && strings.EqualFold(strings.TrimSuffix(rec.Name, "."), name) {
				return true
			}
		}
	}
	return false
}

// sameRepair puts a finding to the cause of the reverse DNS: the record that the HELO name
// lacks is a part of its repair.
func (r *run) sameRepair(f finding.Finding) {
	for i := range r.out.Causes {
		if c := &r.out.Causes[i]; c.Kind == bounce.PTR {
			c.Evidence, c.more = append(c.Evidence, f.Evidence...), append(c.more, f.Fixes...)
			return
		}
	}
}

func (r *run) has(kind CauseKind) bool {
	for _, c := range r.out.Causes {
		if c.Kind == kind {
			return true
		}
	}
	return false
}

// unstated turns a finding into a cause that the receiver did not state.
func (r *run) unstated(kind CauseKind, f finding.Finding) Cause {
	c := Cause{Kind: kind, Certainty: bounce.Possible, State: Unstated, Fault: OfSender, Detail: f.Consequence, Evidence: slices.Clone(f.Evidence), Fixes: f.Fixes, Source: f.Source}
	c.Summary = strings.TrimSuffix(f.Fact, ".")
	if r.control() == Shared && ofServer(kind) {
		c.Fault = OfESP
	}
	return c
}

// sentence makes a sentence of words.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return capital(s) + "."
}

// capital makes the first letter of a text a capital one, unless its first word
// is a name or an address.
func capital(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if word = strings.TrimSuffix(word, ":"); word == "" || strings.ContainsAny(word, ".@:") {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
