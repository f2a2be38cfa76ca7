package agent

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/logging"
	"pxeagent/agent/watch"
	"pxeagent/agent/web"
)

// pageState is what the page shows of the agent, beside boots.
type pageState struct {
	running web.Running
	actions bool // the page can do something
	// What is on disk or in other parts is asked for when the status is.
	images   func() []web.Image
	menu     func() web.Menu
	machines func() []web.Machine
	networks func() []watch.State

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at each change
	settings []web.Setting
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

// slowAge is how old what comes from disk may be: whoever asks for the status again and again must not keep the disk
// busy.
const slowAge = time.Second

// Bounds of a Status's lists.
const (
	maxListed = 300 // images, items, machines
)

// newPageState makes the page's state.
func newPageState(running web.Running, settings []web.Setting) *pageState {
	p := &pageState{
		running: running, settings: append([]web.Setting{}, settings...),
		changed: make(chan struct{}), config: web.Reload{OK: true},
		networks: func() []watch.State { return nil },
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
		At: time.Now(), Agent: p.running, Settings: p.settings, Networks: append([]watch.State{}, p.networks()...),
		Config: p.config,
		Events: events, Actions: p.actions, Images: slow.images, Menu: slow.menu, Machines: slow.machines,
	}
}

// Changed is for the page: see web.Live.
func (p *pageState) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// wake wakes who waits for Changed.
func (p *pageState) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.change()
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
	p.wake()
}

// atMost shortens a list to maxListed; it is never nil, which JSON would have as null.
func atMost[T any](list []T) []T { return append([]T{}, list[:min(len(list), maxListed)]...) }

// watched notes news of a network.
func (p *pageState) watched(e watch.Event) {
	kind := web.Checked
	if e.Foreign {
		kind = web.Foreign
	}
	p.note(web.Event{Kind: kind, Bad: e.Bad, Text: e.Text})
}

// own reports whether a request is a check's, ours or one by hand, and no machine's: it comes from the very address
// that was asked. On loopback a person may try out what a machine does over HTTP, where a check is known by its header.
func own(a *boot.Ask) bool {
	from := a.Client.Addr().Unmap()
	return from.IsValid() && from == a.Local.Addr().Unmap() && (a.Check || a.Proto == boot.TFTP || !from.IsLoopback())
}

// cut shortens text that came over the wire. What cannot be printed is replaced, which JSON would write in six bytes.
func cut(s string) string { return logging.Cut(s, maxText) }

// maxText is what a text on the page has at most, in bytes.
const maxText = 200
