package image

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// folder is one folder as a layout sees it: its own files, and whether others exist nearby.
type folder struct {
	path  string // relative, "." for the top
	files []string
	has   func(file string) bool // by path from the top; regular files only
	isDir func(dir string) bool
}

func (f folder) file(name string) bool { return slices.Contains(f.files, name) }

func (f folder) join(name string) string { return path.Join(f.path, name) }

// layouts are the systems that are known, in the order of the menu. Each recognises its images
// by the names that the system's own builds have.
var layouts = []struct {
	system string
	find   func(folder) []Image
	files  string // what it goes by, for people
}{
	{"smartos", smartos, "STAMP/platform/i86pc/{kernel/amd64/unix,amd64/boot_archive}"},
	{"debian", debian, "debian-installer/ARCH/{linux,initrd.gz}"},
	{"ubuntu", ubuntu, "ARCH/{linux,initrd,ubuntu-*.iso}, or ubuntu-installer/ARCH/{linux,initrd.gz}"},
	{"fedora", fedora, "images/{install.img,pxeboot/vmlinuz,pxeboot/initrd.img}, also of RHEL and its kin"},
	{"opensuse", opensuse, "boot/ARCH/{root,loader/linux,loader/initrd}"},
	{"proxmox", proxmox, "linux26 with initrd that has the ISO image in it, as pve-iso-2-pxe makes it"},
	{"alpine", alpine, "{vmlinuz,initramfs,modloop}-FLAVOUR"},
	{"arch", arch, "arch/{boot/x86_64/vmlinuz-linux,boot/x86_64/initramfs-linux.img,x86_64/airootfs.sfs}"},
	{
		"clonezilla",
		debianLive,
		"live/{vmlinuz,initrd.img,filesystem.squashfs}, also of GParted and of Debian's live discs",
	},
	{"casper", casper, "casper/{vmlinuz,initrd} with the ISO image beside casper/"},
	{"flatcar", flatcar, "flatcar_production_pxe{.vmlinuz,_image.cpio.gz}"},
	{"talos", talos, "{vmlinuz-ARCH,initramfs-ARCH.xz}"},
	{"memtest", memtest, "memtest86+x64.{bin,efi}, memtest64.{bin,efi}, memtest86-5.01, mt86p_810_x86_64"},
}

// typedModules is the first SmartOS that reads the type of each module. Older ones take the first
// module for the boot archive, and newer ones do so as well when nothing is said.
const typedModules = "20170101T000000Z"

var stampRE = regexp.MustCompile(`\d{8}T\d{6}Z$`)

// smartos is STAMP/platform/i86pc/…: the kernel refuses to start where "platform" is not in its path.
func smartos(f folder) []Image {
	top, ok := strings.CutSuffix(f.path, "/i86pc/kernel/amd64")
	archive := path.Join(top, "i86pc/amd64/boot_archive")
	if !ok || path.Base(top) != "platform" || !f.file("unix") || !f.has(archive) {
		return nil
	}
	version, dir := path.Base(path.Dir(top)), path.Dir(top)
	if version == "." {
		version, dir = "platform", top
	}
	img := Image{
		Key: key("smartos", version), System: "smartos", Title: "SmartOS " + version,
		Why: "SmartOS needs BIOS: iPXE under UEFI cannot load its kernel",
		CPU: X86, BIOS: f.join("unix"), Multiboot: true, Kind: KindMultiboot, NoImport: true,
		Dir: dir, Version: stampRE.FindString(version),
		Args:    text("-B", "console=text,smartos=true"),
		Modules: []Module{{Path: archive}},
	}
	hash := archive + ".hash"
	if stamp := stampRE.FindString(version); stamp >= typedModules && f.has(hash) {
		img.Modules = []Module{
			{Path: archive, Args: "type=rootfs name=ramdisk"},
			{Path: hash, Args: "type=hash name=ramdisk"},
		}
	}
	return []Image{img}
}

// withShim is img with the first of these files that is there as its shim.
func (img Image) withShim(f folder, paths ...string) Image {
	for _, p := range paths {
		if img.Shim == "" && f.has(p) {
			img.Shim = p
		}
	}
	return img
}

// shims are the names of a shim in the folder of a netboot archive, as Debian has them, and Ubuntu.
func shims(f folder, cpu CPU) []string {
	if cpu == ARM64 {
		return []string{f.join("bootnetaa64.efi"), f.join("bootaa64.efi")}
	}
	return []string{f.join("bootnetx64.efi"), f.join("bootx64.efi")}
}

