package menu

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
)

// One catalog in every loader's language. What the loaders ask is what deploy/lab/boots sees real ones ask.
func TestTheSameMenuInEachLanguage(t *testing.T) {
	tftp := catalog.Tree(t.TempDir())
	for _, f := range []string{"menu.c32", "mboot.c32"} {
		if err := os.WriteFile(filepath.Join(string(tftp), f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	settings := Settings{Title: "Rack 7", Timeout: 10 * time.Second, Console: catalog.Console{Port: 'b'}, Entries: []Entry{
		{Group: "It's tested"}, {Item: "debian-*", Title: "Debian's installer", Args: "priority=critical"},
	}}
	once := machine.Choice{Host: "node-01", Profile: "compute", Item: "debian-bookworm-amd64", SkipMenu: true, Once: true}
	disk := machine.Choice{Item: catalog.Local, SkipMenu: true}
	const mac = "01-52-54-00-12-34-56"
	for name, c := range map[string]struct {
		asks   string
		proto  boot.Proto
		class  boot.Class
		tftp   catalog.Tree
		choice machine.Choice
	}{
		"three.ipxe":      {asks: "ipxe", proto: boot.HTTP, class: boot.IPXE},
		"three.grub":      {asks: "/grub/grub.cfg-" + mac, proto: boot.TFTP, class: boot.GRUB},
		"http.grub":       {asks: "/grub/grub.cfg", proto: boot.HTTP, class: boot.GRUB},
		"once.grub":       {asks: "grub/grub.cfg", proto: boot.TFTP, class: boot.GRUB, choice: once},
		"three.pxelinux":  {asks: "pxelinux.cfg/" + mac, proto: boot.TFTP, class: boot.PXELinux, tftp: tftp},
		"plain.pxelinux":  {asks: "pxelinux.cfg/default", proto: boot.TFTP, class: boot.PXELinux},
		"once.pxelinux":   {asks: "pxelinux.cfg/" + mac, proto: boot.TFTP, class: boot.PXELinux, tftp: tftp, choice: once},
		"disk.pxelinux":   {asks: "pxelinux.cfg/0A000032", proto: boot.TFTP, class: boot.PXELinux, choice: disk},
		"three.u-boot":    {asks: "pxelinux.cfg/" + mac, proto: boot.TFTP, class: boot.UBoot},
		"default.u-boot":  {asks: "pxelinux.cfg/default-arm-qemu", proto: boot.TFTP, class: boot.Unknown},
		"once-x86.u-boot": {asks: "pxelinux.cfg/default-arm", proto: boot.TFTP, class: boot.UBoot, choice: once},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Config{Settings: settings, TFTP: c.tftp,
				Choose: func(boot.Facts, netip.Addr) machine.Choice { return c.choice }})
			for _, f := range append(everything, "debian/bookworm/debian-installer/arm64/dtbs/board.dtb", "wim/wimboot",
				"wim/BCD", "wim/boot.sdi", "wim/boot.wim", "ipxe/menu.d/mine.ipxe") {
				text := "x"
				if strings.HasSuffix(f, ".ipxe") {
					text = "#!ipxe\n"
				}
				s.put("http/"+f, text)
			}
			ask := boot.Ask{Proto: c.proto, Class: c.class, Name: c.asks, Client: netip.MustParseAddrPort("10.0.0.50:1")}
			got, _, err := s.Bootstrap(boot.Ask{})
			if n, other := boot.ParseMenuName(c.asks); other {
				got, _, err = s.Render(n, ask)
			}
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, got)
			if n := strings.Count(s.log.String(), "level=WARN"); n != strings.Count(name, "x86") {
				t.Errorf("%d warnings:\n%s", n, s.log)
			}
			for _, l := range Languages() {
				if strings.HasSuffix(name, map[Language]string{IPXE: ".ipxe", GRUB: ".grub"}[l]) && l != Extlinux {
					if err := renderings[l].check(got); err != nil {
						t.Error(err)
					}
				}
			}
			if strings.HasSuffix(name, ".grub") {
				grubReads(t, got)
			} else if !strings.HasSuffix(name, ".ipxe") {
				if err := checkExtlinux(got); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got; -update accepts it)\n%s", diff)
	}
}

// grubReads has GRUB's own checker read a menu, where it is installed.
func grubReads(t *testing.T, text []byte) {
	t.Helper()
	if _, err := exec.LookPath("grub-script-check"); err != nil {
		t.Log("not checked by grub-script-check, which is not installed")
		return
	}
	cmd := exec.Command("grub-script-check")
	cmd.Stdin = strings.NewReader(string(text))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("grub-script-check: %v: %s", err, out)
	}
}
