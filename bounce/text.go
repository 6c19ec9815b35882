package bounce

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// own returns the addresses that are no failed recipients: those to and from
// whom the report itself goes, and the author of the returned mail.
func (rd *reader) own() addressSet {
	own := addressSet{}
	for _, name := range []string{"from", "to", "reply-to", "sender", "return-path", "delivered-to", "errors-to", "resent-to", "cc"} {
		for _, a := range findAddresses(rd.top.header.get(name)) {
			own[lower(a)] = true
		}
	}
	if o := rd.rep.Original; o != nil {
		own[lower(o.From)], own[lower(o.ReturnPath)] = true, true
	}
	return own
}

// An addressSet is addresses in lower case.
type addressSet map[string]bool

func isOwn(own addressSet, address string) bool { return own[lower(address)] }

// robots are the local parts under which mail servers write.
var robots = []string{"mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon", "mailer_daemon", "mdaemon", "majordomo", "abuse", "bounces", "mail_daemon", "mmdf", "mmailer", "uucp", "maiser", "emailer-daemon", "smtp", "gateway", "autoforward", "e500_smtp_mail_service"}

func isRobot(address string) bool {
	local, _, _ := strings.Cut(address, "@")
	for _, r := range robots {
		if strings.EqualFold(local, r) {
			return true
		}
	}
	return containsFold(local, "mailer-daemon") || containsFold(local, "postmaster")
}

// fromServer reports whether a mail server gives its name as the sender.
func (rd *reader) fromServer() bool {
	h := rd.top.header
	from := lower(h.get("from"))
	return isRobot(from) || strings.Contains(from, "mail delivery") || isRobot(addressIn(from)) || isRobot(lower(h.get("sender"))) || isRobot(addressIn(h.get("return-path")))
}

// looksLikeBounce asks for signs that a mail server wrote the message, before
// its text is searched for addresses: ordinary mail holds addresses too.
func (rd *reader) looksLikeBounce(text string) bool {
	h := rd.top.header
	if h.has("x-failed-recipients") {
		return true
	}
	subject := lower(rd.rep.Subject)
	head := cut(text, maxOpening)
	opening := wordsIn(head)
	if strings.HasPrefix(subject, "postfix smtp server: errors from") {
		return false // what clients did, told to the postmaster
	}
	aboutFailure := holds(subject, aboutFailure)
	phrases := rd.said.failures
	quotes := strings.HasPrefix(head, ">") || strings.Contains(head, "\n>")
	if rd.fromServer() && !(h.has("in-reply-to") && rd.isPersonal(head)) || strings.TrimSpace(h.get("return-path")) == "<>" && !quotes {
		return aboutFailure || phrases > 0 || textBlocks(text, rd.own()).quote(rd.original != nil)
	}
	// A mailing or a person may quote a bounce.
	if quotes || opening.has(quoteMarks) || opening.has(parcelWords) || h.has("list-unsubscribe") || rd.isPersonal(head) {
		return false
	}
	if opening.has(serverWords) {
		return aboutFailure || phrases > 0
	}
	return rd.original != nil && aboutFailure && phrases > 0 && !h.has("list-id") && !h.has("in-reply-to") && !isForward(subject)
}

// greetings begin what people write.
var greetings = []string{"hi ", "hi,", "hello", "hallo", "dear ", "bonjour", "hola", "salut", "guten ", "liebe", "ciao", "olá", "hej", "cześć", "Привет", "Здравствуйте", "こんにちは", "お疲れ"}

// trackers mark the mail of programs in which people discuss.
var trackers = []string{"list-post", "x-github-reason", "x-gitlab-project", "x-jira-fingerprint", "x-zendesk-from-account-id"}

