package menu

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
)

// Item is something that can be chosen in the menu.
type Item struct {
	// Why says of a machine that is known why this one is not shown the item.
	catalog.Item
	Group   string `json:"group,omitempty"` // the heading that it stands under
	Shown   bool   `json:"shown"`
	Default bool   `json:"default,omitempty"` // chosen when nobody chooses

	// Line, for iPXE: the command that lists it in the menu, under its condition where it has one; "": it is not shown
	Line string `json:"-"`
	// When, for GRUB: what it has to run on, as test(1) has it; "": anything
	When string `json:"-"`
	// Commands: boot it, line by line. For iPXE to stand after its label; they leave by "goto failed", "goto start", or
	// for good. For GRUB to stand in its menuentry, for others after its label
	Commands string `json:"-"`
}

// Group is a part of the menu, set off from the others.
type Group struct {
	Title string // "": none
	Items []Item // those that are shown
	Notes []string
}

// Data is what a menu's template is given. All texts in it are fit to stand in a script where the built-in template has
// them.
type Data struct {
	Language Language
	Base     string // URL of this agent, without a slash at the end
	Title    string
	Timeout  int64  // milliseconds; 0: for ever
	Default  string // key of the item that is chosen when nobody chooses
	// Unless: a command that makes the local disk the default where the machine cannot boot Default; "": it can. For iPXE
	// that is the setting menu-default, for GRUB default
	Unless   string
	SkipMenu string // a command that has Default booted without a menu; "": the menu is shown
	Facts    boot.Facts
	Choice   machine.Choice
	Groups   []Group
	Items    []Item // all that this machine may be told to boot, those that are not shown among them

	all      []Item // those that it cannot boot as well
	timeout  time.Duration
	files    string                 // path before those of the HTTP tree's files; "": none
	beside   func(name string) bool // whether it has a file of that name there; nil: no
	console  catalog.Console        // of the choice
	skipMenu bool
	leftOut  []Item
	problems []problem
}

// problem is why a menu is not as configured.
type problem struct {
	thing string // what it is about, for the log to say it once: an item's key, "template", "default", …
	err   error
}

// candidate is an item while the menu is put together.
type candidate struct {
	Item
	hidden  bool
	place   int // in Settings.Entries; -1: in none
	need    catalog.Need
	refused error // why it cannot be booted
	broken  bool  // and that is nobody's intention
}

// fill puts a machine's menu together, of which the language is known, and what belongs to that.
func (b *Builder) fill(d *Data, f boot.Facts, addr netip.Addr) error {
	conf, listed, err := b.begin(d, f, addr)
	if err != nil {
		return err
	}
	d.put(b.base, conf, listed)
	return nil
}

// begin finds out what the menu is made of.
func (b *Builder) begin(d *Data, f boot.Facts, addr netip.Addr) (*Settings, *catalog.Listing, error) {
	d.Facts = f
	if b.choose != nil {
		d.Choice = b.choose(f, addr)
	}
	listed, err := b.catalog.List()
	return b.current(), listed, err
}

// put puts a menu together of that.
func (d *Data) put(base string, conf *Settings, listed *catalog.Listing) {
	d.Base, d.Title, d.timeout = base, words(conf.Title), conf.Timeout
	if t := d.Choice.Timeout; t != nil {
		d.timeout = *t
	}
	d.Timeout = d.timeout.Milliseconds()
	for _, p := range listed.Problems {
		d.problems = append(d.problems, problem{p.Thing, p.Err})
	}
	wanted := d.Choice.Item
	if wanted == "" {
		wanted = conf.Default
	}
	if wanted == "" {
		wanted = catalog.Local
	}
	var err error
	if d.console, err = catalog.ParseConsole(d.Choice.Console); err != nil {
		d.wrong("console", "console of profile %s: %w", d.Choice.Profile, err)
	}
	all := make([]candidate, len(listed.Items))
	for n, item := range listed.Items {
		all[n] = candidate{Item: Item{Item: item}, need: item.Need()}
		d.prepare(&all[n], conf, wanted)
	}
	d.decide(all, wanted)
	d.arrange(all, conf)
}

// Seconds is the timeout for GRUB: -1 for ever.
func (d *Data) Seconds() int64 {
	if d.Timeout == 0 {
		return -1
	}
	return (d.Timeout + 999) / 1000
}

// Tenths is the timeout for syslinux, in tenths of a second: 0 for ever.
func (d *Data) Tenths() int64 { return (d.Timeout + 99) / 100 }

// given is what boots say of the menu.
func (d *Data) given() boot.Given { return boot.Given{Default: d.Default, SkipMenu: d.skipMenu} }

