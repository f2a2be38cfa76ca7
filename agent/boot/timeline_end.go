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
	case r.kernel == "" && r.given.Default == localDiskItem:
		b.Result, b.Note = LocalDisk, "as its menu does when nobody chooses; it asked for nothing more"
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

const archUnknown = "unknown"

// arch is what the machine runs, as far as that is known. The set is closed, so that it can be a metric label.
func arch(b Boot, tr *Transfer) string {
	switch b.Facts.Arch {
	case "i386", "x86_64", "arm32", "arm64":
		return b.Facts.Arch
	case "aarch64":
		return "arm64"
	}
	if b.Arch == archUnknown && tr.Class == UBoot && tr.Artifact == Kernel {
		return "arm64" // U-Boot on others is given no kernel
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
func firmware(b Boot, tr *Transfer) Firmware {
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
	case tr.Class == UBoot:
		return FirmwareUBoot
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
