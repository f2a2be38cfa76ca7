package catalog

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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

func TestWants(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		p := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := New(Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	base := &url.URL{Scheme: "http", Host: "10.0.0.7:8080"}
	for _, f := range append(everything, smartOSes...) {
		put("http/"+f, "x")
	}
	for kernel, want := range map[string][]string{
		"/smartos/20240104T000552Z" + unix: {"/smartos/20240104T000552Z" + unix, "/smartos/20240104T000552Z" + archive,
			"/smartos/20240104T000552Z" + archive + ".hash"},
		"/memtest/memtest86+x64.efi":        {"/memtest/memtest86+x64.efi"},
		"/alpine/3.20/boot/vmlinuz-lts":     {"/alpine/3.20/boot/vmlinuz-lts", "/alpine/3.20/boot/initramfs-lts"},
		"/alpine/3.20/boot/modloop-lts":     nil,
		"smartos/20240104T000552Z" + unix:   nil,
		"":                                  nil,
		"/":                                 nil,
		"/debian/bookworm/debian-installer": nil,
	} {
		if diff := cmp.Diff(want, c.Wants(kernel, base)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kernel, diff)
		}
	}
	// A user's own script says more, and what is on disk less.
	put("http/ipxe/bootstrap.ipxe", `#!ipxe
set root http://10.0.0.7:8080/my%20own
menu Own
item a A
item b B
item c C
item d D
choose x || exit
goto ${x}
:a
kernel --name k ${root}/vmlinuz x
initrd ${root}/a.img
initrd ${root}/both.img
boot || goto a
:b
kernel ${root}/vmlinuz y
initrd ${root}/both.img
initrd http://elsewhere/c.img
boot
:c
kernel ../other
boot
:d
initrd /stray
kernel /alpine/3.20/boot/vmlinuz-lts
initrd /more.img
boot
`)
	for kernel, want := range map[string][]string{
		"/my own/vmlinuz":               {"/my own/vmlinuz", "/my own/both.img"},
		"/other":                        {"/other"},
		"/stray":                        nil,
		"/alpine/3.20/boot/vmlinuz-lts": {"/alpine/3.20/boot/vmlinuz-lts"},
	} {
		if diff := cmp.Diff(want, c.Wants(kernel, base)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kernel, diff)
		}
	}
}
