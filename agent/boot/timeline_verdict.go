package boot

import (
	"path"
	"strings"
)

// failure says for people why a file was not had.
func failure(f Fetch) string {
	switch f.Outcome {
	case NotFound:
		return notFound(f)
	case TimedOut:
		return "the machine went silent in the middle of the file: look at its cable, its switch port and its power"
	case Failed:
		return "the file could not be read: the log says why"
	}
	return "the request was refused: the log says why"
}

// notFound says for people what a missing file was, as far as its name and who asked for it tell.
func notFound(f Fetch) string {
	const remedy = ": put it below serve.root, or correct what names it"
	base := strings.ToLower(path.Base(urlPath(f.Name)))
	n, menu := ParseMenuName(f.Name)
	switch {
	case menu && n.GRUB:
		return "GRUB found no grub.cfg: none is made where you have one that it does not ask for" + remedy
	case menu && f.Class == UBoot:
		return "U-Boot found no configuration in pxelinux.cfg" + remedy
	case menu:
		return "pxelinux found no configuration in pxelinux.cfg" + remedy
	case f.Class == PXELinux && strings.HasSuffix(base, ".c32"):
		return "pxelinux found no " + base + ", which belongs beside it: copy it from the same version of syslinux"
	case f.Class == UEFI && strings.HasPrefix(base, "grub") && strings.HasSuffix(base, ".efi"):
		return "shim found no second stage of this name beside it" + remedy
	case fromFirmware(f.Class) && f.Class != Unknown:
		return "the boot file that its firmware was told to fetch is not there" + remedy
	}
	return "the file is not there" + remedy
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
		return afterNBP(r.boot.Files)
	case StageScript:
		if r.otherMenu {
			return "it has its menu and asked for nothing more: it waits there, or boots what is not served here"
		}
		return "it has its script and asked for nothing more: it may wait at the menu or in iPXE's shell, " +
			"or its system is not served here"
	case StageImage:
		return "it asked for no kernel"
	}
	return ""
}

// afterNBP says for people why a machine that was given its boot file went no further: what firmware refuses, it
// refuses without a word on the wire.
func afterNBP(files []Fetch) string {
	const (
		screen = "look at its screen for a card that iPXE has no driver for, or for DHCP without an answer"
		secure = "likely Secure Boot, which refuses without a word what is not signed by a key in the firmware: " +
			"switch it off there, or give the machine a signed boot file"
	)
	var last Fetch // boot file that came whole
	ran := Class("")
	for _, f := range files {
		switch {
		case f.Artifact == NBP && f.Outcome == OK:
			last, ran = f, ""
		case f.Class == GRUB || f.Class == PXELinux:
			ran = f.Class
		}
	}
	name := path.Base(urlPath(last.Name))
	lower := strings.ToLower(name)
	efi := strings.HasSuffix(lower, ".efi")
	switch {
	case ran == GRUB:
		return "GRUB started and found no grub.cfg: it asked for none of the names that this server knows"
	case ran == PXELinux:
		return "pxelinux started and asked for no configuration"
	case last.Class == UEFI && !efi:
		return "its firmware is UEFI and was given " + name + ", a BIOS file: likely it is IA32 (UEFI of 32 bits, arch 6), " +
			"for which the DHCP server names no file of its own"
	case last.Class == UEFI && strings.HasPrefix(lower, "grub") && last.Proto == HTTP:
		return "GRUB was loaded by UEFI HTTP boot, where Debian's has no configuration: let the machine boot by PXE"
	case last.Class == UEFI && (strings.Contains(lower, "shim") || strings.HasPrefix(lower, "boot")):
		return "stopped after " + name + " was loaded whole and asked for no second stage: " + secure +
			" (the shim's certificate authority is of 2011 or 2023, and the firmware may know one of them)"
	case last.Class == UEFI:
		return "stopped after " + name + " was loaded whole and asked for nothing: " + secure + "; other causes: " + screen
	}
	return "its NBP asked for nothing: " + screen
}
