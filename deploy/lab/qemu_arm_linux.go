package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Where Debian's packages qemu-efi-aarch64 and u-boot-qemu put firmware for ARM64.
const (
	aavmfCode = "/usr/share/AAVMF/AAVMF_CODE.fd"
	aavmfVars = "/usr/share/AAVMF/AAVMF_VARS.fd"
	uBoot     = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
)

// NeedARM is Need for what BootARM uses. It leaves the test out under -short.
func NeedARM(t testing.TB) {
	t.Helper()
	NoShort(t)
	Need(t, "qemu-system-aarch64")
	NeedFile(t, aavmfCode, aavmfVars, uBoot)
}

// BootARM is Boot for a machine with ARM64: with UEFI it has AAVMF, else U-Boot. Other cards are not for it.
func (s *Segment) BootARM(q QEMU) *Machine {
	s.t.Helper()
	args := []string{"-machine", "virt,accel=tcg", "-cpu", "cortex-a57", "-m", "512", "-display", "none", "-monitor",
		"none",
		"-serial", "stdio", "-no-reboot"}
	card := q
	card.UEFI = true // virtio, which both know
	args = append(args, s.plug(card, Card{MAC: q.MAC}, "n0", "romfile=")...)
	if !q.UEFI {
		args = append(args, "-bios", uBoot)
		return s.start("qemu-system-aarch64", q, s.t.TempDir(), append(args, q.Args...))
	}
	dir := s.t.TempDir()
	vars := filepath.Join(dir, "vars.fd")
	b, err := os.ReadFile(aavmfVars)
	if err == nil {
		err = os.WriteFile(vars, b, 0o600)
	}
	if err != nil {
		s.t.Fatalf("copying AAVMF's variables: %v", err)
	}
	args = append(args, "-drive", "if=pflash,format=raw,unit=0,readonly=on,file="+aavmfCode,
		"-drive", "if=pflash,format=raw,unit=1,file="+vars, "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n")
	if q.HTTPBoot {
		args = append(args, "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n")
	}
	return s.start("qemu-system-aarch64", q, dir, append(args, q.Args...))
}

// start runs an emulator, when one of the machines that run was switched off.
func (s *Segment) start(emulator string, q QEMU, dir string, args []string) *Machine {
	s.t.Helper()
	cmd := exec.Command(emulator, args...)
	keys, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatalf("connecting to the machine's console: %v", err)
	}
	running <- struct{}{}
	host := &Host{s.t, s.netns}
	return &Machine{Proc: host.startCmd(cmd, func() { <-running }), QEMU: q, keys: keys, dir: dir}
}
