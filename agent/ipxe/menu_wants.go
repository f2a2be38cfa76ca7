package ipxe

import (
	"net/url"
	"slices"
	"strings"

	"pxeagent/agent/boot"
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
		if script, err := f.all(); err == nil {
			all = append(all, l.bootsOf(script, kernel)...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(all[0]), func(file string) bool {
		return slices.ContainsFunc(all, func(files []string) bool { return !slices.Contains(files, file) })
	})
}

// bootsOf are the files of each place of a script that loads the kernel with this path and boots it.
func (l *Library) bootsOf(script []byte, kernel string) [][]string {
	base, err := url.Parse(l.ScriptURL())
	if err != nil {
		return nil
	}
	var all [][]string
	var files []string // since the last kernel
	end := func() {
		if len(files) > 0 && files[0] == kernel {
			all = append(all, files)
		}
		files = nil
	}
	settings := map[string]string{}
	for _, c := range commands(string(script)) {
		switch c.words[0] {
		case "set":
			if len(c.words) >= 3 {
				settings[c.words[1]] = expandKnown(strings.Join(c.words[2:], " "), settings)
			}
		case "kernel", "initrd", "module":
			if c.words[0] == "kernel" {
				end()
			}
			args, _, _ := options(c.words[1:], map[string]bool{"-n": true, "--name": true, "-t": true, "--timeout": true})
			if len(args) == 0 {
				continue
			}
			u, err := url.Parse(expandKnown(args[0], settings))
			if err == nil && base.ResolveReference(u).Host == base.Host && (c.words[0] == "kernel" || files != nil) {
				files = append(files, base.ResolveReference(u).Path)
			}
		case "boot":
			end()
		default:
			if strings.HasPrefix(c.words[0], ":") {
				end()
			}
		}
	}
	end()
	return all
}
