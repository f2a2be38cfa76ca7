package backend

import (
	"context"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/dnsmasq"
	"pxeagent/dnsmasq/pihole"
)

const piholeName = "pihole"

// piholeSettings are of a Pi-hole. What is secret is not in it.
type piholeSettings struct {
	remote.Config
	PasswordFile string // absolute, "-" or ""
	Mode         dnsmasq.Mode
}

var piholeAppliance = appliance{
	name: piholeName, product: "the Pi-hole", what: "Pi-hole", flags: "pihole-", example: "https://pi.hole",
	login: "the password in dhcp.pihole.password_file", console: "on its console", local: true,
	of: func(c *config.Config) *remote.Config { return &piholeOf(c).Config },
}

func piholeOf(c *config.Config) *piholeSettings { return config.Own[piholeSettings](c, piholeName) }

var piholePassword = config.SecretSource{
	Key: "dhcp.pihole.password", Env: "PXEAGENT_DHCP_PIHOLE_PASSWORD",
	FileKey: "dhcp.pihole.password_file", File: func(c config.Config) string { return piholeOf(&c).PasswordFile },
	Credential: "pihole-password",
}

var piholeKeys = append(piholeAppliance.keys(config.Key{
	Name: "dhcp.pihole.password_file", Flag: "pihole-password-file", Arg: "FILE", Path: true,
	Usage: "file that holds an app password of the Pi-hole, mode 0600; - reads standard input",
	Into:  config.Text(func(c *config.Config) *string { return &piholeOf(c).PasswordFile }),
}), config.Key{
	Name: "dhcp.pihole.mode", Default: string(dnsmasq.ModeServer), Flag: "pihole-mode", Arg: "MODE", Public: true,
	Usage: "server: the Pi-hole leases the addresses there; proxy: another server does",
	Into: config.Choice(func(c *config.Config) *dnsmasq.Mode { return &piholeOf(c).Mode },
		dnsmasq.ModeServer, dnsmasq.ModeProxy),
})

// piHole is a Pi-hole that is asked over the network. Its networks are its own devices.
func piHole() Backend {
	return Backend{
		Backend: piholeAppliance.config("a device of the Pi-hole", piholeKeys, piholePassword),
		Codes: []cli.Code{Login, Privilege, ReadOnly, Certificate, CertificateChanged, Rejected, OtherProduct,
			Unavailable, Timeout, Unreachable, Server},
		Flags: addRetryAuth, Refusals: piholeRefusals, Hints: piholeHints(), Commands: newPiholeCmd,
		Find: findPihole, Open: openFound, Key: piholeAppliance.journalKey, Remember: piholeAppliance.remember,
		TellsIPXE: func(config.Config) (bool, string) {
			return true, "Pi-hole's Dnsmasq knows iPXE by DHCP option 175 and sends it the menu's URL"
		},
		TellsURL: func(_ config.Config, sent bool) string {
			if sent {
				return "Pi-hole's Dnsmasq sends the URL to machines that do HTTP boot, and to no other"
			}
			return ""
		},
		Proxy:   func(c config.Config) bool { return piholeOf(&c).Mode == dnsmasq.ModeProxy },
		StandIn: newPiholeStandIn,
	}
}

// openPihole opens the Pi-hole for a device; "" for none.
func openPihole(s *Session, device string) (*pihole.Server, error) {
	at, err := piholeAppliance.reach(s)
	if err != nil {
		return nil, err
	}
	return pihole.New(pihole.Config{
		Config: at, Interface: device, Password: s.secret(piholePassword), Mode: piholeOf(&s.Config).Mode,
		ProbeMAC: s.Config.Probe.MAC, Log: s.Log,
	})
}

func findPihole(ctx context.Context, s *Session, name string) (Network, error) {
	server, err := openPihole(s, name)
	if err != nil {
		return Network{}, err
	}
	i, err := server.Found(ctx)
	if err != nil {
		return Network{}, err
	}
	return Network{Name: name, Prefix: i.Addresses[0].Masked(), server: server}, nil
}

