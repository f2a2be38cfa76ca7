package dnsmasq

import (
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// Leased lists the networks, of those of the interface's addresses, in which this machine's Dnsmasq leases addresses,
// in the order of its lines. It reads the configuration and writes nothing. Errors are those of Plan.
func (s *Server) Leased() ([]netip.Prefix, error) {
	n, err := lookNetwork(s.cfg.Interface)
	if err != nil {
		return nil, err
	}
	t, err := s.find(nil)
	if err != nil {
		return nil, err
	}
	leases, _ := rangesOf(t.tree.lines, s.cfg.Interface, n)
	return n.networks(leases), nil
}

// unreached are the problems of machines with a lease in a network that next-server is not in: without a router they
// cannot reach it at all, and with one only if that has a route. Dnsmasq offers itself as the router unless a line says
// otherwise.
func (j judge) unreached() []dhcp.Problem {
	leases, _ := rangesOf(j.lines, j.iface, j.n)
	next := j.boot.NextServer
	var list []dhcp.Problem
	for _, net := range j.n.networks(leases) {
		if net.Contains(next) {
			continue
		}
		instead := ""
		if i := slices.IndexFunc(j.n.addrs, func(p netip.Prefix) bool { return net.Contains(p.Addr()) }); i >= 0 {
			instead = "; set next_server (--next-server) to " + j.n.addrs[i].Addr().String()
		}
		if line, none := j.noRouter(); none {
			list = append(list, dhcp.Refusal("unreachable",
				"machines get addresses in %s, and cannot reach next-server %s: %s offers no router%s",
				net, next, line.where(), instead))
			continue
		}
		list = append(list, dhcp.Note("needs-route",
			"machines get addresses in %s, and reach next-server %s only by their router (option 3)%s", net, next, instead))
	}
	return list
}

// noRouter is the line for which no machine is offered a router: option 3 without a value. Of several lines that apply,
// Dnsmasq takes the last one.
func (j judge) noRouter() (line directive, none bool) {
	for _, d := range j.lines {
		tags, rest := d.tags()
		if d.name != "dhcp-option" && d.name != "dhcp-option-force" || len(rest) == 0 {
			continue
		}
		name := strings.TrimPrefix(rest[0], "option:")
		if name != "3" && name != "router" {
			continue
		}
		switch j.meets(tags, firmware.ClientBIOS) {
		case always:
			line, none = d, len(rest) == 1
		case some:
			if len(rest) > 1 {
				return directive{}, false
			}
		}
	}
	return line, none
}
