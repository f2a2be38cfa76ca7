package boot

import (
	"strings"
	"time"
)

// finish ends a boot that will not go on, by what it came to. why may be "".
func (t *Tracker) finish(r *run, at time.Time, why string) {
	b := &r.boot
	switch {
	case r.likelyDone(), r.complete():
		b.Result = Booted
	case r.failed != nil && r.failed.Outcome != Aborted:
		b.Result, b.File, b.Note = Broken, r.failed.Name, failure(*r.failed)
	case r.kernel == "" && r.disk:
		b.Result, b.Note = Booted, "from a disk image, without a kernel of its own"
	default:
		b.Result, b.Note = Stalled, r.stalled(t.fetching(r))
	}
	if why != "" && b.Result != Booted {
		b.Note = strings.TrimPrefix(b.Note+"; "+why, "; ")
	}
	t.close(r, at)
}

// fetching is the file whose end a machine was not told of for the longest time, "" for none.
func (t *Tracker) fetching(r *run) string {
	var first *inFlight
	for _, a := range t.flights {
		if a.run == r && (first == nil || a.since.Before(first.since)) {
			first = a
		}
	}
	if first == nil {
		return ""
	}
	return first.name
}

// close ends a boot whose Result is set.
func (t *Tracker) close(r *run, at time.Time) {
	t.count(r, -1)
	r.provisional = false
	r.boot.Ended, r.boot.Fetching = at, ""
	t.touch(r)
	t.ended = append(t.ended, cloneBoot(r.boot))
}

// failure says for people why a file was not had.
func failure(f Fetch) string {
	switch f.Outcome {
	case NotFound:
		return "the file is not there: put it below serve.root, or correct what names it"
	case TimedOut:
		return "the machine went silent in the middle of the file: look at its cable, its switch port and its power"
	case Failed:
		return "the file could not be read: the log says why"
	}
	return "the request was refused: the log says why"
}

// stalled says for people what a machine was last seen at, and where to look.
func (r *run) stalled(fetching string) string {
	switch {
	case r.failed != nil:
		return "it broke off in the middle of " + r.failed.Name + ": it was switched off, or a person stopped it"
	case fetching != "":
		return "it broke off in the middle of " + fetching + ": it was switched off, or lost its network"
	case len(r.missing) > 0:
		return "it has its kernel and did not ask for " + r.missing[0]
	}
	switch r.boot.At {
	case StageNBP:
		return "its NBP asked for nothing: look at its screen for a card that iPXE has no driver for, " +
			"or for DHCP without an answer"
	case StageScript:
		return "it has its script and asked for nothing more: it may wait at the menu or in iPXE's shell, " +
			"or its system is not served here"
	case StageImage:
		return "it asked for no kernel"
	}
	return ""
}

const archUnknown = "unknown"

// arch is what the machine runs, as far as that is known. The set is closed, so that it can be a metric label.
func arch(b Boot, tr Transfer) string {
	switch b.Facts.Arch {
	case "i386", "x86_64", "arm32", "arm64":
		return b.Facts.Arch
	case "aarch64":
		return "arm64"
	}
	if b.Arch != archUnknown || tr.Artifact != NBP && !tr.LoopBroken {
		return b.Arch
	}
	switch name := plainName(tr.Name); {
	case strings.Contains(name, "arm64"), strings.Contains(name, "aa64"):
		return "arm64"
	case strings.Contains(name, "arm32"), strings.HasSuffix(name, "arm.efi"):
		return "arm32"
	case strings.Contains(name, "ia32"), strings.Contains(name, "i386"):
		return "i386"
	case strings.HasSuffix(name, ".efi"):
		return "x86_64"
	case b.Firmware == FirmwareBIOS:
		return "i386" // as iPXE itself says of such a machine, whatever its processor can do
	}
	return archUnknown
}

// firmware is what the boot began with.
func firmware(b Boot, tr Transfer) Firmware {
	switch {
	case b.Firmware == FirmwareUEFIHTTP, tr.Class == UEFI && tr.Proto == HTTP:
		return FirmwareUEFIHTTP
	case b.Facts.Platform == "pcbios":
		return FirmwareBIOS
	case b.Facts.Platform == "efi":
		return FirmwareUEFI
	case b.Firmware != FirmwareOther:
		return b.Firmware
	case tr.Class == UEFI:
		return FirmwareUEFI
	case tr.Class == BIOSROM:
		return FirmwareBIOS
	case tr.Artifact != NBP && !tr.LoopBroken:
		return b.Firmware
	}
	switch name := plainName(tr.Name); {
	case strings.HasSuffix(name, ".efi"):
		return FirmwareUEFI
	case strings.HasSuffix(name, "pxe"), strings.HasSuffix(name, ".0"):
		return FirmwareBIOS
	}
	return b.Firmware
}

// with adds what other says to f.
func (f Facts) with(other Facts) Facts {
	for _, p := range []struct{ to, from *string }{
		{&f.MAC, &other.MAC}, {&f.UUID, &other.UUID}, {&f.Serial, &other.Serial}, {&f.Asset, &other.Asset},
		{&f.Manufacturer, &other.Manufacturer}, {&f.Product, &other.Product},
		{&f.Platform, &other.Platform}, {&f.Arch, &other.Arch},
	} {
		if *p.from != "" {
			*p.to = *p.from
		}
	}
	return f
}
