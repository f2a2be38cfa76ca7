package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pxeagent/agent/files"
	"pxeagent/agent/ipxe"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
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
this configuration and these files, and why the others are not; and what serve.universal
does for a DHCP server that has one name for all. Asks nobody.`,
		Example: "  pxeagent chain explain --interface eth1\n  pxeagent chain explain --chain tftp --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			lib, err := l.library()
			if err != nil {
				return rootFailure(l.Config.Serve.Root, err)
			}
			e := explained{Chain: l.Config.Chain, Menu: lib.Leads().Script, Universal: l.Config.Serve.Universal, Machines: lib.Explain(l.tellsIPXE(), l.tellsURL())}
			if asJSON {
				return cli.WriteJSON(a.stdout, e)
			}
			return e.print(a.stdout)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addFlags(cmd, networkKeys, []string{"dhcp.backend", "dhcp.pfsense.url", "serve.root", "serve.http"})
	return cmd
}

// tellsIPXE says whether the DHCP server sends iPXE something else than a ROM.
func (l loaded) tellsIPXE() files.LoopGuard {
	switch l.Config.Backend() {
	case config.Dnsmasq:
		return files.LoopGuard{Name: "dhcp", Used: true, Why: "Dnsmasq knows iPXE by DHCP option 175 and sends it the menu's URL"}
	case config.PfSense:
		if l.Config.Chain == ipxe.ChainDHCP {
			return files.LoopGuard{Name: "dhcp", Used: true, Why: "Kea on pfSense is given a class that knows iPXE by DHCP option 175 and sends it the menu's URL; " +
				"with ISC's server, or before 2.8 and 25.03, `pxeagent configure` refuses"}
		}
		return files.LoopGuard{Name: "dhcp", Why: "pfSense itself sends iPXE what it sends a ROM; with Kea, from 2.8 and 25.03 on, chain: dhcp has it told apart"}
	}
	return files.LoopGuard{Name: "dhcp", Why: "no DHCP server is configured from here (dhcp.backend, interface), and most cannot"}
}

// tellsURL says whether UEFI firmware that boots by HTTP is sent a URL at all.
func (l loaded) tellsURL() files.LoopGuard {
	w := files.LoopGuard{Name: "url", Used: l.Config.SendsURL()}
	how := "dhcp.http_boot: " + l.Config.DHCP.HTTPBoot
	switch {
	case l.Config.Backend() == config.NoBackend:
		w.Used, w.Why = false, "no DHCP server is configured from here: whoever configures it has to send the URL, and option 60 HTTPClient with it"
	case w.Used && l.Config.Backend() == config.Dnsmasq:
		w.Why = how + "; Dnsmasq sends the URL to machines that do HTTP boot, and to no other"
	case w.Used:
		w.Why = how + "; pfSense with ISC's server then sends option 60 HTTPClient to PXE machines too, whose iPXE is known by HTTP, and with Kea the URL has no effect"
	case l.Config.Backend() == config.PfSense && l.Config.DHCP.HTTPBoot == "auto":
		w.Why = how + "; pfSense with ISC's server would send option 60 HTTPClient to PXE machines too, and with Kea the URL would have no effect"
	default:
		w.Why = how
	}
	return w
}

// explained is what `chain explain` says.
type explained struct {
	Chain     ipxe.Chain
	Menu      string
	Universal bool
	Machines  []files.LoopGuards
}

// MarshalJSON adds to each machine's guards what follows from them.
func (e explained) MarshalJSON() ([]byte, error) {
	type guards struct {
		files.LoopGuards
		Ends string `json:"ends,omitempty"`
	}
	all := make([]guards, len(e.Machines))
	for i, r := range e.Machines {
		all[i] = guards{r, r.Ends()}
	}
	return json.Marshal(struct {
		Chain     ipxe.Chain `json:"chain"`
		Menu      string     `json:"menu"`
		Universal bool       `json:"universal"`
		Machines  []guards   `json:"machines"`
	}{e.Chain, e.Menu, e.Universal, all})
}

func (e explained) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "chain\t%s\nmenu\t%s\nuniversal\t%v\n", e.Chain, e.Menu, e.Universal)
	for _, r := range e.Machines {
		from := "built in"
		if r.Own != "" {
			from = r.Own
		}
		fmt.Fprintf(tw, "\n%s\t%s, %s\n", r.Machine, cli.Plain(r.NBP), cli.Plain(from))
		for _, guard := range append(r.Before, r.Guards...) {
			mark := "no "
			if guard.Used {
				mark = "yes"
			}
			fmt.Fprintf(tw, "  %s %s\t%s\n", mark, guard.Name, cli.Plain(guard.Why))
		}
		end := "the loop ends by " + r.Ends()
		if r.Ends() == "" {
			end = "nothing here ends the loop for certain"
		}
		fmt.Fprintf(tw, "  =\t%s\n", end)
	}
	return tw.Flush()
}
