package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"pxeagent/agent"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/menu"
	"pxeagent/agent/watch"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// serveGrace is how long transfers may go on when the daemon is told to stop. systemd's own limit is 90 s.
const serveGrace = 20 * time.Second

func newServeCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve boot files, the menu and images by TFTP and HTTP, until stopped",
		Long: `Serve the folders tftp and http of serve.root, the built-in iPXE and its menu, and count
what happens (/metrics). Where interface is set, ask the DHCP server there from time to
time whether it still sends machines here. Needs no DHCP backend and no file.`,
		Example: `  pxeagent serve --interface eth1
  pxeagent serve --root DIR --tftp 127.0.0.1:6969 --http 127.0.0.1:8080 --next-server 127.0.0.1`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, log, err := a.load(cmd)
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), cmd.Flags(), l, log)
		},
	}
	a.addFlags(cmd, networkKeys, serveKeys)
	return cmd
}

// ballast is memory that is never written to, so that it costs none. Go collects garbage when there is as much of it as
// memory in use (GOGC). That is a few MB here, through which it would search dozens of times a second under load.
const ballast = 8 << 20

func (a *app) serve(ctx context.Context, flags *pflag.FlagSet, l loaded, log *slog.Logger) error {
	defer runtime.KeepAlive(make([]byte, ballast))
	c := l.Config
	places, watches, err := l.places()
	if err != nil {
		return err
	}
	page, err := l.page()
	if err != nil {
		return err
	}
	settings, err := l.menu()
	if err != nil {
		return err
	}
	machines, wrong := l.Machines()
	if len(wrong) > 0 {
		return wrong
	}
	boots, err := l.boots()
	if err != nil {
		return err
	}
	sockets, err := agent.Inherit(activation.Files(true), c.Serve.TFTP, c.Serve.HTTP)
	if err != nil {
		return err
	}
	// With port 0 the real one is known only now.
	for i := range places {
		places[i].Base = menu.Base(netip.AddrPortFrom(places[i].NextServer, sockets.HTTP().Port()))
	}
	if len(watches) == 0 && len(c.Interfaces) > 0 {
		log.Warn("serving at every address of this machine, and probing nowhere: the network is not known yet; "+
			"`pxeagent configure` finds it out, and it is probed from then on", "interface", c.Interfaces)
		for i, name := range c.Interfaces {
			n := unasked(places[0], c, sockets)
			n.Interface, n.Placed = name, l.placed(name, i)
			watches = append(watches, n)
		}
	}
	if len(watches) == 0 {
		watches = append(watches, unasked(places[0], c, sockets))
	}
	served, err := agent.New(agent.Config{
		Sockets: sockets, Root: c.Serve.Root, Places: places, Chain: ipxe.Chain(c.Chain), BootFiles: c.Boot.Files,
		Signed: l.signed(),
		Menu:   settings, Machines: machines, State: c.StateDir,
		Except: c.Serve.ChainExcept, Universal: c.Serve.Universal, Networks: c.Serve.Networks, SinglePort: c.Serve.SinglePort,
		Grace:   serveGrace,
		Watches: watches, Page: page, Boots: boots, Native: c.Metrics.Native, Build: readBuild().info(), Log: log,
	})
	if err != nil {
		sockets.Close()
		return rootFailure(c.Serve.Root, err)
	}
	log.Info("serving", "tftp", sockets.TFTP(), "http", sockets.HTTP(), "root", c.Serve.Root, "script",
		watch.ScriptURL(places[0].Base))
	reload := a.newReloader(flags, served, l, settings, log)
	// Not under systemd these do nothing.
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	stop := context.AfterFunc(ctx, func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) })
	defer stop()
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return served.Run(running) })
	g.Go(func() error { return reload.run(running) })
	if limit, err := daemon.SdWatchdogEnabled(true); err == nil && limit > 0 {
		g.Go(func() error { watchdog(running, limit/2, served.Responds); return nil })
	}
	err = g.Wait()
	log.Info("stopped")
	return err
}

