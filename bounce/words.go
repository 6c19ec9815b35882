package bounce

import (
	"strings"
	"sync"
)

// A wordSet says which sets of telling words a text holds.
type wordSet uint32

// The sets of words.
const (
	aboutFailure    wordSet = 1 << iota // a subject that speaks of failure
	failureWords                        // what the text of a bounce says of itself
	delayWords                          // the server goes on trying
	expiredWords                        // the sender's own server gave up waiting
	doubtWords                          // of the sender, of policy and of passing trouble
	addressWords                        // one of them stands in every refusal of an address
	verifyWords                         // a server checks an address elsewhere and quotes what it heard
	challengeWords                      // a system wants to be told that a person wrote
	replyWords                          // it asks for an answer
	serverWords                         // with them a report opens, and no letter
	retryWords                          // trying again is spoken of
	returnedMarks                       // at the start of a line: the copy of the mail follows
	returnedHeads                       // at the start of a line: it begins here
	diagnosticHeads                     // the part of an Exchange report that holds the replies
	quoteMarks                          // a person quotes or forwards
	finalWords                          // trying again is said to be in vain
	parcelWords                         // what was not delivered is no mail
	stageWords                          // they name a command of the dialogue
)

func (s wordSet) has(set wordSet) bool { return s&set != 0 }

