package clients

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"strings"
	"testing"
	"time"

	emersion "github.com/emersion/go-smtp"
	"github.com/rebound-mail/rebound/bounce"
	gomailv2 "gopkg.in/gomail.v2"

	gomail "github.com/wneessen/go-mail"
)

// A server answers one session of SMTP on loopback: everything is fine but for the
// commands that begin with a key of refuse.
type server struct {
	refuse map[string]string // "RCPT" → "550 5.1.1 no such user"; "." is the end of the data
	drop   string            // the command at which the connection breaks
}

// start serves sessions until the test ends, and returns the address.
func (s server) start(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.session(c)
		}
	}()
	return l.Addr().String()
}

func (s server) session(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	say := func(lines string) { io.WriteString(c, strings.ReplaceAll(lines, "\n", "\r\n")+"\r\n") }
	answer := func(command, usual string) bool {
		if reply, refused := s.refuse[command]; refused {
			say(reply)
			return false
		}
		say(usual)
		return true
	}
	if !answer("connect", "220 mx.recipient.example ESMTP") {
		return
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		command := strings.ToUpper(strings.Fields(line + " x")[0])
		if command == s.drop {
			return
		}
		switch command {
		case "EHLO", "HELO":
			answer(command, "250-mx.recipient.example\n250-ENHANCEDSTATUSCODES\n250 8BITMIME")
		case "DATA":
			if !answer(command, "354 go on") {
				continue
			}
			for line != ".\r\n" && err == nil {
				line, err = in.ReadString('\n')
			}
			answer(".", "250 2.0.0 queued")
		case "QUIT":
			say("221 2.0.0 bye")
			return
		default:
			answer(command, "250 2.0.0 ok")
		}
	}
}

const (
	from    = "office@shop.example"
	to      = "anna@recipient.example"
	content = "From: office@shop.example\r\nTo: anna@recipient.example\r\nSubject: Hello\r\n\r\nHello.\r\n"
)

// clients send one mail each and return the error.
var clients = []struct {
	name string
	send func(addr string) error
}{
	{"net/smtp", func(addr string) error { return smtp.SendMail(addr, nil, from, []string{to}, []byte(content)) }},
	{"go-smtp", func(addr string) error {
		c, err := emersion.Dial(addr)
		if err != nil {
			return err
		}
		defer c.Close()
		return c.SendMail(from, []string{to}, strings.NewReader(content))
	}},
	{"go-mail", func(addr string) error {
		m := gomail.NewMsg()
		if err := errors.Join(m.From(from), m.To(to)); err != nil {
			return err
		}
		m.Subject("Hello")
		m.SetBodyString(gomail.TypeTextPlain, "Hello.")
		host, port := split(addr)
		c, err := gomail.NewClient(host, gomail.WithPort(port), gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithHELO("shop.example"), gomail.WithTimeout(10*time.Second))
		if err != nil {
			return err
		}
		return c.DialAndSendWithContext(context.Background(), m)
	}},
	{"gomail", func(addr string) error {
		m := gomailv2.NewMessage()
		m.SetHeader("From", from)
		m.SetHeader("To", to)
		m.SetBody("text/plain", "Hello.")
		host, port := split(addr)
		return (&gomailv2.Dialer{Host: host, Port: port, TLSConfig: &tls.Config{InsecureSkipVerify: true}}).DialAndSend(m)
	}},
}

func split(addr string) (host string, port int) {
	host, p, _ := net.SplitHostPort(addr)
	fmt.Sscan(p, &port)
	return host, port
}

func TestFromError(t *testing.T) {
	const gmail = "550-5.1.1 The email account that you tried to reach does not exist. Please try\n550-5.1.1 double-checking the recipient's email address for typos or\n550 5.1.1 unnecessary spaces. - gsmtp"
	for _, tt := range []struct {
		at, reply string
		code      int
		status    string
		reason    bounce.Reason
		suppress  bool
		words     string // that the reply's text holds
	}{
		{"RCPT", gmail, 550, "5.1.1", bounce.UnknownRecipient, true, "double-checking the recipient's email address"},
		{"RCPT", "554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.spamhaus.org", 554, "5.7.1", bounce.IPListed, false, "zen.spamhaus.org"},
		{"RCPT", "450 4.2.0 Greylisted, see http://postgrey.example/", 450, "4.2.0", bounce.Greylisted, false, "Greylisted"},
		{".", "552 5.3.4 Message size exceeds fixed limit", 552, "5.3.4", bounce.MessageTooBig, false, "size exceeds"},
		{".", "550-5.7.26 Unauthenticated email from shop.example is not accepted due to\n550-5.7.26 domain's DMARC policy. Please contact the administrator of\n550 5.7.26 shop.example domain if this was a legitimate mail.", 550, "5.7.26", bounce.DMARCFailed, false, "domain's DMARC policy"},
		{"MAIL", "553 5.1.8 <office@shop.example>: Sender address rejected: Domain not found", 553, "5.1.8", bounce.SenderUnknown, false, "Domain not found"},
	} {
		addr := server{refuse: map[string]string{tt.at: tt.reply}}.start(t)
		for _, c := range clients {
			err := c.send(addr)
			if err == nil {
				t.Errorf("%s, %s: no error", c.name, tt.reply)
				continue
			}
			rec := bounce.FromError(fmt.Errorf("sending the order: %w", err)).Recipients[0]
			if rec.Reply.Code != tt.code || rec.Status.String() != tt.status || rec.Reason != tt.reason || rec.Suppress != tt.suppress || !strings.Contains(rec.Reply.Text, tt.words) {
				t.Errorf("%s at %s: %d %s %s by %s, suppress %v, %q; want %d %s %s, %v, …%s…\nerror: %v", c.name, tt.at, rec.Reply.Code, rec.Status, rec.Reason, rec.Because.Rule, rec.Suppress, rec.Reply.Text, tt.code, tt.status, tt.reason, tt.suppress, tt.words, err)
			}
		}
	}
}

// A connection that breaks or cannot be had says nothing of the address.
func TestFromTransportError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	for name, addr := range map[string]string{"refused": closed, "dropped": server{drop: "DATA"}.start(t)} {
		for _, c := range clients {
			err := c.send(addr)
			if err == nil {
				t.Errorf("%s, %s: no error", c.name, name)
				continue
			}
			rec := bounce.FromError(err).Recipients[0]
			if rec.Reason != bounce.Network || rec.Permanence != bounce.Temporary || rec.Suppress {
				t.Errorf("%s, %s: %s, %s, suppress %v\nerror: %v", c.name, name, rec.Reason, rec.Permanence, rec.Suppress, err)
			}
		}
	}
}
