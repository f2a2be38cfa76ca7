package menu

import (
	_ "embed"
	"text/template"
)

// Language is what a boot loader reads its menu in. The set is closed.
type Language string

const (
	IPXE     Language = "ipxe"     // iPXE's scripts
	GRUB     Language = "grub"     // GRUB 2's grub.cfg
	Extlinux Language = "extlinux" // the files of pxelinux, syslinux and U-Boot's command pxe
)

// Languages lists every Language.
func Languages() []Language { return []Language{IPXE, GRUB, Extlinux} }

// TemplateFile is the user's template of the iPXE menu, in the HTTP tree. A user's own script at BootstrapPath wins
// over it.
const TemplateFile = "ipxe/bootstrap.ipxe.tmpl"

// Template is the template that the iPXE menu is made by where the user has none: the one to begin with.
//
//go:embed menu.tmpl
var Template string

var (
	//go:embed grub.tmpl
	grubTemplate string
	//go:embed extlinux.tmpl
	extlinuxTemplate string
)

// rendering is how menus are written in a language.
type rendering struct {
	file    string // the user's template, in the HTTP tree
	text    string // the template that is built in
	builtin *template.Template
	check   func(menu []byte) error // why loaders would not read it
}

var renderings = map[Language]rendering{
	IPXE:     newRendering(IPXE, TemplateFile, Template, checkMenu),
	GRUB:     newRendering(GRUB, "grub/grub.cfg.tmpl", grubTemplate, checkGRUB),
	Extlinux: newRendering(Extlinux, "pxelinux.cfg/default.tmpl", extlinuxTemplate, checkExtlinux),
}

func newRendering(l Language, file, text string, check func([]byte) error) rendering {
	d := &Data{Language: l}
	return rendering{file, text, template.Must(template.New(string(l)).Funcs(d.funcs(nil)).Parse(text)), check}
}

// File is where a user's template for this language is looked for, below the HTTP tree.
func (l Language) File() string { return renderings[l].file }

// Builtin is the template that menus are made by where the user has none.
func (l Language) Builtin() string { return renderings[l].text }
