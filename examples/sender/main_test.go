package main

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

const zone = `$TTL 300
2.0.0.127.bl.spamcop.net. A 127.0.0.2
23.100.51.198.bl.spamcop.net. A 127.0.0.2
`

const mail = "From: Shop <news@shop.example>\r\nTo: anna@recipient.example\r\nSubject: The boots are back\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n\r\nHello.\r\n"

// receiver is a server that answers RCPT with an error, or takes the mail.
type receiver struct{ err error }

func (r receiver) NewSession(*smtp.Conn) (smtp.Session, error) { return session(r), nil }

type session receiver

func (s session) Mail(string, *smtp.MailOptions) error { return nil }
func (s session) Rcpt(string, *smtp.RcptOptions) error { return s.err }
func (s session) Data(r io.Reader) error               { _, err := io.Copy(io.Discard, r); return err }
func (s session) Reset()                               {}
func (s session) Logout() error                        { return nil }

// send sends the mail to a receiver on loopback, with DNS on loopback too.
func send(t *testing.T, refusal error) (*rebound.Diagnosis, error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(receiver{refusal})
	server.Domain = "mx1.recipient.example"
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	client, err := resolve.NewClient(resolvetest.Serve(t, resolvetest.New(t, zone)))
	if err != nil {
		t.Fatal(err)
	}
	s := sender{server: listener.Addr().String(), helo: "mail.shop.example", diagnoser: rebound.Diagnoser{Resolver: resolve.NewCache(client), Timeout: 5 * time.Second}}
	return s.send(t.Context(), "news@shop.example", "anna@recipient.example", []byte(mail))
}

func TestSend(t *testing.T) {
	if d, err := send(t, nil); d != nil || err != nil {
		t.Errorf("a mail that is taken: %v, %v", d, err)
	}
	d, err := send(t, &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Service unavailable; Client host [198.51.100.23] blocked using bl.spamcop.net"})
	if err != nil {
		t.Fatal(err)
	}
	if c := d.Causes[0]; c.Kind != bounce.IPListed || c.State != rebound.Confirmed || d.RefusedIP.String() != "198.51.100.23" || len(d.Suppress) != 0 {
		t.Errorf("a listing: %s, %s, refused %s, suppress %v", c.Kind, c.State, d.RefusedIP, d.Suppress)
	}
	d, err = send(t, &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "<anna@recipient.example>: Recipient address rejected: Greylisted, try again in 300 seconds"})
	if err != nil {
		t.Fatal(err)
	}
	if d.Response != bounce.Retry || time.Duration(d.RetryAfter) != 5*time.Minute {
		t.Errorf("greylisting: %s after %v", d.Response, time.Duration(d.RetryAfter))
	}
	d, err = send(t, &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<anna@recipient.example>: User unknown"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(d.Suppress, " ") != "anna@recipient.example" {
		t.Errorf("an unknown user: suppress %v", d.Suppress)
	}
}

// A server that cannot be reached refused nothing, and the diagnosis says so.
func TestSendToNobody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	s := sender{server: listener.Addr().String(), helo: "mail.shop.example", diagnoser: rebound.Diagnoser{Resolver: resolve.Offline{}}}
	d, err := s.send(t.Context(), "news@shop.example", "anna@recipient.example", []byte(mail))
	if err != nil && !errors.Is(err, rebound.ErrNothing) {
		t.Fatal(err)
	}
	if d == nil || d.Causes[0].Kind != bounce.Network || len(d.Suppress) != 0 {
		t.Errorf("%+v, %v", d, err)
	}
}
