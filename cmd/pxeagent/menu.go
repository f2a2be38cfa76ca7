package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pxeagent/agent"
	"pxeagent/agent/boot"
	"pxeagent/agent/machine"
	"pxeagent/agent/menu"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

func newMenuCmd(a *app) *cobra.Command {
	return cli.Group("menu", "The menu that machines are given", newMenuShowCmd(a), newMenuLintCmd(a),
		newMenuTemplateCmd(a))
}

func newMenuShowCmd(a *app) *cobra.Command {
	var m machineFlags
	var asJSON, scriptOnly, secrets bool
	loader := loaderFlag("ipxe")
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the menu that a machine would be given, and its script",
		Long: `Show what the menu offers to a machine, what it boots when nobody chooses, and the script that
says so to iPXE. The machine is named by what iPXE tells of it; with no flag it is one that
tells nothing. Made from the configuration and the disk: no daemon need run. With --loader it is
what GRUB, pxelinux or U-Boot are given by TFTP.`,
		Example: `  pxeagent menu show
  pxeagent menu show --mac 52:54:00:12:34:56 --platform efi
  pxeagent menu show --platform pcbios --script > menu.ipxe
  pxeagent menu show --loader grub --mac 52:54:00:12:34:56`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			facts, addr, err := m.read()
			if err != nil {
				return err
			}
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			c, err := l.menuAgent()
			if err != nil {
				return err
			}
			made, err := agent.MachineMenu(c, menu.Loader(loader), facts, addr)
			if err != nil {
				return rootFailure(l.Config.Serve.Root, err)
			}
			script := made.Shown
			if secrets {
				script = made.Script
			}
			switch {
			case asJSON:
				err = cli.WriteJSON(a.stdout, menuOf(made, facts, string(script)))
			case scriptOnly:
				_, err = a.document.Write(script)
			default:
				err = printMenu(a.stdout, made, string(script))
			}
			if err == nil && made.Err != nil {
				err = menuFault(made.Err)
			}
			return err
		},
	}
	m.addTo(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().BoolVar(&scriptOnly, "script", false, "the script alone")
	cmd.Flags().Var(&loader, "loader", "the menu of this `LOADER`: ipxe, grub, pxelinux or u-boot")
	cmd.Flags().BoolVar(&secrets, "secrets", false, "with the hash of root's password as it is sent to machines")
	a.addFlags(cmd, networkKeys, []string{"serve.root", "serve.http"})
	return cmd
}

// menuFault is a menu that is not as configured. It was shown before.
func menuFault(err error) error {
	lines := strings.Split(err.Error(), "\n")
	f := cli.Failure{Code: cli.Menu, Err: fmt.Errorf("the menu is not as configured: %s", lines[0])}
	if strings.Contains(lines[0], ".tmpl: ") {
		f.Hints = append(f.Hints,
			"`pxeagent menu lint FILE` reads a template before it is put there; `pxeagent menu template` prints the built-in "+
				"one")
	}
	for _, line := range lines[1:] {
		f.Hints = append(f.Hints, "besides: "+line)
	}
	return f
}

// menuAgent is an agent as the daemon would be, as far as menus depend on it.
func (l loaded) menuAgent() (agent.Config, error) {
	places, err := l.serving()
	if err != nil {
		return agent.Config{}, err
	}
	menu, err := l.menu()
	if err != nil {
		return agent.Config{}, err
	}
	machines, wrong := l.Machines()
	if len(wrong) > 0 {
		return agent.Config{}, wrong
	}
	return agent.Config{Root: l.Config.Serve.Root, Places: places, Chain: l.Config.Chain, Menu: menu, Machines: machines,
		State: l.Config.StateDir}, nil
}

// menuJSON is a menu for --json.
type menuJSON struct {
	Source   string         `json:"source,omitempty"`
	Title    string         `json:"title"`
	Facts    boot.Facts     `json:"facts"`
	Items    []menu.Item    `json:"items"`
	Default  string         `json:"default"`
	Timeout  float64        `json:"timeout_seconds"`
	SkipMenu bool           `json:"straight"`
	Choice   machine.Choice `json:"choice"`
	Problems []string       `json:"problems,omitempty"`
	Script   string         `json:"script"`
}

