package firmware

import (
	"encoding/binary"
	"net/netip"
)

// pxe is the content of option 43 (PXE specification 2.1, section 2.2.3 and table 2-1).
type pxe struct {
	sub map[byte][]byte
}

// Sub-options of option 43.
const (
	subControl   = 6
	subMulticast = 7
	subServers   = 8
	subMenu      = 9
	subPrompt    = 10
	subItem      = 71
)

// Bits of discovery control, sub-option 6.
const (
	noBroadcast = 1 << 0
	noMulticast = 1 << 1
	listedOnly  = 1 << 2
	useFile     = 1 << 3 // where a boot file is named, it is downloaded without menu or discovery
)

// waitForever is the time-out of the prompt in sub-option 10 that never ends.
const waitForever = 255

func (r *Offer) pxe() pxe {
	p := pxe{sub: map[byte][]byte{}}
	_, _ = readOptions(r.Options[43], p.sub) // what is cut off is left out
	return p
}

// hasAny reports whether one of the sub-options from first to last is there.
func (p pxe) hasAny(first, last byte) bool {
	for code := first; code <= last; code++ {
		if _, has := p.sub[code]; has {
			return true
		}
	}
	return false
}

// hasAll reports whether all of the sub-options from first to last are there.
func (p pxe) hasAll(first, last byte) bool {
	for code := first; code <= last; code++ {
		if _, has := p.sub[code]; !has {
			return false
		}
	}
	return true
}

// control is discovery control; 0 where it is missing.
func (p pxe) control() byte {
	if v := p.sub[subControl]; len(v) > 0 {
		return v[0]
	}
	return 0
}

// firstItem is the type of the first line of the boot menu. A line is a type of two bytes, the length of its text, and
// the text.
func (p pxe) firstItem() (item uint16, has bool) {
	if v := p.sub[subMenu]; len(v) >= 2 {
		return binary.BigEndian.Uint16(v), true
	}
	return 0, false
}

// timeout is how many seconds the menu's prompt waits, and whether there is a prompt.
func (p pxe) timeout() (seconds byte, has bool) {
	if v := p.sub[subPrompt]; len(v) > 0 {
		return v[0], true
	}
	return 0, false
}

// servers are the boot servers of a type in sub-option 8: entries of a type, a count and that many addresses.
func (p pxe) servers(item uint16) (of []netip.Addr) {
	for v := p.sub[subServers]; len(v) >= 3 && len(v) >= 3+4*int(v[2]); v = v[3+4*int(v[2]):] {
		if binary.BigEndian.Uint16(v) != item {
			continue
		}
		for i := range int(v[2]) {
			of = append(of, addr4(v[3+4*i:7+4*i]))
		}
	}
	return of
}

// asks are the questions for a boot server of that type, in the order in which discovery control lets a client put
// them: by multicast, by broadcast, and to each server that is listed for it.
func (p pxe) asks(item uint16) (all []Ask) {
	if p.control()&noMulticast == 0 && p.multicast().IsValid() {
		all = append(all, Ask{netip.AddrPortFrom(p.multicast(), portPXE), item})
	}
	if p.control()&noBroadcast == 0 {
		all = append(all, Ask{netip.AddrPortFrom(everybody, portDHCP), item})
	}
	for _, server := range p.servers(item) {
		all = append(all, Ask{netip.AddrPortFrom(server, portPXE), item})
	}
	return all
}

// firstServer is the first address in sub-option 8, of whatever type.
func (p pxe) firstServer() netip.Addr {
	if v := p.sub[subServers]; len(v) >= 7 && v[2] > 0 {
		return addr4(v[3:7])
	}
	return netip.Addr{}
}

// multicast is the group in sub-option 7.
func (p pxe) multicast() netip.Addr {
	if v := p.sub[subMulticast]; len(v) >= 4 {
		return addr4(v[:4])
	}
	return netip.Addr{}
}

// asked is the type of boot server that an answer is about, sub-option 71.
func (p pxe) asked() (item uint16, has bool) {
	if v := p.sub[subItem]; len(v) >= 2 {
		return binary.BigEndian.Uint16(v), true
	}
	return 0, false
}
