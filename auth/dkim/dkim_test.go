package dkim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"
	"sync"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

const plainMail = "From: Ann Example <ann@shop.example>\r\n" +
	"To: bob@recipient.example\r\n" +
	"Subject: Your order of Tuesday and what comes with it, in one\r\n parcel\r\n" +
	"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n" +
	"Message-ID: <20261124100000.7@shop.example>\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\n" +
	"Content-Transfer-Encoding: 8bit\r\n" +
	"\r\n" +
	"Dear Bob,\r\n" +
	"\r\n" +
	"Your order is on its way. It comes with Zoë's tea.  See\r\n" +
	"https://shop.example/track?n=1 for where it is.\r\n" +
	"\r\n" +
	".hidden file\r\n" +
	"From here on it is ours.\r\n" +
	"\r\n" +
	"-- \r\n" +
	"Ann\r\n"

const partsMail = "From: Ann Example <ann@shop.example>\r\n" +
	"To: bob@recipient.example\r\n" +
	"Subject: Your order\r\n" +
	"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n" +
	"Message-ID: <20261124100000.8@shop.example>\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: multipart/alternative; boundary=\"b1\"\r\n" +
	"\r\n" +
	"--b1\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\n" +
	"Content-Transfer-Encoding: 8bit\r\n" +
	"\r\n" +
	"Dear Zoë,\r\nyour order is on its way.\r\n" +
	"\r\n" +
	"--b1\r\n" +
	"Content-Type: text/html; charset=utf-8\r\n" +
	"Content-Transfer-Encoding: 8bit\r\n" +
	"\r\n" +
	"<p>Dear Zoë, your order is on its way.</p>\r\n" +
	"\r\n" +
	"--b1--\r\n"

// now is when the tests' mail is checked: after any time at which it is signed.
var now = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

var keys = sync.OnceValue(func() (k struct {
	rsa, other, small *rsa.PrivateKey
	ed                ed25519.PrivateKey
},
) {
	var err error
	for _, p := range []struct {
		to   **rsa.PrivateKey
		bits int
	}{{&k.rsa, 2048}, {&k.other, 2048}, {&k.small, 1024}} {
		if *p.to, err = rsa.GenerateKey(rand.Reader, p.bits); err != nil {
			panic(err)
		}
	}
	if _, k.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		panic(err)
	}
	return k
})

func public(signer crypto.Signer) string {
	if key, ok := signer.Public().(ed25519.PublicKey); ok {
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key)
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		panic(err)
	}
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}

// zoneWith publishes a key record for s._domainkey.shop.example.
func zoneWith(t testing.TB, text string) *resolvetest.Zone {
	t.Helper()
	return resolvetest.New(t, "s._domainkey.shop.example. 300 TXT "+txt.Quote(text)+"\n")
}

