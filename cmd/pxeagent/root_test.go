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

func TestCommandLine(t *testing.T) {
	isolate(t)
	for _, c := range []struct {
		args           string
		code           cli.Code
		stdout, stderr string // beginnings; "" for nothing at all
	}{
		{"", cli.Done, "pxeagent points a site's own DHCP server at itself", ""},
		{"config", cli.Done, "Check and show the configuration", ""},
		{"config check", cli.Done, "ok: no file, ", ""},
		{"config check --json", cli.Done, "{\n  \"file\": \"\",\n  \"ok\": true\n}\n", ""},
		{"config check --tftp 69", cli.Usage, "", "pxeagent: serve.tftp: \"69\" has no colon; want :69 (--tftp) [usage]\n"},
		{"config check --tftp 69 --http 80", cli.Usage, "", "pxeagent: 2 mistakes in the configuration [usage]\n  serve.tftp: "},
		{"config chekc", cli.Usage, "", "pxeagent: pxeagent config has no command \"chekc\" [usage]\nhint: did you mean `pxeagent config check`?\n"},
		{"configg", cli.Usage, "", "pxeagent: pxeagent has no command \"configg\" [usage]\nhint: did you mean `pxeagent config`?\n"},
		{"dance", cli.Usage, "", "pxeagent: pxeagent has no command \"dance\" [usage]\nhint: `pxeagent --help` lists the commands\n"},
		{"config check now", cli.Usage, "", "pxeagent: pxeagent config check takes no argument, and was given \"now\" [usage]\nhint: `pxeagent config check --help` lists its flags\n"},
		{"config check --nexd-server x", cli.Usage, "", "pxeagent: unknown flag: --nexd-server [usage]\nhint: `pxeagent config check --help` lists the flags\n"},
		{"config check --tftp", cli.Usage, "", "pxeagent: flag needs an argument: --tftp [usage]\n"},
		{"version", cli.Done, "pxeagent ", ""},
		{"version --json", cli.Done, "{\n  \"version\": ", ""},
		{"--version", cli.Done, "pxeagent ", ""},
		{"exit-codes", cli.Done, "  0  done, or nothing to do\n     done             done, or nothing to do", ""},
		{"exit-codes --markdown", cli.Done, "| exit | code | meaning |\n|---:|---|---|\n| 0 | `done` |", ""},
		{"help exit-codes", cli.Done, "An exit code says what a script would do next", ""},
		{"completion bash", cli.Done, "# bash completion", ""},
	} {
		r := pxeagent(strings.Fields(c.args)...)
		begins := func(got, want string) bool {
			return want == "" && got == "" || want != "" && strings.HasPrefix(got, want)
		}
		if r.code != c.code || !begins(r.stdout, c.stdout) || !begins(r.stderr, c.stderr) {
			t.Errorf("pxeagent %s: exit %v\nstdout: %.200s\nstderr: %s", c.args, r.code, r.stdout, r.stderr)
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
	for _, args := range [][]string{{"config", "show"}, {"config", "show", "--json"}, {"config", "check"}, {"exit-codes"}, {"version"}} {
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
