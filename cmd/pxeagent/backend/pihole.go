package backend

import (
	"context"
	"errors"
	"net/url"

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
	URL          *url.URL // https, or http on loopback; host and port only; nil: none
	PasswordFile string   // absolute, "-" or ""
	TLSSHA256    *[32]byte
	CAFile       string // absolute, or ""
	Mode         dnsmasq.Mode
}

func piholeOf(c *config.Config) *piholeSettings { return config.Own[piholeSettings](c, piholeName) }

var piholePassword = config.SecretSource{
	Key: "dhcp.pihole.password", Env: "PXEAGENT_DHCP_PIHOLE_PASSWORD",
	FileKey: "dhcp.pihole.password_file", File: func(c config.Config) string { return piholeOf(&c).PasswordFile },
	Credential: "pihole-password",
}

var piholeKeys = []config.Key{
	{Name: "dhcp.pihole.url", Flag: "pihole", Arg: "URL",
		Usage: "the Pi-hole, such as https://pi.hole",
		Into:  config.One(func(c *config.Config) **url.URL { return &piholeOf(c).URL }, parseLocalHTTP)},
	{Name: "dhcp.pihole.password_file", Flag: "pihole-password-file", Arg: "FILE", Path: true,
		Usage: "file that holds an app password of the Pi-hole, mode 0600; - reads standard input",
		Into:  config.Text(func(c *config.Config) *string { return &piholeOf(c).PasswordFile })},
	{Name: "dhcp.pihole.tls_sha256", Flag: "pihole-tls-sha256", Arg: "HEX",
		Usage: "SHA-256 of the Pi-hole's certificate, in hex: this one is accepted, whoever signed it, and no other",
		Into:  config.One(func(c *config.Config) **[32]byte { return &piholeOf(c).TLSSHA256 }, config.ParseFingerprint)},
	{Name: "dhcp.pihole.ca_file", Flag: "pihole-ca-file", Arg: "FILE", Path: true,
		Usage: "PEM file with the CA that signed the Pi-hole's certificate; default: the system's",
		Into:  config.Text(func(c *config.Config) *string { return &piholeOf(c).CAFile })},
	{Name: "dhcp.pihole.mode", Default: string(dnsmasq.ModeServer), Flag: "pihole-mode", Arg: "MODE", Public: true,
		Usage: "server: the Pi-hole leases the addresses there; proxy: another server does",
		Into: config.Choice(func(c *config.Config) *dnsmasq.Mode { return &piholeOf(c).Mode },
			dnsmasq.ModeServer, dnsmasq.ModeProxy)},
}

// piHole is a Pi-hole that is asked over the network. Its networks are its own devices.
func piHole() Backend {
	return Backend{
		Backend: config.Backend{
			Name: piholeName, Networks: "a device of the Pi-hole", SendsURL: true,
			Keys: piholeKeys, Secrets: []config.SecretSource{piholePassword},
			Check: func(c config.Config, wrong func(key, format string, args ...any)) {
				if c.DHCP.Backend == piholeName && piholeOf(&c).URL == nil {
					wrong("dhcp.pihole.url", "is not set; dhcp.backend pihole needs it, such as https://pi.hole")
				}
			},
			Auto:     func(c config.Config) bool { return piholeOf(&c).URL != nil },
			AutoWhen: "its url is set",
		},
		Codes: []cli.Code{Login, Privilege, ReadOnly, Certificate, CertificateChanged, Rejected, OtherProduct,
			Unavailable, Timeout, Unreachable, Server},
		Flags: addRetryAuth, Refusals: piholeRefusals, Hints: piholeHints(), Commands: newPiholeCmd,
		Find: findPihole,
		Open: func(_ *Session, n Network) (dhcp.Server, error) { return n.server, nil },
		Key:  func(c config.Config, n Network) string { return piholeOf(&c).URL.Host + "-" + n.Name },
		Remember: func(c config.Config, name string) string {
			return piholeName + "/" + piholeOf(&c).URL.Host + "/" + name
		},
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
	p := piholeOf(&s.Config)
	if p.URL == nil {
		return nil, cli.Failure{
			Code: cli.Usage, Err: errors.New("dhcp.pihole.url: is not set"),
			Hints: []string{"name the Pi-hole: --pihole https://pi.hole"},
		}
	}
	return pihole.New(pihole.Config{
		URL: p.URL, Interface: device, Password: s.secret(piholePassword), TLSSHA256: p.TLSSHA256, CAFile: p.CAFile,
		StateDir: s.Config.StateDir, RetryAuth: s.once(retryAuth), Mode: p.Mode, ProbeMAC: s.Config.Probe.MAC, Log: s.Log,
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
	}, remoteHints(piholeName, "Pi-hole", piholePassword)...)
}

func isAnotherCertificate(err error) bool {
	var changed *remote.CertificateError
	return errors.As(err, &changed)
}

func newPiholeCmd(h Host) *cobra.Command {
	return cli.Group(piholeName, "Look at a Pi-hole: its certificate, its interfaces", trustCmd(h, trustee{
		name: piholeName, what: "Pi-hole", keys: piholeKeys, parse: parseLocalHTTP, example: "https://pi.hole",
		url:      func(c *config.Config) *url.URL { return piholeOf(c).URL },
		pinned:   func(c *config.Config) *[32]byte { return piholeOf(c).TLSSHA256 },
		itself:   "on its console",
		shortcut: " (or give --pihole-tls-sha256)",
	}), newPiholeInterfacesCmd(h))
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
