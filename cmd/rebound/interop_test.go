//go:build interop

package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A browser is headless Chromium, told what to do by its DevTools protocol over two pipes:
// messages of JSON, each ended by a NUL.
type browser struct {
	t    testing.TB
	in   *os.File
	out  *bufio.Reader
	next int
	page string // the session
}

func chromium(t testing.TB) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	toRead, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, toWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "rebound-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-features=IsolateSandboxedIframes", "--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	cmd.ExtraFiles = []*os.File{toRead, toWrite}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toRead.Close()
	toWrite.Close()
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(profile) // what its children still write is left to the system
	})
	b := &browser{t: t, in: in, out: bufio.NewReader(out)}
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.page = session.SessionID
	return b
}

// call sends a command and waits for its answer; events are passed over.
func (b *browser) call(method string, params any, result any) {
	b.t.Helper()
	b.next++
	message := map[string]any{"id": b.next, "method": method, "params": params}
	if b.page != "" {
		message["sessionId"] = b.page
	}
	raw, err := json.Marshal(message)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(raw, 0)); err != nil {
		b.t.Fatal(err)
	}
	for {
		raw, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(raw[:len(raw)-1], &answer); err != nil {
			b.t.Fatal(err)
		}
		if answer.ID != b.next {
			continue
		}
		if answer.Error != nil {
			b.t.Fatalf("%s: %s", method, answer.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(answer.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

// run evaluates a script, which may be a promise, and returns its string.
func (b *browser) run(script string) string {
	b.t.Helper()
	var out struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Text string }
	}
	b.call("Runtime.evaluate", map[string]any{"expression": "(async () => {" + script + "})()", "awaitPromise": true, "returnByValue": true}, &out)
	if out.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", script, out.ExceptionDetails.Text)
	}
	return fmt.Sprint(out.Result.Value)
}

// shown is the text that the report's frame shows.
func (b *browser) shown() string {
	b.t.Helper()
	var tree struct {
		FrameTree struct {
			ChildFrames []struct{ Frame struct{ ID string } }
		}
	}
	b.call("Page.getFrameTree", nil, &tree)
	if len(tree.FrameTree.ChildFrames) == 0 {
		return "no frame"
	}
	var world struct{ ExecutionContextID int }
	b.call("Page.createIsolatedWorld", map[string]any{"frameId": tree.FrameTree.ChildFrames[0].Frame.ID}, &world)
	var out struct{ Result struct{ Value any } }
	b.call("Runtime.evaluate", map[string]any{"expression": "document.readyState + ' ' + document.body.innerText + ' ' + getComputedStyle(document.body).maxWidth", "contextId": world.ExecutionContextID}, &out)
	return fmt.Sprint(out.Result.Value)
}

// ready waits, in the page, until the answer is there.
const ready = `
	const list = document.getElementById("checks"), frame = document.getElementById("report");
	await new Promise((done) => {
		const look = () => list.ariaBusy === "false" ? done() : setTimeout(look, 10);
		look();
	});
	return [...list.children].map((i) => i.textContent).join("\n") + "\n--\n" + (frame.hidden ? "" : frame.srcdoc);`

func TestInteropPage(t *testing.T) {
	server := demoPage(t)
	b := chromium(t)
	open := func() {
		b.call("Page.enable", nil, nil)
		b.call("Page.navigate", map[string]any{"url": server.URL + "/"}, nil)
		b.run(`await new Promise((done) => { const look = () => document.readyState === "complete" && location.href !== "about:blank" ? done() : setTimeout(look, 10); look(); });`)
		b.run(`window.broken = []; document.addEventListener("securitypolicyviolation", (e) => broken.push(e.violatedDirective + " " + e.blockedURI));`)
	}
	quoted := func(s string) string {
		raw, _ := json.Marshal(s)
		return string(raw)
	}
	for _, tt := range []struct{ name, do, want, shown string }{
		{"paste", `document.getElementById("text").value = ` + quoted(string(demoBounce)) + `; document.querySelector("button").click();`, "198.51.100.23 is on Spamhaus XBL", "198.51.100.23 is on Spamhaus XBL"},
		{"drop", `const data = new DataTransfer(); data.items.add(new File([` + quoted(string(demoBounce)) + `], "bounce.eml")); document.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));`, "198.51.100.23 is on Spamhaus XBL", "198.51.100.23 is on Spamhaus XBL"},
		{"huge", `const data = new DataTransfer(); data.items.add(new File([new Uint8Array(40 << 20)], "huge.eml")); document.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));`, "larger than 32 MiB", ""},
		{"html", `document.getElementById("text").value = "550 5.7.1 <script>top.broken.push('ran')</script><img src=x onerror=alert(1)> rejected as spam"; document.querySelector("button").click();`, "&lt;script&gt;top.broken", "<img src=x onerror=alert(1)>"},
		{"nothing", `document.querySelector("button").click();`, "There is nothing to diagnose", ""},
	} {
		open()
		b.run(tt.do)
		if got := b.run(ready); !strings.Contains(got, tt.want) {
			t.Errorf("%s: no %q in\n%.2000s", tt.name, tt.want, got)
		}
		if tt.shown != "" {
			if got := b.shown(); !strings.Contains(got, tt.shown) || !strings.HasSuffix(got, " 832px") { // 52rem, by the report's own style
				t.Errorf("%s: the frame shows\n%.600s", tt.name, got)
			}
		}
		if broken := b.run(`return broken.join("; ")`); broken != "" {
			t.Errorf("%s: the policy was broken: %s", tt.name, broken)
		}
		if file := os.Getenv("REBOUND_SCREENSHOT"); file != "" && tt.name == "paste" {
			time.Sleep(time.Second) // for the picture alone
			var picture struct{ Data string }
			b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &picture)
			raw, err := base64.StdEncoding.DecodeString(picture.Data)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
