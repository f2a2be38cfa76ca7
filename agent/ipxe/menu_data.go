package ipxe

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/image"
	"pxeagent/agent/script"
)

// Item is something that can be chosen in the menu.
type Item struct {
	Key   string `json:"key"` // for MenuConfig.Default
	Title string `json:"title"`
	Group string `json:"group,omitempty"` // the heading that it stands under
	// Why is why not every machine is shown it, or where the machine is known, why this one is not; "": there is no reason.
	Why     string `json:"why,omitempty"`
	Shown   bool   `json:"shown"`
	Default bool   `json:"default,omitempty"` // chosen when nobody chooses
	System  string `json:"system,omitempty"`  // of an image, see image.Image
	Image   string `json:"image,omitempty"`   // an image's Key, which two items may have
	// Installs: left alone it overwrites the machine's disk.
	Installs bool `json:"installs,omitempty"`

	Hot      string `json:"-"` // the letter that chooses it, or ""
	Line     string `json:"-"` // the command that lists it in the menu, under its condition where it has one; "": it is not shown
	Commands string `json:"-"` // boot it; to stand after its label, line by line. They leave by "goto failed", "goto start", or for good
}

// MenuGroup is a part of the menu, set off from the others.
type MenuGroup struct {
	Title string // "": none
	Items []Item // those that are shown
	Notes []string
}

// MenuData is what a menu's template is given. All texts in it are fit to stand in a script where the built-in template has them.
type MenuData struct {
	Base     string // URL of this agent, without a slash at the end
	Title    string
	Timeout  int64  // milliseconds; 0: for ever
	Default  string // key of the item that is chosen when nobody chooses
	Unless   string // a command that makes the setting menu-default "local" where the machine cannot boot Default; "": it can
	Straight string // a command that goes to an item without a menu; ""
	Facts    boot.Facts
	Choice   Choice
	Groups   []MenuGroup
	Items    []Item // all that this machine may be told to boot, those that are not shown among them

	all      []Item // those that it cannot boot as well
	timeout  time.Duration
	straight bool
	problems []problem
}

// problem is why a menu is not the one that was asked for.
type problem struct {
	thing string // what it is about, for the log to say it once: an item's key, "template", "default", …
	err   error
}

// candidate is an item while the menu is put together.
type candidate struct {
	Item
	image   *image.Image
	rescue  bool
	hidden  bool
	place   int // in MenuConfig.Entries; -1: in none
	need    need
	refused error // why it cannot be booted
	broken  bool  // and that is nobody's intention
}

// data puts a machine's menu together.
func (l *Library) data(f boot.Facts, addr netip.Addr) (MenuData, error) {
	conf := l.configuration()
	d := MenuData{Base: l.base, Title: words(conf.Title), Facts: f, timeout: conf.Timeout}
	if l.choose != nil {
		d.Choice = l.choose(f, addr)
	}
	if t := d.Choice.Timeout; t != nil {
		d.timeout = *t
	}
	d.Timeout = d.timeout.Milliseconds()
	images, err := l.images()
	if err != nil {
		return d, err
	}
	wanted := d.Choice.Item
	if wanted == "" {
		wanted = conf.Default
	}
	if wanted == "" {
		wanted = Local
	}
	all := d.candidates(conf, images, l.fragments(&d))
	for i := range all {
		d.prepare(&all[i], conf, wanted)
	}
	d.decide(all, wanted)
	d.arrange(all, conf)
	return d, nil
}

func (d *MenuData) wrong(thing, format string, args ...any) {
	d.problems = append(d.problems, problem{thing, fmt.Errorf(format, args...)})
}

// Err are all problems, or nil.
func (d *MenuData) err() error {
	var all []error
	for _, p := range d.problems {
		all = append(all, p.err)
	}
	return errors.Join(all...)
}

// candidates are all items there can be, in the order of a menu without entries.
func (d *MenuData) candidates(conf MenuConfig, images []image.Image, fragments []Item) []candidate {
	all := []candidate{{Item: Item{Key: Local, Title: "Boot from the local disk", Hot: "l", Commands: localDisk}}}
	for n := range images {
		i := &images[n]
		all = append(all, candidate{Item: Item{Key: i.Key, Title: i.Title, System: i.System, Image: i.Key, Installs: i.Installs}, image: i, need: needOf(*i)})
		if i.NoImport && takesProperties(*i) && !conf.NoRescue {
			all = append(all, candidate{Item: Item{Key: i.Key + "-rescue", Title: i.Title + ", rescue: no pool is imported", System: i.System, Image: i.Key},
				image: i, rescue: true, need: needOf(*i)})
		}
	}
	for _, f := range fragments {
		all = append(all, candidate{Item: f})
	}
	for _, t := range tools {
		all = append(all, candidate{Item: t})
	}
	var out []candidate
	used := map[string]bool{}
	// What is built in has its name first, whatever comes before it in the menu.
	own := append([]string{Local}, reserved...)
	for _, t := range tools {
		own = append(own, t.Key)
	}
	for _, c := range all {
		if used[c.Key] || slices.Contains(own, c.Key) && (c.image != nil || c.System == fragmentSystem) {
			d.wrong(c.Key, "%s (%s) is left out: another item has that key", c.Key, c.Title)
			continue
		}
		used[c.Key] = true
		out = append(out, c)
	}
	return out
}

