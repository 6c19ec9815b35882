// Package interop starts other people's programs for the tests that hold this module to
// them, on loopback.
package interop

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/resolve"
)

// FreePort returns a UDP port of loopback that nobody uses now.
func FreePort(t *testing.T) int {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).Port
}

// A Server is a program that a test can stop; the end of the test stops it too.
type Server struct {
	Stop func()

	cmd *exec.Cmd
	log bytes.Buffer
}

// Start starts a program, which .ci/run installs from Debian.
func Start(t *testing.T, name string, args ...string) *Server {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = "/usr/sbin/" + name
	}
	s := &Server{cmd: exec.Command(path, args...)}
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("%s: %v (apt-get install %s)", name, err, name)
	}
	s.Stop = sync.OnceFunc(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("%s: %s", name, s.log.String())
		}
	})
	return s
}

// Unbound starts unbound with the zones of a configuration and returns a client of it,
// once it answers for the addresses of a name.
func Unbound(t *testing.T, zones, up string) *resolve.Client {
	t.Helper()
	port, dir := FreePort(t), t.TempDir()
	config := filepath.Join(dir, "unbound.conf")
	text := fmt.Sprintf("server:\n  interface: 127.0.0.1@%d\n  do-daemonize: no\n  use-syslog: no\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  directory: %q\n  module-config: \"iterator\"\n  do-not-query-localhost: no\n  access-control: 127.0.0.0/8 allow\nremote-control:\n  control-enable: no\n%s", port, dir, zones)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	Start(t, "unbound", "-d", "-c", config)
	client, err := resolve.NewClient(fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for range 200 {
		if a := client.Resolve(t.Context(), up, resolve.A); a.Status == resolve.OK {
			return client
		}
		<-poll.C
	}
	t.Fatal("the servers do not answer")
	return nil
}
