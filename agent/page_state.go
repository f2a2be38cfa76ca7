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

// live is what the page shows of the agent, beside boots.
type live struct {
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

// newLive makes the page's state. The watches' networks are not checked yet.
func newLive(running web.Running, settings []web.Setting, watches []Watch) *live {
	l := &live{running: running, settings: append([]web.Setting{}, settings...), changed: make(chan struct{}), config: web.Reload{OK: true}}
	for i, w := range watches {
		watches[i].of = min(len(watches), maxNetworks)
		l.networks = append(l.networks, w.plain())
		l.now = append(l.now, make(chan struct{}, 1))
	}
	l.note(web.Event{Kind: web.Started, At: running.Started, Text: fmt.Sprintf("pxeagent %s started", running.Version)})
	return l
}

// Status is for the page: see web.Live.
func (l *live) Status() web.Status {
	slow := l.fromDisk()
	l.mu.Lock()
	defer l.mu.Unlock()
	events := slices.Clone(l.events)
	slices.Reverse(events)
	return web.Status{
		At: time.Now(), Agent: l.running, Settings: l.settings, Networks: slices.Clone(l.networks[:min(len(l.networks), maxNetworks)]), Config: l.config,
		Events: events, Actions: l.actions, Images: slow.images, Menu: slow.menu, Machines: slow.machines,
	}
}

// Changed is for the page: see web.Live.
func (l *live) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// change wakes who waits for Changed. mu is held.
func (l *live) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *live) fromDisk() slowParts {
	l.asking.Lock()
	defer l.asking.Unlock()
	if time.Since(l.slow.at) < slowAge {
		return l.slow
	}
	s := slowParts{images: []web.Image{}, menu: web.Menu{OK: true, Items: []web.MenuItem{}}, machines: []web.Machine{}}
	if l.images != nil {
		s.images = atMost(l.images())
	}
	if l.menu != nil {
		s.menu = l.menu()
		s.menu.Items = atMost(s.menu.Items)
		s.menu.Error = cut(s.menu.Error)
	}
	if l.machines != nil {
		s.machines = atMost(l.machines())
	}
	s.at = time.Now()
	l.slow = s
	return s
}

// forget makes the next status ask for all parts.
func (l *live) forget() {
	l.asking.Lock()
	l.slow.at = time.Time{}
	l.asking.Unlock()
	l.mu.Lock()
	l.change()
	l.mu.Unlock()
}

// atMost shortens a list to maxListed; it is never nil, which JSON would have as null.
func atMost[T any](list []T) []T { return append([]T{}, list[:min(len(list), maxListed)]...) }

// check makes every network be checked now, unless that is about to happen anyway.
func (l *live) check() {
	for _, now := range l.now {
		select {
		case now <- struct{}{}:
		default:
		}
	}
	l.note(web.Event{Kind: web.Acted, Text: "A check was asked for on this page"})
}

// wanted delivers when somebody wants a check of a network.
func (l *live) wanted(number int) <-chan struct{} { return l.now[number] }

// begin notes that a check is under way. Whoever wants one from here on wants another.
func (l *live) begin(number int) {
	select {
	case <-l.now[number]:
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.networks[number].Checking = true
	l.change()
}

// end notes what a check found. That it is something else than before is an event.
func (l *live) end(number int, n web.Network, log *slog.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.networks[number]
	n.Script = before.Script
	l.networks[number] = n
	for _, text := range n.Foreign {
		if !slices.Contains(before.Foreign, text) {
			l.noteLocked(web.Event{Kind: web.Foreign, Bad: true, Text: text})
		}
	}
	if n.Result != before.Result {
		e := web.Event{Kind: web.Checked, Bad: n.Result != web.Agrees, Text: fmt.Sprintf("Network %s: %s", n.Name, found(n))}
		if before.Result != web.NotChecked || e.Bad {
			l.noteLocked(e)
		}
		log.LogAttrs(context.Background(), level(string(n.Result)), "check", slog.String("iface", n.Name), slog.String("result", string(n.Result)), slog.String("found", found(n)))
	}
	l.change()
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
