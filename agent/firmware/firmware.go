// Package firmware says what the network boot code in a machine does with the DHCP offers that it gets: which lease it
// takes, whose boot information it follows, and which file it fetches first. Its functions are pure; each rule says
// which client does so. The rules were read from the clients' own sources and run against them; where nobody could look
// (vendors' BIOS ROMs), the result is marked as doubtful.
package firmware

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
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

// Decision is what a client does with its offers.
type Decision struct {
	// URL is what it fetches first: tftp://SERVER/NAME or an http(s) URL. Empty: it boots nothing from the network.
	URL string
	// Lease is the index of the offer whose address it takes, Boot the index of the offer or answer whose boot information
	// it follows; -1: of none.
	Lease, Boot int
	// Reason says in one sentence why it fetches URL, or why nothing. Text from the wire is quoted in it.
	Reason string
	// Screen is the error that the machine shows, such as "PXE-E16"; empty where it shows none or nobody knows.
	Screen string
	// Doubt says why this client, or others of its kind, may do something else; empty where the result is certain.
	Doubt string
	// Ask is not empty where the client asks boot servers next and no offer answers that: then nothing else is decided
	// yet. The client asks them all; the first whose answer is good is taken.
	Ask []Ask
}

// Decide is what client c does with those of offers that are to it. Offers that came at different times are taken in
// that order, others in theirs. Those with an Ask say what came of it.
func Decide(c Client, offers []Offer) Decision {
	d := decider{Decision: Decision{Lease: -1, Boot: -1}}
	var of []int // index in offers
	for i, o := range offers {
		if o.Client == c && o.Ask == nil {
			of = append(of, i)
		}
	}
	slices.SortStableFunc(of, func(a, b int) int { return cmp.Compare(offers[a].After, offers[b].After) })
	for _, i := range of {
		d.offers = append(d.offers, offers[i].whole())
	}
	for i, o := range offers {
		if o.Client == c && o.Ask != nil {
			d.answers = append(d.answers, o.whole())
			of = append(of, i)
		}
	}
	switch c.kind() {
	case kindEDK2:
		d.edk2()
	case kindEDK2HTTP:
		d.edk2HTTP()
	case kindIPXE:
		d.ipxe()
	default:
		d.bios()
	}
	if d.Lease >= 0 {
		d.Lease = of[d.Lease]
	}
	if d.Boot >= 0 {
		d.Boot = of[d.Boot]
	}
	return d.Decision
}

// decider works out one Decision.
type decider struct {
	Decision
	offers  []Offer // in the order in which they came
	answers []Offer
}

// nothing ends with no file to fetch.
func (d *decider) nothing(screen, format string, args ...any) {
	d.URL, d.Screen, d.Reason = "", screen, fmt.Sprintf(format, args...)
}

// answer is the first good answer to any of asks, in their order; it becomes Boot. decided is false where what came of
// some is unknown: they are left in Ask.
func (d *decider) answer(asks []Ask, good func(*Offer) bool) (r *Offer, decided bool) {
	first := -1
	for _, ask := range asks {
		known := false
		for i := range d.answers {
			a := &d.answers[i]
			if *a.Ask != ask {
				continue
			}
			known = true
			if first < 0 && !a.Silent && good(a) {
				first = i
			}
		}
		if !known && first < 0 {
			d.Ask = append(d.Ask, ask)
		}
	}
	switch {
	case len(d.Ask) > 0:
		return nil, false
	case first < 0:
		return nil, true
	}
	d.Boot = len(d.offers) + first
	return &d.answers[first], true
}

// typeOffer is option 53 of an offer, RFC 2132 section 9.6.
const typeOffer = 2

// Ports of RFC 2131 and of the PXE specification 2.1.
const (
	portDHCP = 67
	portPXE  = 4011
)

var everybody = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// ipxePatience is how long after its first DISCOVER iPXE asks for the address that it was offered if no proxyDHCP
// server has answered: at its third DISCOVER, since at the second less than two seconds have passed.
const ipxePatience = Seconds(3 * time.Second)
