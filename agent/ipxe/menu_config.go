package ipxe

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// MenuConfig is the menu that is made from what is on disk. The zero MenuConfig is that of a site that has said nothing.
type MenuConfig struct {
	Title string // "": "Network boot". iPXE's ${settings} may stand in it
	// Default is the key of the item that is chosen when nobody chooses: "local", or one of an image.
	// "", and the key of what is not there: "local", so that machines start as they did before.
	Default string
	Timeout time.Duration // how long is waited for a choice, in whole milliseconds; 0: for ever
	Console Console       // of every item that has none of its own
	// RootShadow is the hash of root's password in SmartOS, for its rescue entry above all: what is current heeds it nowhere else.
	RootShadow Shadow
	NoRescue   bool        // SmartOS has no second entry that leaves the disks alone
	Hide       []string    // items that are not shown, by key or pattern (path.Match)
	Entries    []MenuEntry // what comes first, in this order; the others follow it
}

// MenuEntry is a place in the menu: a heading, or one or more items.
type MenuEntry struct {
	Group string // the heading of a new group; the entry is nothing else then
	Item  string // key or pattern (path.Match) of what stands here; an item stands at the first entry that names it
	Title string // in place of the item's own; "": that
	Args  string // more kernel arguments; see CheckArgs
	// Console is that of the item's kernel; the zero Console: MenuConfig's.
	Console Console
	Hidden  bool // not shown; it can be booted by a machine's Choice all the same
}

// Local is the key of the menu's item that boots the machine's own disk.
const Local = "local"

// labels of the menu that are no items.
var reserved = []string{"start", "failed"}

// CheckPattern refuses what cannot be the key of an item or a pattern of keys.
func CheckPattern(p string) error {
	if _, err := path.Match(p, ""); err != nil || p == "" || strings.ContainsAny(p, " \t/") {
		return fmt.Errorf(`%q is neither an item's key nor a pattern such as "debian-*"`, p)
	}
	return nil
}

// matches reports whether an item's key is one of, or fits, these.
func matches(key string, patterns []string) bool {
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
