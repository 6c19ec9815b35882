package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/resolve"
)

// The attack: an escape of a terminal, in seven bits and in eight, a bell, a change of the
// direction of writing, a script, and markup.
const attack = "\x1b[31mX\x1b]0;t\x07\x9b2J\u202eevil\u2066\u200f\ufeff<script>alert(1)</script><img src=x onerror=alert(2)>[l](https://evil.example)`x`**b**\x7f\u0085"

// attackedBounce has it in each field that a bounce, the mail in it, or a reply has.
func attackedBounce() string {
	const a = attack
	return strings.ReplaceAll("Return-Path: <>\nFrom: "+a+" <MAILER-DAEMON@mail.shop.example>\nTo: news@shop.example\nSubject: "+a+"\nDate: Tue, 24 Nov 2026 10:00:00 +0000\nMessage-ID: <"+a+"@x>\nX-Failed-Recipients: "+a+"\nAuto-Submitted: auto-replied\n"+
		"MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\n\n--b\nContent-Type: text/plain; charset="+a+"\n\nIt failed. "+a+"\n--b\nContent-Type: message/delivery-status\n\n"+
		"Reporting-MTA: dns; "+a+"\nReceived-From-MTA: dns; "+a+"\nOriginal-Envelope-Id: "+a+"\nArrival-Date: "+a+"\n\n"+
		"Final-Recipient: rfc822; "+a+"@recipient.example\nOriginal-Recipient: rfc822; anna@recipient.example\nAction: failed\nStatus: 5.7.1\nRemote-MTA: dns; "+a+"\nX-Note: "+a+"\nDiagnostic-Code: smtp; 550 5.7.1 Message refused "+a+" [198.51.100.23] http://evil.example/"+a+"\n\n"+
		"Final-Recipient: rfc822; bert@recipient.example\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 554 5.7.1 Client host [198.51.100.23] blocked using bl.spamcop.net; "+a+"\n\n"+
		"--b\nContent-Type: message/rfc822\n\nReturn-Path: <news@shop.example>\nReceived: from "+a+" ("+a+" [198.51.100.23]) by "+a+" with "+a+"; Tue, 24 Nov 2026 09:59:00 +0000\nDKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=s1; h=from; bh=AAAA; b="+a+"\nFrom: "+a+" <news@shop.example>\nTo: anna@recipient.example\nSubject: "+a+"\nDate: "+a+"\nMessage-ID: <"+a+"@shop.example>\nList-Id: "+a+"\nReply-To: "+a+"\nX-Mailer: "+a+"\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n<p>Dear friend, "+a+"</p><a href=\"http://evil.example/"+a+"\">https://bank.example</a>\n--b--\n", "\n", "\r\n")
}

// attackedZone answers with it.
const attackedZone = `$TTL 300
shop.example. TXT "v=spf1 include:\027[31m<script>alert(1)</script>.example -all"
shop.example. MX 10 \027[31m<script>.example.
_dmarc.shop.example. TXT "v=DMARC1; p=reject; rua=\027[31m<script>alert(1)</script>\155"
s1._domainkey.shop.example. TXT "v=DKIM1; p=\027[31m<script>alert(1)</script>"
23.100.51.198.in-addr.arpa. PTR \027[31m<script>alert(1)</script>.example.
recipient.example. MX 10 <img>\027.example.
2.0.0.127.bl.spamcop.net. A 127.0.0.2
23.100.51.198.bl.spamcop.net. A 127.0.0.2
23.100.51.198.bl.spamcop.net. TXT "\027[31m\226\128\174<script>alert(1)</script><img src=x onerror=alert(2)>\007\155"
2.0.0.127.zen.spamhaus.org. A 127.0.0.2
23.100.51.198.zen.spamhaus.org. A 127.0.0.3
23.100.51.198.zen.spamhaus.org. TXT "\027]0;t\007<script>alert(1)</script>"
`

// raw finds what a terminal or a reader would take for more than text.
func raw(s string) int {
	if i := strings.IndexFunc(s, func(c rune) bool {
		return c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 || c == 0x200e || c == 0x200f || c == 0xfeff
	}); i >= 0 {
		return i
	}
	if !utf8.ValidString(s) {
		return strings.IndexRune(s, utf8.RuneError)
	}
	return -1
}

