package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pxeagent/agent/catalog"
	"pxeagent/agent/ipxe"
)

// key is one key of the configuration. The table keys is all there is: flags, variables, the
// typed Config, `config show` and the documentation follow from it.
type key struct {
	name  string // as in the file, its sections joined by dots
	def   string // default, as one would write it; "" for none
	flag  string // without dashes; "" for none
	arg   string // what stands for the value in help
	usage string // one line, no full stop
	shape shape
	path  bool // made absolute
	set   setter
}

// env is the environment variable for k.
func (k key) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.name, ".", "_"))
}

// The keys in the order in which a person meets them.
var keys = []key{
	{name: "interface", flag: "interface", arg: "NAME", shape: list,
		usage: "network to make bootable, as the DHCP server names it: a device for Dnsmasq; a description, id or device for pfSense",
		set:   unique(many(func(c *Config) *[]string { return &c.Interfaces }, parseName))},
	{name: "next_server", def: "auto", flag: "next-server", arg: "ADDR",
		usage: "IPv4 address at which machines reach this agent; auto: this machine's address on that network",
		set:   one(func(c *Config) *netip.Addr { return &c.NextServer }, parseNextServer)},
	{name: "chain", def: "auto", flag: "chain", arg: "HOW",
		usage: "how iPXE is kept from loading itself again: auto, dhcp, embed, tftp or off",
		set:   choice(func(c *Config) *ipxe.Chain { return &c.Chain }, ipxe.Chains()...)},
	{name: "state_dir", def: "/var/lib/pxeagent/state", flag: "state-dir", arg: "DIR", path: true,
		usage: "folder for the journal and what else outlives a restart",
		set:   text(func(c *Config) *string { return &c.StateDir })},

	{name: "dhcp.backend", def: "auto", flag: "backend", arg: "NAME",
		usage: "DHCP server to configure: dnsmasq, pfsense, none; auto: pfsense if its url is set, else dnsmasq if an interface is",
		set:   choice(func(c *Config) *Backend { return &c.DHCP.Backend }, AutoBackend, Dnsmasq, PfSense, NoBackend)},
	{name: "dhcp.http_boot", def: "auto", arg: "WHEN",
		usage: "send a URL for UEFI HTTP boot: on, off; auto: where only machines that do HTTP boot are sent it, which is with Dnsmasq",
		set:   choice(func(c *Config) *string { return &c.DHCP.HTTPBoot }, "auto", "on", "off")},
	{name: "dhcp.dnsmasq.conf_dir", def: confDir(runtime.GOOS), flag: "dnsmasq-conf-dir", arg: "DIR", path: true,
		usage: "folder from which Dnsmasq reads drop-in files",
		set:   text(func(c *Config) *string { return &c.DHCP.Dnsmasq.ConfDir })},
	{name: "dhcp.dnsmasq.mode", def: "server", flag: "dnsmasq-mode", arg: "MODE",
		usage: "server: Dnsmasq leases the addresses there; proxy: another server does",
		set:   choice(func(c *Config) *string { return &c.DHCP.Dnsmasq.Mode }, "server", "proxy")},
	{name: "dhcp.dnsmasq.restart", flag: "dnsmasq-restart", arg: "COMMAND", shape: words,
		usage: "command that restarts Dnsmasq, run without a shell; default: found by what runs this machine",
		set:   argv(func(c *Config) *[]string { return &c.DHCP.Dnsmasq.Restart })},
	{name: "dhcp.pfsense.url", flag: "pfsense", arg: "URL",
		usage: "the firewall, such as https://fw.lan",
		set:   one(func(c *Config) **url.URL { return &c.DHCP.PfSense.URL }, parseFirewallURL)},
	{name: "dhcp.pfsense.transport", def: "auto", flag: "transport", arg: "WAY",
		usage: "way in: rest (the REST package), xmlrpc (every pfSense has it) or auto",
		set:   choice(func(c *Config) *string { return &c.DHCP.PfSense.Transport }, "auto", "rest", "xmlrpc")},
	{name: "dhcp.pfsense.user", flag: "user", arg: "NAME",
		usage: "user on the firewall",
		set:   text(func(c *Config) *string { return &c.DHCP.PfSense.User })},
	{name: "dhcp.pfsense.password_file", flag: "password-file", arg: "FILE", path: true,
		usage: "file that holds that user's password, mode 0600; - reads standard input",
		set:   text(func(c *Config) *string { return &c.DHCP.PfSense.PasswordFile })},
	{name: "dhcp.pfsense.api_key_file", flag: "api-key-file", arg: "FILE", path: true,
		usage: "file that holds an API key of the REST package, mode 0600; - reads standard input",
		set:   text(func(c *Config) *string { return &c.DHCP.PfSense.APIKeyFile })},
	{name: "dhcp.pfsense.tls_sha256", flag: "tls-sha256", arg: "HEX",
		usage: "SHA-256 of the firewall's certificate, in hex: this one is accepted, whoever signed it, and no other",
		set:   one(func(c *Config) **[32]byte { return &c.DHCP.PfSense.TLSSHA256 }, parseFingerprint)},
	{name: "dhcp.pfsense.ca_file", flag: "ca-file", arg: "FILE", path: true,
		usage: "PEM file with the CA that signed the firewall's certificate; default: the system's",
		set:   text(func(c *Config) *string { return &c.DHCP.PfSense.CAFile })},

	{name: "serve.root", def: "/var/lib/pxeagent", flag: "root", arg: "DIR", path: true,
		usage: "folder whose folders tftp and http are served",
		set:   text(func(c *Config) *string { return &c.Serve.Root })},
	{name: "serve.tftp", def: ":69", flag: "tftp", arg: "[ADDR]:PORT",
		usage: "where TFTP listens; machines' firmware asks at port 69 only",
		set:   one(func(c *Config) *netip.AddrPort { return &c.Serve.TFTP }, parseListen)},
	{name: "serve.http", def: ":80", flag: "http", arg: "[ADDR]:PORT",
		usage: "where HTTP listens; a port other than 80 appears in every URL",
		set:   one(func(c *Config) *netip.AddrPort { return &c.Serve.HTTP }, parseListen)},
	{name: "serve.networks", flag: "network", arg: "CIDR", shape: list,
		usage: "networks that are answered; default: all",
		set:   unique(many(func(c *Config) *[]netip.Prefix { return &c.Serve.Networks }, parseNetwork))},
	{name: "serve.chain_except", shape: list,
		usage: "networks in which nobody is given the script in place of iPXE itself",
		set:   unique(many(func(c *Config) *[]netip.Prefix { return &c.Serve.ChainExcept }, parseNetwork))},
	{name: "serve.universal", def: "false", shape: yesno,
		usage: "give BIOS and UEFI machines the boot program that they can run, whichever one they ask for",
		set:   one(func(c *Config) *bool { return &c.Serve.Universal }, parseBool)},
	{name: "serve.single_port", def: "false", flag: "single-port", shape: yesno,
		usage: "keep TFTP transfers on the port that was asked, for firewalls and NAT between",
		set:   one(func(c *Config) *bool { return &c.Serve.SinglePort }, parseBool)},

	{name: "menu.title", def: "Network boot",
		usage: "heading of the menu",
		set:   one(func(c *Config) *string { return &c.Menu.Title }, parseLine)},
	{name: "menu.default", def: "local",
		usage: "item that is chosen when nobody does",
		set:   one(func(c *Config) *string { return &c.Menu.Default }, parseLine)},
	{name: "menu.timeout", def: "30s",
		usage: "how long the menu waits for a choice; 0: for ever",
		set:   one(func(c *Config) *time.Duration { return &c.Menu.Timeout }, parseMenuTimeout)},
	{name: "menu.console",
		usage: "console of the kernels: text, ttya to ttyd or ttyS0 to ttyS3, with a speed behind a comma where it is not 115200; default: each kernel's own",
		set:   one(func(c *Config) *catalog.Console { return &c.Menu.Console }, catalog.ParseConsole)},
	{name: "menu.rescue", def: "true", shape: yesno,
		usage: "a second item for each SmartOS that leaves the pools alone",
		set:   one(func(c *Config) *bool { return &c.Menu.Rescue }, parseBool)},
	{name: "menu.root_shadow_file", path: true,
		usage: "file that holds the hash of root's password in SmartOS, as openssl passwd -5 prints it, mode 0600",
		set:   text(func(c *Config) *string { return &c.Menu.RootShadowFile })},
	{name: "menu.hide", shape: list,
		usage: "items that are not shown, by key or pattern",
		set:   unique(many(func(c *Config) *[]string { return &c.Menu.Hide }, parseItemPattern))},

	{name: "probe.device", flag: "probe-device", arg: "DEV", shape: list,
		usage: "local device in each network, in the order of interface; default: the one with an address there",
		set:   many(func(c *Config) *[]string { return &c.Probe.Devices }, parseName)},
	{name: "probe.mac", flag: "probe-mac", arg: "MAC",
		usage: "MAC address that probes ask with; default: a locally administered one",
		set:   one(func(c *Config) *net.HardwareAddr { return &c.Probe.MAC }, parseMAC)},
	{name: "probe.interval", def: "5m",
		usage: "time between the daemon's own probes, at least 10s; 0: none",
		set:   one(func(c *Config) *time.Duration { return &c.Probe.Interval }, parseProbeInterval)},

	{name: "page.token_file", arg: "FILE", path: true,
		usage: "file that holds the token with which the live page may act, mode 0600; default: the page only shows",
		set:   text(func(c *Config) *string { return &c.Page.TokenFile })},
	{name: "page.hosts", shape: list,
		usage: "names, besides IP addresses and this machine's own, under which the live page may act",
		set:   unique(many(func(c *Config) *[]string { return &c.Page.Hosts }, parseHostName))},

	{name: "boots.keep", def: "1000",
		usage: "boots that are kept for the page and `pxeagent boots`, 1 to 10000",
		set:   one(func(c *Config) *int { return &c.Boots.Keep }, parseBootsKept)},
	{name: "boots.max_age", def: "720h",
		usage: "how long a boot is kept after its end, at least 1h; 0: until there are too many",
		set:   one(func(c *Config) *time.Duration { return &c.Boots.MaxAge }, parseMaxAge)},
	{name: "boots.stall", def: "5m",
		usage: "how long a machine may ask for nothing before its boot counts as stalled, 10s to 24h; at a menu, its timeout is added",
		set:   one(func(c *Config) *time.Duration { return &c.Boots.Stall }, parseStall)},
	{name: "webhook.url",
		usage: "where each boot that ended is posted to, as JSON",
		set:   one(func(c *Config) **url.URL { return &c.Webhook.URL }, parseWebhookURL)},
	{name: "webhook.secret_file", path: true,
		usage: "file that holds the secret with which posts are signed, mode 0600",
		set:   text(func(c *Config) *string { return &c.Webhook.SecretFile })},
	{name: "metrics.native", def: "false", shape: yesno,
		usage: "native histograms in place of classic ones; panels that read _bucket show nothing then",
		set:   one(func(c *Config) *bool { return &c.Metrics.Native }, parseBool)},

	{name: "log.level", def: "info", flag: "log-level", arg: "LEVEL",
		usage: "least level that is logged: debug, info, warn or error",
		set:   one(func(c *Config) *slog.Level { return &c.Log.Level }, parseLevel)},
	{name: "log.format", def: "text", flag: "log-format", arg: "FORMAT",
		usage: "text or json",
		set:   choice(func(c *Config) *string { return &c.Log.Format }, "text", "json")},
}

// confDir is where Dnsmasq's packages have their drop-in files.
func confDir(goos string) string {
	if goos == "freebsd" {
		return "/usr/local/etc/dnsmasq.d"
	}
	return "/etc/dnsmasq.d"
}

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

// addFlags gives cmd the flags of the named keys. Values are checked by load, so that mistakes
// in flags are reported together with all others.
func addFlags(cmd *cobra.Command, groups ...[]string) {
	for _, group := range groups {
		for _, name := range group {
			k, ok := findKey(name)
			if !ok || k.flag == "" {
				panic(fmt.Sprintf("no flag for key %q", name))
			}
			k.addTo(cmd.Flags())
		}
	}
}

func findKey(name string) (key, bool) {
	for _, k := range keys {
		if k.name == name {
			return k, true
		}
	}
	return key{}, false
}
