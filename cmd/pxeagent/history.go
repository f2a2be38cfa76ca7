package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
)

// history is what one network's journal keeps of the time before.
type history struct {
	Interface string      `json:"interface"`
	RevertsTo []string    `json:"reverts_to"` // null: there is nothing to revert
	Earlier   []pastState `json:"earlier"`    // the oldest first
}

// pastState is an earlier state of the DHCP server.
type pastState struct {
	At   time.Time `json:"at"`
	Why  string    `json:"why"`
	Boot []string  `json:"boot"`
}

func newHistoryCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show what the journal keeps: the settings that revert goes to, and earlier ones",
		Long: `For each interface, show the settings that revert goes to, and up to ten earlier ones, each
with why it is no longer the one: reverted (a revert went to it and put it back),
changed-by-others (somebody changed the settings, and revert goes to theirs now), discarded
(somebody changed the settings to it, and a revert was asked to discard that). Nothing is
changed, and the offers on the wire are not looked at.`,
		Example: "  pxeagent history --interface eth1\n  pxeagent history --interface eth1 --json",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			if _, err := l.server(network{}); l.row.Open == nil {
				return err
			}
			all, err := l.networks(false, l.find(cmd.Context()))
			if err != nil {
				return err
			}
			kept := []history{}
			for _, n := range all {
				h, err := l.history(n)
				if err != nil {
					return err
				}
				kept = append(kept, h)
				if !asJSON {
					h.print(a.stdout)
				}
			}
			if asJSON {
				return cli.WriteJSON(a.stdout, map[string]any{"networks": kept})
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, networkKeys, dhcpKeys)
	a.addBackendFlags(cmd)
	return cmd
}

func (l loaded) history(n network) (history, error) {
	h := history{Interface: n.name, Earlier: []pastState{}}
	j, err := l.journal(n)
	if err != nil {
		return h, err
	}
	defer j.Close()
	if first, ok := j.First(); ok {
		h.RevertsTo = bootLines(first.Boot)
	}
	for _, p := range j.History() {
		h.Earlier = append(h.Earlier, pastState{p.At, p.Why, bootLines(p.State.Boot)})
	}
	return h, nil
}

// bootLines are the settings that b has, "next-server 10.0.0.7" first.
func bootLines(b dhcp.Boot) []string {
	lines := []string{}
	for _, c := range dhcp.Diff(dhcp.Boot{}, b) {
		lines = append(lines, c.Field+" "+c.After)
	}
	return lines
}

func (h history) print(w io.Writer) {
	fmt.Fprintln(w, h.Interface)
	for _, p := range h.Earlier {
		fmt.Fprintf(w, "  %s  %s\n", p.At.Local().Format(time.DateTime), p.Why)
		printBootLines(w, p.Boot)
	}
	if h.RevertsTo == nil {
		fmt.Fprintln(w, "  nothing to revert")
		return
	}
	fmt.Fprintln(w, "  revert goes to")
	printBootLines(w, h.RevertsTo)
}

func printBootLines(w io.Writer, lines []string) {
	if len(lines) == 0 {
		fmt.Fprintln(w, "    no network boot")
	}
	for _, l := range lines {
		fmt.Fprintf(w, "    %s\n", cli.Plain(l))
	}
}
