package firmware

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// name is a server in a sentence.
func (r *Offer) name() string {
	if s := r.server(); s.IsValid() && !s.IsUnspecified() {
		return s.String()
	}
	if r.From.IsValid() {
		return r.From.String()
	}
	return "the DHCP server"
}

// port4011 is where a PXE server is asked for more: at siaddr, or option 54 where that is not set.
func (r *Offer) port4011() netip.AddrPort {
	server := r.NextServer
	if server.IsUnspecified() {
		if server = r.server(); !server.IsValid() {
			server = r.From
		}
	}
	return netip.AddrPortFrom(server, portPXE)
}

// fetch ends with a file by TFTP, if the server can be reached with the lease. named says whose the name is.
func (d *decider) fetch(k kind, server netip.Addr, name string, named *Offer) {
	if reason := reach(k, &d.offers[d.Lease], server); reason != "" {
		screen := ""
		if k == kindEDK2 {
			screen = "PXE-E53" // "No boot filename received" is what kindEDK2 shows where it has no route
		}
		d.nothing(screen, "%s", reason)
		return
	}
	d.URL = "tftp://" + server.String() + "/" + strings.TrimPrefix(name, "/")
	switch ask := named.Ask; {
	case ask == nil:
		d.Reason = fmt.Sprintf("%s names %q at %s", named.name(), name, server)
	case ask.Item == 0:
		d.Reason = fmt.Sprintf("%s, asked at port %d, names %q at %s", named.name(), ask.To.Port(), name, server)
	default:
		d.Reason = fmt.Sprintf("a boot menu (option 43) leads to %s, which names %q at %s", named.name(), name, server)
	}
}

// Unreached says why a machine that takes the lease o cannot send to server, and nothing where it can.
func (o Offer) Unreached(server netip.Addr) string {
	lease := o.whole()
	return reach(o.Client.kind(), &lease, server)
}

// Network is the network of the address that o leases, by its mask (option 1) or else by the address's class; invalid
// where it leases none.
func (o Offer) Network() netip.Prefix {
	if !o.YourIP.Is4() || o.YourIP.IsUnspecified() {
		return netip.Prefix{}
	}
	bits := classBits(o.YourIP)
	if mask := o.Options[1]; len(mask) >= 4 {
		bits = ones(mask)
	}
	return netip.PrefixFrom(o.YourIP, bits).Masked()
}

// reach says why a machine with the lease l cannot send to server, and nothing where it can. The way back and firewalls
// are not known.
func reach(k kind, l *Offer, server netip.Addr) string {
	network := l.Network()
	if !network.IsValid() || network.Bits() == 0 || network.Contains(server) {
		return ""
	}
	router := l.addr(3)
	switch {
	case k == kindIPXE && len(l.Options[121]) > 0:
		return "" // classless routes take the router's place; where they lead is not followed
	case !router.IsValid():
		return fmt.Sprintf(
			"%s is outside the machine's network %s, and %s offers no router (option 3)",
			server,
			network,
			l.name(),
		)
	case k != kindIPXE && !network.Contains(router):
		return fmt.Sprintf("%s is outside the machine's network %s, and so is the router %s", server, network, router)
	}
	return ""
}

// ones is how many bits of a subnet mask are set before the first that is not.
func ones(mask []byte) int {
	n := 0
	for bits := binary.BigEndian.Uint32(mask); bits&(1<<31) != 0; bits <<= 1 {
		n++
	}
	return n
}

// classBits is the length of a network's prefix by its class, from before there were masks.
func classBits(a netip.Addr) int {
	switch first := a.As4()[0]; {
	case first < 128:
		return 8
	case first < 192:
		return 16
	default:
		return 24
	}
}
