package lab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var serial atomic.Uint32

// Segment is one Ethernet broadcast domain: a bridge in a namespace of its own, to which hosts are plugged.
type Segment struct {
	t     testing.TB
	netns string
	ports int

	advertised bool
}

// Host is a network namespace with an interface on one or more segments.
type Host struct {
	t     testing.TB
	netns string
}

// NewSegment makes a segment that is removed at the end of t. It calls Need.
func NewSegment(t testing.TB) *Segment {
	t.Helper()
	Need(t)
	s := &Segment{t: t, netns: newNetns(t, "seg")}
	s.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0", "stp_state", "0")
	s.ip("link", "set", "br0", "up")
	return s
}

// NewHost makes a namespace with only loopback, up.
func NewHost(t testing.TB, name string) *Host {
	t.Helper()
	Need(t)
	return &Host{t: t, netns: newNetns(t, name)}
}

// Host makes a namespace with the interface dev plugged into s, with the given addresses
// ("10.77.0.1/24"), up.
func (s *Segment) Host(name, dev string, addrs ...string) *Host {
	s.t.Helper()
	h := NewHost(s.t, name)
	s.Plug(h, dev, addrs...)
	return h
}

// Plug gives h an interface dev on s. IPv6 is off on it.
func (s *Segment) Plug(h *Host, dev string, addrs ...string) {
	s.t.Helper()
	s.ports++
	port := fmt.Sprintf("p%d", s.ports)
	s.ip("link", "add", port, "type", "veth", "peer", "name", dev, "netns", h.netns)
	s.ip("link", "set", port, "master", "br0", "up")
	h.Do(func() {
		// A veth in a namespace comes with IPv6, whose neighbour discovery only delays the tests.
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+dev+"/disable_ipv6", []byte("1"), 0o644)
	})
	for _, a := range addrs {
		h.IP("addr", "add", a, "brd", "+", "dev", dev)
	}
	h.IP("link", "set", dev, "up")
	s.forwards(port)
}

// forwards waits until the bridge passes frames of a port. It begins to when the kernel has dealt with the news that
// the link is up, which it does at most once a second; a frame that is sent before is lost.
func (s *Segment) forwards(port string) {
	s.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		out, err := exec.Command("ip", "-n", s.netns, "-d", "-o", "link", "show", "dev", port).CombinedOutput()
		if err == nil && strings.Contains(string(out), "state forwarding") {
			return
		}
		if err != nil || time.Now().After(deadline) {
			s.t.Fatalf("port %s of the bridge does not forward: %v: %s", port, err, out)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Tap makes a tap device tap in the segment's own namespace and plugs it into the bridge. QEMU started
// with Start on the returned host uses it.
func (s *Segment) Tap(tap string) *Host {
	s.t.Helper()
	s.ip("tuntap", "add", tap, "mode", "tap")
	s.ip("link", "set", tap, "master", "br0", "up")
	return &Host{t: s.t, netns: s.netns}
}

func (s *Segment) ip(args ...string) { s.t.Helper(); (&Host{s.t, s.netns}).IP(args...) }

// Netns is the name of h's namespace, as `ip netns` knows it.
func (h *Host) Netns() string { return h.netns }

// IP runs ip(8) in h and fails the test if it fails.
func (h *Host) IP(args ...string) {
	h.t.Helper()
	mustRun(h.t, "ip", append([]string{"-n", h.netns}, args...)...)
}

// MAC is the hardware address of an interface of h.
func (h *Host) MAC(dev string) string {
	h.t.Helper()
	var mac string
	h.Do(func() {
		// /sys shows the namespace it was mounted in, so ip(8) is asked.
		out, err := exec.Command("ip", "-o", "link", "show", "dev", dev).Output()
		if err != nil {
			h.t.Errorf("asking for the MAC of %s: %v", dev, err)
			return
		}
		f := strings.Fields(string(out))
		for i := range f {
			if f[i] == "link/ether" && i+1 < len(f) {
				mac = f[i+1]
			}
		}
	})
	return mac
}

// Addr parses an address and panics if it is none, for test tables.
func Addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// Do runs f on a thread that is in h's namespace. Sockets opened and processes started in f
// belong to h and stay there; goroutines started in f do not.
func (h *Host) Do(f func()) {
	h.t.Helper()
	done := make(chan error, 1)
	go func() {
		// The thread is not unlocked: it ends with this goroutine and never carries the
		// namespace into another one.
		runtime.LockOSThread()
		fd, err := unix.Open(filepath.Join("/var/run/netns", h.netns), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			unix.Close(fd)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		h.t.Fatalf("entering namespace %s: %v", h.netns, err)
	}
}

func newNetns(t testing.TB, name string) string {
	t.Helper()
	ns := fmt.Sprintf("pxa-%d-%s%d", os.Getpid(), name, serial.Add(1))
	mustRun(t, "ip", "netns", "add", ns)
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput(); err != nil {
			t.Errorf("removing namespace %s: %v: %s", ns, err, out)
		}
	})
	mustRun(t, "ip", "-n", ns, "link", "set", "lo", "up")
	return ns
}

func mustRun(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}
