package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"pxeagent/agent/efi"
	"pxeagent/agent/firmware"
)

// machines are those whose programs firmware of an architecture runs.
var machines = map[firmware.Arch]efi.Machine{
	firmware.EFI32: efi.IA32, firmware.EFI64: efi.X64, firmware.ARM32: efi.ARM, firmware.ARM64: efi.ARM64,
}

// tftpNBP asks for the beginning of an NBP as that firmware does, and returns the file's size, -1 where it is not said.
// Its error says what is wrong with the file as well.
func tftpNBP(ctx context.Context, arch firmware.Arch, server netip.AddrPort, name string) (int64, error) {
	head, size, err := tftpHead(ctx, server, name, asks(arch), efi.HeadLength)
	if err == nil {
		err = runs(arch, head)
	}
	return size, err
}

// httpNBP does the same by HTTP. UEFI HTTP boot goes by the type, or else by how the name ends; of a disk image it
// makes a disk in memory (UEFI specification, section 24.7).
func (f *fetcher) httpNBP(ctx context.Context, arch firmware.Arch, u string) (int64, error) {
	size, typ, head, err := f.nbp(ctx, u)
	if err != nil {
		return -1, err
	}
	name := u
	if parsed, err := url.Parse(u); err == nil {
		name = parsed.Path
	}
	switch kind, _, _ := mime.ParseMediaType(typ); {
	case kind == "application/efi":
	case kind == "application/vnd.efi-iso", kind == "application/vnd.efi-img":
		return size, nil
	default:
		switch strings.ToLower(path.Ext(name)) {
		case ".iso", ".img":
			return size, nil
		case ".efi":
		default:
			return -1, fmt.Errorf("%s: UEFI HTTP boot takes only names that end in .efi, .iso or .img, and what is sent "+
				"with Content-Type application/efi", u)
		}
	}
	if err := runs(arch, head); err != nil {
		return -1, fmt.Errorf("%s: %w", u, err)
	}
	return size, nil
}

// runs returns an error where firmware cannot run a file that begins with head, which is all of a shorter one.
func runs(arch firmware.Arch, head []byte) error {
	h, err := efi.ParseHeader(head)
	if errors.Is(err, efi.ErrShort) && len(head) >= efi.HeadLength {
		return nil // it is not known what the file is
	}
	program := err == nil
	want, uefi := machines[arch]
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		return errors.New("a script, where firmware needs a program")
	case !uefi && program:
		return fmt.Errorf("an EFI program (%s), which BIOS firmware cannot run", h.Machine)
	case !uefi:
		return nil
	case !program:
		return fmt.Errorf("%w, and UEFI runs no other", efi.ErrNotPE)
	case !h.IsEFI():
		return fmt.Errorf("a PE file for another system than EFI (subsystem %d)", h.Subsystem)
	case h.Machine != want && h.Machine != efi.EBC:
		return fmt.Errorf("an EFI program for %s, and the firmware is %s", h.Machine, want)
	}
	return nil
}

// iPXERuns returns an error where iPXE on such a machine cannot run a program that begins with head. In BIOS it runs
// Linux kernels as well, which may be EFI programs besides, and whatever it cannot name as an NBP.
func iPXERuns(client firmware.Client, head []byte) error {
	const at, linux = 0x202, "HdrS" // Linux's boot protocol
	isLinux := len(head) >= at+len(linux) && string(head[at:at+len(linux)]) == linux
	packed := bytes.HasPrefix(head, []byte{0x1f, 0x8b}) // gzip, which builds of iPXE may unpack
	if client.Arch() == firmware.BIOS && isLinux || packed {
		return nil
	}
	return runs(client.Arch(), head)
}
