package agent

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/files"
	"pxeagent/agent/machine"
	"pxeagent/agent/neighbour"
	"pxeagent/agent/web"
)

// DocumentsFolder is the folder of Config.Root with the templates of installers' documents. It is not served as it is.
const DocumentsFolder = "provision"

// machines decides what each machine boots, and takes note of what they fetch.
type machines struct {
	*machine.Fleet
	catalog *catalog.Catalog
	tftp    catalog.Tree // the user's
	onward  onward
	table   *neighbour.Table
	base    *url.URL // of the first of Places; nil: none
	log     *slog.Logger
}

// newMachines needs the first of Places for what machines fetch, and no other.
func newMachines(c Config) (*machines, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m := &machines{log: c.Log, table: neighbour.New(c.Log)}
	if len(c.Places) > 0 {
		m.base = c.Places[0].Base
	}
	var err error
	m.catalog, err = catalog.New(catalog.Config{Root: c.Root, NoRescue: c.Menu.NoRescue, Log: c.Log})
	if err != nil {
		return nil, err
	}
	fleet := machine.Config{
		Inventory: c.Machines,
		State:     c.State,
		Items:     m.catalog.Items,
		Neighbour: holders(m.table),
		Log:       m.log,
	}
	if c.Root != "" {
		m.tftp = catalog.Tree(filepath.Join(c.Root, "tftp"))
		fleet.Documents = filepath.Join(c.Root, DocumentsFolder)
	}
	m.Fleet = machine.OpenFleet(fleet)
	return m, nil
}

// holders asks a neighbour table.
func holders(t *neighbour.Table) func(netip.Addr) machine.Holder {
	return func(a netip.Addr) machine.Holder {
		mac, addresses := t.Holder(a)
		return machine.Holder{MAC: mac, Addresses: addresses}
	}
}

// choose is for the library of a place.
func (m *machines) choose(base *url.URL) func(boot.Facts, netip.Addr) machine.Choice {
	return func(f boot.Facts, addr netip.Addr) machine.Choice {
		c := m.Choose(f, addr, baseText(base))
		bootsAnother := c.Once || c.SkipMenu && c.Item != catalog.Local
		if !bootsAnother && addr.IsValid() && m.onward.goesOn(m.keys(f, addr), time.Now()) {
			c.Item, c.SkipMenu = catalog.Local, true
			c.Why = append(c.Why, "it was sent to its own disk, and its firmware came by its other way: it is sent on")
		}
		return c
	}
}

// keys are what onward knows a machine by.
func (m *machines) keys(f boot.Facts, addr netip.Addr) []string {
	return onwardKeys(m.table.MAC(addr), f.MAC, addr)
}

func baseText(u *url.URL) string {
	if u == nil {
		return ""
	}
	return strings.TrimSuffix(u.String(), "/")
}

// named is what the configuration calls a machine, and the menu what has that kernel.
func (m *machines) named(f boot.Facts, addr netip.Addr, kernel string) boot.Named {
	c := m.Choose(f, addr, "")
	n := boot.Named{Host: c.Host, Profile: c.Profile}
	if kernel == "" {
		return n
	}
	switch keys := m.catalog.Booting(kernel, m.base); {
	case slices.Contains(keys, c.Item):
		n.Item = c.Item
	case len(keys) > 0:
		n.Item = keys[0]
	}
	return n
}

// asked are the files of a place, and tells the fleet what machines ask for. That comes before the answer, so that what
// the answer leads to is known to be this machine's.
type asked struct {
	*files.Library
	*machines
	own func(*boot.Ask) bool // a request that is no machine's
}

func (f asked) Open(a *boot.Ask) (*files.File, error) {
	if (a.Class == boot.IPXE && a.Told || otherLoader(a)) && !f.own(a) {
		f.Asked(a.Facts, a.Client.Addr())
	}
	return f.Library.Open(a)
}

// otherLoader reports whether a loader other than iPXE asks for its menu.
func otherLoader(a *boot.Ask) bool {
	_, asks := boot.ParseMenuName(a.Name)
	return asks && a.Class != boot.Tool
}

// watched tells the fleet what machines were given, besides the other observer.
type watched struct {
	boot.Observer
	*machines
	own func(*boot.Ask) bool // a request that is no machine's
}

// End uses up what a machine was to boot once, when it has the kernel.
func (w watched) End(t *boot.Transfer) {
	w.Observer.End(t)
	if t.Outcome == boot.OK && t.Class == boot.UEFI && t.Artifact == boot.NBP && !w.own(&t.Ask) {
		w.onward.arrived(w.keys(t.Facts, t.Client.Addr()), t.Proto, time.Now())
	}
	if t.Outcome != boot.OK || !t.Class.Loads() || t.Artifact == boot.NBP || t.Artifact == boot.Internal ||
		w.own(&t.Ask) {
		return
	}
	file := boot.HTTPPath(t.Proto, t.Name)
	if file == catalog.LocalPath {
		w.onward.sentToDisk(w.keys(t.Facts, t.Client.Addr()), time.Now())
	}
	sentToDisk := t.GivenDisk()
	if t.Artifact == boot.Script && file != catalog.LocalPath && !sentToDisk || !w.Waits(t.Client.Addr()) {
		return
	}
	items := []string{catalog.Local}
	if !sentToDisk {
		items = w.catalog.Booting(file, w.base)
	}
	if len(items) > 0 {
		w.Fetched(t.Client.Addr(), items)
	}
}

// finished takes note of a boot that ended.
func (m *machines) finished(b boot.Boot) {
	if b.Result == boot.Booted && b.Item != "" {
		m.Booted(b.Facts, b.Addr, b.Item)
	}
}

// placed are the documents as a place's machines have them.
type placed struct {
	*machine.Fleet
	server string
}

func (p placed) Document(r machine.Request) (machine.Document, error) {
	r.Server = p.server
	return p.Fleet.Document(r)
}

// listed are the machines of the configuration, and those that are to boot something once, for the page.
func (m *machines) listed() []web.Machine {
	orders, err := m.OneTime.List()
	if err != nil {
		m.log.Warn("one-time boots not listed", "err", err)
	}
	var out []web.Machine
	take := func(w *web.Machine, ids ...machine.ID) {
		for n, o := range orders {
			if slices.Contains(ids, o.ID) {
				w.Once, w.Since = o.Item, o.Set
				orders = slices.Delete(orders, n, n+1)
				return
			}
		}
	}
	for _, h := range m.Inventory().Hosts() {
		w := web.Machine{Name: h.Name, Profile: h.Profile}
		if len(h.MACs) > 0 {
			w.MAC = h.MACs[0]
		}
		take(&w, h.IDs()...)
		out = append(out, w)
	}
	for _, o := range orders {
		out = append(out, web.Machine{MAC: string(o.ID), Once: o.Item, Since: o.Set})
	}
	// Those that have something to boot come first: the page's list has an end.
	slices.SortStableFunc(out, func(a, b web.Machine) int {
		switch {
		case (a.Once != "") == (b.Once != ""):
			return 0
		case a.Once != "":
			return -1
		}
		return 1
	})
	return out
}

// once orders an item for a machine; "" takes the order back.
func (m *machines) once(mac net.HardwareAddr, item string) error {
	id, err := machine.ParseID(mac.String())
	if err != nil {
		return err
	}
	if item == "" {
		_, _, err := m.OneTime.Cancel(id)
		return err
	}
	if err := m.catalog.CheckOnce(item, m.base); err != nil {
		return err
	}
	return m.OneTime.Set(id, item)
}