func menuOf(m menu.Menu, f boot.Facts, script string) menuJSON {
	j := menuJSON{Source: m.Source, Title: m.Title, Facts: f, Items: m.Items, Default: m.Default,
		Timeout: m.Timeout.Seconds(), SkipMenu: m.SkipMenu,
		Choice: m.Choice, Script: script}
	if m.Err != nil {
		j.Problems = strings.Split(m.Err.Error(), "\n")
	}
	return j
}

func printMenu(w io.Writer, m menu.Menu, script string) error {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	from := "made from what is on disk"
	if m.Source != "" {
		from = m.Source
	}
	fmt.Fprintf(tw, "menu\t%s\t%s\n", cli.Plain(m.Title), cli.Plain(from))
	fmt.Fprintf(tw, "boots\t%s\t%s\n", cli.Plain(m.Default), cli.Plain(when(m)))
	if m.Choice.Host != "" {
		fmt.Fprintf(tw, "host\t%s\t%s\n", cli.Plain(m.Choice.Host), cli.Plain(strings.TrimSpace("profile "+m.Choice.Profile)))
	}
	tw.Flush()
	for _, why := range m.Choice.Why {
		fmt.Fprintf(&b, "why    %s\n", cli.Plain(why))
	}
	b.WriteString("\n")
	group := ""
	for _, i := range m.Items {
		if i.Group != group && i.Group != "" {
			fmt.Fprintf(tw, "-- %s\t\t\n", cli.Plain(i.Group))
		}
		group = i.Group
		fmt.Fprintf(tw, "%s\t%s\t%s\n", cli.Plain(i.Key), cli.Plain(i.Title), cli.Plain(itemNote(i)))
	}
	tw.Flush()
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s", script)
	return err
}

// itemNote is what there is to say of an item besides its title.
func itemNote(i menu.Item) string {
	note := i.Why
	switch {
	case !i.Shown && note == "":
		note = "hidden"
	case !i.Shown:
		note = "not shown: " + note
	}
	if i.Default {
		note = strings.TrimPrefix(note+"; the default", "; ")
	}
	return note
}

// when says how a machine comes to what it boots.
func when(m menu.Menu) string {
	switch {
	case m.SkipMenu && m.Choice.Once:
		return "this once, without a menu"
	case m.SkipMenu:
		return "without a menu"
	case m.Timeout == 0:
		return "when it is chosen: the menu waits for ever"
	}
	return "when nobody chooses for " + m.Timeout.Round(time.Millisecond).String()
}

func newMenuTemplateCmd(a *app) *cobra.Command {
	loader := loaderFlag("ipxe")
	cmd := &cobra.Command{
		Use:   "template",
		Short: "Print the built-in template of the menu, to begin one's own with",
		Long: `Print the template that the menu of a loader is made by. Put a changed one below serve.root/http,
where that loader's is looked for: it is put to use at once, and a broken one is not.

  ipxe              ` + menu.IPXE.File() + `
  grub              ` + menu.GRUB.File() + `
  pxelinux, u-boot  ` + menu.Extlinux.File(),
		Example: "  pxeagent menu template > " + config.Here.Root + "/http/" + menu.IPXE.File() + "\n" +
			"  pxeagent menu template --loader grub > " + config.Here.Root + "/http/" + menu.GRUB.File(),
		Args: cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(a.document, menu.Loader(loader).Language().Builtin())
			return err
		},
	}
	cmd.Flags().Var(&loader, "loader", "the template of this `LOADER`: ipxe, grub, pxelinux or u-boot")
	return cmd
}

// loaderFlag is a boot loader whose menu is meant.
type loaderFlag menu.Loader

func (l *loaderFlag) String() string { return string(*l) }
func (l *loaderFlag) Type() string   { return "LOADER" }

func (l *loaderFlag) Set(s string) error {
	if !slices.Contains(menu.Loaders(), menu.Loader(s)) {
		return fmt.Errorf("%q is none of ipxe, grub, pxelinux and u-boot", s)
	}
	*l = loaderFlag(s)
	return nil
}
