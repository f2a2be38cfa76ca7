package menu

import (
	"errors"
	"io/fs"
	"net/netip"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
	"pxeagent/agent/script"
)

// Menu is what one machine is given: by iPXE at BootstrapPath, once it has told its facts, or by another loader.
type Menu struct {
	// Source is the user's file that it comes from: the path below the HTTP tree of a script or a template; "": it is
	// made from what is on disk.
	Source string
	Title  string
	// Script is as it is served. It may hold the hash of root's password: Shown is for people.
	Script   []byte
	Shown    []byte        // Script with that masked
	Items    []Item        // those that are not shown to this machine among them
	Default  string        // key of the item that is booted when nobody chooses
	Timeout  time.Duration // 0: it waits for ever
	SkipMenu bool          // Default is booted without a menu
	Choice   machine.Choice
	// Err is what keeps the menu from being as configured: a broken template (the last good one is
	// served), an image whose command line is too long, a default that is not there. nil: nothing.
	Err error
}

// Menu is the menu of a machine that told these facts from this address. The error is of the disk; faults of the menu
// are in Menu.Err.
func (b *Builder) Menu(facts boot.Facts, addr netip.Addr) (Menu, error) {
	own, err := b.catalog.Own()
	if err == nil {
		return ownMenu(own), nil
	} else if errors.Is(err, catalog.ErrTooLong) {
		return Menu{}, err
	}
	script, d, made := b.made(facts, addr)
	if made != nil {
		return Menu{}, made
	}
	m := b.menuOf(&d, script)
	if !errors.Is(err, fs.ErrNotExist) { // the user's own is there and cannot be served
		m.Err = errors.Join(err, m.Err)
	}
	return m, nil
}

// ownMenu is the user's own script as far as it can be read without running it. It is the same for every machine.
func ownMenu(own catalog.Text) Menu {
	read := script.ReadMenu(own.Script)
	m := Menu{
		Source: own.Name, Script: own.Script, Shown: catalog.Mask(own.Script),
		Title: read.Title, Default: read.Default, Timeout: read.Timeout,
	}
	for _, i := range read.Items {
		item := catalog.Item{Key: i.Label, Title: i.Title}
		m.Items = append(m.Items, Item{Item: item, Shown: true, Default: i.Label == read.Default})
	}
	return m
}
