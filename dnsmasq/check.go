package dnsmasq

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// testLimit is how long `dnsmasq --test` may take; large block lists take seconds.
const testLimit = 30 * time.Second

// test has Dnsmasq read its whole configuration with the drop-in raw in place of the one that is there,
// before it is written, with the daemon's own arguments. An extra --conf-dir would add a second
// drop-in to the first, so the file is replaced: in its own mount namespace where that
// is possible, else by one file that has the lines of all files.
func (s *Server) test(ctx context.Context, raw []byte) error {
	t, err := s.find(raw)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, testLimit)
	defer cancel()
	err = s.testMounted(ctx, t, raw)
	if errors.Is(err, errNoNamespace) {
		s.cfg.Log.Debug("testing a copy of the configuration", "err", err)
		err = testFlat(ctx, t)
	}
	return err
}

// errNoNamespace: this system or user cannot have a mount namespace.
var errNoNamespace = errors.New("no mount namespace")

// testCommand is `dnsmasq --test` with args. Pi-hole's FTL tests one file, the last of args.
func (t target) testCommand(args []string) []string {
	if t.pihole && t.program == t.process.program {
		return []string{t.program, "dnsmasq-test-file", strings.TrimPrefix(args[len(args)-1], "--conf-file=")}
	}
	return append(append([]string{t.program}, args...), "--test")
}

// runTest runs a command that tests a configuration. where, if not nil, is the real place of a line of the tested file.
func runTest(ctx context.Context, command []string, where func(line int) string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || ctx.Err() != nil {
		return fmt.Errorf("running %s: %w", strings.Join(command, " "), err)
	}
	text := strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(string(out)), "dnsmasq: "), "\n", "; ")
	if m := atLine.FindStringSubmatchIndex(text); m != nil && where != nil {
		if n, err := strconv.Atoi(text[m[2]:m[3]]); err == nil {
			text = text[:m[0]] + where(n)
		}
	}
	return fmt.Errorf("%w: %s", ErrRejected, text)
}

var atLine = regexp.MustCompile(` at line (\d+) of \S+$`)

// testFlat tests one temporary file with the lines of every file in the order in which they are read.
func testFlat(ctx context.Context, t target) error {
	f, err := os.CreateTemp("", "pxeagent-dnsmasq-*.conf")
	if err != nil {
		return fmt.Errorf("copying Dnsmasq's configuration: %w", err)
	}
	defer os.Remove(f.Name())
	var text strings.Builder
	var lines []directive
	for _, d := range t.tree.lines {
		if d.file == "" || d.name == "conf-dir" || d.name == "conf-file" {
			continue
		}
		text.WriteString(d.raw + "\n")
		lines = append(lines, d)
	}
	_, err = f.WriteString(text.String())
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("copying Dnsmasq's configuration: %w", err)
	}
	args := append(withoutFiles(t.args), "--conf-file="+f.Name())
	return runTest(ctx, t.testCommand(args), func(n int) string {
		if n < 1 || n > len(lines) {
			return ""
		}
		return fmt.Sprintf(" at line %d of %s", lines[n-1].line, lines[n-1].file)
	})
}

// withoutFiles is a command line without the options that name configuration files.
func withoutFiles(args []string) []string {
	var kept []string
	for _, d := range parseArgs(args) {
		switch {
		case d.name == "conf-file" || d.name == "conf-dir":
		case strings.HasPrefix(d.name, "-"):
			kept = append(kept, d.name)
			if d.value != "" {
				kept = append(kept, d.value)
			}
		case d.value != "":
			kept = append(kept, "--"+d.name+"="+d.value)
		default:
			kept = append(kept, "--"+d.name)
		}
	}
	return kept
}