var piholeRefusals = []cli.Rule{
	refused("read-only", ReadOnly, "set misc.readOnly to false in /etc/pihole/pihole.toml on the Pi-hole"),
	refused("environment", ReadOnly,
		"remove FTLCONF_misc_dnsmasq_lines from the environment of Pi-hole's container, or add pxeagent's lines there by "+
			"hand"),
}

func piholeHints() []cli.Rule {
	return append([]cli.Rule{
		cli.Ending(dhcp.ErrNoJournal, cli.NoJournal,
			"by hand, for Pi-hole: Settings > All settings > Miscellaneous, misc.dnsmasq_lines: remove the lines from "+
				"`# pxeagent INTERFACE: begin` to `end`"),
		cli.Ending(dhcp.ErrReload, cli.Restart, "Pi-hole's own log says why: /var/log/pihole/FTL.log"),
		cli.On(pihole.ErrNotPermitted, Privilege,
			"let app passwords change the configuration: `pihole-FTL --config webserver.api.app_sudo true` on the Pi-hole",
			"there is no smaller right: who may change this setting can run programs there"),
		cli.On(pihole.ErrReadOnly, ReadOnly, "set misc.readOnly to false in /etc/pihole/pihole.toml on the Pi-hole"),
		cli.On(pihole.ErrEnvironment, ReadOnly,
			"remove FTLCONF_misc_dnsmasq_lines from the environment of Pi-hole's container"),
		cli.On(pihole.ErrSecondFactor, Login,
			"use an app password, which needs none: Settings > Web interface / API on the Pi-hole"),
		cli.On(pihole.ErrBusy, Unavailable,
			"wait a moment and run it again; Settings > Web interface / API on the Pi-hole lists the open sessions"),
		cli.On(pihole.ErrRejected, Rejected,
			"the line that it names may be somebody else's, and may have been there before: Settings > All settings > "+
				"Miscellaneous on the Pi-hole"),
		cli.On(pihole.ErrStopped, cli.Restart, "Tools > Pi-hole diagnosis on the Pi-hole says why"),
		cli.On(pihole.ErrNoInterface, cli.NoInterface, "`pxeagent pihole interfaces` lists them"),
		cli.On(pihole.ErrAPI, Server, "look at /var/log/pihole/webserver.log on the Pi-hole"),
		{Is: isAnotherCertificate, Code: CertificateChanged, Hints: func(error) []string {
			return []string{
				"from 6.3 on Pi-hole makes itself a new certificate about every 45 days: give it one of your own, or set " +
					"webserver.tls.validity to 0 there and make one last new one",
				"then compare it (`pxeagent pihole trust`) and put its SHA-256 into dhcp.pihole.tls_sha256",
				"if nothing renewed it, somebody else answers in its place",
			}
		}},
	}, piholeAppliance.hints(piholePassword)...)
}

func newPiholeCmd(h Host) *cobra.Command {
	return cli.Group(piholeName, "Look at a Pi-hole: its certificate, its interfaces",
		piholeAppliance.trustCmd(h, piholeKeys), newPiholeInterfacesCmd(h))
}

func newPiholeInterfacesCmd(h Host) *cobra.Command {
	return interfacesCmd(h, piholeKeys, "List the devices of the Pi-hole that have an address",
		`Log in to the Pi-hole and list its devices with their IPv4 addresses. Nothing is written.
Each name can stand in interface (--interface).`,
		"  pxeagent pihole interfaces --pihole https://pi.hole --pihole-password-file FILE --pihole-tls-sha256 HEX",
		func(ctx context.Context, session *Session) (any, [][]string, error) {
			s, err := openPihole(session, "")
			if err != nil {
				return nil, nil, err
			}
			list, err := s.Interfaces(ctx)
			rows := [][]string{{"DEVICE", "ADDRESSES"}}
			for _, i := range list {
				rows = append(rows, []string{i.Name, prefixes(i.Addresses)})
			}
			return list, rows, err
		})
}
