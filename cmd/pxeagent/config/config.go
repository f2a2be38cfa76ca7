// Package config is the configuration: its keys and layers (defaults, file, environment, flags), what each value must
// be, and where mistakes stand.
package config

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"time"

	"pxeagent/agent/catalog"
	"pxeagent/agent/firmware"
	"pxeagent/agent/image"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/machine"
	"pxeagent/agent/menu"
	"pxeagent/agent/secureboot"
)

// Config is the whole configuration, checked and typed. Each part of pxeagent is given its own
// small struct made from this one, never this one itself.
type Config struct {
	Interfaces []string   // the networks' names at the DHCP server
	NextServer netip.Addr // IPv4; the zero Addr means auto: see localAddr
	Chain      ipxe.Chain
	Boot       BootConfig
	StateDir   string // absolute
	DHCP       DHCPConfig
	Serve      ServeConfig
	Menu       MenuConfig
	Hosts      []machine.Host    // in the file's order
	Profiles   []machine.Profile // in the file's order
	Probe      ProbeConfig
	Page       PageConfig
	Boots      BootsConfig
	Webhook    WebhookConfig
	Metrics    MetricsConfig
	Log        LogConfig
	Images     []image.Want        // in the file's order
	Mirrors    map[string][]string // URLs by recipe
}

// BootConfig is what machines load first.
type BootConfig struct {
	SecureBoot secureboot.Mode
	Files      [firmware.NumArch]string // the names that DHCP sends, by architecture; "": none is sent
}

// Names that dhcp.backend takes besides those of the schema's backends.
const (
	autoBackend = "auto" // stands in no Config: Load chooses
	NoBackend   = "none"
)

// DHCPConfig is the site's DHCP server.
type DHCPConfig struct {
	Backend  string // a backend of the schema, or NoBackend
	HTTPBoot string // auto, on, off
	// Own has what each backend's own keys set, by the backend's name: see Own.
	Own map[string]any
}

// Own is what the keys of the backend called name set in c. Its zero value is made where there is none yet.
func Own[T any](c *Config, name string) *T {
	own, ok := c.DHCP.Own[name].(*T)
	if !ok {
		own = new(T)
		if c.DHCP.Own == nil {
			c.DHCP.Own = map[string]any{}
		}
		c.DHCP.Own[name] = own
	}
	return own
}

// ServeConfig is what is served, where, and to whom.
type ServeConfig struct {
	Root string // absolute; its folders tftp and http are served
	// TFTP and HTTP are where to listen. With no address (":69") the Addr is not valid, which
	// net.UDPAddrFromAddrPort and net.TCPAddrFromAddrPort turn into all addresses.
	TFTP, HTTP  netip.AddrPort
	Networks    []netip.Prefix // who is answered; none: everyone
	ChainExcept []netip.Prefix // whoever looks like iPXE there is none
	Universal   bool           // BIOS and UEFI machines get the NBP that they can run, whichever they ask for
	SinglePort  bool           // TFTP transfers stay on the listening port
}

// MenuConfig is the built-in iPXE menu.
type MenuConfig struct {
	Title   string
	Default string        // the item that is chosen after Timeout
	Timeout time.Duration // 0: waits for ever
	Console catalog.Console
	Rescue  bool // SmartOS has a rescue item
	// RootShadowFile is absolute, or "". What is in it is not here: see loaded.menu.
	RootShadowFile string
	Hide           []string     // keys and patterns
	Entries        []menu.Entry // in the file's order
}

// ProbeConfig is how offers are checked on the wire.
type ProbeConfig struct {
	Devices  []string         // local devices, one for each of Interfaces; none: found
	MAC      net.HardwareAddr // 6 bytes; nil: a locally administered one is made
	Interval time.Duration    // between the daemon's probes; 0: it does not probe
}

// Device is the local device that the network at index i was said to be on, and "" where it is
// to be found.
func (p ProbeConfig) Device(i int) string {
	if i < len(p.Devices) {
		return p.Devices[i]
	}
	return ""
}

// PageConfig is the live page. The token is not in it: see ReadSecret.
type PageConfig struct {
	TokenFile string   // absolute, or ""
	Hosts     []string // lower case, without a dot at the end
}

// BootsConfig is how machines' boots are followed and kept.
type BootsConfig struct {
	Keep   int           // at least 1
	MaxAge time.Duration // 0: for ever
	Stall  time.Duration
}

// WebhookConfig is where boots that ended are posted to. The secret is not in it: see ReadSecret.
type WebhookConfig struct {
	URL        *url.URL // http or https; nil: nowhere
	SecretFile string   // absolute, or ""
}

// MetricsConfig is how metrics are told.
type MetricsConfig struct {
	Native bool // native histograms in place of classic ones
}

// LogConfig is the log on standard error.
type LogConfig struct {
	Level  slog.Level
	Format string // text, json
}
