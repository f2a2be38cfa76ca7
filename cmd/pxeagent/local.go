package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/cmd/pxeagent/cli"
)

// nic is a network device of this machine.
type nic struct {
	name     string
	up       bool
	loopback bool
	addrs    []netip.Prefix // as the system lists them: the primary address of a network first
}

// localNICs asks the system.
func localNICs() ([]nic, error) {
	devices, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing this machine's devices: %w", err)
	}
	var nics []nic
	for _, d := range devices {
		n := nic{name: d.Name, up: d.Flags&net.FlagUp != 0, loopback: d.Flags&net.FlagLoopback != 0}
		addrs, err := d.Addrs()
		if err != nil {
			return nil, fmt.Errorf("listing the addresses of %s: %w", d.Name, err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				n.addrs = append(n.addrs, p)
			}
		}
		nics = append(nics, n)
	}
	return nics, nil
}

// local is where this machine stands in a network that is to be made bootable.
type local struct {
	device string
	addr   netip.Prefix // IPv4
	others []netip.Addr // further IPv4 addresses of device in question, not chosen
}

// in is the first address that is in one of those networks, or the first of all where none is.
func (l local) in(networks []netip.Prefix) netip.Addr {
	all := append([]netip.Addr{l.addr.Addr()}, l.others...)
	for _, a := range all {
		if slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) }) {
			return a
		}
	}
	return all[0]
}

// wantLocal is what is known about a network when this machine's place in it is looked for.
type wantLocal struct {
	network string       // its name at the DHCP server; "" where there is none
	device  string       // probe.device; "" where it is to be found
	prefix  netip.Prefix // its addresses, where the DHCP server told them
}

// localAddr finds the device and this machine's IPv4 address in the network: the device that
// was named, else one named like the network, else the one with an address in prefix. With
// nothing to go by, the only device that has an address at all. Of several addresses it takes
// the first, which is the primary one. A failure carries cli.NoInterface and names the
// addresses that there are.
func localAddr(nics []nic, want wantLocal) (local, error) {
	if want.device != "" {
		if n := findNIC(nics, want.device); n != nil {
			return n.local(nics, want)
		}
		return local{}, noLocal(nics, "probe.device: there is no device %q on this machine", want.device)
	}
	if n := findNIC(nics, want.network); n != nil {
		return n.local(nics, want)
	}
	var fits []local
	for _, n := range nics {
		if n.loopback || !n.up {
			continue
		}
		if want.network != "" && !want.prefix.IsValid() {
			continue
		}
		if l, err := n.local(nics, want); err == nil {
			fits = append(fits, l)
		}
	}
	switch {
	case len(fits) == 1:
		return fits[0], nil
	case len(fits) > 1:
		var names, values []string
		for _, l := range fits {
			names = append(names, l.device)
			values = append(values, fmt.Sprintf("%s (or probe.device: %s)", l.addr.Addr(), l.device))
		}
		f := noLocal(nics, "next_server: auto fits several devices: %s", strings.Join(names, ", "))
		// The value is known but for the choice.
		f.Hints[len(f.Hints)-1] = "set next_server (--next-server) to the one that is in that network: " +
			strings.Join(values, ", ")
		f.Err = fmt.Errorf("%w: %w", errUnplaced, f.Err)
		return local{}, f
	case want.prefix.IsValid():
		return local{}, noLocal(nics, "next_server: auto, but this machine has no address in %s", want.prefix)
	case want.network != "":
		return local{}, noLocal(nics, "next_server: auto, but no device here is named %q, so its address is not known",
			want.network)
	}
	return local{}, noLocal(nics, "next_server: auto, but this machine has no IPv4 address beyond loopback")
}

// errUnplaced: this machine is in several networks, and which of them is meant is not known.
var errUnplaced = errors.New("the network is not known yet")

func findNIC(nics []nic, name string) *nic {
	for i := range nics {
		if nics[i].name == name && name != "" {
			return &nics[i]
		}
	}
	return nil
}

func (n nic) local(nics []nic, want wantLocal) (local, error) {
	if !n.up {
		return local{}, noLocal(nics, "device %s is down; `%s` brings it up", n.name, cli.IP("link set "+n.name+" up"))
	}
	l := local{device: n.name}
	for _, p := range n.addrs {
		a := p.Addr()
		switch {
		case !a.Is4() || a.IsLinkLocalUnicast():
		case want.prefix.IsValid() && !want.prefix.Contains(a):
		case !l.addr.IsValid():
			l.addr = p
		default:
			l.others = append(l.others, a)
		}
	}
	if l.addr.IsValid() {
		return l, nil
	}
	if want.prefix.IsValid() {
		return local{}, noLocal(nics, "device %s has no address in %s", n.name, want.prefix)
	}
	return local{}, noLocal(nics, "device %s has no IPv4 address", n.name)
}

func noLocal(nics []nic, format string, args ...any) cli.Failure {
	var have []string
	for _, n := range nics {
		for _, p := range n.addrs {
			if p.Addr().Is4() && !n.loopback {
				have = append(have, fmt.Sprintf("%s %s", n.name, p))
			}
		}
	}
	f := cli.Failure{Code: cli.NoInterface, Err: fmt.Errorf(format, args...)}
	if len(have) == 0 {
		f.Hints = append(f.Hints, "this machine has no IPv4 address beyond loopback")
	} else {
		f.Hints = append(f.Hints, "this machine's addresses: "+strings.Join(have, ", "))
	}
	f.Hints = append(f.Hints,
		"set next_server (--next-server) to the address at which machines reach this agent, or probe.device "+
			"(--probe-device) to the device in that network")
	return f
}
