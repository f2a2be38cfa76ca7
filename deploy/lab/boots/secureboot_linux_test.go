package boots

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tinkerbell/ipxedust/binary"

	"pxeagent/agent/boot"
	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// Machines with Secure Boot on. The firmware is OVMF, with the keys that all machines are sold with, or with Debian's
// snakeoil key, whose private half the package ovmf has: it stands for a key of the site's own.

const debianShim = "/usr/lib/shim/shimx64.efi.signed"

// snakeoil puts the key where secureboot keys would have put one.
func (s *room) snakeoil() {
	s.T.Helper()
	lab.Need(s.T, "openssl")
	lab.NeedFile(s.T, lab.SnakeoilKeys, lab.SnakeoilKey)
	s.copy(lab.SnakeoilCert, "state/secureboot/db.crt")
	out, err := exec.Command("openssl", "rsa", "-in", lab.SnakeoilKey, "-passin", "pass:snakeoil", "-out",
		s.Path("state/secureboot/db.key")).CombinedOutput()
	if err == nil {
		err = os.Chmod(s.Path("state/secureboot/db.key"), 0o600)
	}
	if err != nil {
		s.T.Fatalf("taking the snakeoil key: %v\n%s", err, out)
	}
}

// The built-in iPXE boots where it was signed as it is served, and so does a kernel that was signed; the firmware knows
// nothing else.
func TestSignedIPXEBootsUnderSecureBoot(t *testing.T) {
	lab.NeedQEMU(t)
	h := newHerald(t)
	s := newEmptyRoom(t, site.Addr, site.Leasing, "secure_boot: own\n"+bothKernels)
	s.snakeoil()
	s.Write("root/http/memtest86+x64.bin", h.bios)
	s.Write("root/http/memtest86+x64.efi", h.efi)
	s.Must(0, "secureboot", "sign", s.Path("root/http/memtest86+x64.efi"))
	s.Serve()
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:07:01", UEFI: true, SecureBoot: lab.SnakeoilKeys})
	s.boots(m, nbpByTFTP, menuByHTTP)
}

// Unsigned it is refused without a word, and what the daemon says of that boot is the likely cause.
func TestUnsignedIPXEIsRefusedUnderSecureBoot(t *testing.T) {
	lab.NeedFile(t, lab.SnakeoilKeys)
	s := newEmptyRoom(t, site.Addr, site.Leasing, bothKernels+"boots: {stall: 10s}\n")
	s.Serve()
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:07:02", UEFI: true, SecureBoot: lab.SnakeoilKeys})
	s.Agent.WaitOutput(bootLimit, nbpByTFTP.pattern())
	s.Agent.WaitOutput(bootLimit, `msg="boot [^"]*".*mac=`+m.QEMU.MAC+`.*Secure Boot`)
	b := s.lastBoot(m.QEMU.MAC)
	if b.Result != boot.Stalled || b.At != boot.StageNBP || !strings.Contains(b.Note, "Secure Boot") {
		t.Errorf("the daemon saw %q at %s: %s", b.Result, b.At, b.Note)
	}
	if out := s.Must(0, "boots", "show", b.ID); !strings.Contains(out, "Secure Boot") {
		t.Errorf("pxeagent boots show does not name the cause:\n%s", out)
	}
}

// With the keys that machines are sold with, Debian's shim loads Debian's GRUB, and that comes to its menu. The kernel
// of this menu nobody signed: shim refuses it.
func TestShimAndGRUBUnderSecureBoot(t *testing.T) {
	lab.NeedFile(t, debianShim, grubNet, lab.MicrosoftKeys)
	lab.NeedQEMU(t)
	h := newHerald(t)
	s := newEmptyRoom(t, site.Addr, site.Leasing, "secure_boot: shim-grub\n"+bothKernels)
	s.Write("root/http/memtest86+x64.efi", h.efi)
	s.Must(0, "image", "add", "shim-debian")
	s.Serve()
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:07:03", UEFI: true, SecureBoot: lab.MicrosoftKeys})
	s.fetches(
		step{proto: "tftp", file: "shimx64.efi", class: "uefi", artifact: "nbp"},
		step{proto: "tftp", file: "grubx64.efi", artifact: "nbp"},
		step{proto: "tftp", file: "grub.cfg", class: "grub", artifact: "script"},
		step{proto: "tftp", file: "/http/memtest86+x64.efi", class: "grub", artifact: "kernel"},
	)
	m.WaitOutput(bootLimit, `bad shim signature`)
}

