// Command sender hands a mail to a server by go-smtp. When the server refuses it, the
// reason and what to do stand on standard error a moment later, and the exit status says
// whether to try again: 0 sent, 75 (EX_TEMPFAIL) try again later, 69 (EX_UNAVAILABLE) do
// what the plan says first.
//
//	sender -server mx.recipient.example:25 -helo mail.shop.example -from news@shop.example -to anna@recipient.example < mail.eml
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/report"
)

// The exit statuses of sysexits.h.
const (
	unavailable = 69
	tempFail    = 75
)

func main() {
	var s sender
	flag.StringVar(&s.server, "server", "", "the `HOST:PORT` to hand the mail to")
	flag.StringVar(&s.helo, "helo", "localhost", "the name to greet with")
	from := flag.String("from", "", "the envelope sender")
	to := flag.String("to", "", "the envelope recipient")
	flag.Parse()
	mail, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	d, err := s.send(context.Background(), *from, *to, mail)
	switch {
	case err != nil:
		log.Fatal(err)
	case d == nil:
		return
	}
	if err := report.Text(os.Stderr, d, report.Options{}); err != nil {
		log.Fatal(err)
	}
	if d.Response == bounce.Retry || d.Response == bounce.SlowDown {
		os.Exit(tempFail)
	}
	os.Exit(unavailable)
}

// A sender keeps one Diagnoser, which remembers what it learns of block lists.
type sender struct {
	server, helo string
	diagnoser    rebound.Diagnoser
}

const patience = time.Minute

// send hands one mail over. A refusal gives its diagnosis; an error says that there was
// nothing to diagnose.
func (s *sender) send(ctx context.Context, from, to string, mail []byte) (*rebound.Diagnosis, error) {
	c := rebound.Case{MailFrom: from, Recipient: to, Message: mail, HELO: s.helo, Bounced: time.Now()}
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", s.server)
	if err == nil {
		defer conn.Close()
		if local, ok := conn.LocalAddr().(*net.TCPAddr); ok {
			c.IP, _ = netip.AddrFromSlice(local.IP) // behind NAT the receiver sees another
		}
		err = hand(smtp.NewClient(conn), s.helo, from, to, mail)
	}
	if err == nil {
		return nil, nil
	}
	c.Err = err
	d, none := s.diagnoser.Diagnose(ctx, c)
	if none != nil {
		return nil, fmt.Errorf("%w (%w)", err, none)
	}
	return d, nil
}

func hand(client *smtp.Client, helo, from, to string, mail []byte) error {
	client.CommandTimeout = patience
	if err := client.Hello(helo); err != nil {
		return err
	}
	if err := client.SendMail(from, []string{to}, bytes.NewReader(mail)); err != nil {
		return err
	}
	_ = client.Quit() // the mail is taken, however the server parts
	return nil
}
