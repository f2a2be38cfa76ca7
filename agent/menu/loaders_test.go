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

// What loaders would not read is refused with its line.
func TestMenusThatLoadersWouldNotRead(t *testing.T) {
	for _, tc := range []struct {
		language Language
		text     string
		says     string // "": it is read
	}{
		{GRUB, "menuentry 'a } b' --id x { echo \"\\\"}\" ; }\n", ""},
		{GRUB, "set a=${b}\nif [ \"$a\" = b ]; then\nmenuentry x { true; }\nfi # fi\n", ""},
		{GRUB, "while true; do menuentry x { true; }; done\n", ""},
		{GRUB, "function f { true; }\nmenuentry x { f; }\n", ""},
		{GRUB, "menuentry x {\n\techo it's\n}\n", "line 2: the quote ' has no end"},
		{GRUB, "\n\nmenuentry x {\n", "line 3: { has no end"},
		{GRUB, "menuentry x { true; }\nfi\n", "line 2: fi without if"},
		{GRUB, "menuentry x { true; }\nif true; then\n", "line 2: if has no end"},
		{GRUB, "menuentry x { echo ${a\n", "line 1: ${ has no end"},
		{GRUB, "set timeout=1\n", "it has no menuentry"},
		{GRUB, "", "it has no menuentry"},
		{Extlinux, "label x\n\tlinux /x\n", ""},
		{Extlinux, "TIMEOUT 1\nDEFAULT x\nLABEL x\n  MENU LABEL ^X\n  KERNEL /x\n  APPEND\n", ""},
		{Extlinux, "menu include graphics.cfg\nlabel x\ntext help\nanything\nendtext\nlocalboot -1\n", ""},
		{Extlinux, "label x\n\tlinux /x\ndefault y\n", `line 3: the default "y" does not name a label`},
		{Extlinux, "label x\nlabel y\n\tlinux /y\n", `line 1: the label "x" boots nothing`},
		{Extlinux, "label x\n\tlinux\n", "line 2: linux says nothing"},
		{Extlinux, "label x\n\tkernle /x\n", `line 2: "kernle" begins no line`},
		{Extlinux, "label x\n\tlinux /x\n\tappend " + strings.Repeat("x", 3000) + "\n", "line 3: it has 3"},
		{Extlinux, "default x\n", "it has no label"},
		{Extlinux, "label x\nlinux /x\ntext help\n", "text has no endtext"},
	} {
		err := tc.language.Check([]byte(tc.text))
		if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%q: %v, want %q", tc.text, err, tc.says)
		}
		if tc.language == GRUB && tc.says == "" {
			grubReads(t, []byte(tc.text))
		}
	}
}

// A broken template of another loader's is not put to use either: the last good one goes on, and iPXE's menu is as it
// was.
func TestBrokenTemplatesOfOtherLoaders(t *testing.T) {
	for l, c := range map[Language]struct{ good, broken string }{
		GRUB:     {"# mine\nmenuentry x {\n{{(index .Items 0).Commands}}\n}\n", "menuentry x {\n{{.Titel}}"},
		Extlinux: {"# mine\nlabel x\n{{(index .Items 0).Commands}}\n", "label x\n\t{{\"kernle /x\"}}\n"},
	} {
		s := newSite(t, Config{})
		loader := map[Language]Loader{GRUB: "grub", Extlinux: "u-boot"}[l]
		menu := func() Menu {
			t.Helper()
			m, err := s.MenuOf(loader, boot.Facts{}, netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		builtin := menu()
		s.put("http/"+l.File(), c.broken)
		if m := menu(); string(m.Script) != string(builtin.Script) || m.Err == nil || m.Source != l.File() {
			t.Errorf("%s, broken from the start: %v, %s", l, m.Err, m.Script)
		}
		s.put("http/"+l.File(), c.good)
		good := menu()
		if !strings.HasPrefix(string(good.Script), "# mine\n") || good.Err != nil {
			t.Errorf("%s, a good one: %v, %s", l, good.Err, good.Script)
		}
		s.put("http/"+l.File(), c.broken)
		for range 2 {
			m := menu()
			if string(m.Script) != string(good.Script) || m.Err == nil ||
				!strings.Contains(m.Err.Error(), l.File()+": ") || strings.Contains(m.Err.Error(), "\n") {
				t.Errorf("%s, broken: %v, %s", l, m.Err, m.Script)
			}
			if ipxe, err := s.Menu(boot.Facts{}, netip.Addr{}); err != nil || ipxe.Err != nil {
				t.Errorf("%s: iPXE's menu: %v, %v", l, err, ipxe.Err)
			}
		}
		if n := strings.Count(s.log.String(), "item="+l.File()); n != 2 {
			t.Errorf("%s: logged %d times, and it broke twice:\n%s", l, n, s.log)
		}
	}
}