// isPersonal reports whether a person wrote a mail: it would come back to its
// author, or went through a list or a tracker, and does not open with the sentence of
// a server.
func (rd *reader) isPersonal(text string) bool {
	h := rd.top.header
	back := addressIn(h.get("return-path"))
	own := back != "" && strings.EqualFold(back, addressIn(h.get("from")))
	if !own && !slices.ContainsFunc(trackers, h.has) {
		return rd.top.mediaType == "multipart/digest"
	}
	start := strings.IndexFunc(text, unicode.IsLetter)
	if start < 0 {
		return true
	}
	first, _, _ := strings.Cut(text[start:], "\n")
	return !wordsIn(first).has(serverWords) || slices.ContainsFunc(greetings, func(g string) bool { return hasPrefixFold(first, g) })
}

// maxOpening is where a server has said what it has to say: a person's own words
// come before a quotation.
const maxOpening = 400

// isForward knows the beginnings of subjects that people write.
func isForward(subject string) bool {
	for _, start := range []string{"fwd:", "fw:", "re:", "wg:", "aw:", "tr:", "rv:"} {
		if strings.HasPrefix(subject, start) {
			return true
		}
	}
	return false
}

// maxShared bounds the recipients of one text for whom all of it is read.
const maxShared = 20

// textReport reads a bounce without a machine part; false means that it names
// nobody.
func (rd *reader) textReport(text string) bool {
	own := rd.own()
	named := failedRecipients(rd.top.header)
	blocks := exchangeBlocks(text, rd.said.diagnostic, own)
	if len(blocks.list) == 0 {
		blocks = textBlocks(text, own)
	}
	var addresses []string
	switch {
	case len(named) > 0:
		addresses = named
	case blocks.tell():
		addresses = blocks.addresses()
	default:
		// Of addresses on lines of their own, those matter that the text speaks of.
		if addresses = loneAddresses(text, own); blocks.hold(addresses) {
			addresses = blocks.addresses()
		}
	}
	if len(addresses) == 0 && (rd.fromServer() || rd.original != nil) {
		// A mail to oneself: the report goes to the address that failed.
		blocks = textBlocks(text, nil)
		addresses = blocks.addresses()
	}
	if len(addresses) == 0 {
		addresses = rd.bareNames(text)
	}
	if len(addresses) == 0 && rd.said.failures > 0 {
		// A list's address is not the member's that failed.
		if o := rd.rep.Original; o != nil && strings.Contains(o.To, "@") && o.ListID == "" {
			addresses = []string{o.To}
		}
	}
	if len(addresses) > maxRecipients {
		addresses = addresses[:maxRecipients]
		rd.walk.omit("recipients beyond 10,000")
	}
	whole := text
	if len(addresses) > maxShared {
		whole = "" // each speaks for itself
	}
	action := Failed
	rd.rep.Kind = Failure
	if len(named) == 0 && rd.said.sets.has(delayWords) {
		action, rd.rep.Kind = Delayed, Delay
	}
	for _, a := range addresses {
		rec := Recipient{Address: a, Action: action}
		quoted, final := blocks.of(a), blocks.final(a)
		if led := blocks.origins[lower(a)]; quoted == "" && len(led) == 1 {
			quoted, final = blocks.list[led[0]].text, blocks.list[led[0]].address
		}
		rec.originated(final, quoted)
		// What is said of another is not said of this one.
		apart := len(addresses) > 1 && blocks.tell()
		if quoted == "" || !apart && !telling(strings.ReplaceAll(quoted, a, "")) {
			quoted = whole
		}
		around := whole
		if len(addresses) > 1 {
			around = quoted // the whole text speaks of others too
		}
		rd.rules.judge(&rec, quoted, around)
		// What is said of one may stand apart from its address.
		if rec.Reason == ReasonUnknown && quoted != whole && whole != "" && !apart {
			second := rec
			rd.rules.judge(&second, whole, whole)
			if second.Reason != ReasonUnknown {
				rec = second
			}
		}
		rd.rep.Recipients = append(rd.rep.Recipients, rec)
	}
	if len(addresses) == 0 {
		rd.rep.Kind = OtherKind
		if rd.top.header.has("x-failed-recipients") || isRobot(addressIn(rd.top.header.get("from"))) {
			// A bounce that names nobody still says why.
			rec := Recipient{Action: action}
			rd.rules.judge(&rec, text, text)
			if rec.Reason == ReasonUnknown && rec.Reply.Code == 0 {
				return false
			}
			rd.rep.Kind = Failure
			rd.rep.Recipients = append(rd.rep.Recipients, rec)
			return true
		}
		return false
	}
	return true
}

