package main

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// Every command says what it does, takes --help, and names in its examples only flags that it has.
func TestEveryCommandHasHelp(t *testing.T) {
	isolate(t)
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short help %q", cmd.CommandPath(), cmd.Short)
		}
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		if r := pxeagent(args...); r.code != cli.Done || !strings.Contains(r.stdout, "Usage:") || r.stderr != "" {
			t.Errorf("%q: %+v", args, r)
		}
		cmd.InitDefaultHelpFlag()
		for word := range strings.FieldsSeq(cmd.Example) {
			name, isFlag := strings.CutPrefix(word, "--")
			name, _, _ = strings.Cut(name, "=")
			if isFlag && cmd.Flag(name) == nil {
				t.Errorf("%s: its example has %s, which it does not take", cmd.CommandPath(), word)
			}
		}
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(newRootCmd(&app{backends: backend.Table()}))
}

func TestVersionOfThisBuild(t *testing.T) {
	var b build
	if err := json.Unmarshal([]byte(pxeagent("version", "--json").stdout), &b); err != nil {
		t.Fatal(err)
	}
	if b.Version == "" || b.Go != runtime.Version() || b.Platform != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("%+v", b)
	}
	b = build{Version: "1.2.3", Revision: "0123456789abcdef", Modified: true, Go: "go1.26", Platform: "linux/amd64"}
	if got := b.String(); got != "pxeagent 1.2.3 (0123456789ab, modified) go1.26 linux/amd64" {
		t.Error(got)
	}
}

// A command whose output cannot be written has not done what it was asked.
func TestOutputThatCannotBeWritten(t *testing.T) {
	isolate(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("missing: /dev/full")
	}
	defer full.Close()
	for _, args := range [][]string{{"config", "show"}, {"config", "show", "--json"}, {"config", "check"},
		{"exit-codes"}, {"version"}} {
		var stderr strings.Builder
		if code := run(args, full, &stderr); code != cli.NotWritable || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%q: exit %v, %s", args, code, stderr.String())
		}
	}
}

func TestLogger(t *testing.T) {
	var b strings.Builder
	log := newLogger(&b, config.LogConfig{Format: "json", Level: -4})
	log.Debug("hello", "iface", "eth1")
	var line map[string]any
	if err := json.Unmarshal([]byte(b.String()), &line); err != nil || line["msg"] != "hello" || line["iface"] != "eth1" {
		t.Errorf("%v: %s", err, b.String())
	}
	b.Reset()
	log = newLogger(&b, config.LogConfig{Format: "text", Level: 4})
	log.Info("quiet")
	log.Warn("loud", "iface", "eth1")
	if got := b.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "level=WARN msg=loud iface=eth1") {
		t.Errorf("%s", got)
	}
}
