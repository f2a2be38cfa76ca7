package ipxe

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/boot"
	"pxeagent/agent/image"
	"pxeagent/agent/script"
)

// What a kernel of each kind is told.
func TestCommandsOf(t *testing.T) {
	shadow, err := ParseShadow(seedHash)
	if err != nil {
		t.Fatal(err)
	}
	args := func(texts ...string) (out []image.Arg) {
		for _, s := range texts {
			out = append(out, image.Arg{Text: s})
		}
		return out
	}
	smartos := image.Image{System: "smartos", BIOS: "u", Multiboot: true, Kind: image.KindMultiboot, Args: args("-B", "console=text,smartos=true"),
		Modules: []image.Module{{Path: "m", Args: "type=rootfs name=ramdisk"}}}
	linux := image.Image{System: "debian", CPU: image.X86, BIOS: "k", EFI: "k", Kind: image.KindLinux, Args: args("initrd=i", "console=ttyS9", "quiet"), Modules: []image.Module{{Path: "i"}}}
	arm := linux
	arm.CPU, arm.BIOS = image.ARM64, ""
	named := linux
	named.Args, named.Modules = nil, []image.Module{{Path: "a/b.img", Name: "root"}}
	for name, tc := range map[string]struct {
		image image.Image
		wish  wish
		want  string
	}{
		"smartos":          {smartos, wish{}, "kernel ${base}/u -B console=text,smartos=true || goto failed\nmodule ${base}/m type=rootfs name=ramdisk || goto failed\nboot || goto failed"},
		"with a password":  {smartos, wish{shadow: shadow}, "kernel ${base}/u -B console=text,root_shadow='" + seedHash + "',smartos=true || goto failed"},
		"rescue":           {smartos, wish{shadow: shadow, rescue: true}, "kernel ${base}/u -B console=text,root_shadow='" + seedHash + "',noimport=true || goto failed"},
		"on a serial port": {smartos, wish{console: Console{Port: 'b'}}, `kernel ${base}/u -B console=ttyb,ttyb-mode="115200,8,n,1,-",smartos=true || goto failed`},
		"with arguments":   {smartos, wish{args: "-kd a=b -v"}, "kernel ${base}/u -B console=text,smartos=true,a=b -kd -v || goto failed"},
		"linux":            {linux, wish{}, "kernel ${base}/k initrd=i console=ttyS9 quiet || goto failed\ninitrd ${base}/i || goto failed\nboot || goto failed"},
		"linux, serial":    {linux, wish{console: Console{Port: 'a', Speed: 9600}, args: "x=1"}, "kernel ${base}/k initrd=i quiet console=tty0 console=ttyS0,9600 x=1 || goto failed"},
		"linux, screen":    {linux, wish{console: Console{Port: 't'}, shadow: shadow}, "kernel ${base}/k initrd=i quiet console=tty0 || goto failed"},
		"arm64, serial":    {arm, wish{console: Console{Port: 'a'}}, "kernel ${base}/k initrd=i console=ttyS9 quiet || goto failed"},
		"a named initrd":   {named, wish{}, "kernel ${base}/k || goto failed\ninitrd --name root ${base}/a/b.img || goto failed\nboot || goto failed"},
		"two kernels": {image.Image{Kind: image.KindLinux, BIOS: "b.bin", EFI: "e.efi", System: "memtest"}, wish{console: Console{Port: 'a'}},
			"set kernel ${base}/b.bin\niseq ${platform} efi && set kernel ${base}/e.efi ||\nkernel ${kernel} console=ttyS0,115200 || goto failed\nboot || goto failed"},
		"memtest, screen": {image.Image{Kind: image.KindLinux, BIOS: "b", System: "memtest"}, wish{console: Console{Port: 't'}}, "kernel ${base}/b || goto failed\nboot || goto failed"},
		"iso":             {image.Image{Kind: image.KindISO, BIOS: "x y.iso", EFI: "x y.iso"}, wish{console: Console{Port: 'a'}, args: "x"}, "sanboot --no-describe ${base}/x%20y.iso || goto failed\ngoto start"},
		"wimboot": {image.Image{Kind: image.KindWimboot, BIOS: "w", EFI: "w", Modules: []image.Module{{Path: "boot/bcd", Name: "BCD"}, {Path: "boot.wim", Name: "boot.wim"}}}, wish{},
			"kernel ${base}/w || goto failed\ninitrd --name BCD ${base}/boot/bcd BCD || goto failed\ninitrd --name boot.wim ${base}/boot.wim boot.wim || goto failed\nboot || goto failed"},
	} {
		got := commandsOf(tc.image, tc.wish)
		if !strings.HasPrefix(got, tc.want) || strings.HasSuffix(tc.want, "boot || goto failed") && got != tc.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, tc.want)
		}
	}
}

