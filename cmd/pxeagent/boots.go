package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"pxeagent/agent/boot"
	"pxeagent/agent/web"
	"pxeagent/cmd/pxeagent/cli"
)

func newBootsCmd(a *app) *cobra.Command {
	var follow, asJSON bool
	var mac, result string
	var limit int
	cmd := &cobra.Command{
		Use:   "boots",
		Short: "List machines' boots: how far each came, and how it ended",
		Long: `List the boots that the daemon on this machine has seen, the newest last. It is asked over
a socket in state_dir, so both need the same one, and the same user or root.
Results: booted, stalled, looped, failed, local_disk; under-way for those that have none.`,
		Example: "  pxeagent boots\n  pxeagent boots --follow\n  pxeagent boots --result stalled --limit 10 --json\n  " +
			"pxeagent boots show 3f2a",
		Args: cli.OneOfItsCommands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, value := range map[string]string{"mac": mac, "result": result} {
				if value != "" {
					q.Set(name, value)
				}
			}
			want, err := web.ParseFilter(q)
			if err != nil {
				return cli.Usagef("`pxeagent boots --help` lists the flags", "%w", err)
			}
			d := newControl(l.Config.StateDir)
			p := newBootPrinter(a.stdout, asJSON)
			if !follow {
				all, err := d.boots(cmd.Context(), q)
				if err != nil {
					return err
				}
				return p.list(all)
			}
			return followBoots(cmd.Context(), d, q, want, p)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with each change, until stopped")
	cmd.Flags().StringVar(&mac, "mac", "", "only this machine's")
	cmd.Flags().StringVar(&result, "result", "", "only those that ended so")
	cmd.Flags().IntVar(&limit, "limit", 20, "the newest so many, at most 1000")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON; with --follow, one boot in each line")
	a.addFlags(cmd, []string{"state_dir"})
	cmd.AddCommand(newBootsShowCmd(a))
	return cmd
}

func newBootsShowCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one boot as a timeline, with its files",
		Long: "Show one boot as a timeline, with its files. The last characters of its ID do, from four on, where no " +
			"other boot's ends so.",
		Example: "  pxeagent boots show 3f2a",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("`pxeagent boots` lists boots with their IDs",
					"boots show wants the ID of one boot, and was given %s", cli.Count(len(args), "argument"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			b, err := newControl(l.Config.StateDir).boot(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(a.stdout, b)
			}
			return newBootPrinter(a.stdout, false).timeline(b)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, []string{"state_dir"})
	return cmd
}

// followBoots prints what there is, and then what changes. ^C is its end, and no error.
func followBoots(ctx context.Context, d control, q url.Values, want boot.Filter, p *bootPrinter) error {
	// Subscribed before the list is read, so that nothing is missed between.
	err := d.follow(ctx, func() error {
		all, err := d.boots(ctx, q)
		if err != nil {
			return err
		}
		slices.Reverse(all)
		for _, b := range all {
			if err := p.change(b); err != nil {
				return err
			}
		}
		return nil
	}, func(b boot.Boot) error {
		if want.Wants(b) {
			return p.change(b)
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// list prints boots that came the newest first.
func (p *bootPrinter) list(all []boot.Boot) error {
	if p.json {
		return cli.WriteJSON(p.out, map[string]any{"boots": all})
	}
	if len(all) == 0 {
		_, err := io.WriteString(p.out, "no boots\n")
		return err
	}
	rows := [][]string{{"STARTED", "MACHINE", "ARCH", "FIRMWARE", "RESULT", "AT", "TOOK", "ITEM", "ID"}}
	for _, b := range slices.Backward(all) {
		rows = append(rows, []string{
			b.Started.Local().Format(timeLayout), b.Machine(), b.Arch, string(b.Firmware), resultText(b), orDash(string(b.At)),
			took(b), orDash(b.Item), b.ID,
		})
	}
	return p.table(rows)
}

// change prints a boot that changed: as JSON all of it, else a line where it came to another stage or to its end.
func (p *bootPrinter) change(b boot.Boot) error {
	if p.json {
		line, err := json.Marshal(b)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, "%s\n", line)
		return err
	}
	state := fmt.Sprint(b.Result, b.At, b.Into)
	if p.said[b.ID] == state {
		return nil
	}
	if len(p.said) > 10000 { // a bound; some line may come twice
		clear(p.said)
	}
	p.said[b.ID] = state
	at, text := b.Updated, fmt.Sprintf("%s…", orDash(string(b.At)))
	switch {
	case b.Into != "":
		text = "is a part of boot " + b.Into
	case b.Result != boot.UnderWay:
		at, text = b.Ended, fmt.Sprintf("%s in %s%s", resultText(b), took(b), why(b))
	}
	_, err := fmt.Fprintf(p.out, "%s  %s  %-17s  %s\n", at.Local().Format(timeLayout), b.ID, b.Machine(), text)
	return err
}
