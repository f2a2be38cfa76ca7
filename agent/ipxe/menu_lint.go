package ipxe

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"slices"

	"pxeagent/agent/boot"
)

// Text is a script, with where it comes from.
type Text struct {
	Name   string // a path below the HTTP tree, or what it is made for
	Script []byte
	Err    error // why there is none, or what is wrong with it that Lint cannot see
}

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

// Texts are all scripts that machines are given in the end: the user's own at BootstrapPath or the menus that are made, and the user's scripts
// in FragmentDir.
func (l *Library) Texts() []Text {
	var texts []Text
	if script, err := l.source(BootstrapPath[1:]); !errors.Is(err, fs.ErrNotExist) {
		texts = append(texts, Text{BootstrapPath[1:], script, err})
	} else {
		for _, k := range Kinds() {
			m, err := l.Menu(k.Facts, netip.Addr{})
			name := "the menu for " + k.Name
			texts = append(texts, Text{name, m.Script, errors.Join(err, m.Err)})
		}
	}
	t, ok := l.trees[boot.HTTP]
	if !ok {
		return texts
	}
	root, err := os.OpenRoot(string(t))
	if err != nil {
		return texts
	}
	defer root.Close()
	names := list(root, FragmentDir)
	slices.Sort(names)
	for _, n := range names {
		if fragmentRE.MatchString(n) {
			name := path.Join(FragmentDir, n)
			script, err := readSource(root, name)
			texts = append(texts, Text{name, script, err})
		}
	}
	return texts
}

// Try makes the menus that a template would make, without putting it to use. What it includes is read from the HTTP tree.
func (l *Library) Try(template []byte) []Text {
	var texts []Text
	for _, k := range Kinds() {
		t := Text{Name: "the menu for " + k.Name}
		d, err := l.data(k.Facts, netip.Addr{})
		if err == nil {
			t.Script, err = l.execute(sources{TemplateFile: string(template)}, d, true)
		}
		if err != nil {
			t.Err = fmt.Errorf("as a template: %w", err)
		}
		texts = append(texts, t)
	}
	return texts
}
