package catalog

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"pxeagent/agent/image"
	"pxeagent/agent/script"
)

// Wants are the URL paths, unescaped, of the files that belong to the item whose kernel has this path, the kernel
// first; nil where no item has. Where several have, they are the files that all of them need. base is the URL under
// which machines find the HTTP tree.
func (c *Catalog) Wants(kernel string, base *url.URL) []string {
	var all [][]string
	images, err := c.images()
	if err != nil {
		return nil
	}
	for _, i := range images {
		if kernel != "/" && (kernel == "/"+i.BIOS || kernel == "/"+i.EFI) { // "" is not a path
			files := []string{kernel}
			for _, m := range i.Modules {
				files = append(files, "/"+m.Path)
			}
			all = append(all, files)
		}
	}
	if own, err := c.Own(); err == nil {
		all = append(all, script.Boots(own.Script, base.JoinPath(OwnScript), kernel)...)
	}
	if len(all) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(all[0]), func(file string) bool {
		return slices.ContainsFunc(all, func(files []string) bool { return !slices.Contains(files, file) })
	})
}

// Booting are the keys of the items whose kernel, or disk image where they have none, has this URL path, unescaped.
// base is as for Wants: what an item's script fetches from elsewhere is left out.
func (c *Catalog) Booting(file string, base *url.URL) []string {
	if file == LocalPath {
		return []string{Local}
	}
	file = strings.TrimLeft(file, "/")
	if file == "" {
		return nil
	}
	items, err := c.Items()
	if err != nil {
		return nil
	}
	var keys []string
	for _, i := range items {
		if slices.Contains(c.kernels(i, base), file) {
			keys = append(keys, i.Key)
		}
	}
	return keys
}

// CheckOnce says whether there is an item of this key and it can be booted once. ErrUnknownItem, ErrNotOnce.
func (c *Catalog) CheckOnce(key string, base *url.URL) error {
	items, err := c.Items()
	if err != nil {
		return err
	}
	n := slices.IndexFunc(items, func(i Item) bool { return i.Key == key })
	switch {
	case n < 0:
		return fmt.Errorf("%q: %w", key, ErrUnknownItem)
	case key != Local && len(c.kernels(items[n], base)) == 0:
		return fmt.Errorf("%q %w", key, ErrNotOnce)
	}
	return nil
}

// kernels are the paths below the HTTP tree of what an item boots.
func (c *Catalog) kernels(i Item, base *url.URL) []string {
	if i.image == nil {
		return c.kernelsOf(i.commands, base)
	}
	return slices.DeleteFunc([]string{i.image.BIOS, i.image.EFI}, func(p string) bool { return p == "" })
}

// kernelsOf are the paths of what commands boot. Scripts of ours that they run are followed.
func (c *Catalog) kernelsOf(commands string, base *url.URL) []string {
	here := base.ResolveReference(&url.URL{Path: "/"})
	text := script.Magic + "\nset base " + strings.TrimSuffix(here.String(), "/") + "\n" + commands
	report := script.Run(
		[]byte(text),
		base.JoinPath(OwnScript),
		script.Machine{Open: true},
		func(u string) (script.Chained, bool) {
			file, ours := ownPath(u, base)
			if !ours || image.Private(file) {
				return script.Chained{}, false
			}
			text, err := c.Source(file)
			return script.Chained{Text: text}, err == nil
		},
	)
	var kernels, others []string
	for _, r := range report.References {
		file, ours := ownPath(r.URL, base)
		switch {
		case !ours, r.Role == script.Script:
		case r.Role == script.Kernel:
			kernels = append(kernels, file)
		default:
			others = append(others, file)
		}
	}
	if kernels == nil {
		return others
	}
	return kernels
}

// ownPath is the path below the HTTP tree of a URL, and whether it is one of base's host.
func ownPath(text string, base *url.URL) (file string, ours bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host != base.Host {
		return "", false
	}
	return strings.TrimLeft(u.Path, "/"), true
}
