package menu

import (
	"time"

	"pxeagent/agent/catalog"
)

// Settings are what a site says of its menus. The zero Settings are those of a site that has said nothing.
type Settings struct {
	Title string // "": "Network boot". iPXE's ${settings} may stand in it
	// Default is the key of the item that is chosen when nobody chooses: "local", or one of an image.
	// "", and the key of what is not there: "local", so that machines start as they did before.
	Default string
	Timeout time.Duration   // how long is waited for a choice, in whole milliseconds; 0: for ever
	Console catalog.Console // of every item that has none of its own
	// RootShadow is the hash of root's password in SmartOS, for its rescue entry above all: what is current heeds it
	// nowhere else.
	RootShadow catalog.Shadow
	NoRescue   bool     // SmartOS has no second entry that leaves the disks alone
	Hide       []string // items that are not shown, by key or pattern (path.Match)
	Entries    []Entry  // what comes first, in this order; the others follow it
}

// Entry is a place in the menu: a heading, or one or more items.
type Entry struct {
	Group string // the heading of a new group; the entry is nothing else then
	Item  string // key or pattern (path.Match) of what stands here; an item stands at the first entry that names it
	Title string // in place of the item's own; "": that
	Args  string // more kernel arguments; see script.CheckArgs
	// Console is that of the item's kernel; the zero Console: the Settings'.
	Console catalog.Console
	Hidden  bool // not shown; it can be booted by a machine's Choice all the same
}