// bareNames finds recipients that a server names without their domain, on the lines
// behind one that speaks of failure and ends in a colon. Where the returned mail
// was to that name, its address is taken.
func (rd *reader) bareNames(text string) []string {
	var list addressList
	open := false
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "":
			continue
		case strings.HasSuffix(trimmed, ":"):
			open = holds(trimmed, failureWords)
			continue
		case !open:
			continue
		}
		end := 0
		for end < len(trimmed) && isLocalByte(trimmed[end]) {
			end++
		}
		name, rest := trimmed[:end], strings.TrimSpace(trimmed[end:])
		if open = end > 1 && (rest == "" || rest[0] == '(' || strings.HasPrefix(rest, "on ")); !open {
			continue
		}
		if o := rd.rep.Original; o != nil && hasPrefixFold(o.To, lower(name)+"@") {
			name = o.To
		}
		list.add(name)
	}
	return list.addresses
}

// failedRecipients reads the field that Exim and Google write.
func failedRecipients(h header) []string {
	var list addressList
	for _, field := range h.all("x-failed-recipients") {
		for _, a := range findAddresses(field) {
			list.add(a)
		}
	}
	return list.addresses
}

// An addressList holds each address once, up to one more than the limit.
type addressList struct {
	addresses []string
	seen      map[string]bool
}

func (l *addressList) add(a string) {
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	if key := lower(a); !l.seen[key] && len(l.addresses) <= maxRecipients {
		l.seen[key] = true
		l.addresses = append(l.addresses, a)
	}
}

// A block is what a text says of one address: the line that begins with it and
// those that follow.
type block struct {
	address string
	final   string // the address to which it led, where another is named
	text    string
	lines   []string // of text, while it is gathered
	size    int
}

// add gathers a line, up to the size of the longest reply that is read.
func (b *block) add(line string) {
	if b.size < maxReply {
		b.lines, b.size = append(b.lines, line), b.size+len(line)+1
	}
}

// leads may stand before the address that begins a block.
var leads = []string{"<", "*", "-", ">", "to:", "recipient:", "recipient address:", "address:", "failed recipient:", "user:", "e-mail:", "email:", "an:", "final recipient:", "destinatario:", "rcpt to:", "mailto:", "|", "\"", "'", "`"}

// textBlocks finds the paragraphs that begin with an address.
func textBlocks(text string, own addressSet) blockSet {
	var (
		blocks     []block
		open       = -1
		blanks     int
		transcript bool     // the open block is a line of a transcript
		pending    bool     // the line before names a program or a file; the address comes
		said       []string // lines "<<< 550 …" of the transcript since the last address
	)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		if trimmed == "" {
			blanks++
			continue
		}
		if len(blocks) > 1 && strings.HasPrefix(trimmed, "-----") {
			open = -1 // what follows is about all of them
			continue
		}
		if isDelivery(trimmed) {
			open, pending = -1, true
			continue
		}
		if pending {
			pending = false
			if generated, ok := strings.CutPrefix(trimmed, "generated by "); ok && addressEnd(generated) > 0 && len(blocks) < maxRecipients {
				blocks = append(blocks, block{address: generated[:addressEnd(generated)]})
				open, blanks, transcript = len(blocks)-1, 0, false
				continue
			}
		}
		a, rest, ok := leadingAddress(trimmed)
		summary := ok && strings.Contains(trimmed, ">...")
		if !ok {
			a, rest, ok = transcriptAddress(trimmed)
			summary = ok
		}
		if ok && !isOwn(own, a) && !isRobot(a) {
			if len(blocks) == maxRecipients {
				break
			}
			b := block{address: a}
			if summary {
				for _, s := range said {
					b.add(s)
				}
				said = nil
			}
			b.add(rest)
			blocks = append(blocks, b)
			open, blanks, transcript = len(blocks)-1, 0, summary
			continue
		}
		switch {
		case strings.HasPrefix(trimmed, "<<< 503"): // the answer to DATA without a recipient
		case strings.HasPrefix(trimmed, "<<<"), startsReply(trimmed):
			if len(said) < maxFolds {
				said = append(said, trimmed)
			}
		case containsFold(trimmed, "while talking to"):
			said = nil
		}
		if open < 0 {
			continue
		}
		indented := line[0] == ' ' || line[0] == '\t'
		if blanks > 0 && !indented || blanks > 1 || transcript && (startsReply(trimmed) || strings.HasPrefix(trimmed, ">>>") || len(said) == 0 && containsFold(trimmed, "while talking to")) {
			open = -1
			continue
		}
		blanks = 0
		blocks[open].add(trimmed)
	}
	return mergeBlocks(blocks)
}

