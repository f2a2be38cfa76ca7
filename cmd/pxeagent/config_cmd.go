package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pxeagent/agent"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

func newConfigCmd(a *app) *cobra.Command {
	return cli.Group("config", "Check and show the configuration", newConfigCheckCmd(a), newConfigShowCmd(a))
}

func newConfigCheckCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether the configuration is right, and all that is wrong with it",
		Long: `Read the file, the environment and the flags as every command does, and say what is
wrong with them, all at once. Nothing is changed and nothing is asked over the network.
A note names what is right and works otherwise than it looks. Exits 3 if there is a mistake.`,
		Example: "  pxeagent config check\n  pxeagent config check --config ./pxeagent.yaml --json",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := a.read(cmd.Flags())
			if err != nil {
				return err
			}
			notes := l.notes()
			if asJSON {
				out := map[string]any{"ok": true, "file": l.File}
				if len(notes) > 0 {
					out["notes"] = notes
				}
				return cli.WriteJSON(a.stdout, out)
			}
			_, err = fmt.Fprintf(a.stdout, "ok: %s\n", l.Source())
			for _, n := range notes {
				fmt.Fprintf(a.stdout, "note: %s\n", n)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, networkKeys, dhcpKeys, serveKeys)
	a.addBackendFlags(cmd)
	return cmd
}

func newConfigShowCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show every key, its value and where that came from",
		Long: `Show the configuration that a command with the same flags would work by: every key, its
value, and whether that is the default or came from a line of the file, a variable or a
flag. Paths are made absolute. Secrets are not shown.`,
		Example: "  pxeagent config show\n  PXEAGENT_SERVE_TFTP=:6969 pxeagent config show --json",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := a.read(cmd.Flags())
			if err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(a.stdout, map[string]any{"file": l.File, "settings": l.Rows()})
			}
			return printRows(a.stdout, l.Rows())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, networkKeys, dhcpKeys, serveKeys)
	a.addBackendFlags(cmd)
	return cmd
}

func printRows(w io.Writer, rows []config.Row) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "KEY\tVALUE\tFROM")
	for _, r := range rows {
		value := "-"
		switch v := r.Value.(type) {
		case string:
			value = cli.Plain(v)
		case []string:
			quoted := make([]string, len(v))
			for i, e := range v {
				quoted[i] = cli.Plain(e)
			}
			value = strings.Join(quoted, ", ")
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", r.Key, value, r.From)
	}
	return tw.Flush()
}

// documentNotes name the hosts that no installer's document goes to, where there are documents.
func (l *loaded) documentNotes() []string {
	if _, err := os.Stat(filepath.Join(l.Config.Serve.Root, agent.DocumentsFolder)); err != nil {
		return nil
	}
	inventory, _ := l.Machines()
	var notes []string
	for _, h := range inventory.WithoutDocuments() {
		notes = append(notes, fmt.Sprintf("host %s (%s:%d) gets no documents, because any machine can claim to be it; "+
			"add its mac or address", h.Name, l.File, h.Line))
	}
	return notes
}

// notes are what is right and should be known all the same.
func (l *loaded) notes() []string {
	var notes []string
	for _, w := range l.Warnings {
		notes = append(notes, w.String())
	}
	return append(notes, l.documentNotes()...)
}
