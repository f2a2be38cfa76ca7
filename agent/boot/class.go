// Package boot says what asks for boot files, what it asks for and how that
// ended. It is pure: no network, no clock, standard library only.
package boot

// Class is the kind of program that sent a request. The set is closed, so that it can be a metric label.
type Class string

const (
	IPXE        Class = "ipxe"
	UEFI        Class = "uefi"         // UEFI firmware, PXE or HTTP boot
	BIOSROM     Class = "bios-rom"     // a PXE ROM that is not iPXE
	PXELinux    Class = "pxelinux"     // also syslinux's other network variants
	GRUB        Class = "grub"         // GRUB 2
	UBoot       Class = "u-boot"       // U-Boot, which most boards with ARM have
	RaspberryPi Class = "raspberry-pi" // its boot ROM or EEPROM
	Tool        Class = "tool"         // a person's or script's client: curl, tftp-hpa, …
	Unknown     Class = "unknown"
)

// Loads reports whether it is a boot loader, which fetches what its menu says.
func (c Class) Loads() bool { return c == IPXE || c == GRUB || c == PXELinux || c == UBoot }

// Classes lists every Class.
func Classes() []Class {
	return []Class{IPXE, UEFI, BIOSROM, PXELinux, GRUB, UBoot, RaspberryPi, Tool, Unknown}
}
