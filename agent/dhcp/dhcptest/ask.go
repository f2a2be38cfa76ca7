package dhcptest

import (
	"context"
	"net"
	"net/netip"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/probe"
)

// FullBoot names a boot file for every arch, a URL for HTTP boot of EFI64, and a script.
func FullBoot(next string) dhcp.Boot {
	b := dhcp.Boot{NextServer: netip.MustParseAddr(next), Script: "http://" + next + "/ipxe/bootstrap.ipxe"}
	b.NBP = [firmware.NumArch]string{"undionly.kpxe", "ipxe32.efi", "ipxe.efi", "arm32.efi", "snp-arm64.efi"}
	b.URL[firmware.EFI64] = "http://" + next + "/ipxe.efi"
	return b
}

// BIOSBoot names a boot file for BIOS machines only.
func BIOSBoot(next string) dhcp.Boot {
	b := dhcp.Boot{NextServer: netip.MustParseAddr(next)}
	b.NBP[firmware.BIOS] = "pxelinux.0"
	return b
}

// Wants are Backend.Wants for a server that can say all of them in 10.77.0.0/24.
func Wants() []dhcp.Boot {
	return []dhcp.Boot{FullBoot("10.77.0.5"), FullBoot("10.77.0.6"), BIOSBoot("10.77.0.7")}
}

// ProbeMAC is the machine that asks in Relayed and OnTheWire. It is always the same, so that no pool is used up.
var ProbeMAC = net.HardwareAddr{0x02, 0x70, 0x78, 0x65, 0x00, 0x01}

// Relayed is Backend.Probe for a server that answers to the port that it was asked from, as it answers a relay agent.
func Relayed(server netip.AddrPort) func(context.Context, []firmware.Client) ([]firmware.Offer, error) {
	return func(ctx context.Context, clients []firmware.Client) ([]firmware.Offer, error) {
		report, err := probe.Run(ctx, probe.Config{Server: server, RelayPort: probe.AnyPort, MAC: ProbeMAC,
			Clients: clients, Quiet: 20 * time.Millisecond, Limit: 2 * time.Second})
		return report.Offers, err
	}
}

// OnTheWire probes from a device, in the network namespace that do calls a function in.
func OnTheWire(do func(func()), device string) dhcp.Probe {
	return func(ctx context.Context, clients []firmware.Client, _ dhcp.Enough) (offers []firmware.Offer, err error) {
		do(func() {
			var report probe.Report
			report, err = probe.Run(ctx, probe.Config{Device: device, MAC: ProbeMAC, Clients: clients,
				Quiet: 300 * time.Millisecond, Limit: 5 * time.Second})
			offers = report.Offers
		})
		return offers, err
	}
}
