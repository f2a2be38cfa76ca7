package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"pxeagent/agent"
	"pxeagent/agent/check"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/menu"
	"pxeagent/agent/probe"
	"pxeagent/agent/watch"
	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

func newDemoCmd(a *app) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole of it on this machine: no root, no network, nothing installed",
		Long: `Run a stand-in DHCP server on loopback, a pfSense firewall unless --backend names another, then do to it what configure
and serve do to a real one: pin its certificate, plan, apply over HTTPS, probe, serve, and walk
a machine's boot path from its DHCP offer to the menu, and show what is seen of a boot. All
ports are high ones. The DHCP server is a stand-in; all else is what runs on a real network.
Exits other than 0 if any step fails.`,
		Example: "  pxeagent demo\n  pxeagent demo --keep\n  pxeagent demo --backend opnsense",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			start, err := a.standIn(config.FlagValue(cmd.Flags(), "backend"))
			if err != nil {
				return err
			}
			return demo(cmd.Context(), start, a.stdout, a.stderr, keep)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "go on serving at the end, and say what there is to look at")
	cmd.Flags().Var(&config.FlagText{Arg: "NAME"}, "backend",
		"DHCP server to stand in for: "+strings.Join(a.standIns(), ", "))
	return cmd
}

// demoJournal is where the demo keeps what was there before.
const demoJournal = "demo-admin"

// loopback is any port of 127.0.0.1.
var loopback = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

// standIn is that of the DHCP server of that name; "": of the first that has one.
func (a *app) standIn(of string) (func(dir string) (backend.StandIn, error), error) {
	for _, b := range a.backends {
		if b.StandIn != nil && (of == "" || of == b.Name) {
			return b.StandIn, nil
		}
	}
	return nil, cli.Usagef("one of "+strings.Join(a.standIns(), ", "), "--backend: no stand-in for %q", of)
}

// standIns are the names of those that have one.
func (a *app) standIns() (names []string) {
	for _, b := range a.backends {
		if b.StandIn != nil {
			names = append(names, b.Name)
		}
	}
	return names
}

// demonstration is one run of the demo.
type demonstration struct {
	out     io.Writer
	dir     string
	sockets *agent.Sockets
	place   agent.Place
	want    dhcp.Boot
	wall    backend.StandIn
	server  dhcp.Server
	number  int
}

func demo(
	ctx context.Context, start func(dir string) (backend.StandIn, error), out, logs io.Writer, keep bool,
) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &demonstration{out: out}
	if d.dir, err = os.MkdirTemp("", "pxeagent-demo-"); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(d.dir)

	if d.wall, err = start(d.dir); err != nil {
		return fmt.Errorf("starting the stand-in DHCP server: %w", err)
	}
	defer d.wall.Close()

	g, running := errgroup.WithContext(ctx)
	if err := d.start(running, g, logs); err != nil {
		return err
	}
	err = d.tour(running)
	if err == nil && keep {
		fmt.Fprintf(out, "\nserving until ^C:\n  %s/\n  %s\n  %s/metrics\n  curl tftp://%s/undionly.kpxe -o "+
			"undionly.kpxe\n%s",
			d.place.Base, watch.ScriptURL(d.place.Base), d.place.Base, d.sockets.TFTP(), d.wall.Visit())
		<-running.Done()
	}
	cancel()
	return errors.Join(err, g.Wait())
}

