package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"

	"pxeagent/agent/check"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/menu"
	"pxeagent/agent/probe"
	"pxeagent/agent/watch"
	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
)

// network is one of the configuration's interfaces with what commands need to know of it.
type network struct {
	name   string // as the DHCP server calls it
	device string // this machine's device there; "" where it has none
	own    netip.Addr
	next   netip.Addr // next-server
	base   *url.URL   // where HTTP is reached
	want   dhcp.Boot
	nbps   []string // that hosts and profiles have of their own
	mac    []byte   // to probe with; nil: made
	guard  *guard.Guard
	found  backend.Network
	begun  *dhcp.Look // with the probe of wire; nil: none is under way
}

// networks finds this machine's place in each network that is configured. Where next_server is not needed, want of an
// address is no error. find asks the DHCP server about a network; nil: it is not asked.
func (l loaded) networks(needNext bool, find func(name string) (backend.Network, error)) ([]network, error) {
	if len(l.Config.Interfaces) == 0 {
		return nil, cli.Failure{Code: cli.Usage, Err: errors.New("interface: not set"),
			Hints: []string{"name the network that is to boot: --interface eth1, or interface: in the file"}}
	}
	nics, err := localNICs()
	if err != nil {
		return nil, err
	}
	var all []network
	for i, name := range l.Config.Interfaces {
		at := backend.Network{Name: name}
		if find != nil {
			if at, err = find(name); err != nil {
				return nil, err
			}
		}
		n, err := l.network(nics, name, i, needNext, at)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// network is the one at index i. That this machine has no address there is an error only where its address is needed
// (next_server: auto) or where the device was named.
func (l loaded) network(nics []nic, name string, i int, needNext bool, f backend.Network) (network, error) {
	c := l.Config
	n := network{name: name, next: c.NextServer, mac: c.Probe.MAC, guard: l.guard, found: f}
	at, err := localAddr(nics, l.place(nics, name, i, f))
	switch {
	case err == nil:
		n.device, n.own = at.device, l.ownAddr(at)
	case needNext && !c.NextServer.IsValid() || c.Probe.Device(i) != "":
		var why cli.Failure
		if errors.As(err, &why) && l.row.Find != nil && !f.Prefix.IsValid() {
			why.Hints = append(why.Hints,
				"or run `pxeagent configure` on this machine: the DHCP server tells it which addresses that network has")
			err = why
		}
		return n, err
	}
	if !n.next.IsValid() {
		n.next = n.own
	}
	if !n.next.IsValid() {
		return n, nil
	}
	n.base = menu.Base(netip.AddrPortFrom(n.next, c.Serve.HTTP.Port()))
	n.want = watch.Desired(n.next, n.base, ipxe.Chain(c.Chain), c.Boot.Files)
	machines, _ := l.Machines() // what is wrong with them was said
	for _, own := range machines.NBPs() {
		n.nbps = append(n.nbps, own.Name)
	}
	if !l.sendsURL() {
		n.want.URL = [firmware.NumArch]string{}
	}
	return n, nil
}

// ownAddr is the address of several that is in a network in which the DHCP server on this machine leases addresses:
// machines reach it without a router. Where that cannot be said it is the first; if it is the wrong one, the plan says
// so.
func (l loaded) ownAddr(at local) netip.Addr {
	if len(at.others) == 0 || l.row.Leased == nil {
		return at.addr.Addr()
	}
	leased, err := l.row.Leased(l.Config, at.device)
	if err != nil {
		return at.addr.Addr()
	}
	return at.in(leased)
}

// server opens the backend for n.
func (l loaded) server(n network) (dhcp.Server, error) {
	if l.row.Open == nil {
		return nil, cli.Failure{
			Code: cli.Usage, Err: errors.New("dhcp.backend: none; there is no DHCP server to configure"),
			Hints: []string{"set dhcp.backend (--backend)"},
		}
	}
	return l.row.Open(l.session, n.found)
}

// find is how the DHCP server is asked about a network before anything else; nil where its name says enough.
func (l loaded) find(ctx context.Context) func(name string) (backend.Network, error) {
	if l.row.Find == nil {
		return nil
	}
	return func(name string) (backend.Network, error) { return l.row.Find(ctx, l.session, name) }
}

// journal opens the journal of n at its backend, and locks it.
func (l loaded) journal(n network) (*dhcp.Journal, error) {
	return dhcp.OpenJournal(l.Config.StateDir, fmt.Sprintf("%s-%s", l.row.Name, l.row.Key(l.Config, n.found)))
}

// probeConfig is how n is asked.
func (n network) probeConfig() probe.Config {
	return probe.Config{Device: n.device, MAC: n.mac, Guard: n.guard}
}

// wire is the Probe of dhcp.Configure: nil where this machine is not in that network.
func (n network) wire() dhcp.Probe {
	if n.device == "" {
		return nil
	}
	return func(ctx context.Context, clients []firmware.Client, enough dhcp.Enough) ([]firmware.Offer, error) {
		c := n.probeConfig()
		c.Clients, c.Enough = clients, enough
		report, err := probe.Run(ctx, c)
		return report.Offers, err
	}
}

// lookAhead is the first network, with a look at it that goes on while the DHCP server is asked about it. The zero
// network: this machine's place there is not known without asking. It asks as every client, since only the DHCP server
// knows which it will answer.
func (l loaded) lookAhead(ctx context.Context, needNext bool) network {
	if l.row.Find == nil {
		return network{}
	}
	all, err := l.networks(needNext, l.recall())
	if err != nil || all[0].device == "" {
		return network{}
	}
	n := all[0]
	n.begun = n.wire().Begin(ctx, firmware.Clients(), nil)
	return n
}

// serving is the Preflight of dhcp.Configure.
func (n network) serving(ctx context.Context, want dhcp.Boot) error {
	if err := check.Serving(ctx, check.Config{Guard: n.guard}, want, watch.ScriptURL(n.base), n.nbps...); err != nil {
		return fmt.Errorf("%w: %w", dhcp.ErrNotServing, err)
	}
	return nil
}
