//go:build interop

package auth

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/auth/dkim"
	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/auth/spf"
	"github.com/rebound-mail/rebound/internal/interop"
	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// Other people's programs, as Debian has them: python3-dkim, python3-spf,
// libmail-spf-perl and unbound. .ci/run installs them.

const python = "/usr/bin/python3" // Debian's, which has its packages

// filter runs a program that answers each line with a line.
func filter(t *testing.T, lines []string, name string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, stderr.String())
	}
	var answers []string
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		answers = append(answers, s.Text())
	}
	if len(answers) != len(lines) {
		t.Fatalf("%s: %d answers to %d lines: %s", name, len(answers), len(lines), stderr.String())
	}
	return answers
}

// behindUnbound serves a zone and returns a client of an unbound in front of it.
func behindUnbound(t *testing.T, zone *resolvetest.Zone, domain string) *resolve.Client {
	t.Helper()
	_, port, _ := net.SplitHostPort(resolvetest.Serve(t, zone))
	return interop.Unbound(t, fmt.Sprintf("forward-zone:\n  name: %q\n  forward-addr: 127.0.0.1@%s\n", domain, port), "up."+domain)
}

// TestInteropDKIM: what dkimpy signs, in both algorithms and all canonicalizations,
// verifies through unbound, and a change is found.
func TestInteropDKIM(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := x509.MarshalPKIXPublicKey(key.Public())
	private, _ := x509.MarshalPKCS8PrivateKey(key)
	edPublic, edPrivate, _ := ed25519.GenerateKey(rand.Reader)
	for _, algorithm := range []struct{ name, key, record string }{
		{"rsa-sha256", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)},
		{"ed25519-sha256", base64.StdEncoding.EncodeToString(edPrivate.Seed()), "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(edPublic)},
	} {
		zone := resolvetest.New(t, "up.shop.example. A 127.0.0.1\ns._domainkey.shop.example. TXT "+txt.Quote(algorithm.record)+"\n")
		client := behindUnbound(t, zone, "shop.example")
		var jobs, canons []string
		for _, canon := range []string{"simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"} {
			for _, body := range []string{"Dear Bob\r\n\r\n  two  spaces \r\n\r\n\r\n", "", "no line end"} {
				job, _ := json.Marshal(map[string]string{"key": algorithm.key, "algo": algorithm.name, "canon": canon, "mail": "From: Ann <ann@shop.example>\r\nTo: bob@recipient.example\r\nSubject: A long subject\r\n that  is folded\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n" + body})
				jobs, canons = append(jobs, string(job)), append(canons, canon)
			}
		}
		for i, line := range filter(t, jobs, python, "testdata/interop/sign.py") {
			var out struct{ Mail string }
			if err := json.Unmarshal([]byte(line), &out); err != nil {
				t.Fatal(err)
			}
			res := dkim.Verify(t.Context(), client, []byte(out.Mail), dkim.Options{}).Signatures[0]
			if res.Result != dkim.Pass || res.Cause != "" {
				t.Errorf("%s %s: %s %s %s", algorithm.name, canons[i], res.Result, res.Cause, res.Why)
			}
			changed := strings.Replace(out.Mail, "Subject: ", "Subject: [list] ", 1) + "\r\n-- \r\nfooter\r\n"
			res = dkim.Verify(t.Context(), client, []byte(changed), dkim.Options{}).Signatures[0]
			if res.Result != dkim.Fail || res.Body != dkim.Altered || res.Header != dkim.Altered {
				t.Errorf("%s %s, changed: %s body %s header %s", algorithm.name, canons[i], res.Result, res.Body, res.Header)
			}
		}
	}
}

// generated is a seeded zone of SPF records with senders to check.
type generated struct {
	zone    strings.Builder
	queries []string
	records []string
	ips     []string
	froms   []string
}

const cases = 500

