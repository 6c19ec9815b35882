// Command mailbox reads the new messages of a bounce mailbox, a Maildir or a folder of an
// IMAP server, puts those with one root together and says what to do. What was read is
// marked as seen, so that the next run goes on from there.
//
//	mailbox -maildir /home/bounces/Maildir
//	mailbox -imap imap.shop.example:993 -user bounces -password-file secret
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/report"
)

func main() {
	maildir := flag.String("maildir", "", "read the new messages of `DIR`")
	server := flag.String("imap", "", "read the unseen messages of the server at `HOST:PORT`, over TLS")
	folder := flag.String("folder", "INBOX", "the folder of the IMAP server")
	user := flag.String("user", "", "the user of the IMAP server")
	secret := flag.String("password-file", "", "the file with the user's password")
	flag.Parse()
	box, err := open(*maildir, *server, *folder, *user, *secret)
	if err != nil {
		log.Fatal(err)
	}
	if err := triage(context.Background(), os.Stdout, &rebound.Diagnoser{}, box); err != nil {
		log.Fatal(err)
	}
}

func open(maildir, server, folder, user, secret string) (mailbox, error) {
	if maildir != "" {
		return maildirBox(maildir), nil
	}
	if server == "" {
		return nil, errors.New("mailbox: -maildir or -imap is needed")
	}
	password, err := os.ReadFile(secret)
	if err != nil {
		return nil, err
	}
	client, err := imapclient.DialTLS(server, nil)
	if err != nil {
		return nil, err
	}
	return openIMAP(client, user, strings.TrimSpace(string(password)), folder)
}

// A mailbox gives its new messages, and marks those that were read.
type mailbox interface {
	messages() iter.Seq2[message, error]
	done(read []string) error
}

type message struct {
	name string
	raw  []byte
}

// triage reads the mailbox, writes the report, and then marks what was read: after a
// failure the next run begins where this one did.
func triage(ctx context.Context, w io.Writer, d *rebound.Diagnoser, box mailbox) error {
	var (
		read   []string
		failed error
	)
	t := d.Triage(ctx, func(yield func(rebound.Item) bool) {
		for m, err := range box.messages() {
			if err != nil {
				failed = err
				return
			}
			if !yield(rebound.Item{Name: m.name, Case: rebound.Case{Bounce: m.raw}}) {
				return // this one is not read
			}
			read = append(read, m.name)
		}
	}, rebound.TriageOptions{})
	if failed != nil {
		return failed
	}
	if err := report.Triage(t).Text(w, report.Options{}); err != nil {
		return err
	}
	for _, address := range t.Suppress {
		fmt.Fprintln(w, "suppress", rebound.Plain(address)) // here the mailing program's own call belongs
	}
	return box.done(read)
}

// maxMessage bounds what is read of one message; what is longer is cut, and the report
// says so.
const maxMessage = 33 << 20

// A maildirBox is a folder with the folders new and cur (cr.yp.to/proto/maildir.html).
type maildirBox string

func (dir maildirBox) messages() iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		entries, err := os.ReadDir(filepath.Join(string(dir), "new"))
		if err != nil {
			yield(message{}, err)
			return
		}
		for _, e := range entries {
			raw, err := head(filepath.Join(string(dir), "new", e.Name()))
			if !yield(message{e.Name(), raw}, err) || err != nil {
				return
			}
		}
	}
}

func head(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxMessage))
}

func (dir maildirBox) done(read []string) error {
	for _, name := range read {
		if err := os.Rename(filepath.Join(string(dir), "new", name), filepath.Join(string(dir), "cur", name+":2,S")); err != nil {
			return err
		}
	}
	return nil
}

// An imapBox is a folder of an IMAP server.
type imapBox struct {
	client *imapclient.Client
	uids   imap.UIDSet
}

func openIMAP(client *imapclient.Client, user, password, folder string) (*imapBox, error) {
	if err := client.Login(user, password).Wait(); err != nil {
		return nil, err
	}
	if _, err := client.Select(folder, nil).Wait(); err != nil {
		return nil, err
	}
	return &imapBox{client: client}, nil
}

func (b *imapBox) messages() iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		found, err := b.client.UIDSearch(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, nil).Wait()
		if err != nil {
			yield(message{}, err)
			return
		}
		for _, uid := range found.AllUIDs() {
			m, err := b.one(uid)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// one fetches a message, without marking it as seen.
func (b *imapBox) one(uid imap.UID) (message, error) {
	section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: maxMessage}}
	list, err := b.client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		return message{}, err
	}
	if len(list) != 1 || len(list[0].BodySection) != 1 {
		return message{}, fmt.Errorf("mailbox: the server does not give message %d", uid)
	}
	b.uids.AddNum(uid)
	return message{fmt.Sprint(uid), list[0].BodySection[0].Bytes}, nil
}

func (b *imapBox) done(read []string) error {
	if len(read) > 0 {
		if err := b.client.Store(b.uids, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close(); err != nil {
			return err
		}
	}
	return b.client.Logout().Wait()
}
