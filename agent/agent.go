// Package agent puts the parts together and runs them: TFTP, HTTP, metrics, and the probes that watch
// whether DHCP still sends machines here.
package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/logging"
	"pxeagent/agent/machine"
	"pxeagent/agent/menu"
	"pxeagent/agent/neighbour"
	"pxeagent/agent/recorder"
	"pxeagent/agent/tftp"
	"pxeagent/agent/watch"
	"pxeagent/agent/web"
)

// Place is one network's way to the agent.
type Place struct {
	NextServer netip.Addr // the address that machines there ask
	Base       *url.URL   // where they find HTTP
}

// Config is all that an Agent is made of.
type Config struct {
	Sockets *Sockets
	Root    string // folder with the trees tftp and http
	// Places: a machine is sent URLs of the place whose address it asked, else of the first. At least one.
	Places     []Place
	Chain      ipxe.Chain
	BootFiles  [firmware.NumArch]string // see files.Config
	Signed     string                   // see files.Config
	Except     []netip.Prefix           // see ipxe.Config
	Universal  bool                     // see ipxe.Config
	Menu       menu.Settings
	Networks   []netip.Prefix // who is answered; none: everyone
	SinglePort bool           // see tftp.Config
	Grace      time.Duration  // how long transfers may go on after the end was asked for
	Watches    []watch.Network
	Page       Page
	State      string             // folder for what outlives a restart; machines that boot once have theirs in it
	Machines   *machine.Inventory // what the configuration says of them; nil: nothing
	Boots      recorder.Config    // Keep, MaxAge, Stall and Webhook; the rest is the agent's
	Native     bool               // histograms are native ones, and no classic ones
	Build      map[string]string  // labels of the build_info metric
	// Log gets lines of what is asked and served as well, which are bounded: see logging.Handler.
	Log *slog.Logger
}

// Agent serves. It is made by New and run once.
type Agent struct {
	Config
	registry *prometheus.Registry
	reload   reloadMetrics
	guard    *guard.Guard
	page     *pageState
	machines *machines
	recorder *recorder.Recorder
	watcher  *watch.Watcher
	menus    menus
	tftp     *tftp.Server
	http     *http.Server
	limits   web.Limits // of HTTP
	root     *rootFolder
	lines    *logging.Handler
	serving  atomic.Bool
}

// New puts the parts together. Its errors are of the root folder: it is missing or cannot be read; and of State:
// another agent uses it.
func New(c Config) (*Agent, error) {
	lines := newLines(c.Log)
	c.Log = slog.New(lines)
	a := &Agent{Config: c, registry: prometheus.NewRegistry(), lines: lines}
	a.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with what this agent was built from.", ConstLabels: c.Build,
	})
	info.Set(1)
	a.registry.MustRegister(info, newDisks(map[string]string{"root": c.Root, "state": c.State}))
	a.reload = newReloadMetrics(a.registry)
	a.guard = guard.New(c.Log)
	a.registry.MustRegister(a.guard)

	var err error
	if a.machines, err = newMachines(c); err != nil {
		return nil, err
	}
	if a.menus, err = newMenus(c, a.machines); err != nil {
		return nil, err
	}
	lib, err := newLibraries(c, a.menus, a.machines)
	if err != nil {
		return nil, err
	}
	a.registry.MustRegister(menuOK(a.menus.first), newImages(c.Root, a.guard, c.Log))
	a.page = a.newPage()
	a.page.machines = a.machines.listed
	a.watcher = watch.New(watch.Config{
		Networks: a.watched(), Event: a.page.watched, Changed: a.page.wake, Metrics: a.registry, Guard: a.guard, Log: c.Log,
	})
	a.page.networks = a.watcher.States
	if a.recorder, err = recorder.New(a.recording()); err != nil {
		return nil, err
	}
	api := web.NewBootsAPI(a.recorder.Feed(), a.page)
	obs := watched{Observer: a.recorder, machines: a.machines, own: own}
	a.root = newRootFolder(c.Root)
	connections, transfers := shares(descriptors())
	refused := newRefused()
	a.registry.MustRegister(refused)
	a.limits = connectionLimits(connections, refused)
	a.tftp = tftp.New(tftp.Config{
		Opener: tftpFiles{lib, a.machines}, Observer: obs, Networks: c.Networks, SinglePort: c.SinglePort, Grace: c.Grace,
		MaxTransfers: transfers, Guard: a.guard, Log: c.Log,
	})
	a.registry.MustRegister(tftpLoad(a.tftp)...)
	a.limits.Opened = a.tftp.Proven
	pages, err := places(c.Places, func(p Place) (http.Handler, error) {
		return web.New(web.Config{
			Files: asked{
				lib.at(p.NextServer),
				a.machines,
				own,
			}, Observer: obs, Gatherer: a.registry, Networks: c.Networks, Ready: a.ready, Log: c.Log, Guard: a.guard,
			Boots: api, Live: a.page, ShowMenu: a.showMenu(a.menus.at(p.NextServer)),
			Actions: actions{a.page, a.machines, a.watcher}, Gate: c.Page.Gate,
			Documents: placed{a.machines.Fleet, baseText(p.Base)},
		}), nil
	})
	a.http = web.Server(a.guard.Handler(guard.HTTP, handlers{pages}))
	a.http.ErrorLog = slog.NewLogLogger(lines, slog.LevelWarn)
	return a, err
}

