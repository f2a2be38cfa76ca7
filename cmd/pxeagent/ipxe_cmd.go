package main

import (
	"github.com/spf13/cobra"

	"pxeagent/agent"
	"pxeagent/agent/ipxe"
)

func newIPXECmd(a *app) *cobra.Command {
	return newGroupCmd("ipxe", "The script in iPXE, and iPXE built with it", newIPXEScriptCmd(a), newIPXEBuildCmd(a))
}

func newIPXEScriptCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "script",
		Short: "Print the script that leads iPXE to the menu, to be compiled into it",
		Long: `Print the embedded script in full, as EMBED= of iPXE's own build takes it. It asks DHCP on
every card, in rounds for at least 32 s, goes to the menu, and where that does not
answer, to the DHCP server's next-server; in the end it offers a shell.`,
		Example: "  pxeagent ipxe script --interface eth1 > menu.ipxe\n  make -C ipxe/src bin/undionly.kpxe EMBED=$PWD/menu.ipxe",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			lib, err := l.library("")
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(lib.EmbedScript())
			return err
		},
	}
	addFlags(cmd, networkKeys, []string{"serve.http"})
	return cmd
}

// library is what the daemon serves in the first of its places, with the user's files below root; "": without them.
func (l loaded) library(root string) (*ipxe.Library, error) {
	all, err := l.serving()
	if err != nil {
		return nil, err
	}
	return ipxe.NewLibrary(ipxe.Config{
		Root: root, NextServer: all[0].NextServer, HTTP: all[0].Base, Chain: l.Config.Chain, Except: l.Config.Serve.ChainExcept, Universal: l.Config.Serve.Universal,
	})
}

// serving are the places of serve, with the base that they have where HTTP's port is fixed.
func (l loaded) serving() ([]agent.Place, error) {
	all, _, err := l.places()
	for i := range all {
		all[i].Base = baseURL(all[i].NextServer, l.Config.Serve.HTTP)
	}
	return all, err
}
