package machine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/boot"
)

// What a machine says of itself is believed only as far as the network does not know better.
//
// On this server's own network the neighbour table has the MAC of each address. A machine that tells another MAC, or
// that a host's UUID, serial or asset tag makes a host with other MACs, is contradicted: it boots what that host's
// profile says, for that is no secret and harms nobody else, but claims nothing that is there once (one-time boots,
// `when: once`, canary results) and gets no documents.
//
// Behind a router the table says nothing, and its own word is all there is: it claims what it names, and gets documents
// without secrets unless its host has an `address`. So machines there boot, install and have one-time boots like all
// others. The same holds where one MAC answers for several addresses, which is a router with proxy ARP or a bridge: it
// is nobody's identity. None of this stops somebody who sets the MAC of a card, or several addresses on it; only
// switches and routers do.

// Holder is who has an address on this server's own network.
type Holder struct {
	MAC       string // "" where that is not known
	Addresses int    // IPv4 addresses that this MAC has had of late
}

// identity is who asks: which host it is, and whether the network agrees.
type identity struct {
	facts boot.Facts
	Decision
	network      string // the MAC in the neighbour table that stands for one machine; "": there is none
	contradicted bool   // then IDs is empty: it claims nothing
}

// identify resolves a request's facts and what the network knows of its address.
func (f *Fleet) identify(facts boot.Facts, addr netip.Addr) identity {
	who := identity{facts: facts, network: f.networkMAC(addr, facts.MAC)}
	var notes []string
	if facts.MAC == "" && who.network != "" {
		who.facts.MAC = who.network
		notes = append(notes, fmt.Sprintf("the machine told no MAC; in the network %s is %s", addr, who.network))
	}
	who.Decision = f.Inventory().Resolve(who.facts, addr)
	if who.contradicted = !who.agrees(); who.contradicted {
		who.IDs = nil
		notes = append(
			notes,
			fmt.Sprintf("in the network %s is %s, which is not the machine's MAC: it claims nothing", addr,
				who.network),
		)
	}
	who.Why = append(notes, who.Why...)
	return who
}

// agrees: the network does not know better. The cards of one host are one machine.
func (i identity) agrees() bool {
	switch {
	case i.network == "":
		return true
	case i.host != nil && len(i.host.MACs) > 0:
		return i.host.hasMAC(i.network)
	}
	return i.facts.MAC == i.network
}

func (h *Host) hasMAC(mac string) bool {
	return slices.ContainsFunc(h.MACs, func(m string) bool { return strings.EqualFold(m, mac) })
}

// networkMAC is the MAC of the machine at an address of this server's own network; "" where it is not known, or is a
// router's or bridge's. A machine may well have several addresses within minutes: one each for its firmware, iPXE and
// installer. So a MAC that a machine tells, or has told, as its own from one of them is that machine's.
func (f *Fleet) networkMAC(addr netip.Addr, told string) string {
	h := f.neighbour(addr)
	if h.Addresses > 1 && told != h.MAC && !f.seen.introduced(h.MAC, f.now()) {
		return ""
	}
	return h.MAC
}
