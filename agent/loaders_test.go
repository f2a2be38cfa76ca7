package agent_test

import (
	"bytes"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent"
	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
	"pxeagent/agent/menu"
)

// What loaders send with their requests.
var (
	asGRUB     = []string{"blksize", "1024", "tsize", "0"}
	asPXELinux = []string{"tsize", "0", "blksize", "1408"}
	asUBoot    = []string{"timeout", "5", "tsize", "0", "blksize", "1468"}
	asFirmware = []string{"blksize", "1468"} // EDK2 from before windowsize
)

// load fetches a file by TFTP, as a loader at that address; "": there is none.
func (r *running) load(last byte, name string, options []string) string {
	r.t.Helper()
	c := r.askFrom(net.IPv4(127, 0, 0, last), name, options...)
	var text bytes.Buffer
	for {
		b := c.receive()
		switch b[1] {
		case 5:
			return ""
		case 6:
			c.send([]byte{0, 4, 0, 0})
			continue
		}
		text.Write(b[4:])
		c.send([]byte{0, 4, b[2], b[3]})
		size := 512
		if n := slices.Index(options, "blksize"); n >= 0 {
			size = map[string]int{"1024": 1024, "1408": 1408, "1468": 1468}[options[n+1]]
		}
		if len(b) < 4+size {
			return text.String()
		}
	}
}

// A one-time boot is the same in each loader's language: that machine goes there without a menu, until it has the
// kernel, and then it has what its profile says.
func TestBootOnceInEachLanguage(t *testing.T) {
	const (
		item  = "debian-bookworm-amd64"
		files = "debian/bookworm/debian-installer/amd64/"
		mac   = "01-52-54-00-12-34-01"
		other = "01-52-54-00-12-34-02"
	)
	for name, c := range map[string]struct {
		asks        string
		options     []string
		once, again string // in the menu
		item, fetch string
	}{
		"GRUB": {"/grub/grub.cfg-", asGRUB, "set default=" + item + "\n", "set default=local\n", item, "/http/" + files +
			"linux"},
		"pxelinux": {"pxelinux.cfg/", asPXELinux, "prompt 0\ndefault " + item + "\n", "default local\n", item,
			"/http/" + files + "linux"},
		"GRUB, the disk": {"/grub/grub.cfg-", asGRUB, "set timeout=0\n", "set timeout=30\n", catalog.Local, "/ipxe/local"},
		// It fetches nothing to go to its disk: the menu that sends it there uses the order up.
		"pxelinux, the disk": {"pxelinux.cfg/", asPXELinux, "prompt 0\ndefault local\n", "prompt 1\n", catalog.Local, ""},
		"U-Boot, the disk":   {"u-boot/pxelinux.cfg/", asUBoot, "prompt 0\ndefault local\n", "prompt 1\n", catalog.Local, ""},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			once := machine.OpenOneTimeBoots(filepath.Join(state, "once"), nil)
			r := start(t, func(c *agent.Config) { c.State, c.Menu = state, menu.Settings{Timeout: 30 * time.Second} })
			r.tree("http/"+files+"linux", "http/"+files+"initrd.gz")
			if got := r.load(9, c.asks+mac, c.options); !strings.Contains(got, c.again) {
				t.Fatalf("before:\n%s", got)
			}
			if err := once.Set(machine.ID(machineMAC), c.item); err != nil {
				t.Fatal(err)
			}
			if got := r.load(8, c.asks+other, c.options); !strings.Contains(got, c.again) {
				t.Errorf("another machine is given\n%s", got)
			}
			if got := r.load(9, c.asks+mac, c.options); !strings.Contains(got, c.once) {
				t.Errorf("it is given\n%s", got)
			}
			if c.fetch != "" {
				if r.load(9, c.fetch, c.options) == "" {
					t.Fatalf("%s is not there", c.fetch)
				}
			}
			usedUp(t, once)
			if got := r.load(9, c.asks+mac, c.options); !strings.Contains(got, c.again) {
				t.Errorf("afterwards:\n%s", got)
			}
		})
	}
}

// usedUp waits until no machine is to boot anything once. The end of a transfer is told when the last packet is
// acknowledged.
func usedUp(t *testing.T, once *machine.OneTimeBoots) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if left, err := once.List(); err != nil || len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the one-time boot is still there")
		}
	}
}

