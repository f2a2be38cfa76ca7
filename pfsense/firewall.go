package pfsense

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// firewall is what the reading program found.
type firewall struct {
	Error      string    `json:"error"`
	Version    string    `json:"version"` // "2.7.2-RELEASE"
	Config     string    `json:"config"`  // version of config.xml's form
	Engine     string    `json:"engine"`  // "isc" or "kea"
	Running    bool      `json:"running"` // the DHCP daemon
	Dirty      bool      `json:"dirty"`   // DHCP settings were saved and not applied
	Relay      bool      `json:"relay"`
	SyncTo     string    `json:"sync_to"` // the firewall that this one's settings are copied to
	KeaHA      *keaHA    `json:"kea_ha"`
	KeaCustom  *string   `json:"kea_custom"` // base64 of JSON of the site's own that Kea is given, for all interfaces; nil: absent
	Interfaces []port    `json:"interfaces"`
	Leased     []string  `json:"leased"` // nil: not known
	Odd        []oddText `json:"odd"`
}

type keaHA struct {
	Role string `json:"role"` // "primary" or "standby"
	Peer string `json:"peer"`
}

// oddText is a text in the DHCP settings that could stop the daemon. Its value stays on the firewall.
type oddText struct {
	Path string `json:"path"` // "lan/staticmap/3/rootpath"
	Why  string `json:"why"`  // "quote", "control", "backslash", "address"
}

// port is an interface of the firewall.
type port struct {
	ID      string   `json:"id"`    // "opt1"
	Descr   string   `json:"descr"` // "ADMIN"
	Device  string   `json:"if"`    // "igb2"
	Addr    string   `json:"ipaddr"`
	Bits    string   `json:"subnet"`
	AdvSkew *int     `json:"advskew"` // the lowest of its CARP addresses; nil: it has none
	VIPs    []string `json:"vips"`
	DHCP    *section `json:"dhcp"` // nil: there are no DHCP settings
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
	Maps      []mapping `json:"maps"` // only those with boot settings of their own
}

// pool is what an interface and its further pools have in common.
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

// option is a custom option of the site's.
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
	raw, err := s.run.run(ctx, p)
	if err != nil {
		return firewall{}, err
	}
	var f firewall
	if err := json.Unmarshal(raw, &f); err != nil {
		return firewall{}, fmt.Errorf("%w: its settings cannot be understood: %w", ErrProgram, err)
	}
	if f.Error != "" {
		return firewall{}, fmt.Errorf("%w: PHP says %q", ErrProgram, f.Error)
	}
	return f, nil
}

// find is the interface that a person calls name: its description, its id or its device, the former two without regard to case.
func (f firewall) find(name string) (port, error) {
	var found []port
	var all []string
	for _, p := range f.Interfaces {
		all = append(all, fmt.Sprintf("%q (%s, %s)", p.Descr, p.ID, p.Device))
		if name != "" && (strings.EqualFold(p.Descr, name) || strings.EqualFold(p.ID, name) || p.Device == name) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return port{}, fmt.Errorf("%w %q; there are %s", ErrNoInterface, name, strings.Join(all, ", "))
	case 1:
		return found[0], nil
	}
	return port{}, fmt.Errorf("%w %q: %d of its interfaces are called so; name one by its id: %s", ErrAmbiguous, name, len(found), strings.Join(all, ", "))
}

// kea reports whether Kea is the DHCP engine.
func (f firewall) kea() bool { return f.Engine == "kea" }

// can is what the engine makes of the settings of p. Kea sends no option 60 back, without which firmware does not take a URL;
// only the site's own JSON can add it, and what that says is not looked into.
func (f firewall) can(p port) abilities {
	custom := f.siteCustom() || p.DHCP != nil && p.DHCP.KeaCustom
	return abilities{oneName: f.archFault(), http: !f.kea() || custom, script: f.kea() && f.takesCustom()}
}

// archFault: these versions give Kea the BIOS name for every architecture.
func (f firewall) archFault() bool {
	return f.kea() && (strings.HasPrefix(f.Version, "2.7.1-") || strings.HasPrefix(f.Version, "2.7.2-"))
}

// network is p's own address with the length of its prefix; invalid where it has no fixed one.
func (p port) network() netip.Prefix {
	prefix, err := netip.ParsePrefix(p.Addr + "/" + p.Bits)
	if err != nil || !prefix.Addr().Is4() {
		return netip.Prefix{}
	}
	return prefix
}

// addrs are by what this firewall names itself in its offers on p.
func (p port) addrs() []netip.Addr { return parseAddrs(append([]string{p.Addr}, p.VIPs...)...) }

// peers are its failover partners'.
func (f firewall) peers(p port) []netip.Addr {
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

// label is how a person knows p: "ADMIN (opt1)".
func (p port) label() string {
	if p.Descr == "" {
		return p.ID
	}
	return p.Descr + " (" + p.ID + ")"
}
