package catalog

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"pxeagent/agent/image"
	"pxeagent/agent/version"
)

// Item is something that can be booted.
type Item struct {
	Key   string `json:"key"` // see IsKey
	Title string `json:"title"`
	// Why is why not every machine can boot it; "": every x86 machine can.
	Why    string `json:"why,omitempty"`
	System string `json:"system,omitempty"` // of an image, see image.Image
	Image  string `json:"image,omitempty"`  // an image's Key, which two items may have
	// Installs: left alone it overwrites the machine's disk.
	Installs bool `json:"installs,omitempty"`

	// Names are what a profile may call it besides, where Version says which: its system ("smartos"), its recipe.
	Names      []string `json:"-"`
	Version    string   `json:"-"` // "" where it has none
	ImageTitle string   `json:"-"` // of an image
	Hot        string   `json:"-"` // the letter that chooses it, or ""

	image    *image.Image // nil: commands are what boots it
	commands string
	rescue   bool // SmartOS that leaves the disks alone
	// deviceTrees is that of Load.
	deviceTrees string
}

// Need is what a machine must be to boot the item.
func (i Item) Need() Need {
	if i.image == nil {
		return Need{}
	}
	return needOf(*i.image)
}

// Fragment reports whether the item is one of the user's scripts.
func (i Item) Fragment() bool { return i.System == fragmentSystem && i.image == nil }

// IsKey reports whether s can be the key of an item: 1 to 128 letters, digits, '.', '_', '-', '+', ':', not beginning
// with '.' or '-'.
func IsKey(s string) bool {
	return s != "" && len(s) <= 128 && s[0] != '.' && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("._-+:", r)
	})
}

// CheckPattern refuses what cannot be the key of an item or a pattern of keys (path.Match).
func CheckPattern(p string) error {
	if _, err := path.Match(p, ""); err != nil || p == "" || strings.ContainsAny(p, " \t/") {
		return fmt.Errorf(`%q is neither an item's key nor a pattern such as "debian-*"`, p)
	}
	return nil
}

// Matches reports whether an item's key is one of, or fits, these.
func Matches(key string, patterns ...string) bool {
	for _, p := range patterns {
		if p == key {
			return true
		}
		if ok, _ := path.Match(p, key); ok {
			return true
		}
	}
	return false
}

// imageItems are one or two items that boot an image.
func (c *Catalog) imageItems(i *image.Image) []Item {
	item := Item{
		Key: i.Key, Title: i.Title, Why: i.Why, System: i.System, Image: i.Key, Installs: i.Installs,
		Names: names(*i), Version: i.Version, ImageTitle: i.Title, image: i, deviceTrees: c.tree.deviceTrees(*i),
	}
	if need := needOf(*i); item.Why == "" && need.What != needX86.What {
		item.Why = "needs " + need.What
	}
	if !i.NoImport || !takesProperties(*i) || c.noRescue.Load() {
		return []Item{item}
	}
	rescue := item
	rescue.Key, rescue.Title = i.Key+"-rescue", i.Title+", rescue: no pool is imported"
	rescue.Installs = false
	rescue.Names, rescue.Version, rescue.rescue = nil, "", true // it is booted by its own key only
	return []Item{item, rescue}
}

// names are what a profile may call an image of which a version says which.
func names(i image.Image) []string {
	var out []string
	for _, n := range []string{i.System, i.Recipe} {
		if n != "" && n != i.Key {
			out = append(out, n)
		}
	}
	return out
}

// Find is the item of that key, or the newest image of the system or recipe of that name. ErrUnknownItem.
func Find(items []Item, name string) (Item, error) {
	if n := slices.IndexFunc(items, func(i Item) bool { return i.Key == name }); n >= 0 {
		return items[n], nil
	}
	newest, found := Item{}, false
	for _, i := range items {
		if slices.Contains(i.Names, name) && (!found || version.Compare(i.Version, newest.Version) > 0) {
			newest, found = i, true
		}
	}
	if !found {
		return Item{}, fmt.Errorf("%q: %w", name, ErrUnknownItem)
	}
	return newest, nil
}

// Names are all that Find knows items by.
func Names(items []Item) []string {
	var all []string
	for _, i := range items {
		all = append(append(all, i.Key), i.Names...)
	}
	return all
}
