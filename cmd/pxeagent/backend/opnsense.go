package backend

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp/remote"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/dnsmasq/opnsense"
)

const opnSenseName = "opnsense"

// opnSenseSettings are of a firewall. What is secret is not in it.
type opnSenseSettings struct {
	remote.Config
	KeyFile string // absolute, "-" or ""
	Server  opnsense.Daemon
}

var opnSenseAppliance = appliance{
	name: opnSenseName, product: "the OPNsense firewall", what: "firewall", flags: "opnsense-",
	example: "https://192.168.1.1", login: "the API key in dhcp.opnsense.key_file",
	console: "in a shell on its console", local: true,
	of: func(c *config.Config) *remote.Config { return &opnSenseOf(c).Config },
}

func opnSenseOf(c *config.Config) *opnSenseSettings {
	return config.Own[opnSenseSettings](c, opnSenseName)
}

var opnSenseKey = config.SecretSource{
	Key: "dhcp.opnsense.key", Env: "PXEAGENT_DHCP_OPNSENSE_KEY",
	FileKey: "dhcp.opnsense.key_file", File: func(c config.Config) string { return opnSenseOf(&c).KeyFile },
	Credential: "opnsense-key", Lines: 2,
}

var opnSenseKeys = append(opnSenseAppliance.keys(config.Key{
	Name: "dhcp.opnsense.key_file", Flag: "opnsense-key-file", Arg: "FILE", Path: true,
	Usage: "file that OPNsense gives for a new API key: a line key= and a line secret=, mode 0600; - reads standard " +
		"input",
	Into: config.Text(func(c *config.Config) *string { return &opnSenseOf(c).KeyFile }),
}), config.Key{
	Name: "dhcp.opnsense.server", Default: string(opnsense.Auto), Flag: "opnsense-server", Arg: "NAME", Public: true,
	Usage: "DHCP server of the firewall: dnsmasq, kea, or auto: the one that leases the addresses there",
	Into: config.Choice(func(c *config.Config) *opnsense.Daemon { return &opnSenseOf(c).Server },
		opnsense.Auto, opnsense.Dnsmasq, opnsense.Kea),
})

// opnSense is a firewall that is asked over the network. An interface of it has a description and one identifier.
func opnSense() Backend {
	return Backend{
		Backend: opnSenseAppliance.config("an identifier or a description of the firewall", opnSenseKeys, opnSenseKey),
		Codes: []cli.Code{Login, Privilege, ReadOnly, Certificate, NoDHCP, DHCPOff, OtherDaemon, Secondary, Rejected,
			OtherProduct, NoFunction, Unavailable, Timeout, Unreachable, Server},
		Flags: addRetryAuth, Refusals: opnSenseRefusals, Hints: opnSenseHints(), Commands: newOPNsenseCmd,
		Find: findOPNsense, Open: openFound, Key: opnSenseAppliance.journalKey,
		Remember: func(c config.Config, name string) string {
			return opnSenseAppliance.remember(c, strings.ToLower(name))
		},
		TellsIPXE: opnSenseTellsIPXE,
		TellsURL:  opnSenseTellsURL,
		StandIn:   newOPNsenseStandIn,
	}
}

// openOPNsense opens the firewall for an interface; "" for none.
func openOPNsense(s *Session, iface string) (*opnsense.Server, error) {
	at, err := opnSenseAppliance.reach(s)
	if err != nil {
		return nil, err
	}
	return opnsense.New(opnsense.Config{
		Config: at, Interface: iface, Credential: s.secret(opnSenseKey), Daemon: opnSenseOf(&s.Config).Server,
		ProbeMAC: s.Config.Probe.MAC, Log: s.Log,
	})
}

func findOPNsense(ctx context.Context, s *Session, name string) (Network, error) {
	server, err := openOPNsense(s, name)
	if err != nil {
		return Network{}, err
	}
	i, err := server.Found(ctx)
	if err != nil {
		return Network{}, err
	}
	n := Network{Name: name, ID: i.Name, server: server}
	if len(i.Networks) > 0 {
		n.Prefix = i.Networks[0].Masked()
	}
	return n, nil
}

func opnSenseTellsIPXE(c config.Config) (bool, string) {
	dnsmasq := "OPNsense's Dnsmasq knows iPXE by DHCP option 175 and sends it the menu's URL"
	kea := "Kea on OPNsense, from 26.7.2 on, knows iPXE by its user class (option 77) and sends it the menu's URL"
	switch opnSenseOf(&c).Server {
	case opnsense.Dnsmasq:
		return true, dnsmasq
	case opnsense.Kea:
		return true, kea
	}
	return true, dnsmasq + "; where Kea leases the addresses, it does so by iPXE's user class, from 26.7.2 on"
}

func opnSenseTellsURL(c config.Config, sent bool) string {
	if !sent {
		return ""
	}
	who := "OPNsense"
	switch opnSenseOf(&c).Server {
	case opnsense.Dnsmasq:
		who = "OPNsense's Dnsmasq"
	case opnsense.Kea:
		who = "Kea on OPNsense, from 26.7.2 on,"
	}
	return who + " sends the URL to machines that do HTTP boot, and to no other"
}

func newOPNsenseCmd(h Host) *cobra.Command {
	return cli.Group(opnSenseName, "Look at an OPNsense firewall: its certificate, its interfaces",
		opnSenseAppliance.trustCmd(h, opnSenseKeys), newOPNsenseInterfacesCmd(h))
}

func newOPNsenseInterfacesCmd(h Host) *cobra.Command {
	return interfacesCmd(h, opnSenseKeys, "List the interfaces of the firewall, and its DHCP servers",
		`Ask the firewall for its interfaces: their identifiers, descriptions and networks, and which of
its DHCP servers leases addresses there. Nothing is written. Identifier and description can
stand in interface (--interface).`,
		"  pxeagent opnsense interfaces --opnsense https://192.168.1.1 --opnsense-key-file FILE --opnsense-tls-sha256 HEX",
		func(ctx context.Context, session *Session) (any, [][]string, error) {
			s, err := openOPNsense(session, "")
			if err != nil {
				return nil, nil, err
			}
			list, err := s.Interfaces(ctx)
			rows := [][]string{{"DESCRIPTION", "ID", "DHCP", "NETWORKS"}}
			for _, i := range list {
				rows = append(rows, []string{i.Description, i.Name, string(i.Daemon), prefixes(i.Networks)})
			}
			return list, rows, err
		})
}
