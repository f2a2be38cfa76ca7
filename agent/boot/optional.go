package boot

import (
	"path"
	"regexp"
	"strings"
)

// optionalRE are files that loaders try whatever they boot, and do without.
var optionalRE = regexp.MustCompile(`(?i)(^|/)(` + strings.Join([]string{
	// shim: lists of what is revoked, and more certificates
	`revocations[a-z_]*\.efi`, `shim_certificate[a-z0-9_]*\.efi`,
	// GRUB: what its modules have, which the one for networks has built in; fonts, translations; menus by MAC and address
	`(i386|x86_64|arm|arm64|riscv64)-(pc|efi|coreboot|uboot)/[a-z]+\.lst`, `[a-z0-9_.-]+\.pf2`, `[a-z_@]+\.g?mo(\.gz)?`,
	`grubenv`, `grub\.cfg-[0-9a-f-]+`,
	// U-Boot: scripts and the tree of its board, before it tries pxe; what it calls a file where DHCP names none
	`boot\.scr(\.uimg)?`, `[^/]+\.dtbo?`, `[0-9a-f]{8}\.img`,
}, "|") + `)$`)

// Optional reports whether a file that is not there does no harm: boot loaders other than iPXE try many names and do
// without. The last name under which a loader looks for its menu is none of these.
func Optional(name string) bool {
	name = urlPath(name)
	if dir, base := path.Split(name); strings.EqualFold(path.Base(dir), extlinuxDir) {
		return !strings.EqualFold(base, "default")
	}
	return optionalRE.MatchString(name)
}
