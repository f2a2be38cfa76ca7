package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tinkerbell/ipxedust/binary"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/efi"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/menu"
	"pxeagent/agent/script"
	"pxeagent/agent/secureboot"
)

// site is a root folder and the library made of it.
type site struct {
	*Library
	t    testing.TB
	root string
	log  *bytes.Buffer
}

func newSite(t testing.TB, c Config) *site {
	t.Helper()
	s := &site{t: t, root: t.TempDir(), log: &bytes.Buffer{}}
	c.Root = s.root
	c.NextServer = netip.MustParseAddr("10.0.0.7")
	c.Log = slog.New(slog.NewTextHandler(s.log, nil))
	if c.Menu == nil {
		c.Menu = menus(t, menu.Config{}, s.root)
	}
	var err error
	if s.Library, err = New(c); err != nil {
		t.Fatal(err)
	}
	return s
}

// menus sets of c what is not set.
func menus(t testing.TB, c menu.Config, root string) *menu.Builder {
	t.Helper()
	if c.Base == nil {
		c.Base = menu.Base(netip.MustParseAddrPort("10.0.0.7:8080"))
	}
	var err error
	c.Catalog, err = catalog.New(catalog.Config{Root: root})
	b, wrong := menu.New(c)
	if err = errors.Join(err, wrong); err != nil {
		t.Fatal(err)
	}
	return b
}

