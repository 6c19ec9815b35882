package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/rebound-mail/rebound/bounce"
)

// A message is one mail of the input, or why there is none.
type message struct {
	name string
	raw  []byte
	err  error
}

// messages calls yield for each mail in the named inputs: "-" for standard input,
// a file with a message, an mbox, a Maildir. A broken input is one message with
// an error, and the others are still read.
func (a *app) messages(names []string, yield func(message) error) error {
	for _, name := range names {
		var err error
		switch {
		case name == "-":
			err = readStream("-", a.in, yield)
		default:
			err = readPath(name, yield)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readPath(name string, yield func(message) error) error {
	info, err := os.Stat(name)
	if err != nil {
		return yield(message{name: name, err: errors.Unwrap(err)})
	}
	if info.IsDir() {
		return readMaildir(name, yield)
	}
	f, err := os.Open(name)
	if err != nil {
		return yield(message{name: name, err: errors.Unwrap(err)})
	}
	defer f.Close()
	return readStream(name, f, yield)
}

// readMaildir reads the messages of a Maildir, those of new before those of cur.
func readMaildir(dir string, yield func(message) error) error {
	found := false
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return yield(message{name: dir, err: err})
		}
		found = true
		sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
		for _, e := range entries {
			if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
				if err := readPath(filepath.Join(dir, sub, e.Name()), yield); err != nil {
					return err
				}
			}
		}
	}
	if !found {
		return yield(message{name: dir, err: errors.New("is a folder and no Maildir: it holds neither new nor cur")})
	}
	return nil
}

// readStream reads one message, or those of an mbox one by one. A message is kept
// up to the size that package bounce reads, and one byte more to tell that there
// was more.
func readStream(name string, r io.Reader, yield func(message) error) error {
	in := bufio.NewReaderSize(transform.NewReader(r, unicode.BOMOverride(transform.Nop)), 64<<10)
	head, err := in.Peek(5)
	if err != nil && len(bytes.TrimSpace(head)) == 0 {
		if errors.Is(err, io.EOF) {
			err = errors.New("is empty")
		}
		return yield(message{name: name, err: err})
	}
	if string(head) == "From " {
		return readMbox(name, in, yield)
	}
	var raw []byte
	end := false
	for count := 1; ; count++ {
		// What follows a message is read on before it is cut.
		if room := bounce.MaxSize + 1 - len(raw); !end && room > bounce.MaxSize/2 {
			more, err := io.ReadAll(io.LimitReader(in, int64(room)))
			if err != nil {
				return yield(message{name: name, err: err})
			}
			raw, end = append(bytes.Clone(raw), more...), len(more) < room
		}
		one, rest := cutMessage(raw)
		if err := yield(whole(numbered(name, count), one, nil)); err != nil || len(rest) == 0 {
			return err
		}
		raw = rest
	}
}

// numbered names a message of a file: from the second on, with its number.
func numbered(name string, count int) string {
	if count == 1 {
		return name
	}
	return fmt.Sprintf("%s#%d", name, count)
}

// boundaryOf finds the boundary of a multipart message in its header.
var boundaryOf = regexp.MustCompile(`(?i)^Content-Type:[^:]*?boundary="?([^"\r\n;]+)`)

// firstFields are those with which a message begins in a mailbox.
var firstFields = [][]byte{[]byte("Return-Path:"), []byte("Received:"), []byte("Delivered-To:"), []byte("X-Original-To:"), []byte("From:")}

// cutMessage cuts messages that were written one behind the other without any line
// between: the first ends where its closing delimiter is followed by blank lines
// and one of the fields with which a message begins. What has no delimiter is one
// message.
func cutMessage(raw []byte) (one, rest []byte) {
	end := headerEnd(raw)
	if end < 0 {
		return raw, nil
	}
	var boundary []byte
	for at := 0; at < end && boundary == nil; {
		if m := boundaryOf.FindSubmatch(raw[at:end]); m != nil {
			boundary = bytes.TrimSpace(m[1])
		}
		next := bytes.IndexByte(raw[at:end], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	if len(boundary) == 0 {
		return raw, nil
	}
	closing := []byte("\n--" + string(boundary) + "--")
	at := bytes.Index(raw[end:], closing)
	if at < 0 {
		return raw, nil
	}
	at += end + len(closing)
	tail := bytes.TrimLeft(raw[at:], "\r\n")
	for _, field := range firstFields {
		if len(tail) < len(raw)-at && bytes.HasPrefix(tail, field) {
			return raw[:at+1], tail
		}
	}
	return raw, nil
}

// headerEnd returns where the header of a message ends, or -1.
func headerEnd(raw []byte) int {
	for at := 0; ; {
		next := bytes.IndexByte(raw[at:], '\n')
		if next < 0 {
			return -1
		}
		if at > 0 && len(bytes.TrimRight(raw[at:at+next], "\r")) == 0 {
			return at
		}
		at += next + 1
	}
}

// whole checks that a text is a mail at all: it begins with a header field.
func whole(name string, raw []byte, err error) message {
	if err == nil && len(bytes.TrimSpace(raw)) == 0 {
		err = errors.New("is empty")
	}
	if err == nil && !beginsWithField(raw) {
		err = errors.New("is no mail message: it does not begin with a header field (an SMTP reply is given with -reply)")
	}
	return message{name: name, raw: raw, err: err}
}

// maxLead bounds what may stand before the first header field: blank lines, and
// lines "From " and ">From " of mailbox files.
const maxLead = 4 << 10

func beginsWithField(raw []byte) bool {
	for rest := raw[:min(len(raw), maxLead)]; len(rest) > 0; {
		end := bytes.IndexAny(rest, "\r\n")
		if end < 0 {
			end = len(rest)
		}
		line := bytes.TrimSpace(rest[:end])
		rest = rest[min(end+1, len(rest)):]
		if len(line) == 0 || bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From ")) {
			continue
		}
		return isField(line)
	}
	return false
}

func isField(line []byte) bool {
	name, _, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 {
		return false
	}
	for _, c := range bytes.TrimRight(name, " \t") {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// isFromLine tells the line that begins a message, "From sender date", from one of
// a text: it holds a time of day.
func isFromLine(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("From ")) {
		return false
	}
	colon := bytes.IndexByte(line, ':')
	return colon > 6 && colon+2 < len(line) && isDigit(line[colon-1]) && isDigit(line[colon+1]) && isDigit(line[colon+2])
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// readMbox splits at lines "From " that follow a blank line (RFC 4155).
func readMbox(name string, in *bufio.Reader, yield func(message) error) error {
	var (
		current []byte
		count   int
		blank   = true
		start   = true
	)
	emit := func() error {
		count++
		m := whole(numbered(name, count), current, nil)
		current = nil
		return yield(m)
	}
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			if start && blank && isFromLine(line) && len(current) > 0 {
				if err := emit(); err != nil {
					return err
				}
			}
			if len(current) <= bounce.MaxSize {
				current = append(current, line...)
			}
			if start {
				blank = len(bytes.TrimSpace(line)) == 0
			}
			start = line[len(line)-1] == '\n'
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return emit()
		case err != nil:
			return yield(message{name: name, err: err})
		}
	}
}