// watchdog tells systemd that the daemon is alive, each time that responds returns. Where that hangs, systemd hears
// nothing more, aborts the process, which writes to the log where it hangs, and starts another.
func watchdog(ctx context.Context, every time.Duration, responds func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		responds()
		_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// rootFailure explains why the root folder cannot be served.
func rootFailure(root string, err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return err
	}
	f := cli.Failure{Code: cli.Root, Err: fmt.Errorf("serve.root: %w", err)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Hints = []string{fmt.Sprintf("make it: mkdir -p %[1]s/tftp %[1]s/http; or name another with --root", root)}
	default:
		f.Hints = append([]string{"want a folder that this user may read"}, permissionHints(err)...)
	}
	return f
}

// places are the addresses at which machines reach the agent, and watches the networks that it asks from time to time.
func (l loaded) places() ([]agent.Place, []watch.Network, error) {
	c := l.Config
	if len(c.Interfaces) == 0 {
		next := c.NextServer
		if !next.IsValid() {
			nics, err := localNICs()
			if err != nil {
				return nil, nil, err
			}
			at, err := localAddr(nics, wantLocal{device: c.Probe.Device(0)})
			if err != nil {
				return nil, nil, err
			}
			next = at.addr.Addr()
		}
		return []agent.Place{{NextServer: next}}, nil, nil
	}
	all, err := l.networks(true, l.recall())
	if errors.Is(err, errUnplaced) || slices.ContainsFunc(all, l.unplaced) {
		places, err := everyPlace()
		return places, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	var places []agent.Place
	var watches []watch.Network
	for _, n := range all {
		places = append(places, agent.Place{NextServer: n.next})
		watches = append(watches, l.watched(n))
	}
	return places, watches, nil
}

// watched is n for who asks it from time to time.
func (l loaded) watched(n network) watch.Network {
	w := watch.Network{Interface: n.name, NoProbe: n.device == "", Probe: n.probeConfig(), Want: n.want,
		Sends: l.recalled(n.name), Every: l.Config.Probe.Interval, Unmanaged: l.Config.DHCP.Backend == config.NoBackend}
	if l.row.Local {
		// It names itself by the address of the device.
		w.Own, w.Proxy = []netip.Addr{n.own}, l.row.Proxy(l.Config)
	}
	return w
}

// placed is the network at index i once configure has learned where it is.
func (l loaded) placed(name string, i int) func() (watch.Network, bool) {
	recall := l.recall()
	if recall == nil {
		return nil
	}
	return func() (watch.Network, bool) {
		f, err := recall(name)
		if err != nil || !f.Prefix.IsValid() {
			return watch.Network{}, false
		}
		nics, err := localNICs()
		if err != nil {
			return watch.Network{}, false
		}
		n, err := l.network(nics, name, i, true, f)
		if err != nil {
			return watch.Network{}, false
		}
		w := l.watched(n)
		w.Script = watch.ScriptURL(n.base).String()
		return w, true
	}
}

// everyPlace are this machine's addresses: machines are answered with the one that they asked, so that a network need
// not be known to be served.
func everyPlace() ([]agent.Place, error) {
	nics, err := localNICs()
	if err != nil {
		return nil, err
	}
	var places []agent.Place
	for _, n := range nics {
		if n.loopback || !n.up {
			continue
		}
		if at, err := n.local(nics, wantLocal{}); err == nil {
			for _, a := range append([]netip.Addr{at.addr.Addr()}, at.others...) {
				places = append(places, agent.Place{NextServer: a})
			}
		}
	}
	return places, nil
}

// unasked is a watch of what is served where no interface is set: nobody is asked what DHCP says, and the ports are
// those that were bound.
func unasked(p agent.Place, c config.Config, at *agent.Sockets) watch.Network {
	return watch.Network{Interface: "any", NoProbe: true, Every: c.Probe.Interval, TFTPPort: at.TFTP().Port(),
		Want: watch.Desired(p.NextServer, p.Base, c.Chain, c.Boot.Files)}
}

// info labels the metric build_info.
func (b build) info() map[string]string {
	return map[string]string{"version": b.Version, "revision": b.Revision, "goversion": fmt.Sprint(b.Go)}
}
