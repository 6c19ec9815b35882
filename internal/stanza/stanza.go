// Package stanza reads the one text format of rebound's larger tables.
//
// A table is a sequence of rows. A row is a run of lines "key: value"; a blank
// line ends it. A line that begins with "#" is a comment. A line that begins
// with two spaces or a tab continues the value above it, joined with a line
// feed. A key may repeat within a row. Keys are lower-case letters, digits and
// hyphens; values are taken as they are, without the white space around them.
package stanza

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The limits of a table. They are far above any table that is written by hand.
const (
	MaxLine = 16 << 10 // bytes in one line
	MaxSize = 16 << 20 // bytes in one table
)

// A Field is one "key: value" with the number of the line it began on.
type Field struct {
	Key, Value string
	Line       int
}

// A Row is a run of fields; Line is the line of the first.
type Row struct {
	Fields []Field
	Line   int
}

// Get returns the first value of key, or "".
func (r Row) Get(key string) string {
	for _, f := range r.Fields {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// All returns every value of key, in order.
func (r Row) All(key string) []string {
	var all []string
	for _, f := range r.Fields {
		if f.Key == key {
			all = append(all, f.Value)
		}
	}
	return all
}

// Error returns a [SyntaxError] for the field or row that begins at line.
func Error(line int, format string, args ...any) error {
	return &SyntaxError{Line: line, Msg: fmt.Sprintf(format, args...)}
}

// A SyntaxError says which line of a table is wrong, and how.
type SyntaxError struct {
	Line int
	Msg  string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// Parse reads a whole table. The error is a [*SyntaxError] or what the reader
// returned.
func Parse(r io.Reader) ([]Row, error) {
	var (
		rows []Row
		open *Row
	)
	limited := &io.LimitedReader{R: r, N: MaxSize + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 4096), MaxLine)
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimRight(lines.Text(), " \t\r")
		switch {
		case !utf8.ValidString(line):
			return nil, Error(n, "is not UTF-8")
		case line == "":
			open = nil
		case line[0] == '#':
		case strings.HasPrefix(line, "  ") || line[0] == '\t':
			if open == nil {
				return nil, Error(n, "continues nothing")
			}
			last := &open.Fields[len(open.Fields)-1]
			last.Value += "\n" + strings.TrimLeft(line, " \t")
		default:
			key, value, ok := strings.Cut(line, ":")
			if !ok || !isKey(key) {
				return nil, Error(n, "is neither \"key: value\", a comment nor blank: %.40q", line)
			}
			if open == nil {
				rows = append(rows, Row{Line: n})
				open = &rows[len(rows)-1]
			}
			open.Fields = append(open.Fields, Field{Key: key, Value: strings.TrimSpace(value), Line: n})
		}
	}
	if limited.N <= 0 {
		return nil, Error(n, "the table is longer than %d bytes", MaxSize)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, Error(n+1, "is longer than %d bytes", MaxLine)
	} else if err != nil {
		return nil, err
	}
	return rows, nil
}

func isKey(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return s != ""
}
