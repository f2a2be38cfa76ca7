package backend

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/pfsense"
)

func newPfSenseCmd(h Host) *cobra.Command {
	return cli.Group("pfsense", "Look at a pfSense firewall: its certificate, its interfaces", trustCmd(h, pfSenseTrust),
		newInterfacesCmd(h))
}

// pfSenseTrust is where trust finds the firewall.
var pfSenseTrust = trustee{
	name: pfSenseName, what: "firewall", keys: pfSenseKeys, parse: parseFirewallURL, example: "https://fw.lan",
	url:      func(c *config.Config) *url.URL { return pfSenseOf(c).URL },
	pinned:   func(c *config.Config) *[32]byte { return pfSenseOf(c).TLSSHA256 },
	itself:   "on its console or under Diagnostics > Command Prompt",
	shortcut: " (or give --tls-sha256)",
}

func newInterfacesCmd(h Host) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "interfaces",
		Short: "List the firewall's interfaces, and what its DHCP server says there",
		Long: `Log in to the firewall and list its interfaces: description, id, device, network, whether
DHCP is on there, which engine serves it, and what machines are told about network boot
now. Nothing is written. Each of the first three can stand in interface (--interface).`,
		Example: "  pxeagent pfsense interfaces --pfsense https://fw.lan --user pxeagent --password-file FILE " +
			"--tls-sha256 HEX",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			session, err := h.Session(cmd)
			if err != nil {
				return err
			}
			s, err := openPfSense(session, "")
			if err != nil {
				return err
			}
			list, err := s.Interfaces(cmd.Context())
			if err != nil {
				return fmt.Errorf("listing the interfaces of %s: %w", pfSenseOf(&session.Config).URL.Host, err)
			}
			if asJSON {
				return cli.WriteJSON(h.Out(), map[string]any{"interfaces": list})
			}
			return printInterfaces(h.Out(), list)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	config.AddFlags(cmd.Flags(), pfSenseKeys)
	h.Schema().AddFlags(cmd.Flags(), "state_dir")
	addRetryAuth(cmd.Flags())
	return cmd
}

func printInterfaces(w io.Writer, list []pfsense.Interface) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "DESCRIPTION\tID\tDEVICE\tNETWORK\tDHCP\tENGINE\tBOOT")
	for _, i := range list {
		network, on := "-", "off"
		if i.Network.IsValid() {
			network = i.Network.String()
		}
		if i.DHCP {
			on = "on"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cli.Dash(cli.Plain(i.Description), i.Description), cli.Plain(i.ID),
			cli.Plain(i.Device), network, on, cli.Plain(i.Engine), bootText(i.Boot))
	}
	return tw.Flush()
}

// bootText is what machines are told, in one line: "next-server 10.0.0.7, undionly.kpxe, ipxe.efi".
func bootText(b dhcp.Boot) string {
	if b == (dhcp.Boot{}) {
		return "-"
	}
	var parts []string
	for _, c := range dhcp.Diff(dhcp.Boot{}, b) {
		if text := cli.Plain(c.After); !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ", ")
}
