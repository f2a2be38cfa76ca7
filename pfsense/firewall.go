package pfsense

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// firewall is the result of the reading program.
type firewall struct {
	Error      string    `json:"error"`
	Version    string    `json:"version"` // "2.7.2-RELEASE"
	Config     string    `json:"config"`  // version of config.xml's format
	Engine     string    `json:"engine"`  // "isc" or "kea"
	Running    bool      `json:"running"` // the DHCP daemon
	Revision   revision  `json:"revision"`
	Dirty      bool      `json:"dirty"` // DHCP settings were saved but not applied
	Relay      bool      `json:"relay"`
	SyncTo     string    `json:"sync_to"` // the firewall that this one's settings are copied to
	KeaHA      *keaHA    `json:"kea_ha"`
	KeaCustom  *string   `json:"kea_custom"`  // base64 of the site's custom JSON for Kea, for all interfaces; nil: absent
	KeaElement bool      `json:"kea_element"` // there is an element kea, and nothing in it
	Interfaces []iface   `json:"interfaces"`
	Leased     []string  `json:"leased"` // nil: not known
	Odd        []oddText `json:"odd"`
}

// revision is an entry of the configuration history.
type revision struct {
	Time string `json:"time"`
	Text string `json:"text"` // begins with the user
}

type keaHA struct {
	Role string `json:"role"` // "primary" or "standby"
	Peer string `json:"peer"`
}

// oddText is a text in the DHCP settings that could stop the daemon. Its value is not read from the firewall.
type oddText struct {
	Path string `json:"path"` // "lan/staticmap/3/rootpath"
	Why  string `json:"why"`  // "quote", "control", "backslash", "address"
}

// iface is an interface of the firewall.
type iface struct {
	ID      string   `json:"id"`    // "opt1"
	Descr   string   `json:"descr"` // "ADMIN"
	Device  string   `json:"if"`    // "igb2"
	Addr    string   `json:"ipaddr"`
	Bits    string   `json:"subnet"`
	AdvSkew *int     `json:"advskew"` // the lowest skew of its CARP addresses; nil: it has none
	VIPs    []string `json:"vips"`
	DHCP    *section `json:"dhcp"` // nil: it has no DHCP settings
}

// section is dhcpd/<id>.
type section struct {
	pool
	Enable    bool      `json:"enable"`
	TFTP      string    `json:"tftp"` // option 66
	Failover  string    `json:"failover_peerip"`
	KeaCustom bool      `json:"kea_custom"`
	Options   []option  `json:"options"`
	Pools     []pool    `json:"pools"`
	Maps      []mapping `json:"maps"` // only those with their own boot settings
}

// pool is what an interface and its additional pools have in common.
type pool struct {
	Descr       string `json:"descr"`
	From        string `json:"from"`
	To          string `json:"to"`
	Keys        keys   `json:"keys"`
	RootPath    string `json:"rootpath"`
	DenyUnknown string `json:"denyunknown"`
	MACAllow    string `json:"mac_allow"`
	MACDeny     string `json:"mac_deny"`
}

// option is a custom DHCP option.
type option struct {
	Number string `json:"number"`
	Type   string `json:"type"`
	Value  string `json:"value"`
}

type mapping struct {
	MAC      string `json:"mac"`
	Addr     string `json:"ipaddr"`
	Host     string `json:"hostname"`
	Descr    string `json:"descr"`
	Keys     keys   `json:"keys"`
	RootPath string `json:"rootpath"`
}

// read runs the reading program.
func (s *Server) read(ctx context.Context) (firewall, error) {
	p, err := newProgram("read", map[string]string{"op": "read"})
	if err != nil {
		return firewall{}, err
	}
	raw, err := s.transport.run(ctx, p)
	if err != nil {
		return firewall{}, err
	}
	var f firewall
	if err := json.Unmarshal(raw, &f); err != nil {
		return firewall{}, fmt.Errorf("%w: parsing its settings: %w", ErrProgram, err)
	}
	if f.Error != "" {
		return firewall{}, fmt.Errorf("%w: PHP reports %q", ErrProgram, f.Error)
	}
	return f, nil
}

// find is the interface with that description, id or device. Descriptions and ids match in any case.
func (f firewall) find(name string) (iface, error) {
	var found []iface
	var all []string
	for _, p := range f.Interfaces {
		all = append(all, fmt.Sprintf("%q (%s, %s)", p.Descr, p.ID, p.Device))
		if name != "" && (strings.EqualFold(p.Descr, name) || strings.EqualFold(p.ID, name) || p.Device == name) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return iface{}, fmt.Errorf("%w: %q; it has %s", ErrNoInterface, name, strings.Join(all, ", "))
	case 1:
		return found[0], nil
	}
	return iface{}, fmt.Errorf("%w %q: %d interfaces have this name, use an id: %s", ErrAmbiguous, name, len(found),
		strings.Join(all, ", "))
}

// kea reports whether Kea is the DHCP engine.
func (f firewall) kea() bool { return f.Engine == "kea" }

// can is how the engine uses the settings of p. Kea does not send option 60 back, without which firmware ignores a URL;
// only custom JSON can add it, and that is not interpreted here.
func (f firewall) can(p iface) abilities {
	custom := f.siteCustom() || p.DHCP != nil && p.DHCP.KeaCustom
	return abilities{oneName: f.archFault(), http: !f.kea() || custom, script: f.kea() && f.takesCustom()}
}

// archFault: these versions configure Kea with the BIOS file for every architecture.
func (f firewall) archFault() bool {
	return f.kea() && (strings.HasPrefix(f.Version, "2.7.1-") || strings.HasPrefix(f.Version, "2.7.2-"))
}

// network is p's own address with its prefix length; invalid if it has no static one.
func (p iface) network() netip.Prefix {
	prefix, err := netip.ParsePrefix(p.Addr + "/" + p.Bits)
	if err != nil || !prefix.Addr().Is4() {
		return netip.Prefix{}
	}
	return prefix
}

// addrs are the firewall's addresses in its offers on p.
func (p iface) addrs() []netip.Addr { return parseAddrs(append([]string{p.Addr}, p.VIPs...)...) }

// peers are the addresses of its failover peers.
func (f firewall) peers(p iface) []netip.Addr {
	var texts []string
	if p.DHCP != nil {
		texts = append(texts, p.DHCP.Failover)
	}
	if f.KeaHA != nil {
		texts = append(texts, f.KeaHA.Peer)
	}
	return parseAddrs(texts...)
}

func parseAddrs(texts ...string) []netip.Addr {
	var addrs []netip.Addr
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// label is p for people: "ADMIN (opt1)".
func (p iface) label() string {
	if p.Descr == "" {
		return p.ID
	}
	return p.Descr + " (" + p.ID + ")"
}
