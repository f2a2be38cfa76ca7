package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/deploy/lab/site"
)

// file is a descriptor of a socket, as a parent passes it.
func file(t *testing.T, socket interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// underSystemd is serve with sockets passed as systemd passes them: from descriptor 3 on, counted in LISTEN_FDS and
// meant for the process LISTEN_PID.
func underSystemd(t *testing.T, log io.Writer, sockets ...*os.File) *exec.Cmd {
	t.Helper()
	binary, err := site.Binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, tree := range []string{"tftp", "http"} {
		if err := os.MkdirAll(filepath.Join(dir, tree), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "tftp/hello"), "a file")
	// Ports that nobody can take: what is passed is served and nothing is bound.
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary, "serve", "--root", dir,
		"--tftp", "192.0.2.1:69", "--http", "192.0.2.1:80", "--next-server", "127.0.0.1", "--state-dir",
		filepath.Join(dir, "state"))
	cmd.Env = append(os.Environ(), fmt.Sprint("LISTEN_FDS=", len(sockets)),
		"LISTEN_FDNAMES="+strings.Repeat("pxeagent.socket:", len(sockets)))
	cmd.ExtraFiles, cmd.Stderr = sockets, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// The daemon serves at the sockets that systemd passes. A request that came before it was started is answered as well.
func TestServesPassedSockets(t *testing.T) {
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	early, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if _, err := early.WriteTo([]byte("\x00\x01hello\x00octet\x00tsize\x000\x00"), udp.LocalAddr()); err != nil {
		t.Fatal(err)
	}

	d := &process{t: t, log: newLines()}
	d.cmd = underSystemd(t, d.log, file(t, udp), file(t, tcp))
	t.Cleanup(d.stop)
	d.tftp, d.http = udp.LocalAddr().(*net.UDPAddr).AddrPort(), tcp.Addr().String()
	d.log.wait(t, `msg=serving tftp=`+d.tftp.String()+` http=`+d.http+` .*script=http://`+d.http+`/`)
	// It is answered from another port, that of its transfer.
	if err := early.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	if n, _, err := early.ReadFrom(b); err != nil || string(b[:n]) != "\x00\x06tsize\x006\x00" {
		t.Errorf("the request from before the start is answered with %q, %v", b[:n], err)
	}
	if got := d.fetch("127.0.0.1", "hello"); got != "a file" {
		t.Errorf("by TFTP: %q", got)
	}
	if code, body := d.get(d.client("127.0.0.1"), "/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("by HTTP: %d %q", code, body)
	}
}

// What cannot be served is said in one line, with the unit that fits, and systemd does not start the daemon again.
func TestPassedSocketsThatCannotBeServed(t *testing.T) {
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	unix, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	both, err := net.ListenUDP("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	for want, sockets := range map[string][]*os.File{
		"neither UDP nor listening on TCP": {file(t, unix)},
		"a second one of TCP":              {file(t, tcp), file(t, tcp)},
		"BindIPv6Only=ipv6-only":           {file(t, both)},
	} {
		log := newLines()
		cmd := underSystemd(t, log, sockets...)
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != cli.Wrong.Exit {
			t.Errorf("%s: exit %d, want %d, which the unit does not restart after", want, got, cli.Wrong.Exit)
		}
		if text := log.String(); !strings.Contains(text, want) ||
			!strings.Contains(text, "hint: deploy/systemd/pxeagent.socket") {
			t.Errorf("want %q, and a hint:\n%s", want, text)
		}
	}
}
