package boot

import (
	"net/netip"
	"slices"
	"time"
)

// orphanAge is how long ago firmware may have fetched the NBP whose script another address asks for.
const orphanAge = 2 * time.Minute

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// machine finds the last boot of the machine that sent a request, nil where it is new, and the machine's MAC as the neighbour table has it.
func (t *Tracker) machine(tr Transfer, addr netip.Addr, now time.Time) (r *run, mac string) {
	mac = t.Neighbour(addr)
	here, told := t.byAddr[addr], tr.Facts.MAC
	switch {
	case told != "" && t.byMAC[told] != nil:
		r = t.byMAC[told]
		if here != nil && here != r {
			t.merge(r, here)
		}
	case told != "" && here != nil && !here.told:
		r = here // it says who it is
	case told != "" && mac != "" && t.byMAC[mac] != nil && !t.byMAC[mac].told:
		r = t.byMAC[mac]
	case told != "": // unknown, or another one behind the same address
	case mac != "" && t.byMAC[mac] != nil:
		r = t.byMAC[mac]
		// Several machines behind one router have its MAC: the address tells them apart.
		if here != nil && here.told && slices.Contains(here.macs, mac) {
			r = here
		}
	case here != nil && (mac == "" || here.boot.MAC == ""):
		r = here
	case here != nil && here.told && len(here.macs) == 1:
		r = here // its own word; the neighbour table is asked first now
	}
	if r == nil && here == nil && tr.Class == IPXE && tr.Artifact == Script {
		r = t.orphan(mac, now)
	}
	return r, mac
}

// orphan is the boot of the one machine that has its NBP and has not come back since: DHCP may give iPXE another address than the firmware
// that loaded it. With several such machines it is nobody's.
func (t *Tracker) orphan(mac string, now time.Time) *run {
	var found *run
	for r := range t.runs {
		if !r.underWay() || r.vague || r.told || r.boot.At != StageNBP || r.busy > 0 || now.Sub(r.boot.Updated) > orphanAge || mac != "" && r.boot.MAC != "" {
			continue
		}
		if found != nil {
			return nil
		}
		found = r
	}
	return found
}

// merge adds the boot that was thought to be another machine's, since that has told its name.
func (t *Tracker) merge(r, other *run) {
	if !r.underWay() || !other.underWay() || other.told || r.kernel != "" || other.kernel != "" {
		return // nothing is certain: what has no more requests will end by itself
	}
	b, o := &r.boot, &other.boot
	for _, s := range o.Stages {
		r.span(s.Stage, s.Start, s.End, s.Bytes, s.Files, s.Resent)
	}
	b.Files = append(b.Files, o.Files...)
	slices.SortStableFunc(b.Files, func(x, y Fetch) int { return x.Start.Compare(y.Start) })
	b.More += o.More
	if n := len(b.Files) - boundFiles; n > 0 {
		b.Files, b.More = b.Files[:boundFiles], b.More+n
	}
	if o.Started.Before(b.Started) {
		b.Started, b.Firmware = o.Started, o.Firmware
	}
	b.At = later(b.At, o.At)
	if !other.vague {
		o.Into = b.ID
		t.gone = append(t.gone, cloneBoot(*o))
	}
	t.forget(other)
	other.vague = true // it is not told of any more
	for _, a := range other.addrs {
		t.know(r, a, "")
	}
	t.clear(r)
	t.touch(r)
}

// identify writes down what a request says of its machine.
func (t *Tracker) identify(r *run, tr Transfer, addr netip.Addr, mac string) {
	b := &r.boot
	t.know(r, addr, mac)
	named := len(b.Files) == 0
	switch told := tr.Facts.MAC; {
	case told != "":
		t.know(r, addr, told)
		named = named || b.MAC != told
		b.MAC, r.told = told, true
	case mac != "" && !r.told:
		named = named || b.MAC != mac
		b.MAC = mac
	}
	if facts := b.Facts.with(tr.Facts); facts != b.Facts {
		b.Facts, named = facts, true
	}
	b.Addr = addr
	b.Firmware, b.Arch = firmware(*b, tr), arch(*b, tr)
	if named {
		t.name(r)
	}
}

// name asks what the configuration calls the machine. A MAC of the neighbour table does as well as one that it told.
func (t *Tracker) name(r *run) {
	facts := r.boot.Facts
	if facts.MAC == "" {
		facts.MAC = r.boot.MAC
	}
	n := t.Name(facts, r.boot.Addr, r.kernel)
	r.boot.Host, r.boot.Profile = n.Host, n.Profile
	if n.Item != "" {
		r.boot.Item = n.Item
	}
}

// know says that an address, and a MAC if it is not "", are a run's.
func (t *Tracker) know(r *run, addr netip.Addr, mac string) {
	if addr.IsValid() {
		t.byAddr[addr] = r
		if !slices.Contains(r.addrs, addr) {
			if len(r.addrs) == boundAddrs {
				if t.byAddr[r.addrs[0]] == r {
					delete(t.byAddr, r.addrs[0])
				}
				r.addrs = r.addrs[1:]
			}
			r.addrs = append(r.addrs, addr)
		}
	}
	if mac == "" {
		return
	}
	t.byMAC[mac] = r
	if !slices.Contains(r.macs, mac) {
		if len(r.macs) == boundAddrs {
			if t.byMAC[r.macs[0]] == r {
				delete(t.byMAC, r.macs[0])
			}
			r.macs = r.macs[1:]
		}
		r.macs = append(r.macs, mac)
	}
}
