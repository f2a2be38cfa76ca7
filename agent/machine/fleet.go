package machine

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/logging"
)

// Fleet is all machines: what the configuration says of them, and what is kept of what they are to boot and have
// booted. It may be used from many goroutines.
type Fleet struct {
	OneTime       *OneTimeBoots
	Done          *Done
	CanaryResults *CanaryResults

	inventory atomic.Pointer[Inventory]
	items     func() ([]catalog.Item, error)
	documents string
	neighbour func(netip.Addr) Holder
	seen      seen
	now       func() time.Time
	log       *slog.Logger
	logged    logging.Once
}

// Config is what OpenFleet needs.
type Config struct {
	Inventory *Inventory // nil: none
	// State is the folder for what is kept; its folders once, done and canary are used.
	State string
	// Documents is the folder with the templates of documents; "": there are none.
	Documents string
	Items     func() ([]catalog.Item, error) // what the menu has now
	// Neighbour is who has an address on the wire; nil: that is never known. Called from many goroutines.
	Neighbour func(netip.Addr) Holder
	Log       *slog.Logger // nil: no log

	now func() time.Time // nil: the clock
}

// OpenFleet opens the state, which need not be there.
func OpenFleet(c Config) *Fleet {
	f := &Fleet{
		items:     c.Items,
		documents: c.Documents,
		neighbour: c.Neighbour,
		now:       c.now,
		log:       c.Log,
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if f.neighbour == nil {
		f.neighbour = func(netip.Addr) Holder { return Holder{} }
	}
	if f.now == nil {
		f.now = time.Now
	}
	f.OneTime = OpenOneTimeBoots(filepath.Join(c.State, "once"), f.log)
	f.Done = OpenDone(filepath.Join(c.State, "done"))
	f.CanaryResults = OpenCanaryResults(filepath.Join(c.State, "canary"), f.log)
	f.CanaryResults.now = f.now
	f.SetInventory(c.Inventory)
	return f
}

// SetInventory replaces what the configuration says. Requests that come later go by it.
func (f *Fleet) SetInventory(b *Inventory) {
	f.inventory.Store(b)
	for _, h := range b.Hosts() {
		if h.Profile == CanaryLabel && h.Labels[CanaryLabel] == "" { // which was enough in version 1
			f.log.Warn(`host is not a canary: give it the label canary: "true"`, "host", h.Name, "profile", h.Profile)
		}
	}
}

// Inventory is what the configuration says now.
func (f *Fleet) Inventory() *Inventory { return f.inventory.Load() }

// Choose decides what the machine with these facts at that address is to boot. It changes nothing. server is the
// agent's URL as that machine has it.
func (f *Fleet) Choose(facts boot.Facts, addr netip.Addr, server string) Choice {
	who := f.identify(facts, addr)
	d := who.Decision
	c := Choice{Host: d.Host, Profile: d.Profile, Why: d.Why}
	p, has := f.Inventory().Profile(d.Profile)
	if has {
		c.Console, c.Timeout, c.Hide = p.Console, p.Timeout, p.Hide
	}
	values := newValues(who.facts, d, addrText(addr), server)
	next, once := f.OneTime.Peek(d.IDs...)
	if !once && p.Image == "" { // what is there does not matter
		c.Args = p.arguments(catalog.Item{}, values)
		return c
	}
	items, err := f.items()
	if err != nil {
		c.because("what is here to be booted is not known: %v", err)
	}
	if once {
		item, err := catalog.Find(items, next.Item)
		if err == nil && item.Key == next.Item {
			f.logged.Forget(string(next.ID))
			c.because("%s boots %s once, as set at %s", next.ID, next.Item, next.Set.UTC().Format(time.RFC3339))
			c.Item, c.SkipMenu, c.Once, c.Args = next.Item, true, true, p.arguments(item, values)
			return c
		}
		c.because("one-time boot of %s: item %s not found, so the menu comes", next.ID, next.Item)
		if f.logged.First(string(next.ID), next.Item) {
			f.log.Warn("item of a one-time boot not found: the menu comes", "mac", next.ID, "item", next.Item)
		}
		p.SkipMenu = false
	}
	if p.Image == "" {
		c.Args = p.arguments(catalog.Item{}, values)
		return c
	}
	f.follow(&c, p, who, items, values)
	return c
}

// because adds a line to Why.
func (c *Choice) because(format string, args ...any) {
	c.Why = append(c.Why, fmt.Sprintf(format, args...))
}

// follow makes c what the profile boots.
func (f *Fleet) follow(c *Choice, p Profile, who identity, items []catalog.Item, values Values) {
	c.because("profile %s (line %d) boots %s", p.Name, p.Line, p.Image)
	if p.Once && !f.firstTime(c, p, who) {
		if p.SkipMenu {
			c.Item, c.SkipMenu = catalog.Local, true
		}
		return
	}
	results := func(item string) CanaryResult { r, _ := f.CanaryResults.Result(item); return r }
	got := p.pick(items, isCanary(who.Decision), hasCanary(f.Inventory(), p), results, f.now())
	c.Why = append(c.Why, got.why...)
	if !got.ok {
		if f.logged.First("profile "+p.Name, got.why[0]) {
			f.log.Warn("image of a profile not found: its machines get the menu's default",
				"profile", p.Name, "err", got.why[0])
		}
		c.because("so the menu comes, with its default")
		return
	}
	f.logged.Forget("profile " + p.Name)
	c.Item, c.SkipMenu, c.Args = got.item.Key, p.SkipMenu, p.arguments(got.item, values)
}

// firstTime reports whether the machine is still to boot what it boots once only.
func (f *Fleet) firstTime(c *Choice, p Profile, d identity) bool {
	if d.contradicted {
		c.because("which is booted once; not by a machine whose MAC the network contradicts")
		return false
	}
	if len(d.IDs) == 0 {
		c.because("which is booted once; the machine sent neither MAC nor UUID to know it by again, so it is not")
		return false
	}
	if at, was := f.Done.Has(p.Name, d.IDs...); was {
		when := ""
		if !at.IsZero() {
			when = " at " + at.UTC().Format(time.RFC3339)
		}
		c.Why = append(c.Why, "once, which it did"+when+"; `pxeagent host again` lets it do so once more")
		return false
	}
	c.because("once, which it has not yet done")
	return true
}

func isCanary(d Decision) bool { return d.Labels[CanaryLabel] == "true" }

// hasCanary reports whether some host boots later versions for this profile.
func hasCanary(inventory *Inventory, p Profile) bool {
	return slices.ContainsFunc(inventory.hosts, func(h Host) bool {
		return h.Profile == p.Name && h.Labels[CanaryLabel] == "true"
	})
}

// Asked takes note that a machine asked for a script or menu, and what it told. It is called before the answer.
func (f *Fleet) Asked(facts boot.Facts, addr netip.Addr) {
	if said := f.seen.at(addr, f.now()).facts; facts == (boot.Facts{MAC: said.MAC}) {
		facts = said // a loader that iPXE started tells less
	}
	d := f.identify(facts, addr)
	if facts != (boot.Facts{}) {
		f.seen.put(addr, told{facts, d.network, d.contradicted, f.now()})
	}
	if d.contradicted {
		f.log.Warn("a machine told what the network contradicts: it claims nothing", "client", addr, "mac", facts.MAC,
			"network_mac", d.network, "host", d.Host)
	}
	if isCanary(d.Decision) && len(d.IDs) > 0 {
		if err := f.CanaryResults.Returned(string(d.IDs[0])); err != nil {
			f.log.Error("canary result not saved", "err", err)
		}
	}
}

// Waits reports whether the machine at an address has something to boot that its kernel uses up.
func (f *Fleet) Waits(addr netip.Addr) bool {
	if !f.OneTime.any() && !f.Inventory().bootsOnce() {
		return false // who the machine is need not be found out
	}
	d := f.identify(f.seen.at(addr, f.now()).facts, addr)
	if _, ok := f.OneTime.Peek(d.IDs...); ok {
		return true
	}
	p, ok := f.Inventory().Profile(d.Profile)
	if !ok || !p.Once || len(d.IDs) == 0 {
		return false
	}
	_, was := f.Done.Has(p.Name, d.IDs...)
	return !was
}

// Fetched takes note that the machine at an address has the kernel of one of these items: that uses up what it was to
// boot once.
func (f *Fleet) Fetched(addr netip.Addr, items []string) {
	d := f.identify(f.seen.at(addr, f.now()).facts, addr)
	for _, item := range items {
		if next, ok := f.OneTime.Claim(item, d.IDs...); ok {
			f.log.Info("one-time boot done", "client", addr, "mac", next.ID, "item", next.Item)
			return
		}
	}
	p, ok := f.Inventory().Profile(d.Profile)
	if !ok || !p.Once || len(d.IDs) == 0 {
		return
	}
	if c := f.Choose(d.facts, addr, ""); !c.Once && slices.Contains(items, c.Item) {
		if err := f.Done.Set(d.IDs[0], p.Name, c.Item); err != nil {
			f.log.Error("boot not recorded: the machine will boot once more what it was to boot once", "client", addr,
				"mac", d.IDs[0], "item", c.Item, "err", err)
			return
		}
		f.log.Info("booted once, as its profile says", "client", addr, "mac", d.IDs[0], "item", c.Item, "profile",
			p.Name)
	}
}

// Booted takes note that a machine has all files of an item.
func (f *Fleet) Booted(facts boot.Facts, addr netip.Addr, item string) {
	d := f.identify(facts, addr)
	if !isCanary(d.Decision) || len(d.IDs) == 0 || !catalog.IsKey(item) {
		return
	}
	if err := f.CanaryResults.Booted(item, string(d.IDs[0])); err != nil {
		f.log.Error("canary result not saved", "item", item, "err", err)
		return
	}
	f.log.Info("canary booted", "client", addr, "mac", d.IDs[0], "item", item)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}
