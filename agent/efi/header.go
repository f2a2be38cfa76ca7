// Package efi reads EFI programs: PE files for the machines that UEFI runs on. Its functions are pure, and what they
// read is hostile.
package efi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Machine is the kind of processor that a PE file is for: the field Machine of its COFF header (PE format,
// section "Machine Types").
type Machine uint16

// The machines that UEFI names (UEFI specification, section 2.1.1).
const (
	IA32        Machine = 0x014c
	EBC         Machine = 0x0ebc // EFI byte code, which firmware for any processor may run
	ARM         Machine = 0x01c2
	X64         Machine = 0x8664
	ARM64       Machine = 0xaa64
	RISCV64     Machine = 0x5064
	LoongArch64 Machine = 0x6264
)

var machineNames = map[Machine]string{
	IA32: "IA32", EBC: "EFI byte code", ARM: "ARM32", X64: "x64", ARM64: "ARM64", RISCV64: "RISC-V 64",
	LoongArch64: "LoongArch 64",
}

// String returns the name of m as UEFI has it: "x64", "IA32", …; the number where it has none.
func (m Machine) String() string {
	if name, known := machineNames[m]; known {
		return name
	}
	return fmt.Sprintf("machine type %#04x", uint16(m))
}

// Header is what the headers of a PE file say of it.
type Header struct {
	Machine   Machine
	Subsystem uint16 // what runs it: 10 to 12 is EFI, 1 to 9 is Windows
}

// IsEFI reports whether firmware loads such a file: as application, or as a driver for boot or run time.
func (h Header) IsEFI() bool { return h.Subsystem >= 10 && h.Subsystem <= 12 }

// Errors of ParseHeader.
var (
	ErrNotPE = errors.New("not an EFI program (a PE file)")
	ErrShort = errors.New("the PE header lies behind what was read")
)

// HeadLength is how many bytes of a file ParseHeader should be given: the headers of all programs that were seen end
// before.
const HeadLength = 1024

// Where the fields stand (PE format, "MS-DOS Stub", "COFF File Header" and "Optional Header").
const (
	dosHeader = 64 // bytes; the last 4 are the offset of the signature
	signature = "PE\x00\x00"
	machine   = len(signature) // from there on counted from the signature
	optional  = machine + 20
	subsystem = optional + 68 // in both kinds of optional header
	end       = subsystem + 2
	pe32      = 0x10b // the kinds, by the optional header's first field
	pe32plus  = 0x20b
)

// furthest is an offset of the signature beyond any that a linker writes.
const furthest = 1 << 20

// ParseHeader reads the headers at the beginning of a file, of which head may be all or only the first bytes. Its error
// is ErrNotPE, or ErrShort where more of the file is needed to tell.
func ParseHeader(head []byte) (Header, error) {
	if !bytes.HasPrefix(head, []byte("MZ")) {
		return Header{}, ErrNotPE
	}
	if len(head) < dosHeader {
		return Header{}, ErrShort
	}
	at := binary.LittleEndian.Uint32(head[dosHeader-4:])
	if at > furthest {
		return Header{}, ErrNotPE
	}
	if len(head) < int(at)+end {
		return Header{}, ErrShort
	}
	pe := head[at:]
	magic := binary.LittleEndian.Uint16(pe[optional:])
	if string(pe[:machine]) != signature || magic != pe32 && magic != pe32plus {
		return Header{}, ErrNotPE
	}
	return Header{
		Machine:   Machine(binary.LittleEndian.Uint16(pe[machine:])),
		Subsystem: binary.LittleEndian.Uint16(pe[subsystem:]),
	}, nil
}
