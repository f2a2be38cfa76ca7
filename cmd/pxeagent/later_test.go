package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/pfsense/pfsensetest"
)

// textsIn is the text of each file below dir, by path.
func textsIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, name := range kinds(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(b)
	}
	return texts
}

// refused checks that r ends with a line and a hint, and that the files in dir are as before.
func refused(t *testing.T, what string, r result, code cli.Code, says, hint, dir string, before map[string]string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
	if r.code != code || len(lines) != 2 || !strings.Contains(lines[0], says) ||
		!strings.HasPrefix(lines[1], "hint: ") || !strings.Contains(lines[1], hint) {
		t.Errorf("%s: %s\n%s%swant %s, %q and the hint %q", what, r.code.Name, r.stdout, r.stderr, code.Name, says, hint)
	}
	for name, text := range textsIn(t, dir) {
		if before[name] != text && !strings.HasSuffix(name, ".lock") {
			t.Errorf("%s: %s was changed", what, name)
		}
	}
}

// What a later version wrote ends a command with one line and a hint, and stays as it is.
func TestOfALaterVersion(t *testing.T) {
	s := newFirewallSite(t, pfsensetest.Options{})
	if r := s.run("", "configure"+desired); r.code != cli.NotProven {
		t.Fatalf("%+v", r)
	}
	journals, err := filepath.Glob("state/journal/*.json")
	if err != nil || len(journals) != 1 {
		t.Fatalf("%v, %v", journals, err)
	}
	text := textsIn(t, ".")[journals[0]]
	for _, c := range []struct{ name, text, says, hint string }{
		{"later", strings.Replace(text, `"version": 1`, `"version": 2, "more": []`, 1),
			"a later pxeagent wrote it: it has version 2, this pxeagent knows version 1",
			"nothing was changed: use the pxeagent that wrote it"},
		{"cut off", text[:len(text)/2], "unexpected end of JSON input", "put back by hand what it says, then move it away"},
	} {
		write(t, journals[0], c.text)
		before, asked := textsIn(t, "state"), s.fw.Writes()
		for _, command := range []string{"configure" + desired, "configure --off" + desired, "revert --interface admin"} {
			refused(t, c.name+", "+command, s.run("", command), cli.Unexpected, c.says, c.hint, "state", before)
		}
		if got := s.fw.Writes(); got != asked {
			t.Errorf("%s: the firewall was written to %d times", c.name, got-asked)
		}
	}

	write(t, "state/networks.json", `{"version": 2, "networks": []}`)
	write(t, "pxeagent.yaml", "interface: admin\nnext_server: 10.99.0.7\nstate_dir: state\n"+
		"dhcp: {pfsense: {url: "+s.fw.URL().String()+"}}\n")
	refused(t, "networks", pxeagent("probe"), cli.Unexpected, "networks.json cannot be understood",
		"use the pxeagent that wrote it, or move it away", "state", textsIn(t, "state"))

	isolate(t)
	for text, says := range map[string]string{
		"quic: {listen: ':443'}\n":                       "quic: unknown key (",
		"profiles:\n  x: {image: local, hologram: on}\n": "profiles.x.hologram: unknown key; there are args, ",
	} {
		write(t, "pxeagent.yaml", text)
		for _, command := range []string{"config check", "serve", "configure"} {
			refused(t, command, pxeagent(strings.Fields(command)...), cli.Usage, says, "a later pxeagent may know the key",
				".", map[string]string{"pxeagent.yaml": text})
		}
	}
}

// A folder that cannot be written ends a command with one line and a hint that names it, before anything is changed.
func TestUnwritableFolders(t *testing.T) {
	s := newFirewallSite(t, pfsensetest.Options{})
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	write(t, "file", "the site's\n")
	before := textsIn(t, ".")
	for name, c := range map[string]struct{ args, says string }{
		"journal":       {"configure" + desired + " --state-dir=file/state", "file/state"},
		"one-time boot": {"host boot 52:54:00:12:34:56 local --once --root=" + dir + " --state-dir=file/state", "file/state"},
		"image":         {"image add memtest 7.20 --root=file/root --state-dir=state", "file/root"},
	} {
		asked := s.fw.Writes()
		args := strings.Fields(c.args)
		if args[0] == "configure" {
			args = append(args, "--pfsense="+s.fw.URL().String(), "--user="+firewallUser, s.pin(), "--password-file=password")
		}
		r := pxeagent(args...)
		lines := strings.Split("\n"+strings.TrimSpace(r.stderr), "\n")
		if said := lines[len(lines)-2]; !strings.HasPrefix(said, "pxeagent: ") || !strings.Contains(said, c.says) {
			t.Errorf("%s: %s", name, r.stderr)
		}
		hint := lines[len(lines)-1]
		if r.code != cli.NotWritable || !strings.HasPrefix(hint, "hint: a file stands where a folder is wanted: ") {
			t.Errorf("%s: %s, %s", name, r.code.Name, hint)
		}
		if s.fw.Writes() != asked {
			t.Errorf("%s: the firewall was written to %d times", name, s.fw.Writes()-asked)
		}
		for file, text := range before {
			if b, err := os.ReadFile(file); err != nil || string(b) != text {
				t.Errorf("%s: %s is %q (%v)", name, file, b, err)
			}
		}
	}
}
