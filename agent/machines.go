package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"pxeagent/agent/boot"
	"pxeagent/agent/image"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/machine"
	"pxeagent/agent/neighbour"
	"pxeagent/agent/script"
	"pxeagent/agent/web"
)

// DocumentsFolder is the folder of Config.Root with the templates of installers' documents. It is not served as it is.
const DocumentsFolder = "provision"

// machines decides what each machine boots, and takes note of what they fetch.
type machines struct {
	*machine.Fleet
	finder *image.Finder
	// catalog lists what can be booted. It asks for no choice, since it is asked while one is made.
	catalog *ipxe.Library
	log     *slog.Logger
}

// newMachines needs the first of Places only for what is the same in all.
func newMachines(c Config) (*machines, error) {
	p := c.Places[0]
	catalog, err := ipxe.NewLibrary(ipxe.Config{Root: c.Root, NextServer: p.NextServer, HTTP: p.Base, Chain: c.Chain, Menu: c.Menu})
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m := &machines{finder: image.NewFinder(filepath.Join(c.Root, "http")), catalog: catalog, log: c.Log}
	fleet := machine.Config{Book: c.Machines, State: c.State, Items: m.items, Neighbour: holders(neighbour.New(m.log)), Log: m.log}
	if c.Root != "" {
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
func (m *machines) choose(base *url.URL) func(boot.Facts, netip.Addr) ipxe.Choice {
	return func(f boot.Facts, addr netip.Addr) ipxe.Choice {
		c := m.Choose(f, addr, baseText(base))
		return ipxe.Choice{Host: c.Host, Profile: c.Profile, Item: c.Item, Straight: c.Straight, Once: c.Once, Args: c.Args, Console: c.Console,
			Timeout: c.Timeout, Hide: c.Hide, Why: c.Why}
	}
}

func baseText(u *url.URL) string {
	if u == nil {
		return ""
	}
	return strings.TrimSuffix(u.String(), "/")
}

// items are all that a machine can be told to boot, with what is known of their versions.
func (m *machines) items() ([]machine.Item, error) {
	listed, err := m.catalog.Items()
	if err != nil {
		return nil, err
	}
	images, err := m.images()
	if err != nil {
		return nil, err
	}
	var out []machine.Item
	for _, i := range listed {
		item := machine.Item{Key: i.Key}
		// A second item of the same image, such as a rescue entry, is booted by its own key only.
		if img, ok := images[i.Key]; ok {
			item.Names, item.Version = names(img), img.Version
		}
		out = append(out, item)
	}
	return out, nil
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

// images are those on disk, by key.
func (m *machines) images() (map[string]image.Image, error) {
	found, err := m.finder.Find()
	if err != nil {
		return nil, err
	}
	by := map[string]image.Image{}
	for _, i := range found.Images {
		by[i.Key] = i
	}
	return by, nil
}

// itemsOf are the keys of the items whose kernel, or disk image where they have none, has this URL path.
func (m *machines) itemsOf(path string) []string {
	if path == ipxe.LocalPath {
		return []string{ipxe.Local}
	}
	path = strings.TrimLeft(path, "/")
	images, err := m.images()
	if err != nil || path == "" {
		return nil
	}
	listed, err := m.catalog.Items()
	if err != nil {
		return nil
	}
	var keys []string
	for _, i := range listed {
		img, ok := images[i.Image]
		if ok && (img.BIOS == path || img.EFI == path) || !ok && slices.Contains(m.kernels(i.Commands, 0), path) {
			keys = append(keys, i.Key)
		}
	}
	return keys
}

// kernels are the paths of what an item's commands boot. A script that they run is looked into, and one that this one runs.
func (m *machines) kernels(commands string, depth int) []string {
	base, err := url.Parse(m.catalog.ScriptURL())
	if err != nil {
		return nil
	}
	here := base.ResolveReference(&url.URL{Path: "/"})
	refs, _ := script.References([]byte("#!ipxe\nset base "+baseText(here)+"\n"+commands), base)
	var paths []string
	for _, r := range refs {
		u, err := url.Parse(r.URL)
		if err != nil || u.Host != base.Host {
			continue
		}
		path := strings.TrimLeft(u.Path, "/")
		switch {
		case r.Kind == script.Kernel, r.Kind == script.Image && !slices.ContainsFunc(refs, func(o script.Reference) bool { return o.Kind == script.Kernel }):
			paths = append(paths, path)
		case r.Kind == script.Script && depth < 2:
			paths = append(paths, m.kernels(m.script(path), depth+1)...)
		}
	}
	return paths
}

// maxScript is more than any script has, in bytes.
const maxScript = 256 << 10

// script is one that an item runs, "" where it is not there.
func (m *machines) script(path string) string {
	f, err := m.catalog.Open(boot.Ask{Proto: boot.HTTP, Name: "/" + path})
	if err != nil {
		return ""
	}
	defer f.Close()
	text := make([]byte, min(f.Size, maxScript))
	if n, _ := f.ReadAt(text, 0); n < len(text) {
		return "" // it became shorter meanwhile
	}
	return string(text)
}

// named is what the configuration calls a machine, and the menu what has that kernel.
func (m *machines) named(f boot.Facts, addr netip.Addr, kernel string) boot.Named {
	c := m.Choose(f, addr, "")
	n := boot.Named{Host: c.Host, Profile: c.Profile}
	if kernel == "" {
		return n
	}
	switch keys := m.itemsOf(kernel); {
	case slices.Contains(keys, c.Item):
		n.Item = c.Item
	case len(keys) > 0:
		n.Item = keys[0]
	}
	return n
}

// asked are the files of a place, and tells the fleet what machines ask for. That comes before the answer, so that what the answer leads to is
// known to be this machine's.
type asked struct {
	*ipxe.Library
	*machines
	own func(boot.Ask) bool // a request that is no machine's
}

func (f asked) Open(a boot.Ask) (*ipxe.File, error) {
	if a.Class == boot.IPXE && a.Told && !f.own(a) {
		f.Asked(a.Facts, a.Client.Addr())
	}
	return f.Library.Open(a)
}

// watched tells the fleet what machines were given, besides the other observer.
type watched struct {
	boot.Observer
	*machines
	own func(boot.Ask) bool // a request that is no machine's
}

// End uses up what a machine was to boot once, when it has the kernel.
func (w watched) End(t boot.Transfer) {
	w.Observer.End(t)
	if t.Outcome != boot.OK || t.Class != boot.IPXE || t.Artifact == boot.NBP || t.Artifact == boot.Internal || w.own(t.Ask) {
		return
	}
	if t.Artifact == boot.Script && t.Name != ipxe.LocalPath || !w.Waits(t.Client.Addr()) {
		return
	}
	if items := w.itemsOf(t.Name); len(items) > 0 {
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
	orders, err := m.Once.List()
	if err != nil {
		m.log.Warn("What machines are to boot once cannot be shown", "err", err)
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
	for _, h := range m.Book().Hosts() {
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

// ErrNotOnce is returned for items that cannot be booted once: nothing is fetched for them by which that would be seen.
var ErrNotOnce = errors.New("cannot be booted once, because a machine fetches nothing for it")

// once orders an item for a machine; "" takes the order back.
func (m *machines) once(mac net.HardwareAddr, item string) error {
	id, err := machine.ParseID(mac.String())
	if err != nil {
		return err
	}
	if item == "" {
		_, _, err := m.Once.Cancel(id)
		return err
	}
	if err := m.canOnce(item); err != nil {
		return err
	}
	return m.Once.Set(id, item)
}

// canOnce says whether an item is there and can be booted once.
func (m *machines) canOnce(item string) error {
	listed, err := m.catalog.Items()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(listed, func(i ipxe.Item) bool { return i.Key == item })
	switch {
	case i < 0:
		return fmt.Errorf("%q: %w", item, web.ErrUnknownItem)
	case item != ipxe.Local && listed[i].Image == "" && len(m.kernels(listed[i].Commands, 0)) == 0:
		return fmt.Errorf("%q %w", item, ErrNotOnce)
	}
	return nil
}
