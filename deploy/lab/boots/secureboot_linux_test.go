package boots

import (
	"os"
	"os/exec"
	"strings"
	"testing"

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
