package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pxeagent/deploy/lab"
)

// binary is pxeagent, built once for the tests that run it as a person does.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pxeagent-test-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "pxeagent")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building pxeagent: %w: %s", err, out)
	}
	return path, nil
})

// built is the folder that binary made, if a test wanted it.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// site is a network with one server in it, 10.77.0.7 on eth1, that runs Dnsmasq and pxeagent.
type site struct {
	t      *testing.T
	seg    *lab.Segment
	box    *lab.Host
	dir    string
	config string // of pxeagent
	agent  *lab.Proc
}

const (
	siteAddr    = "10.77.0.7"
	siteDnsmasq = "port=0\nbind-dynamic\nno-ping\nno-resolv\nno-hosts\nleasefile-ro\nlog-dhcp\nuser=root\n"
)

// newSite makes the network, starts Dnsmasq as a site would run it, with lines besides the basic
// ones, and writes a configuration for pxeagent with more YAML in it.
func newSite(t *testing.T, dnsmasqLines, moreYAML string) *site {
	t.Helper()
	lab.Need(t, "dnsmasq")
	t.Parallel() // it waits more than it works
	s := &site{t: t, dir: t.TempDir(), seg: lab.NewSegment(t)}
	s.box = s.seg.Host("box", "eth1", siteAddr+"/24")
	for _, d := range []string{"dnsmasq.d", "root/tftp", "root/http", "state"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write("dnsmasq.conf", siteDnsmasq+"pid-file="+s.path("dnsmasq.pid")+"\nlog-facility="+s.path("dnsmasq.log")+
		"\nconf-dir="+s.path("dnsmasq.d")+"\n"+dnsmasqLines)
	// What systemd does on a real machine: end the old one, start the new one, and tell how that went.
	s.write("restart", `#!/bin/sh
pid=$(cat '`+s.path("dnsmasq.pid")+`' 2>/dev/null)
if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
echo restarted >> '`+s.path("restarts")+`'
exec dnsmasq -C '`+s.path("dnsmasq.conf")+`'
`)
	if err := os.Chmod(s.path("restart"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := s.box.Run(s.path("restart")); err != nil {
		t.Fatalf("starting dnsmasq: %v: %s", err, out)
	}
	t.Cleanup(s.endDnsmasq)
	s.config = s.path("pxeagent.yaml")
	s.write("pxeagent.yaml", `interface: eth1
state_dir: `+s.path("state")+`
dhcp:
  backend: dnsmasq
  dnsmasq:
    conf_dir: `+s.path("dnsmasq.d")+`
    restart: `+s.path("restart")+`
serve:
  root: `+s.path("root")+`
`+moreYAML)
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) read(name string) string {
	b, _ := os.ReadFile(s.path(name))
	return string(b)
}

// restarts is how often Dnsmasq was started.
func (s *site) restarts() int { return strings.Count(s.read("restarts"), "restarted") }

func (s *site) endDnsmasq() {
	pid, err := strconv.Atoi(strings.TrimSpace(s.read("dnsmasq.pid")))
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
	if s.t.Failed() {
		s.t.Logf("dnsmasq's log:\n%s", s.read("dnsmasq.log"))
	}
}

// run runs pxeagent on the box and returns its exit code and what it printed.
func (s *site) run(args ...string) (int, string) {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := s.box.Run(path, append(args, "--config", s.config)...)
	code := 0
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else if err != nil {
		s.t.Fatal(err)
	}
	return code, out
}

// must runs pxeagent and fails the test if it ends otherwise than with code.
func (s *site) must(code int, args ...string) string {
	s.t.Helper()
	got, out := s.run(args...)
	if got != code {
		s.t.Fatalf("pxeagent %s: exit %d, want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	return out
}

// serve starts the daemon and waits until it serves.
func (s *site) serve(args ...string) {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	s.agent = s.box.Start(path, append([]string{"serve", "--config", s.config}, args...)...)
	s.agent.WaitOutput(20*time.Second, `msg=serving`)
}

// get fetches a page of the agent, from the box.
func (s *site) get(path string) string {
	s.t.Helper()
	var conn net.Conn
	var err error
	s.box.Do(func() { conn, err = net.Dial("tcp4", siteAddr+":80") })
	if err != nil {
		s.t.Fatalf("asking the agent: %v", err)
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}}
	resp, err := client.Get("http://" + siteAddr + path)
	if err != nil {
		s.t.Fatalf("asking the agent for %s: %v", path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("reading %s: %v", path, err)
	}
	return string(b)
}

// metric adds up the samples of a metric whose labels contain all of those given (`artifact="nbp"`).
func (s *site) metric(name string, labels ...string) float64 {
	s.t.Helper()
	sum := 0.0
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(\{.*\})? (\S+)$`).FindAllStringSubmatch(s.get("/metrics"), -1) {
		fits := true
		for _, l := range labels {
			fits = fits && strings.Contains(m[1], l)
		}
		if v, err := strconv.ParseFloat(m[2], 64); fits && err == nil {
			sum += v
		}
	}
	return sum
}
