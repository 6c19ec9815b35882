package bounce

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// FromError reads the error of an SMTP client. It finds the server's reply in
// the errors of net/smtp (*textproto.Error), and without importing them in those
// of go-smtp, go-mail and gomail, wrapped or joined; a lost connection, a
// timeout, a failed look-up or TLS handshake becomes a transport reason. It
// returns nil for a nil error.
func FromError(err error) *Report { return DefaultRules().FromError(err) }

// FromError is [FromError] with these rules.
func (r *Rules) FromError(err error) *Report {
	if err == nil {
		return nil
	}
	if reply := replyOf(err); reply != "" {
		return r.ParseReply(reply)
	}
	reason, says := transportReason(err)
	if reason == "" {
		return r.ParseReply(err.Error())
	}
	rec := Recipient{Action: Failed, Reason: reason, Reply: Reply{Text: oneLine(err.Error())}, Quoted: oneLine(err.Error()), Certainty: Certain}
	rec.Because = Decision{Rule: "error", Text: rec.Reply.Text, Source: fmt.Sprintf("%T", rootOf(err)), Says: says}
	rec.conclude(Temporary)
	return &Report{Kind: Failure, Recipients: []Recipient{rec}}
}

func oneLine(s string) string { return strings.Join(strings.Fields(cutText(s)), " ") }

// maxErrors bounds the errors of one tree that are looked at.
const maxErrors = 1000

// each calls yield for err and all it wraps, outermost first, until yield
// returns false.
func each(err error, yield func(error) bool) {
	queue := []error{err}
	for n := 0; len(queue) > 0 && n < maxErrors; n++ {
		e := queue[0]
		queue = queue[1:]
		if e == nil {
			continue
		}
		if !yield(e) {
			return
		}
		switch w := e.(type) {
		case interface{ Unwrap() error }:
			queue = append(queue, w.Unwrap())
		case interface{ Unwrap() []error }:
			queue = append(queue, w.Unwrap()...)
		}
	}
}

func rootOf(err error) (last error) {
	each(err, func(e error) bool { last = e; return true })
	return last
}

// replyOf finds a server's reply in an error, or returns "".
func replyOf(err error) (reply string) {
	each(err, func(e error) bool {
		reply = replyIn(e)
		return reply == ""
	})
	if reply == "" {
		reply = quotedReply(err.Error())
	}
	return reply
}

func replyIn(e error) string {
	if t, ok := e.(*textproto.Error); ok {
		return joinReply(t.Code, "", t.Msg)
	}
	// go-mail: ErrorCode and EnhancedStatusCode, with the text in the message.
	if m, ok := e.(interface {
		ErrorCode() int
		EnhancedStatusCode() string
	}); ok && m.ErrorCode() > 0 {
		if text := quotedReply(e.Error()); text != "" {
			return text
		}
		return joinReply(m.ErrorCode(), m.EnhancedStatusCode(), e.Error())
	}
	return replyByFields(e)
}

// replyByFields reads a struct with the fields of go-smtp's SMTPError: Code,
// EnhancedCode (three integers) and Message.
func replyByFields(e error) string {
	v := reflect.Indirect(reflect.ValueOf(e))
	if v.Kind() != reflect.Struct {
		return ""
	}
	code, text, c := fieldOf(v, "Code"), fieldOf(v, "Message"), fieldOf(v, "EnhancedCode")
	if !code.IsValid() || !code.CanInt() || !text.IsValid() || text.Kind() != reflect.String || !isReplyCode(int(code.Int())) {
		return ""
	}
	if !c.IsValid() || c.Kind() != reflect.Array || c.Len() != 3 || !c.Index(0).CanInt() {
		return "" // HTTP clients too have errors with a code and a message
	}
	enhanced := ""
	if c.Index(0).Int() > 0 {
		enhanced = fmt.Sprintf("%d.%d.%d", c.Index(0).Int(), c.Index(1).Int(), c.Index(2).Int())
	}
	return joinReply(int(code.Int()), enhanced, text.String())
}

