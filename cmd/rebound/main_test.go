package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rebound-mail/rebound/resolve/resolvetest"
)

// command runs the command and returns what it wrote and its exit status.
func command(t *testing.T, in string, args ...string) (out, errOut string, status int) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(context.Background(), append([]string{"rebound"}, args...), strings.NewReader(in), &o, &e)
	return o.String(), e.String(), status
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const reply = "554 5.7.1 Service unavailable; Client host [198.51.100.23] blocked using bl.spamcop.net"

const spamcop = "2.0.0.127.bl.spamcop.net. A 127.0.0.2\n23.100.51.198.bl.spamcop.net. A 127.0.0.2\n"

func TestDemonstration(t *testing.T) {
	out, errOut, status := command(t, "", "diagnose")
	if status != exitDone || !strings.Contains(errOut, "this is the demonstration") {
		t.Fatalf("status %d, %q", status, errOut)
	}
	for _, want := range []string{
		"198.51.100.23 is on Spamhaus XBL", "page: https://check.spamhaus.org/", "record: 23.100.51.198.in-addr.arpa. PTR mail.shop.example.",
		": 554 5.7.1 Service unavailable", "DNS: 23.100.51.198.zen.spamhaus.org A: 127.0.0.4",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the demonstration lacks %q:\n%s", want, out)
		}
	}
	if again, _, _ := command(t, "", "diagnose"); again != out {
		t.Error("a second run differs")
	}
}

// The README shows what the command prints.
func TestREADMEShowsTheDemonstration(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(readme), "$ rebound diagnose bounce.eml\n")
	shown, _, ok := strings.Cut(shown, "\n…\n")
	if out, _, _ := command(t, "", "diagnose"); !ok || !strings.HasPrefix(out, shown) {
		t.Errorf("the README shows\n%s\nthe command prints\n%s", shown, out)
	}
	if n := strings.Count(string(readme), "\n"); n > 120 {
		t.Errorf("the README has %d lines, at most 120 are wanted", n)
	}
}

