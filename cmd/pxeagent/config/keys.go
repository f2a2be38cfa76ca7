package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"pxeagent/agent/catalog"
	"pxeagent/agent/ipxe"
)

// Key is one key of the configuration. The table keys is all there is: flags, variables, the
// typed Config, `config show` and the documentation follow from it.
type Key struct {
	Name    string // as in the file, its sections joined by dots
	Default string // as one would write it; "" for none
	Flag    string // without dashes; "" for none
	Arg     string // what stands for the value in help
	Usage   string // one line, no full stop
	Shape   Shape
	Path    bool // made absolute
	Set     Setter
}

// Env is the environment variable for k.
func (k Key) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// webhookURL may hold a secret.
const webhookURL = "webhook.url"

// The keys in the order in which a person meets them.
var keys = []Key{
	{Name: "interface", Flag: "interface", Arg: "NAME", Shape: List,
		Usage: "network to make bootable, as the DHCP server names it: a device for Dnsmasq; a description, id or device for pfSense",
		Set:   Unique(Many(func(c *Config) *[]string { return &c.Interfaces }, parseName))},
	{Name: "next_server", Default: "auto", Flag: "next-server", Arg: "ADDR",
		Usage: "IPv4 address at which machines reach this agent; auto: this machine's address on that network",
		Set:   One(func(c *Config) *netip.Addr { return &c.NextServer }, parseNextServer)},
	{Name: "chain", Default: "auto", Flag: "chain", Arg: "HOW",
		Usage: "how iPXE is kept from loading itself again: auto, dhcp, embed, tftp or off",
		Set:   Choice(func(c *Config) *ipxe.Chain { return &c.Chain }, ipxe.Chains()...)},
	{Name: "state_dir", Default: "/var/lib/pxeagent/state", Flag: "state-dir", Arg: "DIR", Path: true,
		Usage: "folder for the journal and what else outlives a restart",
		Set:   Text(func(c *Config) *string { return &c.StateDir })},

	{Name: "dhcp.backend", Default: "auto", Flag: "backend", Arg: "NAME",
		Usage: "DHCP server to configure: dnsmasq, pfsense, none; auto: pfsense if its url is set, else dnsmasq if an interface is",
		Set:   Choice(func(c *Config) *Backend { return &c.DHCP.Backend }, AutoBackend, Dnsmasq, PfSense, NoBackend)},
	{Name: "dhcp.http_boot", Default: "auto", Arg: "WHEN",
		Usage: "send a URL for UEFI HTTP boot: on, off; auto: where only machines that do HTTP boot are sent it, which is with Dnsmasq",
		Set:   Choice(func(c *Config) *string { return &c.DHCP.HTTPBoot }, "auto", "on", "off")},
	{Name: "dhcp.dnsmasq.conf_dir", Default: confDir(runtime.GOOS), Flag: "dnsmasq-conf-dir", Arg: "DIR", Path: true,
		Usage: "folder from which Dnsmasq reads drop-in files",
		Set:   Text(func(c *Config) *string { return &c.DHCP.Dnsmasq.ConfDir })},
	{Name: "dhcp.dnsmasq.mode", Default: "server", Flag: "dnsmasq-mode", Arg: "MODE",
		Usage: "server: Dnsmasq leases the addresses there; proxy: another server does",
		Set:   Choice(func(c *Config) *string { return &c.DHCP.Dnsmasq.Mode }, "server", "proxy")},
	{Name: "dhcp.dnsmasq.restart", Flag: "dnsmasq-restart", Arg: "COMMAND", Shape: Words,
		Usage: "command that restarts Dnsmasq, run without a shell; default: found by what runs this machine",
		Set:   Argv(func(c *Config) *[]string { return &c.DHCP.Dnsmasq.Restart })},
	{Name: "dhcp.pfsense.url", Flag: "pfsense", Arg: "URL",
		Usage: "the firewall, such as https://fw.lan",
		Set:   One(func(c *Config) **url.URL { return &c.DHCP.PfSense.URL }, ParseFirewallURL)},
	{Name: "dhcp.pfsense.transport", Default: "auto", Flag: "transport", Arg: "WAY",
		Usage: "way in: rest (the REST package), xmlrpc (every pfSense has it) or auto",
		Set:   Choice(func(c *Config) *string { return &c.DHCP.PfSense.Transport }, "auto", "rest", "xmlrpc")},
	{Name: "dhcp.pfsense.user", Flag: "user", Arg: "NAME",
		Usage: "user on the firewall",
		Set:   Text(func(c *Config) *string { return &c.DHCP.PfSense.User })},
	{Name: "dhcp.pfsense.password_file", Flag: "password-file", Arg: "FILE", Path: true,
		Usage: "file that holds that user's password, mode 0600; - reads standard input",
		Set:   Text(func(c *Config) *string { return &c.DHCP.PfSense.PasswordFile })},
	{Name: "dhcp.pfsense.api_key_file", Flag: "api-key-file", Arg: "FILE", Path: true,
		Usage: "file that holds an API key of the REST package, mode 0600; - reads standard input",
		Set:   Text(func(c *Config) *string { return &c.DHCP.PfSense.APIKeyFile })},
	{Name: "dhcp.pfsense.tls_sha256", Flag: "tls-sha256", Arg: "HEX",
		Usage: "SHA-256 of the firewall's certificate, in hex: this one is accepted, whoever signed it, and no other",
		Set:   One(func(c *Config) **[32]byte { return &c.DHCP.PfSense.TLSSHA256 }, parseFingerprint)},
	{Name: "dhcp.pfsense.ca_file", Flag: "ca-file", Arg: "FILE", Path: true,
		Usage: "PEM file with the CA that signed the firewall's certificate; default: the system's",
		Set:   Text(func(c *Config) *string { return &c.DHCP.PfSense.CAFile })},

	{Name: "serve.root", Default: "/var/lib/pxeagent", Flag: "root", Arg: "DIR", Path: true,
		Usage: "folder whose folders tftp and http are served",
		Set:   Text(func(c *Config) *string { return &c.Serve.Root })},
	{Name: "serve.tftp", Default: ":69", Flag: "tftp", Arg: "[ADDR]:PORT",
		Usage: "where TFTP listens; machines' firmware asks at port 69 only",
		Set:   One(func(c *Config) *netip.AddrPort { return &c.Serve.TFTP }, parseListen)},
	{Name: "serve.http", Default: ":80", Flag: "http", Arg: "[ADDR]:PORT",
		Usage: "where HTTP listens; a port other than 80 appears in every URL",
		Set:   One(func(c *Config) *netip.AddrPort { return &c.Serve.HTTP }, parseListen)},
	{Name: "serve.networks", Flag: "network", Arg: "CIDR", Shape: List,
		Usage: "networks that are answered; default: all",
		Set:   Unique(Many(func(c *Config) *[]netip.Prefix { return &c.Serve.Networks }, parseNetwork))},
	{Name: "serve.chain_except", Shape: List,
		Usage: "networks in which nobody is given the script in place of iPXE itself",
		Set:   Unique(Many(func(c *Config) *[]netip.Prefix { return &c.Serve.ChainExcept }, parseNetwork))},
	{Name: "serve.universal", Default: "false", Shape: YesNo,
		Usage: "give BIOS and UEFI machines the boot program that they can run, whichever one they ask for",
		Set:   One(func(c *Config) *bool { return &c.Serve.Universal }, parseBool)},
	{Name: "serve.single_port", Default: "false", Flag: "single-port", Shape: YesNo,
		Usage: "keep TFTP transfers on the port that was asked, for firewalls and NAT between",
		Set:   One(func(c *Config) *bool { return &c.Serve.SinglePort }, parseBool)},

	{Name: "menu.title", Default: "Network boot",
		Usage: "heading of the menu",
		Set:   One(func(c *Config) *string { return &c.Menu.Title }, parseLine)},
	{Name: "menu.default", Default: "local",
		Usage: "item that is chosen when nobody does",
		Set:   One(func(c *Config) *string { return &c.Menu.Default }, parseLine)},
	{Name: "menu.timeout", Default: "30s",
		Usage: "how long the menu waits for a choice; 0: for ever",
		Set:   One(func(c *Config) *time.Duration { return &c.Menu.Timeout }, parseMenuTimeout)},
	{Name: "menu.console",
		Usage: "console of the kernels: text, ttya to ttyd or ttyS0 to ttyS3, with a speed behind a comma where it is not 115200; default: each kernel's own",
		Set:   One(func(c *Config) *catalog.Console { return &c.Menu.Console }, catalog.ParseConsole)},
	{Name: "menu.rescue", Default: "true", Shape: YesNo,
		Usage: "a second item for each SmartOS that leaves the pools alone",
		Set:   One(func(c *Config) *bool { return &c.Menu.Rescue }, parseBool)},
	{Name: "menu.root_shadow_file", Path: true,
		Usage: "file that holds the hash of root's password in SmartOS, as openssl passwd -5 prints it, mode 0600",
		Set:   Text(func(c *Config) *string { return &c.Menu.RootShadowFile })},
	{Name: "menu.hide", Shape: List,
		Usage: "items that are not shown, by key or pattern",
		Set:   Unique(Many(func(c *Config) *[]string { return &c.Menu.Hide }, parseItemPattern))},

	{Name: "probe.device", Flag: "probe-device", Arg: "DEV", Shape: List,
		Usage: "local device in each network, in the order of interface; default: the one with an address there",
		Set:   Many(func(c *Config) *[]string { return &c.Probe.Devices }, parseName)},
	{Name: "probe.mac", Flag: "probe-mac", Arg: "MAC",
		Usage: "MAC address that probes ask with; default: a locally administered one",
		Set:   One(func(c *Config) *net.HardwareAddr { return &c.Probe.MAC }, parseMAC)},
	{Name: "probe.interval", Default: "5m",
		Usage: "time between the daemon's own probes, at least 10s; 0: none",
		Set:   One(func(c *Config) *time.Duration { return &c.Probe.Interval }, parseProbeInterval)},

	{Name: "page.token_file", Arg: "FILE", Path: true,
		Usage: "file that holds the token with which the live page may act, mode 0600; default: the page only shows",
		Set:   Text(func(c *Config) *string { return &c.Page.TokenFile })},
	{Name: "page.hosts", Shape: List,
		Usage: "names, besides IP addresses and this machine's own, under which the live page may act",
		Set:   Unique(Many(func(c *Config) *[]string { return &c.Page.Hosts }, parseHostName))},

	{Name: "boots.keep", Default: "1000",
		Usage: "boots that are kept for the page and `pxeagent boots`, 1 to 10000",
		Set:   One(func(c *Config) *int { return &c.Boots.Keep }, parseBootsKept)},
	{Name: "boots.max_age", Default: "720h",
		Usage: "how long a boot is kept after its end, at least 1h; 0: until there are too many",
		Set:   One(func(c *Config) *time.Duration { return &c.Boots.MaxAge }, parseMaxAge)},
	{Name: "boots.stall", Default: "5m",
		Usage: "how long a machine may ask for nothing before its boot counts as stalled, 10s to 24h; at a menu, its timeout is added",
		Set:   One(func(c *Config) *time.Duration { return &c.Boots.Stall }, parseStall)},
	{Name: webhookURL,
		Usage: "where each boot that ended is posted to, as JSON",
		Set:   One(func(c *Config) **url.URL { return &c.Webhook.URL }, parseWebhookURL)},
	{Name: "webhook.secret_file", Path: true,
		Usage: "file that holds the secret with which posts are signed, mode 0600",
		Set:   Text(func(c *Config) *string { return &c.Webhook.SecretFile })},
	{Name: "metrics.native", Default: "false", Shape: YesNo,
		Usage: "native histograms in place of classic ones; panels that read _bucket show nothing then",
		Set:   One(func(c *Config) *bool { return &c.Metrics.Native }, parseBool)},

	{Name: "log.level", Default: "info", Flag: "log-level", Arg: "LEVEL",
		Usage: "least level that is logged: debug, info, warn or error",
		Set:   One(func(c *Config) *slog.Level { return &c.Log.Level }, parseLevel)},
	{Name: "log.format", Default: "text", Flag: "log-format", Arg: "FORMAT",
		Usage: "text or json",
		Set:   Choice(func(c *Config) *string { return &c.Log.Format }, "text", "json")},
}

// confDir is where Dnsmasq's packages have their drop-in files.
func confDir(goos string) string {
	if goos == "freebsd" {
		return "/usr/local/etc/dnsmasq.d"
	}
	return "/etc/dnsmasq.d"
}

// AddFlags gives flags those of the named keys. Values are checked by Load, so that mistakes
// in flags are reported together with all others.
func AddFlags(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		k, ok := findKey(name)
		if !ok || k.Flag == "" {
			panic(fmt.Sprintf("no flag for key %q", name))
		}
		k.addTo(flags)
	}
}

func findKey(name string) (Key, bool) {
	for _, k := range keys {
		if k.Name == name {
			return k, true
		}
	}
	return Key{}, false
}
