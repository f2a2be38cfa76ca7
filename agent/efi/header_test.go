package efi_test

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"pxeagent/agent/efi"
	"pxeagent/agent/ipxe"
)

// program is the beginning of a PE file whose signature is at an offset.
func program(at uint32, machine efi.Machine, subsystem uint16) []byte {
	b := make([]byte, at+24+70)
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[60:], at)
	copy(b[at:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(b[at+4:], uint16(machine))
	binary.LittleEndian.PutUint16(b[at+24:], 0x20b)
	binary.LittleEndian.PutUint16(b[at+24+68:], subsystem)
	return b
}

func TestParseHeader(t *testing.T) {
	whole := program(128, efi.X64, 10)
	noSignature := program(128, efi.X64, 10)
	noSignature[128] = 'N'
	object := program(128, efi.X64, 10)
	object[128+24] = 0
	for name, c := range map[string]struct {
		head []byte
		want efi.Header
		err  error
	}{
		"x64":                      {whole, efi.Header{Machine: efi.X64, Subsystem: 10}, nil},
		"a driver for ARM64":       {program(64, efi.ARM64, 11), efi.Header{Machine: efi.ARM64, Subsystem: 11}, nil},
		"a Windows program":        {program(64, efi.IA32, 3), efi.Header{Machine: efi.IA32, Subsystem: 3}, nil},
		"nothing":                  {nil, efi.Header{}, efi.ErrNotPE},
		"iPXE's script":            {[]byte("#!ipxe\n"), efi.Header{}, efi.ErrNotPE},
		"a page":                   {[]byte("<html>MZ"), efi.Header{}, efi.ErrNotPE},
		"cut off in the DOS part":  {whole[:63], efi.Header{}, efi.ErrShort},
		"cut off before subsystem": {whole[:len(whole)-1], efi.Header{}, efi.ErrShort},
		"a DOS program":            {noSignature, efi.Header{}, efi.ErrNotPE},
		"no optional header":       {object, efi.Header{}, efi.ErrNotPE},
		"an offset of nonsense":    {append([]byte("MZ"), make([]byte, 58)...), efi.Header{}, efi.ErrShort},
	} {
		got, err := efi.ParseHeader(c.head)
		if got != c.want || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: got %+v, %v; want %+v, %v", name, got, err, c.want, c.err)
		}
	}
	far := make([]byte, 64)
	copy(far, "MZ\xff\xff")
	copy(far[60:], "\xff\xff\xff\xff")
	if _, err := efi.ParseHeader(far); !errors.Is(err, efi.ErrNotPE) {
		t.Errorf("an offset beyond any file: %v", err)
	}
}

func TestIsEFI(t *testing.T) {
	for subsystem, want := range map[uint16]bool{0: false, 3: false, 9: false, 10: true, 11: true, 12: true, 13: false} {
		if got := (efi.Header{Subsystem: subsystem}).IsEFI(); got != want {
			t.Errorf("subsystem %d: %v", subsystem, got)
		}
	}
}

func TestMachineString(t *testing.T) {
	for m, want := range map[efi.Machine]string{efi.X64: "x64", efi.IA32: "IA32", 0x1234: "machine type 0x1234"} {
		if got := m.String(); got != want {
			t.Errorf("%#x: %q, want %q", uint16(m), got, want)
		}
	}
}

// The built-in NBPs, and what Debian's packages have, where they are installed.
func TestParseHeaderOfRealPrograms(t *testing.T) {
	built, err := ipxe.Binaries(ipxe.ChainOff, ipxe.Destination{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]efi.Machine{ipxe.EFI64: efi.X64, ipxe.EFIARM64: efi.ARM64} {
		h, err := efi.ParseHeader(built[name][:efi.HeadLength])
		if err != nil || h.Machine != want || !h.IsEFI() {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
	if h, err := efi.ParseHeader(built[ipxe.Undionly]); !errors.Is(err, efi.ErrNotPE) {
		t.Errorf("%s: %+v, %v", ipxe.Undionly, h, err)
	}
	for _, path := range []string{"/usr/lib/shim/shimx64.efi.signed", "/usr/lib/grub/x86_64-efi/monolithic/grubnetx64.efi"} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Logf("not looked at: %v", err)
			continue
		}
		if h, err := efi.ParseHeader(b[:efi.HeadLength]); err != nil || h.Machine != efi.X64 || !h.IsEFI() {
			t.Errorf("%s: %+v, %v", path, h, err)
		}
	}
}

// More of a file never changes what its beginning said, and nothing is said of what was not read.
func FuzzParseHeader(f *testing.F) {
	f.Add(program(128, efi.X64, 10), 130)
	f.Add(program(64, efi.IA32, 11), 10)
	f.Add([]byte("MZ"), 1)
	f.Add([]byte("\xea\x05\x00\xc0\x07"), 2)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		whole, err := efi.ParseHeader(b)
		if err != nil && (whole != efi.Header{} || !errors.Is(err, efi.ErrNotPE) && !errors.Is(err, efi.ErrShort)) {
			t.Fatalf("got %+v, %v", whole, err)
		}
		if n < 2 || n > len(b) {
			return
		}
		part, partErr := efi.ParseHeader(b[:n])
		if !errors.Is(partErr, efi.ErrShort) && (part != whole || !errors.Is(err, partErr)) {
			t.Fatalf("of %d bytes: %+v, %v; of all: %+v, %v", n, part, partErr, whole, err)
		}
	})
}
