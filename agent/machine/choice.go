package machine

import "time"

// Choice is what one machine is to boot: what its host and profile in the configuration, or a one-time boot, ask for.
// The zero Choice is the menu as it is for everyone.
type Choice struct {
	Host    string `json:"host,omitempty"`    // name of the configuration; "": not known
	Profile string `json:"profile,omitempty"` // name of the configuration; "": none
	// Item is the key of the menu's item that is chosen when nobody chooses; "": the menu's. What is not there, or
	// cannot be booted by this machine, is the local disk.
	Item string `json:"item,omitempty"`
	// SkipMenu: Item is booted without a menu. The menu comes where that fails.
	SkipMenu bool   `json:"straight,omitempty"`
	Once     bool   `json:"once,omitempty"` // Item is for this boot only; for people
	Args     string `json:"args,omitempty"` // more kernel arguments for Item
	// Console: for every item; see catalog.ParseConsole. "": the item's or the menu's own
	Console string `json:"console,omitempty"`
	// Timeout replaces the menu's, 0: for ever; nil: it does not.
	Timeout *time.Duration `json:"timeout_ns,omitempty"`
	// Hide: keys or patterns of items that are not shown, in addition to the menu's
	Hide []string `json:"hide,omitempty"`
	Why  []string `json:"why,omitempty"` // for people: how this was found, a line each
}
