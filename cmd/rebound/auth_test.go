package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

const authZone = `
shop.example. TXT "v=spf1 include:esp.example ~all"
esp.example. TXT "v=spf1 ip4:192.0.2.0/28 -all"
shop.example. MX 10 mail.shop.example.
mail.shop.example. A 192.0.2.1
_dmarc.shop.example. TXT "v=DMARC1; p=reject; rua=mailto:d@shop.example"
s2026._domainkey.shop.example. TXT "v=DKIM1; p="
`

func TestAuthDomain(t *testing.T) {
	zone := file(t, "zone.txt", authZone)
	out, errOut, status := command(t, "", "auth", "-zone", zone, "-selector", "s2026", "-exit-code", "shop.example")
	if status != exitFound || errOut != "" {
		t.Fatalf("status %d, %q", status, errOut)
	}
	for _, want := range []string{"SPF of shop.example: 1 of 10 lookups", "├─ include:esp.example  [1 lookup]\n│  ├─ ip4:192.0.2.0/28", "s2026: no usable key, key-revoked", "policy reject (p=reject at shop.example)"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	out, _, status = command(t, "", "auth", "-zone", zone, "-json", "shop.example")
	var got struct {
		SPF struct {
			Result         string
			Lookups, Voids *int
		}
		DKIM  []struct{ Selector string }
		DMARC struct {
			Policy, Org  string
			PolicyDomain string `json:"policy_domain"`
		}
		Findings []struct{ Code string }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != exitDone || strings.Count(out, "\n") != 1 {
		t.Fatalf("status %d, %v: %s", status, err, out)
	}
	if got.SPF.Lookups == nil || *got.SPF.Lookups != 1 || got.SPF.Voids == nil || got.DMARC.Policy != "reject" || got.DMARC.PolicyDomain != "shop.example" || got.DMARC.Org != "shop.example" || len(got.Findings) == 0 {
		t.Errorf("%s", out)
	}
}

func TestAuthMail(t *testing.T) {
	zone := file(t, "zone.txt", authZone)
	mail := file(t, "mail.eml", "Return-Path: <b@shop.example>\r\nFrom: a@shop.example\r\nDKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=s2026; h=from; bh=AAAA; b=AAAA\r\n\r\nhello \x1b[31m\r\n")
	out, _, status := command(t, "", "auth", "-zone", zone, "-ip", "203.0.113.9", mail)
	for _, want := range []string{"spf    softfail: \"~all\" of shop.example's record decides", "dkim   permerror shop.example: p= is empty: the key is revoked.", "dmarc  fail (policy reject of shop.example)", "iprev  missing", "Google     SPF or DKIM passes: NOT MET", "not checkable here"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	if status != exitDone || strings.ContainsRune(out, '\x1b') {
		t.Errorf("status %d, %q", status, out)
	}
	out, _, _ = command(t, "", "auth", "-zone", zone, "-ip", "203.0.113.9", "-own", "-json", "-redact", mail)
	var got struct {
		SPF  struct{ Result, Explanation string }
		DKIM []struct {
			Result, Domain, Selector, Cause string
			Risks                           []string
		}
		DMARC    struct{ Result string }
		IPRev    struct{ Result string }
		Findings []struct {
			Fixes []struct{ Record *struct{ New string } }
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.SPF.Result != "softfail" || len(got.DKIM) != 1 || got.DKIM[0].Cause != "key-revoked" || got.DKIM[0].Risks == nil || got.DMARC.Result != "fail" || got.IPRev.Result != "missing" || got.Findings[0].Fixes[0].Record == nil || strings.Contains(out, "b@shop") {
		t.Errorf("%s", out)
	}
}

func TestAuthInput(t *testing.T) {
	for _, args := range [][]string{{"auth"}, {"auth", "-ip", "x", "shop.example"}, {"auth", "-offline", "nosuchfile"}, {"auth", "-offline", "-timeout", "0s", "a.example"}, {"auth", "-now", "x", "a.example"}} {
		if _, errOut, status := command(t, "", args...); status != exitNothing || errOut == "" {
			t.Errorf("%v: status %d, %q", args, status, errOut)
		}
	}
	if out, _, status := command(t, "From: a@shop.example\n\nx\n", "auth", "-offline", "-"); status != exitDone || !strings.Contains(out, "dkim   none") {
		t.Errorf("status %d: %s", status, out)
	}
}

// What was not asked is not "none".
func TestAuthOffline(t *testing.T) {
	var out, errOut bytes.Buffer
	run(t.Context(), []string{"rebound", "auth", "-offline", "shop.example"}, strings.NewReader(""), &out, &errOut)
	if text := out.String(); strings.Count(text, "  could not be looked up\n") != 2 || strings.Contains(text, "no key found") || strings.Contains(text, "no record applies") {
		t.Errorf("got\n%s%s", text, errOut.String())
	}
}
