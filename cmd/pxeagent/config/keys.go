package config

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"pxeagent/agent/catalog"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/secureboot"
)

// Key is one key of the configuration. A Schema's keys are all there is: flags, variables, the
// typed Config, `config show` and the documentation follow from them.
type Key struct {
	Name    string // as in the file, its sections joined by dots
	Default string // as one would write it; "" for none
	Flag    string // without dashes; "" for none
	Arg     string // what stands for the value in help
	Usage   string // one line, no full stop
	Shape   Shape
	Path    bool // made absolute
	Public  bool // the page shows it, to everyone on the network
	Into    Target
}

// Env is the environment variable for k.
func (k Key) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

const (
	webhookURL = "webhook.url" // it may hold a secret
	logLevel   = "log.level"
)

// networkKeys, and serverKeys below, are in the order in which a person meets them, with those of DHCP servers between.
func networkKeys(all []Backend) []Key {
	return []Key{
		{Name: "interface", Flag: "interface", Arg: "NAME", Shape: List, Public: true,
			Usage: "network to make bootable, as the DHCP server names it" + networkNames(all),
			Into:  Unique(Many(func(c *Config) *[]string { return &c.Interfaces }, parseName))},
		{Name: "next_server", Default: "auto", Flag: "next-server", Arg: "ADDR", Public: true,
			Usage: "IPv4 address at which machines reach this agent; auto: this machine's address on that network",
			Into:  One(func(c *Config) *netip.Addr { return &c.NextServer }, parseNextServer)},
		{Name: "chain", Default: "auto", Flag: "chain", Arg: "HOW", Public: true,
			Usage: "how iPXE is kept from loading itself again: auto, dhcp, embed, tftp or off",
			Into:  Choice(func(c *Config) *ipxe.Chain { return &c.Chain }, ipxe.Chains()...)},
		{Name: "secure_boot", Default: "off", Public: true,
			Usage: "what UEFI x64 machines with Secure Boot are sent: own (iPXE signed with a key of yours), shim-ipxe, " +
				"shim-grub or off; see the guide secure-boot.md",
			Into: Choice(func(c *Config) *secureboot.Mode { return &c.Boot.SecureBoot }, secureboot.Modes()...)},
		bootFile(firmware.BIOS, "BIOS"), bootFile(firmware.EFI64, "UEFI x64"), bootFile(firmware.ARM64, "UEFI ARM64"),
		bootFile(firmware.EFI32, "UEFI IA32"), bootFile(firmware.ARM32, "UEFI ARM"),
		{Name: "state_dir", Default: Here.State, Flag: "state-dir", Arg: "DIR", Path: true,
			Usage: "folder for the journal and what else outlives a restart",
			Into:  Text(func(c *Config) *string { return &c.StateDir })},

		{Name: "dhcp.backend", Default: autoBackend, Flag: "backend", Arg: "NAME", Public: true,
			Usage: backendUsage(all),
			Into:  Choice(func(c *Config) *string { return &c.DHCP.Backend }, backendNames(all)...)},
		{Name: "dhcp.http_boot", Default: "auto", Arg: "WHEN", Public: true,
			Usage: "send a URL for UEFI HTTP boot: on, off; auto: on where only machines that do HTTP boot are sent it" +
				senders(all),
			Into: Choice(func(c *Config) *string { return &c.DHCP.HTTPBoot }, "auto", "on", "off")},
	}
}

// bootFile is the key of the name that DHCP sends machines of one architecture.
func bootFile(a firmware.Arch, machines string) Key {
	under := ""
	if a == firmware.EFI64 {
		under = "; with secure_boot: " + secureboot.IPXEShim + " (shim-ipxe), " + secureboot.GRUBShim + " (shim-grub)"
	}
	return Key{Name: "boot.files." + a.String(), Default: ipxe.BootFiles()[a], Public: true,
		Usage: "file below serve.root/tftp, or built in, that DHCP names to " + machines + " machines" + under,
		Into:  One(func(c *Config) *string { return &c.Boot.Files[a] }, parseBootFile)}
}

