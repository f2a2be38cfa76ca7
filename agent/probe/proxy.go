package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
)

// portPXE is where a proxyDHCP or boot server is asked for the boot file (PXE specification 2.1).
const portPXE = 4011

// Sub-options of option 43 in a PXE answer, PXE specification 2.1.
const (
	pxeDiscoveryControl = 6
	pxeBootMenu         = 9
	pxeBootItem         = 71
)

// pxeUseOffer, in discovery control: the boot file of the offer is to be used, and no boot server asked.
const pxeUseOffer = 8

// proxyLimit bounds a round of questions to port 4011. Who listens there answers at once.
const proxyLimit = 2 * time.Second

var proxyResend = []time.Duration{400 * time.Millisecond, 1 * time.Second}

// askProxies asks every proxyDHCP server that did not name a boot file itself for it on port 4011, as
// firmware does with the address that it has leased elsewhere. That is a DHCPREQUEST by its type, but port 4011
// leases nothing: the answer is a file name. The address in it is this machine's own, which the device therefore must have.
func askProxies(ctx context.Context, g *guard.Guard, dev *net.Interface, template message, answers []heard) ([]Offer, []string, error) {
	var offers []Offer
	var notes []string
	asked := answers
	// Two rounds: the answer may be a menu, of which the first item is asked for.
	for range 2 {
		var asks []*ask
		for _, h := range asked {
			item := firstItem(h.pxe)
			if !needsProxy(h) || h.offer.Via == viaPXE && item == nil {
				continue
			}
			m := template
			m.typ, m.broadcast = typeRequest, false
			m.client, m.xid, m.to = h.ask.client, newXID(asks), netip.AddrPortFrom(h.offer.Server, portPXE)
			if item != nil {
				m.vendor43 = append(option(nil, pxeBootItem, item...), optEnd)
			}
			if !slices.ContainsFunc(asks, func(a *ask) bool { return a.client == m.client && a.to == m.to }) {
				asks = append(asks, &ask{message: m, schedule: proxyResend})
			}
		}
		if len(asks) == 0 {
			break
		}
		w, local, err := openProxy(dev, asks[0].to.Addr())
		if errors.Is(err, ErrNoAddress) {
			return offers, append(notes, fmt.Sprintf("port %d of the proxyDHCP server was not asked: %v", portPXE, err)), nil
		} else if err != nil {
			return offers, notes, fmt.Errorf("opening a socket for port %d: %w", portPXE, err)
		}
		for _, a := range asks {
			a.ciaddr = local
		}
		x := exchange{ways: []*way{w}, asks: asks, limit: proxyLimit, quiet: time.Second, single: true,
			accept: []byte{typeACK, typeOffer}, guard: g}
		if err := x.run(ctx); ctx.Err() != nil {
			return offers, notes, fmt.Errorf("asking port %d: %w", portPXE, ctx.Err())
		} else if err != nil {
			x.note("asking port %d: %v", portPXE, err)
		}
		for _, a := range asks {
			if len(a.heard) == 0 {
				x.note("%s: %s does not answer on port %d, where firmware asks for its boot file", a.client, a.to.Addr(), portPXE)
			}
		}
		for i := range x.heard {
			// Nothing is offered here; some servers send our own address back.
			x.heard[i].offer.Proxy, x.heard[i].offer.YourIP = true, netip.IPv4Unspecified()
		}
		offers, notes, asked = append(offers, x.offers()...), append(notes, x.notes...), x.heard
	}
	// A menu that led to a file has done its part.
	offers = slices.DeleteFunc(offers, func(o Offer) bool {
		name, _ := o.BootFile()
		return name == "" && slices.ContainsFunc(offers, func(p Offer) bool {
			other, _ := p.BootFile()
			return p.Client == o.Client && p.Server == o.Server && other != ""
		})
	})
	return offers, notes, nil
}

// needsProxy reports whether firmware goes on to port 4011 after this answer: it is PXE, has no address, and
// names no boot file or has a menu to choose from. iPXE takes a name where there is one.
func needsProxy(h heard) bool {
	if !h.offer.Proxy || !strings.HasPrefix(h.offer.Vendor, "PXEClient") || Local(h.offer.Server) {
		return false
	}
	name, _ := h.offer.BootFile()
	if h.offer.Via == viaPXE || h.offer.Client == firmware.ClientIPXE {
		return name == ""
	}
	sub := subOptions(h.pxe)
	control := sub[pxeDiscoveryControl]
	return name == "" || sub[pxeBootMenu] != nil && !(len(control) == 1 && control[0]&pxeUseOffer != 0)
}

// firstItem is the boot item (type, layer 0) of the first line of the menu in option 43, nil without one.
func firstItem(option43 []byte) []byte {
	// A line is a type of two bytes, the length of its text, and the text.
	menu := subOptions(option43)[pxeBootMenu]
	if len(menu) < 3 {
		return nil
	}
	return []byte{menu[0], menu[1], 0, 0}
}

// subOptions reads option 43; what is cut off is left out.
func subOptions(b []byte) map[byte][]byte {
	o := options{value: map[byte][]byte{}}
	_, _ = o.read(b)
	return o.value
}