// The same with a kernel that Debian signed, in the place of its installer's.
func TestShimAndGRUBBootASignedKernel(t *testing.T) {
	needLong(t)
	lab.NeedFile(t, debianShim, grubNet, lab.MicrosoftKeys, *signed)
	const item, folder = "debian-bookworm-amd64", "root/http/debian/bookworm/debian-installer/amd64/"
	s := newEmptyRoom(t, site.Addr, site.Leasing, "secure_boot: shim-grub\n"+defaultItem+item+
		"\n  items:\n    - item: "+item+"\n      args: console=ttyS0\n")
	s.copy(*signed, folder+"linux")
	s.Write(folder+"initrd.gz", strings.Repeat("initrd", 1000))
	s.Must(0, "image", "add", "shim-debian")
	s.Serve()
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:07:04", UEFI: true, SecureBoot: lab.MicrosoftKeys})
	s.fetches(step{proto: "tftp", file: "grub.cfg", class: "grub", artifact: "script"},
		step{proto: "tftp", file: "/linux", class: "grub", artifact: "kernel"},
		step{proto: "tftp", file: "/initrd.gz", class: "grub", artifact: "image"})
	m.WaitOutput(bootLimit, `(?i)secure ?boot.*enabled`)
	if b := s.lastBoot(m.QEMU.MAC); b.Item != item || b.Result != boot.Booted {
		t.Errorf("the daemon saw %q of %q: %s", b.Result, b.Item, b.Note)
	}
}

// The chain of iPXE's own release, with stand-ins: Debian's shim for iPXE's, and the built-in iPXE for the one that its
// makers have signed. Debian's shim looks for grubx64.efi whatever its own name is, so that is where iPXE lies as well.
// iPXE comes to the menu although DHCP names the shim to it again.
func TestShimAndIPXEUnderSecureBoot(t *testing.T) {
	needLong(t)
	lab.NeedFile(t, debianShim)
	lab.NeedQEMU(t)
	h := newHerald(t)
	s := newEmptyRoom(t, site.Addr, site.Leasing, "secure_boot: shim-ipxe\nchain: tftp\n"+bothKernels)
	s.snakeoil()
	s.Write("root/http/memtest86+x64.efi", h.efi)
	s.copy(debianShim, "made/snponly-shimx64.efi")
	s.Write("made/snponly.efi", string(binary.IpxeEFI))
	s.Must(0, "secureboot", "sign", s.Path("root/http/memtest86+x64.efi"), s.Path("made/snponly-shimx64.efi"),
		s.Path("made/snponly.efi"))
	s.Must(0, "image", "add", "ipxe", "--from", s.Path("made/snponly-shimx64.efi"), "--from", s.Path("made/snponly.efi"))
	s.copy(s.Path("made/snponly.efi"), "root/tftp/grubx64.efi")
	s.Serve()
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:07:05", UEFI: true, SecureBoot: lab.SnakeoilKeys})
	s.boots(m, step{proto: "tftp", file: "snponly-shimx64.efi", class: "uefi", artifact: "nbp"},
		step{proto: "tftp", file: "grubx64.efi", artifact: "nbp"},
		step{proto: "tftp", file: "snponly-shimx64.efi", class: "ipxe", artifact: "script", says: "loop_broken=true"},
		menuByHTTP)
}