func sign(t testing.TB, mail string, signer crypto.Signer, canon string, headers ...string) string {
	t.Helper()
	header, body, _ := strings.Cut(canon, "/")
	if headers == nil {
		headers = []string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Reply-To"}
	}
	var out bytes.Buffer
	err := msgauth.Sign(&out, strings.NewReader(mail), &msgauth.SignOptions{
		Domain: "shop.example", Selector: "s", Signer: signer, Hash: crypto.SHA256, HeaderKeys: headers,
		HeaderCanonicalization: msgauth.Canonicalization(header), BodyCanonicalization: msgauth.Canonicalization(body),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func replace(old, new string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, old) {
			panic("the mail does not hold " + old)
		}
		return strings.Replace(s, old, new, 1)
	}
}

// inBody changes the body alone.
func inBody(f func(string) string) func(string) string {
	return func(s string) string {
		header, body, _ := strings.Cut(s, "\r\n\r\n")
		return header + "\r\n\r\n" + f(body)
	}
}

func both(f, g func(string) string) func(string) string {
	return func(s string) string { return g(f(s)) }
}

func qp(s string) string {
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

func b64(s string) string {
	text := base64.StdEncoding.EncodeToString([]byte(s))
	var lines []string
	for len(text) > 76 {
		lines, text = append(lines, text[:76]), text[76:]
	}
	return strings.Join(append(lines, text), "\r\n") + "\r\n"
}

// breakages are things that happen to signed mail, and the cause that is to be
// found.
var breakages = []struct {
	name   string
	mail   string
	canon  string
	damage func(string) string
	cause  Cause
	proven bool
}{
	{"footer", plainMail, "relaxed/relaxed", inBody(func(b string) string { return b + "_______________\r\nlist mailing list\r\n" }), BodyAppended, true},
	{"footer, simple", plainMail, "simple/simple", inBody(func(b string) string { return b + "\r\n\r\nSent by way of a list\r\n" }), BodyAppended, true},
	{"footer in each part", partsMail, "relaxed/relaxed", replace("on its way.\r\n\r\n--b1\r\nContent-Type: text/html", "on its way.\r\n\r\n-- \r\nfooter\r\n--b1\r\nContent-Type: text/html"), BodyAppended, true},
	{"footer behind the parts", partsMail, "relaxed/relaxed", inBody(func(b string) string { return b + "footer\r\n" }), BodyAppended, true},
	{"banner", plainMail, "relaxed/relaxed", inBody(func(b string) string {
		return "CAUTION: this came from outside.\r\nDo not click.\r\n\r\n" + b
	}), BodyPrepended, true},
	{"banner in a part", partsMail, "relaxed/relaxed", replace("Dear Zoë,\r\n", "EXTERNAL\r\n\r\nDear Zoë,\r\n"), BodyPrepended, true},
	{"a word changed", plainMail, "relaxed/relaxed", replace("on its way", "under way"), BodyChanged, false},
	{"wrapped", plainMail, "relaxed/relaxed", replace("way. It comes", "way. It\r\ncomes"), BodyChanged, true},
	{"signature mark trimmed, simple", plainMail, "relaxed/simple", replace("\r\n-- \r\n", "\r\n--\r\n"), BodyWhitespace, true},
	{"double space made one, simple", plainMail, "relaxed/simple", replace("tea.  See", "tea. See"), BodyWhitespace, true},
	{"blank line gone", plainMail, "relaxed/relaxed", replace("Bob,\r\n\r\n", "Bob,\r\n"), BodyWhitespace, true},
	{"blank lines doubled", plainMail, "relaxed/relaxed", inBody(func(b string) string { return strings.ReplaceAll(b, "\r\n", "\r\n\r\n") }), BodyWhitespace, true},
	{"quoted-printable", plainMail, "relaxed/relaxed", both(inBody(qp), replace("Encoding: 8bit", "Encoding: quoted-printable")), BodyReencoded, true},
	{"base64", plainMail, "simple/simple", both(inBody(b64), replace("Encoding: 8bit", "Encoding: base64")), BodyReencoded, true},
	{"base64 to 8bit", both(inBody(b64), replace("Encoding: 8bit", "Encoding: base64"))(plainMail), "relaxed/relaxed", func(s string) string {
		at := strings.Index(s, "\r\n\r\n")
		_, body, _ := strings.Cut(plainMail, "\r\n\r\n")
		return replace("Encoding: base64", "Encoding: 8bit")(s[:at] + "\r\n\r\n" + body)
	}, BodyReencoded, true},
	{"parts in quoted-printable", partsMail, "relaxed/relaxed", func(s string) string {
		for _, text := range []string{"Dear Zoë,\r\nyour order is on its way.\r\n", "<p>Dear Zoë, your order is on its way.</p>\r\n"} {
			s = replace("Encoding: 8bit\r\n\r\n"+text, "Encoding: quoted-printable\r\n\r\n"+qp(text))(s)
		}
		return s
	}, BodyReencoded, true},
	{"latin 1", plainMail, "relaxed/relaxed", replace("Zoë", "Zo\xeb"), BodyReencoded, true},
	{"a letter lost", plainMail, "relaxed/relaxed", replace("Zoë", "Zo?"), BodyReencoded, true},
	{"dots stuffed", plainMail, "relaxed/relaxed", replace("\r\n.hidden", "\r\n..hidden"), BodyChanged, true},
	{"From quoted", plainMail, "relaxed/relaxed", replace("\r\nFrom here", "\r\n>From here"), BodyChanged, true},
	{"a link rewritten", plainMail, "relaxed/relaxed", replace("https://shop.example/track?n=1", "https://check.example/?url=https%3A%2F%2Fshop.example%2Ftrack%3Fn%3D1&x=2"), BodyChanged, true},
	{"emptied", plainMail, "relaxed/relaxed", inBody(func(string) string { return "" }), BodyTruncated, true},
	{"cut", partsMail, "relaxed/relaxed", replace("</p>\r\n\r\n--b1--\r\n", "</p>\r\n"), BodyTruncated, false},
	{"subject tagged", plainMail, "relaxed/relaxed", replace("Subject: ", "Subject: [list] "), HeaderChanged + "subject", true},
	{"subject tagged, folded", plainMail, "simple/relaxed", replace("Subject: ", "Subject: [EXTERNAL] "), HeaderChanged + "subject", true},
	{"words behind the subject", plainMail, "relaxed/relaxed", replace(" parcel\r\n", " parcel [checked]\r\n"), HeaderChanged + "subject", true},
	{"subject encoded", strings.Replace(plainMail, "Your order of", "Zoë's order of", 1), "relaxed/relaxed", func(s string) string {
		return replace("Zoë's order of Tuesday and what comes with it, in one\r\n parcel", "=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte("Zoë's order of Tuesday and what comes with it, in one parcel"))+"?=")(s)
	}, HeaderChanged + "subject", true},
	{"from munged", plainMail, "relaxed/relaxed", replace("From: Ann Example <ann@shop.example>", "From: Ann Example via List <list@lists.example>\r\nX-Original-From: Ann Example <ann@shop.example>"), HeaderChanged + "from", true},
	{"from quoted", plainMail, "relaxed/relaxed", replace("From: Ann Example <", "From: \"Ann Example\" <"), HeaderChanged + "from", true},
	{"a list: subject and reply-to", plainMail, "relaxed/relaxed", both(replace("Subject: ", "Subject: [list] "), replace("\r\nDate:", "\r\nReply-To: list@lists.example\r\nDate:")), HeaderChanged + "subject", true},
	{"reply-to added", plainMail, "relaxed/relaxed", replace("\r\nDate:", "\r\nReply-To: x@lists.example\r\nDate:"), HeaderAdded + "reply-to", true},
	{"second subject below", plainMail, "relaxed/relaxed", replace("\r\nDate:", "\r\nSubject: other\r\nDate:"), HeaderAdded + "subject", true},
	{"date gone", plainMail, "relaxed/relaxed", replace("Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n", ""), HeaderRemoved + "date", false},
	{"mime-version gone", plainMail, "relaxed/relaxed", replace("MIME-Version: 1.0\r\n", ""), HeaderRemoved + "mime-version", true},
	{"message-id replaced", plainMail, "relaxed/relaxed", replace("20261124100000.7@shop.example", "x.1@relay.test"), HeaderChanged + "message-id", false},
	{"date rewritten", plainMail, "relaxed/relaxed", replace("10:00:00 +0000", "10:00:00 GMT"), HeaderChanged + "date", true},
	{"to rewritten", plainMail, "relaxed/relaxed", replace("To: bob@recipient.example", "To: carol@recipient.example"), SignatureInvalid, false},
	{"subject refolded, simple", plainMail, "simple/simple", replace("in one\r\n parcel", "in\r\n one parcel"), HeaderWhitespace + "subject", true},
	{"subject unfolded, simple", plainMail, "simple/simple", replace("in one\r\n parcel", "in one parcel"), HeaderWhitespace + "subject", true},
	{"name in another case, simple", plainMail, "simple/simple", replace("\r\nMessage-ID:", "\r\nMessage-Id:"), HeaderWhitespace + "message-id", true},
	{"all names in lower case, simple", plainMail, "simple/simple", func(s string) string {
		for _, n := range []string{"From", "To", "Subject", "Date"} {
			s = strings.Replace(s, "\r\n"+n+": ", "\r\n"+strings.ToLower(n)+": ", 1)
		}
		return s
	}, HeaderWhitespace + "from", true},
	{"bh damaged", plainMail, "relaxed/relaxed", func(s string) string {
		at := strings.Index(s, "bh=") + 5
		return s[:at] + "AAAA" + s[at+4:]
	}, BodyHashMismatch, true},
	{"header and body", plainMail, "relaxed/relaxed", both(replace("Subject: ", "Subject: [list] "), inBody(func(b string) string { return b + "footer\r\n" })), BodyAppended, true},
}

// TestBreakages: the cause is found, for RSA and for Ed25519, and a line end of LF
// changes nothing.
func TestBreakages(t *testing.T) {
	for _, signer := range []crypto.Signer{keys().rsa, keys().ed} {
		zone := zoneWith(t, public(signer))
		for _, tt := range breakages {
			whole := sign(t, tt.mail, signer, tt.canon)
			for _, mail := range []string{whole, strings.ReplaceAll(whole, "\r\n", "\n")} {
				if res := Verify(t.Context(), zone, []byte(mail), Options{Now: now}).Signatures[0]; res.Result != Pass || res.Cause != "" {
					t.Fatalf("%s, undamaged: %s %s %s", tt.name, res.Result, res.Cause, res.Why)
				}
			}
			damaged := tt.damage(whole)
			for _, mail := range []string{damaged, strings.ReplaceAll(damaged, "\r\n", "\n")} {
				res := Verify(t.Context(), zone, []byte(mail), Options{Now: now}).Signatures[0]
				if res.Result != Fail || res.Cause != tt.cause || res.Causes[0].Proven != tt.proven {
					t.Errorf("%s (%T): %s %s proven %v: %s; want %s proven %v", tt.name, signer, res.Result, res.Cause, res.Causes[0].Proven, res.Why, tt.cause, tt.proven)
				}
			}
		}
	}
}

func TestVerdicts(t *testing.T) {
	zone := zoneWith(t, public(keys().rsa))
	whole := sign(t, plainMail, keys().rsa, "relaxed/relaxed")
	for _, tt := range []struct {
		damage       func(string) string
		body, header Verdict
		causes       int
	}{
		{replace("Subject: ", "Subject: [list] "), Intact, Altered, 1},
		{inBody(func(b string) string { return b + "footer\r\n" }), Altered, Intact, 1},
		{both(replace("Subject: ", "Subject: [list] "), inBody(func(b string) string { return b + "footer\r\n" })), Altered, Altered, 2},
	} {
		res := Verify(t.Context(), zone, []byte(tt.damage(whole)), Options{Now: now}).Signatures[0]
		if res.Body != tt.body || res.Header != tt.header || len(res.Causes) != tt.causes {
			t.Errorf("body %s, header %s, causes %v; want %s, %s, %d", res.Body, res.Header, res.Causes, tt.body, tt.header, tt.causes)
		}
	}
	header, _, _ := strings.Cut(whole, "\r\n\r\n")
	res := Verify(t.Context(), zone, []byte(header), Options{Now: now, HeaderOnly: true}).Signatures[0]
	if res.Result != Untold || res.Header != Intact || res.Body != "" || res.Cause != "" {
		t.Errorf("header only: %+v", res)
	}
	res = Verify(t.Context(), zone, []byte(replace("Subject: ", "Subject: [list] ")(header)), Options{Now: now, HeaderOnly: true}).Signatures[0]
	if res.Result != Fail || res.Cause != "header-changed:subject" {
		t.Errorf("header only, changed: %s %s", res.Result, res.Cause)
	}
}

// The clock is that of Options: go-msgauth reads the machine's.
func TestClock(t *testing.T) {
	zone := zoneWith(t, public(keys().rsa))
	var out bytes.Buffer
	expires := time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)
	err := msgauth.Sign(&out, strings.NewReader(plainMail), &msgauth.SignOptions{Domain: "shop.example", Selector: "s", Signer: keys().rsa, Hash: crypto.SHA256, Expiration: expires})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at     time.Time
		result Code
		cause  Cause
	}{
		{expires.Add(-time.Hour), Pass, SigFuture}, // t= is the machine's time
		{expires.Add(time.Hour), PermError, SigExpired},
	} {
		res := Verify(t.Context(), zone, out.Bytes(), Options{Now: tt.at}).Signatures[0]
		if tt.result == Pass && (res.Result != Pass || !strings.Contains(res.Other, "expired")) {
			// x= before t= is what the signature says of itself.
			if res.Cause != SigXBeforeT {
				t.Errorf("at %s: %s %s, other %q", tt.at, res.Result, res.Cause, res.Other)
			}
			continue
		}
		if tt.result != Pass && res.Result != tt.result {
			t.Errorf("at %s: %s %s, want %s", tt.at, res.Result, res.Cause, tt.result)
		}
	}
}

func TestKeys(t *testing.T) {
	good := public(keys().rsa)
	_, p, _ := strings.Cut(good, "p=")
	for _, tt := range []struct {
		name, text string
		result     Code
		cause      Cause
	}{
		{"whole", good, Pass, ""},
		{"without v", "k=rsa; p=" + p, Pass, ""},
		{"white space in p", "v=DKIM1; p=" + p[:40] + " \t" + p[40:] + ";", Pass, ""},
		{"all services", "v=DKIM1; s=*; h=sha256:sha1; n=note; p=" + p, Pass, ""},
		{"another key", public(keys().other), Fail, KeyMismatch},
		{"a shorter key", public(keys().small), Fail, KeyMismatch},
		{"revoked", "v=DKIM1; p=", PermError, KeyRevoked},
		{"no p", "v=DKIM1; k=rsa", PermError, KeySyntax},
		{"no base64", "v=DKIM1; p=!!", PermError, KeySyntax},
		{"no key", "v=DKIM1; p=AAAA", PermError, KeySyntax},
		{"cut", good[:220], PermError, KeyTruncated},
		{"cut within a quantum", good[:221], PermError, KeyTruncated},
		{"version", "v=DKIM2; p=" + p, PermError, KeyVersion},
		{"SPF", "v=spf1 -all", PermError, KeySyntax},
		{"v not first", "k=rsa; v=DKIM1; p=" + p, PermError, KeySyntax},
		{"ed25519", public(keys().ed), PermError, KeyTypeMismatch},
		{"ed25519 of a wrong size", "v=DKIM1; k=ed25519; p=" + p, PermError, KeySyntax},
		{"unknown type", "v=DKIM1; k=dsa; p=" + p, PermError, KeyTypeMismatch},
		{"hash", "v=DKIM1; h=sha1; p=" + p, PermError, KeyHashDisallowed},
		{"service", "v=DKIM1; s=tlsrpt; p=" + p, PermError, KeyService},
		{"duplicate tag", "v=DKIM1; p=; p=" + p, PermError, KeySyntax},
	} {
		mail := sign(t, plainMail, keys().rsa, "relaxed/relaxed")
		res := Verify(t.Context(), zoneWith(t, tt.text), []byte(mail), Options{Now: now}).Signatures[0]
		if res.Result != tt.result || res.Cause != tt.cause {
			t.Errorf("%s: %s %s (%s), want %s %s", tt.name, res.Result, res.Cause, res.Why, tt.result, tt.cause)
		}
	}
	mail := []byte(sign(t, plainMail, keys().rsa, "relaxed/relaxed"))
	for text, want := range map[string]Cause{
		"": KeyMissing,
		";! s._domainkey.shop.example ANY TIMEOUT":                                             KeyDNSTimeout,
		";! s._domainkey.shop.example ANY SERVFAIL":                                            KeyDNSServFail,
		"s._domainkey.shop.example. TXT \"v=DKIM1; p=\"\ns._domainkey.shop.example. TXT \"x\"": KeyMultipleRecords,
	} {
		if res := Verify(t.Context(), resolvetest.New(t, text), mail, Options{Now: now}).Signatures[0]; res.Cause != want {
			t.Errorf("%q: %s %s, want %s", text, res.Result, res.Cause, want)
		}
	}
}

func TestSignatures(t *testing.T) {
	for field, want := range map[string]Cause{
		"v=1; a=rsa-sha256; d=shop.example; s=s; h=from; bh=AAAA; b=AAAA; x":                    SigSyntax,
		"v=1; a=rsa-sha256; d=shop.example; s=s; h=from; bh=AAAA; b=AAAA; d=x.example":          SigDuplicateTag,
		"v=2; a=rsa-sha256; d=shop.example; s=s; h=from; bh=AAAA; b=AAAA":                       SigVersion,
		"a=rsa-sha256; d=shop.example; s=s; h=from; bh=AAAA; b=AAAA":                            "sig-missing-tag:v",
		"v=1; d=shop.example; s=s; h=from; bh=AAAA; b=AAAA":                                     "sig-missing-tag:a",
		"v=1; a=rsa-sha256; d=shop.example; s=s; bh=AAAA; b=AAAA":                               "sig-missing-tag:h",
		"v=1; a=rsa-sha256; d=shop.example; s=s; h=from; b=AAAA":                                "sig-missing-tag:bh",
		"v=1; a=rsa-md5; d=shop.example; s=s; h=from; bh=AAAA; b=AAAA":                          SigAlgorithm,
		"v=1; a=rsa-sha1; d=shop.example; s=s; h=from; bh=AAAA; b=AAAA":                         AlgorithmSHA1,
		"v=1; a=rsa-sha256; c=x; d=shop.example; s=s; h=from; bh=AAAA; b=AAAA":                  SigCanonicalization,
		"v=1; a=rsa-sha256; q=http; d=shop.example; s=s; h=from; bh=AAAA; b=AAAA":               SigQueryMethod,
		"v=1; a=rsa-sha256; d=shop.example; s=s; h=to; bh=AAAA; b=AAAA":                         FromNotSigned,
		"v=1; a=rsa-sha256; d=shop.example; i=a@evilshop.example; s=s; h=from; bh=AAAA; b=AAAA": AUIDOutsideSDID,
		"v=1; a=rsa-sha256; d=co.uk; s=s; h=from; bh=AAAA; b=AAAA":                              SDIDIsPublicSuffix,
		"v=1; a=rsa-sha256; d=shop.example; s=s; t=x; h=from; bh=AAAA; b=AAAA":                  SigSyntax,
		"v=1; a=rsa-sha256; d=shop.example; s=s; l=-1; h=from; bh=AAAA; b=AAAA":                 SigSyntax,
		"v=1; a=rsa-sha256; d=shop.example; s=s; t=20; x=10; h=from; bh=AAAA; b=AAAA":           SigXBeforeT,
		"v=1; a=rsa-sha256; d=shop.example; s=s; x=10; h=from; bh=AAAA; b=AAAA":                 SigExpired,
	} {
		res := Verify(t.Context(), zoneWith(t, public(keys().rsa)), []byte("DKIM-Signature: "+field+"\r\n"+plainMail), Options{Now: now}).Signatures[0]
		if res.Result != PermError || res.Cause != want {
			t.Errorf("%s: %s %s (%s), want %s", field, res.Result, res.Cause, res.Why, want)
		}
	}
}

func TestHostile(t *testing.T) {
	zone := zoneWith(t, public(keys().rsa))
	whole := sign(t, plainMail, keys().rsa, "relaxed/relaxed")
	field := "DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=s; h=from; bh=AAAA; b=AAAA\r\n"
	report := Verify(t.Context(), zone, []byte(strings.Repeat(field, 9_000)+whole), Options{Now: now})
	if len(report.Signatures) != MaxSignatures || report.Skipped != 9_001-MaxSignatures {
		t.Errorf("%d signatures, %d skipped", len(report.Signatures), report.Skipped)
	}
	if n := len(zone.Asked()); n != 1 {
		t.Errorf("%d questions, want 1", n)
	}
	if res := Verify(t.Context(), zone, []byte(strings.Repeat(field, 10_001)+whole), Options{Now: now}).Signatures[0]; res.Cause != HeaderTooLarge {
		t.Errorf("10,001 signatures: %s", res.Cause)
	}
	names := strings.Repeat("x:", 400_000)
	wide := "DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=s; h=from:" + names + "; bh=AAAA; b=AAAA\r\n" + strings.Repeat("A: b\r\n", 1000) + plainMail
	if res := Verify(t.Context(), zone, []byte(wide), Options{Now: now}).Signatures[0]; res.Result == Pass {
		t.Errorf("800,000 names: %s", res.Result)
	}
	for _, text := range []string{"", "\r\n", "DKIM-Signature:", "DKIM-Signature: \x00\r\n\r\n", "DKIM-Signature: v=1; a=rsa-sha256; b", strings.Repeat("\n", 100)} {
		if res := Verify(t.Context(), zone, []byte(text), Options{Now: now}).Signatures[0]; res.Result == Pass {
			t.Errorf("%q passes", text)
		}
	}
	der := append([]byte{0x30, 0x82, 0x20, 0x0a, 0x02, 0x82, 0x20, 0x01, 0x00, 0x80}, bytes.Repeat([]byte{1}, 8191)...)
	der = append(der, 0x02, 0x03, 1, 0, 1)
	if k := ParseKey("v=DKIM1; p=" + base64.StdEncoding.EncodeToString(der)); len(k.Faults) == 0 || k.Faults[0].Cause != KeyTooLong {
		t.Errorf("a key of 65,536 bits: %+v", k.Faults)
	}
	one := []byte{0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x03}
	if k := ParseKey("v=DKIM1; p=" + base64.StdEncoding.EncodeToString(one)); len(k.Faults) == 0 || k.Faults[0].Cause != KeyTooShort {
		t.Errorf("a key of 1 bit: %+v", k.Faults)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res := Verify(ctx, zone, []byte(whole), Options{Now: now}).Signatures[0]; res.Result != TempError {
		t.Errorf("ended: %s", res.Result)
	}
}

// The search for a change is made once for signatures over the same body, and ends with
// the context.
func TestSearchIsBounded(t *testing.T) {
	zone := zoneWith(t, public(keys().rsa))
	damaged := replace("on its way", "under way")(sign(t, plainMail, keys().rsa, "relaxed/relaxed"))
	twice := damaged[:strings.Index(damaged, "\r\nFrom:")+2] + damaged
	report := Verify(t.Context(), zone, []byte(twice), Options{Now: now})
	if len(report.Signatures) != 2 || report.Signatures[0].Cause != BodyChanged || report.Signatures[1].Why != report.Signatures[0].Why {
		t.Errorf("%+v", report.Signatures)
	}
	ctx, cancel := context.WithCancel(t.Context())
	footer := inBody(func(b string) string { return b + "footer\r\n" })(sign(t, plainMail, keys().rsa, "relaxed/relaxed"))
	res := Verify(ctx, endsAfter{zone, cancel}, []byte(footer), Options{Now: now}).Signatures[0]
	if res.Result != Fail || res.Cause != BodyChanged || !strings.Contains(res.Why, "ended before") {
		t.Errorf("%s %s %s", res.Result, res.Cause, res.Why)
	}
}

// endsAfter ends a context once its one question is answered.
type endsAfter struct {
	resolve.Resolver
	end func()
}

func (e endsAfter) Resolve(ctx context.Context, name string, t resolve.Type) resolve.Answer {
	defer e.end()
	return e.Resolver.Resolve(ctx, name, t)
}

func FuzzVerify(f *testing.F) {
	zone := zoneWith(f, public(keys().rsa))
	for _, tt := range breakages {
		f.Add([]byte(tt.damage(sign(f, tt.mail, keys().rsa, tt.canon))))
	}
	f.Fuzz(func(t *testing.T, mail []byte) {
		report := Verify(t.Context(), zone, mail, Options{Now: now})
		for _, res := range report.Signatures {
			if res.Why == "" || res.Result == "" || res.Result != Pass && res.Result != Untold && res.Cause == "" {
				t.Errorf("%s without a reason: %+v", res.Result, res)
			}
			for _, e := range res.Causes {
				if e.Offset < 0 || e.Offset > len(mail) || e.Says == "" {
					t.Errorf("%+v", e)
				}
			}
			if res.Result == Pass && res.Signature.Length < 0 && !Whole(mail) {
				t.Errorf("it passes, and is not whole: %+v", res)
			}
		}
		if header, _, ok := bytes.Cut(mail, []byte("\r\n\r\n")); ok {
			Verify(t.Context(), zone, header, Options{Now: now, HeaderOnly: true})
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add(public(keys().rsa))
	f.Add("v=DKIM1; k=ed25519; h=sha256; t=y:s; s=email; n=x; p=AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		k := ParseKey(text)
		if k.Public == nil && len(k.Faults) == 0 {
			t.Errorf("%q: no key and no fault", text)
		}
		for _, fault := range k.Faults {
			if fault.Start < 0 || fault.Start > fault.End || fault.End > len(text) {
				t.Errorf("%q: fault %+v", text, fault)
			}
		}
		s := ParseSignature("DKIM-Signature: " + text)
		for _, fault := range s.Faults {
			if fault.Start < 0 || fault.Start > fault.End || fault.End > len(s.Field) {
				t.Errorf("%q: fault %+v", text, fault)
			}
		}
	})
}

// A body is whole as a signature has it, with whichever ends of lines and however many
// empty lines behind it; one that is cut, or to which something was added, is not.
func TestWhole(t *testing.T) {
	for _, canon := range []string{"relaxed/relaxed", "simple/simple"} {
		mail := sign(t, plainMail, keys().rsa, canon)
		for name, tt := range map[string]struct {
			raw  string
			want bool
		}{
			"as sent":         {mail, true},
			"its own LF":      {strings.ReplaceAll(mail, "\r\n", "\n"), true},
			"empty lines":     {mail + "\r\n\r\n", true},
			"another subject": {replace("Subject: ", "Subject: [list] ")(mail), true},
			"cut":             {mail[:len(mail)-9], false},
			"longer":          {mail + "footer\r\n", false},
			"no body":         {mail[:strings.Index(mail, "\r\n\r\n")], false},
			"not signed":      {plainMail, false},
			"nothing":         {"", false},
		} {
			if got := Whole([]byte(tt.raw)); got != tt.want {
				t.Errorf("%s, %s: %t", canon, name, got)
			}
		}
	}
}
