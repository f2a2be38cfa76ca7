// Package catalog is what can be booted: the images on disk, the user's scripts and the tools that are always there,
// each an item with a key, and the commands by which iPXE boots it.
package catalog

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"pxeagent/agent/image"
	"pxeagent/agent/script"
)

// OwnScript is the user's own script in the HTTP tree. Machines are given it in place of all menus.
const OwnScript = "ipxe/bootstrap.ipxe"

// maxOwn bounds the user's own script where it is looked into, in bytes.
const maxOwn = 1 << 20

var (
	// ErrUnknownItem: no item has this key.
	ErrUnknownItem = errors.New("unknown menu item")
	// ErrNotOnce: an item cannot be booted once.
	ErrNotOnce = errors.New("cannot be booted once, because a machine fetches nothing for it")
)

// Config is what a Catalog is made of.
type Config struct {
	Root     string // the folder that has the HTTP tree, http; "": there are only tools
	NoRescue bool   // SmartOS has no second item that leaves the disks alone
	Log      *slog.Logger
}

// Catalog lists what can be booted, as it is on disk when it is asked. Its methods may be called from many goroutines.
type Catalog struct {
	tree      Tree
	finder    *image.Finder // nil: no root
	noRescue  atomic.Bool
	log       *slog.Logger
	truncated sync.Once
	texts     Kept[[]byte]   // of Source
	folders   Kept[[]string] // of fragmentNames

	mu   sync.Mutex
	last listed
}

// listed is a listing, with what it was made from.
type listed struct {
	images   []image.Image
	texts    []Text
	noRescue bool
	*Listing // nil: there is none
}

// maxTexts bounds the texts that are kept in memory, in bytes.
const maxTexts = 4 << 20

// New fails where Root is not a readable folder. The HTTP tree in it may be missing.
func New(c Config) (*Catalog, error) {
	made := &Catalog{log: c.Log, texts: Kept[[]byte]{Limit: maxTexts}, folders: Kept[[]string]{Limit: maxTexts}}
	if made.log == nil {
		made.log = slog.New(slog.DiscardHandler)
	}
	if c.Root != "" {
		if _, err := os.ReadDir(c.Root); err != nil {
			return nil, fmt.Errorf("root folder: %w", err)
		}
		made.tree = Tree(filepath.Join(c.Root, "http"))
		made.finder = image.NewFinder(string(made.tree))
	}
	made.noRescue.Store(c.NoRescue)
	return made, nil
}

// SetNoRescue is Config.NoRescue from now on.
func (c *Catalog) SetNoRescue(no bool) { c.noRescue.Store(no) }

// Has reports whether the HTTP tree has a plain file of that name.
func (c *Catalog) Has(name string) bool { return c.tree.Has(name) }

// Listing is what there is at one time, in the order of a menu about which nothing is configured.
type Listing struct {
	Items    []Item
	Problems []Problem // what was left out
}

// Problem is why something is left out.
type Problem struct {
	Thing string // an item's key, or what else it is about
	Err   error
}

func (l *Listing) leaveOut(thing, format string, args ...any) {
	l.Problems = append(l.Problems, Problem{thing, fmt.Errorf(format, args...)})
}

// List is all items that there are. As long as nothing changes it is the same Listing, which must not be written to.
func (c *Catalog) List() (*Listing, error) {
	images, err := c.images()
	if err != nil {
		return nil, err
	}
	now := listed{images: images, texts: c.Fragments(), noRescue: c.noRescue.Load()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !now.as(c.last) {
		now.Listing = c.list(images, now.texts)
		c.last = now
	}
	return c.last.Listing, nil
}

// as reports whether a listing was made from the very same.
func (l listed) as(last listed) bool {
	return last.Listing != nil && l.noRescue == last.noRescue && identical(l.images, last.images) &&
		slices.EqualFunc(l.texts, last.texts, func(a, b Text) bool {
			return a.Name == b.Name && a.Err == nil && b.Err == nil && identical(a.Script, b.Script)
		})
}

// identical reports whether two slices are the same memory.
func identical[T any](a, b []T) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

func (c *Catalog) list(images []image.Image, texts []Text) *Listing {
	l := &Listing{}
	all := []Item{{Key: Local, Title: "Boot from the local disk", Hot: "l", commands: localDisk}}
	for n := range images {
		all = append(all, c.imageItems(&images[n])...)
	}
	all = append(all, l.fragments(texts)...)
	all = append(all, tools...)

	// What is built in has its name first, whatever comes before it in the menu.
	builtin := append([]string{Local}, reserved...)
	for _, t := range tools {
		builtin = append(builtin, t.Key)
	}
	used := map[string]bool{}
	for _, i := range all {
		if used[i.Key] || slices.Contains(builtin, i.Key) && (i.image != nil || i.Fragment()) {
			l.leaveOut(i.Key, "%s (%s) is left out: duplicate key", i.Key, i.Title)
			continue
		}
		used[i.Key] = true
		l.Items = append(l.Items, i)
	}
	return l
}

// images are those on disk.
func (c *Catalog) images() ([]image.Image, error) {
	if c.finder == nil {
		return nil, nil
	}
	found, err := c.finder.Find()
	if err != nil {
		return nil, err
	}
	if found.Truncated {
		c.truncated.Do(func() {
			c.log.Warn("the HTTP tree is so large that images may be missing in the menu", "file", string(c.tree))
		})
	}
	return found.Images, nil
}

// Items are what machines can boot: the items of the menu in the user's own script where there is one, else
// those of List.
func (c *Catalog) Items() ([]Item, error) {
	l, err := c.List()
	if err != nil {
		return nil, err
	}
	own, err := c.Own()
	if err != nil {
		if errors.Is(err, ErrTooLong) {
			return nil, err
		}
		return slices.Clone(l.Items), nil
	}
	var items []Item
	for _, line := range script.ReadMenu(own.Script).Items {
		item := Item{Key: line.Label, Title: line.Title}
		if n := slices.IndexFunc(l.Items, func(i Item) bool { return i.Key == line.Label }); n >= 0 {
			item.Names, item.Version = l.Items[n].Names, l.Items[n].Version
		}
		items = append(items, item)
	}
	return items, nil
}

// ErrTooLong: the user's own script is larger than any menu.
var ErrTooLong = errors.New("iPXE would take long over it")

// Own is the user's own script. fs.ErrNotExist: there is none; script.ErrNotScript: it is not served, since a machine
// would hang on it.
func (c *Catalog) Own() (Text, error) {
	f, info, name, err := c.tree.OpenFold(OwnScript)
	if err != nil {
		return Text{}, err
	}
	defer f.Close()
	if info.Size() > maxOwn {
		return Text{}, fmt.Errorf("%s has %d bytes: %w", name, info.Size(), ErrTooLong)
	}
	text := make([]byte, info.Size())
	if n, err := f.ReadAt(text, 0); n < len(text) {
		return Text{}, fmt.Errorf("reading %s: %w", name, err)
	}
	return Text{Name: name, Script: text}, script.Validate(text)
}
