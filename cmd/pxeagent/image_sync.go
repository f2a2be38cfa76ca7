package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"pxeagent/agent"
	"pxeagent/agent/image"
	"pxeagent/agent/menu"
	"pxeagent/cmd/pxeagent/cli"
)

func newImageSyncCmd(a *app) *cobra.Command {
	var dryRun, asJSON bool
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Bring the disk to what the configuration lists under images",
		Long: `Add what the part images of the configuration lists and is not there, and with keep remove older images
of the same recipe. Never removed: the menu's default, what a profile or a machine's next boot
names, what was put there by hand, and images of recipes that are not listed. A second run
finds nothing to do: run it from cron or a systemd timer. With --dry-run it exits 2 where
something is to be done.`,
		Example: "  pxeagent image sync\n  pxeagent image sync --dry-run --json",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, log, err := a.load(cmd)
			if err != nil {
				return err
			}
			if len(l.Config.Images) == 0 {
				return cli.Failure{Code: cli.Usage, Err: errors.New("images: the configuration lists none"),
					Hints: []string{"list them in the file, such as `images: [{recipe: smartos, version: latest, keep: 3}]`"}}
			}
			s, err := l.store(a.newProgress(asJSON).event)
			if err != nil {
				return err
			}
			if !asJSON {
				warnRecipes(a, s)
			}
			needed, err := l.needed(log)
			if err != nil {
				return err
			}
			all := []image.Action{}
			err = s.Sync(cmd.Context(), l.Config.Images, needed, dryRun, func(act image.Action) {
				all = append(all, act)
				if !asJSON {
					fmt.Fprintf(a.stdout, "%-7s %s%s\n", act.Do, act.Key, suffix(lineText(act.Why)))
				}
			})
			return a.synced(l, all, err, dryRun, asJSON)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false,
		"say what would be done, and do nothing; latest is asked for all the same")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, imageKeys)
	return cmd
}

// synced ends a sync.
func (a *app) synced(l loaded, all []image.Action, err error, dryRun, asJSON bool) error {
	todo := slices.ContainsFunc(all,
		func(act image.Action) bool { return act.Do != image.DoNone && act.Do != image.DoSpare })
	if asJSON {
		if werr := cli.WriteJSON(a.stdout, map[string]any{"actions": all, "dry_run": dryRun}); werr != nil {
			return werr
		}
		if err != nil {
			return cli.Exit(explain(err).Code)
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case err != nil:
		failed := 0
		for _, act := range all {
			if act.Do == image.DoFail {
				failed++
			}
		}
		if failed > 1 {
			f := explain(err)
			return cli.Failure{Code: f.Code, Err: fmt.Errorf("%s could not be added", cli.Count(failed, "image")),
				Hints: f.Hints}
		}
		return imageFailure(l, err)
	case dryRun && todo:
		return cli.Exit(cli.Differs)
	case !todo && !asJSON:
		_, err := fmt.Fprintln(a.stdout, "in sync: nothing was fetched, nothing was removed")
		return err
	}
	return nil
}

// needed is a function that says why an image must stay, or "": it is the menu's default, or machines are sent to it.
func (l *loaded) needed(log *slog.Logger) (func(key string) string, error) {
	machines, wrong := l.Machines()
	if len(wrong) > 0 {
		return nil, wrong
	}
	if err := l.checkRoot(); err != nil {
		return nil, err
	}
	// What the menu hides is needed as much, so of its configuration nothing else is told.
	why, err := agent.Needed(agent.Config{Root: l.Config.Serve.Root, State: l.Config.StateDir, Machines: machines,
		Menu: menu.Settings{Default: l.Config.Menu.Default}, Log: log})
	return func(key string) string { return why[key] }, err
}
