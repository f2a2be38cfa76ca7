package files

import (
	"path"
	"regexp"
	"strings"

	"pxeagent/agent/boot"
)

// selfRE is what iPXE's own build calls the binaries that DHCP servers send: undionly.kpxe, ipxe.efi, snponly.efi,
// snp-arm64.efi.
var selfRE = regexp.MustCompile(`^(ipxe|undionly|snp|snponly)(-(i386|x86_64|arm32|arm64))?\.(k{0,3}pxe|efi|0)$`)

// ipxeRE is that with words added by those who build them: ipxe-0ab2277c.kkpxe, snponly-shimx64.efi.
var ipxeRE = regexp.MustCompile(`^(ipxe|undionly|snp|snponly)([-_.].*)?\.(k{0,3}pxe|efi|0)$`)

// bootRE is what other network boot programs are called.
var bootRE = regexp.MustCompile(
	`\.k{0,3}pxe$|^l?pxelinux\.0$|^(grub|shim|boot|syslinux|elilo).*\.efi$|` +
		`^grub.*\.(0|pxe)$|^bootcode\.bin$|^wdsnbp\.com$|^pxeboot\.n12$|^pxeboot$`,
)

var kernelRE = regexp.MustCompile(`^(vmlinu[xz]|bzimage|linux|unix|kernel|wimboot|memdisk|memtest)|\.(vmlinuz|efi)$`)

var imageRE = regexp.MustCompile(
	`^(initrd|initramfs|modloop|boot_archive|rootfs)|\.(iso|img|gz|xz|zst|bz2|cpio|wim|squashfs|tgz|vhd|raw|sdi)$`,
)

// artifact is the kind of the file with this path, going by its name.
func artifact(name string) boot.Artifact {
	base := strings.ToLower(path.Base(name))
	_, isMenu := boot.ParseMenuName(name)
	switch {
	case strings.HasSuffix(base, ".ipxe"), isMenu:
		return boot.Script
	case ipxeRE.MatchString(base), bootRE.MatchString(base):
		return boot.NBP
	case imageRE.MatchString(base):
		return boot.Image
	case kernelRE.MatchString(base):
		return boot.Kernel
	}
	return boot.Other
}

// isSelf reports whether a name is one under which the DHCP server sends iPXE, so that iPXE asking for it is about to
// loop: a name that it was told to send, or one of iPXE's own. Other names are what a menu chains on purpose, or a shim
// and its second stage; so is a user's own file in a folder, whatever it is called. A folder that is not there was put
// before the name by firmware.
func (l *Library) isSelf(proto boot.Proto, name string) bool {
	if l.isSent(name) {
		return true
	}
	base := path.Base(name)
	if !selfRE.MatchString(strings.ToLower(base)) {
		return false
	}
	if base == name {
		return true
	}
	f, _, err := l.users(proto, name)
	if err != nil && proto == boot.TFTP {
		f, _, err = l.overTFTP(name)
	}
	if err != nil {
		return true
	}
	f.Close()
	return false
}

// contentType is what HTTP calls a file. UEFI firmware boots what comes as application/efi whatever its name
// (UEFI 2.10 section 24.7.4), and takes an unknown type for a failure unless the name ends in .efi.
func contentType(name string, a boot.Artifact) string {
	switch {
	case a == boot.Script:
		return "text/plain; charset=utf-8"
	case strings.HasSuffix(strings.ToLower(name), ".efi"):
		return "application/efi"
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".iso":
		return "application/vnd.efi-iso"
	case ".img":
		return "application/vnd.efi-img"
	case ".txt", ".cfg", ".conf", ".hash", ".yaml", ".yml", ".ks", ".seed", ".log":
		return "text/plain; charset=utf-8"
	case ".json", ".ign":
		return "application/json"
	case ".xml":
		return "application/xml"
	}
	return "application/octet-stream"
}
