package header

import (
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	h := Split([]byte("A: 1\r\n 2\nno colon\r\nB : x \r\n\r\nbody\r\n"))
	if len(h.Fields) != 3 || h.Fields[0] != (Field{"a", "A: 1\r\n 2\r\n", 1}) || h.Fields[1].Name != "" || h.Fields[2] != (Field{"b", "B : x \r\n", 4}) || string(h.Body) != "body\r\n" || !h.Ended {
		t.Errorf("%+v", h)
	}
	if h.Fields[0].Value() != "1 2" || h.Get("b") != "x" || h.Get("c") != "" || len(h.All("a")) != 1 {
		t.Errorf("%+v", h)
	}
	for _, text := range []string{"", "A: 1", " folded: first\r\n\r\n"} {
		if h := Split([]byte(text)); h.Large || h.Ended != strings.HasSuffix(text, "\r\n\r\n") {
			t.Errorf("%q: %+v", text, h)
		}
	}
}

// A header beyond the limits is not read on, and what reads it again after this does
// bounded work.
func TestLimits(t *testing.T) {
	for name, text := range map[string]string{
		"size":    "A: " + strings.Repeat("x", MaxSize) + "\r\n\r\n",
		"fields":  strings.Repeat("A: b\r\n", MaxFields+1) + "\r\n",
		"folding": "A: b\r\n" + strings.Repeat(" \n", MaxSize/2-100) + "\r\n",
	} {
		if h := Split([]byte(text)); !h.Large || h.Ended || len(h.Fields) > MaxFields {
			t.Errorf("%s: %d fields, large %v", name, len(h.Fields), h.Large)
		}
	}
}