// isDelivery knows the lines in which Exim names a program or a file instead of the
// address that led to it.
func isDelivery(line string) bool {
	return strings.HasPrefix(line, "pipe to ") || strings.HasPrefix(line, "save to ")
}

// transcriptAddress reads a line of sendmail's transcript: "550 5.1.1
// <user@domain>... User unknown". The codes stay with the text.
func transcriptAddress(line string) (address, rest string, ok bool) {
	if !startsReply(line) {
		return "", "", false
	}
	open := strings.IndexByte(line, '<')
	if open < 0 || strings.Trim(line[3:open], " -.0123456789") != "" {
		return "", "", false
	}
	end := addressEnd(line[open+1:])
	if end == 0 || !strings.HasPrefix(line[open+1+end:], ">...") {
		return "", "", false
	}
	return line[open+1 : open+1+end], line, true
}

// A blockSet is the blocks of a text, one for each address, in their order.
type blockSet struct {
	list    []block
	index   map[string]int   // lower-case address → place in list
	origins map[string][]int // those that Exim says were generated from an address
}

// mergeBlocks joins the blocks of one address.
func mergeBlocks(blocks []block) blockSet {
	s := blockSet{index: map[string]int{}, origins: map[string][]int{}}
	for _, b := range blocks {
		key := lower(b.address)
		at, seen := s.index[key]
		if !seen {
			s.index[key] = len(s.list)
			s.list = append(s.list, b)
			continue
		}
		for _, line := range b.lines {
			s.list[at].add(line)
		}
	}
	for i := range s.list {
		b := &s.list[i]
		b.text, b.lines = strings.Join(b.lines, "\n"), nil
		if at := indexFold(b.text, generatedFrom); at >= 0 {
			origin, _, _ := strings.Cut(cut(b.text[at+len(generatedFrom):], 400), ")")
			s.origins[lower(origin)] = append(s.origins[lower(origin)], i)
		}
	}
	return s
}

// of returns the text about the first of some addresses that has one.
func (s blockSet) of(addresses ...string) string {
	for _, a := range addresses {
		if at, ok := s.index[lower(a)]; ok && s.list[at].text != "" {
			return s.list[at].text
		}
	}
	return ""
}

// tell reports whether something is said of one of the addresses.
func (s blockSet) tell() bool {
	return slices.ContainsFunc(s.list, func(b block) bool { return telling(b.text) })
}

// quote reports whether something in the blocks is a refusal: a code, or anything
// where the mail came back too.
func (s blockSet) quote(returned bool) bool {
	return slices.ContainsFunc(s.list, func(b block) bool {
		if returned {
			return true
		}
		inner, _ := innermost(cutText(b.text))
		code, _ := leadingCodes(inner)
		return code > 0 || codeIn(inner, 0) != Code{}
	})
}

// hold reports whether each address has a block.
func (s blockSet) hold(addresses []string) bool {
	for _, a := range addresses {
		if _, ok := s.index[lower(a)]; !ok {
			return false
		}
	}
	return true
}