// Whatever a bounce, the mail in it or a DNS answer holds, none of the four reports and
// neither answer of the page lets it act.
func TestHostileStringsEverywhere(t *testing.T) {
	zone, bounce, message := file(t, "zone", attackedZone), file(t, "bounce.eml", attackedBounce()), file(t, "mail.eml", "Subject: "+attack+"\r\nFrom: "+attack+" <news@shop.example>\r\nList-Unsubscribe: "+attack+"\r\n\r\nDear friend "+attack+" http://evil.example/"+attack+"\r\n")
	page := filepath.Join(t.TempDir(), "page.html")
	args := []string{"diagnose", "-zone", zone, "-now", "2026-11-24T12:00:00Z", "-helo", attack, "-message", message}
	reports := map[string]string{}
	for name, more := range map[string][]string{"text": {"-html", page}, "markdown": {"-markdown"}, "json": {"-json"}} {
		out, errOut, status := command(t, "", append(append(args, more...), bounce)...)
		if status != exitDone {
			t.Fatalf("%s: status %d, %s", name, status, errOut)
		}
		reports[name] = out
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	reports["html"] = string(text)
	for name, answer := range pages(t) {
		reports[name] = answer
	}
	for name, report := range reports {
		if i := raw(report); i >= 0 {
			t.Errorf("%s: a raw character in %q", name, report[max(0, i-40):min(len(report), i+40)])
		}
		if !strings.Contains(report, "script") {
			t.Errorf("%s: the attack is not told, so nothing is shown", name)
		}
	}
	for _, name := range []string{"html", "the page's form"} {
		inert(t, name, reports[name])
	}
	for line := range strings.Lines(reports["markdown"]) {
		if strings.Contains(outsideCode(line), "<script") || strings.Contains(outsideCode(line), "[l](") {
			t.Errorf("markdown: %s", line)
		}
	}
	var d rebound.Diagnosis
	if err := json.Unmarshal([]byte(reports["json"]), &d); err != nil || len(d.Recipients) != 2 {
		t.Errorf("json: %v, %d recipients", err, len(d.Recipients))
	}
	// the JSON holds what was said, escaped
	if text := d.Recipients[0].Reply.Text; !strings.Contains(text, "\u202eevil\u2066") {
		t.Errorf("the reply is not kept: %q", text)
	}
}

// pages are the two answers of the page: that of the form, and the stream that the script
// reads.
func pages(t *testing.T) map[string]string {
	t.Helper()
	zone, err := resolve.ParseZone(strings.NewReader(attackedZone))
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }
	p := &pageServer{diagnoser: &rebound.Diagnoser{Resolver: zone, Now: now}, slots: make(chan struct{}, 1)}
	server := httptest.NewServer(p.handler())
	t.Cleanup(server.Close)
	post := func(path, kind, body string) string {
		answer, err := http.Post(server.URL+path, kind, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v, %s", path, answer.StatusCode, err, b)
		}
		return string(b)
	}
	form := "--f\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n" + attackedBounce() + "\r\n--f--\r\n"
	return map[string]string{
		"the page's form":   post("/report", "multipart/form-data; boundary=f", form),
		"the page's stream": post("/diagnose", "application/octet-stream", attackedBounce()),
	}
}

func TestServeRedacts(t *testing.T) {
	p := &pageServer{diagnoser: &rebound.Diagnoser{Resolver: resolve.Offline{}}, redact: true, slots: make(chan struct{}, 1)}
	w := httptest.NewRecorder()
	p.handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://localhost/diagnose", strings.NewReader("550 5.1.1 <anna@recipient.example>: User unknown")))
	if text := w.Body.String(); w.Code != http.StatusOK || strings.Contains(text, "anna") || !strings.Contains(text, "***@recipient.example") {
		t.Errorf("%d\n%s", w.Code, text)
	}
}

// inert looks that a page holds no element or attribute that acts.
func inert(t *testing.T, name, page string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return
		}
		token := z.Token()
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		switch token.Data {
		case "script", "img", "a", "iframe", "object", "link", "base", "form":
			t.Errorf("%s: an element <%s>", name, token.Data)
		}
		for _, a := range token.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "href" || a.Key == "src" || a.Key == "style" {
				t.Errorf("%s: <%s %s=%q>", name, token.Data, a.Key, a.Val)
			}
		}
	}
}

var inCode = regexp.MustCompile("(`+) ?[^`].*?[^`] ?(`+)$")

// outsideCode leaves out the code at the end of a line.
func outsideCode(line string) string { return inCode.ReplaceAllString(strings.TrimSpace(line), "") }
