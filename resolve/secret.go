package resolve

import (
	"context"
	"errors"
	"strings"
)

// SecretMark stands where a secret stood.
const SecretMark = "{key}"

type secretKey struct{}

// WithSecret returns a context for questions whose names hold a secret, such as
// the key of a customer of a block list. A [Recorder] writes [SecretMark] in its
// place, and a recording answers the question all the same.
func WithSecret(ctx context.Context, secret string) context.Context {
	return context.WithValue(ctx, secretKey{}, strings.ToLower(secret))
}

func secretOf(ctx context.Context) string {
	secret, _ := ctx.Value(secretKey{}).(string)
	return secret
}

// Mask returns the answer with [SecretMark] in place of a secret, in whatever
// case it stands there. "" is no secret.
func (a Answer) Mask(secret string) Answer {
	if secret == "" {
		return a
	}
	m := func(s string) string { return Mask(s, secret) }
	a.Name, a.Server = m(a.Name), m(a.Server)
	a.Chain = mapped(a.Chain, m)
	records := make([]Record, len(a.Records))
	for i, r := range a.Records {
		r.Name, r.Host, r.Text, r.Strings = m(r.Name), m(r.Host), m(r.Text), mapped(r.Strings, m)
		records[i] = r
	}
	if a.Records != nil {
		a.Records = records
	}
	if a.Err != nil {
		a.Err = errors.New(m(a.Err.Error()))
	}
	return a
}

func mapped(list []string, f func(string) string) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = f(s)
	}
	return out
}

// Mask puts [SecretMark] in place of a secret of ASCII letters, digits and
// hyphens, in whatever case it stands in a text. "" is no secret.
func Mask(text, secret string) string {
	if secret == "" || len(text) < len(secret) {
		return text
	}
	var b strings.Builder
	rest := 0
	for at := 0; at+len(secret) <= len(text); {
		if !strings.EqualFold(text[at:at+len(secret)], secret) {
			at++
			continue
		}
		b.WriteString(text[rest:at] + SecretMark)
		at += len(secret)
		rest = at
	}
	if rest == 0 {
		return text
	}
	return b.String() + text[rest:]
}
