package ipxe

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"pxeagent/agent/boot"
	"pxeagent/agent/script"
)

// FragmentDir is the folder of the HTTP tree in which each script is one more item of the menu.
const FragmentDir = "ipxe/menu.d"

// fragmentSystem is Item.System of such an item.
const fragmentSystem = "script"

// Bounds on what is read for the menu.
const (
	maxFragments = 100
	maxSource    = 256 << 10 // bytes of a template, or of a file that it includes
)

// fragmentRE is the name of a script that becomes an item; its key is what comes before the ending.
var fragmentRE = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]*)\.ipxe$`)

// titleRE is the comment in a script that is its item's title.
var titleRE = regexp.MustCompile(`(?im)^#[ \t]*title:[ \t]*(\S.*)$`)

// fragments are the user's scripts in FragmentDir, each an item that runs it and comes back to the menu when it ends. Being scripts of their own, they
// cannot break the menu.
func (l *Library) fragments(d *MenuData) []Item {
	t, ok := l.trees[boot.HTTP]
	if !ok {
		return nil
	}
	root, err := os.OpenRoot(string(t))
	if err != nil {
		return nil // there is no tree
	}
	defer root.Close()
	names := list(root, FragmentDir)
	slices.Sort(names)
	var items []Item
	for _, n := range names {
		m := fragmentRE.FindStringSubmatch(n)
		if m == nil {
			continue
		}
		if len(items) == maxFragments {
			d.wrong("fragments", "%s has more than %d scripts: the others are no items", FragmentDir, maxFragments)
			break
		}
		text, err := readSource(root, path.Join(FragmentDir, n))
		if err == nil {
			err = script.Validate(text)
		}
		if err != nil {
			d.wrong(n, "%s/%s is left out: %w", FragmentDir, n, err)
			continue
		}
		item := Item{Key: m[1], Title: m[1], System: fragmentSystem,
			Commands: "chain " + script.URL("${base}", path.Join(FragmentDir, n)) + " || goto failed\ngoto start"}
		if t := titleRE.FindSubmatch(text); t != nil {
			item.Title = strings.TrimSpace(string(t[1]))
		}
		items = append(items, item)
	}
	return items
}

var errSource = errors.New("it has more than 256 KiB")

// readSource reads a file below root that is a text of the menu's.
func readSource(root *os.Root, name string) ([]byte, error) {
	f, info, err := openPlain(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > maxSource {
		return nil, errSource
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	if err == nil && len(b) > maxSource {
		err = errSource
	}
	return b, err
}

// source reads a file of the HTTP tree, fs.ErrNotExist where there is no tree.
func (l *Library) source(name string) ([]byte, error) {
	t, ok := l.trees[boot.HTTP]
	if !ok {
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(string(t))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return readSource(root, name)
}
