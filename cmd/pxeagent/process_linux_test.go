package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"pxeagent/deploy/lab/site"
)

// process is the program itself on loopback, in a process of its own, so that it can be given limits.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *lines
	dir  string
	tftp netip.AddrPort
	http string // host and port
}

// startProcess runs serve with these lines of configuration. files is its RLIMIT_NOFILE; 0: as it is.
func startProcess(t *testing.T, files int, yaml string) *process {
	t.Helper()
	binary, err := site.Binary()
	if err != nil {
		t.Fatal(err)
	}
	d := &process{t: t, log: newLines(), dir: t.TempDir()}
	for _, tree := range []string{"tftp", "http"} {
		if err := os.MkdirAll(filepath.Join(d.dir, "root", tree), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(d.dir, "pxeagent.yaml"), yaml)
	limit := ""
	if files > 0 {
		limit = fmt.Sprintf("ulimit -n %d && ", files)
	}
	d.cmd = exec.Command("sh", "-c", limit+`exec "$0" "$@"`, binary, "serve", "--config",
		filepath.Join(d.dir, "pxeagent.yaml"),
		"--root", filepath.Join(d.dir, "root"), "--state-dir", filepath.Join(d.dir, "state"),
		"--tftp", "0.0.0.0:0", "--http", "0.0.0.0:0", "--next-server", "127.0.0.1")
	d.cmd.Stderr = d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	m := d.log.wait(t, `msg=serving tftp=0\.0\.0\.0:(\d+) .*script=http://(127\.0\.0\.1:\d+)/`)
	d.tftp, d.http = netip.MustParseAddrPort("127.0.0.1:"+m[1]), m[2]
	return d
}

// stop ends the daemon; its log is whole then.
func (d *process) stop() {
	d.t.Helper()
	if d.cmd.ProcessState != nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("serve: %v", err)
	}
	if d.t.Failed() {
		d.t.Logf("the end of the log:\n%s", tail(d.log.String(), 4000))
	}
}

// kill ends the daemon without letting transfers end.
func (d *process) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// client asks by HTTP from an address of loopback, on connections that it keeps.
func (d *process) client(from string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	tr := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, d.http)
	}}
	d.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// get returns the status and the body.
func (d *process) get(c *http.Client, path string) (int, string) {
	d.t.Helper()
	resp, err := c.Get("http://pxe" + path)
	if err != nil {
		d.t.Fatalf("%.80s: %v", path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatalf("%.80s: %v", path, err)
	}
	return resp.StatusCode, string(b)
}

// metric adds up the samples that a pattern fits.
func (d *process) metric(c *http.Client, pattern string) int {
	d.t.Helper()
	_, text := d.get(c, "/metrics")
	return sum(d.t, regexp.MustCompile(`(?m)^`+pattern+` (\d+)$`), text)
}

// sum adds up what the last group of a pattern is.
func sum(t *testing.T, re *regexp.Regexp, text string) (total int) {
	t.Helper()
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[len(m)-1])
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

// udp is a socket at an address of loopback.
func (d *process) udp(from string) *net.UDPConn {
	d.t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(from)})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	return c
}

// fetch reads the first block of a file by TFTP, which shows that requests are answered. The file has no second one.
func (d *process) fetch(from, name string) string {
	d.t.Helper()
	c := d.udp(from)
	b := make([]byte, 1024)
	for range 20 { // a datagram may be lost
		if _, err := c.WriteToUDPAddrPort([]byte("\x00\x01"+name+"\x00octet\x00"), d.tftp); err != nil {
			d.t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		n, peer, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			continue
		}
		if n < 4 || b[1] != 3 {
			d.t.Fatalf("%s: answered with %q", name, b[:n])
		}
		if _, err := c.WriteToUDPAddrPort([]byte("\x00\x04\x00\x01"), peer); err != nil {
			d.t.Fatal(err)
		}
		return string(b[4:n])
	}
	d.t.Fatalf("%s is not answered by TFTP", name)
	return ""
}