func TestDiagnoseReplyAndExitCode(t *testing.T) {
	zone := file(t, "zone", spamcop)
	out, _, status := command(t, "", "diagnose", "-reply", reply, "-zone", zone, "-json", "-exit-code")
	var d struct {
		Headline map[string]string `json:"headline"`
		Causes   []struct{ Kind, State string }
		Schema   int
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if status != exitFound || d.Schema != 1 || len(d.Causes) == 0 || d.Causes[0].Kind != "ip-listed" || d.Causes[0].State != "confirmed" || d.Headline["they"] == "" {
		t.Errorf("status %d, %+v", status, d)
	}
}

func TestDiagnoseFlagsAfterFiles(t *testing.T) {
	bounce := file(t, "b.eml", string(demoBounce))
	out, errOut, status := command(t, "", "diagnose", bounce, "-json", "-offline")
	if status != exitDone || !strings.HasPrefix(out, "{") {
		t.Errorf("status %d, %q, %q", status, out, errOut)
	}
}

func TestRecordAndReplay(t *testing.T) {
	zone := resolvetest.New(t, demoZone)
	server := resolvetest.Serve(t, zone)
	bounce := file(t, "b.eml", string(demoBounce))
	recording := filepath.Join(t.TempDir(), "dns.rec")
	live, errOut, status := command(t, "", "diagnose", "-server", server, "-record", recording, "-now", "2026-11-24T12:00:00Z", bounce)
	if status != exitDone {
		t.Fatalf("status %d: %s", status, errOut)
	}
	asked := len(zone.Asked())
	for _, form := range [][]string{nil, {"-json"}} {
		want, _, _ := command(t, "", append([]string{"diagnose", "-zone", recording, "-now", "2026-11-24T12:00:00Z", bounce}, form...)...)
		if form == nil && want != live {
			t.Errorf("the replay prints\n%s\nwant\n%s", want, live)
		}
		again, _, _ := command(t, "", append([]string{"diagnose", "-zone", recording, "-now", "2026-11-24T12:00:00Z", bounce}, form...)...)
		if again != want {
			t.Error("a second replay differs")
		}
	}
	if len(zone.Asked()) != asked {
		t.Error("the replay asked the server")
	}
}

func TestBounce(t *testing.T) {
	out, errOut, status := command(t, string(demoBounce), "bounce", "-json", "-")
	var line struct {
		File       string
		Kind       string
		Recipients []map[string]any
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil {
		t.Fatal(err)
	}
	if status != exitDone || errOut != "" || line.File != "-" || line.Kind != "failure" || len(line.Recipients) != 1 {
		t.Fatalf("status %d, %q, %+v", status, errOut, line)
	}
	for key, want := range map[string]any{"recipient": "anna@recipient.example", "action": "failed", "status": "5.7.1", "reply": "554", "reason": "ip-listed", "category": "listed", "permanence": "permanent", "response": "delist", "suppress": false, "provider": ""} {
		if got := line.Recipients[0][key]; got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	text, _, _ := command(t, string(demoBounce), "bounce", "-")
	if !strings.Contains(text, "anna@recipient.example: failed, ip-listed, permanent") {
		t.Errorf("text: %s", text)
	}
}

func TestBounceReadsMailboxes(t *testing.T) {
	mbox := file(t, "b.mbox", "From MAILER-DAEMON Tue Nov 24 10:10:02 2026\n"+string(demoBounce)+"\nFrom x Tue Nov 24 10:10:02 2026\nFrom: a@b.example\nSubject: Lunch\n\nNo bounce.\n")
	out, _, status := command(t, "", "bounce", mbox)
	if status != exitDone || !strings.Contains(out, "b.mbox: failure") || !strings.Contains(out, "b.mbox#2: other") {
		t.Errorf("mbox: status %d\n%s", status, out)
	}
	dir := t.TempDir()
	for _, sub := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, sub, "1"), demoBounce, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, _, _ := command(t, "", "bounce", dir); strings.Count(out, ": failure") != 2 {
		t.Errorf("maildir: %s", out)
	}
}

func TestBounceReadsOneMessageWithAFromLine(t *testing.T) {
	cr := file(t, "cr.eml", strings.ReplaceAll("From MAILER-DAEMON Tue Nov 24 10:10:02 2026\n"+string(demoBounce), "\n", "\r"))
	quoting := file(t, "quoting.eml", "From MAILER-DAEMON Tue Nov 24 10:10:02 2026\n"+string(demoBounce)+"\nFrom the desk of Anna\n")
	for _, f := range []string{cr, quoting} {
		if out, errOut, status := command(t, "", "bounce", f); status != exitDone || !strings.HasPrefix(out, f+": failure") {
			t.Errorf("status %d, %q, %q", status, out, errOut)
		}
	}
}

func TestDiagnoseJSONNamesItsFile(t *testing.T) {
	good := file(t, "good.eml", string(demoBounce))
	empty := file(t, "empty.eml", "")
	out, _, status := command(t, "", "diagnose", "-offline", "-json", empty, good)
	var names []string
	for line := range strings.Lines(out) {
		var d struct{ File, Error string }
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.Base(d.File)+" "+d.Error)
	}
	if want := "empty.eml is empty, good.eml "; status != exitDone || strings.Join(names, ", ") != want {
		t.Errorf("status %d, %q, want %q", status, strings.Join(names, ", "), want)
	}
}

func TestDNSBL(t *testing.T) {
	zone := file(t, "zone", spamcop)
	out, errOut, status := command(t, "", "dnsbl", "-zone", zone, "-json", "198.51.100.23")
	found := false
	for line := range strings.Lines(out) {
		var r struct{ List, Zone, Status, Action, Delist, Weight string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		found = found || r.Zone == "bl.spamcop.net" && r.Status == "listed" && r.Action == "block" && r.Weight == "high" && r.Delist != ""
	}
	if status != exitDone || errOut != "" || !found {
		t.Errorf("status %d, %q\n%s", status, errOut, out)
	}
	lists := file(t, "lists.txt", "# mine\nbl.one.test\nbl.two.test  # both\n")
	own := file(t, "own.zone", "2.0.0.127.bl.one.test. A 127.0.0.2\n23.100.51.198.bl.one.test. A 127.0.0.9\n;! *.bl.two.test ANY SERVFAIL\n")
	out, _, status = command(t, "", "dnsbl", "-zone", own, "-lists", lists, "-exit-code", "198.51.100.23")
	if status != exitFound || !strings.Contains(out, "198.51.100.23: listed on 1, clean on 0, 1 gave no answer\n  medium  LISTED   bl.one.test  127.0.0.9 listed\n") {
		t.Errorf("own lists: status %d\n%s", status, out)
	}
}

// ownZone holds two lists of the caller's and some addresses of 198.51.100.16/28.
const ownZone = "2.0.0.127.bl.one.test. A 127.0.0.2\n2.0.0.127.bl.two.test. A 127.0.0.2\n" +
	"17.100.51.198.bl.one.test. A 127.0.0.9\n18.100.51.198.bl.one.test. A 127.0.0.9\n18.100.51.198.bl.two.test. A 127.0.0.2\n" +
	"18.100.51.198.bl.two.test. TXT \"\\027[31mlook at https://two.test/\"\n;! 20.100.51.198.bl.two.test ANY SERVFAIL\n"

func TestDNSBLNetwork(t *testing.T) {
	zone, lists := file(t, "own.zone", ownZone), file(t, "lists", "bl.one.test\nbl.two.test\n")
	out, errOut, status := command(t, "198.51.100.18 # from a pipe\n", "dnsbl", "-zone", zone, "-lists", lists, "198.51.100.16/28", "-")
	if status != exitDone || errOut != "" {
		t.Fatalf("status %d, %q", status, errOut)
	}
	for _, want := range []string{
		"198.51.100.17: listed on 1, clean on 1\n", "198.51.100.18: listed on 2, clean on 0\n", "127.0.0.2 listed; it says: [31mlook at https://two.test/\n",
		"16 targets, 2 of them on block lists\n", "bl.one.test lists 2 of them\n", "no usable answer about 1 of them from bl.two.test: the resolver answered SERVFAIL\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "198.51.100.19") || strings.ContainsRune(out, 0x1b) {
		t.Errorf("it tells of an address that is on no list, or writes a control character:\n%s", out)
	}
	out, _, status = command(t, "", "dnsbl", "-zone", zone, "-lists", lists, "-json", "198.51.100.16/28")
	if lines := strings.Count(out, "\n"); status != exitDone || lines != 32 {
		t.Errorf("status %d, %d lines of JSON, want one for each of 16 addresses and 2 lists", status, lines)
	}
	if first, _, _ := strings.Cut(out, "\n"); !strings.Contains(first, `"target":"198.51.100.16","list":"bl.one.test"`) {
		t.Errorf("the first line is %s", first)
	}
}

func TestDNSBLOwnStanzas(t *testing.T) {
	lists := file(t, "lists", "# ours\n\nid: ours\nzone: bl.one.test\nname: Our list\nkinds: ipv4\naction: block\nstatus: alive\nweight: high\ncode: 127.0.0.9 [spam] seen by our traps\nremoval: https://one.test/remove\nsource: us\n")
	out, _, status := command(t, "", "dnsbl", "-zone", file(t, "zone", ownZone), "-lists", lists, "198.51.100.17")
	if status != exitDone || !strings.Contains(out, "high  LISTED  bl.one.test  127.0.0.9 seen by our traps") || !strings.Contains(out, "https://one.test/remove") {
		t.Errorf("status %d\n%s", status, out)
	}
}

func TestDNSBLKeys(t *testing.T) {
	const key = "s3cr3tkeyofacustomer"
	zone := file(t, "zone", "2.0.0.127."+key+".zen.dq.spamhaus.net. A 127.0.0.2\n25.100.51.198."+key+".zen.dq.spamhaus.net. A 127.0.0.11\n25.100.51.198."+key+".zen.dq.spamhaus.net. TXT \"asked with "+key+"\"\n")
	keys, rec := file(t, "keys", "# mine\nspamhaus-dqs "+key+"\n"), file(t, "rec", "")
	all := ""
	for _, args := range [][]string{{"-json"}, {"-all"}, {"-catalogue"}, {"-record", rec}, {"-zone", rec}} {
		if args[0] != "-zone" {
			args = append(args, "-zone", zone)
		}
		out, errOut, status := command(t, "", append(append([]string{"dnsbl", "-keys", keys}, args...), "198.51.100.25")...)
		if status != exitDone || args[0] != "-catalogue" && !strings.Contains(out, "127.0.0.11") {
			t.Errorf("%v: status %d, %s\n%s", args, status, errOut, out)
		}
		all += out + errOut
	}
	out, errOut, status := command(t, "", "diagnose", "-keys", keys, "-zone", zone, "-record", rec+"2", "-json", "-reply", "554 5.7.1 Client host [198.51.100.25] blocked using zen.spamhaus.org")
	if status != exitDone || !strings.Contains(out, "25.100.51.198.{key}.zen.dq.spamhaus.net A: 127.0.0.11") {
		t.Errorf("diagnose: status %d, %s\n%s", status, errOut, out)
	}
	all += out + errOut
	raw, err := os.ReadFile(rec)
	if err != nil {
		t.Fatal(err)
	}
	raw2, err := os.ReadFile(rec + "2")
	if err != nil {
		t.Fatal(err)
	}
	all += string(raw2)
	_, errOut, status = command(t, "", "dnsbl", "-keys", file(t, "bad", "spamhaus-dqs "+key+" "+key+"\n"), "198.51.100.25")
	if status != exitNothing {
		t.Errorf("bad keys: status %d", status)
	}
	if all += string(raw) + errOut; strings.Contains(strings.ToLower(all), key) || !strings.Contains(string(raw), "{key}") {
		t.Errorf("the key is shown:\n%s", all)
	}
}

func TestDNSBLCatalogue(t *testing.T) {
	out, _, status := command(t, "", "dnsbl", "-all", "-catalogue")
	var lists []struct{ ID, Zone, Status, Weight string }
	if err := json.Unmarshal([]byte(out), &lists); err != nil || status != exitDone || len(lists) < 150 || lists[0].ID != "spamhaus-zen" || lists[0].Weight != "high" {
		t.Errorf("status %d, %v, %d lists", status, err, len(lists))
	}
}

func TestDNSBLWatch(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		zone, lists := file(t, "own.zone", ownZone+";! *.bl.two.test ANY SERVFAIL\n"), file(t, "lists", "bl.one.test\nbl.two.test\n")
		args := []string{"rebound", "dnsbl", "-zone", zone, "-lists", lists, "-watch", "1h", "198.51.100.17"}
		want := "listed   198.51.100.17 on bl.one.test (medium) 127.0.0.9 listed\n"
		if asJSON {
			args = append(args[:2:2], append([]string{"-json"}, args[2:]...)...)
			want = `"change":"listed","result":{"target":"198.51.100.17"`
		}
		// The first round ends with the listing; then the user interrupts.
		out := &interrupter{after: want, interrupt: cancel}
		var errOut bytes.Buffer
		if status := run(ctx, args, strings.NewReader(""), out, &errOut); status != exitDone {
			t.Errorf("status %d, %s", status, errOut.String())
		}
		if got := out.String(); !strings.Contains(got, want) || !strings.Contains(got, "ill") {
			t.Errorf("wrote %q, want %q and the list that is ill", got, want)
		}
	}
}

// An interrupter calls interrupt when a text has been written.
type interrupter struct {
	bytes.Buffer
	after     string
	interrupt func()
}

func (w *interrupter) Write(b []byte) (int, error) {
	n, err := w.Buffer.Write(b)
	if strings.Contains(w.String(), w.after) {
		w.interrupt()
	}
	return n, err
}

func TestRedact(t *testing.T) {
	for _, args := range [][]string{{"diagnose", "-redact"}, {"diagnose", "-redact", "-json"}, {"bounce", "-redact", "-json", "-"}, {"bounce", "-redact", "-"}} {
		out, _, _ := command(t, string(demoBounce), args...)
		if strings.Contains(out, "anna@") || strings.Contains(out, "office@") || !strings.Contains(out, "***@recipient.example") {
			t.Errorf("%v shows an address:\n%s", args, out)
		}
	}
}

func TestRedactEveryForm(t *testing.T) {
	const reply = `@recipient.example: 550 5.1.1 <anna@recipient.example> anna@[192.0.2.1] anna&#64;recipient.example "joe smith"@recipient.example https://page.example/?r=anna%40recipient.example no such user`
	for _, args := range [][]string{{"bounce", "-redact", "-json", "-reply", reply}, {"bounce", "-redact", "-reply", reply}, {"diagnose", "-offline", "-redact", "-json", "-reply", reply}} {
		out, _, _ := command(t, "", args...)
		if args[2] == "-json" && !json.Valid([]byte(out)) || args[0] == "diagnose" && !json.Valid([]byte(out)) {
			t.Errorf("%v: no JSON: %s", args, out)
		}
		if strings.Contains(out, "anna") || strings.Contains(out, "joe") || !strings.Contains(out, "https://page.example/") {
			t.Errorf("%v:\n%s", args, out)
		}
	}
	for _, form := range []string{"-json", "-markdown", "-now=2026-11-24"} {
		for _, name := range []string{"anna.smith", "bob", "rené", "recipient", "shop"} {
			out, _, _ := command(t, "", "diagnose", "-offline", "-redact", form, "-reply", "550 5.1.1 User unknown ("+name+"), see https://x.example/?u="+name+"&b=1", "-recipient", name+"@recipient.example")
			if strings.Contains(out, "("+name) || strings.Contains(out, "="+name) || !strings.Contains(out, "User unknown (***)") || !strings.Contains(out, "***@recipient.example does not exist") && form != "-markdown" {
				t.Errorf("%s names %s: %s", form, name, out)
			}
		}
	}
	// On a page and in Markdown, what a local part may hold is written as entities.
	for _, address := range []string{"anna+joe@recipient.example", `"anna joe"@recipient.example`, "anna&joe@recipient.example", "anna'joe@recipient.example"} {
		out, _, _ := command(t, "", "diagnose", "-offline", "-redact", "-html", "-", "-reply", "550 5.1.1 <"+address+"> no such user", "-recipient", address)
		if strings.Contains(out, "anna") || strings.Contains(out, "joe") || !strings.Contains(out, "***@recipient.example") {
			t.Errorf("the page of %s:\n%s", address, out)
		}
		out, _, _ = command(t, "", "diagnose", "-offline", "-redact", "-markdown", "-reply", "550 5.1.1 <"+address+"> no such user", "-recipient", address)
		if strings.Contains(out, "anna") || strings.Contains(out, "joe") || !strings.Contains(out, "\n1. **\\*\\*\\*&#64;recipient.example does not exist**") {
			t.Errorf("the Markdown of %s:\n%s", address, out)
		}
	}
}

// What cannot be read is one line that names the input and the fault; what else is
// given is still done.
func TestBadInput(t *testing.T) {
	good := file(t, "good.eml", string(demoBounce))
	empty := file(t, "empty.eml", "")
	picture := file(t, "picture.png", "\x89PNG\r\n\x1a\n\x00\x00")
	folder := t.TempDir()
	missing := filepath.Join(folder, "missing")
	zone := file(t, "zone", "a.example. A 192.0.2.300\n")
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"bounce", empty}, exitNothing, empty + ": is empty"},
		{[]string{"bounce", empty, good}, exitDone, empty + ": is empty"},
		{[]string{"bounce", picture}, exitNothing, picture + ": is no mail message"},
		{[]string{"bounce", folder}, exitNothing, folder + ": is a folder and no Maildir"},
		{[]string{"bounce", missing, good}, exitDone, missing + ": no such file"},
		{[]string{"bounce"}, exitNothing, "no file given"},
		{[]string{"bounce", "-"}, exitNothing, "-: is empty"},
		{[]string{"diagnose", "-offline", empty}, exitNothing, empty + ": is empty"},
		{[]string{"diagnose", "-zone", zone, good}, exitNothing, zone},
		{[]string{"diagnose", "-zone", missing, good}, exitNothing, missing},
		{[]string{"diagnose", "-server", "nowhere", good}, exitNothing, "\"nowhere\" is no address"},
		{[]string{"diagnose", "-ip", "1.2.3", "-reply", "550 no"}, exitNothing, "-ip: \"1.2.3\" is no address"},
		{[]string{"diagnose", "-now", "soon", "-reply", "550 no"}, exitNothing, "-now: \"soon\" is no time"},
		{[]string{"diagnose", "-control", "me", "-reply", "550 no"}, exitNothing, "-control"},
		{[]string{"diagnose", "-own-address", "me", "-reply", "550 no"}, exitNothing, "-own-address"},
		{[]string{"diagnose", "-bounced", "then", "-reply", "550 no"}, exitNothing, "-bounced"},
		{[]string{"diagnose", "-message", missing, "-reply", "550 no"}, exitNothing, missing},
		{[]string{"diagnose", "-reply", "550 no", good}, exitNothing, "exclude each other"},
		{[]string{"diagnose", "-reply", "", "-ip", "198.51.100.3"}, exitNothing, "-reply is given, and is empty"},
		{[]string{"diagnose", "-zone", good, "-server", "127.0.0.1", good}, exitNothing, "exclude each other"},
		{[]string{"diagnose", "-reply", ""}, exitNothing, "-reply is given"},
		{[]string{"diagnose", "-ip", "198.51.100.7"}, exitNothing, "-ip is given"},
		{[]string{"diagnose", "-zone", good, "-record", good, good}, exitNothing, "would overwrite"},
		{[]string{"diagnose", "-offline", "-record", filepath.Join(missing, "x"), good}, exitNothing, missing},
		{[]string{"diagnose", "-offline", "-zone", missing, good}, exitNothing, "exclude each other"},
		{[]string{"diagnoze"}, exitNothing, "there is no command \"diagnoze\""},
		{[]string{"diagnose", "-colour"}, exitNothing, "colour"},
		{[]string{"dnsbl"}, exitNothing, "no address, network or domain given"},
		{[]string{"dnsbl", "-offline", "198.51.100.300"}, exitNothing, "198.51.100.300"},
		{[]string{"dnsbl", "-offline", "-all", "-lists", file(t, "one", "bl.one.test ipv4\n"), "198.51.100.3"}, exitNothing, "exclude each other"},
		{[]string{"dnsbl", "-offline", "-lists", file(t, "odd", "bl.one.test ipv5\n"), "198.51.100.3"}, exitNothing, "line 1"},
		{[]string{"dnsbl", "-offline", "-watch", "-5s", "198.51.100.3"}, exitNothing, "-watch"},
		{[]string{"dnsbl", "-offline", "-keys", file(t, "two", "nobody key\n"), "198.51.100.3"}, exitNothing, "the names are spamhaus-dqs, abusix"},
		{[]string{"dnsbl", "-offline", "anna@shop.example"}, exitNothing, "its domain, shop.example"},
		{[]string{"dnsbl", "-offline", "100.64.0.1"}, exitNothing, "private address"},
		{[]string{"dnsbl", "-offline", "10.0.0.0/8"}, exitNothing, "more than 65536 addresses"},
		{[]string{"dnsbl", "-offline", "10.0.0.0/24"}, exitNothing, "private network"},
		{[]string{"dnsbl", "-offline", "-keys", empty + ".none", "198.51.100.3"}, exitNothing, "no such file"},
		{[]string{"dnsbl", "-offline", "-lists", empty, "198.51.100.3"}, exitNothing, "holds no zone"},
		{[]string{"dnsbl", "-offline", "-lists", missing, "198.51.100.3"}, exitNothing, missing},
	} {
		out, errOut, status := command(t, "", tt.args...)
		if status != tt.status || !strings.Contains(errOut, tt.want) {
			t.Errorf("%v: status %d, %q; want %d, %q", tt.args, status, errOut, tt.status, tt.want)
		}
		if first, rest, _ := strings.Cut(errOut, "\n"); !strings.HasPrefix(first, "rebound: ") || strings.Count(rest, "\n") > 1 {
			t.Errorf("%v: standard error is %q", tt.args, errOut)
		}
		if status == exitDone && !strings.Contains(out, "anna@recipient.example") {
			t.Errorf("%v: the good file was not done: %s", tt.args, out)
		}
	}
}

