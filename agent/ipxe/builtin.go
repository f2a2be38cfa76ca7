package ipxe

import (
	"fmt"

	"github.com/tinkerbell/ipxedust/binary"

	"pxeagent/agent/firmware"
)

// Names of what is there without the user having put it there.
const (
	Undionly = "undionly.kpxe" // BIOS, by the card's own UNDI driver
	EFI64    = "ipxe.efi"      // EFI x64, with iPXE's drivers
	EFIARM64 = "snp-arm64.efi" // EFI ARM64, by the firmware's driver
	Autoexec = "autoexec.ipxe" // what stock EFI builds look for beside themselves
)

// BootFiles are the built-in NBPs by the architecture of the machines that they are for. 32-bit UEFI and ARM have none.
func BootFiles() [firmware.NumArch]string {
	return [firmware.NumArch]string{firmware.BIOS: Undionly, firmware.EFI64: EFI64, firmware.ARM64: EFIARM64}
}

// Binaries are the built-in NBPs by name. Where chain says so, those with room for a script carry one that leads to d.
func Binaries(chain Chain, d Destination) (map[string][]byte, error) {
	nbps := map[string][]byte{Undionly: binary.Undionly, EFI64: binary.IpxeEFI, EFIARM64: binary.SNP}
	if chain == ChainOff {
		return nbps, nil
	}
	for _, name := range []string{EFI64, EFIARM64} {
		filled, err := fill(nbps[name], d.short(chain))
		if err != nil {
			return nil, fmt.Errorf("embedding a script: %w", err)
		}
		nbps[name] = filled
	}
	return nbps, nil
}
