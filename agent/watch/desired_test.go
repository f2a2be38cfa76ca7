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
	got := watch.Desired(next, base, ipxe.ChainAuto, ipxe.BootFiles())
	want := dhcp.Boot{NextServer: next, Script: "http://10.77.0.7:8080/ipxe/bootstrap.ipxe"}
	want.NBP[firmware.BIOS], want.NBP[firmware.EFI64], want.NBP[firmware.ARM64] = "undionly.kpxe", "ipxe.efi",
		"snp-arm64.efi"
	want.URL[firmware.EFI64] = "http://10.77.0.7:8080/ipxe.efi"
	want.URL[firmware.ARM64] = "http://10.77.0.7:8080/snp-arm64.efi"
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for chain, script := range map[ipxe.Chain]bool{
		ipxe.ChainAuto: true, ipxe.ChainDHCP: true, ipxe.ChainEmbed: false, ipxe.ChainTFTP: false, ipxe.ChainOff: false,
	} {
		if got := watch.Desired(next, base, chain, ipxe.BootFiles()).Script != ""; got != script {
			t.Errorf("chain %s: a script for iPXE: %v", chain, got)
		}
	}
}

// The names of the configuration take the place of those that are built in, in URLs as well.
func TestDesiredNamesTheBootFilesOfTheConfiguration(t *testing.T) {
	base := &url.URL{Scheme: "http", Host: "10.77.0.7"}
	got := watch.Desired(netip.MustParseAddr("10.77.0.7"), base, ipxe.ChainAuto, [firmware.NumArch]string{
		firmware.BIOS: "lpxelinux.0", firmware.EFI64: "shim/shimx64.efi", firmware.EFI32: "ipxe-ia32.efi"})
	for client, want := range map[firmware.Client]string{
		firmware.ClientBIOS: "lpxelinux.0", firmware.ClientEFI64: "shim/shimx64.efi", firmware.ClientEFI32: "ipxe-ia32.efi",
		firmware.ClientHTTP64: "http://10.77.0.7/shim/shimx64.efi", firmware.ClientARM64: "", firmware.ClientHTTPARM64: "",
	} {
		if is := got.Expect(client); is != want {
			t.Errorf("%v is sent %q, want %q", client, is, want)
		}
	}
}
