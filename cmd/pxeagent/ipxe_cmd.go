package main

import (
	"net/netip"

	"github.com/spf13/cobra"

	"pxeagent/agent"
	"pxeagent/agent/catalog"
	"pxeagent/agent/files"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/menu"
	"pxeagent/cmd/pxeagent/cli"
)

func newIPXECmd(a *app) *cobra.Command {
	return cli.Group("ipxe", "The script in iPXE, and iPXE built with it", newIPXEScriptCmd(a), newIPXEBuildCmd(a))
}

func newIPXEScriptCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "script",
		Short: "Print the script that leads iPXE to the menu, to be compiled into it",
		Long: `Print the embedded script in full, as EMBED= of iPXE's own build takes it. It asks DHCP on
every card, in rounds for at least 32 s, goes to the menu, and where that does not
answer, to the DHCP server's next-server; in the end it offers a shell.`,
		Example: "  pxeagent ipxe script --interface eth1 > menu.ipxe\n  make -C ipxe/src bin/undionly.kpxe " +
			"EMBED=$PWD/menu.ipxe",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			to, err := l.destination()
			if err != nil {
				return err
			}
			_, err = a.document.Write(to.EmbedScript())
			return err
		},
	}
	a.addFlags(cmd, networkKeys, []string{"serve.http"})
	return cmd
}

// library is what the daemon serves in the first of its places.
func (l loaded) library() (*files.Library, error) {
	menus, next, err := l.menus(menu.Settings{})
	if err != nil {
		return nil, err
	}
	return files.New(files.Config{
		Root: l.Config.Serve.Root, NextServer: next, Menu: menus, Chain: l.Config.Chain, BootFiles: l.Config.Boot.Files,
		Signed: l.signed(), Except: l.Config.Serve.ChainExcept, Universal: l.Config.Serve.Universal,
	})
}

// menus are made as the daemon makes them in the first of its places, but for what machines are to boot.
func (l loaded) menus(s menu.Settings) (*menu.Builder, netip.Addr, error) {
	all, err := l.serving()
	if err != nil {
		return nil, netip.Addr{}, err
	}
	c, err := catalog.New(catalog.Config{Root: l.Config.Serve.Root, NoRescue: s.NoRescue})
	if err != nil {
		return nil, netip.Addr{}, err
	}
	b, err := menu.New(menu.Config{Base: all[0].Base, Catalog: c, Settings: s})
	return b, all[0].NextServer, err
}

// destination is where iPXE is sent in the first place.
func (l loaded) destination() (ipxe.Destination, error) {
	all, err := l.serving()
	if err != nil {
		return ipxe.Destination{}, err
	}
	b, err := menu.New(menu.Config{Base: all[0].Base})
	if err != nil {
		return ipxe.Destination{}, err
	}
	return ipxe.NewDestination(b.ScriptURL(), all[0].NextServer)
}

// serving are the places of serve, with the base that they have where HTTP's port is fixed.
func (l loaded) serving() ([]agent.Place, error) {
	all, _, err := l.places()
	for i := range all {
		all[i].Base = menu.Base(netip.AddrPortFrom(all[i].NextServer, l.Config.Serve.HTTP.Port()))
	}
	return all, err
}
