package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Wordings and lists of one's own take part without a release.
func TestOwnTables(t *testing.T) {
	rules := file(t, "rules.txt", `id: own-house
match: the house rule of recipient.example
scope: any
reason: attachment
meaning: The house takes no attachments.
source: a telephone call of 2026-11-24
example: 550 5.7.1 Refused by the house rule of recipient.example
`)
	lists := file(t, "lists.txt", `id: own-list
zone: bl.house.example
name: The house's list
operator: The house
kinds: ipv4
action: block
status: alive
weight: high
code: 127.0.0.2 [spam] seen to send what nobody asked for
present: 127.0.0.2
source: https://house.example/
`)
	zone := file(t, "zone", "2.0.0.127.bl.house.example. A 127.0.0.2\n23.100.51.198.bl.house.example. A 127.0.0.2\n")
	cause := func(args ...string) string {
		out, errOut, status := command(t, "", append(args, "-json")...)
		if status != exitDone {
			t.Fatalf("%v: status %d, %s", args, status, errOut)
		}
		var d struct {
			Causes []struct{ Kind, State string }
		}
		if err := json.Unmarshal([]byte(out), &d); err != nil {
			t.Fatal(err)
		}
		return d.Causes[0].Kind + " " + d.Causes[0].State
	}
	const house, listed = "550 5.7.1 Refused by the house rule of recipient.example", "554 5.7.1 198.51.100.23 blocked using bl.house.example"
	if got := cause("diagnose", "-reply", house, "-offline"); !strings.HasPrefix(got, "policy") && !strings.HasPrefix(got, "unknown") {
		t.Errorf("without the rule: %s", got)
	}
	if got := cause("diagnose", "-reply", house, "-offline", "-rules", rules); got != "attachment not-checkable" {
		t.Errorf("with the rule: %s", got)
	}
	if got := cause("diagnose", "-reply", listed, "-zone", zone, "-catalogue", lists); got != "ip-listed confirmed" {
		t.Errorf("with the list: %s", got)
	}
	if out, _, status := command(t, "", "bounce", "-reply", house, "-rules", rules); status != exitDone || !strings.Contains(out, "own-house") {
		t.Errorf("bounce: status %d\n%s", status, out)
	}
	for _, flag := range []string{"-rules", "-catalogue"} {
		if _, errOut, status := command(t, "", "diagnose", "-reply", house, "-offline", flag, file(t, "bad.txt", "no: such key\n")); status != exitNothing || !strings.Contains(errOut, "bad.txt") {
			t.Errorf("%s with a bad file: status %d, %s", flag, status, errOut)
		}
		if _, errOut, status := command(t, "", "diagnose", "-reply", house, "-offline", flag, "none.txt"); status != exitNothing || !strings.Contains(errOut, "none.txt") {
			t.Errorf("%s without a file: status %d, %s", flag, status, errOut)
		}
	}
}

// Each command shows in its help how it is called, and the manual page has them all.
func TestHelpAndManual(t *testing.T) {
	manual, _, status := command(t, "", "man")
	if status != exitDone || !strings.HasPrefix(manual, ".TH REBOUND 1\n") || !strings.Contains(manual, ".SH EXIT STATUS") {
		t.Fatalf("man: status %d\n%.300s", status, manual)
	}
	for _, name := range []string{"diagnose", "bounce", "dnsbl", "auth", "content", "warmup plan", "warmup next", "warmup simulate", "recheck", "triage", "serve", "schema", "man"} {
		help, _, status := command(t, "", append(strings.Fields(name), "-h")...)
		if status != exitDone || !strings.Contains(help, "\n      rebound "+name) {
			t.Errorf("%s -h has no example:\n%s", name, help)
		}
		if !strings.Contains(manual, ".SS rebound "+name+"\n") {
			t.Errorf("the manual lacks %s", name)
		}
	}
	for line := range strings.Lines(manual) {
		if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !strings.HasPrefix(line, ".TH") && !strings.HasPrefix(line, ".S") && !strings.HasPrefix(line, ".B ") && !strings.HasPrefix(line, ".TP") && !strings.HasPrefix(line, ".PP") && !strings.HasPrefix(line, ".E") && !strings.HasPrefix(line, ".br") {
			t.Errorf("a request that nobody wrote: %s", line)
		}
	}
}

