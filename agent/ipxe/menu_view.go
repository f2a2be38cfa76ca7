package ipxe

import (
	"net/netip"

	"pxeagent/agent/boot"
)

// Menu is what one machine is given at BootstrapPath, once it has told its facts.
type Menu struct {
	// Script is as it is served. It may hold the root password's hash: show Shown to people.
	Script []byte `json:"-"`
	Shown  []byte `json:"-"` // Script with what is secret masked
	Items  []Item
	Choice Choice
	// Err is what keeps the menu from being the one that was asked for: a broken template (the last good one is served), an image whose
	// command line is too long, a default that is not there. nil: nothing.
	Err error
}

// Menu is the menu of a machine that told these facts from this address. The error is of the disk; faults of the menu are in Menu.Err.
func (l *Library) Menu(facts boot.Facts, addr netip.Addr) (Menu, error) {
	script, err := l.Script()
	if err != nil {
		return Menu{}, err
	}
	items, err := l.Items()
	if err != nil {
		return Menu{}, err
	}
	m := Menu{Script: script, Shown: script, Items: items}
	if l.choose != nil {
		m.Choice = l.choose(facts, addr)
	}
	return m, nil
}

// Wants are the URL paths of the files that belong to the menu's item whose kernel has this path, the kernel first; nil where no item has.
// Where several have, they are the files that all of them need.
func (l *Library) Wants(kernel string) []string {
	images, err := l.images()
	if err != nil {
		return nil
	}
	for _, i := range images {
		if p := "/" + i.BIOS; p == kernel || "/"+i.EFI == kernel {
			files := []string{kernel}
			for _, m := range i.Modules {
				files = append(files, "/"+m.Path)
			}
			return files
		}
	}
	return nil
}

// Configure replaces the menu's configuration. Requests that come later are answered by the new one.
func (l *Library) Configure(m MenuConfig) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.menu = m
}
