package bounce

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the wanted reports anew")

// Every message in testdata/bounces is read as the report beside it says.
func TestBounces(t *testing.T) {
	files, err := filepath.Glob("testdata/bounces/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".eml"), func(t *testing.T) {
			message, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rep := ParseBytes(message)
			got := pretty(t, rep)
			wanted := strings.TrimSuffix(file, ".eml") + ".json"
			if *update {
				if err := os.WriteFile(wanted, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(wanted)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs (go test -update shows how in the diff); got\n%s", wanted, got)
			}
			back := &Report{}
			if err := json.Unmarshal(got, back); err != nil {
				t.Fatal(err)
			}
			if again := pretty(t, back); !bytes.Equal(again, got) {
				t.Errorf("the report reads back as\n%s\nwant\n%s", again, got)
			}
		})
	}
}

func pretty(t *testing.T, rep *Report) []byte {
	t.Helper()
	plain, err := plainJSON(rep)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, plain, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

// The same message with other line ends, and folded elsewhere, reads the same;
// so does the same one read a hundred times.
func TestBouncesInOtherDress(t *testing.T) {
	files, err := filepath.Glob("testdata/bounces/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		message, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(message, '\n') < 0 {
			continue // CR alone
		}
		message = bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))
		want := ParseBytes(message)
		for name, other := range map[string][]byte{
			"CRLF":           bytes.ReplaceAll(message, []byte("\n"), []byte("\r\n")),
			"unfolded":       bytes.ReplaceAll(message, []byte("\n    "), []byte(" ")),
			"folded by tabs": bytes.ReplaceAll(message, []byte("\n    "), []byte("\n\t")),
			"30 columns":     diagnostics.ReplaceAllFunc(message, func(field []byte) []byte { return folded(field, 30) }),
			"one line":       diagnostics.ReplaceAllFunc(message, func(field []byte) []byte { return folded(field, 1000) }),
		} {
			if name != "CRLF" && !bytes.Contains(message, []byte("Diagnostic-Code: smtp")) {
				continue // in a text for people white space means something
			}
			got := ParseBytes(other)
			if got.Kind != want.Kind || !reflect.DeepEqual(essence(got), essence(want)) {
				t.Errorf("%s, %s:\n got %v\nwant %v", filepath.Base(file), name, essence(got), essence(want))
			}
		}
		for range 100 {
			if got := ParseBytes(message); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s reads otherwise the second time", filepath.Base(file))
			}
		}
	}
}

var diagnostics = regexp.MustCompile(`(?m)^Diagnostic-Code:.*\n(?:[ \t]+.*\n)*`)

// folded folds a field anew.
func folded(field []byte, columns int) []byte {
	var out, line []byte
	for _, word := range bytes.Fields(field) {
		if len(line) > 0 && len(line)+len(word) > columns {
			out, line = append(append(out, line...), "\n    "...), nil
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		line = append(line, word...)
	}
	return append(append(out, line...), '\n')
}

// essence is what must not depend on the dress of a message.
func essence(rep *Report) []string {
	var all []string
	for _, r := range rep.Recipients {
		all = append(all, r.Address, r.FinalAddress, string(r.Action), r.Reply.Text, r.Status.String(), string(r.Reason), string(r.Permanence), r.Because.Rule)
	}
	return all
}