func TestSchema(t *testing.T) {
	out, _, status := command(t, "", "schema")
	var schema struct {
		Ref string `json:"$ref"`
	}
	if err := json.Unmarshal([]byte(out), &schema); err != nil || status != exitDone || schema.Ref != "#/$defs/rebound.Diagnosis" {
		t.Errorf("status %d, %v, %s", status, err, schema.Ref)
	}
}

// A recheck and a triage have the same forms as a diagnosis.
func TestReportsOfRecheckAndTriage(t *testing.T) {
	zone := file(t, "zone", demoZone)
	bounce := file(t, "bounce.eml", string(demoBounce))
	saved, _, status := command(t, "", "diagnose", "-json", "-zone", zone, "-now", "2026-11-24T12:00:00Z", "-helo", demoHELO, bounce)
	if status != exitDone {
		t.Fatalf("diagnose: status %d", status)
	}
	for name, args := range map[string][]string{
		"recheck": {"recheck", "-zone", zone, "-now", "2026-11-25", file(t, "case.json", saved)},
		"triage":  {"triage", "-zone", zone, "-now", "2026-11-24T12:00:00Z", bounce},
	} {
		page := filepath.Join(t.TempDir(), "page.html")
		out, errOut, status := command(t, "", append(args, "-markdown", "-html", page, "-redact")...)
		if status != exitDone || !strings.HasPrefix(out, "# ") || !strings.Contains(out, "\n## ") || strings.Contains(out, "anna") {
			t.Errorf("%s: status %d, %s\n%s", name, status, errOut, out)
		}
		html, err := os.ReadFile(page)
		if err != nil || !strings.HasPrefix(string(html), "<!doctype html>") || !strings.Contains(string(html), "Hold the queue of 198.51.100.23") || strings.Contains(string(html), "anna") {
			t.Errorf("%s: %v\n%s", name, err, html)
		}
	}
}

// What is no reply is not diagnosed; what a sending service posted is, wherever a mail is.
func TestOtherInputs(t *testing.T) {
	if _, errOut, status := command(t, "", "diagnose", "-offline", "-reply", "hello world"); status != exitNothing || !strings.Contains(errOut, "no reply of a mail server") {
		t.Errorf("no reply: status %d, %s", status, errOut)
	}
	one := file(t, "one.json", `{"RecordType":"Bounce","ID":1,"Type":"HardBounce","MessageID":"m-1","Email":"gone@recipient.example","From":"news@shop.example","BouncedAt":"2026-11-24T10:00:00Z","Details":"smtp;550 5.1.1 <gone@recipient.example>: User unknown","Description":""}`)
	for name, want := range map[string]string{"diagnose": "Suppress gone@recipient.example.", "bounce": "suppress the address", "triage": "1 address to suppress"} {
		args := []string{name, one}
		if name != "bounce" {
			args = append(args, "-offline")
		}
		if out, errOut, status := command(t, "", args...); status != exitDone || !strings.Contains(out, want) {
			t.Errorf("%s: status %d, no %q in\n%s%s", name, status, want, out, errOut)
		}
		args[1] = file(t, "other.json", `{"hello":"world"}`)
		if _, errOut, status := command(t, "", args...); status != exitNothing || !strings.Contains(errOut, "of no sending service that is known") {
			t.Errorf("%s of other JSON: status %d, %s", name, status, errOut)
		}
	}
}

// A mail that was put off and sent in the end is no refusal; one that is put off again and
// again is one.
func TestLogWithAnEnd(t *testing.T) {
	line := func(at, queue, to, dsn, status, said string) string {
		return "Nov 24 " + at + " mx postfix/smtp[71]: " + queue + ": to=<" + to + ">, relay=mx1.recipient.example[192.0.2.25]:25, delay=1, delays=0/0/1/0, dsn=" + dsn + ", status=" + status + " (" + said + ")\n"
	}
	const grey = "host mx1.recipient.example[192.0.2.25] said: 450 4.2.0 Greylisted (in reply to RCPT TO command)"
	log := file(t, "mail.log", line("10:00:00", "4F1", "a@recipient.example", "4.2.0", "deferred", grey)+
		line("10:00:01", "4F2", "b@recipient.example", "4.2.0", "deferred", grey)+
		line("10:15:00", "4F1", "a@recipient.example", "2.0.0", "sent", "250 2.0.0 ok")+
		line("10:15:01", "4F2", "b@recipient.example", "4.2.0", "deferred", grey)+
		line("10:15:02", "4F3", "c@recipient.example", "4.2.0", "deferred", grey)+
		line("10:30:00", "4F3", "c@recipient.example", "5.1.1", "bounced", "host mx1.recipient.example[192.0.2.25] said: 550 5.1.1 User unknown (in reply to RCPT TO command)"))
	out, errOut, status := command(t, "", "triage", "-offline", log)
	if status != exitDone || !strings.HasPrefix(out, "Bounces  2 bounces in 2 groups; 1 address to suppress, 1 to keep.") || !strings.Contains(out, "mail.log:4") {
		t.Errorf("status %d, %s\n%s", status, errOut, out)
	}
}

