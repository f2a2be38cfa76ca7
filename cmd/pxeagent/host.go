package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pxeagent/agent"
	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
	"pxeagent/cmd/pxeagent/cli"
)

func newHostCmd(a *app) *cobra.Command {
	return cli.Group("host", "Machines: which host one is, what it boots, boot once",
		newHostListCmd(a), newHostShowCmd(a), newHostBootCmd(a), newHostAgainCmd(a), newHostApproveCmd(a),
		newHostRenderCmd(a))
}

// hostKeys are the keys that these commands take as flags.
var hostKeys = []string{"state_dir", "next_server", "serve.root", "serve.http"}

// fleet opens what is known of machines.
func (a *app) fleet(cmd *cobra.Command) (loaded, agent.Config, *machine.Fleet, error) {
	l, log, err := a.load(cmd)
	if err != nil {
		return l, agent.Config{}, nil, err
	}
	c, err := l.menuAgent()
	if err != nil {
		return l, c, nil, err
	}
	c.Log = log
	fleet, err := agent.OpenFleet(c)
	if err != nil {
		return l, c, nil, rootFailure(l.Config.Serve.Root, err)
	}
	return l, c, fleet, nil
}

// hostArgs are a machine, and so many more arguments.
func hostArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return cli.Usagef(fmt.Sprintf("`%s --help` shows how", cmd.CommandPath()), "want %s, and was given %q",
			strings.Join(names, " and "), args)
	}
}

// hostID is the machine that a person names: by a MAC, a UUID or the name of a host.
func hostID(fleet *machine.Fleet, name string) (machine.ID, []machine.ID, error) {
	if h, ok := fleet.Inventory().Named(name); ok {
		if ids := h.IDs(); len(ids) > 0 {
			return ids[0], ids, nil
		}
		return "", nil, cli.Usagef("name the machine by its MAC; `pxeagent boots` shows those that were seen",
			"host %s has neither mac nor uuid, so it is not one machine", name)
	}
	id, err := machine.ParseID(name)
	if err != nil {
		return "", nil, cli.Usagef("`pxeagent host list` shows the hosts of the configuration",
			"there is no host %q, and it is neither a MAC nor a UUID", name)
	}
	f := factsOf(id)
	return id, fleet.Inventory().Resolve(f, netip.Addr{}).IDs, nil
}

// factsOf is what a machine with that ID tells.
func factsOf(id machine.ID) boot.Facts {
	if strings.Contains(string(id), ":") {
		return boot.Facts{MAC: string(id)}
	}
	return boot.Facts{UUID: string(id)}
}

