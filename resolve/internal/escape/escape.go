// Package escape writes and undoes the escapes of zone files (RFC 1035, section
// 5.1), in which miekg/dns keeps names and character-strings.
package escape

import (
	"fmt"
	"strings"
)

// Name escapes the octets of a name that are special to zone files. Dots
// separate labels and stay.
func Name(name string) string { return write(name, `"\();@$ `) }

// Text escapes a character-string.
func Text(s string) string { return write(s, `"\`) }

func write(s, special string) string {
	clean := true
	for i := range len(s) {
		if isSpecial(s[i], special) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if isSpecial(s[i], special) {
			fmt.Fprintf(&b, `\%03d`, s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isSpecial(c byte, special string) bool {
	return c < ' ' || c >= 0x7f || strings.IndexByte(special, c) >= 0
}

// Undo returns the octets that s stands for.
func Undo(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b = append(b, s[i])
		case i+3 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]):
			b = append(b, (s[i+1]-'0')*100+(s[i+2]-'0')*10+(s[i+3]-'0'))
			i += 3
		default:
			b = append(b, s[i+1])
			i++
		}
	}
	return string(b)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
