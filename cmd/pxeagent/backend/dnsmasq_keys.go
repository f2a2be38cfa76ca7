package backend

import (
	"runtime"

	"pxeagent/cmd/pxeagent/config"
	"pxeagent/dnsmasq"
)

const dnsmasqName = "dnsmasq"

// dnsmasqSettings are of a Dnsmasq on this machine.
type dnsmasqSettings struct {
	ConfDir string // absolute
	Mode    dnsmasq.Mode
	Restart []string // the command and its arguments; nil: chosen by what runs this machine
}

func dnsmasqOf(c *config.Config) *dnsmasqSettings { return config.Own[dnsmasqSettings](c, dnsmasqName) }

// dnsmasqConfig: it is the backend of every network, unless another one is set up.
func dnsmasqConfig() config.Backend {
	return config.Backend{
		Name: dnsmasqName, Networks: "a device of this machine", SendsURL: true,
		Auto:     func(c config.Config) bool { return len(c.Interfaces) > 0 },
		AutoWhen: "an interface is set",
		Keys: []config.Key{
			{Name: "dhcp.dnsmasq.conf_dir", Default: dnsmasq.ConfDir(runtime.GOOS), Flag: "dnsmasq-conf-dir", Arg: "DIR",
				Path:  true,
				Usage: "folder from which Dnsmasq reads drop-in files",
				Into:  config.Text(func(c *config.Config) *string { return &dnsmasqOf(c).ConfDir })},
			{Name: "dhcp.dnsmasq.mode", Default: string(dnsmasq.ModeServer), Flag: "dnsmasq-mode", Arg: "MODE", Public: true,
				Usage: "server: Dnsmasq leases the addresses there; proxy: another server does",
				Into: config.Choice(func(c *config.Config) *dnsmasq.Mode { return &dnsmasqOf(c).Mode },
					dnsmasq.ModeServer, dnsmasq.ModeProxy)},
			{Name: "dhcp.dnsmasq.restart", Flag: "dnsmasq-restart", Arg: "COMMAND", Shape: config.Words,
				Usage: "command that restarts Dnsmasq, run without a shell; default: found by what runs this machine",
				Into:  config.Argv(func(c *config.Config) *[]string { return &dnsmasqOf(c).Restart })},
		},
	}
}