// hostRow is one line of host list.
type hostRow struct {
	Name    string            `json:"name"`
	KnownBy []string          `json:"known_by"`
	Profile string            `json:"profile,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Once    string            `json:"once,omitempty"`
	Since   time.Time         `json:"since,omitzero"`
	Line    int               `json:"line,omitempty"`
}

func newHostListCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the hosts of the configuration, and all machines that are to boot something once",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, _, fleet, err := a.fleet(cmd)
			if err != nil {
				return err
			}
			rows, err := hostRows(fleet)
			if err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(a.stdout, map[string]any{"hosts": rows})
			}
			if len(rows) == 0 {
				_, err := fmt.Fprintln(a.stdout, "the configuration names no hosts, and nothing is to be booted once")
				return err
			}
			tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(tw, "HOST\tKNOWN BY\tPROFILE\tLABELS\tBOOTS ONCE")
			for _, r := range rows {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", hostCell(r.Name), hostCell(strings.Join(r.KnownBy, " ")),
					hostCell(r.Profile), hostCell(labelText(r.Labels)), hostCell(r.Once))
			}
			return tw.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, hostKeys)
	return cmd
}

// hostCell is a cell of the table of hosts.
func hostCell(s string) string {
	if s == "" {
		return "-"
	}
	return cli.Plain(s)
}

// hostRows are the hosts in the file's order, then the machines that are none and have something to boot once.
func hostRows(fleet *machine.Fleet) ([]hostRow, error) {
	orders, err := fleet.OneTime.List()
	if err != nil {
		return nil, err
	}
	waiting := map[machine.ID]machine.OneTimeBoot{}
	for _, o := range orders {
		waiting[o.ID] = o
	}
	rows := []hostRow{}
	for _, h := range fleet.Inventory().Hosts() {
		r := hostRow{Name: h.Name, KnownBy: h.KnownBy(), Profile: h.Profile, Labels: h.Labels, Line: h.Line}
		for _, id := range h.IDs() {
			if o, ok := waiting[id]; ok && r.Once == "" {
				r.Once, r.Since = o.Item, o.Set
			}
			delete(waiting, id)
		}
		rows = append(rows, r)
	}
	for _, o := range orders {
		if _, rest := waiting[o.ID]; rest {
			rows = append(rows, hostRow{KnownBy: []string{string(o.ID)}, Once: o.Item, Since: o.Set})
		}
	}
	return rows, nil
}

func newHostBootCmd(a *app) *cobra.Command {
	var once, cancel, asJSON bool
	cmd := &cobra.Command{
		Use:   "boot MAC|UUID|HOST [IMAGE] --once",
		Short: "Have a machine boot something the next time, once",
		Long: `The machine boots IMAGE without a menu the next time that it boots from the network: an item
of the menu by its key, or the newest image of a system or recipe. That is used up when the
machine fetches the kernel, not before, and outlives a restart of the daemon. --cancel takes
it back. What a machine boots always is said by its profile, in the file.`,
		Example: `  pxeagent host boot 52:54:00:12:34:56 memtest --once
  pxeagent host boot node-01 smartos-20130808T195337Z --once
  pxeagent host boot node-01 --cancel`,
		Args: func(cmd *cobra.Command, args []string) error {
			hint := fmt.Sprintf("`%s --help` shows how", cmd.CommandPath())
			switch {
			case cancel && len(args) != 1:
				return cli.Usagef(hint, "--cancel wants a machine and nothing else, and was given %q", args)
			case cancel && once:
				return cli.Usagef(hint, "--cancel and --once are opposites")
			case !cancel && len(args) != 2:
				return cli.Usagef(hint, "want a machine and an image, and was given %q", args)
			case !cancel && !once:
				return cli.Usagef("add --once; what a machine boots always is said by its profile, in hosts and profiles of the "+
					"file", "for how often is not said")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			_, c, fleet, err := a.fleet(cmd)
			if err != nil {
				return err
			}
			id, all, err := hostID(fleet, args[0])
			if err != nil {
				return err
			}
			if cancel {
				return a.cancelOnce(fleet, all, asJSON)
			}
			item, err := agent.OnceItem(c, args[1])
			if err != nil {
				return noItem(c, args[1], err)
			}
			// An order for another card of the same machine would come first.
			for _, other := range all {
				if other != id {
					if _, _, err := fleet.OneTime.Cancel(other); err != nil {
						return err
					}
				}
			}
			if err := fleet.OneTime.Set(id, item); err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(a.stdout, map[string]any{"machine": id, "item": item})
			}
			_, err = fmt.Fprintf(a.stdout, "%s boots %s the next time, once\n", id, item)
			return err
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "the next time only")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "take back what the machine was to boot")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, hostKeys)
	return cmd
}

func (a *app) cancelOnce(fleet *machine.Fleet, ids []machine.ID, asJSON bool) error {
	cancelled := []machine.OneTimeBoot{}
	for _, id := range ids {
		order, was, err := fleet.OneTime.Cancel(id)
		if err != nil {
			return err
		}
		if was {
			cancelled = append(cancelled, order)
		}
	}
	if asJSON {
		return cli.WriteJSON(a.stdout, map[string]any{"cancelled": cancelled})
	}
	if len(cancelled) == 0 {
		_, err := fmt.Fprintln(a.stdout, "nothing was to be booted once")
		return err
	}
	for _, o := range cancelled {
		if _, err := fmt.Fprintf(a.stdout, "%s does not boot %s any more\n", o.ID, hostCell(o.Item)); err != nil {
			return err
		}
	}
	return nil
}

// noItem explains why an item cannot be booted once.
func noItem(c agent.Config, name string, err error) error {
	f := cli.Failure{Code: cli.NoImage, Err: err, Hints: []string{"`pxeagent menu show` lists what there is"}}
	switch {
	case errors.Is(err, catalog.ErrNotOnce):
		return cli.Failure{Code: cli.Usage, Err: err,
			Hints: []string{"images, scripts in " + catalog.FragmentDir + " and " + catalog.Local + " can be booted once"}}
	case !errors.Is(err, catalog.ErrUnknownItem):
		return rootFailure(c.Root, err)
	}
	if items, err := listed(c.Root, c.Menu.NoRescue); err == nil {
		if near := cli.Nearest(name, catalog.Names(items)); near != "" {
			f.Hints = []string{"did you mean " + near + "? `pxeagent menu show` lists what there is"}
		}
	}
	return f
}

func newHostAgainCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "again MAC|UUID|HOST",
		Short:   "Let a machine boot once more what its profile has it boot once",
		Example: "  pxeagent host again node-01",
		Args:    hostArgs("a machine"),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, _, fleet, err := a.fleet(cmd)
			if err != nil {
				return err
			}
			id, ids, err := hostID(fleet, args[0])
			if err != nil {
				return err
			}
			// A machine that is known by its address or its make has its profile by what it did.
			its := fleet.Inventory().Resolve(factsOf(id), netip.Addr{}).Profile
			found := false
			for _, p := range l.Config.Profiles {
				if _, did := fleet.Done.Has(p.Name, ids...); !p.Once || p.Name != its && !did {
					continue
				}
				found = true
				had, err := fleet.Done.Forget(p.Name, ids...)
				if err != nil {
					return err
				}
				word := "boots %s of profile %s the next time, once\n"
				if !had {
					word = "has not yet booted %s of profile %s, and still does so once\n"
				}
				fmt.Fprintf(a.stdout, "%s "+word, args[0], p.Image, p.Name)
			}
			if !found {
				return cli.Usagef("`pxeagent host show` says what it boots and why",
					"%s has no profile with when: once, and has booted nothing for one", args[0])
			}
			return nil
		},
	}
	a.addFlags(cmd, hostKeys)
	return cmd
}

func newHostApproveCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "approve IMAGE",
		Short: "Give an image to all hosts, whether a canary has booted it or not",
		Long: `Where a profile follows the newest version and has a canary, the other hosts are given a later
version only after the canary has stayed up with it. This says by hand that it is good.`,
		Example: "  pxeagent host approve smartos-20130808T195337Z",
		Args:    hostArgs("an image"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, c, fleet, err := a.fleet(cmd)
			if err != nil {
				return err
			}
			item, err := agent.OnceItem(c, args[0])
			if err != nil {
				return noItem(c, args[0], err)
			}
			if err := fleet.CanaryResults.Approve(item); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "%s is good for every host\n", item)
			return err
		},
	}
	a.addFlags(cmd, hostKeys)
	return cmd
}