// A mail that waits is told, however many waited before it and went in the end.
func TestLogOfManyThatWent(t *testing.T) {
	var log strings.Builder
	line := func(i int, status, dsn, said string) {
		fmt.Fprintf(&log, "Nov 24 10:00:00 mx postfix/smtp[71]: 4F%d: to=<a%d@recipient.example>, relay=mx1.recipient.example[192.0.2.25]:25, delay=1, delays=0/0/1/0, dsn=%s, status=%s (%s)\n", i, i, dsn, status, said)
	}
	for i := range 1003 {
		line(i, "deferred", "4.2.0", "host mx1.recipient.example[192.0.2.25] said: 450 4.2.0 Greylisted (in reply to RCPT TO command)")
		if i < 1000 {
			line(i, "sent", "2.0.0", "250 2.0.0 ok")
		}
	}
	out, errOut, status := command(t, "", "triage", "-offline", file(t, "mail.log", log.String()))
	if status != exitDone || !strings.HasPrefix(out, "Bounces  3 bounces in 1 group") {
		t.Errorf("status %d, %s\n%s", status, errOut, out)
	}
}

// A log tells of a mail's sender on another line than of its delivery.
func TestLogNamesTheSender(t *testing.T) {
	log := file(t, "mail.log", "Nov 24 10:00:00 mx postfix/qmgr[70]: 4F1: from=<news@shop.example>, size=900, nrcpt=1 (queue active)\n"+
		"Nov 24 10:00:01 mx postfix/smtp[71]: 4F1: to=<a@recipient.example>, relay=mx1.recipient.example[192.0.2.25]:25, delay=1, delays=0/0/1/0, dsn=5.7.23, status=bounced (host mx1.recipient.example[192.0.2.25] said: 550 5.7.23 SPF validation failed: 203.0.113.9 is not allowed)\n"+
		"Nov 24 10:00:02 mx postfix/qmgr[70]: 4F1: removed\n"+
		"Nov 24 10:00:03 mx postfix/smtp[71]: 4F1: to=<b@recipient.example>, relay=mx1.recipient.example[192.0.2.25]:25, delay=1, delays=0/0/1/0, dsn=5.7.23, status=bounced (host mx1.recipient.example[192.0.2.25] said: 550 5.7.23 SPF validation failed: 203.0.113.9 is not allowed)\n")
	out, errOut, status := command(t, "", "triage", "-json", "-zone", file(t, "zone", "shop.example. TXT \"v=spf1 -all\"\n"), log)
	if status != exitDone || strings.Count(out, `"domain":"shop.example"`) == 0 || !strings.Contains(out, "SPF of shop.example lacks 203.0.113.9") || strings.Count(out, `"count":1`) != 2 {
		t.Errorf("status %d, %s\n%s", status, errOut, out)
	}
}

// A line about an input that could not be read does not end a recheck.
func TestRecheckGoesOn(t *testing.T) {
	zone, bounce := file(t, "zone", demoZone), file(t, "bounce.eml", string(demoBounce))
	saved, _, _ := command(t, "", "diagnose", "-json", "-zone", zone, "-now", "2026-11-24T12:00:00Z", bounce, "nowhere.eml", bounce)
	out, errOut, status := command(t, "", "recheck", "-zone", zone, "-now", "2026-11-25", file(t, "case.json", saved))
	if status != exitDone || strings.Count(out, "Send again") != 2 || !strings.Contains(errOut, "nowhere.eml could not be read then") {
		t.Errorf("status %d, %s\n%s", status, errOut, out)
	}
}

