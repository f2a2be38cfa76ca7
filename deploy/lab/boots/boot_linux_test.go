package boots

import (
	"strings"
	"testing"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

func TestBIOSMachineBoots(t *testing.T) {
	s := newMemtestRoom(t, site.Leasing, "")
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:01"})
	s.bootsMemtest(m, menuByHTTP)
}

func TestUEFIMachineBoots(t *testing.T) {
	s := newMemtestRoom(t, site.Leasing, "")
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:02", UEFI: true})
	s.bootsMemtest(m, nbpByTFTP, menuByHTTP)
	s.sendsOnce()
	if n := s.Metric("pxeagent_requests_total", `protocol="tftp"`, `outcome="size_probe"`, `class="uefi"`); n < 1 {
		t.Errorf("the metrics count %v size probes of the firmware", n)
	}
}

func TestUEFIMachineBootsByHTTP(t *testing.T) {
	s := newRoom(t, site.Leasing, "")
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:03", UEFI: true, HTTPBoot: true})
	s.boots(m, nbpByHTTP, menuByHTTP)
	if n := s.Metric("pxeagent_requests_total", `protocol="tftp"`, `artifact="nbp"`, `class="uefi"`,
		`outcome="ok"`); n != 0 {
		t.Errorf("%v NBPs went by TFTP in an HTTP boot", n)
	}
}

// QEMU's ROM is iPXE and never loads undionly.kpxe by itself. Told by hand to chain it under another name, it does what
// a ROM does.
func TestUndionlyItselfBoots(t *testing.T) {
	s := newRoom(t, site.Leasing, "")
	s.Must(0, "configure")
	m := s.bootUndionly("52:54:00:77:00:04")
	s.boots(m, firstLoaded, menuByHTTP)
	// The second iPXE introduces itself: it is another build than the ROM.
	if n := strings.Count(m.Output(), "Open Source Network Boot Firmware"); n < 2 {
		t.Errorf("iPXE started %d times, want the ROM and then undionly.kpxe", n)
	}
}

// Another server leases; Dnsmasq on our box adds the boot information.
func newProxyRoom(t *testing.T) *room {
	t.Helper()
	s := newRoom(t, "interface=eth1\n", "")
	s.Write("pxeagent.yaml", strings.Replace(s.Read("pxeagent.yaml"), "  dnsmasq:\n", "  dnsmasq:\n    mode: proxy\n", 1))
	lessor := s.Seg.Host("lessor", "eth1", "10.77.0.1/24")
	lessor.Dnsmasq("--no-ping", "--interface=eth1", "--bind-interfaces", "--dhcp-range=10.77.0.50,10.77.0.90,1h")
	s.Must(0, "configure")
	return s
}

func TestBIOSMachineBootsBesideAnotherDHCPServer(t *testing.T) {
	s := newProxyRoom(t)
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:05"})
	s.boots(m, menuByHTTP)
}

func TestUEFIMachineBootsBesideAnotherDHCPServer(t *testing.T) {
	s := newProxyRoom(t)
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:06", UEFI: true})
	s.boots(m, nbpByTFTP, menuByHTTP)
}
