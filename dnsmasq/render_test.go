package dnsmasq

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
)

// full is everything that a drop-in can say, except URL, which ARM machines can have as well.
func full() dhcp.Boot {
	b := dhcp.Boot{NextServer: netip.MustParseAddr("10.77.0.7"),
		Script: "http://10.77.0.7:8080/ipxe/bootstrap.ipxe?mac=${net0/mac}"}
	b.NBP = [firmware.NumArch]string{"undionly.kpxe", "ipxe32.efi", "ipxe.efi", "arm32.efi", "arm/snp-arm64.efi"}
	b.URL[firmware.EFI64] = "http://10.77.0.7:8080/ipxe.efi"
	b.URL[firmware.ARM64] = "http://10.77.0.7:8080/snp-arm64.efi"
	return b
}

var goldens = []struct {
	file  string
	iface string
	in    dropIn
}{
	{"server.conf", "eth1", dropIn{boot: full(), mode: ModeServer}},
	{"proxy.conf", "br-lan.10", dropIn{boot: full(), mode: ModeProxy,
		nets: []netip.Addr{netip.MustParseAddr("10.77.0.0"), netip.MustParseAddr("192.168.4.0")}}},
	{"plain.conf", "eth1", dropIn{boot: dhcp.Boot{NextServer: netip.MustParseAddr("10.77.0.7"),
		NBP: [firmware.NumArch]string{firmware.BIOS: "pxelinux.0"}}, mode: ModeServer}},
}

func TestDropInIsAsEver(t *testing.T) {
	for _, g := range goldens {
		want, err := os.ReadFile(filepath.Join("testdata", g.file))
		if err != nil {
			t.Fatal(err)
		}
		if got := g.in.render(g.iface); !bytes.Equal(got, want) {
			t.Errorf("%s: rendered\n%s\nwant\n%s", g.file, got, want)
		}
	}
}

func TestDropInIsReadBack(t *testing.T) {
	for _, g := range goldens {
		raw := g.in.render(g.iface)
		p := parseDropIn(raw, g.iface)
		if p.boot != g.in.boot || p.mode != g.in.mode {
			t.Errorf("%s: read back as %+v", g.file, p)
		}
		if why := p.edited(raw, g.iface); why != "" {
			t.Errorf("%s: said to have %s", g.file, why)
		}
	}
}

func TestDnsmasqTakesDropIns(t *testing.T) {
	program := needDnsmasq(t)
	for _, g := range goldens {
		out, err := exec.Command(program, "--test", "--conf-file="+filepath.Join("testdata", g.file)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %s", g.file, out)
		}
	}
}

// needDnsmasq is dnsmasq's path, for tests that need nothing else.
func needDnsmasq(t testing.TB) string {
	t.Helper()
	s := &Server{}
	program, err := s.program("")
	if err != nil {
		lab.Missing(t, "dnsmasq")
	}
	return program
}
