package firmware

import (
	"fmt"
	"net/netip"
	"slices"
)

// maxOffers is how many offers EDK2 keeps of one round.
const maxOffers = 16

// offerType is how EDK2's PXE client sorts an offer (PxeBcParseDhcp4Packet).
type offerType uint8

const (
	dropped offerType = iota
	plain             // no PXEClient in option 60: option 43 does not count
	binl              // PXEClient, nothing in option 43 that tells where to boot from: port 4011 does
	pxe10             // PXEClient with discovery control, servers or a menu in option 43
	bootp             // no option 53
)

func edk2Type(r *Offer) offerType {
	switch {
	case r.Type == 0 && r.first67() == "":
		return dropped
	case r.Type == 0:
		return bootp
	case !r.server().IsValid():
		return dropped
	case !r.isPXE():
		return plain
	}
	switch p := r.pxe(); {
	case p.hasAny(subControl, subPrompt):
		return pxe10
	case p.hasAll(1, 5):
		return dropped // multicast TFTP of the Wired for Management days, which the client knows by name only
	default:
		return binl
	}
}

// edk2Offers are the offers that EDK2 keeps, as indexes by their type, leases and proxyDHCP apart.
type edk2Offers struct {
	lease, proxy [bootp + 1][]int
	last         int // the one that came last of those kept; -1 without any
}

func (d *decider) edk2Sort() edk2Offers {
	s := edk2Offers{last: -1}
	kept := 0
	for i := range d.offers {
		r := &d.offers[i]
		typ := edk2Type(r)
		of := &s.proxy
		if r.lease() {
			of = &s.lease
		}
		// Of BOOTP and of proxies with option 43 only the first is kept.
		again := len(of[typ]) > 0 && (typ == bootp || typ == pxe10 && !r.lease())
		if typ == dropped || again || kept == maxOffers {
			continue
		}
		of[typ] = append(of[typ], i)
		s.last = i
		kept++
	}
	return s
}

// selectOffer is PxeBcSelectDhcp4Offer: at the end of a window of 4 s (then 8, 16 and 32) the best combination wins,
// within it the one received first. lease and proxy are -1 where there is none.
func (d *decider) selectOffer(s edk2Offers) (lease int, proxies []int) {
	named := slices.IndexFunc(s.lease[plain], func(i int) bool { return d.offers[i].first67() != "" })
	switch {
	case len(s.lease[pxe10]) > 0:
		return s.lease[pxe10][0], nil
	case len(s.lease[plain]) > 0 && len(s.proxy[pxe10]) > 0:
		return s.lease[plain][0], s.proxy[pxe10]
	case len(s.lease[binl]) > 0:
		return s.lease[binl][0], nil
	case len(s.lease[plain]) > 0 && len(s.proxy[binl]) > 0:
		return s.lease[plain][0], s.proxy[binl]
	case named >= 0:
		return s.lease[plain][named], nil
	case len(s.lease[bootp]) > 0:
		return s.lease[bootp][0], nil
	}
	return -1, nil
}

// edk2 is UEFI's PXE client, UefiPxeBcDxe. It looks at options 13, 43, 52, 53, 54, 60 and 67; never at 66, 150 or
// sname.
func (d *decider) edk2() {
	sorted := d.edk2Sort()
	if sorted.last < 0 {
		d.nothing("PXE-E18", "no DHCP server makes an offer that UEFI takes")
		return
	}
	lease, proxies := d.selectOffer(sorted)
	if lease < 0 {
		d.nothing("PXE-E16", "no combination of the offers has both an address and a boot file")
		return
	}
	if d.lostEnd(lease, sorted.last) {
		return
	}
	d.Lease = lease
	l := &d.offers[lease]
	if _, has := l.Options[1]; !has {
		screen := "PXE-E21"
		if l.Type == 0 {
			screen = "" // an address by BOOTP is then never configured
		}
		d.nothing(screen, "%s offers an address without a subnet mask (option 1), and UEFI declines it", l.name())
		return
	}
	d.Boot = lease
	packet := l
	switch {
	case len(proxies) > 0 && edk2Type(&d.offers[proxies[0]]) == pxe10:
		d.Boot = proxies[0]
		packet = &d.offers[d.Boot]
	case len(proxies) > 0:
		d.Boot = proxies[0]
		packet = d.edk2BINL(proxies)
	case edk2Type(l) == binl:
		packet = d.edk2BINL([]int{lease})
	}
	if packet == nil {
		return
	}
	if edk2Type(packet) == pxe10 {
		if packet = d.edk2Menu(packet); packet == nil {
			return
		}
	}
	d.edk2File(packet)
}

