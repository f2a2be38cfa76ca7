package image

import (
	"path"
	"testing"
)

// A shim that lies where the distribution has it belongs to the image, in a tree that somebody put there by hand too.
func TestShimOfATreeByHand(t *testing.T) {
	for want, c := range map[string]struct {
		find  func(folder) []Image
		path  string
		files []string
		more  string // beside the folder
	}{
		"d/debian-installer/amd64/bootnetx64.efi": {debian, "d/debian-installer/amd64",
			[]string{"linux", "initrd.gz", "bootnetx64.efi"}, ""},
		"d/debian-installer/arm64/bootnetaa64.efi": {debian, "d/debian-installer/arm64",
			[]string{"linux", "initrd.gz", "bootnetaa64.efi"}, ""},
		"u/amd64/bootx64.efi": {ubuntu, "u/amd64", []string{"linux", "initrd", "ubuntu-24.04.iso", "bootx64.efi"}, ""},
		"f/EFI/BOOT/BOOTX64.EFI": {fedora, "f/images/pxeboot", []string{"vmlinuz", "initrd.img"},
			"f/EFI/BOOT/BOOTX64.EFI"},
		"": {debian, "d/debian-installer/amd64", []string{"linux", "initrd.gz"}, ""},
	} {
		there := map[string]bool{c.more: true, "f/images/install.img": true}
		for _, f := range c.files {
			there[path.Join(c.path, f)] = true
		}
		found := c.find(folder{path: c.path, files: c.files, has: func(p string) bool { return there[p] }})
		if len(found) != 1 || found[0].Shim != want {
			t.Errorf("%s: %+v, want the shim %q", c.path, found, want)
		}
	}
}
