package boots

import (
	"encoding/json"
	"image/color"
	"net/netip"
	"os"
	"testing"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

const (
	bootLimit = 150 * time.Second
	// bothKernels is the menu's item that every machine can boot. It is chosen without a key, which had to be typed at the
	// right moment.
	bothKernels = "menu:\n  default: memtest-memtest86_x64\n  timeout: 1s\n"
)

// room is a site in which machines boot.
type room struct{ *site.Site }

// newRoom is a room with heralds in place of memtest86+ for BIOS and EFI, with the daemon running.
func newRoom(t *testing.T, dnsmasqLines, moreYAML string) *room {
	t.Helper()
	lab.NeedQEMU(t)
	h := newHerald(t)
	s := newEmptyRoom(t, site.Addr, dnsmasqLines, bothKernels+moreYAML)
	s.Write("root/http/memtest86+x64.bin", h.bios)
	s.Write("root/http/memtest86+x64.efi", h.efi)
	s.Serve()
	return s
}

// newMemtestRoom is newRoom with Debian's memtest86+ itself, which runs for ever and shows so on the screen.
func newMemtestRoom(t *testing.T, dnsmasqLines, moreYAML string) *room {
	t.Helper()
	lab.NeedFile(t, memtestBIOS, memtestEFI)
	s := newEmptyRoom(t, site.Addr, dnsmasqLines, bothKernels+moreYAML)
	s.copy(memtestBIOS, "root/http/memtest86+x64.bin")
	s.copy(memtestEFI, "root/http/memtest86+x64.efi")
	s.Serve()
	return s
}

const (
	memtestBIOS = "/boot/memtest86+x64.bin"
	memtestEFI  = "/boot/memtest86+x64.efi"
)

// newEmptyRoom has nothing to boot yet, and its daemon is not started.
func newEmptyRoom(t *testing.T, addr, dnsmasqLines, moreYAML string) *room {
	t.Helper()
	lab.NeedQEMU(t)
	return &room{site.NewAt(t, netip.PrefixFrom(netip.MustParseAddr(addr), 24), dnsmasqLines, moreYAML)}
}

// copy puts a file of this machine's into the room.
func (s *room) copy(from, to string) {
	s.T.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		s.T.Fatal(err)
	}
	s.Write(to, string(b))
}

// boots waits until a machine has fetched all steps of its boot path, and a herald runs.
func (s *room) boots(m *lab.Machine, steps ...step) told {
	s.T.Helper()
	s.fetches(steps...)
	what := hear(m)
	s.counted()
	s.watched(m)
	return what
}

// bootsMemtest is boots into memtest86+. Its kernel tells nobody that it runs, so the screen is looked at until it is
// that blue.
func (s *room) bootsMemtest(m *lab.Machine, steps ...step) {
	s.T.Helper()
	s.fetches(steps...)
	s.showsMemtest(m, time.Now().Add(bootLimit))
	s.counted()
	s.watched(m)
}

func (s *room) showsMemtest(m *lab.Machine, deadline time.Time) {
	s.T.Helper()
	for {
		blue := lab.Share(m.Screen(), memtestBlue)
		if blue > 0.6 {
			return
		}
		if time.Now().After(deadline) {
			s.T.Fatalf("memtest86+ is not on the screen: %.0f %% of it is blue", 100*blue)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

var memtestBlue = color.RGBA{0, 0, 0xaa, 0xff}

func (s *room) fetches(steps ...step) {
	s.T.Helper()
	for _, h := range append(steps, step{artifact: "kernel"}) {
		s.Agent.WaitOutput(bootLimit, h.pattern())
	}
}

func (s *room) counted() {
	s.T.Helper()
	if n := s.Metric("pxeagent_requests_total", `artifact="kernel"`, `outcome="ok"`); n < 1 {
		s.T.Errorf("the metrics count %v kernels", n)
	}
	if n := s.Metric("pxeagent_requests_total", `artifact="script"`, `class="ipxe"`, `outcome="ok"`); n < 1 {
		s.T.Errorf("the metrics count %v scripts sent to iPXE", n)
	}
}

// watched is the machine's last boot as the daemon saw it, and no boot that failed. With two cards on a network, iPXE
// may have gone on by another one than firmware began with: the daemon sees two machines.
func (s *room) watched(m *lab.Machine) boot.Boot {
	s.T.Helper()
	var b boot.Boot
	for _, c := range append(m.QEMU.More, lab.Card{MAC: m.QEMU.MAC}) {
		if last := s.lastBoot(c.MAC); last.ID > b.ID {
			b = last
		}
	}
	firmware := boot.FirmwareBIOS
	switch {
	case m.QEMU.HTTPBoot:
		firmware = boot.FirmwareUEFIHTTP
	case m.QEMU.UEFI:
		firmware = boot.FirmwareUEFI
	}
	if b.Firmware != firmware || b.Result != boot.UnderWay && b.Result != boot.Booted ||
		b.At != boot.StageKernel && b.At != boot.StageImage {
		s.T.Errorf(
			"the daemon saw a boot by %s, with the result %q, that came to %s (%s)",
			b.Firmware,
			b.Result,
			b.At,
			b.Note,
		)
	}
	return b
}

// lastBoot is the last boot of the machine with that card as the daemon saw it; zero: there is none.
func (s *room) lastBoot(mac string) (b boot.Boot) {
	s.T.Helper()
	var list struct{ Boots []boot.Boot }
	if err := json.Unmarshal([]byte(s.Get("/api/v1/boots?mac="+mac)), &list); err != nil {
		s.T.Fatalf("asking for the machine's boots: %v", err)
	}
	if len(list.Boots) > 0 {
		b = list.Boots[0]
	}
	return b
}
