package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

const zone = `$TTL 300
recipient.example. MX 10 mx1.recipient.example.
2.0.0.127.bl.spamcop.net. A 127.0.0.2
23.100.51.198.bl.spamcop.net. A 127.0.0.2
`

func bounced(address, status, reply string) string {
	return strings.ReplaceAll("From: MAILER-DAEMON@mail.shop.example\nTo: bounces@shop.example\nSubject: Undelivered Mail Returned to Sender\nDate: Tue, 24 Nov 2026 10:00:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain\n\nIt failed.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.shop.example\n\nFinal-Recipient: rfc822; "+
		address+"\nAction: failed\nStatus: "+status+"\nRemote-MTA: dns; mx1.recipient.example\nDiagnostic-Code: smtp; "+reply+"\n\n--b--\n", "\n", "\r\n")
}

var bounces = []string{
	bounced("anna@recipient.example", "5.1.1", "550 5.1.1 User unknown"),
	bounced("bert@recipient.example", "5.7.1", "554 5.7.1 Client host [198.51.100.23] blocked using bl.spamcop.net"),
	bounced("cora@recipient.example", "5.7.1", "554 5.7.1 Client host [198.51.100.23] blocked using bl.spamcop.net"),
}

// read triages a mailbox and returns the report.
func read(t *testing.T, box mailbox) string {
	t.Helper()
	var b bytes.Buffer
	if err := triage(t.Context(), &b, &rebound.Diagnoser{Resolver: resolvetest.New(t, zone)}, box); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func check(t *testing.T, text string) {
	t.Helper()
	for _, want := range []string{"3 bounces in 2 groups", "1. 2 refusals: ip-listed by bl.spamcop.net", "198.51.100.23 is on SpamCop SCBL", "suppress anna@recipient.example\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "suppress bert") || strings.Contains(text, "suppress cora") {
		t.Errorf("an address is suppressed for a listing:\n%s", text)
	}
}

func TestMaildir(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i, raw := range bounces {
		if err := os.WriteFile(filepath.Join(dir, "new", string(rune('a'+i))), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check(t, read(t, maildirBox(dir)))
	if again := read(t, maildirBox(dir)); !strings.Contains(again, "0 bounces") {
		t.Errorf("a second run reads again:\n%s", again)
	}
	if seen, err := filepath.Glob(filepath.Join(dir, "cur", "*:2,S")); err != nil || len(seen) != 3 {
		t.Errorf("%d messages are marked as seen", len(seen))
	}
}

// A real IMAP server on loopback, with its messages in memory.
func TestIMAP(t *testing.T) {
	user := imapmemserver.NewUser("bounces", "secret")
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	for _, raw := range bounces {
		if _, err := user.Append("INBOX", literal{bytes.NewReader([]byte(raw))}, &imap.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	memory := imapmemserver.New()
	memory.AddUser(user)
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
		},
		InsecureAuth: true, Caps: imap.CapSet{imap.CapIMAP4rev1: {}},
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	box := func(password string) (*imapBox, error) {
		client, err := imapclient.DialInsecure(listener.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		return openIMAP(client, "bounces", password, "INBOX")
	}
	if _, err := box("wrong"); err == nil {
		t.Error("a wrong password is taken")
	}
	for i, wanted := range []func(string){func(text string) { check(t, text) }, func(text string) {
		if !strings.Contains(text, "0 bounces") {
			t.Errorf("a second run reads again:\n%s", text)
		}
	}} {
		b, err := box("secret")
		if err != nil {
			t.Fatalf("run %d: %v", i+1, err)
		}
		wanted(read(t, b))
	}
}

type literal struct{ *bytes.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }
