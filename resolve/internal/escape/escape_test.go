package escape

import "testing"

func TestUndo(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain", "plain"},
		{`a\.b`, "a.b"},
		{`a\032b`, "a b"},
		{`\"q\"`, `"q"`},
		{`end\`, `end\`},
		{`\255`, "\xff"},
	} {
		if got := Undo(tt.in); got != tt.want {
			t.Errorf("Undo(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("a b\"\\;\xff")
	f.Fuzz(func(t *testing.T, s string) {
		if got := Undo(Name(s)); got != s {
			t.Errorf("Undo(Name(%q)) = %q", s, got)
		}
		if got := Undo(Text(s)); got != s {
			t.Errorf("Undo(Text(%q)) = %q", s, got)
		}
	})
}
