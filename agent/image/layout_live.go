package image

import (
	"path"
	"slices"
	"strings"
)

// opensuse is an installation tree of openSUSE or SLE as on its discs: boot/ARCH/loader, and boot/aarch64 itself.
// Without the system that the installer runs from, boot/ARCH/root, the kernel has nothing to run.
func opensuse(f folder) []Image {
	boot := strings.TrimSuffix(f.path, "/loader")
	arch := path.Base(boot)
	cpu, known := cpus[arch]
	if !known || path.Base(path.Dir(boot)) != "boot" {
		return nil
	}
	if !f.file("linux") || !f.file("initrd") || !f.has(path.Join(boot, "root")) {
		return nil
	}
	tree := path.Dir(path.Dir(boot))
	img := linux(f.join("linux"), cpu, f.join("initrd"))
	img.Installs = true
	img.Args = append(img.Args, Arg{Text: "netsetup=dhcp"}, Arg{Text: "install=", Path: tree})
	return []Image{img.name("opensuse", "openSUSE installer", from(path.Join(tree, arch), "opensuse", "repo", "oss"))}
}

// proxmox is a kernel with an initrd that has the ISO image in it, as pve-iso-2-pxe makes them. The disc's own initrd
// looks for the disc and finds none.
func proxmox(f folder) []Image {
	for _, initrd := range []string{"initrd", "initrd.iso.img"} {
		if !f.file("linux26") || !f.file(initrd) {
			continue
		}
		img := linux(f.join("linux26"), X86, f.join(initrd))
		img.Installs = true
		img.Args = append(img.Args, text(
			"vga=791", "video=vesafb:ywrap,mtrr", "ramdisk_size=16777216", "rw", "quiet", "splash=silent")...)
		return []Image{img.name("proxmox", "Proxmox VE installer", from(f.path, "proxmox", "pxeboot"))}
	}
	return nil
}

// arch is Arch Linux's disc and those made as it is: BASE/boot/x86_64, and the system in BASE/x86_64.
func arch(f folder) []Image {
	base, ok := strings.CutSuffix(f.path, "/boot/x86_64")
	system := path.Join(base, "x86_64/airootfs")
	if !ok || !f.file("vmlinuz-linux") || !f.file("initramfs-linux.img") {
		return nil
	}
	if !f.has(system+".sfs") && !f.has(system+".erofs") {
		return nil
	}
	tree := path.Dir(base)
	img := linux(f.join("vmlinuz-linux"), X86, f.join("initramfs-linux.img"))
	img.Args = append(img.Args,
		Arg{Text: "ip=dhcp"}, Arg{Text: "archisobasedir=" + path.Base(base)}, Arg{Text: "archiso_http_srv=", Path: tree})
	if tree != "." {
		img.Args[len(img.Args)-1].Path += "/" // it puts archisobasedir right behind the URL
	}
	return []Image{img.name("arch", "Arch Linux", from(tree, "arch", "archlinux"))}
}

// debianLive is what boots from a filesystem.squashfs by Debian's live-boot, fetched whole: Clonezilla, GParted Live,
// Debian's live discs.
func debianLive(f folder) []Image {
	if !f.file("filesystem.squashfs") || path.Base(f.path) == "casper" {
		return nil
	}
	var out []Image
	for _, kernel := range f.files {
		suffix, ok := strings.CutPrefix(kernel, "vmlinuz")
		if !ok || !f.file("initrd.img"+suffix) {
			continue
		}
		cpu, _ := cpuIn(f.path)
		if strings.HasSuffix(suffix, "-arm64") {
			cpu = ARM64
		}
		tree, lower := path.Dir(f.path), strings.ToLower(f.path)
		img := linux(f.join(kernel), cpu, f.join("initrd.img"+suffix))
		img.Args = append(img.Args, text("boot=live", "components", "union=overlay", "username=user")...)
		system, title := "debian-live", "Debian live"
		switch {
		case f.has(path.Join(tree, "Clonezilla-Live-Version")) || strings.Contains(lower, "clonezilla"):
			system, title = "clonezilla", "Clonezilla live"
			img.Args = append(img.Args, text(
				"noswap", "edd=on", "ocs_live_run=ocs-live-general", "ocs_live_batch=no", "net.ifnames=0")...)
		case f.has(path.Join(tree, "GParted-Live-Version")) || strings.Contains(lower, "gparted"):
			system, title = "gparted", "GParted Live"
			img.Args = append(img.Args, text("noswap", "ip=dhcp", "net.ifnames=0")...)
		}
		img.Args = append(img.Args, Arg{Text: "fetch=", Path: f.join("filesystem.squashfs")})
		out = append(out, img.name(system, title, from(f.path+suffix, system, "live")))
	}
	return out
}

// casper is a live disc of Ubuntu's with its ISO image beside casper/: over HTTP the ISO image is what it fetches.
func casper(f folder) []Image {
	kernel := f.join("casper/vmlinuz")
	i := slices.IndexFunc(f.files, func(n string) bool { return strings.HasSuffix(n, ".iso") })
	if i < 0 || !f.has(kernel) {
		return nil
	}
	for _, name := range []string{"initrd", "initrd.lz", "initrd.gz", "initrd.img"} {
		initrd := f.join("casper/" + name)
		if !f.has(initrd) {
			continue
		}
		cpu, _ := cpuIn(f.path)
		if strings.HasSuffix(f.files[i], "-arm64.iso") {
			cpu = ARM64
		}
		img := linux(kernel, cpu, initrd)
		img.Args = append(
			img.Args,
			Arg{Text: "ip=dhcp"},
			Arg{Text: "boot=casper"},
			Arg{Text: "url=", Path: f.join(f.files[i])},
		)
		return []Image{img.name("casper", "Ubuntu live", from(f.path, "ubuntu", "casper"))}
	}
	return nil
}

// ByHand says which layouts of trees that were put there by hand are recognised, a line each.
func ByHand() []string {
	out := make([]string, 0, len(layouts))
	for _, l := range layouts {
		out = append(out, l.system+": "+l.files)
	}
	return out
}
