package openwrt

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/dnsmasq/openwrt/openwrttest"
)

// The stand-in makes of our sections what the real script makes of them.
func TestStandInGeneratesAsTheScript(t *testing.T) {
	b := dhcp.Boot{NextServer: netip.MustParseAddr("10.77.0.7"), Script: "http://10.77.0.7/ipxe/bootstrap.ipxe"}
	b.NBP[firmware.BIOS], b.NBP[firmware.EFI64], b.NBP[firmware.ARM64] = "undionly.kpxe", "ipxe.efi", "snp-arm64.efi"
	b.URL[firmware.EFI64] = "http://10.77.0.7/ipxe.efi"
	var sections []openwrttest.Section
	for _, s := range openwrttest.Default()[:2] {
		if s.Name == "lan" {
			s.Options["limit"] = "150"
		}
		sections = append(sections, s)
	}
	server := &Server{cfg: Config{Interface: "lan"}}
	for _, s := range server.own(b) {
		sections = append(sections, openwrttest.Section{Name: s.Name, Type: s.Type, Options: s.Options})
	}
	s := newSite(t, openwrttest.Options{Sections: sections})
	want, err := os.ReadFile("testdata/24.10.conf")
	if err != nil {
		t.Fatal(err)
	}
	got := lines(s.Conf())
	for _, l := range lines(string(want)) {
		if !slices.Contains(got, l) {
			t.Errorf("the script writes %s", l)
		}
	}
	if n := len(lines(string(want))); len(got) != n {
		t.Errorf("%d lines, the script writes %d: %q", len(got), n, got)
	}
}

func lines(conf string) (all []string) {
	for l := range strings.Lines(conf) {
		if strings.HasPrefix(l, "dhcp-") && !strings.HasPrefix(l, "dhcp-authoritative") {
			all = append(all, strings.TrimSpace(l))
		}
	}
	return all
}
