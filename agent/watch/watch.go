// Package watch asks from time to time whether machines of a network would boot from here: it probes the network's DHCP
// server and checks the boot path that follows, and tells the log, the metrics and whoever wants to know.
package watch

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"pxeagent/agent/check"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/guard"
	"pxeagent/agent/probe"
)

// Network is a network whose DHCP server is asked from time to time whether it still sends machines here, and whose
// boot path is then checked as machines would go it.
type Network struct {
	Interface string       // the network's name at the DHCP server: the metrics' label
	Own       []netip.Addr // the DHCP server's own addresses; none: every offer is taken for its own
	Proxy     bool         // another server leases addresses there
	Probe     probe.Config // how to ask
	// NoProbe: this machine cannot ask there. Machines are taken to be offered Want, and what comes after is checked.
	NoProbe bool
	Want    dhcp.Boot // what should be offered, as far as the DHCP server can send it
	// Unmanaged: what is offered is up to somebody else. Each machine that is meant to boot must come through; Want only
	// says where this agent is.
	Unmanaged bool
	// Placed is asked before each check where this machine's place is not known at first: it returns the network as it
	// is known now, and whether it is. nil: it is as above.
	Placed   func() (Network, bool)
	Sends    func() dhcp.Abilities // what it can send, asked before each check; nil: all
	can      dhcp.Abilities        // what Sends said
	Script   string                // the URL where machines end up; "": Want.Script
	Every    time.Duration         // from one check to the next, at least a second; 0: only when somebody wants one
	TFTPPort uint16                // where machines ask by TFTP; 0: 69, the only one that firmware knows
}

// now is n as it is known now, with what the DHCP server can send.
func (n Network) now() Network {
	if n.Placed != nil {
		if at, known := n.Placed(); known {
			n = at
		}
	}
	return n.limited()
}

// limited is n with what the DHCP server can send of Want.
func (n Network) limited() Network {
	if n.Sends != nil {
		n.can = n.Sends()
		n.Want = n.can.Of(n.Want)
	}
	return n
}

// anybody reports whether the offers are heard and may say whatever leads machines somewhere.
func (n Network) anybody() bool { return n.Unmanaged && !n.NoProbe }

// desired is what offers are compared with; zero: nothing.
func (n Network) desired() dhcp.Boot {
	if n.anybody() {
		return dhcp.Boot{}
	}
	return n.Want
}

// Config is what a Watcher is made of.
type Config struct {
	Networks []Network
	// Event is called with what a check found that the one before did not. Changed is called when States has something
	// new. Both may be called from several goroutines.
	Event   func(Event)
	Changed func()
	Metrics prometheus.Registerer
	Guard   *guard.Guard // ends a probe or check that panics; nil: nothing does
	Log     *slog.Logger
}

// Event is news of a network: another DHCP server there, or another result of a check.
type Event struct {
	Foreign bool   // it is about another DHCP server
	Bad     bool   // somebody should look
	Text    string // hostile
}

// Watcher checks networks. It may be used from many goroutines.
type Watcher struct {
	Config
	metrics *metrics
	wanted  []chan struct{} // by network

	mu     sync.Mutex
	states []State // by network
}

// New makes a Watcher whose networks are not checked yet.
func New(c Config) *Watcher {
	w := &Watcher{Config: c, metrics: newMetrics(c.Metrics)}
	for _, n := range c.Networks {
		w.states = append(w.states, n.limited().plain())
		w.wanted = append(w.wanted, make(chan struct{}, 1))
	}
	return w
}

// States are those of the first 16 networks.
func (w *Watcher) States() []State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.states[:min(len(w.states), maxNetworks)])
}

