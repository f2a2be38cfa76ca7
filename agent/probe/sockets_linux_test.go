package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pxeagent/deploy/lab"
)

// A DHCP client has port 68 to itself: the raw socket hears all the same, also a server on this machine.
func TestPort68Taken(t *testing.T) {
	lab.Need(t, "dnsmasq")
	t.Parallel()
	s := lab.NewSegment(t)
	server := s.Host("server", "eth1", "10.77.0.1/24")
	server.Dnsmasq(append(byArch, "--no-ping")...)
	for where, h := range map[string]*lab.Host{"beside": s.Host("client", "eth1", "10.77.0.9/24"),
		"in the server's own": server} {
		t.Run(where, func(t *testing.T) {
			var other *net.UDPConn
			var err error
			h.Do(func() { other, err = net.ListenUDP("udp4", &net.UDPAddr{Port: portClient}) })
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			r := probeFrom(t, h, Config{})
			wantTable(t, r, byArchTable)
			if len(r.Notes) != 1 ||
				!strings.Contains(r.Notes[0], "port 68 on eth1 is not ours (a DHCP client has it)") {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

func TestCapabilities(t *testing.T) {
	if os.Getenv(asNobody) != "" {
		r, err := Run(context.Background(), Config{Device: "eth1", Quiet: 200 * time.Millisecond})
		fmt.Printf("%d offers, notes %q, error: %v\n", len(r.Offers), r.Notes, err)
		_, err = Run(context.Background(), Config{Server: netip.MustParseAddrPort("10.77.0.1:67"),
			Quiet: 200 * time.Millisecond, Limit: time.Second})
		fmt.Printf("relay: %v\n", err)
		return
	}
	lab.Need(t, "dnsmasq")
	t.Parallel()
	exe := forAll(t)
	s := lab.NewSegment(t)
	s.Host("server", "eth1", "10.77.0.1/24").Dnsmasq(append(byArch, "--no-ping")...)
	clients := 0
	for name, tc := range map[string]struct {
		capabilities []uintptr
		want         []string
	}{
		"none": {nil, []string{
			`0 offers, notes \[\], error: permission denied: a raw socket on eth1 needs CAP_NET_RAW: .*setcap cap_net_raw,cap_net_bind_service\+ep.*AmbientCapabilities`,
			`relay: permission denied: a server answers a relay on port 67: .*setcap cap_net_bind_service\+ep`}},
		"raw alone": {[]uintptr{unix.CAP_NET_RAW},
			[]string{`8 offers, notes \["port 68 on eth1 is not ours \(it needs CAP_NET_BIND_SERVICE\)[^"]*"\], error: <nil>`}},
		"both": {[]uintptr{unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE},
			[]string{`8 offers, notes \[\], error: <nil>`, `relay: <nil>`}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(exe, "-test.run=^TestCapabilities$")
			cmd.Dir = "/"
			cmd.Env = append(os.Environ(), asNobody+"=1")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534},
				AmbientCaps: tc.capabilities}
			clients++
			p := s.Host("client", "eth1", fmt.Sprintf("10.77.0.%d/24", 10+clients)).StartCmd(cmd)
			for _, pattern := range tc.want {
				p.WaitOutput(20*time.Second, pattern)
			}
			p.Wait(20 * time.Second)
		})
	}
}

// forAll is a copy of the test binary that any user may run.
func forAll(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "probe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(dir, "probe.test")
	if err := errors.Join(lab.WriteProgram(exe, binary), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return exe
}

func TestDeviceDown(t *testing.T) {
	lab.Need(t)
	t.Parallel()
	h := lab.NewSegment(t).Host("client", "eth1")
	h.IP("link", "set", "eth1", "down")
	var err error
	h.Do(func() { _, err = Run(context.Background(), Config{Device: "eth1"}) })
	if err == nil || !strings.Contains(err.Error(), `"eth1" is down`) {
		t.Errorf("error is %v", err)
	}
}
