package watch_test

import (
	"net/netip"
	"net/url"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/watch"
)

func TestDesired(t *testing.T) {
	next := netip.MustParseAddr("10.77.0.7")
	base := &url.URL{Scheme: "http", Host: "10.77.0.7:8080"}
	got := watch.Desired(next, base, ipxe.ChainAuto)
	want := dhcp.Boot{NextServer: next, Script: "http://10.77.0.7:8080/ipxe/bootstrap.ipxe"}
	want.NBP[firmware.BIOS], want.NBP[firmware.EFI64], want.NBP[firmware.ARM64] = "undionly.kpxe", "ipxe.efi",
		"snp-arm64.efi"
	want.URL[firmware.EFI64] = "http://10.77.0.7:8080/ipxe.efi"
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for chain, script := range map[ipxe.Chain]bool{
		ipxe.ChainAuto: true, ipxe.ChainDHCP: true, ipxe.ChainEmbed: false, ipxe.ChainTFTP: false, ipxe.ChainOff: false,
	} {
		if got := watch.Desired(next, base, chain).Script != ""; got != script {
			t.Errorf("chain %s: a script for iPXE: %v", chain, got)
		}
	}
}
