package main

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestCommandLine(t *testing.T) {
	isolate(t)
	for _, c := range []struct {
		args           string
		code           exitCode
		stdout, stderr string // beginnings; "" for nothing at all
	}{
		{"", exitDone, "pxeagent points a site's own DHCP server at itself", ""},
		{"config", exitDone, "Check and show the configuration", ""},
		{"config check", exitDone, "ok: no file, ", ""},
		{"config check --json", exitDone, "{\n  \"file\": \"\",\n  \"ok\": true\n}\n", ""},
		{"config check --tftp 69", exitUsage, "", "pxeagent: serve.tftp: \"69\" has no colon; want :69 (--tftp)\n"},
		{"config check --tftp 69 --http 80", exitUsage, "", "pxeagent: 2 mistakes in the configuration\n  serve.tftp: "},
		{"config chekc", exitUsage, "", "pxeagent: pxeagent config has no command \"chekc\"\nhint: did you mean `pxeagent config check`?\n"},
		{"configg", exitUsage, "", "pxeagent: pxeagent has no command \"configg\"\nhint: did you mean `pxeagent config`?\n"},
		{"dance", exitUsage, "", "pxeagent: pxeagent has no command \"dance\"\nhint: `pxeagent --help` lists the commands\n"},
		{"config check now", exitUsage, "", "pxeagent: pxeagent config check takes no argument, and was given \"now\"\nhint: `pxeagent config check --help` lists its flags\n"},
		{"config check --nexd-server x", exitUsage, "", "pxeagent: unknown flag: --nexd-server\nhint: `pxeagent config check --help` lists the flags\n"},
		{"config check --tftp", exitUsage, "", "pxeagent: flag needs an argument: --tftp\n"},
		{"version", exitDone, "pxeagent ", ""},
		{"version --json", exitDone, "{\n  \"version\": ", ""},
		{"--version", exitDone, "pxeagent ", ""},
		{"exit-codes", exitDone, "  0  done             done, or nothing to do", ""},
		{"exit-codes --markdown", exitDone, "| code | name | meaning |\n|---:|---|---|\n| 0 | `done` |", ""},
		{"help exit-codes", exitDone, "Exit codes, with the names that --json gives them:\n\n  0  done", ""},
		{"completion bash", exitDone, "# bash completion", ""},
	} {
		r := pxeagent(strings.Fields(c.args)...)
		begins := func(got, want string) bool {
			return want == "" && got == "" || want != "" && strings.HasPrefix(got, want)
		}
		if r.code != c.code || !begins(r.stdout, c.stdout) || !begins(r.stderr, c.stderr) {
			t.Errorf("pxeagent %s: exit %d\nstdout: %.200s\nstderr: %s", c.args, r.code, r.stdout, r.stderr)
		}
	}
}

// Every command says what it does, takes --help, and names in its examples only flags that it has.
func TestEveryCommandHasHelp(t *testing.T) {
	isolate(t)
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short help %q", cmd.CommandPath(), cmd.Short)
		}
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		if r := pxeagent(args...); r.code != exitDone || !strings.Contains(r.stdout, "Usage:") || r.stderr != "" {
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
	walk(newRootCmd(&app{}))
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
	for _, args := range [][]string{{"config", "show"}, {"config", "show", "--json"}, {"config", "check"}, {"exit-codes"}, {"version"}} {
		var stderr strings.Builder
		if code := run(args, full, &stderr); exitCode(code) != exitNotWritable || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%q: exit %d, %s", args, code, stderr.String())
		}
	}
}

func TestLogger(t *testing.T) {
	var b strings.Builder
	log := newLogger(&b, LogConfig{Format: "json", Level: -4})
	log.Debug("hello", "iface", "eth1")
	var line map[string]any
	if err := json.Unmarshal([]byte(b.String()), &line); err != nil || line["msg"] != "hello" || line["iface"] != "eth1" {
		t.Errorf("%v: %s", err, b.String())
	}
	b.Reset()
	log = newLogger(&b, LogConfig{Format: "text", Level: 4})
	log.Info("quiet")
	log.Warn("loud", "iface", "eth1")
	if got := b.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "level=WARN msg=loud iface=eth1") {
		t.Errorf("%s", got)
	}
}
