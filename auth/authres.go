package auth

import (
	"encoding/base64"
	"strings"

	"github.com/emersion/go-msgauth/authres"

	"github.com/rebound-mail/rebound/auth/dkim"
	"github.com/rebound-mail/rebound/auth/iprev"
)

// AuthenticationResults writes the report as the value of an Authentication-Results
// field (RFC 8601), with the name of the server that checked.
func (r *Report) AuthenticationResults(server string) string {
	var list []authres.Result
	add := func(method string, value string, params map[string]string) {
		clean := map[string]string{}
		for name, v := range params {
			if v = plain(v); v != "" {
				clean[name] = v
			}
		}
		list = append(list, &authres.GenericResult{Method: method, Value: authres.ResultValue(value), Params: clean})
	}
	if r.SPF != nil && r.SPF.IP.IsValid() {
		name := "smtp.mailfrom"
		about := trim(r.input.MailFrom)
		if r.SPF.Identity == "helo" {
			name, about = "smtp.helo", r.input.HELO
		}
		add("spf", string(r.SPF.Result), map[string]string{name: about})
	}
	for i := range r.DKIM {
		s := &r.DKIM[i]
		value := string(s.Result)
		if s.Result == dkim.Untold {
			value = "neutral"
		}
		params := map[string]string{"header.d": s.Domain, "header.s": s.Selector, "header.a": s.Algorithm, "reason": string(s.Cause)}
		if s.Signature != nil && len(s.Signature.Data) >= 6 {
			params["header.b"] = base64.StdEncoding.EncodeToString(s.Signature.Data)[:8]
		}
		add("dkim", value, params)
	}
	if r.DMARC != nil {
		add("dmarc", string(r.DMARC.Result), map[string]string{"header.from": r.DMARC.Domain, "policy.dmarc": string(r.DMARC.Policy)})
	}
	if r.IPRev != nil && r.IPRev.Addr.IsValid() {
		value := string(r.IPRev.Status)
		if r.IPRev.Status == iprev.Missing {
			value = "permerror" // RFC 8601, section 2.7.3: there is no PTR record to evaluate
		}
		add("iprev", value, map[string]string{"policy.iprev": r.IPRev.Addr.String()})
	}
	return authres.Format(plain(server), list)
}

// plain leaves what may stand in a header field: printable ASCII, and no mark that
// would end the value.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' || strings.ContainsRune(`";()\`, c) {
			return -1
		}
		return c
	}, s)
}
