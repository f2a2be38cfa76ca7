package main

import (
	"slices"

	"github.com/spf13/cobra"

	"pxeagent/cmd/pxeagent/config"
)

// Groups of keys that commands take as flags.
var (
	networkKeys = []string{"interface", "next_server", "chain", "state_dir", "probe.device", "probe.mac"}
	dhcpKeys    = append([]string{"dhcp.backend", "dhcp.dnsmasq.conf_dir", "dhcp.dnsmasq.mode", "dhcp.dnsmasq.restart"}, pfsenseKeys...)
	pfsenseKeys = []string{
		"dhcp.pfsense.url", "dhcp.pfsense.transport", "dhcp.pfsense.user", "dhcp.pfsense.password_file", "dhcp.pfsense.api_key_file",
		"dhcp.pfsense.tls_sha256", "dhcp.pfsense.ca_file",
	}
	serveKeys = []string{"serve.root", "serve.tftp", "serve.http", "serve.networks", "serve.single_port"}
	logKeys   = []string{"log.level", "log.format"}
)

// addFlags gives cmd the flags of the named keys.
func addFlags(cmd *cobra.Command, groups ...[]string) {
	config.AddFlags(cmd.Flags(), slices.Concat(groups...)...)
}