func TestLargeBounce(t *testing.T) {
	big := file(t, "big.eml", string(demoBounce)+strings.Repeat("x", 40<<20))
	out, _, status := command(t, "", "diagnose", "-offline", big)
	if status != exitDone || !strings.Contains(out, "Not read: what lies beyond 32 MiB.") {
		t.Errorf("status %d\n%s", status, out)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"diagnose", "-h"}, {"bounce", "-h"}, {"dnsbl", "-h"}, {"-version"}} {
		out, errOut, status := command(t, "", args...)
		if status != exitDone || errOut != "" || !strings.Contains(out, "rebound") {
			t.Errorf("%v: status %d, %q, %q", args, status, out, errOut)
		}
	}
}

// Whatever is cut apart is whole when joined: no octet is lost but blank lines.
func FuzzCutMessage(f *testing.F) {
	one := "From: MAILER-DAEMON@mx.shop.example\nContent-Type: multipart/report; boundary=\"b\"\n\n--b\n\nno\n--b--\n"
	f.Add([]byte(one + "\n" + one))
	f.Add([]byte(strings.ReplaceAll(one+"\n\n"+one, "\n", "\r\n")))
	f.Add([]byte("Content-Type: multipart/mixed;\n boundary=\"\n\n\n--\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var joined []byte
		for rest := raw; len(rest) > 0; {
			var one []byte
			one, rest = cutMessage(rest)
			if len(one) == 0 {
				t.Fatal("a cut that takes nothing")
			}
			joined = append(joined, one...)
		}
		bare := func(b []byte) string { return strings.NewReplacer("\r", "", "\n", "").Replace(string(b)) }
		if bare(joined) != bare(raw) {
			t.Fatalf("%q became %q", raw, joined)
		}
	})
}

