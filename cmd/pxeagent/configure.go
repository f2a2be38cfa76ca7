package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
)

func newConfigureCmd(a *app) *cobra.Command {
	var dryRun, notServing, off, asJSON bool
	cmd := &cobra.Command{
		Use:   "configure",
		Short: "Point the DHCP server at this agent, and prove it on the wire",
		Long: `Plan the change and show it; make sure that the boot files are served; keep what was
there in the journal; write; have the DHCP server load it; ask it as machines would. If
its offers stay wrong, put back what was there. Where all is right already, nothing is
written and nothing restarted. Asks no questions: it works the same from a terminal,
from cron and from Ansible.`,
		Example: `  pxeagent configure --interface eth1
  pxeagent configure --interface eth1 --dry-run      # exits 2 where something differs
  pxeagent configure --interface eth1 --off          # no network boot there
  pxeagent configure --interface admin --pfsense https://fw.lan --user pxeagent --password-file FILE --tls-sha256 HEX`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			run := func(ctx context.Context, l loaded, n network, s dhcp.Server, t *teller) (dhcp.Result, error) {
				c := dhcp.Configure{Server: s, Want: n.want, DryRun: dryRun, Probe: n.wire(), Begun: n.begun, Report: t.step}
				if off {
					c.Want = dhcp.Boot{}
				}
				if !notServing {
					c.Preflight = n.serving
				}
				if !off {
					if err := l.bootFilesThere(n); err != nil {
						return dhcp.Result{}, err
					}
					if err := l.secure(n, dryRun); err != nil {
						return dhcp.Result{}, err
					}
				}
				if !dryRun {
					j, err := l.journal(n)
					if err != nil {
						return dhcp.Result{}, err
					}
					defer j.Close()
					if err := l.learn(n); err != nil {
						return dhcp.Result{}, err
					}
					c.Journal = j
				}
				r, err := c.Run(ctx)
				return r, t.end(r, dryRun, r.Wrote || r.Reloaded, err)
			}
			return a.eachNetwork(cmd, !off, asJSON, true, run)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show the plan: exit 0 where all is right, 2 where not")
	cmd.Flags().BoolVar(&notServing, "not-serving-yet", false, "do not ask first whether the boot files are served")
	cmd.Flags().BoolVar(&off, "off", false, "turn network boot off")
	cmd.Flags().BoolVar(&asJSON, "json", false, changedJSON)
	a.addFlags(cmd, networkKeys, dhcpKeys, []string{"serve.http"})
	a.addBackendFlags(cmd)
	return cmd
}

// changedJSON is what --json is for in commands that change a server.
const changedJSON = "as JSON; its field changed says whether the server was changed, or with --dry-run would be"

func newRevertCmd(a *app) *cobra.Command {
	var dryRun, discard, asJSON bool
	cmd := &cobra.Command{
		Use:   "revert",
		Short: "Put back what the DHCP server said before pxeagent changed it",
		Long: `Go back, to the byte, to the settings that the journal in state_dir kept. If somebody has
changed them since pxeagent wrote them, nothing is written: look at the difference, then
decide.`,
		Example: "  pxeagent revert --interface eth1 --dry-run\n  pxeagent revert --interface eth1",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			run := func(ctx context.Context, l loaded, n network, s dhcp.Server, t *teller) (dhcp.Result, error) {
				j, err := l.journal(n)
				if err != nil {
					return dhcp.Result{}, err
				}
				defer j.Close()
				r, err := dhcp.Revert{
					Server: s, Journal: j, Probe: n.wire(), Report: t.step, DryRun: dryRun, DiscardLaterChanges: discard,
				}.Run(ctx)
				return r, t.end(r, dryRun, r.Reverted, err)
			}
			return a.eachNetwork(cmd, false, asJSON, false, run)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false,
		"only show what would change: exit 0 where nothing would, 2 where something would")
	cmd.Flags().BoolVar(&discard, "discard-later-changes", false, "go back even where somebody changed the settings since")
	cmd.Flags().BoolVar(&asJSON, "json", false, changedJSON)
	a.addFlags(cmd, networkKeys, dhcpKeys)
	a.addBackendFlags(cmd)
	return cmd
}

// end prints the last line of a run that went well, and turns a dry run's difference into its exit code. changed is
// whether the run left the server otherwise than it was.
func (t *teller) end(r dhcp.Result, dryRun, changed bool, err error) error {
	t.changed = changed || dryRun && err == nil && !r.InSync
	if err != nil {
		return err
	}
	if t.out != nil {
		t.release(nil)
		fmt.Fprintf(t.out, "  %s\n", summary(r, dryRun))
	}
	if dryRun && !r.InSync {
		return cli.Exit(cli.Differs)
	}
	return nil
}

// networkRun is what a command does with one network's DHCP server.
type networkRun func(context.Context, loaded, network, dhcp.Server, *teller) (dhcp.Result, error)

// eachNetwork does the same for every interface that is configured. One that fails does not keep
// the others from their turn; the first failure is the exit code. With look the first network is looked
// at while the DHCP server is asked about the networks.
func (a *app) eachNetwork(cmd *cobra.Command, needNext, asJSON, look bool, do networkRun) error {
	l, err := a.read(cmd.Flags())
	if err != nil {
		return err
	}
	// The steps are shown as they are done; a log of them besides is for who looks for a fault.
	logs := l.Config.Log
	if logs.Level == slog.LevelInfo {
		logs.Level = slog.LevelWarn
	}
	log := newLogger(a.stderr, logs)
	l.open(a, cmd.Flags(), log)
	var ahead network
	if look {
		ahead = l.lookAhead(cmd.Context(), needNext)
		defer ahead.begun.End()
	}
	find := l.find(cmd.Context())
	if needNext {
		find = l.locate(cmd.Context())
	}
	all, err := l.networks(needNext, find)
	if err != nil {
		return err
	}
	if all[0].device == ahead.device {
		all[0].begun = ahead.begun
	}
	var outcomes []outcome
	first, changed := cli.Done, false
	for _, n := range all {
		o, code := a.oneNetwork(cmd.Context(), l, log, n, asJSON, do)
		outcomes = append(outcomes, o)
		changed = changed || o.Changed
		if first == cli.Done {
			first = code
		}
	}
	if asJSON {
		if err := cli.WriteJSON(a.stdout, map[string]any{"changed": changed, "networks": outcomes}); err != nil {
			return err
		}
	}
	return cli.Exit(first)
}

func (a *app) oneNetwork(
	ctx context.Context, l loaded, log *slog.Logger, n network, asJSON bool, do networkRun,
) (outcome, cli.Code) {
	t := &teller{}
	s, err := l.server(n)
	if err != nil {
		return t.finish(a, n, dhcp.Result{}, err)
	}
	if !asJSON {
		t.out = a.stdout
		io.WriteString(t.out, s.String()+"\n")
	}
	r, err := do(ctx, l, n, s, t)
	return t.finish(a, n, r, err)
}
