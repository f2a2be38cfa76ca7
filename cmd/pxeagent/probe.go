package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pxeagent/agent/check"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/probe"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

func newProbeCmd(a *app) *cobra.Command {
	var server string
	var judgeAlone, asJSON bool
	var quiet, limit time.Duration
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Ask the network's DHCP servers as machines would, and say what is wrong with the answers",
		Long: `Send DHCPDISCOVERs as a BIOS, UEFI, UEFI HTTP and iPXE client and show every offer of
every server. No lease is taken. The offers are compared with what configure would set,
where a DHCP backend is configured; --any only looks for what is wrong in itself.

Needs CAP_NET_RAW. With --server one server is asked as a relay agent would ask it; its
answers come to port 67 of this machine, which must be free. Where firmware asks port 4011
as well (proxyDHCP, a boot menu), so does the probe, unless the server is on this machine.`,
		Example: "  pxeagent probe --interface eth1\n  pxeagent probe --server 10.0.0.1 --json",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			asks, err := l.asks(cmd.Context(), server, judgeAlone)
			if err != nil {
				return err
			}
			var seen []probed
			verdict := probe.VerdictOK
			for _, k := range asks {
				k.config.Quiet, k.config.Limit = quiet, limit
				report, err := probe.Run(cmd.Context(), k.config)
				if err != nil {
					return err
				}
				p := probed{Interface: k.name, Report: report, Findings: probe.Judge(k.want, report)}
				for _, asked := range report.Asked {
					p.Clients = append(p.Clients, dhcp.Paths(k.want, []firmware.Client{asked.Client}, report.Leading())...)
				}
				p.Verdict = probe.Sum(report, p.Findings)
				if p.Verdict != probe.VerdictOK && verdict != probe.VerdictWrong {
					verdict = p.Verdict
				}
				if !asJSON {
					p.print(a.stdout)
				}
				seen = append(seen, p)
			}
			if asJSON {
				if err := cli.WriteJSON(a.stdout, map[string]any{"probes": seen}); err != nil {
					return err
				}
			}
			return cli.Exit(verdictCode(verdict))
		},
	}
	cmd.Flags().StringVar(&server, "server", "", "ask this DHCP server alone, ADDR[:PORT], as a relay agent would")
	cmd.Flags().BoolVar(&judgeAlone, "any", false, "compare with nothing; only look for what is wrong in itself")
	cmd.Flags().DurationVar(&limit, "limit", probe.DefaultLimit, "how long to wait for a first offer")
	cmd.Flags().DurationVar(&quiet, "quiet", probe.DefaultQuiet,
		"how long nothing new must come before the offers are complete")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, networkKeys, []string{"dhcp.backend", "serve.http"})
	return cmd
}

func verdictCode(v probe.Verdict) cli.Code {
	switch v {
	case probe.VerdictNoOffer:
		return cli.NoOffer
	case probe.VerdictWrong:
		return cli.Wrong
	}
	return cli.Done
}

// probed is one network's probe.
type probed struct {
	Interface string          `json:"interface,omitempty"`
	Verdict   probe.Verdict   `json:"verdict"`
	Report    probe.Report    `json:"report"`
	Clients   []dhcp.Path     `json:"clients"` // where each goes, and why
	Findings  []probe.Finding `json:"findings"`
}

// asking is whom to probe and what to expect.
type asking struct {
	name   string
	config probe.Config
	want   dhcp.Boot // zero: nothing is expected
	can    dhcp.Abilities
	next   netip.Addr // where this agent is, as far as the configuration says
}

// asks is what the flags ask for: one server, or each network.
func (l loaded) asks(ctx context.Context, server string, judgeAlone bool) ([]asking, error) {
	if server != "" {
		at, err := parseServer(server)
		if err != nil {
			return nil, err
		}
		return []asking{{name: server,
			config: probe.Config{Server: at, Device: l.Config.Probe.Device(0), MAC: l.Config.Probe.MAC, Guard: l.guard}}}, nil
	}
	all, err := l.networks(false, l.heard(ctx))
	if err != nil {
		return nil, err
	}
	var out []asking
	for _, n := range all {
		k := asking{name: n.name, config: n.probeConfig(), next: n.next}
		if k.config.Device == "" {
			// It may have no address yet: a raw socket needs none.
			k.config.Device = n.name
		}
		if !judgeAlone && l.Config.DHCP.Backend != config.NoBackend {
			k.want, k.can = l.expected(n), l.abilities(n.found)
		}
		out = append(out, k)
	}
	return out, nil
}

