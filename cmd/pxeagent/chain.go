package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pxeagent/agent/ipxe"
)

func newChainCmd(a *app) *cobra.Command {
	return newGroupCmd("chain", "How iPXE is kept from loading itself for ever", newChainExplainCmd(a))
}

func newChainExplainCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say what is used against the loop for each kind of machine, and why",
		Long: `iPXE asks DHCP again, and most DHCP servers can only tell it to load iPXE once more. Say for
BIOS, UEFI x64, UEFI ARM64 and UEFI HTTP boot which of the ways against that are used with
this configuration and these files, and why the others are not. Asks nobody.`,
		Example: "  pxeagent chain explain --interface eth1\n  pxeagent chain explain --chain tftp --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			lib, err := l.library(l.Config.Serve.Root)
			if err != nil {
				return rootFailure(l.Config.Serve.Root, err)
			}
			roads := lib.Explain(l.tellsIPXE())
			if asJSON {
				return writeJSON(a.stdout, map[string]any{"chain": l.Config.Chain, "menu": lib.ScriptURL(), "machines": roadsJSON(roads)})
			}
			return printRoads(a.stdout, l.Config.Chain, lib.ScriptURL(), roads)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addFlags(cmd, networkKeys, []string{"dhcp.backend", "dhcp.pfsense.url", "serve.root", "serve.http"})
	return cmd
}

// tellsIPXE says whether the DHCP server sends iPXE something else than a ROM.
func (l loaded) tellsIPXE() ipxe.Way {
	switch l.Config.Backend() {
	case Dnsmasq:
		return ipxe.Way{Name: "dhcp", Used: true, Why: "Dnsmasq knows iPXE by DHCP option 175 and sends it the menu's URL"}
	case PfSense:
		return ipxe.Way{Name: "dhcp", Why: "pfSense cannot tell iPXE from a ROM and sends both the same"}
	}
	return ipxe.Way{Name: "dhcp", Why: "no DHCP server is configured from here (dhcp.backend, interface), and most cannot"}
}

// roadJSON is a road with what follows from it.
type roadJSON struct {
	ipxe.Road
	Ends string `json:"ends,omitempty"`
}

func roadsJSON(roads []ipxe.Road) []roadJSON {
	out := make([]roadJSON, len(roads))
	for i, r := range roads {
		out[i] = roadJSON{r, r.Ends()}
	}
	return out
}

func printRoads(w io.Writer, chain ipxe.Chain, menu string, roads []ipxe.Road) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "chain\t%s\nmenu\t%s\n", chain, menu)
	for _, r := range roads {
		from := "built in"
		if r.Own != "" {
			from = r.Own
		}
		fmt.Fprintf(tw, "\n%s\t%s, %s\n", r.Machine, plain(r.NBP), plain(from))
		for _, way := range r.Ways {
			mark := "no "
			if way.Used {
				mark = "yes"
			}
			fmt.Fprintf(tw, "  %s %s\t%s\n", mark, way.Name, plain(way.Why))
		}
		end := "the loop ends by " + r.Ends()
		if r.Ends() == "" {
			end = "nothing here ends the loop for certain"
		}
		fmt.Fprintf(tw, "  =\t%s\n", end)
	}
	return tw.Flush()
}