func TestDiagnoseWritesReports(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	var out, errOut bytes.Buffer
	status := run(t.Context(), []string{"rebound", "diagnose", "-html", file, "-markdown", "-redact"}, strings.NewReader(""), &out, &errOut)
	page, err := os.ReadFile(file)
	if status != exitDone || err != nil || !strings.Contains(string(page), "<h1>mx1.recipient.example refused mail") || strings.Contains(string(page), "anna") {
		t.Errorf("status %d, %v, the page:\n%.600s", status, err, page)
	}
	if !strings.HasPrefix(out.String(), "# mx1.recipient.example refused") || strings.Contains(out.String(), "anna") {
		t.Errorf("Markdown:\n%.600s", out.String())
	}
	out.Reset()
	status = run(t.Context(), []string{"rebound", "diagnose", "-html", "-"}, strings.NewReader(""), &out, &errOut)
	if status != exitDone || !strings.HasPrefix(out.String(), "<!doctype html>") || strings.Contains(out.String(), "Refused   ") {
		t.Errorf("status %d, the page on standard output:\n%.300s", status, out.String())
	}
}

func TestRecheck(t *testing.T) {
	dir := t.TempDir()
	file, zone := filepath.Join(dir, "case.json"), filepath.Join(dir, "zone.txt")
	var out, errOut bytes.Buffer
	if status := run(t.Context(), []string{"rebound", "diagnose", "-json"}, strings.NewReader(""), &out, &errOut); status != exitDone {
		t.Fatal(status, errOut.String())
	}
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	recheck := func(dns string, args ...string) (int, string, string) {
		if err := os.WriteFile(zone, []byte(dns), 0o600); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		errOut.Reset()
		status := run(t.Context(), append([]string{"rebound", "recheck", "-zone", zone, "-now", "2026-11-27", "-exit-code"}, args...), strings.NewReader(""), &out, &errOut)
		return status, out.String(), errOut.String()
	}
	status, text, _ := recheck(demoZone, file)
	if status != exitFound || !strings.HasPrefix(text, "Send again  no. Hold mail from 198.51.100.23") || !strings.Contains(text, "5. [not yet] ") {
		t.Errorf("still listed: status %d\n%s", status, text)
	}
	var gone strings.Builder
	for line := range strings.Lines(demoZone) {
		if !strings.HasPrefix(line, "23.100.51.198.zen") {
			gone.WriteString(line)
		}
	}
	status, text, _ = recheck(gone.String(), file)
	if status != exitFound || !strings.HasPrefix(text, "Send again  send one test first.") || !strings.Contains(text, "6. [now due] you: Then send one test") || !strings.Contains(text, "only who looked for it knows") && !strings.Contains(text, "3. [only you know] you: Find") {
		t.Errorf("off the list: status %d\n%s", status, text)
	}
	if _, text, _ = recheck(gone.String(), "-json", "-redact", file); !strings.Contains(text, `"resume":"test"`) || strings.Contains(text, "anna@") {
		t.Errorf("JSON:\n%s", text)
	}
	for name, raw := range map[string]string{"it is empty": "", "no output of rebound diagnose": "{", "does not say what it was made on": "{}", "schema 9": `{"schema":9}`} {
		if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, _, why := recheck(demoZone, file); status != exitNothing || !strings.Contains(why, name) {
			t.Errorf("%q: status %d, %s", raw, status, why)
		}
	}
	if status, _, why := recheck(demoZone); status != exitNothing || !strings.Contains(why, "no file given") {
		t.Errorf("no file: %d, %s", status, why)
	}
}

