// Package firmware says what the network boot code in a machine does with the DHCP offers that it gets: which lease it
// takes, whose boot information it follows, and which file it fetches first. Its functions are pure; each rule says
// which client does so. The rules were read from the clients' own sources and run against them; where nobody could look
// (vendors' BIOS ROMs), the result is marked as doubtful.
package firmware

import (
	"fmt"
	"net/netip"
	"time"
)

// kind is one implementation of network boot.
type kind uint8

const (
	// kindBIOS is the PXE ROM of a network card, after the PXE specification 2.1 and what vendors report.
	kindBIOS kind = iota
	// kindEDK2 is the PXE client of UEFI firmware (UefiPxeBcDxe).
	kindEDK2
	// kindEDK2HTTP is the HTTP boot client of UEFI firmware (HttpBootDxe).
	kindEDK2HTTP
	// kindIPXE is iPXE itself, as a ROM or loaded by one of the others.
	kindIPXE
)

// Ask is a question that a client puts to a boot server before it knows what to fetch.
type Ask struct {
	// To is where it asks: the server's address and port 4011, a multicast group at 4011, or 255.255.255.255 at port 67.
	To netip.AddrPort
	// Item is the type of boot server that it asks for (PXE 2.1, option 43 sub-option 71). 0 asks for none in particular.
	Item uint16
}

// Answer is what came of an Ask.
type Answer struct {
	Ask
	Reply *Reply // nil: nobody answered
}

// Decision is what a client does with its offers.
type Decision struct {
	// URL is what it fetches first: tftp://SERVER/NAME or an http(s) URL. Empty: it boots nothing from the network.
	URL string
	// Lease is the index of the offer whose address it takes, Boot the index of the one whose boot information it follows;
	// -1: of none. Boot is -1 also where the boot information came with an answer to an Ask.
	Lease, Boot int
	// Reason says in one sentence why it fetches URL, or why nothing. Text from the wire is quoted in it.
	Reason string
	// Screen is the error that the machine shows, such as "PXE-E16"; empty where it shows none or nobody knows.
	Screen string
	// Doubt says why this client, or others of its kind, may do something else; empty where the result is certain.
	Doubt string
	// Ask is not empty where the client asks boot servers next and answers does not have what they say: then nothing else
	// is decided yet. The client asks them all; the first whose answer is good is taken.
	Ask []Ask
}

// Decide is what a client of kind k does with offers, which are in the order in which they came. answers are what came
// of earlier Asks.
func Decide(k kind, offers []Reply, answers []Answer) Decision {
	d := decider{offers: offers, answers: answers, Decision: Decision{Lease: -1, Boot: -1}}
	switch k {
	case kindEDK2:
		d.edk2()
	case kindEDK2HTTP:
		d.edk2HTTP()
	case kindIPXE:
		d.ipxe()
	default:
		d.bios()
	}
	return d.Decision
}

// decider works out one Decision.
type decider struct {
	Decision
	offers  []Reply
	answers []Answer
}

// nothing ends with no file to fetch.
func (d *decider) nothing(screen, format string, args ...any) {
	d.URL, d.Screen, d.Reason = "", screen, fmt.Sprintf(format, args...)
}

// answer is the first good answer to any of asks, in their order. decided is false where some are unknown: they are
// left in Ask.
func (d *decider) answer(asks []Ask, good func(*Reply) bool) (r *Reply, decided bool) {
	for _, ask := range asks {
		known := false
		for _, a := range d.answers {
			if a.Ask != ask {
				continue
			}
			known = true
			if a.Reply != nil && good(a.Reply) {
				return a.Reply, true
			}
		}
		if !known {
			d.Ask = append(d.Ask, ask)
		}
	}
	return nil, len(d.Ask) == 0
}

// Ports of RFC 2131 and of the PXE specification 2.1.
const (
	portDHCP = 67
	portPXE  = 4011
)

var everybody = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// ipxePatience is how long after its first DISCOVER iPXE asks for the address that it was offered if no proxyDHCP
// server has answered: at its third DISCOVER, since at the second less than two seconds have passed.
const ipxePatience = 3 * time.Second
