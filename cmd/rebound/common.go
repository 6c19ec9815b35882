package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/bounce"
	"github.com/rebound-mail/rebound/dnsbl"
	"github.com/rebound-mail/rebound/resolve"
)

// dnsFlags choose who answers questions to DNS.
func dnsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "server", Usage: "ask the DNS server at `ADDR`, such as 127.0.0.1:5353, in place of the machine's own"},
		&cli.StringFlag{Name: "zone", Usage: "answer DNS from `FILE`, a zone file (a name that it lacks does not exist; \";! NAME TYPE SERVFAIL\" is a fault) or a recording; ask no network"},
		&cli.BoolFlag{Name: "offline", Usage: "ask nothing at all"},
		&cli.StringFlag{Name: "record", Usage: "write every DNS answer to `FILE`, which -zone replays"},
		&cli.StringFlag{Name: "keys", Usage: "use the keys of paid block lists in `FILE`: a name (spamhaus-dqs, abusix, spamrats) and a key a line"},
		&cli.DurationFlag{Name: "timeout", Usage: "give the checks at most `DURATION`", Value: 10 * time.Second},
	}
}

// tableFlags add to the tables that the library carries.
func tableFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "rules", Usage: "read wordings of your own from `FILE`, in the form of the library's bounce/rules; one of the same id replaces it"},
		&cli.StringFlag{Name: "catalogue", Usage: "read block lists of your own from `FILE`, in the form of the library's dnsbl/lists.txt; one of the same id replaces it"},
	}
}

// rules are the library's and those of -rules.
func rules(c *cli.Command) (*bounce.Rules, error) {
	if file := c.String("rules"); file != "" {
		return fromFile(file, bounce.DefaultRules().With)
	}
	return bounce.DefaultRules(), nil
}

// catalogue is the library's and that of -catalogue; nil is the library's alone.
func catalogue(c *cli.Command) (*dnsbl.Catalogue, error) {
	file := c.String("catalogue")
	if file == "" {
		return nil, nil
	}
	own, err := fromFile(file, dnsbl.Parse)
	if err != nil {
		return nil, err
	}
	return own.With(dnsbl.Default()), nil
}

// fromFile reads a file; what is wrong with it is told with its name.
func fromFile[T any](file string, read func(io.Reader) (T, error)) (T, error) {
	f, err := os.Open(file)
	if err != nil {
		var none T
		return none, plainError(err)
	}
	defer f.Close()
	v, err := read(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return v, err
}

// outputFlags choose the form of the output.
func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "write JSON, one object a line"},
		&cli.BoolFlag{Name: "redact", Usage: "mask the local part of mail addresses in the output"},
		&cli.BoolFlag{Name: "exit-code", Usage: "exit with status 1 when something was found"},
	}
}

// dnsSource is who answers, with what to do at the end.
type dnsSource struct {
	resolve.Resolver
	close func() error
}

// diagnoser reads the flags of DNS and -now, and asks what resolver chooses. The source is
// to be closed in the end.
func (a *app) diagnoser(c *cli.Command, resolver func(*cli.Command) (dnsSource, error)) (*rebound.Diagnoser, dnsSource, error) {
	now, err := clock(c)
	if err != nil {
		return nil, dnsSource{}, err
	}
	keys, err := keysFile(c.String("keys"))
	if err != nil {
		return nil, dnsSource{}, err
	}
	wordings, err := rules(c)
	if err != nil {
		return nil, dnsSource{}, err
	}
	lists, err := catalogue(c)
	if err != nil {
		return nil, dnsSource{}, err
	}
	if c.Duration("timeout") <= 0 {
		return nil, dnsSource{}, errors.New("-timeout: the checks need some time")
	}
	source, err := resolver(c)
	if err != nil {
		return nil, dnsSource{}, err
	}
	return &rebound.Diagnoser{Resolver: source, Rules: wordings, Lists: lists, Keys: keys, Now: now, Timeout: c.Duration("timeout")}, source, nil
}

// resolver reads the DNS flags.
func (a *app) resolver(c *cli.Command) (dnsSource, error) {
	r, err := chosenResolver(c)
	if err != nil {
		return dnsSource{}, err
	}
	return recorded(r, c.String("record"))
}

// recorded writes to file, if one is given, what r was asked and answered.
func recorded(r resolve.Resolver, file string) (dnsSource, error) {
	if file == "" {
		return dnsSource{r, func() error { return nil }}, nil
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return dnsSource{}, plainError(err)
	}
	rec := &resolve.Recorder{Resolver: r}
	return dnsSource{rec, func() error {
		_, err := rec.WriteTo(f)
		return errors.Join(err, f.Close())
	}}, nil
}

func chosenResolver(c *cli.Command) (resolve.Resolver, error) {
	zone, server := c.String("zone"), c.String("server")
	switch {
	case zone != "" && server != "", c.Bool("offline") && (zone != "" || server != ""):
		return nil, errors.New("-zone, -server and -offline exclude each other")
	case zone != "" && zone == c.String("record"):
		return nil, errors.New("-record would overwrite the file that -zone reads")
	case c.Bool("offline"):
		return resolve.Offline{}, nil
	case zone != "":
		return fromFile(zone, resolve.Replay)
	case server != "":
		client, err := resolve.NewClient(server)
		if err != nil {
			return nil, err
		}
		return resolve.NewCache(client), nil
	}
	client, err := resolve.System()
	if err != nil {
		return resolve.Offline{Why: err}, nil // the checks say so
	}
	return resolve.NewCache(client), nil
}

