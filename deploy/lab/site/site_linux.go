package site

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pxeagent/deploy/lab"
)

// Site is a network with one server in it, the box, that has its address on eth1.
type Site struct {
	T      *testing.T
	Seg    *lab.Segment
	Box    *lab.Host
	Addr   string    // of the box
	Dir    string    // holds all files of the site
	Config string    // the path of pxeagent's configuration
	Agent  *lab.Proc // the daemon, from Serve on
}

const (
	// Addr is where the box of New is.
	Addr = "10.77.0.7"
	// Leasing are the lines with which Dnsmasq leases addresses in New's network.
	Leasing = "interface=eth1\ndhcp-range=10.77.0.50,10.77.0.90,1h\n"

	dnsmasqConf = "port=0\nbind-dynamic\nno-ping\nno-resolv\nno-hosts\nleasefile-ro\nlog-dhcp\nuser=root\n"
)

// New makes the network 10.77.0.0/24, starts Dnsmasq as a site would run it, with lines besides the basic ones, and
// writes a configuration for pxeagent with more YAML in it. The test runs beside others: it waits more than it works.
func New(t *testing.T, dnsmasqLines, moreYAML string) *Site {
	t.Helper()
	return NewAt(t, netip.MustParsePrefix(Addr+"/24"), dnsmasqLines, moreYAML)
}

// NewAt is New with another address of the box, and so another network.
func NewAt(t *testing.T, addr netip.Prefix, dnsmasqLines, moreYAML string) *Site {
	t.Helper()
	lab.Need(t, "dnsmasq")
	t.Parallel()
	s := Start(t, t.TempDir(), addr, dnsmasqLines)
	s.Write("pxeagent.yaml", `interface: eth1
state_dir: `+s.Path("state")+`
dhcp:
  backend: dnsmasq
  dnsmasq:
    conf_dir: `+s.Path("dnsmasq.d")+`
    restart: `+s.Path("restart")+`
serve:
  root: `+s.Path("root")+`
`+moreYAML)
	return s
}

// Start is NewAt in a folder of the caller's, with no configuration for pxeagent, for a test that runs beside others
// already.
func Start(t *testing.T, dir string, addr netip.Prefix, dnsmasqLines string) *Site {
	t.Helper()
	lab.Need(t, "dnsmasq")
	s := &Site{T: t, Dir: dir, Seg: lab.NewSegment(t), Addr: addr.Addr().String()}
	s.Config = s.Path("pxeagent.yaml")
	s.Box = s.Seg.Host("box", "eth1", addr.String())
	for _, d := range []string{"dnsmasq.d", "root/tftp", "root/http", "state"} {
		if err := os.MkdirAll(s.Path(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.Write("dnsmasq.conf", dnsmasqConf+"pid-file="+s.Path("dnsmasq.pid")+"\nlog-facility="+s.Path("dnsmasq.log")+
		"\nconf-dir="+s.Path("dnsmasq.d")+"\n"+dnsmasqLines)
	// What systemd does on a real machine: end the old one, start the new one, and tell how that went.
	err := lab.WriteProgram(s.Path("restart"), []byte(`#!/bin/sh
pid=$(cat '`+s.Path("dnsmasq.pid")+`' 2>/dev/null)
if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
echo restarted >> '`+s.Path("restarts")+`'
exec dnsmasq -C '`+s.Path("dnsmasq.conf")+`'
`))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Box.Run(s.Path("restart")); err != nil {
		t.Fatalf("starting dnsmasq: %v: %s", err, out)
	}
	t.Cleanup(s.EndDnsmasq)
	return s
}

// Path is where a file of the site lies: "pxeagent.yaml", "dnsmasq.d", "root/http", "state", "restart".
func (s *Site) Path(name string) string { return filepath.Join(s.Dir, name) }

// Write writes a file of the site, and the folders that it is to lie in.
func (s *Site) Write(name, text string) {
	s.T.Helper()
	if err := os.MkdirAll(filepath.Dir(s.Path(name)), 0o755); err != nil {
		s.T.Fatal(err)
	}
	if err := os.WriteFile(s.Path(name), []byte(text), 0o644); err != nil {
		s.T.Fatal(err)
	}
}

// Read is what a file of the site holds, "" where there is none.
func (s *Site) Read(name string) string {
	b, _ := os.ReadFile(s.Path(name))
	return string(b)
}

// Restarts is how often Dnsmasq was started.
func (s *Site) Restarts() int { return strings.Count(s.Read("restarts"), "restarted") }

// EndDnsmasq ends the site's Dnsmasq. The end of the test does it as well.
func (s *Site) EndDnsmasq() {
	pid, err := strconv.Atoi(strings.TrimSpace(s.Read("dnsmasq.pid")))
	if err != nil {
		return
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	// Not our child: it daemonised. It is gone when it can no longer be signalled.
	for range 200 {
		if syscall.Kill(pid, 0) != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s.T.Failed() {
		s.T.Logf("dnsmasq's log:\n%s", s.Read("dnsmasq.log"))
	}
}

// Run runs pxeagent on the box and returns its exit code and what it printed.
func (s *Site) Run(args ...string) (int, string) {
	s.T.Helper()
	out, err := s.Box.Run(s.binary(), append(args, "--config", s.Config)...)
	code := 0
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else if err != nil {
		s.T.Fatal(err)
	}
	return code, out
}

// Must runs pxeagent and fails the test if it ends otherwise than with code.
func (s *Site) Must(code int, args ...string) string {
	s.T.Helper()
	got, out := s.Run(args...)
	if got != code {
		s.T.Fatalf("pxeagent %s: exit %d, want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	return out
}

// Serve starts the daemon and waits until it serves.
func (s *Site) Serve(args ...string) {
	s.T.Helper()
	s.Agent = s.Box.Start(s.binary(), append([]string{"serve", "--config", s.Config}, args...)...)
	s.Agent.WaitOutput(20*time.Second, `msg=serving`)
}

// Set starts the daemon again with lines more in its configuration's section serve.
func (s *Site) Set(lines string) {
	s.T.Helper()
	s.Agent.Stop()
	s.Write("pxeagent.yaml", strings.Replace(s.Read("pxeagent.yaml"), "serve:\n", "serve:\n"+lines, 1))
	s.Serve()
}

func (s *Site) binary() string {
	s.T.Helper()
	path, err := Binary()
	if err != nil {
		s.T.Fatal(err)
	}
	return path
}
