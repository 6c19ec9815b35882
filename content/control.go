package content

import (
	"bytes"
	"io"
	"strings"
)

// controlText is the body of a control copy: nothing in it is disliked by a filter.
const controlText = "Hello,\r\n\r\nthis is a copy of a mail with a plain text in place of its own. It was sent\r\nto find out whether the text of the mail was refused or its sender. Nothing needs\r\nto be done.\r\n"

// Control returns a copy of a raw message with the fields that its author wrote and a
// neutral text for a body. Send it from the same server to the same reader: if it is
// refused like the mail itself, the body is not at fault. The Message-ID is another, so
// that no receiver takes the copy for the mail; signatures and what servers added
// (Received, DKIM-Signature, ARC-…, X-Spam-…) are left out. The error is that of r.
func Control(r io.Reader) ([]byte, error) {
	raw, err := readAll(r)
	if err != nil {
		return nil, err
	}
	m := readMessage(raw, Options{})
	var out bytes.Buffer
	for i := range m.root.fields {
		f := &m.root.fields[i]
		if addedOnTheWay(f.name) || strings.HasPrefix(f.name, "content-") || f.name == "mime-version" {
			continue
		}
		name := string(m.raw[f.start : f.start+len(f.name)])
		value := bytes.TrimRight(f.value, "\r\n")
		if f.name == "message-id" {
			value = bytes.Replace(value, []byte("<"), []byte("<control."), 1)
		}
		out.WriteString(name + ":")
		out.Write(bytes.ReplaceAll(bytes.ReplaceAll(value, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n")))
		out.WriteString("\r\n")
	}
	out.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" + controlText)
	return out.Bytes(), nil
}

func addedOnTheWay(name string) bool {
	switch name {
	case "received", "return-path", "delivered-to", "x-original-to", "authentication-results", "received-spf", "dkim-signature", "domainkey-signature":
		return true
	}
	return strings.HasPrefix(name, "arc-") || strings.HasPrefix(name, "x-spam-")
}