// lostEnd is a fault of EDK2's DHCP driver. It writes a NUL behind option 67 to end the name, which overwrites the End
// mark where that comes next. The driver then finds the offer that it selected damaged and requests the one received
// last: another server's, with which nothing fits. Kea puts option 67 last and without a NUL. Alone on the network it
// boots.
func (d *decider) lostEnd(selected, last int) bool {
	r := &d.offers[selected]
	if !r.open67() || selected == last {
		return false
	}
	d.Lease, d.Boot = selected, last
	d.nothing(
		"PXE-E99",
		"option 67 of %s is its last option and has no NUL: UEFI refuses that offer and requests the one of %s",
		r.name(),
		d.offers[last].name(),
	)
	return true
}

// edk2BINL asks port 4011 of each server in turn, even where the offer has a boot file (PxeBcRetryBinlOffer). Where all
// are silent the boot ends: the file in the offer is not used.
func (d *decider) edk2BINL(servers []int) *Offer {
	asks := make([]Ask, len(servers))
	for i, s := range servers {
		asks[i] = Ask{To: d.offers[s].port4011()}
	}
	r, decided := d.answer(asks, func(r *Offer) bool { return r.first67() != "" || r.pxe().hasAny(subControl, subPrompt) })
	who := d.offers[servers[0]].name()
	switch {
	case r == nil && decided:
		d.nothing("PXE-E16", "%s calls itself a PXE server (option 60), and nothing answers at its port 4011", who)
	case r == nil:
		d.Reason = fmt.Sprintf("%s calls itself a PXE server (option 60): UEFI asks its port 4011 next", who)
	}
	return r
}

// edk2Menu is PxeBcSelectBootPrompt and PxeBcSelectBootMenu: which line of the boot menu is taken, and EfiPxeBcDiscover
// for what it stands for. It returns the packet that names the file.
func (d *decider) edk2Menu(r *Offer) *Offer {
	p := r.pxe()
	if p.control()&useFile != 0 && r.first67() != "" {
		return r
	}
	if seconds, has := p.timeout(); has && seconds == waitForever {
		d.nothing("", "the boot menu of %s waits for a key for ever", r.name())
		return nil
	}
	// UEFI takes a menu that is missing for one whose first line is of type 0, which is the local disk, even where a boot
	// file is named.
	item, has := p.firstItem()
	if item == 0 {
		what := "the first line of its boot menu is the local disk"
		if !has {
			what = "it sends boot server discovery without a boot menu"
		}
		d.nothing("PXE-E21", "%s sends UEFI to the local disk: %s (option 43)", r.name(), what)
		return nil
	}
	var ask Ask
	listed := p.servers(item)
	switch {
	case len(p.sub[subServers]) > 0 && len(listed) == 0:
		d.nothing("PXE-E07", "the boot menu of %s has type %d, for which it lists no boot server", r.name(), item)
		return nil
	case p.control()&noMulticast == 0 && p.multicast().IsValid():
		ask = Ask{netip.AddrPortFrom(p.multicast(), portPXE), item}
	case p.control()&noBroadcast == 0:
		ask = Ask{netip.AddrPortFrom(everybody, portDHCP), item}
	case len(listed) > 0:
		ask = Ask{netip.AddrPortFrom(listed[0], portPXE), item}
	default:
		d.nothing("PXE-E18", "the boot menu of %s leaves UEFI no way to find a boot server", r.name())
		return nil
	}
	found, decided := d.answer([]Ask{ask}, func(a *Offer) bool {
		return p.control()&listedOnly == 0 || slices.Contains(listed, a.NextServer) || slices.Contains(listed, a.From)
	})
	switch {
	case found != nil:
	case decided:
		d.nothing(
			"PXE-E18",
			"%s sends UEFI to a boot server of type %d at %s, and nothing answers there",
			r.name(),
			item,
			ask.To,
		)
	default:
		d.Reason = fmt.Sprintf("%s sends UEFI to a boot server of type %d at %s", r.name(), item, ask.To)
	}
	return found
}

// edk2File is PxeBcDhcp4BootInfo: the server is the first of option 43's list where that comes with an order to use the
// file, else siaddr, else option 54. Option 66 is never looked at.
func (d *decider) edk2File(r *Offer) {
	server := r.server()
	if r.NextServer.IsValid() && !r.NextServer.IsUnspecified() {
		server = r.NextServer
	}
	if p := r.pxe(); r.isPXE() && p.control()&useFile != 0 && p.firstServer().IsValid() {
		server = p.firstServer()
	}
	name := r.first67()
	switch {
	case name == "":
		d.nothing("PXE-E99", "%s names no boot file", r.name())
	case !server.IsValid():
		d.nothing("PXE-E99", "%s names a boot file and no server to fetch it from", r.name())
	default:
		d.fetch(kindEDK2, server, name, r)
	}
}
