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
// base by HTTP. Architectures without a file in files stay unset. iPXE is sent to the menu where the DHCP server can
// tell it apart, unless chain leaves that way out.
func Desired(
	nextServer netip.Addr, base *url.URL, chain ipxe.Chain, files [firmware.NumArch]string,
) dhcp.Boot {
	b := dhcp.Boot{NextServer: nextServer, NBP: files}
	// UEFI on 32 bits knows HTTP boot as well; x64 and ARM64 are what was proven.
	for _, a := range []firmware.Arch{firmware.EFI64, firmware.ARM64} {
		if files[a] != "" {
			b.URL[a] = base.JoinPath(files[a]).String()
		}
	}
	if chain.TellsDHCP() {
		b.Script = ScriptURL(base).String()
	}
	return b
}

// ScriptURL is where iPXE finds the menu.
func ScriptURL(base *url.URL) *url.URL { return base.JoinPath(menu.BootstrapPath) }
