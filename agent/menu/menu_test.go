package menu

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
	"pxeagent/agent/script"
)

var update = flag.Bool("update", false, "rewrite the golden menus")

const (
	unix    = "/platform/i86pc/kernel/amd64/unix"
	archive = "/platform/i86pc/amd64/boot_archive"
)

// everything is a tree with one of each system.
var everything = []string{
	"smartos/20240104T000552Z" + unix, "smartos/20240104T000552Z" + archive,
	"memtest/memtest86+x64.bin", "memtest/memtest86+x64.efi", "memtest/memtest86+ia32.bin", "efi/memtest64.efi",
	"debian/bookworm/debian-installer/amd64/linux", "debian/bookworm/debian-installer/amd64/initrd.gz",
	"debian/bookworm/debian-installer/arm64/linux", "debian/bookworm/debian-installer/arm64/initrd.gz",
	"images/pxeboot/vmlinuz", "images/pxeboot/initrd.img", "images/install.img",
	"alpine/3.20/boot/vmlinuz-lts", "alpine/3.20/boot/initramfs-lts", "alpine/3.20/boot/modloop-lts",
	"flatcar/flatcar_production_pxe.vmlinuz", "flatcar/flatcar_production_pxe_image.cpio.gz",
	"talos/vmlinuz-amd64", "talos/initramfs-amd64.xz",
}

var smartOSes = []string{
	"smartos/20130808T195337Z" + unix, "smartos/20130808T195337Z" + archive,
	"smartos/20240104T000552Z" + unix, "smartos/20240104T000552Z" + archive, "smartos/20240104T000552Z" + archive +
		".hash",
	"memtest86/memtest86-5.01",
}

// seedHash is the one in the menu that a person wrote by hand.
const seedHash = "$5$rbGKkqrW$c3rJPrkPCAc.Idnw0Tv0Grc3A6oHJuL131C2H4ykuXA"

var (
	bios  = boot.Facts{MAC: "52:54:00:12:34:56", Platform: "pcbios", Arch: "i386"}
	uefi  = boot.Facts{MAC: "52:54:00:12:34:56", Platform: "efi", Arch: "x86_64"}
	arm64 = boot.Facts{Platform: "efi", Arch: "arm64"}
)

func TestMenuGolden(t *testing.T) {
	shadow, err := catalog.ParseShadow(seedHash)
	if err != nil {
		t.Fatal(err)
	}
	ever := time.Duration(0)
	for _, tc := range []struct {
		name   string
		menu   Settings
		choice machine.Choice
		facts  boot.Facts
		files  []string
	}{
		{name: "nothing"},
		{name: "smartos", menu: Settings{Title: "Rack 7", Default: "smartos-20130808T195337Z",
			Timeout: 30 * time.Second}, files: smartOSes},
		{name: "all", menu: Settings{Timeout: 10 * time.Second}, files: everything},
		{name: "all-bios", menu: Settings{Timeout: 10 * time.Second}, facts: bios, files: everything},
		{name: "all-uefi", menu: Settings{Timeout: 10 * time.Second}, facts: uefi, files: everything},
		{name: "all-arm64",
			menu: Settings{Timeout: 10 * time.Second, Console: catalog.Console{Port: 'a'}}, facts: arm64, files: everything},
		// What the person's menu of 2013 offers, made.
		{name: "seed", facts: bios, files: smartOSes[:2], menu: Settings{Title: "Welcome to iPXE's Boot Menu",
			Default: "smartos-20130808T195337Z",
			Timeout: 30 * time.Second, RootShadow: shadow, Entries: []Entry{
				{Group: "SmartOS option 1"}, {Item: "smartos-20130808T195337Z",
					Title: "Boot SmartOS"}, {Item: "smartos-*-rescue", Title: "Boot SmartOS noimport"},
				{Group: "Utilities"}, {Item: "shell"}, {Item: "reboot"}, {Item: catalog.Local, Title: "Exit (boot local disk)"},
			}}},
		{name: "configured", facts: bios, files: everything, menu: Settings{Title: "Rack ; 7", Default: "shell",
			Timeout: time.Second, Console: catalog.Console{Port: 'b'},
			RootShadow: shadow, NoRescue: true, Hide: []string{"talos*", "config"}, Entries: []Entry{
				{Item: "memtest-*", Console: catalog.Console{Port: 't'}},
				{Group: "# Installers"}, {Item: "debian-*", Title: "Debian || nothing", Args: "auto=true " +
					"priority=critical"}, {Item: "fedora", Hidden: true},
				{Group: "SmartOS"}, {Item: "smartos-*", Args: "-kd hostname=${hostname}",
					Console: catalog.Console{Port: 'c', Speed: 9600}},
				{Group: "Nothing fits"}, {Item: "windows-*"},
			}}},
		{name: "chosen", facts: bios, files: everything, choice: machine.Choice{Host: "node-01", Profile: "compute",
			Item: "smartos-20240104T000552Z", Args: "hostname=node-01",
			Console: "ttya", Timeout: &ever, Hide: []string{"*", "smartos-*"}}},
		{name: "straight", files: everything, choice: machine.Choice{Host: "node-02", Profile: "# odd",
			Item: "debian-bookworm-amd64", SkipMenu: true, Args: "auto=true"}},
		{name: "straight-told",
			facts: uefi, files: everything, choice: machine.Choice{Item: catalog.Local, SkipMenu: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t,
				Config{Settings: tc.menu, Choose: func(boot.Facts, netip.Addr) machine.Choice { return tc.choice }})
			for _, f := range tc.files {
				s.put("http/"+f, "x")
			}
			m, err := s.Menu(tc.facts, netip.Addr{})
			if err != nil || m.Err != nil {
				t.Fatal(err, m.Err)
			}
			got := m.Script
			golden := filepath.Join("testdata", tc.name+".ipxe")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-want +got; -update accepts it)\n%s", diff)
			}
			if f := script.Faults(got); f != nil {
				t.Errorf("%+v", f)
			}
			if s.log.Len() > 0 {
				t.Errorf("logged:\n%s", s.log)
			}
			// It is what a machine that tells this is served.
			if served := s.ask(boot.Ask{Class: boot.IPXE, Facts: tc.facts, Told: true}); served != string(got) {
				t.Errorf("served\n%s", served)
			}
			if strings.Contains(string(m.Shown), seedHash) ||
				!strings.Contains(string(got), seedHash) && string(m.Shown) != string(got) {
				t.Errorf("shown to people:\n%s", m.Shown)
			}
			// Whatever a menu names can be fetched.
			for _, m := range regexp.MustCompile(`\$\{base\}(\S+)|(http://10\S+)`).FindAllStringSubmatch(string(got), -1) {
				p, _, _ := strings.Cut(m[1]+strings.TrimPrefix(m[2], "http://10.0.0.7:8080"), "?")
				if p == "" || p == "/" || p == catalog.LocalPath {
					continue // the tree itself, and what is built in
				}
				if _, err := os.Stat(filepath.Join(s.root, "http", p)); err != nil {
					t.Errorf("%s: %v", p, err)
				}
			}
		})
	}
}

