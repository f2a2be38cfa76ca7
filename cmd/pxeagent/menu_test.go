package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/agent/menu"
	"pxeagent/agent/script"
	"pxeagent/cmd/pxeagent/cli"
)

const rootHash = "$5$rbGKkqrW$c3rJPrkPCAc.Idnw0Tv0Grc3A6oHJuL131C2H4ykuXA"

// menuSite is a configuration and a root with one SmartOS; its flags.
func menuSite(t *testing.T, config string) []string {
	t.Helper()
	dir := isolate(t)
	for _, f := range []string{"kernel/amd64/unix", "amd64/boot_archive"} {
		write(t, "root/http/smartos/20130808T195337Z/platform/i86pc/"+f, "x")
	}
	write(t, "shadow", rootHash+"\n")
	write(t, "pxeagent.yaml", config)
	return []string{"--root", filepath.Join(dir, "root"), "--next-server", "10.1.1.7", "--state-dir", filepath.Join(dir, "state")}
}

const nodeConfig = `menu:
  title: Rack 7
  root_shadow_file: shadow
  items: [{group: Production}, {item: "smartos-*", args: -v}]
hosts:
  - {name: node-01, mac: "52:54:00:12:34:56", profile: compute}
profiles:
  compute: {image: smartos-20130808T195337Z, console: ttyb, menu: skip}
`

func TestMenuShow(t *testing.T) {
	flags := menuSite(t, nodeConfig)
	show := func(more ...string) result {
		return pxeagent(append(append([]string{"menu", "show"}, more...), flags...)...)
	}
	const kernel = "\nkernel ${base}/smartos/20130808T195337Z/platform/i86pc/kernel/amd64/unix -B "
	for name, tc := range map[string]struct {
		flags          []string
		has, hasNot    []string
		code           cli.Code
		stderr, script string
	}{
		"nothing is known": {nil,
			[]string{"menu   Rack 7", "boots  local", "when nobody chooses for 30s", "item --gap -- -- Production", kernel + "console=text,root_shadow='(hidden)',smartos=true -v || goto failed\n"},
			[]string{rootHash}, cli.Done, "", ""},
		"with what is secret": {[]string{"--secrets"}, []string{"root_shadow='" + rootHash + "',"}, []string{"(hidden)"}, cli.Done, "", ""},
		"a machine that is known": {[]string{"--mac", "52-54-00-12-34-56", "--platform", "bios"},
			[]string{"boots  smartos-20130808T195337Z", "without a menu", "node-01", "profile compute", "by mac 52:54:00:12:34:56", kernel + `console=ttyb,ttyb-mode="115200,8,n,1,-",root_shadow=`, "\ngoto smartos-20130808T195337Z\n"},
			nil, cli.Done, "", ""},
		"the same under UEFI": {[]string{"--mac", "52:54:00:12:34:56", "--platform", "uefi"},
			[]string{"boots  local", "not shown: SmartOS needs BIOS", "item --gap -- SmartOS needs BIOS"}, []string{kernel, "without a menu"}, cli.Menu,
			"pxeagent: the menu is not as configured: the item to boot, smartos-20130808T195337Z, is not for this machine (SmartOS needs BIOS", ""},
		"a MAC that is none":      {[]string{"--mac", "52:54"}, nil, nil, cli.Usage, `--mac: "52:54" is no MAC address`, ""},
		"a platform that is none": {[]string{"--platform", "openfirmware"}, nil, nil, cli.Usage, `--platform: "openfirmware" is neither pcbios nor efi`, ""},
		"an address that is none": {[]string{"--address", "x"}, nil, nil, cli.Usage, `--address: "x" is no IP address`, ""},
		"no such folder":          {[]string{"--root", "/nonexistent"}, nil, nil, cli.Root, "serve.root", ""},
	} {
		r := show(tc.flags...)
		if name == "no such folder" {
			r = pxeagent(append([]string{"menu", "show"}, append(flags, tc.flags...)...)...)
		}
		if r.code != tc.code || !strings.Contains(r.stderr, tc.stderr) || tc.stderr == "" && r.stderr != "" {
			t.Errorf("%s: %v, %s", name, r.code, r.stderr)
		}
		for _, want := range tc.has {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%s: there is no %q in\n%s", name, want, r.stdout)
			}
		}
		for _, no := range tc.hasNot {
			if strings.Contains(r.stdout, no) {
				t.Errorf("%s: there is %q in\n%s", name, no, r.stdout)
			}
		}
	}
	r := show("--script", "--platform", "pcbios")
	if f := script.Faults([]byte(r.stdout)); r.code != cli.Done || f != nil {
		t.Errorf("the script alone: %+v\n%s", f, r.stdout)
	}
	r = show("--json", "--mac", "52:54:00:12:34:56", "--arch", "amd64", "--platform", "pcbios")
	var m menuJSON
	if err := json.Unmarshal([]byte(r.stdout), &m); err != nil || r.code != cli.Done {
		t.Fatalf("%v, %+v", err, r)
	}
	if m.Title != "Rack 7" || m.Default != "smartos-20130808T195337Z" || !m.SkipMenu || m.Choice.Host != "node-01" || m.Facts.Arch != "x86_64" || len(m.Problems) > 0 ||
		len(m.Items) == 0 || strings.Contains(r.stdout, rootHash) || !strings.HasPrefix(m.Script, "#!ipxe\n") {
		t.Errorf("%+v", m)
	}
}

