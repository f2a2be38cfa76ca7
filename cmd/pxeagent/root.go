package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pxeagent/agent/guard"
	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// run is the whole program, but for the process around it. The first ^C or SIGTERM cancels the
// context that commands work under; the second ends the process at once.
func run(args []string, stdout, stderr io.Writer) cli.Code {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return newApp(stdout, stderr).run(ctx, args)
}

// run runs one command line, and says why it failed.
func (a *app) run(ctx context.Context, args []string) cli.Code {
	root := newRootCmd(a)
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return cli.Done
	}
	f := a.explain(err)
	if asked := cmd.Flags().Lookup("json"); asked != nil && asked.Value.String() == "true" {
		if err := f.WriteJSON(a.stdout); err == nil {
			return f.Code
		}
	}
	f.Print(a.stderr)
	return f.Code
}

// app is what every command needs.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer // each a *cli.Printable
	document       io.Writer // for a file's text, byte for byte where that is no terminal
	backends       []backend.Backend
	asked          string    // the backend that a command works with; "": none yet
	bars           io.Writer // the terminal that bars are drawn on; nil: there is none
}

// loaded is the configuration as a command works by it.
type loaded struct {
	config.Loaded
	guard *guard.Guard // of what this command asks on the wire
	// row is that of the DHCP server that is configured; with its zero value there is none.
	row     backend.Backend
	session *backend.Session // nil where no command asked for it
	explain func(error) cli.Failure
}

// Schema is what can be configured with the backends there are.
func (a *app) Schema() *config.Schema { return backend.Schema(a.backends) }

// read is the configuration alone.
func (a *app) read(flags *pflag.FlagSet) (loaded, error) {
	l, err := a.Schema().Load(flags)
	return loaded{Loaded: l}, err
}

// open makes l work with the DHCP server that is configured.
func (l *loaded) open(a *app, flags *pflag.FlagSet, log *slog.Logger) {
	l.row, _ = backend.Of(a.backends, l.Config.DHCP.Backend)
	a.asked, l.explain = l.row.Name, a.explain
	l.session = backend.NewSession(l.Config, flags, a.stdin, log)
}

// Session is the configuration for one of a backend's own commands.
func (a *app) Session(cmd *cobra.Command) (*backend.Session, error) {
	l, _, err := a.load(cmd)
	for c := cmd; c.HasParent(); c = c.Parent() {
		if b, ok := backend.Of(a.backends, c.Name()); ok {
			a.asked = b.Name
		}
	}
	return l.session, err
}

// Out is where commands write.
func (a *app) Out() io.Writer { return a.stdout }

// load is the configuration for cmd, from its flags and all else, and the log it asks for.
func (a *app) load(cmd *cobra.Command) (loaded, *slog.Logger, error) {
	l, err := a.read(cmd.Flags())
	if err != nil {
		return l, nil, err
	}
	log := newLogger(a.stderr, l.Config.Log)
	l.guard = guard.New(log)
	for _, w := range l.Warnings {
		log.Warn("the configuration has an old name", "key", w.String())
	}
	l.open(a, cmd.Flags(), log)
	return l, log, nil
}

func newRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "pxeagent",
		Short: "Make a network bootable: configure its DHCP server, prove it, serve the boot",
		Long: `pxeagent points a site's own DHCP server at itself, proves on the wire that machines
are sent there, and serves them: TFTP, HTTP, the iPXE menu and images.

Every flag is also a key of the configuration file (` + strings.Join(config.Paths, " or ") + `)
and an environment variable: --next-server is next_server and PXEAGENT_NEXT_SERVER.
A flag wins over a variable, a variable over the file, the file over the default.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().Var(&config.FlagText{Arg: "FILE"}, "config",
		"configuration; default: the first that exists of "+strings.Join(config.Paths, ", "))
	a.Schema().AddFlags(root.PersistentFlags(), logKeys...)
	root.PersistentFlags().BoolP("verbose", "v", false, "the same as --log-level debug")
	root.Flags().Bool("version", false, "print the version")
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if v, _ := cmd.Flags().GetBool("version"); v {
			_, err := fmt.Fprintln(a.stdout, readBuild())
			return err
		}
		return cmd.Help()
	}
	root.Args = cli.OneOfItsCommands
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.Usagef(fmt.Sprintf("`%s --help` lists the flags", cmd.CommandPath()), "%w", err)
	})
	root.AddCommand(
		newDemoCmd(a),
		newServeCmd(a),
		newConfigureCmd(a),
		newRevertCmd(a),
		newHistoryCmd(a),
		newStatusCmd(a),
		newProbeCmd(a),
		newCheckCmd(a),
		newBootsCmd(a),
		newChainCmd(a),
		newIPXECmd(a),
		newSecureBootCmd(a),
		newMenuCmd(a),
		newHostCmd(a),
		newImageCmd(a),
		newConfigCmd(a),
		newExitCodesCmd(a),
		newVersionCmd(a),
	)
	for _, b := range a.backends {
		if b.Commands != nil {
			root.AddCommand(b.Commands(a))
		}
	}
	return root
}

func newExitCodesCmd(a *app) *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:   "exit-codes",
		Short: "List what the exit codes mean",
		Long: `An exit code says what a script would do next; the code under it says why. That one is "code" in --json, and
stands in brackets at the end of an error:

` + cli.ExitText(a.codes()),
		Args: cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			table := cli.ExitText(a.codes())
			if markdown {
				table = cli.ExitMarkdown(a.codes())
			}
			_, err := io.WriteString(a.stdout, table)
			return err
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "as a Markdown table")
	return cmd
}