// Masking takes time in proportion, and a name of any character that an address may hold.
func TestRedactMany(t *testing.T) {
	var rows strings.Builder
	for i := range 400 {
		fmt.Fprintf(&rows, "\nFinal-Recipient: rfc822; zoltan%d@recipient.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown (zoltan%d)\n", i, i)
	}
	raw := "From: MAILER-DAEMON@mail.shop.example\nSubject: Undelivered Mail\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.shop.example\n" + rows.String() + "\n--b--\n"
	for _, args := range [][]string{{"diagnose", "-offline", "-redact", "-json", "-"}, {"triage", "-offline", "-redact", "-json", "-"}} {
		out, errOut, status := command(t, raw, args...)
		if status != exitDone || strings.Contains(out, "zoltan") || !strings.Contains(out, "User unknown (***)") {
			i := max(strings.Index(out, "zoltan"), 0)
			t.Errorf("%v: status %d, %s, %.300s", args, status, errOut, out[i:])
		}
	}
	for _, name := range []string{"o'brien", "anna=b", "anna!b", "x/y"} {
		out, _, _ := command(t, "", "diagnose", "-offline", "-redact", "-reply", "550 5.1.1 User unknown ("+name+")", "-recipient", name+"@recipient.example")
		if strings.Contains(out, "("+name) {
			t.Errorf("%s is shown:\n%s", name, out)
		}
	}
}

// The page says what it does not read, and takes a bounce that quotes a log for a bounce.
func TestPageOfMany(t *testing.T) {
	const line = "Nov 24 10:00:01 mx postfix/smtp[71]: 4F1: to=<a@recipient.example>, relay=mx1.recipient.example[192.0.2.25]:25, delay=1, delays=0/0/1/0, dsn=5.1.1, status=bounced (host mx1.recipient.example[192.0.2.25] said: 550 5.1.1 User unknown)\n"
	for raw, want := range map[string]string{
		"From a@b.example Tue Nov 24 10:00:00 2026\nSubject: x\n\none\n\nFrom a@b.example Tue Nov 24 10:00:00 2026\nSubject: y\n\ntwo\n": "It holds 2 mails",
		"\n" + line: "It is a log",
		"From: MAILER-DAEMON@mail.shop.example\nSubject: Undelivered Mail Returned to Sender\n\nThe log says:\n" + line: "",
		"550 5.1.1 User unknown": "",
	} {
		if _, problem := caseOf([]byte(raw), ""); !strings.HasPrefix(problem, want) || want == "" && problem != "" {
			t.Errorf("%.40q: %q, want %q", raw, problem, want)
		}
	}
	for _, args := range [][]string{{"-timeout", "0s"}, {"-volume", "-3"}, {"-json", "-markdown"}} {
		if _, errOut, status := command(t, "", append([]string{"diagnose", "-offline", "-reply", "550 5.1.1 User unknown"}, args...)...); status != exitNothing || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%v: status %d, %s", args, status, errOut)
		}
	}
}

// What was known of an address comes from a file, in each form in which programs keep it.
func TestHistoryOfAnAddress(t *testing.T) {
	const day9, day5 = `{"time":"2026-11-15T12:00:00Z","address":"anna@recipient.example","reason":"mailbox-full"}`, `{"time":"2026-11-19T12:00:00Z","address":"anna@recipient.example","reason":"mailbox-full"}`
	for name, tt := range map[string]struct{ file, want string }{
		"lines":     {day9 + "\n" + day5 + "\n", "Suppress anna@recipient.example."},
		"an array":  {"[" + day9 + "," + day5 + "]", "Suppress anna@recipient.example."},
		"a History": {`{"version":1,"addresses":{"anna@recipient.example":{"events":[` + day9 + "," + day5 + `]}},"domains":{}}`, "Suppress anna@recipient.example."},
		"one":       {day9, "Keep the address."},
		"nothing":   {"", "Keep the address."},
		"no event":  {`{"x":1}`, ""},
		"no JSON":   {"hello", ""},
	} {
		out, errOut, status := command(t, "", "diagnose", "-offline", "-now", "2026-11-24T12:00:00Z", "-reply", "452 4.2.2 Mailbox full", "-recipient", "anna@recipient.example", "-history", file(t, "history.json", tt.file))
		if tt.want == "" && (status != exitNothing || !strings.Contains(errOut, "no JSON of events")) || !strings.Contains(out, tt.want) {
			t.Errorf("%s: status %d, %s\n%s", name, status, errOut, out)
		}
	}
}
