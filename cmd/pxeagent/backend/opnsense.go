package backend

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/dnsmasq/opnsense"
)

const opnSenseName = "opnsense"

// opnSenseSettings are of a firewall. What is secret is not in it.
type opnSenseSettings struct {
	URL       *url.URL // https, or http on loopback; host and port only; nil: none
	KeyFile   string   // absolute, "-" or ""
	TLSSHA256 *[32]byte
	CAFile    string // absolute, or ""
	Server    opnsense.Daemon
}

func opnSenseOf(c *config.Config) *opnSenseSettings {
	return config.Own[opnSenseSettings](c, opnSenseName)
}

var opnSenseKey = config.SecretSource{
	Key: "dhcp.opnsense.key", Env: "PXEAGENT_DHCP_OPNSENSE_KEY",
	FileKey: "dhcp.opnsense.key_file", File: func(c config.Config) string { return opnSenseOf(&c).KeyFile },
	Credential: "opnsense-key", Lines: 2,
}

var opnSenseKeys = []config.Key{
	{Name: "dhcp.opnsense.url", Flag: "opnsense", Arg: "URL",
		Usage: "the OPNsense firewall, such as https://192.168.1.1",
		Into:  config.One(func(c *config.Config) **url.URL { return &opnSenseOf(c).URL }, parseLocalHTTP)},
	{Name: "dhcp.opnsense.key_file", Flag: "opnsense-key-file", Arg: "FILE", Path: true,
		Usage: "file that OPNsense gives for a new API key: a line key= and a line secret=, mode 0600; - reads standard " +
			"input",
		Into: config.Text(func(c *config.Config) *string { return &opnSenseOf(c).KeyFile })},
	{Name: "dhcp.opnsense.tls_sha256", Flag: "opnsense-tls-sha256", Arg: "HEX",
		Usage: "SHA-256 of the firewall's certificate, in hex: this one is accepted, whoever signed it, and no other",
		Into:  config.One(func(c *config.Config) **[32]byte { return &opnSenseOf(c).TLSSHA256 }, config.ParseFingerprint)},
	{Name: "dhcp.opnsense.ca_file", Flag: "opnsense-ca-file", Arg: "FILE", Path: true,
		Usage: "PEM file with the CA that signed the firewall's certificate; default: the system's",
		Into:  config.Text(func(c *config.Config) *string { return &opnSenseOf(c).CAFile })},
	{Name: "dhcp.opnsense.server", Default: string(opnsense.Auto), Flag: "opnsense-server", Arg: "NAME", Public: true,
		Usage: "DHCP server of the firewall: dnsmasq, kea, or auto: the one that leases the addresses there",
		Into: config.Choice(func(c *config.Config) *opnsense.Daemon { return &opnSenseOf(c).Server },
			opnsense.Auto, opnsense.Dnsmasq, opnsense.Kea)},
}

// opnSense is a firewall that is asked over the network. An interface of it has a description and one identifier.
func opnSense() Backend {
	return Backend{
		Backend: config.Backend{
			Name: opnSenseName, Networks: "an identifier or a description of the firewall", SendsURL: true,
			Keys: opnSenseKeys, Secrets: []config.SecretSource{opnSenseKey},
			Check: func(c config.Config, wrong func(key, format string, args ...any)) {
				if c.DHCP.Backend == opnSenseName && opnSenseOf(&c).URL == nil {
					wrong("dhcp.opnsense.url", "is not set; dhcp.backend opnsense needs it, such as https://192.168.1.1")
				}
			},
			Auto:     func(c config.Config) bool { return opnSenseOf(&c).URL != nil },
			AutoWhen: "its url is set",
		},
		Codes: []cli.Code{Login, Privilege, ReadOnly, Certificate, NoDHCP, DHCPOff, OtherDaemon, Secondary, Rejected,
			OtherProduct, NoFunction, Unavailable, Timeout, Unreachable, Server},
		Flags: addRetryAuth, Refusals: opnSenseRefusals, Hints: opnSenseHints(), Commands: newOPNsenseCmd,
		Find: findOPNsense,
		Open: func(_ *Session, n Network) (dhcp.Server, error) { return n.server, nil },
		Key:  func(c config.Config, n Network) string { return opnSenseOf(&c).URL.Host + "-" + n.ID },
		Remember: func(c config.Config, name string) string {
			return opnSenseName + "/" + opnSenseOf(&c).URL.Host + "/" + strings.ToLower(name)
		},
		TellsIPXE: opnSenseTellsIPXE,
		TellsURL:  opnSenseTellsURL,
		StandIn:   newOPNsenseStandIn,
	}
}

// openOPNsense opens the firewall for an interface; "" for none.
func openOPNsense(s *Session, iface string) (*opnsense.Server, error) {
	o := opnSenseOf(&s.Config)
	if o.URL == nil {
		return nil, cli.Failure{
			Code: cli.Usage, Err: errors.New("dhcp.opnsense.url: is not set"),
			Hints: []string{"name the firewall: --opnsense https://192.168.1.1"},
		}
	}
	return opnsense.New(opnsense.Config{
		URL: o.URL, Interface: iface, Credential: s.secret(opnSenseKey), TLSSHA256: o.TLSSHA256, CAFile: o.CAFile,
		StateDir: s.Config.StateDir, RetryAuth: s.once(retryAuth), Daemon: o.Server, ProbeMAC: s.Config.Probe.MAC, Log: s.Log,
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
	return cli.Group(opnSenseName, "Look at an OPNsense firewall: its certificate, its interfaces", trustCmd(h, trustee{
		name: opnSenseName, what: "firewall", keys: opnSenseKeys, parse: parseLocalHTTP, example: "https://192.168.1.1",
		url:      func(c *config.Config) *url.URL { return opnSenseOf(c).URL },
		pinned:   func(c *config.Config) *[32]byte { return opnSenseOf(c).TLSSHA256 },
		itself:   "in a shell on its console",
		shortcut: " (or give --opnsense-tls-sha256)",
	}), newOPNsenseInterfacesCmd(h))
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
				server, networks := cmp.Or(string(i.Daemon), "-"), cmp.Or(prefixes(i.Networks), "-")
				rows = append(rows, []string{i.Description, i.Name, server, networks})
			}
			return list, rows, err
		})
}