var serverKeys = []Key{
	{Name: "serve.root", Default: Here.Root, Flag: "root", Arg: "DIR", Path: true,
		Usage: "folder whose folders tftp and http are served",
		Into:  Text(func(c *Config) *string { return &c.Serve.Root })},
	{Name: "serve.tftp", Default: ":69", Flag: "tftp", Arg: "[ADDR]:PORT", Public: true,
		Usage: "where TFTP listens; machines' firmware asks at port 69 only",
		Into:  One(func(c *Config) *netip.AddrPort { return &c.Serve.TFTP }, parseListen)},
	{Name: "serve.http", Default: ":80", Flag: "http", Arg: "[ADDR]:PORT", Public: true,
		Usage: "where HTTP listens; a port other than 80 appears in every URL",
		Into:  One(func(c *Config) *netip.AddrPort { return &c.Serve.HTTP }, parseListen)},
	{Name: "serve.networks", Flag: "network", Arg: "CIDR", Shape: List, Public: true,
		Usage: "networks that are answered; default: all",
		Into:  Unique(Many(func(c *Config) *[]netip.Prefix { return &c.Serve.Networks }, parseNetwork))},
	{Name: "serve.chain_except", Shape: List, Public: true,
		Usage: "networks in which nobody is given the script in place of iPXE itself",
		Into:  Unique(Many(func(c *Config) *[]netip.Prefix { return &c.Serve.ChainExcept }, parseNetwork))},
	{Name: "serve.universal", Default: "false", Shape: YesNo, Public: true,
		Usage: "give BIOS and UEFI machines the boot program that they can run, whichever one they ask for",
		Into:  One(func(c *Config) *bool { return &c.Serve.Universal }, parseBool)},
	{Name: "serve.single_port", Default: "false", Flag: "single-port", Shape: YesNo, Public: true,
		Usage: "keep TFTP transfers on the port that was asked, for firewalls and NAT between",
		Into:  One(func(c *Config) *bool { return &c.Serve.SinglePort }, parseBool)},

	{Name: "menu.title", Default: "Network boot", Public: true,
		Usage: "heading of the menu",
		Into:  One(func(c *Config) *string { return &c.Menu.Title }, parseLine)},
	{Name: "menu.default", Default: "local", Public: true,
		Usage: "item that is chosen when nobody does",
		Into:  One(func(c *Config) *string { return &c.Menu.Default }, parseLine)},
	{Name: "menu.timeout", Default: "30s", Public: true,
		Usage: "how long the menu waits for a choice; 0: for ever",
		Into:  One(func(c *Config) *time.Duration { return &c.Menu.Timeout }, parseMenuTimeout)},
	{Name: "menu.console", Public: true,
		Usage: "console of the kernels: text, ttya to ttyd or ttyS0 to ttyS3, with a speed behind a comma where it is not " +
			"115200; default: each kernel's own",
		Into: One(func(c *Config) *catalog.Console { return &c.Menu.Console }, catalog.ParseConsole)},
	{Name: "menu.rescue", Default: "true", Shape: YesNo, Public: true,
		Usage: "a second item for each SmartOS that leaves the pools alone",
		Into:  One(func(c *Config) *bool { return &c.Menu.Rescue }, parseBool)},
	{Name: "menu.root_shadow_file", Path: true,
		Usage: "file that holds the hash of root's password in SmartOS, as openssl passwd -5 prints it, mode 0600",
		Into:  Text(func(c *Config) *string { return &c.Menu.RootShadowFile })},
	{Name: "menu.hide", Shape: List, Public: true,
		Usage: "items that are not shown, by key or pattern",
		Into:  Unique(Many(func(c *Config) *[]string { return &c.Menu.Hide }, parseItemPattern))},

	{Name: "probe.device", Flag: "probe-device", Arg: "DEV", Shape: List,
		Usage: "local device in each network, in the order of interface; default: the one with an address there",
		Into:  Many(func(c *Config) *[]string { return &c.Probe.Devices }, parseName)},
	{Name: "probe.mac", Flag: "probe-mac", Arg: "MAC",
		Usage: "MAC address that probes ask with; default: a locally administered one",
		Into:  One(func(c *Config) *net.HardwareAddr { return &c.Probe.MAC }, parseMAC)},
	{Name: "probe.interval", Default: "5m", Public: true,
		Usage: "time between the daemon's own probes, at least 10s; 0: none",
		Into:  One(func(c *Config) *time.Duration { return &c.Probe.Interval }, parseProbeInterval)},

	{Name: "page.token_file", Arg: "FILE", Path: true,
		Usage: "file that holds the token with which the live page may act, mode 0600; default: the page only shows",
		Into:  Text(func(c *Config) *string { return &c.Page.TokenFile })},
	{Name: "page.hosts", Shape: List,
		Usage: "names, besides IP addresses and this machine's own, under which the live page may act",
		Into:  Unique(Many(func(c *Config) *[]string { return &c.Page.Hosts }, parseHostName))},

	{Name: "boots.keep", Default: "1000",
		Usage: "boots that are kept for the page and `pxeagent boots`, 1 to 10000",
		Into:  One(func(c *Config) *int { return &c.Boots.Keep }, parseBootsKept)},
	{Name: "boots.max_age", Default: "720h",
		Usage: "how long a boot is kept after its end, at least 1h; 0: until there are too many",
		Into:  One(func(c *Config) *time.Duration { return &c.Boots.MaxAge }, parseMaxAge)},
	{Name: "boots.stall", Default: "5m",
		Usage: "how long a machine may ask for nothing before its boot counts as stalled, 10s to 24h; at a menu, its " +
			"timeout is added",
		Into: One(func(c *Config) *time.Duration { return &c.Boots.Stall }, parseStall)},
	{Name: webhookURL,
		Usage: "where each boot that ended is posted to, as JSON",
		Into:  One(func(c *Config) **url.URL { return &c.Webhook.URL }, parseWebhookURL)},
	{Name: "webhook.secret_file", Path: true,
		Usage: "file that holds the secret with which posts are signed, mode 0600",
		Into:  Text(func(c *Config) *string { return &c.Webhook.SecretFile })},
	{Name: "metrics.native", Default: "false", Shape: YesNo,
		Usage: "native histograms in place of classic ones; panels that read _bucket show nothing then",
		Into:  One(func(c *Config) *bool { return &c.Metrics.Native }, parseBool)},

	{Name: logLevel, Default: "info", Flag: "log-level", Arg: "LEVEL",
		Usage: "least level that is logged: debug, info, warn or error",
		Into:  One(func(c *Config) *slog.Level { return &c.Log.Level }, parseLevel)},
	{Name: "log.format", Default: "text", Flag: "log-format", Arg: "FORMAT",
		Usage: "text or json",
		Into:  Choice(func(c *Config) *string { return &c.Log.Format }, "text", "json")},
}