// fieldOf returns a field of a struct; the zero Value where there is none, or where
// a nil pointer leads to it.
func fieldOf(v reflect.Value, name string) reflect.Value {
	f, ok := v.Type().FieldByName(name)
	if !ok {
		return reflect.Value{}
	}
	field, _ := v.FieldByIndexErr(f.Index)
	return field
}

func joinReply(code int, enhanced, text string) string {
	if enhanced != "" {
		if _, err := ParseCode(enhanced); err != nil || strings.HasPrefix(text, enhanced) {
			enhanced = ""
		}
	}
	return strings.TrimSpace(strconv.Itoa(code) + " " + strings.TrimSpace(enhanced+" "+text))
}

// quoted matches a reply that a client printed with %q: 550 "5.1.1 no such
// user". gomail and go-mail do.
var quoted = regexp.MustCompile(`\b([245]\d\d)[ :]+("(?:[^"\\]|\\.)+")`)

// bareReply matches a reply in the text of an error.
var bareReply = regexp.MustCompile(`(?:^|: |\()([45]\d\d[ -](?:[245]\.\d{1,3}\.\d{1,3}\b)?.*)`)

func quotedReply(text string) string {
	text = cutText(text)
	if m := quoted.FindStringSubmatch(text); m != nil {
		if s, err := strconv.Unquote(m[2]); err == nil {
			return m[1] + " " + s
		}
	}
	if m := bareReply.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// transportReason knows the errors of a connection that gave no reply.
func transportReason(err error) (Reason, string) {
	var (
		lookup  *net.DNSError
		timeout net.Error
		op      *net.OpError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		verify  *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &lookup):
		// Not found may be a relay's name mistyped: it says nothing of a recipient.
		return DNSFailure, "The look-up of the host to connect to failed."
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &verify):
		return TLS, "The TLS handshake failed."
	case strings.HasSuffix(err.Error(), "smtp: server doesn't support AUTH"), strings.HasSuffix(err.Error(), "unencrypted connection"):
		return AuthFailed, "The client would not log in: the server offers no login, or none over an encrypted connection."
	case strings.HasSuffix(err.Error(), "smtp: A line must not contain CR or LF"):
		return Protocol, "The client refused an address or a name with a line break in it; nothing was sent."
	case errors.Is(err, context.Canceled):
		return Network, "The program gave up before the server answered."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Network, "The server did not answer in time."
	case errors.As(err, &op), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return Network, "There was no connection to the server, or it broke."
	}
	text := err.Error()
	for _, row := range transportTexts {
		if strings.HasSuffix(text, row.end) || row.anywhere && strings.Contains(text, row.end) {
			return row.reason, row.says
		}
	}
	return "", ""
}

// transportTexts are what is left of an error that a client printed into another
// one, as gomail does.
var transportTexts = []struct {
	end      string
	anywhere bool
	reason   Reason
	says     string
}{
	{": no such host", false, DNSFailure, "The look-up of the host to connect to failed."},
	{": server misbehaving", false, DNSFailure, "The look-up of the host to connect to failed."},
	{"x509: ", true, TLS, "The TLS handshake failed."},
	{"tls: ", true, TLS, "The TLS handshake failed."},
	{": i/o timeout", false, Network, "The server did not answer in time."},
	{"context deadline exceeded", false, Network, "The server did not answer in time."},
	{": EOF", false, Network, "There was no connection to the server, or it broke."},
	{": unexpected EOF", false, Network, "There was no connection to the server, or it broke."},
	{": connection refused", false, Network, "There was no connection to the server, or it broke."},
	{": connection reset by peer", false, Network, "There was no connection to the server, or it broke."},
	{": broken pipe", false, Network, "There was no connection to the server, or it broke."},
}