// wordLists are the sets in full: ASCII in lower case, found anywhere in a text.
var wordLists = []struct {
	set   wordSet
	words []string
}{
	{aboutFailure, []string{
		"undeliver", "delivery status", "delivery failure", "delivery fail", "failure notice", "returned mail", "mail delivery", "delivery notification", "returned to sender", "non-delivery", "nondeliver", "non deliver",
		"could not be delivered", "couldn't be delivered", "not delivered", "delivery has failed", "delivery error", "delivery problem", "message status", "mail failure", "mail failed", "failed mail", "mail error", "mail system error", "warning: could not send", "warning: message", "bounce", "returned message", "delivery report", "message delivery", "delivery unsuccessful", "unzustellbar", "non remis", "non recapit", "notification d'échec", "no se puede entregar", "mancato recapito", "mensaje no entregado", "error sending", "user unknown", "unknown user", "mail nicht zustellbar", "onbestelbaar", "failed delivery", "unable to deliver", "cannot deliver", "could not deliver", "notificação", "退信", "невозможно доставить", "недоставлен", "delivery incomplete", "rejected", "mail undeliverable", "undelivered", "delivery delayed", "delay", "returned", "nondelivery", "sorry", "message you sent", "unbekannt", "failure", "error", "problem", "エラー", "配信不能", "was not sent",
	}},
	{failureWords, []string{
		"error delivering", "could not be delivered", "couldn't be delivered", "cannot be delivered", "can't be delivered", "was not delivered", "wasn't delivered", "not been delivered", "unable to deliver", "undeliverable", "delivery failed", "failed to deliver",
		"permanent fatal errors", "permanent error", "delivery to the following", "following address", "failed recipient", "did not reach", "your message was addressed", "invalid user address", "failed addresses", "unknown host", "not a member of this mailing list", "non remis", "unzustellbar", "konnte nicht", "could not deliver", "returned to sender", "user unknown", "unknown user", "unknown address", "mailbox unavailable", "mail delivery", "this is the qmail-send program", "no such user", "delivery status", "i'm sorry to have to inform you", "remote host said", "not delivered", "delivery has failed", "invalid final delivery", "can not be delivered", "not listed in", "does not exist", "problems were encountered", "delivery error", "transcript of session", "rejected your message", "unable to send", "unable to reach", "mailbox full", "no se ha podido entregar", "недоставлен", "не может быть доставлено", "退信", "user not known", "over quota", "message exceeded", "could not be sent", "was rejected",
		"remote server returned '", "resolver.adr", "#5.", "#550 5.", "#552 5.", "#554 5.", "n'a pas pu être", "n’a pas pu être", "adresse n'existe pas", "не доставлено", "не найден", "не может быть отправлено", "gick inte att leverera", "kunde inte levereras", "ão foi entregue", "ão pôde ser entregue", "ão pode ser entregue", "ão foi possível entregar", "nie została dostarczona", "nie można dostarczyć", "nie mogła zostać dostarczona", "kunne ikke leveres", "ei voitu toimittaa", "nebylo možné doručit", "teslim edilemedi", "no se pudo entregar", "non è stato possibile recapitare", "存在しません", "无法送达", "無法傳遞", "无法投递", "배달되지",
	}},
	{delayWords, []string{
		"warning message only", "gmail will retry", "will be retried", "has been delayed", "delayed for more than", "only a temporary failure report", "will keep trying", "will continue trying", "delivery attempts will continue", "not yet been delivered", "you do not need to resend", "temporarily delayed", "delivery is delayed", "still being attempted", "you do not need to", "no action is required on your part", "not been delivered yet", "could not send message for past", "will be returned to you if",
	}},
	{expiredWords, []string{
		"retry timeout exceeded", "in the queue too long", "retry time not reached", "message timeout", "could not send message for past", "delivery time expired", "unable to deliver message after", "message expired", "queue lifetime",
	}},
	// Where a text that says "no such user" in general terms holds one of these, it
	// may mean something else, and the address stays.
	{doubtWords, []string{
		"sender", " spam", "block", "mail from", "return path", "return-path", "from address", "from: ", "originator", "your address", "sending user", "expediteur", "expéditeur", "remitente", "mittente", "absender", "отправител", "lookup timed out", "user lookup failed", "ldap", "server unavailable", "server down", "database", "mailbox full", "over quota", "out of space", "too large", "receives mail from", "policy", "not allowed to", "reputation", "filter", "verification failed", "callout", "dmarc", "spf", "dkim", "rate limit", "blacklist", "blocklist", "your ip", "your mail server", "temporar", "maintenance", "try again", "outbound", "sending", "quota", "access denied", " ptr",
	}},
	{addressWords, []string{
		"user", "mailbox", "address", "recipient", "account", "exist", "unknown", "no such", "not found", "domain", "host", "alias", "invalid", "inbox", "name", "utilisateur", "destinat", "benutzer", "empf",
	}},
	// TMDA, Boxbe, Spam Arrest, ChoiceMail, EarthLink, Active Spam Killer and their
	// like.
	{challengeWords, []string{
		"please confirm your message", "please confirm delivery", "confirm that you are a real person", "challenge/response", "challenge-response",
		"this is a one-time automated message", "requires verification", "verify that you are not a spammer", "complete this verification", "awaiting your verification",
		"your message is being held until", "message will be delivered once you", "confirm your mail by replying", "sender verification required", "add yourself to my guest list",
		"link below to confirm that you sent", "boxbe", "spamarrest", "spam arrest", "temporarily held because", "to release your message", "you only need to confirm once", "antispam uol", "protected by bluebottle", "to have your address added to the recipient's allowed", "to ensure delivery of your email", "waitlisted", "tira-teima",
		"protecting myself from receiving junk", "has not been verified", "allow incoming messages only from senders", "list of approved senders", "on hold until you confirm", "only real people can", "as a spam protection measure", "so i can receive your emails", "verify your address before your message", "verification required", "please verify your email",
	}},
	{serverWords, []string{
		"non-delivery report", "this is the mail system at host", "this is the qmail-send program", "this message was created automatically by mail delivery", "delivery to the following recipient", "permanent fatal errors", "transient non-fatal errors",
		"your message could not be delivered to", "n'a pas pu etre delivre", "n'a pas pu être délivré", "message that you sent could not be delivered", "error message below", "you are not a member of this mailing list", "this is the postfix program at host", "the following message to <",
		"was not delivered to the following", "konnte nicht an folgende empfänger", "konnte nicht zugestellt werden", "no se pudo entregar a", "non è stato possibile recapitare", "automatically generated delivery status", "delivery has failed to these recipients", "rejected your message to the following",
		"failed addresses follow", "did not reach the following recipient", "the following recipient", "was undeliverable to the following", "delivery failure notification",
	}},
	{retryWords, []string{"again", "retry", "retries", "retried", "temporar", "later", "defer", "wait", "greylist", "graylist", "try after", "moment", "queue", "delay", "for now", "until", "timeout", "timed out", "transient"}},
	{returnedMarks, []string{
		"--- below this line is a copy of the message",
		"------ this is a copy of",
		"----- this is a copy of",
		"this is a copy of the message",
		"--- unsent message below ---",
		"--- unsent message follows",
		"----- unsent message follows",
		"----- original message ",
		"-----original message-----",
		"----- message header follows",
		"------ message header follows",
		"----- message body follows",
		"----- message text follows",
		"--- returned mail follows ---",
		"-------- returned mail --------",
		"--- returned message ---",
		"--- original message follows",
		"below is a copy of the original message",
		"original message follows",
		"--- the following is a copy of",
		"the text of your message is",
		"----- header of the message",
		"--- message header",
		"original message headers:",
		"ursprüngliche nachrichtenköpfe", "en-têtes de message d'origine", "encabezados de mensajes originales", "intestazioni originali del messaggio", "cabeçalhos de mensagens originais", "oorspronkelijke berichtkoppen", "oryginalne nagłówki wiadomości", "ursprungliga meddelanderubriker", "originale meddelelsesheadere", "元のメッセージ ヘッダー", "原始邮件标题", "原始邮件头", "原始郵件標頭",
		"the header of the original message is following",
		"the header page of your message follows",
		"--- attached is a copy of",
		"your message reads (in part)",
		"the first 50 lines of ",
		"your original message",
		"message contents follow",
		"--------returned mail",
		"begin_of_returned_message",
	}},
	{returnedHeads, []string{"received: from ", "return-path: <"}},
	{diagnosticHeads, []string{
		"diagnostic information for administrators", "diagnoseinformationen für administratoren", "informations de diagnostic destinées aux administrateurs", "informations de diagnostic pour les administrateurs",
		"información de diagnóstico para los administradores", "información de diagnóstico para administradores", "informazioni di diagnostica per gli amministratori", "informazioni diagnostiche per gli amministratori",
		"informações de diagnóstico para administradores", "diagnostische gegevens voor beheerders", "diagnostische informatie voor beheerders", "informacje diagnostyczne dla administratorów",
		"диагностические сведения для администраторов", "diagnostikinformation för administratörer", "diagnosticeringsoplysninger til administratorer", "管理者向けの診断情報", "管理者用の診断情報", "管理员的诊断信息", "供管理员使用的诊断信息", "系統管理員的診斷資訊", "관리자를 위한 진단 정보",
	}},
	{parcelWords, []string{"your package", "your parcel", "your shipment", "your order", "ihr paket", "ihre sendung", "ihr päckchen", "votre colis", "su paquete", "su envío", "il tuo pacco", "uw pakket", "tracking number", "quarantined mail", "quarantine report"}},
	{quoteMarks, []string{
		"forwarded message", "begin forwarded", "weitergeleitete nachricht", "ursprüngliche nachricht", "-----original message", "message transféré", "message transmis", "mensaje reenviado", "messaggio inoltrato", "doorgestuurd bericht", "пересылаемое сообщение", " wrote:", " schrieb:", " a écrit", " escribió:", " ha scritto:", "schrieb ", " schreef", " escreveu:", " pisze:", " пишет:", "skrev ", "\nsent: ", "\ngesendet:", "\nenvoyé", "\nenviado", "\ninviato:", "\nverzonden:", "\nwysłano:", "送信日時:", "发送时间:", "\nskickat:", "anfang der weitergeleiteten", "перенаправленное сообщение", "転送されたメッセージ",
	}},
	{finalWords, []string{"permanent", "will not succeed", "do not retry", "don't retry", "not try again", "never"}},
	{replyWords, []string{"reply to this", "replying to this", "simply reply", "just reply", "empty message", "reply\" feature", "your reply"}},
	{verifyWords, []string{
		"sender address rejected", "recipient address rejected", "undeliverable address", "unverified address", "sender verify", "verification failed", "callout",
	}},
}

