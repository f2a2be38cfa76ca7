package main

import (
	"os"
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
)

// The tables of the reference are what the code has.
func TestReadmeTables(t *testing.T) {
	b, err := os.ReadFile("../../deploy/guide/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, table := range map[string]string{"configuration keys": backend.Schema(backend.Table()).Markdown(),
		"exit codes": cli.ExitMarkdown((&app{backends: backend.Table()}).codes())} {
		if !strings.Contains(string(b), table) {
			t.Errorf("deploy/guide/reference.md lacks the table of %s:\n%s", name, table)
		}
	}
}
