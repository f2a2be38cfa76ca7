package files

import (
	"io/fs"
	"path"
	"strings"

	"pxeagent/agent/boot"
)

// loaderMenu makes the menu of GRUB, pxelinux or U-Boot, where the user has no file that it would find. What it asks for
// first is given, which is its name for this machine. fs.ErrNotExist.
func (l *Library) loaderMenu(a boot.Ask, name string) (*File, error) {
	n, ok := boot.ParseMenuName(name)
	if !ok || n.Theirs(l.trees[a.Proto].Names(n.Folder()), a.Client.Addr()) {
		return nil, fs.ErrNotExist
	}
	text, given, err := l.menu.Render(n, a)
	if err != nil {
		return nil, err
	}
	f := newContent(path.Base(name), boot.Script, text).open()
	f.Given = given
	return f, nil
}

// overTFTP opens a file of the HTTP tree for a loader that has no HTTP. U-Boot puts the folder of its boot file before
// every name. fs.ErrNotExist.
func (l *Library) overTFTP(name string) (*File, boot.Quirk, error) {
	before, rest, ok := strings.Cut("/"+name, boot.TFTPFolder+"/")
	if !ok {
		return nil, "", fs.ErrNotExist
	}
	f, quirk, err := l.users(boot.HTTP, rest)
	if before != "" && quirk == "" {
		quirk = boot.FolderBefore
	}
	return f, quirk, err
}
