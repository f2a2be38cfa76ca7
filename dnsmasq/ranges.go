package dnsmasq

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// ipv4Range is a dhcp-range line for IPv4.
type ipv4Range struct {
	directive
	tags       []string // conditions: "eth1", "!x"
	start, end netip.Addr
	proxy      bool
	static     bool       // only for machines of dhcp-host lines
	mask       netip.Addr // not valid: the interface's
}

// asRange parses a dhcp-range line; not ok for IPv6, or one that Dnsmasq would reject.
func asRange(d directive) (ipv4Range, bool) {
	r := ipv4Range{directive: d}
	if d.name != "dhcp-range" {
		return r, false
	}
	rest := d.fields
	for len(rest) > 0 {
		start, err := netip.ParseAddr(rest[0])
		if err == nil {
			r.start = start
			break
		}
		if tag, ok := isTag(rest[0]); ok {
			r.tags = append(r.tags, tag)
		}
		rest = rest[1:]
	}
	if len(rest) < 2 || !r.start.Is4() {
		return r, false
	}
	r.end = r.start
	switch rest[1] {
	case "proxy":
		r.proxy = true
	case "static":
		r.static = true
	default:
		end, err := netip.ParseAddr(rest[1])
		if err != nil || !end.Is4() {
			return r, false
		}
		r.end = end
	}
	if len(rest) > 2 {
		if mask, err := netip.ParseAddr(rest[2]); err == nil && mask.Is4() {
			r.mask = mask
		}
	}
	return r, true
}

// covers reports whether the range is for the network of an interface's address.
func (r ipv4Range) covers(p netip.Prefix) bool {
	p = r.network(p)
	return p.Contains(r.start) && p.Contains(r.end)
}

// network is p with the mask of the range, if it has one; invalid, and so without any address, if that is none.
func (r ipv4Range) network(p netip.Prefix) netip.Prefix {
	if !r.mask.IsValid() {
		return p
	}
	m := r.mask.As4()
	ones, bits := net.IPMask(m[:]).Size()
	if bits == 0 {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(p.Addr(), ones)
}

// appliesTo reports whether requests on iface can meet the conditions on tags: those that
// are other interfaces of this machine cannot be met, other tags may be.
func appliesTo(tags []string, iface string, others []string) bool {
	for _, tag := range tags {
		not, negated := strings.CutPrefix(tag, "!")
		switch {
		case negated && not == iface, slices.Contains(others, tag):
			return false
		case strings.HasPrefix(tag, "pxeagent-"):
			// From another pxeagent drop-in, whose lines name their interface as well.
			return false
		}
	}
	return true
}

// network is an interface as Dnsmasq sees it.
type network struct {
	addrs  []netip.Prefix // its IPv4 addresses with their networks
	others []string       // the names of the machine's other interfaces
}

// lookNetwork reads the interfaces of this thread's network namespace.
func lookNetwork(iface string) (network, error) {
	var n network
	all, err := net.Interfaces()
	if err != nil {
		return n, fmt.Errorf("listing the interfaces: %w", err)
	}
	found := false
	for _, i := range all {
		if i.Name != iface {
			n.others = append(n.others, i.Name)
			continue
		}
		found = true
		addrs, err := i.Addrs()
		if err != nil {
			return n, fmt.Errorf("reading the addresses of %s: %w", iface, err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
				n.addrs = append(n.addrs, p)
			}
		}
	}
	slices.Sort(n.others)
	if !found {
		return n, fmt.Errorf("%w: %s (found %s)", ErrNoInterface, iface, strings.Join(n.others, ", "))
	}
	slices.SortFunc(n.addrs, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	if len(n.addrs) == 0 {
		return n, fmt.Errorf("%w: %s", ErrNoAddress, iface)
	}
	return n, nil
}

// own are the interface's addresses.
func (n network) own() []netip.Addr {
	var addrs []netip.Addr
	for _, p := range n.addrs {
		addrs = append(addrs, p.Addr())
	}
	return addrs
}

// nets are the interface's networks, each once.
func (n network) nets() []netip.Addr {
	var nets []netip.Addr
	for _, p := range n.addrs {
		nets = append(nets, p.Masked().Addr())
	}
	slices.SortFunc(nets, netip.Addr.Compare)
	return slices.Compact(nets)
}

// rangesOf are the ranges for machines on the interface.
func rangesOf(lines []directive, iface string, n network) (leases, proxies []ipv4Range) {
	for _, d := range lines {
		r, ok := asRange(d)
		switch {
		case !ok || !appliesTo(r.tags, iface, n.others) || !slices.ContainsFunc(n.addrs, r.covers):
		case r.proxy:
			proxies = append(proxies, r)
		default:
			leases = append(leases, r)
		}
	}
	return leases, proxies
}

// networks are those that the ranges are for, each once, by the interface's addresses.
func (n network) networks(ranges []ipv4Range) []netip.Prefix {
	var nets []netip.Prefix
	for _, r := range ranges {
		for _, p := range n.addrs {
			if r.covers(p) {
				if net := r.network(p).Masked(); !slices.Contains(nets, net) {
					nets = append(nets, net)
				}
			}
		}
	}
	return nets
}
