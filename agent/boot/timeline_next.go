package boot

import (
	"path"
	"slices"
	"time"
)

// fromFirmware: it comes before iPXE, and so at the beginning of a boot. What is not known may be.
func fromFirmware(c Class) bool {
	return c == UEFI || c == BIOSROM || c == RaspberryPi || c == UBoot || c == Unknown
}

// begins reports whether a request of a machine without a boot begins one.
func begins(tr *Transfer) bool {
	switch tr.Artifact {
	case NBP, Script:
		return tr.Outcome == OK || tr.Class != Unknown || tr.Bytes > 0
	case Kernel, Image:
		return tr.Class != Unknown
	case NoFile: // a boot program that is not there; by HTTP anything may ask for anything
		return tr.Class != Unknown
	}
	return tr.Class == RaspberryPi || tr.Class.Loads() && tr.Class != IPXE
}

// startsNewBoot reports whether a request of r's machine begins another boot: it was switched off and on.
func (r *run) startsNewBoot(tr *Transfer, now time.Time, stall time.Duration) bool {
	switch {
	case tr.Start.Before(r.last):
		return false // it began before what is known already: requests end in no strict order
	case r.underWay():
		return r.restarted(tr)
	}
	return r.returned(tr, now.Sub(r.boot.Updated) > stall)
}

// restarted: a machine whose boot is under way asks for what stands at the beginning of one.
func (r *run) restarted(tr *Transfer) bool {
	pastMenu := r.kernel != "" || r.disk || r.at(StageImage)
	pastNBP := pastMenu || r.at(StageScript) || r.at(StageKernel)
	switch {
	case tr.Artifact == NBP && tr.Class == IPXE:
		return r.otherMenu // a ROM that is iPXE loads pxelinux or GRUB, once in a boot
	case tr.Artifact == NBP:
		return fromFirmware(tr.Class) && (pastNBP || r.cutOff(tr))
	case tr.Artifact == Script && tr.Class == IPXE:
		return pastMenu || r.menu && (isEntry(tr.Name, tr.LoopBroken) || r.startsOver(tr))
	case tr.Artifact == Script && tr.Class == UBoot:
		return r.have[plainName(tr.Name)] // it has no NBP; its menu is what it begins with
	}
	return false
}

// cutOff: the last thing that happened is that the machine went silent in the middle of its NBP.
func (r *run) cutOff(tr *Transfer) bool {
	n := len(r.boot.Files)
	if n == 0 {
		return false
	}
	last := r.boot.Files[n-1]
	return last.Artifact == NBP && last.Outcome == TimedOut && last.Bytes > 0 && last.Start.Before(tr.Start)
}

// powerCycle is less than a machine takes from its power switch to its boot file.
const powerCycle = 10 * time.Second

// asksAnew: firmware asks for its NBP while it is still being sent it since a while: it was switched off and on.
func (t *Tracker) asksAnew(r *run, tr *Transfer) bool {
	if !r.underWay() || tr.Artifact != NBP || !fromFirmware(tr.Class) {
		return false
	}
	for _, a := range t.flights {
		if a.run == r && a.name == cutName(tr.Name) && tr.Start.Sub(a.since) >= powerCycle {
			return true
		}
	}
	return false
}

// startsOver: iPXE that was given its menu for what it told asks as it does at first, telling nothing. Scripts that
// lead back to the menu do so at once.
func (r *run) startsOver(tr *Transfer) bool {
	return r.told && !tr.Told && tr.Start.Sub(r.boot.Updated) >= settle
}

// returned: a machine whose boot has ended begins another. silent: it asked for nothing for long.
func (r *run) returned(tr *Transfer, silent bool) bool {
	stillLooping := r.boot.Result == Looped && tr.Artifact == NBP
	stillMissing := r.boot.Result == Broken && tr.Outcome != OK && plainName(tr.Name) == plainName(r.boot.File)
	switch {
	case silent && begins(tr) && tr.Class != Unknown:
		return true
	case stillLooping, stillMissing:
		return false
	case tr.Artifact == NBP, tr.Artifact == Script:
		return begins(tr)
	case tr.Artifact == Kernel:
		return tr.Class.Loads()
	}
	return false
}

// isEntry: the first script that iPXE is given, which leads to the menu.
func isEntry(name string, loopBroken bool) bool {
	return loopBroken || path.Base(plainName(name)) == "autoexec.ipxe"
}

// otherWay is how long after a machine was sent to its disk it may come by its firmware's other way.
const otherWay = time.Minute

// goesOn: a machine that was sent to its own disk comes by its firmware's other way, HTTP after PXE, and is sent on:
// that is the same boot. It ends where the machine is given something else than that.
func (r *run) goesOn(tr *Transfer) bool {
	if r.boot.Result != LocalDisk || tr.Start.Before(r.last) || tr.Start.Sub(r.boot.Ended) > otherWay {
		return false
	}
	switch {
	case tr.Artifact == NBP && tr.Class == UEFI:
		ways := r.ways()
		r.onward = tr.Outcome == OK && len(ways) > 0 && !slices.Contains(ways, tr.Proto)
	case tr.Artifact == Script && tr.Class == IPXE && tr.Given != (Given{}):
		r.onward = r.onward && tr.Given == Given{localDiskItem, true}
	case tr.Class != IPXE || tr.Artifact != Script:
		return false
	}
	return r.onward
}

// ways are how the firmware fetched boot files.
func (r *run) ways() (ways []Proto) {
	for _, f := range r.boot.Files {
		if f.Artifact == NBP && f.Class == UEFI && f.Outcome == OK {
			ways = append(ways, f.Proto)
		}
	}
	return ways
}

// goOn adds a request to a boot that ended at the machine's own disk.
func (t *Tracker) goOn(r *run, tr *Transfer, end time.Time) {
	onward := r.onward
	t.add(r, tr, end)
	r.onward = onward
	if HTTPPath(tr.Proto, tr.Name) == localDiskName {
		r.onward, r.boot.Ended = false, end
	}
	t.touch(r)
}