func TestSplitProperties(t *testing.T) {
	for in, want := range map[string][]string{
		"":    {""},
		"a":   {"a"},
		"a,b": {"a", "b"},
		`console=ttyb,ttyb-mode="115200,8,n,1,-",x='a,"b',y`: {"console=ttyb", `ttyb-mode="115200,8,n,1,-"`, `x='a,"b'`, "y"},
		`a='open,b`: {`a='open,b`},
	} {
		if diff := cmp.Diff(want, splitProperties(in)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}

func TestParseConsole(t *testing.T) {
	for in, want := range map[string]Console{
		"": {}, "text": {Port: 't'}, "ttya": {Port: 'a'}, "ttyd,9600": {Port: 'd', Speed: 9600}, "ttyS0": {Port: 'a'}, "ttyS3,1500000": {Port: 'd', Speed: 1500000},
	} {
		got, err := ParseConsole(in)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", in, got, err, want)
		}
		if again, err := ParseConsole(got.String()); err != nil || again != got {
			t.Errorf("%q comes back as %q", in, got)
		}
	}
	for _, in := range []string{"ttye", "ttyS4", "tty", "vga", "ttya,", "ttya,12", "ttya,9600,8n1", "text,9600", " text", "ttya\n", "TTYA"} {
		if got, err := ParseConsole(in); err == nil {
			t.Errorf("%q is taken for %+v", in, got)
		}
	}
}

// A hash reaches the kernel as it is, or is refused: each byte of ASCII is tried in it.
func TestParseShadow(t *testing.T) {
	for _, s := range []string{seedHash, "$6$rounds=5000$salt$hash./AZ", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", "$2b$12$abcdefghijklmnopqrstuv",
		"$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA+/", "$1$$x"} {
		shadow, err := ParseShadow(s)
		if err != nil || shadow.property() != "root_shadow='"+s+"'" {
			t.Errorf("%q: %v", s, err)
		}
		if text := shadow.String(); text != hidden {
			t.Errorf("it prints as %q", text)
		}
	}
	for c := range 256 {
		s := "$5$salt$ab" + string([]byte{byte(c)}) + "cd"
		_, err := ParseShadow(s)
		letter := c < 0x80 && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("./+=,_-$", rune(c)))
		if (err == nil) != letter {
			t.Errorf("byte %#x in it: %v", c, err)
		}
		if err != nil && strings.Contains(err.Error(), "salt") {
			t.Errorf("the error shows it: %v", err)
		}
	}
	for _, s := range []string{"", "secret", "x$5$a$b", "$", "$5", "*LK*", "$5$" + strings.Repeat("a", maxShadow)} {
		if _, err := ParseShadow(s); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// What cannot be booted is never a default, and what is not for a machine is the local disk for it.
func TestDefaultsOfMachines(t *testing.T) {
	for name, tc := range map[string]struct {
		conf     string
		choice   Choice
		facts    boot.Facts
		want     string
		straight bool
		wrong    string
	}{
		"nobody says anything":      {"", Choice{}, bios, Local, false, ""},
		"the site's":                {"smartos-20240104T000552Z", Choice{}, bios, "smartos-20240104T000552Z", false, ""},
		"the machine's":             {"shell", Choice{Item: "smartos-20240104T000552Z-rescue"}, bios, "smartos-20240104T000552Z-rescue", false, ""},
		"not for UEFI":              {"smartos-20240104T000552Z", Choice{}, uefi, Local, false, ""},
		"not for UEFI, straight":    {"", Choice{Item: "smartos-20240104T000552Z", Straight: true}, uefi, Local, false, "not for this machine"},
		"not there":                 {"", Choice{Item: "smartos-20250101T000000Z", Straight: true, Host: "h"}, bios, Local, false, `"smartos-20250101T000000Z", is not there`},
		"straight":                  {"", Choice{Item: "debian-bookworm-amd64", Straight: true}, bios, "debian-bookworm-amd64", true, ""},
		"straight, the site's":      {"shell", Choice{Straight: true}, bios, "shell", true, ""},
		"hidden, and yet there":     {"", Choice{Item: "debian-bookworm-amd64", Hide: []string{"*"}}, bios, "debian-bookworm-amd64", false, ""},
		"arguments that end a line": {"", Choice{Item: "debian-bookworm-amd64", Straight: true, Args: "x || reboot"}, bios, Local, false, "its arguments cannot be passed"},
		"arguments that are too long": {"", Choice{Item: "smartos-20240104T000552Z", Args: "x=" + strings.Repeat("y", 400)}, bios, Local, false,
			"smartos-20240104T000552Z is left out: its command lines need"},
		"a console that is none": {"", Choice{Console: "vt220", Profile: "p"}, bios, Local, false, `console of profile p: "vt220" is no console`},
		"for ARM64 only":         {"", Choice{Item: "debian-bookworm-arm64"}, uefi, Local, false, "needs an ARM64 machine"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Config{Menu: MenuConfig{Default: tc.conf}, Choose: func(f boot.Facts, addr netip.Addr) Choice {
				if f != tc.facts || addr != netip.MustParseAddr("10.0.0.9") {
					t.Errorf("asked for %+v at %v", f, addr)
				}
				return tc.choice
			}})
			for _, f := range everything {
				s.put("http/"+f, "x")
			}
			m, err := s.Menu(tc.facts, netip.MustParseAddr("10.0.0.9"))
			if err != nil || m.Default != tc.want || m.Straight != tc.straight || strings.Contains(string(m.Script), "\ngoto "+m.Default+"\n:start\n") != tc.straight {
				t.Errorf("%v, default %q, straight %v, in\n%s", err, m.Default, m.Straight, m.Script)
			}
			if (m.Err == nil) != (tc.wrong == "") || m.Err != nil && !strings.Contains(m.Err.Error(), tc.wrong) {
				t.Errorf("wrong is %v, want %q", m.Err, tc.wrong)
			}
			shown := 0
			for _, i := range m.Items {
				if i.Default != (i.Key == tc.want) || i.Default && !i.Shown {
					t.Errorf("%+v", i)
				}
				if i.Shown {
					shown++
				}
			}
			if shown == 0 || !strings.Contains(string(m.Script), "-- "+tc.want+" ") {
				t.Errorf("%d items shown, the default among them?\n%s", shown, m.Script)
			}
			if f := script.Lint(m.Script); f != nil {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A new image changes no default.
func TestNewImageIsNoDefault(t *testing.T) {
	s := newSite(t, Config{})
	for _, f := range everything {
		s.put("http/"+f, "x")
		for _, k := range Kinds() {
			if m, err := s.Menu(k.Facts, netip.Addr{}); err != nil || m.Default != Local || m.Straight {
				t.Fatalf("with %s, %s: %v, %q", f, k.Name, err, m.Default)
			}
		}
	}
}

// Each thing is logged once as long as it lasts, for each host.
func TestProblemsAreLoggedOnce(t *testing.T) {
	hosts := map[string]Choice{"a": {Host: "a", Item: "gone"}, "b": {Host: "b", Item: "gone"}}
	s := newSite(t, Config{Choose: func(f boot.Facts, _ netip.Addr) Choice { return hosts[f.Serial] }})
	ask := func() {
		for range 2 {
			for _, serial := range []string{"a", "b", "c"} {
				s.read(boot.Ask{Proto: boot.HTTP, Name: BootstrapPath, Told: true, Facts: boot.Facts{Serial: serial, Platform: "efi", Arch: "x86_64"}})
			}
		}
	}
	ask()
	if n := strings.Count(s.log.String(), "level=WARN"); n != 2 || !strings.Contains(s.log.String(), "host=a") || !strings.Contains(s.log.String(), "host=b") {
		t.Errorf("%d warnings:\n%s", n, s.log)
	}
	hosts = map[string]Choice{"a": {Host: "a"}, "b": {Host: "b", Item: "gone"}}
	ask()
	hosts = map[string]Choice{"a": {Host: "a", Item: "gone"}}
	ask()
	if n := strings.Count(s.log.String(), "level=WARN"); n != 3 {
		t.Errorf("%d warnings, want a third, for what came again:\n%s", n, s.log)
	}
}

func TestConfigureWhileServing(t *testing.T) {
	s := newSite(t, Config{})
	done := make(chan error, 1)
	go func() {
		var err error
		for range 200 {
			if _, e := s.Menu(bios, netip.Addr{}); e != nil {
				err = errors.Join(err, e)
			}
		}
		done <- err
	}()
	for n := range 200 {
		s.Configure(MenuConfig{Title: strings.Repeat("x", n+1), Timeout: time.Duration(n) * time.Second})
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.Configure(MenuConfig{Title: "Rack 8", Timeout: time.Minute})
	if m, err := s.Menu(bios, netip.Addr{}); err != nil || m.Title != "Rack 8" || m.Timeout != time.Minute || !strings.Contains(string(m.Script), "\nset menu-timeout 60000\n") {
		t.Errorf("%v, %+v", err, m)
	}
}

// FuzzMenu: whatever the configuration and a profile say, the menu has no fault that can be seen, and its default is an item.
func FuzzMenu(f *testing.F) {
	f.Add("Rack 7", "smartos-20240104T000552Z", "a=b -kd", "debian-*", "Group", "ttyb")
	f.Add("# ; x", "local", "x || y", "*", "&& || ;", "text")
	f.Add("", "shell", "${ip}", "[", "-- gap", "")
	s := newSite(f, Config{Choose: func(f boot.Facts, _ netip.Addr) Choice {
		return Choice{Host: f.Serial, Profile: f.Serial, Item: f.Asset, Args: f.Product, Console: f.Manufacturer, Hide: []string{f.UUID}}
	}})
	for _, name := range everything {
		s.put("http/"+name, "x")
	}
	f.Fuzz(func(t *testing.T, title, item, args, pattern, group, console string) {
		s.Configure(MenuConfig{Title: title, Entries: []MenuEntry{{Group: group}, {Item: pattern, Title: title}, {Item: item, Args: args}}})
		for _, k := range Kinds() {
			facts := k.Facts
			facts.Serial, facts.Asset, facts.Product, facts.Manufacturer, facts.UUID = title, item, args, console, pattern
			m, err := s.Menu(facts, netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(title+group, "${") { // which means something
				continue
			}
			for _, found := range script.Lint(m.Script) {
				t.Errorf("%s: %+v in\n%s", k.Name, found, m.Script)
			}
			if !strings.Contains(string(m.Script), "-- "+m.Default+" ") {
				t.Errorf("%s: the default %q is no item of\n%s", k.Name, m.Default, m.Script)
			}
		}
	})
}