// prepare finds out what an item does, and whether this machine can boot it.
func (d *MenuData) prepare(c *candidate, conf MenuConfig, wanted string) {
	c.place = slices.IndexFunc(conf.Entries, func(e MenuEntry) bool { return e.Group == "" && matches(c.Key, []string{e.Item}) })
	w := wish{console: conf.Console, shadow: conf.RootShadow, rescue: c.rescue}
	if c.place >= 0 {
		e := conf.Entries[c.place]
		if e.Title != "" {
			c.Title = e.Title
		}
		if e.Console.Port != 0 {
			w.console = e.Console
		}
		c.hidden, w.args = e.Hidden, e.Args
	}
	c.Title = words(c.Title)
	c.hidden = c.hidden || matches(c.Key, conf.Hide) || matches(c.Key, d.Choice.Hide)
	if own, err := ParseConsole(d.Choice.Console); err != nil {
		d.wrong("console", "console of profile %s: %w", d.Choice.Profile, err)
	} else if own.Port != 0 {
		w.console = own
	}
	if c.Key == wanted && d.Choice.Args != "" {
		w.args = strings.TrimSpace(w.args + " " + d.Choice.Args)
	}
	if c.image == nil {
		return
	}
	if d.told() {
		c.need, c.refused = d.fit(c)
	} else if c.Why = c.image.Why; c.Why == "" && c.need.what != needX86.what {
		c.Why = "needs " + c.need.what
	}
	if c.refused == nil {
		if err := script.CheckArgs(w.args); err != nil {
			c.refused = fmt.Errorf("its arguments cannot be passed: %w", err)
		} else if n := commandLine(d.Base, *c.image, arguments(d.Base, *c.image, w)); n > script.MaxCommandLine {
			c.refused = fmt.Errorf("its command lines need %d bytes, and BIOS iPXE has %d", n, script.MaxCommandLine)
		}
		if c.broken = c.refused != nil; c.broken {
			d.wrong(c.Key, "%s is left out: %w", c.Key, c.refused)
		}
	}
	if c.refused != nil {
		c.Why = c.refused.Error()
		return
	}
	i := *c.image
	switch { // then there is nothing left to choose
	case !d.told():
	case d.Facts.Platform == "efi":
		i.BIOS = ""
	default:
		i.EFI = ""
	}
	c.Commands = commandsOf(i, w)
}

// told: what the machine is is known for certain, and nothing is left for iPXE to decide.
func (d *MenuData) told() bool { return d.Facts.Platform != "" && d.Facts.Arch != "" }

// fit reports whether the machine can boot an image, and leaves no need where it can.
func (d *MenuData) fit(c *candidate) (need, error) {
	switch {
	case c.need.fits == nil || c.need.fits(d.Facts):
		return need{}, nil
	case c.image.Why != "":
		return need{}, errors.New(c.image.Why)
	}
	return need{}, fmt.Errorf("needs %s", c.need.what)
}

// decide finds the default. What is not there, or cannot be booted, is the local disk.
func (d *MenuData) decide(all []candidate, wanted string) {
	d.Default = Local
	at := slices.IndexFunc(all, func(c candidate) bool { return c.Key == wanted })
	switch {
	case at < 0:
		d.wrong("default", "the item to boot, %q, is not there; it is the local disk instead", wanted)
	case all[at].refused != nil && !all[at].broken && d.Choice.Item == "":
		// The site's default is for those that can boot it.
	case all[at].refused != nil:
		d.wrong("default", "the item to boot, %s, is not for this machine (%w); it is the local disk instead", wanted, all[at].refused)
	default:
		c := &all[at]
		d.Default = c.Key
		if c.need.unless != "" {
			d.Unless = c.need.unless + "set menu-default " + Local + c.need.tail
		}
		if d.Choice.Straight {
			d.straight, d.Straight = true, "goto "+c.Key
			if c.need.when != "" {
				d.Straight = c.need.when + "goto " + c.Key + " ||"
			}
		}
	}
	for i := range all {
		if all[i].Key == d.Default {
			all[i].Default, all[i].hidden = true, false // choose takes the first item for a default that is none
		}
	}
}
