package opnsensetest

import (
	"net/netip"
	"slices"
)

// Config is what is stored in config.xml. Rows stand in the order of the file. All values of rows are texts as the API
// has them: "1" for on, uuids joined by commas.
type Config struct {
	Interfaces []Interface
	Dnsmasq    Dnsmasq
	Kea        Kea
}

// Interface is one of the firewall's.
type Interface struct {
	ID, Description, Device string
	Address                 netip.Prefix // the zero Prefix: none
}

// Dnsmasq is the section of Services: Dnsmasq DNS & DHCP.
type Dnsmasq struct {
	// Saved: the pages' defaults are stored. Until something is saved the factory configuration has only what is set, and
	// its ranges have no uuid, so that each read invents others.
	Saved       bool
	Enable      bool
	Port        string
	Interfaces  []string // none: all
	NoInterface []string // where it leases nothing
	HostPing    bool     // pings an address before it offers it; from 26.1.5
	Ranges      []Range
	Tags        []Tag
	Options     []Option
	Boots       []Boot
}

// Range is one of the addresses that are leased.
type Range struct {
	UUID        string `json:"-"`
	Interface   string `json:"interface"`
	SetTag      string `json:"set_tag"`
	StartAddr   string `json:"start_addr"`
	EndAddr     string `json:"end_addr"`
	SubnetMask  string `json:"subnet_mask"`
	Mode        string `json:"mode"`
	LeaseTime   string `json:"lease_time"`
	Domain      string `json:"domain"`
	Description string `json:"description"`
}

// Tag is a name for what matches set.
type Tag struct {
	UUID string `json:"-"`
	Tag  string `json:"tag"`
}

// Option is an option that is sent (type "set") or looked for (type "match").
type Option struct {
	UUID        string `json:"-"`
	Type        string `json:"type"`
	Option      string `json:"option"`
	Option6     string `json:"option6"`
	Interface   string `json:"interface"`
	Tag         string `json:"tag"`
	SetTag      string `json:"set_tag"`
	Value       string `json:"value"`
	Force       string `json:"force"`
	Description string `json:"description"`
}

// Boot is a boot entry.
type Boot struct {
	UUID        string `json:"-"`
	Interface   string `json:"interface"`
	Tag         string `json:"tag"`
	Filename    string `json:"filename"`
	Servername  string `json:"servername"`
	Address     string `json:"address"`
	Description string `json:"description"`
}

// Kea is the section of Services: Kea DHCPv4.
type Kea struct {
	Enabled    bool
	Manual     bool // somebody writes its configuration by hand, and nothing is generated
	Interfaces []string
	Subnets    []Subnet
	Options    []KeaOption
}

// Subnet is a subnet of Kea.
type Subnet struct {
	UUID           string `json:"-"`
	ID             string `json:"subnet_id"` // from 26.7.2
	Subnet         string `json:"subnet"`
	ValidLifetime  string `json:"valid_lifetime"`
	NextServer     string `json:"next_server"`
	Autocollect    string `json:"option_data_autocollect"`
	NameServers    string `json:"option_data.domain_name_servers"`
	DomainSearch   string `json:"option_data.domain_search"`
	Routers        string `json:"option_data.routers"`
	StaticRoutes   string `json:"option_data.static_routes"`
	ClasslessRoute string `json:"option_data.classless_static_route"`
	DomainName     string `json:"option_data.domain_name"`
	NTPServers     string `json:"option_data.ntp_servers"`
	TimeServers    string `json:"option_data.time_servers"`
	TFTPServerName string `json:"option_data.tftp_server_name"`
	BootFileName   string `json:"option_data.boot_file_name"`
	V6Only         string `json:"option_data.v6_only_preferred"`
	V4DNR          string `json:"option_data.v4_dnr"`
	DNSKeySecret   string `json:"ddns_domain_key_secret"` // a secret in the middle of a row
	Option         string `json:"option"`
	MatchClientID  string `json:"match-client-id"`
	Pools          string `json:"pools"`
	Description    string `json:"description"`
}

// KeaOption is an option entry of Kea, from 26.1.5.
type KeaOption struct {
	UUID          string `json:"-"`
	Code          string `json:"code"`
	Encoding      string `json:"encoding"`
	Data          string `json:"data"`
	Force         string `json:"force"`
	MatchCode     string `json:"match_code"`
	MatchEncoding string `json:"match_encoding"`
	MatchData     string `json:"match_data"`
	Description   string `json:"description"`
}

// Default is as from the factory, with one more interface: Dnsmasq leases addresses on lan.
func Default() Config {
	return Config{
		Interfaces: []Interface{
			{"lan", "LAN", "igc1", netip.MustParsePrefix("10.77.0.1/24")},
			{"wan", "WAN", "igc0", netip.Prefix{}},
			{"opt1", "GUEST", "igc2", netip.MustParsePrefix("10.78.0.1/24")},
		},
		Dnsmasq: Dnsmasq{
			Enable: true, Port: "53053", Interfaces: []string{"lan"}, HostPing: true,
			Ranges: []Range{{Interface: "lan", StartAddr: "10.77.0.100", EndAddr: "10.77.0.199"}},
		},
	}
}

// clone is a copy that shares nothing with c.
func (c Config) clone() Config {
	c.Interfaces = slices.Clone(c.Interfaces)
	d := &c.Dnsmasq
	d.Interfaces, d.NoInterface = slices.Clone(d.Interfaces), slices.Clone(d.NoInterface)
	d.Ranges, d.Tags = slices.Clone(d.Ranges), slices.Clone(d.Tags)
	d.Options, d.Boots = slices.Clone(d.Options), slices.Clone(d.Boots)
	k := &c.Kea
	k.Interfaces, k.Subnets, k.Options = slices.Clone(k.Interfaces), slices.Clone(k.Subnets), slices.Clone(k.Options)
	return c
}
