package files

import (
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"pxeagent/agent/boot"
)

func loaderAsks(proto boot.Proto, class boot.Class, name string) *boot.Ask {
	return &boot.Ask{Proto: proto, Class: class, Name: name, Client: netip.MustParseAddrPort("10.0.0.50:4000")}
}

// Loaders find a menu under each name that says who they are, and under none that says who others are.
func TestLoadersAreGivenMenus(t *testing.T) {
	s := newSite(t, Config{})
	s.put("http/debian/bookworm/debian-installer/amd64/linux", "x")
	s.put("http/debian/bookworm/debian-installer/amd64/initrd.gz", "x")
	for _, c := range []struct {
		proto boot.Proto
		name  string
		has   string // "": there is none
	}{
		{boot.TFTP, "/grub/grub.cfg", "linux /http/debian/"},
		{boot.TFTP, "//grub/grub.cfg-01-52-54-00-12-34-56", "for 52:54:00:12:34:56"},
		{boot.TFTP, "grub.cfg", "linux /http/debian/"}, // Fedora's, whose grubx64.efi looks beside itself
		{boot.TFTP, "boot/grub/grub.cfg-0A000032", "linux /http/debian/"},
		{boot.TFTP, "grub/grub.cfg-0A00003", ""},
		{boot.TFTP, "grub/grub.cfg.tmpl", ""},
		{boot.HTTP, "/grub/grub.cfg", "linux /debian/"},
		{boot.TFTP, "pxelinux.cfg/01-52-54-00-12-34-AB", "for 52:54:00:12:34:ab"},
		{boot.TFTP, "bios/pxelinux.cfg/default", "linux /http/debian/"},
		{boot.TFTP, "pxelinux.cfg/0A000032", "linux /http/debian/"},
		{boot.TFTP, "pxelinux.cfg/default-arm-qemu", "localboot"},
		{boot.HTTP, "/pxelinux.cfg/default", "linux /debian/"},
		{boot.TFTP, "pxelinux.cfg/0A0000", ""},
		{boot.TFTP, "pxelinux.cfg/b8945908-d6a6-41a9-611d-74a6ab80b83d", ""},
		{boot.TFTP, "default", ""},
	} {
		f, err := s.Open(loaderAsks(c.proto, boot.GRUB, c.name))
		if c.has == "" {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		text := string(must(readAll(f)))
		if !strings.Contains(text, c.has) || f.Artifact != boot.Script || f.Given.Default != "local" || f.Given.SkipMenu {
			t.Errorf("%s by %s: %s, %+v, not %q in\n%s", c.name, c.proto, f.Artifact, f.Given, c.has, text)
		}
	}
}

// What is made does not come before a file of the user's that the loader would find later.
func TestTheUsersMenuWins(t *testing.T) {
	for theirs, names := range map[string]map[string]bool{ // whether a menu is made for the name
		"tftp/grub/grub.cfg":                     {"grub/grub.cfg-01-52-54-00-12-34-56": false, "boot/grub/grub.cfg": true},
		"tftp/grub/grub.cfg-0A0000":              {"grub/grub.cfg-01-52-54-00-12-34-56": false, "pxelinux.cfg/default": true},
		"tftp/grub/grub.cfg-0A0001":              {"grub/grub.cfg-01-52-54-00-12-34-56": true},
		"tftp/pxelinux.cfg/default":              {"pxelinux.cfg/01-52-54-00-12-34-56": false, "pxelinux.cfg/0A000032": false},
		"tftp/pxelinux.cfg/default-arm":          {"pxelinux.cfg/01-52-54-00-12-34-56": false},
		"tftp/pxelinux.cfg/0A":                   {"pxelinux.cfg/01-52-54-00-12-34-56": false},
		"tftp/pxelinux.cfg/01-52-54-00-12-34-57": {"pxelinux.cfg/01-52-54-00-12-34-56": true},
		"http/grub/grub.cfg":                     {"grub/grub.cfg": true},
	} {
		s := newSite(t, Config{})
		s.put(theirs, "theirs")
		for name, made := range names {
			_, err := s.Open(loaderAsks(boot.TFTP, boot.GRUB, name))
			if made != (err == nil) || !made && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("with %s, %s: %v", theirs, name, err)
			}
		}
		name := strings.TrimPrefix(theirs, "tftp/")
		if name != theirs {
			if _, text := s.read(loaderAsks(boot.TFTP, boot.GRUB, name)); text != "theirs" {
				t.Errorf("%s: %s", theirs, text)
			}
		}
	}
}

// Loaders without HTTP have the HTTP tree's files below http/ by TFTP: those that HTTP would serve, and no others.
func TestFilesOfTheHTTPTreeByTFTP(t *testing.T) {
	s := newSite(t, Config{})
	s.put("http/debian/linux", "kernel")
	s.put("http/.pxeagent.json", "private")
	s.put("http/debian/.pxeagent/x", "private")
	s.put("http/broken.ipxe", "no script")
	s.put("http/own/ipxe.efi", "their own")
	s.put("tftp/http/mine", "from the tree of TFTP")
	s.put("http/mine", "from the tree of HTTP")
	for name, want := range map[string]string{
		"/http/debian/linux":        "kernel",
		"http//debian/linux":        "kernel",
		"u-boot//http/debian/linux": "kernel",
		"http/Debian/LINUX":         "kernel",
		"http/mine":                 "from the tree of TFTP",
		"http/own/ipxe.efi":         "their own",
	} {
		if _, text := s.read(loaderAsks(boot.TFTP, boot.IPXE, name)); text != want {
			t.Errorf("%s: %q", name, text)
		}
	}
	for name, want := range map[string]error{
		"http/.pxeagent.json": fs.ErrNotExist, "http/debian/.pxeagent/x": fs.ErrNotExist, "http/nothing": fs.ErrNotExist,
		"http/": ErrRefused, "http/../tftp/x": ErrRefused, "http/../../etc/passwd": ErrRefused,
		"http/broken.ipxe": ErrRefused, "debian/linux": fs.ErrNotExist,
	} {
		if _, err := s.Open(loaderAsks(boot.TFTP, boot.GRUB, name)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if _, err := s.Open(loaderAsks(boot.HTTP, boot.GRUB, "/http/debian/linux")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("by HTTP below /http: %v", err)
	}
	// The loop breaker answers what firmware makes of an NBP's name all the same.
	if f, err := s.Open(loaderAsks(boot.TFTP, boot.IPXE, "pxe/ipxe.efi")); err != nil || !f.LoopBroken {
		t.Errorf("the loop is not broken: %v", err)
	}
}
