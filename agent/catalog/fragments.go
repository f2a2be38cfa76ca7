package catalog

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"

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

// Text is a script, with where it comes from.
type Text struct {
	Name   string // a path below the HTTP tree, or what it is made for
	Script []byte
	Err    error // why there is none, or what is wrong with it that script.Lint cannot see
	Made   bool  // by us, from a template: what it has and never needs is no fault of anybody's
	// NotIPXE: it is a menu for another loader, and script.Lint does not read it
	NotIPXE bool
}

// Fragments are the user's scripts in FragmentDir, as they are.
func (c *Catalog) Fragments() []Text {
	var texts []Text
	for _, name := range c.fragmentNames() {
		text, err := c.Source(name)
		texts = append(texts, Text{Name: name, Script: text, Err: err})
	}
	return texts
}

// fragmentNames are their paths, in order.
func (c *Catalog) fragmentNames() []string {
	if c.tree == "" {
		return nil
	}
	dir := string(c.tree) + "/" + FragmentDir
	if names, ok := c.folders.Find(dir); ok {
		return names
	}
	info, err := os.Stat(dir) // before it is read: what changes in between is seen next time
	var names []string
	for _, n := range c.tree.Names(FragmentDir) {
		if fragmentRE.MatchString(n) {
			names = append(names, path.Join(FragmentDir, n))
		}
	}
	if err == nil && c.folders.Keeps(info) {
		c.folders.Put(dir, info, names)
	}
	return names
}

// fragments are items that each run one of the user's scripts, and come back to the menu when it ends. Being scripts of
// their own, they cannot break the menu.
func (l *Listing) fragments(texts []Text) []Item {
	var items []Item
	for _, t := range texts {
		if len(items) == maxFragments {
			l.leaveOut("fragments", "%s has more than %d scripts: the others are ignored", FragmentDir, maxFragments)
			break
		}
		base := path.Base(t.Name)
		err := t.Err
		if err == nil {
			err = script.Validate(t.Script)
		}
		if err != nil {
			l.leaveOut(base, "%s is left out: %w", t.Name, err)
			continue
		}
		key := fragmentRE.FindStringSubmatch(base)[1]
		item := Item{Key: key, Title: key, System: fragmentSystem,
			commands: "chain " + script.URL("${base}", t.Name) + " || goto failed\ngoto start"}
		if title := titleRE.FindSubmatch(t.Script); title != nil {
			item.Title = strings.TrimSpace(string(title[1]))
		}
		items = append(items, item)
	}
	return items
}

var errSource = errors.New("it has more than 256 KiB")

// readSource reads a file below root that is a text of the menu's. The information is from before it was read.
func readSource(root *os.Root, name string) ([]byte, os.FileInfo, error) {
	f, info, err := openPlain(root, name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info.Size() > maxSource {
		return nil, nil, errSource
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	if err == nil && len(b) > maxSource {
		err = errSource
	}
	return b, info, err
}

// Source reads a text of the HTTP tree, of at most 256 KiB: a template, what it includes, a script. fs.ErrNotExist
// where there is none.
func (c *Catalog) Source(name string) ([]byte, error) {
	if c.tree == "" {
		return nil, fs.ErrNotExist
	}
	path := string(c.tree) + "/" + name
	if text, ok := c.texts.Find(path); ok {
		return text, nil
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	root, err := c.tree.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	text, info, err := readSource(root, name)
	if err == nil && c.texts.Keeps(info) {
		c.texts.Put(path, info, text)
	}
	return text, err
}