// LeftOut are the items that this machine, or this loader, cannot boot, and that nobody hides. Why says why.
func (d *Data) LeftOut() []Item { return d.leftOut }

// Straight is SkipMenu, for templates of before.
func (d *Data) Straight() string { return d.SkipMenu }

func (d *Data) wrong(thing, format string, args ...any) {
	d.problems = append(d.problems, problem{thing, fmt.Errorf(format, args...)})
}

// Err are all problems, or nil.
func (d *Data) err() error {
	var all []error
	for _, p := range d.problems {
		all = append(all, p.err)
	}
	return errors.Join(all...)
}

// prepare finds out what an item does, and whether this machine can boot it.
func (d *Data) prepare(c *candidate, conf *Settings, wanted string) {
	c.place = slices.IndexFunc(conf.Entries,
		func(e Entry) bool { return e.Group == "" && catalog.Matches(c.Key, e.Item) })
	o := catalog.Options{Console: conf.Console, RootShadow: conf.RootShadow}
	if c.place >= 0 {
		e := conf.Entries[c.place]
		if e.Title != "" {
			c.Title = e.Title
		}
		if e.Console.Port != 0 {
			o.Console = e.Console
		}
		c.hidden, o.Args = e.Hidden, e.Args
	}
	c.Title = words(c.Title)
	c.hidden = c.hidden || catalog.Matches(c.Key, conf.Hide...) || catalog.Matches(c.Key, d.Choice.Hide...)
	if d.console.Port != 0 {
		o.Console = d.console
	}
	if c.Key == wanted && d.Choice.Args != "" {
		o.Args = strings.TrimSpace(o.Args + " " + d.Choice.Args)
	}
	if d.known() {
		o.Platform = d.Facts.Platform
		c.refused = c.fit(d.Facts)
	}
	switch {
	case c.refused != nil:
	case d.Language == IPXE:
		c.refused = c.Item.Item.Check(d.Base, o)
		if c.broken = c.refused != nil; c.broken {
			d.wrong(c.Key, "%s is left out: %w", c.Key, c.refused)
		}
	default:
		c.need = catalog.Need{} // its conditions are iPXE's
		c.refused = d.load(c, o)
	}
	if c.refused != nil {
		c.Why = c.refused.Error()
		return
	}
	if d.Language == IPXE {
		c.Commands = c.Item.Item.Commands(o)
	}
}

// known: what the machine is is known for certain, and nothing is left for iPXE to decide.
func (d *Data) known() bool { return d.Facts.Platform != "" && d.Facts.Arch != "" }

// fit says why a machine that is known cannot boot the item. Nothing is left for iPXE to find out.
func (c *candidate) fit(f boot.Facts) (refused error) {
	if !c.need.Fits(f) {
		refused = errors.New(cmp.Or(c.Why, "needs "+c.need.What))
	}
	c.need, c.Why = catalog.Need{}, ""
	return refused
}

// decide finds the default. What is not there, or cannot be booted, is the local disk.
func (d *Data) decide(all []candidate, wanted string) {
	d.Default = catalog.Local
	at := slices.IndexFunc(all, func(c candidate) bool { return c.Key == wanted })
	switch {
	case at < 0:
		d.wrong("default", "the item to boot, %q, is not there; it is the local disk instead", wanted)
	case all[at].refused != nil && !all[at].broken && d.Choice.Item == "":
		// The site's default is for those that can boot it.
	case all[at].refused != nil:
		d.wrong("default", "the item to boot, %s, is not for this machine (%w); it is the local disk instead", wanted,
			all[at].refused)
	default:
		c := &all[at]
		d.Default = c.Key
		d.byDefault(c)
	}
	for i := range all {
		if all[i].Key == d.Default {
			all[i].Default, all[i].hidden = true, false // choose takes the first item for a default that is none
		}
	}
}

// byDefault makes an item what is booted when nobody chooses, or without a menu.
func (d *Data) byDefault(c *candidate) {
	d.skipMenu = d.Choice.SkipMenu
	switch d.Language {
	case IPXE:
		if c.need.Unless != "" {
			d.Unless = c.need.Unless + "set menu-default " + catalog.Local + c.need.Tail
		}
		d.SkipMenu = "goto " + c.Key
		if c.need.When != "" {
			d.SkipMenu = c.need.When + "goto " + c.Key + " ||"
		}
	case GRUB:
		d.SkipMenu = "set timeout=0"
		if c.When != "" {
			d.Unless = "if [ " + c.When + " ]; then true; else set default=" + catalog.Local + "; fi"
			d.SkipMenu = "if [ " + c.When + " ]; then set timeout=0; fi"
		}
	default:
		d.SkipMenu = "prompt 0"
	}
	if !d.skipMenu {
		d.SkipMenu = ""
	}
}
