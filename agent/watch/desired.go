package watch

import (
	"net/netip"
	"net/url"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/menu"
)

// Desired is what a DHCP server should say so that machines boot from the agent at nextServer, whose files are under
// base by HTTP. Nothing built in serves 32-bit EFI or ARM; these stay unset. iPXE is sent to the menu where the DHCP
// server can tell it apart, unless chain leaves that way out.
func Desired(nextServer netip.Addr, base *url.URL, chain ipxe.Chain) dhcp.Boot {
	b := dhcp.Boot{NextServer: nextServer}
	b.NBP[firmware.BIOS], b.NBP[firmware.EFI64], b.NBP[firmware.ARM64] = ipxe.Undionly, ipxe.EFI64, ipxe.EFIARM64
	// One URL alone, which every backend can say: UEFI HTTP boot on x64 is what was proven.
	b.URL[firmware.EFI64] = base.JoinPath(ipxe.EFI64).String()
	if chain.TellsDHCP() {
		b.Script = ScriptURL(base).String()
	}
	return b
}

// ScriptURL is where iPXE finds the menu.
func ScriptURL(base *url.URL) *url.URL { return base.JoinPath(menu.BootstrapPath) }