func parseServer(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		return netip.AddrPortFrom(a, 0), nil
	}
	at, err := netip.ParseAddrPort(s)
	if err != nil || !at.Addr().Is4() {
		return at, cli.Usagef("for example --server 10.0.0.1", "--server: invalid IPv4 address %q, with or without a port", s)
	}
	return at, nil
}

// print is the probe for a person.
func (p probed) print(w io.Writer) {
	fmt.Fprintf(w, "%s, as %s, %d offers in %.1f s\n", p.Interface, p.Report.MAC, len(p.Report.Offers),
		time.Duration(p.Report.Took).Seconds())
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "CLIENT\tSERVER\tADDRESS\tNEXT-SERVER\tBOOT FILE\tIN\tVIA")
	for _, a := range p.Report.Asked {
		offers := slices.DeleteFunc(p.Report.Of(a.Client), func(o firmware.Offer) bool { return o.Silent })
		if len(offers) == 0 {
			fmt.Fprintf(tw, "%s\tno offer\t\t\t\t\t\n", a.Client)
		}
		for _, o := range offers {
			name, where := o.BootFile()
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.Client, addr(o.Server), addr(o.YourIP), addr(o.NextServer),
				cli.Dash(cli.Value(name), name), cli.Dash(where, where), o.Via)
		}
	}
	tw.Flush()
	for _, c := range p.Clients {
		fmt.Fprintf(w, "  %s: %s\n", c.Client, c.Why())
	}
	for _, n := range p.Report.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	for _, f := range p.Findings {
		var clients []string
		for _, c := range f.Clients {
			clients = append(clients, c.String())
		}
		fmt.Fprintf(w, "%s: %s: %s (%s)\n", f.Level, strings.Join(clients, ", "), f.Text, f.Code)
		if f.Remedy != "" {
			fmt.Fprintf(w, "  hint: %s\n", f.Remedy)
		}
	}
}

func addr(a netip.Addr) string {
	if !a.IsValid() || a.IsUnspecified() {
		return "-"
	}
	return a.String()
}

func newCheckCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Follow a machine's whole boot path: offer, NBP, script, every file that the script names",
		Long: `Probe each network, then go on as the machines would: fetch the boot file from the
next-server that they are offered, then the script, as iPXE asks for it, then ask for every kernel
and image that the script names. Each step is shown as soon as it is known. Says which is
missing, and exits 2 if one is. Gives a network a minute after its offers; nothing is
asked of a loopback or link-local address that the configuration does not name.`,
		Example: "  pxeagent check --interface eth1",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			asks, err := l.asks(cmd.Context(), "", false)
			if err != nil {
				return err
			}
			paths := map[string][]check.Step{}
			code := cli.Done
			for _, k := range asks {
				each := func(h check.Step) { printStep(a.stdout, h) }
				if asJSON {
					each = nil
				} else {
					fmt.Fprintln(a.stdout, k.name)
				}
				steps, err := walk(cmd.Context(), k, each)
				if err != nil {
					return err
				}
				paths[k.name] = steps
				if !check.Complete(steps) {
					code = cli.Wrong
				}
			}
			if asJSON {
				if err := cli.WriteJSON(a.stdout, map[string]any{"networks": paths}); err != nil {
					return err
				}
			}
			return cli.Exit(code)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, networkKeys, []string{"dhcp.backend", "serve.http"})
	return cmd
}

// walk probes one network and goes the boot path of each client that something is wanted for; where nothing is known of
// what the DHCP server should say, of each that it means to boot. each is called with each step.
func walk(ctx context.Context, k asking, each func(check.Step)) ([]check.Step, error) {
	clients := dhcp.ProbeClients(k.want)
	k.config.Clients = check.Asking(clients)
	report, err := probe.Run(ctx, k.config)
	if err != nil {
		return nil, err
	}
	c := check.Config{NextServer: k.next, Sends: k.can, Told: each, Guard: k.config.Guard, Signatures: true}
	if k.want == (dhcp.Boot{}) {
		clients, c.AnyNBP = firmware.Meant(report.Offers), true
	}
	steps := check.Walk(ctx, c, clients, report.Offers)
	return steps, ctx.Err()
}

// printStep prints one step on one line. It does not wait for those that follow, so its columns have fixed widths.
func printStep(w io.Writer, h check.Step) {
	mark, size := "ok", ""
	if !h.OK {
		mark = "FAIL"
	}
	if h.Bytes >= 0 {
		size = fmt.Sprintf("%d bytes", h.Bytes)
	}
	line := fmt.Sprintf("  %-4s  %-6s  %-6s  %s  %s  %s", mark, h.Client, h.Stage, lineText(h.What), size,
		lineText(h.Text))
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}
