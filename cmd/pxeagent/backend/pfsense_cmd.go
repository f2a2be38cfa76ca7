package backend

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
)

func newPfSenseCmd(h Host) *cobra.Command {
	return cli.Group(pfSenseName, "Look at a pfSense firewall: its certificate, its interfaces",
		pfSenseAppliance.trustCmd(h, pfSenseKeys), newPfSenseInterfacesCmd(h))
}

func newPfSenseInterfacesCmd(h Host) *cobra.Command {
	return interfacesCmd(h, pfSenseKeys, "List the firewall's interfaces, and what its DHCP server says there",
		`Log in to the firewall and list its interfaces: description, id, device, network, whether
DHCP is on there, which engine serves it, and what machines are told about network boot
now. Nothing is written. Each of the first three can stand in interface (--interface).`,
		"  pxeagent pfsense interfaces --pfsense https://fw.lan --user pxeagent --password-file FILE --tls-sha256 HEX",
		func(ctx context.Context, session *Session) (any, [][]string, error) {
			s, err := openPfSense(session, "")
			if err != nil {
				return nil, nil, err
			}
			list, err := s.Interfaces(ctx)
			if err != nil {
				host := pfSenseOf(&session.Config).URL.Host
				return nil, nil, fmt.Errorf("listing the interfaces of %s: %w", host, err)
			}
			rows := [][]string{{"DESCRIPTION", "ID", "DEVICE", "NETWORK", "DHCP", "ENGINE", "BOOT"}}
			for _, i := range list {
				network, on := "", "off"
				if i.Network.IsValid() {
					network = i.Network.String()
				}
				if i.DHCP {
					on = "on"
				}
				rows = append(rows, []string{i.Description, i.ID, i.Device, network, on, i.Engine, bootText(i.Boot)})
			}
			return list, rows, nil
		})
}

// bootText is what machines are told, in one line: "next-server 10.0.0.7, undionly.kpxe, ipxe.efi". "": nothing.
func bootText(b dhcp.Boot) string {
	var parts []string
	for _, c := range dhcp.Diff(dhcp.Boot{}, b) {
		if text := cli.Plain(c.After); !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ", ")
}