func (s blockSet) addresses() []string {
	var all []string
	for _, b := range s.list {
		all = append(all, b.address)
	}
	return all
}

// generatedFrom stands before the address that led to another, in Exim's words.
const generatedFrom = "(generated from "

// generated returns the block of an address to which another led, "(generated from
// alias@domain)" in Exim's words: the one that names the host, or holds the
// diagnostic's first line.
func (s blockSet) generated(from, host, diagnostic string) *block {
	first, _, _ := strings.Cut(diagnostic, "\n")
	for _, i := range s.origins[lower(from)] {
		b := &s.list[i]
		if host != "" && containsFold(b.text, host) || host == "" && first != "" && strings.Contains(b.text, first) {
			return b
		}
	}
	return nil
}

// final returns the address to which another led, or "".
func (s blockSet) final(address string) string {
	if at, ok := s.index[lower(address)]; ok {
		return s.list[at].final
	}
	return ""
}

// exchangeBlocks reads the text of an Exchange report: first the addresses that
// were mailed, then, for administrators, those to which they led, each with its
// replies; that part begins at the place at.
func exchangeBlocks(text string, at int, own addressSet) blockSet {
	if at < 0 {
		return blockSet{}
	}
	mailed, failed := textBlocks(text[:at], own), textBlocks(text[at:], own)
	if len(mailed.list) == 0 || len(mailed.list) != len(failed.list) {
		return failed
	}
	for i := range mailed.list {
		m, f := &mailed.list[i], &failed.list[i]
		m.text = f.text
		if !strings.EqualFold(m.address, f.address) {
			m.final = f.address
		}
	}
	return mailed
}

// originated sets the addresses of a recipient that came from another: final is
// where it led, and the text may say "(expanded from <alias@domain>)", as Postfix
// and Sendmail do, or "(generated from alias@domain)", as Exim does.
func (rec *Recipient) originated(final, text string) {
	if final != "" {
		rec.OriginalAddress, rec.FinalAddress = rec.Address, final
		return
	}
	for _, mark := range []string{"(expanded from", generatedFrom, "(ultimately generated from", "generated by "} {
		at := indexFold(text, mark)
		if at < 0 {
			continue
		}
		origin := findAddresses(cut(text[at:], 400))
		if len(origin) > 0 && !strings.EqualFold(origin[0], rec.Address) && rec.FinalAddress == "" {
			rec.OriginalAddress, rec.FinalAddress, rec.Address = origin[0], rec.Address, origin[0]
		}
		return
	}
}

// leadingAddress reads an address at the start of a line.
func leadingAddress(line string) (address, rest string, ok bool) {
	if strings.IndexByte(line, '@') < 0 {
		return "", "", false
	}
	for range 4 {
		stripped := false
		for _, lead := range leads {
			if hasPrefixFold(line, lead) {
				line = strings.TrimLeft(line[len(lead):], " \t")
				stripped = true
				break
			}
		}
		if !stripped {
			break
		}
	}
	end := addressEnd(line)
	if end == 0 {
		return "", "", false
	}
	address = line[:end]
	rest = strings.TrimLeft(line[end:], `>"'*`)
	if strings.HasPrefix(rest, "@") {
		return "", "", false
	}
	return address, strings.TrimLeft(rest, " \t:,;."), true
}

// addressEnd returns the length of the address at the start of s, or 0.
func addressEnd(s string) int {
	at := 0
	if strings.HasPrefix(s, `"`) {
		return 0
	}
	for at < len(s) && isLocalByte(s[at]) {
		at++
	}
	if at == 0 || at > 128 || at == len(s) || s[at] != '@' {
		return 0
	}
	if proseEnd(s[:at]) > 0 {
		return 0
	}
	end := at + 1
	for end < len(s) && (isWord(s[end]) || s[end] == '.' || s[end] == '-' || s[end] == '_') {
		end++
	}
	end = at + 1 + proseStart(s[at+1:end])
	end = at + 1 + len(strings.TrimRight(s[at+1:end], ".-_"))
	if end == at+1 || end < len(s) && s[end] == '@' {
		return 0
	}
	return end
}

