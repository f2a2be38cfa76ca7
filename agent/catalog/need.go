package catalog

import (
	"pxeagent/agent/boot"
	"pxeagent/agent/image"
)

// Need is what a machine must be to boot an item. The zero Need is any machine.
type Need struct {
	When         string // before a command, in a script: it is run on such machines
	Unless, Tail string // around a command: it is run on all others
	What         string // for people: "an ARM64 machine"
	fits         func(boot.Facts) bool
}

// Fits reports whether a machine, whose platform and buildarch are known, is such a one.
func (n Need) Fits(f boot.Facts) bool { return n.fits == nil || n.fits(f) }

var (
	needARM = Need{"iseq ${buildarch} arm64 && ", "iseq ${buildarch} arm64 || ", "", "an ARM64 machine",
		func(f boot.Facts) bool { return f.Arch == "arm64" }}
	needBIOS = Need{"iseq ${platform} pcbios && ", "iseq ${platform} pcbios || ", "", "a machine with BIOS",
		func(f boot.Facts) bool { return f.Platform == "pcbios" }}
	needEFI = Need{
		"iseq ${buildarch} x86_64 && iseq ${platform} efi && ",
		"iseq ${buildarch} x86_64 && iseq ${platform} efi || ",
		"",
		"an x86 machine with UEFI",
		func(f boot.Facts) bool { return f.Platform == "efi" && f.Arch == "x86_64" },
	}
	needX86 = Need{"iseq ${buildarch} arm64 || ", "iseq ${buildarch} arm64 && ", " ||", "an x86 machine",
		// UEFI of 32 bits starts no kernel of 64.
		func(f boot.Facts) bool { return f.Arch == "x86_64" || f.Arch == "i386" && f.Platform == "pcbios" }}
)

// needOf an image. iPXE calls a BIOS "pcbios"; what it calls the processor there is how it was built, not what the
// machine has.
func needOf(i image.Image) Need {
	switch {
	case i.CPU == image.ARM64:
		return needARM
	case i.EFI == "":
		return needBIOS
	case i.BIOS == "":
		return needEFI
	}
	return needX86 // there is no BIOS on ARM
}
