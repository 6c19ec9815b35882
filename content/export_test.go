package content

import "bytes"

// Decode reads a message as Analyze does, up to the decoded texts.
func Decode(raw []byte, each func(media string, text []byte)) {
	m, _ := readMessage(bytes.NewReader(raw), Options{})
	for _, p := range m.parts {
		if p.isText() && len(p.children) == 0 {
			p.decode(m.raw)
			each(p.media, p.text)
		}
	}
}