func generate() *generated {
	r := mathrand.New(mathrand.NewPCG(7208, 1))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	g := &generated{}
	for i := range 20 {
		fmt.Fprintf(&g.zone, "h%d.gen.example. A 192.0.2.%d\n", i, i)
		if i%2 == 0 {
			fmt.Fprintf(&g.zone, "h%d.gen.example. AAAA 2001:db8::%x\n", i, i)
		}
		fmt.Fprintf(&g.zone, "m%d.gen.example. MX 10 h%d.gen.example.\nm%d.gen.example. MX 20 h%d.gen.example.\n", i, i, i, (i+5)%20)
		fmt.Fprintf(&g.zone, "%d.2.0.192.in-addr.arpa. PTR h%d.gen.example.\n", i, i)
		fmt.Fprintf(&g.zone, "192.0.2.%d.e.gen.example. A 127.0.0.2\nuser%d.l.gen.example. A 127.0.0.2\n", i*3, i)
	}
	term := func(depth int) string {
		q := pick("", "", "", "-", "~", "?", "+")
		n := r.IntN(24)
		switch r.IntN(13) {
		case 0:
			return fmt.Sprintf("%sip4:192.0.2.%d", q, n)
		case 1:
			return fmt.Sprintf("%sip4:192.0.2.%d/%d", q, n, 24+r.IntN(9))
		case 2:
			return fmt.Sprintf("%sip6:2001:db8::%x/%d", q, n, 64+r.IntN(65))
		case 3, 4:
			return fmt.Sprintf("%sa:h%d.gen.example%s", q, n, pick("", "", "/28", "//64", "/24//120"))
		case 5:
			return fmt.Sprintf("%smx:m%d.gen.example%s", q, n, pick("", "/30", "//126"))
		case 6:
			return fmt.Sprintf("%sexists:%s", q, pick("%{i}.e.gen.example", "%{l}.l.gen.example", "%{l1r+}.l.%{d2}", "nothing.gen.example"))
		case 7:
			return q + "ptr:gen.example"
		case 8:
			return q + pick("a", "mx", "A", "MX/28")
		case 9:
			return pick("exp=x.gen.example", "other=%{d}", "UNKNOWN=1", "ip4:192.0.2.256", "a:", "ip4:192.0.2.1/33", "foo", "include", "mx:%{x}.example")
		}
		if depth > 0 {
			return fmt.Sprintf("%sinclude:r%d.gen.example", q, r.IntN(cases+10))
		}
		return q + "ip4:192.0.2.77"
	}
	for i := range cases {
		words := []string{"v=spf1"}
		for range 1 + r.IntN(5) {
			// Faults are rarer than in the list of terms, or nearly all would be
			// permerrors.
			t := term(1)
			if strings.ContainsAny(t, "=") || strings.HasSuffix(t, ":") || t == "foo" || t == "include" || strings.Contains(t, "256") || strings.Contains(t, "/33") || strings.Contains(t, "%{x}") {
				if r.IntN(6) > 0 {
					t = term(0)
				}
			}
			words = append(words, t)
		}
		words = append(words, pick("-all", "~all", "?all", "", fmt.Sprintf("redirect=r%d.gen.example", r.IntN(cases))))
		record := strings.TrimSpace(strings.Join(words, " "))
		fmt.Fprintf(&g.zone, "r%d.gen.example. TXT %s\n", i, txt.Quote(record))
		if r.IntN(40) == 0 {
			fmt.Fprintf(&g.zone, "r%d.gen.example. TXT \"v=spf1 ?all\"\n", i)
		}
		ip := fmt.Sprintf("192.0.2.%d", r.IntN(30))
		if r.IntN(5) == 0 {
			ip = fmt.Sprintf("2001:db8::%x", r.IntN(30))
		}
		from := fmt.Sprintf("user%d@r%d.gen.example", r.IntN(25), i)
		line, _ := json.Marshal(map[string]string{"ip": ip, "from": from, "helo": "h1.gen.example"})
		g.queries, g.records, g.ips, g.froms = append(g.queries, string(line)), append(g.records, record), append(g.ips, ip), append(g.froms, from)
	}
	fmt.Fprintf(&g.zone, "up.gen.example. A 127.0.0.1\n")
	return g
}

// TestInteropSPF: pyspf, Mail::SPF and this package on 500 generated records and senders
// over one DNS server.
func TestInteropSPF(t *testing.T) {
	g := generate()
	zone := resolvetest.New(t, g.zone.String())
	address := resolvetest.Serve(t, zone)
	_, port, _ := net.SplitHostPort(address)
	client, err := resolve.NewClient(address)
	if err != nil {
		t.Fatal(err)
	}
	pyspf := filter(t, g.queries, python, "testdata/interop/with_pyspf.py", port)
	perl := filter(t, g.queries, "perl", "testdata/interop/with_mail_spf.pl", port)
	for i, record := range g.records {
		res := spf.Check(t.Context(), client, spf.Query{IP: netip.MustParseAddr(g.ips[i]), MailFrom: g.froms[i], HELO: "h1.gen.example"})
		if got := string(res.Result); got != pyspf[i] || got != perl[i] {
			t.Errorf("%s for %s, %q: ours %s, pyspf %s, Mail::SPF %s: %s", g.froms[i], g.ips[i], record, got, pyspf[i], perl[i], res.Why)
		}
	}
}
