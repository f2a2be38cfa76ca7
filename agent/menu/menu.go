// Package menu makes the menu of each machine: the script that iPXE runs, or what GRUB,
// pxelinux and U-Boot read, from what can be booted, what the site says
// of menus, and what the machine is to boot.
package menu

import (
	"cmp"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
	"pxeagent/agent/script"
)

// BootstrapPath is the URL path of the script that every machine runs first.
const BootstrapPath = "/" + catalog.OwnScript

// Config is what a Builder is made of.
type Config struct {
	Base     *url.URL // under which machines find the HTTP tree; see Base
	Catalog  *catalog.Catalog
	Settings Settings
	TFTP     catalog.Tree // the user's tree of TFTP, where loaders have their modules; "": none
	// Choose says what a machine is to boot, by what it told and by its address. It is called for every menu, from many
	// goroutines at once. nil: every machine is given the same menu.
	Choose func(boot.Facts, netip.Addr) machine.Choice
	Log    *slog.Logger // nil: no log
}

// Builder makes menus. Its methods may be called from many goroutines.
type Builder struct {
	base    string // without a slash at the end
	catalog *catalog.Catalog
	tftp    catalog.Tree
	choose  func(boot.Facts, netip.Addr) machine.Choice
	log     *slog.Logger

	mu        sync.Mutex
	settings  *Settings // never written to
	rendered  map[ingredients]rendered
	logged    map[string]logged    // by host and what it is about
	templates map[Language]sources // of the user's template when it worked last; nil: it never did
}

// New fails where the base cannot stand in a script.
func New(c Config) (*Builder, error) {
	base, err := checkBase(c.Base)
	if err != nil {
		return nil, err
	}
	b := &Builder{
		base: base, catalog: c.Catalog, tftp: c.TFTP, choose: c.Choose, log: c.Log, settings: &c.Settings,
		rendered: map[ingredients]rendered{}, logged: map[string]logged{}, templates: map[Language]sources{},
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	return b, nil
}

// ScriptURL is where the script is that every machine runs first.
func (b *Builder) ScriptURL() string { return b.base + BootstrapPath }

// Configure replaces the settings. Requests that come later are answered by the new one.
func (b *Builder) Configure(s Settings) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settings = &s
	clear(b.rendered)
}

func (b *Builder) current() *Settings {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settings
}

// Bootstrap is what is made at BootstrapPath for a request, where the user has no script of his own there.
func (b *Builder) Bootstrap(a boot.Ask) ([]byte, boot.Given, error) {
	if a.Class == boot.IPXE && !a.Told {
		return b.first(), boot.Given{}, nil
	}
	menu, d, err := b.made(a.Facts, a.Client.Addr().Unmap())
	return menu, d.given(), err
}

// made is the iPXE menu that is made for a machine. What is wrong with it is among the data's problems, and in the log.
func (b *Builder) made(f boot.Facts, addr netip.Addr) ([]byte, Data, error) {
	d := Data{Language: IPXE}
	conf, listed, err := b.begin(&d, f, addr)
	if err != nil {
		return nil, d, err
	}
	// A template of the user's may have anything in it.
	if _, err := b.catalog.Source(d.Language.File()); !errors.Is(err, fs.ErrNotExist) {
		d.put(b.base, conf, listed)
		return b.finish(&d), d, nil
	}
	b.keep(d.Language, nil)
	text, d := b.builtin(d, conf, listed)
	b.tell(d)
	return text, d, nil
}

// finish writes a menu whose data is put together.
func (b *Builder) finish(d *Data) []byte {
	menu, broken := b.write(*d)
	if broken != nil {
		d.problems = append(d.problems, problem{d.Language.File(), broken})
	}
	b.tell(*d)
	return menu
}

// logged is what was logged about a host's menu, and of which kind the machine was then.
type logged struct{ kind, text string }

// tell logs what is wrong with a host's menu, each thing once as long as it lasts. It is over when a machine of the
// kind that had it has it no more.
func (b *Builder) tell(d Data) {
	about, kind := d.Choice.Host+" ", string(d.Language)+" "+d.Facts.Platform+" "+d.Facts.Arch
	var fresh []problem
	b.mu.Lock()
	now := map[string]bool{}
	for _, p := range d.problems {
		thing, text := about+p.thing, p.err.Error()
		if now[thing] = true; b.logged[thing].text == text {
			continue
		}
		fresh = append(fresh, p)
		if len(b.logged) < 1000 { // a bound; what is beyond is logged every time
			b.logged[thing] = logged{kind, text}
		}
	}
	for thing, t := range b.logged {
		if strings.HasPrefix(thing, about) && !now[thing] && t.kind == kind {
			delete(b.logged, thing)
		}
	}
	b.mu.Unlock()
	for _, p := range fresh {
		args := []any{"item", p.thing, "err", p.err}
		if d.Choice.Host != "" {
			args = append(args, "host", d.Choice.Host)
		}
		b.log.Warn("menu is not as configured", args...)
	}
}

// words makes text fit for a line of the menu.
func words(s string) string { return cmp.Or(script.Words(s), "Network boot") }
