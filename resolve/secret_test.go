package resolve_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/resolve"
	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

func TestRecordingsHoldNoSecret(t *testing.T) {
	const name = "2.0.0.127.s3cr3tkey.list.example"
	zone := resolvetest.New(t, name+". CNAME 2.S3CR3TKEY.other.example.\n2.s3cr3tkey.other.example. TXT \"for S3cr3tKey alone\"\n")
	rec := &resolve.Recorder{Resolver: zone}
	ctx := resolve.WithSecret(t.Context(), "S3CR3TKEY")
	if a := rec.Resolve(ctx, name, resolve.TXT); a.Status != resolve.OK || a.Name != name {
		t.Fatalf("answer %v, want the true one", a)
	}
	var file bytes.Buffer
	if _, err := rec.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.ToLower(file.String()), "s3cr3tkey") || !strings.Contains(file.String(), resolve.SecretMark) {
		t.Errorf("the recording holds the key: %s", file.String())
	}
	replay, err := resolve.Replay(&file)
	if err != nil {
		t.Fatal(err)
	}
	if a := replay.Resolve(ctx, name, resolve.TXT); a.Status != resolve.OK || a.Records[0].Strings[0] != "for {key} alone" {
		t.Errorf("replayed %v, want the recorded answer", a)
	}
	if a := replay.Resolve(t.Context(), name, resolve.TXT); a.Status != resolve.Other {
		t.Errorf("replayed without the secret: %v, want nothing", a)
	}
}

func TestMask(t *testing.T) {
	for _, tt := range []struct{ text, secret, want string }{
		{"a.KEY1.zone", "key1", "a.{key}.zone"},
		{"key1key1", "KEY1", "{key}{key}"},
		{"ke1 \xffkey1 é", "key1", "ke1 \xff{key} é"},
		{"nothing", "key1", "nothing"},
		{"", "key1", ""},
		{"text", "", "text"},
	} {
		if got := resolve.Mask(tt.text, tt.secret); got != tt.want {
			t.Errorf("Mask(%q, %q) = %q, want %q", tt.text, tt.secret, got, tt.want)
		}
	}
}
