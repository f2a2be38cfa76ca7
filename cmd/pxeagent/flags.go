package main

import (
	"slices"

	"github.com/spf13/cobra"

	"pxeagent/cmd/pxeagent/config"
)

// Groups of keys that commands take as flags.
var (
	networkKeys = []string{"interface", "next_server", "chain", "state_dir", "probe.device", "probe.mac"}
	dhcpKeys    = []string{"dhcp.backend"} // and those of the backends
	serveKeys   = []string{"serve.root", "serve.tftp", "serve.http", "serve.networks", "serve.single_port"}
	logKeys     = []string{"log.level", "log.format"}
)

// addFlags gives cmd the flags of the named keys.
func (a *app) addFlags(cmd *cobra.Command, groups ...[]string) {
	a.Schema().AddFlags(cmd.Flags(), slices.Concat(groups...)...)
}

// addBackendFlags gives cmd the flags of all DHCP servers.
func (a *app) addBackendFlags(cmd *cobra.Command) {
	for _, b := range a.backends {
		config.AddFlags(cmd.Flags(), b.Keys)
		if b.Flags != nil {
			b.Flags(cmd.Flags())
		}
	}
}