// Requests of U-Boot's are a boot, with the machine's MAC and the item.
func TestUBootBoots(t *testing.T) {
	r := start(t, nil)
	const files = "debian/bookworm/debian-installer/arm64/"
	r.tree("http/"+files+"linux", "http/"+files+"initrd.gz", "http/"+files+"dtbs/virt.dtb")
	menu := r.load(9, "pxelinux.cfg/01-52-54-00-12-34-01", asUBoot)
	for _, line := range strings.Split(menu, "\n") {
		f := strings.Fields(line)
		if len(f) == 2 && (f[0] == "linux" || f[0] == "initrd") && r.load(9, f[1], asUBoot) == "" {
			t.Errorf("%s is not there", f[1])
		}
		if len(f) == 2 && f[0] == "fdtdir" && (r.load(9, f[1]+"virt.dtb", asUBoot) == "" || r.load(9, f[1]+"no.dtb",
			asUBoot) != "") {
			t.Errorf("the device tree is not below %s", f[1])
		}
	}
	b := r.awaits("booted", is(boot.Booted))
	if b.MAC != machineMAC || b.Firmware != boot.FirmwareUBoot || b.Item != "debian-bookworm-arm64" || b.Arch != "arm64" {
		t.Errorf("%+v", b)
	}
	r.until(`pxeagent_requests_total\{artifact="none",class="u-boot",outcome="optional",protocol="tftp"\}`, 1)
	r.until(`pxeagent_requests_total\{artifact="kernel",class="u-boot",outcome="ok",protocol="tftp"\}`, 1)
}

// A machine whose boot file is missing is seen long before it has been silent for boots.stall.
func TestMissingBootFileIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *agent.Config) { c.Boots.Stall = time.Hour })
	if r.load(9, "ipxee.efi", asFirmware) != "" {
		t.Fatal("it is there")
	}
	if b := r.awaits("failed", is(boot.Broken)); b.File != "ipxee.efi" || !strings.Contains(b.Note, "boot file") {
		t.Errorf("%+v", b)
	}
}

// A machine that was sent to its disk and comes by its firmware's other way is sent on at once; the same way again, it
// is shown the menu; and a one-time boot that was set meanwhile wins.
func TestSentOnToTheDisk(t *testing.T) {
	for name, c := range map[string]struct {
		comes func(r *running, m box)
		once  string
		want  string // what it goes to without a menu
		boots int
		files int // of the last boot
	}{
		"by HTTP": {func(_ *running, m box) { m.fetch("/ipxe.efi", asUEFI) }, "", "local", 1, 6},
		"by PXE again": {func(r *running, m box) {
			r.loadNBP(m, 2)
		}, "", "", 2, 2},
		"by HTTP, and then by PXE": {func(r *running, m box) {
			m.fetch("/ipxe.efi", asUEFI)
			m.fetch(menu.BootstrapPath+"?mac="+theMAC+"&platform=efi&buildarch=x86_64", asIPXE)
			m.fetch(catalog.LocalPath+"?mac="+theMAC, asIPXE)
			r.loadNBP(m, 2)
		}, "", "", 2, 2},
		"a one-time boot": {func(_ *running, m box) { m.fetch("/ipxe.efi", asUEFI) }, "debian-bookworm-amd64",
			"debian-bookworm-amd64", 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			r := start(t, func(c *agent.Config) { c.State = state })
			r.tree("http/debian/bookworm/debian-installer/amd64/linux", "http/debian/bookworm/debian-installer/amd64/initrd.gz")
			m := r.box(9)
			r.loadNBP(m, 1)
			if got := m.straight(); got != "" {
				t.Fatalf("it goes to %q at first", got)
			}
			m.fetch(catalog.LocalPath+"?mac="+theMAC, asIPXE)
			r.awaits("on its own disk", is(boot.LocalDisk))
			if c.once != "" {
				if err := machine.OpenOneTimeBoots(filepath.Join(state, "once"), nil).Set(theMAC, c.once); err != nil {
					t.Fatal(err)
				}
			}
			c.comes(r, m)
			if got := m.straight(); got != c.want {
				t.Errorf("it goes to %q, want %q", got, c.want)
			}
			if c.want == "local" {
				m.fetch(catalog.LocalPath+"?mac="+theMAC, asIPXE)
			}
			r.awaits("the last", func(b boot.Boot) bool { return len(b.Files) == c.files })
			if n := len(r.boots()); n != c.boots {
				t.Errorf("%d boots, want %d: %+v", n, c.boots, r.boots())
			}
		})
	}
}

// loadNBP has a machine's firmware fetch its boot file by TFTP, for the nth time.
func (r *running) loadNBP(m box, nth float64) {
	r.t.Helper()
	r.load(m.addr.As4()[3], "ipxe.efi", asFirmware)
	r.until(`pxeagent_requests_total\{artifact="nbp",class="uefi",outcome="ok",protocol="tftp"\}`, nth)
}
