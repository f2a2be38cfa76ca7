package lab

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// OVMF is where Debian's package ovmf puts UEFI firmware for x64.
const (
	ovmfCode = "/usr/share/OVMF/OVMF_CODE_4M.fd"
	ovmfVars = "/usr/share/OVMF/OVMF_VARS_4M.fd"
)

// What firmware with Secure Boot knows: the keys that all machines are sold with, or those whose private half the
// package ovmf has in SnakeoilKey, with the password "snakeoil", and SnakeoilCert.
const (
	MicrosoftKeys = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"
	SnakeoilKeys  = "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd"
	SnakeoilKey   = "/usr/share/ovmf/PkKek-1-snakeoil.key"
	SnakeoilCert  = "/usr/share/ovmf/PkKek-1-snakeoil.pem"
	ovmfSecure    = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
)

// running has a place for each machine that may run at a time. An emulated one takes a processor to itself, and
// firmware that is kept waiting gives up.
var running = make(chan struct{}, 2)

// Machine is a virtual machine that boots from the network and has its console on a serial line.
type Machine struct {
	*Proc
	QEMU QEMU // as it was ordered
	keys io.Writer
	dir  string // holds the control socket and screenshots
}

// QEMU is a machine to be.
type QEMU struct {
	MAC string // of the network card that it boots from: e1000 under BIOS, virtio under UEFI
	// More cards come before that one on the bus, so iPXE calls the first of them net0.
	More []Card
	// UEFI: OVMF in place of SeaBIOS and QEMU's iPXE ROM.
	UEFI bool
	// HTTPBoot: PXE is switched off in OVMF, so that UEFI HTTP boot is what it does.
	HTTPBoot bool
	// SecureBoot: UEFI with Secure Boot on, and the keys that this file of variables has: SnakeoilKeys, MicrosoftKeys.
	SecureBoot string
	Args       []string // more arguments
}

// Card is one more network card of a machine's.
type Card struct {
	MAC  string
	Dead bool // nothing is at the other end of its cable but such cards
}

// NeedQEMU is Need for what Boot uses. It leaves the test out under -short.
func NeedQEMU(t testing.TB) {
	t.Helper()
	NoShort(t)
	Need(t, "qemu-system-x86_64")
	NeedFile(t, ovmfCode, ovmfVars, "/usr/lib/ipxe/qemu/pxe-e1000.rom")
}

// Boot switches a machine on. It is emulated (TCG): KVM may be present and hang. It is switched off with the test. Two
// run at a time: Boot waits until another was switched off, so a test has one machine at once.
func (s *Segment) Boot(q QEMU) *Machine {
	s.t.Helper()
	dir := s.t.TempDir()
	if !q.UEFI {
		s.advertise()
	}
	args := []string{
		"-machine", "q35,accel=tcg,graphics=off", "-cpu", "qemu64", "-m", "512",
		"-display", "none", "-vga", "std", "-monitor", "none", "-qmp", "unix:" + filepath.Join(dir, "qmp") +
			",server=on,wait=off", "-serial", "stdio", "-no-reboot",
	}
	for n, c := range q.More {
		args = append(args, s.plug(q, c, fmt.Sprintf("more%d", n), "romfile=")...)
	}
	boots := "bootindex=1"
	if q.UEFI {
		boots += ",romfile=" // without a ROM of its own the card is driven by OVMF
	}
	args = append(args, s.plug(q, Card{MAC: q.MAC}, "n0", boots)...)
	if q.UEFI {
		vars := filepath.Join(dir, "vars.fd")
		code, variables := ovmfCode, ovmfVars
		if q.SecureBoot != "" {
			code, variables = ovmfSecure, q.SecureBoot
			// Only firmware, in system management mode, may write its variables.
			args = append(args, "-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1")
		}
		b, err := os.ReadFile(variables)
		if err == nil {
			err = os.WriteFile(vars, b, 0o600)
		}
		if err != nil {
			s.t.Fatalf("copying OVMF's variables: %v", err)
		}
		args = append(args,
			"-drive", "if=pflash,format=raw,unit=0,readonly=on,file="+code,
			"-drive", "if=pflash,format=raw,unit=1,file="+vars,
			"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n")
		if q.HTTPBoot {
			args = append(args, "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n")
		}
	}
	return s.start("qemu-system-x86_64", q, dir, append(args, q.Args...))
}

// plug makes the arguments of a network card with an id and more options.
func (s *Segment) plug(q QEMU, c Card, id, options string) []string {
	s.t.Helper()
	model, net := "e1000", "hubport,hubid=1,id="+id
	if q.UEFI {
		model = "virtio-net-pci" // OVMF knows it, but not e1000
	}
	if !c.Dead {
		s.ports++
		tap := fmt.Sprintf("tap%d", s.ports)
		s.Tap(tap)
		net = "tap,script=no,downscript=no,ifname=" + tap + ",id=" + id
	}
	return []string{"-netdev", net, "-device", model + ",netdev=" + id + ",mac=" + c.MAC + "," + options}
}

// Unplug takes the machine's power away.
func (m *Machine) Unplug() {
	m.t.Helper()
	m.Signal(os.Kill)
	m.Wait(10 * time.Second)
}

// Type sends keys to the machine's console.
func (m *Machine) Type(keys string) {
	m.t.Helper()
	if _, err := io.WriteString(m.keys, keys); err != nil {
		m.t.Fatalf("typing on the machine's console: %v", err)
	}
}

// Screen is what the machine shows on its display now.
func (m *Machine) Screen() image.Image {
	m.t.Helper()
	shot := filepath.Join(m.dir, "screen.png")
	conn, err := net.Dial("unix", filepath.Join(m.dir, "qmp"))
	if err != nil {
		m.t.Fatalf("asking for the screen: %v", err)
	}
	defer conn.Close()
	ask, answers := json.NewEncoder(conn), json.NewDecoder(conn)
	for _, command := range []map[string]any{
		{"execute": "qmp_capabilities"},
		{"execute": "screendump", "arguments": map[string]string{"filename": shot, "format": "png"}},
	} {
		if err := ask.Encode(command); err != nil {
			m.t.Fatalf("asking for the screen: %v", err)
		}
		// Greetings and events come in between.
		for done := false; !done; {
			var answer struct{ Return, Error json.RawMessage }
			if err := answers.Decode(&answer); err != nil || answer.Error != nil {
				m.t.Fatalf("asking for the screen: %v %s", err, answer.Error)
			}
			done = answer.Return != nil
		}
	}
	f, err := os.Open(shot)
	if err != nil {
		m.t.Fatalf("reading the screen: %v", err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		m.t.Fatalf("reading the screen: %v", err)
	}
	return img
}

// Share is how much of the screen has one colour, 0 to 1. Only the upper four bits of each channel count: a text mode's
// palette and a frame buffer differ in the lower ones.
func Share(img image.Image, c color.Color) float64 {
	wr, wg, wb, _ := c.RGBA()
	n, all := 0, img.Bounds().Dx()*img.Bounds().Dy()
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); r>>12 == wr>>12 && g>>12 == wg>>12 && b>>12 == wb>>12 {
				n++
			}
		}
	}
	return float64(n) / float64(all)
}
