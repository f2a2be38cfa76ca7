package menu

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
)

// Kinds are the machines that menus differ for, by name. The last one tells nothing.
func Kinds() []struct {
	Name  string
	Facts boot.Facts
} {
	return []struct {
		Name  string
		Facts boot.Facts
	}{
		{"BIOS", boot.Facts{Platform: "pcbios", Arch: "i386"}},
		{"UEFI x64", boot.Facts{Platform: "efi", Arch: "x86_64"}},
		{"UEFI ARM64", boot.Facts{Platform: "efi", Arch: "arm64"}},
		{"machines that tell nothing", boot.Facts{}},
	}
}

// Texts are all scripts and menus that machines are given in the end: the user's own at BootstrapPath or the menus that
// are made, those of other loaders, and the user's scripts in catalog.FragmentDir.
func (b *Builder) Texts() []catalog.Text {
	var texts []catalog.Text
	if own, err := b.catalog.Source(catalog.OwnScript); !errors.Is(err, fs.ErrNotExist) {
		texts = append(texts, catalog.Text{Name: catalog.OwnScript, Script: own, Err: err})
	} else {
		for _, k := range Kinds() {
			m, err := b.Menu(k.Facts, netip.Addr{})
			texts = append(texts, catalog.Text{
				Name: "the menu for " + k.Name, Script: m.Script, Err: errors.Join(err, m.Err), Made: true,
			})
		}
	}
	for _, l := range Loaders()[1:] {
		m, err := b.MenuOf(l, boot.Facts{}, netip.Addr{})
		texts = append(texts, catalog.Text{
			Name: "the menu for " + string(l), Script: m.Script, Err: errors.Join(err, m.Err), Made: true, NotIPXE: true,
		})
	}
	return append(texts, b.catalog.Fragments()...)
}

// Try makes the menus that a template of this language would make, without putting it to use. What it includes is read
// from the HTTP tree.
func (b *Builder) Try(l Language, template []byte) []catalog.Text {
	var texts []catalog.Text
	try := func(name string, d Data, err error) {
		t := catalog.Text{Name: "the menu for " + name, Made: true, NotIPXE: l != IPXE}
		if err == nil {
			t.Script, err = b.execute(sources{l.File(): string(template)}, d, true)
		}
		if err != nil {
			t.Err = fmt.Errorf("as a template: %w", err)
		}
		texts = append(texts, t)
	}
	if l == IPXE {
		for _, k := range Kinds() {
			d := Data{Language: IPXE}
			err := b.fill(&d, k.Facts, netip.Addr{})
			try(k.Name, d, err)
		}
		return texts
	}
	for _, loader := range Loaders() {
		if loader.Language() == l {
			d, err := b.dataFor(loader.ask(boot.Facts{}, netip.Addr{}))
			try(string(loader), d, err)
		}
	}
	return texts
}
