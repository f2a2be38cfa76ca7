package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/image"
	"pxeagent/agent/script"
)

// seedHash is the one in the menu that a person wrote by hand.
const seedHash = "$5$rbGKkqrW$c3rJPrkPCAc.Idnw0Tv0Grc3A6oHJuL131C2H4ykuXA"

// The command line that a kernel of each kind gets.
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
	smartos := image.Image{
		System:    "smartos",
		BIOS:      "u",
		Multiboot: true,
		Kind:      image.KindMultiboot,
		Args:      args("-B", "console=text,smartos=true"),
		Modules:   []image.Module{{Path: "m", Args: "type=rootfs name=ramdisk"}},
	}
	linux := image.Image{
		System:  "debian",
		CPU:     image.X86,
		BIOS:    "k",
		EFI:     "k",
		Kind:    image.KindLinux,
		Args:    args("initrd=i", "console=ttyS9", "quiet"),
		Modules: []image.Module{{Path: "i"}},
	}
	arm := linux
	arm.CPU, arm.BIOS = image.ARM64, ""
	shimmed := linux
	shimmed.Shim = "s/bootx64.efi"
	named := linux
	named.Args, named.Modules = nil, []image.Module{{Path: "a/b.img", Name: "root"}}
	for name, tc := range map[string]struct {
		image   image.Image
		options Options
		want    string
	}{
		"smartos": {smartos, Options{}, "kernel ${base}/u -B console=text,smartos=true || goto " +
			"failed\nmodule ${base}/m type=rootfs name=ramdisk || goto failed\nboot || goto failed"},
		"with a password": {smartos, Options{RootShadow: shadow}, "kernel ${base}/u -B console=text,root_shadow='" +
			seedHash + "',smartos=true || goto failed"},
		"rescue": {smartos, Options{RootShadow: shadow}, "kernel ${base}/u -B console=text,root_shadow='" +
			seedHash + "',noimport=true || goto failed"},
		"on a serial port": {smartos, Options{Console: Console{Port: 'b'}},
			`kernel ${base}/u -B console=ttyb,ttyb-mode="115200,8,n,1,-",smartos=true || goto failed`},
		"with arguments": {smartos, Options{Args: "-kd a=b -v"}, "kernel ${base}/u -B " +
			"console=text,smartos=true,a=b -kd -v || goto failed"},
		"linux": {linux, Options{}, "kernel ${base}/k initrd=i console=ttyS9 quiet || goto failed\ninitrd " +
			"${base}/i || goto failed\nboot || goto failed"},
		"linux, serial": {linux, Options{Console: Console{Port: 'a', Speed: 9600}, Args: "x=1"},
			"kernel ${base}/k initrd=i quiet console=tty0 console=ttyS0,9600 x=1 || goto failed"},
		"linux, screen": {linux, Options{Console: Console{Port: 't'}, RootShadow: shadow}, "kernel ${base}/k " +
			"initrd=i quiet console=tty0 || goto failed"},
		"arm64, serial": {arm, Options{Console: Console{Port: 'a'}}, "kernel ${base}/k initrd=i console=ttyS9 " +
			"quiet || goto failed"},
		"with a shim": {shimmed, Options{}, "kernel ${base}/k initrd=i console=ttyS9 quiet || goto failed\ninitrd " +
			"${base}/i || goto failed\niseq ${platform} efi && shim ${base}/s/bootx64.efi ||\nboot || goto failed"},
		"a named initrd": {named, Options{}, "kernel ${base}/k || goto failed\ninitrd --name root ${base}/a/b.img " +
			"|| goto failed\nboot || goto failed"},
		"two kernels": {image.Image{Kind: image.KindLinux, BIOS: "b.bin", EFI: "e.efi",
			System: "memtest"}, Options{Console: Console{Port: 'a'}},
			"set kernel ${base}/b.bin\niseq ${platform} efi && set kernel ${base}/e.efi ||\nkernel ${kernel} " +
				"console=ttyS0,115200 || goto failed\nboot || goto failed"},
		"memtest, screen": {image.Image{Kind: image.KindLinux, BIOS: "b",
			System: "memtest"}, Options{Console: Console{Port: 't'}}, "kernel ${base}/b || goto failed\nboot || goto " +
			"failed"},
		"iso": {image.Image{Kind: image.KindISO, BIOS: "x y.iso",
			EFI: "x y.iso"}, Options{Console: Console{Port: 'a'}, Args: "x"}, "sanboot --no-describe ${base}/x%20y.iso " +
			"|| goto failed\ngoto start"},
		"wimboot": {image.Image{Kind: image.KindWimboot, BIOS: "w", EFI: "w",
			Modules: []image.Module{{Path: "boot/bcd", Name: "BCD"}, {Path: "boot.wim", Name: "boot.wim"}}}, Options{},
			"kernel ${base}/w || goto failed\ninitrd --name BCD ${base}/boot/bcd BCD || goto failed\ninitrd --name " +
				"boot.wim ${base}/boot.wim boot.wim || goto failed\nboot || goto failed"},
	} {
		got := commandsOf(tc.image, tc.options, name == "rescue")
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
		`console=ttyb,ttyb-mode="115200,8,n,1,-",x='a,"b',y`: {"console=ttyb",
			`ttyb-mode="115200,8,n,1,-"`, `x='a,"b'`, "y"},
		`a='open,b`: {`a='open,b`},
	} {
		if diff := cmp.Diff(want, splitProperties(in)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}

func TestParseConsole(t *testing.T) {
	for in, want := range map[string]Console{
		"": {}, "text": {Port: 't'}, "ttya": {Port: 'a'}, "ttyd,9600": {Port: 'd', Speed: 9600}, "ttyS0": {Port: 'a'},
		"ttyS3,1500000": {Port: 'd', Speed: 1500000},
	} {
		got, err := ParseConsole(in)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", in, got, err, want)
		}
		if again, err := ParseConsole(got.String()); err != nil || again != got {
			t.Errorf("%q comes back as %q", in, got)
		}
	}
	for _, in := range []string{"ttye", "ttyS4", "tty", "vga", "ttya,", "ttya,12", "ttya,9600,8n1", "text,9600",
		" text", "ttya\n", "TTYA"} {
		if got, err := ParseConsole(in); err == nil {
			t.Errorf("%q is taken for %+v", in, got)
		}
	}
}

