package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// Group is a command that only has others under it.
func Group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  OneOfItsCommands,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// OneOfItsCommands is for commands that only have others under them.
func OneOfItsCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	hint := fmt.Sprintf("`%s --help` lists the commands", cmd.CommandPath())
	if near := Nearest(args[0], names); near != "" {
		hint = fmt.Sprintf("did you mean `%s %s`?", cmd.CommandPath(), near)
	}
	return Usagef(hint, "%s has no command %q", cmd.CommandPath(), args[0])
}

// NoArgs is for commands that take flags only.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return Usagef(fmt.Sprintf("`%s --help` lists its flags", cmd.CommandPath()), "%s takes no argument, and was given %q",
		cmd.CommandPath(), args[0])
}
