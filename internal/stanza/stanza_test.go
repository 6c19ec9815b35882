package stanza

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const table = "# a comment\nid: one\ncode: a\ncode:  b \r\n\n\n# between\nid: two\nexample: 550-first\n  550 second\n\tthird\n"
	rows, err := Parse(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(rows), 2; got != want {
		t.Fatalf("rows = %d, want %d", got, want)
	}
	if got, want := rows[0].All("code"), []string{"a", "b"}; !reflect.DeepEqual(got, want) {
		t.Errorf("codes = %q, want %q", got, want)
	}
	if got, want := rows[1].Get("example"), "550-first\n550 second\nthird"; got != want {
		t.Errorf("example = %q, want %q", got, want)
	}
	if got, want := rows[1].Line, 8; got != want {
		t.Errorf("second row begins on line %d, want %d", got, want)
	}
	if got := rows[0].Get("missing"); got != "" {
		t.Errorf("missing key = %q", got)
	}
}

func TestParseNamesTheLine(t *testing.T) {
	for _, tt := range []struct {
		name, table string
		line        int
	}{
		{"no colon", "id: a\nnonsense\n", 2},
		{"empty key", ": a\n", 1},
		{"capital key", "\n\nID: a\n", 3},
		{"continues nothing", "  text\n", 1},
		{"continuation after a blank line", "id: a\n\n  text\n", 3},
		{"not UTF-8", "id: a\nname: \xff\n", 2},
		{"long line", "id: a\nname: " + strings.Repeat("x", MaxLine) + "\n", 2},
	} {
		_, err := Parse(strings.NewReader(tt.table))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%s: error %v, want a SyntaxError", tt.name, err)
			continue
		}
		if syntax.Line != tt.line {
			t.Errorf("%s: line %d, want %d (%v)", tt.name, syntax.Line, tt.line, err)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk gone") }

func TestParsePassesOnReadErrors(t *testing.T) {
	if _, err := Parse(failing{}); err == nil || err.Error() != "disk gone" {
		t.Errorf("error = %v, want the reader's", err)
	}
}

func TestParseBoundsTheTable(t *testing.T) {
	line := "id: " + strings.Repeat("x", 8000) + "\n"
	if _, err := Parse(strings.NewReader(strings.Repeat(line, MaxSize/len(line)+2))); err == nil {
		t.Error("a table beyond MaxSize was read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("id: one\ncode: a\n\n# c\nid: two\n  more\n")
	f.Fuzz(func(t *testing.T, table string) {
		rows, err := Parse(strings.NewReader(table))
		if err != nil {
			return
		}
		for _, row := range rows {
			if len(row.Fields) == 0 {
				t.Fatalf("an empty row in %q", table)
			}
		}
	})
}
