package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pxeagent/agent"
	"pxeagent/agent/boot"
	"pxeagent/agent/machine"
	"pxeagent/agent/menu"
	"pxeagent/cmd/pxeagent/cli"
)

// hostView is what host show says.
type hostView struct {
	Facts    boot.Facts        `json:"facts"`
	Addr     netip.Addr        `json:"addr,omitzero"`
	Host     string            `json:"host,omitempty"`
	By       machine.By        `json:"by,omitempty"`
	Line     int               `json:"line,omitempty"`
	Profile  string            `json:"profile,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	NBP      string            `json:"nbp,omitempty"` // its own boot file
	Boots    string            `json:"boots"`         // the item's key
	How      string            `json:"how"`
	Once     bool              `json:"once"`
	SkipMenu bool              `json:"straight"`
	Args     string            `json:"args,omitempty"`
	Why      []string          `json:"why"`
	Problems []string          `json:"problems,omitempty"`
	Script   string            `json:"script"`
}

func newHostShowCmd(a *app) *cobra.Command {
	var m machineFlags
	var asJSON, script bool
	cmd := &cobra.Command{
		Use:   "show [MAC|UUID|HOST]",
		Short: "Say which host a machine is, what it boots, and why",
		Long: `A machine is the host of the configuration that is known by what says most: its MAC, UUID,
serial number, asset tag, the smallest range of addresses that it is in, its manufacturer
and product. Shown is which one that is, why, and what the machine would be sent. The more
is told of it by flags, the more can match. Made from the configuration and the disk: no
daemon need run.`,
		Example: `  pxeagent host show 52:54:00:12:34:56
  pxeagent host show --serial CZ1234 --address 10.0.0.20 --platform efi
  pxeagent host show node-01 --script`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, c, fleet, err := a.fleet(cmd)
			if err != nil {
				return err
			}
			facts, addr, err := m.read()
			if err != nil {
				return err
			}
			if facts, addr, err = hostFacts(fleet, args, facts, addr); err != nil {
				return err
			}
			c.Log = nil // what it would say is shown
			menu, err := agent.MachineMenu(c, "ipxe", facts, addr)
			if err != nil {
				return rootFailure(l.Config.Serve.Root, err)
			}
			v := viewOf(fleet.Inventory().Resolve(facts, addr), menu, facts, addr)
			v.NBP = fleet.Inventory().NBPOf(v.Host)
			switch {
			case asJSON:
				return cli.WriteJSON(a.stdout, v)
			case script:
				_, err := io.WriteString(a.document, v.Script)
				return err
			}
			return v.print(a.stdout, l.File)
		},
	}
	m.addTo(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().BoolVar(&script, "script", false, "the script that the machine would be sent, alone")
	a.addFlags(cmd, hostKeys)
	return cmd
}

// hostFacts are those of the flags and of what the argument names.
func hostFacts(fleet *machine.Fleet, args []string, facts boot.Facts, addr netip.Addr) (boot.Facts, netip.Addr, error) {
	if len(args) == 0 {
		if facts == (boot.Facts{}) && !addr.IsValid() {
			return facts, addr, cli.Usagef("`pxeagent host list` shows the hosts of the configuration",
				"want a machine: a MAC, a UUID, the name of a host, or flags")
		}
		return facts, addr, nil
	}
	if h, ok := fleet.Inventory().Named(args[0]); ok {
		return factsOfHost(h, facts, addr)
	}
	id, _, err := hostID(fleet, args[0])
	if err != nil {
		return facts, addr, err
	}
	of := factsOf(id)
	if facts.MAC != "" && of.MAC != "" || facts.UUID != "" && of.UUID != "" {
		return facts, addr, cli.Usagef("leave one of them out", "the machine is named twice: %s, and by a flag", args[0])
	}
	if of.MAC != "" {
		facts.MAC = of.MAC
	} else {
		facts.UUID = of.UUID
	}
	return facts, addr, nil
}

// factsOfHost are what a machine tells that is this host, as far as the configuration knows.
func factsOfHost(h machine.Host, facts boot.Facts, addr netip.Addr) (boot.Facts, netip.Addr, error) {
	first := func(dst *string, texts []string) {
		if *dst == "" && len(texts) > 0 {
			*dst = texts[0]
		}
	}
	first(&facts.MAC, h.MACs)
	first(&facts.UUID, h.UUIDs)
	first(&facts.Serial, h.Serials)
	first(&facts.Asset, h.Assets)
	if whole := strings.TrimSuffix(h.Manufacturer, "*"); facts.Manufacturer == "" {
		facts.Manufacturer = whole
	}
	if whole := strings.TrimSuffix(h.Product, "*"); facts.Product == "" {
		facts.Product = whole
	}
	if !addr.IsValid() && len(h.Addresses) > 0 {
		addr = h.Addresses[0].From
	}
	return facts, addr, nil
}

func viewOf(d machine.Decision, menu menu.Menu, facts boot.Facts, addr netip.Addr) hostView {
	v := hostView{Facts: facts, Addr: addr, Host: d.Host, By: d.By, Line: d.Line, Profile: d.Profile, Labels: d.Labels,
		Boots: menu.Default, How: when(menu),
		Once: menu.Choice.Once, SkipMenu: menu.SkipMenu, Args: menu.Choice.Args, Why: menu.Choice.Why,
		Script: string(menu.Shown)}
	if menu.Err != nil {
		v.Problems = strings.Split(menu.Err.Error(), "\n")
	}
	return v
}

// print is for a person. file is that of the configuration.
func (v hostView) print(w io.Writer, file string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, text string) { fmt.Fprintf(tw, "%s\t%s\n", name, cli.Plain(text)) }
	if v.Host == "" {
		line("host", "none of the configuration")
	} else {
		line("host", fmt.Sprintf("%s (%s:%d)", v.Host, file, v.Line))
	}
	if v.Profile != "" {
		line("profile", v.Profile)
	}
	if len(v.Labels) > 0 {
		line("labels", labelText(v.Labels))
	}
	if v.NBP != "" {
		line("nbp", v.NBP+", where firmware asks for the file that DHCP names")
	}
	line("boots", v.Boots+", "+v.How)
	if v.Args != "" {
		line("arguments", v.Args)
	}
	for i, why := range v.Why {
		line([]string{"because", ""}[min(i, 1)], why)
	}
	for _, p := range v.Problems {
		line("problem", p)
	}
	return tw.Flush()
}

func labelText(labels map[string]string) string {
	var texts []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		texts = append(texts, k+"="+labels[k])
	}
	return strings.Join(texts, " ")
}

func newHostRenderCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "render MAC|UUID|HOST DOCUMENT",
		Short: "Print an installer's document as a machine would be given it",
		Long: `Fill in a template of serve.root/provision (kickstart, preseed, cloud-init, ignition, AutoYaST)
for a machine: DOCUMENT is its name without .tmpl. Secrets that it holds are printed.`,
		Example: "  pxeagent host render node-01 cloud-init/user-data",
		Args:    hostArgs("a machine", "a document"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, c, fleet, err := a.fleet(cmd)
			if err != nil {
				return err
			}
			facts, addr, err := hostFacts(fleet, args[:1], boot.Facts{}, netip.Addr{})
			if err != nil {
				return err
			}
			d, err := fleet.Preview(machine.Request{Name: args[1], Addr: addr, Facts: facts,
				Server: strings.TrimSuffix(c.Places[0].Base.String(), "/")})
			if errors.Is(err, fs.ErrNotExist) {
				hint := fmt.Sprintf("templates lie in %s/%s, and are named with .tmpl at their end", c.Root, agent.DocumentsFolder)
				return cli.Usagef(hint, "there is no document %q", args[1])
			}
			if err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}
			_, err = a.document.Write(d.Text)
			return err
		},
	}
	a.addFlags(cmd, hostKeys)
	return cmd
}