// start brings up the agent.
func (d *demonstration) start(ctx context.Context, g *errgroup.Group, logs io.Writer) error {
	for _, tree := range []string{"tftp", "http"} {
		if err := os.Mkdir(filepath.Join(d.dir, tree), 0o755); err != nil {
			return fmt.Errorf("making a folder: %w", err)
		}
	}
	var err error
	if d.sockets, err = agent.Bind(loopback, loopback); err != nil {
		return err
	}
	d.place = agent.Place{NextServer: loopback.Addr(),
		Base: menu.Base(netip.AddrPortFrom(loopback.Addr(), d.sockets.HTTP().Port()))}
	d.want = watch.Desired(d.place.NextServer, d.place.Base, ipxe.ChainAuto, ipxe.BootFiles())
	served, err := agent.New(agent.Config{
		Sockets: d.sockets, Root: d.dir, Places: []agent.Place{d.place}, Chain: ipxe.ChainAuto, Grace: time.Second,
		Menu:  menu.Settings{Title: "pxeagent demo", Default: "local", Timeout: 30 * time.Second},
		Build: readBuild().info(), Log: slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		d.sockets.Close()
		return err
	}
	g.Go(func() error { return served.Run(ctx) })
	return nil
}

// say is one line of the demo: what it is about, and what happened.
func (d *demonstration) say(about, format string, args ...any) {
	d.number++
	fmt.Fprintf(d.out, "%2d  %-9s  %s\n", d.number, about, fmt.Sprintf(format, args...))
}

// tour is the demo itself, one line a step.
func (d *demonstration) tour(ctx context.Context) error {
	d.say("serve", "TFTP at %s, HTTP at %s", d.sockets.TFTP(), d.sockets.HTTP())
	pinned, err := d.wall.Trust(ctx)
	if err != nil {
		return err
	}
	d.say("trust", "%s", pinned)
	if d.server, err = d.wall.Open(false); err != nil {
		return err
	}
	if err := d.configure(ctx); err != nil {
		return err
	}
	report, err := d.probe(ctx, firmware.Clients())
	if err != nil {
		return fmt.Errorf("probing: %w", err)
	}
	var clients []string
	for _, o := range report.Offers {
		if name, _ := o.BootFile(); name != "" {
			clients = append(clients, o.Client.String())
		}
	}
	d.say("probe", "DHCP names a boot file to %s", strings.Join(clients, ", "))
	if err := d.machines(ctx, report); err != nil {
		return err
	}
	if err := d.boot(ctx); err != nil {
		return err
	}
	if err := d.again(ctx); err != nil {
		return err
	}
	return d.count(ctx)
}

// configure is the command's own way: plan, preflight, baseline, journal, apply, read back, verify.
func (d *demonstration) configure(ctx context.Context) error {
	j, err := dhcp.OpenJournal(filepath.Join(d.dir, "state"), demoJournal)
	if err != nil {
		return err
	}
	defer j.Close()
	d.say("configure", "%s", d.server)
	r, err := d.run(j, d.server).Run(ctx)
	if err != nil {
		return err
	}
	d.say("configure", "by %s: %s", d.wall.Way(d.server), summary(r, false))
	return nil
}

func (d *demonstration) run(j *dhcp.Journal, server dhcp.Server) dhcp.Configure {
	return dhcp.Configure{
		Server: server, Want: d.want, Journal: j, Within: 3 * time.Second, // the stand-in answers at once or not at all
		Probe: func(ctx context.Context, clients []firmware.Client, _ dhcp.Enough) ([]firmware.Offer, error) {
			r, err := d.probe(ctx, clients)
			return r.Offers, err
		},
		Preflight: func(ctx context.Context, want dhcp.Boot) error {
			if err := check.Serving(ctx, d.check(), want, watch.ScriptURL(d.place.Base)); err != nil {
				return fmt.Errorf("%w: %w", dhcp.ErrNotServing, err)
			}
			return nil
		},
		Report: func(s dhcp.Step) {
			switch s.Code {
			case dhcp.StepPlan: // of a dozen steps, what a newcomer looks for
				d.say(s.Code, "%s%s", s.Text, suffix(s.Error))
				printChanges(d.out, s.Changes)
			}
		},
	}
}

func (d *demonstration) check() check.Config {
	return check.Config{TFTPPort: d.sockets.TFTP().Port(), NextServer: d.place.NextServer}
}

// probe asks the stand-in as a relay agent would, from a high port, so that no right is needed.
func (d *demonstration) probe(ctx context.Context, clients []firmware.Client) (probe.Report, error) {
	return probe.Run(ctx, probe.Config{
		Clients: clients, Server: d.wall.DHCP(), Relay: d.wall.DHCP().Addr(), RelayPort: probe.AnyPort,
		Quiet: 200 * time.Millisecond, Limit: 3 * time.Second,
	})
}

// machines walks the road of a BIOS, a UEFI and a UEFI HTTP machine: NBP, loop broken, menu.
func (d *demonstration) machines(ctx context.Context, report probe.Report) error {
	clients := []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientHTTP64}
	stages := map[firmware.Client][]string{}
	for _, s := range check.Walk(ctx, d.check(), clients, report.Offers) {
		if !s.OK {
			return cli.Failure{Code: cli.Wrong, Err: fmt.Errorf("%s machine, %s: %s", s.Client, s.Stage, s.Text)}
		}
		stages[s.Client] = append(stages[s.Client], s.Stage)
	}
	for _, c := range clients {
		d.say("check", "%s reaches the menu: %s", c, strings.Join(stages[c], ", "))
	}
	return nil
}

// again shows that a second configure, by the way that every pfSense has, writes nothing, and that revert puts back
// what was there.
func (d *demonstration) again(ctx context.Context) error {
	j, err := dhcp.OpenJournal(filepath.Join(d.dir, "state"), demoJournal)
	if err != nil {
		return err
	}
	defer j.Close()
	stock, err := d.wall.Open(true)
	if err != nil {
		return err
	}
	second := d.run(j, stock)
	second.Report = nil
	r, err := second.Run(ctx)
	if err != nil {
		return err
	}
	if r.Wrote || !r.InSync {
		return errors.New("the second configure found something to write")
	}
	d.say("configure", "again, by %s: %s", d.wall.Way(stock), summary(r, false))
	r, err = dhcp.Revert{Server: d.server, Journal: j, Probe: second.Probe}.Run(ctx)
	if err != nil {
		return err
	}
	d.say("revert", "%s", summary(r, false))
	return d.wall.Unchanged()
}

func metrics(ctx context.Context, base *url.URL) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath("metrics").String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// count shows what the daemon counted meanwhile.
func (d *demonstration) count(ctx context.Context) error {
	text, err := metrics(ctx, d.place.Base)
	if err != nil {
		return err
	}
	counted := 0
	for line := range bytes.Lines(text) {
		for _, name := range []string{"pxeagent_boots_total{", "pxeagent_loops_broken_total{"} {
			if bytes.HasPrefix(line, []byte(name)) && !bytes.HasSuffix(line, []byte(" 0\n")) {
				d.say("metric", "%s", bytes.TrimSpace(line))
				counted++
			}
		}
	}
	if counted == 0 {
		return errors.New("nothing was counted")
	}
	return nil
}
