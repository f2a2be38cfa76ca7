package boot

import (
	"net/netip"
	"slices"
	"time"
)

// orphanAge is how long ago firmware may have fetched the NBP whose script another address asks for.
const orphanAge = 2 * time.Minute

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// machine finds the last boot of the machine that sent a request, nil where it is new, and the machine's MAC as the
// neighbour table has it.
func (t *Tracker) machine(tr *Transfer, addr netip.Addr, now time.Time) (r *run, mac string) {
	mac = t.Neighbour(addr)
	here := t.byAddr[addr]
	if tr.Facts.MAC != "" {
		r = t.byOwnMAC(tr.Facts.MAC, mac, here)
	} else {
		r = t.byNeighbour(mac, here)
	}
	if r == nil && here == nil && tr.Class == IPXE && tr.Artifact == Script {
		r = t.orphan(mac, now)
	}
	return r, mac
}

// byOwnMAC is the boot of a machine that sends its MAC; mac is the neighbour table's, and here what was seen last at
// its address. nil: it is unknown, or another one behind the same address.
func (t *Tracker) byOwnMAC(own, mac string, here *run) *run {
	if r := t.byMAC[own]; r != nil {
		if here != nil && here != r {
			t.merge(r, here)
		}
		return r
	}
	if here != nil && !here.identified {
		return here // it says who it is
	}
	if r := t.byMAC[mac]; mac != "" && r != nil && !r.identified {
		return r
	}
	return nil
}

// byNeighbour is the boot of a machine that sends no MAC.
func (t *Tracker) byNeighbour(mac string, here *run) *run {
	if r := t.byMAC[mac]; mac != "" && r != nil {
		// Several machines behind one router have its MAC: the address tells them apart.
		if here != nil && here.identified && slices.Contains(here.macs, mac) {
			return here
		}
		return r
	}
	if here == nil {
		return nil
	}
	noContradiction := mac == "" || here.boot.MAC == ""
	ownMACOnly := here.identified && len(here.macs) == 1 // the neighbour table was not asked before
	if noContradiction || ownMACOnly {
		return here
	}
	return nil
}

// orphan is the boot of the one machine that has its NBP and has not come back since: DHCP may give iPXE another
// address than the firmware that loaded it. With several such machines it is nobody's.
func (t *Tracker) orphan(mac string, now time.Time) *run {
	var found *run
	for r := range t.runs {
		if !r.waitsForScript(mac, now) {
			continue
		}
		if found != nil {
			return nil
		}
		found = r
	}
	return found
}

// waitsForScript: the machine has its NBP and asks for nothing, and it may be the one with this MAC ("": not known).
func (r *run) waitsForScript(mac string, now time.Time) bool {
	hasNBPOnly := r.boot.At == StageNBP && r.busy == 0 && !r.provisional
	recent := r.underWay() && now.Sub(r.boot.Updated) <= orphanAge
	maybeThisOne := !r.identified && (mac == "" || r.boot.MAC == "")
	return hasNBPOnly && recent && maybeThisOne
}

// merge adds the boot that was thought to be another machine's, since that has told its name.
func (t *Tracker) merge(r, other *run) {
	underWay := r.underWay() && other.underWay()
	noKernelYet := r.kernel == "" && other.kernel == ""
	if !underWay || !noKernelYet || other.identified {
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
	if !other.provisional {
		o.Into = b.ID
		t.gone = append(t.gone, cloneBoot(*o))
	}
	t.forget(other)
	other.provisional = true // nobody hears of it any more
	for _, a := range other.addrs {
		t.know(r, a, "")
	}
	t.clear(r)
	t.touch(r)
}

// identify writes down what a request says of its machine.
func (t *Tracker) identify(r *run, tr *Transfer, addr netip.Addr, mac string) {
	b := &r.boot
	t.know(r, addr, mac)
	named := len(b.Files) == 0
	switch told := tr.Facts.MAC; {
	case told != "":
		t.know(r, addr, told)
		named = named || b.MAC != told
		b.MAC, r.identified = told, true
	case mac != "" && !r.identified:
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