func TestMenuLint(t *testing.T) {
	flags := menuSite(t, nodeConfig)
	write(t, "good.ipxe", "#!ipxe\n:a\ngoto a\n")
	write(t, "bad.ipxe", "#!ipxe\ngoto nowhere\n")
	write(t, "odd.ipxe", "#!ipxe\nexit\necho x\n")
	write(t, "hangs.ipxe", "\n#!ipxe\n")
	write(t, "bad.tmpl", "#!ipxe\n{{.Titel}}\n")
	write(t, "good.tmpl", menu.Template)
	for name, tc := range map[string]struct {
		args []string
		code cli.Code
		want string // of both outputs
	}{
		"what is served":     {nil, cli.Done, "ok: the menu for BIOS\nok: the menu for UEFI x64\n"},
		"a good script":      {[]string{"good.ipxe"}, cli.Done, "ok: good.ipxe\n"},
		"a bad script":       {[]string{"bad.ipxe"}, cli.Menu, "bad.ipxe:2: goto nowhere: label missing (no-label)\n"},
		"warnings alone":     {[]string{"odd.ipxe"}, cli.Done, "odd.ipxe:3: warning: never runs: echo x (unreachable)\n"},
		"one that hangs":     {[]string{"hangs.ipxe"}, cli.Menu, "hangs.ipxe:1: not an iPXE script"},
		"a good template":    {[]string{"good.tmpl"}, cli.Done, "ok: good.tmpl: the menu for UEFI ARM64\n"},
		"a bad template":     {[]string{"bad.tmpl"}, cli.Menu, "can't evaluate field Titel"},
		"as JSON":            {[]string{"bad.ipxe", "--json"}, cli.Menu, `"code": "no-label"`},
		"good, as JSON":      {[]string{"--json"}, cli.Done, `"findings": []`},
		"a file that is not": {[]string{"none.ipxe"}, cli.Usage, "reading the script: open none.ipxe"},
		"two files":          {[]string{"good.ipxe", "bad.ipxe"}, cli.Usage, "menu lint takes one file"},
	} {
		r := pxeagent(append(append([]string{"menu", "lint"}, tc.args...), flags...)...)
		if r.code != tc.code || !strings.Contains(r.stdout+r.stderr, tc.want) {
			t.Errorf("%s: %+v, want %v and %q", name, r, tc.code, tc.want)
		}
	}
	// What is on disk is read as machines would be given it.
	write(t, "root/http/ipxe/menu.d/rack.ipxe", "#!ipxe\ngoto nowhere\n")
	write(t, "root/http/"+menu.TemplateFile, "#!ipxe\n{{.Titel}}\n")
	r := pxeagent(append([]string{"menu", "lint"}, flags...)...)
	if r.code != cli.Menu || !strings.Contains(r.stdout, "ipxe/menu.d/rack.ipxe:2: goto nowhere") || !strings.Contains(r.stdout, "can't evaluate field Titel") {
		t.Errorf("%+v", r)
	}
	write(t, "root/http/ipxe/bootstrap.ipxe", "#!ipxe\nmenu x\nitem a A\nchoose --default none t\ngoto :a\n")
	if r := pxeagent(append([]string{"menu", "lint"}, flags...)...); r.code != cli.Menu || !strings.Contains(r.stdout, `ipxe/bootstrap.ipxe:4: warning: the default "none" is not an item`) || strings.Contains(r.stdout, "Titel") {
		t.Errorf("%+v", r)
	}
}

func TestMenuTemplate(t *testing.T) {
	flags := menuSite(t, nodeConfig)
	r := pxeagent("menu", "template")
	if r.code != cli.Done || r.stdout != menu.Template {
		t.Fatalf("%+v", r)
	}
	before := pxeagent(append([]string{"menu", "show", "--script"}, flags...)...)
	write(t, "root/http/"+menu.TemplateFile, r.stdout)
	if after := pxeagent(append([]string{"menu", "show", "--script"}, flags...)...); after.stdout != before.stdout || after.code != cli.Done {
		t.Errorf("%+v", after)
	}
}

// A file with the hash that others may read is refused before anything is served or shown.
func TestMenuRefusesOpenSecret(t *testing.T) {
	flags := menuSite(t, nodeConfig)
	if err := os.Chmod("shadow", 0o640); err != nil {
		t.Fatal(err)
	}
	r := pxeagent(append([]string{"menu", "show"}, flags...)...)
	if r.code != cli.Permission || !strings.Contains(r.stderr, "menu.root_shadow_file: ") || r.stdout != "" {
		t.Errorf("%+v", r)
	}
}
