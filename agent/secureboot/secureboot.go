// Package secureboot signs EFI programs for UEFI Secure Boot, and says who signed one: Authenticode signatures (PE
// format, "The Attribute Certificate Table"), the keys for them, and the generations that shim goes by (SBAT).
package secureboot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"

	"pxeagent/agent/efi"
)

// Mode is what is done for machines that have Secure Boot on.
type Mode string

const (
	Off      Mode = "off"       // nothing: such machines refuse the built-in iPXE
	Own      Mode = "own"       // the built-in iPXE is signed with a key of the site's own
	ShimIPXE Mode = "shim-ipxe" // a shim of iPXE's makers, and their signed iPXE
	ShimGRUB Mode = "shim-grub" // a distribution's shim and its signed GRUB
)

// Modes lists every Mode.
func Modes() []Mode { return []Mode{Off, Own, ShimIPXE, ShimGRUB} }

// The names under which a mode's files lie at the top of TFTP's tree: what the shim is asked for, and what it loads.
const (
	IPXEShim = "snponly-shimx64.efi"
	IPXE     = "snponly.efi"
	GRUBShim = "shimx64.efi"
	GRUB     = "grubx64.efi"
)

// Files are the first and the second stage of a mode for UEFI on x64, both "" where it has no shim.
func (m Mode) Files() (shim, second string) {
	switch m {
	case ShimIPXE:
		return IPXEShim, IPXE
	case ShimGRUB:
		return GRUBShim, GRUB
	}
	return "", ""
}

// MaxProgram is more than any boot program that was seen, in bytes. A larger file is not looked into.
const MaxProgram = 64 << 20

// Errors of Sign and Inspect, besides those of package efi.
var (
	ErrNotEFI  = errors.New("not a program that UEFI firmware loads")
	ErrDamaged = errors.New("the program's headers contradict its length")
)

// checkProgram refuses what is no EFI program.
func checkProgram(program []byte) (efi.Header, error) {
	h, err := efi.ParseHeader(program)
	switch {
	case err != nil:
		return h, err
	case !h.IsEFI():
		return h, fmt.Errorf("%w: subsystem %d", ErrNotEFI, h.Subsystem)
	case len(program) > MaxProgram:
		return h, fmt.Errorf("%d bytes are more than a boot program has", len(program))
	}
	return h, nil
}

// SignedPath is where the signed form of a program that is built in is kept below dir. It goes by the program's
// content: what changes it, such as the script in it, asks for another signature.
func SignedPath(dir string, program []byte) string {
	sum := sha256.Sum256(program)
	return filepath.Join(dir, "signed", hex.EncodeToString(sum[:])+".efi")
}
