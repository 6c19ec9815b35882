package main

import (
	"encoding/json"
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
