package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/agent/files"
	"pxeagent/agent/script"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/deploy/lab"
)

func TestIPXEScript(t *testing.T) {
	isolate(t)
	r := pxeagent("ipxe", "script", "--next-server", "10.0.0.7", "--http", ":8080")
	if r.code != cli.Done || r.stderr != "" {
		t.Fatalf("%+v", r)
	}
	if f := script.Faults([]byte(r.stdout)); f != nil {
		t.Errorf("%+v", f)
	}
	for _, want := range []string{"#!ipxe\n", "\nchain -r http://10.0.0.7:8080/ipxe/bootstrap.ipxe ||\n",
		"tftp://${next-server}/", "&& shell ||\n"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the script lacks %q:\n%s", want, r.stdout)
		}
	}
}

func TestIPXEBuild(t *testing.T) {
	for _, tool := range []string{"make", "gcc", "ld", "perl"} {
		if _, err := exec.LookPath(tool); err != nil {
			lab.Missing(t, tool)
		}
	}
	dir := isolate(t)
	write(t, "ipxe/src/Makefile", "bin/undionly.kpxe: $(EMBED)\n\t@mkdir -p $(@D)\n\t@cp $(EMBED) $@\n")
	args := []string{"--root", filepath.Join(dir, "root"), "--next-server", "10.0.0.7"}
	r := pxeagent(append([]string{"ipxe", "build", "--source", "ipxe"}, args...)...)
	if r.code != cli.Done || !strings.Contains(r.stdout, "bios: installed "+filepath.Join(dir,
		"root/tftp/undionly.kpxe")) {
		t.Fatalf("%+v", r)
	}
	got, err := os.ReadFile("root/tftp/undionly.kpxe")
	if want := pxeagent(append([]string{"ipxe", "script"}, args[2:]...)...).stdout; err != nil || string(got) != want {
		t.Errorf("installed %q, %v; want the script that is printed", got, err)
	}
	// Explained as it now is.
	r = pxeagent(append([]string{"chain", "explain"}, args...)...)
	if r.code != cli.Done || !strings.Contains(r.stdout,
		"built with pxeagent's script to http://10.0.0.7/ipxe/bootstrap.ipxe") {
		t.Errorf("%+v", r)
	}
	write(t, "mine.ipxe", "#!ipxe\nshell\n")
	write(t, "bad.ipxe", "shell\n")
	write(t, "broken/Makefile", "bin/undionly.kpxe:\n\t@echo core/main.c: no such file\n\t@false\n")
	for _, tc := range []struct {
		args   string
		code   cli.Code
		stderr string
	}{
		{"--source ipxe --script mine.ipxe", cli.Done, ""},
		{"", cli.Usage, "--source is not set"},
		{"--source nowhere", cli.Usage, "not an iPXE source tree"},
		{"--source ipxe --script none.ipxe", cli.Usage, "--script: "},
		{"--source ipxe --script bad.ipxe", cli.Usage, "not an iPXE script"},
		{"--source ipxe --target clean", cli.Usage, "unknown iPXE target"},
		{"--source broken", cli.Unexpected, "core/main.c: no such file"},
	} {
		r := pxeagent(append(append([]string{"ipxe", "build"}, args...), strings.Fields(tc.args)...)...)
		if r.code != tc.code || tc.stderr == "" && r.stderr != "" || !strings.Contains(r.stderr, tc.stderr) {
			t.Errorf("%s: %+v", tc.args, r)
		}
	}
	if got, err := os.ReadFile("root/tftp/undionly.kpxe"); err != nil || string(got) != "#!ipxe\nshell\n" {
		t.Errorf("after builds that failed: %q, %v", got, err)
	}
	t.Setenv("PATH", t.TempDir())
	if r := pxeagent(append([]string{"ipxe", "build", "--source", "ipxe"}, args...)...); r.code != cli.NoProgram ||
		!strings.Contains(r.stderr, "hint: on Debian: apt install make") {
		t.Errorf("without tools: %+v", r)
	}
}

func TestChainExplain(t *testing.T) {
	isolate(t)
	if err := os.Mkdir("root", 0o755); err != nil {
		t.Fatal(err)
	}
	explain := func(args string) result {
		return pxeagent(append([]string{"chain", "explain", "--root", "root", "--next-server", "10.0.0.7"},
			strings.Fields(args)...)...)
	}
	type machines struct {
		Machines []struct {
			Machine, NBP, Ends string
			Ways               []files.LoopGuard
		}
	}
	for args, want := range map[string]string{
		"--interface eth1":                      "dhcp embed embed embed embed",
		"--interface eth1 --chain tftp":         "tftp tftp tftp http http",
		"--pfsense https://fw.lan":              "tftp embed embed embed embed",
		"--interface eth1 --chain embed":        " embed embed embed embed",
		"--pfsense https://fw.lan --chain dhcp": "dhcp dhcp dhcp dhcp dhcp",
		"--backend none --chain off":            "    ",
		"--backend none --chain dhcp":           "    ",
		"--interface eth1 --chain dhcp":         "dhcp dhcp dhcp dhcp dhcp",
	} {
		var m machines
		r := explain(args + " --json")
		if err := json.Unmarshal([]byte(r.stdout), &m); err != nil || r.code != cli.Done {
			t.Errorf("%s: %v: %+v", args, err, r)
			continue
		}
		var ends []string
		for _, one := range m.Machines {
			ends = append(ends, one.Ends)
		}
		if got := strings.Join(ends, " "); got != want {
			t.Errorf("%s: the loop ends by %q, want %q", args, got, want)
		}
	}
	text := explain("--pfsense https://fw.lan --chain embed").stdout
	for _, want := range []string{"BIOS ", "UEFI x64 ", "UEFI ARM64 ", "UEFI HTTP ",
		"pfSense itself sends iPXE what it sends a ROM", "chain: dhcp", "option 60 HTTPClient to PXE machines",
		"the DHCP server has to name undionly.kpxe", "left out by chain: embed", "nothing here ends the loop for certain"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	t.Setenv("PXEAGENT_SERVE_UNIVERSAL", "true")
	for args, want := range map[string]string{
		"--interface eth1":         "yes url        dhcp.http_boot: auto; Dnsmasq sends the URL",
		"--backend none":           "no  url        no DHCP server is configured from here",
		"--pfsense https://fw.lan": "no  universal  UEFI ARM64 asks exactly as UEFI x64",
	} {
		if r := explain(args); !strings.Contains(r.stdout, want) ||
			!strings.Contains(r.stdout, "yes universal  whichever of iPXE's names") ||
			!strings.Contains(r.stdout, "universal  true") {
			t.Errorf("%s: %q is not in\n%s", args, want, r.stdout)
		}
	}
	t.Setenv("PXEAGENT_SERVE_CHAIN_EXCEPT", "10.9.0.0/16")
	if r := explain("--interface eth1"); !strings.Contains(r.stdout, "but not in [10.9.0.0/16]") {
		t.Errorf("chain_except is not told: %+v", r)
	}
	if r := pxeagent("chain", "explain", "--root", "nowhere", "--next-server", "10.0.0.7"); r.code != cli.Root {
		t.Errorf("without a root folder: %+v", r)
	}
}