// A hash reaches the kernel as it is, or is refused: each byte of ASCII is tried in it.
func TestParseShadow(t *testing.T) {
	for _, s := range []string{seedHash, "$6$rounds=5000$salt$hash./AZ",
		"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", "$2b$12$abcdefghijklmnopqrstuv",
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
		letter := c < 0x80 &&
			(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("./+=,_-$",
				rune(c)))
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

func TestCommandLineLimit(t *testing.T) {
	img := image.Image{Key: "smartos-x", Multiboot: true, BIOS: "u", Modules: []image.Module{{Path: "m"}}}
	base := "http://h"
	// http://h/u, blank, nothing, NUL; http://h/m, blank, argument, NUL
	img.Modules[0].Args = strings.Repeat("a", script.MaxCommandLine-(10+2)-(10+2))
	if n := commandLine(base, img, ""); n != script.MaxCommandLine {
		t.Errorf("%d bytes, want %d", n, script.MaxCommandLine)
	}
	text := func() []byte {
		return []byte("#!ipxe\nset base http://h\n" + commandsOf(img, Options{}, false) + "\n:failed\nexit 1\n")
	}
	if f := script.Faults(text()); f != nil {
		t.Errorf("at the limit: %+v", f)
	}
	img.Modules[0].Args += "a"
	f := script.Faults(text())
	if len(f) != 1 || f[0].Code != script.LongMultiboot || !strings.Contains(f[0].Text, "513") {
		t.Errorf("one byte over the limit: %+v", f)
	}
}