// put writes a file below the root.
func (s *site) put(name, text string) {
	s.t.Helper()
	p := filepath.Join(s.root, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) read(a *boot.Ask) (*File, string) {
	s.t.Helper()
	f, err := s.Open(a)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f.Reader())
	if err != nil {
		s.t.Fatal(err)
	}
	if int64(len(b)) != f.Size {
		s.t.Errorf("%q has %d bytes and says %d", a.Name, len(b), f.Size)
	}
	return f, string(b)
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func tftp(name string) *boot.Ask { return &boot.Ask{Proto: boot.TFTP, Name: name, Class: boot.BIOSROM} }
func http(name string) *boot.Ask { return &boot.Ask{Proto: boot.HTTP, Name: name, Class: boot.UEFI} }

func TestBuiltinFiles(t *testing.T) {
	s := newSite(t, Config{Chain: ipxe.ChainOff})
	bootstrap, _, err := s.menu.Bootstrap(boot.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		ask         *boot.Ask
		artifact    boot.Artifact
		contentType string
		want        []byte
	}{
		{tftp("undionly.kpxe"), boot.NBP, "application/octet-stream", binary.Undionly},
		{tftp("ipxe.efi"), boot.NBP, "application/efi", binary.IpxeEFI},
		{tftp("snp-arm64.efi"), boot.NBP, "application/efi", binary.SNP},
		{tftp("autoexec.ipxe"), boot.Script, "text/plain; charset=utf-8", s.leads.Autoexec()},
		{http("/undionly.kpxe"), boot.NBP, "application/octet-stream", binary.Undionly},
		{http("/ipxe.efi"), boot.NBP, "application/efi", binary.IpxeEFI},
		{http("/snp-arm64.efi"), boot.NBP, "application/efi", binary.SNP},
		{http("/autoexec.ipxe"), boot.Script, "text/plain; charset=utf-8", s.leads.Autoexec()},
		{http("/ipxe/bootstrap.ipxe"), boot.Script, "text/plain; charset=utf-8", bootstrap},
	} {
		f, got := s.read(tc.ask)
		if got != string(tc.want) {
			t.Errorf("%s %s: %d bytes, not the %d wanted", tc.ask.Proto, tc.ask.Name, len(got), len(tc.want))
		}
		if f.Artifact != tc.artifact || f.ContentType != tc.contentType || f.LoopBroken || len(f.Quirks) > 0 ||
			f.ETag == "" {
			t.Errorf("%s %s: %+v", tc.ask.Proto, tc.ask.Name, f)
		}
	}
	if _, err := s.Open(tftp("ipxe/bootstrap.ipxe")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the menu by TFTP: %v", err)
	}
}

func TestUsersFilesWin(t *testing.T) {
	s := newSite(t, Config{})
	s.put("tftp/undionly.kpxe", "mine")
	s.put("tftp/autoexec.ipxe", "#!ipxe\nshell\n")
	s.put("http/ipxe.efi", "mine too")
	s.put("http/ipxe/bootstrap.ipxe", "#!ipxe\r\nchain other.ipxe\r\n")
	s.put("http/sub/vmlinuz", "kernel")
	for _, tc := range []struct {
		ask  *boot.Ask
		want string
	}{
		{tftp("undionly.kpxe"), "mine"},
		{tftp("boot/undionly.kpxe"), "mine"}, // the name it has without what came before
		{tftp("autoexec.ipxe"), "#!ipxe\nshell\n"},
		{http("/ipxe.efi"), "mine too"},
		{http("/ipxe/bootstrap.ipxe"), "#!ipxe\r\nchain other.ipxe\r\n"},
		{http("/sub/vmlinuz"), "kernel"},
	} {
		if f, got := s.read(tc.ask); got != tc.want {
			t.Errorf("%s %s: %q, want %q", tc.ask.Proto, tc.ask.Name, got, tc.want)
		} else if f.ModTime.IsZero() || f.ETag == "" {
			t.Errorf("%s %s: %+v has no time or no tag", tc.ask.Proto, tc.ask.Name, f)
		}
	}
	if _, got := s.read(http(menu.BootstrapPath)); got != "#!ipxe\r\nchain other.ipxe\r\n" {
		t.Errorf("the script: %q", got)
	}
	// What belongs to one protocol is not there by the other.
	if _, err := s.Open(tftp("sub/vmlinuz")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("HTTP's file by TFTP: %v", err)
	}
}

func TestBreaker(t *testing.T) {
	s := map[ipxe.Chain]*site{}
	for _, c := range ipxe.Chains() {
		s[c] = newSite(t, Config{Chain: c})
		for _, tree := range []string{"tftp/", "http/"} {
			s[c].put(tree+"arch/ipxe.efi", "another's iPXE, in a folder of its own")
			s[c].put(tree+"snponly-shimx64.efi", "a shim")
			s[c].put(tree+"ipxe-0ab2277c.kpxe", "a build to try, chained on purpose")
			s[c].put(tree+"memtest86+x64.efi", "memtest")
			s[c].put(tree+"snponly.efi", "user's snponly")
			s[c].put(tree+"netboot.xyz.kpxe", "another's iPXE, chained on purpose")
		}
	}
	loops := []string{
		"undionly.kpxe",
		"ipxe.efi",
		"snp-arm64.efi",
		"boot/x64/ipxe.efi",
		"IPXE.EFI",
		`\ipxe.efi`,
		"undionly.kpxe\xff",
		"snponly.efi",
		"snponly-arm64.efi",
		"ipxe.pxe",
		"undionly.kkpxe",
	}
	others := []string{
		"autoexec.ipxe",
		"memtest86+x64.efi",
		"netboot.xyz.kpxe",
		"arch/ipxe.efi",
		"ARCH/IPXE.EFI",
		"arch/ipxe-arch.efi",
		"snponly-shimx64.efi",
		"ipxe-0ab2277c.kpxe",
	}
	for _, chain := range ipxe.Chains() {
		for _, class := range boot.Classes() {
			for _, proto := range []boot.Proto{boot.TFTP, boot.HTTP} {
				want := class == boot.IPXE && (chain == ipxe.ChainAuto || chain == ipxe.ChainTFTP)
				for _, name := range append(slices.Clone(loops), others...) {
					f, err := s[chain].Open(&boot.Ask{Proto: proto, Class: class, Name: name})
					if err != nil {
						if want && !slices.Contains(others, name) || !errors.Is(err, fs.ErrNotExist) {
							t.Errorf("%s %s %s %q: %v", chain, class, proto, name, err)
						}
						continue
					}
					got := make([]byte, 7)
					if _, err := f.ReadAt(got, 0); err != nil && err != io.EOF {
						t.Fatal(err)
					}
					breaks := want && slices.Contains(loops, name)
					if f.LoopBroken != breaks || breaks && (f.Artifact != boot.Script || string(got) != "#!ipxe\n") {
						t.Errorf("%s %s %s %q: broke %v, want %v; begins with %q, %s", chain, class, proto, name,
							f.LoopBroken, breaks, got, f.Artifact)
					}
					f.Close()
				}
			}
		}
	}
	_, stub := s[ipxe.ChainAuto].read(&boot.Ask{Proto: boot.TFTP, Class: boot.IPXE, Name: "undionly.kpxe"})
	if !strings.Contains(stub, "chain -r http://10.0.0.7:8080/ipxe/bootstrap.ipxe ||\n") || len(stub) > 512 {
		t.Errorf("the breaker's script is\n%s", stub)
	}
	for name, text := range map[string][]byte{"breaker": []byte(stub), "autoexec": s[ipxe.ChainAuto].leads.Autoexec()} {
		if f := script.Faults(text); f != nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestBreakerLeavesExceptedNetworksAlone(t *testing.T) {
	s := newSite(t,
		Config{Except: []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24"), netip.MustParsePrefix("2001:db8::/64")}})
	for client, broke := range map[string]bool{
		"192.168.7.9:1024": false, "[::ffff:192.168.7.9]:1024": false, "[2001:db8::9%eth0]:1024": false,
		"192.168.8.9:1024": true, "[2001:db8:1::9]:1024": true,
	} {
		for _, proto := range []boot.Proto{boot.TFTP, boot.HTTP} {
			f, got := s.read(
				&boot.Ask{
					Proto:  proto,
					Class:  boot.IPXE,
					Name:   "undionly.kpxe",
					Client: netip.MustParseAddrPort(client),
				},
			)
			if f.LoopBroken != broke || (got == string(binary.Undionly)) == broke {
				t.Errorf("%s by %s: broke %v, want %v", client, proto, f.LoopBroken, broke)
			}
		}
	}
}

func TestUniversal(t *testing.T) {
	s := newSite(t, Config{Universal: true, Chain: ipxe.ChainTFTP})
	plain := newSite(t, Config{Chain: ipxe.ChainTFTP})
	s.put("tftp/snponly.efi", "user's snponly")
	s.put("tftp/boot/vmlinuz.efi", "kernel")
	for _, tc := range []struct {
		class      boot.Class
		name, want string
	}{
		{boot.BIOSROM, "undionly.kpxe", ipxe.Undionly},
		{boot.BIOSROM, "ipxe.efi", ipxe.Undionly},
		{boot.BIOSROM, `\\IPXE.EFI`, ipxe.Undionly},
		{boot.BIOSROM, "boot/snp-arm64.efi", ipxe.Undionly},
		{boot.UEFI, "undionly.kpxe", ipxe.EFI64},
		{boot.UEFI, "ipxe.pxe", ipxe.EFI64},
		{boot.UEFI, "ipxe.efi", ipxe.EFI64},
		{boot.UEFI, "snponly.efi", "snponly.efi"},
		{boot.UEFI, "snp-arm64.efi", ipxe.EFIARM64},
		{boot.BIOSROM, "boot/vmlinuz.efi", "boot/vmlinuz.efi"}, // not iPXE
		{boot.IPXE, "undionly.kpxe", "breaker.ipxe"},
		{boot.Tool, "ipxe.efi", ipxe.EFI64},
		{boot.Unknown, "undionly.kpxe", ipxe.Undionly},
		{boot.PXELinux, "ipxe.efi", ipxe.EFI64},
	} {
		f, _ := s.read(&boot.Ask{Proto: boot.TFTP, Class: tc.class, Name: tc.name})
		if f.Name != tc.want {
			t.Errorf("%s asks for %s and gets %s, want %s", tc.class, tc.name, f.Name, tc.want)
		}
		changed := (tc.class == boot.BIOSROM || tc.class == boot.UEFI) &&
			!strings.EqualFold(filepath.Ext(tc.name), filepath.Ext(tc.want))
		if got := slices.Contains(f.Quirks, boot.OtherFirmware); got != changed {
			t.Errorf("%s asks for %s: quirks %v", tc.class, tc.name, f.Quirks)
		}
	}
	if f, _ := s.read(&boot.Ask{Proto: boot.HTTP, Class: boot.UEFI, Name: "/undionly.kpxe"}); f.Name != ipxe.EFI64 ||
		f.ContentType != "application/efi" {
		t.Errorf("UEFI HTTP boot gets %s as %s", f.Name, f.ContentType)
	}
	asked := &boot.Ask{Proto: boot.TFTP, Class: boot.UEFI, Name: "undionly.kpxe"}
	if f, _ := plain.read(asked); f.Name != ipxe.Undionly {
		t.Errorf("without universal UEFI gets %s for undionly.kpxe", f.Name)
	}
	// The user's own file has the place that its name has.
	s.put("tftp/ipxe.efi", "user's")
	if _, got := s.read(&boot.Ask{Proto: boot.TFTP, Class: boot.UEFI, Name: "undionly.kpxe"}); got != "user's" {
		t.Error("the user's own ipxe.efi is not what comes")
	}
}

func TestQuirksAreAbsorbed(t *testing.T) {
	s := newSite(t, Config{})
	s.put("tftp/Boot/PXE/Loader.0", "user's")
	s.put("http/Boot/Loader.0", "user's")
	s.put("tftp/odd\xfe", "user's")
	for _, tc := range []struct {
		ask   *boot.Ask
		want  string
		quirk []boot.Quirk
	}{
		{tftp("undionly.kpxe\xff"), "undionly.kpxe", []boot.Quirk{boot.TrailingByte}},
		{tftp("undionly.kpxe\x00\x00"), "undionly.kpxe", []boot.Quirk{boot.TrailingByte}},
		{tftp(`\undionly.kpxe`), "undionly.kpxe", []boot.Quirk{boot.Backslash, boot.ExtraSlash}},
		{tftp(`Boot\PXE\Loader.0`), "Boot/PXE/Loader.0", []boot.Quirk{boot.Backslash}},
		{tftp("/undionly.kpxe"), "undionly.kpxe", []boot.Quirk{boot.ExtraSlash}},
		{tftp("Boot//PXE/Loader.0"), "Boot/PXE/Loader.0", []boot.Quirk{boot.ExtraSlash}},
		{tftp("undionly.kpxe/"), "undionly.kpxe", []boot.Quirk{boot.ExtraSlash}},
		{tftp("./undionly.kpxe"), "undionly.kpxe", []boot.Quirk{boot.DotSegment}},
		{tftp("Boot/PXE/../PXE/./Loader.0"), "Boot/PXE/../PXE/Loader.0", []boot.Quirk{boot.DotSegment}},
		{tftp("UNDIONLY.KPXE"), "undionly.kpxe", []boot.Quirk{boot.LetterCase}},
		{tftp("boot/pxe/LOADER.0"), "Boot/PXE/Loader.0", []boot.Quirk{boot.LetterCase}},
		{tftp("images/bios/undionly.kpxe"), "undionly.kpxe", []boot.Quirk{boot.FolderBefore}},
		{tftp("EFI/BOOT/autoexec.ipxe"), "autoexec.ipxe", []boot.Quirk{boot.FolderBefore}},
		{tftp("undionly.kpxe "), "undionly.kpxe", []boot.Quirk{boot.Blank}},
		{tftp(" undionly.kpxe\r\n\xff"), "undionly.kpxe", []boot.Quirk{boot.TrailingByte, boot.Blank}},
		{tftp("tftp://10.0.0.7/undionly.kpxe"), "undionly.kpxe", []boot.Quirk{boot.URLPrefix}},
		{tftp("TFTP://10.0.0.7:69/Boot/PXE/Loader.0"), "Boot/PXE/Loader.0", []boot.Quirk{boot.URLPrefix}},
		{http("//undionly.kpxe"), "undionly.kpxe", []boot.Quirk{boot.ExtraSlash}},
		{http("/EFI/BOOT/ipxe.efi"), "ipxe.efi", []boot.Quirk{boot.FolderBefore}},
		{http("/boot/loader.0"), "Boot/Loader.0", []boot.Quirk{boot.LetterCase}},
		{http("/IPXE/Bootstrap.ipxe"), "bootstrap.ipxe", []boot.Quirk{boot.LetterCase}},
		{http("/undionly.kpxe"), "undionly.kpxe", nil},
		{tftp("Boot/PXE/Loader.0"), "Boot/PXE/Loader.0", nil},
		{tftp("odd\xfe"), "odd\xfe", nil}, // a byte that is no UTF-8 and no padding belongs to the name
	} {
		f, err := s.Open(tc.ask)
		if err != nil {
			t.Errorf("%s %q: %v", tc.ask.Proto, tc.ask.Name, err)
			continue
		}
		f.Close()
		if f.Name != tc.want || !cmp.Equal(f.Quirks, tc.quirk) {
			t.Errorf("%s %q: opened %q with %v, want %q with %v", tc.ask.Proto, tc.ask.Name, f.Name, f.Quirks, tc.want,
				tc.quirk)
		}
	}
}

func TestNotOpened(t *testing.T) {
	s := newSite(t, Config{})
	secret := filepath.Join(filepath.Dir(s.root), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.put("state/journal", "secret")
	s.put("tftp/boot/vmlinuz-6.1", "kernel")
	s.put("tftp/script.ipxe", "\xef\xbb\xbf#!ipxe\nshell\n")
	for name, to := range map[string]string{"out": secret, "rel": "../state/journal", "dir": "..", "loop": "loop",
		"abs": "/etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(s.root, "tftp", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(s.root, "tftp/fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name     string
		want     error
		artifact boot.Artifact
		near     string
	}{
		{"nothing", fs.ErrNotExist, boot.NoFile, ""},
		{"", fs.ErrNotExist, boot.NoFile, ""},
		{"/", fs.ErrNotExist, boot.NoFile, ""},
		{"\xff\xff", fs.ErrNotExist, boot.NoFile, ""},
		{"undionly.kpx", fs.ErrNotExist, boot.NoFile, "undionly.kpxe"},
		{"ipxe64.efi", fs.ErrNotExist, boot.NoFile, "ipxe.efi"},
		{"boot/vmlinuz-6.2", fs.ErrNotExist, boot.NoFile, "boot/vmlinuz-6.1"},
		{"vmlinuz-6.1/x", fs.ErrNotExist, boot.NoFile, ""},
		{"wrong/script.ipxe", fs.ErrNotExist, boot.NoFile, "script.ipxe"},
		{"boot/vmlinuz-6.1/below", fs.ErrNotExist, boot.NoFile, ""},
		{"fifo/below", fs.ErrNotExist, boot.NoFile, ""},
		{"boot", ErrRefused, boot.Other, ""},
		{"fifo", ErrRefused, boot.Other, ""},
		{"out", ErrRefused, boot.Other, ""},
		{"rel", ErrRefused, boot.Other, ""},
		{"abs", ErrRefused, boot.Other, ""},
		{"loop", ErrRefused, boot.Other, ""},
		{"dir/state/journal", ErrRefused, boot.Other, ""},
		{"../secret", ErrRefused, boot.Other, ""},
		{"..", ErrRefused, boot.Other, ""},
		{"/../../../../../../etc/passwd", ErrRefused, boot.Other, ""},
		{`..\..\secret`, ErrRefused, boot.Other, ""},
		{"tftp://x/../../secret", ErrRefused, boot.Other, ""},
		{"../tftp/boot/vmlinuz-6.1", ErrRefused, boot.Kernel, ""},
		{"a\x00b", ErrRefused, boot.Other, ""},
		{strings.Repeat("a", maxName+1), ErrRefused, boot.Other, ""},
		{strings.Repeat("a", 300), fs.ErrNotExist, boot.NoFile, ""},
		{strings.Repeat("a/", maxDepth+2), ErrRefused, boot.Other, ""},
		{"script.ipxe", ErrRefused, boot.Script, ""},
	} {
		f, err := s.Open(tftp(tc.name))
		var no *NotOpened
		if !errors.As(err, &no) {
			t.Errorf("%q: %+v, %v", tc.name, f, err)
			continue
		}
		if !errors.Is(err, tc.want) || no.Artifact != tc.artifact || no.Near != tc.near || no.Name != tc.name {
			t.Errorf("%q: %v, %s, near %q; want %v, %s, %q", tc.name, err, no.Artifact, no.Near, tc.want, tc.artifact,
				tc.near)
		}
		if tc.near != "" && !strings.Contains(err.Error(), tc.near) {
			t.Errorf("%q: the error reads %q", tc.name, err)
		}
	}
}

func TestArtifact(t *testing.T) {
	for want, names := range map[boot.Artifact][]string{
		boot.NBP: {"undionly.kpxe", "ipxe.efi", "snp-arm64.efi", "SNPONLY.EFI", "EFI/BOOT/BOOTX64.EFI", "pxelinux.0",
			"lpxelinux.0",
			"grub/grubnetx64.efi", "shimx64.efi", "netboot.xyz.kpxe", "custom.pxe"},
		boot.Script: {"ipxe/bootstrap.ipxe", "autoexec.ipxe", "MENU.IPXE", "grub.cfg", "pxelinux.cfg/default"},
		boot.Kernel: {"vmlinuz", "vmlinuz-lts", "linux", "smartos/20130808T195337Z/platform/i86pc/kernel/amd64/unix",
			"bzImage", "memtest86+x64.bin", "memtest86+x64.efi",
			"memtest86/memtest86-5.01", "wimboot", "flatcar_production_pxe.vmlinuz", "memdisk"},
		boot.Image: {"initrd", "initrd.gz", "initramfs-amd64.xz", "modloop-lts",
			"smartos/20130808T195337Z/platform/i86pc/amd64/boot_archive", "boot_archive.hash",
			"linux.iso", "disk.img", "sources/boot.wim", "flatcar_production_pxe_image.cpio.gz"},
		boot.Other: {"README", "preseed.cfg", "repodata/repomd.xml"},
	} {
		for _, name := range names {
			if got := artifact(name); got != want {
				t.Errorf("artifact(%q) = %s, want %s", name, got, want)
			}
		}
	}
}

func TestBrokenScriptsAreNotServed(t *testing.T) {
	for _, tc := range []struct{ name, text string }{
		{"empty", ""},
		{"byte order mark", "\xef\xbb\xbf#!ipxe\n"},
		{"empty line", "\n#!ipxe\n"},
		{"page for people", "<html>"},
		{"gPXE", "#!gpxe\n"},
		{"magic alone", "#!ipxe"},
		{"magic run on", "#!ipxeshell\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, Config{})
			s.put("http/ipxe/bootstrap.ipxe", tc.text)
			s.put("tftp/autoexec.ipxe", tc.text)
			for range 3 {
				if _, got := s.read(http(menu.BootstrapPath)); !strings.Contains(got, "\nmenu Network boot") {
					t.Errorf("served %q, not the built-in menu", got)
				}
				if _, got := s.read(tftp("autoexec.ipxe")); got != string(s.leads.Autoexec()) {
					t.Errorf("served %q, not the built-in autoexec.ipxe", got)
				}
			}
			if n := strings.Count(s.log.String(), "level=ERROR"); n != 2 {
				t.Errorf("%d errors were logged for two files:\n%s", n, s.log)
			}
			s.put("http/ipxe/bootstrap.ipxe", "#!ipxe\nshell\n")
			if _, got := s.read(http(menu.BootstrapPath)); got != "#!ipxe\nshell\n" {
				t.Errorf("mended, and served %q", got)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{NextServer: netip.MustParseAddr("10.0.0.7"), Menu: menus(t, menu.Config{}, "")}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for want, addr := range map[string]netip.Addr{
		"next-server": {}, `next-server "0.0.0.0"`: netip.IPv4Unspecified(),
		`"fe80::1%eth0"`: netip.MustParseAddr("fe80::1%eth0"),
	} {
		c := good
		c.NextServer = addr
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	s := newSite(t, Config{})
	s.put("http/memtest/memtest86+x64.bin", "x")
	s.put("tftp/file", strings.Repeat("0123456789", 10_000))
	shared, err := s.Open(tftp("file"))
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				b := make([]byte, 10)
				if _, err := shared.ReadAt(b, int64(g*1000+i*10)); err != nil || string(b) != "0123456789" {
					t.Errorf("ReadAt: %q, %v", b, err)
				}
				if text, _, err := s.menu.Bootstrap(boot.Ask{}); err != nil || script.Validate(text) != nil {
					t.Errorf("Script: %v", err)
				}
				for _, name := range []string{"ipxe.efi", "UNDIONLY.KPXE", "x/autoexec.ipxe", "none"} {
					if f, err := s.Open(tftp(name)); err == nil {
						f.Close()
					}
				}
			}
		})
	}
	// Meanwhile the tree changes.
	for i := range 20 {
		s.put(fmt.Sprintf("http/m%d/memtest86+x64.bin", i), "x")
	}
	wg.Wait()
	if script, _, err := s.menu.Bootstrap(boot.Ask{}); err != nil || !bytes.Contains(script, []byte("memtest-m19-")) {
		t.Errorf("%v; the menu lacks what was added:\n%s", err, script)
	}
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"undionly.kpxe", "undionly.kpxe\xff", `\\a\..\b`, "tftp://h/x", "../secret",
		"a//./b/", " x \x00", "link/secret", "IPXE.EFI", "fifo"} {
		f.Add(name, true)
		f.Add(name, false)
	}
	s := newSite(f, Config{})
	s.put("secret", "secret")
	for _, tree := range []string{"tftp", "http"} {
		s.put(tree+"/a/b", "b")
		if err := os.Symlink("..", filepath.Join(s.root, tree, "link")); err != nil {
			f.Fatal(err)
		}
		if err := syscall.Mkfifo(filepath.Join(s.root, tree, "fifo"), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, name string, overTFTP bool) {
		ask := http(name)
		if overTFTP {
			ask = tftp(name)
		}
		start := time.Now()
		file, err := s.Open(ask)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%q took %v", name, d)
		}
		if err != nil {
			var no *NotOpened
			if !errors.As(err, &no) || no.Artifact == "" {
				t.Errorf("%q: %v", name, err)
			}
			return
		}
		defer file.Close()
		b, err := io.ReadAll(file.Reader())
		if err != nil || string(b) == "secret" || int64(len(b)) != file.Size {
			t.Errorf("%q: %d bytes, %v: %.20q", name, len(b), err, b)
		}
		for _, q := range file.Quirks {
			if !slices.Contains(boot.Quirks(), q) {
				t.Errorf("%q: quirk %q", name, q)
			}
		}
		// A name that has been put right needs no more of it.
		clean1, _ := Clean(name, ask.Proto)
		if clean2, q := Clean(clean1, boot.TFTP); !overTFTP && clean2 != clean1 && !strings.Contains(clean1, ":/") {
			t.Errorf("Clean(%q) = %q, and again %q (%v)", name, clean1, clean2, q)
		}
	})
}

func BenchmarkOpenBuiltin(b *testing.B) {
	s := newSite(b, Config{})
	s.put("tftp/other", "x")
	for b.Loop() {
		f, err := s.Open(tftp("undionly.kpxe"))
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

func BenchmarkOpenUsers(b *testing.B) {
	s := newSite(b, Config{})
	s.put("http/a/b/vmlinuz", "x")
	for b.Loop() {
		f, err := s.Open(http("/a/b/vmlinuz"))
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

// A user's own script is served byte for byte and at once, to every client.
func TestOwnScript(t *testing.T) {
	const text = "#!ipxe\r\nset x ${y}\r\nmenu Mine\r\n"
	s := newSite(t, Config{})
	s.put("http/ipxe/bootstrap.ipxe", text)
	facts := boot.Facts{Platform: "pcbios", Arch: "i386"}
	for _, a := range []*boot.Ask{
		{Class: boot.IPXE}, {Class: boot.IPXE, Told: true, Facts: facts}, {Class: boot.Tool}, {Class: boot.UEFI},
	} {
		a.Proto, a.Name = boot.HTTP, menu.BootstrapPath
		if _, got := s.read(a); got != text {
			t.Errorf("%+v: %q", a, got)
		}
	}
	// What will not work in it is said, once.
	s.log.Reset()
	s.put("http/ipxe/bootstrap.ipxe", "#!ipxe\ngoto nowhere\n")
	for range 3 {
		s.read(http(menu.BootstrapPath))
	}
	if n := strings.Count(s.log.String(), "level=WARN"); n != 1 || !strings.Contains(s.log.String(), "line=2") {
		t.Errorf("%d warnings:\n%s", n, s.log)
	}
}

func TestUsersBinaryIsServedAsItIs(t *testing.T) {
	s := newSite(t, Config{Chain: ipxe.ChainEmbed})
	s.put("tftp/ipxe.efi", string(binary.IpxeEFI))
	if f, got := s.read(tftp("ipxe.efi")); got != string(binary.IpxeEFI) || f.Artifact != boot.NBP {
		t.Error("the user's own ipxe.efi was changed")
	}
}

// The names that the configuration has DHCP send are boot files, whatever they are called: iPXE that asks for one is
// given the script, and HTTP finds what lies in TFTP's tree.
func TestNamesOfTheConfiguration(t *testing.T) {
	s := newSite(t, Config{BootFiles: [firmware.NumArch]string{
		firmware.BIOS: "boot/first.bin", firmware.EFI64: "shimx64.efi"}, Universal: true})
	s.put("tftp/boot/first.bin", "a BIOS program")
	s.put("tftp/shimx64.efi", "MZ shim")
	s.put("tftp/grubx64.efi", "MZ GRUB")
	s.put("tftp/notes.txt", "private to TFTP")
	for _, c := range []struct {
		class  boot.Class
		proto  boot.Proto
		name   string
		is     string // what it begins with; "": not found
		kind   boot.Artifact
		broken bool
	}{
		{boot.BIOSROM, boot.TFTP, "boot/first.bin", "a BIOS program", boot.NBP, false},
		{boot.UEFI, boot.TFTP, "shimx64.efi", "MZ shim", boot.NBP, false},
		{boot.IPXE, boot.TFTP, "boot/first.bin", "#!ipxe", boot.Script, true},
		{boot.IPXE, boot.TFTP, "shimx64.efi", "#!ipxe", boot.Script, true},
		{boot.IPXE, boot.HTTP, "/shimx64.efi", "#!ipxe", boot.Script, true},
		// Chained on purpose, or a second stage.
		{boot.IPXE, boot.TFTP, "grubx64.efi", "MZ GRUB", boot.NBP, false},
		{boot.IPXE, boot.HTTP, "/images/x/shimx64.efi", "", boot.NoFile, false},
		// HTTP boot, of the shim and of what it loads.
		{boot.UEFI, boot.HTTP, "/shimx64.efi", "MZ shim", boot.NBP, false},
		{boot.UEFI, boot.HTTP, "/grubx64.efi", "MZ GRUB", boot.NBP, false},
		{boot.UEFI, boot.HTTP, "/notes.txt", "", boot.NoFile, false},
		// serve.universal goes by the same names.
		{boot.UEFI, boot.TFTP, "undionly.kpxe", "MZ shim", boot.NBP, false},
		{boot.BIOSROM, boot.TFTP, "ipxe.efi", "a BIOS program", boot.NBP, false},
	} {
		f, err := s.Open(&boot.Ask{Proto: c.proto, Class: c.class, Name: c.name})
		var not *NotOpened
		switch {
		case errors.As(err, &not):
			if c.is != "" || not.Artifact != c.kind {
				t.Errorf("%s asks for %s by %s: %v, artifact %q", c.class, c.name, c.proto, err, not.Artifact)
			}
			continue
		case err != nil:
			t.Fatal(err)
		}
		head := make([]byte, len(c.is))
		f.ReadAt(head, 0)
		if string(head) != c.is || c.is == "" || f.Artifact != c.kind || f.LoopBroken != c.broken {
			t.Errorf("%s asks for %s by %s and is given %q, artifact %q, loop broken %v", c.class, c.name, c.proto, head,
				f.Artifact, f.LoopBroken)
		}
		f.Close()
	}
}

// program is the headers of an EFI program for a machine, and then text.
func program(m efi.Machine, text string) string {
	b := make([]byte, efi.HeadLength)
	copy(b, "MZ")
	b[60] = 64
	copy(b[64:], "PE\x00\x00")
	binary16(b[68:], uint16(m))
	binary16(b[88:], 0x20b)
	b[88+68] = 10
	return string(b) + text
}

func binary16(b []byte, v uint16) { b[0], b[1] = byte(v), byte(v>>8) }

// A machine's own boot file comes under the name that DHCP sends to machines of its architecture, and under no other.
func TestOwnBootFile(t *testing.T) {
	mine, other := netip.MustParseAddrPort("10.0.0.21:1024"), netip.MustParseAddrPort("10.0.0.22:1024")
	own := "secure/shim.efi"
	s := newSite(t, Config{NBP: func(a netip.Addr) string {
		if a == mine.Addr() {
			return own
		}
		return ""
	}})
	s.put("tftp/secure/shim.efi", program(efi.X64, "a shim"))
	s.put("tftp/for-arm.efi", program(efi.ARM64, "a shim"))
	s.put("tftp/for-bios.0", "a BIOS program")
	shim := s.Library
	given := func(a *boot.Ask) string {
		f, err := shim.Open(a)
		if err != nil {
			return err.Error()
		}
		defer f.Close()
		if f.Artifact != boot.NBP {
			return string(f.Artifact)
		}
		return f.Name
	}
	for _, c := range []struct {
		own  string
		ask  *boot.Ask
		want string
	}{
		{own, &boot.Ask{Proto: boot.TFTP, Client: mine, Class: boot.UEFI, Name: "ipxe.efi"}, own},
		{own, &boot.Ask{Proto: boot.HTTP, Client: mine, Class: boot.UEFI, Name: "/ipxe.efi"}, own},
		{own, &boot.Ask{Proto: boot.TFTP, Client: other, Class: boot.UEFI, Name: "ipxe.efi"}, "ipxe.efi"},
		{own, &boot.Ask{Proto: boot.TFTP, Client: mine, Class: boot.BIOSROM, Name: "undionly.kpxe"}, "undionly.kpxe"},
		{own, &boot.Ask{Proto: boot.TFTP, Client: mine, Class: boot.UEFI, Name: "snp-arm64.efi"}, "snp-arm64.efi"},
		// iPXE that it loads is not to loop, and a person with curl sees what there is.
		{own, &boot.Ask{Proto: boot.TFTP, Client: mine, Class: boot.IPXE, Name: "ipxe.efi"}, "script"},
		{own, &boot.Ask{Proto: boot.HTTP, Client: mine, Class: boot.Tool, Name: "/ipxe.efi"}, "ipxe.efi"},
		{"for-arm.efi", &boot.Ask{Proto: boot.TFTP, Client: mine, Class: boot.UEFI, Name: "snp-arm64.efi"}, "for-arm.efi"},
		{"for-arm.efi", &boot.Ask{Proto: boot.TFTP, Client: mine, Class: boot.UEFI, Name: "ipxe.efi"}, "ipxe.efi"},
		{"for-bios.0", &boot.Ask{Proto: boot.TFTP, Client: mine, Class: boot.BIOSROM, Name: "undionly.kpxe"}, "for-bios.0"},
		{"gone.efi", &boot.Ask{Proto: boot.TFTP, Client: mine, Class: boot.UEFI, Name: "ipxe.efi"},
			`opening "ipxe.efi": file does not exist (there is "secure")`},
	} {
		own = c.own
		if got := given(c.ask); got != c.want {
			t.Errorf("with %s, %s at %s asks for %s and is given %q, want %q", c.own, c.ask.Class, c.ask.Client, c.ask.Name,
				got, c.want)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "nbp=gone.efi") {
		t.Errorf("the log does not name the file that is missing: %s", log)
	}
}

// With a folder of signed files the built-in UEFI programs are those of it, from when they are there.
func TestSignedBuiltIns(t *testing.T) {
	dir := t.TempDir()
	s := newSite(t, Config{Signed: dir})
	served := func(name string) string {
		t.Helper()
		f, err := s.Open(&boot.Ask{Proto: boot.TFTP, Class: boot.UEFI, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all, err := readAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(all)
	}
	plain := served("ipxe.efi")
	if log := s.log.String(); !strings.Contains(log, "pxeagent secureboot sign") ||
		!strings.Contains(log, "file=ipxe.efi") {
		t.Errorf("the log does not say that it is unsigned: %s", log)
	}
	path := secureboot.SignedPath(dir, []byte(plain))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("signed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := served("ipxe.efi"); got != "signed" {
		t.Errorf("with the signed form there, %d bytes are served", len(got))
	}
	if got := served("undionly.kpxe"); got != string(binary.Undionly) {
		t.Error("the BIOS program is another")
	}
	s.put("tftp/ipxe.efi", "the user's own")
	if got := served("ipxe.efi"); got != "the user's own" {
		t.Errorf("the user's own file is hidden by %q", got)
	}
}
