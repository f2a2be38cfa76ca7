package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pxeagent/agent/files"
	"pxeagent/agent/ipxe"
	"pxeagent/cmd/pxeagent/cli"
)

func newChainCmd(a *app) *cobra.Command {
	return cli.Group("chain", "How iPXE is kept from loading itself for ever", newChainExplainCmd(a))
}

func newChainExplainCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say what is used against the loop for each kind of machine, and why",
		Long: `iPXE asks DHCP again, and most DHCP servers can only tell it to load iPXE once more. Say for
BIOS, UEFI x64, UEFI ARM64 and UEFI HTTP boot which of the ways against that are used with
this configuration and these files, and why the others are not; and what serve.universal
does for a DHCP server that has one name for all. Hosts and profiles with a boot file of
their own (nbp) come last. Asks nobody.`,
		Example: "  pxeagent chain explain --interface eth1\n  pxeagent chain explain --chain tftp --json",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			lib, err := l.library()
			if err != nil {
				return rootFailure(l.Config.Serve.Root, err)
			}
			machines, wrong := l.Machines()
			if len(wrong) > 0 {
				return wrong
			}
			var given []files.Given
			for _, n := range machines.NBPs() {
				given = append(given, files.Given{Whose: n.Of, NBP: n.Name})
			}
			e := explained{Chain: l.Config.Chain, Menu: lib.Leads().Script, Universal: l.Config.Serve.Universal,
				Machines: lib.Explain(l.tellsIPXE(), l.tellsURL(), given...)}
			if asJSON {
				return cli.WriteJSON(a.stdout, e)
			}
			return e.print(a.stdout)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, networkKeys, []string{"dhcp.backend", "serve.root", "serve.http"})
	a.addBackendFlags(cmd)
	return cmd
}

// tellsIPXE says whether the DHCP server sends iPXE something else than firmware.
func (l loaded) tellsIPXE() files.LoopGuard {
	w := files.LoopGuard{Name: "dhcp",
		Why: "no DHCP server is configured from here (dhcp.backend, interface), and most cannot"}
	if l.row.TellsIPXE != nil {
		w.Used, w.Why = l.row.TellsIPXE(l.Config)
	}
	return w
}

// sendsURL reports whether the DHCP server is to send a URL for UEFI HTTP boot.
func (l loaded) sendsURL() bool {
	how := l.Config.DHCP.HTTPBoot
	return how == "on" || how == "auto" && l.row.SendsURL
}

// tellsURL says whether UEFI firmware that boots by HTTP is sent a URL at all.
func (l loaded) tellsURL() files.LoopGuard {
	if l.row.TellsURL == nil {
		return files.LoopGuard{Name: "url", Why: "no DHCP server is configured from here: " +
			"whoever configures it has to send the URL, and option 60 HTTPClient with it"}
	}
	w := files.LoopGuard{Name: "url", Used: l.sendsURL(), Why: "dhcp.http_boot: " + l.Config.DHCP.HTTPBoot}
	if why := l.row.TellsURL(l.Config, w.Used); why != "" {
		w.Why += "; " + why
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
		from := cmp.Or(r.Own, "built in")
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
