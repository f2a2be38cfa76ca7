package backend

import (
	"net/netip"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/dnsmasq"
)

// dnsmasqHere is a Dnsmasq on this machine: a drop-in for each device.
func dnsmasqHere() Backend {
	return Backend{
		Backend: dnsmasqConfig(),
		Open: func(s *Session, n Network) (dhcp.Server, error) {
			d := dnsmasqOf(&s.Config)
			return dnsmasq.New(dnsmasq.Config{
				Interface: n.Name, ConfDir: d.ConfDir, Mode: d.Mode, Restart: d.Restart,
				ProbeMAC: s.Config.Probe.MAC, Log: s.Log,
			})
		},
		Leased: func(c config.Config, device string) ([]netip.Prefix, error) {
			s, err := dnsmasq.New(dnsmasq.Config{Interface: device, ConfDir: dnsmasqOf(&c).ConfDir})
			if err != nil {
				return nil, err
			}
			return s.Leased()
		},
		Key:      func(_ config.Config, n Network) string { return n.Name },
		Remember: func(_ config.Config, name string) string { return "dnsmasq " + name },
		TellsIPXE: func(config.Config) (bool, string) {
			return true, "Dnsmasq knows iPXE by DHCP option 175 and sends it the menu's URL"
		},
		TellsURL: func(_ config.Config, sent bool) string {
			if sent {
				return "Dnsmasq sends the URL to machines that do HTTP boot, and to no other"
			}
			return ""
		},
		Local: true,
		Proxy: func(c config.Config) bool { return dnsmasqOf(&c).Mode == dnsmasq.ModeProxy },
		Hints: []cli.Rule{
			cli.Ending(dhcp.ErrNoJournal, cli.NoJournal,
				"by hand, for Dnsmasq: remove pxeagent-INTERFACE.conf from its conf_dir and restart it"),
			cli.Ending(dhcp.ErrReload, cli.Restart, "Dnsmasq's own log says why: `journalctl -u dnsmasq` or the syslog"),
			cli.On(dnsmasq.ErrNotInstalled, cli.NoProgram,
				"install dnsmasq, or name the DHCP server in dhcp.backend (--backend)"),
			cli.On(dnsmasq.ErrNoInterface, cli.NoInterface,
				"for Dnsmasq, interface is a device of this machine: `"+cli.IP("-br addr")+"` lists them"),
			cli.On(dnsmasq.ErrNoAddress, cli.NoInterface,
				"Dnsmasq answers only where the device has an address: `"+cli.IP("-br addr")+"` shows which have"),
			cli.On(dnsmasq.ErrRejected, cli.Refused, "`dnsmasq --test` alone says whether the fault was there before"),
			cli.Ending(dnsmasq.ErrRestart, cli.Restart,
				"see whether it runs at all: `systemctl status dnsmasq`; dhcp.dnsmasq.restart (--dnsmasq-restart) is the "+
					"command to restart it",
				"where it says that the address is in use, the command must wait until the old process has ended"),
		},
	}
}
