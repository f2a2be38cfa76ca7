package image

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/image/imagetest"
)

// What is taken of what --from names. "dir/…" lies in the folder dir, all else is named itself.
func TestChoose(t *testing.T) {
	const coreOS, k3os, harvester = "fedora-coreos-39-live-", "k3os-", "harvester-v1.3.0-"
	for _, c := range []struct {
		name, recipe string
		from         []string
		want         string // file=taken, in the recipe's order; or what is said
	}{
		{"the ISO image before efiboot.img", "iso", []string{"dir/efiboot.img", "dir/rescue.iso"}, "rescue.iso"},
		{"two ISO images", "iso", []string{"dir/a.iso", "dir/sub/b.iso", "dir/c.img"},
			"several files may be disk.iso: dir/a.iso, dir/sub/b.iso; name one of them with --from FILE"},
		{"two disk images", "iso", []string{"dir/a.img", "dir/b.img"}, "several files may be disk.iso: dir/a.img, dir/b.img"},
		{"the one that is named", "iso", []string{"dir/a.iso", "dir/b.iso", "b.iso"}, "b.iso"},
		{"the one file of a folder", "iso", []string{"dir/download"}, "download"},
		{"by any name", "iso", []string{"mfsbsd.raw"}, "mfsbsd.raw"},
		{"Fedora CoreOS", "generic", []string{coreOS + "kernel-x86_64", coreOS + "initramfs.x86_64.img"}, coreOS +
			"kernel-x86_64 " + coreOS + "initramfs.x86_64.img"},
		{"the other way round", "generic", []string{coreOS + "initramfs.x86_64.img", coreOS + "kernel-x86_64"}, coreOS +
			"kernel-x86_64 " + coreOS + "initramfs.x86_64.img"},
		{"k3OS", "generic", []string{k3os + "vmlinuz-amd64", k3os + "initrd-amd64"}, k3os + "vmlinuz-amd64 " + k3os +
			"initrd-amd64"},
		{"Harvester's folder", "generic", []string{"dir/" + harvester + "initrd-amd64", "dir/" + harvester +
			"vmlinuz-amd64"}, harvester + "vmlinuz-amd64 " + harvester + "initrd-amd64"},
		{"names that say nothing", "generic", []string{"a", "b", "c"}, "a b,c"},
		{"one that says it", "generic", []string{"x", "initrd.gz", "y"}, "x initrd.gz,y"},
		{"a signature and a list beside", "generic", []string{"vmlinuz", "initrd", "vmlinuz.sig", "SHA256SUMS"},
			"vmlinuz initrd"},
		{"two kernels", "generic", []string{"dir/vmlinuz-6.1", "dir/vmlinuz-6.12", "dir/initrd.img-6.12"},
			"several files may be kernel: dir/vmlinuz-6.1, dir/vmlinuz-6.12"},
		{"two kernels that are named", "generic", []string{"vmlinuz-6.1", "vmlinuz-6.12"},
			"several files may be kernel: vmlinuz-6.1, vmlinuz-6.12"},
		{"an initrd called as a kernel", "generic", []string{"dir/linux-6.12", "dir/linux-6.12-initrd"},
			"linux-6.12 linux-6.12-initrd"},
		{"more than there is place for", "iso", []string{"a.iso", "memdisk", "x"}, "the recipe has no place for x"},
		{"Debian's tree of all", "debian", []string{"dir/netboot/gtk/debian-installer/amd64/linux",
			"dir/netboot/debian-installer/amd64/linux", "dir/netboot/debian-installer/arm64/linux",
			"dir/netboot/debian-installer/amd64/initrd.gz", "dir/cdrom/initrd.gz"},
			"netboot/debian-installer/amd64/linux netboot/debian-installer/amd64/initrd.gz"},
		{"Windows' media", "wimboot", []string{"dir/boot/bcd", "dir/efi/microsoft/boot/bcd", "dir/boot/boot.sdi",
			"dir/sources/boot.wim", "dir/bootmgr", "dir/bootmgr.efi"},
			" boot/bcd boot/boot.sdi sources/boot.wim bootmgr bootmgr.efi"},
		{"Fedora's disc", "fedora", []string{"dir/isolinux/vmlinuz", "dir/images/pxeboot/vmlinuz",
			"dir/images/pxeboot/initrd.img", "dir/isolinux/initrd.img", "dir/images/install.img", "dir/.treeinfo"},
			".treeinfo images/pxeboot/vmlinuz images/pxeboot/initrd.img images/install.img"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, err := Recipes("")
			if err != nil {
				t.Fatal(err)
			}
			r, _ := findRecipe(all, c.recipe)
			words, err := r.words(
				map[string]string{"debian": "trixie", "fedora": "44"}[c.recipe]+map[bool]string{true: "x"}[c.recipe != "debian" &&
					c.recipe != "fedora"],
				"",
			)
			if err != nil {
				t.Fatal(err)
			}
			wants, err := r.wanted(words)
			if err != nil {
				t.Fatal(err)
			}
			var have []offered
			for _, f := range c.from {
				o := offered{name: filepath.Base(f), path: f}
				if rel, ok := strings.CutPrefix(f, "dir/"); ok {
					o.root, o.rel = "dir", rel
				}
				have = append(have, o)
			}
			chosen, err := choose(wants, have)
			got := ""
			if err != nil {
				if !errors.Is(err, ErrAmbiguous) && !errors.Is(err, ErrOrder) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
				return
			}
			for i, files := range chosen {
				var names []string
				for _, f := range files {
					names = append(names, strings.TrimPrefix(f.path, "dir/"))
				}
				if i > 0 {
					got += " "
				}
				got += strings.Join(names, ",")
			}
			if diff := cmp.Diff(c.want, strings.TrimRight(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Lists of checksums that lie beside files are compared by every recipe, whatever they are called.
func TestListsBeside(t *testing.T) {
	const kernel, initrd = "a kernel", "an initrd"
	sum := imagetest.SumLine
	for _, c := range []struct {
		name  string
		files map[string]string // beside sub/vmlinuz and sub/initrd.img
		cause error
		text  string // of the error, or a step
	}{
		{"SHA256SUMS", map[string]string{"sub/SHA256SUMS": sum("sha256", "vmlinuz", []byte(kernel)) +
			sum("sha256", "initrd.img", []byte(initrd))}, nil, "initrd.img: SHA-256 agrees with"},
		{"SHA256SUMS of another kernel", map[string]string{"sub/SHA256SUMS": sum("sha256", "vmlinuz", nil) +
			sum("sha256", "initrd.img", []byte(initrd))}, ErrChecksum, "vmlinuz"},
		{"a list above", map[string]string{"md5sum.txt": sum("md5", "./sub/vmlinuz", nil)}, ErrChecksum, "md5sum.txt says"},
		{"a list above, of a file of that name elsewhere",
			map[string]string{"md5sum.txt": sum("md5", "./other/vmlinuz", nil)}, nil, "md5sum.txt does not name it"},
		{"its own list", map[string]string{"sub/vmlinuz.md5": imagetest.Sum("md5", []byte(kernel))}, nil,
			"vmlinuz: MD5 agrees with"},
		{"its own list, which is another's", map[string]string{"sub/vmlinuz.sha512": imagetest.Sum("sha512", nil)},
			ErrChecksum, "vmlinuz.sha512 says"},
		{"its own list, which is a page", map[string]string{"sub/vmlinuz.sha256": "<html>"}, ErrUnverified,
			"vmlinuz.sha256 does not name it"},
		{"the stronger of two", map[string]string{"sub/MD5SUMS": sum("md5", "vmlinuz", nil),
			"sub/SHA1SUMS": sum("sha1", "vmlinuz", []byte(kernel))}, nil, "vmlinuz: SHA-1 agrees with"},
		{"a list of others", map[string]string{"sub/sha256sums.txt": sum("sha256", "rescue.iso", nil)}, nil,
			"sha256sums.txt does not name it; its SHA-256 is"},
		{"a list of one name in several folders", map[string]string{"sub/SHA256SUMS": sum("sha256", "gtk/vmlinuz", nil) +
			sum("sha256", "text/vmlinuz", []byte(kernel))}, nil, "vmlinuz: SHA-256 agrees"},
		{"none", nil, nil, "vmlinuz: no checksum is published"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			stick := t.TempDir()
			for name, text := range map[string]string{"sub/vmlinuz": kernel, "sub/initrd.img": initrd} {
				put(t, stick, name)
				if err := os.WriteFile(filepath.Join(stick, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(stick, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			o := Order{Recipe: "generic", Version: "rescue", From: []string{stick}}
			if c.cause != nil {
				b.fails(o, c.cause, c.text)
				return
			}
			in := b.add(o)
			if !b.said(c.text) || in.Checked != (c.name == "SHA256SUMS") {
				t.Errorf("checked %v, said:\n%s", in.Checked, strings.Join(b.steps, "\n"))
			}
		})
	}
}

// Files that are called as no recipe calls them are installed under the names that it boots.
func TestNamedFilesAreRenamed(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	put(t, dir, "first", "second")
	in := b.add(
		Order{Recipe: "debian", Version: "trixie", From: []string{filepath.Join(dir, "first"), filepath.Join(dir, "second")}},
	)
	if got := b.served(); !strings.Contains(got, in.Dir+"/linux ") || !strings.Contains(got, in.Dir+"/initrd.gz ") {
		t.Errorf("served:\n%s", got)
	}
}
