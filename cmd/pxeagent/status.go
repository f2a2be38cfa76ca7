package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
)

func newStatusCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Compare the desired settings with the DHCP server's and with the offers on the wire",
		Long: `Read the DHCP server's settings, ask it as machines would, and compare both with what
configure would set. Writes nothing, restarts nothing, takes no lock. Exits 0 where all
three are the same, and 2 where the settings or the offers differ. Where this machine is
not in that network, the network is not probed, and the line says so.`,
		Example: "  pxeagent status --interface eth1\n  pxeagent status --interface admin --json",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, log, err := a.load(cmd)
			if err != nil {
				return err
			}
			all, err := l.networks(true, l.locate(cmd.Context()))
			if err != nil {
				return err
			}
			var seen []status
			first := cli.Done
			for _, n := range all {
				st := l.status(cmd.Context(), n, log)
				if first == cli.Done {
					first = st.code()
				}
				if !asJSON {
					st.print(a.stdout)
					if st.err != nil {
						st.failure.Print(a.stderr)
					}
				}
				seen = append(seen, st)
			}
			if asJSON {
				if err := cli.WriteJSON(a.stdout, map[string]any{"networks": seen}); err != nil {
					return err
				}
			}
			return cli.Exit(first)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, networkKeys, dhcpKeys, []string{"serve.http"})
	a.addBackendFlags(cmd)
	return cmd
}

// status is one network's desired settings, actual settings and wire.
type status struct {
	Interface string           `json:"interface"`
	Server    string           `json:"server,omitempty"`
	Settings  string           `json:"settings"` // as-wished, differ, unknown
	Wire      string           `json:"wire"`     // as-wished, differs, silent, not-asked
	Changes   []dhcp.Change    `json:"changes"`  // what configure would change
	Problems  []dhcp.Problem   `json:"problems"`
	Verdict   *dhcp.Verdict    `json:"verdict,omitempty"`
	Error     *cli.FailureJSON `json:"error"`

	err     error
	failure cli.Failure // that err is
}

// What a part of a status is.
const (
	inSync   = "as-wished" // of status --json, where it stays as it has always been
	differs  = "differs"
	silent   = "silent"
	notAsked = "not-asked"
	unknown  = "unknown"
)

// status reads and asks; it writes nothing.
func (l loaded) status(ctx context.Context, n network, log *slog.Logger) status {
	st := status{Interface: n.name, Settings: unknown, Wire: notAsked, Changes: []dhcp.Change{},
		Problems: []dhcp.Problem{}}
	st.err = func() error {
		s, err := l.server(n)
		if err != nil {
			return err
		}
		st.Server = s.String()
		plan, err := s.Plan(ctx, n.want)
		if err != nil {
			return fmt.Errorf("reading the settings of %s: %w", s, err)
		}
		st.settings(plan)
		ask := n.wire()
		if ask == nil {
			return nil
		}
		offers, err := ask(ctx, dhcp.ProbeClients(plan.After.Boot), nil)
		if err != nil {
			return fmt.Errorf("asking the wire: %w", err)
		}
		st.wire(dhcp.Verify(plan.After.Boot, plan, offers))
		return nil
	}()
	if st.err != nil {
		st.failure = l.explain(st.err)
		j := st.failure.JSON()
		st.Error = &j
	}
	return st
}

func (st *status) settings(p dhcp.Plan) {
	st.Settings = inSync
	if !p.Empty() {
		st.Settings = differs
	}
	st.Changes = append(st.Changes, dhcp.Diff(p.Before.Boot, p.After.Boot)...)
	st.Problems = append(st.Problems, p.Problems...)
}

func (st *status) wire(v dhcp.Verdict) {
	st.Verdict = &v
	switch {
	case v.Agrees() && len(v.Foreign) == 0:
		st.Wire = inSync
	case v.Own == 0 && v.Other == 0:
		st.Wire = silent
	default:
		st.Wire = differs
	}
}

// code is 0 where nothing that could be looked at differs.
func (st status) code() cli.Code {
	switch {
	case st.err != nil:
		return st.failure.Code
	case st.Settings != inSync, st.Wire != inSync && st.Wire != notAsked, slices.ContainsFunc(st.Problems, refuses):
		return cli.Differs
	}
	return cli.Done
}

func refuses(p dhcp.Problem) bool { return p.Refuse }

func (st status) print(w io.Writer) {
	name := st.Server
	if name == "" {
		name = st.Interface
	}
	fmt.Fprintln(w, name)
	fmt.Fprintf(w, "  %-9s %s\n", "settings", map[string]string{
		inSync: "in sync", differs: "differ from the desired ones", unknown: "not known",
	}[st.Settings])
	printChanges(w, st.Changes)
	for _, p := range st.Problems {
		mark := "note"
		if p.Refuse {
			mark = "STOP"
		}
		fmt.Fprintf(w, "  %-9s %s (%s)\n", mark, p.Text, p.Code)
	}
	fmt.Fprintf(w, "  %-9s %s\n", "wire", map[string]string{
		inSync: "in sync", differs: "differs from what is desired", silent: "no DHCP server answers",
		notAsked: "not asked: this machine is not in that network",
	}[st.Wire])
	if st.Verdict == nil {
		return
	}
	for _, f := range append(st.Verdict.Wrong, st.Verdict.Foreign...) {
		fmt.Fprintf(w, "            %s: %s\n", f.Client, f.Text)
	}
	for _, p := range st.Verdict.Clients {
		if p.Right() {
			fmt.Fprintf(w, "            %s: %s\n", p.Client, p.Why())
		}
	}
}
