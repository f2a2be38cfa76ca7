package opnsense

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// settings are those of Dnsmasq that have to do with DHCP.
type settings struct {
	Enable     text    `json:"enable"`
	Port       text    `json:"port"` // of DNS; "0": none
	Interfaces choices `json:"interface"`
	DHCP       object[struct {
		NoInterface choices `json:"no_interface"`
	}] `json:"dhcp"`
}

func (h *session) settings(ctx context.Context) (settings, error) {
	const path = "/api/dnsmasq/settings/get"
	var a struct {
		Dnsmasq *settings `json:"dnsmasq"`
	}
	if err := h.get(ctx, path, &a); err != nil {
		return settings{}, err
	}
	if a.Dnsmasq == nil {
		return settings{}, fmt.Errorf("%w: %s: its answer has no settings of Dnsmasq", remote.ErrOther, path)
	}
	return *a.Dnsmasq, nil
}

// leases is a range of addresses that Dnsmasq leases. One of the factory configuration has another uuid each time that
// it is read, so that no uuid of a range is of any use.
type leases struct {
	Interface text `json:"interface"` // "": any
	SetTag    text `json:"set_tag"`
	Start     text `json:"start_addr"`
	End       text `json:"end_addr"`
	Mask      text `json:"subnet_mask"`
	Mode      text `json:"mode"` // "static": only for known machines
	LeaseTime text `json:"lease_time"`
}

// ends are the first and the last address; not ok for IPv6.
func (l leases) ends() (start, end netip.Addr, ok bool) {
	start, err := netip.ParseAddr(string(l.Start))
	if err != nil || !start.Is4() {
		return start, end, false
	}
	end = start
	if l.End != "" {
		if end, err = netip.ParseAddr(string(l.End)); err != nil || !end.Is4() {
			return start, end, false
		}
	}
	return start, end, true
}

// smallestNetwork is the longest mask that a network is taken to have: few have fewer than 256 addresses.
const smallestNetwork = 24

// network is that of the range's mask, or the smallest that it can be in, where nothing else is known of it.
func (l leases) network() (netip.Prefix, bool) {
	start, end, ok := l.ends()
	if !ok {
		return netip.Prefix{}, false
	}
	if mask := net.ParseIP(string(l.Mask)).To4(); mask != nil {
		ones, bits := net.IPMask(mask).Size()
		if p := netip.PrefixFrom(start, ones).Masked(); bits > 0 && p.Contains(end) {
			return p, true
		}
	}
	for bits := smallestNetwork; ; bits-- {
		if p := netip.PrefixFrom(start, bits).Masked(); p.Contains(end) {
			return p, true
		}
	}
}

// on reports whether the range is for an interface: it names it, or none, and lies in one of its networks where those
// are known.
func (l leases) on(i Interface, addressed bool) bool {
	start, _, ok := l.ends()
	switch {
	case !ok || i.Name == "":
		return false
	case l.Interface != "":
		return string(l.Interface) == i.Name
	}
	return !addressed || slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool { return p.Contains(start) })
}

// networks are those in which addresses are leased on an interface, with the firewall's address where it is known.
func (o overview) networks(i Interface) []netip.Prefix {
	var nets []netip.Prefix
	for _, r := range o.ranges {
		if !r.on(i, o.addressed) {
			continue
		}
		p, _ := r.network()
		p = i.own(p)
		if !slices.Contains(nets, p) {
			nets = append(nets, p)
		}
	}
	return nets
}

// dnsmasqServes reports whether Dnsmasq is the DHCP server of an interface, and what says otherwise.
func (o overview) dnsmasqServes(i Interface) (bool, dhcp.Problem) {
	if o.dnsmasq == nil {
		return false, dhcp.Refusal("dhcp-off",
			"whether Dnsmasq leases addresses cannot be seen: the key's user lacks %s", dnsmasqPrivilege)
	}
	s := *o.dnsmasq
	selected := s.Interfaces.selected()
	off := s.DHCP.Members.NoInterface.selected()
	switch {
	case s.Enable != "1":
		return false, dhcp.Refusal("dhcp-off",
			"Dnsmasq is off on the firewall: enable it under Services: Dnsmasq DNS & DHCP: General")
	case slices.Contains(off, i.Name), len(selected) > 0 && !slices.Contains(selected, i.Name):
		how := "it listens on " + strings.Join(selected, ", ") + " only"
		if slices.Contains(off, i.Name) {
			how = "it stands under \"Interface [no dhcp]\""
		}
		return false, dhcp.Refusal("dhcp-off", "Dnsmasq does no DHCP on %s: %s (Services: Dnsmasq DNS & DHCP: General)",
			i.Name, how)
	case !slices.ContainsFunc(o.ranges, func(r leases) bool { return r.on(i, o.addressed) }):
		return false, dhcp.Refusal("no-dhcp",
			"Dnsmasq leases no addresses on %s: it has no DHCP range with IPv4 addresses there", i.Name)
	}
	return true, dhcp.Problem{}
}