func TestTriage(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	zone, gone := write("zone.txt", demoZone), filepath.Join(dir, "gone.txt")
	folder := filepath.Dir(write("mail/a.eml", string(demoBounce)))
	write("mail/more/b.eml", string(demoBounce))
	write("mail/c.eml", "no mail")
	log := write("mail.log", `Nov 24 10:00:00 mx postfix/smtp[71]: 4F2A1: to=<u1@recipient.example>, relay=mx1.recipient.example[192.0.2.25]:25, delay=1, delays=0/0/1/0, dsn=5.1.1, status=bounced (host mx1.recipient.example[192.0.2.25] said: 550 5.1.1 <u1@recipient.example>: Recipient address rejected: User unknown (in reply to RCPT TO command))
Nov 24 10:00:01 mx postfix/smtp[71]: 4F2A2: to=<u2@recipient.example>, relay=mx1.recipient.example[192.0.2.25]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)
Nov 24 10:00:02 mx postfix/smtp[72]: 4F2A3: to=<u3@recipient.example>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (connect to mx1.recipient.example[192.0.2.25]:25: Connection timed out)
`)
	triage := func(args ...string) (int, string, string) {
		var out, errOut bytes.Buffer
		status := run(t.Context(), append([]string{"rebound", "triage", "-zone", zone, "-now", "2026-11-24T12:00:00Z"}, args...), strings.NewReader(""), &out, &errOut)
		return status, out.String(), errOut.String()
	}
	status, text, why := triage("-suppress", gone, folder, log)
	for _, want := range []string{
		"4 bounces in 3 groups; 1 address to suppress, 2 to keep.\n",
		"1. 2 refusals: ip-listed by zen.spamhaus.org of 198.51.100.23", "why: 198.51.100.23 is on Spamhaus XBL", "first: You: Hold the queue",
		"1 refusal: unknown-recipient at recipient.example", "1 refusal: network",
	} {
		if status != exitDone || !strings.Contains(text, want) {
			t.Errorf("status %d, no %q in\n%s%s", status, want, text, why)
		}
	}
	if !strings.Contains(why, "c.eml") {
		t.Errorf("what could not be read: %s", why)
	}
	if list, err := os.ReadFile(gone); err != nil || string(list) != "u1@recipient.example\n" {
		t.Errorf("to suppress: %q, %v", list, err)
	}
	var lines bytes.Buffer
	if status := run(t.Context(), []string{"rebound", "bounce", "-json", filepath.Join(folder, "a.eml")}, strings.NewReader(""), &lines, &lines); status != exitDone {
		t.Fatal(lines.String())
	}
	reports := write("reports.jsonl", lines.String()+lines.String())
	if _, text, _ := triage("-groups", "0", reports); !strings.Contains(text, "2 bounces in 1 group;") || strings.Contains(text, "why:") {
		t.Errorf("reports:\n%s", text)
	}
	if _, text, _ := triage("-json", "-redact", reports); !strings.Contains(text, `"count":2`) || strings.Contains(text, "anna@") {
		t.Errorf("JSON:\n%.800s", text)
	}
	if status, _, why := triage(write("labels.jsonl", `{"file":"a.eml","reason":"x"}`)); status != exitNothing || !strings.Contains(why, "labels.jsonl: it is JSON, and of no sending service that is known") {
		t.Errorf("other JSON: %d, %s", status, why)
	}
	rules := write("rules.txt", "id: own-house\nmatch: house rule\nscope: any\nreason: attachment\nmeaning: No attachments.\nsource: a telephone call\nexample: 550 5.7.1 the house rule\n")
	house := write("house.log", "Nov 24 10:00:00 mx postfix/smtp[71]: 4F2A1: to=<u1@recipient.example>, relay=mx1.recipient.example[192.0.2.25]:25, delay=1, delays=0/0/1/0, dsn=5.7.1, status=bounced (host mx1.recipient.example[192.0.2.25] said: 550 5.7.1 the house rule (in reply to RCPT TO command))\n")
	if _, text, _ := triage("-rules", rules, house); !strings.Contains(text, "1 refusal: attachment") {
		t.Errorf("a rule of one's own:\n%s", text)
	}
	if status, _, why := triage(); status != exitNothing || !strings.Contains(why, "no file given") {
		t.Errorf("no file: %d, %s", status, why)
	}
	if status, _, why := triage(filepath.Join(dir, "nowhere")); status != exitNothing || !strings.Contains(why, "nowhere") {
		t.Errorf("no such file: %d, %s", status, why)
	}
}
