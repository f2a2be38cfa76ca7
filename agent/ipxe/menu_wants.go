package ipxe

import (
	"net/url"
	"slices"
	"strings"

	"pxeagent/agent/boot"
	"pxeagent/agent/script"
)

// Wants are the URL paths, unescaped, of the files that belong to the menu's item whose kernel has this path, the kernel first; nil where no
// item has. Where several have, they are the files that all of them need.
func (l *Library) Wants(kernel string) []string {
	var all [][]string
	images, err := l.images()
	if err != nil {
		return nil
	}
	for _, i := range images {
		if kernel != "/" && (kernel == "/"+i.BIOS || kernel == "/"+i.EFI) { // "" is no path
			files := []string{kernel}
			for _, m := range i.Modules {
				files = append(files, "/"+m.Path)
			}
			all = append(all, files)
		}
	}
	if f, _, err := l.users(boot.HTTP, strings.TrimPrefix(BootstrapPath, "/")); err == nil {
		defer f.Close()
		if f.Size > maxMenu {
			return nil
		}
		text, err := f.all()
		at, wrong := url.Parse(l.ScriptURL())
		if err == nil && wrong == nil {
			all = append(all, script.Boots(text, at, kernel)...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(all[0]), func(file string) bool {
		return slices.ContainsFunc(all, func(files []string) bool { return !slices.Contains(files, file) })
	})
}
