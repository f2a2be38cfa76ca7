package backend

import (
	"context"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/dnsmasq/openwrt"
)

const openWrtName = "openwrt"

// openWrtSettings are of a router. What is secret is not in it.
type openWrtSettings struct {
	remote.Config
	User         string
	PasswordFile string // absolute, "-" or ""
}

var openWrtAppliance = appliance{
	name: openWrtName, product: "the OpenWrt router", what: "router", flags: "openwrt-", example: "https://192.168.1.1",
	login: "dhcp.openwrt.user and dhcp.openwrt.password_file", console: "over SSH", local: true,
	of: func(c *config.Config) *remote.Config { return &openWrtOf(c).Config },
}

func openWrtOf(c *config.Config) *openWrtSettings { return config.Own[openWrtSettings](c, openWrtName) }

var openWrtPassword = config.SecretSource{
	Key: "dhcp.openwrt.password", Env: "PXEAGENT_DHCP_OPENWRT_PASSWORD",
	FileKey: "dhcp.openwrt.password_file", File: func(c config.Config) string { return openWrtOf(&c).PasswordFile },
	Credential: "openwrt-password",
}

var openWrtKeys = openWrtAppliance.keys(config.Key{
	Name: "dhcp.openwrt.user", Default: "pxeagent", Flag: "openwrt-user", Arg: "NAME",
	Usage: "user of the router's rpcd",
	Into:  config.Text(func(c *config.Config) *string { return &openWrtOf(c).User }),
}, config.Key{
	Name: "dhcp.openwrt.password_file", Flag: "openwrt-password-file", Arg: "FILE", Path: true,
	Usage: "file that holds that user's password, mode 0600; - reads standard input",
	Into:  config.Text(func(c *config.Config) *string { return &openWrtOf(c).PasswordFile }),
})

// openWrt is a router that is asked over the network. Its networks are those of its configuration: lan.
func openWrt() Backend {
	return Backend{
		Backend: openWrtAppliance.config("a network of the router", openWrtKeys, openWrtPassword),
		Codes: []cli.Code{
			Login, Privilege, Certificate, NoDHCP, DHCPOff, OtherProduct, Unavailable, Timeout, Unreachable, Server,
		},
		Flags: addRetryAuth, Refusals: openWrtRefusals, Hints: openWrtHints(), Commands: newOpenWrtCmd,
		Find: findOpenWrt, Open: openFound, Key: openWrtAppliance.journalKey, Remember: openWrtAppliance.remember,
		TellsIPXE: func(config.Config) (bool, string) {
			return true, "the router's Dnsmasq knows iPXE by DHCP option 175 and sends it the menu's URL"
		},
		TellsURL: func(_ config.Config, sent bool) string {
			if sent {
				return "the router's Dnsmasq sends the URL to machines that do HTTP boot, and to no other"
			}
			return ""
		},
		StandIn: newOpenWrtStandIn,
	}
}

// openOpenWrt opens the router for a network; "" for none.
func openOpenWrt(s *Session, network string) (*openwrt.Server, error) {
	at, err := openWrtAppliance.reach(s)
	if err != nil {
		return nil, err
	}
	return openwrt.New(openwrt.Config{
		Config: at, Interface: network, User: openWrtOf(&s.Config).User, Password: s.secret(openWrtPassword),
		ProbeMAC: s.Config.Probe.MAC, Log: s.Log,
	})
}

func findOpenWrt(ctx context.Context, s *Session, name string) (Network, error) {
	server, err := openOpenWrt(s, name)
	if err != nil {
		return Network{}, err
	}
	n, err := server.Found(ctx)
	if err != nil {
		return Network{}, err
	}
	return Network{Name: name, Prefix: n.Addresses[0].Masked(), server: server}, nil
}

var openWrtRefusals = []cli.Rule{
	refused("no-dhcp", NoDHCP, "turn the DHCP server on there first: Network > Interfaces, the interface, DHCP Server"),
	refused("dhcp-off", DHCPOff, "turn it on there first: Network > Interfaces, the interface, DHCP Server"),
	refused("odhcpd", NoDHCP,
		"uci set dhcp.odhcpd.maindhcp=0; uci commit dhcp; service odhcpd restart; service dnsmasq restart"),
	refused("no-dnsmasq", NoDHCP, "apk add dnsmasq, or opkg install dnsmasq"),
}

func openWrtHints() []cli.Rule {
	return append([]cli.Rule{
		cli.Ending(dhcp.ErrNoJournal, cli.NoJournal,
			"by hand, for OpenWrt: delete the sections of /etc/config/dhcp whose names begin with pxeagent_NETWORK_, then "+
				"`service dnsmasq restart`"),
		cli.Ending(dhcp.ErrReload, cli.Restart, "`logread -e dnsmasq` on the router says why"),
		cli.On(openwrt.ErrNoUbus, Unavailable,
			"install uhttpd-mod-ubus and rpcd on the router (LuCI brings both), and restart uhttpd"),
		cli.On(openwrt.ErrNoNetwork, cli.NoInterface, "`pxeagent openwrt interfaces` lists them"),
		cli.On(openwrt.ErrPending, Unavailable,
			"somebody applies a change at this moment, in LuCI perhaps: it is confirmed or undone within two minutes",
			"if it was pxeagent, killed in the middle: the router undoes it by itself; then run it again"),
		cli.On(openwrt.ErrStopped, cli.Restart, "`logread -e dnsmasq` on the router says why"),
		cli.On(openwrt.ErrUbus, Server, "`logread` on the router may say more"),
		cli.On(remote.ErrPrivilege, Privilege,
			"put the file with the rights on the router, and name its group in the user's login: "+
				"the guide openwrt.md has both"),
	}, openWrtAppliance.hints(openWrtPassword)...)
}

func newOpenWrtCmd(h Host) *cobra.Command {
	return cli.Group(openWrtName, "Look at an OpenWrt router: its certificate, its networks",
		openWrtAppliance.trustCmd(h, openWrtKeys), newOpenWrtInterfacesCmd(h))
}

func newOpenWrtInterfacesCmd(h Host) *cobra.Command {
	return interfacesCmd(h, openWrtKeys, "List the networks of the router that have an address",
		`Log in to the router and list its networks with their devices and IPv4 addresses. Nothing is
written. Each name can stand in interface (--interface).`,
		"  pxeagent openwrt interfaces --openwrt https://192.168.1.1 --openwrt-password-file FILE --openwrt-tls-sha256 HEX",
		func(ctx context.Context, session *Session) (any, [][]string, error) {
			s, err := openOpenWrt(session, "")
			if err != nil {
				return nil, nil, err
			}
			list, err := s.Networks(ctx)
			rows := [][]string{{"NETWORK", "DEVICE", "ADDRESSES"}}
			for _, n := range list {
				rows = append(rows, []string{n.Name, n.Device, prefixes(n.Addresses)})
			}
			return list, rows, err
		})
}
