package dkim

import (
	"bytes"
	"errors"
	"fmt"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/rebound-mail/rebound/resolve"
)

// peer has go-msgauth verify the mail, with the keys that were looked up. It is not
// asked where every signature is out before a hash, where the body is not there, or
// where the work would not be bounded.
func (v *verifier) peer(raw []byte, results []Result) {
	names, open := 0, false
	for i := range results {
		names += len(results[i].Headers)
		open = open || len(results[i].Causes) == 0
	}
	if v.headerOnly || !open || !v.message.Ended || names*len(v.message.Fields) > maxPicks {
		return
	}
	verifications, err := msgauth.VerifyWithOptions(bytes.NewReader(raw), &msgauth.VerifyOptions{LookupTXT: v.lookupTXT, MaxVerifications: MaxSignatures})
	if err != nil && !errors.Is(err, msgauth.ErrTooManySignatures) || len(verifications) != len(results) {
		return
	}
	v.peerRan = true
	for _, one := range verifications {
		v.peerErrs = append(v.peerErrs, one.Err)
	}
	for i := range results {
		results[i].peer = i
	}
}

// peerOf is what go-msgauth said of a signature; nil where it passed it, or was not
// asked.
func (v *verifier) peerOf(res *Result) error {
	if !v.peerRan {
		return nil
	}
	return v.peerErrs[res.peer]
}

// temporary is an error that go-msgauth takes as one that may pass.
type temporary struct{ status resolve.Status }

func (t temporary) Error() string {
	return fmt.Sprintf("the key could not be looked up (%s)", t.status)
}
func (t temporary) Timeout() bool   { return t.status == resolve.Timeout }
func (t temporary) Temporary() bool { return true }

// lookupTXT answers go-msgauth from the keys that were looked up already. A key
// record goes to it without the white space that RFC 6376, section 3.6.1, allows in
// p= and that it does not take.
func (v *verifier) lookupTXT(name string) ([]string, error) {
	canonical, err := resolve.Name(name)
	if err != nil {
		return nil, err
	}
	k := v.keys[canonical]
	switch {
	case k == nil:
		return nil, errors.New("no such key")
	case k.answer.Status.Absent():
		return nil, fmt.Errorf("%s", k.answer.Status)
	case k.answer.Status != resolve.OK:
		return nil, temporary{k.answer.Status}
	}
	texts := make([]string, len(k.texts))
	for i, t := range k.texts {
		texts[i] = squeeze(t)
	}
	return texts, nil
}
