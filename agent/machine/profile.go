package machine

import (
	"slices"
	"time"

	"pxeagent/agent/catalog"
)

// Profile is what the machines of a kind boot, and how.
type Profile struct {
	Name string
	// Image is an item of the menu by its key (an image's, or such as "local"), or a system or recipe of which Version
	// says which; "": the menu's default.
	Image string
	// Version: "" and "latest" are the newest that is on disk, see Canary.
	Version  string
	Args     string // more kernel arguments; {{.MAC}} and the like stand in for facts, see Expand
	Console  string // for the kernel, as the item takes it; "": the menu's
	SkipMenu bool   // boot Image without a menu
	// Once: each machine boots Image once, and after that as the menu's default says, or the local disk where SkipMenu.
	Once    bool
	Timeout *time.Duration // of the menu; nil: as configured for all; 0: it waits for ever
	NBP     string         // the boot file of these machines, in place of what DHCP names; "": that
	Hide    []string       // items that these machines are not shown, by key or pattern
	// Canary is how long the canary has to stay up with a version before the other hosts of this profile are given it;
	// negative: they are given the newest at once.
	Canary time.Duration
	// Any: documents for these machines go to whoever asks for them by ?mac= or ?uuid=, and not to the machine's own
	// address only.
	Any  bool
	Line int // in the file
}

// DefaultCanary is more than a machine takes to come back that has panicked.
const DefaultCanary = 10 * time.Minute

// latest: the profile follows the newest version.
func (p *Profile) latest() bool { return p.Version == "" || p.Version == Latest }

// Latest is the version of a Profile that is the newest.
const Latest = "latest"

// arguments are the profile's for the kernel of an item. They are for its own image, not for a memory test that boots
// once in its place; without an image they are for whatever the menu's default is.
func (p *Profile) arguments(i catalog.Item, v Values) string {
	if p.Image != "" && i.Key != p.Image && !slices.Contains(i.Names, p.Image) {
		return ""
	}
	return Expand(p.Args, v)
}
