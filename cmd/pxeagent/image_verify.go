package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"pxeagent/agent/image"
	"pxeagent/cmd/pxeagent/cli"

	"github.com/dustin/go-humanize"
)

func newImageVerifyCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify [KEY...]",
		Short: "Read images in full and compare them with what was added",
		Long: `Read every file of the named images, or of all, and compare it with what it was when the image was
added; of SmartOS trees that were put there by hand, boot_archive with its .hash. When and with
what outcome is written down beside the image: list, the page and the metrics show it. Exits 2
where one differs.`,
		Example: "  pxeagent image verify\n  pxeagent image verify smartos-20130808T195337Z --json",
		RunE: func(cmd *cobra.Command, names []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			s, err := l.store(a.newProgress(asJSON).event)
			if err != nil {
				return err
			}
			if len(names) == 0 {
				all, err := l.onDisk(s)
				if err != nil {
					return err
				}
				for _, in := range all {
					names = append(names, in.Key)
				}
			}
			seen := []verified{}
			var errs []error
			for _, name := range names {
				v, err := s.Verify(cmd.Context(), name)
				one := verified{Verification: v, Result: "ok"}
				switch {
				case err != nil:
					one.Result, one.Error = "wrong", err.Error()
					errs = append(errs, err)
				case v.Unknown:
					one.Result = "unknown"
				}
				seen = append(seen, one)
				if !asJSON {
					one.print(a)
				}
				if cmd.Context().Err() != nil {
					break
				}
			}
			if asJSON {
				if err := cli.WriteJSON(a.stdout, map[string]any{"images": seen}); err != nil {
					return err
				}
				return cli.Exit(verifyCode(errs))
			}
			if len(names) == 0 {
				return printImages(a.stdout, nil, "")
			}
			if len(errs) > 1 {
				return cli.Failure{Code: verifyCode(errs),
					Err: fmt.Errorf("%d of %s are not as they should be", len(errs), cli.Count(len(names), "image"))}
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, imageKeys)
	return cmd
}

// verifyCode is the exit code of the first of errs.
func verifyCode(errs []error) cli.Code {
	if len(errs) == 0 {
		return cli.Done
	}
	return explain(errs[0]).Code
}

// verified is an image's outcome, for --json.
type verified struct {
	image.Verification
	Result string `json:"result"` // ok, wrong, unknown
	Error  string `json:"error,omitempty"`
}

// print says what the step by step did not.
func (v verified) print(a *app) {
	if v.Unknown {
		fmt.Fprintf(a.stdout, "%s was put there by hand, and nothing beside it says what its files should be\n", v.Key)
	}
	for what, files := range map[string][]string{"missing": v.Missing, "changed": v.Changed} {
		for _, f := range files {
			fmt.Fprintf(a.stdout, "%s: %s: %s\n", v.Key, what, cli.Plain(f))
		}
	}
	if n := len(v.Extra); n > 0 {
		fmt.Fprintf(a.stdout, "%s: %s that it did not come with: %s\n", v.Key, cli.Count(n, "file"),
			cli.Plain(strings.Join(v.Extra[:min(n, 5)], ", ")))
	}
}

func newImageRemoveCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "remove KEY",
		Short: "Remove an image that a recipe added",
		Long: `Remove an image from the menu, in one step, and then from the disk. What was put there by hand is not
removed, nor what is the menu's default or named by a profile or a machine's next boot.`,
		Example: "  pxeagent image remove smartos-20130808T195337Z",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("`pxeagent image list` lists the keys", "image remove takes one key, and was given %q", args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			l, log, err := a.load(cmd)
			if err != nil {
				return err
			}
			s, err := l.store(nil)
			if err != nil {
				return err
			}
			in, err := s.Find(args[0])
			if err != nil {
				return err
			}
			if in.Recipe != "" {
				needed, err := l.needed(log)
				if err != nil {
					return err
				}
				for _, k := range append([]string{in.Key}, in.Items...) {
					if why := needed(k); why != "" {
						return cli.Failure{Code: cli.Refused, Err: fmt.Errorf("%s is needed: %s", k, why),
							Hints: []string{"change that first"}}
					}
				}
			}
			if in, err = s.Remove(args[0]); err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(a.stdout, map[string]any{"removed": in})
			}
			_, err = fmt.Fprintf(a.stdout, "removed %s, %s\n", in.Key, humanize.IBytes(uint64(in.Bytes)))
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, imageKeys)
	return cmd
}
