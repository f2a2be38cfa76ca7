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

// Texts are all scripts that machines are given in the end: the user's own at BootstrapPath or the menus that are made,
// and the user's scripts in catalog.FragmentDir.
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
	return append(texts, b.catalog.Fragments()...)
}

// Try makes the menus that a template would make, without putting it to use. What it includes is read from the HTTP
// tree.
func (b *Builder) Try(template []byte) []catalog.Text {
	var texts []catalog.Text
	for _, k := range Kinds() {
		t := catalog.Text{Name: "the menu for " + k.Name, Made: true}
		d := Data{Language: IPXE}
		err := b.fill(&d, k.Facts, netip.Addr{})
		if err == nil {
			t.Script, err = b.execute(sources{TemplateFile: string(template)}, d, true)
		}
		if err != nil {
			t.Err = fmt.Errorf("as a template: %w", err)
		}
		texts = append(texts, t)
	}
	return texts
}