// linux is a kernel with the EFI stub, which BIOS machines boot as well if it is for x86.
func linux(kernel string, cpu CPU, modules ...string) Image {
	img := Image{CPU: cpu, EFI: kernel, Kind: KindLinux}
	if cpu == X86 {
		img.BIOS = kernel
	}
	for _, m := range modules {
		img.Modules = append(img.Modules, Module{Path: m})
		// Under EFI the kernel finds its initrd by this name, and only so.
		img.Args = append(img.Args, Arg{Text: "initrd=" + path.Base(m)})
	}
	return img
}

var cpus = map[string]CPU{
	"amd64": X86, "x86_64": X86, "i386": X86, "x86": X86, "amd64-usr": X86,
	"arm64": ARM64, "aarch64": ARM64, "arm64-usr": ARM64,
}

// cpuIn is the processor that some folder in the path is named after, and its name. x86 where none is.
func cpuIn(p string) (CPU, string) {
	words := strings.Split(p, "/")
	for i := len(words) - 1; i >= 0; i-- {
		if c, ok := cpus[words[i]]; ok {
			return c, words[i]
		}
	}
	return X86, "x86_64"
}

// from says where an image lies, for titles and keys: the folders without those that all have.
func from(p string, without ...string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(p, "/"), func(w string) bool {
		return w == "." || slices.Contains(without, w)
	}), "/")
}

// name makes title and key of a system's words and of where it lies.
func (img Image) name(system, title, where string) Image {
	img.System, img.Title, img.Key = system, title, key(strings.Split(path.Join(system, where), "/")...)
	if where != "" {
		img.Title += " (" + where + ")"
	}
	return img
}

// debian is debian-installer/ARCH/{linux,initrd.gz}, as in netboot.tar.gz.
func debian(f folder) []Image { return installer(f, "debian", "Debian installer") }

func installer(f folder, system, title string) []Image {
	arch := path.Base(f.path)
	cpu, known := cpus[arch]
	if !known || path.Base(path.Dir(f.path)) != system+"-installer" || !f.file("linux") || !f.file("initrd.gz") {
		return nil
	}
	where := from(f.path, system, system+"-installer", "dists", "main", "current", "images", "netboot", "installer-"+arch)
	img := linux(f.join("linux"), cpu, f.join("initrd.gz")).withShim(f, shims(f, cpu)...)
	img.Installs = true
	return []Image{img.name(system, title, where)}
}

// ubuntu is what Debian's is for releases up to 20.04, and later ARCH/{linux,initrd} beside the ISO
// image that they load: without one there is nothing to install.
func ubuntu(f folder) []Image {
	if old := installer(f, "ubuntu", "Ubuntu installer"); old != nil {
		return old
	}
	cpu, known := cpus[path.Base(f.path)]
	iso := ""
	for _, n := range f.files {
		if strings.HasPrefix(n, "ubuntu-") && strings.HasSuffix(n, ".iso") {
			iso = n // the last by name is the newest
		}
	}
	if !known || iso == "" || !f.file("linux") || !f.file("initrd") {
		return nil
	}
	img := linux(f.join("linux"), cpu, f.join("initrd")).withShim(f, shims(f, cpu)...)
	img.Installs = true
	img.Args = append(img.Args, Arg{Text: "ip=dhcp"}, Arg{Text: "url=", Path: f.join(iso)})
	return []Image{img.name("ubuntu", "Ubuntu installer", from(f.path, "ubuntu"))}
}

// fedora is an installation tree of Fedora, RHEL and those made from it. Without its second stage
// the kernel has nothing to run.
func fedora(f folder) []Image {
	tree, ok := strings.CutSuffix(f.path, "images/pxeboot")
	tree = path.Clean(tree)
	if !ok || !f.file("vmlinuz") || !f.file("initrd.img") || !f.has(path.Join(tree, "images/install.img")) {
		return nil
	}
	cpu, _ := cpuIn(tree)
	img := linux(f.join("vmlinuz"), cpu, f.join("initrd.img"))
	if cpu == ARM64 {
		img = img.withShim(f, path.Join(tree, "EFI/BOOT/BOOTAA64.EFI"))
	} else {
		img = img.withShim(f, path.Join(tree, "EFI/BOOT/BOOTX64.EFI"))
	}
	img.Installs = true
	img.Args = append(img.Args, Arg{Text: "ip=dhcp"}, Arg{Text: "inst.repo=", Path: tree})
	return []Image{img.name("fedora", "Fedora or RHEL installer", from(tree, "fedora", "releases", "os"))}
}

