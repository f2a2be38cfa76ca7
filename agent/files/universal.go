package files

import (
	"cmp"
	"strings"

	"pxeagent/agent/boot"
	"pxeagent/agent/firmware"
)

// fitting is the name of the NBP that a client of this kind can run, for DHCP servers that can send one name only.
// Where the kind is not known, what was asked for is what comes: undionly.kpxe is the best single name, since it is old
// BIOS ROMs whose requests are the least alike, and UEFI's never look like another's.
//
// UEFI on x64 and on ARM64 sends the same requests, by TFTP and by HTTP; only DHCP tells them apart. So UEFI that asks
// for a .efi file is given that file, whatever it is for, and UEFI that asks for a BIOS file, which none on ARM64 could
// run either, the one for x64.
func (l *Library) fitting(class boot.Class, name string) string {
	efi := strings.HasSuffix(strings.ToLower(name), ".efi")
	switch {
	case class == boot.UEFI && !efi:
		return cmp.Or(l.bootFiles[firmware.EFI64], name)
	case class == boot.BIOSROM && efi:
		return cmp.Or(l.bootFiles[firmware.BIOS], name)
	}
	return name
}
