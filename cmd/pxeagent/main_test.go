package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// isolate keeps a test from this machine's configuration, and gives it a working directory.
func isolate(t *testing.T) string {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "PXEAGENT_") && name != "PXEAGENT_REQUIRE_E2E" {
			t.Setenv(name, "") // so that it is put back
			os.Unsetenv(name)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	before := config.Paths
	config.Paths = []string{filepath.Join(dir, "etc/pxeagent.yaml"), "./pxeagent.yaml"}
	t.Cleanup(func() { config.Paths = before })
	return dir
}

// loadDefaults loads what a command without flags would.
func loadDefaults() (loaded, error) { return (&app{backends: backend.Table()}).read(nil) }

// result is what a command line did.
type result struct {
	code           cli.Code
	stdout, stderr string
}

func pxeagent(args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(args, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// loadArgs loads what a command with all flags would.
func loadArgs(args ...string) (loaded, error) {
	a := &app{backends: backend.Table()}
	cmd := newConfigShowCmd(a)
	cmd.Flags().Var(&config.FlagText{Arg: "FILE"}, "config", "")
	if err := cmd.ParseFlags(args); err != nil {
		return loaded{}, err
	}
	l, err := a.read(cmd.Flags())
	l.open(a, cmd.Flags(), nil)
	return l, err
}
