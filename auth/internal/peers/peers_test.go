// Package peers measures SPF and DKIM beside other libraries, on the same mail and the
// same DNS in memory. It is a module of its own, so that they burden nobody.
package peers

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	blitiri "blitiri.com.ar/go/spf"
	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/rebound-mail/rebound/auth/dkim"
	"github.com/rebound-mail/rebound/auth/dmarc"
	"github.com/rebound-mail/rebound/auth/spf"
	"github.com/rebound-mail/rebound/resolve"
)

// memory answers from maps, for both libraries.
type memory struct {
	txt map[string][]string
	a   map[string]netip.Addr
	mx  map[string][]string
}

var dns = memory{
	txt: map[string][]string{
		"shop.example": {"v=spf1 a mx include:one.example include:two.example exists:no.shop.example ip4:192.0.2.0/24 -all"},
		"one.example":  {"v=spf1 ip4:198.51.100.0/25 -all"},
		"two.example":  {"v=spf1 ip4:198.51.100.128/25 -all"},
	},
	a:  map[string]netip.Addr{"shop.example": netip.MustParseAddr("203.0.113.1"), "mx1.shop.example": netip.MustParseAddr("203.0.113.2"), "mx2.shop.example": netip.MustParseAddr("203.0.113.3")},
	mx: map[string][]string{"shop.example": {"mx1.shop.example", "mx2.shop.example"}},
}

func (m memory) Resolve(_ context.Context, name string, t resolve.Type) resolve.Answer {
	out := resolve.Answer{Name: name, Type: t, Status: resolve.NXDomain}
	switch t {
	case resolve.TXT:
		for _, text := range m.txt[name] {
			out.Records = append(out.Records, resolve.Record{Name: name, Type: t, Strings: []string{text}})
		}
	case resolve.A:
		if addr, ok := m.a[name]; ok {
			out.Records = []resolve.Record{{Name: name, Type: t, Addr: addr}}
		}
	case resolve.MX:
		for _, host := range m.mx[name] {
			out.Records = append(out.Records, resolve.Record{Name: name, Type: t, Host: host, Pref: 10})
		}
	}
	if len(out.Records) > 0 {
		out.Status = resolve.OK
	}
	return out
}

// other is the same for blitiri.
type other struct{ memory }

func notFound(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (o other) LookupTXT(_ context.Context, name string) ([]string, error) {
	if list := o.txt[strings.TrimSuffix(name, ".")]; list != nil {
		return list, nil
	}
	return nil, notFound(name)
}

func (o other) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	var list []*net.MX
	for _, host := range o.mx[strings.TrimSuffix(name, ".")] {
		list = append(list, &net.MX{Host: host, Pref: 10})
	}
	if list == nil {
		return nil, notFound(name)
	}
	return list, nil
}

func (o other) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	if addr, ok := o.a[strings.TrimSuffix(name, ".")]; ok {
		return []net.IPAddr{{IP: addr.AsSlice()}}, nil
	}
	return nil, notFound(name)
}

func (o other) LookupAddr(_ context.Context, name string) ([]string, error) {
	return nil, notFound(name)
}

func BenchmarkSPF(b *testing.B) {
	b.Run("rebound", func(b *testing.B) {
		q := spf.Query{IP: netip.MustParseAddr("192.0.2.7"), MailFrom: "news@shop.example", HELO: "mail.shop.example"}
		for b.Loop() {
			if res := spf.Check(b.Context(), dns, q); res.Result != spf.Pass || len(res.Tree.Steps) != 6 {
				b.Fatal(res.Result, res.Why)
			}
		}
	})
	b.Run("blitiri", func(b *testing.B) {
		ip := net.ParseIP("192.0.2.7")
		for b.Loop() {
			if res, err := blitiri.CheckHostWithSender(ip, "mail.shop.example", "news@shop.example", blitiri.WithResolver(other{dns}), blitiri.WithContext(b.Context())); res != blitiri.Pass {
				b.Fatal(res, err)
			}
		}
	})
}

func BenchmarkDKIM(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	public, _ := x509.MarshalPKIXPublicKey(key.Public())
	record := "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)
	zone := memory{txt: map[string][]string{"s._domainkey.shop.example": {record}}}
	mail := "From: Ann <ann@shop.example>\r\nTo: bob@recipient.example\r\nSubject: News\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n\r\n" + strings.Repeat("A line of the text that is like the others.\r\n", 100)
	var signed bytes.Buffer
	err = msgauth.Sign(&signed, strings.NewReader(mail), &msgauth.SignOptions{Domain: "shop.example", Selector: "s", Signer: key, Hash: crypto.SHA256, HeaderCanonicalization: "relaxed", BodyCanonicalization: "relaxed"})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("rebound", func(b *testing.B) {
		for b.Loop() {
			if res := dkim.Verify(b.Context(), zone, signed.Bytes(), dkim.Options{}).Signatures[0]; res.Result != dkim.Pass {
				b.Fatal(res.Result, res.Why)
			}
		}
	})
	b.Run("go-msgauth", func(b *testing.B) {
		options := &msgauth.VerifyOptions{LookupTXT: func(string) ([]string, error) { return []string{record}, nil }}
		for b.Loop() {
			if list, err := msgauth.VerifyWithOptions(bytes.NewReader(signed.Bytes()), options); err != nil || list[0].Err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The explanation of a body that was changed beyond what can be undone, which tries
// everything: its cost is linear in the body.
func BenchmarkExplain(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	public, _ := x509.MarshalPKIXPublicKey(key.Public())
	zone := memory{txt: map[string][]string{"s._domainkey.shop.example": {"v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)}}}
	for _, megabytes := range []int{1, 10} {
		body := strings.Repeat("A line of the text that is like the others.\r\n", megabytes<<20/45)
		var signed bytes.Buffer
		err := msgauth.Sign(&signed, strings.NewReader("From: Ann <ann@shop.example>\r\n\r\n"+body), &msgauth.SignOptions{Domain: "shop.example", Selector: "s", Signer: key, Hash: crypto.SHA256, HeaderCanonicalization: "relaxed", BodyCanonicalization: "relaxed"})
		if err != nil {
			b.Fatal(err)
		}
		changed := bytes.Replace(signed.Bytes(), []byte("like"), []byte("unlike"), 1)
		b.Run(fmt.Sprintf("%dMB", megabytes), func(b *testing.B) {
			for b.Loop() {
				if res := dkim.Verify(b.Context(), zone, changed, dkim.Options{}).Signatures[0]; res.Cause != dkim.BodyChanged {
					b.Fatal(res.Cause, res.Why)
				}
			}
		})
	}
}

func BenchmarkDMARC(b *testing.B) {
	zone := memory{txt: map[string][]string{"_dmarc.shop.example": {"v=DMARC1; p=reject; rua=mailto:d@shop.example"}}}
	in := dmarc.Input{From: "news.shop.example", SPF: dmarc.Identifier{Domain: "esp.example", Result: "pass"}, DKIM: []dmarc.Identifier{{Domain: "shop.example", Result: "pass"}}}
	for b.Loop() {
		if res := dmarc.Evaluate(b.Context(), zone, in); res.Result != dmarc.Pass {
			b.Fatal(res.Result, res.Why)
		}
	}
}
