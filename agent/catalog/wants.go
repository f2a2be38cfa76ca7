package catalog

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"pxeagent/agent/image"
	"pxeagent/agent/script"
)

// Wants are the URL paths, unescaped, of the files that belong to the item whose kernel has this path, the kernel first;
// nil where no item has. Where several have, they are the files that all of them need. base is the URL under which
// machines find the HTTP tree.
func (c *Catalog) Wants(kernel string, base *url.URL) []string {
	var all [][]string
	images, err := c.images()
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
// base is as for Wants: what an item's script fetches from elsewhere is none of ours.
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
		return c.kernelsOf(i.commands, base, 0)
	}
	return slices.DeleteFunc([]string{i.image.BIOS, i.image.EFI}, func(p string) bool { return p == "" })
}

// kernelsOf are the paths of what commands boot. A script that they run is looked into, and one that this one runs.
func (c *Catalog) kernelsOf(commands string, base *url.URL, depth int) []string {
	here := base.ResolveReference(&url.URL{Path: "/"})
	set := "set base " + strings.TrimSuffix(here.String(), "/")
	refs, _ := script.References([]byte(script.Magic+"\n"+set+"\n"+commands), base.JoinPath(OwnScript))
	boots := slices.ContainsFunc(refs, func(r script.Reference) bool { return r.Kind == script.Kernel })
	var paths []string
	for _, r := range refs {
		u, err := url.Parse(r.URL)
		if err != nil || u.Host != base.Host {
			continue
		}
		file := strings.TrimLeft(u.Path, "/")
		switch {
		case r.Kind == script.Kernel, r.Kind == script.Image && !boots:
			paths = append(paths, file)
		case r.Kind == script.Script && depth < 2 && !image.Private(file):
			if text, err := c.Source(file); err == nil {
				paths = append(paths, c.kernelsOf(string(text), base, depth+1)...)
			}
		}
	}
	return paths
}
