package firmware

import (
	"fmt"
)

// bios is a BIOS ROM by the PXE specification 2.1. Where vendors are reported to differ, Doubt says so: none of their
// ROMs could be run.
func (d *decider) bios() {
	lease, boot := d.biosOffers()
	if lease < 0 {
		screen := "PXE-E51"
		if len(d.offers) > 0 {
			screen = "PXE-E52"
		}
		d.nothing(screen, "no DHCP server offers an address")
		return
	}
	d.Lease, d.Boot = lease, boot
	d.biosNameless()
	r := &d.offers[boot]
	p := r.pxe()
	switch {
	case !r.isPXE() || p.control()&useFile != 0 && r.firstFile() != "":
	case p.hasAny(subControl, subPrompt):
		if r = d.biosMenu(r); r == nil {
			return
		}
	default:
		// A server that calls itself PXE and sends no option 43 is asked at port 4011.
		answer, decided := d.answer([]Ask{{To: r.port4011()}}, func(a *Offer) bool { return a.firstFile() != "" })
		switch {
		case !decided:
			d.Reason = fmt.Sprintf("%s calls itself a PXE server (option 60): the ROM asks its port 4011 next", r.name())
			return
		case answer != nil:
			r = answer
		case r.firstFile() == "":
			d.nothing("PXE-E55", "%s calls itself a PXE server (option 60), and nothing answers at its port 4011", r.name())
			return
		default:
			d.Doubt = fmt.Sprintf("%s calls itself a PXE server (option 60), and nothing answers at its port 4011: "+
				"some ROMs stop there with PXE-E55, others use its boot file", r.name())
		}
	}
	d.biosFile(r)
}

// biosOffers is the lease that a ROM takes and the offer whose boot information it follows: a lease that has PXE's,
// else the first lease, with that of a proxyDHCP server where there is one.
func (d *decider) biosOffers() (lease, boot int) {
	first, proxy := -1, -1
	for i := range d.offers {
		r := &d.offers[i]
		switch {
		case r.Type != 0 && !r.server().IsValid():
		case r.lease() && r.isPXE():
			return i, i
		case r.lease() && (first < 0 || d.offers[first].firstFile() == "" && r.firstFile() != ""):
			first = i
		case !r.lease() && r.isPXE() && proxy < 0:
			proxy = i
		}
	}
	if proxy >= 0 && first >= 0 {
		return first, proxy
	}
	return first, first
}

// biosNameless doubts where another server leases and names nothing.
func (d *decider) biosNameless() {
	if d.offers[d.Boot].firstFile() == "" || d.Boot != d.Lease {
		return
	}
	for i := range d.offers {
		r := &d.offers[i]
		if r.lease() && r.server() != d.offers[d.Lease].server() && r.firstFile() == "" {
			d.Doubt = fmt.Sprintf("%s also leases addresses and names no boot file: some ROMs take the first offer", r.name())
			return
		}
	}
}

// biosMenu follows the boot menu and discovery of option 43 and returns the packet that names the file.
func (d *decider) biosMenu(r *Offer) *Offer {
	p := r.pxe()
	item, has := p.firstItem()
	seconds, prompt := p.timeout()
	switch {
	case has && (!prompt || seconds == waitForever):
		d.nothing("", "the boot menu of %s waits for a key for ever", r.name())
		return nil
	case has && item == 0:
		d.nothing("", "%s sends the ROM to the local disk: that is the first line of its boot menu (option 43)", r.name())
		return nil
	case !has && r.firstFile() != "":
		return r
	case !has:
		d.nothing("PXE-E53", "%s names no boot file and has no boot menu", r.name())
		return nil
	}
	asks := p.asks(item)
	if len(asks) == 0 {
		d.nothing("PXE-E77", "the boot menu of %s has type %d, for which it lists no boot server", r.name(), item)
		return nil
	}
	answer, decided := d.answer(asks, func(a *Offer) bool { return a.firstFile() != "" })
	switch {
	case answer != nil:
	case decided:
		d.nothing("PXE-E78", "%s sends the ROM to a boot server of type %d, and none answers", r.name(), item)
	default:
		d.Reason = fmt.Sprintf("%s sends the ROM to a boot server of type %d", r.name(), item)
	}
	return answer
}

// biosFile ends with the file that r names. Every ROM reads the header's file field; siaddr alone says where it is,
// option 66 does not.
func (d *decider) biosFile(r *Offer) {
	name := r.firstFile()
	switch {
	case name == "":
		d.nothing("PXE-E53", "%s names no boot file", r.name())
		return
	case r.NextServer.IsUnspecified():
		d.nothing("", "%s names %q and no next-server (siaddr)", r.name(), name)
		d.Doubt = "some ROMs ask the DHCP server itself then"
		return
	case r.File == "" && r.open67() && d.Doubt == "":
		// So does Kea, and to a ROM that does not request option 67 it names no file at all. Dnsmasq, whose name ends
		// in a NUL, has it in the file field then.
		d.Doubt = "the boot file is in option 67 only, which some old ROMs do not read"
	}
	d.fetch(kindBIOS, r.NextServer, name, r)
}
