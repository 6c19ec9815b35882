package content

import (
	"bytes"
	"encoding/base64"
)

// encryptedArchives finds ZIP files whose first entry is encrypted: bit 0 of the flags
// of its local header (APPNOTE.TXT, section 4.4.4).
func encryptedArchives(m *letter) []Place {
	var all []Place
	for _, p := range m.parts {
		if len(p.children) > 0 || p.encoding != "base64" || p.isText() {
			continue
		}
		var head [8]byte
		raw := bytes.TrimSpace(m.raw[p.start:min(p.end, p.start+32)])
		if len(raw) < 12 {
			continue
		}
		if n, err := base64.StdEncoding.Decode(head[:], raw[:8]); err != nil || n < 6 {
			continue
		}
		var rest [3]byte
		if n, err := base64.StdEncoding.Decode(rest[:], raw[8:12]); err != nil || n < 1 {
			continue
		}
		if string(head[:4]) == "PK\x03\x04" && rest[0]&1 == 1 {
			all = append(all, m.inHeader(p))
		}
	}
	return all
}