// East Asian text has no spaces: it may touch an address on either side. Of an
// address with letters of both kinds the ASCII ones are the address.

// proseEnd returns where such text ends that stands before a local part.
func proseEnd(local string) int {
	end, ascii := 0, false
	for i, r := range local {
		switch {
		case r < utf8.RuneSelf:
			ascii = true
		case isWide(r) || unicode.IsPunct(r):
			end = i + utf8.RuneLen(r)
		}
	}
	if !ascii && strings.IndexFunc(local, unicode.IsPunct) < 0 {
		return 0 // a local part of such letters alone (RFC 6531)
	}
	return end
}

// proseStart returns where such text begins behind a domain.
func proseStart(domain string) int {
	ascii := domain != "" && domain[0] < utf8.RuneSelf
	for i, r := range domain {
		if r >= utf8.RuneSelf && (ascii && isWide(r) || unicode.IsPunct(r)) {
			return i
		}
	}
	return len(domain)
}

func isWide(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// isLocalByte: the atext of RFC 5322, section 3.2.3, and dots.
func isLocalByte(c byte) bool {
	return isWord(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) >= 0
}

// findAddresses returns the addresses anywhere in a text, up to one more than are
// kept.
func findAddresses(text string) []string {
	var list []string
	for at := 0; at < len(text) && len(list) <= maxRecipients; {
		i := strings.IndexByte(text[at:], '@')
		if i < 0 {
			break
		}
		i += at
		start := i
		for start > at && isLocalByte(text[start-1]) {
			start--
		}
		start += proseEnd(text[start:i])
		for start < i && strings.IndexByte("'`*=|", text[start]) >= 0 {
			start++
		}
		if end := addressEnd(text[start:]); end > 0 && start+end > i && !strings.Contains(text[start:i], "//") {
			list = append(list, text[start:start+end])
			at = start + end
		} else {
			at = i + 1
		}
	}
	return list
}

// loneAddresses finds the recipient in running text: an address on a line that,
// with the one before, speaks of failure; else the only address there is.
func loneAddresses(text string, own addressSet) []string {
	var near, all addressList
	before := false // the line before speaks of failure
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		here := holds(line, failureWords)
		failure := before || here || startsReply(strings.TrimLeft(line, " \t<"))
		for _, a := range findAddresses(line) {
			if isOwn(own, a) || isRobot(a) {
				continue
			}
			all.add(a)
			if failure {
				near.add(a)
			}
		}
		before = here
	}
	switch {
	case len(near.addresses) > 0:
		return near.addresses
	case len(all.addresses) == 1:
		return all.addresses
	}
	return nil
}

// remoteIn reads the host in "host mx.example[192.0.2.1] said:", "while talking
// to mx.example.:" and the like.
func remoteIn(around string) string {
	low := lower(around)
	for _, lead := range []string{"while talking to ", "host ", "server ", "remote server ", "connected to ", "from "} {
		for from := 0; ; {
			at := strings.Index(low[from:], lead)
			if at < 0 {
				break
			}
			at += from
			from = at + len(lead)
			if at > 0 && isWord(low[at-1]) {
				continue
			}
			rest := low[from:]
			end := 0
			for end < len(rest) && (isWord(rest[end]) || rest[end] == '.' || rest[end] == '-' || rest[end] == '_') {
				end++
			}
			if name := strings.TrimRight(rest[:end], ".-"); isHostName(name) && !isAddress(name) {
				return name
			}
		}
	}
	return ""
}

// replyAddressee reads "<user@domain>: reply", as mail logs and qmail write it.
func replyAddressee(text string) (address, rest string) {
	if !strings.HasPrefix(text, "<") {
		return "", text
	}
	a, after, ok := leadingAddress(text)
	if !ok || len(after) == len(text) {
		return "", text
	}
	return a, after
}