// stageMarks are the wordings of Postfix, Exim, Sendmail and the RFCs. The first
// that a text holds decides.
var stageMarks = []struct {
	mark  string
	stage Stage
}{
	{"end of data", EndData},
	{"after end of data", EndData},
	{"pipelined end of data", EndData},
	{"after pipelined data", EndData},
	{"in reply to data", Data},
	{"after data", Data},
	{">>> data", Data},
	{"rcpt to:", RcptTo},
	{"rcpt to command", RcptTo},
	{"after rcpt to", RcptTo},
	{"mail from:", MailFrom},
	{"mail from command", MailFrom},
	{"after mail from", MailFrom},
	// qmail-remote.
	{"but my name was rejected", Hello},
	{"but greeting failed", Connect},
	{"but sender was rejected", MailFrom},
	{"does not like recipient", RcptTo},
	{"did not like our rcpt to", RcptTo},
	{"did not like our mail from", MailFrom},
	{"failed on data command", Data},
	{"failed after i sent the message", EndData},
	{"starttls", StartTLS},
	{"in reply to ehlo", Hello},
	{"after ehlo", Hello},
	{"after helo", Hello},
	{"in reply to helo", Hello},
	{"initial connection", Connect},
	{"while talking to", ""},
}

// vocabulary finds all telling words in one pass.
type vocabulary struct {
	matcher *matcher
	sets    []wordSet // parallel to the patterns
	stages  []int     // of a pattern, its row in stageMarks
}

