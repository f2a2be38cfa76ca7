package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pxeagent/cmd/pxeagent/cli"
)

func newConfigCmd(a *app) *cobra.Command {
	return newGroupCmd("config", "Check and show the configuration", newConfigCheckCmd(a), newConfigShowCmd(a))
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
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := load(cmd.Flags())
			if err != nil {
				return err
			}
			notes := l.documentNotes()
			if asJSON {
				out := map[string]any{"ok": true, "file": l.File}
				if len(notes) > 0 {
					out["notes"] = notes
				}
				return cli.WriteJSON(a.stdout, out)
			}
			_, err = fmt.Fprintf(a.stdout, "ok: %s\n", l.source())
			for _, n := range notes {
				fmt.Fprintf(a.stdout, "note: %s\n", n)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addFlags(cmd, networkKeys, dhcpKeys, serveKeys)
	return cmd
}

// source is the file, in words.
func (l loaded) source() string {
	if l.File == "" {
		return "no file, " + strings.Join(configPaths, " and ") + " do not exist"
	}
	return l.File
}

// row is one line of `config show`.
type row struct {
	Key   string `json:"key"`
	Value any    `json:"value"` // text, list of texts, or null where not set
	From  string `json:"from"`
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
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := load(cmd.Flags())
			if err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(a.stdout, map[string]any{"file": l.File, "settings": l.rows()})
			}
			return printRows(a.stdout, l.rows())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addFlags(cmd, networkKeys, dhcpKeys, serveKeys)
	return cmd
}

// rows are all settings and, hidden, those secrets that do not come from a file that a setting names.
func (l loaded) rows() []row {
	var rows []row
	for _, s := range l.Settings {
		r := row{Key: s.key.name, From: s.from.String()}
		switch {
		case len(s.texts) == 0:
		case s.key.shape == list || s.key.shape == words:
			r.Value = s.texts
		default:
			r.Value = s.texts[0]
		}
		rows = append(rows, r)
	}
	for _, p := range l.Parts {
		r := row{Key: p.name, From: p.from.String()}
		if p.entries > 0 {
			r.Value = cli.Count(p.entries, "entry")
		}
		rows = append(rows, r)
	}
	for _, src := range secretSources {
		if os.Getenv(src.env) != "" {
			rows = append(rows, row{src.key, hidden, src.env})
		} else if cred := credentialPath(src.credential); cred != "" && src.file(l.Config) == "" {
			if _, err := os.Stat(cred); err == nil {
				rows = append(rows, row{src.key, hidden, cred})
			}
		}
	}
	return rows
}

func printRows(w io.Writer, rows []row) error {
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

// keysMarkdown is the table of keys for the documentation.
func keysMarkdown() string {
	var b strings.Builder
	b.WriteString("| key | flag | default | meaning |\n|---|---|---|---|\n")
	for _, k := range keys {
		flag, def := "", ""
		if k.flag != "" {
			flag = "`--" + k.flag + "`"
		}
		if k.def != "" {
			def = "`" + k.def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.name, flag, def, strings.ReplaceAll(k.usage, "|", `\|`))
	}
	for _, p := range parts {
		fmt.Fprintf(&b, "| `%s` | | | %s |\n", p.name, strings.ReplaceAll(p.usage, "|", `\|`))
	}
	return b.String()
}