// alpine is vmlinuz-FLAVOUR with its initramfs and modloop, from a netboot archive or an ISO image. Where
// packages lie beside it they are used: without any it starts a shell and no more.
func alpine(f folder) []Image {
	var out []Image
	for _, flavour := range []string{"lts", "virt", "edge"} {
		if !f.file("vmlinuz-"+flavour) || !f.file("initramfs-"+flavour) || !f.file("modloop-"+flavour) {
			continue
		}
		cpu, _ := cpuIn(f.path)
		img := linux(f.join("vmlinuz-"+flavour), cpu, f.join("initramfs-"+flavour))
		img.Args = append(img.Args, Arg{Text: "ip=dhcp"}, Arg{Text: "modules=loop,squashfs"},
			Arg{Text: "modloop=", Path: f.join("modloop-" + flavour)})
		// An ISO image has boot/ beside apks/, a mirror releases/ARCH/netboot/ beside main/.
		for _, repo := range []string{"../apks", "../../../main"} {
			if dir := f.join(repo); !strings.HasPrefix(dir, "..") && f.isDir(dir) {
				img.Args = append(img.Args, Arg{Text: "alpine_repo=", Path: dir})
				break
			}
		}
		out = append(
			out,
			img.name("alpine", "Alpine Linux "+flavour, from(f.path+"/"+flavour, "alpine", "releases", "netboot", "boot")),
		)
	}
	return out
}

func flatcar(f folder) []Image {
	const stem = "flatcar_production_pxe"
	if !f.file(stem+".vmlinuz") || !f.file(stem+"_image.cpio.gz") {
		return nil
	}
	cpu, _ := cpuIn(f.path)
	img := linux(f.join(stem+".vmlinuz"), cpu, f.join(stem+"_image.cpio.gz"))
	img.Args = append(img.Args, Arg{Text: "flatcar.first_boot=1"})
	return []Image{img.name("flatcar", "Flatcar Linux", from(f.path, "flatcar"))}
}

// talos refuses to run without the arguments that its own documentation lists as required.
func talos(f folder) []Image {
	var out []Image
	for _, arch := range []string{"amd64", "arm64"} {
		if !f.file("vmlinuz-"+arch) || !f.file("initramfs-"+arch+".xz") {
			continue
		}
		img := linux(f.join("vmlinuz-"+arch), cpus[arch], f.join("initramfs-"+arch+".xz"))
		img.Installs = true
		img.Args = append(img.Args, text("talos.platform=metal", "init_on_alloc=1", "slab_nomerge", "pti=on")...)
		out = append(out, img.name("talos", "Talos Linux", from(f.path+"/"+arch, "talos")))
	}
	return out
}

// memtestRE takes Debian's memtest86+x64.bin, upstream's memtest64.efi and the 5.01 of old, which has no
// ending of its own.
var memtestRE = regexp.MustCompile(`^(memtest(?:86)?\+?[-_]?(x64|ia32|64|32|\d+\.\d+)?)(\.bin|\.efi)?$`)

// memtest8RE takes what upstream's archives have since version 8: one file for BIOS and EFI.
var memtest8RE = regexp.MustCompile(`^mt86p(lus)?_[0-9.]+_x86_64$`)

// memtest comes as one file for BIOS (.bin) and one for EFI (.efi), which are one item of the menu.
func memtest(f folder) []Image {
	var out []Image
	for _, n := range f.files {
		if memtest8RE.MatchString(n) {
			out = append(
				out,
				linux(f.join(n), X86).name("memtest", "Memory test", from(f.path+"/"+n, "memtest", "memtest86", "memtest86+")),
			)
		}
		m := memtestRE.FindStringSubmatch(n)
		if m == nil {
			continue
		}
		stem, bits, ending := m[1], m[2], m[3]
		img := Image{CPU: X86, BIOS: f.join(n), Kind: KindLinux}
		switch {
		case ending == "" && bits == "": // "memtest" alone may be anything
			continue
		case ending == ".efi" && (f.file(stem+".bin") || bits == "ia32" || bits == "32"):
			continue // with the .bin, or for a firmware of 32 bits, for which no iPXE is built in
		case ending == ".efi":
			img.BIOS, img.EFI = "", f.join(n)
		case ending == ".bin" && bits != "ia32" && bits != "32" && f.file(stem+".efi"):
			img.EFI = f.join(stem + ".efi")
		}
		out = append(out, img.name("memtest", "Memory test", from(f.path+"/"+stem, "memtest", "memtest86", "memtest86+")))
	}
	return out
}
