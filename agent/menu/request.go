package menu

import (
	"cmp"
	"path"

	"pxeagent/agent/boot"
)

// Render makes the menu of a loader that is not iPXE, that asks by this name.
func (b *Builder) Render(n boot.MenuName, a boot.Ask) ([]byte, boot.Given, error) {
	d, err := b.dataFor(n, a)
	if err != nil {
		return nil, boot.Given{}, err
	}
	menu := b.finish(&d)
	return menu, d.given(), nil
}

// dataFor puts that menu together. GRUB says itself what it runs on, in the menu's conditions. What reads the others is
// pxelinux, on a PC with BIOS, or U-Boot, on ARM.
func (b *Builder) dataFor(n boot.MenuName, a boot.Ask) (Data, error) {
	d := Data{Language: Extlinux, beside: func(name string) bool {
		return a.Proto == boot.TFTP && b.tftp.Has(path.Join(n.Dir, name)) ||
			a.Proto == boot.HTTP && b.catalog.Has(path.Join(n.Dir, name))
	}}
	if n.GRUB {
		d.Language = GRUB
	}
	if a.Proto == boot.TFTP {
		d.files = boot.TFTPFolder
	}
	f := a.Facts
	f.MAC = cmp.Or(n.MAC, f.MAC)
	if !n.GRUB && f.Platform == "" {
		f.Platform, f.Arch = "pcbios", "i386"
		if a.Class == boot.UBoot || n.ARM {
			f.Platform, f.Arch = "efi", "arm64"
		}
	}
	return d, b.fill(&d, f, a.Client.Addr().Unmap())
}
