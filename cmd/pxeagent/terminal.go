package main

import (
	"io"
	"os"

	"golang.org/x/term"

	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
)

// newApp prints to stdout and stderr.
func newApp(stdout, stderr io.Writer) *app {
	a := &app{stdin: os.Stdin, stdout: cli.NewPrintable(stdout), stderr: cli.NewPrintable(stderr), document: stdout,
		backends: backend.Table()}
	if terminal(stdout) != nil {
		a.document = a.stdout
	}
	a.bars = terminal(stderr)
	return a
}

// terminal is w if it is one, else nil.
func terminal(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}
