package main

import (
	"context"
	"net/netip"
	"slices"

	"pxeagent/agent/firmware"
	"pxeagent/agent/probe"
	"pxeagent/cmd/pxeagent/backend"
)

// Where the DHCP server on this machine leaves the addresses to another, and the device has addresses in several
// networks, only that other server's leases tell which of them machines reach without a router.

// byLease reports whether next-server is to be chosen by somebody else's leases.
func (l loaded) byLease() bool {
	return l.row.Local && l.row.Proxy(l.Config) && !l.Config.NextServer.IsValid()
}

// locate is how a network is found by commands that may ask about it: the DHCP server, or for another's leases the
// wire. nil: its name says enough.
func (l loaded) locate(ctx context.Context) func(name string) (backend.Network, error) {
	if l.byLease() {
		return func(name string) (backend.Network, error) { return l.leased(ctx, name), nil }
	}
	return l.find(ctx)
}

// heard is recall, which asks the wire about a network that nothing is known of yet.
func (l loaded) heard(ctx context.Context) func(name string) (backend.Network, error) {
	recall := l.recall()
	if !l.byLease() {
		return recall
	}
	return func(name string) (backend.Network, error) {
		if n, err := recall(name); err != nil || n.Prefix.IsValid() {
			return n, err
		}
		return l.leased(ctx, name), nil
	}
}

// leased is a network with the addresses that are leased there, if the device has several and one of them is among
// those. What cannot be asked is not known.
func (l loaded) leased(ctx context.Context, name string) backend.Network {
	n := backend.Network{Name: name}
	device, own := l.addresses(name)
	if len(own) < 2 {
		return n
	}
	lease := func(o firmware.Offer) bool { return !o.Proxy && slices.ContainsFunc(own, o.Network().Contains) }
	report, err := probe.Run(ctx, probe.Config{
		Device: device, MAC: l.Config.Probe.MAC, Clients: []firmware.Client{firmware.ClientBIOS}, Guard: l.guard,
		Enough: func(offers []firmware.Offer) bool { return slices.ContainsFunc(offers, lease) },
	})
	if i := slices.IndexFunc(report.Offers, lease); err == nil && i >= 0 {
		n.Prefix = report.Offers[i].Network()
	}
	return n
}

// addresses are the device of a network, which the DHCP server on this machine calls by its name, and the IPv4
// addresses there.
func (l loaded) addresses(name string) (device string, own []netip.Addr) {
	nics, err := localNICs()
	if err != nil {
		return "", nil
	}
	i := slices.Index(l.Config.Interfaces, name)
	at, err := localAddr(nics, wantLocal{network: name, device: l.Config.Probe.Device(i)})
	if err != nil {
		return "", nil
	}
	return at.device, append([]netip.Addr{at.addr.Addr()}, at.others...)
}

// unplaced reports whether next-server of a network is chosen by leases that nobody has looked at yet.
func (l loaded) unplaced(n network) bool {
	_, own := l.addresses(n.name)
	return l.byLease() && len(own) > 1 && !n.found.Prefix.IsValid()
}
