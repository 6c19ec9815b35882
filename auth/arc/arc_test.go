package arc

import (
	"fmt"
	"strings"
	"testing"
)

const sealed = "ARC-Seal: i=2; a=rsa-sha256; t=1; cv=pass; d=Relay.example; s=s; b=AAAA\r\n" +
	"ARC-Message-Signature: i=2; a=rsa-sha256; d=relay.example; s=s; h=from; bh=AAAA; b=AAAA\r\n" +
	"ARC-Authentication-Results: i=2; mx.relay.example; arc=pass; dkim=fail header.d=shop.example\r\n" +
	"ARC-Seal: i=1; a=rsa-sha256; t=1; cv=none; d=lists.example; s=s; b=AA\r\n AA\r\n" +
	"ARC-Message-Signature: i=1; a=rsa-sha256; d=lists.example; s=s; h=from; bh=AAAA; b=AAAA\r\n" +
	"ARC-Authentication-Results: i=1; mx.lists.example;\r\n spf=pass smtp.mailfrom=news@shop.example;\r\n dkim=pass (2048) header.d=shop.example; dmarc=pass header.from=shop.example; bogus\r\n" +
	"From: a@shop.example\r\n\r\nbody\r\n"

func TestRead(t *testing.T) {
	c := Read([]byte(sealed))
	if c == nil || c.Problem != "" || len(c.Sets) != 2 {
		t.Fatalf("%+v", c)
	}
	first := c.First()
	if got, want := fmt.Sprint(first.Server, first.Domain, first.CV, first.Results), "mx.lists.examplelists.examplenone[spf=pass news@shop.example dkim=pass shop.example dmarc=pass shop.example]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	f := c.Findings()[0]
	if f.Code != "arc.seen" || !strings.Contains(f.Fact, "dkim=pass shop.example") {
		t.Errorf("%+v", f)
	}
	if Read([]byte("From: a@b.example\r\n\r\n")) != nil || len((*Chain)(nil).Findings()) != 0 || (*Chain)(nil).First() != nil {
		t.Error("sets in a mail without")
	}
}

func TestBroken(t *testing.T) {
	for damage, want := range map[string]string{
		"i=1;>i=3;":           "set 1 is missing",
		"cv=none>cv=pass":     "set 1 does not say cv=none",
		"cv=pass>cv=fail":     "set 2 says cv=fail: whoever sealed it found the chain broken",
		"i=2; a=rsa>i=99; a=": "line 1: a set has no number from 1 to 50",
		"ARC-Seal: i=2>X: y":  "set 2 has not exactly one of each of its three fields",
	} {
		old, new, _ := strings.Cut(damage, ">")
		n := 1
		if old == "i=1;" {
			n = -1
		}
		c := Read([]byte(strings.Replace(sealed, old, new, n)))
		if c.Problem != want || c.Findings()[0].Code != "arc.broken" {
			t.Errorf("%s: %q, want %q", damage, c.Problem, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(sealed))
	f.Add([]byte("ARC-Authentication-Results: i=1; x; spf=pass (a (b) smtp.mailfrom=\"c\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := Read(raw)
		for _, found := range c.Findings() {
			if found.Fact == "" {
				t.Errorf("%+v", found)
			}
		}
	})
}
