package boots

import (
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

const (
	// memtestMenu has the menu choose memtest, which needs no key typed at the right moment.
	memtestMenu = "menu:\n  default: memtest-memtest86_x64\n  timeout: 1s\n"
	bootLimit   = 150 * time.Second
)

// room is a site in which machines boot.
type room struct{ *site.Site }

// newRoom is a room whose images are Debian's memtest86+, with the daemon running and DHCP configured.
func newRoom(t *testing.T, dnsmasqLines, moreYAML string) *room {
	t.Helper()
	lab.NeedQEMU(t)
	lab.NeedFile(t, "/boot/memtest86+x64.bin", "/boot/memtest86+x64.efi")
	s := &room{site.New(t, dnsmasqLines, memtestMenu+moreYAML)}
	for _, name := range []string{"memtest86+x64.bin", "memtest86+x64.efi"} {
		b, err := os.ReadFile(filepath.Join("/boot", name))
		if err != nil {
			t.Fatal(err)
		}
		s.Write("root/http/"+name, string(b))
	}
	s.Serve()
	return s
}

// boots waits until a machine has fetched what its road has on it, each by its log line, and is in memtest86+.
func (s *room) boots(m *lab.Machine, road ...string) {
	s.T.Helper()
	for _, hop := range append(road, `artifact=kernel outcome=ok`) {
		s.Agent.WaitOutput(bootLimit, `msg=served .*`+hop)
	}
	runsMemtest(s.T, m)
	if n := s.Metric("pxeagent_requests_total", `artifact="kernel"`, `outcome="ok"`); n < 1 {
		s.T.Errorf("the metrics count %v kernels", n)
	}
	if n := s.Metric("pxeagent_requests_total", `artifact="script"`, `class="ipxe"`, `outcome="ok"`); n < 1 {
		s.T.Errorf("the metrics count %v scripts sent to iPXE", n)
	}
}

// runsMemtest waits until the screen is memtest86+'s blue. Its kernel tells nobody that it runs, so the screen is looked at.
func runsMemtest(t *testing.T, m *lab.Machine) {
	t.Helper()
	deadline := time.Now().Add(bootLimit)
	for {
		blue := lab.Share(m.Screen(), memtestBlue)
		if blue > 0.6 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("memtest86+ is not on the screen: %.0f %% of it is blue", 100*blue)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

var memtestBlue = color.RGBA{0, 0, 0xaa, 0xff}

func TestBIOSMachineBoots(t *testing.T) {
	s := newRoom(t, site.Leasing, "")
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:01"})
	s.boots(m, `proto=http .*class=ipxe .*artifact=script outcome=ok`)
}

func TestUEFIMachineBoots(t *testing.T) {
	s := newRoom(t, site.Leasing, "")
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:02", UEFI: true})
	s.boots(m, `proto=tftp .*class=uefi .*artifact=nbp outcome=ok`, `proto=http .*class=ipxe .*artifact=script outcome=ok`)
	if n := s.Metric("pxeagent_requests_total", `protocol="tftp"`, `outcome="size_probe"`, `class="uefi"`); n < 1 {
		t.Errorf("the metrics count %v size probes of the firmware", n)
	}
}

func TestUEFIMachineBootsByHTTP(t *testing.T) {
	s := newRoom(t, site.Leasing, "")
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:03", UEFI: true, HTTPBoot: true})
	s.boots(m, `proto=http .*class=uefi .*artifact=nbp outcome=ok`, `proto=http .*class=ipxe .*artifact=script outcome=ok`)
	if n := s.Metric("pxeagent_requests_total", `protocol="tftp"`, `artifact="nbp"`, `class="uefi"`); n != 0 {
		t.Errorf("%v NBPs went by TFTP in an HTTP boot", n)
	}
}

// QEMU's ROM is iPXE and never loads undionly.kpxe by itself. Told by hand to chain it under another name, it does what a ROM does.
func TestUndionlyItselfBoots(t *testing.T) {
	s := newRoom(t, site.Leasing, "")
	s.Must(0, "configure")
	m := s.bootUndionly("52:54:00:77:00:04")
	s.boots(m, `proto=tftp .*file=\S*first.kpxe.* outcome=ok`, `proto=http .*class=ipxe .*artifact=script outcome=ok`)
	// The second iPXE introduces itself: it is another build than the ROM.
	if n := strings.Count(m.Output(), "Open Source Network Boot Firmware"); n < 2 {
		t.Errorf("iPXE started %d times, want the ROM and then undionly.kpxe", n)
	}
}

// Another server leases; Dnsmasq on our box adds the boot information.
func newProxyRoom(t *testing.T) *room {
	t.Helper()
	s := newRoom(t, "interface=eth1\n", "")
	f, err := os.ReadFile(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	s.Write("pxeagent.yaml", strings.Replace(string(f), "  dnsmasq:\n", "  dnsmasq:\n    mode: proxy\n", 1))
	lessor := s.Seg.Host("lessor", "eth1", "10.77.0.1/24")
	lessor.Dnsmasq("--no-ping", "--interface=eth1", "--bind-interfaces", "--dhcp-range=10.77.0.50,10.77.0.90,1h")
	s.Must(0, "configure")
	return s
}

func TestBIOSMachineBootsBesideAnotherDHCPServer(t *testing.T) {
	s := newProxyRoom(t)
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:05"})
	s.boots(m, `proto=http .*class=ipxe .*artifact=script outcome=ok`)
}

func TestUEFIMachineBootsBesideAnotherDHCPServer(t *testing.T) {
	s := newProxyRoom(t)
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:06", UEFI: true})
	s.boots(m, `proto=tftp .*class=uefi .*artifact=nbp outcome=ok`, `proto=http .*class=ipxe .*artifact=script outcome=ok`)
}
