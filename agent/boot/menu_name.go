package boot

import (
	"encoding/hex"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
)

// MenuName is a name under which a boot loader other than iPXE looks for its menu. Loaders try one name after another,
// by their card's MAC, by their address in hex that is shortened digit by digit, and last a name for all: what the
// first of them gives ends that.
type MenuName struct {
	GRUB bool   // it is GRUB's; else that of pxelinux, syslinux and U-Boot
	Dir  string // folder of grub.cfg, or the one that pxelinux.cfg is in
	MAC  string // that the name has: "52:54:00:12:34:56"; "": none
	ARM  bool   // the name is one for ARM only
	Last bool   // it is the last that is tried
}

var (
	grubRE     = regexp.MustCompile(`(?i)^grub\.cfg(?:-01-([0-9a-f]{2}(?:-[0-9a-f]{2}){5})|-[0-9a-f]{8})?$`)
	extlinuxRE = regexp.MustCompile(`(?i)^(?:01-([0-9a-f]{2}(?:-[0-9a-f]{2}){5})|[0-9a-f]{8}|default(-arm[0-9a-z_-]*)?)$`)
)

const (
	grubCfg     = "grub.cfg"     // how GRUB's names begin
	extlinuxDir = "pxelinux.cfg" // the folder of the others
)

// ParseMenuName reads the name of a file as it was asked for. It reports whether it is such a name.
func ParseMenuName(name string) (MenuName, bool) {
	// Hardly a file that is asked for is one: the expressions look at few.
	if !mayBeMenu(name) {
		return MenuName{}, false
	}
	dir, base := path.Split(urlPath(name))
	dir = strings.Trim(dir, "/")
	if len(base) >= len(grubCfg) && strings.EqualFold(base[:len(grubCfg)], grubCfg) {
		if m := grubRE.FindStringSubmatch(base); m != nil {
			return MenuName{GRUB: true, Dir: dir, MAC: dashedMAC(m[1]), Last: len(base) == len(grubCfg)}, true
		}
	}
	if !strings.EqualFold(path.Base(dir), extlinuxDir) {
		return MenuName{}, false
	}
	m := extlinuxRE.FindStringSubmatch(base)
	if m == nil {
		return MenuName{}, false
	}
	above := strings.Trim(dir[:len(dir)-len(extlinuxDir)], "/")
	return MenuName{Dir: above, MAC: dashedMAC(m[1]), ARM: m[2] != "", Last: strings.EqualFold(base, "default")}, true
}

// mayBeMenu reports whether a name has grubCfg or extlinuxDir anywhere.
func mayBeMenu(name string) bool {
	for end := range name {
		if name[end] != '.' || len(name) < end+4 || !strings.EqualFold(name[end:end+4], ".cfg") {
			continue
		}
		before := strings.ToLower(name[max(0, end-len("pxelinux")):end])
		if strings.HasSuffix(before, "grub") || before == "pxelinux" {
			return true
		}
	}
	return false
}

func dashedMAC(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", ":")) }

// Folder is where the loader looks for menus.
func (n MenuName) Folder() string {
	if n.GRUB {
		return n.Dir
	}
	return path.Join(n.Dir, extlinuxDir)
}

// Theirs reports whether one of these names, of files of the user's in Folder, is one that the loader at that address
// would find after the one that it asks for now. What is made must not come before it.
func (n MenuName) Theirs(names []string, client netip.Addr) bool {
	prefix, last := "", []string{"default"}
	if n.GRUB {
		prefix, last = "grub.cfg-", []string{"grub.cfg"}
	}
	address := ""
	if a := client.Unmap(); a.Is4() {
		address = hex.EncodeToString(a.AsSlice())
	}
	return slices.ContainsFunc(names, func(name string) bool {
		name = strings.ToLower(name)
		rest, ok := strings.CutPrefix(name, prefix)
		short := ok && rest != "" && strings.HasPrefix(address, rest)
		return short || slices.Contains(last, name) || !n.GRUB && strings.HasPrefix(name, "default-")
	})
}

// NameFacts are what the name of a file tells of the machine that asks for it.
func NameFacts(name string) Facts {
	n, _ := ParseMenuName(name)
	return Facts{MAC: n.MAC}
}