var words = sync.OnceValue(func() *vocabulary {
	v := &vocabulary{}
	place := map[string]int{}
	var pats []pattern
	add := func(word string, set wordSet) int {
		at, known := place[word]
		if !known {
			at = len(pats)
			place[word] = at
			pats = append(pats, pattern{text: word})
			v.sets = append(v.sets, 0)
			v.stages = append(v.stages, len(stageMarks))
		}
		v.sets[at] |= set
		return at
	}
	for _, list := range wordLists {
		for _, word := range list.words {
			add(word, list.set)
		}
	}
	for i, row := range stageMarks {
		v.stages[add(row.mark, stageWords)] = i
	}
	v.matcher = newMatcher(pats)
	return v
})

// wordsIn returns the sets of which a text holds a word.
func wordsIn(text string) wordSet {
	var found wordSet
	v := words()
	v.matcher.each(text, func(id uint32, _, _ int) bool {
		found |= v.sets[id]
		return true
	})
	return found
}

// holds reports whether a text holds a word of a set.
func holds(text string, set wordSet) (found bool) {
	v := words()
	v.matcher.each(text, func(id uint32, _, _ int) bool {
		found = v.sets[id].has(set)
		return !found
	})
	return found
}

// A survey is what one pass over the text for people finds.
type survey struct {
	sets       wordSet
	failures   int // different failureWords, up to two
	challenges int // different challengeWords, up to two
	diagnostic int // where the first of diagnosticHeads stands, or -1
}

// surveyOf reads a text up to where the returned mail begins, and splits it there.
func surveyOf(text string) (s survey, human, returned string) {
	v := words()
	human, s.diagnostic = text, -1
	var failure, challenge uint32
	count := func(n *int, one *uint32, id uint32) {
		if *n == 0 || *n == 1 && *one != id {
			*one = id
			*n++
		}
	}
	v.matcher.each(text, func(id uint32, start, end int) bool {
		set := v.sets[id]
		if set.has(returnedMarks|returnedHeads) && atLineStart(text, start) {
			line := strings.LastIndexByte(text[:start], '\n') + 1
			switch {
			case set.has(returnedMarks):
				_, rest, _ := strings.Cut(text[end:], "\n")
				human, returned = text[:line], strings.TrimLeft(rest, "\r\n \t")
				return false
			case line > 0:
				human, returned = text[:line], text[line:]
				return false
			}
		}
		s.sets |= set
		if set.has(failureWords) {
			count(&s.failures, &failure, id)
		}
		if set.has(challengeWords) {
			count(&s.challenges, &challenge, id)
		}
		if set.has(diagnosticHeads) && s.diagnostic < 0 {
			s.diagnostic = start
		}
		return true
	})
	return s, human, returned
}

// atLineStart reports whether only white space stands between a place and the start
// of its line.
func atLineStart(text string, at int) bool {
	before := strings.TrimRight(text[:at], " \t")
	return before == "" || before[len(before)-1] == '\n'
}

// readContext reads the stage from the words around a reply, which the reporting
// server wrote, and the sets of which they hold a word.
func readContext(context string) (Stage, wordSet) {
	if context == "" {
		return "", 0
	}
	var found wordSet
	v, best := words(), len(stageMarks)
	v.matcher.each(context, func(id uint32, _, _ int) bool {
		found |= v.sets[id]
		best = min(best, v.stages[id])
		return true
	})
	if best == len(stageMarks) {
		return "", found
	}
	return stageMarks[best].stage, found
}
