package opnsense

import (
	"net/netip"
	"net/url"
	"slices"
)

// keaPair is a pair of firewalls whose Keas serve the same subnets. The standby is sent the primary's settings.
type keaPair struct {
	Name  string // this firewall's; "": there is no pair
	Peers []keaPeer
}

// keaPeer is one of a pair, which has both.
type keaPeer struct {
	Name text `json:"name"`
	Role text `json:"role"` // "primary" or "standby"
	URL  text `json:"url"`  // where the other one reaches it
}

// standby reports whether this firewall is sent its settings by the other.
func (p keaPair) standby() bool {
	return slices.ContainsFunc(p.Peers, func(q keaPeer) bool { return string(q.Name) == p.Name && q.Role == "standby" })
}

// others are the addresses of the other firewalls, as far as they are known.
func (p keaPair) others() []netip.Addr {
	var list []netip.Addr
	for _, q := range p.Peers {
		u, err := url.Parse(string(q.URL))
		if err != nil || string(q.Name) == p.Name {
			continue
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && a.Is4() {
			list = append(list, a)
		}
	}
	return list
}
