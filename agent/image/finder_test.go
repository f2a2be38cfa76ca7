package image

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// put makes empty files below dir.
func put(t testing.TB, dir string, files ...string) {
	t.Helper()
	for _, f := range files {
		p := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func find(t testing.TB, f *Finder) Found {
	t.Helper()
	found, err := f.Find()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// line is an image on one line, as its kernel would be started from "/".
func line(i Image) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s | %s | %s bios=%s efi=%s |", i.Key, i.Title, i.CPU, i.BIOS, i.EFI)
	for _, a := range i.Args {
		fmt.Fprintf(&b, " %s", a.Text)
		if a.Path != "" {
			fmt.Fprintf(&b, "/%s", a.Path)
		}
	}
	for _, m := range i.Modules {
		fmt.Fprintf(&b, " | %s %s", m.Path, m.Args)
	}
	return strings.TrimRight(b.String(), " ")
}

func TestFindLayouts(t *testing.T) {
	const unix, archive = "/platform/i86pc/kernel/amd64/unix", "/platform/i86pc/amd64/boot_archive"
	for _, tc := range []struct {
		name  string
		files []string
		want  []string
	}{
		{"SmartOS, two versions, newest first",
			[]string{
				"smartos/20130808T195337Z" + unix, "smartos/20130808T195337Z" + archive, "smartos/20130808T195337Z" + archive +
					".hash",
				"smartos/20240104T000552Z" + unix, "smartos/20240104T000552Z" + archive, "smartos/20240104T000552Z" + archive +
					".hash",
			}, []string{
				"smartos-20240104T000552Z | SmartOS 20240104T000552Z | x86 bios=smartos/20240104T000552Z" + unix +
					" efi= | -B console=text,smartos=true | smartos/20240104T000552Z" + archive +
					" type=rootfs name=ramdisk | smartos/20240104T000552Z" +
					archive + ".hash type=hash name=ramdisk",
				"smartos-20130808T195337Z | SmartOS 20130808T195337Z | x86 bios=smartos/20130808T195337Z" + unix +
					" efi= | -B console=text,smartos=true | smartos/20130808T195337Z" + archive,
			}},
		{"SmartOS with half of it missing, or not renamed to platform",
			[]string{
				"smartos/20130808T195337Z" + unix, "smartos/20130405T010449Z" + archive,
				"smartos/platform-20130405T010449Z/i86pc/kernel/amd64/unix",
				"smartos/platform-20130405T010449Z/i86pc/amd64/boot_archive",
			}, nil},
		{"SmartOS newer, no hash", []string{"os/joyent_20240104T000552Z" + unix, "os/joyent_20240104T000552Z" + archive},
			[]string{"smartos-joyent_20240104T000552Z | SmartOS joyent_20240104T000552Z | x86 bios=os/joyent_20240104T000552Z" +
				unix +
				" efi= | -B console=text,smartos=true | os/joyent_20240104T000552Z" + archive}},
		{"memtest86+ of Debian",
			[]string{"memtest/memtest86+x64.bin", "memtest/memtest86+x64.efi", "memtest/memtest86+ia32.bin",
				"memtest/memtest86+ia32.efi"},
			[]string{
				"memtest-memtest86_x64 | Memory test (memtest86+x64) | x86 bios=memtest/memtest86+x64.bin " +
					"efi=memtest/memtest86+x64.efi |",
				"memtest-memtest86_ia32 | Memory test (memtest86+ia32) | x86 bios=memtest/memtest86+ia32.bin efi= |",
			}},
		{"memtest86+ of old, and what only looks like one",
			[]string{"memtest86/memtest86-5.01", "memtest86/memtest86.iso", "memtest86/memtest", "memtest86/memtest64.efi",
				"memtest86/memtest.txt"},
			[]string{
				"memtest-memtest86-5.01 | Memory test (memtest86-5.01) | x86 bios=memtest86/memtest86-5.01 efi= |",
				"memtest-memtest64 | Memory test (memtest64) | x86 bios= efi=memtest86/memtest64.efi |",
			}},
		{"Debian installers",
			[]string{
				"debian/bookworm/debian-installer/amd64/linux", "debian/bookworm/debian-installer/amd64/initrd.gz",
				"debian/bookworm/debian-installer/arm64/linux", "debian/bookworm/debian-installer/arm64/initrd.gz",
				"debian/sid/debian-installer/amd64/linux",
			}, []string{
				"debian-bookworm-arm64 | Debian installer (bookworm/arm64) | arm64 bios= " +
					"efi=debian/bookworm/debian-installer/arm64/linux | initrd=initrd.gz | " +
					"debian/bookworm/debian-installer/arm64/initrd.gz",
				"debian-bookworm-amd64 | Debian installer (bookworm/amd64) | x86 " +
					"bios=debian/bookworm/debian-installer/amd64/linux efi=debian/bookworm/debian-installer/amd64/linux | " +
					"initrd=initrd.gz | debian/bookworm/debian-installer/amd64/initrd.gz",
			}},
		{"Ubuntu, with and without its ISO image",
			[]string{"ubuntu/24.04/amd64/linux", "ubuntu/24.04/amd64/initrd",
				"ubuntu/24.04/amd64/ubuntu-24.04-live-server-amd64.iso",
				"ubuntu/22.04/amd64/linux", "ubuntu/22.04/amd64/initrd"},
			[]string{"ubuntu-24.04-amd64 | Ubuntu installer (24.04/amd64) | x86 bios=ubuntu/24.04/amd64/linux " +
				"efi=ubuntu/24.04/amd64/linux | initrd=initrd ip=dhcp url=/ubuntu/24.04/amd64/ubuntu-24.04-live-server-amd64.iso " +
				"| ubuntu/24.04/amd64/initrd"}},
		{"Fedora, with and without its second stage",
			[]string{"fedora/40/x86_64/images/pxeboot/vmlinuz", "fedora/40/x86_64/images/pxeboot/initrd.img",
				"fedora/40/x86_64/images/install.img",
				"fedora/39/images/pxeboot/vmlinuz", "fedora/39/images/pxeboot/initrd.img"},
			[]string{"fedora-40-x86_64 | Fedora or RHEL installer (40/x86_64) | x86 " +
				"bios=fedora/40/x86_64/images/pxeboot/vmlinuz efi=fedora/40/x86_64/images/pxeboot/vmlinuz | initrd=initrd.img " +
				"ip=dhcp inst.repo=/fedora/40/x86_64 | fedora/40/x86_64/images/pxeboot/initrd.img"}},
		{"Fedora at the top",
			[]string{"images/pxeboot/vmlinuz", "images/pxeboot/initrd.img", "images/install.img"},
			[]string{"fedora | Fedora or RHEL installer | x86 bios=images/pxeboot/vmlinuz efi=images/pxeboot/vmlinuz | " +
				"initrd=initrd.img ip=dhcp inst.repo=/. | images/pxeboot/initrd.img"}},
		{"Alpine from an ISO image and from a mirror",
			[]string{"alpine/3.20/boot/vmlinuz-lts", "alpine/3.20/boot/initramfs-lts", "alpine/3.20/boot/modloop-lts",
				"alpine/3.20/apks/x86_64/APKINDEX.tar.gz",
				"alpine/v3.19/releases/aarch64/netboot/vmlinuz-virt", "alpine/v3.19/releases/aarch64/netboot/initramfs-virt",
				"alpine/v3.19/releases/aarch64/netboot/modloop-virt"},
			[]string{
				"alpine-v3.19-aarch64-virt | Alpine Linux virt (v3.19/aarch64/virt) | arm64 bios= " +
					"efi=alpine/v3.19/releases/aarch64/netboot/vmlinuz-virt | initrd=initramfs-virt ip=dhcp modules=loop,squashfs " +
					"modloop=/alpine/v3.19/releases/aarch64/netboot/modloop-virt | " +
					"alpine/v3.19/releases/aarch64/netboot/initramfs-virt",
				"alpine-3.20-lts | Alpine Linux lts (3.20/lts) | x86 bios=alpine/3.20/boot/vmlinuz-lts " +
					"efi=alpine/3.20/boot/vmlinuz-lts | initrd=initramfs-lts ip=dhcp modules=loop,squashfs " +
					"modloop=/alpine/3.20/boot/modloop-lts alpine_repo=/alpine/3.20/apks | alpine/3.20/boot/initramfs-lts",
			}},
		{"Flatcar and Talos",
			[]string{"flatcar/amd64-usr/flatcar_production_pxe.vmlinuz",
				"flatcar/amd64-usr/flatcar_production_pxe_image.cpio.gz", "talos/v1.7/vmlinuz-arm64",
				"talos/v1.7/initramfs-arm64.xz"},
			[]string{
				"flatcar-amd64-usr | Flatcar Linux (amd64-usr) | x86 bios=flatcar/amd64-usr/flatcar_production_pxe.vmlinuz " +
					"efi=flatcar/amd64-usr/flatcar_production_pxe.vmlinuz | initrd=flatcar_production_pxe_image.cpio.gz " +
					"flatcar.first_boot=1 | flatcar/amd64-usr/flatcar_production_pxe_image.cpio.gz",
				"talos-v1.7-arm64 | Talos Linux (v1.7/arm64) | arm64 bios= efi=talos/v1.7/vmlinuz-arm64 | " +
					"initrd=initramfs-arm64.xz talos.platform=metal init_on_alloc=1 slab_nomerge pti=on | " +
					"talos/v1.7/initramfs-arm64.xz",
			}},
		{"openSUSE, and one without its system",
			[]string{"opensuse/15.6/boot/x86_64/loader/linux", "opensuse/15.6/boot/x86_64/loader/initrd",
				"opensuse/15.6/boot/x86_64/root",
				"opensuse/15.6/boot/aarch64/linux", "opensuse/15.6/boot/aarch64/initrd", "opensuse/15.6/boot/aarch64/root",
				"x/boot/x86_64/loader/linux", "x/boot/x86_64/loader/initrd"},
			[]string{
				"opensuse-15.6-x86_64 | openSUSE installer (15.6/x86_64) | x86 bios=opensuse/15.6/boot/x86_64/loader/linux " +
					"efi=opensuse/15.6/boot/x86_64/loader/linux | initrd=initrd netsetup=dhcp install=/opensuse/15.6 | " +
					"opensuse/15.6/boot/x86_64/loader/initrd",
				"opensuse-15.6-aarch64 | openSUSE installer (15.6/aarch64) | arm64 bios= efi=opensuse/15.6/boot/aarch64/linux | " +
					"initrd=initrd netsetup=dhcp install=/opensuse/15.6 | opensuse/15.6/boot/aarch64/initrd",
			}},
		{"Proxmox with the ISO image in its initrd, and its disc, which cannot be booted so",
			[]string{"proxmox/8.4/pxeboot/linux26", "proxmox/8.4/pxeboot/initrd", "disc/boot/linux26", "disc/boot/initrd.img"},
			[]string{"proxmox-8.4 | Proxmox VE installer (8.4) | x86 bios=proxmox/8.4/pxeboot/linux26 " +
				"efi=proxmox/8.4/pxeboot/linux26 | initrd=initrd vga=791 video=vesafb:ywrap,mtrr ramdisk_size=16777216 rw quiet " +
				"splash=silent | proxmox/8.4/pxeboot/initrd"}},
		{"Arch, and one without its system",
			[]string{"2026.11.01/arch/boot/x86_64/vmlinuz-linux", "2026.11.01/arch/boot/x86_64/initramfs-linux.img",
				"2026.11.01/arch/x86_64/airootfs.sfs",
				"x/arch/boot/x86_64/vmlinuz-linux", "x/arch/boot/x86_64/initramfs-linux.img"},
			[]string{"arch-2026.11.01 | Arch Linux (2026.11.01) | x86 bios=2026.11.01/arch/boot/x86_64/vmlinuz-linux " +
				"efi=2026.11.01/arch/boot/x86_64/vmlinuz-linux | initrd=initramfs-linux.img ip=dhcp archisobasedir=arch " +
				"archiso_http_srv=/2026.11.01/ | 2026.11.01/arch/boot/x86_64/initramfs-linux.img"}},
		{"Arch at the top",
			[]string{"arch/boot/x86_64/vmlinuz-linux", "arch/boot/x86_64/initramfs-linux.img", "arch/x86_64/airootfs.erofs"},
			[]string{"arch | Arch Linux | x86 bios=arch/boot/x86_64/vmlinuz-linux efi=arch/boot/x86_64/vmlinuz-linux | " +
				"initrd=initramfs-linux.img ip=dhcp archisobasedir=arch archiso_http_srv=/. | " +
				"arch/boot/x86_64/initramfs-linux.img"}},
		{"Clonezilla, and Debian's live disc",
			[]string{"clonezilla/3.2/live/vmlinuz", "clonezilla/3.2/live/initrd.img",
				"clonezilla/3.2/live/filesystem.squashfs", "clonezilla/3.2/Clonezilla-Live-Version",
				"d/live/vmlinuz-6.12-arm64", "d/live/initrd.img-6.12-arm64", "d/live/filesystem.squashfs", "e/live/vmlinuz",
				"e/live/initrd.img"},
			[]string{
				"clonezilla-3.2 | Clonezilla live (3.2) | x86 bios=clonezilla/3.2/live/vmlinuz efi=clonezilla/3.2/live/vmlinuz | " +
					"initrd=initrd.img boot=live components union=overlay username=user noswap edd=on ocs_live_run=ocs-live-general " +
					"ocs_live_batch=no net.ifnames=0 fetch=/clonezilla/3.2/live/filesystem.squashfs | clonezilla/3.2/live/initrd.img",
				"debian-live-d-live-6.12-arm64 | Debian live (d/live-6.12-arm64) | arm64 bios= efi=d/live/vmlinuz-6.12-arm64 | " +
					"initrd=initrd.img-6.12-arm64 boot=live components union=overlay username=user " +
					"fetch=/d/live/filesystem.squashfs | d/live/initrd.img-6.12-arm64",
			}},
		{"casper with its ISO image, and without",
			[]string{"ubuntu/24.04/ubuntu-24.04-desktop-amd64.iso", "ubuntu/24.04/casper/vmlinuz",
				"ubuntu/24.04/casper/initrd", "ubuntu/24.04/casper/filesystem.squashfs", "x/casper/vmlinuz", "x/casper/initrd"},
			[]string{"casper-24.04 | Ubuntu live (24.04) | x86 bios=ubuntu/24.04/casper/vmlinuz " +
				"efi=ubuntu/24.04/casper/vmlinuz | initrd=initrd ip=dhcp boot=casper " +
				"url=/ubuntu/24.04/ubuntu-24.04-desktop-amd64.iso | ubuntu/24.04/casper/initrd"}},
		{"memtest86+ 8",
			[]string{"memtest/mt86p_810_x86_64", "memtest/mt86p_810_i586", "memtest/mt86p_810_la64"},
			[]string{"memtest-mt86p_810_x86_64 | Memory test (mt86p_810_x86_64) | x86 bios=memtest/mt86p_810_x86_64 " +
				"efi=memtest/mt86p_810_x86_64 |"}},
		{"names that a menu would have to quote",
			[]string{"$(x)/memtest86+x64.bin", "a b/memtest86+x64.bin", "${ip}/memtest86+x64.bin", "a;b/memtest86+x64.bin",
				"ä/memtest86+x64.bin", "x\ny/memtest86+x64.bin", ".hidden/memtest86+x64.bin"},
			nil},
		{"keys that would be the same",
			[]string{"a+b/memtest86+x64.bin", "a=b/memtest86+x64.bin"},
			[]string{
				"memtest-a_b-memtest86_x64 | Memory test (a+b/memtest86+x64) | x86 bios=a+b/memtest86+x64.bin efi= |",
				"memtest-a_b-memtest86_x64-2 | Memory test (a=b/memtest86+x64) | x86 bios=a=b/memtest86+x64.bin efi= |",
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, tc.files...)
			var got []string
			for _, img := range find(t, NewFinder(dir)).Images {
				got = append(got, line(img))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFindFollowsNoLink(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	put(t, outside, "memtest86+x64.bin")
	for name, to := range map[string]string{"out": outside, "round": "."} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if got := find(t, NewFinder(dir)); len(got.Images) != 0 || got.Truncated {
		t.Errorf("found %+v through a symbolic link", got)
	}
}

func TestFindSeesChanges(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "http")
	f := NewFinder(dir)
	count := func(step string, want int) {
		t.Helper()
		if got := len(find(t, f).Images); got != want {
			t.Errorf("%s: %d images, want %d", step, got, want)
		}
	}
	age := func() { // as if the last change were long ago, so that the search is not made again for its freshness
		t.Helper()
		old := time.Now().Add(-time.Hour)
		if err := filepath.WalkDir(dir, func(p string, _ os.DirEntry, _ error) error {
			return os.Chtimes(p, old, old)
		}); err != nil {
			t.Fatal(err)
		}
	}
	count("no folder", 0)
	put(t, dir, "a/memtest86+x64.bin")
	age()
	count("folder made", 1)
	if s := f.seen; len(s) != 2 || s[0].racy {
		t.Errorf("an old tree of two folders was remembered as %+v", s)
	}
	count("nothing changed", 1)
	put(t, dir, "b/c/memtest86+x64.bin")
	count("added", 2)
	put(t, dir, "b/c/memtest86-5.01")
	count("added within the same tick", 3)
	age()
	count("aged", 3)
	if err := os.RemoveAll(filepath.Join(dir, "b/c")); err != nil {
		t.Fatal(err)
	}
	count("removed", 1)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	count("all removed", 0)
}

func TestFindIsBounded(t *testing.T) {
	deep := t.TempDir()
	put(t, deep, strings.Repeat("d/", maxDepth)+"memtest86+x64.bin", "memtest86+x64.bin")
	wide := t.TempDir()
	for i := range maxFolders {
		put(t, wide, fmt.Sprintf("d%d/memtest86+x64.bin", i))
	}
	for name, dir := range map[string]string{"deep": deep, "wide": wide} {
		got := find(t, NewFinder(dir))
		if !got.Truncated || len(got.Images) == 0 || len(got.Images) > maxFolders {
			t.Errorf("%s: truncated %v with %d images", name, got.Truncated, len(got.Images))
		}
	}
}

func BenchmarkFindUnchanged(b *testing.B) {
	dir := b.TempDir()
	old := time.Now().Add(-time.Hour)
	for i := range 20 {
		top := fmt.Sprintf("smartos/201308%02dT195337Z/platform/i86pc/", i)
		put(b, dir, top+"kernel/amd64/unix", top+"amd64/boot_archive")
	}
	if err := filepath.WalkDir(dir, func(p string, _ os.DirEntry, _ error) error {
		return os.Chtimes(p, old, old)
	}); err != nil {
		b.Fatal(err)
	}
	f := NewFinder(dir)
	for b.Loop() {
		find(b, f)
	}
}