// newLines bounds the lines that an agent writes: anyone on the network causes some.
func newLines(log *slog.Logger) *logging.Handler {
	return logging.New(log.Handler(), logging.Config{
		By:   []string{"proto", "outcome", "result"},
		Long: map[string]int{"stack": 8 << 10, "remedy": 1 << 10}, // which are ours
	})
}

// recording is the recorder's configuration: what the operator set, and where the agent's other parts come in.
func (a *Agent) recording() recorder.Config {
	c := a.Boots
	c.State, c.MenuTimeout, c.LoopsBroken = a.State, a.Menu.Timeout, a.Chain.Breaks()
	c.Except, c.Native = a.Except, a.Native
	c.Wants = func(kernel string) []string { return a.machines.catalog.Wants(kernel, a.machines.base) }
	c.Neighbour, c.Name, c.Own = neighbour.New(a.Log).MAC, a.machines.named, own
	c.Event, c.Metrics, c.Guard, c.Log = a.recorded, a.registry, a.guard, a.Log
	return c
}

// recorded passes on what the recorder saw.
func (a *Agent) recorded(e recorder.Event) {
	if e.Loop != nil {
		a.page.looped(*e.Loop, e.Remedy)
		return
	}
	a.page.booted(*e.Ended)
	a.machines.finished(*e.Ended)
}

// watched are the networks with the URLs that their machines are sent to.
func (a *Agent) watched() []watch.Network {
	networks := slices.Clone(a.Watches)
	for i := range networks {
		for _, p := range a.Places {
			if n := &networks[i]; n.Want.NextServer == p.NextServer && p.Base != nil {
				n.Script = watch.ScriptURL(p.Base).String()
			}
		}
	}
	return networks
}

var errNotServing = errors.New("not serving")

func (a *Agent) ready() error {
	if !a.serving.Load() {
		return errNotServing
	}
	return a.root.check()
}

// Responds returns once each lock that requests wait for could be had: it does not return where one is held for ever.
// It touches no disk, which may be a slow one.
func (a *Agent) Responds() {
	a.page.Changed()
	a.watcher.States()
	a.recorder.Feed().Boot("")
}

// Run serves until ctx ends, then lets transfers end within Grace. Cancelled is not an error.
func (a *Agent) Run(ctx context.Context) error {
	stop := a.recorder.Start(ctx)
	err := a.serve(ctx)
	err = errors.Join(err, stop())
	a.lines.Flush()
	return err
}

func (a *Agent) serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	a.serving.Store(true)
	context.AfterFunc(ctx, func() { a.serving.Store(false) })
	g.Go(func() error {
		if err := a.tftp.Serve(ctx, a.Sockets.tftp); err != nil {
			return fmt.Errorf("serving TFTP: %w", err)
		}
		return nil
	})
	g.Go(func() error { return a.serveHTTP(ctx) })
	g.Go(func() error { a.lines.Run(ctx); return nil })
	g.Go(func() error { return a.recorder.ServeCommands(ctx, web.NewBootsAPI(a.recorder.Feed(), nil)) })
	g.Go(func() error { return a.watcher.Run(ctx) })
	return g.Wait()
}

// serveHTTP also ends what runs longer than Grace.
func (a *Agent) serveHTTP(ctx context.Context) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(a.Grace, time.Second))
		defer cancel()
		if a.http.Shutdown(grace) != nil {
			a.http.Close()
		}
	})
	listener := web.Limit(a.Sockets.http, a.limits)
	a.http.ConnState = listener.State
	err := a.http.Serve(listener)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving HTTP: %w", err)
}

// namespace begins the names of all metrics.
const namespace = "pxeagent"