func TestMenuDefaultIsTheLocalDisk(t *testing.T) {
	for _, tc := range []struct {
		def, want string
		warns     int
	}{
		{"", "local", 0}, {"local", "local", 0}, {"shell", "shell", 0},
		{"memtest-memtest64", "memtest-memtest64", 0},
		{"smartos-20130808T195337Z", "local", 1}, {"x ${y} || z", "local", 1},
	} {
		s := newSite(t, Config{Settings: Settings{Default: tc.def}})
		s.put("http/memtest64.bin", "x")
		for range 2 {
			got := s.script()
			want := "\nchoose --default " + tc.want + " "
			if strings.HasPrefix(tc.want, "memtest") { // which UEFI machines do not have here
				want = "\nset menu-default " + tc.want + "\niseq ${platform} pcbios || set menu-default " +
					"local\nchoose --default ${menu-default} "
			}
			if !strings.Contains(got, want) {
				t.Errorf("default %q: not %q in\n%s", tc.def, tc.want, got)
			}
		}
		if n := strings.Count(s.log.String(), "level=WARN"); n != tc.warns {
			t.Errorf("default %q: %d warnings, want %d:\n%s", tc.def, n, tc.warns, s.log)
		}
	}
}

func TestMenuFollowsTheDisk(t *testing.T) {
	s := newSite(t, Config{})
	has := func(step string, want bool) {
		t.Helper()
		got := s.script()
		if strings.Contains(got, "memtest64") != want {
			t.Errorf("%s: memtest in the menu: %v, want %v", step, !want, want)
		}
	}
	has("empty", false)
	s.put("http/a/memtest64.bin", "x")
	has("added", true)
	if err := os.Rename(filepath.Join(s.root, "http/a"), filepath.Join(s.root, "away")); err != nil {
		t.Fatal(err)
	}
	has("moved away", false)
	if err := os.RemoveAll(filepath.Join(s.root, "http")); err != nil {
		t.Fatal(err)
	}
	has("no tree", false)
}

func TestMenuLeavesOutWhatCannotBoot(t *testing.T) {
	s := newSite(t, Config{})
	long := "http/" + strings.Repeat(strings.Repeat("x", 60)+"/", 3) + "20140101T000000Z"
	for _, dir := range []string{"http/smartos/20130808T195337Z", long} {
		s.put(dir+unix, "x")
		s.put(dir+archive, "x")
	}
	for range 2 {
		got := s.script()
		if strings.Contains(got, "-- smartos-20140101T000000Z") || strings.Contains(got, "\n:smartos-20140101T000000Z") ||
			!strings.Contains(got, "-- smartos-20130808T195337Z ") ||
			strings.Count(got, "SmartOS 20140101T000000Z is left out") != 1 {
			t.Errorf("not the one that fits and only that:\n%s", got)
		}
	}
	if n := strings.Count(s.log.String(), "item=smartos-20140101T000000Z "); n != 1 {
		t.Errorf("logged %d times, want once:\n%s", n, s.log)
	}
}

func BenchmarkMenu(b *testing.B) {
	s := newSite(b, Config{})
	for _, v := range []string{"20130808T195337Z", "20240104T000552Z", "20250101T000000Z"} {
		s.put("http/smartos/"+v+unix, "x")
		s.put("http/smartos/"+v+archive, "x")
	}
	old := time.Now().Add(-time.Hour)
	if err := filepath.WalkDir(s.root, func(p string, _ os.DirEntry, _ error) error {
		return os.Chtimes(p, old, old)
	}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s.script()
	}
}
