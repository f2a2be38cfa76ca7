package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pxeagent/cmd/pxeagent/cli"
)

// lines is where a command that goes on prints; a test waits for what it prints.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newLines() *lines { return &lines{more: make(chan struct{})} }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) wait(t *testing.T, pattern string) []string {
	t.Helper()
	re, limit := regexp.MustCompile(pattern), time.After(20*time.Second)
	for {
		l.mu.Lock()
		m, more, text := re.FindStringSubmatch(l.text.String()), l.more, l.text.String()
		l.mu.Unlock()
		if m != nil {
			return m
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("%q was not printed:\n%s", pattern, text)
		}
	}
}

// systemd is the socket at which a daemon tells systemd how it is.
type systemd struct{ *net.UnixConn }

func systemdSocket(t *testing.T) systemd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return systemd{c}
}

func (s systemd) heard(t *testing.T, want string) {
	t.Helper()
	b := make([]byte, 256)
	if err := s.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := s.Read(b)
	if err != nil || string(b[:n]) != want {
		t.Fatalf("systemd was told %q, %v; want %q", b[:n], err, want)
	}
}

// silent checks that nothing was told that is not heard yet.
func (s systemd) silent(t *testing.T) {
	t.Helper()
	b := make([]byte, 256)
	raw, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		n, _, failed = syscall.Recvfrom(int(fd), b, syscall.MSG_DONTWAIT)
		return true
	})
	if err != nil || !errors.Is(failed, syscall.EAGAIN) {
		t.Errorf("systemd was told %q, %v, %v", b[:max(n, 0)], failed, err)
	}
}

// The command line of the documentation: no file, no DHCP server, an ordinary user. systemd is told when it serves and
// when it stops.
func TestServeOnLoopback(t *testing.T) {
	dir := isolate(t)
	systemd := systemdSocket(t)
	t.Setenv("WATCHDOG_USEC", "60000000")

	log := newLines()
	code := make(chan cli.Code, 1)
	go func() {
		code <- run([]string{"serve", "--root", dir, "--tftp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--next-server",
			"127.0.0.1", "--state-dir", filepath.Join(dir, "state")}, io.Discard, log)
	}()
	script := log.wait(t, `msg=serving .*script=(http://127.0.0.1:\d+/ipxe/bootstrap.ipxe)`)[1]
	systemd.heard(t, "READY=1")
	systemd.heard(t, "WATCHDOG=1")
	resp, err := http.Get(script)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasPrefix(string(b), "#!ipxe\n") ||
		!strings.Contains(string(b), strings.TrimSuffix(script, "/ipxe/bootstrap.ipxe")) {
		t.Errorf("the script is %q, %v", b, err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	systemd.heard(t, "STOPPING=1")
	if c := <-code; c != cli.Done {
		t.Errorf("exit %v", c)
	}
	log.wait(t, `msg=stopped`)
}
