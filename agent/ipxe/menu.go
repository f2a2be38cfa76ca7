package ipxe

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"pxeagent/agent/boot"
	"pxeagent/agent/script"
)

// Configure replaces the menu's configuration. Requests that come later are answered by the new one.
func (l *Library) Configure(m MenuConfig) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.menu = m
}

func (l *Library) configuration() MenuConfig {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.menu
}

// Items lists what the menu offers to a machine of which nothing is known, in its order; those that are not shown are
// among them.
func (l *Library) Items() ([]Item, error) {
	m, err := l.Menu(boot.Facts{}, netip.Addr{})
	return m.Items, err
}

// Script is the script at BootstrapPath as it is served now to whoever tells nothing: the user's own, or the menu.
func (l *Library) Script() ([]byte, error) {
	f, err := l.Open(boot.Ask{Proto: boot.HTTP, Name: BootstrapPath})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.all()
}

func (f *File) all() ([]byte, error) {
	b := make([]byte, f.Size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, fmt.Errorf("reading %s: %w", f.Name, err)
	}
	return b, nil
}

// bootstrap is what is made at BootstrapPath for a request.
func (l *Library) bootstrap(a boot.Ask) (*content, error) {
	if a.Class == boot.IPXE && !a.Told {
		return newContent(menuFile, boot.Script, l.first()), nil
	}
	menu, _, err := l.made(a.Facts, a.Client.Addr().Unmap())
	if err != nil {
		return nil, err
	}
	return newContent(menuFile, boot.Script, menu), nil
}

// made is the menu that is made for a machine. What is wrong with it is among the data's problems, and in the log.
func (l *Library) made(f boot.Facts, addr netip.Addr) ([]byte, MenuData, error) {
	d, err := l.data(f, addr)
	if err != nil {
		return nil, d, err
	}
	menu, broken := l.write(d)
	if broken != nil {
		d.problems = append(d.problems, problem{"template", broken})
	}
	l.tell(d)
	return menu, d, nil
}

// told is what was logged about a host's menu, and of which kind the machine was then.
type told struct{ kind, text string }

// tell logs what is wrong with a host's menu, each thing once as long as it lasts. It is over when a machine of the kind that had it has it no more.
func (l *Library) tell(d MenuData) {
	about, kind := d.Choice.Host+" ", d.Facts.Platform+" "+d.Facts.Arch
	var fresh []problem
	l.mu.Lock()
	now := map[string]bool{}
	for _, p := range d.problems {
		thing, text := about+p.thing, p.err.Error()
		if now[thing] = true; l.told[thing].text == text {
			continue
		}
		fresh = append(fresh, p)
		if len(l.told) < 1000 { // a bound; what is beyond is logged every time
			l.told[thing] = told{kind, text}
		}
	}
	for thing, t := range l.told {
		if strings.HasPrefix(thing, about) && !now[thing] && t.kind == kind {
			delete(l.told, thing)
		}
	}
	l.mu.Unlock()
	for _, p := range fresh {
		args := []any{"item", p.thing, "err", p.err}
		if d.Choice.Host != "" {
			args = append(args, "host", d.Choice.Host)
		}
		l.log.Warn("The menu is not the one that was asked for", args...)
	}
}

// words makes text fit for a line of the menu.
func words(s string) string { return cmp.Or(script.Words(s), "Network boot") }
