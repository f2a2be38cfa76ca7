package menu

import (
	"errors"
	"io/fs"
	"net/netip"
	"path"
	"strings"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
)

// Loader is a program that shows the menu. The set is closed.
type Loader string

// Loaders lists every Loader.
func Loaders() []Loader { return []Loader{"ipxe", "grub", "pxelinux", "u-boot"} }

// ask is how the loader asks for its menu by TFTP.
func (l Loader) ask(f boot.Facts, addr netip.Addr) (boot.MenuName, boot.Ask) {
	a := boot.Ask{Proto: boot.TFTP, Class: boot.Class(l), Facts: f, Client: netip.AddrPortFrom(addr, 0)}
	return boot.MenuName{GRUB: a.Class == boot.GRUB, MAC: f.MAC}, a
}

// Language is what the loader reads.
func (l Loader) Language() Language {
	switch boot.Class(l) {
	case boot.IPXE:
		return IPXE
	case boot.GRUB:
		return GRUB
	}
	return Extlinux
}

// MenuOf is Menu for a loader, which asks by TFTP where it is not iPXE.
func (b *Builder) MenuOf(l Loader, facts boot.Facts, addr netip.Addr) (Menu, error) {
	if l.Language() == IPXE {
		return b.Menu(facts, addr)
	}
	d, err := b.dataFor(l.ask(facts, addr))
	if err != nil {
		return Menu{}, err
	}
	return b.menuOf(&d, b.finish(&d)), nil
}

// menuOf is a menu that was made.
func (b *Builder) menuOf(d *Data, text []byte) Menu {
	m := Menu{
		Title: d.Title, Script: text, Shown: catalog.Mask(text), Items: d.all, Default: d.Default, Timeout: d.timeout,
		SkipMenu: d.skipMenu, Choice: d.Choice, Err: d.err(),
	}
	if _, missing := b.catalog.Source(d.Language.File()); !errors.Is(missing, fs.ErrNotExist) {
		m.Source = d.Language.File()
	}
	return m
}

// LanguageOf is the language of a file by its name, a template or not.
func LanguageOf(file string) Language {
	name := strings.TrimSuffix(strings.ToLower(path.Base(file)), ".tmpl")
	n, is := boot.ParseMenuName(path.Join(path.Base(path.Dir(file)), name))
	switch {
	case is && n.GRUB:
		return GRUB
	case is, name == "default":
		return Extlinux
	}
	return IPXE
}

// Check says why loaders would not read a menu in this language; nil: they would.
func (l Language) Check(text []byte) error { return renderings[l].check(text) }
