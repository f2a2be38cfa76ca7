package agent

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/web"
)

// pageState is what the page shows of the agent, beside boots.
type pageState struct {
	running web.Running
	actions bool // the page can do something
	now     []chan struct{}
	// What is on disk or in other parts is asked for when the status is.
	images   func() []web.Image
	menu     func() web.Menu
	machines func() []web.Machine

	mu       sync.Mutex
	changed  chan struct{} // closed and made anew at each change
	settings []web.Setting
	networks []web.Network
	config   web.Reload
	events   []web.Event // the oldest first
	lastID   uint64

	asking sync.Mutex // held while the slow parts are asked for
	slow   slowParts
}

// slowParts are the parts of a status that come from disk.
type slowParts struct {
	at       time.Time
	images   []web.Image
	menu     web.Menu
	machines []web.Machine
}

// slowAge is how old what comes from disk may be: whoever asks for the status again and again must not keep the disk busy.
const slowAge = time.Second

// Bounds of a Status's lists.
const (
	maxNetworks = 16
	maxListed   = 300 // images, items, machines
)

// newPageState makes the page's state. The watches' networks are not checked yet.
func newPageState(running web.Running, settings []web.Setting, watches []Watch) *pageState {
	p := &pageState{running: running, settings: append([]web.Setting{}, settings...), changed: make(chan struct{}), config: web.Reload{OK: true}}
	for i, w := range watches {
		watches[i].of = min(len(watches), maxNetworks)
		p.networks = append(p.networks, w.plain())
		p.now = append(p.now, make(chan struct{}, 1))
	}
	p.note(web.Event{Kind: web.Started, At: running.Started, Text: fmt.Sprintf("pxeagent %s started", running.Version)})
	return p
}

// Status is for the page: see web.Live.
func (p *pageState) Status() web.Status {
	slow := p.fromDisk()
	p.mu.Lock()
	defer p.mu.Unlock()
	events := slices.Clone(p.events)
	slices.Reverse(events)
	return web.Status{
		At: time.Now(), Agent: p.running, Settings: p.settings, Networks: slices.Clone(p.networks[:min(len(p.networks), maxNetworks)]), Config: p.config,
		Events: events, Actions: p.actions, Images: slow.images, Menu: slow.menu, Machines: slow.machines,
	}
}

// Changed is for the page: see web.Live.
func (p *pageState) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// change wakes who waits for Changed. mu is held.
func (p *pageState) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pageState) fromDisk() slowParts {
	p.asking.Lock()
	defer p.asking.Unlock()
	if time.Since(p.slow.at) < slowAge {
		return p.slow
	}
	s := slowParts{images: []web.Image{}, menu: web.Menu{OK: true, Items: []web.MenuItem{}}, machines: []web.Machine{}}
	if p.images != nil {
		s.images = atMost(p.images())
	}
	if p.menu != nil {
		s.menu = p.menu()
		s.menu.Items = atMost(s.menu.Items)
		s.menu.Error = cut(s.menu.Error)
	}
	if p.machines != nil {
		s.machines = atMost(p.machines())
	}
	s.at = time.Now()
	p.slow = s
	return s
}

// forget makes the next status ask for all parts.
func (p *pageState) forget() {
	p.asking.Lock()
	p.slow.at = time.Time{}
	p.asking.Unlock()
	p.mu.Lock()
	p.change()
	p.mu.Unlock()
}

// atMost shortens a list to maxListed; it is never nil, which JSON would have as null.
func atMost[T any](list []T) []T { return append([]T{}, list[:min(len(list), maxListed)]...) }

// check makes every network be checked now, unless that is about to happen anyway.
func (p *pageState) check() {
	for _, now := range p.now {
		select {
		case now <- struct{}{}:
		default:
		}
	}
	p.note(web.Event{Kind: web.Acted, Text: "A check was asked for on this page"})
}

// wanted delivers when somebody wants a check of a network.
func (p *pageState) wanted(number int) <-chan struct{} { return p.now[number] }

// begin notes that a check is under way. Whoever wants one from here on wants another.
func (p *pageState) begin(number int) {
	select {
	case <-p.now[number]:
	default:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.networks[number].Checking = true
	p.change()
}

// end notes what a check found. That it is something else than before is an event.
func (p *pageState) end(number int, n web.Network, log *slog.Logger) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.networks[number]
	n.Script = before.Script
	p.networks[number] = n
	for _, text := range n.Foreign {
		if !slices.Contains(before.Foreign, text) {
			p.noteLocked(web.Event{Kind: web.Foreign, Bad: true, Text: text})
		}
	}
	if n.Result != before.Result {
		e := web.Event{Kind: web.Checked, Bad: n.Result != web.Agrees, Text: fmt.Sprintf("Network %s: %s", n.Name, found(n))}
		if before.Result != web.NotChecked || e.Bad {
			p.noteLocked(e)
		}
		log.LogAttrs(context.Background(), level(string(n.Result)), "check", slog.String("iface", n.Name), slog.String("result", string(n.Result)), slog.String("found", found(n)))
	}
	p.change()
}

// found is what a check found, for people.
func found(n web.Network) string {
	switch n.Result {
	case web.Agrees:
		return "every step of the road is there"
	case web.NoOffer:
		return "no DHCP server makes an offer"
	case web.CheckError:
		return "it could not be checked: " + n.Error
	}
	for _, c := range n.Clients {
		for _, text := range c.Wrong {
			return text
		}
		for _, s := range c.Steps {
			if !s.OK {
				return fmt.Sprintf("%s, %s %s: %s", c.Name, s.Stage, s.What, s.Text)
			}
		}
	}
	return "something is wrong"
}

// own reports whether a request is a check's, ours or one by hand, and no machine's: it comes from the very address that was asked. On
// loopback a person may try out what a machine does over HTTP, where a check is known by its header.
func own(a boot.Ask) bool {
	from := a.Client.Addr().Unmap()
	return from.IsValid() && from == a.Local.Addr().Unmap() && (a.Check || a.Proto == boot.TFTP || !from.IsLoopback())
}
