package main

import (
	"context"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

const zone = `$TTL 300
shop.example. TXT "v=spf1 ip4:198.51.100.7 -all"
shop.example. MX 10 mail.shop.example.
mail.shop.example. A 198.51.100.7
_dmarc.shop.example. TXT "v=DMARC1; p=reject; rua=mailto:d@shop.example"
2.0.0.127.zen.spamhaus.org. A 127.0.0.2
`

const mail = "From: Shop <news@shop.example>\r\nTo: anna@recipient.example\r\nSubject: The boots are back\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nList-Unsubscribe: <https://shop.example/u/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\nHello Anna, the boots that you asked for have come in your size. You can unsubscribe at https://shop.example/u/1.\r\n"

// On the wire: real DNS messages over loopback.
func TestPreflight(t *testing.T) {
	look := func(zone, mail string) (bool, string) {
		client, err := resolve.NewClient(resolvetest.Serve(t, resolvetest.New(t, zone)))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		good, err := preflight(context.Background(), &b, resolve.NewCache(client), "198.51.100.7", "shop.example", []byte(mail))
		if err != nil {
			t.Fatal(err)
		}
		return good, b.String()
	}
	if good, text := look(zone, mail); !good || !strings.Contains(text, "ready") {
		t.Errorf("a good campaign:\n%s", text)
	}
	if good, text := look(zone+"7.100.51.198.zen.spamhaus.org. A 127.0.0.2\n", mail); good || !strings.Contains(text, "mend    198.51.100.7 is on") {
		t.Errorf("a listed address:\n%s", text)
	}
	if good, text := look(strings.Replace(zone, "-all", "+all", 1), mail); good || !strings.Contains(text, "+all") {
		t.Errorf("an open SPF record:\n%s", text)
	}
	loud := strings.Replace(mail, "The boots are back", "FREE PILLS!!! WIN $1000", 1) + "Dear friend, act now!!! To be removed reply. http://192.0.2.1/x\r\n"
	if good, text := look(zone, loud); good || !strings.Contains(text, "scores") {
		t.Errorf("a loud mail:\n%s", text)
	}
	if _, err := preflight(context.Background(), new(strings.Builder), resolve.Offline{}, "x", "shop.example", nil); err == nil {
		t.Error("no address: no error")
	}
}