// Check makes every network be checked now, unless that is about to happen anyway.
func (w *Watcher) Check() {
	for _, c := range w.wanted {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Run checks each network at once, then at every interval and whenever somebody wants it, until ctx ends. It never
// fails: a network that cannot be checked is a finding too.
func (w *Watcher) Run(ctx context.Context) error {
	var all errgroup.Group
	for i := range w.Networks {
		all.Go(func() error { w.watch(ctx, i); return nil })
	}
	return all.Wait()
}

// watch checks one network until ctx ends.
func (w *Watcher) watch(ctx context.Context, i int) {
	n := w.Networks[i]
	var due <-chan time.Time
	if n.Every > 0 {
		tick := time.NewTicker(max(n.Every, time.Second))
		defer tick.Stop()
		due = tick.C
	}
	last := ""
	for first := true; ; first = false {
		if n.Every > 0 || !first {
			if err := w.Guard.Do(guard.Check, func() error { last = w.check(ctx, i, last); return nil }); err != nil {
				w.abandon(i)
			}
		}
		select {
		case <-due:
		case <-w.wanted[i]:
		case <-ctx.Done():
			return
		}
	}
}

// check probes a network and checks its boot path, and tells metrics, log and who wants to know. last is the result of
// the probe before, and returned is that of this one.
func (w *Watcher) check(ctx context.Context, i int, last string) string {
	start, n := time.Now(), w.Networks[i].now()
	w.begin(i)
	r, err := n.probe(ctx, w.Guard)
	if ctx.Err() != nil {
		return last
	}
	if !n.NoProbe {
		w.metrics.probe(n.Interface, r, time.Now())
		if r.result != last {
			w.Log.LogAttrs(ctx, level(r.result), "DHCP probe", slog.String("iface", n.Interface),
				slog.String("result", r.result), slog.Any("err", err))
		}
	}
	s := n.probed(r, err)
	if err == nil || r.result != resultError {
		s.Clients = n.check(ctx, w.Guard, r, w.share())
		if ctx.Err() != nil {
			return last
		}
		w.metrics.path(n.Interface, s.Clients)
	} else {
		w.metrics.noPath(n.Interface)
	}
	s.Result = sum(s)
	s.Checked, s.Took = time.Now(), time.Since(start).Seconds()
	w.end(i, s)
	if n.NoProbe {
		return "" // the first probe is news
	}
	return r.result
}

// share is how many networks share the room that there is for steps.
func (w *Watcher) share() int { return min(len(w.Networks), maxNetworks) }

// begin notes that a check is under way. Whoever wants one from here on wants another.
func (w *Watcher) begin(i int) {
	select {
	case <-w.wanted[i]:
	default:
	}
	w.mu.Lock()
	w.states[i].Checking = true
	w.mu.Unlock()
	w.Changed()
}

// abandon notes that a check came to no end.
func (w *Watcher) abandon(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states[i].Checking = false
}

// end notes what a check found. That it is something else than before is an event.
func (w *Watcher) end(i int, s State) {
	w.mu.Lock()
	before := w.states[i]
	w.states[i] = s
	w.mu.Unlock()
	for _, text := range s.Foreign {
		if !slices.Contains(before.Foreign, text) {
			w.Event(Event{Foreign: true, Bad: true, Text: text})
		}
	}
	if s.Result != before.Result {
		e := Event{Bad: s.Result != Agrees, Text: fmt.Sprintf("Network %s: %s", s.Name, found(s))}
		if before.Result != NotChecked || e.Bad {
			w.Event(e)
		}
		w.Log.LogAttrs(context.Background(), level(string(s.Result)), "check", slog.String("iface", s.Name),
			slog.String("result", string(s.Result)), slog.String("found", found(s)))
	}
	w.Changed()
}

// check goes the boot path of each client.
func (n Network) check(ctx context.Context, g *guard.Guard, r probeResult, of int) []Client {
	c := check.Config{TFTPPort: n.TFTPPort, NextServer: n.Want.NextServer, Guard: g, Sends: n.can, AnyNBP: n.anybody()}
	return n.paths(r, check.Walk(ctx, c, r.clients, r.offers), of)
}

// found is what a check found, for people.
func found(s State) string {
	switch s.Result {
	case Agrees:
		return "every step of the boot path is there"
	case NoOffer:
		return "no DHCP server makes an offer"
	case CheckError:
		return "it could not be checked: " + s.Error
	}
	for _, c := range s.Clients {
		for _, text := range c.Wrong {
			return text
		}
		for _, step := range c.Steps {
			if !step.OK {
				return fmt.Sprintf("%s, %s %s: %s", c.Name, step.Stage, step.What, step.Text)
			}
		}
	}
	return "something is wrong"
}

func level(result string) slog.Level {
	if result == resultOK {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}
