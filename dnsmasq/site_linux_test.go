package dnsmasq

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
)

// site is a network with a machine that runs a real dnsmasq, as a site has it: one configuration
// file, a conf-dir, an init script that restarts it.
type site struct {
	t       testing.TB
	segment *lab.Segment
	host    *lab.Host // runs dnsmasq, 10.77.0.1 on eth1
	client  *lab.Host // a machine on the segment; its address is for answers from port 4011
	dir     string
	confDir string
	cfg     Config
}

const (
	leasing = "dhcp-range=10.77.0.50,10.77.0.99,255.255.255.0,1h\n"
	nextUp  = "10.77.0.7"
)

// newSite starts dnsmasq with a configuration that has the lines of extra.
func newSite(t testing.TB, mode Mode, extra string) *site {
	t.Helper()
	lab.Need(t, "dnsmasq")
	dir := t.TempDir()
	s := &site{t: t, dir: dir, confDir: filepath.Join(dir, "dnsmasq.d"), segment: lab.NewSegment(t)}
	s.host = s.segment.Host("dnsmasq", "eth1", "10.77.0.1/24")
	s.client = s.segment.Host("client", "eth0", "10.77.0.40/24")
	if err := os.Mkdir(s.confDir, 0o755); err != nil {
		t.Fatal(err)
	}
	main := s.path("dnsmasq.conf")
	s.write("dnsmasq.conf", "# the site's own\nport=0\nno-ping\ndhcp-authoritative\ndhcp-leasefile="+s.path("leases")+"\n"+
		extra+"conf-dir="+s.confDir+",*.conf\n")
	s.write("restart", strings.NewReplacer("PIDFILE", s.path("pid"), "MAIN", main, "FAIL", s.path("fail"), "LOG",
		s.path("log")).Replace(`#!/bin/sh
echo restart >>LOG
if read pid <PIDFILE 2>/dev/null; then
	kill $pid
	# The socket is free once the process is gone or a zombie, and not before.
	while read -r _ _ state _ </proc/$pid/stat && [ "$state" != Z ]; do sleep 0.01; done
	rm -f PIDFILE
fi 2>/dev/null
if read why 2>/dev/null <FAIL; then
	[ "$why" = once ] && rm FAIL
	echo "ordered to fail" >&2
	exit 3
fi
exec dnsmasq --conf-file=MAIN --pid-file=PIDFILE --user=root
`))
	s.cfg = Config{Interface: "eth1", ConfDir: s.confDir, Mode: mode, Restart: []string{"/bin/sh", s.path("restart")},
		DefaultsFile: s.path("default"), MainFile: s.path("none.conf"), StartLimit: 10 * time.Second}
	t.Cleanup(s.stop)
	s.restart()
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) read(name string) string {
	text, err := os.ReadFile(s.path(name))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *site) restart() {
	s.t.Helper()
	if out, err := s.host.Run(s.cfg.Restart[0], s.cfg.Restart[1:]...); err != nil {
		s.t.Fatalf("starting dnsmasq: %v: %s", err, out)
	}
}

// pid is the running dnsmasq's, 0 if there is none.
func (s *site) pid() int {
	pid, _ := strconv.Atoi(strings.TrimSpace(s.read("pid")))
	return pid
}

func (s *site) restarts() int { return strings.Count(s.read("log"), "restart\n") }

func (s *site) stop() {
	pid := s.pid()
	if pid == 0 || syscall.Kill(pid, syscall.SIGTERM) != nil {
		return
	}
	if dead, err := diesWithin(process{pid: pid, start: startOf(pid)}, 5*time.Second); !dead {
		s.t.Errorf("dnsmasq (process %d) does not end: %v", pid, err)
	}
}

func startOf(pid int) string {
	p, _ := readProcess(pid, fmt.Sprintf("/proc/%d", pid))
	return p.start
}

// server opens the backend, as a new process does, in dnsmasq's own network.
func (s *site) server() *inside {
	s.t.Helper()
	server, err := New(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	server.settle = testSettle
	return &inside{server, s.host}
}

// testSettle is less than in use, since the suite restarts dnsmasq some hundred times.
const testSettle = 20 * time.Millisecond

// inside is a Server whose every call is made in a host's network namespace.
type inside struct {
	*Server
	host *lab.Host
}

func (i *inside) Plan(ctx context.Context, want dhcp.Boot) (p dhcp.Plan, err error) {
	i.host.Do(func() { p, err = i.Server.Plan(ctx, want) })
	return p, err
}

func (i *inside) Apply(ctx context.Context, p dhcp.Plan) (err error) {
	i.host.Do(func() { err = i.Server.Apply(ctx, p) })
	return err
}

func (i *inside) Revert(ctx context.Context, p dhcp.Plan) (err error) {
	i.host.Do(func() { err = i.Server.Revert(ctx, p) })
	return err
}

func (s *site) plan(want dhcp.Boot) dhcp.Plan {
	s.t.Helper()
	p, err := s.server().Plan(s.t.Context(), want)
	if err != nil {
		s.t.Fatalf("planning: %v", err)
	}
	return p
}

func (s *site) apply(want dhcp.Boot) dhcp.Plan {
	s.t.Helper()
	p := s.plan(want)
	if q, refused := p.Refused(); refused {
		s.t.Fatalf("the plan is refused: %+v", q)
	}
	if err := s.server().Apply(s.t.Context(), p); err != nil {
		s.t.Fatalf("applying: %v", err)
	}
	return p
}

// files lists conf_dir, hidden files too.
func (s *site) files() string {
	s.t.Helper()
	entries, err := os.ReadDir(s.confDir)
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// testBoot is everything that the backend can express.
func testBoot(next string) dhcp.Boot {
	b := dhcp.Boot{NextServer: netip.MustParseAddr(next), Script: "http://" + next + ":8080/ipxe/bootstrap.ipxe"}
	b.NBP[firmware.BIOS] = "undionly.kpxe"
	b.NBP[firmware.EFI32] = "ipxe32.efi"
	b.NBP[firmware.EFI64] = "ipxe.efi"
	b.NBP[firmware.ARM64] = "arm/snp-arm64.efi"
	b.URL[firmware.EFI64] = "http://" + next + ":8080/ipxe.efi"
	b.URL[firmware.ARM64] = "http://" + next + ":8080/arm/snp-arm64.efi"
	return b
}

// conf changes the main file.
func (s *site) conf(change func(string) string) {
	s.t.Helper()
	s.write("dnsmasq.conf", change(s.read("dnsmasq.conf")))
}

// refused fails unless p has that refusal first.
func (s *site) refused(p dhcp.Plan, code, text string) {
	s.t.Helper()
	if q, refused := p.Refused(); !refused || q.Code != code || !strings.Contains(q.Text, text) {
		s.t.Errorf("plan: %+v, want it refused for %s: %s", p.Problems, code, text)
	}
}

// cut is text without the lines that begin so.
func cut(text, begin string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, begin) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// replaced is text with the one place of from changed.
func replaced(t testing.TB, text, from, to string) string {
	t.Helper()
	if strings.Count(text, from) != 1 {
		t.Fatalf("%q is not once in %q", from, text)
	}
	return strings.Replace(text, from, to, 1)
}
