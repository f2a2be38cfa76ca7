package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/cmd/pxeagent/config"
)

const examplePath = "../../deploy/pxeagent.example.yaml"

// commentedKey is a key that stands in the example as a comment; prose has a blank after the #.
var commentedKey = regexp.MustCompile(`^( *)#([a-z_0-9]+: .*)$`)

// example is the example as it stands, and with its commented keys made real.
func example(t *testing.T) (text, filled string) {
	t.Helper()
	b, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	for i, line := range lines {
		lines[i] = commentedKey.ReplaceAllString(line, "$1$2")
	}
	return string(b), strings.Join(lines, "\n")
}

func TestExampleIsTheDefaults(t *testing.T) {
	text, _ := example(t)
	isolate(t)
	write(t, "pxeagent.yaml", text)
	l, err := loadDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range l.Settings {
		if s.From.String() != "default" {
			t.Errorf("%s is set", s.Key.Name)
		}
	}
}

// Every key stands in the example once, in the table's order, with the default of the code; or, with no
// default, with an example that is right, under a comment that says so.
func TestExampleHasEveryKeyWithItsDefault(t *testing.T) {
	if config.Here != config.SystemOf("linux") {
		t.Skip("the example has the paths of Linux; deploy/release makes FreeBSD's of it")
	}
	_, filled := example(t)
	isolate(t)
	write(t, "pxeagent.yaml", filled)
	l, err := loadDefaults()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(filled, "\n")
	last := 0
	for _, s := range l.Settings {
		line, err := strconv.Atoi(strings.TrimPrefix(s.From.Short(), "file:"))
		if err != nil {
			t.Errorf("%s is not in the example", s.Key.Name)
			continue
		}
		if line <= last {
			t.Errorf("%s is not in the table's order", s.Key.Name)
		}
		last = line
		if s.Key.Default != "" {
			if got := strings.Join(s.Texts, ","); got != s.Key.Default {
				t.Errorf("%s: the example has %q, the default is %q", s.Key.Name, got, s.Key.Default)
			}
			continue
		}
		// The comment above, up to the blank line before it.
		from := line - 1
		for from > 0 && lines[from-1] != "" {
			from--
		}
		if !strings.Contains(strings.Join(lines[from:line], "\n"), "Example") {
			t.Errorf("%s: the comment does not say that %q is an example", s.Key.Name, s.Texts)
		}
	}
}

// What the example says of hosts and profiles is right.
func TestExampleOfMachines(t *testing.T) {
	b, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	inside := false
	for line := range strings.Lines(string(b)) {
		bare, comment := strings.CutPrefix(line, "#")
		if inside = comment && (inside && bare[0] == ' ' || bare == "hosts:\n" || bare == "profiles:\n"); inside {
			text = append(text, bare)
		}
	}
	isolate(t)
	write(t, "pxeagent.yaml", strings.Join(text, ""))
	l, err := loadDefaults()
	if err != nil {
		t.Fatalf("%v in\n%s", err, strings.Join(text, ""))
	}
	if diff := cmp.Diff([]int{3, 2}, []int{len(l.Config.Hosts), len(l.Config.Profiles)}); diff != "" {
		t.Error(diff)
	}
}