// plainError takes the system call out of "open x: no such file or directory".
func plainError(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return err
}

// writer returns where output goes: through a mask with -redact.
func (a *app) writer(c *cli.Command) io.Writer {
	if c.Bool("redact") {
		return redactor{a.out, redact}
	}
	return a.out
}

// A redactor masks the local part of every mail address, quoted ones and those in
// URLs too. What is written to it in one call is whole.
type redactor struct {
	w    io.Writer
	mask func(string) string
}

var mailAddress = regexp.MustCompile(`(?:"[^"\n]{1,64}"|[\\\pL\pN!#$%&'*+=?^_{|}~.-]+)(@|%40|&#64;)(\[[0-9A-Fa-f.:]+\]|[\pL\pN-]+(?:\.[\pL\pN-]+)*)`)

// cutWord is a word, or a quotation, that the end of a line has cut: what is left
// of it may be part of an address.
var cutWord = regexp.MustCompile(`(?:"[^"\n]{0,64}|\S*)…`)

func redact(s string) string {
	return cutWord.ReplaceAllString(mailAddress.ReplaceAllString(s, "***$1$2"), "…")
}

// redactPeople masks addresses, and in what receivers wrote the local parts of the recipients
// where they stand alone: "user anna.smith not found".
func redactPeople(list ...*rebound.Diagnosis) func(string) string {
	names := map[string]bool{}
	replies := map[string]bool{}
	for _, d := range list {
		addresses := []string{d.Facts.Recipient.Value}
		for _, rec := range d.Recipients {
			addresses = append(addresses, rec.Address, rec.FinalAddress)
			if text := rebound.Plain(rec.Reply.Text); text != "" && len(replies) <= maxReplies {
				replies[text] = true
			}
		}
		for _, address := range addresses {
			if local, _, ok := strings.Cut(address, "@"); ok && local != "" {
				names[strings.ToLower(local)] = true
			}
		}
	}
	isName := func(word string) bool { return names[strings.ToLower(strings.Trim(word, "."))] }
	return func(s string) string {
		masked := redact(s)
		if !quotesOne(s, replies) {
			return masked
		}
		return nameWord.ReplaceAllStringFunc(masked, func(word string) string {
			if isName(word) {
				return "***"
			}
			return namePiece.ReplaceAllStringFunc(word, func(piece string) string {
				if isName(piece) {
					return "***"
				}
				return piece
			})
		})
	}
}

// maxReplies bounds the replies of which a text may be a quotation; of a report with more,
// every text is taken for one.
const maxReplies = 100

var (
	// nameWord is what a local part may be written with (RFC 5322, section 3.2.3), and what
	// else a word of a reply may hold.
	nameWord = regexp.MustCompile("[\\pL\\pN!#$%&'*+/=?^_`{|}~.-]+")
	// namePiece is what stands between the marks of a URL's query, or is a plain word.
	namePiece = regexp.MustCompile(`[^=?&/]+`)
)

// quotesOne reports whether a text holds the beginning of a reply, or is a piece of one.
func quotesOne(s string, replies map[string]bool) bool {
	if len(replies) > maxReplies {
		return true
	}
	text := rebound.Plain(s)
	if text == "" {
		return false
	}
	piece := strings.Contains(text, "://") || len(text) > 3 && strings.Contains(text, " ")
	for reply := range replies {
		const beginning = 24
		if strings.Contains(text, reply[:min(beginning, len(reply))]) || piece && strings.Contains(reply, text) {
			return true
		}
	}
	return false
}

func (r redactor) Write(b []byte) (int, error) {
	var masked []byte
	if json.Valid(b) {
		masked = escapeHidden(redactJSON(b, r.mask))
	} else {
		masked = []byte(r.mask(string(b)))
	}
	if _, err := r.w.Write(masked); err != nil {
		return 0, err
	}
	return len(b), nil
}

// jsonString is a string literal of JSON.
var jsonString = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// redactJSON masks within each string of a JSON text, so that it stays one.
func redactJSON(b []byte, mask func(string) string) []byte {
	return jsonString.ReplaceAllFunc(b, func(literal []byte) []byte {
		var s string
		if json.Unmarshal(literal, &s) != nil {
			return literal
		}
		masked := mask(s)
		if masked == s {
			return literal
		}
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		if e.Encode(masked) != nil {
			return []byte(`"***"`)
		}
		return bytes.TrimRight(out.Bytes(), "\n")
	})
}

// writeJSON writes one object on one line.
func writeJSON(w io.Writer, v any) error {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeHidden(buf.Bytes()))
	return err
}

// escapeHidden writes what a terminal would act on, and what reorders writing, as escapes
// of JSON: the value stays, and nothing happens where it is printed.
func escapeHidden(b []byte) []byte {
	var out bytes.Buffer
	for _, c := range string(b) {
		if c >= 0x7f && rebound.Plain(string(c)) == "" && !unicode.IsSpace(c) || c == 0x85 {
			fmt.Fprintf(&out, `\u%04x`, c)
			continue
		}
		out.WriteRune(c)
	}
	return out.Bytes()
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// clock is the one that -now sets, or the machine's.
func clock(c *cli.Command) (func() time.Time, error) {
	s := c.String("now")
	if s == "" {
		return time.Now, nil
	}
	t, err := readTime("now", s)
	return func() time.Time { return t }, err
}

// readTime reads RFC 3339, or a date.
func readTime(flag, s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("-%s: %q is no time such as 2026-11-24T12:00:00Z", flag, s)
}
