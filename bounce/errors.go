package bounce

import (
	"errors"
	"log/slog"
	"strconv"
)

// The errors of [Report.Err], one for each category of reasons, and three that say
// how a refusal is to be taken. They are for errors.Is.
var (
	ErrBadRecipient    = errors.New("bounce: the recipient does not exist")
	ErrBadDomain       = errors.New("bounce: the recipient's domain does not exist or takes no mail")
	ErrMailboxInactive = errors.New("bounce: the mailbox is switched off or has moved")
	ErrMailboxFull     = errors.New("bounce: the mailbox is full")
	ErrTooBig          = errors.New("bounce: the mail is too big or has too many recipients")
	ErrContent         = errors.New("bounce: the content was refused")
	ErrSenderAuth      = errors.New("bounce: the mail is not authenticated")
	ErrSenderIdentity  = errors.New("bounce: the sending server's names or the sender's address were refused")
	ErrListed          = errors.New("bounce: the sender is on a block list")
	ErrReputation      = errors.New("bounce: the sender has a bad name at the receiver")
	ErrThrottled       = errors.New("bounce: too much mail")
	ErrGreylisted      = errors.New("bounce: greylisted")
	ErrPolicy          = errors.New("bounce: refused by policy")
	ErrRelayDenied     = errors.New("bounce: the server does not take this mail from this client")
	ErrTransport       = errors.New("bounce: the mail did not reach a server that answers for it")
	ErrReceiver        = errors.New("bounce: a fault of the receiving system")
	ErrExpired         = errors.New("bounce: given up after the time for trying")
	ErrSuppressed      = errors.New("bounce: held back by the sender's own service")
	ErrUnclassified    = errors.New("bounce: refused, and the text does not say why")

	ErrTemporary = errors.New("bounce: trying again can help")
	ErrPermanent = errors.New("bounce: trying again cannot help")
	ErrSuppress  = errors.New("bounce: the address is not to be mailed again")
)

var categoryErrors = map[Category]error{
	BadRecipient: ErrBadRecipient, BadDomain: ErrBadDomain, MailboxInactive: ErrMailboxInactive, FullMailbox: ErrMailboxFull, TooBig: ErrTooBig, ContentRejected: ErrContent,
	SenderAuth: ErrSenderAuth, SenderIdentity: ErrSenderIdentity, Listed: ErrListed, Reputation: ErrReputation, Throttled: ErrThrottled, Greylisting: ErrGreylisted,
	RefusedByPolicy: ErrPolicy, Relaying: ErrRelayDenied, Transport: ErrTransport, ReceiverFault: ErrReceiver, ExpiredInQueue: ErrExpired, Withheld: ErrSuppressed, Unclassified: ErrUnclassified,
}

// An Error is the refusal or the delay of one recipient as an error.
type Error struct{ Recipient Recipient }

func (e *Error) Error() string {
	s := "bounce: "
	if e.Recipient.Address != "" {
		s += e.Recipient.Address + ": "
	}
	s += string(e.Recipient.Reason)
	if e.Recipient.Reply.Text != "" {
		s += ": " + e.Recipient.Reply.Text
	}
	return s
}

// Is reports whether target is one of the package's errors that fits.
func (e *Error) Is(target error) bool {
	r := &e.Recipient
	switch target {
	case ErrTemporary:
		return r.Permanence == Temporary
	case ErrPermanent:
		return r.Permanence == Permanent
	case ErrSuppress:
		return r.Suppress
	case ErrExpired:
		return r.Expired || r.Category == ExpiredInQueue
	}
	return target != nil && target == categoryErrors[r.Category]
}

// Err returns nil for a report of no failure and no delay; else an [*Error], and of
// several recipients all of theirs joined:
//
//	if errors.Is(report.Err(), bounce.ErrListed) { … }
func (rep *Report) Err() error {
	var all []error
	for _, r := range rep.Recipients {
		if r.Action == Failed || r.Action == Delayed {
			all = append(all, &Error{r})
		}
	}
	if len(all) == 0 && (rep.Kind == Failure || rep.Kind == Delay) {
		return &Error{Recipient{Action: Failed, Reason: ReasonUnknown, Category: Unclassified}} // of whom, the report does not say
	}
	if len(all) == 1 {
		return all[0]
	}
	return errors.Join(all...)
}

// maxLogged bounds the recipients that a log line names.
const maxLogged = 10

// LogValue implements [slog.LogValuer].
func (rep *Report) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", string(rep.Kind)), slog.Int("recipients", len(rep.Recipients))}
	if rep.Service != "" {
		attrs = append(attrs, slog.String("service", rep.Service))
	}
	for i, r := range rep.Recipients[:min(len(rep.Recipients), maxLogged)] {
		attrs = append(attrs, slog.Attr{Key: strconv.Itoa(i), Value: r.LogValue()})
	}
	return slog.GroupValue(attrs...)
}

// LogValue implements [slog.LogValuer].
func (rec Recipient) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("recipient", rec.Address), slog.String("action", string(rec.Action)), slog.String("reason", string(rec.Reason)), slog.String("category", string(rec.Category)),
		slog.String("permanence", string(rec.Permanence)), slog.String("response", string(rec.Response)), slog.Bool("suppress", rec.Suppress),
		slog.String("status", rec.Status.String()), slog.Int("reply", rec.Reply.Code), slog.String("rule", rec.Because.Rule),
	}
	for _, more := range []struct{ key, value string }{{"provider", rec.Provider}, {"remote_mta", rec.RemoteMTA}} {
		if more.value != "" {
			attrs = append(attrs, slog.String(more.key, more.value))
		}
	}
	if lists := rec.Lists(); len(lists) > 0 {
		attrs = append(attrs, slog.Any("lists", lists))
	}
	return slog.GroupValue(attrs...)
}
