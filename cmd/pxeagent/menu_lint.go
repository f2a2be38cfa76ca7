package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pxeagent/agent/catalog"
	"pxeagent/agent/menu"
	"pxeagent/agent/script"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// lintFinding is something that is wrong with a script.
type lintFinding struct {
	Script string `json:"script"`         // file, or what it is made for
	Line   int    `json:"line,omitempty"` // from 1; 0: the whole
	Code   string `json:"code"`
	Level  string `json:"level"` // error or warning
	Text   string `json:"text"`
}

// Codes besides those of script.Lint.
const (
	lintUnread   = "unreadable"
	lintMenu     = "menu"     // not as configured
	lintTemplate = "template" // it makes no menu
)

func newMenuLintCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lint [FILE]",
		Short: "Say what will not work in a script, a template, or all that machines are given",
		Long: `Follow every way that iPXE scripts can take: unknown commands and options, labels and items that
are missing, lines that never run, command lines that BIOS iPXE would cut off at 512 bytes,
what a BIOS machine would hang on. With no FILE: the
menus for BIOS, UEFI and ARM64 as they are served, or your own bootstrap.ipxe, those for
other loaders, and the scripts in ` + catalog.FragmentDir + `. A FILE that ends in .tmpl is a template of the
menu: grub.cfg.tmpl is GRUB's, default.tmpl that of pxelinux and U-Boot; - is standard input.
Exits 2 if something is wrong; warnings alone are none.`,
		Example: "  pxeagent menu lint\n  pxeagent menu lint ./bootstrap.ipxe\n  pxeagent menu lint ./bootstrap.ipxe.tmpl " +
			"--json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.Usagef("run it once for each", "menu lint takes one file, and was given %q", args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			texts, err := l.lintTexts(a, args)
			if err != nil {
				return err
			}
			found := []lintFinding{}
			for _, t := range texts {
				found = append(found, lint(t)...)
			}
			if asJSON {
				err = cli.WriteJSON(a.stdout, map[string]any{"ok": !faulty(found), "scripts": len(texts), "findings": found})
			} else {
				err = printFindings(a.stdout, texts, found)
			}
			if err == nil && faulty(found) {
				err = cli.Exit(cli.Menu)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, networkKeys, []string{"serve.root", "serve.http"})
	return cmd
}

// lintTexts are the scripts to be read.
func (l loaded) lintTexts(a *app, args []string) ([]catalog.Text, error) {
	if len(args) == 1 && !strings.HasSuffix(args[0], ".tmpl") {
		text, err := a.readScript(args[0])
		t := catalog.Text{Name: args[0], Script: text}
		if language := menu.LanguageOf(args[0]); language != menu.IPXE && err == nil {
			t.Err, t.NotIPXE = language.Check(text), true
		}
		return []catalog.Text{t}, err
	}
	settings, err := l.menu()
	if err != nil {
		return nil, err
	}
	menus, _, err := l.menus(settings)
	if err != nil {
		return nil, rootFailure(l.Config.Serve.Root, err)
	}
	if len(args) == 0 {
		return menus.Texts(), nil
	}
	text, err := a.readScript(args[0])
	if err != nil {
		return nil, err
	}
	texts := menus.Try(menu.LanguageOf(args[0]), text)
	for i := range texts {
		texts[i].Name = args[0] + ": " + texts[i].Name
	}
	return texts, nil
}

// maxLint is more than any script has, in bytes.
const maxLint = 4 << 20

func (a *app) readScript(name string) ([]byte, error) {
	in := a.stdin
	if name != config.Stdin {
		f, err := os.Open(name)
		if err != nil {
			return nil, cli.Usagef("name a script, or none for what is served", "reading the script: %w", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxLint+1))
	switch {
	case err != nil:
		return nil, cli.Usagef("name a script, or none for what is served", "reading the script: %w", err)
	case len(b) > maxLint:
		return nil, cli.Usagef("iPXE would not take it", "reading %s: it has more than %d bytes", name, maxLint)
	}
	return b, nil
}

func lint(t catalog.Text) []lintFinding {
	var found []lintFinding
	if t.Err != nil {
		code := lintMenu
		switch {
		case strings.HasPrefix(t.Err.Error(), "as a template: "):
			code = lintTemplate
		case t.Script == nil:
			code = lintUnread
		}
		for _, line := range strings.Split(t.Err.Error(), "\n") {
			found = append(found, lintFinding{Script: t.Name, Code: code, Level: string(script.Error), Text: line})
		}
	}
	if t.NotIPXE || t.Script == nil && t.Err != nil {
		return found
	}
	for _, f := range script.Lint(t.Script) {
		if t.Made && f.Level == script.Warning {
			continue
		}
		found = append(found, lintFinding{t.Name, f.Line, f.Code, string(f.Level), f.Text})
	}
	return found
}

// faulty reports whether one of the findings is an error.
func faulty(found []lintFinding) bool {
	return slices.ContainsFunc(found, func(f lintFinding) bool { return f.Level == string(script.Error) })
}

func printFindings(w io.Writer, texts []catalog.Text, found []lintFinding) error {
	for _, f := range found {
		at := cli.Plain(f.Script)
		if f.Line > 0 {
			at = fmt.Sprintf("%s:%d", at, f.Line)
		}
		level := ""
		if f.Level == string(script.Warning) {
			level = "warning: "
		}
		if _, err := fmt.Fprintf(w, "%s: %s%s (%s)\n", at, level, cli.Plain(f.Text), f.Code); err != nil {
			return err
		}
	}
	if len(found) > 0 {
		return nil
	}
	for _, t := range texts {
		if _, err := fmt.Fprintf(w, "ok: %s\n", cli.Plain(t.Name)); err != nil {
			return err
		}
	}
	return nil
}
