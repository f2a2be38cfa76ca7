package agent

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/image"
	"pxeagent/agent/menu"
	"pxeagent/agent/watch"
	"pxeagent/agent/web"
)

// Page is what the page at / shows beside what happens, and who may act on it.
type Page struct {
	Settings []web.Setting // of the configuration; none that is secret, nor the name of a file that is
	Gate     *web.Gate     // nil: the page only shows
}

// newPage is the page's state for this agent.
func (a *Agent) newPage() *pageState {
	host, _ := os.Hostname() // "": the page does without
	page := newPageState(web.Running{
		Host: host, Version: a.Build["version"], Started: time.Now(), TFTP: a.Sockets.TFTP().String(),
		HTTP: a.Sockets.HTTP().String(),
	}, a.Page.Settings)
	page.actions = a.Page.Gate != nil
	finder := image.NewFinder(filepath.Join(a.Root, "http"))
	page.images = func() []web.Image { return imagesOf(finder) }
	page.menu = func() web.Menu { return menuOf(a.menus.first) }
	return page
}

// imagesOf are the images on disk, those that a person put there among them.
func imagesOf(finder *image.Finder) []web.Image {
	found, err := finder.Find()
	if err != nil {
		return nil
	}
	var out []web.Image
	for _, i := range found.Installed {
		out = append(out, web.Image{
			Key: i.Key, Title: i.Title, Recipe: i.Recipe, Version: i.Version, Bytes: i.Bytes, Added: i.Added,
			Verified: i.Verified, Error: cut(i.Fault),
		})
	}
	return out
}

// menuOf is the menu for a machine of which nothing is known.
func menuOf(b *menu.Builder) web.Menu {
	m, err := b.Menu(boot.Facts{}, netip.Addr{})
	if err == nil {
		err = m.Err
	}
	for _, l := range menu.Loaders()[1:] {
		other, wrong := b.MenuOf(l, boot.Facts{}, netip.Addr{})
		if err == nil {
			err = cmp.Or(wrong, other.Err)
		}
	}
	w := web.Menu{OK: err == nil, Items: items(m.Items)}
	if err != nil {
		w.Error = clause(err)
	}
	return w
}

func items(all []menu.Item) []web.MenuItem {
	out := []web.MenuItem{}
	for _, i := range all {
		out = append(out, web.MenuItem{Key: i.Key, Title: i.Title, Group: i.Group, Why: i.Why, Shown: i.Shown,
			Installs: i.Installs})
	}
	return out
}

// clause is an error without the name of the file that it is about, which is nobody's business on the page.
func clause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Op + ": " + path.Err.Error()
	}
	return err.Error()
}

// showMenu is the menu of a place for one machine.
func (a *Agent) showMenu(b *menu.Builder) func(boot.Facts, netip.Addr) (web.Shown, error) {
	return func(facts boot.Facts, addr netip.Addr) (web.Shown, error) {
		m, err := b.Menu(facts, addr)
		if err != nil {
			return web.Shown{}, err
		}
		c := m.Choice
		s := web.Shown{
			Title: m.Title, Items: items(m.Items), Chosen: m.Default, Timeout: m.Timeout.Seconds(), Straight: m.SkipMenu,
			Once: c.Once,
			Host: c.Host, Profile: c.Profile, Why: c.Why, Script: string(m.Shown),
		}
		if m.Err != nil {
			s.Error = clause(m.Err)
		}
		return s, nil
	}
}

// actions are what the page can do.
type actions struct {
	page     *pageState
	machines *machines
	watcher  *watch.Watcher
}

func (a actions) Check() {
	a.watcher.Check()
	a.page.note(web.Event{Kind: web.Acted, Text: "Check started on this page"})
}

func (a actions) Once(mac net.HardwareAddr, item string) error {
	switch err := a.machines.once(mac, item); {
	case err != nil:
		return err
	case item == "":
		a.page.note(web.Event{Kind: web.Acted, Text: fmt.Sprintf("One-time boot of %s canceled on this page", mac)})
	default:
		a.page.note(web.Event{Kind: web.Acted, Text: fmt.Sprintf("One-time boot of %s set to %s on this page", mac, item)})
	}
	a.page.forget()
	return nil
}
